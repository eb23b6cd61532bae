/* HTTP requests through libcurl's multi interface, driven by libuv: libcurl says which sockets and
 * which timeout to watch, and we tell it what happened. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_internal.h"

#define TIMEOUT_DEFAULT_MS 10000
#define BODY_BYTES_DEFAULT (1024 * 1024)
#define KEPT_CONNECTIONS 64

struct tl_http_call {
    struct tl_http_pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    struct tl_buf body;
    char error[CURL_ERROR_SIZE];
    tl_http_answer_fn on_answer;
    void *arg;
    LIST_ENTRY(tl_http_call) link;
};

struct tl_http_pool {
    struct tl_net *net;
    CURLM *multi;
    struct tl_timer timer;
    LIST_HEAD(, tl_http_call) calls;
};

static void call_free(struct tl_http_call *call)
{
    (void)curl_multi_remove_handle(call->pool->multi, call->easy); /* may not be in it */
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    tl_buf_finish(&call->body);
    LIST_REMOVE(call, link);
    free(call);
}

static void complete(struct tl_http_call *call, CURLcode rc)
{
    long status = 0, sent = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status); /* else 0 */
    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);    /* else 0 */
    struct tl_http_answer answer = {
        .status = rc == CURLE_OK ? (int)status : 0,
        .error = rc == CURLE_OK   ? ""
                 : call->error[0] ? call->error
                                  : curl_easy_strerror(rc),
        .timed_out = rc == CURLE_OPERATION_TIMEDOUT,
        .too_large = call->body.full,
        .not_sent = rc != CURLE_OK && sent == 0,
        .body = {(const uint8_t *)tl_buf_str(&call->body), call->body.len},
        .call = call,
    };
    if (call->body.full)
        answer.error = "the answer is longer than allowed";
    call->on_answer(call->arg, &answer);
    call_free(call);
}

static void take_finished(struct tl_http_pool *pool)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(pool->multi, &left))) {
        struct tl_http_call *call;
        CURLcode rc = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call); /* set by start */
        complete(call, rc);
    }
}

static void act(struct tl_http_pool *pool, curl_socket_t fd, int events)
{
    int running;

    (void)curl_multi_socket_action(pool->multi, fd, events, &running); /* transfers carry errors */
    take_finished(pool);
}

static void on_curl_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    struct tl_http_pool *pool = arg;

    (void)multi;
    if (timeout_ms < 0)
        tl_timer_stop(&pool->timer);
    else
        tl_timer_start(&pool->timer, pool->net->loop, (uint64_t)timeout_ms, on_curl_timer, pool);
    return 0;
}

struct watched_socket {
    uv_poll_t uv; /* first: the handle is the allocation */
    struct tl_http_pool *pool;
    curl_socket_t fd;
};

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watched_socket *s = (struct watched_socket *)poll;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(s->pool, s->fd, flags);
}

static void free_socket(uv_handle_t *handle)
{
    free(handle);
}

static struct watched_socket *create_socket(struct tl_http_pool *pool, curl_socket_t fd)
{
    struct watched_socket *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    s->pool = pool;
    s->fd = fd;
    if (uv_poll_init_socket(pool->net->loop, &s->uv, fd) != 0) {
        free(s);
        return NULL;
    }
    (void)curl_multi_assign(pool->multi, fd, s); /* libcurl just named this socket */
    return s;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct tl_http_pool *pool = arg;
    struct watched_socket *s = socket_arg;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            (void)uv_poll_stop(&s->uv); /* now: libcurl closes the descriptor next */
            uv_close((uv_handle_t *)&s->uv, free_socket);
            (void)curl_multi_assign(pool->multi, fd, NULL); /* likewise known */
        }
        return 0;
    }
    if (!s)
        s = create_socket(pool, fd);
    return s && uv_poll_start(&s->uv, events, on_socket) == 0 ? 0 : -1;
}

static struct tl_http_pool *pool_of(struct tl_net *net)
{
    if (net->pool)
        return net->pool;
    struct tl_http_pool *pool = calloc(1, sizeof(*pool));
    if (!pool || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        abort();
    pool->net = net;
    pool->multi = curl_multi_init();
    if (!pool->multi)
        abort();
    (void)curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, watch_timeout);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    net->pool = pool;
    return pool;
}

void tl_http_pool_destroy(struct tl_http_pool *pool)
{
    struct tl_http_call *call;

    if (!pool)
        return;
    while ((call = LIST_FIRST(&pool->calls))) {
        (void)snprintf(call->error, sizeof(call->error), "shutting down");
        complete(call, CURLE_ABORTED_BY_CALLBACK);
    }
    (void)curl_multi_cleanup(pool->multi); /* frees whatever it says */
    tl_timer_finish(&pool->timer);
    curl_global_cleanup();
    free(pool);
}

/* ---- A call ---- */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct tl_http_call *call = arg;

    tl_buf_add(&call->body, data, size * n);
    return call->body.full ? 0 : size * n; /* 0 ends the transfer */
}

