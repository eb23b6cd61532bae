/* Requests and their answers on one listener's connection, HTTP/1.1 (RFC 9112).
 *
 * libwebsockets reads the head and counts the body; which requests are refused, and every byte of
 * an answer, is decided here. While an answer is awaited the socket is not read: what a peer
 * pipelines waits in the kernel. */
#include "net_internal.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_TIMEOUT_S 30
#define ANSWER_BYTES_MAX (64u * 1024 * 1024)

struct tl_http_exchange {
    struct tl_conn *conn; /* NULL: the peer left */
    struct tl_http_request *request;
    bool is_head;
    bool must_close; /* the connection cannot be used again after the answer */
    bool dispatched; /* the handler has it, and is to answer it */
    tl_http_gone_fn on_gone;
    void *gone_arg;
    int watch_fd;
    uv_poll_t *watch; /* tells that the peer left while the socket is not read */
};

static const struct {
    int status;
    const char *text;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

int tl_http_status_of(enum tl_status status)
{
    switch (status) {
    case TL_OK:
        return 200;
    case TL_INVALID:
        return 400;
    case TL_NOT_FOUND:
        return 404;
    case TL_DENIED:
        return 403;
    case TL_CONFLICT:
        return 409;
    case TL_RETRY:
        return 503;
    case TL_FATAL:
        break;
    }
    return 500;
}

/* RFC 9110 section 6.6.1 wants a Date of whoever has a clock. */
static void add_date(struct tl_buf *out)
{
    char text[40];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm); /* 29 bytes, fits */
    tl_buf_printf(out, "Date: %s\r\n", text);
}

static void add_headers(struct tl_buf *out, const struct tl_http_header *headers)
{
    for (; headers && headers->name; headers++)
        if (!strpbrk(headers->name, "\r\n:") && !strpbrk(headers->value, "\r\n"))
            tl_buf_printf(out, "%s: %s\r\n", headers->name, headers->value);
}

static void add_answer(struct tl_buf *out, int status, const char *content_type, const void *body,
                       size_t len, const struct tl_http_header *headers, bool is_head, bool is_last)
{
    bool has_body = status >= 200 && status != 204 && status != 304;

    tl_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    add_date(out);
    if (content_type && len)
        tl_buf_printf(out, "Content-Type: %s\r\n", content_type);
    if (has_body)
        tl_buf_printf(out, "Content-Length: %zu\r\n", len);
    add_headers(out, headers);
    tl_buf_add_str(out, is_last ? "Connection: close\r\n\r\n" : "\r\n");
    if (has_body && !is_head)
        tl_buf_add(out, body, len);
}

static char *problem_text(int status, const char *title, const char *detail)
{
    json_t *doc = json_pack("{s:s, s:s, s:i, s:s*}", "type", "about:blank", "title", title,
                            "status", status, "detail", detail);
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

    json_decref(doc);
    return text ? text : strdup("{}"); /* not UTF-8: the status still says enough */
}

static int write_out(struct tl_conn *conn, struct tl_buf *out)
{
    int n = out->full ? -1 : lws_write(conn->wsi, out->data, out->len, LWS_WRITE_HTTP_FINAL);

    tl_buf_finish(out);
    return n < 0 ? -1 : 0;
}

int tl_http_write_refusal(struct tl_conn *conn, int status, const char *title, const char *detail,
                          const struct tl_http_header *headers)
{
    struct tl_buf out;
    char *text = problem_text(status, title, detail);

    tl_buf_init(&out, ANSWER_BYTES_MAX);
    add_answer(&out, status, "application/problem+json", text, strlen(text), headers, false, true);
    free(text);
    (void)write_out(conn, &out); /* the connection is closed anyway */
    return -1;
}

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

static void end_watch(struct tl_http_exchange *x)
{
    if (!x->watch)
        return;
    uv_close((uv_handle_t *)x->watch, free_watch);
    x->watch = NULL;
    (void)close(x->watch_fd); /* a copy: nothing to lose */
}

static void exchange_destroy(struct tl_http_exchange *x)
{
    end_watch(x);
    if (x->conn)
        x->conn->x = NULL;
    tl_http_request_destroy(x->request);
    free(x);
}

/* Whether libwebsockets kept its header table, which it does when it has bytes of a next request:
 * copying a header that is not there empties the text only if there is a table. */
static bool has_pipelined(struct lws *wsi)
{
    char probe[2] = "x";

    (void)lws_hdr_custom_copy(wsi, probe, sizeof(probe), "x-none:", 7); /* never there */
    return probe[0] == 0;
}

/* After an answer is written. Never from within a callback of the wsi: see README.md, "Pipelining".
 */
