/* WebSockets, both sides: see ws.h.
 *
 * Sending. Frames are written by us into one buffer per connection and leave at the end of the loop
 * turn, all in one system call (README.md, "Why we write frames"). What the kernel does not take
 * libwebsockets holds; then we wait for its word that the socket is writable.
 *
 * Closing. on_close is called from tl_ws_end alone, once, when the socket is gone. */
#include "net/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "net/ws_frame.h"
#include "net_internal.h"

#define QUEUE_BYTES_DEFAULT (1024 * 1024)
#define KEEPALIVE_TIMEOUT_DEFAULT_MS 10000
#define CLOSE_TIMEOUT_S 5
#define WRITE_BYTES_MAX (64 * 1024) /* a call, unless one frame is longer */
#define KEEP_BYTES (16 * 1024)      /* of an empty buffer; bigger ones are given back */
#define CODE_NORMAL 1000
#define CODE_NONE 1005
#define CODE_ABNORMAL 1006
#define CODE_TOO_BIG 1009

static const char *const state_names[] = {"connecting", "open", "closing", "close_sent", "ended"};

/* The only place where the state changes; it never goes back. */
static void set_state(struct tl_ws *ws, enum tl_ws_state state)
{
    if (state <= ws->state)
        return;
    tl_log_debug(ws->net->log, "net.ws_state", TL_STR("peer", ws->peer),
                 TL_STR("from", state_names[ws->state]), TL_STR("to", state_names[state]));
    ws->state = state;
}

struct tl_ws *tl_ws_create(struct tl_net *net, bool is_client)
{
    struct tl_ws *ws = calloc(1, sizeof(*ws));

    if (!ws)
        abort();
    ws->net = net;
    ws->is_client = is_client;
    ws->end = (struct tl_ws_close){.code = CODE_ABNORMAL, .abrupt = true, .reason = ws->reason};
    return ws;
}

/* Zeros in the limits become defaults, and the buffers are born with their maximum. */
void tl_ws_apply_limits(struct tl_ws *ws, const struct tl_ws_limits *limits)
{
    ws->limits = *limits;
    if (!ws->limits.queue_bytes)
        ws->limits.queue_bytes = QUEUE_BYTES_DEFAULT;
    if (!ws->limits.message_bytes)
        ws->limits.message_bytes = ws->net->max_message_bytes;
    if (!ws->limits.keepalive_timeout_ms)
        ws->limits.keepalive_timeout_ms = KEEPALIVE_TIMEOUT_DEFAULT_MS;
    tl_buf_init(&ws->in, ws->limits.message_bytes);
    tl_buf_init(&ws->out, ws->limits.queue_bytes);
}

static void unmark_dirty(struct tl_ws *ws)
{
    if (!ws->is_dirty)
        return;
    ws->is_dirty = false;
    ws->net->dirty_len--;
    TAILQ_REMOVE(&ws->net->dirty, ws, dirty_link);
}

static void destroy(struct tl_ws *ws)
{
    unmark_dirty(ws);
    if (ws->is_client)
        LIST_REMOVE(ws, client_link);
    tl_ws_dial_finish(ws);
    tl_timer_finish(&ws->keepalive);
    tl_buf_finish(&ws->in);
    tl_buf_finish(&ws->out);
    free(ws);
}

void tl_ws_set_reason(struct tl_ws *ws, const char *text, size_t len)
{
    if (len >= sizeof(ws->reason))
        len = sizeof(ws->reason) - 1;
    if (len)
        memcpy(ws->reason, text, len);
    ws->reason[len] = 0;
}

void tl_ws_end(struct tl_ws *ws)
{
    set_state(ws, TL_WS_ENDED);
    if (ws->conn)
        ws->conn->ws = NULL;
    ws->conn = NULL;
    ws->callbacks->on_close(ws->arg, ws, &ws->end);
    destroy(ws);
}

/* ---- The handshake of a server ---- */

static int refuse_upgrade(struct tl_conn *conn, int status, const char *title, const char *detail)
{
    static const struct tl_http_header version[] = {{"Sec-WebSocket-Version", "13"}, {NULL, NULL}};

    return tl_http_write_refusal(conn, status, title, detail, status == 426 ? version : NULL);
}

