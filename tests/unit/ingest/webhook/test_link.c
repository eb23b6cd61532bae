/* link.h: what our URLs carry comes back as it was signed, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/webhook/link.h"

static const struct tl_token_keys keys = {.current = {(const uint8_t *)"0123456789abcdef", 16}};
static const struct tl_token_keys other_keys = {
    .current = {(const uint8_t *)"fedcba9876543210", 16}};
static const struct tl_token_keys later_keys = {
    .current = {(const uint8_t *)"fedcba9876543210", 16},
    .previous = {(const uint8_t *)"0123456789abcdef", 16},
};

static struct tl_link example(void)
{
    return (struct tl_link){.call_sid = "CA00000000000000000000000000000001",
                            .business_id = "acme",
                            .business_version = 7,
                            .number = 3,
                            .direction = TL_DIRECTION_OUTBOUND,
                            .from_number = "+14155550100",
                            .to_number = "anonymous",
                            .started_at_ms = 1795500000123,
                            .start_offset = 5000000000,
                            .hint = 12,
                            .window_start_s = 1795500000,
                            .window_attempts = 2,
                            .given_at_ms = 1795500000456};
}

static void assert_same(const struct tl_link *a, const struct tl_link *b)
{
    assert_string_equal(a->call_sid, b->call_sid);
    assert_string_equal(a->business_id, b->business_id);
    assert_string_equal(a->from_number, b->from_number);
    assert_string_equal(a->to_number, b->to_number);
    assert_int_equal(a->business_version, b->business_version);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->direction, b->direction);
    assert_true(a->started_at_ms == b->started_at_ms);
    assert_true(a->start_offset == b->start_offset);
    assert_int_equal(a->hint, b->hint);
    assert_true(a->window_start_s == b->window_start_s);
    assert_int_equal(a->window_attempts, b->window_attempts);
    assert_true(a->given_at_ms == b->given_at_ms);
}

static enum tl_status verify(const struct tl_token_keys *with, const char *purpose,
                             const char *text, struct tl_link *ret)
{
    struct tl_error err;
    return tl_link_verify(with, purpose, text, ret, &err);
}

static void sign(const struct tl_link *link, char text[TL_TOKEN_TEXT_SIZE])
{
    struct tl_error err;
    assert_int_equal(tl_link_sign(&keys, TL_LINK_STREAM, link, text, &err), TL_OK);
}

static void verify_gives_back_what_was_signed(void **state)
{
    struct tl_link links[3] = {example(), {.number = 0}, example()}, back;
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    links[1].start_offset = links[1].hint = -1;
    memset(links[2].call_sid, 'x', 63); /* as long as they may be */
    memset(links[2].business_id, 'y', 63);
    memset(links[2].from_number, '1', 63);
    memset(links[2].to_number, '2', 63);
    links[2].started_at_ms = links[2].start_offset = links[2].window_start_s = INT64_MAX;
    for (size_t i = 0; i < 3; i++) {
        sign(&links[i], text);
        assert_int_equal(verify(&keys, TL_LINK_STREAM, text, &back), TL_OK);
        assert_same(&links[i], &back);
    }
}

static void signed_link_fits_a_url_and_a_parameter(void **state)
{
    const struct tl_link link = example();
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    sign(&link, text);
    assert_int_equal(
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
        strlen(text));
    assert_true(strlen(text) < 490); /* "key" and the value stay under 500 characters */
}

static void verify_denies_another_purpose(void **state)
{
    const struct tl_link link = example();
    struct tl_link back;
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    sign(&link, text);
    assert_int_equal(verify(&keys, TL_LINK_ACTION, text, &back), TL_DENIED);
    assert_int_equal(verify(&keys, "", text, &back), TL_DENIED);
}

static void verify_denies_another_key_and_takes_the_previous_one(void **state)
{
    const struct tl_link link = example();
    struct tl_link back;
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    sign(&link, text);
    assert_int_equal(verify(&other_keys, TL_LINK_STREAM, text, &back), TL_DENIED);
    assert_int_equal(verify(&later_keys, TL_LINK_STREAM, text, &back), TL_OK);
}

static void verify_refuses_every_changed_character(void **state)
{
    const struct tl_link link = example();
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    sign(&link, text);
    for (size_t i = 0; text[i]; i++) {
        struct tl_link back = {.hint = 99};
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(&keys, TL_LINK_STREAM, text, &back), TL_OK);
        assert_int_equal(back.hint, 99); /* nothing is written */
        text[i] = was;
    }
}

