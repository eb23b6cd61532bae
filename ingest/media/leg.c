/* One media stream of the telephone network and the claim under which its leg is given to a
 * conversation ("Claims and the fence" in the design). */
#include "ingest/media/leg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_id.h"
#include "ingest/media/media_internal.h"
#include "ingest/webhook/webhook.h"
#include "twilio/stream.h"

#define QUIET_MS 300         /* silence that counts as a pause */
#define RECLAIM_MS 250       /* between claims of a leg that is lost again and again */
#define TOO_MANY_INVALID 100 /* messages before the start: then it is no telephone network */

/* ---- small things ---- */

struct tl_leg *tl_leg_create(struct tl_media *media)
{
    struct tl_leg *leg = calloc(1, sizeof(*leg));
    if (!leg)
        abort();
    leg->media = media;
    leg->conversation = -1;
    leg->offset = -1;
    leg->checkpoint_offset = -1;
    leg->opened_ms = leg->last_frame_ms = tl_mono_ms();
    tl_backlog_init(&leg->backlog, (size_t)(media->ingest->settings.backlog_ms / 20));
    leg->next = media->legs;
    media->legs = leg;
    return leg;
}

void tl_leg_release(struct tl_leg *leg)
{
    if (leg->ws || leg->refs || leg->backlog.len)
        return; /* what was said must reach the log first */
    tl_media_forget(leg->media, leg);
    tl_backlog_finish(&leg->backlog);
    free(leg);
}

void tl_leg_orphan(struct tl_leg *leg)
{
    leg->media = NULL;
    leg->ws = NULL;
    tl_backlog_finish(&leg->backlog);
    if (!leg->refs)
        free(leg);
}

static struct tl_claim claim_of(const struct tl_leg *leg, int session)
{
    return (struct tl_claim){.number = leg->number, .offset = leg->offset, .session = session};
}

static struct tl_call_event event_of(const struct tl_leg *leg, struct tl_claim *claim)
{
    return (struct tl_call_event){.call_id = leg->call_id,
                                  .leg = "caller",
                                  .business_id = leg->link.business_id,
                                  .claim = claim};
}

static struct tl_media_item item_of(const struct tl_leg *leg, enum tl_media_kind kind)
{
    return (struct tl_media_item){.kind = kind,
                                  .call_id = leg->call_uuid,
                                  .number = leg->number,
                                  .offset = leg->offset,
                                  .session = leg->session,
                                  .n = -1};
}

bool tl_leg_conversation_lives(const struct tl_leg *leg)
{
    const struct tl_peer *peer =
        tl_presence_peer(tl_fleet_view(leg->media->ingest->fleet), TL_INSTANCE_KIND_CONVERSATION,
                         leg->conversation);
    return peer && peer->epoch == leg->conversation_epoch;
}

/* ---- giving: each step waits for the log ---- */

static void number_leg(struct tl_leg *leg);
static void give(struct tl_leg *leg, int old, int64_t old_epoch);

/* An acknowledgement that the leg waits for; dropped when the leg has moved on since. */
struct step {
    struct tl_leg *leg;
    unsigned generation;
    void (*next)(struct tl_leg *leg, const struct tl_delivery *delivery);
};

static void on_step(void *arg, const struct tl_delivery *delivery)
{
    struct step *step = arg;
    struct tl_leg *leg = step->leg;
    bool current = step->generation == leg->generation;

    leg->refs--;
    if (!leg->media) { /* the process is leaving */
        free(step);
        tl_leg_orphan(leg);
        return;
    }
    if (current && leg->ws && delivery->status == TL_OK)
        step->next(leg, delivery);
    else if (current && leg->ws) /* Kafka is away: claim anew, the caller's sound is kept meanwhile */
        number_leg(leg);
    free(step);
    tl_leg_release(leg);
}

static struct step *step_create(struct tl_leg *leg,
                                void (*next)(struct tl_leg *leg, const struct tl_delivery *))
{
    struct step *step = malloc(sizeof(*step));
    if (!step)
        abort();
    *step = (struct step){.leg = leg, .generation = leg->generation, .next = next};
    leg->refs++;
    return step;
}

/* Kafka takes nothing, or the claim was lost again at once: the next check claims anew. The caller's
 * sound is kept meanwhile. */
