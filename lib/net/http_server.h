#ifndef TL_NET_HTTP_SERVER_H
#define TL_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct tl_net;
struct tl_ws_accept;

/** What a peer asked, before or after its body came. Strings are borrowed and live until the
 *  exchange ends (for an upgrade: until on_upgrade returns). */
struct tl_http_request;

/** A request and the answer it waits for. */
struct tl_http_exchange;

/** A listening port. */
struct tl_http_server;

/** Rows end with name NULL. */
struct tl_http_header {
    const char *name;
    const char *value;
};

/** Answer with tl_http_respond or tl_http_problem, now or later, exactly once. */
typedef void (*tl_http_request_fn)(void *arg, struct tl_http_exchange *x);

/** Decides about a WebSocket handshake: fill *accept (it comes zeroed, which refuses with 403). */
typedef void (*tl_http_upgrade_fn)(void *arg, const struct tl_http_request *request,
                                   struct tl_ws_accept *accept);

/** The peer left before the answer. The exchange is still to be answered (a no-op then). */
typedef void (*tl_http_gone_fn)(void *arg, struct tl_http_exchange *x);

struct tl_http_server_options {
    const char *address;              /* "127.0.0.1", "0.0.0.0", "::"; NULL: every IPv4 address */
    int port;                         /* 0: any free one, see tl_http_server_port */
    const char *cert_file, *key_file; /* PEM; both NULL: plain HTTP */
    bool reuse_port;                  /* SO_REUSEPORT: several processes share the port */
    size_t max_body_bytes;            /* longer bodies get 413; 0: 1 MiB */
    tl_http_request_fn on_request;
    tl_http_upgrade_fn on_upgrade; /* NULL: handshakes get 404 */
    void *arg;                     /* of both */
};

#define TL_HTTP_HOST_SIZE 64

/** Cuts "127.0.0.1:8080", "[::]:8080" or ":8080" (every IPv4 address) in two.
 *  TL_INVALID: no port, or not 0..65535. */
TL_MUST_CHECK enum tl_status tl_http_address_parse(const char *text,
                                                   char ret_host[TL_HTTP_HOST_SIZE], int *ret_port,
                                                   struct tl_error *err);

/** Listens (HTTP/1.1). TL_INVALID: address, certificate or key unusable. TL_CONFLICT: the port is
 *  taken. TL_FATAL: anything else. The strings are copied. */
TL_MUST_CHECK enum tl_status tl_http_server_create(struct tl_net *net,
                                                   const struct tl_http_server_options *options,
                                                   struct tl_http_server **ret_server,
                                                   struct tl_error *err);

int tl_http_server_port(const struct tl_http_server *server);

/** Takes over a connected stream socket as if it had been accepted: from a parent process, a test.
 */
void tl_http_server_adopt(struct tl_http_server *server, int fd);

/** Stops listening; connections live on, and answers say Connection: close. Idempotent. */
void tl_http_server_stop_listening(struct tl_http_server *server);

/** Stops listening and closes what is left. Freed when the last connection is gone, at the latest
 *  by tl_net_destroy (which also destroys servers nobody destroyed). Accepts NULL. */
void tl_http_server_destroy(struct tl_http_server *server);

/** Connections now open, WebSockets among them. */
size_t tl_http_server_connections(const struct tl_http_server *server);

/* The request of an exchange. */
const struct tl_http_request *tl_http_exchange_request(const struct tl_http_exchange *x);

const char *tl_http_request_method(const struct tl_http_request *r); /* "GET", "POST", "HEAD", … */
const char *tl_http_request_path(const struct tl_http_request *r);   /* percent-decoded, no query */

/** Path and query as they stood on the wire, as near as libwebsockets lets us: see README.md,
 *  "The raw target". */
const char *tl_http_request_target(const struct tl_http_request *r);

/** The part of the target behind '?', still encoded; "" when there is none. */
const char *tl_http_request_query(const struct tl_http_request *r);

/** The first query argument of that name, percent-decoded ('+' is a space); NULL when absent. */
const char *tl_http_request_arg(const struct tl_http_request *r, const char *name);

/** Value of a header, name in any case; NULL when absent. Only until the handler returns may a
 *  header be looked up for the first time; what was looked up stays. */
const char *tl_http_request_header(const struct tl_http_request *r, const char *name);

struct tl_bytes tl_http_request_body(const struct tl_http_request *r); /* followed by a NUL */
const char *tl_http_request_peer(const struct tl_http_request *r);     /* "127.0.0.1" */

/** Answers. `content_type` may be NULL when len is 0; `headers` may be NULL; everything is copied.
 *  x is gone afterwards. The peer may have left: then nothing is sent. */
void tl_http_respond(struct tl_http_exchange *x, int status, const char *content_type,
                     const void *body, size_t len, const struct tl_http_header *headers);

/** Answers with an RFC 9457 problem document. `detail` may be NULL. */
void tl_http_problem(struct tl_http_exchange *x, int status, const char *title, const char *detail);

/** The HTTP status of a tl_status: 400, 404, 403, 409, 503, 500; 200 for TL_OK. */
int tl_http_status_of(enum tl_status status);

/** Have on_gone called should the peer leave before the answer. */
void tl_http_exchange_on_gone(struct tl_http_exchange *x, tl_http_gone_fn on_gone, void *arg);
bool tl_http_exchange_is_gone(const struct tl_http_exchange *x);

#endif
