/* hash.h and hex.h against the vectors of FIPS 180-2, RFC 2202 and RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/hex.h"

static void assert_hex(const uint8_t *bytes, size_t n, const char *expected)
{
    char text[129];

    tl_hex_encode(bytes, n, text);
    assert_string_equal(text, expected);
}

static void sha256_agrees_with_fips_180(void **state)
{
    uint8_t digest[TL_SHA256_BYTES];
    (void)state;
    tl_sha256("abc", 3, digest);
    assert_hex(digest, sizeof(digest),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    tl_sha256("", 0, digest);
    assert_hex(digest, sizeof(digest),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac_sha1_agrees_with_rfc_2202(void **state)
{
    uint8_t key[80], mac[TL_SHA1_BYTES];
    (void)state;
    memset(key, 0x0b, 20);
    tl_hmac_sha1(key, 20, "Hi There", 8, mac);
    assert_hex(mac, sizeof(mac), "b617318655057264e28bc0b6fb378c8ef146be00");
    tl_hmac_sha1("Jefe", 4, "what do ya want for nothing?", 28, mac);
    assert_hex(mac, sizeof(mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(key, 0xaa, 80);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    tl_hmac_sha1(key, 80, text, strlen(text), mac);
    assert_hex(mac, sizeof(mac), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

static void hmac_sha256_agrees_with_rfc_4231(void **state)
{
    uint8_t key[131], mac[TL_SHA256_BYTES];
    (void)state;
    memset(key, 0x0b, 20);
    tl_hmac_sha256(key, 20, "Hi There", 8, mac);
    assert_hex(mac, sizeof(mac),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    tl_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
    assert_hex(mac, sizeof(mac),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 131);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    tl_hmac_sha256(key, 131, text, strlen(text), mac);
    assert_hex(mac, sizeof(mac),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_takes_an_empty_key_as_empty(void **state)
{
    uint8_t before[TL_SHA256_BYTES], mac[TL_SHA256_BYTES];
    (void)state;
    tl_hmac_sha256("something", 9, "x", 1, before);
    tl_hmac_sha256(NULL, 0, "", 0, mac); /* not the key of the call before */
    assert_hex(mac, sizeof(mac),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void secret_equal_sees_a_difference_anywhere(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};
    (void)state;
    assert_true(tl_secret_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 1;
        assert_false(tl_secret_equal(a, b, sizeof(a)));
        b[i] = 0;
    }
}

static void random_bytes_differ_and_stay_inside(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};
    (void)state;
    tl_random_bytes(a, 32);
    tl_random_bytes(b, 32);
    assert_memory_not_equal(a, b, 32);
    for (size_t i = 32; i < sizeof(a); i++)
        assert_int_equal(a[i], 0);
}

static void hex_decode_refuses_odd_and_foreign(void **state)
{
    static const char *const wrong[] = {"0", "0g", "g0", "0x", " 0", "00:1", "@A", "`a"};
    uint8_t bytes[4];
    struct tl_error err;
    (void)state;
    assert_int_equal(tl_hex_decode("00fFa9", 6, bytes, &err), TL_OK);
    assert_memory_equal(bytes, "\x00\xff\xa9", 3);
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++)
        if (tl_hex_decode(wrong[i], strlen(wrong[i]), bytes, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_agrees_with_fips_180),
        cmocka_unit_test(hmac_sha1_agrees_with_rfc_2202),
        cmocka_unit_test(hmac_sha256_agrees_with_rfc_4231),
        cmocka_unit_test(hmac_takes_an_empty_key_as_empty),
        cmocka_unit_test(secret_equal_sees_a_difference_anywhere),
        cmocka_unit_test(random_bytes_differ_and_stay_inside),
        cmocka_unit_test(hex_decode_refuses_odd_and_foreign),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
