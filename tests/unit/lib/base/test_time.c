/* time.h: text both ways, and days that do not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"

/* Made with Python's datetime. */
static const struct {
    int64_t ms;
    const char *iso, *mail;
} vectors[] = {
    {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
    {-1000, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
    {951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000"},
    {1795442400000, "2026-11-23T14:00:00.000Z", "Mon, 23 Nov 2026 14:00:00 +0000"},
    {4107542399000, "2100-02-28T23:59:59.000Z", "Sun, 28 Feb 2100 23:59:59 +0000"},
    {4107542400000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 +0000"},
    {253402300799000, "9999-12-31T23:59:59.000Z", "Fri, 31 Dec 9999 23:59:59 +0000"},
};

static void both_formats_go_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(vectors); i++) {
        char iso[TL_TIME_ISO_SIZE], mail[TL_TIME_RFC2822_SIZE];
        int64_t ms;
        struct tl_error err;
        tl_time_format_iso(vectors[i].ms, iso);
        assert_string_equal(iso, vectors[i].iso);
        tl_time_format_rfc2822(vectors[i].ms, mail);
        assert_string_equal(mail, vectors[i].mail);
        assert_int_equal(tl_time_parse_iso(iso, &ms, &err), TL_OK);
        assert_int_equal(ms, vectors[i].ms);
        assert_int_equal(tl_time_parse_rfc2822(mail, &ms, &err), TL_OK);
        assert_int_equal(ms, vectors[i].ms);
    }
}

static void every_day_of_four_centuries_comes_back(void **state)
{
    (void)state;
    for (int64_t day = -36525; day < 146097 - 36525; day++) {
        char text[TL_TIME_ISO_SIZE], mail[TL_TIME_RFC2822_SIZE];
        int64_t at = day * 86400000 + 43200123, ms;
        struct tl_error err;
        tl_time_format_iso(at, text);
        assert_int_equal(tl_time_parse_iso(text, &ms, &err), TL_OK);
        assert_int_equal(ms, at);
        tl_time_format_rfc2822(at, mail);
        assert_int_equal(tl_time_parse_rfc2822(mail, &ms, &err), TL_OK);
        assert_int_equal(ms, at - 123);
    }
}

static void iso_takes_fractions_and_offsets(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"2026-11-23T14:00:00Z", 1795442400000},
        {"2026-11-23T14:00:00.5Z", 1795442400500},
        {"2026-11-23T14:00:00.123999999Z", 1795442400123},
        {"2026-11-23T15:30:00.000+01:30", 1795442400000},
        {"2026-11-23T06:00:00-08:00", 1795442400000},
        {"2026-11-23T13:59:60Z", 1795442400000},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        int64_t ms;
        struct tl_error err;
        assert_int_equal(tl_time_parse_iso(cases[i].text, &ms, &err), TL_OK);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void iso_refuses_what_does_not_exist(void **state)
{
    static const char *const wrong[] = {
        "",
        "2026-11-23",
        "2026-11-23T14:00:00",
        "2026-11-23 14:00:00Z",
        "2026-11-23t14:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Zx",
        "+026-01-01T00:00:00Z",
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++) {
        int64_t ms;
        struct tl_error err;
        if (tl_time_parse_iso(wrong[i], &ms, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void rfc2822_takes_offsets_zones_and_no_weekday(void **state)
{
    static const char *const same[] = {
        "Mon, 23 Nov 2026 14:00:00 GMT",
        "23 Nov 2026 14:00:00 UT",
        "Mon, 23 Nov 2026 06:00:00 -0800",
        "Mon, 23 Nov 2026 19:30:00 +0530",
    };
    int64_t ms;
    struct tl_error err;
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(same); i++) {
        assert_int_equal(tl_time_parse_rfc2822(same[i], &ms, &err), TL_OK);
        assert_int_equal(ms, 1795442400000);
    }
    assert_int_equal(tl_time_parse_rfc2822("Sun, 1 Nov 2026 14:00:00 +0000", &ms, &err), TL_OK);
    assert_int_equal(ms, 1795442400000 - INT64_C(22) * 86400000);
}

static void rfc2822_refuses_other_shapes(void **state)
{
    static const char *const wrong[] = {
        "",
        "Tue, 23 Nov 2026 14:00:00 +0000",
        "Mon 23 Nov 2026 14:00:00 +0000",
        "Mon, 31 Nov 2026 14:00:00 +0000",
        "Mon, 23 nov 2026 14:00:00 +0000",
        "Mon, 23 Nov 26 14:00:00 +0000",
        "Mon, 23 Nov 2026 14:00 +0000",
        "Mon, 23 Nov 2026 14:00:00",
        "Mon, 23 Nov 2026 14:00:00 EST",
        "Mon, 23 Nov 2026 14:00:00 +00:00",
        "Mon, 23 Nov 2026 14:00:00 +0000 ",
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++) {
        int64_t ms;
        struct tl_error err;
        if (tl_time_parse_rfc2822(wrong[i], &ms, &err) != TL_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void formats_keep_to_four_digit_years(void **state)
{
    char iso[TL_TIME_ISO_SIZE], mail[TL_TIME_RFC2822_SIZE];
    (void)state;
    tl_time_format_iso(INT64_MIN, iso);
    assert_string_equal(iso, "0000-01-01T00:00:00.000Z");
    tl_time_format_iso(INT64_MAX, iso);
    assert_string_equal(iso, "9999-12-31T23:59:59.999Z");
    tl_time_format_rfc2822(INT64_MAX, mail);
    assert_string_equal(mail, "Fri, 31 Dec 9999 23:59:59 +0000");
}

static void clocks_move_forward(void **state)
{
    int64_t first = tl_mono_us();
    (void)state;
    assert_true(tl_mono_us() >= first);
    assert_true(tl_mono_ms() >= first / 1000);
    assert_true(tl_now_ms() > INT64_C(1600000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_go_there_and_back),
        cmocka_unit_test(every_day_of_four_centuries_comes_back),
        cmocka_unit_test(iso_takes_fractions_and_offsets),
        cmocka_unit_test(iso_refuses_what_does_not_exist),
        cmocka_unit_test(rfc2822_takes_offsets_zones_and_no_weekday),
        cmocka_unit_test(rfc2822_refuses_other_shapes),
        cmocka_unit_test(formats_keep_to_four_digit_years),
        cmocka_unit_test(clocks_move_forward),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
