#ifndef TL_KAFKA_SCAN_H
#define TL_KAFKA_SCAN_H

#include <stdint.h>

#include "base/error.h"
#include "kafka/record.h"

struct tl_kafka;

/** Bounded reads of what is in the log already, for take-over. All scans of a process share one
 *  consumer; scans of the same partition share one read: who comes with an earlier start makes it
 *  go back, and nobody sees a record twice. Reads uncommitted. Loop thread only. */
struct tl_scanner;

/** One scan; gone when its on_done has run or when cancelled. */
struct tl_scan;

#define TL_SCAN_TO_END (-1) /* to the end of the log as it is when the scan gets there */

/** TL_OK: every record from the start to `until` was handed out.
 *  TL_CONFLICT: the start is outside the log (already deleted). TL_NOT_FOUND: no such topic or
 *  partition. TL_RETRY: not done by the deadline. `err` is borrowed; its text is "" with TL_OK. */
typedef void (*tl_scan_done_fn)(void *arg, enum tl_status status, const struct tl_error *err);

struct tl_scan_options {
    const char *topic; /* without prefix */
    int32_t partition;
    int64_t from_offset;  /* first record wanted; -1: find it by from_time_ms */
    int64_t from_time_ms; /* records before it may come too: look at the key */
    int64_t until_offset; /* first record not wanted any more, or TL_SCAN_TO_END */
    int64_t deadline_ms;  /* from now; 0: 10 s */
    tl_record_fn on_record;
    tl_scan_done_fn on_done; /* exactly once, from the loop, unless cancelled */
    void *arg;
};

TL_MUST_CHECK enum tl_status
tl_scanner_create(struct tl_kafka *kafka, struct tl_scanner **ret_scanner, struct tl_error *err);
void tl_scanner_destroy(struct tl_scanner *scanner); /* cancels its scans; accepts NULL */

TL_MUST_CHECK enum tl_status tl_scan_start(struct tl_scanner *scanner,
                                           const struct tl_scan_options *options,
                                           struct tl_scan **ret_scan, struct tl_error *err);

/** No callback of it comes any more. Accepts NULL; also from its on_record, not from on_done. */
void tl_scan_cancel(struct tl_scan *scan);

#endif
