/* What stands against dialling a number, and until when: sinks/telephony/guards.h (MORE-7). The
 * cases named TCPA are those of the compliance catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sinks/telephony/guards.h"
#include "sinks/telephony/guards_law.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NEW_YORK "+12125550100"
#define MIAMI "+13055550100"
#define ALABAMA "+12055550100"
#define KENTUCKY "+15025550100"
#define HONOLULU "+18085550100"
#define OKLAHOMA "+14055550100"
#define MARYLAND "+13015550100"
#define LONDON "+442079460000"
#define NOON "2026-03-03T17:00:00Z" /* a Tuesday, 12:00 in New York */

/* ---- a business that may call, and a callee that may be called ---- */

static const char *const COUNTRIES[] = {"US", "GB", "DE", "CA", "PR"};

struct world {
    struct tl_guard_rules rules;
    struct tl_guard_callee callee;
    struct tl_guard_call call;
    struct tl_guard_counters counters;
    struct tl_phone phone;
    struct tl_phone_local zones[TL_PHONE_ZONES_MAX];
    int64_t attempts[16];
    int64_t now;
    struct tl_guard_verdict verdict;
};

static int64_t at(const char *iso)
{
    struct tl_error err;
    int64_t ms;

    assert_int_equal(tl_time_parse_iso(iso, &ms, &err), TL_OK);
    return ms;
}

static void set_now(struct world *w, int64_t now)
{
    struct tl_phone_zone_set zones;
    struct tl_error err;

    w->now = now;
    tl_phone_zones(&w->phone, &zones);
    assert_int_equal(tl_phone_local_times(&zones, now, w->zones, &err), TL_OK);
    w->callee.zones = w->zones;
    w->callee.zones_n = zones.n;
}

static void set_number(struct world *w, const char *number)
{
    struct tl_error err;

    assert_int_equal(tl_phone_parse(number, NULL, &w->phone, &err), TL_OK);
    w->callee.phone = &w->phone;
    set_now(w, w->now);
}

static void set_hours(struct world *w, int from_min, int to_min)
{
    for (int i = 0; i < 7; i++)
        w->rules.hours[i][0] = (struct tl_guard_window){(int16_t)from_min, (int16_t)to_min};
}

static struct world good(const char *number, const char *now)
{
    struct world w = {
        .rules = {.business_id = "acme",
                  .countries = COUNTRIES,
                  .countries_n = TL_ARRAY_LEN(COUNTRIES),
                  .max_concurrent = 2,
                  .max_daily = 100,
                  .max_attempts = 5,
                  .attempts_window_ms = 2 * DAY},
        .callee = {.consent = {.kind = TL_GUARD_WRITTEN,
                               .business_id = "acme",
                               .given_at = at("2026-01-01T12:00:00Z"),
                               .has_evidence = true},
                   .lists = {.is_known = true}},
        .now = at(now),
    };

    set_hours(&w, 0, TL_LAW_DAY_MIN);
    set_number(&w, number);
    w.callee.zones = NULL; /* it moves: see decide */
    return w;
}

static enum tl_guard_reason decide(struct world *w)
{
    if (w->callee.zones_n)
        w->callee.zones = w->zones;
    w->callee.phone = &w->phone;
    bool is_allowed =
        tl_guards_decide(&w->rules, &w->callee, &w->call, &w->counters, w->now, &w->verdict);
    assert_int_equal(is_allowed, w->verdict.reason == TL_GUARD_ALLOWED);
    assert_true(strlen(w->verdict.sentence) > 10);
    assert_null(strchr(w->verdict.sentence, '%'));
    assert_null(strstr(w->verdict.sentence, w->phone.e164));
    if (is_allowed)
        assert_null(w->verdict.rule);
    return w->verdict.reason;
}

static void assert_blocked(struct world *w, enum tl_guard_reason reason, const char *rule,
                           int64_t retry_at)
{
    assert_string_equal(tl_guard_reason_name(decide(w)), tl_guard_reason_name(reason));
    if (rule)
        assert_string_equal(w->verdict.rule, rule);
    else
        assert_null(w->verdict.rule);
    if (w->verdict.retry_at != retry_at)
        fail_msg("retry %lld, not %lld (%+lld min)", (long long)w->verdict.retry_at,
                 (long long)retry_at, (long long)((w->verdict.retry_at - retry_at) / MINUTE));
}

static void assert_allowed(struct world *w)
{
    assert_string_equal(tl_guard_reason_name(decide(w)), "allowed");
    assert_true(w->verdict.retry_at == w->now);
}

/* ---- the whole ---- */

static void a_good_call_is_allowed(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    assert_allowed(&w);
}

