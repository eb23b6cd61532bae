/* One media stream of the telephone network: what comes from its socket, and what goes to it. */
#include "ingest/media/leg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_id.h"
#include "ingest/media/media_internal.h"
#include "ingest/webhook/webhook.h"
#include "twilio/stream.h"

#define QUIET_MS 300 /* silence that counts as a pause */
#define FRAME_MS 20
#define TOO_MANY_INVALID 100 /* messages before the start: then it is no telephone network */
#define REFUSED_MS 60000 /* so long a call that was there goes on asking those that refused it */
#define SPOKEN_MS 5000   /* by then the sentence was heard: else it is asked for again */
#define BUSY "We are sorry, all our lines are busy. Please call again later."

/* ---- life ---- */

struct tl_leg *tl_leg_create(struct tl_media *media)
{
    struct tl_leg *leg = calloc(1, sizeof(*leg));
    if (!leg)
        abort();
    leg->media = media;
    leg->conversation = -1;
    leg->offset = leg->known.offset = -1;
    leg->checkpoint_offset = -1;
    leg->opened_ms = leg->last_frame_ms = tl_mono_ms();
    tl_backlog_init(&leg->backlog, (size_t)(media->ingest->settings.backlog_ms / FRAME_MS));
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

/* Nobody will take what is left. */
static void drop_backlog(struct tl_leg *leg)
{
    tl_counter_add(&leg->media->ingest->metrics.frames_dropped, leg->backlog.len);
    tl_backlog_finish(&leg->backlog);
    tl_backlog_init(&leg->backlog, 1);
}

/* ---- the end ---- */

/* Into the log, however long it is away: the watchdog waits for it. */
static void write_ended(struct tl_leg *leg, const char *reason)
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_claim claim = {.number = leg->number, .offset = leg->offset};
    struct tl_call_event event = tl_leg_event(leg, &claim);
    struct tl_stream_ended ended = {.stream_sid = leg->stream_sid,
                                    .reason = reason,
                                    .frames = leg->frames,
                                    .frames_dropped = (int64_t)leg->backlog.dropped};

    if (leg->offset < 0 && leg->known.offset >= 0) /* it was about to be numbered again */
        claim = leg->known;
    event.stream_ended = &ended;
    struct tl_story *story = tl_story_create(tl_fleet_stories(ingest->fleet), leg->call_id);
    tl_fleet_tell(ingest->fleet, story, &event, NULL, NULL);
    tl_story_leave(story);
    tl_counter_add(tl_counter_of(&ingest->metrics.streams_ended, reason), 1);
    tl_log_info(ingest->log, "stream.ended", TL_STR("call_id", leg->call_id),
                TL_STR("business_id", leg->link.business_id), TL_STR("stream_sid", leg->stream_sid),
                TL_STR("reason", reason), TL_INT("number", leg->number),
                TL_INT("frames", leg->frames), TL_INT("frames_dropped", leg->backlog.dropped),
                TL_INT("unsent", leg->backlog.len));
}

/* The reason, for the record: the network's own status will say "completed". Not before the
 * sentence is on its way, for what is over is not spoken to. */
static void write_refusal(struct tl_leg *leg)
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_uuid uuid = tl_event_id_derive(leg->stream_sid, "ingest refusal", "calls.v1", 0);
    char id[TL_UUID_TEXT_LEN + 1];
    struct tl_call_event event = tl_leg_event(leg, NULL);
    struct tl_changed changed = {.state = TL_CALL_STATE_FAILED,
                                 .call_sid = leg->link.call_sid,
                                 .direction = leg->link.direction,
                                 .from_number = leg->link.from_number,
                                 .to_number = leg->link.to_number,
                                 .reason = "refused"};

    tl_uuid_format(&uuid, id);
    event.event_id = id;
    event.changed = &changed;
    struct tl_story *story = tl_story_create(tl_fleet_stories(ingest->fleet), leg->call_id);
    tl_fleet_tell(ingest->fleet, story, &event, NULL, NULL);
    tl_story_leave(story);
}

void tl_leg_end(struct tl_leg *leg, const char *reason)
{
    if (leg->stage != TL_LEG_WAIT_START && !leg->ended) {
        write_ended(leg, reason);
        if (leg->refusal_is_spoken)
            write_refusal(leg);
    }
    leg->ended = true;
    if (leg->ws)
        tl_ws_close(leg->ws, 1000, reason);
}

bool tl_leg_is_pausing(const struct tl_leg *leg, int64_t now_ms)
{
    return leg->stage == TL_LEG_LIVE && leg->conversation >= 0 && leg->marks_out <= 0 &&
           now_ms - leg->last_loud_ms > QUIET_MS &&
           leg->backlog.len <= QUIET_MS / FRAME_MS; /* only silence waits for the log */
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
    leg->opened_ms = leg->last_frame_ms = leg->last_loud_ms = tl_mono_ms();
    HASH_ADD_STR(media->by_stream, stream_sid, leg);
    media->streams++;
    tl_gauge_set(&ingest->metrics.streams, media->streams);
    tl_counter_add(&ingest->metrics.streams_opened, 1);
    tl_leg_claim(leg, leg->number > 1 ? "resumed" : "first");
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
    leg->last_frame_ms = tl_mono_ms();
    if (leg->frames++ == 0) {
        leg->first_frame_ms = tl_now_ms();
        tl_leg_tell_move(leg);
    }
    if (!is_silence(m->audio, m->audio_len))
        leg->last_loud_ms = leg->last_frame_ms;
    tl_counter_add(&leg->media->ingest->metrics.frames, 1);
    for (size_t at = 0; at < m->audio_len;
         at += TL_BACKLOG_DATA_MAX) { /* one frame each, usually one */
        size_t len = m->audio_len - at;
        push(leg, TL_MEDIA_KIND_FRAME, m->timestamp_ms + (int64_t)at / 8, m->audio + at,
             len < TL_BACKLOG_DATA_MAX ? len : TL_BACKLOG_DATA_MAX);
    }
    tl_leg_on_frame(leg, tl_delay_of_frame(&leg->delay, m->timestamp_ms, leg->last_frame_ms),
                    leg->last_frame_ms);
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
        tl_counter_add(tl_counter_of(&leg->media->ingest->metrics.messages_invalid, "stream_sid"),
                       1);
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
        if (leg->rivalry.is_outbid)
            drop_backlog(leg); /* the call is with another stream: its last words are not worth a claim */
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
        return;        /* the network may add events at any time */
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
        tl_media_ended(media, leg);
        if (!leg->stopped && (leg->stage != TL_LEG_LIVE || leg->conversation < 0))
            drop_backlog(leg); /* it comes back, as another stream */
    }
    tl_leg_release(leg);
}

