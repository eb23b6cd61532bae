#ifndef TL_SINKS_LIVE_H
#define TL_SINKS_LIVE_H

#include "sinks/sink.h"

/** From calls.v1 into Redis: the calls that are spoken now. */
struct tl_live;

/** Connects; reading begins with tl_live_start. */
TL_MUST_CHECK enum tl_status tl_live_create(struct tl_sink *sink, struct tl_live **ret_live,
                                            struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_live_start(struct tl_live *live, struct tl_error *err);
bool tl_live_is_ready(const struct tl_live *live, char *reason, size_t size);
void tl_live_stop(struct tl_live *live);    /* leaves the group; while Kafka is there */
void tl_live_destroy(struct tl_live *live); /* after the fleet; accepts NULL */

#endif
