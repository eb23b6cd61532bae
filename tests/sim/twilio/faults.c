/* Faults that can be asked for at run time: a table of counts, and two ways of behaving. */
#include <stddef.h>
#include <string.h>

#include "tel.h"

static const struct {
    const char *name;
    size_t offset;
} COUNTS[] = {
    {"wrong_token", offsetof(struct tl_tel_faults, wrong_token)},
    {"changed_body", offsetof(struct tl_tel_faults, changed_body)},
    {"no_signature", offsetof(struct tl_tel_faults, no_signature)},
    {"wrong_stream_signature", offsetof(struct tl_tel_faults, wrong_stream_signature)},
    {"answers_lost", offsetof(struct tl_tel_faults, answers_lost)},
    {"rest_429", offsetof(struct tl_tel_faults, rest_429)},
    {"rest_500", offsetof(struct tl_tel_faults, rest_500)},
    {"create_5xx_after", offsetof(struct tl_tel_faults, create_5xx_after)},
    {"rest_delay_ms", offsetof(struct tl_tel_faults, rest_delay_ms)},
};

static const char *const DELIVERIES[] = {
    [TL_TEL_DELIVER_IN_ORDER] = "in_order",
    [TL_TEL_DELIVER_SWAPPED] = "swapped",
    [TL_TEL_DELIVER_TWICE] = "twice",
    [TL_TEL_DELIVER_DROPPED] = "dropped",
    [TL_TEL_DELIVER_LATE_INITIATED] = "late_initiated",
};

static const char *const ABRUPTS[] = {
    [TL_TEL_ABRUPT_ACTION] = "action",
    [TL_TEL_ABRUPT_HOLD] = "hold",
    [TL_TEL_ABRUPT_NOTHING] = "nothing",
};

static int word_index(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; word && i < n; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

static enum tl_status set_one(struct tl_tel_faults *faults, const char *key, const json_t *value,
                              struct tl_error *err)
{
    const char *word = json_string_value(value);
    int index;

    for (size_t i = 0; i < TL_ARRAY_LEN(COUNTS); i++) {
        if (strcmp(COUNTS[i].name, key) != 0 || !json_is_integer(value))
            continue;
        *(int64_t *)((char *)faults + COUNTS[i].offset) = json_integer_value(value);
        return TL_OK;
    }
    if (strcmp(key, "callbacks") == 0 &&
        (index = word_index(DELIVERIES, TL_ARRAY_LEN(DELIVERIES), word)) >= 0) {
        faults->delivery = (enum tl_tel_delivery)index;
        return TL_OK;
    }
    if (strcmp(key, "after_abrupt") == 0 &&
        (index = word_index(ABRUPTS, TL_ARRAY_LEN(ABRUPTS), word)) >= 0) {
        faults->after_abrupt = (enum tl_tel_after_abrupt)index;
        return TL_OK;
    }
    return tl_fail(err, TL_INVALID, "no such fault, or not such a value: %s", key);
}

enum tl_status tl_tel_faults_set(struct tl_tel_faults *faults, const json_t *body,
                                 struct tl_error *err)
{
    struct tl_tel_faults next = *faults;
    const char *key;
    json_t *value;

    if (!json_is_object(body))
        return tl_fail(err, TL_INVALID, "faults are a JSON object");
    json_object_foreach((json_t *)body, key, value)
    {
        enum tl_status st = set_one(&next, key, value, err);
        if (st != TL_OK)
            return st;
    }
    *faults = next;
    return TL_OK;
}

json_t *tl_tel_faults_json(const struct tl_tel_faults *faults)
{
    json_t *out = json_object();

    for (size_t i = 0; i < TL_ARRAY_LEN(COUNTS); i++)
        json_object_set_new(
            out, COUNTS[i].name,
            json_integer(*(const int64_t *)((const char *)faults + COUNTS[i].offset)));
    json_object_set_new(out, "callbacks", json_string(DELIVERIES[faults->delivery]));
    json_object_set_new(out, "after_abrupt", json_string(ABRUPTS[faults->after_abrupt]));
    return out;
}

bool tl_tel_fault_take(int64_t *count)
{
    if (*count <= 0)
        return false;
    --*count;
    return true;
}