static void stall(struct tl_leg *leg)
{
    leg->stage = TL_LEG_NUMBERING;
    leg->generation++;
    leg->stalled = true;
}

static void send_given(struct tl_leg *leg, int session,
                       void (*next)(struct tl_leg *leg, const struct tl_delivery *))
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_claim claim = claim_of(leg, session);
    struct tl_call_event event = event_of(leg, &claim);
    struct tl_given given = {.stream_sid = leg->stream_sid,
                             .mailbox = leg->conversation,
                             .mailbox_epoch = leg->conversation_epoch,
                             .ingest = ingest->number,
                             .ingest_epoch = tl_fleet_epoch(ingest->fleet)};
    struct tl_error err;
    struct step *step = step_create(leg, next);

    event.given = &given;
    if (tl_fleet_send_event(ingest->fleet, &event, on_step, step, &err) == TL_OK)
        return;
    tl_log_warn(ingest->log, "leg.given_not_sent", TL_STR("call_id", leg->call_id),
                TL_STR("error", err.msg));
    leg->refs--;
    free(step);
    stall(leg);
}

static void on_started_logged(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    (void)delivery;
    leg->waits = 0;
}

static void send_started(struct tl_leg *leg)
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_backlog *backlog = &leg->backlog;
    struct tl_media_item item = item_of(leg, TL_MEDIA_KIND_STARTED);
    struct tl_started started = {
        .stream_sid = leg->stream_sid,
        .call_sid = leg->link.call_sid,
        .leg = "caller",
        .business_id = leg->link.business_id,
        .business_version = leg->link.business_version,
        .direction = leg->link.direction,
        .from_number = leg->link.from_number,
        .to_number = leg->link.to_number,
        .call_started_at = leg->link.started_at_ms,
        .call_start_offset = leg->link.start_offset,
        .calls_partition = tl_fleet_partition_of(ingest->fleet, leg->call_id),
        .first_n = backlog->len ? tl_backlog_at(backlog, 0)->n : backlog->next_n,
        .checkpoint_offset = leg->checkpoint_offset};
    struct tl_error err;
    struct step *step = step_create(leg, on_started_logged);

    item.started = &started;
    if (tl_media_send_item(leg->media, leg->conversation, leg->conversation_epoch, &item, on_step,
                           step, &err) != TL_OK) {
        tl_log_warn(ingest->log, "leg.started_not_sent", TL_STR("call_id", leg->call_id),
                    TL_STR("error", err.msg));
        leg->refs--;
        free(step);
        stall(leg);
        return;
    }
    leg->waits = 1; /* sound follows at once; should STARTED fail, all of it is given again */
    leg->stage = TL_LEG_LIVE;
    tl_counter_add(&ingest->metrics.claims, 1);
    tl_log_info(ingest->log, "leg.given", TL_STR("call_id", leg->call_id),
                TL_STR("stream_sid", leg->stream_sid), TL_INT("number", leg->number),
                TL_INT("session", leg->session), TL_INT("conversation", leg->conversation));
    if (leg->backlog.len)
        tl_media_touch(leg->media, leg);
}

static void on_one_ack(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    (void)delivery;
    if (--leg->waits == 0)
        send_started(leg);
}

static bool send_revoked(struct tl_leg *leg, int mailbox, int64_t epoch)
{
    struct tl_media_item item = item_of(leg, TL_MEDIA_KIND_REVOKED);
    struct tl_error err;
    struct step *step = step_create(leg, on_one_ack);

    item.text = leg->stream_sid;
    if (tl_media_send_item(leg->media, mailbox, epoch, &item, on_step, step, &err) == TL_OK) {
        leg->waits++;
        return true;
    }
    tl_log_warn(leg->media->ingest->log, "leg.revoked_not_sent", TL_STR("call_id", leg->call_id),
                TL_STR("error", err.msg));
    leg->refs--;
    free(step);
    stall(leg);
    return false;
}

/* Session + 1: `revoked` to the old mailbox and `given` to the log, both waited for, then STARTED. */
static void give(struct tl_leg *leg, int old, int64_t old_epoch)
{
    leg->stage = TL_LEG_GIVING;
    leg->session++;
    leg->generation++;
    leg->waits = 0;
    if (old >= 0 && (old != leg->conversation || old_epoch != leg->conversation_epoch) &&
        !send_revoked(leg, old, old_epoch))
        return;
    leg->waits++;
    send_given(leg, leg->session, on_one_ack);
}

