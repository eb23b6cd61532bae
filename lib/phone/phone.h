#ifndef TL_PHONE_PHONE_H
#define TL_PHONE_PHONE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Telephone numbers (ITU-T E.164), for everything that dials: one spelling of each, and what can be
 * told from the digits alone. What a number is, is what libphonenumber's tables say. */

#define TL_PHONE_E164_SIZE 17  /* "+", at most 15 digits, NUL */
#define TL_PHONE_REGION_SIZE 4 /* "US", "001" */
#define TL_PHONE_STATE_SIZE 6  /* "US-FL" */
#define TL_PHONE_TEXT_MAX 40   /* bytes of a number as people write it */

enum tl_phone_kind {
    TL_PHONE_UNKNOWN = 0, /* not a valid number, or of no kind that is known */
    TL_PHONE_FIXED,
    TL_PHONE_MOBILE,
    TL_PHONE_FIXED_OR_MOBILE, /* cannot be told apart there, as in the US */
    TL_PHONE_TOLL_FREE,
    TL_PHONE_PREMIUM,
    TL_PHONE_SHARED_COST,
    TL_PHONE_VOIP,
    TL_PHONE_PERSONAL, /* follows a person, at the caller's cost */
    TL_PHONE_PAGER,
    TL_PHONE_COMPANY, /* "universal access numbers" */
    TL_PHONE_VOICEMAIL,
    TL_PHONE_SATELLITE, /* and the other networks of no country: +870, +881, +882, +883 */
};
#define TL_PHONE_KINDS 13
const char *tl_phone_kind_name(enum tl_phone_kind kind); /* "toll_free" */

struct tl_phone {
    char e164[TL_PHONE_E164_SIZE];
    char region[TL_PHONE_REGION_SIZE]; /* ISO 3166-1; "001": of no country; "": not valid */
    char state[TL_PHONE_STATE_SIZE];   /* ISO 3166-2, of US area codes; "": not known */
    int country_code;                  /* 1..999: 1 of "+1" */
    enum tl_phone_kind kind;
    bool is_valid;      /* the numbering plan has such numbers; says nothing about a subscriber */
    bool is_geographic; /* its digits say where it belongs */
};

/** Reads a number: with "+" and country code, or as it is dialled within default_region ("US";
 *  NULL: there is none). Digits may be grouped by space ( ) - . and /; letters, extensions and
 *  other digits than ASCII's are refused. A number of a possible length that no plan has is read,
 *  as not valid. Any thread; the first call loads the tables (5 ms, 5 MB).
 *  TL_INVALID: no number, or no such country or region.
 *  TL_DENIED: an emergency or other short number, which is never dialled. */
TL_MUST_CHECK enum tl_status tl_phone_parse(const char *text, const char *default_region,
                                            struct tl_phone *ret_phone, struct tl_error *err);

#endif
