/* Meaning of failures, URLs, and what happens when nobody listens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/pg.h"
#include "db/redis.h"

static const struct tl_log QUIET = {.fd = -1, .level = TL_LOG_ERROR + 1, .process = "test"};

static void sqlstates_mean_what_becomes_of_the_work(void **state)
{
    (void)state;
    assert_int_equal(tl_pg_classify(NULL), TL_RETRY);
    assert_int_equal(tl_pg_classify("08006"), TL_RETRY);
    assert_int_equal(tl_pg_classify("57P01"), TL_RETRY);
    assert_int_equal(tl_pg_classify("40P01"), TL_RETRY);
    assert_int_equal(tl_pg_classify("53300"), TL_RETRY);
    assert_int_equal(tl_pg_classify("22021"), TL_INVALID);
    assert_int_equal(tl_pg_classify("23505"), TL_CONFLICT);
    assert_int_equal(tl_pg_classify("28P01"), TL_DENIED);
    assert_int_equal(tl_pg_classify("42P01"), TL_FATAL);
    assert_int_equal(tl_pg_classify("42501"), TL_DENIED);
}

static void redis_errors_mean_what_becomes_of_the_work(void **state)
{
    (void)state;
    assert_int_equal(tl_redis_classify("LOADING Redis is loading"), TL_RETRY);
    assert_int_equal(tl_redis_classify("NOSCRIPT No matching script"), TL_RETRY);
    assert_int_equal(tl_redis_classify("CONFLICT partition 1"), TL_CONFLICT);
    assert_int_equal(tl_redis_classify("WRONGPASS no"), TL_DENIED);
    assert_int_equal(tl_redis_classify("ERR syntax"), TL_INVALID);
}

static void redis_urls_are_taken_apart(void **state)
{
    (void)state;
    struct tl_redis_address a;
    struct tl_error err;

    assert_int_equal(tl_redis_parse_url("redis://10.0.0.1", &a, &err), TL_OK);
    assert_string_equal(a.host, "10.0.0.1");
    assert_true(a.port == 6379 && a.database == 0 && !*a.password);
    assert_int_equal(tl_redis_parse_url("redis://me:p%40ss@host:7000/12", &a, &err), TL_OK);
    assert_string_equal(a.user, "me");
    assert_string_equal(a.password, "p@ss");
    assert_true(a.port == 7000 && a.database == 12);
    assert_int_equal(tl_redis_parse_url("redis://:secret@host/0", &a, &err), TL_OK);
    assert_string_equal(a.user, "");
    assert_string_equal(a.password, "secret");
}

static void wrong_redis_urls_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",           "http://host", "redis://", "redis://h/x", "redis://h/1/2", "redis://h:99999",
        "rediss://h", "redis://h/-1"};
    struct tl_redis_address a;
    struct tl_error err;

    for (size_t i = 0; i < TL_ARRAY_LEN(urls); i++)
        assert_int_equal(tl_redis_parse_url(urls[i], &a, &err), TL_INVALID);
}

static void pg_refuses_a_wrong_url(void **state)
{
    (void)state;
    struct tl_pg *pg = NULL;
    struct tl_error err;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    const struct tl_pg_options options = {
        .loop = &loop, .log = &QUIET, .url = "postgres://h/d?nonsense=1", .name = "test"};
    assert_int_equal(tl_pg_create(&options, &pg, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "nonsense"));
    assert_null(pg);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void nobody_there_means_try_again(void **state)
{
    (void)state;
    static const struct tl_pg_statement one = {.sql = "SELECT 1", .expect_rows = 1};
    struct tl_pg *pg = NULL;
    struct tl_redis *redis = NULL;
    struct tl_error err;
    char why[128] = "connecting";
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    const struct tl_pg_options options = {
        .loop = &loop, .log = &QUIET, .url = "postgres://u@127.0.0.1:1/d", .name = "test"};
    const struct tl_redis_options redis_options = {
        .loop = &loop, .log = &QUIET, .url = "redis://127.0.0.1:1"};
    assert_int_equal(tl_pg_create(&options, &pg, &err), TL_OK);
    assert_int_equal(tl_redis_create(&redis_options, &redis, &err), TL_OK);
    while (strstr(why, "connecting")) { /* until the first refusal */
        uv_run(&loop, UV_RUN_ONCE);
        assert_false(tl_pg_is_up(pg, why, sizeof(why)));
    }
    assert_int_equal(tl_pg_run(pg, &one, 1, NULL, NULL, &err), TL_RETRY);
    memcpy(why, "connecting", sizeof("connecting"));
    while (strstr(why, "connecting")) {
        uv_run(&loop, UV_RUN_ONCE);
        assert_false(tl_redis_is_up(redis, why, sizeof(why)));
    }
    const char *const ping[] = {"PING"};
    assert_int_equal(tl_redis_command(redis, ping, 1, NULL, NULL, &err), TL_RETRY);
    tl_pg_destroy(pg);
    tl_redis_destroy(redis);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstates_mean_what_becomes_of_the_work),
        cmocka_unit_test(redis_errors_mean_what_becomes_of_the_work),
        cmocka_unit_test(redis_urls_are_taken_apart),
        cmocka_unit_test(wrong_redis_urls_are_refused),
        cmocka_unit_test(pg_refuses_a_wrong_url),
        cmocka_unit_test(nobody_there_means_try_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
