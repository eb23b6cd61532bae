/* The codec on its own schema: golden bytes, limits, hostile input, frames, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "avro_test/golden.h"
#include "avro_test/sample.h"

/* protocols: the record that npm avsc, kafkajs and Confluent's client read as it is meant. */
static const uint8_t golden_frame[] = {
    0x00, 0x00, 0x00, 0x00, 0x2a, 0x0a, 0x63, 0x61, 0x66, 0xc3, 0xa9, 0x04, 0xf6, 0xa1, 0xab, 0xfe,
    0xf9, 0x62, 0x02, 0x02, 0x78, 0x02, 0x02, 0x6b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f,
    0x00, 0x02, 0x05, 0x00, 0x04, 0x00, 0x01, 0x00, 0x00, 0x80, 0x3e, 0xaa, 0xbb, 0x01};

static struct tl_golden golden(void)
{
    static struct tl_map_double_entry weights[] = {{"k", 1.5}};
    static int32_t numbers[] = {-3};

    return (struct tl_golden){
        .text = "café",
        .shade = TL_SHADE_DARK,
        .at = 1700000000123,
        .maybe = "x",
        .weights = weights,
        .weights_n = 1,
        .numbers = numbers,
        .numbers_n = 1,
        .raw = {(const uint8_t *)"\0\1", 2},
        .quarter = 0.25f,
        .pair = {0xaa, 0xbb},
        .yes = true,
    };
}

static void golden_bytes_are_written(void **state)
{
    (void)state;
    struct tl_golden record = golden();
    struct tl_error err;
    struct tl_buf out;

    tl_buf_init(&out, sizeof(golden_frame)); /* exactly its size: near the maximum it must fit */
    tl_avro_frame_begin(&out, 42);
    assert_int_equal(tl_golden_encode(&record, &out, &err), TL_OK);
    assert_int_equal(out.len, sizeof(golden_frame));
    assert_memory_equal(out.data, golden_frame, sizeof(golden_frame));
    tl_buf_finish(&out);
}

static void golden_bytes_are_read(void **state)
{
    (void)state;
    struct tl_arena arena = {0};
    struct tl_golden got;
    struct tl_bytes datum;
    struct tl_error err;
    int32_t id;

    assert_int_equal(tl_avro_frame_parse((struct tl_bytes){golden_frame, sizeof(golden_frame)}, &id,
                                         &datum, &err),
                     TL_OK);
    assert_int_equal(id, 42);
    assert_int_equal(tl_golden_decode(datum, &arena, &got, &err), TL_OK);
    assert_string_equal(got.text, "café");
    assert_int_equal(got.shade, TL_SHADE_DARK);
    assert_int_equal(got.at, 1700000000123);
    assert_string_equal(got.maybe, "x");
    assert_int_equal(got.weights_n, 1);
    assert_string_equal(got.weights[0].key, "k");
    assert_true(got.weights[0].value == 1.5);
    assert_int_equal(got.numbers_n, 1);
    assert_int_equal(got.numbers[0], -3);
    assert_int_equal(got.raw.len, 2);
    assert_ptr_equal(got.raw.data, golden_frame + 5 + 32); /* borrowed */
    assert_true(got.quarter == 0.25f);
    assert_int_equal(got.pair[0], 0xaa);
    assert_int_equal(got.pair[1], 0xbb);
    assert_true(got.yes);
    tl_arena_finish(&arena);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    (void)state;
    struct tl_golden record = golden();
    struct tl_error err;

    for (size_t max = 5; max < sizeof(golden_frame); max++) {
        struct tl_buf out;
        tl_buf_init(&out, max);
        tl_avro_frame_begin(&out, 42);
        assert_int_equal(tl_golden_encode(&record, &out, &err), TL_INVALID);
        assert_int_equal(out.len, 5);
        assert_int_equal(out.data[5], 0);
        tl_buf_finish(&out);
    }
}

/* Every datum cut short, and with a byte behind it, is refused, and nothing is read beyond it. */
static void cut_and_trailing_bytes_are_refused(void **state)
{
    (void)state;
    const uint8_t *datum = golden_frame + 5;
    size_t len = sizeof(golden_frame) - 5;
    struct tl_arena arena = {0};
    struct tl_golden got = {.at = 77};
    struct tl_error err;

    for (size_t n = 0; n < len; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, datum, n);
        assert_int_equal(tl_golden_decode((struct tl_bytes){exact, n}, &arena, &got, &err),
                         TL_INVALID);
        free(exact);
        tl_arena_reset(&arena);
    }
    uint8_t longer[sizeof(golden_frame)] = {0};
    memcpy(longer, datum, len);
    assert_int_equal(tl_golden_decode((struct tl_bytes){longer, len + 1}, &arena, &got, &err),
                     TL_INVALID);
    assert_non_null(strstr(err.msg, "1 bytes behind its end"));
    assert_int_equal(got.at, 77); /* a failure leaves the output alone */
    tl_arena_finish(&arena);
}

