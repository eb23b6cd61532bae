#ifndef TL_KAFKA_CLIENT_H
#define TL_KAFKA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kafka/settings.h"

#define TL_KAFKA_TOPIC_MAX 249 /* bytes of a topic's full name, Kafka's own limit */

/** Kafka of one process: loop, log, settings and metrics of all the handles that are made from it.
 *  Loop thread only. It must outlive them. */
struct tl_kafka;

struct tl_kafka_options {
    uv_loop_t *loop;                          /* borrowed */
    const struct tl_log *log;                 /* borrowed */
    struct tl_metrics *metrics;               /* may be NULL; trunkline_kafka_* are added */
    const struct tl_kafka_settings *settings; /* borrowed */
    const char *client_id;                    /* name of the process, "ingest-0"; copied */
};

TL_MUST_CHECK enum tl_status tl_kafka_create(const struct tl_kafka_options *options,
                                             struct tl_kafka **ret_kafka, struct tl_error *err);

/** After all producers, tails and so on. As everywhere in this library, libuv handles are freed by
 *  a later turn of the loop: run it once more before uv_loop_close. Accepts NULL. */
void tl_kafka_destroy(struct tl_kafka *kafka);
static inline void tl_kafka_destroyp(struct tl_kafka **kafka)
{
    tl_kafka_destroy(*kafka);
}

uv_loop_t *tl_kafka_loop(struct tl_kafka *kafka);
const struct tl_log *tl_kafka_log(const struct tl_kafka *kafka);
const char *tl_kafka_prefix(const struct tl_kafka *kafka); /* "trunkline." */
const char *tl_kafka_client_id(const struct tl_kafka *kafka);

/** True when a handle was left behind at destroy because librdkafka hung (bugs of its close): the
 *  process should leave by _exit, not by exit. */
bool tl_kafka_has_stuck_handle(const struct tl_kafka *kafka);

#endif
