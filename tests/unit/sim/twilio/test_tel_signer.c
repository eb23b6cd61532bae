/* The signer against the published and computed vectors of Twilio's signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "form.h"
#include "signer.h"
#include "url.h"

#define TA "12345"
#define TB "0123456789abcdef0123456789abcdef"
#define C1 "CA00000000000000000000000000000001"

struct vector {
    const char *token, *url;
    const char *body; /* form-encoded; NULL: nothing is appended */
    const char *signature;
};

static const struct vector VECTORS[] = {
    {TA, "https://example.com/myapp.php?foo=1&bar=2",
     "To=%2B18005551212&From=%2B14158675310&Digits=1234&Caller=%2B14158675310&"
     "CallSid=CA1234567890ABCDE",
     "L/OH5YylLD5NRKLltdqwSvS0BnU="},
    {TA, "https://mycompany.com/myapp.php?foo=1&bar=2",
     "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&"
     "To=%2B18005551212",
     "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
    {TB, "https://voice.example.com/twilio/voice?tenant=7",
     "AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01&"
     "CallSid=CA00000000000000000000000000000001&CallStatus=ringing&Called=%2B15005550006&"
     "CalledCity=&CalledCountry=US&Caller=%2B14155550100&CallerName=Zo%C3%AB+%26+Sons&"
     "Direction=inbound&From=%2B14155550100&FromCity=SAN+FRANCISCO&FromCountry=US&"
     "To=%2B15005550006",
     "0o+IcbxjsB480In14t/S5IfXas8="},
    {TB,
     "https://voice.example.com/twilio/status?CallSid=" C1 "&CallStatus=completed&CallDuration=42",
     NULL, "jwuOr/8jYCocF+smZbw5v4VJQeQ="},
    {TA,
     "https://example.com/"
     "myapp?bodySHA256=5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9",
     NULL, "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo="},
    {TB,
     "https://voice.example.com/twilio/"
     "json?x=1&bodySHA256=478b65f6963af880bd7674964f9d950a563146f25c49d1f91cae5ec224975577",
     NULL, "iONphaj0QVH2RMe9Gqv7tPeToYo="},
    {TB, "wss://voice.example.com/media", NULL, "ttk+kVY3Kdi/BWVnuJguRoi2Bjs="},
    {TB, "wss://voice.example.com/media/", NULL, "xSZ25E4AoL/WAklRSBhXh8WbY9E="},
    {TB, "wss://voice.example.com:8443/media", NULL, "AF0qiBTAfgMeoczRzOeA7hcSCr0="},
    {TB, "wss://voice.example.com", NULL, "LTNc5OeQVPZL6E2Birj6O1bpaMc="},
    {TB, "wss://voice.example.com/", NULL, "mdZ0WZCJ6GoYsAcIGYax9h4blE4="},
    {TB, "https://voice.example.com/twilio/voice",
     "CallSid=" C1 "&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&"
     "StatusCallbackEvent=ringing&empty=&Z=z&a=b",
     "Y+gJame2eTdaYgVM3lIYv0Qy44g="},
    {TB, "https://voice.example.com/twilio/status",
     "SequenceNumber=3&CallStatus=completed&CallSid=" C1, "H1AR3wXiNp6dgss/ZZ2vqtUYT8E="},
    {TB, "https://voice.example.com:8443/twilio/status",
     "CallSid=" C1 "&CallStatus=completed&SequenceNumber=3", "tsDAo/QGhE9J5RDQf7fmBm9Kk/Q="},
    {TB, "http://voice.example.com:8080/twilio/status",
     "CallSid=" C1 "&CallStatus=completed&SequenceNumber=3", "MxHApbOwfIZ6Z35CQ3wTWg+yWqY="},
    {TB, "https://voice.example.com/twilio/voice", "CallSid=" C1 "&SpeechResult=+hello++world+",
     "egZj9kCHY0IyNOQUH83700AmZpk="},
};

static void sign_vector(const struct vector *v, char *ret_signature)
{
    struct tl_tel_form form = {0};
    struct tl_error err;

    if (v->body)
        assert_int_equal(tl_tel_form_decode(&form, v->body, strlen(v->body), &err), TL_OK);
    tl_tel_sign(v->token, v->url, v->body ? &form : NULL, ret_signature);
    tl_tel_form_finish(&form);
}

static void sign_gives_the_known_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(VECTORS); i++) {
        char signature[TL_TEL_SIGNATURE_SIZE];
        sign_vector(&VECTORS[i], signature);
        assert_string_equal(signature, VECTORS[i].signature);
    }
}

static void form_survives_encoding_with_empty_repeated_and_utf8(void **state)
{
    struct tl_tel_form form = {0}, back = {0};
    struct tl_buf text;
    struct tl_error err;

    (void)state;
    tl_tel_form_add(&form, "CallerName", "Zoë & Sons");
    tl_tel_form_add(&form, "Empty", "");
    tl_tel_form_add(&form, "Twice", "1");
    tl_tel_form_add(&form, "Twice", "+=%");
    tl_buf_init(&text, 4096);
    tl_tel_form_encode(&form, &text);
    assert_string_equal(tl_buf_str(&text),
                        "CallerName=Zo%C3%AB+%26+Sons&Empty=&Twice=1&Twice=%2B%3D%25");
    assert_int_equal(tl_tel_form_decode(&back, (char *)text.data, text.len, &err), TL_OK);
    assert_int_equal(back.len, 4);
    for (size_t i = 0; i < back.len; i++) {
        assert_string_equal(back.field[i].name, form.field[i].name);
        assert_string_equal(back.field[i].value, form.field[i].value);
    }
    tl_buf_finish(&text);
    tl_tel_form_finish(&form);
    tl_tel_form_finish(&back);
}

