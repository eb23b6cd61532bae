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

static void write_intent(struct tl_dialog *d, struct tl_tool_intent *intent)
{
    struct tl_call_event event = {.tool_intent = intent};

    intent->answers_to = d->has_talk && d->talk.has_answers_to ? &d->talk.answers_to : NULL;
    intent->provider_call_id = d->end_call_id[0] ? d->end_call_id : NULL;
    tl_dialog_send(d, &event);
    (void)tl_memory_take(&d->memory, &event); /* open until its result comes */
}

static void settle_goodbye(struct tl_dialog *d, enum tl_tool_status status)
{
    struct tl_tool_result result = {.intent_id = d->goodbye_id, .status = status, .output = "{}"};
    struct tl_call_event event = {.tool_result = &result};

    if (!d->goodbye_id[0])
        return;
    tl_dialog_send(d, &event);
    (void)tl_memory_take(&d->memory, &event);
    d->goodbye_id[0] = '\0';
}

/* Decided, but the caller is to hear goodbye first: a successor must know of it. */
void tl_dialog_want_end(struct tl_dialog *d, const char *reason)
{
    struct tl_uuid id = tl_uuid_v4();
    struct tl_tool_intent intent = {.intent_id = d->goodbye_id, .name = TL_SAY_GOODBYE};

    d->wants_end = true;
    if (d->goodbye_id[0])
        return;
    (void)snprintf(d->end_reason, sizeof(d->end_reason), "%s", reason);
    tl_uuid_format(&id, d->goodbye_id);
    json_t *arguments = json_pack("{s:s}", "reason", reason);
    char *text = json_dumps(arguments, JSON_COMPACT);
    intent.arguments = text ? text : "{}";
    write_intent(d, &intent);
    free(text);
    json_decref(arguments);
}

void tl_dialog_keep_on(struct tl_dialog *d)
{
    d->wants_end = false;
    settle_goodbye(d, TL_TOOL_STATUS_ABANDONED);
}

/* A predecessor had decided it. */
void tl_dialog_resume_end(struct tl_dialog *d)
{
    const struct tl_memory *m = &d->memory;

    d->end_asked = m->ended_by_us;
    d->wants_end = false;
    d->goodbye_id[0] = '\0';
    for (size_t i = 0; i < m->intents_n; i++) {
        if (strcmp(m->intents[i].name, TL_SAY_GOODBYE) != 0)
            continue;
        json_t *arguments = json_loads(m->intents[i].arguments, 0, NULL);
        const char *reason = json_string_value(json_object_get(arguments, "reason"));
        (void)snprintf(d->end_reason, sizeof(d->end_reason), "%s", reason ? reason : "ended_by_ai");
        (void)snprintf(d->goodbye_id, sizeof(d->goodbye_id), "%s", m->intents[i].intent_id);
        d->wants_end = true;
        json_decref(arguments);
    }
}

void tl_dialog_ask_end(struct tl_dialog *d, const char *reason, const char *sentence,
                       const char *dial_number)
{
    struct tl_uuid id = tl_uuid_v4();
    char intent_id[TL_UUID_TEXT_LEN + 1];
    struct tl_tool_intent intent = {.intent_id = intent_id, .name = "end_call"};

    if (d->end_asked)
        return;
    json_t *arguments = json_pack("{s:s}", "reason", reason);
    if (sentence)
        (void)json_object_set_new(arguments, "sentence", json_string(sentence));
    if (dial_number && *dial_number)
        (void)json_object_set_new(arguments, "dial_number", json_string(dial_number));
    char *text = json_dumps(arguments, JSON_COMPACT);
    intent.arguments = text ? text : "{}";
    tl_uuid_format(&id, intent_id);
    write_intent(d, &intent);
    settle_goodbye(d, TL_TOOL_STATUS_DONE);
    d->end_asked = true;
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
                               .reason = !d->end_asked      ? "caller_hung_up"
                                         : d->end_reason[0] ? d->end_reason
                                                            : "ended_by_ai",
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
    bool counts = !event->claim || tl_claim_compare(event->claim, &d->claim) >= 0;
    if (event->closed && counts) {
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
