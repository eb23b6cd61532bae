/* PostgreSQL on the loop: libpq's pipeline mode, one transaction at a time. */
#include "db/pg.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "net/timer.h"

#define CONNECT_TIMEOUT_MS 10000
#define JOB_TIMEOUT_MS 30000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000

enum state {
    AWAY,       /* the timer will connect */
    CONNECTING, /* PQconnectPoll */
    UP,
};

/* How far the present job is.  RUNNING ──all well──▶ COMMITTING ──▶ done
 *                                 └──anything else──▶ UNDOING ─────▶ done, failed */
enum phase { IDLE, RUNNING, COMMITTING, UNDOING };

struct job {
    struct job *next;
    struct tl_arena arena;
    struct tl_pg_statement *statements;
    size_t len;
    tl_pg_done_fn on_done;
    void *arg;
    PGresult *results[TL_PG_STATEMENTS_MAX];
    size_t at; /* statement whose result is read; 0 is BEGIN */
    enum tl_status status;
    struct tl_error err;
};

struct tl_pg {
    struct tl_pg_options o;
    char *url, *name;
    enum state state;
    enum phase phase;
    PGconn *conn;
    uv_poll_t *poll;       /* on the heap: libuv wants it until its close callback */
    struct tl_timer timer; /* backoff, time to connect, time of a job */
    struct job *first, **last;
    size_t jobs_n;
    int64_t backoff_ms;
    uint64_t connects;
    char why[256]; /* not up */
    bool said_why;
};

static void connect_now(void *arg);
static void on_io(uv_poll_t *handle, int status, int events);

/* ---- meaning of failures ---- */

enum tl_status tl_pg_classify(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum tl_status status;
    } table[] = {
        {"08", TL_RETRY},                        /* connection */
        {"53", TL_RETRY},                        /* out of resources */
        {"57014", TL_RETRY},                     /* cancelled: statement_timeout */
        {"57P", TL_RETRY},                       /* shutting down, starting */
        {"40", TL_RETRY},                        /* serialisation, deadlock */
        {"55P03", TL_RETRY},                     /* lock not available */
        {"25006", TL_RETRY},                     /* read only: a standby that becomes the primary */
        {"58", TL_RETRY},                        /* I/O */
        {"22", TL_INVALID},                      /* data */
        {"21", TL_INVALID},  {"54", TL_INVALID}, /* too large for an index and so on */
        {"23", TL_CONFLICT},                     /* constraint */
        {"28", TL_DENIED},   {"42501", TL_DENIED},
    };

    if (!sqlstate || !*sqlstate)
        return TL_RETRY;
    for (size_t i = 0; i < TL_ARRAY_LEN(table); i++)
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].status;
    return TL_FATAL;
}

/* libpq's messages end with a newline and may have several lines. */
static const char *first_line(const char *message, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%.*s", (int)strcspn(message, "\n"), message);
    return buf;
}

/* ---- connection ---- */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_poll(struct tl_pg *pg)
{
    if (!pg->poll)
        return;
    (void)uv_poll_stop(pg->poll);
    uv_close((uv_handle_t *)pg->poll, on_poll_closed);
    pg->poll = NULL;
}

static void start_poll(struct tl_pg *pg, int events)
{
    if (!pg->poll) {
        pg->poll = calloc(1, sizeof(*pg->poll));
        if (!pg->poll || uv_poll_init(pg->o.loop, pg->poll, PQsocket(pg->conn)) != 0)
            abort();
        pg->poll->data = pg;
    }
    (void)uv_poll_start(pg->poll, events, on_io);
}

static void end_job(struct tl_pg *pg, enum tl_status status, const struct tl_error *err)
{
    struct job *job = pg->first;
    const struct tl_pg_answer answer = {.results = job->results, .len = job->len};

    pg->first = job->next;
    if (!pg->first)
        pg->last = &pg->first;
    pg->jobs_n--;
    pg->phase = IDLE;
    job->on_done(job->arg, status, status == TL_OK ? &answer : NULL, err);
    for (size_t i = 0; i < job->len; i++)
        PQclear(job->results[i]);
    tl_arena_finish(&job->arena);
    free(job);
}

