/* Items of a conversation: what clients may create, and how items are shown. */
#include "openai/item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openai/schema.h"
#include "twilio/b64.h"

#define AUDIO_MAX_BYTES (8000 * 60 * 10)

struct tl_ai_item *tl_ai_item_create(struct tl_ai_sim *sim, enum tl_ai_item_kind kind,
                                     const char *role)
{
    struct tl_ai_item *item = calloc(1, sizeof(*item));

    if (!item)
        abort();
    item->kind = kind;
    item->role = role;
    item->status = "completed";
    item->content = json_array();
    tl_buf_init(&item->audio, AUDIO_MAX_BYTES);
    tl_ai_sim_make_id(sim, "item", item->id);
    return item;
}

void tl_ai_item_destroy(struct tl_ai_item *item)
{
    if (!item)
        return;
    json_decref(item->content);
    free(item->call_id);
    free(item->name);
    free(item->text);
    tl_buf_finish(&item->audio);
    free(item);
}

struct tl_ai_item *tl_ai_item_find(const struct tl_ai_item_list *items, const char *id)
{
    struct tl_ai_item *item;

    TAILQ_FOREACH(item, items, link)
    if (strcmp(item->id, id) == 0)
        return item;
    return NULL;
}

struct tl_ai_item *tl_ai_item_find_call(const struct tl_ai_item_list *items, const char *call_id)
{
    struct tl_ai_item *item;

    TAILQ_FOREACH(item, items, link)
    if (item->kind == TL_AI_FUNCTION_CALL && strcmp(item->call_id, call_id) == 0)
        return item;
    return NULL;
}

/* Showing. */

static const struct {
    const char *ga, *beta;
} part_names[] = {{"output_text", "text"}, {"output_audio", "audio"}};

static json_t *base64_of(const uint8_t *data, size_t bytes)
{
    size_t len = TL_TEL_B64_LEN(bytes);
    char *text = malloc(len + 1);

    if (!text)
        abort();
    tl_tel_b64_encode(data, bytes, text);
    json_t *out = json_stringn(text, len);
    free(text);
    return out;
}

static bool has_type(const json_t *part, const char *type)
{
    return strcmp(json_string_value(json_object_get(part, "type")), type) == 0;
}

static json_t *content_json(const struct tl_ai_item *item, enum tl_ai_dialect dialect,
                            bool with_audio)
{
    json_t *content = json_deep_copy(item->content);
    json_t *part;
    size_t i;

    json_array_foreach(content, i, part)
    {
        if (with_audio && item->audio.len > 0 && has_type(part, "input_audio"))
            json_object_set_new(part, "audio", base64_of(item->audio.data, item->audio.len));
        if (with_audio && item->generated_bytes > 0 && has_type(part, "output_audio"))
            json_object_set_new(part, "audio", base64_of(item->sound, item->generated_bytes));
        for (size_t k = 0; dialect == TL_AI_BETA && k < TL_ARRAY_LEN(part_names); k++)
            if (has_type(part, part_names[k].ga))
                json_object_set_new(part, "type", json_string(part_names[k].beta));
    }
    return content;
}

json_t *tl_ai_item_json(const struct tl_ai_item *item, enum tl_ai_dialect dialect, bool with_audio)
{
    static const char *const types[] = {"message", "function_call", "function_call_output"};
    json_t *out = json_pack("{s:s, s:s, s:s, s:s}", "id", item->id, "object", "realtime.item",
                            "type", types[item->kind], "status", item->status);

    if (item->kind == TL_AI_MESSAGE) {
        json_object_set_new(out, "role", json_string(item->role));
        json_object_set_new(out, "content", content_json(item, dialect, with_audio));
        return out;
    }
    json_object_set_new(out, "call_id", json_string(item->call_id));
    if (item->kind == TL_AI_FUNCTION_CALL)
        json_object_set_new(out, "name", json_string(item->name));
    json_object_set_new(out, item->kind == TL_AI_FUNCTION_CALL ? "arguments" : "output",
                        json_string(item->text ? item->text : ""));
    return out;
}