/* RFC 6455 section 4.2.1. */
static int judge_handshake(struct tl_conn *conn, const struct tl_http_request *r)
{
    const char *upgrade = tl_http_request_header(r, "upgrade");
    const char *version = tl_http_request_header(r, "sec-websocket-version");

    if (!upgrade || strcasecmp(upgrade, "websocket") != 0)
        return refuse_upgrade(conn, 400, "Bad Request", "only an upgrade to websocket is known");
    if (strcmp(tl_http_request_method(r), "GET") != 0)
        return refuse_upgrade(conn, 405, "Method Not Allowed", "a WebSocket begins with GET");
    if (!version || strcmp(version, "13") != 0)
        return refuse_upgrade(conn, 426, "Upgrade Required", "Sec-WebSocket-Version must be 13");
    if (!tl_http_request_header(r, "sec-websocket-key") || !tl_http_request_header(r, "host"))
        return refuse_upgrade(conn, 400, "Bad Request", "Sec-WebSocket-Key or Host is missing");
    const char *offered = tl_http_request_header(r, "sec-websocket-protocol");
    if (offered && strlen(offered) > TL_NET_SUBPROTOCOL_SIZE - 2) /* libwebsockets' own limit */
        return refuse_upgrade(conn, 400, "Bad Request", "Sec-WebSocket-Protocol is too long");
    return 0;
}

/* The first of a comma separated list. */
static void copy_first(char to[TL_NET_SUBPROTOCOL_SIZE], const char *list)
{
    size_t len = strcspn(list, ", \t");

    if (len >= TL_NET_SUBPROTOCOL_SIZE)
        len = TL_NET_SUBPROTOCOL_SIZE - 1;
    memcpy(to, list, len);
    to[len] = 0;
}

static bool is_offered(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; p && *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncmp(p, name, len) == 0 && strchr(", \t", p[len])) /* finds the NUL too */
            return true;
    }
    return false;
}

static int decide_upgrade(struct tl_conn *conn, const struct tl_http_request *r)
{
    struct tl_http_server *server = conn->server;
    const char *offered = tl_http_request_header(r, "sec-websocket-protocol");

    if (judge_handshake(conn, r) != 0)
        return -1;
    if (!server->on_upgrade || server->destroyed)
        return refuse_upgrade(conn, 404, "Not Found", "no WebSocket here");

    struct tl_ws *ws = tl_ws_create(server->net, false);
    struct tl_ws_accept accept = {.ws = ws};
    memcpy(ws->peer, conn->peer, sizeof(ws->peer));
    server->on_upgrade(server->arg, r, &accept);
    if (!accept.accepted) {
        destroy(ws);
        int status = accept.status ? accept.status : 403;
        return refuse_upgrade(conn, status, status == 403 ? "Forbidden" : "Refused", NULL);
    }
    ws->callbacks = accept.callbacks;
    ws->arg = accept.arg;
    tl_ws_apply_limits(ws, &accept.limits);
    if (accept.subprotocol && offered && is_offered(offered, accept.subprotocol))
        copy_first(ws->subprotocol, accept.subprotocol);
    ws->conn = conn;
    conn->ws = ws;
    copy_first(server->net->protocol_name, offered ? offered : "tl");
    return 0;
}

int tl_ws_on_upgrade(struct tl_conn *conn)
{
    struct tl_http_request *r;
    struct tl_error err;

    if (tl_http_request_create(conn->wsi, conn->peer, &r, &err) != TL_OK)
        return refuse_upgrade(conn, 400, "Bad Request", err.msg);
    int rc = decide_upgrade(conn, r);
    tl_http_request_destroy(r);
    return rc;
}

int tl_ws_on_before_handshake(struct tl_conn *conn)
{
    if (!conn->ws)
        return -1;
    memcpy(conn->net->protocol_name, conn->ws->subprotocol, sizeof(conn->ws->subprotocol));
    return 0;
}

/* ---- Open ---- */

static bool put_frame(struct tl_ws *ws, enum tl_ws_opcode opcode, const void *data, size_t len);
static void mark_dirty(struct tl_ws *ws);

/* Of our pings: libwebsockets does not tell of pongs without payload. */
static const uint8_t keepalive_payload[] = "keepalive";
#define KEEPALIVE_LEN (sizeof(keepalive_payload) - 1)

static void check_silence(void *arg)
{
    struct tl_ws *ws = arg;
    uint64_t silent_ms = uv_now(ws->net->loop) - ws->heard_ms;
    uint64_t limit_ms = ws->limits.keepalive_ms;

    if (ws->state != TL_WS_OPEN)
        return;
    if (silent_ms < limit_ms) {
        ws->is_pinged = false;
        tl_timer_start(&ws->keepalive, ws->net->loop, limit_ms - silent_ms, check_silence, ws);
    } else if (!ws->is_pinged || silent_ms < limit_ms + ws->limits.keepalive_timeout_ms) {
        if (!ws->is_pinged)
            (void)put_frame(ws, TL_WS_PING, keepalive_payload, KEEPALIVE_LEN); /* full: it shows */
        ws->is_pinged = true;
        tl_timer_start(&ws->keepalive, ws->net->loop,
                       limit_ms + ws->limits.keepalive_timeout_ms - silent_ms, check_silence, ws);
    } else {
        static const char text[] = "keepalive timed out";
        tl_ws_set_reason(ws, text, sizeof(text) - 1);
        tl_ws_abort(ws);
    }
}

