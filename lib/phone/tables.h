#ifndef TL_PHONE_TABLES_H
#define TL_PHONE_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* Made by generate.py. Prefixes are the first digits of a number behind its "+", as an integer;
 * rows ascend. */

#define TL_PHONE_PREFIX_MAX 9 /* digits */

struct tl_phone_zone_row {
    uint32_t prefix;
    uint16_t first, n; /* in tl_phone_zone_names */
};
extern const struct tl_phone_zone_row tl_phone_zone_rows[];
extern const size_t tl_phone_zone_rows_n;
extern const char *const tl_phone_zone_names[];

struct tl_phone_state_row {
    uint32_t prefix; /* 1 and an area code */
    char state[6];
};
extern const struct tl_phone_state_row tl_phone_state_rows[];
extern const size_t tl_phone_state_rows_n;

#endif
