/* PostgreSQL and Redis as they are: the servers that DATABASE_URL and REDIS_URL name. Skipped
 * without them; the integration tests run this program on theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "db/pg.h"
#include "db/redis.h"

static const struct tl_log QUIET = {.fd = -1, .level = TL_LOG_ERROR + 1, .process = "test"};

struct fixture {
    uv_loop_t loop;
    struct tl_pg *pg;
    struct tl_redis *redis;
    int ups, done;
    enum tl_status status;
    struct tl_error err;
    char text[64]; /* first value of the last result */
    long long rows;
};

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void wait_up(struct fixture *f, int ups)
{
    while (f->ups < ups)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void finish(struct fixture *f)
{
    tl_pg_destroy(f->pg);
    tl_redis_destroy(f->redis);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

/* ---- PostgreSQL ---- */

static void open_pg(struct fixture *f)
{
    const char *url = getenv("DATABASE_URL");

    if (!url)
        skip();
    *f = (struct fixture){0};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct tl_pg_options options = {
        .loop = &f->loop, .log = &QUIET, .url = url, .name = "test_db", .on_up = on_up, .arg = f};
    assert_int_equal(tl_pg_create(&options, &f->pg, &f->err), TL_OK);
    wait_up(f, 1);
}

static void on_done(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                    const struct tl_error *err)
{
    struct fixture *f = arg;

    f->done++;
    f->status = status;
    f->err = *err;
    assert_int_equal(answer != NULL, status == TL_OK);
    if (!answer)
        return;
    const PGresult *last = answer->results[answer->len - 1];
    f->rows = PQntuples(last);
    (void)snprintf(f->text, sizeof(f->text), "%s", PQntuples(last) ? PQgetvalue(last, 0, 0) : "");
}

static enum tl_status run(struct fixture *f, const struct tl_pg_statement *statements, size_t len)
{
    int before = f->done;

    assert_int_equal(tl_pg_run(f->pg, statements, len, on_done, f, &f->err), TL_OK);
    assert_int_equal(f->done, before); /* never from within */
    while (f->done == before)
        uv_run(&f->loop, UV_RUN_ONCE);
    return f->status;
}

static enum tl_status run_sql(struct fixture *f, const char *sql, int64_t rows)
{
    return run(f, &(struct tl_pg_statement){.sql = sql, .expect_rows = rows}, 1);
}

#define MAKE "CREATE TEMP TABLE t (k int PRIMARY KEY, v text)"

static void a_transaction_is_all_or_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_pg(&f);
    assert_int_equal(run_sql(&f, MAKE, -1), TL_OK);
    assert_int_equal(run_sql(&f, "INSERT INTO t VALUES (1, 'a')", 1), TL_OK);
    const struct tl_pg_statement wrong_count[] = {
        {.sql = "INSERT INTO t VALUES (2, 'b')", .expect_rows = 1},
        {.sql = "UPDATE t SET v = 'x' WHERE k = 99", .expect_rows = 1}};
    assert_int_equal(run(&f, wrong_count, 2), TL_CONFLICT);
    const struct tl_pg_statement wrong_data[] = {
        {.sql = "INSERT INTO t VALUES (3, 'c')", .expect_rows = 1},
        {.sql = "SELECT 'x'::int", .expect_rows = -1},
        {.sql = "INSERT INTO t VALUES (4, 'd')", .expect_rows = 1}};
    assert_int_equal(run(&f, wrong_data, 3), TL_INVALID);
    assert_int_equal(run_sql(&f, "INSERT INTO t VALUES (1, 'again')", 1), TL_CONFLICT);
    assert_int_equal(run_sql(&f, "SELECT * FROM no_such_table", -1), TL_FATAL);
    assert_int_equal(run_sql(&f, "SELECT count(*) FROM t", 1), TL_OK);
    assert_string_equal(f.text, "1");
    assert_int_equal(f.ups, 1); /* none of this costs the connection */
    finish(&f);
}

static void parameters_are_data(void **state)
{
    (void)state;
    struct fixture f;
    struct tl_buf big;
    open_pg(&f);
    const char *const nasty[] = {"'; DROP TABLE t; --", NULL};
    const struct tl_pg_statement echo = {"SELECT $1::text, $2::text IS NULL", nasty, 2, 1};
    assert_int_equal(run(&f, &echo, 1), TL_OK);
    assert_string_equal(f.text, nasty[0]);

    tl_buf_init(&big, 8u << 20); /* larger than any socket buffer, both ways */
    memset(tl_buf_reserve(&big, 6u << 20), 'x', 6u << 20);
    big.len = 6u << 20;
    big.data[big.len] = '\0';
    const char *const params[] = {(const char *)big.data};
    const struct tl_pg_statement length[] = {{"SELECT $1::text", params, 1, 1},
                                             {"SELECT length($1)", params, 1, 1}};
    assert_int_equal(run(&f, length, 2), TL_OK);
    assert_string_equal(f.text, "6291456");
    tl_buf_finish(&big);
    finish(&f);
}

static void jobs_run_in_order(void **state)
{
    (void)state;
    struct fixture f;
    open_pg(&f);
    assert_int_equal(run_sql(&f, "CREATE TEMP SEQUENCE s", -1), TL_OK);
    const struct tl_pg_statement next = {.sql = "SELECT nextval('s')", .expect_rows = 1};
    f.done = 0;
    for (int i = 0; i < TL_PG_JOBS_MAX; i++)
        assert_int_equal(tl_pg_run(f.pg, &next, 1, on_done, &f, &f.err), TL_OK);
    assert_int_equal(tl_pg_run(f.pg, &next, 1, on_done, &f, &f.err), TL_RETRY); /* full */
    while (f.done < TL_PG_JOBS_MAX) {
        int before = f.done;
        uv_run(&f.loop, UV_RUN_ONCE);
        if (f.done > before)
            assert_int_equal(strtol(f.text, NULL, 10), f.done);
    }
    finish(&f);
}

static void a_lost_connection_comes_back(void **state)
{
    (void)state;
    struct fixture f;
    open_pg(&f);
    assert_int_equal(run_sql(&f, "SELECT pg_terminate_backend(pg_backend_pid())", -1), TL_RETRY);
    wait_up(&f, 2);
    assert_int_equal(run_sql(&f, "SELECT 7", 1), TL_OK);
    assert_string_equal(f.text, "7");
    assert_int_equal(tl_pg_connects(f.pg), 2);
    finish(&f);
}

static void a_job_that_hangs_costs_the_connection(void **state)
{
    (void)state;
    struct fixture f;
    open_pg(&f);
    tl_pg_destroy(f.pg);
    const struct tl_pg_options options = {.loop = &f.loop,
                                          .log = &QUIET,
                                          .url = getenv("DATABASE_URL"),
                                          .name = "test_db",
                                          .job_timeout_ms = 50,
                                          .on_up = on_up,
                                          .arg = &f};
    assert_int_equal(tl_pg_create(&options, &f.pg, &f.err), TL_OK);
    wait_up(&f, 2);
    assert_int_equal(run_sql(&f, "SELECT pg_sleep(3600)", 1), TL_RETRY);
    wait_up(&f, 3);
    finish(&f);
}

static void destroy_ends_jobs(void **state)
{
    (void)state;
    struct fixture f;
    open_pg(&f);
    const struct tl_pg_statement slow = {.sql = "SELECT pg_sleep(3600)", .expect_rows = 1};
    assert_int_equal(tl_pg_run(f.pg, &slow, 1, on_done, &f, &f.err), TL_OK);
    assert_int_equal(tl_pg_run(f.pg, &slow, 1, on_done, &f, &f.err), TL_OK);
    for (int i = 0; i < 3; i++)
        uv_run(&f.loop, UV_RUN_NOWAIT);
    tl_pg_destroy(f.pg);
    f.pg = NULL;
    assert_int_equal(f.done, 2);
    assert_int_equal(f.status, TL_RETRY);
    finish(&f);
}

/* ---- Redis ---- */

static const char *const SCRIPTS[] = {"return ARGV[1]",
                                      "return redis.error_reply('CONFLICT it is elsewhere')", NULL};

static void open_redis(struct fixture *f)
{
    const char *url = getenv("REDIS_URL");

    if (!url)
        skip();
    *f = (struct fixture){0};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct tl_redis_options options = {
        .loop = &f->loop, .log = &QUIET, .url = url, .scripts = SCRIPTS, .on_up = on_up, .arg = f};
    assert_int_equal(tl_redis_create(&options, &f->redis, &f->err), TL_OK);
    wait_up(f, 1);
}

static void on_reply(void *arg, enum tl_status status, const redisReply *reply,
                     const struct tl_error *err)
{
    struct fixture *f = arg;

    f->done++;
    f->status = status;
    f->err = *err;
    assert_int_equal(reply != NULL, status == TL_OK);
    if (reply && reply->str)
        (void)snprintf(f->text, sizeof(f->text), "%s", reply->str);
}

static enum tl_status await_reply(struct fixture *f)
{
    int before = f->done;

    while (f->done == before)
        uv_run(&f->loop, UV_RUN_ONCE);
    return f->status;
}

static enum tl_status command(struct fixture *f, const char *const *argv, size_t argc)
{
    assert_int_equal(tl_redis_command(f->redis, argv, argc, on_reply, f, &f->err), TL_OK);
    return await_reply(f);
}

static enum tl_status eval(struct fixture *f, size_t script)
{
    const char *const argv[] = {"hello"};

    assert_int_equal(tl_redis_eval(f->redis, script, argv, 1, 0, on_reply, f, &f->err), TL_OK);
    return await_reply(f);
}

static void scripts_run_by_their_sha(void **state)
{
    (void)state;
    struct fixture f;
    open_redis(&f);
    assert_int_equal(eval(&f, 0), TL_OK);
    assert_string_equal(f.text, "hello");
    assert_int_equal(eval(&f, 1), TL_CONFLICT);
    assert_non_null(strstr(f.err.msg, "elsewhere"));
    finish(&f);
}

static void flushed_scripts_are_loaded_again(void **state)
{
    (void)state;
    static const char *const flush[] = {"SCRIPT", "FLUSH"};
    struct fixture f;
    open_redis(&f);
    assert_int_equal(command(&f, flush, 2), TL_OK);
    assert_int_equal(eval(&f, 0), TL_RETRY);
    wait_up(&f, 2);
    assert_int_equal(eval(&f, 0), TL_OK);
    finish(&f);
}

static void a_lost_redis_comes_back(void **state)
{
    (void)state;
    static const char *const quit[] = {"QUIT"}, *const ping[] = {"PING"};
    struct fixture f;
    open_redis(&f);
    assert_int_equal(tl_redis_command(f.redis, quit, 1, on_reply, &f, &f.err), TL_OK);
    assert_int_equal(tl_redis_command(f.redis, ping, 1, on_reply, &f, &f.err), TL_OK);
    assert_int_equal(await_reply(&f), TL_OK);
    if (f.done < 2)
        assert_int_equal(await_reply(&f), TL_RETRY); /* behind QUIT nothing is answered */
    wait_up(&f, 2);
    assert_int_equal(command(&f, ping, 1), TL_OK);
    assert_string_equal(f.text, "PONG");
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_is_all_or_nothing),
        cmocka_unit_test(parameters_are_data),
        cmocka_unit_test(jobs_run_in_order),
        cmocka_unit_test(a_lost_connection_comes_back),
        cmocka_unit_test(a_job_that_hangs_costs_the_connection),
        cmocka_unit_test(destroy_ends_jobs),
        cmocka_unit_test(scripts_run_by_their_sha),
        cmocka_unit_test(flushed_scripts_are_loaded_again),
        cmocka_unit_test(a_lost_redis_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
