/* The zones of a number by its first digits, and the time there: see zones.h. */
#include "phone/zones.h"

#include <stdlib.h>
#include <string.h>

#include "phone/library.h"
#include "phone/tables.h"

#define YEAR_10000_MS INT64_C(253402300800000)
#define ZONE_NAME_MAX 63

static int compare_prefix(const void *key, const void *row)
{
    uint32_t a = *(const uint32_t *)key, b = ((const struct tl_phone_zone_row *)row)->prefix;

    return (a > b) - (a < b);
}

static const struct tl_phone_zone_row *find(uint32_t prefix)
{
    return bsearch(&prefix, tl_phone_zone_rows, tl_phone_zone_rows_n,
                   sizeof(struct tl_phone_zone_row), compare_prefix);
}

static const struct tl_phone_zone_row *find_longest(const char *digits)
{
    const struct tl_phone_zone_row *longest = NULL;
    uint32_t prefix = 0;

    for (int i = 0; i < TL_PHONE_PREFIX_MAX && digits[i]; i++) {
        prefix = prefix * 10 + (uint32_t)(digits[i] - '0');
        const struct tl_phone_zone_row *row = find(prefix);
        if (row)
            longest = row;
    }
    return longest;
}

void tl_phone_zones(const struct tl_phone *phone, struct tl_phone_zone_set *ret_zones)
{
    const struct tl_phone_zone_row *row = NULL;

    /* In North America all kinds share area codes, which also tell the countries apart: those of
     * toll-free and personal numbers have no row of their own. */
    if (phone->is_valid && (phone->is_geographic || phone->country_code == 1))
        row = find_longest(phone->e164 + 1);
    else if (phone->is_valid)
        row = find((uint32_t)phone->country_code);
    ret_zones->names = row ? &tl_phone_zone_names[row->first] : NULL;
    ret_zones->n = row ? row->n : 0;
}

/* A name becomes a path below the system's zones: it stays there. */
static bool is_zone_name(const char *zone)
{
    size_t len = strnlen(zone, ZONE_NAME_MAX + 1);

    if (len == 0 || len > ZONE_NAME_MAX || zone[0] == '/')
        return false;
    return zone[strspn(
               zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

enum tl_status tl_phone_local_time(const char *zone, int64_t at_ms,
                                   struct tl_phone_local *ret_local, struct tl_error *err)
{
    struct tl_phone_local local = {.zone = zone};

    if (at_ms < 0 || at_ms >= YEAR_10000_MS)
        return tl_fail(err, TL_INVALID, "local time: %lld is not within the years 1970..9999",
                       (long long)at_ms);
    if (!is_zone_name(zone) || !tl_phone_library_local(zone, at_ms, &local))
        return tl_fail(err, TL_NOT_FOUND, "local time: tzdata has no zone %.*s", ZONE_NAME_MAX,
                       zone);
    *ret_local = local;
    return TL_OK;
}

enum tl_status tl_phone_local_times(const struct tl_phone_zone_set *zones, int64_t at_ms,
                                    struct tl_phone_local *ret_locals, struct tl_error *err)
{
    for (size_t i = 0; i < zones->n; i++) {
        enum tl_status st = tl_phone_local_time(zones->names[i], at_ms, &ret_locals[i], err);
        if (st != TL_OK)
            return st;
    }
    return TL_OK;
}
