#ifndef TL_TWILIO_SIGNATURE_H
#define TL_TWILIO_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "twilio/form.h"

#define TL_TWILIO_SIGNATURE_SIZE 32 /* base64 of 20 bytes, and a NUL */

/** What was signed (Twilio, "Webhooks security"). */
struct tl_twilio_signed {
    const char *url;            /* as configured: scheme, host, path, query; no fragment */
    const struct tl_form *form; /* POST form; NULL for GET, WebSocket and JSON */
    struct tl_bytes body;       /* raw body, for bodySHA256 in the query */
};

/** X-Twilio-Signature = base64(HMAC-SHA1(token, url + sorted fields)). */
void tl_twilio_sign(const char *auth_token, const struct tl_twilio_signed *what,
                    char ret_signature[TL_TWILIO_SIGNATURE_SIZE]);

/** Compares in constant time, trying the forms in which the telephone network may have written the
 *  URL: as given, without its port, with the standard port, and (WebSocket) with a slash more or
 *  less at the end. With bodySHA256 in the query the body must match it too. `signature` may be
 *  NULL: false. */
bool tl_twilio_verify(const char *auth_token, const struct tl_twilio_signed *what,
                      const char *signature);

#endif
