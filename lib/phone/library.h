#ifndef TL_PHONE_LIBRARY_H
#define TL_PHONE_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "phone/phone.h"
#include "phone/zones.h"

/* What C++ libraries know, in C: libphonenumber and Abseil's time zones. Used by this folder only.
 * An exception ends the process: they have none but for memory. */

/** As tl_phone_parse, of a text with nothing but ASCII digits, separators and a "+" in front; kinds
 * and states are libphonenumber's. region "": none. */
TL_MUST_CHECK enum tl_status tl_phone_library_read(const char *text, const char *region,
                                                   struct tl_phone *ret_phone,
                                                   struct tl_error *err);

/** Everything but the zone's name. False: there is no such zone. */
bool tl_phone_library_local(const char *zone, int64_t at_ms, struct tl_phone_local *ret_local);

#endif
