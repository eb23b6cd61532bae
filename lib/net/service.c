/* What every daemon's main shares: see service.h. */
#include "net/service.h"
#include "net/pace.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/metrics.h"
#include "net/timer.h"
#include "service_options.h"

#define DRAIN_DEFAULT_MS 20000
#define PARTS_MAX 16
#define METRICS_BYTES_MAX (4 * 1024 * 1024)

struct tl_service {
    const struct tl_service_program *program;
    struct tl_service_options options;
    struct tl_config config;
    struct tl_process_settings settings;
    struct tl_pace pace;
    struct tl_log log;
    char process[64];

    uv_loop_t loop;
    bool has_loop;
    struct tl_net *net;
    struct tl_metrics *metrics;
    uv_signal_t signals[2];
    struct tl_timer deadline;
    struct tl_buf ports; /* lines of the ready file */
    bool is_draining;
    int exit_status;
};

/* ---- Settings ---- */

static void list_parts(struct tl_service *service, struct tl_config_part parts[PARTS_MAX + 1])
{
    const struct tl_config_part *own = service->program->parts;
    size_t n = 0;

    parts[n++] = (struct tl_config_part){tl_process_settings, &service->settings};
    for (; own && own->settings && n < PARTS_MAX; own++)
        parts[n++] = *own;
    parts[n] = (struct tl_config_part){0};
}

static enum tl_status load_settings(struct tl_service *service, struct tl_error *err)
{
    struct tl_config_part parts[PARTS_MAX + 1];
    const char *from_env = getenv("TRUNKLINE_CONFIG");
    struct tl_config_source source = {
        .file = service->options.config ? service->options.config
                : from_env              ? from_env
                                        : TL_CONFIG_FILE,
        .instance = service->options.instance,
    };

    list_parts(service, parts);
    return tl_config_load(&service->config, parts, service->program->known, &source, err);
}

static void print_problems(struct tl_service *service, const struct tl_error *err)
{
    if (service->config.problems.len)
        (void)fputs(tl_buf_str(&service->config.problems), stderr);
    else
        (void)fprintf(stderr, "%s: %s\n", service->program->name, err->msg);
}

static enum tl_status set_up_log(struct tl_service *service, struct tl_error *err)
{
    service->log = (struct tl_log){.fd = STDERR_FILENO, .process = service->process};
    (void)snprintf(service->process, sizeof(service->process), "%s-%lld", service->program->section,
                   (long long)service->settings.instance_number); /* cut: for people only */
    if (!tl_log_level_parse(service->settings.log_level, &service->log.level))
        return tl_fail(err, TL_INVALID, "log.level: %s", service->settings.log_level);
    return TL_OK;
}

/* ---- The admin listener ---- */

static void answer_metrics(struct tl_service *service, struct tl_http_exchange *x)
{
    struct tl_buf text;

    tl_buf_init(&text, METRICS_BYTES_MAX);
    tl_metrics_print(service->metrics, &text);
    if (text.full)
        tl_http_problem(x, 500, "Internal Server Error", "there are too many metrics");
    else
        tl_http_respond(x, 200, TL_METRICS_CONTENT_TYPE, tl_buf_str(&text), text.len, NULL);
    tl_buf_finish(&text);
}

static void answer_health(struct tl_service *service, struct tl_http_exchange *x)
{
    (void)service;
    tl_http_respond(x, 200, "text/plain", "ok\n", 3, NULL);
}

static void answer_ready(struct tl_service *service, struct tl_http_exchange *x)
{
    const struct tl_service_program *program = service->program;
    char reason[256] = "draining";

    if (!service->is_draining &&
        (!program->is_ready || program->is_ready(program->arg, reason, sizeof(reason))))
        tl_http_respond(x, 200, "text/plain", "ready\n", 6, NULL);
    else
        tl_http_problem(x, 503, "Not ready", reason);
}

static const struct {
    const char *path;
    void (*answer)(struct tl_service *service, struct tl_http_exchange *x);
} admin_routes[] = {
    {"/metrics", answer_metrics},
    {"/healthz", answer_health},
    {"/readyz", answer_ready},
};

