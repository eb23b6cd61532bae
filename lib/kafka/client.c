/* What all handles of a process share: configuration, statuses, logs, the end of a handle. */
#include "kafka/client.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kafka/internal.h"
#include "kafka/offsets_internal.h"

#define ROW(field, kind, name, help, ...)                                                          \
    TL_METRIC_ROW(struct tl_kafka_metrics, field, kind, "trunkline_kafka_" name, help,             \
                  .labels = "client" __VA_OPT__(, ) __VA_ARGS__)

static const struct tl_metric kafka_metrics[] = {
    ROW(sent_records, COUNTER, "sent_records_total", "Records accepted by a producer."),
    ROW(sent_bytes, COUNTER, "sent_bytes_total", "Bytes of keys and values accepted."),
    ROW(send_failures, COUNTER, "send_failures_total", "Records whose delivery failed."),
    ROW(send_rebuilds, COUNTER, "send_rebuilds_total", "Producers made anew after a fatal error."),
    ROW(received_records, COUNTER, "received_records_total", "Records handed out by a reader."),
    ROW(received_bytes, COUNTER, "received_bytes_total", "Bytes of keys and values handed out."),
    ROW(errors, COUNTER, "errors_total", "Errors that a reader or producer was told."),
    ROW(in_flight, GAUGE, "in_flight_records", "Records sent and not acknowledged."),
    ROW(delivery, HISTOGRAM, "delivery_seconds", "Time from send to acknowledgement.",
        .buckets = &tl_buckets_latency),
    {0},
};

void tl_kafka_settings_default(struct tl_kafka_settings *settings)
{
    *settings = (struct tl_kafka_settings){
        .brokers = "127.0.0.1:9092",
        .topic_prefix = "trunkline.",
        .linger_ms = 1,
        .media_linger_ms = 2,
        .message_timeout_ms = 60000,
        .queue_max_records = 100000,
        .queue_max_kbytes = 262144,
        .fetch_wait_max_ms = 500,
        .fetch_queue_min_records = 100000,
        .fetch_queue_max_kbytes = 65536,
        .session_timeout_ms = 10000,
        .turn_max_records = 500,
    };
}

enum tl_status tl_kafka_create(const struct tl_kafka_options *options, struct tl_kafka **ret_kafka,
                               struct tl_error *err)
{
    struct tl_kafka *kafka;

    if (!options->settings->brokers || !*options->settings->brokers)
        return tl_fail(err, TL_INVALID, "kafka.brokers is empty");
    kafka = calloc(1, sizeof(*kafka));
    if (!kafka)
        abort();
    kafka->loop = options->loop;
    kafka->log = options->log;
    kafka->settings = options->settings;
    kafka->client_id = strdup(options->client_id);
    kafka->prefix_len = strlen(options->settings->topic_prefix);
    kafka->own_registry = options->metrics ? NULL : tl_metrics_create();
    kafka->registry = options->metrics ? options->metrics : kafka->own_registry;
    tl_metrics_add(kafka->registry, kafka_metrics, &kafka->metrics);
    *ret_kafka = kafka;
    return TL_OK;
}

void tl_kafka_destroy(struct tl_kafka *kafka)
{
    if (!kafka)
        return;
    tl_offsets_destroy(kafka->offsets);
    tl_metrics_remove(kafka->registry, &kafka->metrics);
    if (kafka->own_registry)
        tl_metrics_destroy(kafka->own_registry);
    free(kafka->client_id);
    free(kafka);
}

uv_loop_t *tl_kafka_loop(struct tl_kafka *kafka)
{
    return kafka->loop;
}

const struct tl_log *tl_kafka_log(const struct tl_kafka *kafka)
{
    return kafka->log;
}

const char *tl_kafka_prefix(const struct tl_kafka *kafka)
{
    return kafka->settings->topic_prefix;
}

const char *tl_kafka_client_id(const struct tl_kafka *kafka)
{
    return kafka->client_id;
}

bool tl_kafka_has_stuck_handle(const struct tl_kafka *kafka)
{
    return kafka->stuck;
}

enum tl_status tl_kafka_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return TL_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return TL_INVALID;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return TL_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return TL_DENIED;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__CONFLICT:
        return TL_CONFLICT;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FENCED:
        return TL_FATAL;
    default:
        return TL_RETRY;
    }
}

enum tl_status tl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                 struct tl_error *err)
{
    char why[256];

    /* The value may be a password: librdkafka's text, which quotes it, is not passed on. */
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        return tl_fail(err, TL_INVALID, "librdkafka refuses property %s or its value", name);
    return TL_OK;
}

enum tl_status tl_kafka_conf_set_int(rd_kafka_conf_t *conf, const char *name, int64_t value,
                                     struct tl_error *err)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRId64, value); /* always fits */
    return tl_kafka_conf_set(conf, name, text, err);
}

enum tl_status tl_kafka_conf_properties(rd_kafka_conf_t *conf,
                                        const struct tl_kafka_settings *settings,
                                        struct tl_error *err)
{
    for (size_t i = 0; i < settings->properties.len; i++) {
        const char *item = settings->properties.item[i];
        const char *equals = strchr(item, '=');
        char name[128];

        if (!equals || equals == item || (size_t)(equals - item) >= sizeof(name))
            return tl_fail(err, TL_INVALID, "kafka.properties: item %zu is not name=value", i + 1);
        memcpy(name, item, (size_t)(equals - item));
        name[equals - item] = '\0';
        if (tl_kafka_conf_set(conf, name, equals + 1, err) != TL_OK)
            return tl_fail_prefix(err, "kafka.properties");
    }
    return TL_OK;
}

