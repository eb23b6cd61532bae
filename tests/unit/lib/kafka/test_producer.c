#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/partitioner.h"
#include "kafka/producer.h"
#include "kafka/tail.h"
#include "kafka_fixture.h"

#define BYTES(text) ((struct tl_bytes){(const uint8_t *)(text), strlen(text)})

static struct tl_producer *make_producer(struct fixture *f, int64_t message_timeout_ms)
{
    const struct tl_producer_options options = {.name = "events",
                                                .message_timeout_ms = message_timeout_ms};
    struct tl_producer *producer;
    struct tl_error err;

    if (tl_producer_create(f->kafka, &options, &producer, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return producer;
}

static struct tl_producer_topic *topic_of(struct tl_producer *producer, const char *name)
{
    struct tl_producer_topic *topic;
    struct tl_error err;

    assert_int_equal(tl_producer_topic(producer, name, &topic, &err), TL_OK);
    return topic;
}

struct outcome {
    int calls;
    struct tl_delivery last;
};

static void on_delivery(void *arg, const struct tl_delivery *delivery)
{
    struct outcome *outcome = arg;

    outcome->calls++;
    outcome->last = *delivery;
}

static bool is_answered(void *arg)
{
    return ((struct outcome *)arg)->calls > 0;
}

static void delivery_tells_partition_and_offset(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    const char *key = "3f2504e0-4f89-51d3-9a0c-0305e82c3301";
    struct tl_error err;

    for (int i = 0; i < 3; i++) {
        struct outcome outcome = {0};

        assert_int_equal(tl_producer_send(topic, TL_PARTITION_BY_KEY, BYTES(key), BYTES("v"), NULL,
                                          on_delivery, &outcome, &err),
                         TL_OK);
        assert_int_equal(outcome.calls, 0); /* never from within */
        fixture_wait(f, is_answered, &outcome);
        assert_int_equal(outcome.last.status, TL_OK);
        assert_int_equal(outcome.last.offset, i);
        assert_int_equal(outcome.last.partition,
                         tl_partition_of_key(key, strlen(key), CALLS_PARTITIONS));
    }
    tl_producer_destroy(producer, 1000);
}

static void topic_asked_twice_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);

    assert_ptr_equal(topic_of(producer, CALLS), topic_of(producer, CALLS));
    tl_producer_destroy(producer, 0);
}

struct count {
    int ok, failed, wanted;
};

static void count_delivery(void *arg, const struct tl_delivery *delivery)
{
    struct count *count = arg;

    if (delivery->status == TL_OK)
        count->ok++;
    else
        count->failed++;
}

static bool are_all_counted(void *arg)
{
    const struct count *count = arg;

    return count->ok + count->failed == count->wanted;
}

static void every_record_has_one_callback(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    struct count count = {.wanted = 5000};
    struct tl_producer_stats stats;
    struct tl_error err;

    for (int i = 0; i < count.wanted; i++)
        assert_int_equal(tl_producer_send(topic, i % CALLS_PARTITIONS, BYTES("k"), BYTES("value"),
                                          NULL, count_delivery, &count, &err),
                         TL_OK);
    fixture_wait(f, are_all_counted, &count);
    assert_int_equal(count.ok, 5000);
    tl_producer_stats(producer, &stats);
    assert_int_equal(stats.delivered, 5000);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.bytes, 5000 * 6);
    tl_producer_destroy(producer, 1000);
    assert_int_equal(count.ok + count.failed, 5000);
}

static void unknown_partition_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    struct outcome known = {0}, unknown = {0};
    struct tl_error err;

    assert_int_equal(
        tl_producer_send(topic, 0, BYTES("k"), BYTES("v"), NULL, on_delivery, &known, &err), TL_OK);
    fixture_wait(f, is_answered, &known); /* now the number of partitions is known */
    assert_int_equal(
        tl_producer_send(topic, 99, BYTES("k"), BYTES("v"), NULL, on_delivery, &unknown, &err),
        TL_NOT_FOUND);
    tl_producer_destroy(producer, 100);
    assert_int_equal(unknown.calls, 0); /* refused, so no callback */
}

