/* The HTTP client against our own server: net/http_client.h. */
#include "net_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_client.h"
#include "net/http_server.h"

struct site {
    struct fixture *f;
    struct tl_http_server *server;
    struct tl_http_exchange *waiting;
    bool is_waiting;
    char seen[512];
    int connections; /* the most that there were at once */
};

struct outcome {
    bool is_there;
    int times;
    int status;
    bool timed_out, too_large, not_sent;
    char error[256], retry_after[32], body[4096];
    size_t body_len;
};

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct site *site = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *path = tl_http_request_path(r);
    const char *authorization = tl_http_request_header(r, "authorization");
    const char *token = tl_http_request_header(r, "i-twilio-idempotency-token");

    (void)snprintf(site->seen, sizeof(site->seen), "%s %s %s %s %.*s", tl_http_request_method(r),
                   tl_http_request_target(r), authorization ? authorization : "-",
                   token ? token : "-", (int)tl_http_request_body(r).len,
                   (const char *)tl_http_request_body(r).data);
    if ((int)tl_http_server_connections(site->server) > site->connections)
        site->connections = (int)tl_http_server_connections(site->server);
    if (strcmp(path, "/later") == 0) {
        site->waiting = x;
        site->is_waiting = true;
    } else if (strcmp(path, "/busy") == 0) {
        const struct tl_http_header headers[] = {{"Retry-After", "7"}, {NULL, NULL}};
        tl_http_respond(x, 429, "text/plain", "slow down", 9, headers);
    } else if (strcmp(path, "/big") == 0) {
        static char big[5000];
        memset(big, 'b', sizeof(big));
        tl_http_respond(x, 200, "text/plain", big, sizeof(big), NULL);
    } else {
        tl_http_respond(x, 200, "text/plain", "hello", 5, NULL);
    }
}

static void on_answer(void *arg, const struct tl_http_answer *answer)
{
    struct outcome *o = arg;
    const char *retry_after = tl_http_answer_header(answer, "retry-after");

    o->times++;
    o->is_there = true;
    o->status = answer->status;
    o->timed_out = answer->timed_out;
    o->too_large = answer->too_large;
    o->not_sent = answer->not_sent;
    (void)snprintf(o->error, sizeof(o->error), "%s", answer->error);
    (void)snprintf(o->retry_after, sizeof(o->retry_after), "%s", retry_after ? retry_after : "");
    (void)snprintf(o->body, sizeof(o->body), "%s", (const char *)answer->body.data);
    o->body_len = answer->body.len;
}

