#ifndef TL_REDACT_DETECT_H
#define TL_REDACT_DETECT_H

#include "redact/context.h"
#include "redact/digits.h"
#include "redact/entity.h"
#include "redact/validate.h"

#define TL_FOUND_MAX 16

/** A value found in a segment. */
struct tl_found {
    size_t first; /* digits of the stream */
    size_t end;
    enum tl_entity_type type; /* TL_ENTITY_TYPES: known to be harmless, stays clear */
    double confidence;
    uint8_t value[TL_RUN_MAX]; /* its digits, without those that were taken back */
    size_t value_n;
};

struct tl_detect {
    const struct tl_cues *cues;
    const char *const *own; /* two numbers of the call, or NULLs */
    int year;
    bool customer; /* speaks */
};

/** What the digits of a segment are. Fills at most TL_FOUND_MAX, in order; when there are more the
 *  last one covers the rest. A card comes before everything else. */
size_t tl_detect_segment(const struct tl_detect *in, const struct tl_digits *ds,
                         const struct tl_segment *seg, bool after_card,
                         struct tl_found found[TL_FOUND_MAX]);

#endif
