#ifndef TL_TEL_URL_H
#define TL_TEL_URL_H

#include <stdbool.h>

#include "base/error.h"

/** Which failures are tried again (bits of tl_tel_overrides.retry_on). */
enum tl_tel_retry_on {
    TL_TEL_RETRY_4XX = 1,
    TL_TEL_RETRY_5XX = 2,
    TL_TEL_RETRY_CONNECT = 4,
    TL_TEL_RETRY_READ = 8,
};

/** Connection overrides of the URL's fragment; the defaults where it says nothing. */
struct tl_tel_overrides {
    unsigned connect_ms; /* ct, 100..10000, 5000 */
    unsigned read_ms;    /* rt, 100..15000, 15000 */
    unsigned total_ms;   /* tt, 100..15000, 15000 */
    unsigned retries;    /* rc, 0..5, 1 */
    unsigned retry_on;   /* rp, TL_TEL_RETRY_CONNECT */
};

/** A webhook's URL, taken apart. */
struct tl_tel_url {
    char *wire;      /* what is requested: no fragment, no user info */
    char *signed_as; /* what is signed: as wire; https without its port unless told otherwise */
    char *user, *password; /* NULL: none in the URL */
    struct tl_tel_overrides overrides;
};

/** `sign_port`: the port of an https URL is signed too (Twilio drops it). TL_INVALID: not http(s),
 * no host, an underscore in the host, or an override that is out of range or unknown. */
TL_MUST_CHECK enum tl_status tl_tel_url_parse(const char *text, bool sign_port,
                                              struct tl_tel_url *ret_url, struct tl_error *err);
void tl_tel_url_finish(struct tl_tel_url *url);

/** `ref` as seen from the document at `base` (RFC 3986 section 5, dot segments by libcurl). The
 *  caller frees. NULL: neither makes a URL. */
char *tl_tel_url_resolve(const char *base, const char *ref);

#endif
