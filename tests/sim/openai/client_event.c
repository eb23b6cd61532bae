/* Client events: each type has its rules and its handler. */
#include <string.h>

#include "openai/append_scan.h"
#include "openai/response.h"
#include "openai/schema.h"
#include "openai/session.h"
#include "openai/wire.h"
#include "twilio/b64.h"

#define AUDIO_MAX_BYTES (15 * 1024 * 1024)

typedef bool (*handler_fn)(struct tl_ai_session *session, const json_t *event,
                           struct tl_ai_problem *problem);

static const char *text_of(const json_t *event, const char *name)
{
    return json_string_value(json_object_get(event, name));
}

/* The input buffer. */

/** Decodes into the scratch buffer of the simulator and takes the sound in. */
static bool append_base64(struct tl_ai_session *session, const char *text, size_t len)
{
    struct tl_buf *scratch = &session->sim->scratch;
    size_t bytes = 0;

    tl_buf_reset(scratch);
    uint8_t *room = tl_buf_reserve(scratch, len / 4 * 3 + 3);
    if (!room || len == 0 || !tl_tel_b64_decode(text, len, room, &bytes))
        return false;
    session->report.appends++;
    session->report.audio_bytes += bytes;
    /* The scratch buffer is written again by events that this causes: keep small pieces apart. */
    uint8_t small[2048];
    if (bytes <= sizeof(small)) {
        memcpy(small, room, bytes);
        tl_ai_input_append(session, small, bytes);
        return true;
    }
    struct tl_buf large = *scratch;
    tl_buf_init(scratch, large.max);
    tl_ai_input_append(session, room, bytes);
    tl_buf_finish(scratch);
    *scratch = large;
    return true;
}

static bool on_append(struct tl_ai_session *session, const json_t *event,
                      struct tl_ai_problem *problem)
{
    const json_t *audio = json_object_get(event, "audio");

    if (json_string_length(audio) > AUDIO_MAX_BYTES / 3 * 4)
        return tl_ai_refuse(problem, "string_above_max_length", "audio",
                            "Invalid 'audio': more than 15 MiB of audio in one event.");
    if (append_base64(session, json_string_value(audio), json_string_length(audio)))
        return true;
    return tl_ai_refuse(problem, "invalid_value", "audio",
                        "Invalid 'audio'. Expected base64-encoded audio bytes.");
}

static bool on_commit(struct tl_ai_session *session, const json_t *event,
                      struct tl_ai_problem *problem)
{
    (void)event;
    return tl_ai_input_commit(session, problem);
}

static bool on_clear(struct tl_ai_session *session, const json_t *event,
                     struct tl_ai_problem *problem)
{
    (void)event;
    (void)problem;
    tl_ai_input_clear(session);
    return true;
}

/* Settings. */

static bool on_session_update(struct tl_ai_session *session, const json_t *event,
                              struct tl_ai_problem *problem)
{
    json_t *given = json_object_get(event, "session");

    if (!tl_ai_config_update(&session->config, session->dialect, given, session->voice_locked,
                             problem))
        return false;
    tl_ai_input_reconfigure(session);
    json_array_append(session->report.updates, given);
    tl_ai_emit(session, "session.updated", "{s:o}", "session",
               tl_ai_config_json(&session->config, session->dialect));
    return true;
}

/* Items. */

/** Where a new item goes: behind *ret_before, or first when that is NULL. */
static bool find_place(struct tl_ai_session *session, const json_t *event,
                       struct tl_ai_item **ret_before, struct tl_ai_problem *problem)
{
    const char *previous = text_of(event, "previous_item_id");

    *ret_before = TAILQ_LAST(&session->items, tl_ai_item_list);
    if (!previous)
        return true;
    *ret_before = NULL;
    if (strcmp(previous, "root") == 0)
        return true;
    *ret_before = tl_ai_item_find(&session->items, previous);
    if (*ret_before)
        return true;
    return tl_ai_refuse(problem, "item_create_invalid_previous_item_id", "previous_item_id",
                        "Error adding item: the previous item with id '%.64s' does not exist.",
                        previous);
}

static void report_given(struct tl_ai_session *session, const struct tl_ai_item *item)
{
    json_t *entry = tl_ai_item_json(item, TL_AI_GA, false);

    json_object_set_new(entry, "at_ms", json_integer(tl_ai_session_age_ms(session)));
    if (item->phrase)
        json_object_set_new(entry, "phrase", json_string(item->phrase->ask->text));
    json_array_append_new(session->report.given, entry);
    if (item->kind == TL_AI_FUNCTION_OUTPUT)
        json_array_append(session->report.tool_outputs, entry);
}

static bool on_item_create(struct tl_ai_session *session, const json_t *event,
                           struct tl_ai_problem *problem)
{
    struct tl_ai_item *before = NULL;
    struct tl_ai_item *item = NULL;

