/* Listening sockets. We accept ourselves and hand each connection to libwebsockets: so a port can
 * be shared, asked for, or left while its connections live, and a taken port is told as such. */
#include "net/http_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_internal.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64
#define ACCEPT_AGAIN_MS 100
#define KEEPALIVE_IDLE_S 75
#define BODY_BYTES_DEFAULT (1024 * 1024)

static const lws_retry_bo_t no_validity_checks;

static void describe_peer(int fd, char text[TL_NET_PEER_SIZE])
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    text[0] = 0;
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0 || sa.ss_family == AF_UNIX)
        return;
    (void)getnameinfo((struct sockaddr *)&sa, len, text, TL_NET_PEER_SIZE, NULL, 0,
                      NI_NUMERICHOST); /* stays "" */
    if (strncmp(text, "::ffff:", 7) == 0)
        memmove(text, text + 7, strlen(text + 7) + 1);
}

void tl_http_server_adopt(struct tl_http_server *server, int fd)
{
    int on = 1;
    struct tl_conn *conn = tl_conn_create(server->net, server);
    lws_adopt_desc_t adoption = {
        .vh = server->vhost,
        .type = LWS_ADOPT_HTTP | LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL,
        .fd.sockfd = fd,
        .opaque = conn,
    };

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
    describe_peer(fd, conn->peer);
    /* On failure libwebsockets closes the socket and tells through the callback. */
    (void)lws_adopt_descriptor_vhost_via_info(&adoption);
}

static void accept_again(void *arg);

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct tl_http_server *server = poll->data;

    (void)events; /* only readable was asked for */
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            tl_http_server_adopt(server, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            (void)uv_poll_stop(poll); /* else the loop spins until somebody closes something */
            tl_timer_start(&server->accept_again, server->net->loop, ACCEPT_AGAIN_MS, accept_again,
                           server);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void accept_again(void *arg)
{
    struct tl_http_server *server = arg;

    (void)uv_poll_start(server->poll, UV_READABLE, on_readable); /* fails only when closing */
}

static enum tl_status bind_to(int fd, const struct addrinfo *ai, bool reuse_port,
                              const char *address, int port, struct tl_error *err)
{
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* bind tells */
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return tl_fail(err, TL_FATAL, "SO_REUSEPORT: %s", strerror(errno));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return tl_fail(err,
                       errno == EADDRINUSE      ? TL_CONFLICT
                       : errno == EADDRNOTAVAIL ? TL_INVALID
                                                : TL_FATAL,
                       "listen on %s:%d: %s", address, port, strerror(errno));
    return TL_OK;
}

static enum tl_status open_socket(const char *address, int port, bool reuse_port, int *ret_fd,
                                  struct tl_error *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *ai;
    char service[8];

    (void)snprintf(service, sizeof(service), "%d", port); /* checked by getaddrinfo */
    if (!address || !*address)
        address = "0.0.0.0";
    if (strcmp(address, "localhost") == 0)
        address = "127.0.0.1";
    int gai = getaddrinfo(address, service, &hints, &ai);
    if (port < 0 || port > 65535 || gai != 0)
        return tl_fail(err, TL_INVALID, "listen on %s:%d: not an address and a port", address,
                       port);
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum tl_status st = fd < 0 ? tl_fail(err, TL_FATAL, "socket: %s", strerror(errno))
                               : bind_to(fd, ai, reuse_port, address, port, err);
    freeaddrinfo(ai);
    if (st != TL_OK) {
        if (fd >= 0)
            (void)close(fd);
        return st;
    }
    *ret_fd = fd;
    return TL_OK;
}

static int port_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                          : ((struct sockaddr_in *)&sa)->sin_port);
}

