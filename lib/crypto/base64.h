#ifndef TL_CRYPTO_BASE64_H
#define TL_CRYPTO_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* RFC 4648. Standard: + and /, always padded. URL: - and _, never padded. */

/** Characters that n bytes take, padding included, the NUL not. */
static inline size_t tl_base64_encoded_len(size_t n)
{
    return (n + 2) / 3 * 4;
}

static inline size_t tl_base64url_encoded_len(size_t n)
{
    return n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

/** Most bytes that n characters hold. */
static inline size_t tl_base64_decoded_max(size_t n)
{
    return n / 4 * 3 + n % 4;
}

/** Writes encoded_len(n) characters and a NUL to ret_text; returns their number without the NUL. */
size_t tl_base64_encode(const void *data, size_t n, char *ret_text);
size_t tl_base64url_encode(const void *data, size_t n, char *ret_text);

/** The same, appended; out->full when it does not fit. */
void tl_base64_append(struct tl_buf *out, const void *data, size_t n);

/** Strict: no blanks, no foreign letters, padding as it must be, unused bits zero, so that each run
 *  of bytes has one text. ret_data holds tl_base64_decoded_max(n) bytes and may be `text` itself.
 *  TL_INVALID: anything else; ret_data then holds rubbish. */
TL_MUST_CHECK enum tl_status tl_base64_decode(const char *text, size_t n, uint8_t *ret_data,
                                              size_t *ret_len, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_base64url_decode(const char *text, size_t n, uint8_t *ret_data,
                                                 size_t *ret_len, struct tl_error *err);

#endif
