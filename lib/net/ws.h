#ifndef TL_NET_WS_H
#define TL_NET_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http_server.h"

/** A WebSocket (RFC 6455), of a server or a client. Loop thread only. Lives until its on_close
 *  has returned; no verb may follow. */
struct tl_ws;

/** Why a WebSocket is over. */
struct tl_ws_close {
    uint16_t code;      /* RFC 6455 section 7.4.1; 1005: none given; 1006: no close frame came */
    bool abrupt;        /* no close handshake: reset, died, timed out, or never open */
    int http_status;    /* client whose handshake was refused: the answer's status; else 0 */
    int retry_after_s;  /* with http_status: what the answer's Retry-After says in seconds; else 0 */
    const char *reason; /* UTF-8, or a description of the failure; borrowed; never NULL */
};

struct tl_ws_callbacks {
    void (*on_open)(void *arg, struct tl_ws *ws); /* may be NULL */

    /** A whole message, borrowed until return. */
    void (*on_message)(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text);

    /** Exactly once for every accepted or connecting tl_ws, opened or not; the last callback. */
    void (*on_close)(void *arg, struct tl_ws *ws, const struct tl_ws_close *close);

    /** The queue ran empty after tl_ws_send had said TL_RETRY. May be NULL. */
    void (*on_drained)(void *arg, struct tl_ws *ws);

    void (*on_pong)(void *arg, struct tl_ws *ws, const void *data, size_t len); /* may be NULL */
};

struct tl_ws_limits {
    size_t queue_bytes;            /* unsent bytes held; 0: 1 MiB */
    size_t message_bytes;          /* longer messages close with 1009; 0: as of the tl_net */
    unsigned keepalive_ms;         /* ping when nothing was heard so long; 0: never */
    unsigned keepalive_timeout_ms; /* abort when still silent so long after the ping; 0: 10 s */
};

/** Filled in by on_upgrade (net/http_server.h). */
struct tl_ws_accept {
    struct tl_ws *ws;        /* set before on_upgrade: what it will be when accepted */
    bool accepted;           /* false: refused with `status` */
    int status;              /* of a refusal; 0: 403 */
    const char *subprotocol; /* echoed if the client offered it; NULL: none */
    const struct tl_ws_callbacks *callbacks; /* outlives the tl_ws */
    void *arg;
    struct tl_ws_limits limits;
};

struct tl_ws_connect_options {
    const char *url;                      /* ws:// or wss://host[:port]/path?query */
    const struct tl_http_header *headers; /* e.g. Authorization; NULL: none */
    const char *subprotocol;              /* offered; may be a comma separated list; NULL: none */
    unsigned timeout_ms;                  /* from now to open; 0: 10 s */
    bool tls_insecure;                    /* no verification: tests only */
    const struct tl_ws_callbacks *callbacks; /* outlives the tl_ws */
    void *arg;
    struct tl_ws_limits limits;
};

/** Starts to connect; name resolution does not block. The outcome comes later through on_open or
 *  on_close, never from within this call. Everything is copied but the callbacks.
 *  TL_INVALID: the URL, and nothing was started. */
TL_MUST_CHECK enum tl_status tl_ws_connect(struct tl_net *net,
                                           const struct tl_ws_connect_options *options,
                                           struct tl_ws **ret_ws, struct tl_error *err);

/** Queues a copy. TL_RETRY: the queue is full (on_drained tells when to go on). TL_CONFLICT:
 * closing or not open yet. Neither fills an error: this is the hot path. Text must be UTF-8. */
TL_MUST_CHECK enum tl_status tl_ws_send(struct tl_ws *ws, bool is_text, const void *data,
                                        size_t len);

size_t tl_ws_buffered(const struct tl_ws *ws); /* bytes queued and not yet given to the kernel */
bool tl_ws_is_open(const struct tl_ws *ws);

/** Sends what is queued, then a close frame; on_close follows when the peer's came or after 5 s.
 *  `reason`: at most 123 bytes, may be NULL. A client still connecting gives up. Idempotent. */
void tl_ws_close(struct tl_ws *ws, uint16_t code, const char *reason);

/** Resets the connection (SO_LINGER 0), no close frame; the queue is dropped. on_close (abrupt)
 *  comes from the loop, not from within. */
void tl_ws_abort(struct tl_ws *ws);

/** Closes the connection without a close frame, in TCP's good order (FIN, not RST): what a dying
 *  peer looks like. The queue is dropped; on_close (abrupt) comes from the loop. */
void tl_ws_drop(struct tl_ws *ws);

/** Reads no more: no message, no ping is answered, as of a peer that hangs. For good; the caller
 *  still ends it. */
void tl_ws_stop_reading(struct tl_ws *ws);

/** Queues a ping, at most 125 bytes. TL_CONFLICT: not open. TL_RETRY: one still waits. */
TL_MUST_CHECK enum tl_status tl_ws_ping(struct tl_ws *ws, const void *data, size_t len);

void *tl_ws_arg(const struct tl_ws *ws);
void tl_ws_set_arg(struct tl_ws *ws, void *arg);       /* given to callbacks from now on */
const char *tl_ws_peer(const struct tl_ws *ws);        /* "127.0.0.1" */
const char *tl_ws_subprotocol(const struct tl_ws *ws); /* agreed on; "" when none */

#endif
