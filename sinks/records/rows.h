#ifndef TL_SINKS_ROWS_H
#define TL_SINKS_ROWS_H

#include <jansson.h>

#include "sinks/feed/feed.h"

/** What a batch becomes in the tables. Pure. Each is a JSON array of rows whose members are named
 * as the columns; times are milliseconds since 1970 (…_ms), 0 or "" for null. */
struct tl_rows {
    json_t *calls;
    json_t *interactions;
    json_t *usage;
};

void tl_rows_make(const struct tl_feed_batch *batch, struct tl_rows *ret_rows);
void tl_rows_finish(struct tl_rows *rows);

#endif