static void site_open(struct site *site, struct fixture *f)
{
    struct tl_error err;
    const struct tl_http_server_options options = {
        .address = "127.0.0.1", .on_request = on_request, .arg = site};

    *site = (struct site){.f = f};
    if (tl_http_server_create(f->net, &options, &site->server, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static struct tl_http_call *start(struct site *site, const char *path, struct outcome *o,
                                  struct tl_http_call_options options)
{
    struct tl_http_call *call;
    struct tl_error err;
    char url[128];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", tl_http_server_port(site->server),
                   path);
    *o = (struct outcome){0};
    options.url = url;
    options.method = options.method ? options.method : "GET";
    options.on_answer = on_answer;
    options.arg = o;
    if (tl_http_call_start(site->f->net, &options, &call, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(o->times, 0); /* never from within the call */
    return call;
}

static void post_sends_everything_and_hears_the_answer(void **state)
{
    const struct tl_http_header headers[] = {{"I-Twilio-Idempotency-Token", "token"}, {NULL, NULL}};
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    (void)start(&site, "/2010/Calls.json?x=1", &o,
                (struct tl_http_call_options){.method = "POST",
                                              .headers = headers,
                                              .content_type = "application/x-www-form-urlencoded",
                                              .body = "Status=completed",
                                              .body_len = 16,
                                              .user = "AC1",
                                              .password = "secret"});
    fixture_wait(site.f, &o.is_there, "the answer");
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "hello");
    assert_string_equal(o.error, "");
    assert_string_equal(site.seen,
                        "POST /2010/Calls.json?x=1 Basic QUMxOnNlY3JldA== token Status=completed");
}

static void methods_go_out_as_given(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(methods); i++) {
        static struct outcome o;
        (void)start(&site, "/", &o, (struct tl_http_call_options){.method = methods[i]});
        fixture_wait(site.f, &o.is_there, methods[i]);
        assert_int_equal(o.status, 200);
        assert_memory_equal(site.seen, methods[i], strlen(methods[i]));
        assert_int_equal(o.body_len, i == 1 ? 0 : 5);
    }
    assert_int_equal(site.connections, 1); /* reused */
}

static void errors_of_the_server_are_answers(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    (void)start(&site, "/busy", &o, (struct tl_http_call_options){0});
    fixture_wait(site.f, &o.is_there, "the answer");
    assert_int_equal(o.status, 429);
    assert_string_equal(o.retry_after, "7");
    assert_string_equal(o.body, "slow down");
}

static void a_long_answer_is_cut_off(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    (void)start(&site, "/big", &o, (struct tl_http_call_options){.max_body_bytes = 1000});
    fixture_wait(site.f, &o.is_there, "the answer");
    assert_int_equal(o.status, 0);
    assert_true(o.too_large);
    assert_false(o.not_sent);
}

static void a_slow_answer_times_out(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    (void)start(&site, "/later", &o, (struct tl_http_call_options){.timeout_ms = 50});
    fixture_wait(site.f, &o.is_there, "the answer");
    assert_int_equal(o.status, 0);
    assert_true(o.timed_out);
    assert_false(o.not_sent); /* it may have had its effect */
    assert_true(site.is_waiting);
    tl_http_respond(site.waiting, 200, NULL, NULL, 0, NULL);
}

static void nobody_there_is_told_as_not_sent(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    tl_http_server_stop_listening(site.server);
    fixture_turn(site.f, 3);
    (void)start(&site, "/", &o, (struct tl_http_call_options){.method = "POST"});
    fixture_wait(site.f, &o.is_there, "the answer");
    assert_int_equal(o.status, 0);
    assert_true(o.not_sent);
    assert_true(o.error[0] != 0);
}

static void cancelled_calls_never_answer(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o, other;

    site_open(&site, *state);
    struct tl_http_call *call = start(&site, "/later", &o, (struct tl_http_call_options){0});
    fixture_wait(site.f, &site.is_waiting, "the handler");
    tl_http_call_cancel(call);
    tl_http_respond(site.waiting, 200, NULL, NULL, 0, NULL);
    (void)start(&site, "/", &other, (struct tl_http_call_options){0});
    fixture_wait(site.f, &other.is_there, "the other answer");
    assert_int_equal(o.times, 0);
}

static void many_at_once_are_answered_once_each(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o[50];

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(o); i++)
        (void)start(&site, i % 2 ? "/busy" : "/", &o[i], (struct tl_http_call_options){0});
    for (size_t i = 0; i < TL_ARRAY_LEN(o); i++) {
        fixture_wait(site.f, &o[i].is_there, "an answer");
        assert_int_equal(o[i].status, i % 2 ? 429 : 200);
        assert_int_equal(o[i].times, 1);
    }
}

static void destroy_answers_what_is_under_way(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    static struct outcome o;

    site_open(&site, *state);
    (void)start(&site, "/later", &o, (struct tl_http_call_options){0});
    fixture_wait(site.f, &site.is_waiting, "the handler");
    struct tl_http_exchange *x = site.waiting;
    tl_net_destroy(site.f->net);
    site.f->net = NULL;
    assert_int_equal(o.times, 1);
    assert_int_equal(o.status, 0);
    assert_string_equal(o.error, "shutting down");
    tl_http_respond(x, 200, NULL, NULL, 0, NULL); /* a no-op: its peer is gone */
}

static void bad_requests_are_invalid(void **state)
{
    static const struct {
        const char *method, *url;
    } cases[] = {
        {"GET", "ftp://localhost/"},
        {"GET", "nonsense:"},
        {"GET", ""},
        {"G T", "http://localhost/"},
        {"", "http://localhost/"},
        {"GET\r\nX: y", "http://localhost/"},
    };
    struct fixture *f = *state;
    struct tl_error err;

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        const struct tl_http_call_options options = {
            .method = cases[i].method, .url = cases[i].url, .on_answer = on_answer};
        if (tl_http_call_start(f->net, &options, NULL, &err) != TL_INVALID)
            fail_msg("%s %s", cases[i].method, cases[i].url);
    }
    const struct tl_http_header headers[] = {{"X", "a\r\nInjected: b"}, {NULL, NULL}};
    const struct tl_http_call_options options = {
        .method = "GET", .url = "http://localhost/", .headers = headers, .on_answer = on_answer};
    assert_int_equal(tl_http_call_start(f->net, &options, NULL, &err), TL_INVALID);
}