/* Replaces `cut` bytes of the golden datum at `at` and decodes. */
static enum tl_status decode_patched(size_t at, size_t cut, const void *patch, size_t patch_len,
                                     struct tl_error *err)
{
    const uint8_t *datum = golden_frame + 5;
    size_t len = sizeof(golden_frame) - 5;
    size_t n = len - cut + patch_len;
    uint8_t *bytes = malloc(n);
    struct tl_arena arena = {.max_bytes = 65536};
    struct tl_golden got;

    memcpy(bytes, datum, at);
    memcpy(bytes + at, patch, patch_len);
    memcpy(bytes + at + patch_len, datum + at + cut, len - at - cut);
    enum tl_status st = tl_golden_decode((struct tl_bytes){bytes, n}, &arena, &got, err);
    free(bytes);
    tl_arena_finish(&arena);
    return st;
}

/* Offsets in the datum: text 0 (6 bytes), shade 6, at 7 (6), maybe 13 (3), weights 16 (12), numbers
 * 28 (3), raw 31 (3), quarter 34, pair 38, yes 40. */
static void hostile_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at, cut;
        const char *bytes;
        size_t len;
        const char *field;
        const char *why;
    } cases[] = {
#define CASE(at, cut, bytes, field, why) {at, cut, bytes, sizeof(bytes) - 1, field, why}
        CASE(0, 1, "\x0b", "Golden.text", "length"), /* -6 */
        CASE(0, 1, "\x80\x80\x80\x80\x10", "Golden.text", "length"),
        CASE(0, 1, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "Golden.text", "length"),
        CASE(0, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "Golden.text", "length"),
        CASE(0, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", "Golden.text", "64 bits"),
        CASE(1, 1, "\0", "Golden.text", "UTF-8"),
        CASE(4, 2, "\xc3\x28", "Golden.text", "UTF-8"),
        CASE(4, 2, "\xc0\xaf", "Golden.text", "UTF-8"),
        CASE(3, 3, "\xed\xa0\x80", "Golden.text", "UTF-8"),
        CASE(6, 1, "\x06", "Golden.shade", "symbol"),
        CASE(6, 1, "\x01", "Golden.shade", "symbol"),
        CASE(13, 1, "\x04", "Golden.maybe", "branch"),
        CASE(13, 1, "\x01", "Golden.maybe", "branch"),
        CASE(16, 1, "\x80\x80\x80\x80\x10", "Golden.weights", "more items"),
        CASE(28, 1, "\x80\x80\x80\x80\x10", "Golden.numbers", "more items"),
        CASE(28, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "Golden.numbers", "absurd"),
        CASE(28, 1, "\x01\x04", "Golden.numbers", "another size"),
        CASE(28, 1, "\x01\x01", "Golden.numbers", "beyond the end"),
        CASE(28, 1, "\x01\x80\x01", "Golden.numbers", "beyond the end"),
        CASE(29, 1, "\x80\x80\x80\x80\x10", "Golden.numbers", "32 bits"),
        CASE(40, 1, "\x02", "Golden.yes", "boolean"),
#undef CASE
    };
    struct tl_error err;

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        err.msg[0] = 0;
        if (decode_patched(cases[i].at, cases[i].cut, cases[i].bytes, cases[i].len, &err) !=
                TL_INVALID ||
            !strstr(err.msg, cases[i].field) || !strstr(err.msg, cases[i].why))
            fail_msg("case %zu: %s", i, err.msg);
    }
}

