/* Frames of the sending side: see ws_frame.h. */
#include "net/ws_frame.h"

#include <string.h>

#define MASKED 0x80
#define FINAL 0x80

static size_t header_size(size_t payload_len, int is_masked)
{
    size_t n = payload_len < 126 ? 2 : payload_len < 65536 ? 4 : 10;

    return n + (is_masked ? 4 : 0);
}

size_t tl_ws_frame_size(size_t payload_len, int is_masked)
{
    return header_size(payload_len, is_masked) + payload_len;
}

/* Eight bytes at a time: a call's audio is masked twice a turn, and bytewise it showed in profiles.
 */
static void copy_masked(uint8_t *to, const uint8_t *from, size_t len, const uint8_t mask[4])
{
    uint64_t wide;
    size_t i = 0;

    memcpy(&wide, mask, 4);
    memcpy((uint8_t *)&wide + 4, mask, 4);
    for (; i + 8 <= len; i += 8) {
        uint64_t v;
        memcpy(&v, from + i, 8);
        v ^= wide;
        memcpy(to + i, &v, 8);
    }
    for (; i < len; i++)
        to[i] = from[i] ^ mask[i & 3];
}

static uint8_t *put_big_endian(uint8_t *p, uint64_t v, int bytes)
{
    while (bytes--)
        *p++ = (uint8_t)(v >> (8 * bytes));
    return p;
}

size_t tl_ws_frame_write(uint8_t *to, enum tl_ws_opcode opcode, const uint8_t mask[4],
                         const void *payload, size_t payload_len)
{
    uint8_t masked = mask ? MASKED : 0;
    uint8_t *p = to;

    *p++ = (uint8_t)(FINAL | opcode);
    if (payload_len < 126) {
        *p++ = (uint8_t)(masked | payload_len);
    } else if (payload_len < 65536) {
        *p++ = masked | 126;
        p = put_big_endian(p, payload_len, 2);
    } else {
        *p++ = masked | 127;
        p = put_big_endian(p, payload_len, 8);
    }
    if (mask) {
        memcpy(p, mask, 4);
        p += 4;
        copy_masked(p, payload, payload_len, mask);
    } else if (payload_len) {
        memcpy(p, payload, payload_len);
    }
    return (size_t)(p - to) + payload_len;
}

size_t tl_ws_frame_measure(const uint8_t *frame)
{
    size_t len = frame[1] & 0x7f;
    int bytes = len == 126 ? 2 : len == 127 ? 8 : 0;

    if (bytes) {
        len = 0;
        for (int i = 0; i < bytes; i++)
            len = len << 8 | frame[2 + i];
    }
    return tl_ws_frame_size(len, frame[1] & MASKED);
}