int tl_ws_on_established(struct tl_conn *conn)
{
    struct tl_ws *ws = conn->ws;

    if (!ws)
        return -1;
    tl_ws_dial_finish(ws);
    ws->heard_ms = uv_now(ws->net->loop);
    if (ws->limits.keepalive_ms)
        tl_timer_start(&ws->keepalive, ws->net->loop, ws->limits.keepalive_ms, check_silence, ws);
    if (ws->state != TL_WS_CONNECTING) { /* closed before it was open */
        mark_dirty(ws);
        return 0;
    }
    set_state(ws, TL_WS_OPEN);
    if (ws->callbacks->on_open)
        ws->callbacks->on_open(ws->arg, ws);
    return 0;
}

/* ---- Receiving ---- */

static int refuse_size(struct tl_ws *ws, struct lws *wsi)
{
    static char text[] = "message too long";

    tl_ws_set_reason(ws, text, sizeof(text) - 1);
    ws->end.code = CODE_TOO_BIG;
    ws->end.abrupt = false;
    set_state(ws, TL_WS_CLOSE_SENT);
    lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, (unsigned char *)text,
                     sizeof(text) - 1);
    return -1;
}

static void deliver(struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    if (ws->state == TL_WS_OPEN)
        ws->callbacks->on_message(ws->arg, ws, data, len, is_text);
}

static void shrink(struct tl_buf *b)
{
    size_t max = b->max;

    if (b->cap > KEEP_BYTES) {
        tl_buf_finish(b);
        tl_buf_init(b, max);
    } else {
        tl_buf_reset(b);
    }
}

int tl_ws_on_receive(struct tl_conn *conn, const void *data, size_t len)
{
    struct tl_ws *ws = conn->ws;
    struct lws *wsi = conn->wsi;

    if (!ws || ws->state > TL_WS_OPEN)
        return 0;
    ws->heard_ms = uv_now(ws->net->loop);
    bool is_text = !lws_frame_is_binary(wsi);
    bool is_whole = lws_is_final_fragment(wsi);
    if (is_whole && !ws->in.len && len <= ws->limits.message_bytes) {
        deliver(ws, data, len, is_text); /* the usual case: nothing is copied */
        return 0;
    }
    tl_buf_add(&ws->in, data, len);
    if (ws->in.full)
        return refuse_size(ws, wsi);
    if (!is_whole)
        return 0;
    struct tl_buf whole = ws->in; /* on_message may not, but its callers' callers may, reach in */
    tl_buf_init(&ws->in, ws->limits.message_bytes);
    deliver(ws, tl_buf_str(&whole), whole.len, is_text);
    shrink(&whole);
    ws->in = whole;
    return 0;
}

void tl_ws_on_pong(struct tl_conn *conn, const void *data, size_t len)
{
    struct tl_ws *ws = conn->ws;

    if (!ws)
        return;
    ws->heard_ms = uv_now(ws->net->loop);
    if (len == KEEPALIVE_LEN && memcmp(data, keepalive_payload, len) == 0)
        return;
    if (ws->state == TL_WS_OPEN && ws->callbacks->on_pong)
        ws->callbacks->on_pong(ws->arg, ws, data, len);
}

void tl_ws_on_peer_close(struct tl_conn *conn, const uint8_t *data, size_t len)
{
    struct tl_ws *ws = conn->ws;

    if (!ws || conn->killed)
        return;
    ws->end.abrupt = false;
    if (ws->state >= TL_WS_CLOSE_SENT)
        return; /* our own code stands */
    ws->end.code = len >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : CODE_NONE;
    if (len > 2)
        tl_ws_set_reason(ws, (const char *)data + 2, len - 2);
    else
        tl_ws_set_reason(ws, "", 0);
    set_state(ws, TL_WS_CLOSE_SENT); /* libwebsockets answers it */
}

/* ---- Sending ---- */

static const uint8_t *next_mask(struct tl_net *net)
{
    if (net->mask_left < 4) { /* a system call for 256 frames, not for each */
        if (getrandom(net->mask_pool, sizeof(net->mask_pool), 0) != sizeof(net->mask_pool))
            abort(); /* cannot be: so few bytes never come short */
        net->mask_left = sizeof(net->mask_pool);
    }
    net->mask_left -= 4;
    return net->mask_pool + net->mask_left;
}