static void blocks_may_come_in_pieces_and_with_sizes(void **state)
{
    (void)state;
    /* tags: one item; two with their size; one. extra: an entry; one with its size. */
    static const char lists[] = "\x02\x02"
                                "a\x03\x08\x02"
                                "b\x02"
                                "c\x02\x02"
                                "d\x00"
                                "\x02\x02k\x02v\x01\x08\x02l\x02w\x00\x00";
    struct tl_sample record = {.id = "i"}, got;
    struct tl_arena arena = {0};
    struct tl_error err = {0};
    struct tl_buf out;

    tl_buf_init(&out, 4096);
    assert_int_equal(tl_sample_encode(&record, &out, &err), TL_OK);
    out.len -= 3; /* the three empty lists at the end: tags, extra, limits */
    tl_buf_add(&out, lists, sizeof(lists) - 1);
    if (tl_sample_decode((struct tl_bytes){out.data, out.len}, &arena, &got, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(got.tags_n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(got.tags[i], ((const char *[]){"a", "b", "c", "d"})[i]);
    assert_int_equal(got.extra_n, 2);
    assert_string_equal(got.extra[0].key, "k");
    assert_string_equal(got.extra[0].value, "v");
    assert_string_equal(got.extra[1].value, "w");
    assert_int_equal(got.limits_n, 0);
    tl_buf_finish(&out);
    tl_arena_finish(&arena);
}

static void the_arena_limits_a_record(void **state)
{
    (void)state;
    struct tl_arena arena = {.max_bytes = sizeof(struct tl_golden) + 16};
    struct tl_golden got;
    struct tl_error err;

    assert_int_equal(tl_golden_decode((struct tl_bytes){golden_frame + 5, sizeof(golden_frame) - 5},
                                      &arena, &got, &err),
                     TL_INVALID);
    assert_non_null(strstr(err.msg, "memory"));
    tl_arena_finish(&arena);
}

static void frames_that_are_none_are_refused(void **state)
{
    (void)state;
    const uint8_t other[] = {1, 0, 0, 0, 42, 0};
    struct tl_bytes datum;
    struct tl_error err;
    int32_t id;

    assert_int_equal(tl_avro_frame_parse((struct tl_bytes){NULL, 0}, &id, &datum, &err),
                     TL_INVALID);
    assert_int_equal(tl_avro_frame_parse((struct tl_bytes){golden_frame, 4}, &id, &datum, &err),
                     TL_INVALID);
    assert_int_equal(tl_avro_frame_parse((struct tl_bytes){other, 6}, &id, &datum, &err),
                     TL_INVALID);
    assert_int_equal(tl_avro_frame_parse((struct tl_bytes){golden_frame, 5}, &id, &datum, &err),
                     TL_OK);
    assert_int_equal(datum.len, 0);
}

static void numbers_of_every_size_come_back(void **state)
{
    (void)state;
    struct tl_sample record = {.id = "n"}, got;
    struct tl_arena arena = {0};
    struct tl_error err;
    struct tl_buf out;

    tl_buf_init(&out, 4096);
    for (int bit = 0; bit < 64; bit++) {
        for (int off = -1; off <= 1; off++) {
            record.total = (int64_t)((UINT64_C(1) << bit) + (uint64_t)off);
            record.count = (int32_t)record.total;
            tl_buf_reset(&out);
            assert_int_equal(tl_sample_encode(&record, &out, &err), TL_OK);
            tl_arena_reset(&arena);
            assert_int_equal(
                tl_sample_decode((struct tl_bytes){out.data, out.len}, &arena, &got, &err), TL_OK);
            assert_true(got.total == record.total);
            assert_true(got.count == record.count);
        }
    }
    tl_buf_finish(&out);
    tl_arena_finish(&arena);
}

static void wrong_structs_are_refused(void **state)
{
    (void)state;
    struct tl_error err;
    struct tl_buf out;
    struct tl_sample record = {.id = "a\xff"};

    tl_buf_init(&out, 4096);
    assert_int_equal(tl_sample_encode(&record, &out, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "id"));
    record = (struct tl_sample){.colour = (enum tl_colour)TL_COLOUR_N};
    assert_int_equal(tl_sample_encode(&record, &out, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "colour"));
    assert_int_equal(out.len, 0);
    tl_buf_finish(&out);
}

static void enums_have_names(void **state)
{
    (void)state;
    assert_string_equal(tl_colour_name(TL_COLOUR_GREEN), "GREEN");
    assert_string_equal(tl_colour_name((enum tl_colour)99), "UNKNOWN");
    assert_int_equal(tl_colour_from_name("BLUE"), TL_COLOUR_BLUE);
    assert_int_equal(tl_colour_from_name("PINK"), TL_COLOUR_UNKNOWN);
    assert_int_equal(tl_colour_from_name(NULL), TL_COLOUR_UNKNOWN);
}

static void assert_json(json_t *json, const char *want)
{
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
    json_decref(json);
}

static void json_leaves_nulls_out(void **state)
{
    (void)state;
    struct tl_golden record = golden();
    struct tl_sample sample = {.id = "s", .ratio = NAN, .blob = {(const uint8_t *)"ab", 2}};

    assert_json(tl_avro_to_json(&tl_golden_type, &record),
                "{\"at\":1700000000123,\"maybe\":\"x\",\"numbers\":[-3],\"pair\":\"qrs=\","
                "\"quarter\":0.25,\"raw\":\"AAE=\",\"shade\":\"DARK\",\"text\":\"café\","
                "\"weights\":{\"k\":1.5},\"yes\":true}");
    assert_json(tl_avro_to_json(&tl_sample_type, &sample),
                "{\"blob\":\"YWI=\",\"colour\":\"UNKNOWN\",\"count\":0,\"extra\":{},\"flag\":false,"
                "\"id\":\"s\",\"label\":\"\",\"limits\":{},\"parts\":[],\"ratio\":null,"
                "\"share\":0.0,\"tags\":[],\"total\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_are_written),
        cmocka_unit_test(golden_bytes_are_read),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(cut_and_trailing_bytes_are_refused),
        cmocka_unit_test(hostile_values_are_refused),
        cmocka_unit_test(blocks_may_come_in_pieces_and_with_sizes),
        cmocka_unit_test(the_arena_limits_a_record),
        cmocka_unit_test(frames_that_are_none_are_refused),
        cmocka_unit_test(numbers_of_every_size_come_back),
        cmocka_unit_test(wrong_structs_are_refused),
        cmocka_unit_test(enums_have_names),
        cmocka_unit_test(json_leaves_nulls_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
