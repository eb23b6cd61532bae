/* form.h: bodies of webhooks, decoded once and strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "twilio/form.h"

struct fixture {
    struct tl_arena arena;
    struct tl_form form;
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
    tl_arena_finish(&f->arena);
    free(f);
    return 0;
}

/* From a copy that is as long as the body, so that a sanitizer sees a read behind it. */
static enum tl_status parse_bytes(struct fixture *f, const char *body, size_t len)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, body, len);
    enum tl_status st = tl_form_parse(copy, len, &f->arena, &f->form, &f->err);
    free(copy); /* what was decoded lies in the arena */
    return st;
}

static enum tl_status parse(struct fixture *f, const char *body)
{
    return parse_bytes(f, body, strlen(body));
}

static const char *get(struct fixture *f, const char *body, const char *name)
{
    assert_int_equal(parse(f, body), TL_OK);
    return tl_form_get(&f->form, name);
}

static void fields_are_decoded_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "CallSid=CA1&From=%2B14155550100&Name=Zo%C3%AB+%26+Sons"), TL_OK);
    assert_int_equal(f->form.fields_n, 3);
    assert_string_equal(f->form.fields[0].name, "CallSid");
    assert_string_equal(f->form.fields[0].value, "CA1");
    assert_string_equal(f->form.fields[1].value, "+14155550100");
    assert_string_equal(f->form.fields[2].name, "Name");
    assert_string_equal(f->form.fields[2].value, "Zo\xc3\xab & Sons");
}

static void escapes_are_of_either_case(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "a=%2f%2F%5a%3d%26", "a"), "//Z=&");
}

static void raw_plus_is_a_blank(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "From=+1415", "From"), " 1415");
    assert_string_equal(get(f, "a+b=c", "a b"), "c");
}

static void blanks_are_kept(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "SpeechResult=+hello++world+", "SpeechResult"), " hello  world ");
}

static void names_are_decoded_too(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "Call%53id=1", "CallSid"), "1");
}

static void empty_values_are_fields(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "a=&b&=c&d=", "a"), "");
    assert_int_equal(f->form.fields_n, 4);
    assert_string_equal(tl_form_get(&f->form, "b"), "");
    assert_string_equal(tl_form_get(&f->form, ""), "c");
    assert_string_equal(tl_form_get(&f->form, "d"), "");
}

static void value_may_hold_equals_signs(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "token=a=b==", "token"), "a=b==");
}

static void nothing_between_ampersands_is_no_field(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "&a=1&&b=2&"), TL_OK);
    assert_int_equal(f->form.fields_n, 2);
}

static void empty_body_has_no_fields(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, ""), TL_OK);
    assert_int_equal(f->form.fields_n, 0);
    assert_null(tl_form_get(&f->form, ""));
}

static void repeated_names_are_all_kept_and_get_gives_the_first(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "e=initiated&x=1&e=ringing&e=answered", "e"), "initiated");
    assert_int_equal(f->form.fields_n, 4);
    assert_string_equal(f->form.fields[3].value, "answered");
}

static void get_is_exact(void **state)
{
    struct fixture *f = *state;
    assert_null(get(f, "CallSid=1", "callsid"));
    assert_null(tl_form_get(&f->form, "CallSi"));
    assert_null(tl_form_get(&f->form, "CallSid "));
}

static void broken_escapes_are_refused(void **state)
{
    static const char *const bodies[] = {"a=%",    "a=%2",  "a=%g0", "a=%0g",
                                         "a=%%20", "%=a",   "%4=a",  "a=1%2&b=1",
                                         "a=%-1",  "a=% 1", "%2&=a", "a=%u0041"};
    struct fixture *f = *state;
    for (size_t i = 0; i < TL_ARRAY_LEN(bodies); i++) {
        assert_int_equal(parse(f, bodies[i]), TL_INVALID);
        assert_non_null(strstr(f->err.msg, "escape"));
    }
}

static void nul_is_refused_plain_and_escaped(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "a=b%00c"), TL_INVALID);
    assert_int_equal(parse(f, "a%00=b"), TL_INVALID);
    assert_int_equal(parse_bytes(f, "a=b\0c", 5), TL_INVALID);
}

static void what_is_not_utf8_is_refused(void **state)
{
    static const char *const bodies[] = {"a=%ff",       "a=%C3", "a=%C3&b=%AB", "a=%C0%80",
                                         "a=%ED%A0%80", "%80=a", "a=\xff",      "a=%F4%90%80%80"};
    struct fixture *f = *state;
    for (size_t i = 0; i < TL_ARRAY_LEN(bodies); i++)
        assert_int_equal(parse(f, bodies[i]), TL_INVALID);
}

static void too_many_fields_are_refused(void **state)
{
    struct fixture *f = *state;
    char body[2 * TL_FORM_FIELDS_MAX + 3];
    size_t len = 0;
    for (int i = 0; i < TL_FORM_FIELDS_MAX; i++) {
        body[len++] = 'a';
        body[len++] = '&';
    }
    assert_int_equal(parse_bytes(f, body, len - 1), TL_OK); /* without the last '&' */
    assert_int_equal(f->form.fields_n, TL_FORM_FIELDS_MAX);
    body[len++] = 'a';
    assert_int_equal(parse_bytes(f, body, len), TL_INVALID);
}

static void body_beyond_the_arena_is_refused(void **state)
{
    struct fixture *f = *state;
    char body[4000];
    memset(body, 'a', sizeof(body));
    f->arena.max_bytes = 1000;
    assert_int_equal(parse_bytes(f, body, sizeof(body)), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "too large"));
}

static void refused_body_leaves_the_form(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "a=1"), TL_OK);
    assert_int_equal(parse(f, "b=2&c=%"), TL_INVALID);
    assert_int_equal(f->form.fields_n, 1);
    assert_string_equal(tl_form_get(&f->form, "a"), "1");
}

/* Cut at every byte a body is read or refused, and never read beyond. */
static void body_may_be_cut_anywhere(void **state)
{
    static const char body[] = "CallSid=CA1&Name=Zo%C3%AB+%26+Sons&&Empty=&From=%2B1415";
    struct fixture *f = *state;
    for (size_t len = 0; len < sizeof(body); len++) {
        enum tl_status st = parse_bytes(f, body, len);
        bool in_escape = (len > 0 && body[len - 1] == '%') || (len > 1 && body[len - 2] == '%');
        bool in_character = len >= 22 && len < 25; /* half of an e with two dots */
        assert_int_equal(st, in_escape || in_character ? TL_INVALID : TL_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_are_decoded_in_order),
        TEST(escapes_are_of_either_case),
        TEST(raw_plus_is_a_blank),
        TEST(blanks_are_kept),
        TEST(names_are_decoded_too),
        TEST(empty_values_are_fields),
        TEST(value_may_hold_equals_signs),
        TEST(nothing_between_ampersands_is_no_field),
        TEST(empty_body_has_no_fields),
        TEST(repeated_names_are_all_kept_and_get_gives_the_first),
        TEST(get_is_exact),
        TEST(broken_escapes_are_refused),
        TEST(nul_is_refused_plain_and_escaped),
        TEST(what_is_not_utf8_is_refused),
        TEST(too_many_fields_are_refused),
        TEST(body_beyond_the_arena_is_refused),
        TEST(refused_body_leaves_the_form),
        TEST(body_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests_name("twilio_form", tests, NULL, NULL);
}
