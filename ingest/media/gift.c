/* Giving a leg to a conversation, and moving it to another ("Claims and the fence" in the design).
 * Every step waits for the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ingest/media/leg.h"
#include "ingest/media/media_internal.h"

#define LATE_MS 500          /* a frame that lay so long in the socket proves nothing */
#define SOCKET_EMPTY_MS 1000 /* by then all that lay in it has been read */
#define DRAINS_TOO_LONG_MS                                                                         \
    8000 /* a conversation that drains: its hand-over must have been lost                          \
          */

/* Its stream is open, or it was stopped before all was given. */
static bool is_wanted(const struct tl_leg *leg)
{
    return leg->stopped ? leg->backlog.len > 0 : leg->ws && !leg->ended;
}

static const struct tl_peer *peer_of(const struct tl_leg *leg, int conversation)
{
    return tl_presence_peer(tl_fleet_view(leg->media->ingest->fleet), TL_INSTANCE_KIND_CONVERSATION,
                            conversation);
}

static bool conversation_lives(const struct tl_leg *leg)
{
    const struct tl_peer *peer = peer_of(leg, leg->conversation);
    return peer && peer->epoch == leg->conversation_epoch;
}

struct tl_call_event tl_leg_event(const struct tl_leg *leg, struct tl_claim *claim)
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

/* ---- the story of a move ---- */

static void begin_move(struct tl_leg *leg, const char *cause, const char *why)
{
    leg->move = (struct tl_leg_move){.cause = cause,
                                     .from = leg->conversation,
                                     .began_ms = tl_mono_ms(),
                                     .resent = leg->move.is_untold ? leg->move.resent : 0,
                                     .is_untold = true};
    (void)snprintf(leg->move.why, sizeof(leg->move.why), "%s", why);
}

/* How long the call was without a stream, and by whose account. -1: it was not. */
static int64_t gap_ms(const struct tl_leg *leg, const char **ret_measured)
{
    int64_t last_ms = tl_media_last_frame(leg->media, leg->link.call_sid, leg->stream_sid);

    if (leg->link.number <= 1 || strcmp(leg->move.cause, "resumed") != 0)
        return -1;
    *ret_measured = last_ms ? "frames" : "document"; /* the old socket was another process's */
    if (!last_ms)
        last_ms = leg->link.given_at_ms;
    return last_ms && leg->first_frame_ms > last_ms ? leg->first_frame_ms - last_ms : 0;
}

void tl_leg_tell_move(struct tl_leg *leg)
{
    struct tl_ingest *ingest = leg->media->ingest;
    const struct tl_leg_move *m = &leg->move;
    const char *measured = "";

    if (!m->is_untold || leg->stage != TL_LEG_LIVE || leg->conversation < 0 || !leg->first_frame_ms)
        return;
    leg->move.is_untold = false;
    bool is_resumed = strcmp(m->cause, "resumed") == 0;
    int64_t gap = gap_ms(leg, &measured), took = tl_mono_ms() - m->began_ms;
    if (gap >= 0)
        tl_histogram_observe(tl_histogram_of(&ingest->metrics.gap, measured), gap * 1000);
    tl_histogram_observe(tl_histogram_of(&ingest->metrics.claim_time, m->cause), took * 1000);
    tl_log_info(ingest->log,
                is_resumed                       ? "leg.resumed"
                : strcmp(m->cause, "first") == 0 ? "leg.given"
                                                 : "leg.moved",
                TL_STR("call_id", leg->call_id), TL_STR("business_id", leg->link.business_id),
                TL_STR("stream_sid", leg->stream_sid), TL_STR("cause", m->cause),
                TL_STR("why", m->why), TL_INT("from", is_resumed ? leg->link.hint : m->from),
                TL_INT("to", leg->conversation), TL_INT("number", leg->number),
                TL_INT("session", leg->session), TL_INT("took_ms", took), TL_INT("gap_ms", gap),
                TL_STR("gap_between", measured), TL_INT("resent", m->resent));
}

