/* A call folded up from its events: see call_fold.h. */
#include "sinks/fold/call_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_state.h"

#define TIME_MAX_MS 253402300799999 /* end of the year 9999 */

const char *tl_fold_verdict_name(enum tl_fold_verdict verdict)
{
    static const char *const names[] = {"counts", "fenced", "twice", "behind_closed"};
    return names[verdict];
}

/* ---- what can be stored ---- */

static enum tl_status check_uuid(const char *name, const char *text, struct tl_error *err)
{
    struct tl_uuid uuid;

    if (tl_uuid_parse(text, strlen(text), &uuid, err) == TL_OK)
        return TL_OK;
    return tl_fail(err, TL_INVALID, "%s \"%.64s\" is not a UUID", name, text);
}

static enum tl_status check_time(const char *name, int64_t at_ms, struct tl_error *err)
{
    if (at_ms > 0 && at_ms <= TIME_MAX_MS)
        return TL_OK;
    return tl_fail(err, TL_INVALID, "%s %lld is no time", name, (long long)at_ms);
}

enum tl_status tl_call_event_check(const struct tl_call_event *event, struct tl_bytes key,
                                   struct tl_error *err)
{
    enum tl_status st = check_uuid("call_id", event->call_id, err);

    if (st == TL_OK &&
        (key.len != strlen(event->call_id) || memcmp(key.data, event->call_id, key.len) != 0))
        st = tl_fail(err, TL_INVALID, "the key is not the call's id");
    if (st == TL_OK)
        st = check_uuid("event_id", event->event_id, err);
    if (st == TL_OK)
        st = check_time("at", event->at, err);
    if (st == TL_OK && event->utterance)
        st = check_uuid("utterance_id", event->utterance->utterance_id, err);
    if (st == TL_OK && event->session_started)
        st = check_time("call_started_at", event->session_started->call_started_at, err);
    return st;
}

/* ---- folding ---- */

void tl_call_fold_init(struct tl_call_fold *call, const char *call_id)
{
    *call = (struct tl_call_fold){.duration_s = -1, .offset = -1};
    (void)snprintf(call->call_id, sizeof(call->call_id), "%s", call_id);
}

void tl_call_fold_finish(struct tl_call_fold *call)
{
    tl_fence_finish(&call->fence);
}

static void set_text(char *to, size_t size, const char *text)
{
    if (!text || !*text)
        return; /* not said: what is known stays */
    size_t len = strlen(text);
    if (len >= size) { /* cut between characters of UTF-8 */
        for (len = size - 1; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; len--)
            ;
    }
    memcpy(to, text, len);
    to[len] = '\0';
}
#define SET(call, field, text) set_text((call)->field, sizeof((call)->field), (text))

/* Was it counted already? A producer that did not hear of its success sends again, soon after. */
static bool seen(struct tl_call_fold *call, const char *id)
{
    struct tl_error err;
    struct tl_uuid uuid;

    if (tl_uuid_parse(id, strlen(id), &uuid, &err) != TL_OK)
        return false;
    for (int i = 0; i < TL_FOLD_RECENT; i++)
        if (tl_uuid_equal(&call->recent[i], &uuid))
            return true;
    call->recent[call->recent_next] = uuid;
    call->recent_next = (call->recent_next + 1) % TL_FOLD_RECENT;
    return false;
}

static void advance(struct tl_call_fold *call, enum tl_call_state reported, const char *reason,
                    int64_t at)
{
    enum tl_call_state state = tl_call_state_advance(call->state, reported);

    if (reported == TL_CALL_STATE_IN_PROGRESS && !call->answered_at) /* however late we hear of it */
        call->answered_at = call->ended_at && call->ended_at < at ? call->ended_at : at;
    if (state == call->state)
        return;
    call->state = state;
    SET(call, reason, reason);
    if (tl_call_state_is_final(state))
        call->ended_at = at;
}

static void take_changed(struct tl_call_fold *call, const struct tl_call_event *event)
{
    const struct tl_changed *changed = event->changed;

    SET(call, call_sid, changed->call_sid);
    SET(call, from_number, changed->from_number);
    SET(call, to_number, changed->to_number);
    SET(call, answered_by, changed->answered_by);
    if (changed->direction)
        call->direction = changed->direction;
    if (changed->business_version.set)
        call->business_version = changed->business_version.value;
    if (changed->duration_s.set)
        call->duration_s = changed->duration_s.value;
    advance(call, changed->state, changed->reason, event->at);
}

static void take_session(struct tl_call_fold *call, const struct tl_call_event *event)
{
    const struct tl_session_started *session = event->session_started;

    SET(call, call_sid, session->call_sid);
    SET(call, from_number, session->from_number);
    SET(call, to_number, session->to_number);
    if (session->direction)
        call->direction = session->direction;
    if (session->business_version > 0)
        call->business_version = session->business_version;
}

static void take_closed(struct tl_call_fold *call, const struct tl_call_event *event)
{
    const struct tl_closed *closed = event->closed;

    advance(call, closed->state, closed->reason, event->at);
    SET(call, reason, *call->reason ? NULL : closed->reason);
    if (call->duration_s < 0)
        call->duration_s = closed->duration_s;
    call->closed_at = event->at;
}

static void take_utterance(struct tl_call_fold *call, const struct tl_utterance *utterance)
{
    if (!utterance->final)
        return;
    call->utterances++;
    call->utterances_of[utterance->speaker]++;
}

static bool came_twice(struct tl_call_fold *call, const struct tl_call_event *event)
{
    if (event->utterance && event->utterance->final)
        return seen(call, event->utterance->utterance_id);
    return event->usage && seen(call, event->event_id);
}

enum tl_fold_verdict tl_call_fold_take(struct tl_call_fold *call, const struct tl_call_event *event,
                                       int32_t partition, int64_t offset)
{
    if (call->closed_at)
        return TL_FOLD_BEHIND;
    if (!tl_fence_accept(&call->fence, event))
        return TL_FOLD_FENCED;
    if (came_twice(call, event))
        return TL_FOLD_TWICE;
    if (!call->started_at)
        call->started_at =
            event->session_started ? event->session_started->call_started_at : event->at;
    call->partition = partition;
    call->offset = offset;
    SET(call, business_id, event->business_id);
    if (event->changed)
        take_changed(call, event);
    else if (event->session_started)
        take_session(call, event);
    else if (event->configured)
        call->business_version = event->configured->business_version;
    else if (event->utterance)
        take_utterance(call, event->utterance);
    else if (event->usage)
        call->cost_microusd += event->usage->cost_microusd;
    else if (event->closed)
        take_closed(call, event);
    return TL_FOLD_COUNTS;
}
