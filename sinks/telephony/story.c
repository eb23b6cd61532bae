/* What is read changes what is to be done: folds calls, collects ends, forgets what is over. */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sinks/telephony/telephony_internal.h"

#define REMEMBER_CLOSED_MS 3600000 /* late callbacks of a closed call are dropped so long */
#define NEVER_CLOSED_MS 86400000   /* without an end for so long: it is none any more */

static void wish_of_intent(struct tl_telephony *telephony, int32_t partition,
                           const struct tl_call_event *event)
{
    const struct tl_tool_intent *intent = event->tool_intent;
    json_error_t problem;
    json_t *arguments = json_loads(intent->arguments, 0, &problem);

    tl_effect_add(
        telephony, partition,
        &(struct tl_effect_wish){
            .id = intent->intent_id,
            .source_event_id = event->event_id,
            .call_id = event->call_id,
            .is_intent = true,
            .sentence = json_string_value(json_object_get(arguments, "sentence")),
            .dial_number = json_string_value(json_object_get(arguments, "dial_number")),
            .problem = json_is_object(arguments) ? NULL : "its arguments are no JSON object",
            .asked_at = event->at});
    json_decref(arguments);
}

static void on_closed(struct tl_telephony *telephony, const char *call_id)
{
    tl_effect_remove_call(telephony, call_id);
    tl_closing_remove(telephony, call_id);
    tl_finish_remove(telephony, call_id);
    tl_known_bury(telephony, call_id);
}

static enum tl_status take_event(struct tl_telephony *telephony, const struct tl_record *record,
                                 struct tl_error *err)
{
    struct tl_call_event event;
    enum tl_status st =
        tl_record_decode(tl_fleet_schemas(telephony->sink->fleet), TL_RECORD_CALL_EVENT,
                         record->value, &telephony->arena, &event, err);

    if (st == TL_OK)
        st = tl_call_event_check(&event, record->key, err);
    if (st != TL_OK)
        return st;
    struct tl_call_fold *call = tl_call_map_get(&telephony->calls, event.call_id);
    if (!call)
        call = tl_call_map_add(&telephony->calls, event.call_id);
    if (tl_call_fold_take(call, &event, record->partition, record->offset) != TL_FOLD_COUNTS)
        return TL_OK;
    if (event.tool_intent && strcmp(event.tool_intent->name, "end_call") == 0)
        wish_of_intent(telephony, record->partition, &event);
    else if (event.tool_result)
        tl_effect_remove(telephony, event.tool_result->intent_id);
    else if (event.closed)
        on_closed(telephony, event.call_id);
    return TL_OK;
}

static enum tl_status take_command(struct tl_telephony *telephony, const struct tl_record *record,
                                   struct tl_error *err)
{
    struct tl_call_command command;
    enum tl_status st =
        tl_record_decode(tl_fleet_schemas(telephony->sink->fleet), TL_RECORD_CALL_COMMAND,
                         record->value, &telephony->arena, &command, err);
    struct tl_uuid uuid;

    if (st == TL_OK)
        st = tl_uuid_parse(command.call_id, strlen(command.call_id), &uuid, err);
    if (st == TL_OK)
        st = tl_uuid_parse(command.command_id, strlen(command.command_id), &uuid, err);
    if (st != TL_OK || !command.end)
        return st;
    tl_effect_add(telephony, record->partition,
                  &(struct tl_effect_wish){.id = command.command_id,
                                           .source_event_id = command.command_id,
                                           .call_id = command.call_id,
                                           .sentence = command.end->sentence,
                                           .dial_number = command.end->dial_number,
                                           .asked_at = command.at});
    return TL_OK;
}

static enum tl_status take_state(struct tl_telephony *telephony, const struct tl_record *record,
                                 struct tl_error *err)
{
    struct tl_telephony_state state;

    if (!record->value.data) { /* a tombstone: the call was closed */
        const char *id =
            tl_arena_strndup(&telephony->arena, (const char *)record->key.data, record->key.len);
        tl_known_remove(telephony, id);
        return TL_OK;
    }
    enum tl_status st =
        tl_record_decode(tl_fleet_schemas(telephony->sink->fleet), TL_RECORD_TELEPHONY_STATE,
                         record->value, &telephony->arena, &state, err);
    if (st == TL_OK)
        tl_known_put(telephony, state.intent_id, state.call_id, record->partition, state.stage);
    return st;
}

enum tl_status tl_story_take(struct tl_telephony *telephony, const struct tl_record *record,
                             struct tl_error *err)
{
    tl_arena_reset(&telephony->arena);
    if (strcmp(record->topic, "state.telephony.v1") == 0)
        return take_state(telephony, record, err);
    if (!record->value.data)
        return tl_fail(err, TL_INVALID, "no value");
    if (strcmp(record->topic, "commands.v1") == 0)
        return take_command(telephony, record, err);
    return take_event(telephony, record, err);
}

/* ---- forgetting ---- */

#define FORGOTTEN_AT_ONCE 256

struct old {
    int64_t closed_before, started_before;
    char call_id[FORGOTTEN_AT_ONCE][TL_UUID_TEXT_LEN + 1];
    size_t len;
    int64_t open; /* calls that are not closed */
};

static void find_old(void *arg, struct tl_call_fold *call)
{
    struct old *old = arg;
    bool is_old = call->closed_at ? call->closed_at < old->closed_before
                                  : call->started_at && call->started_at < old->started_before;

    old->open += !call->closed_at;
    if (is_old && old->len < FORGOTTEN_AT_ONCE)
        memcpy(old->call_id[old->len++], call->call_id, sizeof(call->call_id));
}

void tl_story_forget_old(struct tl_telephony *telephony)
{
    struct old old = {.closed_before = tl_now_ms() - REMEMBER_CLOSED_MS,
                      .started_before = tl_now_ms() - NEVER_CLOSED_MS};

    tl_call_map_each(&telephony->calls, find_old, &old);
    for (size_t i = 0; i < old.len; i++) {
        tl_closing_remove(telephony, old.call_id[i]);
        tl_finish_remove(telephony, old.call_id[i]);
        tl_call_map_remove(&telephony->calls, old.call_id[i]);
    }
    tl_gauge_set(&telephony->sink->metrics.calls, old.open);
}
