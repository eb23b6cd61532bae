/* The state of a folded call as JSON, to be kept beside its row: short names, few bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/fold/call_fold.h"

/* Fields that are a text or a number, by name. */
enum kind { TEXT, INT32, INT64, ENUM };
#define FIELD(kind_, name_)                                                                        \
    {                                                                                              \
        kind_, #name_, offsetof(struct tl_call_fold, name_),                                       \
            sizeof(((struct tl_call_fold *)0)->name_)                                              \
    }
static const struct field {
    enum kind kind;
    const char *name;
    size_t offset, size;
} FIELDS[] = {
    FIELD(TEXT, call_sid),       FIELD(TEXT, business_id),  FIELD(INT32, business_version),
    FIELD(ENUM, direction),      FIELD(TEXT, from_number),  FIELD(TEXT, to_number),
    FIELD(ENUM, state),          FIELD(TEXT, reason),       FIELD(TEXT, answered_by),
    FIELD(INT64, started_at),    FIELD(INT64, answered_at), FIELD(INT64, ended_at),
    FIELD(INT64, closed_at),     FIELD(INT32, duration_s),  FIELD(INT32, utterances),
    FIELD(INT64, cost_microusd), FIELD(INT32, partition),   FIELD(INT64, offset),
};

static json_t *field_to_json(const struct tl_call_fold *call, const struct field *f)
{
    const char *at = (const char *)call + f->offset;

    switch (f->kind) {
    case TEXT:
        return json_string(at);
    case INT64:
        return json_integer(*(const int64_t *)at);
    case INT32:
    case ENUM: /* GCC's enums are ints */
        return json_integer(*(const int32_t *)at);
    }
    return NULL;
}

static bool field_from_json(struct tl_call_fold *call, const struct field *f, const json_t *value)
{
    char *at = (char *)call + f->offset;

    if (f->kind == TEXT) {
        if (!json_is_string(value) || json_string_length(value) >= f->size)
            return false;
        memcpy(at, json_string_value(value), json_string_length(value) + 1);
        return true;
    }
    if (!json_is_integer(value))
        return false;
    if (f->kind == INT64)
        *(int64_t *)at = json_integer_value(value);
    else
        *(int32_t *)at = (int32_t)json_integer_value(value);
    return true;
}

static json_t *legs_to_json(const struct tl_fence *fence)
{
    json_t *legs = json_array();

    for (size_t i = 0; i < fence->legs_n; i++) {
        const struct tl_fence_leg *leg = &fence->legs[i];

        json_array_append_new(legs,
                              json_pack("[s, i, I, i, b, s, I]", leg->leg, leg->highest.number,
                                        (json_int_t)leg->highest.offset, leg->highest.session,
                                        leg->held, leg->producer, (json_int_t)leg->epoch));
    }
    return legs;
}

static bool legs_from_json(struct tl_fence *fence, json_t *legs)
{
    size_t i;
    json_t *item;

    if (json_array_size(legs) > TL_FENCE_LEGS_MAX)
        return false;
    json_array_foreach(legs, i, item)
    {
        struct tl_fence_leg *leg = &fence->legs[i];
        const char *name, *producer;
        json_int_t offset, epoch;
        int held;

        if (json_unpack(item, "[s, i, I, i, b, s, I]", &name, &leg->highest.number, &offset,
                        &leg->highest.session, &held, &producer, &epoch) != 0)
            return false;
        (void)snprintf(leg->leg, sizeof(leg->leg), "%s", name);
        (void)snprintf(leg->producer, sizeof(leg->producer), "%s", producer);
        leg->highest.offset = offset;
        leg->epoch = epoch;
        leg->held = held != 0;
        fence->legs_n = i + 1;
    }
    return true;
}

static json_t *intents_to_json(const struct tl_fence *fence)
{
    json_t *intents = json_object();

    for (size_t i = 0; i < fence->intents_n; i++)
        json_object_set_new(intents, fence->intents[i].intent_id,
                            json_boolean(fence->intents[i].has_result));
    return intents;
}

