/* WebSockets, server and client, on real sockets: net/ws.h. */
#include "net_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_server.h"
#include "net/ws.h"

/* One side of a WebSocket and what it saw. */
struct side {
    struct tl_ws *ws;
    bool is_open;
    int opens, closes, messages;
    bool has_message;
    bool is_closed, is_drained, has_pong;
    struct tl_buf last;
    bool last_is_text;
    struct tl_ws_close end;
    char reason[256];
    bool echoes;
};

static void side_reset(struct side *side)
{
    tl_buf_finish(&side->last);
    *side = (struct side){0};
}

struct site {
    struct fixture *f;
    struct tl_http_server *server;
    struct side side; /* of the newest connection */
    int refusal;      /* status for upgrades; 0 accepts */
    const char *subprotocol;
    struct tl_ws_limits limits;
    char target[256];
    char authorization[64];
};

static void on_open(void *arg, struct tl_ws *ws)
{
    struct side *side = arg;

    side->ws = ws;
    side->opens++;
    side->is_open = true;
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct side *side = arg;

    side->messages++;
    side->has_message = true;
    side->last_is_text = is_text;
    if (!side->last.max)
        tl_buf_init(&side->last, 4 * 1024 * 1024);
    tl_buf_reset(&side->last);
    tl_buf_add(&side->last, data, len);
    if (side->echoes)
        assert_int_equal(tl_ws_send(ws, is_text, data, len), TL_OK);
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *end)
{
    struct side *side = arg;

    assert_false(tl_ws_is_open(ws));
    side->closes++;
    side->is_closed = true;
    side->end = *end;
    (void)snprintf(side->reason, sizeof(side->reason), "%s", end->reason);
    side->ws = NULL;
}

static void on_drained(void *arg, struct tl_ws *ws)
{
    struct side *side = arg;

    (void)ws;
    side->is_drained = true;
}

static void on_pong(void *arg, struct tl_ws *ws, const void *data, size_t len)
{
    struct side *side = arg;

    (void)ws;
    assert_int_equal(len, 2);
    assert_memory_equal(data, "hi", 2);
    side->has_pong = true;
}

static const struct tl_ws_callbacks callbacks = {on_open, on_message, on_close, on_drained,
                                                 on_pong};

static void on_request(void *arg, struct tl_http_exchange *x)
{
    (void)arg;
    tl_http_problem(x, 404, "Not Found", NULL);
}

static void on_upgrade(void *arg, const struct tl_http_request *r, struct tl_ws_accept *accept)
{
    struct site *site = arg;
    const char *authorization = tl_http_request_header(r, "Authorization");

    (void)snprintf(site->target, sizeof(site->target), "%s", tl_http_request_target(r));
    (void)snprintf(site->authorization, sizeof(site->authorization), "%s",
                   authorization ? authorization : "");
    accept->accepted = site->refusal == 0;
    accept->status = site->refusal;
    accept->subprotocol = site->subprotocol;
    accept->callbacks = &callbacks;
    accept->arg = &site->side;
    accept->limits = site->limits;
}