const struct tl_ws_callbacks tl_leg_callbacks = {.on_message = on_message, .on_close = on_close};

/* ---- what the conversation says ---- */

/* "I do not hold this stream". */
static void on_lost(struct tl_leg *leg, const struct tl_playback_item *item)
{
    struct tl_ingest *ingest = leg->media->ingest;
    const struct tl_claim own = {
        .number = leg->number, .offset = leg->offset, .session = leg->session};
    const char *why = item->text ? item->text : "";

    if (leg->ended || leg->stage == TL_LEG_NUMBERING || leg->offset < 0)
        return; /* it claims anew already */
    switch (tl_rivalry_on_lost(&leg->rivalry, &own, leg->stream_sid, item, tl_mono_ms())) {
    case TL_RIVALRY_OLD_NEWS:
        tl_counter_add(tl_counter_of(&ingest->metrics.playback_stale, "lost"), 1);
        break;
    case TL_RIVALRY_CLAIM:
        tl_counter_add(tl_counter_of(&ingest->metrics.reclaims, why), 1);
        tl_leg_claim_anew(leg, "lost", why, item->number, leg->rivalry.due_ms);
        break;
    case TL_RIVALRY_YIELD: /* were it the caller's after all, it comes back with a higher number */
        tl_leg_end(leg, "superseded");
        drop_backlog(leg);
        break;
    }
}

static void speak_refusal(struct tl_leg *leg, const char *why)
{
    struct tl_ingest *ingest = leg->media->ingest;
    const struct tl_business *b =
        tl_fleet_business(ingest->fleet, leg->link.business_id, leg->link.business_version);

    tl_log_warn(ingest->log, "leg.refused_by_all", TL_STR("call_id", leg->call_id),
                TL_STR("business_id", leg->link.business_id), TL_STR("reason", why),
                TL_INT("refusals", leg->tried_n));
    tl_counter_add(tl_counter_of(&ingest->metrics.calls_refused, "refused"), 1);
    leg->refusal_is_spoken = true;
    tl_media_end_call(leg->media, leg, "refused", b && *b->busy_sentence ? b->busy_sentence : BUSY);
}

/* "I have no room": the next one is tried. When all have refused, a new call hears that; one that
 * was there goes on asking, for room is made in a minute and a lost call is not. */
static void on_refused(struct tl_leg *leg, const char *why)
{
    bool is_new = leg->link.number <= 1 && !leg->was_held;
    int64_t now_ms = tl_mono_ms();

    tl_counter_add(tl_counter_of(&leg->media->ingest->metrics.refusals, why), 1);
    if (!leg->refused_since_ms)
        leg->refused_since_ms = now_ms;
    if (leg->tried_n < TL_LEG_TRIED_MAX)
        leg->tried[leg->tried_n++] = leg->conversation;
    if (leg->tried_n < TL_LEG_TRIED_MAX && tl_leg_move(leg, "refused"))
        return;
    if (is_new || now_ms - leg->refused_since_ms > REFUSED_MS)
        speak_refusal(leg, why);
    leg->tried_n = 0;
    tl_leg_claim_anew(leg, "refused", why, leg->number, now_ms + (is_new ? SPOKEN_MS : 1000));
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

    leg->tried_n = 0; /* it was taken: refusals from now on are of another time */
    leg->refused_since_ms = 0;
    leg->was_held = true;
    leg->refusal_is_spoken = false;
    tl_rivalry_on_held(&leg->rivalry);
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
    struct tl_metric_vec *stale = &leg->media->ingest->metrics.playback_stale;
    bool is_holder = conversation == leg->conversation &&
                     conversation_epoch == leg->conversation_epoch && item->number == leg->number &&
                     item->offset == leg->offset && item->session == leg->session;

    if (!leg->ws)
        return;
    if (is_holder && item->checkpoint_offset > leg->checkpoint_offset)
        leg->checkpoint_offset =
            item->checkpoint_offset; /* of others they may be behind the fence */
    if (item->kind == TL_PLAYBACK_KIND_LOST) {
        on_lost(leg, item);
    } else if (!is_holder || leg->stage != TL_LEG_LIVE) {
        tl_counter_add(tl_counter_of(stale, is_holder ? "moving" : "claim"), 1);
    } else if (item->kind == TL_PLAYBACK_KIND_REFUSED) {
        on_refused(leg, item->text ? item->text : "");
    } else if (item->kind == TL_PLAYBACK_KIND_HANDED_OVER) {
        leg->wants_move = true;
        leg->was_held = true;
        (void)tl_leg_move(leg, "hand_over"); /* nobody takes it: tried again at each check */
    } else {
        play(leg, item);
    }
}
