#ifndef TL_KAFKA_RECORD_H
#define TL_KAFKA_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/** A record as it was read. All of it is borrowed until the callback that got it returns. */
struct tl_record {
    const char *topic; /* without the prefix: "calls.v1" */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;  /* of the record; -1 when it has none */
    struct tl_bytes key;   /* data NULL: no key */
    struct tl_bytes value; /* data NULL: a tombstone */
    const void *message;   /* for the header verbs; NULL in tests: no headers */
};

/** A header's value; the last one of that name counts. False when there is none. A null value is
 *  true with data NULL. */
bool tl_record_header(const struct tl_record *record, const char *name, struct tl_bytes *ret_value);

/** Header number i from 0, in order; false behind the last. */
bool tl_record_header_at(const struct tl_record *record, size_t i, const char **ret_name,
                         struct tl_bytes *ret_value);

typedef void (*tl_record_fn)(void *arg, const struct tl_record *record);

#endif