static void rewind_backlog(struct tl_leg *leg)
{
    size_t again = leg->backlog.sent;

    tl_backlog_rewind(&leg->backlog);
    leg->has_failed = false;
    leg->move.resent += again;
    tl_counter_add(&leg->media->ingest->metrics.frames_resent, again);
}

/* ---- giving ---- */

static void number_leg(struct tl_leg *leg);

/* An acknowledgement that the leg waits for; dropped when the leg has moved on since. */
struct step {
    struct tl_leg *leg;
    unsigned generation;
    void (*next)(struct tl_leg *leg, const struct tl_delivery *delivery);
};

/* Kafka takes nothing now: it is claimed anew with a later frame. The caller's sound is kept
 * meanwhile. */
static void stall(struct tl_leg *leg)
{
    leg->stage = TL_LEG_NUMBERING;
    leg->generation++;
    leg->stalled = true;
    if (!leg->move.is_untold)
        begin_move(leg, "log", "");
    if (leg->rivalry.due_ms < tl_mono_ms() + TL_RIVALRY_SOON_MS)
        leg->rivalry.due_ms = tl_mono_ms() + TL_RIVALRY_SOON_MS;
}

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
    if (current && is_wanted(leg) && delivery->status == TL_OK)
        step->next(leg, delivery);
    else if (current && is_wanted(leg))
        stall(leg);
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

static void step_failed(struct step *step, const char *event, const struct tl_error *err)
{
    struct tl_leg *leg = step->leg;

    tl_log_warn(leg->media->ingest->log, event, TL_STR("call_id", leg->call_id),
                TL_STR("error", err->msg));
    leg->refs--;
    free(step);
    stall(leg);
}

static void send_given(struct tl_leg *leg, int session,
                       void (*next)(struct tl_leg *leg, const struct tl_delivery *))
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_claim claim = {.number = leg->number, .offset = leg->offset, .session = session};
    struct tl_call_event event = tl_leg_event(leg, &claim);
    struct tl_given given = {.stream_sid = leg->stream_sid,
                             .mailbox = leg->conversation,
                             .mailbox_epoch = leg->conversation_epoch,
                             .ingest = ingest->number,
                             .ingest_epoch = tl_fleet_epoch(ingest->fleet)};
    struct tl_error err;
    struct step *step = step_create(leg, next);

    event.given = &given;
    if (tl_fleet_send_event(ingest->fleet, &event, on_step, step, &err) != TL_OK)
        step_failed(step, "leg.given_not_sent", &err);
}

static void on_started_logged(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    (void)delivery;
    leg->waits = 0;
}

static struct tl_started started_of(struct tl_leg *leg)
{
    const struct tl_backlog *backlog = &leg->backlog;

    return (struct tl_started){
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
        .calls_partition = tl_fleet_partition_of(leg->media->ingest->fleet, leg->call_id),
        .first_n = backlog->len ? tl_backlog_at(backlog, 0)->n : backlog->next_n,
        .checkpoint_offset = leg->checkpoint_offset,
        .is_new = {.set = true, .value = leg->link.number <= 1 && !leg->was_held}};
}

static void send_started(struct tl_leg *leg)
{
    struct tl_ingest *ingest = leg->media->ingest;
    struct tl_media_item item = item_of(leg, TL_MEDIA_KIND_STARTED);
    struct tl_started started = started_of(leg);
    struct tl_error err;
    struct step *step = step_create(leg, on_started_logged);

    item.started = &started;
    if (tl_media_send_item(leg->media, leg->conversation, leg->conversation_epoch, &item, on_step,
                           step, &err) != TL_OK) {
        step_failed(step, "leg.started_not_sent", &err);
        return;
    }
    leg->waits = 1; /* sound follows at once; should STARTED fail, all of it is given again */
    leg->stage = TL_LEG_LIVE;
    leg->wants_move = false;
    leg->draining_since_ms = 0;
    tl_counter_add(tl_counter_of(&ingest->metrics.claims, leg->move.cause), 1);
    tl_media_given(leg->media, leg);
    if (leg->conversation != leg->link.hint || leg->number > leg->link.number)
        tl_media_moved(leg->media, leg);
    tl_leg_tell_move(leg);
    if (leg->backlog.len)
        tl_media_touch(leg->media, leg);
}

