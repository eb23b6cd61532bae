#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "kafka/scan.h"
#include "kafka_fixture.h"

struct got {
    struct tl_scan *scan;
    int records;
    int64_t first, last;
    bool in_order;
    int done;
    enum tl_status status;
    int cancel_after;
    struct tl_scanner *scanner; /* destroyed in on_done */
};

static void on_record(void *arg, const struct tl_record *record)
{
    struct got *got = arg;

    if (got->records == 0) {
        got->first = record->offset;
        got->in_order = true;
    } else if (record->offset != got->last + 1) {
        got->in_order = false;
    }
    got->last = record->offset;
    got->records++;
    assert_int_equal(got->done, 0);
    if (got->records == got->cancel_after)
        tl_scan_cancel(got->scan);
}

static void on_done(void *arg, enum tl_status status, const struct tl_error *err)
{
    struct got *got = arg;

    (void)err;
    got->done++;
    got->status = status;
    if (got->scanner)
        tl_scanner_destroy(got->scanner);
}

static void scan(struct tl_scanner *scanner, struct got *got, int32_t partition, int64_t from,
                 int64_t until, int64_t deadline_ms)
{
    const struct tl_scan_options options = {
        .topic = CALLS,
        .partition = partition,
        .from_offset = from,
        .until_offset = until,
        .deadline_ms = deadline_ms,
        .on_record = on_record,
        .on_done = on_done,
        .arg = got,
    };
    struct tl_error err;

    if (tl_scan_start(scanner, &options, &got->scan, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static struct tl_scanner *open_scanner(struct fixture *f)
{
    struct tl_scanner *scanner;
    struct tl_error err;

    if (tl_scanner_create(f->kafka, &scanner, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return scanner;
}

static bool is_done(void *arg)
{
    return ((struct got *)arg)->done > 0;
}

static void expect(const struct got *got, int64_t first, int records)
{
    assert_int_equal(got->done, 1);
    assert_int_equal(got->status, TL_OK);
    assert_int_equal(got->records, records);
    if (records) {
        assert_int_equal(got->first, first);
        assert_true(got->in_order);
    }
}

static void gives_the_range_and_ends(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got got = {0};

    fixture_fill(f, CALLS, 0, 100);
    scan(scanner, &got, 0, 20, 60, 0);
    assert_int_equal(got.done, 0); /* never from within */
    fixture_wait(f, is_done, &got);
    expect(&got, 20, 40);
    tl_scanner_destroy(scanner);
}

static void empty_range_is_done_without_reading(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got got = {0};

    scan(scanner, &got, 0, 5, 5, 0);
    assert_int_equal(got.done, 0);
    fixture_wait(f, is_done, &got);
    expect(&got, 0, 0);
    tl_scanner_destroy(scanner);
}

static void end_of_the_log_ends_a_scan(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got all = {0}, at_end = {0};

    fixture_fill(f, CALLS, 0, 50);
    scan(scanner, &all, 0, 0, TL_SCAN_TO_END, 0);
    fixture_wait(f, is_done, &all);
    expect(&all, 0, 50);
    scan(scanner, &at_end, 0, 50, TL_SCAN_TO_END, 0);
    fixture_wait(f, is_done, &at_end);
    expect(&at_end, 0, 0);
    tl_scanner_destroy(scanner);
}

/* Many calls of one partition, with ranges that overlap in every way. */
static void scans_of_a_partition_share_the_read(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got a = {0}, b = {0}, c = {0}, d = {0};

    fixture_fill(f, CALLS, 0, 200);
    scan(scanner, &a, 0, 100, 150, 0);
    scan(scanner, &b, 0, 10, 120, 0);
    scan(scanner, &c, 0, 130, TL_SCAN_TO_END, 0);
    fixture_wait(f, is_done, &b);
    scan(scanner, &d, 0, 0, 5, 0); /* long behind: the reader goes back for it */
    fixture_wait(f, is_done, &a);
    fixture_wait(f, is_done, &c);
    fixture_wait(f, is_done, &d);
    expect(&a, 100, 50);
    expect(&b, 10, 110);
    expect(&c, 130, 70);
    expect(&d, 0, 5);
    tl_scanner_destroy(scanner);
}

static void newcomer_makes_nobody_see_twice(void **state)
{
    struct fixture *f = *state;
    struct got first = {0}, second = {0};

    f->settings.turn_max_records = 5; /* so that the first is under way when the second comes */
    struct tl_scanner *scanner = open_scanner(f);
    fixture_fill(f, CALLS, 0, 300);
    scan(scanner, &first, 0, 0, 300, 0);
    while (first.records == 0)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(first.done, 0);
    scan(scanner, &second, 0, 0, 300, 0);
    fixture_wait(f, is_done, &first);
    fixture_wait(f, is_done, &second);
    expect(&first, 0, 300);
    expect(&second, 0, 300);
    tl_scanner_destroy(scanner);
}

static void waits_for_what_is_not_there_yet(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got got = {0};

    fixture_fill(f, CALLS, 0, 10);
    scan(scanner, &got, 0, 0, 11, 20000);
    while (got.records < 10)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(got.done, 0);
    fixture_put(f, CALLS, 0, "last");
    fixture_wait(f, is_done, &got);
    expect(&got, 0, 11);
    tl_scanner_destroy(scanner);
}

static void deadline_ends_it(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got got = {0};

    fixture_fill(f, CALLS, 0, 10);
    scan(scanner, &got, 0, 0, 1000000, 50);
    fixture_wait(f, is_done, &got);
    assert_int_equal(got.status, TL_RETRY);
    tl_scanner_destroy(scanner);
}

static void start_outside_the_log_is_a_conflict_of_that_scan_alone(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got bad = {0}, good = {0};

    fixture_fill(f, CALLS, 0, 10);
    scan(scanner, &bad, 0, 5000, TL_SCAN_TO_END, 0);
    fixture_wait(f, is_done, &bad);
    assert_int_equal(bad.status, TL_CONFLICT);
    scan(scanner, &good, 0, 0, 10, 0);
    fixture_wait(f, is_done, &good);
    expect(&good, 0, 10);
    tl_scanner_destroy(scanner);
}

static void cancelled_scan_is_silent(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got cancelled = {.cancel_after = 3}, other = {0}, unstarted = {0};

    fixture_fill(f, CALLS, 0, 50);
    scan(scanner, &cancelled, 0, 0, 50, 0);
    scan(scanner, &other, 0, 0, 50, 0);
    scan(scanner, &unstarted, 1, 0, 50, 0);
    tl_scan_cancel(unstarted.scan);
    fixture_wait(f, is_done, &other);
    assert_int_equal(cancelled.records, 3);
    assert_int_equal(cancelled.done, 0);
    assert_int_equal(unstarted.done, 0);
    tl_scanner_destroy(scanner);
}

static void scanner_may_be_destroyed_in_on_done(void **state)
{
    struct fixture *f = *state;
    struct tl_scanner *scanner = open_scanner(f);
    struct got got = {.scanner = scanner}, other = {0};

    fixture_fill(f, CALLS, 0, 50);
    scan(scanner, &other, 0, 0, 1000, 0);
    scan(scanner, &got, 0, 0, 10, 0);
    fixture_wait(f, is_done, &got);
    assert_int_equal(other.done, 0);
}

static void starts_by_time(void **state)
{
    struct fixture *f = *state;
    struct got early = {0}, late = {0};
    struct tl_scan_options options = {.topic = CALLS,
                                      .from_offset = -1,
                                      .until_offset = TL_SCAN_TO_END,
                                      .on_record = on_record,
                                      .on_done = on_done};
    struct tl_error err;

    if (f->mock)
        skip(); /* the mock does not look up times */
    struct tl_scanner *scanner = open_scanner(f);
    int64_t begin_ms = tl_now_ms();
    fixture_fill(f, CALLS, 0, 20);
    int64_t now_ms = tl_now_ms();
    while (tl_now_ms() == now_ms)
        ;
    now_ms = tl_now_ms();
    fixture_put(f, CALLS, 0, "later");
    options.from_time_ms = now_ms;
    options.arg = &late;
    assert_int_equal(tl_scan_start(scanner, &options, &late.scan, &err), TL_OK);
    fixture_wait(f, is_done, &late);
    expect(&late, 20, 1);
    options.from_time_ms = begin_ms - 1000;
    options.arg = &early;
    assert_int_equal(tl_scan_start(scanner, &options, &early.scan, &err), TL_OK);
    fixture_wait(f, is_done, &early);
    expect(&early, 0, 21);
    tl_scanner_destroy(scanner);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(gives_the_range_and_ends),
        CASE(empty_range_is_done_without_reading),
        CASE(end_of_the_log_ends_a_scan),
        CASE(scans_of_a_partition_share_the_read),
        CASE(newcomer_makes_nobody_see_twice),
        CASE(waits_for_what_is_not_there_yet),
        CASE(deadline_ends_it),
        CASE(start_outside_the_log_is_a_conflict_of_that_scan_alone),
        CASE(cancelled_scan_is_silent),
        CASE(scanner_may_be_destroyed_in_on_done),
        CASE(starts_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
