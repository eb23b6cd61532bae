/* signature.h: the fifteen vectors of the network's rule, and whatever must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "twilio/signature.h"

#define TA "12345"
#define TB "0123456789abcdef0123456789abcdef"
#define C1 "CA00000000000000000000000000000001"
#define STATUS "CallSid=" C1 "&CallStatus=completed&SequenceNumber=3"

static const char signature_12[] = "H1AR3wXiNp6dgss/ZZ2vqtUYT8E=";

/* `form` as on the wire, NULL for none; `body` of requests that are not forms. */
struct vector {
    const char *name, *token, *url, *form, *body, *signature;
};

static const struct vector vectors[] = {
    {"1", TA, "https://example.com/myapp.php?foo=1&bar=2",
     "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&"
     "To=%2B18005551212",
     NULL, "L/OH5YylLD5NRKLltdqwSvS0BnU="},
    {"2", TA, "https://mycompany.com/myapp.php?foo=1&bar=2",
     "To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&"
     "From=%2B12349013030",
     NULL, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
    {"3", TB, "https://voice.example.com/twilio/voice?tenant=7",
     "AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01&CallSid=" C1
     "&CallStatus=ringing&Called=%2B15005550006&CalledCity=&CalledCountry=US&"
     "Caller=%2B14155550100&CallerName=Zo%C3%AB+%26+Sons&Direction=inbound&"
     "From=%2B14155550100&FromCity=SAN+FRANCISCO&FromCountry=US&To=%2B15005550006",
     NULL, "0o+IcbxjsB480In14t/S5IfXas8="},
    {"4", TB,
     "https://voice.example.com/twilio/status?CallSid=" C1 "&CallStatus=completed&CallDuration=42",
     NULL, NULL, "jwuOr/8jYCocF+smZbw5v4VJQeQ="},
    {"5", TA,
     "https://example.com/myapp?bodySHA256="
     "5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9",
     NULL, "{\"CallSid\":\"CA1234567890ABCDE\",\"Caller\":\"+12349013030\"}",
     "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo="},
    {"6", TB,
     "https://voice.example.com/twilio/json?x=1&bodySHA256="
     "478b65f6963af880bd7674964f9d950a563146f25c49d1f91cae5ec224975577",
     NULL, "{\"event\":\"stream-error\",\"callSid\":\"" C1 "\"}", "iONphaj0QVH2RMe9Gqv7tPeToYo="},
    {"7", TB, "wss://voice.example.com/media", NULL, NULL, "ttk+kVY3Kdi/BWVnuJguRoi2Bjs="},
    {"8", TB, "wss://voice.example.com/media/", NULL, NULL, "xSZ25E4AoL/WAklRSBhXh8WbY9E="},
    {"9", TB, "wss://voice.example.com:8443/media", NULL, NULL, "AF0qiBTAfgMeoczRzOeA7hcSCr0="},
    {"10", TB, "wss://voice.example.com", NULL, NULL, "LTNc5OeQVPZL6E2Birj6O1bpaMc="},
    {"10 with a slash", TB, "wss://voice.example.com/", NULL, NULL, "mdZ0WZCJ6GoYsAcIGYax9h4blE4="},
    {"11", TB, "https://voice.example.com/twilio/voice",
     "CallSid=" C1 "&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&"
     "StatusCallbackEvent=ringing&empty=&Z=z&a=b",
     NULL, "Y+gJame2eTdaYgVM3lIYv0Qy44g="},
    {"12", TB, "https://voice.example.com/twilio/status", STATUS, NULL, signature_12},
    {"13", TB, "https://voice.example.com:8443/twilio/status", STATUS, NULL,
     "tsDAo/QGhE9J5RDQf7fmBm9Kk/Q="},
    {"14", TB, "http://voice.example.com:8080/twilio/status", STATUS, NULL,
     "MxHApbOwfIZ6Z35CQ3wTWg+yWqY="},
    {"15", TB, "https://voice.example.com/twilio/voice",
     "CallSid=" C1 "&SpeechResult=+hello++world+", NULL, "egZj9kCHY0IyNOQUH83700AmZpk="},
};

/* Verifies v with some of its parts replaced (NULL: as they are). */
static bool verify(const struct vector *v, const char *token, const char *url, const char *form,
                   const char *body, const char *signature)
{
    TL_CLEANUP(tl_arena_finish) struct tl_arena arena = {0};
    struct tl_form parsed;
    struct tl_error err;
    const char *bytes = body ? body : v->body ? v->body : "";
    const char *fields = form ? form : v->form;

    if (fields)
        assert_int_equal(tl_form_parse(fields, strlen(fields), &arena, &parsed, &err), TL_OK);
    const struct tl_twilio_signed what = {.url = url ? url : v->url,
                                          .form = fields ? &parsed : NULL,
                                          .body = {(const uint8_t *)bytes, strlen(bytes)}};
    return tl_twilio_verify(token ? token : v->token, &what, signature ? signature : v->signature);
}

static const struct vector *vector(const char *name)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++)
        if (strcmp(vectors[i].name, name) == 0)
            return &vectors[i];
    fail();
    return NULL;
}

