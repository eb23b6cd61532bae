/* Every record type, full and empty, through our codec and through avro-c, which must agree.
 * `test_schemas_round_trip --corpus DIR` writes the records as seeds of the fuzz target instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <avro.h>
#include <cmocka.h>
#include <stdlib.h>

#include "fill.h"

static void encode(const struct tl_avro_type *type, const void *record, struct tl_buf *out)
{
    struct tl_error err;
    tl_buf_init(out, 1 << 20);
    if (tl_avro_encode(type, record, out, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

/* Reads the bytes with avro-c and has it write them again. */
static void avro_c_agrees(const struct tl_avro_type *type, const struct tl_buf *bytes)
{
    avro_schema_t schema;
    avro_value_t value;
    char *again = malloc(bytes->len);

    assert_int_equal(avro_schema_from_json_length(type->schema, type->schema_len, &schema), 0);
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    assert_int_equal(avro_generic_value_new(iface, &value), 0);
    avro_reader_t reader = avro_reader_memory((const char *)bytes->data, (int64_t)bytes->len);
    avro_writer_t writer = avro_writer_memory(again, (int64_t)bytes->len);
    assert_int_equal(avro_value_read(reader, &value), 0);
    assert_int_equal(avro_value_write(writer, &value), 0);
    assert_int_equal(avro_writer_tell(writer), bytes->len);
    assert_memory_equal(again, bytes->data, bytes->len);
    avro_writer_free(writer);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
    free(again);
}

static void assert_same_json(json_t *a, json_t *b)
{
    char *left = json_dumps(a, JSON_SORT_KEYS), *right = json_dumps(b, JSON_SORT_KEYS);
    assert_string_equal(left, right);
    free(left);
    free(right);
    json_decref(a);
    json_decref(b);
}

static void round_trip(const struct tl_avro_type *type, bool full)
{
    struct tl_arena arena = {0};
    struct tl_avro_writer *writer;
    struct tl_buf bytes, again;
    struct tl_error err = {0};
    json_t *json;

    void *record = fill_new(type, &arena, full);
    void *got = tl_arena_alloc(&arena, type->size);
    encode(type, record, &bytes);
    struct tl_bytes datum = {bytes.data, bytes.len};
    avro_c_agrees(type, &bytes);

    if (tl_avro_decode(type, datum, &arena, got, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_same_json(tl_avro_to_json(type, record), tl_avro_to_json(type, got));
    encode(type, got, &again);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);

    memset(got, 0, type->size);
    assert_int_equal(tl_avro_writer_create(type->schema, type->schema_len, &writer, &err), TL_OK);
    assert_string_equal(tl_avro_writer_name(writer), type->name);
    if (tl_avro_decode_resolved(type, writer, datum, &arena, got, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_same_json(tl_avro_to_json(type, record), tl_avro_to_json(type, got));
    if (tl_avro_writer_to_json(writer, datum, &json, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_same_json(tl_avro_to_json(type, record), json);

    tl_avro_writer_destroy(writer);
    tl_buf_finish(&again);
    tl_buf_finish(&bytes);
    tl_arena_finish(&arena);
}

static void every_type_comes_back_full(void **state)
{
    (void)state;
    for (size_t i = 0; fill_type(i); i++)
        round_trip(fill_type(i), true);
}

static void every_type_comes_back_empty(void **state)
{
    (void)state;
    for (size_t i = 0; fill_type(i); i++)
        round_trip(fill_type(i), false);
}

/* A zeroed struct is a valid record: null strings are written as "". */
static void zeroed_structs_can_be_written(void **state)
{
    (void)state;
    for (size_t i = 0; fill_type(i); i++) {
        struct tl_arena arena = {0};
        struct tl_buf bytes;
        encode(fill_type(i), tl_arena_alloc(&arena, fill_type(i)->size), &bytes);
        assert_int_equal(bytes.len, fill_type(i)->min_bytes);
        avro_c_agrees(fill_type(i), &bytes);
        tl_buf_finish(&bytes);
        tl_arena_finish(&arena);
    }
}

/* Cut anywhere, both decoders say no, and neither reads beyond the end. */
static void cut_records_are_refused_by_both(void **state)
{
    (void)state;
    struct tl_error err;

    for (size_t i = 0; fill_type(i); i++) {
        const struct tl_avro_type *type = fill_type(i);
        struct tl_arena arena = {0}, scratch = {0};
        struct tl_avro_writer *writer;
        struct tl_buf bytes;
        json_t *json;
        encode(type, fill_new(type, &arena, true), &bytes);
        void *got = tl_arena_alloc(&arena, type->size);
        assert_int_equal(tl_avro_writer_create(type->schema, type->schema_len, &writer, &err),
                         TL_OK);
        for (size_t n = 0; n < bytes.len; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            memcpy(exact, bytes.data, n);
            struct tl_bytes cut = {exact, n};
            assert_int_equal(tl_avro_decode(type, cut, &scratch, got, &err), TL_INVALID);
            assert_int_equal(tl_avro_decode_resolved(type, writer, cut, &scratch, got, &err),
                             TL_INVALID);
            assert_int_equal(tl_avro_writer_to_json(writer, cut, &json, &err), TL_INVALID);
            tl_arena_reset(&scratch);
            free(exact);
        }
        tl_avro_writer_destroy(writer);
        tl_buf_finish(&bytes);
        tl_arena_finish(&scratch);
        tl_arena_finish(&arena);
    }
}

static void topics_are_complete(void **state)
{
    (void)state;
    const struct tl_topic *media = tl_topic_find(TL_TOPIC_MEDIA);

    assert_non_null(media);
    assert_ptr_equal(media->type, fill_type((size_t)(media - tl_topics)));
    assert_int_equal(media->partitions, TL_PARTITIONS_MAILBOXES);
    assert_int_equal(media->partitions_default, 64);
    assert_string_equal(media->configs[1].name, "retention.ms");
    assert_string_equal(media->configs[1].value, "900000");
    assert_null(tl_topic_find("media"));
    for (size_t i = 0; i < TL_TOPICS_N; i++)
        assert_int_equal(strlen(tl_topics[i].type->schema), tl_topics[i].type->schema_len);
}

static int write_corpus(const char *folder)
{
    for (size_t i = 0; fill_type(i); i++) {
        for (int full = 0; full < 2; full++) {
            struct tl_arena arena = {0};
            struct tl_buf bytes;
            char path[512];
            encode(fill_type(i), fill_new(fill_type(i), &arena, full), &bytes);
            (void)snprintf(path, sizeof(path), "%s/%s-%s", folder, fill_type(i)->name,
                           full ? "full" : "empty");
            FILE *f = fopen(path, "wb");
            if (!f || fputc((int)i, f) == EOF || fwrite(bytes.data, 1, bytes.len, f) != bytes.len ||
                fclose(f) != 0) {
                perror(path);
                return 1;
            }
            tl_buf_finish(&bytes);
            tl_arena_finish(&arena);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_full),
        cmocka_unit_test(every_type_comes_back_empty),
        cmocka_unit_test(zeroed_structs_can_be_written),
        cmocka_unit_test(cut_records_are_refused_by_both),
        cmocka_unit_test(topics_are_complete),
    };
    if (argc == 3 && strcmp(argv[1], "--corpus") == 0)
        return write_corpus(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
