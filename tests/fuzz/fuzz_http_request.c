/* Bytes to a listener, over a socket pair: whatever comes, the process stays healthy, every request
 * taken is answered, every connection ends, and what is answered is HTTP.
 *
 * The first byte chooses: odd, the input stands behind a WebSocket handshake and is frames; the bit
 * above it, the bytes come in two writes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "net/http_server.h"
#include "net/net.h"
#include "net/ws.h"

#define TURNS_MAX 3000 /* a connection that takes more hangs */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char handshake[] =
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct target {
    uv_loop_t loop;
    struct tl_log log;
    struct tl_net *net;
    struct tl_http_server *server;
    struct tl_http_exchange *waiting;
    int accepted; /* WebSockets whose on_close is owed */
};

static void need(bool condition)
{
    if (!condition)
        abort();
}

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct target *t = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    struct tl_bytes body = tl_http_request_body(r);

    need(tl_http_request_target(r)[0] == '/');
    need(body.data[body.len] == 0);
    (void)tl_http_request_arg(r, "a");
    (void)tl_http_request_header(r, "x-twilio-signature");
    if (strncmp(tl_http_request_path(r), "/later", 6) == 0 && !t->waiting)
        t->waiting = x;
    else
        tl_http_respond(x, 200, "text/plain", body.data, body.len, NULL);
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    (void)arg;
    if (tl_ws_send(ws, is_text, data, len) == TL_RETRY)
        tl_ws_abort(ws);
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *end)
{
    struct target *t = arg;

    (void)ws;
    need(end->reason != NULL);
    t->accepted--;
}

static void on_upgrade(void *arg, const struct tl_http_request *r, struct tl_ws_accept *accept)
{
    static const struct tl_ws_callbacks callbacks = {.on_message = on_message,
                                                     .on_close = on_close};
    struct target *t = arg;

    accept->accepted = strcmp(tl_http_request_path(r), "/ws") == 0;
    t->accepted += accept->accepted;
    accept->callbacks = &callbacks;
    accept->arg = t;
    accept->limits.message_bytes = 4096;
    accept->subprotocol = "chat";
}

static struct target *target_get(void)
{
    static struct target *t; /* made once: a fuzzer has no main of ours */
    struct tl_error err;

    if (t)
        return t;
    t = calloc(1, sizeof(*t));
    need(t && uv_loop_init(&t->loop) == 0);
    t->log = (struct tl_log){.fd = 2, .level = TL_LOG_ERROR};
    const struct tl_net_options net = {.loop = &t->loop, .log = &t->log};
    need(tl_net_create(&net, &t->net, &err) == TL_OK);
    const struct tl_http_server_options server = {.address = "127.0.0.1",
                                                  .max_body_bytes = 8192,
                                                  .on_request = on_request,
                                                  .on_upgrade = on_upgrade,
                                                  .arg = t};
    need(tl_http_server_create(t->net, &server, &t->server, &err) == TL_OK);
    return t;
}

static void turn(struct target *t)
{
    (void)uv_run(&t->loop, UV_RUN_NOWAIT);
    if (t->waiting) {
        struct tl_http_exchange *x = t->waiting;
        t->waiting = NULL;
        tl_http_respond(x, 202, NULL, NULL, 0, NULL);
    }
}

static size_t drain(int fd, uint8_t *to, size_t room)
{
    size_t len = 0;
    ssize_t n;

    while (len < room && (n = recv(fd, to + len, room - len, MSG_DONTWAIT)) > 0)
        len += (size_t)n;
    return len;
}

static void put(int fd, const void *data, size_t size)
{
    if (size)
        (void)!send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); /* it may be closed by now */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target *t = target_get();
    static uint8_t answer[65536];
    int pair[2];
    size_t got = 0;

    if (size < 1 || size > 32768)
        return 0;
    uint8_t how = data[0];
    data++;
    size--;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    tl_http_server_adopt(t->server, pair[0]);
    if (how & 1)
        put(pair[1], handshake, sizeof(handshake) - 1);
    size_t first = how & 2 ? size / 2 : size;
    put(pair[1], data, first);
    turn(t);
    turn(t);
    put(pair[1], data + first, size - first);
    turn(t);
    (void)shutdown(pair[1], SHUT_WR);
    for (int i = 0; tl_http_server_connections(t->server) && i < TURNS_MAX; i++) {
        turn(t);
        size_t n = drain(pair[1], answer, sizeof(answer));
        if (!got && n)
            need(n < 7 || memcmp(answer, "HTTP/1.", 7) == 0);
        got += n;
    }
    need(tl_http_server_connections(t->server) == 0);
    need(t->accepted == 0 && !t->waiting);
    (void)close(pair[1]);
    turn(t);
    return 0;
}