static void verify_takes_every_vector(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++)
        if (!verify(&vectors[i], NULL, NULL, NULL, NULL, NULL))
            fail_msg("vector %s", vectors[i].name);
}

static void sign_makes_every_vector(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++) {
        TL_CLEANUP(tl_arena_finish) struct tl_arena arena = {0};
        const char *fields = vectors[i].form;
        char signature[TL_TWILIO_SIGNATURE_SIZE];
        struct tl_form form;
        struct tl_error err;
        if (fields)
            assert_int_equal(tl_form_parse(fields, strlen(fields), &arena, &form, &err), TL_OK);
        const struct tl_twilio_signed what = {.url = vectors[i].url, .form = fields ? &form : NULL};
        tl_twilio_sign(vectors[i].token, &what, signature);
        assert_string_equal(signature, vectors[i].signature);
    }
}

static void verify_refuses_another_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++) {
        assert_false(verify(&vectors[i], "12346", NULL, NULL, NULL, NULL));
        assert_false(
            verify(&vectors[i], "0123456789ABCDEF0123456789abcdef", NULL, NULL, NULL, NULL));
        assert_false(verify(&vectors[i], "", NULL, NULL, NULL, NULL));
    }
}

static void verify_refuses_a_missing_signature(void **state)
{
    (void)state;
    const struct tl_twilio_signed what = {.url = vectors[3].url};
    assert_false(tl_twilio_verify(TB, &what, NULL));
    assert_false(tl_twilio_verify(TB, &what, ""));
}

static void verify_refuses_every_changed_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++) {
        char changed[64];
        size_t len = strlen(vectors[i].signature);
        for (size_t k = 0; k < len; k++) {
            (void)snprintf(changed, sizeof(changed), "%s", vectors[i].signature);
            changed[k] = changed[k] == 'A' ? 'B' : 'A';
            assert_false(verify(&vectors[i], NULL, NULL, NULL, NULL, changed));
        }
        (void)snprintf(changed, sizeof(changed), "%.*s", (int)len - 1, vectors[i].signature);
        assert_false(verify(&vectors[i], NULL, NULL, NULL, NULL, changed));
        (void)snprintf(changed, sizeof(changed), "%s=", vectors[i].signature);
        assert_false(verify(&vectors[i], NULL, NULL, NULL, NULL, changed));
        (void)snprintf(changed, sizeof(changed), "%s%s", vectors[i].signature,
                       "AAAAAAAAAAAAAAAAAAAA");
        assert_false(verify(&vectors[i], NULL, NULL, NULL, NULL, changed));
    }
}

static void verify_refuses_another_url(void **state)
{
    static const char *const others[] = {"https://voice.example.com/twilio/status/",
                                         "https://voice.example.com/twilio/statu",
                                         "https://voice.example.com/twilio/Status",
                                         "http://voice.example.com/twilio/status",
                                         "https://voice.example.org/twilio/status",
                                         "https://voice.example.com/twilio/status?",
                                         "/twilio/status",
                                         ""};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(others); i++)
        assert_false(verify(vector("12"), NULL, others[i], NULL, NULL, NULL));
}