static void zeroed_rules_allow_nothing(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.rules = (struct tl_guard_rules){.business_id = "acme"};
    assert_int_equal(decide(&w), TL_GUARD_COUNTRY);
    w.rules.countries = COUNTRIES;
    w.rules.countries_n = TL_ARRAY_LEN(COUNTRIES);
    assert_blocked(&w, TL_GUARD_HOURS, NULL, -1);
    set_hours(&w, 0, TL_LAW_DAY_MIN);
    assert_blocked(&w, TL_GUARD_ATTEMPTS, NULL, -1);
    w.rules.max_attempts = 1;
    assert_blocked(&w, TL_GUARD_DAILY, NULL, -1);
    w.rules.max_daily = 1;
    assert_blocked(&w, TL_GUARD_CONCURRENT, NULL, -1);
}

static void a_zeroed_callee_is_not_called(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.callee = (struct tl_guard_callee){0};
    assert_int_equal(decide(&w), TL_GUARD_LIST_UNAVAILABLE);
    w.callee.lists.is_known = true;
    assert_int_equal(decide(&w), TL_GUARD_CONSENT_MISSING);
    w.call.is_emergency = true;
    assert_int_equal(decide(&w), TL_GUARD_ZONE);
}

static void reasons_come_in_their_order(void **state)
{
    struct world w = good(NEW_YORK, "2026-03-03T08:00:00Z"); /* 03:00 */

    (void)state;
    w.counters = (struct tl_guard_counters){.concurrent = 9, .today = 999};
    w.callee.attempts = (struct tl_guard_attempts){w.attempts, 5};
    for (int i = 0; i < 5; i++)
        w.attempts[i] = w.now - 5 + i;
    w.callee.lists.own_since = w.now;
    assert_int_equal(decide(&w), TL_GUARD_LIST_OWN);
    w.callee.lists.own_since = 0;
    w.callee.consent.revoked_at = w.now;
    assert_int_equal(decide(&w), TL_GUARD_CONSENT_REVOKED);
    w.callee.consent.revoked_at = 0;
    assert_int_equal(decide(&w), TL_GUARD_HOURS);
    set_now(&w, at(NOON));
    for (int i = 0; i < 5; i++)
        w.attempts[i] = w.now - 5 + i;
    assert_int_equal(decide(&w), TL_GUARD_ATTEMPTS);
    w.callee.attempts.n = 0;
    assert_int_equal(decide(&w), TL_GUARD_DAILY);
    w.counters.today = 0;
    assert_int_equal(decide(&w), TL_GUARD_CONCURRENT);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < TL_GUARD_REASONS; i++) {
        assert_non_null(tl_guard_reason_name((enum tl_guard_reason)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(tl_guard_reason_name((enum tl_guard_reason)i),
                                    tl_guard_reason_name((enum tl_guard_reason)k));
    }
}

/* ---- numbers ---- */

static void premium_numbers_are_never_dialled(void **state)
{
    static const char *const NUMBERS[] = {"+19002345678", "+12129761234", "+499001234567",
                                          "+449061234567", "+19000550100" /* not even valid */};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(NUMBERS); i++) {
        struct world w = good(NUMBERS[i], NOON);
        w.call = (struct tl_guard_call){TL_GUARD_INFORMATION, .is_emergency = true};
        w.rules.kinds = UINT32_MAX; /* whatever the business says */
        assert_blocked(&w, TL_GUARD_PREMIUM, NULL, -1);
    }
}

static void costly_and_unknown_kinds_want_permission(void **state)
{
    static const enum tl_phone_kind KINDS[] = {
        TL_PHONE_SHARED_COST, TL_PHONE_SATELLITE, TL_PHONE_PERSONAL, TL_PHONE_UNKNOWN,
        TL_PHONE_PAGER,       TL_PHONE_COMPANY,   TL_PHONE_VOICEMAIL};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(KINDS); i++) {
        struct world w = good(NEW_YORK, NOON);
        w.phone.kind = KINDS[i];
        assert_blocked(&w, TL_GUARD_KIND, NULL, -1);
        assert_non_null(strstr(w.verdict.sentence, tl_phone_kind_name(KINDS[i])));
        w.rules.kinds = ~(1u << KINDS[i]);
        assert_blocked(&w, TL_GUARD_KIND, NULL, -1);
        w.rules.kinds = 1u << KINDS[i];
        assert_allowed(&w);
    }
}

static void plain_kinds_want_none(void **state)
{
    static const enum tl_phone_kind KINDS[] = {TL_PHONE_FIXED, TL_PHONE_MOBILE,
                                               TL_PHONE_FIXED_OR_MOBILE, TL_PHONE_TOLL_FREE,
                                               TL_PHONE_VOIP};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(KINDS); i++) {
        struct world w = good(NEW_YORK, NOON);
        w.phone.kind = KINDS[i];
        assert_allowed(&w);
    }
}

