/* log.h: a line is one JSON object, whatever stands in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

/* A pipe to read lines back from. */
struct fixture {
    struct tl_log log;
    int from;
    char line[20000];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    if (!f || pipe(fds) != 0)
        return -1;
    f->from = fds[0];
    f->log = (struct tl_log){.fd = fds[1], .level = TL_LOG_INFO, .process = "test-0"};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int failed = close(f->from) | close(f->log.fd);

    free(f);
    return failed;
}

/* The line behind its time, which is checked for shape. */
static const char *read_line(struct fixture *f)
{
    static const char shape[] = "{\"at\":\"dddd-dd-ddTdd:dd:dd.dddZ\",";
    ssize_t n = read(f->from, f->line, sizeof(f->line) - 1);

    assert_true(n > (ssize_t)sizeof(shape));
    f->line[n] = 0;
    for (size_t i = 0; shape[i]; i++)
        assert_true(shape[i] == 'd' ? f->line[i] >= '0' && f->line[i] <= '9'
                                    : f->line[i] == shape[i]);
    return f->line + sizeof(shape) - 1;
}

static void a_line_has_event_process_and_fields_of_each_kind(void **state)
{
    struct fixture *f = *state;

    tl_log_warn(&f->log, "call.refused", TL_STR("call_id", "c1"), TL_INT("n", -5),
                TL_NUM("r", 0.25), TL_BOOL("last", true), TL_STR("none", NULL), TL_NUM("nan", NAN));
    assert_string_equal(read_line(f),
                        "\"level\":\"warn\",\"event\":\"call.refused\",\"process\":\"test-0\","
                        "\"call_id\":\"c1\",\"n\":-5,\"r\":0.25,\"last\":true,\"none\":null,"
                        "\"nan\":null}\n");
    tl_log_info(&f->log, "bare");
    assert_string_equal(read_line(f),
                        "\"level\":\"info\",\"event\":\"bare\",\"process\":\"test-0\"}\n");
}

static void what_json_forbids_is_escaped(void **state)
{
    struct fixture *f = *state;

    tl_log_error(&f->log, "e", TL_STR("s", "a\"b\\c\nd\x01"));
    assert_non_null(strstr(read_line(f), "\"s\":\"a\\\"b\\\\c\\u000ad\\u0001\"}\n"));
}

static int evaluated;

static const char *costly(void)
{
    evaluated++;
    return "x";
}

static void lines_below_the_level_cost_nothing(void **state)
{
    struct fixture *f = *state;

    tl_log_debug(&f->log, "dropped", TL_STR("s", costly()));
    assert_int_equal(evaluated, 0);
    tl_log_info(&f->log, "kept", TL_STR("s", costly()));
    assert_non_null(strstr(read_line(f), "\"event\":\"kept\""));
    assert_int_equal(evaluated, 1);
}

static void a_line_too_long_is_replaced_and_not_cut(void **state)
{
    struct fixture *f = *state;
    char *longer = calloc(1, 20001);

    memset(longer, 'x', 20000);
    tl_log_info(&f->log, "e", TL_STR("s", longer));
    assert_string_equal(read_line(f), "\"level\":\"info\",\"event\":\"log.line_too_long\"}\n");
    free(longer);
}

static void levels_have_names(void **state)
{
    enum tl_log_level level;
    (void)state;
    assert_true(tl_log_level_parse("warn", &level));
    assert_int_equal(level, TL_LOG_WARN);
    assert_false(tl_log_level_parse("WARN", &level));
    assert_false(tl_log_level_parse("", &level));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_event_process_and_fields_of_each_kind),
        TEST(what_json_forbids_is_escaped),
        TEST(lines_below_the_level_cost_nothing),
        TEST(a_line_too_long_is_replaced_and_not_cut),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
