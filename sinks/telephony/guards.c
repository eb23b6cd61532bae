/* Whether a number may be dialled now: see guards.h. */
#include "sinks/telephony/guards.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sinks/telephony/guards_law.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define DAY_S 86400
#define LIST_RETRY_MS MINUTE_MS        /* a list that could not be asked */
#define BUSY_RETRY_MS (10 * SECOND_MS) /* a line may be free by then; nothing says when */
#define LOOK_AHEAD_MS (15 * DAY_MS)    /* for the next open hour: a week with a holiday, twice */
#define DEBT_MS (7 * DAY_MS)           /* 12 CFR 1006.14(b)(2) */
#define DEBT_ATTEMPTS 7
#define CALLBACK_MS HOUR_MS /* so long a wish to be called back stands for consent */
#define PLAIN_KINDS                                                                                \
    (1u << TL_PHONE_FIXED | 1u << TL_PHONE_MOBILE | 1u << TL_PHONE_FIXED_OR_MOBILE |               \
     1u << TL_PHONE_TOLL_FREE | 1u << TL_PHONE_VOIP)

static const char HOURS_RULE[] = "TCPA-HRS-001";
static const char CONSENT_RULE[] = "TCPA-CONSENT-001";
static const char LIST_RULE[] = "TCPA-SCRUB-001";
static const char ATTEMPTS_RULE[] = "TCPA-FREQ-001";

static const char *const REASONS[TL_GUARD_REASONS] = {
    [TL_GUARD_ALLOWED] = "allowed",
    [TL_GUARD_PREMIUM] = "premium_number",
    [TL_GUARD_NUMBER] = "number_not_valid",
    [TL_GUARD_KIND] = "kind_not_allowed",
    [TL_GUARD_COUNTRY] = "country_not_allowed",
    [TL_GUARD_LIST_UNAVAILABLE] = "do_not_call_unavailable",
    [TL_GUARD_LIST_OWN] = "do_not_call",
    [TL_GUARD_LIST_REGISTRY] = "do_not_call_registry",
    [TL_GUARD_CONSENT_MISSING] = "consent_missing",
    [TL_GUARD_CONSENT_REVOKED] = "consent_revoked",
    [TL_GUARD_CONSENT_EVIDENCE] = "consent_without_evidence",
    [TL_GUARD_CONSENT_KIND] = "consent_not_written",
    [TL_GUARD_ZONE] = "time_zone_unknown",
    [TL_GUARD_HOURS] = "outside_hours",
    [TL_GUARD_TALKED] = "talked_recently",
    [TL_GUARD_ATTEMPTS] = "too_many_attempts",
    [TL_GUARD_DAILY] = "daily_cap",
    [TL_GUARD_CONCURRENT] = "concurrent_cap"};

const char *tl_guard_reason_name(enum tl_guard_reason reason)
{
    return REASONS[reason];
}

/* All that is looked at, for the checks below. */
struct question {
    const struct tl_guard_rules *rules;
    const struct tl_guard_callee *callee;
    const struct tl_guard_call *call;
    const struct tl_guard_counters *counters;
    int64_t now;
    const char *states[2]; /* of the number, of the address on file */
    struct tl_guard_verdict *verdict;
};

/* Returns false, so that a check that blocks is one statement. */
TL_PRINTF(5, 6)
static bool block(const struct question *q, enum tl_guard_reason reason, const char *rule,
                  int64_t retry_at, const char *fmt, ...)
{
    va_list args;

    q->verdict->reason = reason;
    q->verdict->rule = rule;
    q->verdict->retry_at = retry_at;
    va_start(args, fmt);
    (void)vsnprintf(q->verdict->sentence, sizeof(q->verdict->sentence), fmt,
                    args); /* cut, if need be */
    va_end(args);
    return false;
}

/* ---- the number ---- */

static bool check_number(const struct question *q)
{
    const struct tl_phone *phone = q->callee->phone;

    if (phone->kind == TL_PHONE_PREMIUM)
        return block(q, TL_GUARD_PREMIUM, NULL, -1, "Premium-rate numbers are never dialled.");
    if (!phone->is_valid)
        return block(q, TL_GUARD_NUMBER, NULL, -1, "There can be no such telephone number.");
    if (!((PLAIN_KINDS | q->rules->kinds) & 1u << phone->kind))
        return block(q, TL_GUARD_KIND, NULL, -1,
                     "Numbers of the kind %s are not dialled unless the business allows that kind.",
                     tl_phone_kind_name(phone->kind));
    for (size_t i = 0; i < q->rules->countries_n; i++)
        if (strcmp(q->rules->countries[i], phone->region) == 0)
            return true;
    return block(q, TL_GUARD_COUNTRY, NULL, -1, "The business does not allow calls to %s (+%d).",
                 phone->region, phone->country_code);
}

