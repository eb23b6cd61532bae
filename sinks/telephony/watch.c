/* Which calls have lost their stream, and whose turn it is: see watch.h. */
#include "sinks/telephony/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/error.h"
#include "call/call_state.h"
#include "call/claim.h"

#define MINUTE_MS 60000
#define INGESTS_MAX 65536

static const char *const CAUSES[TL_WATCH_CAUSES] = {
    [TL_WATCH_FINE] = "fine",   [TL_WATCH_BROKEN] = "stream_broken", [TL_WATCH_STOPPED] = "stream_stopped",
    [TL_WATCH_GONE] = "ingest_gone", [TL_WATCH_NO_STREAM] = "no_stream"};

const char *tl_watch_cause_name(enum tl_watch_cause cause)
{
    return CAUSES[cause];
}

static enum tl_watch_cause cause_of_name(const char *name)
{
    for (int i = TL_WATCH_BROKEN; i < TL_WATCH_CAUSES; i++)
        if (strcmp(name, CAUSES[i]) == 0)
            return (enum tl_watch_cause)i;
    return TL_WATCH_BROKEN;
}

/* ---- calls ---- */

static struct tl_watch_call *find(const struct tl_watch *watch, const char *call_id)
{
    struct tl_watch_call *call;

    HASH_FIND_STR(watch->calls, call_id, call);
    return call;
}

const struct tl_watch_call *tl_watch_get(const struct tl_watch *watch, const char *call_id)
{
    return find(watch, call_id);
}

static struct tl_watch_call *add(struct tl_watch *watch, const char *call_id, int32_t partition)
{
    struct tl_watch_call *call = calloc(1, sizeof(*call));

    if (!call || !(call->fence = calloc(1, sizeof(*call->fence))))
        abort();
    (void)snprintf(call->call_id, sizeof(call->call_id), "%s", call_id);
    call->partition = partition;
    call->attachment = (struct tl_claim){.number = 0, .offset = -1};
    call->start_offset = call->holder = -1;
    call->written_at = -1;
    HASH_ADD_STR(watch->calls, call_id, call);
    DL_APPEND(watch->open, call);
    return call;
}

static void free_wishes(struct tl_watch_call *call)
{
    while (call->wishes) {
        struct tl_watch_wish *next = call->wishes->next;

        free(call->wishes);
        call->wishes = next;
    }
}

/* Nothing is to be done for it any more; it is remembered, so that late records do not begin it anew. */
static void release(struct tl_watch *watch, struct tl_watch_call *call)
{
    if (call->fence) {
        tl_fence_finish(call->fence);
        free(call->fence);
        call->fence = NULL;
        DL_DELETE(watch->open, call);
    }
    free_wishes(call);
}

static void drop(struct tl_watch *watch, struct tl_watch_call *call)
{
    release(watch, call);
    HASH_DEL(watch->calls, call);
    free(call);
}

/* ---- lost and found ---- */

static void lose(struct tl_watch_call *call, enum tl_watch_cause cause, int64_t at)
{
    if (call->cause)
        return; /* the first reason stays, and so does its time */
    call->cause = cause;
    call->lost_at = at;
}

static void find_again(struct tl_watch_call *call)
{
    call->cause = TL_WATCH_FINE;
    call->attempts = 0;
    call->round = 0;
    call->written_at = -1;
    call->is_ours = false;
}

/* It needs no rescue (any more). */
static void settle(struct tl_watch *watch, struct tl_watch_call *call, enum tl_watch_end end)
{
    if (call->attempts)
        watch->wants.settle(watch->wants.arg, call, end);
    find_again(call);
}

static void on_over(struct tl_watch *watch, struct tl_watch_call *call)
{
    if (call->is_over)
        return;
    call->is_over = true;
    settle(watch, call, TL_WATCH_OVER);
    release(watch, call);
}

/* ---- ends of our own making ---- */

