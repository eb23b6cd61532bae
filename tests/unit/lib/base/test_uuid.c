/* uuid.h against RFC 9562 (appendix A.4) and Python's uuid module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

#define CALL_ID                                                                                    \
    "995f4fd0-3752-53d9-97bd-43a3136ddc2f"              /* uuid5(namespace,                        \
                                                           "CA0123456789abcdef0123456789abcdef") */
#define EVENT_ID "09331264-c912-5578-a176-43052ec3473f" /* uuid5(namespace, "x") */
#define LONG_ID "688530b3-288c-5ef2-911a-ed34611cea18"  /* uuid5(NAMESPACE_URL, "z" * 1000) */

static struct tl_uuid parse(const char *text)
{
    struct tl_uuid uuid;
    struct tl_error err;

    assert_int_equal(tl_uuid_parse(text, strlen(text), &uuid, &err), TL_OK);
    return uuid;
}

static void assert_text(struct tl_uuid uuid, const char *expected)
{
    char text[TL_UUID_TEXT_LEN + 1];

    tl_uuid_format(&uuid, text);
    assert_string_equal(text, expected);
}

static void version_5_agrees_with_rfc_9562(void **state)
{
    struct tl_uuid dns = parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    (void)state;
    assert_text(tl_uuid_v5(&dns, "www.example.com", 15), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    assert_text(tl_uuid_v5(&dns, "python.org", 10), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
}

static void version_5_takes_names_of_any_length(void **state)
{
    struct tl_uuid url = parse("6ba7b811-9dad-11d1-80b4-00c04fd430c8");
    char name[1000];
    (void)state;
    memset(name, 'z', sizeof(name));
    assert_text(tl_uuid_v5(&url, name, sizeof(name)), LONG_ID);
}

/* Ids that stand in topics: whoever changes a namespace tears calls from their records. */
static void the_namespaces_never_change(void **state)
{
    (void)state;
    assert_text(tl_uuid_v5(&tl_uuid_ns_call, "CA0123456789abcdef0123456789abcdef", 34), CALL_ID);
    assert_text(tl_uuid_v5(&tl_uuid_ns_event, "x", 1), EVENT_ID);
}

static void version_4_is_random_and_marked(void **state)
{
    struct tl_uuid last = {{0}}, any = {{0}};
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct tl_uuid uuid = tl_uuid_v4();
        assert_int_equal(uuid.byte[6] >> 4, 4);
        assert_int_equal(uuid.byte[8] >> 6, 2);
        assert_false(tl_uuid_equal(&uuid, &last));
        for (size_t b = 0; b < sizeof(any.byte); b++)
            any.byte[b] |= uuid.byte[b];
        last = uuid;
    }
    for (size_t b = 0; b < sizeof(any.byte); b++) /* each free bit was set at some time */
        assert_int_equal(any.byte[b], b == 6 ? 0x4f : b == 8 ? 0xbf : 0xff);
}

static void parse_takes_either_case_and_format_gives_lower(void **state)
{
    (void)state;
    assert_text(parse("2ED6657D-e927-568B-95E1-2665A8AEA6A2"),
                "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void parse_refuses_other_shapes(void **state)
{
    static const char *const wrong[] = {
        "",
        "2ed6657d-e927-568b-95e1-2665a8aea6a",
        "2ed6657d-e927-568b-95e1-2665a8aea6a22",
        "2ed6657de927568b95e12665a8aea6a2",
        "{2ed6657d-e927-568b-95e1-2665a8aea6a2}",
        "urn:uuid:2ed6657d-e927-568b-95e1-2665a8aea6a2",
        "2ed6657d-e927-568b-95e1-2665a8aea6ag",
        "2ed6657d-e927-568b-95e12-665a8aea6a2",
        "2ed6657d_e927-568b-95e1-2665a8aea6a2",
        " ed6657d-e927-568b-95e1-2665a8aea6a2",
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++) {
        struct tl_uuid uuid;
        struct tl_error err;
        if (tl_uuid_parse(wrong[i], strlen(wrong[i]), &uuid, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void parse_refuses_each_foreign_byte_at_each_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < TL_UUID_TEXT_LEN; place++)
        for (int c = 0; c < 256; c++) {
            char text[] = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
            struct tl_uuid uuid;
            struct tl_error err;
            bool dash = text[place] == '-';
            bool good = dash ? c == '-' : c && strchr("0123456789abcdefABCDEF", c) != NULL;
            text[place] = (char)c;
            assert_int_equal(tl_uuid_parse(text, TL_UUID_TEXT_LEN, &uuid, &err),
                             good ? TL_OK : TL_INVALID);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_5_agrees_with_rfc_9562),
        cmocka_unit_test(version_5_takes_names_of_any_length),
        cmocka_unit_test(the_namespaces_never_change),
        cmocka_unit_test(version_4_is_random_and_marked),
        cmocka_unit_test(parse_takes_either_case_and_format_gives_lower),
        cmocka_unit_test(parse_refuses_other_shapes),
        cmocka_unit_test(parse_refuses_each_foreign_byte_at_each_place),
    };
    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
