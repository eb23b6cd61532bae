/* attempts.h: how often a call came back, when its link cannot tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ingest/webhook/attempts.h"

static int set_up(void **state)
{
    *state = tl_attempts_create();
    return 0;
}

static int tear_down(void **state)
{
    tl_attempts_destroy(*state);
    return 0;
}

static void assert_window(struct tl_attempts *a, const char *call, int64_t now_s, int64_t start_s,
                          int n)
{
    int64_t got_start_s;
    int got_n;
    tl_attempts_window(a, call, now_s, &got_start_s, &got_n);
    assert_true(got_start_s == start_s);
    assert_int_equal(got_n, n);
}

static void window_of_an_unknown_call_begins_now(void **state)
{
    assert_window(*state, "CA1", 1000, 1000, 0);
}

static void window_lasts_a_minute(void **state)
{
    struct tl_attempts *a = *state;
    tl_attempts_put(a, "CA1", 1000, 1);
    tl_attempts_put(a, "CA2", 1010, 7);
    tl_attempts_put(a, "CA1", 1000, 2);
    assert_window(a, "CA1", 1059, 1000, 2);
    assert_window(a, "CA2", 1059, 1010, 7);
    assert_window(a, "CA1", 1060, 1060, 0);
}

static void the_call_that_came_back_longest_ago_falls_out(void **state)
{
    struct tl_attempts *a = *state;
    char call[16];
    for (int i = 0; i < TL_ATTEMPTS_CALLS_MAX; i++) {
        (void)snprintf(call, sizeof(call), "CA%d", i);
        tl_attempts_put(a, call, 1000, 3);
    }
    tl_attempts_put(a, "CA0", 1000, 4); /* used again */
    tl_attempts_put(a, "CAnew", 1000, 1);
    assert_window(a, "CA0", 1001, 1000, 4);
    assert_window(a, "CA1", 1001, 1001, 0);
    assert_window(a, "CA2", 1001, 1000, 3);
    assert_window(a, "CAnew", 1001, 1000, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(window_of_an_unknown_call_begins_now),
        TEST(window_lasts_a_minute),
        TEST(the_call_that_came_back_longest_ago_falls_out),
    };
    return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
