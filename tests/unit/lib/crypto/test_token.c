/* token.h: what was signed comes back, whatever was changed does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/token.h"

static const struct tl_token_keys keys = {.current = {(const uint8_t *)"0123456789abcdef", 16}};
static const struct tl_token_keys later = {
    .current = {(const uint8_t *)"fedcba9876543210", 16},
    .previous = {(const uint8_t *)"0123456789abcdef", 16},
};
static const char *const fields[] = {"CA1", "3", "conversation-7", ""};

/* Made with Python's hmac and base64 from the format in token.h. */
static const char vector[] = "A0NBMQEzDmNvbnZlcnNhdGlvbi03AA.3DHxaTH8Ae4UbDUIKCc6SA";

static void sign_makes_the_documented_format(void **state)
{
    char text[TL_TOKEN_TEXT_SIZE];
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_token_sign(&keys, "action", fields, 4, text, &err), TL_OK);
    assert_string_equal(text, vector);
}

static void verify_gives_the_fields_back(void **state)
{
    struct tl_token token;
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_token_verify(&keys, "action", vector, strlen(vector), &token, &err), TL_OK);
    assert_int_equal(token.len, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(token.field[i], fields[i]);
}

static void verify_takes_the_previous_key(void **state)
{
    struct tl_token token;
    struct tl_error err;
    char text[TL_TOKEN_TEXT_SIZE];
    (void)state;
    assert_int_equal(tl_token_verify(&later, "action", vector, strlen(vector), &token, &err),
                     TL_OK);
    assert_int_equal(tl_token_sign(&later, "action", fields, 4, text, &err), TL_OK);
    assert_int_equal(tl_token_verify(&keys, "action", text, strlen(text), &token, &err), TL_DENIED);
}

static void verify_denies_another_purpose(void **state)
{
    struct tl_token token;
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_token_verify(&keys, "stream", vector, strlen(vector), &token, &err),
                     TL_DENIED);
}

static void verify_refuses_every_changed_character(void **state)
{
    struct tl_token token;
    struct tl_error err;
    (void)state;
    for (size_t i = 0; i < strlen(vector); i++)
        for (int c = 1; c < 256; c++) {
            char text[sizeof(vector)];
            if (c == (unsigned char)vector[i])
                continue;
            memcpy(text, vector, sizeof(vector));
            text[i] = (char)c;
            assert_int_not_equal(
                tl_token_verify(&keys, "action", text, sizeof(vector) - 1, &token, &err), TL_OK);
        }
}

static void verify_refuses_every_shortened_token(void **state)
{
    struct tl_token token;
    struct tl_error err;
    (void)state;
    for (size_t n = 0; n < strlen(vector); n++)
        assert_int_not_equal(tl_token_verify(&keys, "action", vector, n, &token, &err), TL_OK);
}

static void the_longest_token_fits_and_a_longer_one_is_refused(void **state)
{
    char longest[256], text[TL_TOKEN_TEXT_SIZE];
    const char *field[17];
    struct tl_token token;
    struct tl_error err;
    (void)state;
    memset(longest, 'x', 255);
    longest[255] = 0;
    for (size_t i = 0; i < 17; i++)
        field[i] = longest;
    assert_int_equal(tl_token_sign(&keys, "p", field, 3, text, &err), TL_OK); /* 768 bytes */
    assert_int_equal(tl_token_verify(&keys, "p", text, strlen(text), &token, &err), TL_OK);
    assert_string_equal(token.field[2], longest);
    assert_int_equal(tl_token_sign(&keys, "p", field, 4, text, &err), TL_INVALID);
    for (size_t i = 0; i < 17; i++)
        field[i] = "x";
    assert_int_equal(tl_token_sign(&keys, "p", field, 16, text, &err), TL_OK);
    assert_int_equal(tl_token_verify(&keys, "p", text, strlen(text), &token, &err), TL_OK);
    assert_int_equal(token.len, 16);
    assert_int_equal(tl_token_sign(&keys, "p", field, 17, text, &err), TL_INVALID);
}

static void a_short_key_signs_and_verifies_nothing(void **state)
{
    const struct tl_token_keys weak = {.current = {(const uint8_t *)"short", 5}};
    const struct tl_token_keys none = {.current = {0}};
    char text[TL_TOKEN_TEXT_SIZE];
    struct tl_token token;
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_token_sign(&weak, "p", fields, 4, text, &err), TL_INVALID);
    assert_int_equal(tl_token_sign(&none, "p", fields, 4, text, &err), TL_INVALID);
    assert_int_equal(tl_token_verify(&none, "action", vector, strlen(vector), &token, &err),
                     TL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_makes_the_documented_format),
        cmocka_unit_test(verify_gives_the_fields_back),
        cmocka_unit_test(verify_takes_the_previous_key),
        cmocka_unit_test(verify_denies_another_purpose),
        cmocka_unit_test(verify_refuses_every_changed_character),
        cmocka_unit_test(verify_refuses_every_shortened_token),
        cmocka_unit_test(the_longest_token_fits_and_a_longer_one_is_refused),
        cmocka_unit_test(a_short_key_signs_and_verifies_nothing),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