static void numbers_that_cannot_be_are_not_dialled(void **state)
{
    struct world w = good("+1235550123", NOON);
    struct tl_error err;

    (void)state;
    w.rules.kinds = UINT32_MAX;
    assert_blocked(&w, TL_GUARD_NUMBER, NULL, -1);
    assert_int_equal(tl_phone_parse("911", "US", &w.phone, &err), TL_DENIED);
    tl_guards_refuse_text(&err, &w.verdict);
    assert_string_equal(tl_guard_reason_name(w.verdict.reason), "number_not_valid");
    assert_true(w.verdict.retry_at == -1);
    assert_non_null(strstr(w.verdict.sentence, "Emergency"));
}

static void only_allowed_countries_are_dialled(void **state)
{
    static const char *const NUMBERS[] = {"+33123456789", "+18762345678" /* +1, but Jamaica */};
    struct world w;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(NUMBERS); i++) {
        w = good(NUMBERS[i], NOON);
        assert_blocked(&w, TL_GUARD_COUNTRY, NULL, -1);
    }
    assert_non_null(strstr(w.verdict.sentence, "JM (+1)"));
    w = good(LONDON, NOON);
    assert_allowed(&w);
}

static void networks_of_no_country_want_kind_and_country(void **state)
{
    static const char *const NONE[] = {"001"};
    struct world w = good("+881612345678", NOON);

    (void)state;
    assert_blocked(&w, TL_GUARD_KIND, NULL, -1);
    w.rules.kinds = 1u << TL_PHONE_SATELLITE;
    assert_blocked(&w, TL_GUARD_COUNTRY, NULL, -1);
    w.rules.countries = NONE;
    w.rules.countries_n = 1;
    assert_blocked(&w, TL_GUARD_ZONE, "TCPA-HRS-001", -1);
}

/* ---- TCPA-SCRUB-001 ---- */

static void lists_block_and_fail_closed(void **state)
{
    struct world w = good(LONDON, NOON);

    (void)state;
    w.callee.lists.is_known = false;
    assert_blocked(&w, TL_GUARD_LIST_UNAVAILABLE, "TCPA-SCRUB-001", w.now + MINUTE);
    w.callee.lists = (struct tl_guard_lists){.is_known = true, .own_since = w.now - MINUTE};
    assert_blocked(&w, TL_GUARD_LIST_OWN, "TCPA-SCRUB-001", -1);
    w.call.purpose = TL_GUARD_INFORMATION;
    w.call.is_emergency = true;
    assert_blocked(&w, TL_GUARD_LIST_OWN, "TCPA-SCRUB-001", -1);
}

static void a_later_written_consent_takes_a_number_off_the_list(void **state)
{
    struct world w = good(LONDON, NOON);

    (void)state;
    w.callee.lists.own_since = w.callee.consent.given_at - 1;
    assert_allowed(&w);
    w.callee.lists.own_since = w.callee.consent.given_at; /* not later */
    assert_int_equal(decide(&w), TL_GUARD_LIST_OWN);
    w.callee.lists.own_since = w.callee.consent.given_at - 1;
    w.callee.consent.kind = TL_GUARD_EXPRESS;
    assert_int_equal(decide(&w), TL_GUARD_LIST_OWN);
}

static void a_registry_blocks_sales_only(void **state)
{
    struct world w = good(LONDON, NOON);

    (void)state;
    w.callee.consent = (struct tl_guard_consent){0};
    w.callee.lists.is_on_registry = true;
    assert_blocked(&w, TL_GUARD_LIST_REGISTRY, "TCPA-SCRUB-001", -1);
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_allowed(&w);
    w.call.purpose = TL_GUARD_COLLECTIONS;
    assert_allowed(&w);
    w.call.purpose = TL_GUARD_SALES;
    w.callee.lists.has_relationship = true;
    assert_allowed(&w);
    w.callee.lists.has_relationship = false;
    w.callee.consent = good(LONDON, NOON).callee.consent; /* in writing, to this seller */
    assert_allowed(&w);
    w.callee.consent.business_id = "other";
    assert_int_equal(decide(&w), TL_GUARD_LIST_REGISTRY);
}

/* ---- TCPA-CONSENT-001 ---- */

static void sales_in_the_us_want_written_consent(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.callee.consent.kind = TL_GUARD_EXPRESS;
    assert_blocked(&w, TL_GUARD_CONSENT_KIND, "TCPA-CONSENT-001", -1);
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_allowed(&w);
    w.call.purpose = TL_GUARD_COLLECTIONS;
    assert_allowed(&w);
    w.callee.consent.kind = TL_GUARD_NO_CONSENT;
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
}

static void territories_are_the_us_too(void **state)
{
    struct world w = good("+17872345678", NOON);

    (void)state;
    assert_allowed(&w);
    w.callee.consent = (struct tl_guard_consent){0};
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
}