static void form_refuses_broken_escapes(void **state)
{
    static const char *const BAD[] = {"a=%", "a=%4", "a=%zz", "a=%00", "%=1"};
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(BAD); i++) {
        struct tl_tel_form form = {0};
        assert_int_equal(tl_tel_form_decode(&form, BAD[i], strlen(BAD[i]), &err), TL_INVALID);
        tl_tel_form_finish(&form);
    }
}

static void url_is_signed_without_fragment_user_and_https_port(void **state)
{
    static const struct {
        const char *text, *wire, *signed_as;
    } CASES[] = {
        {"https://v.example.com:8443/a?b=1#rc=2", "https://v.example.com:8443/a?b=1",
         "https://v.example.com/a?b=1"},
        {"http://v.example.com:8080/a", "http://v.example.com:8080/a",
         "http://v.example.com:8080/a"},
        {"https://me:secret@v.example.com/a", "https://v.example.com/a", "https://v.example.com/a"},
        {"https://[::1]:8443/a", "https://[::1]:8443/a", "https://[::1]/a"},
    };
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(CASES); i++) {
        struct tl_tel_url url;
        assert_int_equal(tl_tel_url_parse(CASES[i].text, false, &url, &err), TL_OK);
        assert_string_equal(url.wire, CASES[i].wire);
        assert_string_equal(url.signed_as, CASES[i].signed_as);
        tl_tel_url_finish(&url);
    }
}

static void url_fragment_sets_the_retry_table(void **state)
{
    struct tl_tel_url url;
    struct tl_error err;

    (void)state;
    assert_int_equal(
        tl_tel_url_parse("https://v.example.com/a#rc=3&rp=ct,rt,5xx&ct=200&rt=300&tt=900&sni=y",
                         false, &url, &err),
        TL_OK);
    assert_int_equal(url.overrides.retries, 3);
    assert_int_equal(url.overrides.retry_on,
                     TL_TEL_RETRY_CONNECT | TL_TEL_RETRY_READ | TL_TEL_RETRY_5XX);
    assert_int_equal(url.overrides.connect_ms, 200);
    assert_int_equal(url.overrides.read_ms, 300);
    assert_int_equal(url.overrides.total_ms, 900);
    tl_tel_url_finish(&url);

    assert_int_equal(tl_tel_url_parse("https://v.example.com/a", false, &url, &err), TL_OK);
    assert_int_equal(url.overrides.retries, 1);
    assert_int_equal(url.overrides.retry_on, TL_TEL_RETRY_CONNECT);
    assert_int_equal(url.overrides.total_ms, 15000);
    tl_tel_url_finish(&url);
}

static void url_refuses_what_twilio_refuses(void **state)
{
    static const char *const BAD[] = {
        "ftp://v.example.com/",        "https://",
        "https://my_host.example/x",   "https://v.example.com/#rc=6",
        "https://v.example.com/#ct=1", "https://v.example.com/#rp=9xx",
        "https://v.example.com/#x=1",  "https://v.example.com/#rc",
    };
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(BAD); i++) {
        struct tl_tel_url url;
        assert_int_equal(tl_tel_url_parse(BAD[i], false, &url, &err), TL_INVALID);
    }
}

static void url_resolves_relative_ones(void **state)
{
    char *url = tl_tel_url_resolve("https://v.example.com/a/b?c=1", "../next?d=2");

    (void)state;
    assert_string_equal(url, "https://v.example.com/next?d=2");
    free(url);
}

static void base64_refuses_what_is_not_whole(void **state)
{
    static const char *const BAD[] = {
        "A", "AAA", "AA=A", "AAAA====", "AA A", " AAA", "AAA-", "A==="};
    uint8_t out[16];
    size_t len;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(BAD); i++)
        assert_false(tl_tel_b64_decode(BAD[i], strlen(BAD[i]), out, &len));
    assert_true(tl_tel_b64_decode("//7+/w==", 8, out, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(out, "\xff\xfe\xfe\xff", 4);
}

static void base64_encodes_as_openssl_does(void **state)
{
    uint8_t data[160];
    char text[TL_TEL_B64_LEN(160) + 1] = "", other[TL_TEL_B64_LEN(160) + 1] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof(data); n++) {
        tl_tel_b64_encode(data, n, text);
        text[TL_TEL_B64_LEN(n)] = '\0';
        EVP_EncodeBlock((unsigned char *)other, data, (int)n);
        assert_string_equal(text, other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_gives_the_known_signatures),
        cmocka_unit_test(form_survives_encoding_with_empty_repeated_and_utf8),
        cmocka_unit_test(form_refuses_broken_escapes),
        cmocka_unit_test(url_is_signed_without_fragment_user_and_https_port),
        cmocka_unit_test(url_fragment_sets_the_retry_table),
        cmocka_unit_test(url_refuses_what_twilio_refuses),
        cmocka_unit_test(url_resolves_relative_ones),
        cmocka_unit_test(base64_refuses_what_is_not_whole),
        cmocka_unit_test(base64_encodes_as_openssl_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