    if (!find_place(session, event, &before, problem) ||
        !tl_ai_item_parse(session->sim, &session->items, session->dialect,
                          json_object_get(event, "item"), "item", &item, problem))
        return false;
    if (before)
        TAILQ_INSERT_AFTER(&session->items, before, item, link);
    else
        TAILQ_INSERT_HEAD(&session->items, item, link);
    report_given(session, item);
    tl_ai_emit(session, "conversation.item.added", "{s:s?, s:o}", "previous_item_id",
               before ? before->id : NULL, "item", tl_ai_item_json(item, session->dialect, false));
    tl_ai_emit(session, "conversation.item.done", "{s:s?, s:o}", "previous_item_id",
               before ? before->id : NULL, "item", tl_ai_item_json(item, session->dialect, false));
    return true;
}

static bool find_item(struct tl_ai_session *session, const json_t *event, const char *verb,
                      const char *code, struct tl_ai_item **ret_item, struct tl_ai_problem *problem)
{
    const char *id = text_of(event, "item_id");

    *ret_item = tl_ai_item_find(&session->items, id);
    return *ret_item ||
           tl_ai_refuse(problem, code, "item_id",
                        "Error %s item: the item with id '%.64s' does not exist.", verb, id);
}

static bool on_item_retrieve(struct tl_ai_session *session, const json_t *event,
                             struct tl_ai_problem *problem)
{
    struct tl_ai_item *item;

    if (!find_item(session, event, "retrieving", "item_retrieve_invalid_item_id", &item, problem))
        return false;
    tl_ai_emit(session, "conversation.item.retrieved", "{s:o}", "item",
               tl_ai_item_json(item, session->dialect, true));
    return true;
}

static bool on_item_delete(struct tl_ai_session *session, const json_t *event,
                           struct tl_ai_problem *problem)
{
    struct tl_ai_item *item;

    if (!find_item(session, event, "deleting", "item_delete_invalid_item_id", &item, problem))
        return false;
    if (session->active && session->active->item == item)
        return tl_ai_refuse(problem, "invalid_value", "item_id",
                            "Error deleting item: the item with id '%s' is still being generated.",
                            item->id);
    TAILQ_REMOVE(&session->items, item, link);
    json_array_append_new(session->report.deletions, json_string(item->id));
    tl_ai_emit(session, "conversation.item.deleted", "{s:s}", "item_id", item->id);
    tl_ai_item_destroy(item);
    return true;
}

static void report_truncation(struct tl_ai_session *session, const struct tl_ai_item *item,
                              json_int_t end_ms)
{
    json_array_append_new(session->report.truncations,
                          json_pack("{s:s, s:I, s:I, s:I}", "item_id", item->id, "audio_end_ms",
                                    end_ms, "generated_ms", (json_int_t)item->generated_bytes / 8,
                                    "at_ms", (json_int_t)tl_ai_session_age_ms(session)));
}

static bool on_item_truncate(struct tl_ai_session *session, const json_t *event,
                             struct tl_ai_problem *problem)
{
    json_int_t end_ms = json_integer_value(json_object_get(event, "audio_end_ms"));
    json_int_t index = json_integer_value(json_object_get(event, "content_index"));
    struct tl_ai_item *item;

    if (!find_item(session, event, "truncating", "item_truncate_invalid_item_id", &item, problem))
        return false;
    if (item->generated_bytes == 0)
        return tl_ai_refuse(problem, "invalid_value", "item_id",
                            "Only model output audio messages can be truncated");
    if (index != 0)
        return tl_ai_refuse(problem, "invalid_value", "content_index",
                            "Content index %lld does not exist in the item.", (long long)index);
    json_int_t generated_ms = (json_int_t)item->generated_bytes / 8;
    if (end_ms > generated_ms)
        return tl_ai_refuse(problem, "invalid_value", NULL,
                            "Audio content of %lldms is already shorter than %lldms",
                            (long long)generated_ms, (long long)end_ms);

    item->generated_bytes = (size_t)end_ms * 8;
    item->is_truncated = true;
    json_object_del(json_array_get(item->content, 0), "transcript");
    report_truncation(session, item, end_ms);
    tl_ai_emit(session, "conversation.item.truncated", "{s:s, s:i, s:I}", "item_id", item->id,
               "content_index", 0, "audio_end_ms", end_ms);
    return true;
}

/* Responses. */

static bool on_response_create(struct tl_ai_session *session, const json_t *event,
                               struct tl_ai_problem *problem)
{
    return tl_ai_response_start(session, "client", json_object_get(event, "response"), problem);
}

static bool on_response_cancel(struct tl_ai_session *session, const json_t *event,
                               struct tl_ai_problem *problem)
{
    return tl_ai_response_cancel(session, text_of(event, "response_id"), problem);
}

static bool on_output_clear(struct tl_ai_session *session, const json_t *event,
                            struct tl_ai_problem *problem)
{
    (void)session;
    (void)event;
    return tl_ai_refuse(problem, "invalid_value", "type",
                        "output_audio_buffer.clear is only supported over WebRTC and SIP.");
}