static void consent_is_to_this_business_in_force_and_proven(void **state)
{
    struct world w = good(NEW_YORK, NOON);
    const struct tl_guard_consent consent = w.callee.consent;

    (void)state;
    w.callee.consent.business_id = "other";
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
    w.callee.consent = consent;
    w.callee.consent.business_id = NULL;
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
    w.callee.consent = consent;
    w.callee.consent.given_at = w.now + 1;
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, "TCPA-CONSENT-001", -1);
    w.callee.consent = consent;
    w.callee.consent.has_evidence = false;
    assert_blocked(&w, TL_GUARD_CONSENT_EVIDENCE, "TCPA-CONSENT-001", -1);
    w.callee.consent = consent;
    w.callee.consent.revoked_at = w.now - DAY;
    assert_blocked(&w, TL_GUARD_CONSENT_REVOKED, "TCPA-CONSENT-001", -1);
    w.callee.consent.given_at = w.now - DAY + 1; /* given again */
    assert_allowed(&w);
}

static void a_call_asked_for_or_an_emergency_wants_no_consent(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.callee.consent = (struct tl_guard_consent){0};
    w.callee.callback_asked_at = w.now - HOUR;
    assert_allowed(&w);
    w.callee.callback_asked_at = w.now - HOUR - 1;
    assert_int_equal(decide(&w), TL_GUARD_CONSENT_MISSING);
    w.callee.callback_asked_at = w.now + 1;
    assert_int_equal(decide(&w), TL_GUARD_CONSENT_MISSING);
    w.callee.callback_asked_at = 0;
    w.call.is_emergency = true;
    assert_allowed(&w);
}

static void a_business_may_want_more_consent_than_the_law(void **state)
{
    struct world w = good(LONDON, NOON);

    (void)state;
    w.callee.consent.kind = TL_GUARD_NO_CONSENT;
    assert_allowed(&w);
    w.rules.consent = TL_GUARD_EXPRESS;
    assert_blocked(&w, TL_GUARD_CONSENT_MISSING, NULL, -1);
    w.callee.consent.kind = TL_GUARD_EXPRESS;
    assert_allowed(&w);
    w.rules.consent = TL_GUARD_WRITTEN;
    assert_blocked(&w, TL_GUARD_CONSENT_KIND, NULL, -1);
    set_number(&w, NEW_YORK);
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_blocked(&w, TL_GUARD_CONSENT_KIND, NULL, -1); /* the law would be content */
    w.call.purpose = TL_GUARD_SALES;
    assert_blocked(&w, TL_GUARD_CONSENT_KIND, "TCPA-CONSENT-001", -1);
}

/* ---- TCPA-HRS-001 ---- */

struct moment {
    const char *number, *utc;
    const char *open_at; /* NULL: it is open */
};

static void check_moments(const struct moment *moments, size_t n, enum tl_guard_purpose purpose,
                          const char *rule)
{
    for (size_t i = 0; i < n; i++) {
        struct world w = good(moments[i].number, moments[i].utc);
        w.call.purpose = purpose;
        decide(&w);
        print_message("%s %s: %s\n", moments[i].number, moments[i].utc, w.verdict.sentence);
        if (moments[i].open_at)
            assert_blocked(&w, TL_GUARD_HOURS, rule, at(moments[i].open_at));
        else
            assert_allowed(&w);
    }
}

static void law_keeps_its_hours_to_the_minute(void **state)
{
    static const struct moment MOMENTS[] = {
        {NEW_YORK, "2026-03-02T12:59:59.999Z", "2026-03-02T13:00:00Z"}, /* 07:59 */
        {NEW_YORK, "2026-03-02T13:00:00Z", NULL},                       /* 08:00 */
        {NEW_YORK, "2026-03-03T01:59:59.999Z", NULL},                   /* 20:59 */
        {NEW_YORK, "2026-03-03T02:00:00Z", "2026-03-03T13:00:00Z"},     /* 21:00 */
        {MIAMI, "2026-03-03T00:59:59.999Z", NULL},                      /* 19:59 */
        {MIAMI, "2026-03-03T01:00:00Z", "2026-03-03T13:00:00Z"},        /* Florida ends at 20:00 */
        {MIAMI, "2026-03-03T01:14:00Z", "2026-03-03T13:00:00Z"},
        {KENTUCKY, "2026-03-02T14:30:00Z", "2026-03-02T15:00:00Z"}, /* 09:30; starts at 10:00 */
        {KENTUCKY, "2026-03-02T15:00:00Z", NULL},
        {HONOLULU, "2026-03-02T17:30:00Z", "2026-03-02T18:00:00Z"}, /* 07:30, 12:30 Eastern */
        {HONOLULU, "2026-03-02T18:30:00Z", NULL},
        {ALABAMA, "2026-03-01T17:00:00Z", "2026-03-02T14:00:00Z"}, /* Sunday, 11:00 */
        {ALABAMA, "2026-03-02T05:59:00Z", "2026-03-02T14:00:00Z"}, /* Sunday still, 23:59 */
        {NEW_YORK, "2026-03-01T17:00:00Z", NULL},                  /* Sundays elsewhere */
        {LONDON, "2026-03-02T07:59:00Z", "2026-03-02T08:00:00Z"},
        {LONDON, "2026-03-02T20:59:00Z", NULL},
        {LONDON, "2026-03-02T21:00:00Z", "2026-03-03T08:00:00Z"},
    };

    (void)state;
    check_moments(MOMENTS, TL_ARRAY_LEN(MOMENTS), TL_GUARD_SALES, "TCPA-HRS-001");
    for (size_t i = 0; i < TL_ARRAY_LEN(MOMENTS); i++) { /* not of service calls */
        struct world w = good(MOMENTS[i].number, MOMENTS[i].utc);
        w.call.purpose = TL_GUARD_INFORMATION;
        assert_allowed(&w);
    }
}