void tl_ai_item_text(const struct tl_ai_item *item, struct tl_buf *out)
{
    json_t *part;
    size_t i;

    if (item->kind != TL_AI_MESSAGE) {
        tl_buf_add_str(out, item->text ? item->text : "");
        return;
    }
    json_array_foreach(item->content, i, part)
    {
        const char *text = json_string_value(json_object_get(part, "text"));
        if (!text)
            text = json_string_value(json_object_get(part, "transcript"));
        if (text && *text)
            tl_buf_printf(out, "%s%s", out->len ? " " : "", text);
    }
}

/* Creating. */

#define ROW_ID                                                                                     \
    {                                                                                              \
        .name = "id", .kinds = TL_AI_STRING | TL_AI_NULL, .max = 32                                \
    }
#define ROW_TYPE                                                                                   \
    {                                                                                              \
        .name = "type", .kinds = TL_AI_STRING, .required = true                                    \
    }
#define ROW_OBJECT                                                                                 \
    {                                                                                              \
        .name = "object", .kinds = TL_AI_STRING | TL_AI_NULL                                       \
    }
#define ROW_STATUS                                                                                 \
    {                                                                                              \
        .name = "status", .kinds = TL_AI_STRING | TL_AI_NULL                                       \
    }
#define ROW_CALL_ID                                                                                \
    {                                                                                              \
        .name = "call_id", .kinds = TL_AI_STRING, .required = true, .max = 32                      \
    }

static const char *const roles[] = {"user", "assistant", "system", NULL};

static const struct tl_ai_rule message_rules[] = {
    ROW_ID,
    ROW_TYPE,
    ROW_OBJECT,
    ROW_STATUS,
    {.name = "role", .kinds = TL_AI_STRING, .required = true, .choices = roles},
    {.name = "content", .kinds = TL_AI_ARRAY, .required = true},
    {0},
};

static const struct tl_ai_rule call_rules[] = {
    ROW_ID,
    ROW_TYPE,
    ROW_OBJECT,
    ROW_STATUS,
    ROW_CALL_ID,
    {.name = "name", .kinds = TL_AI_STRING, .required = true},
    {.name = "arguments", .kinds = TL_AI_STRING, .required = true},
    {0},
};

static const struct tl_ai_rule output_rules[] = {
    ROW_ID,     ROW_TYPE,    ROW_OBJECT,
    ROW_STATUS, ROW_CALL_ID, {.name = "output", .kinds = TL_AI_STRING, .required = true},
    {0},
};

static const struct tl_ai_rule text_part_rules[] = {
    ROW_TYPE,
    {.name = "text", .kinds = TL_AI_STRING, .required = true},
    {0},
};

static const struct tl_ai_rule audio_part_rules[] = {
    ROW_TYPE,
    {.name = "audio", .kinds = TL_AI_STRING, .required = true},
    {.name = "transcript", .kinds = TL_AI_STRING | TL_AI_NULL},
    {0},
};

static const char *const details[] = {"auto", "low", "high", NULL};
static const struct tl_ai_rule image_part_rules[] = {
    ROW_TYPE,
    {.name = "image_url", .kinds = TL_AI_STRING, .required = true},
    {.name = "detail", .kinds = TL_AI_STRING, .choices = details},
    {0},
};

/** Which parts who may create. */
static const struct part_kind {
    const char *role, *ga, *beta; /* beta NULL: not in that dialect */
    const struct tl_ai_rule *rules;
} part_kinds[] = {
    {"user", "input_text", "input_text", text_part_rules},
    {"user", "input_audio", "input_audio", audio_part_rules},
    {"user", "input_image", NULL, image_part_rules},
    {"system", "input_text", "input_text", text_part_rules},
    {"assistant", "output_text", "text", text_part_rules},
};