/* A server that answers the first request and closes the connection upon every other one. */
struct deaf {
    uv_tcp_t listener;
    uv_tcp_t conn[8];
    char bytes[4096];
    int port, connections, posts, requests, open;
    bool is_closed;
};

static void deaf_on_closed(uv_handle_t *handle)
{
    struct deaf *deaf = handle->data;
    deaf->is_closed = --deaf->open == 0;
}

static void deaf_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct deaf *deaf = handle->data;

    (void)size;
    *buf = uv_buf_init(deaf->bytes, sizeof(deaf->bytes) - 1);
}

static void deaf_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    static char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct deaf *deaf = stream->data;
    uv_buf_t answer = uv_buf_init(hello, sizeof(hello) - 1);

    if (n > 0 && ++deaf->requests == 1) {
        (void)uv_try_write(stream, &answer, 1);
        return;
    }
    deaf->posts += n > 4 && memcmp(buf->base, "POST", 4) == 0;
    if (n && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, deaf_on_closed);
}

static void deaf_on_connection(uv_stream_t *listener, int status)
{
    struct deaf *deaf = listener->data;
    uv_tcp_t *conn = &deaf->conn[deaf->connections++];

    assert_int_equal(status, 0);
    (void)uv_tcp_init(listener->loop, conn);
    conn->data = deaf;
    deaf->open++;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)conn), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)conn, deaf_alloc, deaf_on_read), 0);
}

static void deaf_open(struct deaf *deaf, struct fixture *f)
{
    struct sockaddr_in address;
    int size = sizeof(address);

    *deaf = (struct deaf){.open = 1};
    (void)uv_ip4_addr("127.0.0.1", 0, &address);
    (void)uv_tcp_init(&f->loop, &deaf->listener);
    deaf->listener.data = deaf;
    assert_int_equal(uv_tcp_bind(&deaf->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&deaf->listener, 8, deaf_on_connection), 0);
    (void)uv_tcp_getsockname(&deaf->listener, (struct sockaddr *)&address, &size);
    deaf->port = ntohs(address.sin_port);
}

static void deaf_close(struct deaf *deaf, struct fixture *f)
{
    uv_close((uv_handle_t *)&deaf->listener, deaf_on_closed);
    for (int i = 0; i < deaf->connections; i++)
        if (!uv_is_closing((uv_handle_t *)&deaf->conn[i]))
            uv_close((uv_handle_t *)&deaf->conn[i], deaf_on_closed);
    fixture_wait(f, &deaf->is_closed, "the server closes");
}

/* A GET that leaves its connection open, then a POST that is not answered: how often it came. */
static int posts_that_come(struct fixture *f, bool once)
{
    static struct deaf deaf;
    static struct outcome o;
    char url[64];
    struct tl_error err;

    deaf_open(&deaf, f);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", deaf.port);
    for (int i = 0; i < 2; i++) {
        const struct tl_http_call_options options = {.method = i ? "POST" : "GET",
                                                     .url = url,
                                                     .once = i && once,
                                                     .on_answer = on_answer,
                                                     .arg = &o};
        o = (struct outcome){0};
        assert_int_equal(tl_http_call_start(f->net, &options, NULL, &err), TL_OK);
        fixture_wait(f, &o.is_there, "an answer");
        assert_int_equal(o.status, i ? 0 : 200);
    }
    assert_int_equal(deaf.connections, 2);
    deaf_close(&deaf, f);
    return deaf.posts;
}

static void once_is_once_though_libcurl_would_repeat(void **state)
{
    assert_int_equal(posts_that_come(*state, false), 2); /* why the option is there */
    assert_int_equal(posts_that_come(*state, true), 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(post_sends_everything_and_hears_the_answer),
        CASE(methods_go_out_as_given),
        CASE(errors_of_the_server_are_answers),
        CASE(a_long_answer_is_cut_off),
        CASE(a_slow_answer_times_out),
        CASE(nobody_there_is_told_as_not_sent),
        CASE(cancelled_calls_never_answer),
        CASE(many_at_once_are_answered_once_each),
        CASE(destroy_answers_what_is_under_way),
        CASE(bad_requests_are_invalid),
        CASE(once_is_once_though_libcurl_would_repeat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