static void every_minute_of_a_day_has_its_answer(void **state)
{
    static const struct {
        const char *number;
        int from_min, to_min;
    } STATES[] = {
        {ALABAMA, 480, 1200},        {"+18605550100", 540, 1200}, {MIAMI, 480, 1200},
        {KENTUCKY, 600, 1260},       {"+15045550100", 480, 1200}, {MARYLAND, 480, 1200},
        {"+16175550100", 480, 1200}, {"+13135550100", 540, 1260}, {"+16125550100", 540, 1260},
        {"+15055550100", 540, 1260}, {"+16015550100", 480, 1200}, {"+17025550100", 540, 1200},
        {OKLAHOMA, 480, 1260},       {NEW_YORK, 480, 1260}};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(STATES); i++) {
        struct world w = good(STATES[i].number, NOON);
        int64_t midnight = at("2026-03-03T00:00:00Z") - w.zones[0].offset_s * INT64_C(1000);
        for (int minute = 0; minute < TL_LAW_DAY_MIN; minute++) {
            set_now(&w, midnight + minute * MINUTE);
            bool is_open = minute >= STATES[i].from_min && minute < STATES[i].to_min;
            if ((decide(&w) == TL_GUARD_ALLOWED) != is_open)
                fail_msg("%s at minute %d", STATES[i].number, minute);
            int64_t open_at = midnight + STATES[i].from_min * MINUTE;
            if (minute >= STATES[i].to_min)
                open_at += DAY;
            if (!is_open)
                assert_true(w.verdict.retry_at == open_at);
        }
    }
}

static void sundays_and_holidays_close_some_states(void **state)
{
    static const char *const CLOSED[] = {ALABAMA, "+15045550100", "+16015550100"}; /* AL LA MS */
    const int32_t holidays[] = {(int32_t)(at("2026-03-03T00:00:00Z") / DAY)};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(CLOSED); i++) {
        struct world w = good(CLOSED[i], "2026-03-01T18:00:00Z");
        assert_int_equal(decide(&w), TL_GUARD_HOURS);
        set_now(&w, at(NOON));
        assert_allowed(&w);
        w.callee.holidays = holidays;
        w.callee.holidays_n = 1;
        if (i < 2)
            assert_blocked(&w, TL_GUARD_HOURS, "TCPA-HRS-001", at("2026-03-04T14:00:00Z"));
        else
            assert_allowed(&w);
    }
}

static void the_address_on_file_counts_too(void **state)
{
    struct world w = good(NEW_YORK, "2026-03-03T01:30:00Z"); /* 20:30 */
    struct tl_error err;

    (void)state;
    assert_allowed(&w);
    w.callee.address_state = "US-FL";
    assert_blocked(&w, TL_GUARD_HOURS, "TCPA-HRS-001", at("2026-03-03T13:00:00Z"));
    w.callee.address_state = "US-CA"; /* where it is 17:30 */
    assert_int_equal(tl_phone_local_time("America/Los_Angeles", w.now, &w.zones[1], &err), TL_OK);
    w.callee.zones_n = 2;
    assert_allowed(&w);
    set_now(&w, at("2026-03-03T13:30:00Z")); /* 08:30 and 05:30 */
    assert_int_equal(tl_phone_local_time("America/Los_Angeles", w.now, &w.zones[1], &err), TL_OK);
    w.callee.zones_n = 2;
    assert_blocked(&w, TL_GUARD_HOURS, "TCPA-HRS-001", at("2026-03-03T16:00:00Z"));
    assert_non_null(strstr(w.verdict.sentence,
                           "Tuesday 05:30 where the telephone rings (America/Los_Angeles)"));
}

static void a_us_number_of_no_state_keeps_the_strictest_hours(void **state)
{
    struct world w = good(NEW_YORK, "2026-03-02T14:59:00Z"); /* 09:59 */

    (void)state;
    w.phone.state[0] = '\0';
    assert_blocked(&w, TL_GUARD_HOURS, "TCPA-HRS-001", at("2026-03-02T15:00:00Z"));
    w.callee.address_state = "US-NY";
    assert_allowed(&w);
}