static void close_conn(struct tl_pg *pg)
{
    stop_poll(pg);
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->state = AWAY;
    tl_timer_stop(&pg->timer);
}

/* The connection is gone or never came: jobs fail, then again after a while. */
static void fall(struct tl_pg *pg, const char *why)
{
    struct tl_error err;

    (void)first_line(why, pg->why, sizeof(pg->why));
    (void)tl_fail(&err, TL_RETRY, "PostgreSQL: %s", pg->why);
    if (!pg->said_why)
        tl_log_warn(pg->o.log, "postgres.away", TL_STR("error", pg->why));
    pg->said_why = true;
    close_conn(pg);
    for (size_t n = pg->jobs_n; n > 0; n--) /* those that come meanwhile are refused */
        end_job(pg, TL_RETRY, &err);
    tl_timer_start(&pg->timer, pg->o.loop, (uint64_t)pg->backoff_ms, connect_now, pg);
    pg->backoff_ms = pg->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : pg->backoff_ms * 2;
}

static void on_timeout(void *arg)
{
    struct tl_pg *pg = arg;
    fall(pg, pg->state == CONNECTING ? "no connection in time" : "no answer in time");
}

static void on_connected(struct tl_pg *pg)
{
    tl_timer_stop(&pg->timer);
    if (PQsetnonblocking(pg->conn, 1) != 0 || PQenterPipelineMode(pg->conn) != 1) {
        fall(pg, PQerrorMessage(pg->conn));
        return;
    }
    pg->state = UP;
    pg->backoff_ms = BACKOFF_MIN_MS;
    pg->connects++;
    if (pg->said_why)
        tl_log_info(pg->o.log, "postgres.back");
    pg->said_why = false;
    start_poll(pg, UV_READABLE);
    if (pg->o.on_up)
        pg->o.on_up(pg->o.arg);
}

static void advance_connect(struct tl_pg *pg)
{
    stop_poll(pg); /* libpq may go on with another socket */
    switch (PQconnectPoll(pg->conn)) {
    case PGRES_POLLING_OK:
        on_connected(pg);
        break;
    case PGRES_POLLING_READING:
        start_poll(pg, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        start_poll(pg, UV_WRITABLE);
        break;
    default:
        fall(pg, PQerrorMessage(pg->conn));
    }
}

static void connect_now(void *arg)
{
    struct tl_pg *pg = arg;
    const char *const names[] = {"dbname",          "application_name", "tcp_user_timeout",
                                 "keepalives_idle", "client_encoding",  NULL};
    const char *const values[] = {pg->url, pg->name, "10000", "10", "UTF8", NULL};

    pg->conn = PQconnectStartParams(names, values, 1);
    if (!pg->conn)
        abort();
    pg->state = CONNECTING;
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        fall(pg, PQerrorMessage(pg->conn));
        return;
    }
    tl_timer_start(&pg->timer, pg->o.loop, CONNECT_TIMEOUT_MS, on_timeout, pg);
    start_poll(pg, UV_WRITABLE); /* PQconnectStart says: as if it had returned WRITING */
}

/* ---- jobs ---- */

