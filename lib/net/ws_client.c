/* Connecting a client's WebSocket: name resolution off the loop, then one address after the other
 * until one answers, within one timeout. libwebsockets gets numeric addresses only, for it would
 * block on names. */
#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "net/ws.h"
#include "net_internal.h"

#define TIMEOUT_DEFAULT_MS 10000

struct tl_ws_dial {
    uv_getaddrinfo_t request;
    bool is_resolving; /* libuv has `request` */
    struct tl_net *net;
    struct tl_ws *ws; /* NULL: nobody wants the answer any more */
    struct addrinfo *addresses, *next;

    struct tl_arena arena; /* of the strings below */
    const char *host;      /* for the resolver */
    const char *authority; /* for the Host header, SNI and the certificate */
    const char *target, *subprotocol;
    const char *headers; /* lines, ready for the wire */
    int port;
    bool is_tls, is_insecure;

    unsigned timeout_ms;
    bool given_up; /* no further attempt */
    struct tl_timer timeout, soon;
};

static const lws_retry_bo_t no_validity_checks;

static void dial_free(struct tl_ws_dial *dial)
{
    if (dial->addresses)
        uv_freeaddrinfo(dial->addresses);
    tl_timer_finish(&dial->timeout);
    tl_timer_finish(&dial->soon);
    tl_arena_finish(&dial->arena);
    free(dial);
}

void tl_ws_dial_finish(struct tl_ws *ws)
{
    struct tl_ws_dial *dial = ws->dial;

    if (!dial)
        return;
    ws->dial = NULL;
    dial->ws = NULL;
    if (dial->is_resolving) {
        (void)uv_cancel((uv_req_t *)&dial->request); /* else its callback comes in its time */
        tl_timer_stop(&dial->timeout);
        tl_timer_stop(&dial->soon);
    } else {
        dial_free(dial);
    }
}

static void fail(struct tl_ws *ws, const char *text)
{
    if (!ws->reason[0])
        tl_ws_set_reason(ws, text, strlen(text));
    tl_ws_end(ws);
}

static void connect_next(struct tl_ws_dial *dial);

static void on_soon(void *arg)
{
    struct tl_ws_dial *dial = arg;

    if (dial->given_up)
        fail(dial->ws, "given up");
    else
        connect_next(dial);
}

/* An attempt failed: the next address, or the end. */
static void attempt_failed(struct tl_ws_dial *dial, const char *text)
{
    if (dial->given_up || !dial->next || dial->ws->end.http_status)
        fail(dial->ws, text);
    else
        tl_timer_start(&dial->soon, dial->net->loop, 0, on_soon, dial);
}

static struct lws *start_attempt(struct tl_ws_dial *dial, struct tl_conn *conn, const char *address)
{
    struct lws_client_connect_info info = {
        .context = dial->net->lws,
        .vhost = dial->net->client_vhost,
        .address = address,
        .port = dial->port,
        .path = dial->target,
        .host = dial->authority,
        .protocol = dial->subprotocol,
        .ietf_version_or_minus_one = -1,
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .alpn = "http/1.1",
        .opaque_user_data = conn,
        .retry_and_idle_policy = &no_validity_checks,
    };

    if (dial->is_tls)
        info.ssl_connection |= LCCSCF_USE_SSL;
    if (dial->is_insecure)
        info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK |
                               LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
    return lws_client_connect_via_info(&info);
}

static void connect_next(struct tl_ws_dial *dial)
{
    struct tl_ws *ws = dial->ws;
    struct addrinfo *ai = dial->next;
    struct tl_conn *conn = tl_conn_create(dial->net, NULL);
    bool destroyed = false;

    dial->next = ai->ai_next;
    (void)getnameinfo(ai->ai_addr, ai->ai_addrlen, ws->peer, sizeof(ws->peer), NULL, 0,
                      NI_NUMERICHOST); /* it came from getaddrinfo */
    /* The conn gets the ws only once the attempt is under way: what libwebsockets tells about one
     * that fails at once is then nobody's. */
    conn->destroyed = &destroyed;
    struct lws *wsi = start_attempt(dial, conn, ws->peer);
    if (destroyed)
        wsi = NULL;
    else
        conn->destroyed = NULL;
    if (!wsi) {
        attempt_failed(dial, "no connection");
        return;
    }
    conn->wsi = wsi;
    conn->ws = ws;
    ws->conn = conn;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct tl_ws_dial *dial = request->data;

    dial->is_resolving = false;
    dial->net->resolving--;
    dial->addresses = dial->next = addresses;
    if (!dial->ws) {
        dial_free(dial);
    } else if (status < 0 || !addresses) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%s: %s", dial->host, uv_strerror(status));
        fail(dial->ws, text);
    } else {
        connect_next(dial);
    }
}