static struct tl_watch_wish **find_wish(struct tl_watch_call *call, const char *id)
{
    struct tl_watch_wish **at = &call->wishes;

    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

static void add_wish(struct tl_watch *watch, struct tl_watch_call *call, const char *id)
{
    struct tl_watch_wish **at = find_wish(call, id);

    if (*at)
        return;
    *at = calloc(1, sizeof(**at));
    if (!*at)
        abort();
    (void)snprintf((*at)->id, sizeof((*at)->id), "%s", id);
    settle(watch, call, TL_WATCH_LEFT);
}

/* It failed: the call goes on, and with it the watch. */
static void remove_wish(struct tl_watch_call *call, const char *id)
{
    struct tl_watch_wish **at = find_wish(call, id), *wish = *at;

    if (!wish)
        return;
    *at = wish->next;
    free(wish);
}

/* ---- attachments ---- */

/* A socket of the call, as ingest gave it or a conversation took it up. After a rescue only a higher number
 * tells that the call came back: the same number at a higher offset may be the old socket's, claimed anew. */
static bool is_newer(const struct tl_watch_call *call, const struct tl_claim *attachment)
{
    if (!call->is_attached || attachment->number > call->attachment.number)
        return true;
    return call->attempts == 0 && tl_attachment_compare(attachment, &call->attachment) > 0;
}

static void attach(struct tl_watch *watch, struct tl_watch_call *call, struct tl_claim attachment,
                   const char *stream_sid, int32_t ingest, int64_t ingest_epoch)
{
    bool is_same = call->is_attached && strcmp(call->stream_sid, stream_sid) == 0;

    if (is_same) { /* its claim rises while it is given on; ended it stays ended */
        if (tl_attachment_compare(&attachment, &call->attachment) > 0 && call->attempts == 0)
            call->attachment = attachment;
        return;
    }
    if (!is_newer(call, &attachment))
        return;
    settle(watch, call, TL_WATCH_RESUMED);
    call->is_attached = true;
    call->attachment = attachment;
    call->is_ended = call->is_stopped = false;
    call->ingest = ingest;
    call->ingest_epoch = ingest_epoch;
    (void)snprintf(call->stream_sid, sizeof(call->stream_sid), "%s", stream_sid);
}

static struct tl_claim attachment_of(const struct tl_claim *claim, int64_t offset)
{
    return (struct tl_claim){.number = claim->number,
                             .offset = claim->offset < 0 ? offset : claim->offset};
}

static void take_given(struct tl_watch *watch, struct tl_watch_call *call,
                       const struct tl_call_event *event, int64_t offset)
{
    const struct tl_given *given = event->given;

    if (call->holder < 0)
        call->holder = given->mailbox;
    attach(watch, call, attachment_of(event->claim, offset), given->stream_sid, given->ingest,
           given->ingest_epoch);
}

static void take_session(struct tl_watch *watch, struct tl_watch_call *call,
                         const struct tl_call_event *event, int64_t offset)
{
    const struct tl_session_started *session = event->session_started;

    (void)snprintf(call->call_sid, sizeof(call->call_sid), "%s", session->call_sid);
    call->direction = session->direction;
    call->business_version = session->business_version;
    call->started_at = session->call_started_at;
    call->holder = session->mailbox;
    attach(watch, call, attachment_of(event->claim, offset), session->stream_sid, session->ingest,
           session->ingest_epoch);
}

static void take_stream_ended(struct tl_watch *watch, struct tl_watch_call *call,
                              const struct tl_call_event *event, int64_t offset, int64_t now)
{
    const struct tl_stream_ended *ended = event->stream_ended;

    if (!call->is_attached || event->claim->number > call->attachment.number) /* it was never given */
        attach(watch, call, attachment_of(event->claim, offset), ended->stream_sid, -1, -1);
    if (strcmp(call->stream_sid, ended->stream_sid) != 0)
        return;
    call->is_ended = true;
    call->is_stopped = strcmp(ended->reason, "stop") == 0;
    if (!call->wishes)
        lose(call, call->is_stopped ? TL_WATCH_STOPPED : TL_WATCH_BROKEN, now);
}

/* ---- reading ---- */

static void take_changed(struct tl_watch *watch, struct tl_watch_call *call,
                         const struct tl_changed *changed)
{
    if (changed->call_sid)
        (void)snprintf(call->call_sid, sizeof(call->call_sid), "%s", changed->call_sid);
    if (changed->direction)
        call->direction = changed->direction;
    if (changed->business_version.set)
        call->business_version = changed->business_version.value;
    call->state = tl_call_state_advance(call->state, changed->state);
    if (tl_call_state_is_final(call->state))
        on_over(watch, call);
}

static void count_in_minute(struct tl_watch_call *call, int64_t now)
{
    if (!call->minute_n || now - call->minute_at >= MINUTE_MS) {
        call->minute_at = now;
        call->minute_n = 0;
    }
    call->minute_n++;
}

static int64_t turn_ms(const struct tl_watch_rules *rules, int32_t attempt)
{
    int64_t ms = rules->next_ms;

    for (int32_t i = 1; i < attempt && ms < rules->next_max_ms; i++)
        ms *= 2;
    return ms < rules->next_max_ms ? ms : rules->next_max_ms;
}

/* The first one of an attachment and attempt acts; whose it is follows from the log alone. A process that
 * was stopped after writing reads its own too late: by then another one has acted. */
static void take_rescue(struct tl_watch *watch, struct tl_watch_call *call,
                        const struct tl_rescue *rescue, bool is_own, int64_t now)
{
    if (rescue->number != call->attachment.number || rescue->offset != call->attachment.offset ||
        rescue->attempt <= call->attempts || call->wishes)
        return;
    lose(call, cause_of_name(rescue->reason), now);
    count_in_minute(call, now);
    call->attempts = rescue->attempt;
    call->rescued_at = now;
    call->is_ours = is_own;
    call->round = 0;
    call->written_at = -1;
    call->turn_ends_at = call->tried_at + turn_ms(&watch->rules, call->attempts);
    if (is_own && now < call->turn_ends_at)
        watch->wants.act(watch->wants.arg, call);
}

/* What is about the stream counts whatever the fence says: two sockets' events may cross. */
static bool take_of_stream(struct tl_watch *watch, struct tl_watch_call *call,
                           const struct tl_call_event *event, int64_t offset, int64_t now)
{
    if (!event->claim || strcmp(event->leg, "caller") != 0)
        return false;
    if (event->given)
        take_given(watch, call, event, offset);
    else if (event->stream_ended)
        take_stream_ended(watch, call, event, offset, now);
    else
        return false;
    return true;
}

static void take_rest(struct tl_watch *watch, struct tl_watch_call *call,
                      const struct tl_call_event *event, int64_t offset, bool is_own, int64_t now)
{
    if (!tl_fence_accept(call->fence, event))
        return;
    if (event->changed)
        take_changed(watch, call, event->changed);
    else if (event->session_started && event->claim && strcmp(event->leg, "caller") == 0)
        take_session(watch, call, event, offset);
    else if (event->rescue)
        take_rescue(watch, call, event->rescue, is_own, now);
    else if (event->tool_intent && strcmp(event->tool_intent->name, "end_call") == 0)
        add_wish(watch, call, event->tool_intent->intent_id);
    else if (event->tool_result && event->tool_result->status == TL_TOOL_STATUS_FAILED)
        remove_wish(call, event->tool_result->intent_id);
    else if (event->closed)
        on_over(watch, call);
}

void tl_watch_take(struct tl_watch *watch, const struct tl_call_event *event, int32_t partition,
                   int64_t offset, bool is_own, int64_t now)
{
    struct tl_watch_call *call = find(watch, event->call_id);

    if (!call) {
        call = add(watch, event->call_id, partition);
        if (event->changed && event->changed->call_sid)
            call->start_offset = offset;
    }
    call->read_at = now;
    if (call->is_over)
        return;
    if (!call->started_at || event->at < call->started_at)
        call->started_at = event->at;
    if (event->business_id)
        (void)snprintf(call->business_id, sizeof(call->business_id), "%s", event->business_id);
    if (!take_of_stream(watch, call, event, offset, now))
        take_rest(watch, call, event, offset, is_own, now);
}

void tl_watch_take_state(struct tl_watch *watch, const struct tl_telephony_state *state,
                         int32_t partition, int64_t now)
{
    struct tl_watch_call *call = find(watch, state->call_id);
    bool failed = state->stage == TL_TELEPHONY_STAGE_FAILED;

    if (!call && !failed) {
        call = add(watch, state->call_id, partition);
        call->read_at = now;
    }
    if (!call || call->is_over)
        return;
    if (failed)
        remove_wish(call, state->intent_id);
    else
        add_wish(watch, call, state->intent_id);
}

/* ---- who lives ---- */

static void learn_ingests(struct tl_watch *watch, const struct tl_presence_view *view)
{
    for (size_t i = 0; i < view->peers_n; i++) {
        size_t number = (size_t)view->peers[i].number;

        if (view->peers[i].kind != TL_INSTANCE_KIND_INGEST || number < watch->ingests_n ||
            number >= INGESTS_MAX)
            continue;
        watch->ingests = realloc(watch->ingests, (number + 1) * sizeof(*watch->ingests));
        if (!watch->ingests)
            abort();
        while (watch->ingests_n <= number)
            watch->ingests[watch->ingests_n++] = -1;
    }
    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *peer = &view->peers[i];
        size_t number = (size_t)peer->number;

        if (peer->kind != TL_INSTANCE_KIND_INGEST || number >= watch->ingests_n)
            continue;
        int64_t epoch = peer->gone ? -1 : peer->epoch;
        watch->gone += watch->ingests[number] >= 0 && watch->ingests[number] != epoch;
        watch->ingests[number] = epoch;
    }
}

