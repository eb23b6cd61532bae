#ifndef TL_KAFKA_GROUP_H
#define TL_KAFKA_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kafka/record.h"

struct tl_kafka;

/** A member of a consumer group (range assignor), for sinks. Loop thread only. */
struct tl_group;

#define TL_GROUP_COMMITTED (-1001) /* start where the group's committed offset stands */
#define TL_GROUP_BEGINNING (-2)
#define TL_GROUP_END (-1)

struct tl_group_partition {
    const char *topic; /* without prefix; borrowed until the callback returns */
    int32_t partition;
    int64_t offset; /* where to start: an offset or one of the three above */
};

/** What the group gave to this member. Fill in offsets and call tl_group_assign, now or when the
 *  database has answered; `generation` tells a late answer from a present one. Nothing is read
 *  before that. */
typedef void (*tl_group_assign_fn)(void *arg, int64_t generation,
                                   const struct tl_group_partition *partitions, size_t len);

/** These are taken away (always all of them): forget what is buffered. Stored offsets are committed
 *  after this returns. `lost`: another member may have them already, nothing is committed. */
typedef void (*tl_group_revoke_fn)(void *arg, const struct tl_group_partition *partitions,
                                   size_t len, bool lost);

/** TL_CONFLICT: offset outside the log, the partition stands still (as in tail.h); TL_FATAL: it
 *  cannot go on; else it goes on by itself. A member that is fenced (another one came with its
 *  instance id) loses its partitions and joins again 3 s later: two such members take turns, so a
 *  process that was replaced must end by other means (member.h). */
typedef void (*tl_group_error_fn)(void *arg, const char *topic, int32_t partition,
                                  const struct tl_error *err);

struct tl_group_options {
    const char *group_id;      /* without prefix: "records"; the topic prefix is put before it */
    const char *instance_id;   /* static membership, "records-0"; NULL: dynamic */
    const char *const *topics; /* without prefix, NULL at the end */
    bool from_end;         /* TL_GROUP_COMMITTED without a committed offset: end, else beginning */
    bool read_uncommitted; /* default: committed only */
    int64_t commit_interval_ms;   /* of stored offsets; 0: 1 s */
    tl_group_assign_fn on_assign; /* NULL: assigned at once from committed offsets */
    tl_group_revoke_fn on_revoke; /* may be NULL */
    tl_record_fn on_record;
    tl_group_error_fn on_error; /* may be NULL */
    void *arg;
};

TL_MUST_CHECK enum tl_status tl_group_create(struct tl_kafka *kafka,
                                             const struct tl_group_options *options,
                                             struct tl_group **ret_group, struct tl_error *err);

/** Takes up an assignment. TL_CONFLICT: it is not the present one any more, ignore it. */
TL_MUST_CHECK enum tl_status tl_group_assign(struct tl_group *group, int64_t generation,
                                             const struct tl_group_partition *partitions,
                                             size_t len, struct tl_error *err);

/** All records before next_offset are done with. Committed every commit_interval_ms, on revoke and
 *  at destroy. Ignored for partitions that are not ours any more. */
void tl_group_store(struct tl_group *group, const char *topic, int32_t partition,
                    int64_t next_offset);

void tl_group_pause(struct tl_group *group, const char *topic, int32_t partition);
void tl_group_resume(struct tl_group *group, const char *topic, int32_t partition);

/** Hand out again from this offset on (after a failed batch): drops what was read ahead. */
TL_MUST_CHECK enum tl_status tl_group_seek(struct tl_group *group, const char *topic,
                                           int32_t partition, int64_t offset, struct tl_error *err);

/** Leaves: on_revoke comes, stored offsets are committed. Blocks up to deadline_ms; if librdkafka
 *  hangs by then it is left behind (tl_kafka_has_stuck_handle). Accepts NULL. Not from a callback
 *  of this group. */
void tl_group_destroy(struct tl_group *group, int64_t deadline_ms);

#endif
