/* The store of the feed "records": PostgreSQL. */
#include "sinks/records/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg.h"
#include "net/timer.h"
#include "sinks/records/rows.h"
#include "sinks/records/sql.h"

#define DAY_MS 86400000u

struct tl_records {
    struct tl_sink *sink;
    struct tl_pg *pg;
    struct tl_feed *feed;
    struct tl_feed_store store;
    struct tl_timer daily;
    struct tl_timer late; /* an answer to what could not be asked */
    struct tl_error late_err;
    bool late_positions;
    char topic[TL_KAFKA_TOPIC_MAX + 1]; /* whole name */
    int32_t *asked;                     /* partitions whose positions are asked for */
    size_t asked_n;
};

/* ---- positions ---- */

static void on_positions(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                         const struct tl_error *err)
{
    struct tl_records *records = arg;
    int64_t *next = calloc(records->asked_n + 1, sizeof(*next));

    if (!next)
        abort();
    for (size_t i = 0; i < records->asked_n; i++)
        next[i] = -1;
    for (int row = 0; status == TL_OK && row < PQntuples(answer->results[1]); row++) {
        long partition = strtol(PQgetvalue(answer->results[1], row, 0), NULL, 10);

        for (size_t i = 0; i < records->asked_n; i++)
            if (records->asked[i] == partition)
                next[i] = strtoll(PQgetvalue(answer->results[1], row, 1), NULL, 10);
    }
    tl_feed_answer_positions(records->feed, status, next, err);
    free(next);
}

/* A question that could not be asked is answered all the same, but not from within. */
static void on_late(void *arg)
{
    struct tl_records *records = arg;

    if (records->late_positions)
        tl_feed_answer_positions(records->feed, records->late_err.status, NULL, &records->late_err);
    else
        tl_feed_answer(records->feed, records->late_err.status, &records->late_err);
}

static void answer_late(struct tl_records *records, bool positions, const struct tl_error *err)
{
    records->late_err = *err;
    records->late_positions = positions;
    tl_timer_start(&records->late, records->sink->loop, 0, on_late, records);
}

static void read_positions(void *self, const int32_t *partitions, size_t len)
{
    struct tl_records *records = self;
    struct tl_buf list;
    struct tl_error err;

    free(records->asked);
    records->asked = malloc((len + 1) * sizeof(*partitions));
    if (!records->asked)
        abort();
    memcpy(records->asked, partitions, len * sizeof(*partitions));
    records->asked_n = len;
    tl_buf_init(&list, 1u << 16);
    for (size_t i = 0; i < len; i++)
        tl_buf_printf(&list, "%c%" PRId32, i ? ',' : '{', partitions[i]);
    tl_buf_add_char(&list, '}');
    const char *const params[] = {records->sink->cluster, records->topic, tl_buf_str(&list)};
    const struct tl_pg_statement statements[] = {
        {tl_sql_insert_positions, params, 3, -1},
        {tl_sql_select_positions, params, 3, (int64_t)len}};
    if (tl_pg_run(records->pg, statements, 2, on_positions, records, &err) != TL_OK)
        answer_late(records, true, &err);
    tl_buf_finish(&list);
}

/* ---- calls ---- */

static void on_calls(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                     const struct tl_error *err)
{
    struct tl_records *records = arg;

    for (int row = 0; status == TL_OK && row < PQntuples(answer->results[0]); row++) {
        PGresult *res = answer->results[0];
        const char *id = PQgetvalue(res, row, 0);

        if (*PQgetvalue(res, row, 1) == 't') {
            tl_feed_put_closed(records->feed, id);
        } else if (!PQgetisnull(res, row, 2)) {
            json_t *fold = json_loads(PQgetvalue(res, row, 2), 0, NULL);

            tl_feed_put_call(records->feed, id, fold);
            json_decref(fold);
        }
    }
    tl_feed_answer(records->feed, status, err);
}

static void load(void *self, const char *const *call_ids, size_t len)
{
    struct tl_records *records = self;
    struct tl_buf list;
    struct tl_error err;

    tl_buf_init(&list, len * (TL_UUID_TEXT_LEN + 1) + 3);
    for (size_t i = 0; i < len; i++)
        tl_buf_printf(&list, "%c%s", i ? ',' : '{', call_ids[i]);
    tl_buf_add_char(&list, '}');
    const char *const params[] = {tl_buf_str(&list)};
    const struct tl_pg_statement statement = {tl_sql_select_calls, params, 1, -1};
    if (tl_pg_run(records->pg, &statement, 1, on_calls, records, &err) != TL_OK)
        answer_late(records, false, &err);
    tl_buf_finish(&list);
}

/* ---- batches ---- */

static void on_written(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                       const struct tl_error *err)
{
    struct tl_records *records = arg;

    (void)answer;
    tl_feed_answer(records->feed, status, err);
}

static json_t *moves_to_json(const struct tl_feed_batch *batch)
{
    json_t *moves = json_array();

    for (size_t i = 0; i < batch->moves_n; i++)
        json_array_append_new(moves,
                              json_pack("{s:i, s:I, s:I}", "partition", batch->moves[i].partition,
                                        "expected", (json_int_t)batch->moves[i].expected, "next",
                                        (json_int_t)batch->moves[i].next));
    return moves;
}