static void site_open_on(struct site *site, struct fixture *f, const char *cert, const char *key)
{
    struct tl_error err;
    const struct tl_http_server_options options = {
        .address = "127.0.0.1",
        .cert_file = cert,
        .key_file = key,
        .on_request = on_request,
        .on_upgrade = on_upgrade,
        .arg = site,
    };

    *site = (struct site){.f = f, .side.echoes = true};
    if (tl_http_server_create(f->net, &options, &site->server, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static void site_open(struct site *site, struct fixture *f)
{
    site_open_on(site, f, NULL, NULL);
}

static void site_close(struct site *site)
{
    tl_buf_finish(&site->side.last);
}

static struct tl_ws *start_client(struct site *site, struct side *side,
                                  struct tl_ws_connect_options options, const char *scheme)
{
    struct tl_error err;
    struct tl_ws *ws;
    char url[128];

    *side = (struct side){0};
    (void)snprintf(url, sizeof(url), "%s://localhost:%d/media?call=CA%%2B1", scheme,
                   tl_http_server_port(site->server));
    options.url = url;
    options.callbacks = &callbacks;
    options.arg = side;
    if (tl_ws_connect(site->f->net, &options, &ws, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return ws;
}

static void open_client(struct site *site, struct side *side, struct tl_ws_connect_options options)
{
    side->ws = start_client(site, side, options, "ws");
    fixture_wait(site->f, &side->is_open, "the client's on_open");
}

static void wait_message(struct site *site, struct side *side)
{
    fixture_wait(site->f, &side->has_message, "a message");
    side->has_message = false;
}

/* ---- A peer that speaks frames itself ---- */

#define HANDSHAKE                                                                                  \
    "GET /media HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"              \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void peer_upgrade(struct peer *p, struct site *site)
{
    peer_connect(p, site->f, tl_http_server_port(site->server));
    peer_send_text(p, HANDSHAKE "\r\n");
    /* RFC 6455 section 1.3 gives the answer to this key. */
    peer_wait_for_text(p, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    peer_wait_for_text(p, "\r\n\r\n");
    peer_forget(p);
}

static size_t frame(uint8_t *to, int first, const char *text)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t len = strlen(text);

    to[0] = (uint8_t)first;
    to[1] = (uint8_t)(0x80 | len);
    memcpy(to + 2, mask, 4);
    for (size_t i = 0; i < len; i++)
        to[6 + i] = (uint8_t)text[i] ^ mask[i & 3];
    return 6 + len;
}

static void fragments_and_single_bytes_are_assembled(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;
    uint8_t bytes[256];
    size_t n = 0;

    site_open(&site, *state);
    peer_upgrade(&p, &site);
    n += frame(bytes + n, 0x01, "{\"event\":");
    n += frame(bytes + n, 0x89, "beat"); /* control frames may stand between */
    n += frame(bytes + n, 0x00, "\"me");
    n += frame(bytes + n, 0x80, "dia\"}");
    for (int slowly = 0; slowly < 2; slowly++) {
        peer_forget(&p);
        if (slowly)
            peer_send_slowly(&p, bytes, n);
        else
            peer_send(&p, bytes, n);
        wait_message(&site, &site.side);
        assert_string_equal(tl_buf_str(&site.side.last), "{\"event\":\"media\"}");
        assert_true(site.side.last_is_text);
        peer_wait_for_bytes(&p, 6 + 2 + 17);
        assert_non_null(memmem(p.in.data, p.in.len, "\x81\x11{\"event\":\"media\"}", 19));
        assert_non_null(memmem(p.in.data, p.in.len,
                               "\x8a\x04"
                               "beat",
                               6));
    }
    assert_int_equal(site.side.messages, 2);
    peer_close(&p);
    fixture_wait(site.f, &site.side.is_closed, "on_close");
    assert_true(site.side.end.abrupt);
    assert_int_equal(site.side.end.code, 1006);
    site_close(&site);
}

static void frames_behind_the_handshake_are_taken(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;
    uint8_t bytes[512];
    size_t n = strlen(HANDSHAKE "\r\n");

    site_open(&site, *state);
    memcpy(bytes, HANDSHAKE "\r\n", n);
    n += frame(bytes + n, 0x81, "early");
    peer_connect(&p, site.f, tl_http_server_port(site.server));
    peer_send(&p, bytes, n);
    wait_message(&site, &site.side);
    assert_string_equal(tl_buf_str(&site.side.last), "early");
    peer_close(&p);
    fixture_wait(site.f, &site.side.is_closed, "on_close");
    site_close(&site);
}

static void bad_handshakes_are_refused(void **state)
{
    static const struct {
        const char *head, *answer;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\r\n",
         "426 Upgrade Required"},
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\n\r\n",
         "400 Bad Request"},
        {"POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Content-Length: 0\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
         "405 Method Not Allowed"},
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
         "400 Bad Request"},
    };
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        struct peer p;
        peer_connect(&p, site.f, tl_http_server_port(site.server));
        peer_send_text(&p, cases[i].head);
        peer_wait_for_close(&p);
        if (!strstr(tl_buf_str(&p.in), cases[i].answer))
            fail_msg("%s\n-> %s", cases[i].head, tl_buf_str(&p.in));
        peer_close(&p);
    }
    assert_int_equal(site.side.opens + site.side.closes, 0);
}

static void protocol_errors_end_the_connection(void **state)
{
    static const int firsts[] = {0x83, 0xc1, 0x80, 0x09}; /* opcode, rsv, stray, cut control */
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(firsts); i++) {
        struct peer p;
        uint8_t bytes[64];
        peer_upgrade(&p, &site);
        peer_send(&p, bytes, frame(bytes, firsts[i], "x"));
        peer_wait_for_close(&p);
        fixture_wait(site.f, &site.side.is_closed, "on_close");
        site.side.is_closed = false;
        peer_close(&p);
    }
    assert_int_equal(site.side.messages, 0);
    assert_int_equal(site.side.closes, (int)TL_ARRAY_LEN(firsts));
}

