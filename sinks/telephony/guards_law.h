#ifndef TL_SINKS_TELEPHONY_GUARDS_LAW_H
#define TL_SINKS_TELEPHONY_GUARDS_LAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the law of a place adds to the rules of a business: a table. Pure. */

#define TL_LAW_DAY_MIN 1440 /* minutes of a day */

struct tl_law {
    const char *state; /* ISO 3166-2 */
    int16_t from_min,
        to_min; /* sales and collections calls: minutes of the local day, from inclusive */
    bool no_sundays;
    bool no_holidays;
    int16_t attempts_a_day; /* to one person on one subject within 24 hours; 0: no cap */
    const char *source;     /* of the hours; of the cap where there is one */
    const char *checked;    /* when that was last looked at */
};
extern const struct tl_law tl_laws[];
extern const size_t tl_laws_n;

/** The US and its territories. */
bool tl_law_is_us(const char *region);

/** Minutes in which sales and collections calls may ring, by the places that the callee may be in:
 * the strictest of them. states: "US-FL"; an empty one says nothing. In the US with none known,
 * those of every state. False: not on that day. weekday: 0 Monday. */
bool tl_law_hours(const char *region, const char *const *states, size_t n, int weekday,
                  bool is_holiday, int *ret_from_min, int *ret_to_min);

/** Attempts within 24 hours, likewise; 0: no cap. */
int tl_law_attempts(const char *region, const char *const *states, size_t n);

#endif
