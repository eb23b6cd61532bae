#ifndef TL_KAFKA_INTERNAL_H
#define TL_KAFKA_INTERNAL_H

/* What the files of this library share; not for others. */

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <uv.h>

#include "kafka/client.h"
#include "kafka/record.h"

struct tl_offsets;

/** The metrics of all handles, labelled by the handle's name. */
struct tl_kafka_metrics {
    struct tl_metric_vec sent_records, sent_bytes, send_failures, send_rebuilds;
    struct tl_metric_vec received_records, received_bytes, errors;
    struct tl_metric_vec in_flight;
    struct tl_metric_vec delivery;
};

struct tl_kafka {
    uv_loop_t *loop;
    const struct tl_log *log;
    const struct tl_kafka_settings *settings;
    struct tl_metrics *registry;     /* where the metrics are: the process's */
    struct tl_metrics *own_registry; /* or this one; NULL then */
    struct tl_kafka_metrics metrics;
    char *client_id;
    size_t prefix_len;
    bool stuck;
    struct tl_offsets *offsets; /* made by the first question */
};

/** What becomes of the work, for an error of librdkafka. */
enum tl_status tl_kafka_status(rd_kafka_resp_err_t code);

enum tl_kafka_use {
    TL_KAFKA_PRODUCE,
    TL_KAFKA_READ,
};

/** A configuration with all that every handle needs; on success the caller's until rd_kafka_new. */
TL_MUST_CHECK enum tl_status tl_kafka_conf_create(const struct tl_kafka_settings *settings,
                                                  const char *client_id, enum tl_kafka_use use,
                                                  rd_kafka_conf_t **ret_conf, struct tl_error *err);
static inline void tl_kafka_conf_destroyp(rd_kafka_conf_t **conf)
{
    if (*conf)
        rd_kafka_conf_destroy(*conf);
}
TL_MUST_CHECK enum tl_status tl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                               const char *value, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_kafka_conf_set_int(rd_kafka_conf_t *conf, const char *name,
                                                   int64_t value, struct tl_error *err);
/** kafka.properties, last. */
TL_MUST_CHECK enum tl_status tl_kafka_conf_properties(rd_kafka_conf_t *conf,
                                                      const struct tl_kafka_settings *settings,
                                                      struct tl_error *err);

/** rd_kafka_new; takes *conf when it succeeds. */
TL_MUST_CHECK enum tl_status tl_kafka_handle_create(rd_kafka_type_t type, rd_kafka_conf_t **conf,
                                                    rd_kafka_t **ret_rk, struct tl_error *err);

/** Destroys a handle on a thread of its own and waits for it up to deadline_ms: librdkafka 2.0.2
 * can hang there. False: it was left behind, and the process is marked (tl_kafka_has_stuck_handle).
 */
bool tl_kafka_handle_destroy(struct tl_kafka *kafka, const char *name, rd_kafka_t *rk,
                             int64_t deadline_ms);
#define TL_KAFKA_DESTROY_MS 5000

/** Prefix and topic; TL_INVALID when too long. */
TL_MUST_CHECK enum tl_status tl_kafka_full_topic(const char *prefix, const char *topic,
                                                 char ret_full[TL_KAFKA_TOPIC_MAX + 1],
                                                 struct tl_error *err);

/** "trunkline.calls.v1" → "calls.v1"; points into `full`. */
const char *tl_kafka_short_topic(const struct tl_kafka *kafka, const char *full);

/** Logs of librdkafka; true when the event was one. */
bool tl_kafka_log_event(struct tl_kafka *kafka, const char *name, rd_kafka_event_t *event);

/** A consumed message as a record; borrows from the message. */
void tl_kafka_record_from(const char *short_topic, const rd_kafka_message_t *message,
                          struct tl_record *ret_record);

#endif
