/* UTF-8 check of every string that enters or leaves a record: see utf8.h. */
#include "codec/utf8.h"

#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Bytes of plain ASCII without NUL at the front, eight at a time. */
static size_t ascii_run(const uint8_t *s, size_t n)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, s + i, 8);
        if ((w | (w - ONES)) & HIGHS) /* a high bit, or a zero that borrowed */
            break;
    }
    return i;
}

/* Length of the character at s, 0 when it is not one. Ranges of the second byte: RFC 3629 §4. */
static size_t character(const uint8_t *s, size_t n)
{
    uint8_t c = s[0], low = 0x80, high = 0xbf;
    size_t len;

    if (c < 0x80)
        return c != 0;
    if (c >= 0xc2 && c <= 0xdf) {
        len = 2;
    } else if (c >= 0xe0 && c <= 0xef) {
        len = 3;
        low = c == 0xe0 ? 0xa0 : 0x80;
        high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        len = 4;
        low = c == 0xf0 ? 0x90 : 0x80;
        high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (n < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool tl_utf8_is_text(const uint8_t *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        i += ascii_run(s + i, n - i);
        if (i == n)
            return true;
        size_t len = character(s + i, n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
