/* Base64 of frames: whole payloads at once, in the caller's memory. */
#include "b64.h"

#include <openssl/evp.h>
#include <string.h>

void tl_tel_b64_encode(const uint8_t *data, size_t len, char *ret_text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (; len >= 3; len -= 3, data += 3) {
        uint32_t group = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        *ret_text++ = alphabet[group >> 18];
        *ret_text++ = alphabet[group >> 12 & 63];
        *ret_text++ = alphabet[group >> 6 & 63];
        *ret_text++ = alphabet[group & 63];
    }
    if (len) {
        uint32_t group = (uint32_t)data[0] << 16 | (len > 1 ? (uint32_t)data[1] << 8 : 0);
        *ret_text++ = alphabet[group >> 18];
        *ret_text++ = alphabet[group >> 12 & 63];
        *ret_text++ = (char)(len > 1 ? alphabet[group >> 6 & 63] : '=');
        ret_text[0] = '=';
    }
}

bool tl_tel_b64_decode(const char *text, size_t len, uint8_t *ret_data, size_t *ret_len)
{
    size_t padding = 0;

    if (len % 4 != 0)
        return false;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    /* OpenSSL would pass spaces at both ends and padding anywhere. */
    for (size_t i = 0; i < len - padding; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == '=' || c == '-')
            return false;
    }
    int n = EVP_DecodeBlock(ret_data, (const unsigned char *)text, (int)len);
    if (n < 0)
        return false;
    *ret_len = (size_t)n - padding;
    return true;
}
