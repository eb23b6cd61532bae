/* Where a number may be, and what time it is there: lib/phone/zones.h (MORE-7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "phone/tables.h"
#include "phone/zones.h"

static struct tl_phone_zone_set zones_of(const char *number)
{
    struct tl_phone_zone_set zones;
    struct tl_phone phone;
    struct tl_error err;

    assert_int_equal(tl_phone_parse(number, NULL, &phone, &err), TL_OK);
    tl_phone_zones(&phone, &zones);
    return zones;
}

static bool has(const struct tl_phone_zone_set *zones, const char *name)
{
    for (size_t i = 0; i < zones->n; i++)
        if (strcmp(zones->names[i], name) == 0)
            return true;
    return false;
}

static void assert_only(const char *number, const char *name)
{
    struct tl_phone_zone_set zones = zones_of(number);

    assert_int_equal(zones.n, 1);
    assert_string_equal(zones.names[0], name);
}

static void zones_are_those_of_the_longest_prefix(void **state)
{
    (void)state;
    assert_only("+12125550100", "America/New_York");
    assert_only("+18085550100", "Pacific/Honolulu");
    assert_only("+442079460000", "Europe/London");
    assert_only("+4930123456", "Europe/Berlin");
    assert_only("+18762345678",
                "America/Jamaica"); /* a mobile number, with an area code of its own */
}

static void zones_of_an_area_code_are_all_that_it_has(void **state)
{
    struct tl_phone_zone_set zones =
        zones_of("+18502345678"); /* Florida's west, on both sides of the line */

    (void)state;
    assert_int_equal(zones.n, 2);
    assert_true(has(&zones, "America/New_York") && has(&zones, "America/Chicago"));
}

static void zones_of_numbers_without_a_place_are_the_countrys(void **state)
{
    struct tl_phone_zone_set free_of_charge = zones_of("+18002345678");
    struct tl_phone_zone_set mobile = zones_of("+79123456789");

    (void)state;
    assert_true(free_of_charge.n > 20);
    assert_true(has(&free_of_charge, "America/New_York") &&
                has(&free_of_charge, "Pacific/Honolulu"));
    assert_true(has(&mobile, "Europe/Moscow") && has(&mobile, "Asia/Vladivostok"));
}

static void zones_of_no_country_are_not_known(void **state)
{
    (void)state;
    assert_int_equal(zones_of("+870773123456").n, 0);
    assert_int_equal(zones_of("+80012345678").n, 0);
    assert_int_equal(zones_of("+12125550").n, 0); /* not valid */
}

static int64_t at(const char *iso)
{
    struct tl_error err;
    int64_t ms;

    assert_int_equal(tl_time_parse_iso(iso, &ms, &err), TL_OK);
    return ms;
}

static void check_local(const char *zone, const char *utc, const char *want)
{
    struct tl_phone_local local;
    struct tl_error err;
    char iso[TL_TIME_ISO_SIZE];

    assert_int_equal(tl_phone_local_time(zone, at(utc), &local, &err), TL_OK);
    assert_string_equal(local.zone, zone);
    tl_time_format_iso(at(utc) + (int64_t)local.offset_s * 1000,
                       iso); /* local time, written as UTC */
    assert_string_equal(iso, want);
    assert_int_equal(local.year, strtol(want, NULL, 10));
    assert_int_equal(local.month, (want[5] - '0') * 10 + want[6] - '0');
    assert_int_equal(local.day, (want[8] - '0') * 10 + want[9] - '0');
    assert_int_equal(local.hour, (want[11] - '0') * 10 + want[12] - '0');
    assert_int_equal(local.minute, (want[14] - '0') * 10 + want[15] - '0');
    assert_int_equal(local.second, (want[17] - '0') * 10 + want[18] - '0');
}