/* The same for every handle; reasons in lib/kafka/README.md. */
static const char *const COMMON_PROPERTIES[][2] = {
    {"socket.nagle.disable", "true"}, /* else delayed ACKs add up to 40 ms */
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "500"}, /* its 10 s delay recovery from a broker's restart */
    {"topic.metadata.refresh.fast.interval.ms", "50"},
    {"topic.metadata.refresh.interval.ms", "30000"}, /* mailboxes may grow */
    {"log.queue", "true"},                           /* log lines come on the loop, as events */
};

static const char *const PRODUCE_PROPERTIES[][2] = {
    {"enable.idempotence", "true"}, /* with acks=all; else retries reorder */
    {"partitioner", "murmur2_random"},
};

static const char *const READ_PROPERTIES[][2] = {
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},   /* an offset outside the log is never mended in silence */
    {"fetch.error.backoff.ms", "20"}, /* a leader change costs that long */
    {"allow.auto.create.topics", "false"},
};

static enum tl_status set_all(rd_kafka_conf_t *conf, const char *const (*rows)[2], size_t len,
                              struct tl_error *err)
{
    for (size_t i = 0; i < len; i++) {
        enum tl_status st = tl_kafka_conf_set(conf, rows[i][0], rows[i][1], err);

        if (st != TL_OK)
            return st;
    }
    return TL_OK;
}

enum tl_status tl_kafka_conf_create(const struct tl_kafka_settings *settings, const char *client_id,
                                    enum tl_kafka_use use, rd_kafka_conf_t **ret_conf,
                                    struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum tl_status st;

    if ((st = tl_kafka_conf_set(conf, "bootstrap.servers", settings->brokers, err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "client.id", client_id, err)) != TL_OK ||
        (st = set_all(conf, COMMON_PROPERTIES, TL_ARRAY_LEN(COMMON_PROPERTIES), err)) != TL_OK)
        return st;
    if (use == TL_KAFKA_PRODUCE)
        st = set_all(conf, PRODUCE_PROPERTIES, TL_ARRAY_LEN(PRODUCE_PROPERTIES), err);
    else
        st = set_all(conf, READ_PROPERTIES, TL_ARRAY_LEN(READ_PROPERTIES), err);
    if (st != TL_OK)
        return st;
    *ret_conf = TL_TAKE(conf);
    return TL_OK;
}

enum tl_status tl_kafka_handle_create(rd_kafka_type_t type, rd_kafka_conf_t **conf,
                                      rd_kafka_t **ret_rk, struct tl_error *err)
{
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(type, *conf, why, sizeof(why));

    if (!rk)
        return tl_fail(err, TL_INVALID, "librdkafka: %s", why);
    *conf = NULL; /* rk has it now */
    *ret_rk = rk;
    return TL_OK;
}

static void *destroy_thread(void *arg)
{
    rd_kafka_destroy_flags(arg, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

bool tl_kafka_handle_destroy(struct tl_kafka *kafka, const char *name, rd_kafka_t *rk,
                             int64_t deadline_ms)
{
    pthread_t thread;
    struct timespec until;

    if (pthread_create(&thread, NULL, destroy_thread, rk) != 0) {
        rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        return true;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += deadline_ms / 1000;
    until.tv_nsec += deadline_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return true;
    (void)pthread_detach(thread);
    kafka->stuck = true;
    tl_log_warn(kafka->log, "kafka.handle_stuck", TL_STR("client", name),
                TL_INT("deadline_ms", deadline_ms));
    return false;
}

enum tl_status tl_kafka_full_topic(const char *prefix, const char *topic,
                                   char ret_full[TL_KAFKA_TOPIC_MAX + 1], struct tl_error *err)
{
    int n = snprintf(ret_full, TL_KAFKA_TOPIC_MAX + 1, "%s%s", prefix, topic);

    if (n < 0 || n > TL_KAFKA_TOPIC_MAX)
        return tl_fail(err, TL_INVALID, "topic %.60s: name is too long", topic);
    return TL_OK;
}

const char *tl_kafka_short_topic(const struct tl_kafka *kafka, const char *full)
{
    if (strncmp(full, kafka->settings->topic_prefix, kafka->prefix_len) == 0)
        return full + kafka->prefix_len;
    return full;
}

bool tl_kafka_log_event(struct tl_kafka *kafka, const char *name, rd_kafka_event_t *event)
{
    const char *facility = "", *text = "";
    int level = 7;

    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_LOG)
        return false;
    if (rd_kafka_event_log(event, &facility, &text, &level) != 0)
        return true;
    /* Levels of syslog: 3 is an error. Nobody else hears of a broker that is away. */
    if (level <= 3)
        tl_log_warn(kafka->log, "kafka.library", TL_STR("client", name),
                    TL_STR("facility", facility), TL_STR("text", text));
    else
        tl_log_debug(kafka->log, "kafka.library", TL_STR("client", name),
                     TL_STR("facility", facility), TL_STR("text", text));
    return true;
}