static bool intents_from_json(struct tl_fence *fence, json_t *intents)
{
    size_t n = json_object_size(intents);
    const char *id;
    json_t *value;

    if (!json_is_object(intents) || n > TL_FENCE_INTENTS_MAX)
        return false;
    if (n == 0)
        return true;
    fence->intents = calloc((n + 7) / 8 * 8, sizeof(*fence->intents)); /* it grows by eight */
    if (!fence->intents)
        abort();
    json_object_foreach(intents, id, value)
    {
        struct tl_fence_intent *intent = &fence->intents[fence->intents_n++];

        (void)snprintf(intent->intent_id, sizeof(intent->intent_id), "%s", id);
        intent->has_result = json_is_true(value);
    }
    return true;
}

static json_t *recent_to_json(const struct tl_call_fold *call)
{
    json_t *recent = json_array(); /* oldest first */
    static const struct tl_uuid none;

    for (int i = 0; i < TL_FOLD_RECENT; i++) {
        const struct tl_uuid *id = &call->recent[(call->recent_next + i) % TL_FOLD_RECENT];
        char text[TL_UUID_TEXT_LEN + 1];

        if (tl_uuid_equal(id, &none))
            continue;
        tl_uuid_format(id, text);
        json_array_append_new(recent, json_string(text));
    }
    return recent;
}

static bool recent_from_json(struct tl_call_fold *call, json_t *recent)
{
    struct tl_error err;
    size_t i;
    json_t *item;

    if (json_array_size(recent) > TL_FOLD_RECENT)
        return false;
    json_array_foreach(recent, i, item)
    {
        if (!json_is_string(item) ||
            tl_uuid_parse(json_string_value(item), json_string_length(item), &call->recent[i],
                          &err) != TL_OK)
            return false;
        call->recent_next = (int32_t)((i + 1) % TL_FOLD_RECENT);
    }
    return true;
}

json_t *tl_call_fold_to_json(const struct tl_call_fold *call)
{
    json_t *json = json_object();
    json_t *speakers = json_array();

    for (size_t i = 0; i < TL_ARRAY_LEN(FIELDS); i++)
        json_object_set_new(json, FIELDS[i].name, field_to_json(call, &FIELDS[i]));
    for (int i = 0; i < TL_SPEAKER_N; i++)
        json_array_append_new(speakers, json_integer(call->utterances_of[i]));
    json_object_set_new(json, "speakers", speakers);
    json_object_set_new(json, "legs", legs_to_json(&call->fence));
    json_object_set_new(json, "intents", intents_to_json(&call->fence));
    json_object_set_new(json, "recent", recent_to_json(call));
    return json;
}

static bool read_all(struct tl_call_fold *call, const json_t *json)
{
    json_t *speakers = json_object_get(json, "speakers");
    bool good = json_array_size(speakers) == TL_SPEAKER_N;

    for (size_t i = 0; i < TL_ARRAY_LEN(FIELDS) && good; i++)
        good = field_from_json(call, &FIELDS[i], json_object_get(json, FIELDS[i].name));
    for (size_t i = 0; i < TL_SPEAKER_N && good; i++)
        call->utterances_of[i] = (int32_t)json_integer_value(json_array_get(speakers, i));
    call->fence.closed = call->closed_at != 0;
    return good && call->state >= 0 && call->state < TL_CALL_STATE_N &&
           legs_from_json(&call->fence, json_object_get(json, "legs")) &&
           intents_from_json(&call->fence, json_object_get(json, "intents")) &&
           recent_from_json(call, json_object_get(json, "recent"));
}

enum tl_status tl_call_fold_from_json(struct tl_call_fold *call, const char *call_id,
                                      const json_t *json, struct tl_error *err)
{
    tl_call_fold_init(call, call_id);
    if (read_all(call, json))
        return TL_OK;
    tl_call_fold_finish(call);
    tl_call_fold_init(call, call_id);
    return tl_fail(err, TL_INVALID, "state of call %s cannot be read", call_id);
}
