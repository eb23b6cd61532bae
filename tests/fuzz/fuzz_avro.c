/* Decodes the input as each kind of record: first byte which one, the rest a datum. What decodes
 * must encode to something that decodes to the same JSON. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tl_arena arena = {.max_bytes = RECORD_MAX_BYTES};
    struct tl_error err;
    size_t types_n = 0;

    while (fill_type(types_n))
        types_n++;
    if (size == 0)
        return 0;
    size_t i = data[0] % types_n;
    const struct tl_avro_type *type = fill_type(i);
    struct tl_bytes datum = {data + 1, size - 1};
    void *record = tl_arena_alloc(&arena, type->size);
    bool taken = tl_avro_decode(type, datum, &arena, record, &err) == TL_OK;
    if (taken)
        again(type, record);
    resolved(type, i, datum, taken, record);
    tl_arena_finish(&arena);
    return 0;
}