static void local_time_follows_the_zone(void **state)
{
    (void)state;
    check_local("America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59.000Z");
    check_local("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00.000Z");
    check_local("America/New_York", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59.000Z");
    check_local("America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00.000Z");
    check_local("Asia/Kathmandu", "2026-11-23T18:20:30Z", "2026-11-24T00:05:30.000Z");
    check_local("Pacific/Kiritimati", "2026-12-31T10:00:00Z", "2027-01-01T00:00:00.000Z");
    check_local("America/Mexico_City", "2026-07-01T12:00:00Z",
                "2026-07-01T06:00:00.000Z"); /* none since 2022 */
}

static void local_time_knows_the_day_of_the_week(void **state)
{
    struct tl_phone_local local;
    struct tl_error err;

    (void)state;
    assert_int_equal(
        tl_phone_local_time("Pacific/Honolulu", at("2026-03-02T09:59:00Z"), &local, &err), TL_OK);
    assert_int_equal(local.weekday, 6); /* Sunday still */
    assert_int_equal(tl_phone_local_time("Europe/London", at("2026-03-02T00:00:00Z"), &local, &err),
                     TL_OK);
    assert_int_equal(local.weekday, 0);
}

static void local_time_says_until_when_it_holds(void **state)
{
    struct tl_phone_local local;
    struct tl_error err;

    (void)state;
    assert_int_equal(
        tl_phone_local_time("America/New_York", at("2026-03-01T00:00:00Z"), &local, &err), TL_OK);
    assert_int_equal(local.offset_s, -5 * 3600);
    assert_true(local.change_at == at("2026-03-08T07:00:00Z"));
    assert_int_equal(local.next_offset_s, -4 * 3600);
    assert_int_equal(
        tl_phone_local_time("Europe/London", at("2026-10-25T00:59:59.999Z"), &local, &err), TL_OK);
    assert_true(local.change_at == at("2026-10-25T01:00:00Z"));
    assert_int_equal(local.next_offset_s, 0);
    assert_int_equal(tl_phone_local_time("Europe/London", local.change_at, &local, &err), TL_OK);
    assert_int_equal(local.offset_s, 0);
    assert_true(local.change_at == at("2027-03-28T01:00:00Z"));
    assert_int_equal(
        tl_phone_local_time("Pacific/Honolulu", at("2026-03-01T00:00:00Z"), &local, &err), TL_OK);
    assert_true(local.change_at == INT64_MAX);
    assert_int_equal(local.next_offset_s, local.offset_s);
}

static void local_time_refuses_what_is_no_zone(void **state)
{
    static const char *const NAMES[] = {
        "",
        "Mars/Olympus",
        "/etc/passwd",
        "/usr/share/zoneinfo/Europe/London",
        "Europe////////////////////////////////////////////////////////London",
        "../../../etc/passwd",
        "America/../Europe/London",
        "libc:localtime",
        "America/New York",
        "America",
        "zone.tab",
        "A/very/long/name/A/very/long/name/A/very/long/name/A/very/long/name"};
    struct tl_phone_local local = {.year = -1};
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(NAMES); i++)
        assert_int_equal(tl_phone_local_time(NAMES[i], 0, &local, &err), TL_NOT_FOUND);
    assert_int_equal(tl_phone_local_time("Europe/London", -1, &local, &err), TL_INVALID);
    assert_int_equal(tl_phone_local_time("Europe/London", INT64_MAX, &local, &err), TL_INVALID);
    assert_int_equal(local.year, -1);
}

/* The tables come from one package and the zones' files from another. */
static void every_zone_of_the_tables_has_a_time(void **state)
{
    struct tl_phone_local locals[TL_PHONE_ZONES_MAX];
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < tl_phone_zone_rows_n; i++) {
        const struct tl_phone_zone_row *row = &tl_phone_zone_rows[i];
        const struct tl_phone_zone_set zones = {&tl_phone_zone_names[row->first], row->n};
        assert_true(i == 0 || row->prefix > row[-1].prefix);
        assert_true(row->n > 0 && row->n <= TL_PHONE_ZONES_MAX);
        if (tl_phone_local_times(&zones, at("2026-11-23T12:00:00Z"), locals, &err) != TL_OK)
            fail_msg("prefix %u: %s", row->prefix, err.msg);
        for (size_t k = 0; k < zones.n; k++)
            assert_string_equal(locals[k].zone, zones.names[k]);
    }
}

static void area_codes_have_their_state_in_order(void **state)
{
    (void)state;
    assert_true(tl_phone_state_rows_n > 300);
    for (size_t i = 1; i < tl_phone_state_rows_n; i++)
        assert_true(tl_phone_state_rows[i].prefix > tl_phone_state_rows[i - 1].prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_those_of_the_longest_prefix),
        cmocka_unit_test(zones_of_an_area_code_are_all_that_it_has),
        cmocka_unit_test(zones_of_numbers_without_a_place_are_the_countrys),
        cmocka_unit_test(zones_of_no_country_are_not_known),
        cmocka_unit_test(local_time_follows_the_zone),
        cmocka_unit_test(local_time_knows_the_day_of_the_week),
        cmocka_unit_test(local_time_says_until_when_it_holds),
        cmocka_unit_test(local_time_refuses_what_is_no_zone),
        cmocka_unit_test(every_zone_of_the_tables_has_a_time),
        cmocka_unit_test(area_codes_have_their_state_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