static bool flush(struct tl_pg *pg)
{
    int left = PQflush(pg->conn);

    if (left < 0) {
        fall(pg, PQerrorMessage(pg->conn));
        return false;
    }
    start_poll(pg, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return true;
}

static bool send_sql(struct tl_pg *pg, const struct tl_pg_statement *s)
{
    return PQsendQueryParams(pg->conn, s->sql, s->params_n, NULL, s->params, NULL, NULL, 0) == 1;
}

/* COMMIT or ROLLBACK. */
static void send_end(struct tl_pg *pg, enum phase phase)
{
    const struct tl_pg_statement end = {.sql = phase == COMMITTING ? "COMMIT" : "ROLLBACK"};

    pg->phase = phase;
    pg->first->at = 0;
    if (!send_sql(pg, &end) || PQpipelineSync(pg->conn) != 1)
        fall(pg, PQerrorMessage(pg->conn));
    else
        (void)flush(pg);
}

static void start_job(struct tl_pg *pg)
{
    static const struct tl_pg_statement begin = {.sql = "BEGIN"};
    struct job *job = pg->first;
    bool sent = send_sql(pg, &begin);

    pg->phase = RUNNING;
    for (size_t i = 0; i < job->len && sent; i++)
        sent = send_sql(pg, &job->statements[i]);
    int64_t timeout = pg->o.job_timeout_ms ? pg->o.job_timeout_ms : JOB_TIMEOUT_MS;
    tl_timer_start(&pg->timer, pg->o.loop, (uint64_t)timeout, on_timeout, pg);
    if (!sent || PQpipelineSync(pg->conn) != 1)
        fall(pg, PQerrorMessage(pg->conn));
    else
        (void)flush(pg);
}

static void refuse(struct job *job, const PGresult *res)
{
    char line[384];

    if (job->status != TL_OK)
        return; /* the first failure is the one that tells */
    job->status =
        tl_fail(&job->err, tl_pg_classify(PQresultErrorField(res, PG_DIAG_SQLSTATE)),
                "PostgreSQL: %s", first_line(PQresultErrorMessage(res), line, sizeof(line)));
}

static void check_rows(struct job *job, size_t i)
{
    const struct tl_pg_statement *s = &job->statements[i];
    PGresult *res = job->results[i];
    int64_t rows = PQresultStatus(res) == PGRES_TUPLES_OK ? PQntuples(res)
                                                          : strtoll(PQcmdTuples(res), NULL, 10);

    if (s->expect_rows >= 0 && rows != s->expect_rows && job->status == TL_OK)
        job->status = tl_fail(&job->err, TL_CONFLICT, "statement %zu touched %lld rows, not %lld",
                              i + 1, (long long)rows, (long long)s->expect_rows);
}

/* The result of a statement; of BEGIN, COMMIT and ROLLBACK only failures matter. */
static void take_result(struct tl_pg *pg, PGresult *res)
{
    struct job *job = pg->first;
    ExecStatusType kind = PQresultStatus(res);
    bool is_done = kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK;

    if (!is_done && kind != PGRES_PIPELINE_ABORTED)
        refuse(job, res);
    if (pg->phase == RUNNING && job->at > 0 && is_done) {
        job->results[job->at - 1] = res;
        check_rows(job, job->at - 1);
    } else {
        PQclear(res);
    }
    job->at++;
}

/* All results of what was sent are in. */
static void on_sync(struct tl_pg *pg)
{
    struct job *job = pg->first;

    if (pg->phase == RUNNING) {
        send_end(pg, job->status == TL_OK ? COMMITTING : UNDOING);
        return;
    }
    tl_timer_stop(&pg->timer);
    struct tl_error err = job->err;
    end_job(pg, job->status, &err);
    if (pg->first && pg->phase == IDLE && pg->state == UP)
        start_job(pg);
}

static void read_results(struct tl_pg *pg)
{
    int nulls = 0; /* one between two results; two: nothing more is there */

    while (pg->state == UP && pg->phase != IDLE && nulls < 2 && !PQisBusy(pg->conn)) {
        PGresult *res = PQgetResult(pg->conn);

        nulls = res ? 0 : nulls + 1;
        if (!res)
            continue;
        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            on_sync(pg);
        } else {
            take_result(pg, res);
        }
    }
}