/* What was sent before has to be answered for: what reached the old mailbox may stand in words
 * there, and must not be sent again; what did not goes first. (The `revoked` stands behind it: this
 * rarely waits.) */
static void start_when_quiet(struct tl_leg *leg)
{
    if (leg->stage != TL_LEG_GIVING || leg->waits || leg->in_flight || leg->media->is_leaving)
        return;
    rewind_backlog(leg);
    send_started(leg);
}

static void on_one_ack(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    (void)delivery;
    leg->waits--;
    start_when_quiet(leg);
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
    step_failed(step, "leg.revoked_not_sent", &err);
    return false;
}

/* Session + 1: `revoked` to the old mailbox and `given` to the log, both waited for, then STARTED.
 */
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

static bool has_tried(const struct tl_leg *leg, int conversation)
{
    for (size_t i = 0; i < leg->tried_n; i++)
        if (leg->tried[i] == conversation)
            return true;
    return false;
}

/* The wanted one; else one with room by the rule of new calls; else the freest, for this call is
 * there already. None of those that refused it. */
static bool choose(struct tl_leg *leg, int wanted)
{
    struct tl_presence_view *view = tl_fleet_view(leg->media->ingest->fleet);
    const struct tl_peer *peer = wanted < 0 ? NULL : peer_of(leg, wanted);

    if (!peer || peer->draining || has_tried(leg, peer->number)) {
        int number = tl_media_choose(leg->media, leg->link.call_sid, leg->conversation);
        peer = number < 0 ? NULL : peer_of(leg, number);
    }
    if (!peer || has_tried(leg, peer->number))
        peer = tl_presence_freest(view, TL_INSTANCE_KIND_CONVERSATION, leg->tried, leg->tried_n);
    if (!peer)
        return false;
    leg->conversation = peer->number;
    leg->conversation_epoch = peer->epoch;
    return true;
}

/* Nobody can take it now: the next check tries again. */
static void give_to_nobody(struct tl_leg *leg)
{
    leg->stage = TL_LEG_LIVE;
    leg->conversation = -1;
}