static void all_zones_of_a_number_must_be_open(void **state)
{
    static const struct moment MOMENTS[] = {
        {"+18502345678", "2026-03-02T13:30:00Z", "2026-03-02T14:00:00Z"}, /* 08:30 and 07:30 */
        {"+18502345678", "2026-03-02T14:00:00Z", NULL},
        {"+18502345678", "2026-03-03T00:59:00Z", NULL},                   /* 19:59 and 18:59 */
        {"+18502345678", "2026-03-03T01:00:00Z", "2026-03-03T14:00:00Z"}, /* 20:00 and 19:00 */
    };

    (void)state;
    check_moments(MOMENTS, TL_ARRAY_LEN(MOMENTS), TL_GUARD_SALES, "TCPA-HRS-001");
}

static void zones_that_are_never_open_together_never_open(void **state)
{
    struct world w = good("+18002345678", NOON); /* Guam to Newfoundland */

    (void)state;
    w.call.purpose = TL_GUARD_COLLECTIONS;
    assert_true(w.callee.zones_n > 20);
    assert_blocked(&w, TL_GUARD_HOURS, "TCPA-HRS-001", -1);
}

static void a_number_of_no_zone_is_not_called(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.callee.zones_n = 0;
    assert_blocked(&w, TL_GUARD_ZONE, "TCPA-HRS-001", -1);
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_blocked(&w, TL_GUARD_ZONE, NULL, -1);
}

static void clocks_that_change_move_the_hours(void **state)
{
    static const struct moment MOMENTS[] = {
        /* New York, 2026-03-08: 02:00 becomes 03:00 */
        {NEW_YORK, "2026-03-08T02:00:00Z",
         "2026-03-08T12:00:00Z"}, /* Saturday 21:00; opens 08:00 EDT */
        {NEW_YORK, "2026-03-08T11:59:00Z", "2026-03-08T12:00:00Z"},
        {NEW_YORK, "2026-03-08T12:00:00Z", NULL},
        {NEW_YORK, "2026-03-09T00:59:00Z", NULL},
        {NEW_YORK, "2026-03-09T01:00:00Z", "2026-03-09T12:00:00Z"},
        /* 2026-11-01: 02:00 becomes 01:00 */
        {NEW_YORK, "2026-11-01T01:00:00Z",
         "2026-11-01T13:00:00Z"}, /* Saturday 21:00; opens 08:00 EST */
        {NEW_YORK, "2026-11-01T12:59:00Z", "2026-11-01T13:00:00Z"},
        {NEW_YORK, "2026-11-01T13:00:00Z", NULL},
        /* London, 2026-03-29 and 2026-10-25 */
        {LONDON, "2026-03-28T21:00:00Z", "2026-03-29T07:00:00Z"},
        {LONDON, "2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"},
    };

    (void)state;
    check_moments(MOMENTS, TL_ARRAY_LEN(MOMENTS), TL_GUARD_SALES, "TCPA-HRS-001");
}

/* A business that calls at night, on the days when the clocks change. */
static void hours_that_are_left_out_or_come_twice(void **state)
{
    struct world w =
        good(NEW_YORK, "2026-03-08T06:59:00Z"); /* 01:59; 02:00 to 02:59 are left out */

    (void)state;
    w.call.purpose = TL_GUARD_INFORMATION;
    set_hours(&w, 2 * 60, 3 * 60);
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-09T06:00:00Z"));
    set_now(&w, at("2026-03-08T07:00:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-09T06:00:00Z"));
    set_hours(&w, 2 * 60 + 30, 3 * 60 + 30);
    set_now(&w, at("2026-03-08T06:59:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-08T07:00:00Z")); /* opens in the middle */
    set_now(&w, at("2026-03-08T07:00:00Z"));
    assert_allowed(&w);

    set_hours(&w, 60, 90); /* 01:00 to 01:30, twice */
    set_now(&w, at("2026-11-01T05:00:00Z"));
    assert_allowed(&w);
    set_now(&w, at("2026-11-01T05:30:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-11-01T06:00:00Z"));
    set_now(&w, at("2026-11-01T06:29:00Z"));
    assert_allowed(&w);
    set_now(&w, at("2026-11-01T06:30:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-11-02T06:00:00Z"));
}

/* ---- the business's own hours ---- */

static void a_business_keeps_its_own_hours(void **state)
{
    struct world w = good(LONDON, "2026-03-03T08:59:59.999Z"); /* a Tuesday */

    (void)state;
    set_hours(&w, 0, 0);
    w.rules.hours[1][0] = (struct tl_guard_window){14 * 60, 17 * 60}; /* windows in any order */
    w.rules.hours[1][1] = (struct tl_guard_window){9 * 60, 12 * 60};
    w.rules.hours[4][2] =
        (struct tl_guard_window){6 * 60, 10 * 60}; /* Friday, before the law's 08:00 */
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-03T09:00:00Z"));
    set_now(&w, at("2026-03-03T09:00:00Z"));
    assert_allowed(&w);
    set_now(&w, at("2026-03-03T11:59:59.999Z"));
    assert_allowed(&w);
    set_now(&w, at("2026-03-03T12:00:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-03T14:00:00Z"));
    assert_non_null(strstr(w.verdict.sentence, "Tuesday 12:00"));
    assert_non_null(strstr(w.verdict.sentence, "the business allows"));
    set_now(&w, at("2026-03-03T17:00:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-06T08:00:00Z"));
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-06T06:00:00Z"));
    set_now(&w, at("2026-03-06T10:00:00Z"));
    assert_blocked(&w, TL_GUARD_HOURS, NULL, at("2026-03-10T09:00:00Z")); /* next week */
}

