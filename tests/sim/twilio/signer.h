#ifndef TL_TEL_SIGNER_H
#define TL_TEL_SIGNER_H

#include "form.h"

#define TL_TEL_SIGNATURE_SIZE 32 /* 28 characters of base64 and a NUL */

/** X-Twilio-Signature of a request: HMAC-SHA1 over the URL and, for a POSTed form, name and value
 * of each field in byte order of the names; a repeated name has its values sorted, duplicates once.
 *  `url`: as configured, less fragment, user info and (https) port. `form`: NULL for GET, JSON
 *  bodies and WebSocket handshakes. (Twilio "Webhooks security", checked against npm twilio.) */
void tl_tel_sign(const char *token, const char *url, const struct tl_tel_form *form,
                 char ret_signature[TL_TEL_SIGNATURE_SIZE]);

#endif
