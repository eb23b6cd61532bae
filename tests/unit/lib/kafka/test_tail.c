#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "kafka/offsets.h"
#include "kafka/producer.h"
#include "kafka/tail.h"
#include "kafka_fixture.h"

struct reader {
    struct tl_tail *tail;
    int records;
    int wanted;
    int64_t first, last;
    bool in_order;
    int ends;
    int64_t end;
    struct tl_error error;
    int errors;
    int pause_after, remove_after, destroy_after; /* records; 0: never */
};

static void on_record(void *arg, const struct tl_record *record)
{
    struct reader *r = arg;

    if (r->records == 0) {
        r->first = record->offset;
        r->in_order = true;
    } else if (record->offset != r->last + 1) {
        r->in_order = false;
    }
    r->last = record->offset;
    r->records++;
    assert_string_equal(record->topic, CALLS);
    assert_int_equal(tl_tail_position(r->tail, CALLS, record->partition), record->offset + 1);
    if (r->records == r->pause_after)
        tl_tail_pause(r->tail, record->topic, record->partition);
    if (r->records == r->remove_after)
        tl_tail_remove(r->tail, record->topic, record->partition);
    if (r->records == r->destroy_after) {
        tl_tail_destroy(r->tail);
        r->tail = NULL;
    }
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t next_offset)
{
    struct reader *r = arg;

    (void)partition;
    assert_string_equal(topic, CALLS);
    r->ends++;
    r->end = next_offset;
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct reader *r = arg;

    (void)partition;
    if (!topic)
        return; /* of brokers */
    r->errors++;
    r->error = *err;
}

static void open_reader(struct fixture *f, struct reader *r)
{
    const struct tl_tail_options options = {
        .name = "test", .on_record = on_record, .on_end = on_end, .on_error = on_error, .arg = r};
    struct tl_error err;

    if (tl_tail_create(f->kafka, &options, &r->tail, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static void add(struct reader *r, int32_t partition, enum tl_tail_from from, int64_t at)
{
    struct tl_error err;

    if (tl_tail_add(r->tail, CALLS, partition, (struct tl_tail_start){from, at}, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static bool has_wanted(void *arg)
{
    const struct reader *r = arg;

    return r->records >= r->wanted;
}

static bool has_end(void *arg)
{
    return ((struct reader *)arg)->ends > 0;
}

static bool has_error(void *arg)
{
    return ((struct reader *)arg)->errors > 0;
}

static void reads_from_an_offset_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 90};

    fixture_fill(f, CALLS, 1, 100);
    open_reader(f, &r);
    add(&r, 1, TL_FROM_OFFSET, 10);
    fixture_wait(f, has_wanted, &r);
    fixture_wait(f, has_end, &r);
    assert_int_equal(r.first, 10);
    assert_int_equal(r.records, 90);
    assert_int_equal(r.end, 100);
    assert_true(r.in_order);
    tl_tail_destroy(r.tail);
}

static void empty_partition_is_at_its_end(void **state)
{
    struct fixture *f = *state;
    struct reader r = {0};

    open_reader(f, &r);
    add(&r, 2, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_end, &r);
    assert_int_equal(r.end, 0);
    assert_int_equal(r.records, 0);
    tl_tail_destroy(r.tail);
}

static void from_the_end_sees_only_what_comes(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 1};

    fixture_fill(f, CALLS, 0, 20);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_END, 0);
    fixture_wait(f, has_end, &r);
    assert_int_equal(tl_tail_position(r.tail, CALLS, 0), 20);
    fixture_put(f, CALLS, 0, "new");
    fixture_wait(f, has_wanted, &r);
    assert_int_equal(r.first, 20);
    tl_tail_destroy(r.tail);
}

static void adding_twice_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct reader r = {0};
    struct tl_error err;

    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    assert_int_equal(tl_tail_add(r.tail, CALLS, 0, (struct tl_tail_start){TL_FROM_END, 0}, &err),
                     TL_CONFLICT);
    tl_tail_destroy(r.tail);
}

static void partitions_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 50, .remove_after = 5};

    fixture_fill(f, CALLS, 0, 50);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    r.wanted = 5;
    fixture_wait(f, has_wanted, &r);
    add(&r, 3, TL_FROM_BEGINNING, 0); /* its end shows that nothing more of 0 was under way */
    fixture_wait(f, has_end, &r);
    assert_int_equal(r.records, 5);
    assert_int_equal(tl_tail_position(r.tail, CALLS, 0), -1);
    add(&r, 0, TL_FROM_OFFSET, 5);
    r.wanted = 50;
    fixture_wait(f, has_wanted, &r);
    assert_true(r.in_order);
    assert_int_equal(r.last, 49);
    tl_tail_destroy(r.tail);
}

/* Paused in the callback of a record: that one counts, the next comes after resume. */
static void pause_loses_and_repeats_nothing(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 7, .pause_after = 7};

    fixture_fill(f, CALLS, 0, 100);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_wanted, &r);
    add(&r, 1, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_end, &r); /* the loop has turned, yet nothing came */
    assert_int_equal(r.records, 7);
    tl_tail_resume(r.tail, CALLS, 0);
    r.wanted = 100;
    fixture_wait(f, has_wanted, &r);
    assert_true(r.in_order);
    assert_int_equal(r.records, 100);
    tl_tail_destroy(r.tail);
}