static bool choose(struct tl_leg *leg, int wanted, int not_number)
{
    struct tl_presence_view *view = tl_fleet_view(leg->media->ingest->fleet);
    struct tl_peer *peer = tl_presence_peer(view, TL_INSTANCE_KIND_CONVERSATION, wanted);

    if (wanted < 0 || wanted == not_number || !peer || peer->draining) {
        int number = tl_media_choose(leg->media, leg->call_id, not_number);
        peer = number < 0 ? NULL : tl_presence_peer(view, TL_INSTANCE_KIND_CONVERSATION, number);
    }
    if (!peer)
        return false;
    leg->conversation = peer->number;
    leg->conversation_epoch = peer->epoch;
    return true;
}

static void on_numbered(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    int old = leg->link.number > 1 ? leg->link.hint : -1;
    const struct tl_peer *peer = tl_presence_peer(tl_fleet_view(leg->media->ingest->fleet),
                                                  TL_INSTANCE_KIND_CONVERSATION, old);

    if (delivery->offset < 0) { /* in the log, but where is not known: once more */
        number_leg(leg);
        return;
    }
    leg->offset = delivery->offset;
    if (!tl_leg_conversation_lives(leg) && !choose(leg, -1, -1)) {
        leg->stage = TL_LEG_LIVE; /* nobody: the check timer tries again */
        leg->conversation = -1;
        return;
    }
    give(leg, peer ? old : -1, peer ? peer->epoch : -1);
}

/* The first `given` of an attachment: its offset makes the attachment unique. */
static void number_leg(struct tl_leg *leg)
{
    leg->stage = TL_LEG_NUMBERING;
    leg->generation++;
    leg->stalled = false;
    leg->claimed_ms = tl_mono_ms();
    leg->offset = -1;
    leg->session = 0;
    size_t again = tl_backlog_rewind(&leg->backlog);
    if (again)
        tl_counter_add(&leg->media->ingest->metrics.frames_resent, again);
    if (!choose(leg, leg->conversation >= 0 ? leg->conversation : leg->link.hint, -1)) {
        leg->stage = TL_LEG_LIVE;
        leg->conversation = -1;
        return;
    }
    send_given(leg, 0, on_numbered);
}

void tl_leg_claim_anew(struct tl_leg *leg)
{
    if (leg->ws && !leg->ended)
        number_leg(leg);
}

void tl_leg_move(struct tl_leg *leg, int not_number, const char *cause)
{
    struct tl_ingest *ingest = leg->media->ingest;
    int old = leg->conversation;
    int64_t old_epoch = leg->conversation_epoch;

    if (leg->stage != TL_LEG_LIVE || !leg->ws)
        return;
    if (!choose(leg, -1, not_number) && !choose(leg, old, -1)) {
        tl_log_warn(ingest->log, "leg.nobody_takes_it", TL_STR("call_id", leg->call_id));
        return; /* tried again at the next check */
    }
    size_t again = tl_backlog_rewind(&leg->backlog);
    tl_counter_add(&ingest->metrics.frames_resent, again);
    tl_counter_add(tl_counter_of(&ingest->metrics.claims_moved, cause), 1);
    tl_log_info(ingest->log, "leg.moved", TL_STR("call_id", leg->call_id), TL_STR("cause", cause),
                TL_INT("from", old), TL_INT("to", leg->conversation),
                TL_INT("unacknowledged", again));
    if (leg->offset < 0)
        number_leg(leg);
    else
        give(leg, old, old_epoch);
}

void tl_leg_on_batch(struct tl_leg *leg, unsigned generation, int64_t n, bool ok, int64_t offset)
{
    leg->refs--;
    if (ok && leg->conversation >= 0 && generation == leg->generation)
        tl_presence_owe(tl_fleet_view(leg->media->ingest->fleet), TL_INSTANCE_KIND_CONVERSATION,
                        leg->conversation, offset);
    if (generation == leg->generation) {
        if (ok) {
            tl_backlog_acknowledge(&leg->backlog, n);
        } else if (leg->waits && leg->ws) { /* nor did STARTED come through */
            number_leg(leg);
        } else {
            tl_counter_add(&leg->media->ingest->metrics.frames_resent,
                           tl_backlog_rewind(&leg->backlog));
            leg->generation++; /* answers to what is sent again do not mix with those still to come */
            tl_media_touch(leg->media, leg);
        }
    }
    tl_leg_release(leg);
}