static void on_admin_request(void *arg, struct tl_http_exchange *x)
{
    static const struct tl_http_header allow[] = {{"Allow", "GET, HEAD"}, {NULL, NULL}};
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *method = tl_http_request_method(r);

    for (size_t i = 0; i < TL_ARRAY_LEN(admin_routes); i++) {
        if (strcmp(admin_routes[i].path, tl_http_request_path(r)) != 0)
            continue;
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
            admin_routes[i].answer(arg, x);
        else
            tl_http_respond(x, 405, NULL, NULL, 0, allow);
        return;
    }
    tl_http_problem(x, 404, "Not Found", "/metrics, /healthz and /readyz are here");
}

static enum tl_status listen_for_admin(struct tl_service *service, struct tl_error *err)
{
    char host[TL_HTTP_HOST_SIZE];
    struct tl_http_server *server;
    struct tl_http_server_options options = {
        .address = host, .on_request = on_admin_request, .arg = service};

    if (!*service->settings.admin_listen)
        return TL_OK;
    enum tl_status st =
        tl_http_address_parse(service->settings.admin_listen, host, &options.port, err);
    if (st == TL_OK)
        st = tl_service_listen(service, "admin", &options, &server, err);
    return st == TL_OK ? st : tl_fail_prefix(err, "admin.listen");
}

enum tl_status tl_service_listen(struct tl_service *service, const char *name,
                                 const struct tl_http_server_options *options,
                                 struct tl_http_server **ret_server, struct tl_error *err)
{
    struct tl_http_server *server;
    enum tl_status st = tl_http_server_create(service->net, options, &server, err);

    if (st != TL_OK)
        return st;
    tl_log_info(&service->log, "net.listening", TL_STR("name", name),
                TL_STR("address", options->address), TL_INT("port", tl_http_server_port(server)),
                TL_BOOL("tls", options->cert_file != NULL));
    tl_buf_printf(&service->ports, "%s=%d\n", name, tl_http_server_port(server));
    *ret_server = server;
    return TL_OK;
}

/* ---- Stopping ---- */

static void on_deadline(void *arg)
{
    struct tl_service *service = arg;

    tl_log_error(&service->log, "service.drain_too_long");
    service->exit_status = 1;
    uv_stop(&service->loop);
}