static void a_day_without_end_goes_on(void **state)
{
    struct world w = good(LONDON, "2026-03-03T23:59:59.999Z");

    (void)state;
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_allowed(&w);
    set_now(&w, at("2026-03-04T00:00:00Z"));
    assert_allowed(&w);
}

/* ---- TCPA-FREQ-001 ---- */

static void set_attempts(struct world *w, struct tl_guard_attempts *attempts, size_t n,
                         int64_t first, int64_t step)
{
    for (size_t i = 0; i < n; i++)
        w->attempts[i] = first + (int64_t)i * step;
    *attempts = (struct tl_guard_attempts){w->attempts, n};
}

static void some_states_cap_attempts_of_a_day(void **state)
{
    static const char *const CAPPED[] = {MIAMI, OKLAHOMA, MARYLAND};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(CAPPED); i++) {
        struct world w = good(CAPPED[i], NOON);
        set_attempts(&w, &w.callee.subject_attempts, 2, w.now - 2 * HOUR, HOUR);
        assert_allowed(&w); /* the third */
        set_attempts(&w, &w.callee.subject_attempts, 3, w.now - 3 * HOUR, HOUR);
        assert_blocked(&w, TL_GUARD_ATTEMPTS, "TCPA-FREQ-001", w.now - 3 * HOUR + DAY);
        set_attempts(&w, &w.callee.subject_attempts, 3, w.now - DAY + 1, HOUR);
        assert_blocked(&w, TL_GUARD_ATTEMPTS, "TCPA-FREQ-001", w.now + 1);
        set_attempts(&w, &w.callee.subject_attempts, 3, w.now - DAY, HOUR); /* the oldest is out */
        assert_allowed(&w);
    }
    struct world w = good(NEW_YORK, NOON);
    set_attempts(&w, &w.callee.subject_attempts, 4, w.now - 4 * HOUR, HOUR);
    assert_allowed(&w);
    w.callee.address_state = "US-MD";
    assert_blocked(&w, TL_GUARD_ATTEMPTS, "TCPA-FREQ-001", w.now - 3 * HOUR + DAY);
}

static void a_callback_asked_for_is_not_counted(void **state)
{
    struct world w = good(MIAMI, NOON);

    (void)state;
    set_attempts(&w, &w.callee.subject_attempts, 3, w.now - 3 * HOUR, HOUR);
    w.callee.attempts = (struct tl_guard_attempts){w.attempts, 3};
    w.rules.max_attempts = 3;
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_int_equal(decide(&w), TL_GUARD_ATTEMPTS);
    w.callee.callback_asked_at = w.now - MINUTE;
    assert_allowed(&w);
    w.call.purpose = TL_GUARD_SALES; /* service only */
    assert_int_equal(decide(&w), TL_GUARD_ATTEMPTS);
}

static void debts_are_tried_seven_times_a_week(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.call.purpose = TL_GUARD_COLLECTIONS;
    set_attempts(&w, &w.callee.subject_attempts, 6, w.now - 6 * DAY, DAY);
    assert_allowed(&w); /* the seventh */
    set_attempts(&w, &w.callee.subject_attempts, 7, w.now - 7 * DAY + 1, HOUR);
    assert_blocked(&w, TL_GUARD_ATTEMPTS, "TCPA-FREQ-001", w.now + 1);
    w.call.purpose = TL_GUARD_SALES;
    assert_allowed(&w);
    w.call.purpose = TL_GUARD_COLLECTIONS;
    set_attempts(&w, &w.callee.subject_attempts, 7, w.now - 7 * DAY, HOUR);
    assert_allowed(&w);
    set_attempts(&w, &w.callee.subject_attempts, 7, w.now - HOUR * 7, HOUR);
    set_number(&w, LONDON); /* a rule of the US */
    assert_allowed(&w);
}

static void a_debt_talked_about_rests_for_a_week(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.call.purpose = TL_GUARD_COLLECTIONS;
    w.callee.talked_at = w.now - DAY;
    assert_blocked(&w, TL_GUARD_TALKED, "TCPA-FREQ-001", w.now + 6 * DAY);
    w.callee.talked_at = w.now - 7 * DAY + 1;
    assert_blocked(&w, TL_GUARD_TALKED, "TCPA-FREQ-001", w.now + 1);
    w.callee.talked_at = w.now - 7 * DAY;
    assert_allowed(&w);
    w.callee.talked_at = w.now - DAY;
    w.call.purpose = TL_GUARD_INFORMATION;
    assert_allowed(&w);
}