static void on_timeout(void *arg)
{
    struct tl_ws_dial *dial = arg;
    struct tl_ws *ws = dial->ws;
    char text[64];

    (void)snprintf(text, sizeof(text), "not open after %u ms", dial->timeout_ms); /* fits */
    tl_ws_set_reason(ws, text, strlen(text));
    dial->given_up = true;
    if (ws->conn)
        tl_conn_kill(ws->conn);
    else
        tl_ws_end(ws);
}

void tl_ws_dial_abort(struct tl_ws *ws)
{
    struct tl_ws_dial *dial = ws->dial;

    if (!dial)
        return;
    dial->given_up = true;
    if (ws->conn)
        tl_conn_kill(ws->conn);
    else if (dial->net->destroying)
        fail(ws, "shutting down");
    else
        tl_timer_start(&dial->soon, dial->net->loop, 0, on_soon, dial);
}

/* ---- Events of libwebsockets ---- */

int tl_ws_on_append_headers(struct tl_conn *conn, unsigned char **p, size_t room)
{
    int on = 1;

    if (!conn->ws || !conn->ws->dial)
        return -1;
    (void)setsockopt(lws_get_socket_fd(conn->wsi), IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof(on)); /* only slower without */
    size_t len = strlen(conn->ws->dial->headers);
    if (len > room)
        return -1;
    memcpy(*p, conn->ws->dial->headers, len);
    *p += len;
    return 0;
}

void tl_ws_on_handshake_answer(struct tl_conn *conn)
{
    int status = (int)lws_http_client_http_response(conn->wsi);
    struct tl_ws *ws = conn->ws;

    if (!ws)
        return;
    if (status != 101) {
        char after[16] = "";
        ws->end.http_status = status;
        (void)lws_hdr_copy(conn->wsi, after, sizeof(after), WSI_TOKEN_HTTP_RETRY_AFTER);
        long seconds = strtol(after, NULL, 10); /* a date counts as none */
        ws->end.retry_after_s = seconds > 0 && seconds < 3600 ? (int)seconds : 0;
    }
    /* Its last moment: when the WebSocket is open the headers are gone. */
    if (lws_hdr_copy(conn->wsi, ws->subprotocol, sizeof(ws->subprotocol), WSI_TOKEN_PROTOCOL) <= 0)
        ws->subprotocol[0] = 0;
}

void tl_ws_on_connect_error(struct tl_conn *conn, const char *text, size_t len)
{
    struct tl_ws *ws = conn->ws;
    char reason[200];

    if (!ws)
        return;
    conn->ws = NULL;
    ws->conn = NULL;
    if (ws->end.http_status)
        (void)snprintf(reason, sizeof(reason), "handshake refused with %d", ws->end.http_status);
    else
        (void)snprintf(reason, sizeof(reason), "%.*s", (int)(len < 150 ? len : 150),
                       text ? text : "no connection");
    if (ws->dial)
        attempt_failed(ws->dial, reason);
    else
        fail(ws, reason);
}

/* ---- tl_ws_connect ---- */

static char *url_part(struct tl_ws_dial *dial, CURLU *url, CURLUPart part)
{
    char *text = NULL;

    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = tl_arena_strdup(&dial->arena, text);
    curl_free(text);
    return copy;
}

static enum tl_status take_url_parts(struct tl_ws_dial *dial, CURLU *url, struct tl_error *err)
{
    const char *scheme = url_part(dial, url, CURLUPART_SCHEME);
    const char *host = url_part(dial, url, CURLUPART_HOST);
    const char *port = url_part(dial, url, CURLUPART_PORT);
    const char *path = url_part(dial, url, CURLUPART_PATH);
    const char *query = url_part(dial, url, CURLUPART_QUERY);

