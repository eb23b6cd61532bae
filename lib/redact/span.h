#ifndef TL_REDACT_SPAN_H
#define TL_REDACT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/entity.h"

#define TL_SPANS_INLINE 16
#define TL_SPANS_MAX 2048 /* of one text; then stretches between are masked too */

/** A stretch of a text that is to be masked. */
struct tl_span {
    uint32_t start; /* bytes */
    uint32_t end;
    enum tl_entity_type type;
    unsigned n; /* 0: not yet numbered */
    double confidence;
    char last4[5];
};

/** Spans of one text, ascending, never overlapping. */
struct tl_spans {
    struct tl_span *span;
    size_t n;
    size_t cap;
    struct tl_span span_inline[TL_SPANS_INLINE];
};

void tl_spans_init(struct tl_spans *s);
void tl_spans_finish(struct tl_spans *s);

/** Adds a span. Where it overlaps others they become one, which keeps the identity of a card, else
 *  of the longest. */
void tl_spans_add(struct tl_spans *s, struct tl_span span);

bool tl_spans_cover(const struct tl_spans *s, uint32_t start, uint32_t end); /* wholly */

#endif