/* ---- Client and server ---- */

static void client_and_server_exchange_messages(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 5000, 65535, 65536, 1024 * 1024};
    const struct tl_http_header headers[] = {{"Authorization", "Bearer key"}, {NULL, NULL}};
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;
    char *data = malloc(1024 * 1024);

    assert_non_null(data);
    for (size_t i = 0; i < 1024 * 1024; i++)
        data[i] = (char)(i * 31);
    site_open(&site, *state);
    site.limits.queue_bytes = 3 * 1024 * 1024;
    open_client(
        &site, &client,
        (struct tl_ws_connect_options){.headers = headers, .limits.queue_bytes = 3 * 1024 * 1024});
    assert_string_equal(site.target, "/media?call=CA%2B1");
    assert_string_equal(site.authorization, "Bearer key");
    for (size_t i = 0; i < TL_ARRAY_LEN(sizes); i++) {
        bool is_text = i % 2;
        assert_int_equal(tl_ws_send(client.ws, is_text, data, sizes[i]), TL_OK);
        wait_message(&site, &client);
        assert_int_equal(client.last.len, sizes[i]);
        if (sizes[i])
            assert_memory_equal(client.last.data, data, sizes[i]);
        assert_int_equal(client.last_is_text, is_text);
    }
    assert_int_equal(tl_ws_buffered(client.ws), 0);
    tl_ws_close(client.ws, 1000, "done");
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    assert_false(client.end.abrupt);
    assert_int_equal(client.end.code, 1000);
    assert_false(site.side.end.abrupt);
    assert_int_equal(site.side.end.code, 1000);
    assert_string_equal(site.side.reason, "done");
    assert_int_equal(client.closes + site.side.closes, 2);
    free(data);
    tl_buf_finish(&client.last);
    site_close(&site);
}

static void a_burst_keeps_its_order(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;
    int expected = 5000;

    site_open(&site, *state);
    site.limits.queue_bytes = 4 * 1024 * 1024;
    open_client(&site, &client,
                (struct tl_ws_connect_options){.limits.queue_bytes = 4 * 1024 * 1024});
    for (int i = 0; i < expected; i++) {
        char text[300];
        int n = snprintf(text, sizeof(text), "%0250d", i);
        assert_int_equal(tl_ws_send(client.ws, true, text, (size_t)n), TL_OK);
        if (i % 100 == 0)
            assert_int_equal(tl_ws_ping(client.ws, "hi", 2), TL_OK); /* lws pongs in between */
    }
    for (int i = 0; i < expected; i++) {
        while (client.messages <= i)
            wait_message(&site, &client);
        if (client.messages == i + 1)
            assert_int_equal((int)strtol(tl_buf_str(&client.last), NULL, 10), i);
    }
    fixture_wait(site.f, &client.has_pong, "a pong");
    tl_ws_close(client.ws, 1000, NULL);
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    tl_buf_finish(&client.last);
    site_close(&site);
}