/* An epoch below that of the call: presence has not been read so far yet. */
static bool ingest_lives(const struct tl_watch *watch, const struct tl_watch_call *call)
{
    int64_t epoch = call->ingest >= 0 && (size_t)call->ingest < watch->ingests_n
                        ? watch->ingests[call->ingest]
                        : -1;

    return epoch >= 0 && epoch <= call->ingest_epoch;
}

struct place {
    int64_t rank, living; /* among the instances of telephony that live and are not leaving */
};

static bool find_place(const struct tl_presence_view *view, struct place *ret_place)
{
    struct place place = {0};
    bool is_there = false;

    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *peer = &view->peers[i];

        if (peer->kind != TL_INSTANCE_KIND_TELEPHONY || peer->gone || peer->draining)
            continue;
        place.living++;
        place.rank += peer->number < view->own_number;
        is_there |= peer->number == view->own_number;
    }
    *ret_place = place;
    return is_there;
}

/* ---- time ---- */

static int64_t grace_of(const struct tl_watch_rules *rules, enum tl_watch_cause cause)
{
    switch (cause) {
    case TL_WATCH_STOPPED:
        return rules->stopped_ms;
    case TL_WATCH_GONE:
        return rules->gone_ms;
    case TL_WATCH_NO_STREAM:
        return rules->no_stream_ms;
    case TL_WATCH_FINE:
    case TL_WATCH_BROKEN:
        break;
    }
    return rules->broken_ms;
}

