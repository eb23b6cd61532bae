#ifndef TL_FLEET_FLEET_H
#define TL_FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "avro/presence.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/presence.h"
#include "fleet/story.h"
#include "kafka/client.h"
#include "kafka/producer.h"
#include "kafka/registry.h"
#include "kafka/schemas.h"
#include "kafka/table.h"
#include "net/net.h"

/** What every process of the data plane has to do with Kafka: client, schema ids, the table
 *  config.v1, a producer of events, and (for those with a mailbox) its presence and that of the
 *  others. Loop thread only. */
struct tl_fleet;

struct tl_fleet_options {
    struct tl_net *net;
    const struct tl_log *log;
    struct tl_metrics *metrics;
    const struct tl_kafka_settings *kafka;       /* borrowed */
    const struct tl_registry_settings *registry; /* borrowed */
    const char *name;                            /* "ingest-0"; borrowed */
    enum tl_instance_kind kind; /* TL_INSTANCE_KIND_UNKNOWN: no presence of its own */
    int number;
    const char *mailbox_topic; /* its partition `number` must exist; NULL: no mailbox */
    void (*on_ready)(void *arg); /* once: table, ids and presence are there */
    void (*on_change)(void *arg); /* somebody came, went, or drains */
    void (*on_superseded)(void *arg); /* the own number runs under a higher epoch: exit */
    void (*fill)(void *arg, struct tl_presence *own); /* the load of this heartbeat */
    void (*on_config)(void *arg, const struct tl_config_entry *entry); /* may be NULL */
    void *arg;
};

/** Asks the brokers first, and blocks for up to 10 s: call it before the loop runs. TL_INVALID, with
 *  the command that mends it: call-keyed topics with different partitions, or no such mailbox. */
TL_MUST_CHECK enum tl_status tl_fleet_create(const struct tl_fleet_options *options,
                                             struct tl_fleet **ret_fleet, struct tl_error *err);

/** Flushes the producer for up to 3 s. Accepts NULL. */
void tl_fleet_destroy(struct tl_fleet *fleet);

bool tl_fleet_is_ready(const struct tl_fleet *fleet, char *reason, size_t size);

struct tl_kafka *tl_fleet_kafka(struct tl_fleet *fleet);
struct tl_schema_set *tl_fleet_schemas(struct tl_fleet *fleet);
struct tl_config_table *tl_fleet_table(struct tl_fleet *fleet);
struct tl_presence_view *tl_fleet_view(struct tl_fleet *fleet);
struct tl_producer *tl_fleet_events(struct tl_fleet *fleet);
const char *tl_fleet_name(const struct tl_fleet *fleet);
int64_t tl_fleet_epoch(const struct tl_fleet *fleet); /* -1 before ready */

/** Monotonic ms at which an own presence record was last seen in the log; 0: never. */
int64_t tl_fleet_last_seen_ms(const struct tl_fleet *fleet);

/** Heartbeat now instead of at the next eighth of a second: load changed, draining began. */
void tl_fleet_beat(struct tl_fleet *fleet);

/** Sends an event of a call, keyed by its id; `producer`, `epoch`, `at` and, where it is NULL, a
 *  random `event_id` are filled in. Statuses as tl_producer_send and tl_record_encode. */
TL_MUST_CHECK enum tl_status tl_fleet_send_event(struct tl_fleet *fleet, struct tl_call_event *event,
                                                 tl_delivery_fn on_delivery, void *arg,
                                                 struct tl_error *err);

/** The same by the call's story, which sends it until it stands in the log; on_logged as tl_story_add. An
 *  event that cannot be encoded is told in the log and dropped: TL_INVALID. */
void tl_fleet_tell(struct tl_fleet *fleet, struct tl_story *story, struct tl_call_event *event,
                   tl_delivery_fn on_logged, void *arg);
struct tl_stories *tl_fleet_stories(struct tl_fleet *fleet);

/** Partition of a call in all call-keyed topics. */
int32_t tl_fleet_partition_of(const struct tl_fleet *fleet, const char *call_id);
int32_t tl_fleet_partitions(const struct tl_fleet *fleet); /* of each call-keyed topic */

/** Active entry of a business at a version (0: the newest), or NULL. */
const struct tl_business *tl_fleet_business(struct tl_fleet *fleet, const char *business_id,
                                            int version);

#endif