static void the_server_may_close_with_a_reason(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;

    site_open(&site, *state);
    open_client(&site, &client, (struct tl_ws_connect_options){0});
    fixture_wait(site.f, &site.side.is_open, "the server's on_open");
    assert_int_equal(tl_ws_send(site.side.ws, true, "last", 4), TL_OK);
    tl_ws_close(site.side.ws, 4001, "session over");
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    assert_string_equal(tl_buf_str(&client.last), "last"); /* the queue goes first */
    assert_int_equal(client.end.code, 4001);
    assert_string_equal(client.reason, "session over");
    assert_false(client.end.abrupt);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    assert_false(site.side.end.abrupt);
    tl_buf_finish(&client.last);
}

static void refusals_reach_the_client(void **state)
{
    static const int statuses[] = {302, 400, 401, 403, 404, 429, 500, 503};
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(statuses); i++) {
        static struct side client;
        site.refusal = statuses[i];
        (void)start_client(&site, &client, (struct tl_ws_connect_options){0}, "ws");
        fixture_wait(site.f, &client.is_closed, "the client's on_close");
        assert_int_equal(client.end.http_status, statuses[i]);
        assert_true(client.end.abrupt);
        assert_int_equal(client.opens, 0);
        assert_int_equal(client.closes, 1);
    }
    assert_int_equal(site.side.opens + site.side.closes, 0);
}

/* What a server answers that is no WebSocket server, or a broken one. */
static void wrong_answers_open_nothing(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "not HTTP at all\r\n\r\n",
        "",
    };
    struct fixture *f = *state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    for (size_t i = 0; i < TL_ARRAY_LEN(answers); i++) {
        char url[64], request[2048];
        struct side client = {0};
        struct tl_error err;
        struct tl_ws *ws;
        int fd;
        (void)snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", ntohs(in.sin_port));
        const struct tl_ws_connect_options options = {
            .url = url, .callbacks = &callbacks, .arg = &client};
        assert_int_equal(tl_ws_connect(f->net, &options, &ws, &err), TL_OK);
        while ((fd = accept(listener, NULL, NULL)) < 0)
            fixture_turn(f, 1);
        while (recv(fd, request, sizeof(request), MSG_DONTWAIT) <= 0)
            fixture_turn(f, 1);
        assert_int_equal(send(fd, answers[i], strlen(answers[i]), 0), strlen(answers[i]));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        fixture_wait(f, &client.is_closed, "the client's on_close");
        assert_int_equal(client.opens, 0);
        assert_int_equal(client.closes, 1);
        assert_true(client.end.abrupt);
        assert_int_equal(client.end.http_status, i == 2 ? 200 : 0);
        (void)close(fd);
    }
    (void)close(listener);
}

static void nobody_there_is_reported_once(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;

    site_open(&site, *state);
    tl_http_server_stop_listening(site.server);
    fixture_turn(site.f, 3);
    (void)start_client(&site, &client, (struct tl_ws_connect_options){0}, "ws");
    assert_int_equal(client.closes, 0); /* never from within the call */
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    assert_int_equal(client.end.http_status, 0);
    assert_int_equal(client.closes, 1);
    assert_true(client.reason[0] != 0);
}