static void mark_dirty(struct tl_ws *ws)
{
    struct tl_net *net = ws->net;

    if (ws->is_dirty || net->destroying)
        return;
    tl_net_wake_flusher(net);
    ws->is_dirty = true;
    net->dirty_len++;
    TAILQ_INSERT_TAIL(&net->dirty, ws, dirty_link);
}

static size_t queued(const struct tl_ws *ws)
{
    return ws->out.len - ws->out_sent;
}

static bool put_frame(struct tl_ws *ws, enum tl_ws_opcode opcode, const void *data, size_t len)
{
    size_t size = tl_ws_frame_size(len, ws->is_client);

    if (ws->out_sent && (ws->out.len + size >= ws->out.cap ||
                         ws->out.len + size > ws->out.max)) { /* move up rather than grow */
        memmove(ws->out.data, ws->out.data + ws->out_sent, queued(ws));
        ws->out.len -= ws->out_sent;
        ws->out_sent = 0;
    }
    if (queued(ws) + ws->out_given + size > ws->limits.queue_bytes)
        return false;
    uint8_t *to = tl_buf_reserve(&ws->out, size);
    if (!to)
        return false;
    ws->out.len +=
        tl_ws_frame_write(to, opcode, ws->is_client ? next_mask(ws->net) : NULL, data, len);
    mark_dirty(ws);
    return true;
}

enum tl_status tl_ws_send(struct tl_ws *ws, bool is_text, const void *data, size_t len)
{
    if (ws->state != TL_WS_OPEN)
        return TL_CONFLICT;
    if (put_frame(ws, is_text ? TL_WS_TEXT : TL_WS_BINARY, data, len))
        return TL_OK;
    if (tl_ws_frame_size(len, ws->is_client) > ws->limits.queue_bytes)
        return TL_INVALID;
    ws->was_full = true;
    return TL_RETRY;
}

enum tl_status tl_ws_ping(struct tl_ws *ws, const void *data, size_t len)
{
    if (ws->state != TL_WS_OPEN)
        return TL_CONFLICT;
    return len <= 125 && put_frame(ws, TL_WS_PING, data, len) ? TL_OK : TL_RETRY;
}

/* How much of the queue goes out at once: whole frames, for between two writes libwebsockets may
 * put a pong or a close frame of its own. */
static size_t measure_write(const struct tl_ws *ws)
{
    size_t left = queued(ws), n = 0;

    if (left <= WRITE_BYTES_MAX)
        return left;
    while (n < left) {
        size_t size = tl_ws_frame_measure(ws->out.data + ws->out_sent + n);
        if (n && n + size > WRITE_BYTES_MAX)
            break;
        n += size;
    }
    return n;
}

/* Writes until the queue is empty or the socket full. -1: the socket is broken. */
static int flush(struct tl_ws *ws)
{
    struct lws *wsi = ws->conn->wsi;

    while (queued(ws)) {
        if (lws_partial_buffered(wsi)) {
            lws_callback_on_writable(wsi);
            return 0;
        }
        size_t n = measure_write(ws);
        /* As HTTP, libwebsockets passes it on untouched: the frames are already frames. */
        if (lws_write(wsi, ws->out.data + ws->out_sent, n, LWS_WRITE_HTTP) < 0)
            return -1;
        ws->out_sent += n;
        ws->out_given = lws_partial_buffered(wsi) ? n : 0;
    }
    ws->out_sent = 0;
    shrink(&ws->out);
    if (ws->out_given)
        lws_callback_on_writable(wsi);
    return 0;
}

static void tell_drained(struct tl_ws *ws)
{
    if (!ws->was_full || ws->state != TL_WS_OPEN || queued(ws) || ws->out_given)
        return;
    ws->was_full = false;
    if (ws->callbacks->on_drained)
        ws->callbacks->on_drained(ws->arg, ws);
}

/* From outside of the wsi's callbacks: a callback that asks for the close by its return value has
 * it done twice in a debug build of libwebsockets, as Debian's is, and the second kills the socket
 * before the close frame has left. */
static void start_close(struct tl_ws *ws)
{
    struct lws *wsi = ws->conn->wsi;

    set_state(ws, TL_WS_CLOSE_SENT);
    lws_close_reason(wsi, (enum lws_close_status)ws->end.code, (unsigned char *)ws->reason,
                     strlen(ws->reason));
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND,
                    LWS_TO_KILL_SYNC); /* "kill" is: begin to close */
    lws_cancel_service(ws->net->lws);  /* has it look at its timers; see tl_conn_kill */
}