static bool refuse_part_type(const char *role, enum tl_ai_dialect dialect, const char *type,
                             const char *path, struct tl_ai_problem *problem)
{
    char list[128] = "";
    char param[200];
    size_t len = 0;

    for (size_t i = 0; i < TL_ARRAY_LEN(part_kinds); i++) {
        const char *name = dialect == TL_AI_GA ? part_kinds[i].ga : part_kinds[i].beta;
        if (name && strcmp(part_kinds[i].role, role) == 0)
            len +=
                (size_t)snprintf(list + len, sizeof(list) - len, "%s'%s'", len ? ", " : "", name);
    }
    snprintf(param, sizeof(param), "%s.type", path);
    return tl_ai_refuse(problem, "invalid_value", param,
                        "Invalid value: '%.60s'. Supported values are: %s.", type, list);
}

static bool check_part(const char *role, enum tl_ai_dialect dialect, const json_t *part,
                       const char *path, struct tl_ai_problem *problem)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    char param[200];

    if (!type) {
        snprintf(param, sizeof(param), "%s.type", path);
        return tl_ai_refuse(problem, "missing_required_parameter", param,
                            "Missing required parameter: '%s'.", param);
    }
    for (size_t i = 0; i < TL_ARRAY_LEN(part_kinds); i++) {
        const char *name = dialect == TL_AI_GA ? part_kinds[i].ga : part_kinds[i].beta;
        if (name && strcmp(part_kinds[i].role, role) == 0 && strcmp(name, type) == 0)
            return tl_ai_check(part_kinds[i].rules, part, path, problem);
    }
    /* The real service wants the text of an assistant's part before it looks at its type. */
    if (strcmp(role, "assistant") == 0 && !json_object_get(part, "text")) {
        snprintf(param, sizeof(param), "%s.text", path);
        return tl_ai_refuse(problem, "missing_required_parameter", param,
                            "Missing required parameter: '%s'.", param);
    }
    return refuse_part_type(role, dialect, type, path, problem);
}

static bool check_content(const json_t *given, enum tl_ai_dialect dialect, const char *path,
                          struct tl_ai_problem *problem)
{
    const char *role = json_string_value(json_object_get(given, "role"));
    const json_t *content = json_object_get(given, "content");
    char inner[160];
    json_t *part;
    size_t i;

    json_array_foreach(content, i, part)
    {
        snprintf(inner, sizeof(inner), "%s.content[%zu]", path, i);
        if (!json_is_object(part))
            return tl_ai_refuse(problem, "invalid_type", inner,
                                "Invalid type for '%s': expected an object.", inner);
        if (!check_part(role, dialect, part, inner, problem))
            return false;
    }
    return true;
}

static bool check_id(const struct tl_ai_item_list *items, const json_t *given,
                     struct tl_ai_problem *problem)
{
    const char *id = json_string_value(json_object_get(given, "id"));

    if (!id || !tl_ai_item_find(items, id))
        return true;
    return tl_ai_refuse(problem, "item_create_duplicate_item_id", "item.id",
                        "Error adding item: an item with id '%s' already exists.", id);
}

/** The caller's part sounds: base64 checked and kept. Only in µ-law is it of use. */
static bool take_audio(struct tl_ai_item *item, const char *path, struct tl_ai_problem *problem)
{
    json_t *part;
    size_t i;

    json_array_foreach(item->content, i, part)
    {
        const json_t *audio = json_object_get(part, "audio");
        char param[200];
        size_t len = 0;
        if (!audio)
            continue;
        uint8_t *room = tl_buf_reserve(&item->audio, json_string_length(audio) / 4 * 3 + 3);
        if (room &&
            tl_tel_b64_decode(json_string_value(audio), json_string_length(audio), room, &len)) {
            item->audio.len += len;
            json_object_del(part, "audio");
            continue;
        }
        snprintf(param, sizeof(param), "%s.content[%zu].audio", path, i);
        return tl_ai_refuse(problem, "invalid_value", param,
                            "Invalid '%s'. Expected base64-encoded audio bytes.", param);
    }
    return true;
}

