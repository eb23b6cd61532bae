/* The libwebsockets context on the program's libuv loop, its birth and its two-step death: see
 * net.h and README.md. */
#include "net_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536
#define SERVICE_BUFFER_BYTES 16384
#define HEADER_BYTES_MAX 16384
#define HEADER_TABLES_MAX 8192 /* requests whose headers are held at once; made on demand */
#define HANDSHAKE_TIMEOUT_S 10

/* libwebsockets' log function takes no argument of ours, so this one pointer is global. */
static const struct tl_log *lws_log_to;

static void take_lws_line(int level, const char *line)
{
    char text[256];

    (void)level;
    if (!lws_log_to)
        return;
    size_t n = strcspn(line, "\n");
    if (n >= sizeof(text))
        n = sizeof(text) - 1;
    memcpy(text, line, n);
    text[n] = 0;
    tl_log_debug(lws_log_to, "net.lws", TL_STR("text", text));
}

static void tell_lws_where_to_log(const struct tl_log *log)
{
    bool wanted = log && log->level == TL_LOG_DEBUG;

    lws_log_to = wanted ? log : NULL;
    lws_set_log_level(wanted ? LLL_ERR | LLL_WARN | LLL_NOTICE : 0, take_lws_line);
}

/* libwebsockets zeroes two tables with a slot for each descriptor the process may have, and where
 * the limit is a million that is 16 MiB nobody asked for. Its own fd_limit makes it search a list
 * for every event instead. */
static void lower_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= DESCRIPTORS_MAX)
        return;
    limit.rlim_cur = DESCRIPTORS_MAX;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* only memory is lost when it fails */
}

static const lws_retry_bo_t no_validity_checks; /* we have our own keepalive; see ws.c */

static enum tl_status create_context(struct tl_net *net, struct tl_error *err)
{
    void *loops[] = {net->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
        .foreign_loops = loops,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .max_http_header_data2 = HEADER_BYTES_MAX,
        .max_http_header_pool2 = HEADER_TABLES_MAX,
        .timeout_secs = HANDSHAKE_TIMEOUT_S,
    };

    lower_descriptor_limit();
    net->lws = lws_create_context(&info);
    if (!net->lws)
        return tl_fail(
            err, TL_FATAL,
            "libwebsockets context: cannot be created (is libwebsockets-evlib-uv there?)");
    return TL_OK;
}

static enum tl_status create_client_vhost(struct tl_net *net, struct tl_error *err)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .vhost_name = "client",
        .protocols = net->protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .client_ssl_ca_filepath = net->client_ca_file,
        .retry_and_idle_policy = &no_validity_checks,
    };

    if (net->client_ca_file && access(net->client_ca_file, R_OK) != 0)
        return tl_fail(err, TL_FATAL, "CA file %s: %s", net->client_ca_file, strerror(errno));
    net->client_vhost = lws_create_vhost(net->lws, &info);
    if (!net->client_vhost)
        return tl_fail(err, TL_FATAL, "TLS client: CA file %s cannot be used",
                       net->client_ca_file ? net->client_ca_file : "of the system");
    return TL_OK;
}

static void on_turn_end(uv_idle_t *idle)
{
    struct tl_net *net = idle->data;

    tl_http_end_all(net);
    tl_ws_flush_all(net);
    if (TAILQ_EMPTY(&net->ending) && TAILQ_EMPTY(&net->dirty))
        (void)uv_idle_stop(idle); /* cannot fail */
}

/* An idle handle rather than a prepare one: while it is active the loop does not sleep, so nothing
 * is left lying when somebody's own prepare callback sends after ours has run. */
void tl_net_wake_flusher(struct tl_net *net)
{
    if (net->flusher && !uv_is_active((uv_handle_t *)net->flusher))
        (void)uv_idle_start(net->flusher, on_turn_end); /* fails only without a callback */
}

static void create_flusher(struct tl_net *net)
{
    net->flusher = calloc(1, sizeof(*net->flusher));
    if (!net->flusher)
        abort();
    (void)uv_idle_init(net->loop, net->flusher); /* cannot fail */
    net->flusher->data = net;
}

enum tl_status tl_net_create(const struct tl_net_options *options, struct tl_net **ret_net,
                             struct tl_error *err)
{
    struct tl_net *net = calloc(1, sizeof(*net));

    if (!net)
        abort();
    net->loop = options->loop;
    net->log = options->log;
    net->client_ca_file = options->client_ca_file ? strdup(options->client_ca_file) : NULL;
    net->max_message_bytes =
        options->max_message_bytes ? options->max_message_bytes : TL_NET_MESSAGE_BYTES_DEFAULT;
    net->protocols[0] = (struct lws_protocols){
        .name = net->protocol_name,
        .callback = tl_conn_event,
        .rx_buffer_size = 8192,
        .tx_packet_size = 128 * 1024,
    };
    memcpy(net->protocol_name, "tl", sizeof("tl"));
    TAILQ_INIT(&net->ending);
    TAILQ_INIT(&net->dirty);
    tell_lws_where_to_log(options->log);
    create_flusher(net);

    enum tl_status st = create_context(net, err);
    if (st == TL_OK)
        st = create_client_vhost(net, err);
    if (st != TL_OK) {
        tl_net_destroy(net);
        return st;
    }
    *ret_net = net;
    return TL_OK;
}

static void find_closing(uv_handle_t *handle, void *arg)
{
    if (uv_is_closing(handle))
        *(bool *)arg = true;
}

/* Runs the loop until no handle on it is half closed. */
static void run_until_closed(struct tl_net *net)
{
    bool any = true;

    while (any || net->resolving) {
        (void)uv_run(net->loop, net->resolving && !any ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        any = false;
        uv_walk(net->loop, find_closing, &any);
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void end_clients(struct tl_net *net)
{
    struct tl_ws *ws, *next;

    for (ws = LIST_FIRST(&net->clients); ws; ws = next) {
        next = LIST_NEXT(ws, client_link);
        tl_ws_dial_abort(ws);
    }
}

static void end_servers(struct tl_net *net)
{
    struct tl_http_server *server;

    LIST_FOREACH(server, &net->servers, link)
    tl_http_server_stop_listening(server);
}

static void free_servers(struct tl_net *net)
{
    struct tl_http_server *server;

    while ((server = LIST_FIRST(&net->servers)))
        tl_http_server_free(server);
}

void tl_net_destroy(struct tl_net *net)
{
    if (!net)
        return;
    net->destroying = true;
    tl_http_pool_destroy(net->pool);
    net->pool = NULL;
    end_clients(net);
    end_servers(net);
    if (net->flusher)
        uv_close((uv_handle_t *)net->flusher, free_handle);
    net->flusher = NULL;

    /* Step one closes every socket, but libuv lets go of handles only in its own time, and the
     * handles lie inside the context. Step two frees it, once the loop has turned. */
    if (net->lws)
        lws_context_destroy(net->lws);
    run_until_closed(net);
    if (net->lws)
        lws_context_destroy(net->lws);

    while (!LIST_EMPTY(&net->conns)) /* of attempts that died before they had a socket */
        tl_conn_destroy(LIST_FIRST(&net->conns));
    free_servers(net);
    if (lws_log_to == net->log)
        tell_lws_where_to_log(NULL);
    free(net->client_ca_file);
    free(net);
}

uv_loop_t *tl_net_loop(struct tl_net *net)
{
    return net->loop;
}