static void on_io(uv_poll_t *handle, int status, int events)
{
    struct tl_pg *pg = handle->data;

    if (pg->state == CONNECTING) {
        advance_connect(pg);
        return;
    }
    if (status < 0) {
        fall(pg, uv_strerror(status));
        return;
    }
    if ((events & UV_READABLE) && PQconsumeInput(pg->conn) != 1) {
        fall(pg, PQerrorMessage(pg->conn));
        return;
    }
    if ((events & UV_WRITABLE) && !flush(pg))
        return;
    if (pg->phase == IDLE && pg->first)
        start_job(pg);
    read_results(pg);
    if (pg->state == UP && PQstatus(pg->conn) == CONNECTION_BAD)
        fall(pg, PQerrorMessage(pg->conn));
}

static struct job *make_job(const struct tl_pg_statement *statements, size_t len)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        abort();
    job->len = len;
    job->statements = tl_arena_alloc(&job->arena, len * sizeof(*statements));
    for (size_t i = 0; i < len; i++) {
        const struct tl_pg_statement *s = &statements[i];
        size_t n = s->params_n > 0 ? (size_t)s->params_n : 0;
        const char **params = tl_arena_alloc(&job->arena, (n + 1) * sizeof(*params));

        for (size_t k = 0; k < n; k++)
            params[k] = tl_arena_strdup(&job->arena, s->params[k]);
        job->statements[i] = *s;
        job->statements[i].sql = tl_arena_strdup(&job->arena, s->sql);
        job->statements[i].params = params;
    }
    return job;
}

enum tl_status tl_pg_run(struct tl_pg *pg, const struct tl_pg_statement *statements, size_t len,
                         tl_pg_done_fn on_done, void *arg, struct tl_error *err)
{
    assert(len > 0 && len <= TL_PG_STATEMENTS_MAX);
    if (pg->state != UP)
        return tl_fail(err, TL_RETRY, "PostgreSQL: %s", pg->why);
    if (pg->jobs_n == TL_PG_JOBS_MAX)
        return tl_fail(err, TL_RETRY, "PostgreSQL: %d jobs wait", TL_PG_JOBS_MAX);
    struct job *job = make_job(statements, len);
    job->on_done = on_done;
    job->arg = arg;
    *pg->last = job;
    pg->last = &job->next;
    if (++pg->jobs_n == 1)
        start_poll(pg, UV_READABLE | UV_WRITABLE); /* on_io starts it: no callback from in here */
    return TL_OK;
}

/* ---- life ---- */

bool tl_pg_is_up(const struct tl_pg *pg, char *reason, size_t size)
{
    (void)snprintf(reason, size, "%s%s",
                   pg->state == UP ? "" : "PostgreSQL: ", pg->state == UP ? "" : pg->why);
    return pg->state == UP;
}

uint64_t tl_pg_connects(const struct tl_pg *pg)
{
    return pg->connects;
}

enum tl_status tl_pg_create(const struct tl_pg_options *options, struct tl_pg **ret_pg,
                            struct tl_error *err)
{
    char *problem = NULL;
    PQconninfoOption *parsed = PQconninfoParse(options->url, &problem);

    if (!parsed) {
        (void)tl_fail(err, TL_INVALID, "postgres.url: %s", problem ? problem : "no memory");
        PQfreemem(problem);
        return TL_INVALID;
    }
    PQconninfoFree(parsed);
    struct tl_pg *pg = calloc(1, sizeof(*pg));
    if (!pg)
        abort();
    pg->o = *options;
    pg->url = strdup(options->url);
    pg->name = strdup(options->name);
    pg->last = &pg->first;
    pg->backoff_ms = BACKOFF_MIN_MS;
    (void)snprintf(pg->why, sizeof(pg->why), "connecting");
    tl_timer_start(&pg->timer, options->loop, 0, connect_now, pg);
    *ret_pg = pg;
    return TL_OK;
}

void tl_pg_destroy(struct tl_pg *pg)
{
    struct tl_error err;

    if (!pg)
        return;
    (void)tl_fail(&err, TL_RETRY, "PostgreSQL: closed");
    close_conn(pg);
    while (pg->first)
        end_job(pg, TL_RETRY, &err);
    tl_timer_finish(&pg->timer);
    free(pg->url);
    free(pg->name);
    free(pg);
}
