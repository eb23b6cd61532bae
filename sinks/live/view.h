#ifndef TL_SINKS_VIEW_H
#define TL_SINKS_VIEW_H

#include <jansson.h>

#include "sinks/feed/feed.h"

/** What a batch becomes in Redis, for the script: {"moves": [["partition", "expected", "next"] …],
 *  "calls": [{"id", "business", "closed", "fields": [name, value …]} …]}; all texts. Pure; a new
 *  reference. */
json_t *tl_live_view_make(const struct tl_feed_batch *batch);

#endif
