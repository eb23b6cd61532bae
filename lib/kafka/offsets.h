#ifndef TL_KAFKA_OFFSETS_H
#define TL_KAFKA_OFFSETS_H

#include <stdint.h>

#include "base/error.h"

struct tl_kafka;

/* Questions about offsets. librdkafka 2.0.2 only has blocking calls for them, so each runs on
 * libuv's worker threads, one at a time per process, and answers on the loop. */

struct tl_offsets_query;

/** TL_OK; TL_RETRY: not within the deadline; TL_NOT_FOUND: no such topic or partition. */
typedef void (*tl_offset_fn)(void *arg, enum tl_status status, int64_t offset, const char *error);

/** Offset of the first record of the partition with this timestamp (ms) or a later one; the end of
 *  the log if there is none. on_answer comes exactly once, from the loop, unless cancelled. */
TL_MUST_CHECK enum tl_status tl_offset_of_time(struct tl_kafka *kafka, const char *topic,
                                               int32_t partition, int64_t timestamp_ms,
                                               int64_t deadline_ms, tl_offset_fn on_answer,
                                               void *arg, struct tl_offsets_query **ret_query,
                                               struct tl_error *err);

/** High watermark, transactions or not: the offset that the next record will get. */
TL_MUST_CHECK enum tl_status tl_offset_of_end(struct tl_kafka *kafka, const char *topic,
                                              int32_t partition, int64_t deadline_ms,
                                              tl_offset_fn on_answer, void *arg,
                                              struct tl_offsets_query **ret_query,
                                              struct tl_error *err);

/** Offset of the first record that is still there. */
TL_MUST_CHECK enum tl_status tl_offset_of_beginning(struct tl_kafka *kafka, const char *topic,
                                                    int32_t partition, int64_t deadline_ms,
                                                    tl_offset_fn on_answer, void *arg,
                                                    struct tl_offsets_query **ret_query,
                                                    struct tl_error *err);

/** The answer will not come. Accepts NULL; not after on_answer has run. */
void tl_offsets_query_cancel(struct tl_offsets_query *query);

#endif
