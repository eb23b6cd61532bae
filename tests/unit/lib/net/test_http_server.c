/* The HTTP server on real sockets: net/http_server.h. */
#include "net_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_server.h"

struct site {
    struct fixture *f;
    struct tl_http_server *server;
    struct tl_http_exchange *waiting; /* of /later */
    bool is_waiting;
    bool is_gone;
    char seen[4096]; /* what the last request was */
};

static void describe(struct site *site, const struct tl_http_request *r)
{
    const char *sig = tl_http_request_header(r, "X-Twilio-Signature");
    const char *agent = tl_http_request_header(r, "User-Agent");

    (void)snprintf(site->seen, sizeof(site->seen), "%s|%s|%s|%s|%s|%.*s|%s",
                   tl_http_request_method(r), tl_http_request_path(r), tl_http_request_target(r),
                   sig ? sig : "-", agent ? agent : "-", (int)tl_http_request_body(r).len,
                   (const char *)tl_http_request_body(r).data, tl_http_request_peer(r));
}

static void on_gone(void *arg, struct tl_http_exchange *x)
{
    struct site *site = arg;

    assert_true(tl_http_exchange_is_gone(x));
    site->is_gone = true;
}

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct site *site = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *path = tl_http_request_path(r);

    describe(site, r);
    if (strcmp(path, "/later") == 0) {
        site->waiting = x;
        site->is_waiting = true;
        tl_http_exchange_on_gone(x, on_gone, site);
    } else if (strcmp(path, "/missing") == 0) {
        tl_http_problem(x, 404, "Not Found", "no \"such\" thing");
    } else if (strcmp(path, "/big") == 0) {
        size_t len = 3 * 1024 * 1024;
        char *body = malloc(len);
        assert_non_null(body);
        memset(body, 'b', len);
        tl_http_respond(x, 200, "text/plain", body, len, NULL);
        free(body);
    } else {
        const struct tl_http_header headers[] = {
            {"X-Extra", "one"}, {"X-Bad", "a\r\nb"}, {NULL, NULL}};
        struct tl_bytes body = tl_http_request_body(r);
        tl_http_respond(x, 200, "text/plain", body.len ? (const char *)body.data : "hello",
                        body.len ? body.len : 5, headers);
    }
}

