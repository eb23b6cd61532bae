/* Hexadecimal digits: see hex.h. */
#include "crypto/hex.h"

void tl_hex_encode(const void *data, size_t n, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;

    for (size_t i = 0; i < n; i++) {
        ret_text[i * 2] = digits[from[i] >> 4];
        ret_text[i * 2 + 1] = digits[from[i] & 15];
    }
    ret_text[n * 2] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum tl_status tl_hex_decode(const char *text, size_t n, uint8_t *ret_data, struct tl_error *err)
{
    if (n % 2)
        return tl_fail(err, TL_INVALID, "an odd number of hexadecimal digits");
    for (size_t i = 0; i < n; i += 2) {
        int high = nibble(text[i]), low = nibble(text[i + 1]);
        if (high < 0 || low < 0)
            return tl_fail(err, TL_INVALID, "not a hexadecimal digit at %zu", i + (high >= 0));
        ret_data[i / 2] = (uint8_t)(high << 4 | low);
    }
    return TL_OK;
}