    if (!scheme || !host || !*host || (strcmp(scheme, "ws") != 0 && strcmp(scheme, "wss") != 0))
        return tl_fail(err, TL_INVALID, "not a ws:// or wss:// URL");
    dial->is_tls = strcmp(scheme, "wss") == 0;
    dial->port = port ? (int)strtol(port, NULL, 10) : dial->is_tls ? 443 : 80;
    dial->authority = port ? tl_arena_printf(&dial->arena, "%s:%s", host, port) : host;
    size_t len = strlen(host);
    dial->host = host[0] == '[' ? tl_arena_strndup(&dial->arena, host + 1, len - 2) : host;
    dial->target = tl_arena_printf(&dial->arena, "%s%s%s", path ? path : "/", query ? "?" : "",
                                   query ? query : "");
    return TL_OK;
}

static enum tl_status parse_url(struct tl_ws_dial *dial, const char *text, struct tl_error *err)
{
    CURLU *url = curl_url();
    enum tl_status st;

    if (!url)
        abort();
    CURLUcode rc = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    st = rc == CURLUE_OK ? take_url_parts(dial, url, err)
                         : tl_fail(err, TL_INVALID, "URL: %s", curl_url_strerror(rc));
    curl_url_cleanup(url);
    return st;
}

static enum tl_status copy_headers(struct tl_ws_dial *dial, const struct tl_http_header *headers,
                                   struct tl_error *err)
{
    const char *lines = "";

    for (; headers && headers->name; headers++) {
        if (strpbrk(headers->name, "\r\n: ") || strpbrk(headers->value, "\r\n"))
            return tl_fail(err, TL_INVALID, "header %s: line break or colon", headers->name);
        lines = tl_arena_printf(&dial->arena, "%s%s: %s\r\n", lines, headers->name, headers->value);
    }
    dial->headers = lines;
    return TL_OK;
}

static enum tl_status resolve(struct tl_ws_dial *dial, struct tl_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

    dial->request.data = dial;
    int rc = uv_getaddrinfo(dial->net->loop, &dial->request, on_resolved, dial->host, NULL, &hints);
    if (rc != 0)
        return tl_fail(err, TL_INVALID, "host %s: %s", dial->host, uv_strerror(rc));
    dial->is_resolving = true;
    dial->net->resolving++;
    return TL_OK;
}

static enum tl_status dial_create(struct tl_net *net, const struct tl_ws_connect_options *options,
                                  struct tl_ws_dial **ret_dial, struct tl_error *err)
{
    struct tl_ws_dial *dial = calloc(1, sizeof(*dial));

    if (!dial)
        abort();
    dial->net = net;
    dial->is_insecure = options->tls_insecure;
    dial->subprotocol = tl_arena_strdup(&dial->arena, options->subprotocol);
    dial->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    enum tl_status st = parse_url(dial, options->url, err);
    if (st == TL_OK)
        st = copy_headers(dial, options->headers, err);
    if (st == TL_OK)
        st = resolve(dial, err);
    if (st != TL_OK) {
        dial_free(dial);
        return st;
    }
    *ret_dial = dial;
    return TL_OK;
}

enum tl_status tl_ws_connect(struct tl_net *net, const struct tl_ws_connect_options *options,
                             struct tl_ws **ret_ws, struct tl_error *err)
{
    struct tl_ws_dial *dial;
    enum tl_status st = dial_create(net, options, &dial, err);

    if (st != TL_OK)
        return st;
    struct tl_ws *ws = tl_ws_create(net, true);
    ws->callbacks = options->callbacks;
    ws->arg = options->arg;
    tl_ws_apply_limits(ws, &options->limits);
    LIST_INSERT_HEAD(&net->clients, ws, client_link);
    ws->dial = dial;
    dial->ws = ws;
    tl_timer_start(&dial->timeout, net->loop, dial->timeout_ms, on_timeout, dial);
    *ret_ws = ws;
    return TL_OK;
}