static bool add_header_line(struct tl_http_call *call, const char *name, const char *value)
{
    struct tl_buf line;

    tl_buf_init(&line, 16 * 1024);
    /* "Name;" is how libcurl is told of a header without value. */
    tl_buf_printf(&line, *value ? "%s: %s" : "%s;%s", name, value);
    struct curl_slist *list =
        line.full ? NULL : curl_slist_append(call->headers, tl_buf_str(&line));
    tl_buf_finish(&line);
    if (list)
        call->headers = list;
    return list != NULL;
}

static enum tl_status set_headers(struct tl_http_call *call,
                                  const struct tl_http_call_options *options, struct tl_error *err)
{
    const struct tl_http_header *h = options->headers;

    for (; h && h->name; h++)
        if (strpbrk(h->name, "\r\n: ") || strpbrk(h->value, "\r\n") ||
            !add_header_line(call, h->name, h->value))
            return tl_fail(err, TL_INVALID, "header %s cannot be sent", h->name);
    if (options->content_type && !add_header_line(call, "Content-Type", options->content_type))
        return tl_fail(err, TL_INVALID, "content type cannot be sent");
    struct curl_slist *list = curl_slist_append(call->headers, "Expect:"); /* no waiting for 100 */
    if (!list)
        abort();
    call->headers = list;
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    return TL_OK;
}

static void set_body(struct tl_http_call *call, const struct tl_http_call_options *options)
{
    bool takes_body = strcmp(options->method, "POST") == 0 || strcmp(options->method, "PUT") == 0 ||
                      strcmp(options->method, "PATCH") == 0;

    if (options->body_len || takes_body) {
        (void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)options->body_len);
        (void)curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS,
                               options->body_len ? options->body : "");
    }
    if (strcmp(options->method, "HEAD") == 0)
        (void)curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
    else
        (void)curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, options->method);
}

static void set_credentials(struct tl_http_call *call, const struct tl_http_call_options *options)
{
    if (!options->user)
        return;
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    (void)curl_easy_setopt(call->easy, CURLOPT_USERNAME, options->user);
    (void)curl_easy_setopt(call->easy, CURLOPT_PASSWORD,
                           options->password ? options->password : "");
}

static void set_limits(struct tl_http_call *call, const struct tl_http_call_options *options)
{
    const char *ca = options->ca_file ? options->ca_file : call->pool->net->client_ca_file;
    long timeout_ms = options->timeout_ms ? (long)options->timeout_ms : TIMEOUT_DEFAULT_MS;
    long connect_ms = options->connect_timeout_ms ? (long)options->connect_timeout_ms : timeout_ms;

    (void)curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    (void)curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    (void)curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, options->once ? 1L : 0L);
    if (ca)
        (void)curl_easy_setopt(call->easy, CURLOPT_CAINFO, ca);
}

static enum tl_status check_url(const char *text, struct tl_error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL;

    if (!url)
        abort();
    CURLUcode rc = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (rc == CURLUE_OK)
        rc = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    bool ok = rc == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(url);
    return ok ? TL_OK : tl_fail(err, TL_INVALID, "not an http:// or https:// URL");
}

static enum tl_status set_options(struct tl_http_call *call,
                                  const struct tl_http_call_options *options, struct tl_error *err)
{
    enum tl_status st = set_headers(call, options, err);

    if (st != TL_OK)
        return st;
    if (curl_easy_setopt(call->easy, CURLOPT_URL, options->url) != CURLE_OK)
        return tl_fail(err, TL_INVALID, "URL cannot be used");
    set_body(call, options);
    set_credentials(call, options);
    set_limits(call, options);
    (void)curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error);
    (void)curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    return TL_OK;
}

enum tl_status tl_http_call_start(struct tl_net *net, const struct tl_http_call_options *options,
                                  struct tl_http_call **ret_call, struct tl_error *err)
{
    enum tl_status st = check_url(options->url, err);

    if (st != TL_OK)
        return st;
    if (!*options->method ||
        strspn(options->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(options->method))
        return tl_fail(err, TL_INVALID, "method %s", options->method);
    struct tl_http_call *call = calloc(1, sizeof(*call));
    if (!call)
        abort();
    call->pool = pool_of(net);
    call->easy = curl_easy_init();
    if (!call->easy)
        abort();
    call->on_answer = options->on_answer;
    call->arg = options->arg;
    tl_buf_init(&call->body,
                options->max_body_bytes ? options->max_body_bytes : BODY_BYTES_DEFAULT);
    LIST_INSERT_HEAD(&call->pool->calls, call, link);
    st = set_options(call, options, err);
    if (st == TL_OK && curl_multi_add_handle(call->pool->multi, call->easy) != CURLM_OK)
        st = tl_fail(err, TL_FATAL, "libcurl takes no more requests");
    if (st != TL_OK) {
        call_free(call);
        return st;
    }
    if (ret_call)
        *ret_call = call;
    return TL_OK;
}

void tl_http_call_cancel(struct tl_http_call *call)
{
    if (call)
        call_free(call);
}

const char *tl_http_answer_header(const struct tl_http_answer *answer, const char *name)
{
    struct curl_header *h;

    return curl_easy_header(answer->call->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK
               ? h->value
               : NULL;
}
