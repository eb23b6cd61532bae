/* Numbers, what they are, and which are refused: lib/phone/phone.h (MORE-7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "phone/phone.h"

struct want {
    const char *text, *region; /* given */
    const char *e164, *of, *state;
    enum tl_phone_kind kind;
};

static void check(const struct want *want)
{
    struct tl_phone phone;
    struct tl_error err = {0};

    enum tl_status st = tl_phone_parse(want->text, want->region, &phone, &err);
    if (st != TL_OK)
        fail_msg("%s: %s", want->text, err.msg);
    assert_string_equal(phone.e164, want->e164);
    assert_string_equal(phone.region, want->of);
    assert_string_equal(phone.state, want->state);
    assert_string_equal(tl_phone_kind_name(phone.kind), tl_phone_kind_name(want->kind));
    assert_true(phone.is_valid);
}

static void parse_normalises_every_notation(void **state)
{
    static const struct want WANTS[] = {
        {"+12125550100", NULL, "+12125550100", "US", "US-NY", TL_PHONE_FIXED_OR_MOBILE},
        {"+1 (212) 555-0100", NULL, "+12125550100", "US", "US-NY", TL_PHONE_FIXED_OR_MOBILE},
        {"(212) 555-0100", "US", "+12125550100", "US", "US-NY", TL_PHONE_FIXED_OR_MOBILE},
        {"1.212.555.0100", "US", "+12125550100", "US", "US-NY", TL_PHONE_FIXED_OR_MOBILE},
        {"212/555-0100", "CA", "+12125550100", "US", "US-NY", TL_PHONE_FIXED_OR_MOBILE},
        {"+44 (0)20 7946 0000", NULL, "+442079460000", "GB", "", TL_PHONE_FIXED},
        {"0044 20 7946 0000", "GB", "+442079460000", "GB", "", TL_PHONE_FIXED},
        {"020 7946 0000", "GB", "+442079460000", "GB", "", TL_PHONE_FIXED},
        {"+44 20 7946 0000", "US", "+442079460000", "GB", "", TL_PHONE_FIXED},
        {"06 1234 5678", "IT", "+390612345678", "IT", "", TL_PHONE_FIXED}, /* keeps its 0 */
        {"044 1 562 263 4567", "MX", "+525622634567", "MX", "",
         TL_PHONE_FIXED_OR_MOBILE}, /* two old prefixes */
        {"030 123456", "DE", "+4930123456", "DE", "", TL_PHONE_FIXED},
    };

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(WANTS); i++)
        check(&WANTS[i]);
}

static void parse_tells_kinds_apart(void **state)
{
    static const struct want WANTS[] = {
        {"+4915123456789", NULL, "+4915123456789", "DE", "", TL_PHONE_MOBILE},
        {"+18002345678", NULL, "+18002345678", "US", "", TL_PHONE_TOLL_FREE},
        {"+80012345678", NULL, "+80012345678", "001", "", TL_PHONE_TOLL_FREE},
        {"+19002345678", NULL, "+19002345678", "US", "", TL_PHONE_PREMIUM},
        {"+499001234567", NULL, "+499001234567", "DE", "", TL_PHONE_PREMIUM},
        {"+449061234567", NULL, "+449061234567", "GB", "", TL_PHONE_PREMIUM},
        {"+33899123456", NULL, "+33899123456", "FR", "", TL_PHONE_PREMIUM},
        {"+979123456789", NULL, "+979123456789", "001", "", TL_PHONE_PREMIUM},
        {"+491805123456", NULL, "+491805123456", "DE", "", TL_PHONE_SHARED_COST},
        {"+80812345678", NULL, "+80812345678", "001", "", TL_PHONE_SHARED_COST},
        {"+445612345678", NULL, "+445612345678", "GB", "", TL_PHONE_VOIP},
        {"+447012345678", NULL, "+447012345678", "GB", "", TL_PHONE_PERSONAL},
        {"+15002345678", NULL, "+15002345678", "US", "", TL_PHONE_PERSONAL},
        {"+443001234567", NULL, "+443001234567", "GB", "", TL_PHONE_COMPANY},
        {"+447640123456", NULL, "+447640123456", "GB", "", TL_PHONE_PAGER},
        /* corrected here: the tables call these mobile, VoIP and plain */
        {"+870773123456", NULL, "+870773123456", "001", "", TL_PHONE_SATELLITE},
        {"+881612345678", NULL, "+881612345678", "001", "", TL_PHONE_SATELLITE},
        {"+883510012345678", NULL, "+883510012345678", "001", "", TL_PHONE_SATELLITE},
        {"+878101234567890", NULL, "+878101234567890", "001", "", TL_PHONE_PERSONAL},
        {"+12129761234", NULL, "+12129761234", "US", "US-NY", TL_PHONE_PREMIUM},
    };

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(WANTS); i++)
        check(&WANTS[i]);
}

static void parse_tells_countries_of_one_code_apart(void **state)
{
    static const struct want WANTS[] = {
        {"+18762345678", NULL, "+18762345678", "JM", "", TL_PHONE_MOBILE},
        {"+17872345678", NULL, "+17872345678", "PR", "", TL_PHONE_FIXED_OR_MOBILE},
        {"+14165550100", NULL, "+14165550100", "CA", "", TL_PHONE_FIXED_OR_MOBILE},
        {"+79123456789", NULL, "+79123456789", "RU", "", TL_PHONE_MOBILE},
        {"+77012345678", NULL, "+77012345678", "KZ", "", TL_PHONE_MOBILE},
    };

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(WANTS); i++)
        check(&WANTS[i]);
}

