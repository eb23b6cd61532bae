/* What a WebSocket message costs: a server process that echoes, and a client process that sends a
 * message on each connection every 20 ms, as media streams do. CPU time of each process per message
 * (one received and one sent). usage: bench_ws [CONNECTIONS [SECONDS [CERT KEY]]] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "net/http_server.h"
#include "net/net.h"
#include "net/ws.h"

#define PERIOD_MS 20
#define MESSAGE_BYTES 330 /* a media message of Twilio with 20 ms of sound */

struct bench {
    uv_loop_t loop;
    struct tl_log log;
    struct tl_net *net;
    struct tl_ws **ws;
    int connections, open;
    uint64_t echoed, ticks_left;
    uv_timer_t ticker;
    uv_signal_t stop;
    struct rusage start;
};

static double cpu_us(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e6 +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static void on_echo(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct bench *b = arg;

    if (tl_ws_send(ws, is_text, data, len) == TL_OK)
        b->echoed++;
}

static void on_answer(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct bench *b = arg;

    (void)ws;
    (void)data;
    (void)len;
    (void)is_text;
    b->echoed++;
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *end)
{
    (void)arg;
    (void)ws;
    (void)end;
}

static void on_tick(uv_timer_t *timer)
{
    static char text[MESSAGE_BYTES];
    struct bench *b = timer->data;

    memset(text, 'a', sizeof(text));
    /* A tenth of the connections each 2 ms: calls are not in step either. */
    for (int i = (int)(b->ticks_left % 10); i < b->connections; i += 10)
        if (tl_ws_send(b->ws[i], true, text, sizeof(text)) != TL_OK)
            (void)fprintf(stderr, "connection %d: not sent\n", i);
    if (b->ticks_left-- == 0)
        uv_stop(&b->loop);
}

static void on_open(void *arg, struct tl_ws *ws)
{
    struct bench *b = arg;

    b->ws[b->open++] = ws;
    if (b->open < b->connections)
        return;
    (void)getrusage(RUSAGE_SELF, &b->start);
    (void)uv_timer_start(&b->ticker, on_tick, 0, PERIOD_MS / 10);
}

static void on_upgrade(void *arg, const struct tl_http_request *r, struct tl_ws_accept *accept)
{
    static const struct tl_ws_callbacks callbacks = {.on_message = on_echo, .on_close = on_close};

    (void)r;
    accept->accepted = true;
    accept->callbacks = &callbacks;
    accept->arg = arg;
}

static void on_request(void *arg, struct tl_http_exchange *x)
{
    (void)arg;
    tl_http_problem(x, 404, "Not Found", NULL);
}

static void on_stop(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static void set_up(struct bench *b, const char *ca)
{
    struct tl_error err;
    const struct tl_net_options options = {.loop = &b->loop, .log = &b->log, .client_ca_file = ca};

    b->log = (struct tl_log){.fd = 2, .level = TL_LOG_INFO};
    (void)uv_loop_init(&b->loop);
    if (tl_net_create(&options, &b->net, &err) != TL_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static void serve(int port_fd, int result_fd, const char *cert, const char *key)
{
    struct bench b = {0};
    struct tl_http_server *server;
    struct tl_error err;

    set_up(&b, NULL);
    const struct tl_http_server_options options = {.address = "127.0.0.1",
                                                   .cert_file = cert,
                                                   .key_file = key,
                                                   .on_request = on_request,
                                                   .on_upgrade = on_upgrade,
                                                   .arg = &b};
    if (tl_http_server_create(b.net, &options, &server, &err) != TL_OK)
        exit(1);
    (void)uv_signal_init(&b.loop, &b.stop);
    (void)uv_signal_start(&b.stop, on_stop, SIGTERM);
    int port = tl_http_server_port(server);
    if (write(port_fd, &port, sizeof(port)) != sizeof(port))
        exit(1);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    struct rusage end;
    (void)getrusage(RUSAGE_SELF, &end);
    double result[2] = {cpu_us(&end), (double)b.echoed};
    exit(write(result_fd, result, sizeof(result)) == sizeof(result) ? 0 : 1);
}

static void connect_all(struct bench *b, int port, bool is_tls)
{
    static const struct tl_ws_callbacks callbacks = {
        .on_open = on_open, .on_message = on_answer, .on_close = on_close};
    char url[64];

    (void)snprintf(url, sizeof(url), "%s://localhost:%d/", is_tls ? "wss" : "ws", port);
    const struct tl_ws_connect_options options = {.url = url, .callbacks = &callbacks, .arg = b};
    for (int i = 0; i < b->connections; i++) {
        struct tl_ws *ws;
        struct tl_error err;
        if (tl_ws_connect(b->net, &options, &ws, &err) != TL_OK)
            exit(1);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.connections = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 200};
    int seconds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    const char *cert = argc > 4 ? argv[3] : NULL, *key = argc > 4 ? argv[4] : NULL;
    int ports[2], results[2], port;
    double server[2];

    if (pipe(ports) != 0 || pipe(results) != 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        serve(ports[1], results[1], cert, key);
    if (read(ports[0], &port, sizeof(port)) != sizeof(port))
        return 1;
    set_up(&b, cert);
    b.ws = calloc((size_t)b.connections, sizeof(struct tl_ws *));
    b.ticks_left = (uint64_t)seconds * 1000 / (PERIOD_MS / 10);
    (void)uv_timer_init(&b.loop, &b.ticker);
    b.ticker.data = &b;
    connect_all(&b, port, cert != NULL);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);

    struct rusage end;
    (void)getrusage(RUSAGE_SELF, &end);
    double client_us = (cpu_us(&end) - cpu_us(&b.start)) / (double)b.echoed;
    (void)kill(pid, SIGTERM);
    if (read(results[0], server, sizeof(server)) != sizeof(server))
        return 1;
    (void)waitpid(pid, NULL, 0);
    double server_us = server[0] / server[1]; /* with the handshakes: seconds make them small */
    (void)printf("%d connections, %.0f messages/s each way, %s\n", b.connections,
                 (double)b.echoed / seconds, cert ? "TLS" : "plain");
    (void)printf("server  %6.2f us of CPU a message\nclient  %6.2f us\n", server_us, client_us);
    (void)printf("{\"bench\":\"ws\",\"connections\":%d,\"messages\":%.0f,\"tls\":%s,"
                 "\"server_us\":%.2f,\"client_us\":%.2f}\n",
                 b.connections, (double)b.echoed, cert ? "true" : "false", server_us, client_us);
    return 0;
}