static void on_numbered(struct tl_leg *leg, const struct tl_delivery *delivery)
{
    int old = leg->link.number > 1 ? leg->link.hint : -1;
    const struct tl_peer *peer = peer_of(leg, old);

    if (delivery->offset < 0) { /* in the log, but where is not known: once more */
        number_leg(leg);
        return;
    }
    leg->offset = delivery->offset;
    leg->known = (struct tl_claim){.number = leg->number, .offset = leg->offset};
    if (!conversation_lives(leg) && !choose(leg, -1)) {
        give_to_nobody(leg);
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
    leg->offset = -1;
    leg->session = 0;
    tl_rivalry_on_claim(&leg->rivalry, tl_mono_ms());
    if (!choose(leg, leg->conversation >= 0 ? leg->conversation : leg->link.hint)) {
        give_to_nobody(leg);
        return;
    }
    send_given(leg, 0, on_numbered);
}

/* The URL names the conversation that it was first given to; the log, that holds it now. */
static void correct_hint(struct tl_leg *leg)
{
    int conversation, number;
    int64_t epoch;

    if (!tl_whereabouts_get(leg->media->whereabouts, &leg->call_uuid, &conversation, &epoch,
                            &number))
        return;
    const struct tl_peer *peer = peer_of(leg, conversation);
    if (peer && peer->epoch == epoch)
        leg->link.hint = conversation;
}

void tl_leg_claim(struct tl_leg *leg, const char *cause)
{
    correct_hint(leg);
    begin_move(leg, cause, "");
    number_leg(leg);
}

void tl_leg_claim_anew(struct tl_leg *leg, const char *cause, const char *why, int number,
                       int64_t due_ms)
{
    begin_move(leg, cause, why);
    if (number > leg->number)
        leg->number = number;
    leg->stage = TL_LEG_NUMBERING;
    leg->generation++;
    leg->stalled = true;
    leg->rivalry.due_ms = due_ms;
}

void tl_leg_on_frame(struct tl_leg *leg, int64_t late_ms, int64_t now_ms)
{
    bool proves_life = late_ms < LATE_MS || now_ms >= leg->rivalry.due_ms + SOCKET_EMPTY_MS;

    if (leg->stalled && !leg->ended && proves_life && now_ms >= leg->rivalry.due_ms)
        number_leg(leg);
}

bool tl_leg_move(struct tl_leg *leg, const char *cause)
{
    int old = leg->conversation;
    int64_t old_epoch = leg->conversation_epoch;

    if (leg->stage != TL_LEG_LIVE || !is_wanted(leg))
        return true;
    bool is_again = leg->move.is_untold; /* on its way since, for another cause perhaps */
    if (!is_again)
        begin_move(leg, cause, "");
    if (!choose(leg, -1)) {
        if (!is_again)
            tl_log_warn(leg->media->ingest->log, "leg.nobody_takes_it",
                        TL_STR("call_id", leg->call_id), TL_STR("cause", cause));
        return false; /* tried again at the next check */
    }
    if (leg->offset < 0)
        number_leg(leg);
    else
        give(leg, old, old_epoch);
    return true;
}

/* ---- looking after it ---- */

/* A conversation that drains hands its legs over. A word that was lost, or came when nobody could
 * take the leg, is made up for here. */
static void check_draining(struct tl_leg *leg, const struct tl_peer *peer, int64_t now_ms)
{
    if (!peer->draining) {
        leg->draining_since_ms = 0;
        return;
    }
    if (!leg->draining_since_ms)
        leg->draining_since_ms = now_ms;
    if (!leg->wants_move && now_ms - leg->draining_since_ms < DRAINS_TOO_LONG_MS)
        return;
    if (tl_presence_has(tl_fleet_view(leg->media->ingest->fleet), TL_INSTANCE_KIND_CONVERSATION,
                        leg->conversation))
        (void)tl_leg_move(leg, "hand_over"); /* else at the next check */
}

void tl_leg_check_gift(struct tl_leg *leg, int64_t now_ms)
{
    if (leg->stopped && leg->stalled && is_wanted(leg) && now_ms >= leg->rivalry.due_ms)
        number_leg(leg); /* no frame will do it any more */
    if (leg->stage != TL_LEG_LIVE || !is_wanted(leg))
        return;
    if (!conversation_lives(leg))
        (void)tl_leg_move(leg, "gone"); /* else at the next check */
    else
        check_draining(leg, peer_of(leg, leg->conversation), now_ms);
}

void tl_leg_on_batch(struct tl_leg *leg, unsigned generation, int64_t n, bool ok, int64_t offset)
{
    leg->refs--;
    leg->in_flight--;
    if (ok && leg->conversation >= 0 && generation == leg->generation)
        tl_presence_owe(tl_fleet_view(leg->media->ingest->fleet), TL_INSTANCE_KIND_CONVERSATION,
                        leg->conversation, offset);
    if (ok && !leg->has_failed) /* behind one that failed it has to go again, in order */
        tl_backlog_acknowledge(&leg->backlog, n);
    leg->has_failed |= !ok;
    if (leg->in_flight == 0 && leg->stage == TL_LEG_GIVING) {
        start_when_quiet(leg);
    } else if (leg->in_flight == 0 && leg->has_failed && leg->stage == TL_LEG_LIVE) {
        if (leg->waits && is_wanted(leg)) { /* nor did STARTED come through */
            stall(leg);
        } else {
            rewind_backlog(leg);
            tl_media_touch(leg->media, leg);
        }
    }
    tl_leg_release(leg);
}
