/* Times as text: see time.h. Days by Howard Hinnant's "chrono-Compatible Low-Level Date
 * Algorithms", so that neither a locale nor TZ has a say. */
#include "base/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

static const char day_names[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second, ms;
    int offset_minutes; /* east of UTC */
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_ms(int64_t at_ms)
{
    int64_t days = at_ms / DAY_MS, rest = at_ms % DAY_MS;

    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    struct civil c = {.month = (int)(m < 10 ? m + 3 : m - 9),
                      .day = (int)(day_of_year - (153 * m + 2) / 5 + 1),
                      .hour = (int)(rest / 3600000),
                      .minute = (int)(rest / 60000 % 60),
                      .second = (int)(rest / 1000 % 60),
                      .ms = (int)(rest % 1000)};
    c.year = year_of_era + era * 400 + (c.month <= 2);
    return c;
}

static bool is_civil(const struct civil *c)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

    if (c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > lengths[c->month - 1] + (c->month == 2 && leap))
        return false;
    /* 60 is a leap second; it becomes the next minute's first. */
    return c->hour < 24 && c->minute < 60 && c->second <= 60;
}

static int64_t ms_from_civil(const struct civil *c)
{
    int64_t minutes = (int64_t)c->hour * 60 + c->minute - c->offset_minutes;

    return days_from_civil(c->year, c->month, c->day) * DAY_MS + minutes * 60000 +
           (int64_t)c->second * 1000 + c->ms;
}

/* Exactly n digits; moves *at behind them. */
static bool take_digits(const char **at, int n, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += n;
    *ret_value = value;
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool take_clock(const char **at, struct civil *c)
{
    return take_digits(at, 2, &c->hour) && take_char(at, ':') && take_digits(at, 2, &c->minute) &&
           take_char(at, ':') && take_digits(at, 2, &c->second);
}

/* "+hh:mm", or "+hhmm" without a colon. */
static bool take_offset(const char **at, bool colon, struct civil *c)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;

    if (!take_char(at, '+') && !take_char(at, '-'))
        return false;
    if (!take_digits(at, 2, &hours) || (colon && !take_char(at, ':')) ||
        !take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    c->offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

/* ".5" is 500 ms; what is finer than a millisecond is cut. */
static bool take_fraction(const char **at, struct civil *c)
{
    int scale = 100, digits = 0;

    if (!take_char(at, '.'))
        return true;
    for (; **at >= '0' && **at <= '9' && digits < 9; ++*at, digits++) {
        c->ms += (**at - '0') * scale;
        scale /= 10;
    }
    return digits > 0;
}

void tl_time_format_iso(int64_t at_ms, char ret_text[TL_TIME_ISO_SIZE])
{
    const int64_t first_ms = days_from_civil(0, 1, 1) * DAY_MS;
    const int64_t last_ms = days_from_civil(10000, 1, 1) * DAY_MS - 1;
    at_ms = at_ms < first_ms ? first_ms : at_ms > last_ms ? last_ms : at_ms;
    struct civil c = civil_from_ms(at_ms);

    (void)snprintf(ret_text, TL_TIME_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", /* 24 bytes */
                   (int)c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
}

enum tl_status tl_time_parse_iso(const char *text, int64_t *ret_at_ms, struct tl_error *err)
{
    struct civil c = {0};
    const char *at = text;
    int year = 0;

    bool ok = take_digits(&at, 4, &year) && take_char(&at, '-') && take_digits(&at, 2, &c.month) &&
              take_char(&at, '-') && take_digits(&at, 2, &c.day) && take_char(&at, 'T') &&
              take_clock(&at, &c) && take_fraction(&at, &c) &&
              (take_char(&at, 'Z') || take_offset(&at, true, &c)) && !*at;
    c.year = year;
    if (!ok || !is_civil(&c))
        return tl_fail(err, TL_INVALID, "\"%.40s\" is not a time such as 2026-11-23T14:00:00.000Z",
                       text);
    *ret_at_ms = ms_from_civil(&c);
    return TL_OK;
}

static int day_of_week(int64_t days)
{
    int64_t day = days % 7;

    return (int)(day < 0 ? day + 7 : day);
}

void tl_time_format_rfc2822(int64_t at_ms, char ret_text[TL_TIME_RFC2822_SIZE])
{
    const int64_t first_ms = days_from_civil(0, 1, 1) * DAY_MS;
    const int64_t last_ms = days_from_civil(10000, 1, 1) * DAY_MS - 1;
    at_ms = at_ms < first_ms ? first_ms : at_ms > last_ms ? last_ms : at_ms;
    struct civil c = civil_from_ms(at_ms);
    int weekday = day_of_week(days_from_civil(c.year, c.month, c.day));

    (void)snprintf(ret_text, TL_TIME_RFC2822_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000",
                   day_names + (ptrdiff_t)weekday * 3, c.day,
                   month_names + (ptrdiff_t)(c.month - 1) * 3, (int)c.year, c.hour, c.minute,
                   c.second); /* 31 bytes */
}

/* Three letters of a table of names; their index, or -1. */
static int take_name(const char **at, const char *names)
{
    for (int i = 0; names[i * 3]; i++)
        if (strncmp(*at, names + (ptrdiff_t)i * 3, 3) == 0) {
            *at += 3;
            return i;
        }
    return -1;
}

static bool take_zone(const char **at, struct civil *c)
{
    if (strcmp(*at, "GMT") == 0 || strcmp(*at, "UT") == 0) {
        *at += strlen(*at);
        return true;
    }
    return take_offset(at, false, c);
}

enum tl_status tl_time_parse_rfc2822(const char *text, int64_t *ret_at_ms, struct tl_error *err)
{
    struct civil c = {0};
    const char *at = text;
    int year = 0;
    int weekday = take_name(&at, day_names);

    bool ok = weekday < 0 || (take_char(&at, ',') && take_char(&at, ' '));
    ok = ok && (take_digits(&at, 2, &c.day) || take_digits(&at, 1, &c.day)) && take_char(&at, ' ');
    c.month = ok ? take_name(&at, month_names) + 1 : 0;
    ok = ok && take_char(&at, ' ') && take_digits(&at, 4, &year) && take_char(&at, ' ') &&
         take_clock(&at, &c) && take_char(&at, ' ') && take_zone(&at, &c) && !*at;
    c.year = year;
    if (!ok || !is_civil(&c) ||
        (weekday >= 0 && weekday != day_of_week(days_from_civil(c.year, c.month, c.day))))
        return tl_fail(err, TL_INVALID,
                       "\"%.40s\" is not a time such as Mon, 23 Nov 2026 14:00:00 +0000", text);
    *ret_at_ms = ms_from_civil(&c);
    return TL_OK;
}
