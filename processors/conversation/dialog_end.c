/* The end of a call: asked for by us, waited for, and written. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_state.h"
#include "call/claim.h"
#include "processors/conversation/closing.h"
#include "processors/conversation/dialog.h"

#define FINALS_WAIT_MS 10000 /* for the last transcripts */
#define STATE_WAIT_MS 60000  /* for a final state; then telephony closes */

void tl_dialog_ask_end(struct tl_dialog *d, const char *reason, const char *sentence,
                       const char *dial_number)
{
    struct tl_call_event event = {0};
    struct tl_uuid id = tl_uuid_v4();
    char intent_id[TL_UUID_TEXT_LEN + 1];

    if (d->end_asked)
        return;
    json_t *arguments = json_pack("{s:s}", "reason", reason);
    if (sentence)
        (void)json_object_set_new(arguments, "sentence", json_string(sentence));
    if (dial_number && *dial_number)
        (void)json_object_set_new(arguments, "dial_number", json_string(dial_number));
    char *text = json_dumps(arguments, JSON_COMPACT);
    tl_uuid_format(&id, intent_id);
    struct tl_tool_intent intent = {
        .intent_id = intent_id,
        .name = "end_call",
        .arguments = text ? text : "{}",
        .answers_to = d->has_talk && d->talk.has_answers_to ? &d->talk.answers_to : NULL,
        .provider_call_id = d->end_call_id[0] ? d->end_call_id : NULL};
    event.tool_intent = &intent;
    tl_dialog_send(d, &event);
    d->end_asked = true;
    (void)tl_memory_take(&d->memory, &event); /* open until its result comes */
    tl_log_info(d->conversation->log, "call.end_asked", TL_STR("call_id", d->call_id),
                TL_STR("reason", reason), TL_BOOL("sentence", sentence != NULL));
    free(text);
    json_decref(arguments);
}

static void write_closed(struct tl_dialog *d)
{
    struct tl_call_event event = {0};
    bool is_failed = d->memory.state == TL_CALL_STATE_FAILED;
    struct tl_closed closed = {.state = is_failed ? TL_CALL_STATE_FAILED : TL_CALL_STATE_COMPLETED,
                               .reason = d->end_reason[0] ? d->end_reason
                                         : d->end_asked   ? "ended_by_ai"
                                                          : "caller_hung_up",
                               .duration_s = (int32_t)(tl_dialog_now(d).call_ms / 1000),
                               .utterances = d->memory.utterances};

    event.closed = &closed;
    tl_dialog_send(d, &event);
    tl_counter_add(tl_counter_of(&d->conversation->metrics.ended, closed.reason), 1);
    tl_log_info(d->conversation->log, "call.closed", TL_STR("call_id", d->call_id),
                TL_STR("reason", closed.reason), TL_INT("utterances", closed.utterances),
                TL_INT("duration_s", closed.duration_s));
    tl_dialog_destroy(d);
}

void tl_dialog_on_event(struct tl_dialog *d, const struct tl_call_event *event)
{
    if (event->changed)
        d->memory.state = tl_call_state_advance(d->memory.state, event->changed->state);
    if (event->closed) {
        tl_dialog_drop(d, "closed_by_other");
        return;
    }
    if (event->session_started && event->claim && tl_claim_compare(event->claim, &d->claim) > 0) {
        tl_dialog_drop(d, "taken_over");
        return;
    }
    if (d->stage == TL_DIALOG_LIVE && tl_call_state_is_final(d->memory.state))
        tl_dialog_on_stopped(d); /* its ingest went before it could say so */
    if (d->finals_written && tl_call_state_is_final(d->memory.state))
        write_closed(d);
}

void tl_dialog_tick_ending(struct tl_dialog *d, int64_t now_ms)
{
    if (!d->finals_written && ((tl_dialog_ai_heard_out(d, now_ms) && tl_talk_is_idle(&d->talk)) ||
                               now_ms - d->ending_since_ms > FINALS_WAIT_MS)) {
        tl_dialog_ai_close(d);
        tl_talk_give_up(&d->talk, tl_dialog_now(d));
        d->finals_written = true;
    }
    if (!d->finals_written)
        return;
    if (tl_call_state_is_final(d->memory.state))
        write_closed(d);
    else if (now_ms - d->ending_since_ms > STATE_WAIT_MS)
        tl_dialog_drop(d, "no_final_state");
}

void tl_dialog_on_stopped(struct tl_dialog *d)
{
    if (d->stage == TL_DIALOG_ENDING)
        return;
    d->stopped = true;
    d->stage = TL_DIALOG_ENDING;
    d->ending_since_ms = tl_mono_ms();
    tl_dialog_write_keyed(d);
    tl_talk_stop(&d->talk, tl_dialog_now(d));
    (void)tl_dialog_ai_heard_out(d, d->ending_since_ms);
    tl_closing_watch(d->conversation->closing, d);
}