static enum tl_status create_vhost(struct tl_http_server *server,
                                   const struct tl_http_server_options *options,
                                   struct tl_error *err)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "server",
        .protocols = server->net->protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   /* so that a bad request line gets an answer; see tl_http_on_garbage */
                   LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG,
        .ssl_cert_filepath = options->cert_file,
        .ssl_private_key_filepath = options->key_file,
        .alpn = "http/1.1",
        .keepalive_timeout = KEEPALIVE_IDLE_S,
        .retry_and_idle_policy = &no_validity_checks,
    };
    const char *files[] = {options->cert_file, options->key_file};

    if (!options->cert_file != !options->key_file)
        return tl_fail(err, TL_INVALID, "TLS needs a certificate and a key");
    for (size_t i = 0; i < TL_ARRAY_LEN(files); i++)
        if (files[i] && access(files[i], R_OK) != 0)
            return tl_fail(err, TL_INVALID, "%s: %s", files[i], strerror(errno));
    server->vhost = lws_create_vhost(server->net->lws, &info);
    if (!server->vhost)
        return tl_fail(err, TL_INVALID, "TLS: certificate %s and key %s cannot be used",
                       options->cert_file, options->key_file);
    return TL_OK;
}

static void start_listening(struct tl_http_server *server, int fd)
{
    server->fd = fd;
    server->port = port_of(fd);
    server->poll = calloc(1, sizeof(*server->poll));
    if (!server->poll)
        abort();
    (void)uv_poll_init(server->net->loop, server->poll, fd); /* a fresh socket: cannot fail */
    server->poll->data = server;
    (void)uv_poll_start(server->poll, UV_READABLE, on_readable); /* likewise */
}

enum tl_status tl_http_address_parse(const char *text, char ret_host[TL_HTTP_HOST_SIZE],
                                     int *ret_port, struct tl_error *err)
{
    const char *colon = strrchr(text, ':');
    const char *digits = colon ? colon + 1 : "";
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    size_t len = strlen(digits);

    if (!len || len > 5 || strspn(digits, "0123456789") != len ||
        strtol(digits, NULL, 10) > 65535)
        return tl_fail(err, TL_INVALID, "%s: not ADDRESS:PORT", text);
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        text++;
        host_len -= 2;
    }
    if (host_len >= TL_HTTP_HOST_SIZE)
        return tl_fail(err, TL_INVALID, "%s: the address is too long", text);
    memcpy(ret_host, text, host_len);
    ret_host[host_len] = 0;
    *ret_port = (int)strtol(digits, NULL, 10);
    return TL_OK;
}

enum tl_status tl_http_server_create(struct tl_net *net,
                                     const struct tl_http_server_options *options,
                                     struct tl_http_server **ret_server, struct tl_error *err)
{
    int fd;
    enum tl_status st = open_socket(options->address, options->port, options->reuse_port, &fd, err);

    if (st != TL_OK)
        return st;
    struct tl_http_server *server = calloc(1, sizeof(*server));
    if (!server)
        abort();
    server->net = net;
    server->max_body_bytes = options->max_body_bytes ? options->max_body_bytes : BODY_BYTES_DEFAULT;
    server->on_request = options->on_request;
    server->on_upgrade = options->on_upgrade;
    server->arg = options->arg;
    st = create_vhost(server, options, err);
    if (st != TL_OK) {
        (void)close(fd);
        free(server);
        return st;
    }
    LIST_INSERT_HEAD(&net->servers, server, link);
    start_listening(server, fd);
    *ret_server = server;
    return TL_OK;
}

int tl_http_server_port(const struct tl_http_server *server)
{
    return server->port;
}

size_t tl_http_server_connections(const struct tl_http_server *server)
{
    return server->connections;
}

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

void tl_http_server_stop_listening(struct tl_http_server *server)
{
    server->draining = true;
    tl_timer_finish(&server->accept_again);
    if (!server->poll)
        return;
    uv_close((uv_handle_t *)server->poll, free_poll);
    server->poll = NULL;
    (void)close(server->fd); /* nothing to lose */
}

void tl_http_server_destroy(struct tl_http_server *server)
{
    struct tl_conn *conn;

    if (!server)
        return;
    tl_http_server_stop_listening(server);
    server->destroyed = true;
    LIST_FOREACH(conn, &server->net->conns, link)
    if (conn->server == server)
        tl_conn_kill(conn);
    if (server->connections == 0)
        tl_http_server_free(server);
}

void tl_http_server_forget(struct tl_http_server *server)
{
    server->connections--;
    if (server->destroyed && server->connections == 0)
        tl_http_server_free(server);
}

void tl_http_server_free(struct tl_http_server *server)
{
    LIST_REMOVE(server, link);
    free(server);
}