/* librdkafka's own pause loses here what it had read ahead. */
static void pause_before_the_first_record_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 30};

    fixture_fill(f, CALLS, 0, 30);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    tl_tail_pause(r.tail, CALLS, 0);
    add(&r, 1, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_end, &r);
    fixture_put(f, CALLS, 1, "x");
    r.wanted = 1;
    fixture_wait(f, has_wanted, &r); /* of partition 1 alone */
    assert_int_equal(r.records, 1);
    tl_tail_remove(r.tail, CALLS, 1);
    tl_tail_resume(r.tail, CALLS, 0);
    r.records = 0;
    r.wanted = 30;
    fixture_wait(f, has_wanted, &r);
    assert_true(r.in_order);
    assert_int_equal(r.first, 0);
    tl_tail_destroy(r.tail);
}

static void offset_outside_the_log_is_told(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 10};

    fixture_fill(f, CALLS, 0, 10);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_OFFSET, 1000);
    fixture_wait(f, has_error, &r);
    assert_int_equal(r.error.status, TL_CONFLICT);
    assert_int_equal(r.records, 0);
    tl_tail_remove(r.tail, CALLS, 0);
    add(&r, 0, TL_FROM_OFFSET, 0);
    fixture_wait(f, has_wanted, &r);
    tl_tail_destroy(r.tail);
}

static void missing_partition_is_told(void **state)
{
    struct fixture *f = *state;
    struct reader r = {0};

    fixture_fill(f, CALLS, 0, 1);
    open_reader(f, &r);
    add(&r, 77, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_error, &r);
    assert_int_equal(r.error.status, TL_NOT_FOUND);
    tl_tail_destroy(r.tail);
}

static void destroy_from_a_callback_is_the_end(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 3, .destroy_after = 3};
    struct reader other = {0};

    fixture_fill(f, CALLS, 0, 50);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_wanted, &r);
    open_reader(f, &other);
    add(&other, 0, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_end, &other);
    assert_int_equal(r.records, 3);
    tl_tail_destroy(other.tail);
}

static void a_turn_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 1};

    f->settings.turn_max_records = 10;
    fixture_fill(f, CALLS, 0, 200);
    open_reader(f, &r);
    add(&r, 0, TL_FROM_BEGINNING, 0);
    fixture_wait(f, has_wanted, &r); /* looked at after each turn */
    for (int before = r.records; r.records < 200; before = r.records) {
        (void)uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(r.records - before <= 10);
    }
    assert_true(r.in_order);
    tl_tail_destroy(r.tail);
}

struct answer {
    int calls;
    enum tl_status status;
    int64_t offset;
};

static void on_offset(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct answer *answer = arg;

    (void)error;
    answer->calls++;
    answer->status = status;
    answer->offset = offset;
}

static bool is_answered(void *arg)
{
    return ((struct answer *)arg)->calls > 0;
}

static void end_offset_is_asked_beside_the_loop(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0}, cancelled = {0};
    struct tl_offsets_query *query;
    struct tl_error err;

    fixture_fill(f, CALLS, 0, 12);
    assert_int_equal(
        tl_offset_of_end(f->kafka, CALLS, 0, 5000, on_offset, &cancelled, &query, &err), TL_OK);
    tl_offsets_query_cancel(query);
    assert_int_equal(tl_offset_of_end(f->kafka, CALLS, 0, 5000, on_offset, &answer, &query, &err),
                     TL_OK);
    assert_int_equal(answer.calls, 0);
    fixture_wait(f, is_answered, &answer);
    assert_int_equal(answer.status, TL_OK);
    assert_int_equal(answer.offset, 12);
    assert_int_equal(cancelled.calls, 0);
}

static void starts_by_time(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.wanted = 1}, late = {0};

    if (f->mock)
        skip(); /* the mock does not look up times */
    fixture_fill(f, CALLS, 0, 5);
    int64_t now_ms = tl_now_ms();
    while (tl_now_ms() == now_ms)
        ;
    now_ms = tl_now_ms();
    fixture_put(f, CALLS, 0, "later");
    open_reader(f, &r);
    add(&r, 0, TL_FROM_TIME, now_ms);
    fixture_wait(f, has_wanted, &r);
    assert_int_equal(r.first, 5);
    open_reader(f, &late);
    add(&late, 0, TL_FROM_TIME, now_ms + 3600000); /* behind all: the end */
    fixture_wait(f, has_end, &late);
    assert_int_equal(late.end, 6);
    assert_int_equal(late.records, 0);
    tl_tail_destroy(r.tail);
    tl_tail_destroy(late.tail);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_from_an_offset_to_the_end),
        CASE(empty_partition_is_at_its_end),
        CASE(from_the_end_sees_only_what_comes),
        CASE(adding_twice_is_a_conflict),
        CASE(partitions_come_and_go),
        CASE(pause_loses_and_repeats_nothing),
        CASE(pause_before_the_first_record_loses_nothing),
        CASE(offset_outside_the_log_is_told),
        CASE(missing_partition_is_told),
        CASE(destroy_from_a_callback_is_the_end),
        CASE(a_turn_is_bounded),
        CASE(end_offset_is_asked_beside_the_loop),
        CASE(starts_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