static void a_silent_server_times_out(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;

    struct fixture *f = *state;

    site_open(&site, f);
    site.refusal = 0;
    /* A listener that never answers: the backlog takes the connection, nobody reads it. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    char url[64];
    (void)snprintf(url, sizeof(url), "ws://127.0.0.1:%d/", ntohs(in.sin_port));
    client = (struct side){0};
    const struct tl_ws_connect_options options = {
        .url = url, .timeout_ms = 50, .callbacks = &callbacks, .arg = &client};
    struct tl_error err;
    struct tl_ws *ws;
    assert_int_equal(tl_ws_connect(f->net, &options, &ws, &err), TL_OK);
    fixture_wait(f, &client.is_closed, "the client's on_close");
    assert_string_equal(client.reason, "not open after 50 ms");
    assert_int_equal(client.closes, 1);
    (void)close(fd);
}

static void closing_while_connecting_gives_up(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side early, later;

    site_open(&site, *state);
    struct tl_ws *ws = start_client(&site, &early, (struct tl_ws_connect_options){0}, "ws");
    tl_ws_close(ws, 1000, "changed my mind");
    assert_int_equal(early.closes, 0);
    struct tl_ws *ws2 = start_client(&site, &later, (struct tl_ws_connect_options){0}, "ws");
    tl_ws_abort(ws2);
    assert_int_equal(later.closes, 0);
    fixture_wait(site.f, &early.is_closed, "the client's on_close");
    fixture_wait(site.f, &later.is_closed, "the other client's on_close");
    assert_int_equal(early.opens + later.opens, 0);
    assert_int_equal(early.closes + later.closes, 2);
}

static void bad_urls_are_invalid(void **state)
{
    static const char *const urls[] = {"http://localhost/", "ws://", "nonsense", "ws://ho st/"};
    struct fixture *f = *state;
    struct tl_error err;
    struct tl_ws *ws;

    for (size_t i = 0; i < TL_ARRAY_LEN(urls); i++) {
        const struct tl_ws_connect_options options = {.url = urls[i], .callbacks = &callbacks};
        if (tl_ws_connect(f->net, &options, &ws, &err) != TL_INVALID)
            fail_msg("%s", urls[i]);
    }
    const struct tl_http_header split[] = {{"X", "a\r\nInjected: b"}, {NULL, NULL}};
    const struct tl_ws_connect_options options = {
        .url = "ws://localhost:1/", .headers = split, .callbacks = &callbacks};
    assert_int_equal(tl_ws_connect(f->net, &options, &ws, &err), TL_INVALID);
}

static void a_subprotocol_is_echoed_only_if_offered(void **state)
{
    static const struct {
        const char *offered, *served, *agreed;
    } cases[] = {
        {"realtime, other", "realtime", "realtime"},
        {"other, realtime", "realtime", "realtime"},
        {"other", "realtime", ""},
        {NULL, "realtime", ""},
        {"realtime", NULL, ""},
    };
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        static struct side client;
        site.subprotocol = cases[i].served;
        side_reset(&site.side);
        open_client(&site, &client,
                    (struct tl_ws_connect_options){.subprotocol = cases[i].offered});
        fixture_wait(site.f, &site.side.is_open, "the server's on_open");
        assert_string_equal(tl_ws_subprotocol(client.ws), cases[i].agreed);
        assert_string_equal(tl_ws_subprotocol(site.side.ws), cases[i].agreed);
        assert_string_equal(tl_ws_peer(site.side.ws), "127.0.0.1");
        tl_ws_close(client.ws, 1000, NULL);
        fixture_wait(site.f, &client.is_closed, "the client's on_close");
        fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    }
}

static void abort_resets_the_connection(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;
    struct peer p;

    site_open(&site, *state);
    open_client(&site, &client, (struct tl_ws_connect_options){0});
    fixture_wait(site.f, &site.side.is_open, "the server's on_open");
    tl_ws_abort(client.ws);
    assert_int_equal(client.closes, 0); /* from the loop, not from within */
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    assert_true(site.side.end.abrupt);
    assert_int_equal(site.side.end.code, 1006);
    assert_int_equal(client.end.code, 1006);

    side_reset(&site.side);
    peer_upgrade(&p, &site);
    fixture_wait(site.f, &site.side.is_open, "the server's on_open");
    tl_ws_abort(site.side.ws);
    peer_wait_for_close(&p);
    assert_true(p.is_reset); /* not a FIN, and no close frame */
    assert_int_equal(p.in.len, 0);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    peer_close(&p);
}

