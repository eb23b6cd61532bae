#ifndef TL_CRYPTO_HEX_H
#define TL_CRYPTO_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Writes 2 * n lower-case digits and a NUL. */
void tl_hex_encode(const void *data, size_t n, char *ret_text);

/** n digits, either case, to n / 2 bytes. TL_INVALID: an odd number, or another character. */
TL_MUST_CHECK enum tl_status tl_hex_decode(const char *text, size_t n, uint8_t *ret_data,
                                           struct tl_error *err);

#endif
