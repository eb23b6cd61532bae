/* A bare hop through the broker: produce to one partition, consume it in the same process, and tell
 * how long that took. What Trunkline adds to a call can be no less; measured beside it, in the same
 * run, it says how much of the added time is the broker's.
 *
 *   trunkline-bench-hop --brokers HOST:PORT --topic NAME [--seconds 60] [--bytes 4000]
 *                       [--interval-us 20000] [--linger-ms 2]
 *
 * Prints {"sent":…,"received":…,"p50":…,"p99":…,"max":…} in milliseconds. */
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/time.h"

#define SAMPLES_MAX 1000000
#define WARM_US 2000000 /* connections are made, the producer gets its id: not counted */

struct hop {
    const char *brokers, *topic;
    long seconds, bytes, interval_us;
    const char *linger_ms;
    rd_kafka_t *producer, *consumer;
    atomic_bool is_over; /* nothing more is sent */
    atomic_long sent;
    int64_t count_from_us;
    double *sample_ms;
    long samples;
};

static rd_kafka_t *open_handle(rd_kafka_type_t type, const char *const (*rows)[2], size_t len)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (size_t i = 0; i < len; i++) {
        if (rd_kafka_conf_set(conf, rows[i][0], rows[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            (void)fprintf(stderr, "hop: %s\n", why);
            exit(1);
        }
    }
    rd_kafka_t *handle = rd_kafka_new(type, conf, why, sizeof(why));
    if (!handle) {
        (void)fprintf(stderr, "hop: %s\n", why);
        exit(1);
    }
    return handle;
}

/* As lib/kafka sets its own handles. */
static void open_handles(struct hop *hop)
{
    const char *const produce[][2] = {
        {"bootstrap.servers", hop->brokers},
        {"socket.nagle.disable", "true"},
        {"enable.idempotence", "true"},
        {"linger.ms", hop->linger_ms},
    };
    const char *const consume[][2] = {
        {"bootstrap.servers", hop->brokers},
        {"socket.nagle.disable", "true"},
        {"group.id", "unused"},
        {"enable.auto.commit", "false"},
        {"fetch.wait.max.ms", "500"},
        {"allow.auto.create.topics", "false"},
    };

    hop->producer = open_handle(RD_KAFKA_PRODUCER, produce, TL_ARRAY_LEN(produce));
    hop->consumer = open_handle(RD_KAFKA_CONSUMER, consume, TL_ARRAY_LEN(consume));
}

/* The topic, of one partition; that it exists already is as well. */
static void make_topic(struct hop *hop)
{
    char why[512];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(hop->producer);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(hop->topic, 1, 1, why, sizeof(why));

    if (!topic) {
        (void)fprintf(stderr, "hop: %s\n", why);
        exit(1);
    }
    rd_kafka_CreateTopics(hop->producer, &topic, 1, NULL, queue);
    rd_kafka_event_t *done = rd_kafka_queue_poll(queue, 30000);
    if (done)
        rd_kafka_event_destroy(done);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

/* From the present end of the partition on. */
static int64_t find_end(struct hop *hop)
{
    int64_t low, high;
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int64_t deadline_us = tl_mono_us() + 30000000; /* a new topic takes a moment to be known */

    while (e && tl_mono_us() < deadline_us)
        e = rd_kafka_query_watermark_offsets(hop->consumer, hop->topic, 0, &low, &high, 1000);
    if (e) {
        (void)fprintf(stderr, "hop: %s: %s\n", hop->topic, rd_kafka_err2str(e));
        exit(1);
    }
    return high;
}

static void assign(struct hop *hop)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, hop->topic, 0)->offset = find_end(hop);
    rd_kafka_assign(hop->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void *consume(void *arg)
{
    struct hop *hop = arg;
    int64_t patience_us = 0; /* end of the wait for the last ones */

    for (;;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(hop->consumer, 100);
        int64_t now_us = tl_mono_us();
        if (atomic_load(&hop->is_over)) {
            if (!patience_us)
                patience_us = now_us + 5000000;
            if (hop->samples >= atomic_load(&hop->sent) || now_us > patience_us) {
                if (m)
                    rd_kafka_message_destroy(m);
                return NULL;
            }
        }
        if (!m)
            continue;
        int64_t sent_us;
        if (!m->err && m->len >= sizeof(sent_us) && hop->samples < SAMPLES_MAX) {
            memcpy(&sent_us, m->payload, sizeof(sent_us));
            if (sent_us >= hop->count_from_us)
                hop->sample_ms[hop->samples++] = (double)(now_us - sent_us) / 1000;
        }
        rd_kafka_message_destroy(m);
    }
}

static void produce(struct hop *hop)
{
    char *payload = calloc(1, (size_t)hop->bytes);
    int64_t end_us = hop->count_from_us + hop->seconds * 1000000;
    struct timespec next;

    if (!payload)
        abort();
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (tl_mono_us() < end_us) {
        int64_t now_us = tl_mono_us();
        memcpy(payload, &now_us, sizeof(now_us));
        bool counts = now_us >= hop->count_from_us;
        if (rd_kafka_producev(hop->producer, RD_KAFKA_V_TOPIC(hop->topic), RD_KAFKA_V_PARTITION(0),
                              RD_KAFKA_V_VALUE(payload, (size_t)hop->bytes),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == 0 &&
            counts)
            atomic_fetch_add(&hop->sent, 1);
        rd_kafka_poll(hop->producer, 0);
        next.tv_nsec += hop->interval_us * 1000;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    rd_kafka_flush(hop->producer, 10000);
    free(payload);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double at_share(const struct hop *hop, double share)
{
    if (hop->samples == 0)
        return 0;
    long i = (long)(share * (double)hop->samples);
    return hop->sample_ms[i < hop->samples ? i : hop->samples - 1];
}

static void print(struct hop *hop)
{
    qsort(hop->sample_ms, (size_t)hop->samples, sizeof(*hop->sample_ms), compare);
    (void)printf("{\"sent\":%ld,\"received\":%ld,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}\n",
                 atomic_load(&hop->sent), hop->samples, at_share(hop, 0.5), at_share(hop, 0.99),
                 at_share(hop, 1));
}

static bool read_options(struct hop *hop, int argc, char **argv)
{
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"topic", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'},
        {"bytes", required_argument, NULL, 'n'},
        {"interval-us", required_argument, NULL, 'i'},
        {"linger-ms", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'b':
            hop->brokers = optarg;
            break;
        case 't':
            hop->topic = optarg;
            break;
        case 's':
            hop->seconds = strtol(optarg, NULL, 10);
            break;
        case 'n':
            hop->bytes = strtol(optarg, NULL, 10);
            break;
        case 'i':
            hop->interval_us = strtol(optarg, NULL, 10);
            break;
        case 'l':
            hop->linger_ms = optarg;
            break;
        default:
            return false;
        }
    }
    return hop->brokers && hop->topic && hop->seconds > 0 && hop->bytes >= 8 &&
           hop->interval_us > 0;
}

int main(int argc, char **argv)
{
    struct hop hop = {.seconds = 60, .bytes = 4000, .interval_us = 20000, .linger_ms = "2"};
    pthread_t consumer;

    if (!read_options(&hop, argc, argv)) {
        (void)fputs("usage: trunkline-bench-hop --brokers HOST:PORT --topic NAME [--seconds N] "
                    "[--bytes N] [--interval-us N] [--linger-ms N]\n",
                    stderr);
        return 2;
    }
    hop.sample_ms = calloc(SAMPLES_MAX, sizeof(*hop.sample_ms));
    if (!hop.sample_ms)
        abort();
    open_handles(&hop);
    make_topic(&hop);
    assign(&hop);
    hop.count_from_us = tl_mono_us() + WARM_US;
    pthread_create(&consumer, NULL, consume, &hop);
    produce(&hop);
    atomic_store(&hop.is_over, true);
    pthread_join(consumer, NULL);
    print(&hop);
    rd_kafka_consumer_close(hop.consumer);
    rd_kafka_destroy(hop.consumer);
    rd_kafka_destroy(hop.producer);
    free(hop.sample_ms);
    return hop.samples > 0 ? 0 : 1;
}
