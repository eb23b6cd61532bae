#ifndef TL_NET_WS_FRAME_H
#define TL_NET_WS_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* Frames as RFC 6455 section 5.2 draws them, for the sending side. libwebsockets parses what comes
 * in; we write frames ourselves so that all that a loop turn produced leaves in one system call. */

enum tl_ws_opcode {
    TL_WS_TEXT = 1,
    TL_WS_BINARY = 2,
    TL_WS_PING = 9,
};

#define TL_WS_HEADER_MAX 14

/** Bytes of a whole frame. */
size_t tl_ws_frame_size(size_t payload_len, int is_masked);

/** Writes a final frame to `to`, which has tl_ws_frame_size bytes. mask: four bytes that only a
 *  client gives (section 5.3), else NULL. Returns the frame's size. */
size_t tl_ws_frame_write(uint8_t *to, enum tl_ws_opcode opcode, const uint8_t mask[4],
                         const void *payload, size_t payload_len);

/** Size of the whole frame that begins at `frame`, which tl_ws_frame_write wrote. */
size_t tl_ws_frame_measure(const uint8_t *frame);

#endif
