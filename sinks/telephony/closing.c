/* Calls of which the log says too little: over, and nobody closed them; or ended by us, and no
 * callback told of it. Asks the telephone network, then writes what is missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_id.h"
#include "call/call_state.h"
#include "sinks/telephony/telephony_internal.h"

#define AGAIN_MS 5000  /* no answer, or `closed` was not taken */
#define AWAIT_MS 30000 /* until our own `closed` is read back */

static struct tl_closing *find_or_add(struct tl_telephony *telephony, const char *call_id)
{
    struct tl_closing *closing;

    HASH_FIND_STR(telephony->closings, call_id, closing);
    if (closing)
        return closing;
    closing = calloc(1, sizeof(*closing));
    if (!closing)
        abort();
    closing->telephony = telephony;
    (void)snprintf(closing->call_id, sizeof(closing->call_id), "%s", call_id);
    HASH_ADD_STR(telephony->closings, call_id, closing);
    return closing;
}

void tl_closing_expect(struct tl_telephony *telephony, const char *call_id)
{
    find_or_add(telephony, call_id)->again_at =
        tl_mono_ms() + telephony->sink->settings.telephony_callback_wait_ms;
}

static void closing_destroy(struct tl_closing *closing)
{
    HASH_DEL(closing->telephony->closings, closing);
    if (closing->request) {
        tl_http_call_cancel(closing->request);
        closing->telephony->in_flight--;
    }
    free(closing);
}

void tl_closing_remove(struct tl_telephony *telephony, const char *call_id)
{
    struct tl_closing *closing;

    HASH_FIND_STR(telephony->closings, call_id, closing);
    if (closing)
        closing_destroy(closing);
}

void tl_closing_clear(struct tl_telephony *telephony)
{
    struct tl_closing *closing, *next;

    HASH_ITER (hh, telephony->closings, closing, next)
        closing_destroy(closing);
}

/* Its id is derived, and of two the first counts: written twice, no harm. */
static void write_closed(struct tl_closing *closing, const struct tl_call_fold *call)
{
    struct tl_uuid uuid = tl_event_id_derive(call->call_id, "telephony", "calls.v1", 0);
    char id[TL_UUID_TEXT_LEN + 1];
    struct tl_closed closed = {.state = call->state,
                               .reason = *call->reason ? call->reason : "not_closed_by_its_holder",
                               .duration_s = call->duration_s,
                               .utterances = call->utterances};
    struct tl_error err;

    tl_uuid_format(&uuid, id);
    struct tl_call_event event = {.event_id = id,
                                  .call_id = call->call_id,
                                  .leg = "caller",
                                  .business_id = *call->business_id ? call->business_id : NULL,
                                  .closed = &closed};
    closing->again_at = tl_mono_ms() + AGAIN_MS;
    if (tl_fleet_send_event(closing->telephony->sink->fleet, &event, NULL, NULL, &err) != TL_OK)
        return; /* the tick comes back */
    closing->again_at = tl_mono_ms() + AWAIT_MS;
    tl_counter_add(&closing->telephony->sink->metrics.closed, 1);
    tl_log_info(closing->telephony->sink->log, "telephony.closed", TL_STR("call_id", call->call_id),
                TL_STR("business_id", call->business_id));
}

void tl_closing_write_over(struct tl_telephony *telephony, const char *call_id,
                           const char *call_sid, const struct tl_twilio_answer *answer)
{
    struct tl_uuid uuid = tl_event_id_derive(call_id, "telephony", "calls.v1", 1);
    char id[TL_UUID_TEXT_LEN + 1];
    enum tl_call_state state = tl_call_state_of_status(answer->status);
    bool is_known = tl_call_state_is_final(state);
    struct tl_changed changed = {.state = is_known ? state : TL_CALL_STATE_COMPLETED,
                                 .call_sid = call_sid,
                                 .status = is_known ? answer->status : NULL,
                                 .reason = is_known ? "found_over" : "not_known_to_the_network"};
    struct tl_error err;

    tl_uuid_format(&uuid, id);
    struct tl_call_event event = {
        .event_id = id, .call_id = call_id, .leg = "caller", .changed = &changed};
    if (tl_fleet_send_event(telephony->sink->fleet, &event, NULL, NULL, &err) != TL_OK)
        tl_log_warn(telephony->sink->log,
                    "telephony.end_not_recorded", /* asked again, so told again */
                    TL_STR("call_id", call_id), TL_STR("error", err.msg));
}

