/* Calls that are over and that nobody closed: asks the telephone network, then writes `closed`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_id.h"
#include "call/call_state.h"
#include "sinks/telephony/telephony_internal.h"

#define AGAIN_MS 5000  /* no answer, or `closed` was not taken */
#define AWAIT_MS 30000 /* until our own `closed` is read back */

static struct tl_closing *find(struct tl_telephony *telephony, const char *call_id)
{
    for (struct tl_closing *c = telephony->closings; c; c = c->next)
        if (strcmp(c->call_id, call_id) == 0)
            return c;
    return NULL;
}

static void free_closing(struct tl_closing *closing)
{
    if (closing->request) {
        tl_http_call_cancel(closing->request);
        closing->telephony->in_flight--;
    }
    free(closing);
}

void tl_closing_remove(struct tl_telephony *telephony, const char *call_id)
{
    for (struct tl_closing **at = &telephony->closings; *at; at = &(*at)->next) {
        if (strcmp((*at)->call_id, call_id) == 0) {
            struct tl_closing *closing = *at;

            *at = closing->next;
            free_closing(closing);
            return;
        }
    }
}

void tl_closing_clear(struct tl_telephony *telephony)
{
    while (telephony->closings) {
        struct tl_closing *next = telephony->closings->next;

        free_closing(telephony->closings);
        telephony->closings = next;
    }
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
    } else if (tl_phone_is_over(&answer)) {
        write_closed(closing, call);
    } else {
        if (answer.outcome == TL_TWILIO_DONE) /* it lives on, whatever the log says */
            closing->again_at = tl_mono_ms() + telephony->sink->settings.telephony_close_after_ms;
        tl_log_warn(telephony->sink->log, "telephony.not_closed", TL_STR("call_id", call->call_id),
                    TL_STR("status", answer.status), TL_STR("error", answer.message));
    }
    tl_effect_pump(telephony);
}

static void ask(struct tl_closing *closing, const struct tl_call_fold *call)
{
    struct tl_telephony *telephony = closing->telephony;
    struct tl_error err;

    if (!*call->call_sid) { /* it never came to the telephone network */
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

static void look_at(void *arg, struct tl_call_fold *call)
{
    struct tl_telephony *telephony = arg;

    if (call->closed_at || !tl_call_state_is_final(call->state) ||
        tl_now_ms() - call->ended_at < telephony->sink->settings.telephony_close_after_ms ||
        tl_finish_is_at(telephony, call->call_id))
        return;
    struct tl_closing *closing = find(telephony, call->call_id);
    if (!closing) {
        closing = calloc(1, sizeof(*closing));
        if (!closing)
            abort();
        closing->telephony = telephony;
        (void)snprintf(closing->call_id, sizeof(closing->call_id), "%s", call->call_id);
        closing->next = telephony->closings;
        telephony->closings = closing;
    }
    if (!closing->request && tl_mono_ms() >= closing->again_at)
        ask(closing, call);
}

void tl_closing_tick(struct tl_telephony *telephony)
{
    if (telephony->is_live)
        tl_call_map_each(&telephony->calls, look_at, telephony);
}
