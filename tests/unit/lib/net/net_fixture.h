#ifndef TESTS_UNIT_LIB_NET_NET_FIXTURE_H
#define TESTS_UNIT_LIB_NET_NET_FIXTURE_H

/* What the tests of lib/net share: a loop with a tl_net on it, waiting for conditions, and a plain
 * blocking-free socket peer that says exactly what a test wants on the wire. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "net/net.h"

struct fixture {
    uv_loop_t loop;
    struct tl_log log;
    struct tl_net *net;
    uv_timer_t guard; /* fails a test that waits for ever */
    const char *waiting_for;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/** Runs the loop until *flag is true. */
void fixture_wait(struct fixture *f, const bool *flag, const char *what);

/** Runs the loop until fn(arg) is true. */
void fixture_wait_for(struct fixture *f, bool (*fn)(void *arg), void *arg, const char *what);

/** Turns the loop n times without blocking: for things that must not happen. */
void fixture_turn(struct fixture *f, int n);

/** A TCP client without any protocol. */
struct peer {
    struct fixture *f;
    int fd;
    uv_poll_t poll;
    struct tl_buf in;
    bool is_closed; /* end of file or reset */
    bool is_reset;
    bool is_poll_closed;
};

void peer_connect(struct peer *p, struct fixture *f, int port);
void peer_send(struct peer *p, const void *data, size_t len);
void peer_send_text(struct peer *p, const char *text);
void peer_send_slowly(struct peer *p, const void *data, size_t len); /* a byte a loop turn */
void peer_wait_for_text(struct peer *p, const char *text);           /* in what has come */
void peer_wait_for_bytes(struct peer *p, size_t len);
void peer_wait_for_close(struct peer *p);
void peer_forget(struct peer *p); /* drops what has come */
void peer_close(struct peer *p);

#endif
