/* Records written with older and newer versions of a schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro_test/golden.h"
#include "avro_test/sample.h"

#define RECORD(fields)                                                                             \
    "{\"type\":\"record\",\"name\":\"Sample\",\"namespace\":\"trunkline\",\"fields\":[" fields "]" \
    "}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define BYTES(literal) ((struct tl_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

struct fixture {
    struct tl_arena arena;
    struct tl_avro_writer *writer;
    struct tl_sample got;
    struct tl_error err;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tl_avro_writer_destroy(f->writer);
    tl_arena_finish(&f->arena);
    free(f);
    return 0;
}

static enum tl_status decode(struct fixture *f, const char *schema, struct tl_bytes datum)
{
    tl_avro_writer_destroy(f->writer);
    f->writer = NULL;
    if (tl_avro_writer_create(schema, strlen(schema), &f->writer, &f->err) != TL_OK)
        fail_msg("%s", f->err.msg);
    return tl_avro_decode_resolved(&tl_sample_type, f->writer, datum, &f->arena, &f->got, &f->err);
}

static void absent_fields_get_their_defaults(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode(f, RECORD(FIELD("id", "\"string\"")),
                            BYTES("\x04"
                                  "ab")),
                     TL_OK);
    assert_string_equal(f->got.id, "ab");
    assert_int_equal(f->got.colour, TL_COLOUR_UNKNOWN);
    assert_int_equal(f->got.count, -7);
    assert_true(f->got.total == 5000000000);
    assert_true(f->got.ratio == 0.5);
    assert_true(f->got.share == 0.25f);
    assert_true(f->got.flag);
    assert_string_equal(f->got.label, "née \"x\"?");
    assert_null(f->got.note);
    assert_null(f->got.blob.data);
    assert_false(f->got.opt_int.set);
    assert_null(f->got.part);
    assert_int_equal(f->got.parts_n, 0);
    assert_int_equal(f->got.extra_n, 0);
}

static void a_required_field_must_be_there(void **state)
{
    struct fixture *f = *state;

    f->got.count = 99;
    assert_int_equal(decode(f, RECORD(FIELD("count", "\"int\"")), BYTES("\x02")), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Sample.id"));
    assert_int_equal(f->got.count, 99); /* a failure leaves the output alone */
}

#define NEWER                                                                                                                                                                                                               \
    RECORD(FIELD("note", "[\"null\",\"string\"]") "," FIELD(                                                                                                                                                                \
        "news",                                                                                                                                                                                                             \
        "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"News\","                                                                                                                                             \
        "\"fields\":[" FIELD("a", "\"string\"") "," FIELD(                                                                                                                                                                  \
            "b",                                                                                                                                                                                                            \
            "[\"null\",\"double\"]") "]}}") "," FIELD("index",                                                                                                                                                              \
                                                      "{\"type\":\"map\",\"values\":\"trunkline."                                                                                                                           \
                                                      "News\"}") "," FIELD("colour",                                                                                                                                        \
                                                                           "{\"type\":"                                                                                                                                     \
                                                                           "\"enum\","                                                                                                                                      \
                                                                           "\"name\":"                                                                                                                                      \
                                                                           "\"Colour\","                                                                                                                                    \
                                                                           "\"symbols\""                                                                                                                                    \
                                                                           ":[\"BLUE\","                                                                                                                                    \
                                                                           "\"PINK\","                                                                                                                                      \
                                                                           "\"UNKNOWN\""                                                                                                                                    \
                                                                           "]}") "," FIELD("favou"                                                                                                                          \
                                                                                           "rite",                                                                                                                          \
                                                                                           "[\"nu"                                                                                                                          \
                                                                                           "ll\","                                                                                                                          \
                                                                                           "\"Col"                                                                                                                          \
                                                                                           "our\""                                                                                                                          \
                                                                                           "]") "," FIELD("f",                                                                                                              \
                                                                                                          "\"float\"") "," FIELD("x",                                                                                       \
                                                                                                                                 "{\"type\":\"fixed\",\"name\":\"X\",\"size\":3}") "," FIELD("y",                           \
                                                                                                                                                                                             "\"boolean\"") "," FIELD("id", \
                                                                                                                                                                                                                      "\"string\""))