/* The table. */

#define ROW_EVENT                                                                                  \
    {.name = "type", .kinds = TL_AI_STRING},                                                       \
    {                                                                                              \
        .name = "event_id", .kinds = TL_AI_STRING, .max = 512                                      \
    }
#define ROW_ITEM_ID                                                                                \
    {                                                                                              \
        .name = "item_id", .kinds = TL_AI_STRING, .required = true                                 \
    }

static const struct tl_ai_rule plain_rules[] = {ROW_EVENT, {0}};
static const struct tl_ai_rule append_rules[] = {
    ROW_EVENT, {.name = "audio", .kinds = TL_AI_STRING, .required = true}, {0}};
static const struct tl_ai_rule session_rules[] = {
    ROW_EVENT, {.name = "session", .kinds = TL_AI_OBJECT, .required = true}, {0}};
static const struct tl_ai_rule create_rules[] = {
    ROW_EVENT,
    {.name = "previous_item_id", .kinds = TL_AI_STRING | TL_AI_NULL},
    {.name = "item", .kinds = TL_AI_OBJECT, .required = true},
    {0}};
static const struct tl_ai_rule item_rules[] = {ROW_EVENT, ROW_ITEM_ID, {0}};
static const struct tl_ai_rule truncate_rules[] = {
    ROW_EVENT,
    ROW_ITEM_ID,
    {.name = "content_index", .kinds = TL_AI_INTEGER, .required = true, .min = 0, .max = 1e6},
    {.name = "audio_end_ms", .kinds = TL_AI_INTEGER, .required = true, .min = 0, .max = 1e9},
    {0}};
static const struct tl_ai_rule response_rules[] = {
    ROW_EVENT, {.name = "response", .kinds = TL_AI_OBJECT | TL_AI_NULL}, {0}};
static const struct tl_ai_rule cancel_rules[] = {
    ROW_EVENT, {.name = "response_id", .kinds = TL_AI_STRING | TL_AI_NULL}, {0}};

static const struct {
    const char *type;
    const struct tl_ai_rule *rules;
    handler_fn handle;
} handlers[] = {
    {"session.update", session_rules, on_session_update},
    {"input_audio_buffer.append", append_rules, on_append},
    {"input_audio_buffer.commit", plain_rules, on_commit},
    {"input_audio_buffer.clear", plain_rules, on_clear},
    {"conversation.item.create", create_rules, on_item_create},
    {"conversation.item.retrieve", item_rules, on_item_retrieve},
    {"conversation.item.truncate", truncate_rules, on_item_truncate},
    {"conversation.item.delete", item_rules, on_item_delete},
    {"response.create", response_rules, on_response_create},
    {"response.cancel", cancel_rules, on_response_cancel},
    {"output_audio_buffer.clear", plain_rules, on_output_clear},
};

static bool dispatch(struct tl_ai_session *session, const json_t *event,
                     struct tl_ai_problem *problem)
{
    const json_t *type = json_object_get(event, "type");

    if (!json_is_object(event))
        return tl_ai_refuse(problem, "invalid_type", NULL, "Expected a JSON object.");
    if (!type)
        return tl_ai_refuse(problem, "missing_required_parameter", "type",
                            "Missing required parameter: 'type'.");
    if (!json_is_string(type))
        return tl_ai_refuse(problem, "invalid_type", "type",
                            "Invalid type for 'type': expected a string.");
    for (size_t i = 0; i < TL_ARRAY_LEN(handlers); i++)
        if (strcmp(handlers[i].type, json_string_value(type)) == 0)
            return tl_ai_check(handlers[i].rules, event, "", problem) &&
                   handlers[i].handle(session, event, problem);
    return tl_ai_refuse(problem, "invalid_value", "type",
                        "Invalid value: '%.80s'. Supported values are: 'session.update', "
                        "'input_audio_buffer.append', 'input_audio_buffer.commit', "
                        "'input_audio_buffer.clear', 'conversation.item.create', "
                        "'conversation.item.retrieve', 'conversation.item.truncate', "
                        "'conversation.item.delete', 'response.create', and 'response.cancel'.",
                        json_string_value(type));
}

void tl_ai_client_event(struct tl_ai_session *session, const char *message, size_t len)
{
    struct tl_ai_append append;
    struct tl_ai_problem problem;
    json_error_t wrong;

    session->report.messages++;
    if (tl_ai_append_scan(message, len, &append) &&
        append_base64(session, append.audio, append.audio_len))
        return;

    json_t *event = json_loadb(message, len, JSON_REJECT_DUPLICATES, &wrong);
    bool ok =
        event ? dispatch(session, event, &problem)
              : tl_ai_refuse(&problem, "invalid_json", NULL,
                             "We could not parse the JSON body of your event: %.200s", wrong.text);
    if (!ok)
        tl_ai_send_problem(session, &problem, text_of(event, "event_id"));
    json_decref(event);
}
