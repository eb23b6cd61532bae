/* One socket under libwebsockets, and the callback through which libwebsockets tells about it.
 *
 * libwebsockets picks a struct lws_protocols by the subprotocol that the client offers, refuses
 * clients that offer none it knows, and answers with that struct's name. We decide per connection
 * instead, so all vhosts share one struct whose name is a buffer: before the choice
 * tl_ws_on_upgrade puts there what the client offers first, after it what we agree to, or nothing.
 */
#include "net_internal.h"

#include <openssl/ssl.h>
#include <stdlib.h>

struct tl_conn *tl_conn_create(struct tl_net *net, struct tl_http_server *server)
{
    struct tl_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        abort();
    conn->net = net;
    conn->server = server;
    LIST_INSERT_HEAD(&net->conns, conn, link);
    if (server)
        server->connections++;
    return conn;
}

void tl_conn_destroy(struct tl_conn *conn)
{
    struct tl_http_server *server = conn->server;

    if (conn->destroyed)
        *conn->destroyed = true;
    tl_http_on_closed(conn);
    if (conn->ws)
        tl_ws_on_closed(conn);
    LIST_REMOVE(conn, link);
    free(conn);
    if (server)
        tl_http_server_forget(server);
}

void tl_conn_kill(struct tl_conn *conn)
{
    if (conn->killed || !conn->wsi)
        return;
    conn->killed = true;
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    /* libwebsockets looks at its timers only after an event on one of its descriptors. */
    lws_cancel_service(conn->net->lws);
}

static int on_http(struct tl_conn *conn, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        return tl_http_on_head(conn);
    case LWS_CALLBACK_HTTP_BODY:
        return tl_http_on_body(conn, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return tl_http_on_body_end(conn);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return tl_http_on_writable(conn);
    case LWS_CALLBACK_RAW_RX:
        return tl_http_on_garbage(conn, in, len);
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_CLOSED_HTTP:
        tl_http_on_closed(conn);
        return 0;
    }
    return 0;
}

static int on_client(struct tl_conn *conn, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return tl_ws_on_append_headers(conn, in, len);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        tl_ws_on_handshake_answer(conn);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        tl_ws_on_connect_error(conn, in, len);
        return 0;
    }
    return 0;
}

/* OpenSSL keeps two buffers of 17 KiB for each connection unless it is told to give them back when
 * they are empty, which they nearly always are. */
static int on_vhost(enum lws_callback_reasons reason, void *ssl_ctx)
{
    if ((reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS ||
         reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) &&
        ssl_ctx)
        (void)SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS); /* returns the modes now set */
    return 0;
}

int tl_conn_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct tl_conn *conn = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    if (!conn) /* of a vhost or the context, not of a connection */
        return on_vhost(reason, user);
    conn->wsi = wsi;
    switch ((int)reason) {
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return tl_ws_on_receive(conn, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return tl_ws_on_writable(conn);
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        tl_ws_on_pong(conn, in, len);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        tl_ws_on_peer_close(conn, in, len);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return tl_ws_on_upgrade(conn);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return tl_ws_on_before_handshake(conn);
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return tl_ws_on_established(conn);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
        tl_ws_on_closed(conn);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(wsi, NULL);
        tl_conn_destroy(conn);
        return 0;
    default:
        return conn->server ? on_http(conn, reason, in, len) : on_client(conn, reason, in, len);
    }
}
