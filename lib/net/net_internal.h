#ifndef TL_NET_NET_INTERNAL_H
#define TL_NET_NET_INTERNAL_H

/* What the files of lib/net share. Nobody else includes this. */

#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/buf.h"
#include "net/http_server.h"
#include "net/net.h"
#include "net/timer.h"
#include "net/ws.h"

#define TL_NET_MESSAGE_BYTES_DEFAULT (1024 * 1024)
#define TL_NET_SUBPROTOCOL_SIZE 128
#define TL_NET_PEER_SIZE 48

struct tl_http_pool;

LIST_HEAD(tl_conn_list, tl_conn);
LIST_HEAD(tl_http_server_list, tl_http_server);
LIST_HEAD(tl_ws_list, tl_ws);
TAILQ_HEAD(tl_ws_queue, tl_ws);
TAILQ_HEAD(tl_conn_queue, tl_conn);

struct tl_net {
    uv_loop_t *loop;
    const struct tl_log *log;
    struct lws_context *lws;
    struct lws_vhost *client_vhost;
    struct lws_protocols protocols[2];
    char protocol_name[TL_NET_SUBPROTOCOL_SIZE]; /* of protocols[0]; see conn.c */
    char *client_ca_file;
    size_t max_message_bytes;

    uv_idle_t *flusher; /* runs at the end of a turn that left something below; on the heap */
    struct tl_conn_queue ending; /* connections whose answer is written */
    size_t dirty_len;
    struct tl_ws_queue dirty; /* WebSockets with frames to write at the end of this loop turn */

    struct tl_conn_list conns;
    struct tl_http_server_list servers;
    struct tl_ws_list clients; /* client WebSockets, connecting ones too */
    struct tl_http_pool *pool; /* libcurl; made by the first call */

    uint8_t mask_pool[1024]; /* random bytes for the masks of client frames */
    size_t mask_left;
    size_t resolving; /* uv_getaddrinfo requests under way */
    bool destroying;
};

/** Has the lists `ending` and `dirty` looked at, at the end of this loop turn. */
void tl_net_wake_flusher(struct tl_net *net);

/** A socket that libwebsockets runs: of a listener or of a client WebSocket. Its address is the
 *  wsi's opaque user data; freed when libwebsockets says that the wsi is gone. */
struct tl_conn {
    struct tl_net *net;
    struct tl_http_server *server; /* NULL: a client's */
    struct lws *wsi;
    struct tl_http_exchange *x; /* request being read or answered */
    struct tl_ws *ws;           /* once upgraded, or a client's */
    bool close_after;           /* not to be used again after the answer */
    bool is_paused;             /* an answer is awaited: the socket is not read */
    bool is_flushing;           /* the answer did not fit the socket at once */
    bool is_ending;             /* in net->ending */
    TAILQ_ENTRY(tl_conn) ending_link;
    bool killed;
    bool *destroyed; /* set to true when it goes; see ws_client.c */
    char peer[TL_NET_PEER_SIZE];
    LIST_ENTRY(tl_conn) link;
};

struct tl_conn *tl_conn_create(struct tl_net *net, struct tl_http_server *server);
void tl_conn_destroy(struct tl_conn *conn); /* the wsi is gone or never was */

/** Has the wsi closed from the loop, never from within. */
void tl_conn_kill(struct tl_conn *conn);

/** The one callback of libwebsockets: finds the conn and hands the event on (conn.c). */
int tl_conn_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len);

/* http_server.c */
struct tl_http_server {
    struct tl_net *net;
    struct lws_vhost *vhost;
    uv_poll_t *poll; /* NULL when not listening */
    int fd;
    int port;
    struct tl_timer accept_again; /* after running out of descriptors */
    size_t max_body_bytes;
    size_t connections;
    bool draining;
    bool destroyed; /* by its owner: call back no more, free with the last connection */
    tl_http_request_fn on_request;
    tl_http_upgrade_fn on_upgrade;
    void *arg;
    LIST_ENTRY(tl_http_server) link;
};

void tl_http_server_forget(struct tl_http_server *server); /* a connection is gone */
void tl_http_server_free(struct tl_http_server *server);

/* http_exchange.c: the HTTP events of a listener's wsi. Return nonzero to have it closed. */
int tl_http_on_head(struct tl_conn *conn);
int tl_http_on_body(struct tl_conn *conn, const void *data, size_t len);
int tl_http_on_body_end(struct tl_conn *conn);
int tl_http_on_writable(struct tl_conn *conn);
int tl_http_on_garbage(struct tl_conn *conn, const void *data, size_t len);
void tl_http_on_closed(struct tl_conn *conn);
void tl_http_forget_ending(struct tl_conn *conn);
void tl_http_end_all(struct tl_net *net);