static void a_full_queue_says_retry_and_drains(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;
    struct peer p;
    static char whole[300 * 1024];
    char *data = whole;
    const size_t size = 60000;
    enum tl_status st = TL_OK;
    size_t sent = 0;

    site_open(&site, *state);
    site.limits.queue_bytes = 256 * 1024;
    peer_upgrade(&p, &site);
    fixture_wait(site.f, &site.side.is_open, "the server's on_open");
    assert_int_equal(uv_poll_stop(&p.poll), 0); /* the peer does not read */
    for (int i = 0; i < 1000 && st == TL_OK; i++) {
        st = tl_ws_send(site.side.ws, false, data, size);
        sent += st == TL_OK;
        if (i % 3 == 0)
            fixture_turn(site.f, 2); /* what the kernel takes goes */
    }
    assert_int_equal(st, TL_RETRY);
    assert_int_equal(tl_ws_send(site.side.ws, false, data, 300 * 1024),
                     TL_INVALID); /* never fits */
    assert_true(tl_ws_buffered(site.side.ws) <= 256 * 1024);
    assert_true(tl_ws_buffered(site.side.ws) > 0);
    assert_false(site.side.is_drained);
    peer_close(&p);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");

    side_reset(&site.side); /* and with one that reads, everything arrives */
    open_client(&site, &client, (struct tl_ws_connect_options){0});
    fixture_wait(site.f, &site.side.is_open, "the server's on_open");
    sent = 0;
    while (tl_ws_send(site.side.ws, false, data, size) == TL_OK)
        sent++;
    assert_int_equal(sent, 256 * 1024 / (size + 4));
    fixture_wait(site.f, &site.side.is_drained, "on_drained");
    assert_int_equal(tl_ws_send(site.side.ws, false, data, size), TL_OK);
    while (client.messages < (int)sent + 1)
        wait_message(&site, &client);
    tl_buf_finish(&client.last);
}

static void long_messages_close_with_1009(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;
    static char data[20000];

    site_open(&site, *state);
    site.limits.message_bytes = 10000;
    open_client(&site, &client, (struct tl_ws_connect_options){0});
    assert_int_equal(tl_ws_send(client.ws, true, data, sizeof(data)), TL_OK);
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
    assert_int_equal(client.end.code, 1009);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    assert_int_equal(site.side.end.code, 1009);
    assert_int_equal(site.side.messages, 0);
}

static void a_half_open_peer_is_noticed(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    site.limits.keepalive_ms = 20;
    site.limits.keepalive_timeout_ms = 40;
    peer_upgrade(&p, &site);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close"); /* it never pongs */
    assert_true(site.side.end.abrupt);
    assert_string_equal(site.side.reason, "keepalive timed out");
    assert_non_null(memmem(p.in.data, p.in.len, "\x89\x09keepalive", 11));
    peer_close(&p);
}

static void a_live_peer_is_kept(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;

    site_open(&site, *state);
    site.limits.keepalive_ms = 10;
    site.limits.keepalive_timeout_ms = 1000;
    open_client(&site, &client, (struct tl_ws_connect_options){0});
    for (uint64_t end = uv_now(&site.f->loop) + 100; uv_now(&site.f->loop) < end;)
        (void)uv_run(&site.f->loop, UV_RUN_ONCE);
    assert_int_equal(site.side.closes, 0);
    assert_true(tl_ws_is_open(site.side.ws));
    tl_ws_close(client.ws, 1000, NULL);
    fixture_wait(site.f, &client.is_closed, "the client's on_close");
}

static void destroy_with_open_connections_closes_each_once(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side clients[5], connecting;

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(clients); i++) {
        open_client(&site, &clients[i],
                    (struct tl_ws_connect_options){.limits.keepalive_ms = 1000});
        assert_int_equal(tl_ws_send(clients[i].ws, true, "unsent", 6), TL_OK);
    }
    (void)start_client(&site, &connecting, (struct tl_ws_connect_options){0}, "ws");
    tl_net_destroy(site.f->net);
    site.f->net = NULL;
    for (size_t i = 0; i < TL_ARRAY_LEN(clients); i++) {
        assert_int_equal(clients[i].closes, 1);
        tl_buf_finish(&clients[i].last);
    }
    assert_int_equal(connecting.closes, 1);
    assert_int_equal(site.side.opens, site.side.closes);
    site_close(&site);
}