void tl_ws_flush_all(struct tl_net *net)
{
    struct tl_ws *ws;

    /* What callbacks add comes behind, and waits for the next turn. */
    for (size_t n = net->dirty_len; n && (ws = TAILQ_FIRST(&net->dirty)); n--) {
        unmark_dirty(ws);
        if (!ws->conn || !ws->conn->wsi || ws->state > TL_WS_CLOSING)
            continue;
        if (flush(ws) < 0)
            tl_conn_kill(ws->conn);
        else if (ws->state == TL_WS_CLOSING && !queued(ws) && !ws->out_given)
            start_close(ws);
        else
            tell_drained(ws);
    }
}

int tl_ws_on_writable(struct tl_conn *conn)
{
    struct tl_ws *ws = conn->ws;

    if (!ws || ws->state > TL_WS_CLOSING)
        return 0;
    ws->out_given = 0; /* libwebsockets comes here only when it holds nothing */
    if (flush(ws) < 0)
        return -1;
    if (ws->state == TL_WS_CLOSING)
        mark_dirty(ws);
    else
        tell_drained(ws);
    return 0;
}

size_t tl_ws_buffered(const struct tl_ws *ws)
{
    return queued(ws) + ws->out_given;
}

bool tl_ws_is_open(const struct tl_ws *ws)
{
    return ws->state == TL_WS_OPEN;
}

/* ---- Closing ---- */

void tl_ws_close(struct tl_ws *ws, uint16_t code, const char *reason)
{
    if (ws->state >= TL_WS_CLOSING)
        return;
    bool was_open = ws->state == TL_WS_OPEN;
    size_t len = reason ? strlen(reason) : 0;
    tl_ws_set_reason(ws, reason, len > 123 ? 123 : len);
    ws->end.code = code ? code : CODE_NORMAL;
    ws->end.abrupt = !was_open;
    ws->close_ms = uv_now(ws->net->loop);
    set_state(ws, TL_WS_CLOSING);
    if (!was_open && ws->is_client) {
        tl_ws_dial_abort(ws);
    } else if (was_open) {
        /* Also against a peer that never reads, behind whom the close frame would wait for ever. */
        lws_set_timeout(ws->conn->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_TIMEOUT_S);
        lws_cancel_service(ws->net->lws); /* has it look at its timers; see tl_conn_kill */
        mark_dirty(ws);
    }
}

void tl_ws_abort(struct tl_ws *ws)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    if (ws->state == TL_WS_ENDED)
        return;
    ws->end.code = CODE_ABNORMAL;
    ws->end.abrupt = true;
    if (!ws->conn || !ws->conn->wsi || (ws->is_client && ws->state == TL_WS_CONNECTING)) {
        if (ws->is_client)
            tl_ws_dial_abort(ws);
        return;
    }
    set_state(ws, TL_WS_CLOSE_SENT);
    /* Disconnecting a TCP socket resets it at once (tcp_disconnect in Linux), whereas
     * libwebsockets would shut it down in good order before it closes. */
    (void)connect(lws_get_socket_fd(ws->conn->wsi), &none, sizeof(none)); /* closed below anyway */
    tl_conn_kill(ws->conn);
}

void tl_ws_drop(struct tl_ws *ws)
{
    if (ws->state == TL_WS_ENDED || !ws->conn || !ws->conn->wsi)
        return;
    ws->end.code = CODE_ABNORMAL;
    ws->end.abrupt = true;
    set_state(ws, TL_WS_CLOSE_SENT);
    tl_conn_kill(ws->conn);
}

void tl_ws_stop_reading(struct tl_ws *ws)
{
    if (ws->conn && ws->conn->wsi)
        lws_rx_flow_control(ws->conn->wsi, 0);
}

void tl_ws_on_closed(struct tl_conn *conn)
{
    struct tl_ws *ws = conn->ws;

    if (!ws)
        return;
    /* Our close frame was never answered: libwebsockets waited until its timer rang. */
    if (ws->close_ms && uv_now(ws->net->loop) - ws->close_ms >= CLOSE_TIMEOUT_S * 1000 - 100)
        ws->end.abrupt = true;
    tl_ws_end(ws);
}

void *tl_ws_arg(const struct tl_ws *ws)
{
    return ws->arg;
}

void tl_ws_set_arg(struct tl_ws *ws, void *arg)
{
    ws->arg = arg;
}

const char *tl_ws_peer(const struct tl_ws *ws)
{
    return ws->peer;
}

const char *tl_ws_subprotocol(const struct tl_ws *ws)
{
    return ws->subprotocol;
}