static void verify_refuses_other_fields(void **state)
{
    static const char *const forms[] = {
        "CallSid=" C1 "&CallStatus=completed&SequenceNumber=4",
        "CallSid=" C1 "&CallStatus=completed",
        "CallSid=" C1
        "&CallStatus=completed&SequenceNumber=3&x=", /* a field more: its name counts */
        "CallSid=" C1 "&CallStatus=completed&SequenceNumber=3&x=1",
        "CallSid=" C1 "&CallStatus=completed&sequenceNumber=3",
        "CallSid=" C1 "&CallStatus=completed&SequenceNumber=+3"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(forms); i++)
        assert_false(verify(vector("12"), NULL, NULL, forms[i], NULL, NULL));
}

static void verify_takes_fields_in_any_order_and_repeated_values_once(void **state)
{
    (void)state;
    assert_true(verify(vector("12"), NULL, NULL,
                       "SequenceNumber=3&CallStatus=completed&CallSid=" C1, NULL, NULL));
    assert_true(verify(vector("12"), NULL, NULL, STATUS "&SequenceNumber=3", NULL, NULL));
    assert_false(verify(vector("12"), NULL, NULL, STATUS "&SequenceNumber=2", NULL, NULL));
}

static void verify_takes_the_url_without_its_port(void **state)
{
    (void)state;
    assert_true(verify(vector("13"), NULL, NULL, NULL, NULL, signature_12));
    assert_true(verify(vector("12"), NULL, "https://voice.example.com:443/twilio/status", NULL,
                       NULL, NULL));
    assert_false(verify(vector("14"), NULL, NULL, NULL, NULL, signature_12)); /* another scheme */
}

/* What the network signs with the standard port in the URL, we know without. */
static void verify_takes_the_url_with_the_standard_port(void **state)
{
    static const struct {
        const char *signed_url, *url;
        bool good;
    } rows[] = {
        {"https://voice.example.com:443/x?a=1", "https://voice.example.com/x?a=1", true},
        {"http://voice.example.com:80/x", "http://voice.example.com/x", true},
        {"https://voice.example.com:80/x", "https://voice.example.com/x", false},
        {"https://voice.example.com:8443/x", "https://voice.example.com/x", false},
        {"https://[2001:db8::1]:443/x", "https://[2001:db8::1]/x", true},
        {"https://[2001:db8::1]/x", "https://[2001:db8::1]:8443/x", true},
        {"https://voice.example.com/x?t=a:9/b", "https://voice.example.com:8443/x?t=a:9/b", true},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        struct tl_twilio_signed what = {.url = rows[i].signed_url};
        char signature[TL_TWILIO_SIGNATURE_SIZE];
        tl_twilio_sign(TB, &what, signature);
        what.url = rows[i].url;
        assert_int_equal(tl_twilio_verify(TB, &what, signature), rows[i].good);
    }
}

static void verify_takes_a_socket_with_a_slash_more_or_less(void **state)
{
    (void)state;
    assert_true(verify(vector("7"), NULL, "wss://voice.example.com/media/", NULL, NULL, NULL));
    assert_true(verify(vector("8"), NULL, "wss://voice.example.com/media", NULL, NULL, NULL));
    assert_true(verify(vector("10"), NULL, "wss://voice.example.com/", NULL, NULL, NULL));
    assert_true(
        verify(vector("10 with a slash"), NULL, "wss://voice.example.com", NULL, NULL, NULL));
    assert_false(verify(vector("7"), NULL, "wss://voice.example.com/media//", NULL, NULL, NULL));
}

static void verify_keeps_the_port_of_a_socket(void **state)
{
    (void)state;
    assert_false(verify(vector("9"), NULL, "wss://voice.example.com/media", NULL, NULL, NULL));
    assert_false(verify(vector("7"), NULL, "wss://voice.example.com:443/media", NULL, NULL, NULL));
    assert_false(verify(vector("7"), NULL, "https://voice.example.com/media", NULL, NULL, NULL));
}