static void a_business_caps_attempts_in_its_window(void **state)
{
    struct world w = good(LONDON, NOON);

    (void)state;
    set_attempts(&w, &w.callee.attempts, 4, w.now - 4 * HOUR, HOUR);
    assert_allowed(&w); /* the fifth of five */
    set_attempts(&w, &w.callee.attempts, 5, w.now - 5 * HOUR, HOUR);
    assert_blocked(&w, TL_GUARD_ATTEMPTS, NULL, w.now - 5 * HOUR + 2 * DAY);
    set_attempts(&w, &w.callee.attempts, 7, w.now - 7 * HOUR,
                 HOUR); /* the cap was lowered meanwhile */
    assert_blocked(&w, TL_GUARD_ATTEMPTS, NULL, w.now - 5 * HOUR + 2 * DAY);
    set_attempts(&w, &w.callee.attempts, 5, w.now - 2 * DAY, HOUR);
    assert_allowed(&w);
}

/* ---- caps ---- */

static void caps_are_exact(void **state)
{
    struct world w = good(NEW_YORK, NOON);

    (void)state;
    w.counters =
        (struct tl_guard_counters){.concurrent = 1, .today = 99, .today_ends_at = w.now + HOUR};
    assert_allowed(&w);
    w.counters.concurrent = 2;
    assert_blocked(&w, TL_GUARD_CONCURRENT, NULL, w.now + 10000);
    w.counters.concurrent = 1;
    w.counters.today = 100;
    assert_blocked(&w, TL_GUARD_DAILY, NULL, w.now + HOUR);
}

static void laws_name_states_once_with_source_and_date(void **state)
{
    (void)state;
    for (size_t i = 0; i < tl_laws_n; i++) {
        const struct tl_law *law = &tl_laws[i];
        assert_true(strncmp(law->state, "US-", 3) == 0 && strlen(law->state) == 5);
        assert_true(law->from_min < law->to_min && law->to_min <= TL_LAW_DAY_MIN);
        assert_true(law->source[0] && strlen(law->checked) == 7);
        assert_true(i == 0 || strcmp(tl_laws[i - 1].state, law->state) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_call_is_allowed),
        cmocka_unit_test(zeroed_rules_allow_nothing),
        cmocka_unit_test(a_zeroed_callee_is_not_called),
        cmocka_unit_test(reasons_come_in_their_order),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(premium_numbers_are_never_dialled),
        cmocka_unit_test(costly_and_unknown_kinds_want_permission),
        cmocka_unit_test(plain_kinds_want_none),
        cmocka_unit_test(numbers_that_cannot_be_are_not_dialled),
        cmocka_unit_test(only_allowed_countries_are_dialled),
        cmocka_unit_test(networks_of_no_country_want_kind_and_country),
        cmocka_unit_test(lists_block_and_fail_closed),
        cmocka_unit_test(a_later_written_consent_takes_a_number_off_the_list),
        cmocka_unit_test(a_registry_blocks_sales_only),
        cmocka_unit_test(sales_in_the_us_want_written_consent),
        cmocka_unit_test(territories_are_the_us_too),
        cmocka_unit_test(consent_is_to_this_business_in_force_and_proven),
        cmocka_unit_test(a_call_asked_for_or_an_emergency_wants_no_consent),
        cmocka_unit_test(a_business_may_want_more_consent_than_the_law),
        cmocka_unit_test(law_keeps_its_hours_to_the_minute),
        cmocka_unit_test(every_minute_of_a_day_has_its_answer),
        cmocka_unit_test(sundays_and_holidays_close_some_states),
        cmocka_unit_test(the_address_on_file_counts_too),
        cmocka_unit_test(a_us_number_of_no_state_keeps_the_strictest_hours),
        cmocka_unit_test(all_zones_of_a_number_must_be_open),
        cmocka_unit_test(zones_that_are_never_open_together_never_open),
        cmocka_unit_test(a_number_of_no_zone_is_not_called),
        cmocka_unit_test(clocks_that_change_move_the_hours),
        cmocka_unit_test(hours_that_are_left_out_or_come_twice),
        cmocka_unit_test(a_business_keeps_its_own_hours),
        cmocka_unit_test(a_day_without_end_goes_on),
        cmocka_unit_test(some_states_cap_attempts_of_a_day),
        cmocka_unit_test(a_callback_asked_for_is_not_counted),
        cmocka_unit_test(debts_are_tried_seven_times_a_week),
        cmocka_unit_test(a_debt_talked_about_rests_for_a_week),
        cmocka_unit_test(a_business_caps_attempts_in_its_window),
        cmocka_unit_test(caps_are_exact),
        cmocka_unit_test(laws_name_states_once_with_source_and_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
