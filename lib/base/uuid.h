#ifndef TL_BASE_UUID_H
#define TL_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TL_UUID_TEXT_LEN 36

/** RFC 9562, bytes in network order. */
struct tl_uuid {
    uint8_t byte[16];
};

/* The project's namespaces for version 5: never change them, ids in the topics depend on it. */
extern const struct tl_uuid tl_uuid_ns_call;  /* name: the CallSid of an inbound call */
extern const struct tl_uuid tl_uuid_ns_event; /* name: source event id, role, topic, ordinal */

struct tl_uuid tl_uuid_v4(void); /* random; aborts when the kernel has no randomness */
struct tl_uuid tl_uuid_v5(const struct tl_uuid *ns, const void *name, size_t len);

/** Lower case, NUL-terminated: char text[TL_UUID_TEXT_LEN + 1]. */
void tl_uuid_format(const struct tl_uuid *uuid, char *ret_text);

/** Exactly 36 characters 8-4-4-4-12, either case; no braces, no "urn:uuid:". Any version.
 *  TL_INVALID: anything else. */
TL_MUST_CHECK enum tl_status tl_uuid_parse(const char *text, size_t len, struct tl_uuid *ret_uuid,
                                           struct tl_error *err);

bool tl_uuid_equal(const struct tl_uuid *a, const struct tl_uuid *b);

#endif
