#ifndef TL_TEL_B64_H
#define TL_TEL_B64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_TEL_B64_LEN(n) (((n) + 2) / 3 * 4)

/** Writes TL_TEL_B64_LEN(len) characters, no NUL. */
void tl_tel_b64_encode(const uint8_t *data, size_t len, char *ret_text);

/** Strict (RFC 4648 section 4: whole groups, padding, no spaces). False: not base64. `ret_data`
 *  takes len / 4 * 3 bytes. */
bool tl_tel_b64_decode(const char *text, size_t len, uint8_t *ret_data, size_t *ret_len);

#endif