/* ---- TLS ---- */

static void tls_is_verified(void **state)
{
    const char *cert = getenv("TEST_CERT_FILE"), *key = getenv("TEST_KEY_FILE");
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct side client;

    site_open_on(&site, *state, cert, key);
    client.ws = start_client(&site, &client, (struct tl_ws_connect_options){0}, "wss");
    fixture_wait(site.f, &client.is_open, "the client's on_open"); /* the CA is TEST_CA_FILE */
    static char data[100000];
    assert_int_equal(tl_ws_send(client.ws, false, data, sizeof(data)), TL_OK);
    wait_message(&site, &client);
    assert_int_equal(client.last.len, sizeof(data));
    tl_ws_abort(client.ws);
    fixture_wait(site.f, &site.side.is_closed, "the server's on_close");
    assert_true(site.side.end.abrupt);
    fixture_wait(site.f, &client.is_closed, "the client's on_close");

    struct tl_error err;
    struct tl_ws *ws;
    char url[64]; /* the certificate is for localhost, not for this */
    (void)snprintf(url, sizeof(url), "wss://127.0.0.1:%d/", tl_http_server_port(site.server));
    static struct side wrong;
    const struct tl_ws_connect_options options = {
        .url = url, .callbacks = &callbacks, .arg = &wrong};
    assert_int_equal(tl_ws_connect(site.f->net, &options, &ws, &err), TL_OK);
    fixture_wait(site.f, &wrong.is_closed, "the client's on_close");
    assert_int_equal(wrong.opens, 0);
    tl_buf_finish(&client.last);
    site_close(&site);
}

static void plain_text_at_a_tls_port_opens_nothing(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open_on(&site, *state, getenv("TEST_CERT_FILE"), getenv("TEST_KEY_FILE"));
    peer_connect(&p, site.f, tl_http_server_port(site.server));
    peer_send_text(&p, HANDSHAKE "\r\n");
    peer_wait_for_close(&p);
    assert_int_equal(site.side.opens + site.side.closes, 0);
    peer_close(&p);
}

static int make_certificate(void **state)
{
    static char dir[] = "/tmp/test_ws_XXXXXX";
    static char cert[64], key[64], command[512];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                   "-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 "
                   "-keyout %s -out %s 2>/dev/null",
                   key, cert);
    FILE *openssl = popen(command, "r");
    if (!openssl || pclose(openssl) != 0)
        return -1;
    (void)setenv("TEST_CERT_FILE", cert, 1);
    (void)setenv("TEST_KEY_FILE", key, 1);
    (void)setenv("TEST_CA_FILE", cert, 1);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    (void)unlink(getenv("TEST_CERT_FILE"));
    (void)unlink(getenv("TEST_KEY_FILE"));
    char *slash = strrchr(getenv("TEST_CERT_FILE"), '/');
    *slash = 0;
    return rmdir(getenv("TEST_CERT_FILE"));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(fragments_and_single_bytes_are_assembled),
        CASE(frames_behind_the_handshake_are_taken),
        CASE(bad_handshakes_are_refused),
        CASE(protocol_errors_end_the_connection),
        CASE(client_and_server_exchange_messages),
        CASE(a_burst_keeps_its_order),
        CASE(the_server_may_close_with_a_reason),
        CASE(refusals_reach_the_client),
        CASE(wrong_answers_open_nothing),
        CASE(nobody_there_is_reported_once),
        CASE(a_silent_server_times_out),
        CASE(closing_while_connecting_gives_up),
        CASE(bad_urls_are_invalid),
        CASE(a_subprotocol_is_echoed_only_if_offered),
        CASE(abort_resets_the_connection),
        CASE(a_full_queue_says_retry_and_drains),
        CASE(long_messages_close_with_1009),
        CASE(a_half_open_peer_is_noticed),
        CASE(a_live_peer_is_kept),
        CASE(destroy_with_open_connections_closes_each_once),
        CASE(tls_is_verified),
        CASE(plain_text_at_a_tls_port_opens_nothing),
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
