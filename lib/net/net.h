#ifndef TL_NET_NET_H
#define TL_NET_NET_H

#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"

/** HTTP and WebSocket of one process on one libuv loop: the libwebsockets context and the libcurl
 *  multi handle under all of lib/net. Loop thread only. */
struct tl_net;

struct tl_net_options {
    uv_loop_t *loop;            /* the caller's; outlives the tl_net */
    const struct tl_log *log;   /* borrowed; the libraries' own words go there at debug */
    const char *client_ca_file; /* PEM trusted by WebSocket and HTTP clients; NULL: the system's */
    size_t max_message_bytes;   /* longest WebSocket message taken, whole; 0: 1 MiB */
};

/** TL_FATAL: the libraries refuse (no libuv plugin of libwebsockets, a client_ca_file that cannot
 *  be read). */
TL_MUST_CHECK enum tl_status tl_net_create(const struct tl_net_options *options,
                                           struct tl_net **ret_net, struct tl_error *err);

/** Closes every listener, connection and request (each on_close and callback runs, once), and
 *  frees. Runs the loop until its own handles are closed, so other handles' callbacks may run: call
 *  it from main after uv_run, never from a callback. The loop stays the caller's. Accepts NULL. */
void tl_net_destroy(struct tl_net *net);

/** For TL_CLEANUP: the same for the variable's address. */
static inline void tl_net_destroyp(struct tl_net **net)
{
    tl_net_destroy(*net);
}

uv_loop_t *tl_net_loop(struct tl_net *net);

#endif