static void site_open(struct site *site, struct fixture *f)
{
    struct tl_error err;
    const struct tl_http_server_options options = {
        .address = "127.0.0.1",
        .max_body_bytes = 1000,
        .on_request = on_request,
        .arg = site,
    };

    *site = (struct site){.f = f};
    if (tl_http_server_create(f->net, &options, &site->server, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_true(tl_http_server_port(site->server) > 0);
}

static void get_is_answered_with_length_and_headers(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(
        &p, "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nX-Twilio-Signature: sig=\r\n\r\n");
    peer_wait_for_text(&p, "hello");
    assert_ptr_equal(strstr(tl_buf_str(&p.in), "HTTP/1.1 200 OK\r\n"), tl_buf_str(&p.in));
    assert_non_null(strstr(tl_buf_str(&p.in), "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(tl_buf_str(&p.in), "\r\nX-Extra: one\r\n"));
    assert_non_null(strstr(tl_buf_str(&p.in), "\r\nDate: "));
    assert_null(strstr(tl_buf_str(&p.in), "X-Bad"));
    assert_string_equal(site.seen, "GET|/a|/a|sig=|test||127.0.0.1");
    peer_close(&p);
}

static void post_body_comes_whole(void **state)
{
    static const char text[] =
        "POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nCallSid=CA1";
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, text);
    peer_wait_for_text(&p, "\r\n\r\nCallSid=CA1");
    peer_forget(&p);
    peer_send_slowly(&p, text, sizeof(text) - 1); /* the same connection, a byte at a time */
    peer_wait_for_text(&p, "\r\n\r\nCallSid=CA1");
    assert_string_equal(site.seen, "POST|/form|/form|-|-|CallSid=CA1|127.0.0.1");
    assert_int_equal(tl_http_server_connections(site.server), 1);
    peer_close(&p);
}

static void empty_posts_are_dispatched(void **state)
{
    static const char *const heads[] = {
        "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "PUT /e HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "DELETE /e HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /e HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(heads); i++) {
        struct peer p;
        peer_connect(&p, *state, tl_http_server_port(site.server));
        peer_send_text(&p, heads[i]);
        peer_wait_for_text(&p, "\r\n\r\nhello");
        peer_close(&p);
    }
}

static void the_answer_may_come_later(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    for (int i = 0; i < 3; i++) {
        site.is_waiting = false;
        peer_send_text(&p, "GET /later?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
        fixture_wait(site.f, &site.is_waiting, "the handler");
        fixture_turn(site.f, 10);
        assert_int_equal(p.in.len, 0);
        assert_string_equal(tl_http_request_target(tl_http_exchange_request(site.waiting)),
                            "/later?x=1");
        tl_http_respond(site.waiting, 202, "text/plain", "late", 4, NULL);
        peer_wait_for_text(&p, "202 Accepted");
        peer_wait_for_text(&p, "\r\n\r\nlate");
        peer_forget(&p);
    }
    assert_false(site.is_gone);
    peer_close(&p);
}

/* libwebsockets 4.1.6 takes the head of a pipelined POST for its body, and then loops for ever. */
static void pipelining_is_answered_once_and_closed(void **state)
{
    static const char second[] = "POST /second HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo";
    static const char *const firsts[] = {
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /later HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    };
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(firsts); i++) {
        struct peer p;
        char text[512];
        bool is_late = strstr(firsts[i], "/later") != NULL;
        (void)snprintf(text, sizeof(text), "%s%s%s", firsts[i], second, second);
        peer_connect(&p, *state, tl_http_server_port(site.server));
        site.is_waiting = false;
        peer_send_text(&p, text);
        if (is_late) {
            fixture_wait(site.f, &site.is_waiting, "the handler");
            fixture_turn(site.f, 10);
            tl_http_respond(site.waiting, 200, "text/plain", "late", 4, NULL);
        }
        peer_wait_for_close(&p);
        if (strstr(site.seen, "/second"))
            fail_msg("%s: the second request was taken", firsts[i]);
        if (!strstr(tl_buf_str(&p.in), "HTTP/1.1 200 OK"))
            fail_msg("%s: no answer", firsts[i]);
        assert_null(strstr(tl_buf_str(&p.in) + 1, "HTTP/1.1 "));
        peer_close(&p);
    }
}

static void a_peer_that_leaves_is_told_about(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    fixture_wait(site.f, &site.is_waiting, "the handler");
    peer_close(&p);
    fixture_wait(site.f, &site.is_gone, "word that the peer left");
    tl_http_respond(site.waiting, 200, "text/plain", "one", 3, NULL); /* a no-op */
}

static void problems_are_rfc_9457_documents(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, "GET /missing HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_wait_for_text(&p, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                           "\"detail\":\"no \\\"such\\\" thing\"}");
    assert_non_null(strstr(tl_buf_str(&p.in), "Content-Type: application/problem+json\r\n"));
    peer_close(&p);
}

static void http_1_0_is_answered_and_closed(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, "GET /a HTTP/1.0\r\n\r\n");
    peer_wait_for_close(&p);
    assert_non_null(strstr(tl_buf_str(&p.in), "\r\n\r\nhello"));
    peer_close(&p);
}

static void addresses_are_cut_in_two(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {":0", "", 0},
        {"[::1]:9", "::1", 9},
        {"localhost:65535", "localhost", 65535},
        {"a:65536", NULL, 0},
        {"a", NULL, 0},
        {"a:", NULL, 0},
        {"a:-1", NULL, 0},
        {"a:1x", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char host[TL_HTTP_HOST_SIZE];
        struct tl_error err;
        int port = -1;
        enum tl_status st = tl_http_address_parse(cases[i].text, host, &port, &err);
        assert_int_equal(st, cases[i].host ? TL_OK : TL_INVALID);
        if (!cases[i].host)
            continue;
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

static void head_has_the_length_and_no_body(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_wait_for_text(&p, "Content-Length: 5\r\nX-Extra: one\r\n\r\n");
    peer_send_text(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_wait_for_text(&p, "X-Extra: one\r\n\r\nHTTP/1.1 200");
    peer_close(&p);
}

static void big_answers_arrive_whole(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(&p, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_wait_for_bytes(&p, 3 * 1024 * 1024);
    peer_send_text(&p, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_wait_for_text(&p, "hello");
    peer_close(&p);
}

static void expect_continue_is_greeted(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    peer_send_text(
        &p, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    peer_wait_for_text(&p, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_send_text(&p, "abc");
    peer_wait_for_text(&p, "\r\n\r\nabc");
    peer_close(&p);
}

static void malformed_requests_are_refused(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"NONSENSE\r\n\r\n", "400 Bad Request"},
        {"\x16\x03\x01\x02\x01 tls hello\r\n\r\n", "400 Bad Request"},
        {"GET /a HTTP/1.1\r\n\r\n", "400 Bad Request"}, /* no Host */
        {"GET /a\r\nHost: h\r\n\r\n", "400 Bad Request"},
        {"GET /a HTTP/3.7\r\nHost: h\r\n\r\n", "400 Bad Request"},
        {"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "400 Bad Request"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", "400 Bad Request"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
         "400 Bad Request"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "411 Length Required"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 Bad Request"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", "413 Content Too Large"},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
        {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "403"}, /* libwebsockets' own word */
    };
    static struct site site; /* outlives the test: the teardown closes what is open */

    site_open(&site, *state);
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        struct peer p;
        peer_connect(&p, *state, tl_http_server_port(site.server));
        peer_send_text(&p, cases[i].request);
        peer_wait_for_close(&p);
        if (!strstr(tl_buf_str(&p.in), cases[i].answer))
            fail_msg("%s\n-> %s", cases[i].request, tl_buf_str(&p.in));
        peer_close(&p);
    }
    assert_string_equal(site.seen, ""); /* no handler saw any of it */
}

static void targets_are_put_together_again(void **state)
{
    static const struct {
        const char *wire, *target;
    } cases[] = {
        {"/", "/"},
        {"/a/b.c", "/a/b.c"},
        {"/v1/calls/CA1:end@x", "/v1/calls/CA1:end@x"},
        {"/a?", "/a?"},
        {"/a?From=%2B14155550100&To=%2B1", "/a?From=%2B14155550100&To=%2B1"},
        {"/a?x=1&y&=z&&w=a=b", "/a?x=1&y&=z&&w=a=b"},
        {"/a?n=caf%C3%A9&s=a+b", "/a?n=caf%C3%A9&s=a+b"},
        {"/a?u=https%3A%2F%2Fx.test%2Fy%3Fz%3D1", "/a?u=https%3A%2F%2Fx.test%2Fy%3Fz=1"},
        {"/a?p=100%25&q=%26", "/a?p=100%25&q=%26"},
        {"/hook?sig=Zm9v-_~.x", "/hook?sig=Zm9v-_~.x"},
    };
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    peer_connect(&p, *state, tl_http_server_port(site.server));
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].wire);
        peer_send_text(&p, text);
        peer_wait_for_text(&p, "hello");
        peer_forget(&p);
        char *target = strchr(strchr(site.seen, '|') + 1, '|') + 1;
        *strchr(target, '|') = 0;
        assert_string_equal(target, cases[i].target);
    }
    peer_close(&p);
}

static void stop_listening_lets_connections_live(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer p;

    site_open(&site, *state);
    int port = tl_http_server_port(site.server);
    peer_connect(&p, *state, port);
    peer_send_text(&p, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    fixture_wait(site.f, &site.is_waiting, "the handler");
    tl_http_server_stop_listening(site.server);
    fixture_turn(site.f, 5);

    struct tl_http_server *other; /* the port is free again */
    struct tl_error err;
    const struct tl_http_server_options options = {
        .address = "127.0.0.1", .port = port, .on_request = on_request};
    assert_int_equal(tl_http_server_create(site.f->net, &options, &other, &err), TL_OK);

    tl_http_respond(site.waiting, 200, "text/plain", "bye", 3, NULL);
    peer_wait_for_close(&p);
    assert_non_null(strstr(tl_buf_str(&p.in), "Connection: close\r\n\r\nbye"));
    peer_close(&p);
}

static void a_taken_port_is_a_conflict_unless_shared(void **state)
{
    struct fixture *f = *state;
    struct tl_http_server *a, *b, *c;
    struct tl_error err;
    struct tl_http_server_options options = {
        .address = "127.0.0.1", .reuse_port = true, .on_request = on_request};

    assert_int_equal(tl_http_server_create(f->net, &options, &a, &err), TL_OK);
    options.port = tl_http_server_port(a);
    assert_int_equal(tl_http_server_create(f->net, &options, &b, &err), TL_OK);
    assert_int_equal(tl_http_server_port(b), options.port);
    options.reuse_port = false;
    assert_int_equal(tl_http_server_create(f->net, &options, &c, &err), TL_CONFLICT);
    options.address = "not-an-address";
    assert_int_equal(tl_http_server_create(f->net, &options, &c, &err), TL_INVALID);
}

static void destroy_with_requests_open_leaves_nothing(void **state)
{
    static struct site site; /* outlives the test: the teardown closes what is open */
    struct peer waiting, reading, idle;

    site_open(&site, *state);
    int port = tl_http_server_port(site.server);
    peer_connect(&waiting, *state, port);
    peer_connect(&reading, *state, port);
    peer_connect(&idle, *state, port);
    peer_send_text(&waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    peer_send_text(&reading, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    fixture_wait(site.f, &site.is_waiting, "the handler");
    fixture_turn(site.f, 5);
    tl_http_server_destroy(site.server);
    peer_wait_for_close(&waiting);
    peer_wait_for_close(&reading);
    peer_wait_for_close(&idle);
    assert_true(site.is_gone);
    tl_http_respond(site.waiting, 200, NULL, NULL, 0, NULL);
    peer_close(&waiting);
    peer_close(&reading);
    peer_close(&idle);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(get_is_answered_with_length_and_headers),
        CASE(post_body_comes_whole),
        CASE(empty_posts_are_dispatched),
        CASE(the_answer_may_come_later),
        CASE(pipelining_is_answered_once_and_closed),
        CASE(a_peer_that_leaves_is_told_about),
        CASE(problems_are_rfc_9457_documents),
        CASE(http_1_0_is_answered_and_closed),
        CASE(addresses_are_cut_in_two),
        CASE(head_has_the_length_and_no_body),
        CASE(big_answers_arrive_whole),
        CASE(expect_continue_is_greeted),
        CASE(malformed_requests_are_refused),
        CASE(targets_are_put_together_again),
        CASE(stop_listening_lets_connections_live),
        CASE(a_taken_port_is_a_conflict_unless_shared),
        CASE(destroy_with_requests_open_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