/* ---- the end ---- */

void tl_leg_end(struct tl_leg *leg, const char *reason)
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_claim claim = claim_of(leg, 0);
    struct tl_call_event event = event_of(leg, &claim);
    struct tl_stream_ended ended = {.stream_sid = leg->stream_sid,
                                    .reason = reason,
                                    .frames = leg->frames,
                                    .frames_dropped = (int64_t)leg->backlog.dropped};
    struct tl_error err;

    if (leg->stage != TL_LEG_WAIT_START && !leg->ended) {
        event.stream_ended = &ended;
        if (tl_fleet_send_event(ingest->fleet, &event, NULL, NULL, &err) != TL_OK)
            tl_log_warn(ingest->log, "leg.end_not_recorded", TL_STR("call_id", leg->call_id),
                        TL_STR("error", err.msg));
        tl_counter_add(tl_counter_of(&ingest->metrics.streams_ended, reason), 1);
        tl_log_info(ingest->log, "stream.ended", TL_STR("call_id", leg->call_id),
                    TL_STR("stream_sid", leg->stream_sid), TL_STR("reason", reason),
                    TL_INT("frames", leg->frames), TL_INT("frames_dropped", leg->backlog.dropped));
    }
    leg->ended = true;
    if (leg->ws)
        tl_ws_close(leg->ws, 1000, reason);
}

bool tl_leg_is_pausing(const struct tl_leg *leg, int64_t now_ms)
{
    return leg->marks_out <= 0 && now_ms - leg->last_loud_ms > QUIET_MS;
}

/* ---- what the telephone network says ---- */

static void on_start(struct tl_leg *leg, const struct tl_stream_message *m)
{
    struct tl_media *media = leg->media;
    struct tl_ingest *ingest = media->ingest;
    struct tl_token_keys keys = tl_webhook_keys(ingest);
    struct tl_leg *twin;
    struct tl_error err;

    enum tl_status st = tl_link_verify(&keys, TL_LINK_STREAM, m->text, &leg->link, &err);
    if (st == TL_OK && strcmp(leg->link.call_sid, m->call_sid) != 0)
        st = tl_fail(&err, TL_DENIED, "the key is of another call");
    HASH_FIND_STR(media->by_stream, m->stream_sid, twin);
    if (st == TL_OK && !m->stream_sid[0])
        st = tl_fail(&err, TL_INVALID, "the stream has no name");
    if (st == TL_OK && twin)
        st = tl_fail(&err, TL_CONFLICT, "the stream is open already");
    if (st != TL_OK) {
        tl_counter_add(tl_counter_of(&ingest->metrics.messages_invalid, "start"), 1);
        tl_log_warn(ingest->log, "stream.refused", TL_STR("peer", tl_ws_peer(leg->ws)),
                    TL_STR("error", err.msg));
        tl_ws_close(leg->ws, 1008, "key refused");
        return;
    }
    (void)snprintf(leg->stream_sid, sizeof(leg->stream_sid), "%s", m->stream_sid);
    leg->call_uuid = tl_call_id_of_sid(m->call_sid);
    tl_uuid_format(&leg->call_uuid, leg->call_id);
    leg->number = leg->link.number;
    leg->last_loud_ms = tl_mono_ms();
    HASH_ADD_STR(media->by_stream, stream_sid, leg);
    media->streams++;
    tl_gauge_set(&ingest->metrics.streams, media->streams);
    tl_counter_add(&ingest->metrics.streams_opened, 1);
    number_leg(leg);
}

/* Nothing but the quietest steps of mu-law: |sample| < 64 of 32,124. */
static bool is_silence(const uint8_t *audio, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((audio[i] & 0x7f) < 0x70)
            return false;
    return true;
}

static void push(struct tl_leg *leg, enum tl_media_kind kind, int64_t timestamp_ms,
                 const void *data, size_t len)
{
    if (!tl_backlog_push(&leg->backlog, kind, timestamp_ms, data, len))
        tl_counter_add(&leg->media->ingest->metrics.frames_dropped, 1);
    if (leg->stage == TL_LEG_LIVE)
        tl_media_touch(leg->media, leg);
}

