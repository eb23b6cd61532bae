/* What commands share: settings, loop, waiting, requests, tables. See cli.h. */
#include "control/cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

#define ANSWER_BYTES_MAX (8 * 1024 * 1024)
#define FETCH_WAIT_MS 20

static void on_interrupt(uv_signal_t *handle, int signum)
{
    struct tl_cli *cli = handle->data;

    (void)signum;
    cli->is_interrupted = true;
    uv_stop(&cli->loop);
}

static void on_deadline(uv_timer_t *handle)
{
    struct tl_cli *cli = handle->data;

    cli->is_late = true;
    uv_stop(&cli->loop);
}

/* A timer's callback may have brought what is waited for: without this the loop would sleep until
 * something else comes. */
static void on_before_poll(uv_prepare_t *handle)
{
    const struct tl_cli *cli = handle->data;

    if (cli->awaited && *cli->awaited)
        uv_stop(handle->loop);
}

static enum tl_status open_loop(struct tl_cli *cli, struct tl_error *err)
{
    static const int signals[] = {SIGINT, SIGTERM};
    int failed = uv_loop_init(&cli->loop);

    if (failed)
        return tl_fail(err, TL_FATAL, "event loop: %s", uv_strerror(failed));
    cli->loop.data = cli;                            /* says that it is open */
    (void)uv_timer_init(&cli->loop, &cli->deadline); /* cannot fail */
    cli->deadline.data = cli;
    (void)uv_prepare_init(&cli->loop, &cli->before_poll); /* as above, and start too */
    cli->before_poll.data = cli;
    (void)uv_prepare_start(&cli->before_poll, on_before_poll);
    for (size_t i = 0; i < TL_ARRAY_LEN(signals); i++) {
        (void)uv_signal_init(&cli->loop, &cli->interrupt[i]); /* fails as start below does */
        cli->interrupt[i].data = cli;
        if (uv_signal_start(&cli->interrupt[i], on_interrupt, signals[i]) != 0)
            return tl_fail(err, TL_FATAL, "signals cannot be handled");
    }
    return TL_OK;
}

enum tl_status tl_cli_open(struct tl_cli *cli, const char *config_file, struct tl_error *err)
{
    const struct tl_config_part parts[] = {{tl_cli_settings, &cli->settings},
                                           {tl_kafka_settings, &cli->kafka_settings},
                                           {tl_registry_settings, &cli->registry_settings},
                                           {0}};
    const char *variable = getenv("TRUNKLINE_CONFIG");
    struct tl_config_source source = {.file = config_file};

    cli->log = (struct tl_log){.fd = STDERR_FILENO, .level = TL_LOG_WARN, .process = "trunkline"};
    if (!source.file)
        source.file = variable && *variable ? variable : TL_CONFIG_FILE;
    enum tl_status st = tl_config_load(&cli->config, parts, tl_all_settings, &source, err);
    /* The end of a topic shows when an empty fetch comes back: a person waits for it. */
    if (cli->kafka_settings.fetch_wait_max_ms > FETCH_WAIT_MS)
        cli->kafka_settings.fetch_wait_max_ms = FETCH_WAIT_MS;
    return st == TL_OK ? open_loop(cli, err) : st;
}

static void close_loop(struct tl_cli *cli)
{
    uv_close((uv_handle_t *)&cli->deadline, NULL);
    uv_close((uv_handle_t *)&cli->before_poll, NULL);
    for (size_t i = 0; i < TL_ARRAY_LEN(cli->interrupt); i++)
        uv_close((uv_handle_t *)&cli->interrupt[i], NULL);
    (void)uv_run(&cli->loop, UV_RUN_DEFAULT); /* until every handle is closed */
    (void)uv_loop_close(&cli->loop);          /* the process ends anyway */
}

void tl_cli_close(struct tl_cli *cli)
{
    tl_kafka_destroy(cli->kafka);
    tl_net_destroy(cli->net);
    if (cli->loop.data)
        close_loop(cli);
    tl_config_finish(&cli->config);
}

enum tl_status tl_cli_net(struct tl_cli *cli, struct tl_net **ret_net, struct tl_error *err)
{
    struct tl_net_options options = {.loop = &cli->loop, .log = &cli->log};

    enum tl_status st = cli->net ? TL_OK : tl_net_create(&options, &cli->net, err);
    if (st == TL_OK)
        *ret_net = cli->net;
    return st;
}

enum tl_status tl_cli_kafka(struct tl_cli *cli, struct tl_kafka **ret_kafka, struct tl_error *err)
{
    struct tl_kafka_options options = {.loop = &cli->loop,
                                       .log = &cli->log,
                                       .settings = &cli->kafka_settings,
                                       .client_id = "trunkline"};

    enum tl_status st = cli->kafka ? TL_OK : tl_kafka_create(&options, &cli->kafka, err);
    if (st == TL_OK)
        *ret_kafka = cli->kafka;
    return st;
}

static void count_topic(void *arg, const struct tl_topic_info *info)
{
    (void)arg;
    (void)info;
}

/* Asks for something at once: librdkafka makes a handle although nobody is there, and its later
 * errors do not say where it looked. */