static void full_queue_asks_to_retry(void **state)
{
    struct fixture *f = *state;
    struct tl_kafka_settings small = f->settings;
    struct tl_error err;
    struct count count = {0};

    small.queue_max_records = 10;
    small.linger_ms = 900; /* nothing leaves while we fill it */
    const struct tl_kafka_options options = {&f->loop, &f->log, NULL, &small, "test"};
    struct tl_kafka *kafka;
    struct tl_producer *producer;
    assert_int_equal(tl_kafka_create(&options, &kafka, &err), TL_OK);
    const struct tl_producer_options producer_options = {.name = "small"};
    assert_int_equal(tl_producer_create(kafka, &producer_options, &producer, &err), TL_OK);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    enum tl_status st = TL_OK;
    while (st == TL_OK && count.wanted < 100) {
        st = tl_producer_send(topic, 0, BYTES("k"), BYTES("v"), NULL, count_delivery, &count, &err);
        if (st == TL_OK)
            count.wanted++;
    }
    assert_int_equal(st, TL_RETRY);
    assert_int_equal(count.wanted, 10);
    tl_producer_destroy(producer, 10000);
    assert_int_equal(count.ok, 10); /* destroy sends what it has */
    tl_kafka_destroy(kafka);
}

/* Nobody listens there: what was accepted fails, once, at the latest in destroy. */
static void destroy_fails_what_cannot_be_sent(void **state)
{
    struct fixture *f = *state;
    struct tl_kafka_settings nowhere = f->settings;
    struct tl_error err;
    struct count count = {.wanted = 3};
    struct tl_kafka *kafka;
    struct tl_producer *producer;

    nowhere.brokers = "127.0.0.1:1";
    struct tl_log silent = {2, TL_LOG_ERROR, "test"};
    const struct tl_kafka_options options = {&f->loop, &silent, NULL, &nowhere, "test"};
    assert_int_equal(tl_kafka_create(&options, &kafka, &err), TL_OK);
    const struct tl_producer_options producer_options = {.name = "nowhere"};
    assert_int_equal(tl_producer_create(kafka, &producer_options, &producer, &err), TL_OK);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    for (int i = 0; i < count.wanted; i++)
        assert_int_equal(
            tl_producer_send(topic, 0, BYTES("k"), BYTES("v"), NULL, count_delivery, &count, &err),
            TL_OK);
    tl_producer_destroy(producer, 50);
    assert_int_equal(count.failed, 3);
    assert_int_equal(count.ok, 0);
    tl_kafka_destroy(kafka);
}

static void too_large_a_record_is_invalid(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    size_t len = 2u << 20;
    uint8_t *big = calloc(1, len);
    struct tl_error err;

    assert_non_null(big);
    assert_int_equal(tl_producer_send(topic, 0, BYTES("k"), (struct tl_bytes){big, len}, NULL,
                                      on_delivery, NULL, &err),
                     TL_INVALID);
    free(big);
    tl_producer_destroy(producer, 0);
}

struct seen {
    int records;
    bool is_tombstone, has_traceparent, has_key;
    char traceparent[64];
    int64_t timestamp_ms;
    size_t headers;
};

static void on_record(void *arg, const struct tl_record *record)
{
    struct seen *seen = arg;
    struct tl_bytes value;
    const char *name;

    seen->records++;
    seen->is_tombstone = !record->value.data;
    seen->has_key = record->key.data != NULL;
    seen->timestamp_ms = record->timestamp_ms;
    seen->has_traceparent = tl_record_header(record, "traceparent", &value);
    if (seen->has_traceparent)
        (void)snprintf(seen->traceparent, sizeof(seen->traceparent), "%.*s", (int)value.len,
                       (const char *)value.data);
    for (seen->headers = 0; tl_record_header_at(record, seen->headers, &name, &value);)
        seen->headers++;
}

static bool is_seen(void *arg)
{
    return ((struct seen *)arg)->records > 0;
}