static void on_media(struct tl_leg *leg, const struct tl_stream_message *m)
{
    leg->frames++;
    leg->last_frame_ms = tl_mono_ms();
    if (!is_silence(m->audio, m->audio_len))
        leg->last_loud_ms = leg->last_frame_ms;
    tl_counter_add(&leg->media->ingest->metrics.frames, 1);
    for (size_t at = 0; at < m->audio_len; at += TL_BACKLOG_DATA_MAX) { /* one frame each, usually one */
        size_t len = m->audio_len - at;
        push(leg, TL_MEDIA_KIND_FRAME, m->timestamp_ms + (int64_t)at / 8, m->audio + at,
             len < TL_BACKLOG_DATA_MAX ? len : TL_BACKLOG_DATA_MAX);
    }
}

static void push_text(struct tl_leg *leg, enum tl_media_kind kind, const char *text)
{
    size_t len = strlen(text);
    push(leg, kind, 0, text, len < TL_BACKLOG_DATA_MAX ? len : TL_BACKLOG_DATA_MAX);
}

static void on_known(struct tl_leg *leg, const struct tl_stream_message *m)
{
    bool is_own = strcmp(m->stream_sid, leg->stream_sid) == 0;

    if (!is_own && m->event != TL_STREAM_CONNECTED) {
        tl_counter_add(tl_counter_of(&leg->media->ingest->metrics.messages_invalid, "stream_sid"), 1);
        return;
    }
    switch (m->event) {
    case TL_STREAM_MEDIA:
        on_media(leg, m);
        break;
    case TL_STREAM_MARK:
        leg->marks_out--;
        push_text(leg, TL_MEDIA_KIND_MARK, m->text);
        break;
    case TL_STREAM_DTMF:
        push_text(leg, TL_MEDIA_KIND_KEYED, m->text);
        break;
    case TL_STREAM_STOP:
        leg->stopped = true;
        push_text(leg, TL_MEDIA_KIND_STOPPED, leg->stream_sid);
        tl_leg_end(leg, "stop");
        break;
    case TL_STREAM_CONNECTED:
    case TL_STREAM_START: /* a second one says nothing new */
        break;
    }
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct tl_leg *leg = arg;
    struct tl_stream_message m;
    struct tl_error err;

    (void)ws;
    if (!leg) /* the process is leaving */
        return;
    enum tl_status st = is_text ? tl_stream_parse(data, len, &m, &err)
                                : tl_fail(&err, TL_INVALID, "a binary message");
    if (st == TL_NOT_FOUND)
        return; /* the network may add events at any time */
    if (st != TL_OK) { /* never drop a call for a bad message */
        struct tl_ingest *ingest = leg->media->ingest;
        tl_counter_add(tl_counter_of(&ingest->metrics.messages_invalid, "stream"), 1);
        tl_log_debug(ingest->log, "stream.message_invalid", TL_STR("call_id", leg->call_id),
                     TL_STR("error", err.msg));
        if (leg->stage == TL_LEG_WAIT_START && ++leg->waits > TOO_MANY_INVALID)
            tl_ws_close(leg->ws, 1008, "not a media stream");
        return;
    }
    if (leg->stage != TL_LEG_WAIT_START) {
        on_known(leg, &m);
    } else if (m.event == TL_STREAM_START) {
        leg->waits = 0;
        on_start(leg, &m);
    }
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *close)
{
    struct tl_leg *leg = arg;

    (void)ws;
    if (!leg)
        return;
    struct tl_media *media = leg->media;
    leg->ws = NULL;
    if (leg->stage != TL_LEG_WAIT_START) {
        media->streams--;
        tl_gauge_set(&media->ingest->metrics.streams, media->streams);
        if (!leg->ended)
            tl_leg_end(leg, close->abrupt ? "broken" : "closed");
        if (leg->stage != TL_LEG_LIVE || leg->conversation < 0) { /* nobody will take what is left */
            tl_backlog_finish(&leg->backlog);
            tl_backlog_init(&leg->backlog, 1);
        }
    }
    tl_leg_release(leg);
}

const struct tl_ws_callbacks tl_leg_callbacks = {.on_message = on_message, .on_close = on_close};

/* ---- what the conversation says ---- */

