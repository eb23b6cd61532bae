#ifndef TL_TEST_KAFKA_FIXTURE_H
#define TL_TEST_KAFKA_FIXTURE_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "kafka/client.h"

#define CALLS "calls.v1"
#define CALLS_PARTITIONS 4
#define MAILBOX "media.v1"

/** A loop and a Kafka: the broker that KAFKA_BROKERS names, with a topic prefix of its own, or else
 *  librdkafka's mock cluster. */
struct fixture {
    uv_loop_t loop;
    uv_timer_t tick; /* lets fixture_wait look at its condition */
    struct tl_log log;
    struct tl_kafka_settings settings;
    struct tl_kafka *kafka;
    char prefix[64];
    rd_kafka_t *mock_rk;
    rd_kafka_mock_cluster_t *mock; /* NULL: a real broker */
};

typedef bool (*fixture_condition)(void *arg);

int fixture_setup(void **state);
int fixture_teardown(void **state);

/** Runs the loop until the condition holds; fails the test after ten seconds or so. */
void fixture_wait_at(struct fixture *f, fixture_condition condition, void *arg, const char *what,
                     const char *file, int line);
#define fixture_wait(f, condition, arg)                                                            \
    fixture_wait_at((f), (condition), (arg), #condition, __FILE__, __LINE__)

/** Sends a record and waits until it is in the log; its offset. */
int64_t fixture_put(struct fixture *f, const char *topic, int32_t partition, const char *text);

/** Sends n records "0", "1" and so on in one go. */
void fixture_fill(struct fixture *f, const char *topic, int32_t partition, int n);

#endif
