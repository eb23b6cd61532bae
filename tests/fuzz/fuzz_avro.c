/* Decodes the input as each kind of record: first byte which one, the rest a datum. What decodes
 * must encode to something that decodes to the same JSON, and both decoders must agree. The last
 * kind is a Sample of a version that is none of ours. */
#include <stdlib.h>
#include <string.h>

#include "../unit/schemas/fill.h"

#define RECORD_MAX_BYTES (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Dies when two readings of the same bytes differ. */
static void same_json(json_t *a, json_t *b)
{
    if (!json_equal(a, b))
        abort();
    json_decref(a);
    json_decref(b);
}

static void again(const struct tl_avro_type *type, const void *record)
{
    struct tl_arena arena = {.max_bytes = RECORD_MAX_BYTES};
    struct tl_error err;
    struct tl_buf out;

    tl_buf_init(&out, RECORD_MAX_BYTES);
    void *got = tl_arena_alloc(&arena, type->size);
    if (tl_avro_encode(type, record, &out, &err) != TL_OK ||
        tl_avro_decode(type, (struct tl_bytes){out.data, out.len}, &arena, got, &err) != TL_OK)
        abort();
    same_json(tl_avro_to_json(type, record), tl_avro_to_json(type, got));
    tl_buf_finish(&out);
    tl_arena_finish(&arena);
}

#define TYPES_MAX 64

/* Parsed once a process: it takes longer than all the rest. */
static const struct tl_avro_writer *writer_of(const struct tl_avro_type *type, size_t i)
{
    static struct tl_avro_writer *writers[TYPES_MAX];
    struct tl_error err;

    if (i >= TYPES_MAX || (!writers[i] && tl_avro_writer_create(type->schema, type->schema_len,
                                                                &writers[i], &err) != TL_OK))
        abort();
    return writers[i];
}

/* The same bytes as if a foreign writer had this schema: both decoders must agree. */
static void resolved(const struct tl_avro_type *type, size_t i, struct tl_bytes datum,
                     bool own_taken, const void *own)
{
    struct tl_arena arena = {.max_bytes = RECORD_MAX_BYTES};
    const struct tl_avro_writer *writer = writer_of(type, i);
    struct tl_error err;
    json_t *json = NULL;

    void *got = tl_arena_alloc(&arena, type->size);
    bool taken = tl_avro_decode_resolved(type, writer, datum, &arena, got, &err) == TL_OK;
    if (taken != own_taken)
        abort();
    if (taken)
        same_json(tl_avro_to_json(type, own), tl_avro_to_json(type, got));
    if (tl_avro_writer_to_json(writer, datum, &json, &err) == TL_OK)
        json_decref(json);
    else if (taken)
        abort();
    tl_arena_finish(&arena);
}

/* What a stranger may do to Sample: other order, other types, things that we skip. */
static const char foreign_schema[] =
    "{\"type\":\"record\",\"name\":\"Sample\",\"fields\":["
    "{\"name\":\"holes\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},"
    "{\"name\":\"parts\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
    "\"P\","
    "\"fields\":[{\"name\":\"size\",\"type\":[\"int\",\"float\",\"null\"]},"
    "{\"name\":\"name\",\"type\":\"bytes\"}]}}},"
    "{\"name\":\"deep\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":"
    "[\"null\",\"P\",{\"type\":\"map\",\"values\":\"boolean\"}]}}},"
    "{\"name\":\"colour\",\"type\":{\"type\":\"enum\",\"name\":\"C\",\"symbols\":[\"PINK\",\"RED\"]"
    "}},"
    "{\"name\":\"id\",\"type\":[\"string\",\"bytes\",\"null\"]},"
    "{\"name\":\"total\",\"type\":\"int\"},{\"name\":\"opt_double\",\"type\":\"long\"},"
    "{\"name\":\"extra\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}}]}";

static void foreign(struct tl_bytes datum)
{
    static struct tl_avro_writer *writer;
    struct tl_arena arena = {.max_bytes = RECORD_MAX_BYTES};
    struct tl_sample sample;
    struct tl_error err;
    json_t *json = NULL;

    if (!writer &&
        tl_avro_writer_create(foreign_schema, strlen(foreign_schema), &writer, &err) != TL_OK)
        abort();
    bool readable = tl_avro_writer_to_json(writer, datum, &json, &err) == TL_OK;
    if (tl_avro_decode_resolved(&tl_sample_type, writer, datum, &arena, &sample, &err) == TL_OK)
        again(&tl_sample_type, &sample);
    else if (readable && !strstr(err.msg, "null") && !strstr(err.msg, "UTF-8") &&
             !strstr(err.msg, "memory"))
        abort(); /* a good record of that schema, and nothing in it that we must refuse */
    json_decref(json);
    tl_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tl_arena arena = {.max_bytes = RECORD_MAX_BYTES};
    struct tl_error err;
    size_t types_n = 0;

    while (fill_type(types_n))
        types_n++;
    if (size == 0)
        return 0;
    size_t i = data[0] % (types_n + 1);
    const struct tl_avro_type *type = fill_type(i);
    struct tl_bytes datum = {data + 1, size - 1};
    if (!type) {
        foreign(datum);
        tl_arena_finish(&arena);
        return 0;
    }
    void *record = tl_arena_alloc(&arena, type->size);
    bool taken = tl_avro_decode(type, datum, &arena, record, &err) == TL_OK;
    if (taken)
        again(type, record);
    resolved(type, i, datum, taken, record);
    tl_arena_finish(&arena);
    return 0;
}
