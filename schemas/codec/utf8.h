#ifndef TL_CODEC_UTF8_H
#define TL_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** True when the bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
 *  U+10FFFF) and hold no NUL. */
bool tl_utf8_is_text(const uint8_t *s, size_t n);

#endif
