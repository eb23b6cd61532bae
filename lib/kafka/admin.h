#ifndef TL_KAFKA_ADMIN_H
#define TL_KAFKA_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "codec/topic.h" /* struct tl_topic_config */
#include "kafka/settings.h"

/** Administration of topics. Every verb blocks, up to `timeout_ms` of create: for the command line
 *  and for checks at start, never on a running loop. Topics are named without prefix, and only
 *  those with the prefix are seen. */
struct tl_admin;

TL_MUST_CHECK enum tl_status tl_admin_create(const struct tl_kafka_settings *settings,
                                             const char *client_id, int64_t timeout_ms,
                                             struct tl_admin **ret_admin, struct tl_error *err);
void tl_admin_destroy(struct tl_admin *admin); /* accepts NULL */
static inline void tl_admin_destroyp(struct tl_admin **admin)
{
    tl_admin_destroy(*admin);
}

struct tl_topic_spec {
    const char *topic; /* "calls.v1" */
    int32_t partitions;
    int32_t replication;                   /* 0: the broker's default */
    const struct tl_topic_config *configs; /* {"cleanup.policy", "compact"} and so on */
    size_t configs_n;
};

/** Waits until its partitions have leaders. TL_CONFLICT: it exists already; TL_RETRY: brokers away;
 *  TL_INVALID: refused. */
TL_MUST_CHECK enum tl_status tl_admin_topic_create(struct tl_admin *admin,
                                                   const struct tl_topic_spec *spec,
                                                   struct tl_error *err);
/** To `partitions` altogether. TL_CONFLICT: it has as many or more. */
TL_MUST_CHECK enum tl_status tl_admin_topic_grow(struct tl_admin *admin, const char *topic,
                                                 int32_t partitions, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_admin_topic_delete(struct tl_admin *admin, const char *topic,
                                                   struct tl_error *err);

struct tl_topic_info {
    const char *topic; /* borrowed until the callback returns */
    int32_t partitions;
    int32_t replication;
};
typedef void (*tl_topic_info_fn)(void *arg, const struct tl_topic_info *info);
TL_MUST_CHECK enum tl_status tl_admin_topics_each(struct tl_admin *admin, tl_topic_info_fn fn,
                                                  void *arg, struct tl_error *err);

/** TL_NOT_FOUND: no such topic; the message names the command that creates it. */
TL_MUST_CHECK enum tl_status tl_admin_topic_partitions(struct tl_admin *admin, const char *topic,
                                                       int32_t *ret_partitions,
                                                       struct tl_error *err);

TL_MUST_CHECK enum tl_status tl_admin_watermarks(struct tl_admin *admin, const char *topic,
                                                 int32_t partition, int64_t *ret_low,
                                                 int64_t *ret_high, struct tl_error *err);

/** Id of the cluster, as its brokers tell it: offsets mean nothing in another one. TL_RETRY: away.
 */
TL_MUST_CHECK enum tl_status tl_admin_cluster_id(struct tl_admin *admin, char *ret_id, size_t size,
                                                 struct tl_error *err);

/** First offset at or after a time (ms); the end when there is none. */
TL_MUST_CHECK enum tl_status tl_admin_offset_of_time(struct tl_admin *admin, const char *topic,
                                                     int32_t partition, int64_t timestamp_ms,
                                                     int64_t *ret_offset, struct tl_error *err);

/** What a process checks at start. TL_INVALID, with the command that mends it, when the call-keyed
 *  topics (names, NULL at the end) differ in partitions, or when `mailbox_topic` (NULL: none) has
 *  no partition `number`. */
TL_MUST_CHECK enum tl_status tl_admin_check_start(struct tl_admin *admin,
                                                  const char *const *call_topics,
                                                  const char *mailbox_topic, int32_t number,
                                                  int32_t *ret_call_partitions,
                                                  struct tl_error *err);

#endif