/* The position first: a second writer waits there, and then finds it moved. */
static void write_batch(void *self, const struct tl_feed_batch *batch)
{
    struct tl_records *records = self;
    struct tl_pg_statement statements[4];
    struct tl_error err;
    struct tl_rows rows;
    json_t *moves = moves_to_json(batch);
    char *text[4] = {json_dumps(moves, JSON_COMPACT)};
    size_t n = 1;

    tl_rows_make(batch, &rows);
    const char *const position[] = {records->sink->cluster, records->topic, text[0]};
    statements[0] =
        (struct tl_pg_statement){tl_sql_move_positions, position, 3, (int64_t)batch->moves_n};
    const struct {
        json_t *rows;
        const char *sql;
    } tables[] = {{rows.calls, tl_sql_upsert_calls},
                  {rows.interactions, tl_sql_insert_interactions},
                  {rows.usage, tl_sql_insert_usage}};
    for (size_t i = 0; i < TL_ARRAY_LEN(tables); i++) {
        if (json_array_size(tables[i].rows) == 0)
            continue;
        text[n] = json_dumps(tables[i].rows, JSON_COMPACT);
        statements[n] =
            (struct tl_pg_statement){tables[i].sql, (const char *const *)&text[n], 1, -1};
        n++;
    }
    if (tl_pg_run(records->pg, statements, n, on_written, records, &err) != TL_OK)
        answer_late(records, false, &err);
    for (size_t i = 0; i < n; i++)
        free(text[i]);
    json_decref(moves);
    tl_rows_finish(&rows);
}

/* ---- partitions of the history, ahead of time ---- */

static void on_partitions(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                          const struct tl_error *err)
{
    struct tl_records *records = arg;

    (void)answer;
    if (status != TL_OK)
        tl_log_warn(records->sink->log, "records.partitions_not_made", TL_STR("error", err->msg));
}

static void make_partitions(void *arg)
{
    static const struct tl_pg_statement make = {
        .sql = "SELECT create_history_partitions((now() AT TIME ZONE 'UTC')::date, 3)",
        .expect_rows = -1};
    struct tl_records *records = arg;
    struct tl_error err;

    /* Refused: not connected; on_up comes back. */
    (void)!tl_pg_run(records->pg, &make, 1, on_partitions, records, &err);
}

/* ---- life ---- */

static bool is_up(void *self, char *reason, size_t size)
{
    const struct tl_records *records = self;
    return tl_pg_is_up(records->pg, reason, size);
}

bool tl_records_is_ready(const struct tl_records *records, char *reason, size_t size)
{
    if (!records->feed) {
        (void)snprintf(reason, size, "records: Kafka is not ready");
        return false;
    }
    return tl_pg_is_up(records->pg, reason, size) && tl_feed_is_ready(records->feed, reason, size);
}

enum tl_status tl_records_create(struct tl_sink *sink, struct tl_records **ret_records,
                                 struct tl_error *err)
{
    struct tl_records *records = calloc(1, sizeof(*records));

    if (!records)
        abort();
    records->sink = sink;
    records->store = (struct tl_feed_store){.name = "records",
                                            .puts_aside = true,
                                            .is_up = is_up,
                                            .read_positions = read_positions,
                                            .load = load,
                                            .write = write_batch,
                                            .self = records};
    (void)snprintf(records->topic, sizeof(records->topic), "%scalls.v1", sink->kafka.topic_prefix);
    const struct tl_pg_options options = {.loop = sink->loop,
                                          .log = sink->log,
                                          .url = sink->postgres.url,
                                          .name = sink->name,
                                          .on_up = make_partitions,
                                          .arg = records};
    enum tl_status st = tl_pg_create(&options, &records->pg, err);
    if (st != TL_OK) {
        tl_records_destroy(records);
        return st;
    }
    tl_timer_repeat(&records->daily, sink->loop, DAY_MS, make_partitions, records);
    *ret_records = records;
    return TL_OK;
}

static void on_fatal(void *arg, const struct tl_error *err)
{
    struct tl_records *records = arg;
    records->sink->fail(records->sink, err);
}

enum tl_status tl_records_start(struct tl_records *records, struct tl_error *err)
{
    struct tl_sink *sink = records->sink;
    const struct tl_feed_options options = {.fleet = sink->fleet,
                                            .loop = sink->loop,
                                            .log = sink->log,
                                            .metrics = &sink->feed_metrics,
                                            .store = &records->store,
                                            .instance = sink->number,
                                            .batch_records = sink->settings.records_batch_records,
                                            .batch_ms = sink->settings.records_batch_ms,
                                            .on_fatal = on_fatal,
                                            .arg = records};
    return tl_feed_create(&options, &records->feed, err);
}

void tl_records_stop(struct tl_records *records)
{
    if (records)
        tl_feed_destroy(records->feed);
}

void tl_records_destroy(struct tl_records *records)
{
    if (!records)
        return;
    tl_timer_finish(&records->daily);
    tl_pg_destroy(records->pg);
    if (tl_timer_is_running(&records->late)) /* so that the feed has all its answers */
        on_late(records);
    tl_timer_finish(&records->late);
    free(records->asked);
    free(records);
}
