#ifndef TL_FLEET_STORY_H
#define TL_FLEET_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kafka/producer.h"

/** Events of one call on their way to the log, in order: each is sent again until it stands there ("what
 *  is produced twice is the same record": its id is chosen once). What is sent again may stand in the log
 *  twice, and behind a later one that got through: both need an outage of kafka.message_timeout. Loop
 *  thread only. */
struct tl_story;

/** Queues a value; as tl_producer_send. */
typedef enum tl_status (*tl_story_send_fn)(void *arg, const char *call_id, struct tl_bytes value,
                                           tl_delivery_fn on_delivery, void *delivery_arg,
                                           struct tl_error *err);

/** All stories of a process. */
struct tl_stories {
    uv_loop_t *loop;
    const struct tl_log *log;
    tl_story_send_fn send;
    void *arg;
    struct tl_counter *repeats; /* events that were sent again; may be NULL */
    struct tl_story *all;
};

/** Events that do not stand in the log yet, held ones aside: a process that leaves waits for them. */
size_t tl_stories_pending(const struct tl_stories *stories);

/** Frees what is left; events that never got into the log are counted and told. Behind the producer's end. */
void tl_stories_finish(struct tl_stories *stories);

struct tl_story *tl_story_create(struct tl_stories *stories, const char *call_id);

/** Adds an event, encoded; copied. on_logged (may be NULL) runs once: TL_OK with its offset; TL_INVALID:
 *  refused for good, perhaps from within this call; TL_CONFLICT: it was discarded, or the story was left
 *  before, from within those. */
void tl_story_add(struct tl_story *story, struct tl_bytes value, tl_delivery_fn on_logged, void *arg);

/** From here on events are kept back, for they may not count: until released or discarded. */
void tl_story_hold(struct tl_story *story);
void tl_story_release(struct tl_story *story);
void tl_story_discard(struct tl_story *story); /* and the story is not held any more */

/** The owner goes: what is held is discarded, the rest gets into the log, then the story frees itself.
 *  Accepts NULL. */
void tl_story_leave(struct tl_story *story);

#endif