static void end_transaction(struct tl_conn *conn)
{
    if (lws_partial_buffered(conn->wsi) && !conn->close_after) { /* tl_http_on_writable goes on */
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_HTTP_CONTENT, FLUSH_TIMEOUT_S);
        lws_callback_on_writable(conn->wsi);
        conn->is_flushing = true;
        return;
    }
    bool again = !conn->close_after && !conn->server->draining &&
                 lws_http_transaction_completed(conn->wsi) == 0 && !has_pipelined(conn->wsi);

    if (!again) /* as an idle connection's end, which lets what is unsent go out first */
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_HTTP_KEEPALIVE_IDLE, LWS_TO_KILL_SYNC);
}

static void end_soon(struct tl_conn *conn)
{
    if (conn->is_ending)
        return;
    conn->is_ending = true;
    TAILQ_INSERT_TAIL(&conn->net->ending, conn, ending_link);
    tl_net_wake_flusher(conn->net);
}

void tl_http_forget_ending(struct tl_conn *conn)
{
    if (conn->is_ending)
        TAILQ_REMOVE(&conn->net->ending, conn, ending_link);
    conn->is_ending = false;
}

void tl_http_end_all(struct tl_net *net)
{
    struct tl_conn *conn;

    while ((conn = TAILQ_FIRST(&net->ending))) {
        tl_http_forget_ending(conn);
        if (conn->is_paused)
            lws_rx_flow_control(conn->wsi, 1);
        conn->is_paused = false;
        end_transaction(conn);
    }
}

int tl_http_on_writable(struct tl_conn *conn)
{
    if (conn->is_flushing && !lws_partial_buffered(conn->wsi)) {
        conn->is_flushing = false;
        end_soon(conn);
    }
    return 0;
}

static int dispatch(struct tl_conn *conn)
{
    struct tl_http_server *server = conn->server;
    struct tl_http_exchange *x = conn->x;

    if (server->destroyed)
        return -1;
    x->dispatched = true;
    server->on_request(server->arg, x);
    if (!conn->x) /* it is answered */
        return 0;
    tl_http_request_freeze(x->request);
    lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
    lws_rx_flow_control(conn->wsi, 0);
    conn->is_paused = true;
    return 0;
}

/* Content-Length as RFC 9112 section 6.3 wants it: digits. -1: absent, -2: malformed. */
static long long content_length(const struct tl_http_request *r)
{
    const char *text = tl_http_request_header(r, "content-length");
    size_t len = text ? strlen(text) : 0;

    if (!text)
        return -1;
    if (!len || len > 15 || strspn(text, "0123456789") != len)
        return -2;
    return atoll(text);
}

static bool takes_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* Status of the refusal, 0 when the head is fine. */
static int judge_head(const struct tl_http_request *r, long long length, size_t max_body_bytes,
                      const char **ret_detail)
{
    bool is_11 = tl_http_request_is_version(r, "HTTP/1.1");

    if (!is_11 && !tl_http_request_is_version(r, "HTTP/1.0")) {
        *ret_detail = "this is not an HTTP/1.1 request";
        return 400;
    }
    if (tl_http_request_header(r, "transfer-encoding")) {
        *ret_detail = "bodies need a Content-Length";
        return length == -1 ? 411 : 400; /* both at once is how requests are smuggled */
    }
    if (length == -2) {
        *ret_detail = "Content-Length is not a number";
        return 400;
    }
    const char *host = tl_http_request_header(r, "host");
    if ((!host && is_11) || (host && strchr(host, ','))) {
        *ret_detail = "one Host is required";
        return 400;
    }
    if (length > 0 && (unsigned long long)length > max_body_bytes) {
        *ret_detail = "the body is longer than this server takes";
        return 413;
    }
    return 0;
}

static void greet_expectation(struct tl_conn *conn, const struct tl_http_request *r)
{
    const char *expect = tl_http_request_header(r, "expect");
    unsigned char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (expect && strcasecmp(expect, "100-continue") == 0)
        (void)lws_write(conn->wsi, text, sizeof(text) - 1, LWS_WRITE_HTTP); /* reading tells */
}

static struct tl_http_exchange *exchange_create(struct tl_conn *conn, struct tl_http_request *r)
{
    struct tl_http_exchange *x = calloc(1, sizeof(*x));

    if (!x)
        abort();
    x->conn = conn;
    x->request = r;
    x->is_head = strcmp(tl_http_request_method(r), "HEAD") == 0;
    conn->x = x;
    return x;
}

