/* Hours and caps by place: see guards_law.h. */
#include "sinks/telephony/guards_law.h"

#include <string.h>

#define HOUR 60
#define FEDERAL_FROM (8 * HOUR) /* 47 CFR 64.1200(c)(1); kept everywhere */
#define FEDERAL_TO (21 * HOUR)
#define SUNDAY 6

/* Hours of secondary sources differ in places: whoever has read a statute puts its section here. */
#define SECONDARY "secondary: industry tables of state calling hours"
const struct tl_law tl_laws[] = {
    {"US-AL", 8 * HOUR, 20 * HOUR, true, true, 0, SECONDARY, "2026-11"},
    {"US-CT", 9 * HOUR, 20 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-FL", 8 * HOUR, 20 * HOUR, false, false, 3, "Fla. Stat. 501.616(6)", "2026-11"},
    {"US-KY", 10 * HOUR, 21 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-LA", 8 * HOUR, 20 * HOUR, true, true, 0, SECONDARY, "2026-11"},
    {"US-MA", 8 * HOUR, 20 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-MD", 8 * HOUR, 20 * HOUR, false, false, 3, SECONDARY, "2026-11"},
    {"US-MI", 9 * HOUR, 21 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-MN", 9 * HOUR, 21 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-MS", 8 * HOUR, 20 * HOUR, true, false, 0, SECONDARY, "2026-11"},
    {"US-NM", 9 * HOUR, 21 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-NV", 9 * HOUR, 20 * HOUR, false, false, 0, SECONDARY, "2026-11"},
    {"US-OK", FEDERAL_FROM, FEDERAL_TO, false, false, 3, "Okla. Stat. tit. 15 s. 775C.4",
     "2026-11"},
};
const size_t tl_laws_n = sizeof(tl_laws) / sizeof(tl_laws[0]);

bool tl_law_is_us(const char *region)
{
    static const char *const REGIONS[] = {"US", "PR", "VI", "GU", "AS", "MP"};

    for (size_t i = 0; i < sizeof(REGIONS) / sizeof(REGIONS[0]); i++)
        if (strcmp(region, REGIONS[i]) == 0)
            return true;
    return false;
}

static bool is_any_known(const char *const *states, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (states[i] && states[i][0])
            return true;
    return false;
}

/* A number of the US that says no state, and no address on file: it may be any. */
static bool applies(const struct tl_law *law, const char *region, const char *const *states,
                    size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (states[i] && strcmp(states[i], law->state) == 0)
            return true;
    return strcmp(region, "US") == 0 && !is_any_known(states, n);
}

bool tl_law_hours(const char *region, const char *const *states, size_t n, int weekday,
                  bool is_holiday, int *ret_from_min, int *ret_to_min)
{
    int from = FEDERAL_FROM, to = FEDERAL_TO;

    for (size_t i = 0; i < tl_laws_n; i++) {
        const struct tl_law *law = &tl_laws[i];
        if (!applies(law, region, states, n))
            continue;
        if ((law->no_sundays && weekday == SUNDAY) || (law->no_holidays && is_holiday))
            return false;
        from = law->from_min > from ? law->from_min : from;
        to = law->to_min < to ? law->to_min : to;
    }
    *ret_from_min = from;
    *ret_to_min = to;
    return true;
}

int tl_law_attempts(const char *region, const char *const *states, size_t n)
{
    int cap = 0;

    for (size_t i = 0; i < tl_laws_n; i++)
        if (tl_laws[i].attempts_a_day && applies(&tl_laws[i], region, states, n) &&
            (cap == 0 || tl_laws[i].attempts_a_day < cap))
            cap = tl_laws[i].attempts_a_day;
    return cap;
}