enum tl_status tl_cli_admin(struct tl_cli *cli, struct tl_admin **ret_admin, struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;

    enum tl_status st =
        tl_admin_create(&cli->kafka_settings, "trunkline", cli->settings.timeout_ms, &admin, err);
    if (st == TL_OK)
        st = tl_admin_topics_each(admin, count_topic, NULL, err);
    if (st == TL_RETRY)
        return tl_fail_prefix(err, "brokers %s", cli->kafka_settings.brokers);
    if (st == TL_OK)
        *ret_admin = TL_TAKE(admin);
    return st;
}

enum tl_status tl_cli_wait(struct tl_cli *cli, const bool *done, int64_t deadline_ms,
                           const char *what, struct tl_error *err)
{
    cli->is_late = false;
    cli->awaited = done;
    uv_update_time(&cli->loop);
    if (deadline_ms > 0)
        (void)uv_timer_start(&cli->deadline, on_deadline, (uint64_t)deadline_ms,
                             0); /* not closing */
    while (!*done && !cli->is_late && !cli->is_interrupted)
        (void)uv_run(&cli->loop, UV_RUN_ONCE); /* what is left to do shows in *done */
    (void)uv_timer_stop(&cli->deadline);
    cli->awaited = NULL;
    if (*done)
        return TL_OK;
    if (cli->is_interrupted)
        return tl_fail(err, TL_DENIED, "interrupted");
    return tl_fail(err, TL_RETRY, "%s: no answer within %lld s", what,
                   (long long)(deadline_ms / 1000));
}

/* A request that is waited for. */
struct exchange {
    bool done;
    int status;
    char error[256];
    struct tl_buf *answer;
};

static void on_answer(void *arg, const struct tl_http_answer *answer)
{
    struct exchange *x = arg;

    x->done = true;
    x->status = answer->status;
    (void)snprintf(x->error, sizeof(x->error), "%s", answer->error ? answer->error : "");
    tl_buf_add(x->answer, answer->body.data, answer->body.len);
}

enum tl_status tl_cli_http(struct tl_cli *cli, const char *method, const char *url,
                           const char *body, int *ret_http_status, struct tl_buf *answer,
                           struct tl_error *err)
{
    static const char type[] = "application/vnd.schemaregistry.v1+json, application/json";
    const struct tl_http_header headers[] = {{.name = "Accept", .value = type}, {0}};
    struct exchange x = {.answer = answer};
    struct tl_http_call *call = NULL;
    struct tl_net *net;

    tl_buf_reset(answer);
    enum tl_status st = tl_cli_net(cli, &net, err);
    if (st != TL_OK)
        return st;
    struct tl_http_call_options options = {.method = method,
                                           .url = url,
                                           .headers = headers,
                                           .body = body,
                                           .body_len = body ? strlen(body) : 0,
                                           .content_type = body ? "application/json" : NULL,
                                           .timeout_ms = (unsigned)cli->settings.timeout_ms,
                                           .max_body_bytes = ANSWER_BYTES_MAX,
                                           .on_answer = on_answer,
                                           .arg = &x};
    st = tl_http_call_start(net, &options, &call, err);
    if (st == TL_OK)
        st = tl_cli_wait(cli, &x.done, 0, url, err);
    if (st != TL_OK) {
        if (!x.done)
            tl_http_call_cancel(call);
        return st;
    }
    if (x.status == 0)
        return tl_fail(err, TL_RETRY, "%s %s: %s", method, url, x.error);
    *ret_http_status = x.status;
    return TL_OK;
}

void tl_cli_table_row(struct tl_cli_table *table, size_t columns, const char *const *cells)
{
    if (table->rows % 64 == 0) {
        char ***grown = realloc(table->row, (table->rows + 64) * sizeof(*grown));
        if (!grown)
            abort();
        table->row = grown;
    }
    char **row = tl_arena_alloc(&table->arena, columns * sizeof(*row));
    for (size_t i = 0; i < columns; i++)
        row[i] = tl_arena_strdup(&table->arena, cells[i]);
    table->row[table->rows++] = row;
    table->columns = columns;
}

/* Columns on a screen: bytes that begin a character. */
static size_t text_width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void tl_cli_table_print(struct tl_cli_table *table, FILE *out)
{
    size_t width[TL_CLI_COLUMNS_MAX] = {0};

    for (size_t r = 0; r < table->rows; r++)
        for (size_t c = 0; c < table->columns; c++) {
            size_t w = text_width(table->row[r][c]);
            width[c] = w > width[c] ? w : width[c];
        }
    for (size_t r = 0; out && r < table->rows; r++)
        for (size_t c = 0; c < table->columns; c++) {
            const char *cell = table->row[r][c];
            bool last = c + 1 == table->columns;
            (void)fprintf(out, "%s%*s", cell, last ? 0 : (int)(width[c] - text_width(cell)) + 2,
                          "");
            if (last)
                (void)fputc('\n', out); /* a closed pipe shows at the end, in main */
        }
    free(table->row);
    tl_arena_finish(&table->arena);
    *table = (struct tl_cli_table){0};
}
