/* Records as JSON for people: see record_json.h. */
#include "control/cli/record_json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "codec/codec.h"
#include "crypto/base64.h"

#define DECODED_BYTES_MAX (64 * 1024 * 1024)

static json_t *base64_json(struct tl_bytes bytes)
{
    char *text = malloc(tl_base64_encoded_len(bytes.len) + 1);

    if (!text)
        abort();
    (void)tl_base64_encode(bytes.data, bytes.len, text); /* its length is known */
    json_t *json = json_string(text);
    free(text);
    return json;
}

json_t *tl_cli_bytes_json(struct tl_bytes bytes)
{
    if (!bytes.data)
        return json_null();
    json_t *text = json_stringn((const char *)bytes.data, bytes.len); /* NULL: not UTF-8 */
    return text ? text : base64_json(bytes);
}

enum tl_record_type tl_cli_record_type(const struct tl_topic *topic)
{
    int type = 0;

    while (type < TL_RECORD_TYPES &&
           strcmp(tl_record_topic((enum tl_record_type)type), topic->name) != 0)
        type++;
    assert(type < TL_RECORD_TYPES); /* both tables are ours */
    return (enum tl_record_type)type;
}

/* Adds "value", or what is wrong with it. */
static void add_value(json_t *line, struct tl_schema_set *schemas, const struct tl_topic *topic,
                      const struct tl_record *record, bool *ret_retry)
{
    struct tl_arena arena = {.max_bytes = DECODED_BYTES_MAX};
    struct tl_error err;
    void *decoded = tl_arena_alloc(&arena, topic->type->size);

    enum tl_status st =
        tl_record_decode(schemas, tl_cli_record_type(topic), record->value, &arena, decoded, &err);
    *ret_retry = st == TL_RETRY;
    json_t *value = st == TL_OK ? tl_avro_to_json(topic->type, decoded) : NULL;
    if (value) {
        (void)json_object_set_new(line, "value", value); /* out of memory shows when dumped */
    } else if (st != TL_RETRY) {
        (void)json_object_set_new(line, "error",
                                  json_string(st == TL_OK ? "not printable" : err.msg));
        (void)json_object_set_new(line, "base64", base64_json(record->value));
    }
    tl_arena_finish(&arena);
}

json_t *tl_cli_record_json(struct tl_schema_set *schemas, const struct tl_topic *topic,
                           const struct tl_record *record, bool *ret_retry)
{
    char at[TL_TIME_ISO_SIZE];

    tl_time_format_iso(record->timestamp_ms, at);
    json_t *line = json_pack("{s:s, s:i, s:I, s:s, s:o}", "topic", record->topic, "partition",
                             record->partition, "offset", (json_int_t)record->offset, "timestamp",
                             at, "key", tl_cli_bytes_json(record->key));
    *ret_retry = false;
    if (!line)
        abort();
    if (!record->value.data)
        (void)json_object_set_new(line, "value", json_null()); /* as above */
    else
        add_value(line, schemas, topic, record, ret_retry);
    if (*ret_retry) {
        json_decref(line);
        return NULL;
    }
    return line;
}
