#ifndef TL_KAFKA_TAIL_H
#define TL_KAFKA_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kafka/record.h"

struct tl_kafka;

/** A reader of partitions that it is told, from offsets that it is told, in no consumer group.
 *  Records of a partition come in order; at most kafka.turn_max_records a loop turn. Loop thread
 *  only, callbacks included; add, remove, pause and destroy may be called from them. */
struct tl_tail;

enum tl_tail_from {
    TL_FROM_OFFSET, /* at: an offset, 0 or more */
    TL_FROM_BEGINNING,
    TL_FROM_END,  /* what is written from about now on */
    TL_FROM_TIME, /* at: first record with this timestamp (ms) or a later one; else the end */
};

struct tl_tail_start {
    enum tl_tail_from from;
    int64_t at;
};

/** Trouble with one partition, or with all (topic NULL, partition -1).
 *  TL_CONFLICT: the offset is outside the log. Nothing more comes from the partition until it is
 *  removed and added: the offset is never reset in silence.
 *  TL_NOT_FOUND: no such topic or partition; goes on by itself when it appears.
 *  TL_DENIED; TL_RETRY: brokers away and so on, goes on by itself. `err` is borrowed. */
typedef void (*tl_tail_error_fn)(void *arg, const char *topic, int32_t partition,
                                 const struct tl_error *err);

/** The partition has been read to its end; next_offset is where the next record will stand. Again
 *  whenever it catches up. */
typedef void (*tl_tail_end_fn)(void *arg, const char *topic, int32_t partition,
                               int64_t next_offset);

struct tl_tail_options {
    const char *name;          /* in logs and metrics: "mailbox", "config" */
    bool read_committed;       /* skip aborted transactions, stop before open ones; else all */
    int64_t fetch_wait_max_ms; /* 0: kafka.fetch_wait_max_ms */
    tl_record_fn on_record;
    tl_tail_end_fn on_end;     /* NULL: not wanted, and costs nothing */
    tl_tail_error_fn on_error; /* NULL: counted only */
    void *arg;
};

TL_MUST_CHECK enum tl_status tl_tail_create(struct tl_kafka *kafka,
                                            const struct tl_tail_options *options,
                                            struct tl_tail **ret_tail, struct tl_error *err);

/** No callback comes after this. Accepts NULL. */
void tl_tail_destroy(struct tl_tail *tail);

/** Begins to read a partition ("calls.v1", without prefix). TL_CONFLICT: it is being read already.
 *  Whether topic and offset exist shows later, by on_error. Add in one loop turn what belongs
 *  together: a partition that comes later waits for the fetch under way, fetch_wait_max_ms at most
 *  (so does resume). */
TL_MUST_CHECK enum tl_status tl_tail_add(struct tl_tail *tail, const char *topic, int32_t partition,
                                         struct tl_tail_start start, struct tl_error *err);

/** No record of it comes after this. Unknown ones are ignored. */
void tl_tail_remove(struct tl_tail *tail, const char *topic, int32_t partition);

/** No record comes until resume; then the next one. Unknown ones are ignored. The record that is
 *  being handled counts as handled: to get it again use remove and add. */
void tl_tail_pause(struct tl_tail *tail, const char *topic, int32_t partition);
void tl_tail_resume(struct tl_tail *tail, const char *topic, int32_t partition);

/** Offset of the next record that will be handed out; while on_record runs, one more than that
 *  record's. -1: not known (started at the end or by time, nothing read yet) or not read here. */
int64_t tl_tail_position(const struct tl_tail *tail, const char *topic, int32_t partition);

#endif