int tl_http_on_head(struct tl_conn *conn)
{
    struct tl_http_request *r;
    struct tl_error err;
    const char *detail = NULL;

    if (tl_http_request_create(conn->wsi, conn->peer, &r, &err) != TL_OK)
        return tl_http_write_refusal(conn, 400, "Bad Request", err.msg, NULL);
    long long length = content_length(r);
    int refusal = judge_head(r, length, conn->server->max_body_bytes, &detail);
    if (refusal) {
        tl_http_request_destroy(r);
        return tl_http_write_refusal(conn, refusal, reason_of(refusal), detail, NULL);
    }
    struct tl_http_exchange *x = exchange_create(conn, r);
    tl_buf_init(tl_http_request_body_buf(r), conn->server->max_body_bytes);
    conn->close_after = false;
    if (length > 0) {
        greet_expectation(conn, r);
        return 0; /* the body follows */
    }
    if (length == 0 && strcmp(tl_http_request_method(r), "POST") == 0)
        return 0; /* libwebsockets announces the end of its empty body */
    /* Without a length there is no body, but libwebsockets waits for one on these methods. */
    x->must_close = length == -1 && takes_body(tl_http_request_method(r));
    return dispatch(conn);
}

int tl_http_on_body(struct tl_conn *conn, const void *data, size_t len)
{
    if (!conn->x)
        return -1;
    struct tl_buf *body = tl_http_request_body_buf(conn->x->request);
    tl_buf_add(body, data, len);
    return body->full ? -1 : 0; /* cannot be: Content-Length was within the maximum */
}

int tl_http_on_body_end(struct tl_conn *conn)
{
    /* Called again when more comes before an answer has left: that stays buffered. */
    return conn->x && !conn->x->dispatched ? dispatch(conn) : 0;
}

/* libwebsockets gave up on the request line and shows what it had read last. */
int tl_http_on_garbage(struct tl_conn *conn, const void *data, size_t len)
{
    (void)data;
    (void)len;
    return tl_http_write_refusal(conn, 400, "Bad Request", "this is not an HTTP/1.1 request", NULL);
}

void tl_http_on_closed(struct tl_conn *conn)
{
    struct tl_http_exchange *x = conn->x;

    tl_http_forget_ending(conn);
    if (!x)
        return;
    conn->x = NULL;
    x->conn = NULL;
    end_watch(x); /* its copy of the descriptor would keep the connection open */
    if (!x->dispatched)
        exchange_destroy(x);
    else if (x->on_gone)
        x->on_gone(x->gone_arg, x);
}

void tl_http_respond(struct tl_http_exchange *x, int status, const char *content_type,
                     const void *body, size_t len, const struct tl_http_header *headers)
{
    struct tl_conn *conn = x->conn;

    if (conn) {
        struct tl_buf out;
        conn->close_after = x->must_close;
        tl_buf_init(&out, ANSWER_BYTES_MAX);
        add_answer(&out, status, content_type, body, len, headers, x->is_head,
                   x->must_close || conn->server->draining);
        conn->close_after |= write_out(conn, &out) < 0;
        end_soon(conn);
    }
    exchange_destroy(x);
}

void tl_http_problem(struct tl_http_exchange *x, int status, const char *title, const char *detail)
{
    char *text = problem_text(status, title, detail);

    tl_http_respond(x, status, "application/problem+json", text, strlen(text), NULL);
    free(text);
}

static void on_watch(uv_poll_t *watch, int status, int events)
{
    struct tl_http_exchange *x = watch->data;

    (void)status;
    (void)events; /* only the peer's end was asked for */
    (void)uv_poll_stop(watch);
    if (x->conn)
        tl_conn_kill(x->conn);
}

void tl_http_exchange_on_gone(struct tl_http_exchange *x, tl_http_gone_fn on_gone, void *arg)
{
    x->on_gone = on_gone;
    x->gone_arg = arg;
    if (!x->conn || x->watch)
        return;
    /* A second descriptor, for the first belongs to libwebsockets' own poll handle. */
    int fd = fcntl(lws_get_socket_fd(x->conn->wsi), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return; /* the end shows when the answer is written */
    x->watch = calloc(1, sizeof(*x->watch));
    if (!x->watch)
        abort();
    if (uv_poll_init(x->conn->net->loop, x->watch, fd) != 0) {
        (void)close(fd);
        free(x->watch);
        x->watch = NULL;
        return;
    }
    x->watch->data = x;
    x->watch_fd = fd;
    (void)uv_poll_start(x->watch, UV_DISCONNECT, on_watch); /* fails only when closing */
}

const struct tl_http_request *tl_http_exchange_request(const struct tl_http_exchange *x)
{
    return x->request;
}

bool tl_http_exchange_is_gone(const struct tl_http_exchange *x)
{
    return !x->conn;
}