static void on_answer(void *arg, const struct tl_http_answer *http)
{
    struct tl_closing *closing = arg;
    struct tl_telephony *telephony = closing->telephony;
    const struct tl_call_fold *call = tl_call_map_get(&telephony->calls, closing->call_id);
    struct tl_twilio_answer answer;
    int64_t wait_ms;

    closing->request = NULL;
    telephony->in_flight--;
    tl_phone_read(telephony, "look", http, &answer, &wait_ms);
    closing->again_at = tl_mono_ms() + (wait_ms > AGAIN_MS ? wait_ms : AGAIN_MS);
    if (!call) {
        tl_closing_remove(telephony, closing->call_id);
    } else if (tl_phone_is_over(&answer) && tl_call_state_is_final(call->state)) {
        write_closed(closing, call);
    } else if (tl_phone_is_over(&answer)) {
        tl_closing_write_over(telephony, call->call_id, call->call_sid, &answer);
    } else {
        if (answer.outcome == TL_TWILIO_DONE) /* it lives on, whatever the log says */
            closing->again_at = tl_mono_ms() + telephony->sink->settings.telephony_close_after_ms;
        if (answer.outcome != TL_TWILIO_DONE || tl_call_state_is_final(call->state))
            tl_log_warn(telephony->sink->log, "telephony.not_closed",
                        TL_STR("call_id", call->call_id), TL_STR("status", answer.status),
                        TL_STR("error", answer.message));
    }
    tl_effect_pump(telephony);
}

static void ask(struct tl_closing *closing, const struct tl_call_fold *call)
{
    struct tl_telephony *telephony = closing->telephony;
    struct tl_error err;

    if (!*call->call_sid) { /* it never came to the telephone network */
        if (tl_call_state_is_final(call->state))
            write_closed(closing, call);
        return;
    }
    if (telephony->in_flight >= telephony->sink->settings.telephony_requests_max)
        return;
    closing->again_at = tl_mono_ms() + AWAIT_MS;
    if (tl_phone_look(telephony, call->call_sid, on_answer, closing, &closing->request, &err) ==
        TL_OK)
        telephony->in_flight++;
}

/* In a final state, and nobody has closed it in time. */
static bool lacks_closed(struct tl_telephony *telephony, const struct tl_call_fold *call)
{
    return tl_call_state_is_final(call->state) && !call->closed_at &&
           tl_now_ms() - call->ended_at >= telephony->sink->settings.telephony_close_after_ms &&
           !tl_finish_is_at(telephony, call->call_id);
}

static void look_at(void *arg, struct tl_call_fold *call)
{
    if (lacks_closed(arg, call))
        (void)find_or_add(arg, call->call_id);
}

/* A call that was ended by us may go on: a sentence is spoken, or a person talks. */
static void advance(struct tl_closing *closing)
{
    const struct tl_call_fold *call = tl_call_map_get(&closing->telephony->calls, closing->call_id);

    if (closing->request || tl_mono_ms() < closing->again_at)
        return;
    if (!call || call->closed_at)
        tl_closing_remove(closing->telephony, closing->call_id);
    else if (!tl_call_state_is_final(call->state) || lacks_closed(closing->telephony, call))
        ask(closing, call);
}

void tl_closing_tick(struct tl_telephony *telephony)
{
    struct tl_closing *closing, *next;

    if (!telephony->is_live)
        return;
    tl_call_map_each(&telephony->calls, look_at, telephony);
    HASH_ITER (hh, telephony->closings, closing, next)
        advance(closing);
}