/* Reordered, unknown fields of every kind before and between ours, enum by symbol. */
static void a_newer_writer_is_understood(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode(f, NEWER,
                            BYTES("\x02\x02n"                       /* note = n */
                                  "\x02\x02q\x02\0\0\0\0\0\0\0\0\0" /* news = [{q, 0.0}] */
                                  "\x01\x0a\x02k\x02r\x00\x00" /* index = {k: {r, null}}, sized */
                                  "\x00\x02\x02"               /* colour BLUE, favourite PINK */
                                  "\0\0\0\0"
                                  "xyz"
                                  "\x01"
                                  "\x04id")),
                     TL_OK);
    assert_string_equal(f->got.note, "n");
    assert_string_equal(f->got.id, "id");
    assert_int_equal(f->got.colour, TL_COLOUR_BLUE);
    assert_int_equal(f->got.favourite, TL_COLOUR_UNKNOWN);
    assert_int_equal(f->got.count, -7);
}

static void what_is_skipped_must_be_right_too(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode(f, NEWER, BYTES("\x00\x00\x00\x06")), TL_INVALID); /* 4th symbol of 3 */
    assert_non_null(strstr(f->err.msg, "Sample.colour"));
    assert_int_equal(decode(f, NEWER, BYTES("\x00\x02\x02\xff\x00\x00\x00")), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Sample.news.a"));
    assert_int_equal(decode(f, NEWER, BYTES("\x00\x80\x80\x80\x80\x10")), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Sample.news"));
}

static void numbers_are_promoted(void **state)
{
    struct fixture *f = *state;
    static const char schema[] = RECORD(
        FIELD("id", "\"bytes\"") "," FIELD("total", "\"int\"") "," FIELD("ratio", "\"long\"") "," FIELD(
            "share",
            "\"int\"") "," FIELD("opt_double",
                                 "\"float\"") "," FIELD("opt_long",
                                                        "\"int\"") "," FIELD("blob", "\"string\""));

    assert_int_equal(decode(f, schema, BYTES("\x02i\x05\x07\x02\0\0\x80\x3e\x06\x04hi")), TL_OK);
    assert_string_equal(f->got.id, "i");
    assert_true(f->got.total == -3);
    assert_true(f->got.ratio == -4.0);
    assert_true(f->got.share == 1.0f);
    assert_true(f->got.opt_double.set && f->got.opt_double.value == 0.25);
    assert_true(f->got.opt_long.set && f->got.opt_long.value == 3);
    assert_int_equal(f->got.blob.len, 2);
}

static void nullable_and_plain_meet(void **state)
{
    struct fixture *f = *state;
    static const char schema[] =
        RECORD(FIELD("id", "[\"null\",\"string\"]") "," FIELD("note", "\"string\"") "," FIELD(
            "flag",
            "[\"boolean\",\"null\"]") "," FIELD("part",
                                                "{\"type\":\"record\",\"name\":\"Other\","
                                                "\"fields\":[" FIELD("size", "\"float\"") "," FIELD(
                                                    "name",
                                                    "\"string\"") "]}") "," FIELD("opt_int",
                                                                                  "\"null\""));

    assert_int_equal(decode(f, schema, BYTES("\x02\x02i\x02n\x00\x01\0\0\0\x3f\x02p")), TL_OK);
    assert_string_equal(f->got.id, "i");
    assert_string_equal(f->got.note, "n");
    assert_true(f->got.flag);
    assert_string_equal(f->got.part->name, "p");
    assert_true(f->got.part->size == 0.5);
    assert_false(f->got.opt_int.set);

    assert_int_equal(decode(f, schema, BYTES("\x00\x02n\x00\x01\0\0\0\x3f\x02p")), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Sample.id"));
    assert_non_null(strstr(f->err.msg, "null"));
}

static void types_that_do_not_fit_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *field, *type, *bytes;
    } cases[] = {
        {"id", "\"long\"", "\x02"},
        {"count", "\"long\"", "\x02"},
        {"total", "\"double\"", "\0\0\0\0\0\0\0\0"},
        {"flag", "\"int\"", "\x02"},
        {"colour", "\"string\"", "\x06RED"},
        {"tags", "{\"type\":\"map\",\"values\":\"string\"}", "\x00"},
        {"extra", "{\"type\":\"array\",\"items\":\"string\"}", "\x00"},
        {"part", "\"string\"", "\x00"},
        {"parts", "\"bytes\"", "\x00"},
        {"note", "\"boolean\"", "\x01"},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char schema[512], where[64];
        (void)snprintf(schema, sizeof(schema), RECORD(FIELD("%s", "%s")), cases[i].field,
                       cases[i].type);
        (void)snprintf(where, sizeof(where), "Sample.%s: ", cases[i].field);
        struct tl_bytes datum = {(const uint8_t *)cases[i].bytes, 8};
        char copy[8] = {0};
        memcpy(copy, cases[i].bytes, strlen(cases[i].bytes));
        datum.data = (const uint8_t *)copy;
        assert_int_equal(decode(f, schema, datum), TL_INVALID);
        if (!strstr(f->err.msg, where) || !strstr(f->err.msg, "does not fit"))
            fail_msg("case %zu: %s", i, f->err.msg);
    }
}