static void parse_knows_states_of_area_codes(void **state)
{
    static const char *const WANTS[][2] = {
        {"+13055550100", "US-FL"}, {"+12055550100", "US-AL"}, {"+15025550100", "US-KY"},
        {"+18085550100", "US-HI"}, {"+14055550100", "US-OK"}, {"+13015550100", "US-MD"},
        {"+12025550100", "US-DC"}, {"+12015550100", "US-NJ"}, {"+12035550100", "US-CT"},
        {"+17185550100", "US-NY"}, {"+12155550100", "US-PA"}, {"+12065550100", "US-WA"}};
    struct tl_phone phone;
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(WANTS); i++) {
        assert_int_equal(tl_phone_parse(WANTS[i][0], NULL, &phone, &err), TL_OK);
        assert_string_equal(phone.state, WANTS[i][1]);
    }
}

static void parse_reads_whole_numbers_of_four_digits(void **state)
{
    static const struct want WANTS[] = {
        {"+683 4002", NULL, "+6834002", "NU", "", TL_PHONE_FIXED},
        {"+290 23456", NULL, "+29023456", "SH", "", TL_PHONE_FIXED},
    };

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(WANTS); i++)
        check(&WANTS[i]);
}

static void parse_reads_numbers_that_no_plan_has_as_not_valid(void **state)
{
    static const char *const TEXTS[] = {"+1 212 555 010", "+1 235 555 0123", "+49 0", "+112"};
    struct tl_phone phone;
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(TEXTS); i++) {
        enum tl_status st = tl_phone_parse(TEXTS[i], NULL, &phone, &err);
        if (st == TL_OK) {
            assert_false(phone.is_valid);
            assert_int_equal(phone.kind, TL_PHONE_UNKNOWN);
            assert_string_equal(phone.region, "");
        }
        assert_true(st == TL_OK || st == TL_INVALID);
    }
    assert_int_equal(tl_phone_parse("+1 900 055 0100", NULL, &phone, &err), TL_OK);
    assert_false(phone.is_valid);
    assert_int_equal(phone.kind, TL_PHONE_PREMIUM); /* whatever stands behind +1 900 */
}

static void parse_denies_emergency_and_short_numbers(void **state)
{
    static const char *const TEXTS[][2] = {{"911", "US"},       {"9-1-1", "US"},  {"112", "US"},
                                           {"112", "DE"},       {"110", "DE"},    {"999", "GB"},
                                           {"000", "AU"},       {"+1 911", NULL}, {"+44 999", NULL},
                                           {"+49110", NULL},    {"+61000", NULL}, {"116117", "DE"},
                                           {"+49116117", NULL}, {"411", "US"},    {"+12345", NULL}};
    struct tl_phone phone;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(TEXTS); i++) {
        struct tl_error err = {0};
        if (tl_phone_parse(TEXTS[i][0], TEXTS[i][1], &phone, &err) != TL_DENIED)
            fail_msg("%s is not denied: %s", TEXTS[i][0], err.msg);
        assert_non_null(
            strstr(err.msg, i < 11 ? "an emergency number is never" : "a short number is never"));
    }
}

static void parse_refuses_what_is_no_number(void **state)
{
    static const char *const TEXTS[][2] = {
        {"", "US"},
        {"+", NULL},
        {" ", "US"},
        {"-()", "US"},
        {"+999123456789", NULL},
        {"+1234567890123456789", NULL},
        {"+1 212 555 0100                          ", NULL}, /* 41 bytes */
        {"+1 800 FLOWERS", NULL},
        {"+12125550100 ext 5", NULL},
        {"+12125550100;ext=5", NULL},
        {"+12125550100,,1", NULL},
        {"+12125550100#", NULL},
        {"*67 212 555 0100", "US"},
        {"tel:+12125550100", NULL},
        {"sip:a@example.com", NULL},
        {"1+2125550100", "US"},
        {"++12125550100", NULL},
        {"+1212555\n0100", NULL},
        {"+\xd9\xa1\xd9\xa2\xd9\xa1\xd9\xa2", NULL}, /* Arabic digits */
        {"2125550100", NULL},                        /* no region */
        {"2125550100", "ZZ"},
        {"2125550100", "us"},
        {"2125550100", "USA"},
        {"2125550100", ""},
        {"+12125550100", "ZZ"},
        {"+12125550100", ""}};
    struct tl_phone phone = {.e164 = "untouched"};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(TEXTS); i++) {
        struct tl_error err = {0};
        if (tl_phone_parse(TEXTS[i][0], TEXTS[i][1], &phone, &err) != TL_INVALID)
            fail_msg("\"%s\" is not refused: %s", TEXTS[i][0], phone.e164);
        assert_true(strncmp(err.msg, "telephone number: ", 18) == 0);
        assert_string_equal(phone.e164, "untouched");
    }
}

static void parse_says_what_is_missing(void **state)
{
    struct tl_phone phone;
    struct tl_error err;

    (void)state;
    assert_int_equal(tl_phone_parse("-()", "US", &phone, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "no digits"));
    assert_int_equal(tl_phone_parse("2125550100", NULL, &phone, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "no + and country code"));
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < TL_PHONE_KINDS; i++)
        assert_non_null(tl_phone_kind_name((enum tl_phone_kind)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_normalises_every_notation),
        cmocka_unit_test(parse_tells_kinds_apart),
        cmocka_unit_test(parse_tells_countries_of_one_code_apart),
        cmocka_unit_test(parse_knows_states_of_area_codes),
        cmocka_unit_test(parse_reads_whole_numbers_of_four_digits),
        cmocka_unit_test(parse_reads_numbers_that_no_plan_has_as_not_valid),
        cmocka_unit_test(parse_denies_emergency_and_short_numbers),
        cmocka_unit_test(parse_refuses_what_is_no_number),
        cmocka_unit_test(parse_says_what_is_missing),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