static void verify_refuses_every_cut(void **state)
{
    const struct tl_link link = example();
    struct tl_link back;
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    sign(&link, text);
    for (size_t len = strlen(text); len-- > 0;) {
        text[len] = '\0';
        assert_int_not_equal(verify(&keys, TL_LINK_STREAM, text, &back), TL_OK);
    }
    assert_int_equal(verify(&keys, TL_LINK_STREAM, "", &back), TL_INVALID);
}

/* Signed by us, but of another version of this program: calls outlive an upgrade, so a link of the
 * first version counts, and what a later one adds is ignored. */
static void verify_takes_other_versions_but_not_too_few_fields_nor_long_ones(void **state)
{
    const char *fields[16] = {"a", "b", "c", "d", "1", "2",  "0",  "4",
                              "5", "6", "7", "8", "9", "10", "11", "x"};
    char text[TL_TOKEN_TEXT_SIZE], name[65];
    struct tl_error err;
    struct tl_link back;
    (void)state;
    for (size_t n = 1; n <= 16; n++) {
        assert_int_equal(tl_token_sign(&keys, TL_LINK_STREAM, fields, n, text, &err), TL_OK);
        assert_int_equal(verify(&keys, TL_LINK_STREAM, text, &back), n < 12 ? TL_INVALID : TL_OK);
        if (n >= 12) {
            assert_int_equal(back.window_attempts, 8);
            assert_true(back.given_at_ms == (n > 12 ? 9 : 0));
        }
    }
    memset(name, 'x', 64);
    name[64] = '\0';
    for (size_t i = 0; i < 4; i++) {
        const char *was = fields[i];
        fields[i] = name;
        assert_int_equal(tl_token_sign(&keys, TL_LINK_STREAM, fields, 12, text, &err), TL_OK);
        assert_int_equal(verify(&keys, TL_LINK_STREAM, text, &back), TL_INVALID);
        fields[i] = was;
    }
}

static void sign_refuses_a_short_key(void **state)
{
    const struct tl_token_keys none = {.current = {(const uint8_t *)"short", 5}};
    const struct tl_link link = example();
    char text[TL_TOKEN_TEXT_SIZE];
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_link_sign(&none, TL_LINK_STREAM, &link, text, &err), TL_INVALID);
}

static void next_raises_the_number(void **state)
{
    struct tl_link link = example(), before = link;
    (void)state;
    assert_true(tl_link_next(&link, before.window_start_s + 1, 10));
    assert_int_equal(link.number, 4);
    assert_int_equal(link.window_attempts, 3);
    assert_true(link.window_start_s == before.window_start_s);
    link.number--;
    link.window_attempts--;
    assert_same(&link, &before); /* all else stays */
}

static void attempts_are_bounded_within_a_minute(void **state)
{
    struct tl_link link = {.number = 1, .window_start_s = 1000};
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_true(tl_link_next(&link, 1000 + i, 6));
    assert_false(tl_link_next(&link, 1059, 6));
    assert_int_equal(link.number, 7); /* a refusal changes nothing */
    assert_int_equal(link.window_attempts, 6);
    assert_true(tl_link_next(&link, 1060, 6)); /* the next minute */
    assert_int_equal(link.number, 8);
    assert_int_equal(link.window_attempts, 1);
    assert_true(link.window_start_s == 1060);
}

static void attempts_are_bounded_when_the_clock_goes_back(void **state)
{
    struct tl_link link = {.window_start_s = 1000};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(tl_link_next(&link, 500, 3));
    assert_false(tl_link_next(&link, 500, 3));
}

static void no_attempt_is_allowed_when_the_bound_is_nothing(void **state)
{
    struct tl_link link = {0};
    (void)state;
    assert_false(tl_link_next(&link, 1000, 0));
    assert_int_equal(link.number, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_gives_back_what_was_signed),
        cmocka_unit_test(signed_link_fits_a_url_and_a_parameter),
        cmocka_unit_test(verify_denies_another_purpose),
        cmocka_unit_test(verify_denies_another_key_and_takes_the_previous_one),
        cmocka_unit_test(verify_refuses_every_changed_character),
        cmocka_unit_test(verify_refuses_every_cut),
        cmocka_unit_test(verify_takes_other_versions_but_not_too_few_fields_nor_long_ones),
        cmocka_unit_test(sign_refuses_a_short_key),
        cmocka_unit_test(next_raises_the_number),
        cmocka_unit_test(attempts_are_bounded_within_a_minute),
        cmocka_unit_test(attempts_are_bounded_when_the_clock_goes_back),
        cmocka_unit_test(no_attempt_is_allowed_when_the_bound_is_nothing),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