static void five_bytes_make_no_million_nulls(void **state)
{
    struct fixture *f = *state;
    static const char schema[] = RECORD(
        FIELD("id", "\"string\"") "," FIELD("holes", "{\"type\":\"array\",\"items\":\"null\"}"));
    json_t *json;

    assert_int_equal(decode(f, schema, BYTES("\x00\x80\x80\x80\x0a\x00")), TL_INVALID);
    assert_int_equal(
        tl_avro_writer_to_json(f->writer, BYTES("\x00\x80\x80\x80\x0a\x00"), &json, &f->err),
        TL_INVALID);
    assert_int_equal(decode(f, schema, BYTES("\x00\x02\x00")), TL_OK);
}

static void trailing_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    json_t *json;

    assert_int_equal(decode(f, RECORD(FIELD("id", "\"string\"")),
                            BYTES("\x02"
                                  "a\x00")),
                     TL_INVALID);
    assert_non_null(strstr(f->err.msg, "1 bytes behind its end"));
    assert_int_equal(tl_avro_writer_to_json(f->writer,
                                            BYTES("\x02"
                                                  "a\x00"),
                                            &json, &f->err),
                     TL_INVALID);
}

static void lists_may_come_in_blocks(void **state)
{
    struct fixture *f = *state;
    static const char schema[] =
        RECORD(FIELD("id", "\"string\"") "," FIELD("tags", "{\"type\":\"array\",\"items\":"
                                                           "\"string\"}") "," FIELD(
            "limits", "{\"type\":\"map\",\"values\":\"int\"}"));

    assert_int_equal(decode(f, schema,
                            BYTES("\x02i"
                                  "\x02\x02"
                                  "a\x03\x08\x02"
                                  "b\x02"
                                  "c\x02\x02"
                                  "d\x00"
                                  "\x02\x02k\x04\x01\x06\x02l\x06\x00")),
                     TL_OK);
    assert_int_equal(f->got.tags_n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(f->got.tags[i], ((const char *[]){"a", "b", "c", "d"})[i]);
    assert_int_equal(f->got.limits_n, 2);
    assert_string_equal(f->got.limits[0].key, "k");
    assert_true(f->got.limits[0].value == 2 && f->got.limits[1].value == 3);
}

/* The golden schema with another size of its last but one field. */
static void a_fixed_must_have_our_size(void **state)
{
    struct fixture *f = *state;
    static const uint8_t datum[64];
    struct tl_golden got;
    char *schema = strdup(tl_golden_type.schema);
    char *size = strstr(schema, "\"size\": 2");

    assert_non_null(size);
    size[8] = '3';
    assert_int_equal(tl_avro_writer_create(schema, strlen(schema), &f->writer, &f->err), TL_OK);
    free(schema);
    assert_int_equal(tl_avro_decode_resolved(&tl_golden_type, f->writer,
                                             (struct tl_bytes){datum, tl_golden_type.min_bytes + 1},
                                             &f->arena, &got, &f->err),
                     TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Golden.pair: "));
    assert_non_null(strstr(f->err.msg, "does not fit"));
}

static void another_record_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"Golden\",\"fields\":[" FIELD("id", "\"string\"") "]}";

    assert_int_equal(decode(f, schema, BYTES("\x00")), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "Golden"));
}

