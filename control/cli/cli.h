#ifndef TL_CLI_CLI_H
#define TL_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "control/cli/args.h"
#include "control/cli/settings.h"
#include "kafka/admin.h"
#include "kafka/client.h"
#include "kafka/registry.h"
#include "net/net.h"

/** The administrator's program while a command runs. A command is a straight line of steps; where
 *  it must wait for the loop it calls tl_cli_wait. What it needs is made when first asked for. */
struct tl_cli {
    struct tl_cli_settings settings;
    struct tl_kafka_settings kafka_settings;
    struct tl_registry_settings registry_settings;
    struct tl_config config;
    struct tl_log log;
    FILE *out;
    uv_loop_t loop;
    uv_signal_t interrupt[2]; /* SIGINT, SIGTERM */
    uv_timer_t deadline;
    uv_prepare_t before_poll;
    const bool *awaited; /* of the tl_cli_wait that runs; else NULL */
    bool is_interrupted;
    bool is_late;
    struct tl_net *net;
    struct tl_kafka *kafka;
};

/** Loads settings and makes the loop. `out` is the caller's. Call tl_cli_close in any case. */
TL_MUST_CHECK enum tl_status tl_cli_open(struct tl_cli *cli, const char *config_file,
                                         struct tl_error *err);
void tl_cli_close(struct tl_cli *cli);

TL_MUST_CHECK enum tl_status tl_cli_net(struct tl_cli *cli, struct tl_net **ret_net,
                                        struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_cli_kafka(struct tl_cli *cli, struct tl_kafka **ret_kafka,
                                          struct tl_error *err);

/** Administration of the brokers' topics; blocks. */
TL_MUST_CHECK enum tl_status tl_cli_admin(struct tl_cli *cli, struct tl_admin **ret_admin,
                                          struct tl_error *err);

/** Runs the loop until *done, or until nothing came for deadline_ms (0: no limit).
 *  TL_RETRY: too late, `what` was waited for. TL_DENIED: interrupted (SIGINT, SIGTERM). */
TL_MUST_CHECK enum tl_status tl_cli_wait(struct tl_cli *cli, const bool *done, int64_t deadline_ms,
                                         const char *what, struct tl_error *err);

/** An HTTP request, waited for. `body` NULL: none; JSON otherwise. The answer's body goes to
 *  `answer` (reset first). TL_RETRY: no answer. Any HTTP status is TL_OK. */
TL_MUST_CHECK enum tl_status tl_cli_http(struct tl_cli *cli, const char *method, const char *url,
                                         const char *body, int *ret_http_status,
                                         struct tl_buf *answer, struct tl_error *err);

/** A line of columns for people; rows are printed with aligned columns at the end. */
#define TL_CLI_COLUMNS_MAX 8
struct tl_cli_table {
    struct tl_arena arena;
    char ***row; /* of columns cells each */
    size_t rows;
    size_t columns;
};
void tl_cli_table_row(struct tl_cli_table *table, size_t columns, const char *const *cells);
void tl_cli_table_print(struct tl_cli_table *table, FILE *out); /* NULL: nothing; and finishes it */

#endif