/* ---- consent and lists ---- */

/* What is wrong with it, of a consent that has to be of this kind. */
static enum tl_guard_reason judge_consent(const struct question *q,
                                          enum tl_guard_consent_kind wanted)
{
    const struct tl_guard_consent *consent = &q->callee->consent;

    if (consent->kind == TL_GUARD_NO_CONSENT || !consent->business_id ||
        strcmp(consent->business_id, q->rules->business_id) != 0 || consent->given_at > q->now)
        return TL_GUARD_CONSENT_MISSING;
    if (consent->revoked_at && consent->revoked_at >= consent->given_at)
        return TL_GUARD_CONSENT_REVOKED;
    if (!consent->has_evidence)
        return TL_GUARD_CONSENT_EVIDENCE;
    if (consent->kind < wanted)
        return TL_GUARD_CONSENT_KIND;
    return TL_GUARD_ALLOWED;
}

static bool has_written_consent(const struct question *q)
{
    return judge_consent(q, TL_GUARD_WRITTEN) == TL_GUARD_ALLOWED;
}

static bool check_lists(const struct question *q)
{
    const struct tl_guard_lists *lists = &q->callee->lists;

    if (!lists->is_known)
        return block(q, TL_GUARD_LIST_UNAVAILABLE, LIST_RULE, q->now + LIST_RETRY_MS,
                     "The do-not-call lists cannot be asked at the moment.");
    if (lists->own_since &&
        !(has_written_consent(q) && q->callee->consent.given_at > lists->own_since))
        return block(q, TL_GUARD_LIST_OWN, LIST_RULE, -1,
                     "The number is on the do-not-call list of the business.");
    if (q->call->purpose == TL_GUARD_SALES && lists->is_on_registry && !lists->has_relationship &&
        !has_written_consent(q))
        return block(
            q, TL_GUARD_LIST_REGISTRY, LIST_RULE, -1,
            "The number is on a national do-not-call registry, and there is no written consent.");
    return true;
}

static enum tl_guard_consent_kind law_consent(const struct question *q)
{
    if (!tl_law_is_us(q->callee->phone->region))
        return TL_GUARD_NO_CONSENT;
    return q->call->purpose == TL_GUARD_SALES ? TL_GUARD_WRITTEN : TL_GUARD_EXPRESS;
}

static bool is_callback(const struct question *q)
{
    int64_t asked_at = q->callee->callback_asked_at;

    return asked_at && asked_at <= q->now && q->now - asked_at <= CALLBACK_MS;
}

static bool check_consent(const struct question *q)
{
    enum tl_guard_consent_kind law = law_consent(q);
    enum tl_guard_consent_kind wanted = law > q->rules->consent ? law : q->rules->consent;
    const char *rule = law ? CONSENT_RULE : NULL;

    if (wanted == TL_GUARD_NO_CONSENT || q->call->is_emergency || is_callback(q))
        return true;
    enum tl_guard_reason reason = judge_consent(q, wanted);
    switch (reason) {
    case TL_GUARD_ALLOWED:
        return true;
    case TL_GUARD_CONSENT_REVOKED:
        return block(q, reason, rule, -1, "The consent to be called was revoked.");
    case TL_GUARD_CONSENT_EVIDENCE:
        return block(q, reason, rule, -1,
                     "The consent on file does not say when, how and in which words.");
    case TL_GUARD_CONSENT_KIND:
        /* only the business's own rule wants that much */
        return block(q, reason, wanted > law ? NULL : rule, -1,
                     "The consent on file is not in writing, which this call needs.");
    default:
        return block(q, reason, rule, -1,
                     "No consent to calls of this business is on file for the number.");
    }
}

/* ---- hours ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int weekday_of(int64_t day)
{
    return (int)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static bool is_law_wanted(const struct question *q)
{
    return q->call->purpose != TL_GUARD_INFORMATION;
}

static bool is_holiday(const struct question *q, int64_t day)
{
    for (size_t i = 0; i < q->callee->holidays_n; i++)
        if (q->callee->holidays[i] == day)
            return true;
    return false;
}

/* What the law leaves of a window on a local day. */
static struct tl_guard_window narrow(const struct question *q, int64_t day,
                                     struct tl_guard_window window)
{
    int from, to;