static void schemas_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const schemas[] = {
        "",
        "{",
        "\"string\"",
        "{\"type\":\"array\",\"items\":\"string\"}",
        RECORD(FIELD("next", "[\"null\",\"Sample\"]")),
        RECORD(FIELD("a", "\"Nothing\"")),
        "{\"type\":\"record\",\"name\":\"Sample\"}",
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(schemas); i++)
        if (tl_avro_writer_create(schemas[i], strlen(schemas[i]), &f->writer, &f->err) !=
            TL_INVALID)
            fail_msg("taken: %s", schemas[i]);
}

/* 2^12 types by twelve records, each with two of the one before. */
static void schemas_that_explode_are_refused(void **state)
{
    struct fixture *f = *state;
    char schema[4096] = "\"int\"", inner[4096];

    for (int i = 0; i < 13; i++) {
        char again[16] = "\"int\"";
        if (i > 0)
            (void)snprintf(again, sizeof(again), "\"R%d\"", i - 1);
        memcpy(inner, schema, sizeof(inner));
        int n = snprintf(schema, sizeof(schema),
                         "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[" FIELD(
                             "a", "%s") "," FIELD("b", "%s") "]}",
                         i, inner, again);
        assert_in_range(n, 1, sizeof(schema) - 1);
    }
    assert_int_equal(tl_avro_writer_create(schema, strlen(schema), &f->writer, &f->err),
                     TL_INVALID);
    assert_non_null(strstr(f->err.msg, "too many types"));
}

static void json_of_a_foreign_record(void **state)
{
    struct fixture *f = *state;
    static const char schema[] = "{\"type\":\"record\",\"name\":\"Foreign\",\"fields\":[" FIELD(
        "u",
        "{\"type\":\"fixed\","
        "\"name\":\"Uuid\","
        "\"size\":16}") "," FIELD("n",
                                  "[\"null\",\"int\"]") "," FIELD("m",
                                                                  "{\"type\":\"map\",\"values\":["
                                                                  "\"null\","
                                                                  "\"long\"]}") "," FIELD("b",
                                                                                          "\"bytes"
                                                                                          "\"") "]"
                                                                                                "}";
    json_t *json;

    assert_int_equal(tl_avro_writer_create(schema, strlen(schema), &f->writer, &f->err), TL_OK);
    assert_int_equal(tl_avro_writer_to_json(f->writer,
                                            BYTES("\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                                                  "\0"
                                                  "\x04\x02"
                                                  "a\x00\x02z\x02\x54\0"
                                                  "\x02\xff"),
                                            &json, &f->err),
                     TL_OK);
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, "{\"b\":\"/w==\",\"m\":{\"a\":null,\"z\":42},"
                              "\"u\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\"}");
    free(text);
    json_decref(json);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(absent_fields_get_their_defaults),
        TEST(a_required_field_must_be_there),
        TEST(a_newer_writer_is_understood),
        TEST(what_is_skipped_must_be_right_too),
        TEST(numbers_are_promoted),
        TEST(nullable_and_plain_meet),
        TEST(types_that_do_not_fit_are_refused),
        TEST(five_bytes_make_no_million_nulls),
        TEST(trailing_bytes_are_refused),
        TEST(lists_may_come_in_blocks),
        TEST(a_fixed_must_have_our_size),
        TEST(another_record_is_refused),
        TEST(schemas_that_are_none_are_refused),
        TEST(schemas_that_explode_are_refused),
        TEST(json_of_a_foreign_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