/* A call that was answered, and that we answered with TwiML. */
static bool expects_stream(const struct tl_watch_call *call)
{
    return call->direction == TL_DIRECTION_OUTBOUND ? call->state == TL_CALL_STATE_IN_PROGRESS
                                                    : call->state != TL_CALL_STATE_UNKNOWN;
}

/* Sets what is lost, and takes back what a rescue has not been written for. */
static void judge(struct tl_watch *watch, struct tl_watch_call *call, int64_t now)
{
    if (call->wishes) {
        settle(watch, call, TL_WATCH_LEFT);
    } else if (!call->is_attached) {
        if (expects_stream(call))
            lose(call, TL_WATCH_NO_STREAM, now);
    } else if (call->is_ended) {
        lose(call, call->is_stopped ? TL_WATCH_STOPPED : TL_WATCH_BROKEN, now);
    } else if (!ingest_lives(watch, call)) {
        lose(call, TL_WATCH_GONE, now);
    } else if (call->cause && call->attempts == 0) {
        find_again(call); /* its ingest was not gone after all */
    }
}

static bool may_write(const struct tl_watch *watch, const struct tl_watch_call *call, int64_t now)
{
    if (call->written_at >= 0 && now - call->written_at < watch->rules.next_ms)
        return false; /* it is on its way to the log; when it got lost, again */
    return call->minute_n < watch->rules.per_minute || now - call->minute_at >= MINUTE_MS;
}