/* "I do not hold this stream": claim again above the other, while its frames still come. */
static void on_lost(struct tl_leg *leg, const struct tl_playback_item *item)
{
    bool is_higher = item->number > leg->number ||
                     (item->number == leg->number && item->offset > leg->offset);
    bool is_own = item->number == leg->number && item->offset == leg->offset &&
                  item->session == leg->session;
    bool won = item->winner_stream_sid && strcmp(item->winner_stream_sid, leg->stream_sid) == 0;

    if (won || leg->ended || leg->stage == TL_LEG_NUMBERING || leg->offset < 0)
        return;
    if (!(is_higher && item->winner_stream_sid) && !is_own)
        return;
    if (item->number > leg->number)
        leg->number = item->number;
    tl_counter_add(tl_counter_of(&leg->media->ingest->metrics.claims_moved, "lost"), 1);
    tl_log_info(leg->media->ingest->log, "leg.lost", TL_STR("call_id", leg->call_id),
                TL_INT("number", leg->number));
    if (tl_mono_ms() - leg->claimed_ms < RECLAIM_MS)
        stall(leg); /* two that claim above each other must not do so as fast as the log is */
    else
        number_leg(leg);
}

static void on_refused(struct tl_leg *leg, const char *why)
{
    if (leg->tried_n < TL_ARRAY_LEN(leg->tried))
        leg->tried[leg->tried_n++] = leg->conversation;
    if (leg->tried_n < TL_ARRAY_LEN(leg->tried)) {
        tl_leg_move(leg, leg->conversation, "refused");
        return;
    }
    tl_log_warn(leg->media->ingest->log, "leg.refused_by_all", TL_STR("call_id", leg->call_id),
                TL_STR("reason", why));
    const struct tl_business *b = tl_fleet_business(leg->media->ingest->fleet,
                                                    leg->link.business_id,
                                                    leg->link.business_version);
    tl_media_end_call(leg->media, leg, "refused",
                      b && *b->busy_sentence
                          ? b->busy_sentence
                          : "We are sorry, all our lines are busy. Please call again later.");
}

static void send_frame(struct tl_leg *leg)
{
    struct tl_media *media = leg->media;

    if (tl_ws_send(leg->ws, true, media->frame.data, media->frame.len) != TL_OK)
        tl_counter_add(tl_counter_of(&media->ingest->metrics.messages_invalid, "socket_full"), 1);
}

static void play(struct tl_leg *leg, const struct tl_playback_item *item)
{
    struct tl_buf *frame = &leg->media->frame;

    tl_buf_reset(frame);
    switch (item->kind) {
    case TL_PLAYBACK_KIND_AUDIO:
        tl_stream_media(frame, leg->stream_sid, item->audio);
        tl_counter_add(&leg->media->ingest->metrics.playback_bytes, item->audio.len);
        break;
    case TL_PLAYBACK_KIND_MARK:
        tl_stream_mark(frame, leg->stream_sid, item->text ? item->text : "");
        leg->marks_out++;
        break;
    case TL_PLAYBACK_KIND_CLEAR:
        tl_stream_clear(frame, leg->stream_sid);
        break;
    default:
        return;
    }
    send_frame(leg);
}

void tl_leg_on_playback(struct tl_leg *leg, const struct tl_playback_item *item, int conversation,
                        int64_t conversation_epoch)
{
    bool is_holder = conversation == leg->conversation &&
                     conversation_epoch == leg->conversation_epoch &&
                     item->number == leg->number && item->offset == leg->offset &&
                     item->session == leg->session;

    if (!leg->ws)
        return;
    if (is_holder && item->checkpoint_offset > leg->checkpoint_offset)
        leg->checkpoint_offset = item->checkpoint_offset; /* of others it may be behind the fence */
    if (item->kind == TL_PLAYBACK_KIND_LOST) {
        on_lost(leg, item);
    } else if (!is_holder || leg->stage != TL_LEG_LIVE) {
        tl_counter_add(&leg->media->ingest->metrics.playback_stale, 1);
    } else if (item->kind == TL_PLAYBACK_KIND_REFUSED) {
        on_refused(leg, item->text ? item->text : "");
    } else if (item->kind == TL_PLAYBACK_KIND_HANDED_OVER) {
        tl_leg_move(leg, conversation, "hand_over");
    } else {
        leg->tried_n = 0; /* it was taken: refusals from now on are of another time */
        play(leg, item);
    }
}
