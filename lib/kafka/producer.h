#ifndef TL_KAFKA_PRODUCER_H
#define TL_KAFKA_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct tl_kafka;

/** An idempotent producer (acks=all). Loop thread only, callbacks included. A process has one for
 *  events and, where it sends sound, one for media. */
struct tl_producer;

/** A topic that a producer knows already: the first record to a topic that it does not would wait
 *  for most of a second. Lives as long as its producer. */
struct tl_producer_topic;

#define TL_PARTITION_BY_KEY (-1) /* murmur2_random: as the Java client does */

/** What became of a record. TL_OK: it is in the log, at partition and offset (offset -1: it is, but
 *  the broker could not say where; only after a disconnect with over five batches under way).
 *  TL_RETRY: nobody knows, or it timed out: it may stand in the log all the same, so send it again
 *  only if twice does no harm. TL_INVALID: refused (too large). TL_NOT_FOUND: no such topic or
 *  partition. TL_DENIED. `error` is "" with TL_OK and borrowed. */
struct tl_delivery {
    enum tl_status status;
    const char *error;
    int32_t partition;
    int64_t offset;
};

typedef void (*tl_delivery_fn)(void *arg, const struct tl_delivery *delivery);
typedef void (*tl_producer_fatal_fn)(void *arg, const struct tl_error *err);

struct tl_producer_options {
    const char *name;           /* in logs and metrics: "events", "media" */
    int64_t linger_ms;          /* 0: kafka.linger_ms; never really 0: that costs CPU and latency */
    int64_t message_timeout_ms; /* 0: kafka.message_timeout_ms */
    const char *compression;    /* "none", "lz4", "zstd"; NULL: none */
    /** librdkafka met a fatal error (idempotence broken, bug #4438). The producer has already
     *  failed what was under way (TL_RETRY) and started anew; this is for the log and for whoever
     *  wants to leave instead. May be NULL. */
    tl_producer_fatal_fn on_fatal;
    void *arg;
};

TL_MUST_CHECK enum tl_status tl_producer_create(struct tl_kafka *kafka,
                                                const struct tl_producer_options *options,
                                                struct tl_producer **ret_producer,
                                                struct tl_error *err);

/** Sends what is queued for up to deadline_ms (blocks so long at most, callbacks run), fails the
 *  rest with TL_RETRY, frees. Every accepted record has had its callback when this returns.
 *  Accepts NULL. Not from a callback of this producer. */
void tl_producer_destroy(struct tl_producer *producer, int64_t deadline_ms);

/** The topic without prefix, "calls.v1"; asked twice, the same handle. Starts to fetch its
 *  metadata, so call it at start for every output. */
TL_MUST_CHECK enum tl_status tl_producer_topic(struct tl_producer *producer, const char *topic,
                                               struct tl_producer_topic **ret_topic,
                                               struct tl_error *err);

struct tl_header {
    const char *name;
    struct tl_bytes value; /* data NULL: a null value */
};

/** What few records need. Headers: only with TL_PARTITION_BY_KEY (librdkafka bug #4628). */
struct tl_send_extra {
    int64_t timestamp_ms; /* 0: now */
    const struct tl_header *headers;
    size_t headers_len;
};

/** Queues a record; key, value and headers are copied. key.data NULL: no key; value.data NULL: a
 *  tombstone. on_delivery (may be NULL: failures are only counted) runs on the loop, never from
 *  within this call, exactly once if and only if this returns TL_OK.
 *  TL_RETRY: the queue is full or the producer is starting anew, try after the next callback or
 *  turn; TL_INVALID: larger than message.max.bytes; TL_NOT_FOUND: the topic has no such partition.
 */
TL_MUST_CHECK enum tl_status tl_producer_send(struct tl_producer_topic *topic, int32_t partition,
                                              struct tl_bytes key, struct tl_bytes value,
                                              const struct tl_send_extra *extra,
                                              tl_delivery_fn on_delivery, void *arg,
                                              struct tl_error *err);

struct tl_producer_stats {
    uint64_t records; /* accepted */
    uint64_t bytes;   /* of keys and values accepted */
    uint64_t delivered;
    uint64_t failed;
    uint64_t in_flight; /* accepted, callback not run yet */
    uint64_t rebuilds;  /* after fatal errors */
};
void tl_producer_stats(const struct tl_producer *producer, struct tl_producer_stats *ret_stats);

#endif
