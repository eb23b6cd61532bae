#ifndef TL_SINKS_FEED_H
#define TL_SINKS_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/error.h"
#include "base/metrics.h"
#include "fleet/fleet.h"
#include "sinks/fold/call_fold.h"

/** Reads calls.v1 as a consumer group and brings it into a store that keeps the position itself,
 *  in the same step as what it stores: every event that counts, once. See README.md. Loop thread
 *  only. */
struct tl_feed;

/** An event that counts. */
struct tl_feed_item {
    const struct tl_call_event *event;
    const struct tl_call_fold *call; /* as it is after the whole batch */
    int64_t offset;
    int32_t sequence; /* of a final utterance: its number in the call, from 1; else 0 */
};

/** The position of a partition moves: only from `expected` to `next`. */
struct tl_feed_move {
    int32_t partition;
    int64_t expected; /* -1: nothing was stored yet */
    int64_t next;
};

/** What is to be stored in one step. Borrowed until the answer. */
struct tl_feed_batch {
    const struct tl_feed_item *items;
    size_t items_n;
    struct tl_call_fold *const *calls; /* those that changed, each once */
    size_t calls_n;
    const struct tl_feed_move *moves;
    size_t moves_n;
};

/** Where it goes. The feed asks one thing at a time; each is answered exactly once by the verb that
 *  it names, from the loop, never from within. */
struct tl_feed_store {
    const char *name;    /* "records": also the consumer group */
    int64_t lookback_ms; /* where to begin without a position: so long ago; 0: at the beginning */
    /** Records that cannot be processed go to dead-letters.v1. One reader of a topic does that, or
     *  there would be as many letters as readers; the others skip them. */
    bool puts_aside;
    bool (*is_up)(void *self, char *reason, size_t size);

    /** tl_feed_answer_positions: next[i] of each partition; -1: none. */
    void (*read_positions)(void *self, const int32_t *partitions, size_t len);

    /** tl_feed_put_call for each call that is known, then tl_feed_answer. */
    void (*load)(void *self, const char *const *call_ids, size_t len);

    /** tl_feed_answer. TL_CONFLICT: a position was not as expected, nothing was stored. */
    void (*write)(void *self, const struct tl_feed_batch *batch);
    void *self;
};

struct tl_feed_metrics {
    struct tl_metric_vec events;     /* sink, verdict */
    struct tl_metric_vec letters;    /* sink */
    struct tl_metric_vec skipped;    /* sink */
    struct tl_metric_vec batches;    /* sink, status */
    struct tl_metric_vec batch_time; /* sink */
    struct tl_metric_vec lag;        /* sink: ms between an event and its being stored */
    struct tl_metric_vec calls;      /* sink: in memory */
    struct tl_metric_vec restarts;   /* sink, reason */
};
extern const struct tl_metric tl_feed_metric_rows[];

struct tl_feed_options {
    struct tl_fleet *fleet;
    uv_loop_t *loop;
    const struct tl_log *log;
    struct tl_feed_metrics *metrics; /* shared by the feeds of a process */
    const struct tl_feed_store *store;
    int instance;          /* static membership "records-0" */
    int64_t batch_records; /* at most in one step */
    int64_t batch_ms;      /* the first one waits so long at most for others */
    /** Cannot go on: offset outside the log, another member with this number, wrong SQL. */
    void (*on_fatal)(void *arg, const struct tl_error *err);
    void *arg;
};

/** The fleet must be ready. */
TL_MUST_CHECK enum tl_status tl_feed_create(const struct tl_feed_options *options,
                                            struct tl_feed **ret_feed, struct tl_error *err);

/** Leaves the group; answers that still come are ignored, so the store may end after it. */
void tl_feed_destroy(struct tl_feed *feed); /* accepts NULL */

/** True when it has partitions, or none fell to it, and the store is up. */
bool tl_feed_is_ready(const struct tl_feed *feed, char *reason, size_t size);

/* The store's answers. */
void tl_feed_answer_positions(struct tl_feed *feed, enum tl_status status, const int64_t *next,
                              const struct tl_error *err);
void tl_feed_put_call(struct tl_feed *feed, const char *call_id, const json_t *fold);
void tl_feed_put_closed(struct tl_feed *feed, const char *call_id); /* known, and closed */
void tl_feed_answer(struct tl_feed *feed, enum tl_status status, const struct tl_error *err);

#endif
