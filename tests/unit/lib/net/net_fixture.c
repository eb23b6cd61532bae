/* See net_fixture.h. */
#include "net_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUARD_MS 30000
#define PEER_BYTES_MAX (16 * 1024 * 1024)

static void on_guard(uv_timer_t *timer)
{
    struct fixture *f = timer->data;

    fail_msg("nothing came: %s", f->waiting_for);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct tl_error err;

    assert_non_null(f);
    (void)setenv("NO_PROXY", "*", 1); /* whatever the machine has: everything here is local */
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->log = (struct tl_log){.fd = 2, .level = getenv("TEST_DEBUG") ? TL_LOG_DEBUG : TL_LOG_WARN};
    const struct tl_net_options options = {
        .loop = &f->loop,
        .log = &f->log,
        .client_ca_file = getenv("TEST_CA_FILE"),
        .max_message_bytes = 2 * 1024 * 1024,
    };
    enum tl_status st = tl_net_create(&options, &f->net, &err);
    if (st != TL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(uv_timer_init(&f->loop, &f->guard), 0);
    f->guard.data = f;
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    tl_net_destroy(f->net);
    uv_close((uv_handle_t *)&f->guard, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* else a handle was left behind */
    free(f);
    return 0;
}

void fixture_wait_for(struct fixture *f, bool (*fn)(void *arg), void *arg, const char *what)
{
    f->waiting_for = what;
    assert_int_equal(uv_timer_start(&f->guard, on_guard, GUARD_MS, 0), 0);
    while (!fn(arg))
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(uv_timer_stop(&f->guard), 0);
}

static bool is_set(void *arg)
{
    return *(const bool *)arg;
}

void fixture_wait(struct fixture *f, const bool *flag, const char *what)
{
    fixture_wait_for(f, is_set, (void *)(uintptr_t)flag, what);
}

void fixture_turn(struct fixture *f, int n)
{
    while (n--)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void on_peer(uv_poll_t *poll, int status, int events)
{
    struct peer *p = poll->data;
    char chunk[65536];

    (void)events;
    ssize_t n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n > 0) {
        tl_buf_add(&p->in, chunk, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || status < 0) {
        p->is_reset = n < 0 && errno == ECONNRESET;
        p->is_closed = true;
        (void)uv_poll_stop(&p->poll);
    }
}

void peer_connect(struct peer *p, struct fixture *f, int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    *p = (struct peer){.f = f};
    tl_buf_init(&p->in, PEER_BYTES_MAX);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    assert_int_equal(connect(p->fd, (struct sockaddr *)&sa, sizeof(sa)),
                     0); /* the backlog takes it */
    assert_int_equal(setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(uv_poll_init(&f->loop, &p->poll, p->fd), 0);
    p->poll.data = p;
    assert_int_equal(uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, on_peer), 0);
}

void peer_send(struct peer *p, const void *data, size_t len)
{
    while (len) {
        ssize_t n = send(p->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            fixture_turn(p->f, 1); /* the other side runs on the same loop */
            continue;
        }
        if (n < 0)
            return; /* closed by the other side: the test finds out by what came back */
        data = (const char *)data + n;
        len -= (size_t)n;
    }
}

void peer_send_text(struct peer *p, const char *text)
{
    peer_send(p, text, strlen(text));
}

void peer_send_slowly(struct peer *p, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        peer_send(p, (const char *)data + i, 1);
        fixture_turn(p->f, 3);
    }
}

struct search {
    struct peer *p;
    const char *text;
    size_t len;
};

static bool has_text(void *arg)
{
    struct search *s = arg;

    return s->p->in.len && memmem(s->p->in.data, s->p->in.len, s->text, strlen(s->text));
}

void peer_wait_for_text(struct peer *p, const char *text)
{
    struct search s = {.p = p, .text = text};

    fixture_wait_for(p->f, has_text, &s, text);
}

static bool has_bytes(void *arg)
{
    struct search *s = arg;

    return s->p->in.len >= s->len;
}

void peer_wait_for_bytes(struct peer *p, size_t len)
{
    struct search s = {.p = p, .len = len};

    fixture_wait_for(p->f, has_bytes, &s, "bytes at the peer");
}

void peer_wait_for_close(struct peer *p)
{
    fixture_wait(p->f, &p->is_closed, "the end of the connection");
}

void peer_forget(struct peer *p)
{
    tl_buf_reset(&p->in);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;

    p->is_poll_closed = true;
}

void peer_close(struct peer *p)
{
    uv_close((uv_handle_t *)&p->poll, on_poll_closed);
    fixture_wait(p->f, &p->is_poll_closed, "the poll handle");
    (void)close(p->fd);
    tl_buf_finish(&p->in);
}