static void extra_carries_headers_and_time(void **state)
{
    struct fixture *f = *state;
    struct tl_producer *producer = make_producer(f, 0);
    struct tl_producer_topic *topic = topic_of(producer, MAILBOX);
    struct seen seen = {0};
    struct tl_error err;
    struct tl_tail *tail;
    const struct tl_tail_options options = {.name = "t", .on_record = on_record, .arg = &seen};
    const struct tl_header headers[] = {{"x", {NULL, 0}}, {"traceparent", BYTES("00-ab-cd-01")}};
    const struct tl_send_extra extra = {1700000000123, headers, 2};
    struct outcome outcome = {0};

    assert_int_equal(tl_producer_send(topic, TL_PARTITION_BY_KEY, BYTES("k"),
                                      (struct tl_bytes){NULL, 0}, &extra, on_delivery, &outcome,
                                      &err),
                     TL_OK);
    fixture_wait(f, is_answered, &outcome);
    assert_int_equal(outcome.last.status, TL_OK);
    assert_int_equal(tl_tail_create(f->kafka, &options, &tail, &err), TL_OK);
    assert_int_equal(tl_tail_add(tail, MAILBOX, outcome.last.partition,
                                 (struct tl_tail_start){TL_FROM_OFFSET, 0}, &err),
                     TL_OK);
    fixture_wait(f, is_seen, &seen);
    assert_true(seen.is_tombstone);
    assert_true(seen.has_key);
    assert_int_equal(seen.timestamp_ms, 1700000000123);
    assert_int_equal(seen.headers, 2);
    assert_string_equal(seen.traceparent, "00-ab-cd-01");
    tl_tail_destroy(tail);
    tl_producer_destroy(producer, 1000);
}

struct fatal {
    int calls;
    struct tl_error err;
};

static void on_fatal(void *arg, const struct tl_error *err)
{
    struct fatal *fatal = arg;

    fatal->calls++;
    fatal->err = *err;
}

static bool is_fatal(void *arg)
{
    return ((struct fatal *)arg)->calls > 0;
}

/* A fatal error (as bug #4438 makes them) fails what is under way and leaves a working producer. */
static void fatal_error_starts_the_producer_anew(void **state)
{
    struct fixture *f = *state;
    struct fatal fatal = {0};
    struct tl_producer *producer;
    struct tl_error err;
    struct outcome lost = {0}, after = {0};
    const struct tl_producer_options options = {
        .name = "events", .on_fatal = on_fatal, .arg = &fatal};

    if (!f->mock)
        skip(); /* a real broker does not fail on demand */
    assert_int_equal(tl_producer_create(f->kafka, &options, &producer, &err), TL_OK);
    struct tl_producer_topic *topic = topic_of(producer, CALLS);
    rd_kafka_mock_push_request_errors(f->mock, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(
        tl_producer_send(topic, 0, BYTES("k"), BYTES("v"), NULL, on_delivery, &lost, &err), TL_OK);
    fixture_wait(f, is_fatal, &fatal);
    assert_int_equal(fatal.err.status, TL_FATAL);
    assert_int_equal(lost.calls, 1);
    assert_int_equal(lost.last.status, TL_RETRY);
    assert_int_equal(
        tl_producer_send(topic, 0, BYTES("k"), BYTES("v"), NULL, on_delivery, &after, &err), TL_OK);
    fixture_wait(f, is_answered, &after);
    assert_int_equal(after.last.status, TL_OK);
    struct tl_producer_stats stats;
    tl_producer_stats(producer, &stats);
    assert_int_equal(stats.rebuilds, 1);
    tl_producer_destroy(producer, 1000);
    assert_int_equal(lost.calls, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(delivery_tells_partition_and_offset),
        CASE(topic_asked_twice_is_the_same),
        CASE(every_record_has_one_callback),
        CASE(unknown_partition_is_not_found),
        CASE(full_queue_asks_to_retry),
        CASE(destroy_fails_what_cannot_be_sent),
        CASE(too_large_a_record_is_invalid),
        CASE(extra_carries_headers_and_time),
        CASE(fatal_error_starts_the_producer_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
