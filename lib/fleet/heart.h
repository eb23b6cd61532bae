#ifndef TL_FLEET_HEART_H
#define TL_FLEET_HEART_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/presence.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/presence.h"
#include "kafka/client.h"
#include "kafka/schemas.h"

/** The heartbeat of a process, and what it hears of the others': presence.v1 in both directions.
 * The view decides (call/presence.h), this carries bytes, counts and tells. Loop thread only. */
struct tl_heart;

struct tl_heart_options {
    struct tl_kafka *kafka;
    const struct tl_log *log;
    struct tl_metrics *metrics;
    struct tl_schema_set *schemas;
    enum tl_instance_kind kind; /* TL_INSTANCE_KIND_UNKNOWN: listens only */
    int number;
    void (*fill)(void *arg, struct tl_presence *own); /* the load of this heartbeat */
    /** A record was taken in; changed: somebody came, went, or drains. The own number under a
     * higher epoch shows in the view. */
    void (*on_record)(void *arg, bool changed);
    void *arg;
};

TL_MUST_CHECK enum tl_status tl_heart_create(const struct tl_heart_options *options,
                                             struct tl_heart **ret_heart, struct tl_error *err);

/** Sends what is under way for up to deadline_ms. Accepts NULL. */
void tl_heart_destroy(struct tl_heart *heart, int64_t deadline_ms);

/** Begins to listen and to beat. Once, when the schema set knows presence.v1. */
TL_MUST_CHECK enum tl_status tl_heart_start(struct tl_heart *heart, struct tl_error *err);

/** Beats now, or as soon as the one under way is in the log: load changed, draining began. */
void tl_heart_beat(struct tl_heart *heart);

struct tl_presence_view *tl_heart_view(struct tl_heart *heart);
int64_t tl_heart_epoch(const struct tl_heart *heart); /* -1 until the first beat is in the log */

/** Own records that came back, and when the last one did (monotonic; 0: never). */
int tl_heart_seen(const struct tl_heart *heart);
int64_t tl_heart_last_seen_ms(const struct tl_heart *heart);

#endif