static void copy_content(struct tl_ai_item *item, const json_t *given)
{
    json_t *part;
    size_t i;

    json_decref(item->content);
    item->content = json_deep_copy(json_object_get(given, "content"));
    json_array_foreach(item->content, i,
                       part) if (strcmp(json_string_value(json_object_get(part, "type")), "text") ==
                                 0) json_object_set_new(part, "type", json_string("output_text"));
}

static char *copy_of(const json_t *given, const char *name)
{
    const char *text = json_string_value(json_object_get(given, name));

    return text ? strdup(text) : NULL;
}

static struct tl_ai_item *make(struct tl_ai_sim *sim, enum tl_ai_item_kind kind,
                               const json_t *given)
{
    struct tl_ai_item *item = tl_ai_item_create(sim, kind, NULL);
    const char *role = json_string_value(json_object_get(given, "role"));
    const char *id = json_string_value(json_object_get(given, "id"));

    for (size_t i = 0; role && roles[i]; i++)
        if (strcmp(roles[i], role) == 0)
            item->role = roles[i];
    if (id && *id)
        snprintf(item->id, sizeof(item->id), "%s", id);
    item->call_id = copy_of(given, "call_id");
    item->name = copy_of(given, "name");
    item->text = copy_of(given, kind == TL_AI_FUNCTION_CALL ? "arguments" : "output");
    if (kind == TL_AI_MESSAGE)
        copy_content(item, given);
    return item;
}

/** What a message of the user says, so that it can be answered. */
static void recognise(struct tl_ai_sim *sim, struct tl_ai_item *item)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf text;

    tl_buf_init(&text, 65536);
    if (item->kind != TL_AI_MESSAGE || strcmp(item->role, "user") != 0)
        return;
    if (item->audio.len > 0) {
        const struct tl_speech *speech =
            tl_speech_bank_recognise(sim->bank, item->audio.data, item->audio.len);
        item->phrase = speech ? tl_speech_bank_phrase_of(sim->bank, speech) : NULL;
    } else {
        tl_ai_item_text(item, &text);
        item->phrase = tl_speech_bank_find(sim->bank, tl_buf_str(&text));
    }
}

bool tl_ai_item_parse(struct tl_ai_sim *sim, const struct tl_ai_item_list *items,
                      enum tl_ai_dialect dialect, const json_t *given, const char *path,
                      struct tl_ai_item **ret_item, struct tl_ai_problem *problem)
{
    static const struct {
        const char *type;
        const struct tl_ai_rule *rules;
    } kinds[] = {{"message", message_rules},
                 {"function_call", call_rules},
                 {"function_call_output", output_rules}};
    const char *type = json_string_value(json_object_get(given, "type"));
    char param[200];
    size_t kind = 0;

    snprintf(param, sizeof(param), "%s.type", path);
    if (!type)
        return tl_ai_refuse(problem, "missing_required_parameter", param,
                            "Missing required parameter: '%s'.", param);
    while (kind < TL_ARRAY_LEN(kinds) && strcmp(kinds[kind].type, type) != 0)
        kind++;
    if (kind == TL_ARRAY_LEN(kinds))
        return tl_ai_refuse(problem, "invalid_value", param,
                            "Invalid value: '%.60s'. Supported values are: 'message', "
                            "'function_call', and 'function_call_output'.",
                            type);
    if (!tl_ai_check(kinds[kind].rules, given, path, problem) ||
        (kind == TL_AI_MESSAGE && !check_content(given, dialect, path, problem)) ||
        !check_id(items, given, problem))
        return false;
    const char *call_id = json_string_value(json_object_get(given, "call_id"));
    if (kind == TL_AI_FUNCTION_OUTPUT && !tl_ai_item_find_call(items, call_id))
        return tl_ai_refuse(problem, "invalid_tool_call_id", "item.call_id",
                            "Tool call ID '%s' not found in conversation.", call_id);

    struct tl_ai_item *item = make(sim, (enum tl_ai_item_kind)kind, given);
    if (!take_audio(item, path, problem)) {
        tl_ai_item_destroy(item);
        return false;
    }
    recognise(sim, item);
    *ret_item = item;
    return true;
}