void tl_service_drain(struct tl_service *service)
{
    const struct tl_service_program *program = service->program;
    int64_t deadline_ms = program->drain_ms ? *program->drain_ms : DRAIN_DEFAULT_MS;

    if (service->is_draining)
        return;
    service->is_draining = true;
    tl_log_info(&service->log, "service.draining", TL_INT("deadline_ms", deadline_ms));
    tl_timer_start(&service->deadline, &service->loop, (uint64_t)deadline_ms, on_deadline, service);
    if (program->on_drain)
        program->on_drain(program->arg);
    else
        uv_stop(&service->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct tl_service *service = handle->data;

    tl_log_info(&service->log, "service.signal", TL_INT("signal", number));
    if (service->is_draining)
        _exit(128 + number); /* asked twice: whoever asks has waited long enough */
    tl_service_drain(service);
}

static void watch_signals(struct tl_service *service)
{
    static const int numbers[] = {SIGTERM, SIGINT};

    (void)signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of that write only */
    for (size_t i = 0; i < TL_ARRAY_LEN(numbers); i++) {
        (void)uv_signal_init(&service->loop, &service->signals[i]); /* fails only out of memory */
        service->signals[i].data = service;
        (void)uv_signal_start(&service->signals[i], on_signal, numbers[i]); /* valid numbers */
        uv_unref((uv_handle_t *)&service->signals[i]);
    }
}

void tl_service_stop(struct tl_service *service)
{
    uv_stop(&service->loop);
}

void tl_service_fail(struct tl_service *service, const struct tl_error *err)
{
    tl_log_error(&service->log, "service.failed", TL_STR("status", tl_status_name(err->status)),
                 TL_STR("error", err->msg));
    service->exit_status = 1;
    uv_stop(&service->loop);
}

/* ---- Life ---- */

static enum tl_status set_up(struct tl_service *service, struct tl_error *err)
{
    const struct tl_net_options net = {
        .loop = &service->loop,
        .log = &service->log,
        .client_ca_file = *service->settings.ca_file ? service->settings.ca_file : NULL};

    if (uv_loop_init(&service->loop) != 0)
        return tl_fail(err, TL_FATAL, "libuv: no loop");
    service->has_loop = true;
    tl_pace_start(&service->pace, &service->loop, service->settings.turn_ms * 1000);
    watch_signals(service);
    service->metrics = tl_metrics_create();
    enum tl_status st = tl_net_create(&net, &service->net, err);
    return st == TL_OK ? listen_for_admin(service, err) : st;
}

static enum tl_status prepare(struct tl_service *service, int argc, char **argv, bool *ret_done,
                              struct tl_error *err)
{
    enum tl_status st =
        tl_service_options_parse(service->program, argc, argv, &service->options, err);

    if (st == TL_OK && service->options.is_done)
        *ret_done = true;
    if (st != TL_OK || *ret_done)
        return st;
    st = load_settings(service, err);
    if (st == TL_OK)
        st = set_up_log(service, err);
    if (st != TL_OK || !service->options.check_config)
        return st;
    (void)printf("settings are fine\n");
    *ret_done = true;
    return TL_OK;
}

enum tl_status tl_service_create(const struct tl_service_program *program, int argc, char **argv,
                                 struct tl_service **ret_service, struct tl_error *err)
{
    struct tl_service *service = calloc(1, sizeof(*service));
    bool done = false;

    /* One heap for all threads, large buffers apart from it, its top given back: otherwise what
     * librdkafka's threads free lies in an arena of each, and glibc raises its own limits with every
     * large buffer. None of these can fail. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 512 * 1024);
    if (!service)
        abort();
    service->program = program;
    tl_buf_init(&service->ports, 4096);
    enum tl_status st = prepare(service, argc, argv, &done, err);
    if (st == TL_OK && !done)
        st = set_up(service, err);
    if (st != TL_OK)
        print_problems(service, err);
    if (st != TL_OK || done) {
        tl_service_destroy(service);
        service = NULL;
    }
    *ret_service = service;
    return st;
}

/* Whole or not at all: whoever waits for the file may read it at once. */
static enum tl_status write_ready_file(struct tl_service *service, struct tl_error *err)
{
    const char *path = service->options.ready_file;
    char temporary[4096];

    if (!path)
        return TL_OK;
    int n = snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *file = n > 0 && (size_t)n < sizeof(temporary) ? fopen(temporary, "we") : NULL;
    bool ok = file != NULL;
    if (file) {
        ok = fwrite(tl_buf_str(&service->ports), 1, service->ports.len, file) == service->ports.len;
        ok = fclose(file) == 0 && ok;
    }
    if (!ok || rename(temporary, path) != 0)
        return tl_fail(err, TL_FATAL, "ready file %s: %s", path, strerror(errno));
    return TL_OK;
}

int tl_service_run(struct tl_service *service)
{
    struct tl_error err;

    if (write_ready_file(service, &err) != TL_OK) {
        tl_service_fail(service, &err);
        return service->exit_status;
    }
    tl_log_info(&service->log, "service.started", TL_STR("version", TL_VERSION),
                TL_INT("pid", getpid()));
    if (!service->exit_status)                        /* else the program failed before it ran */
        (void)uv_run(&service->loop, UV_RUN_DEFAULT); /* nonzero: handles are left, as always */
    tl_log_info(&service->log, "service.stopped", TL_INT("exit", service->exit_status));
    return service->exit_status;
}

static void close_loop(struct tl_service *service)
{
    if (!service->has_loop)
        return;
    for (size_t i = 0; i < TL_ARRAY_LEN(service->signals); i++)
        uv_close((uv_handle_t *)&service->signals[i], NULL);
    tl_timer_finish(&service->deadline);
    /* Closing handles is all that is left; a handle the program forgot must not hold us here. */
    for (int i = 0; i < 16 && uv_loop_close(&service->loop) == UV_EBUSY; i++)
        (void)uv_run(&service->loop, UV_RUN_NOWAIT);
}

void tl_service_destroy(struct tl_service *service)
{
    if (!service)
        return;
    tl_pace_stop(&service->pace);
    tl_net_destroy(service->net);
    close_loop(service);
    tl_metrics_destroy(service->metrics);
    tl_config_finish(&service->config);
    tl_buf_finish(&service->ports);
    free(service);
}

uv_loop_t *tl_service_loop(struct tl_service *service)
{
    return &service->loop;
}

struct tl_net *tl_service_net(struct tl_service *service)
{
    return service->net;
}

const struct tl_log *tl_service_log(const struct tl_service *service)
{
    return &service->log;
}

struct tl_metrics *tl_service_metrics(struct tl_service *service)
{
    return service->metrics;
}

int64_t tl_service_instance(const struct tl_service *service)
{
    return service->settings.instance_number;
}

bool tl_service_is_draining(const struct tl_service *service)
{
    return service->is_draining;
}