/** Writes a whole answer to the wsi; for refusals before there is an exchange. */
int tl_http_write_refusal(struct tl_conn *conn, int status, const char *title, const char *detail,
                          const struct tl_http_header *headers);

/* http_request.c */
struct tl_http_request;
enum tl_status tl_http_request_create(struct lws *wsi, const char *peer,
                                      struct tl_http_request **ret_request, struct tl_error *err);
void tl_http_request_destroy(struct tl_http_request *r);
void tl_http_request_freeze(struct tl_http_request *r); /* the wsi's headers go away */
/** "HTTP/1.1"? Before the headers go away. */
bool tl_http_request_is_version(const struct tl_http_request *r, const char *version);
struct tl_buf *tl_http_request_body_buf(struct tl_http_request *r);

/* ws.c: the WebSocket events. */

/** Where a WebSocket stands; see set_state in ws.c. */
enum tl_ws_state {
    TL_WS_CONNECTING, /* a client's, or accepted and not yet greeted */
    TL_WS_OPEN,
    TL_WS_CLOSING, /* tl_ws_close: the queue is still to leave, then a close frame */
    TL_WS_CLOSE_SENT,
    TL_WS_ENDED, /* on_close was called */
};

struct tl_ws {
    struct tl_net *net;
    struct tl_conn *conn; /* NULL: resolving, between attempts, or ended */
    bool is_client;
    enum tl_ws_state state;
    const struct tl_ws_callbacks *callbacks;
    void *arg;
    struct tl_ws_limits limits;
    char peer[TL_NET_PEER_SIZE];
    char subprotocol[TL_NET_SUBPROTOCOL_SIZE];

    struct tl_buf in; /* pieces of a message that is not yet whole */

    /* Frames not yet given to libwebsockets:
     *
     *   out.data |  written  | frame | frame | … |   free   |
     *            0           out_sent            out.len    out.cap
     */
    struct tl_buf out;
    size_t out_sent;
    size_t out_given; /* at most so much that libwebsockets may still hold */
    bool was_full;    /* tl_ws_send said TL_RETRY: on_drained is owed */
    bool is_dirty;    /* in net->dirty */
    TAILQ_ENTRY(tl_ws) dirty_link;

    uint64_t heard_ms; /* loop time of the last message or pong */
    bool is_pinged;    /* by the keepalive, and silent since */
    struct tl_timer keepalive;

    struct tl_ws_close end; /* what on_close will be told */
    char reason[256];       /* end.reason points here */
    uint64_t close_ms;      /* loop time of tl_ws_close */

    struct tl_ws_dial *dial; /* of a client that is connecting */
    LIST_ENTRY(tl_ws) client_link;
};

struct tl_ws *tl_ws_create(struct tl_net *net, bool is_client);
void tl_ws_apply_limits(struct tl_ws *ws, const struct tl_ws_limits *limits);
void tl_ws_end(struct tl_ws *ws); /* calls on_close and frees */
void tl_ws_set_reason(struct tl_ws *ws, const char *text, size_t len);
int tl_ws_on_upgrade(struct tl_conn *conn); /* 0: go on; >0: refused and answered; <0: close */
int tl_ws_on_before_handshake(struct tl_conn *conn);
int tl_ws_on_established(struct tl_conn *conn);
int tl_ws_on_receive(struct tl_conn *conn, const void *data, size_t len);
void tl_ws_on_pong(struct tl_conn *conn, const void *data, size_t len);
void tl_ws_on_peer_close(struct tl_conn *conn, const uint8_t *data, size_t len);
int tl_ws_on_writable(struct tl_conn *conn);
void tl_ws_on_closed(struct tl_conn *conn);
void tl_ws_flush_all(struct tl_net *net);

/* ws_client.c */
struct tl_ws_dial;
void tl_ws_dial_finish(struct tl_ws *ws); /* frees what connecting needed */
int tl_ws_on_append_headers(struct tl_conn *conn, unsigned char **p, size_t room);
void tl_ws_on_handshake_answer(struct tl_conn *conn);
void tl_ws_on_connect_error(struct tl_conn *conn, const char *text, size_t len);
void tl_ws_dial_abort(struct tl_ws *ws);

/* http_client.c */
void tl_http_pool_destroy(struct tl_http_pool *pool);

#endif