static void verify_refuses_a_slash_more_on_a_webhook(void **state)
{
    (void)state;
    assert_false(
        verify(vector("15"), NULL, "https://voice.example.com/twilio/voice/", NULL, NULL, NULL));
}

static void verify_refuses_a_body_that_its_hash_does_not_fit(void **state)
{
    (void)state;
    assert_false(verify(vector("6"), NULL, NULL, NULL,
                        "{\"event\":\"stream-error\",\"callSid\":\"" C1 "\"} ", NULL));
    assert_false(verify(vector("6"), NULL, NULL, NULL,
                        "{\"event\":\"stream-error\",\"callSid\":\"" C1 "\"", NULL));
    assert_false(verify(vector("6"), NULL, NULL, NULL, "", NULL));
    assert_false(verify(vector("5"), NULL, NULL, NULL, "{}", NULL));
}

/* The hash is part of the URL that is signed: with it the fields of a form do not count. */
static void verify_with_a_hash_ignores_the_form(void **state)
{
    const struct vector *v = vector("5");
    (void)state;
    assert_true(verify(v, NULL, NULL, "a=b", NULL, NULL));
}

static void verify_refuses_a_hash_that_is_cut_or_upper_case(void **state)
{
    static const char *const urls[] = {
        "https://x.example.com/j?bodySHA256=",
        "https://x.example.com/j?bodySHA256=e3b0c442",
        "https://x.example.com/j?bodySHA256="
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "https://x.example.com/j?bodySHA256="
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550",
    };
    char signature[TL_TWILIO_SIGNATURE_SIZE];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(urls); i++) {
        const struct tl_twilio_signed what = {.url = urls[i]};
        tl_twilio_sign(TB, &what, signature);
        assert_false(tl_twilio_verify(TB, &what, signature));
    }
    const struct tl_twilio_signed good = {
        .url = "https://x.example.com/j?bodySHA256="
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&x=1"};
    tl_twilio_sign(TB, &good, signature);
    assert_true(tl_twilio_verify(TB, &good, signature)); /* of the empty body */
}

static void verify_refuses_urls_that_are_too_long_for_a_second_try(void **state)
{
    static char url[20000];
    (void)state;
    (void)snprintf(url, sizeof(url), "wss://voice.example.com/");
    memset(url + strlen(url), 'a', sizeof(url) - strlen(url) - 1);
    assert_false(verify(vector("7"), NULL, url, NULL, NULL, NULL));
    memcpy(url, "https", 5);
    assert_false(verify(vector("12"), NULL, url, NULL, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_takes_every_vector),
        cmocka_unit_test(sign_makes_every_vector),
        cmocka_unit_test(verify_refuses_another_token),
        cmocka_unit_test(verify_refuses_a_missing_signature),
        cmocka_unit_test(verify_refuses_every_changed_signature),
        cmocka_unit_test(verify_refuses_another_url),
        cmocka_unit_test(verify_refuses_other_fields),
        cmocka_unit_test(verify_takes_fields_in_any_order_and_repeated_values_once),
        cmocka_unit_test(verify_takes_the_url_without_its_port),
        cmocka_unit_test(verify_takes_the_url_with_the_standard_port),
        cmocka_unit_test(verify_takes_a_socket_with_a_slash_more_or_less),
        cmocka_unit_test(verify_keeps_the_port_of_a_socket),
        cmocka_unit_test(verify_refuses_a_slash_more_on_a_webhook),
        cmocka_unit_test(verify_refuses_a_body_that_its_hash_does_not_fit),
        cmocka_unit_test(verify_with_a_hash_ignores_the_form),
        cmocka_unit_test(verify_refuses_a_hash_that_is_cut_or_upper_case),
        cmocka_unit_test(verify_refuses_urls_that_are_too_long_for_a_second_try),
    };
    return cmocka_run_group_tests_name("twilio_signature", tests, NULL, NULL);
}
