/* What the telephone network reports: states of a call, errors of a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_id.h"
#include "call/call_state.h"
#include "ingest/webhook/hook.h"

static void set_int(struct tl_opt_int *to, const char *text)
{
    if (text)
        *to = (struct tl_opt_int){.set = true, .value = (int)strtol(text, NULL, 10)};
}

bool tl_hook_is_over(const struct tl_hook *hook)
{
    return tl_call_state_is_final(tl_call_state_of_status(tl_hook_get(hook, "CallStatus", "")));
}

struct tl_call_event tl_hook_event(const struct tl_hook *hook, char call_id[37], char event_id[37],
                                   const char *part)
{
    struct tl_uuid id = tl_call_id_of_sid(hook->call_sid);
    char source[160];

    tl_uuid_format(&id, call_id);
    (void)snprintf(source, sizeof(source), "%s|%s", hook->call_sid, part);
    id = tl_event_id_derive(source, "ingest", "calls.v1", 0);
    tl_uuid_format(&id, event_id);
    return (struct tl_call_event){.event_id = event_id, .call_id = call_id, .leg = "caller"};
}

void tl_hook_read_changed(const struct tl_hook *hook, struct tl_call_event *event,
                          struct tl_changed *changed)
{
    const char *status = tl_hook_get(hook, "CallStatus", "");
    bool is_outbound = strncmp(tl_hook_get(hook, "Direction", ""), "outbound", 8) == 0;

    *changed =
        (struct tl_changed){.state = tl_call_state_of_status(status),
                            .call_sid = hook->call_sid,
                            .direction = is_outbound ? TL_DIRECTION_OUTBOUND : TL_DIRECTION_INBOUND,
                            .from_number = tl_hook_get(hook, "From", NULL),
                            .to_number = tl_hook_get(hook, "To", NULL),
                            .status = status,
                            .answered_by = tl_hook_get(hook, "AnsweredBy", NULL)};
    if (changed->state == TL_CALL_STATE_FAILED)
        changed->reason = status;
    set_int(&changed->sequence, tl_hook_get(hook, "SequenceNumber", NULL));
    set_int(&changed->duration_s, tl_hook_get(hook, "CallDuration", NULL));
    event->changed = changed;
}

/* Records what a form says of the call's status; answers 204 when it is in the log. */
void tl_hook_on_status(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    const char *status = tl_hook_get(hook, "CallStatus", "");
    char call_id[37], event_id[37], part[96], reason[64];
    struct tl_changed changed;

    if (tl_call_state_of_status(status) == TL_CALL_STATE_UNKNOWN) {
        tl_hook_respond_problem(ingest, hook->kind, hook->x, 400,
                                "CallStatus is missing or unknown", NULL);
        return;
    }
    if (!tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        tl_hook_respond_problem(ingest, hook->kind, hook->x, 503, "Not ready", reason);
        return;
    }
    (void)snprintf(part, sizeof(part), "status|%s|%s", status,
                   tl_hook_get(hook, "SequenceNumber", ""));
    struct tl_call_event event = tl_hook_event(hook, call_id, event_id, part);
    tl_hook_read_changed(hook, &event, &changed);
    tl_answer_record(tl_answer_create(hook, false), &event);
}

void tl_hook_on_stream_status(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    const char *code = tl_hook_get(hook, "StreamErrorCode", "other");

    if (strcmp(tl_hook_get(hook, "StreamEvent", ""), "stream-error") == 0) {
        tl_counter_add(tl_counter_of(&ingest->metrics.stream_errors, code), 1);
        tl_log_warn(ingest->log, "stream.error", TL_STR("call_sid", hook->call_sid),
                    TL_STR("stream_sid", tl_hook_get(hook, "StreamSid", "")),
                    TL_STR("error", tl_hook_get(hook, "StreamError", "")));
    }
    tl_hook_respond_none(ingest, hook->kind, hook->x);
}
