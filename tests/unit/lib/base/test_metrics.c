/* metrics.h: the text format (version 0.0.4), labels with their bound, the naming rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"

struct values {
    struct tl_counter calls;
    struct tl_gauge open;
    struct tl_gauge lag;
    struct tl_histogram wait;
    struct tl_histogram size;
    struct tl_metric_vec refused;
    struct tl_metric_vec hop;
    struct tl_metric_vec depth;
};

static const int64_t bounds[] = {500, 1000, 2500000};
static const struct tl_buckets buckets = {bounds, TL_ARRAY_LEN(bounds)};

static const struct tl_metric rows[] = {
    TL_METRIC_ROW(struct values, calls, COUNTER, "trunkline_t_calls_total", "Calls."),
    TL_METRIC_ROW(struct values, open, GAUGE, "trunkline_t_open", "Open \\ now\nhere."),
    TL_METRIC_ROW(struct values, lag, GAUGE, "trunkline_t_lag_seconds", "Lag."),
    TL_METRIC_ROW(struct values, wait, HISTOGRAM, "trunkline_t_wait_seconds", "Wait.",
                  .buckets = &buckets),
    TL_METRIC_ROW(struct values, size, HISTOGRAM, "trunkline_t_size_bytes", "Size.",
                  .buckets = &tl_buckets_bytes),
    TL_METRIC_ROW(struct values, refused, COUNTER, "trunkline_t_refused_total", "Refused.",
                  .labels = "reason,topic", .series_max = 2),
    TL_METRIC_ROW(struct values, hop, HISTOGRAM, "trunkline_t_hop_seconds", "Hop.",
                  .labels = "topic", .buckets = &buckets),
    TL_METRIC_ROW(struct values, depth, GAUGE, "trunkline_t_depth", "Depth.", .labels = "queue"),
    {0},
};

struct fixture {
    struct tl_metrics *metrics;
    struct values v;
    struct tl_buf out;
    int collected;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->metrics = tl_metrics_create();
    tl_metrics_add(f->metrics, rows, &f->v);
    tl_buf_init(&f->out, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tl_metrics_destroy(f->metrics);
    tl_buf_finish(&f->out);
    free(f);
    return 0;
}

static const char *print(struct fixture *f)
{
    tl_buf_reset(&f->out);
    tl_metrics_print(f->metrics, &f->out);
    assert_false(f->out.full);
    return tl_buf_str(&f->out);
}

static void assert_has(struct fixture *f, const char *text)
{
    if (!strstr(print(f), text))
        fail_msg("\"%s\" is not in:\n%s", text, print(f));
}

static void counters_and_gauges_are_printed_with_help_and_type(void **state)
{
    struct fixture *f = *state;

    tl_counter_add(&f->v.calls, 41);
    tl_counter_add(&f->v.calls, 1);
    tl_gauge_set(&f->v.open, 5);
    tl_gauge_add(&f->v.open, -7);
    assert_has(f, "# HELP trunkline_t_calls_total Calls.\n# TYPE trunkline_t_calls_total counter\n"
                  "trunkline_t_calls_total 42\n");
    assert_has(f, "# HELP trunkline_t_open Open \\\\ now\\nhere.\n# TYPE trunkline_t_open gauge\n"
                  "trunkline_t_open -2\n");
}

static void seconds_are_printed_from_microseconds_exactly(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "0"},           {1, "0.000001"},
                 {2500, "0.0025"},   {1000000, "1"},
                 {-1500000, "-1.5"}, {1790000000123456, "1790000000.123456"},
                 {60000000, "60"},   {INT64_MAX, "9223372036854.775807"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char line[128];
        tl_gauge_set(&f->v.lag, cases[i].us);
        (void)snprintf(line, sizeof(line), "\ntrunkline_t_lag_seconds %s\n", cases[i].text);
        assert_has(f, line);
    }
}

static void histograms_are_cumulative_and_bounds_inclusive(void **state)
{
    struct fixture *f = *state;

    tl_histogram_observe(&f->v.wait, 500);
    tl_histogram_observe(&f->v.wait, 501);
    tl_histogram_observe(&f->v.wait, 2500000);
    tl_histogram_observe(&f->v.wait, 2500001);
    tl_histogram_observe(&f->v.wait, 0);
    assert_has(f, "# TYPE trunkline_t_wait_seconds histogram\n"
                  "trunkline_t_wait_seconds_bucket{le=\"0.0005\"} 2\n"
                  "trunkline_t_wait_seconds_bucket{le=\"0.001\"} 3\n"
                  "trunkline_t_wait_seconds_bucket{le=\"2.5\"} 4\n"
                  "trunkline_t_wait_seconds_bucket{le=\"+Inf\"} 5\n"
                  "trunkline_t_wait_seconds_sum 5.001002\n"
                  "trunkline_t_wait_seconds_count 5\n");
    tl_histogram_observe(&f->v.size, 65);
    assert_has(f, "trunkline_t_size_bytes_bucket{le=\"256\"} 1\n");
    assert_has(f, "trunkline_t_size_bytes_sum 65\n");
}

static void labels_make_series_and_escape_values(void **state)
{
    struct fixture *f = *state;
    struct tl_counter *c = tl_counter_of(&f->v.refused, "full", "a\"b\\c\nd");

    tl_counter_add(c, 3);
    assert_ptr_equal(tl_counter_of(&f->v.refused, "full", "a\"b\\c\nd"), c);
    assert_has(f, "trunkline_t_refused_total{reason=\"full\",topic=\"a\\\"b\\\\c\\nd\"} 3\n");
    tl_histogram_observe(tl_histogram_of(&f->v.hop, "calls"), 700);
    assert_has(f, "trunkline_t_hop_seconds_bucket{topic=\"calls\",le=\"0.001\"} 1\n");
    assert_has(f, "trunkline_t_hop_seconds_sum{topic=\"calls\"} 0.0007\n");
    tl_gauge_set(tl_gauge_of(&f->v.depth, "in"), 9);
    assert_has(f, "trunkline_t_depth{queue=\"in\"} 9\n");
}

static void series_are_bounded_and_the_rest_is_other(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1000; i++) {
        char reason[16];
        (void)snprintf(reason, sizeof(reason), "r%d", i);
        tl_counter_add(tl_counter_of(&f->v.refused, reason, "t"), 1);
    }
    assert_has(f, "{reason=\"r1\",topic=\"t\"} 1\n");
    assert_has(f, "{reason=\"other\",topic=\"other\"} 998\n");
    assert_null(strstr(print(f), "r2\""));
}

static void long_label_values_are_cut_to_one_series(void **state)
{
    struct fixture *f = *state;
    char longer[300];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    assert_ptr_equal(tl_gauge_of(&f->v.depth, longer), tl_gauge_of(&f->v.depth, longer));
    assert_int_equal(f->v.depth.len, 1);
}

static void collect(void *arg)
{
    struct fixture *f = arg;

    tl_gauge_set(&f->v.open, ++f->collected);
}

static void collectors_run_before_each_print(void **state)
{
    struct fixture *f = *state;

    tl_metrics_on_collect(f->metrics, collect, f);
    assert_has(f, "\ntrunkline_t_open 1\n");
    assert_has(f, "\ntrunkline_t_open 2\n");
}

static double value_of(struct fixture *f, const char *name)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(print(f), line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void the_process_tells_about_itself(void **state)
{
    struct fixture *f = *state;
    FILE *more = fopen("/dev/null", "re");
    double fds = value_of(f, "process_open_fds");

    assert_true(value_of(f, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(f, "process_cpu_seconds_total") > 0);
    assert_true(value_of(f, "process_start_time_seconds") > 1.6e9);
    assert_non_null(more);
    assert_int_equal(fclose(more), 0);
    assert_true(value_of(f, "process_open_fds") == fds - 1);
}

static void rows_that_break_the_naming_rules_are_named(void **state)
{
    static const struct tl_metric wrong[] = {
        {.name = "calls_total", .type = TL_METRIC_COUNTER, .help = "x"},
        {.name = "trunkline_Calls_total", .type = TL_METRIC_COUNTER, .help = "x"},
        {.name = "trunkline_calls", .type = TL_METRIC_COUNTER, .help = "x"},
        {.name = "trunkline_calls_total", .type = TL_METRIC_GAUGE, .help = "x"},
        {.name = "trunkline_wait_ms", .type = TL_METRIC_GAUGE, .help = "x"},
        {.name = "trunkline_size_kb", .type = TL_METRIC_GAUGE, .help = "x"},
        {.name = "trunkline_open", .type = TL_METRIC_GAUGE},
        {.name = "trunkline_wait_seconds", .type = TL_METRIC_HISTOGRAM, .help = "x"},
        {.name = "trunkline_open", .type = TL_METRIC_GAUGE, .help = "x", .buckets = &buckets},
        {.name = "trunkline_open", .type = TL_METRIC_GAUGE, .help = "x", .labels = "a,b,c,d,e"},
        {.name = "trunkline_open", .type = TL_METRIC_GAUGE, .help = "x", .labels = "a b"},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++)
        if (!tl_metric_row_problem(&wrong[i]))
            fail_msg("row %zu was taken", i);
    for (const struct tl_metric *row = rows; row->name; row++)
        assert_null(tl_metric_row_problem(row));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_and_gauges_are_printed_with_help_and_type),
        TEST(seconds_are_printed_from_microseconds_exactly),
        TEST(histograms_are_cumulative_and_bounds_inclusive),
        TEST(labels_make_series_and_escape_values),
        TEST(series_are_bounded_and_the_rest_is_other),
        TEST(long_label_values_are_cut_to_one_series),
        TEST(collectors_run_before_each_print),
        TEST(the_process_tells_about_itself),
        cmocka_unit_test(rows_that_break_the_naming_rules_are_named),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