    if (!is_law_wanted(q))
        return window;
    if (!tl_law_hours(q->callee->phone->region, q->states, TL_ARRAY_LEN(q->states), weekday_of(day),
                      is_holiday(q, day), &from, &to))
        return (struct tl_guard_window){0, 0};
    if (window.from_min < from)
        window.from_min = (int16_t)from;
    if (window.to_min > to)
        window.to_min = (int16_t)to;
    return window;
}

/* The first instant of [from, to) at which a zone is open whose clocks are so far from UTC; -1:
 * none. */
static int64_t open_within(const struct question *q, int32_t offset_s, int64_t from, int64_t to)
{
    int64_t offset_ms = offset_s * SECOND_MS, best = -1;
    int64_t last = floor_div(to - 1 + offset_ms, DAY_MS);

    for (int64_t day = floor_div(from + offset_ms, DAY_MS); day <= last && best < 0; day++)
        for (size_t i = 0; i < TL_GUARD_WINDOWS; i++) {
            struct tl_guard_window window = narrow(q, day, q->rules->hours[weekday_of(day)][i]);
            int64_t begin = day * DAY_MS + window.from_min * MINUTE_MS - offset_ms;
            int64_t end = day * DAY_MS + window.to_min * MINUTE_MS - offset_ms;
            int64_t at = begin > from ? begin : from;
            if (at < end && at < to && (best < 0 || at < best))
                best = at;
        }
    return best;
}

/* The first instant from `from` on at which it is open in this zone; -1: none that can be foreseen.
 * Before and behind a change of the clocks are two stretches of time: an hour that is left out is
 * never found, and one that comes twice is found twice. */
static int64_t next_open(const struct question *q, const struct tl_phone_local *zone, int64_t from)
{
    int64_t until = q->now + LOOK_AHEAD_MS;
    int64_t change = zone->change_at < until ? zone->change_at : until;
    int64_t at = -1;

    if (from < change)
        at = open_within(q, zone->offset_s, from, change);
    if (at < 0 && change < until)
        at = open_within(q, zone->next_offset_s, from > change ? from : change, until);
    return at;
}

/* The first instant at which all zones are open. Each step goes to the beginning of a window: they
 * are few. */
static int64_t next_open_everywhere(const struct question *q)
{
    int64_t at = q->now;

    for (size_t settled = 0, i = 0; settled < q->callee->zones_n;
         i = (i + 1) % q->callee->zones_n) {
        int64_t next = next_open(q, &q->callee->zones[i], at);
        if (next < 0)
            return -1;
        settled = next > at ? 1 : settled + 1;
        at = next;
    }
    return at;
}

/* Whether it is the law that closes the zone, whatever the business's hours are. */
static bool is_closed_by_law(const struct question *q, const struct tl_phone_local *zone)
{
    int64_t local = q->now + zone->offset_s * SECOND_MS;
    int64_t day = floor_div(local, DAY_MS);
    int64_t into = local - day * DAY_MS;
    struct tl_guard_window window = narrow(q, day, (struct tl_guard_window){0, TL_LAW_DAY_MIN});

    return into < window.from_min * MINUTE_MS || into >= window.to_min * MINUTE_MS;
}