static int64_t due_at(const struct tl_watch *watch, const struct tl_watch_call *call)
{
    return call->attempts ? call->rescued_at + turn_ms(&watch->rules, call->attempts)
                          : call->lost_at + grace_of(&watch->rules, call->cause);
}

/* Marks, then the own turn. */
static void advance(struct tl_watch *watch, struct tl_watch_call *call, const struct place *place,
                    int64_t now)
{
    struct tl_watch_round *round = &watch->rounds[call->partition];
    int64_t position = (place->rank - call->attempts) % place->living;

    if (!*call->call_sid || !may_write(watch, call, now))
        return;
    if (!call->round) { /* a round that is under way may have asked too early */
        call->round = round->begun + 1;
        round->is_wanted = true;
    }
    position += position < 0 ? place->living : 0;
    if (round->over < call->round || now < due_at(watch, call) + position * watch->rules.rank_ms)
        return;
    if (watch->wants.write(watch->wants.arg, call))
        call->written_at = call->tried_at = now;
}

static void start_rounds(struct tl_watch *watch)
{
    for (int32_t p = 0; p < watch->partitions; p++) {
        struct tl_watch_round *round = &watch->rounds[p];

        if (!round->is_wanted || round->begun > round->over)
            continue;
        round->begun++;
        round->is_wanted = false;
        watch->wants.mark(watch->wants.arg, p);
    }
}

void tl_watch_tick(struct tl_watch *watch, const struct tl_presence_view *view, int64_t now)
{
    struct tl_watch_call *call, *next;
    struct place place;

    learn_ingests(watch, view);
    bool has_place = find_place(view, &place);
    watch->streams = watch->lost = 0;
    DL_FOREACH_SAFE2 (watch->open, call, next, next) {
        judge(watch, call, now);
        bool is_lost = call->cause && (call->attempts || now >= due_at(watch, call));
        watch->streams += call->is_attached;
        watch->lost += is_lost;
        if (is_lost && has_place && now >= due_at(watch, call))
            advance(watch, call, &place, now);
    }
    start_rounds(watch);
}

void tl_watch_mark(struct tl_watch *watch, int32_t partition)
{
    watch->rounds[partition].over = watch->rounds[partition].begun;
}

/* ---- life ---- */

void tl_watch_forget(struct tl_watch *watch, int64_t over_before, int64_t any_before)
{
    struct tl_watch_call *call, *next;

    HASH_ITER (hh, watch->calls, call, next)
        if (call->read_at < (call->is_over ? over_before : any_before))
            drop(watch, call);
}

void tl_watch_init(struct tl_watch *watch, const struct tl_watch_rules *rules,
                   const struct tl_watch_wants *wants, int32_t partitions)
{
    *watch = (struct tl_watch){.rules = *rules, .wants = *wants, .partitions = partitions};
    watch->rounds = calloc((size_t)partitions, sizeof(*watch->rounds));
    if (!watch->rounds)
        abort();
}

void tl_watch_finish(struct tl_watch *watch)
{
    struct tl_watch_call *call, *next;

    HASH_ITER (hh, watch->calls, call, next)
        drop(watch, call);
    free(watch->rounds);
    free(watch->ingests);
    *watch = (struct tl_watch){0};
}
