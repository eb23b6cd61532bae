#ifndef TL_PHONE_ZONES_H
#define TL_PHONE_ZONES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "phone/phone.h"

/* Where a number may be, in time: its IANA zones, and the civil time in them. */

#define TL_PHONE_ZONES_MAX 64 /* the build fails when a number may be in more */

struct tl_phone_zone_set {
    const char *const *names; /* static */
    size_t n;                 /* 0: not known */
};

/** All zones that the number may be in. Of a number that says where it belongs those of its longest
 * known prefix, in North America of its whole area code; of others (mobile, toll free …) the
 * country's. A mobile telephone may be anywhere else still. */
void tl_phone_zones(const struct tl_phone *phone, struct tl_phone_zone_set *ret_zones);

/** Civil time in a zone at one instant, and until when its distance from UTC stays. */
struct tl_phone_local {
    const char *zone; /* as it was given */
    int32_t year;
    int8_t month, day;   /* 1..12, 1..31 */
    int8_t weekday;      /* 0 Monday .. 6 Sunday */
    int8_t hour, minute; /* 0..23, 0..59 */
    int8_t second;
    int32_t offset_s;      /* local time less UTC */
    int64_t change_at;     /* UTC ms of the next change of that; INT64_MAX: none */
    int32_t next_offset_s; /* from then on */
};

/** The time in one zone, by the system's tzdata (TZDIR, else /usr/share/zoneinfo), of which each
 *  zone is read once in a process. Any thread. at_ms: UTC, years 1970..9999.
 *  TL_INVALID: another time. TL_NOT_FOUND: no such zone there. */
TL_MUST_CHECK enum tl_status tl_phone_local_time(const char *zone, int64_t at_ms,
                                                 struct tl_phone_local *ret_local,
                                                 struct tl_error *err);

/** The time in each of the zones, in their order: zones->n of them. */
TL_MUST_CHECK enum tl_status tl_phone_local_times(const struct tl_phone_zone_set *zones,
                                                  int64_t at_ms, struct tl_phone_local *ret_locals,
                                                  struct tl_error *err);

#endif
