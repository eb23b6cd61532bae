/* base64.h against the vectors of RFC 4648 section 10, and all that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/base64.h"

static const struct {
    const char *bytes, *text, *url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void encode_and_decode_agree_with_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t len, n = strlen(vectors[i].bytes);
        struct tl_error err;

        assert_int_equal(tl_base64_encode(vectors[i].bytes, n, text), tl_base64_encoded_len(n));
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(tl_base64_decode(text, strlen(text), bytes, &len, &err), TL_OK);
        assert_int_equal(len, n);
        assert_memory_equal(bytes, vectors[i].bytes, n);

        assert_int_equal(tl_base64url_encode(vectors[i].bytes, n, text),
                         tl_base64url_encoded_len(n));
        assert_string_equal(text, vectors[i].url);
        assert_int_equal(tl_base64url_decode(text, strlen(text), bytes, &len, &err), TL_OK);
        assert_int_equal(len, n);
        assert_memory_equal(bytes, vectors[i].bytes, n);
    }
}

static void every_byte_at_every_length_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[256], back[512];
    char text[512];
    struct tl_error err;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13); /* each value once */
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        size_t len, text_len = tl_base64_encode(bytes, n, text);
        assert_int_equal(tl_base64_decode(text, text_len, back, &len, &err), TL_OK);
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
        text_len = tl_base64url_encode(bytes, n, text);
        assert_true(n <= tl_base64_decoded_max(text_len));
        assert_int_equal(tl_base64url_decode(text, text_len, (uint8_t *)text, &len, &err), TL_OK);
        assert_int_equal(len, n); /* in place */
        assert_memory_equal(text, bytes, n);
    }
}

static void decode_refuses_what_is_not_exact(void **state)
{
    static const char *const wrong[] = {
        "Zg",   "Zg=",   "Z===",      "====",         "Zh==", /* unused bits */
        "Zm9=", "Zm9v ", "Zm9v\n===", "Zm9vZg==Zg==", "Zm-_", "Z\xc3\xa4==", "Zg==Zm9v", "=Zm9",
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++) {
        uint8_t bytes[32];
        size_t len;
        struct tl_error err;
        if (tl_base64_decode(wrong[i], strlen(wrong[i]), bytes, &len, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void url_decode_refuses_padding_and_the_other_alphabet(void **state)
{
    static const char *const wrong[] = {"Zg==", "Zm8=", "Z", "+//+", "Zm9vZ", "Zh", "Zm9", "Zm 9"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++) {
        uint8_t bytes[32];
        size_t len;
        struct tl_error err;
        if (tl_base64url_decode(wrong[i], strlen(wrong[i]), bytes, &len, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void decode_refuses_each_foreign_byte_at_each_place(void **state)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    for (size_t place = 0; place < 8; place++)
        for (int c = 0; c < 256; c++) {
            char text[] = "AAAAAAAA";
            uint8_t bytes[8];
            size_t len;
            struct tl_error err;
            bool good = c && strchr(letters, c) != NULL;
            if (c == '=' && place == 7)
                good = true; /* padding, and the bits before it are zero */
            text[place] = (char)c;
            assert_int_equal(tl_base64_decode(text, 8, bytes, &len, &err),
                             good ? TL_OK : TL_INVALID);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_and_decode_agree_with_rfc_4648),
        cmocka_unit_test(every_byte_at_every_length_comes_back),
        cmocka_unit_test(decode_refuses_what_is_not_exact),
        cmocka_unit_test(url_decode_refuses_padding_and_the_other_alphabet),
        cmocka_unit_test(decode_refuses_each_foreign_byte_at_each_place),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