static bool block_hours(const struct question *q, const struct tl_phone_local *zone)
{
    static const char *const DAYS[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    int64_t local = floor_div(q->now + zone->offset_s * SECOND_MS, MINUTE_MS);
    int64_t day = floor_div(local, TL_LAW_DAY_MIN);
    int minute = (int)(local - day * TL_LAW_DAY_MIN);
    bool is_law = is_closed_by_law(q, zone);

    return block(
        q, TL_GUARD_HOURS, is_law ? HOURS_RULE : NULL, next_open_everywhere(q),
        "It may be %s %02d:%02d where the telephone rings (%s), outside the hours that %s allows.",
        DAYS[weekday_of(day)], minute / 60, minute % 60, zone->zone,
        is_law ? "the law" : "the business");
}

static bool check_hours(const struct question *q)
{
    const struct tl_phone_local *closed = NULL;

    if (q->callee->zones_n == 0)
        return block(q, TL_GUARD_ZONE, is_law_wanted(q) ? HOURS_RULE : NULL, -1,
                     "It is not known what time it is where the telephone rings.");
    for (size_t i = 0; i < q->callee->zones_n; i++) {
        const struct tl_phone_local *zone = &q->callee->zones[i];
        if (next_open(q, zone, q->now) == q->now)
            continue;
        if (!closed || (is_closed_by_law(q, zone) && !is_closed_by_law(q, closed)))
            closed = zone; /* one that the law closes is the better reason */
    }
    return closed ? block_hours(q, closed) : true;
}

/* ---- frequency ---- */

/* Room for one more within the window: now; else when the oldest that is too many falls out of it.
 */
static int64_t next_attempt(const struct tl_guard_attempts *attempts, int64_t window_ms,
                            int64_t cap, int64_t now)
{
    if ((int64_t)attempts->n < cap)
        return now;
    int64_t at = attempts->at[attempts->n - (size_t)cap] + window_ms;
    return at > now ? at : now;
}

static bool check_subject(const struct question *q)
{
    const struct tl_guard_callee *callee = q->callee;
    int cap = tl_law_attempts(callee->phone->region, q->states, TL_ARRAY_LEN(q->states));
    int64_t at;

    if (cap && (at = next_attempt(&callee->subject_attempts, DAY_MS, cap, q->now)) > q->now)
        return block(q, TL_GUARD_ATTEMPTS, ATTEMPTS_RULE, at,
                     "This was tried %d times within 24 hours, which is the most that the law of "
                     "the place allows.",
                     cap);
    if (q->call->purpose != TL_GUARD_COLLECTIONS || !tl_law_is_us(callee->phone->region))
        return true;
    if (callee->talked_at && callee->talked_at + DEBT_MS > q->now)
        return block(q, TL_GUARD_TALKED, ATTEMPTS_RULE, callee->talked_at + DEBT_MS,
                     "The debt was talked about less than seven days ago.");
    at = next_attempt(&callee->subject_attempts, DEBT_MS, DEBT_ATTEMPTS, q->now);
    if (at > q->now)
        return block(q, TL_GUARD_ATTEMPTS, ATTEMPTS_RULE, at,
                     "There were %d attempts about the debt within seven days.", DEBT_ATTEMPTS);
    return true;
}

static bool check_attempts(const struct question *q)
{
    const struct tl_guard_rules *rules = q->rules;

    if (q->call->purpose == TL_GUARD_INFORMATION && is_callback(q))
        return true; /* asked for: not counted */
    if (!check_subject(q))
        return false;
    if (rules->max_attempts <= 0)
        return block(q, TL_GUARD_ATTEMPTS, NULL, -1, "The business allows no attempts.");
    int64_t at =
        next_attempt(&q->callee->attempts, rules->attempts_window_ms, rules->max_attempts, q->now);
    if (at > q->now)
        return block(
            q, TL_GUARD_ATTEMPTS, NULL, at,
            "The number was tried %d times lately, which is the most that the business allows.",
            rules->max_attempts);
    return true;
}

/* ---- caps ---- */

static bool check_caps(const struct question *q)
{
    const struct tl_guard_rules *rules = q->rules;
    const struct tl_guard_counters *counters = q->counters;

    if (counters->today >= rules->max_daily)
        return block(q, TL_GUARD_DAILY, NULL, rules->max_daily > 0 ? counters->today_ends_at : -1,
                     "The business has placed %d calls today, of %d that it allows.",
                     counters->today, rules->max_daily);
    if (counters->concurrent >= rules->max_concurrent)
        return block(q, TL_GUARD_CONCURRENT, NULL,
                     rules->max_concurrent > 0 ? q->now + BUSY_RETRY_MS : -1,
                     "The business has %d outbound calls under way, of %d that it allows.",
                     counters->concurrent, rules->max_concurrent);
    return true;
}

bool tl_guards_decide(const struct tl_guard_rules *rules, const struct tl_guard_callee *callee,
                      const struct tl_guard_call *call, const struct tl_guard_counters *counters,
                      int64_t now, struct tl_guard_verdict *ret_verdict)
{
    const struct question q = {.rules = rules,
                               .callee = callee,
                               .call = call,
                               .counters = counters,
                               .now = now,
                               .states = {callee->phone->state, callee->address_state},
                               .verdict = ret_verdict};

    *ret_verdict = (struct tl_guard_verdict){.retry_at = now, .sentence = "The call is allowed."};
    return check_number(&q) && check_lists(&q) && check_consent(&q) && check_hours(&q) &&
           check_attempts(&q) && check_caps(&q);
}

void tl_guards_refuse_text(const struct tl_error *why, struct tl_guard_verdict *ret_verdict)
{
    *ret_verdict = (struct tl_guard_verdict){.reason = TL_GUARD_NUMBER, .retry_at = -1};
    (void)snprintf(ret_verdict->sentence, sizeof(ret_verdict->sentence), "%s",
                   why->status == TL_DENIED ? "Emergency and other short numbers are never dialled."
                                            : "This is no telephone number.");
}
