#ifndef TL_CRYPTO_TOKEN_H
#define TL_CRYPTO_TOKEN_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define TL_TOKEN_FIELDS_MAX 16
#define TL_TOKEN_FIELD_BYTES_MAX 255
#define TL_TOKEN_PAYLOAD_BYTES_MAX 768
#define TL_TOKEN_TEXT_SIZE 1056 /* of the longest token, with its NUL */
#define TL_TOKEN_KEY_BYTES_MIN 16

/* A few short texts with a signature, fit for a URL as they stand:
 *
 *     base64url(length, bytes, length, bytes, …) '.' base64url(HMAC-SHA256, first 16 bytes)
 *
 * The MAC covers the purpose too, so that a token made for one URL is worth nothing in another.
 * Whoever sees a token can read it: put no secrets in. Nothing expires by itself: put a time in
 * where it should. */

/** Keys: the first signs, each verifies, so that a key can be changed while URLs are out. */
struct tl_token_keys {
    struct tl_bytes current;
    struct tl_bytes previous; /* len 0: none */
};

/** A verified token. The fields lie in `bytes`: do not copy the struct. */
struct tl_token {
    const char *field[TL_TOKEN_FIELDS_MAX]; /* NUL-terminated */
    size_t len;
    char bytes[TL_TOKEN_PAYLOAD_BYTES_MAX + TL_TOKEN_FIELDS_MAX];
};

/** Signs `len` fields (NUL-terminated, none longer than TL_TOKEN_FIELD_BYTES_MAX).
 *  TL_INVALID: too many or too long; a key shorter than TL_TOKEN_KEY_BYTES_MIN. */
TL_MUST_CHECK enum tl_status tl_token_sign(const struct tl_token_keys *keys, const char *purpose,
                                           const char *const *field, size_t len,
                                           char ret_text[TL_TOKEN_TEXT_SIZE], struct tl_error *err);

/** TL_INVALID: not a token. TL_DENIED: signed by another key or for another purpose, or changed. */
TL_MUST_CHECK enum tl_status tl_token_verify(const struct tl_token_keys *keys, const char *purpose,
                                             const char *text, size_t text_len,
                                             struct tl_token *ret_token, struct tl_error *err);

#endif
