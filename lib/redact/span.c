/* The stretches of a text that are to be masked. */
#include "redact/span.h"

#include <stdlib.h>
#include <string.h>

void tl_spans_init(struct tl_spans *s)
{
    s->span = s->span_inline;
    s->n = 0;
    s->cap = TL_SPANS_INLINE;
}

void tl_spans_finish(struct tl_spans *s)
{
    if (s->span != NULL && s->span != s->span_inline)
        free(s->span);
    s->span = NULL;
    s->n = 0;
}

static void reserve(struct tl_spans *s)
{
    if (s->n < s->cap)
        return;
    size_t cap = s->cap * 2;
    bool was_inline = s->span == s->span_inline;
    struct tl_span *p = was_inline ? malloc(cap * sizeof(*p)) : realloc(s->span, cap * sizeof(*p));
    if (p == NULL)
        abort();
    if (was_inline)
        memcpy(p, s->span_inline, s->n * sizeof(*p));
    s->span = p;
    s->cap = cap;
}

static bool outranks(const struct tl_span *a, const struct tl_span *b)
{
    if ((a->type == TL_ENTITY_CARD) != (b->type == TL_ENTITY_CARD))
        return a->type == TL_ENTITY_CARD;
    return a->end - a->start > b->end - b->start;
}

static struct tl_span joined(const struct tl_span *a, const struct tl_span *b)
{
    struct tl_span out = outranks(a, b) ? *a : *b;
    /* A form with a check digit around it (an IBAN) knows better than the card found inside. It was
     * found first. */
    if (a->start <= b->start && a->end >= b->end && a->type == TL_ENTITY_IBAN)
        out = *a;
    out.start = a->start < b->start ? a->start : b->start;
    out.end = a->end > b->end ? a->end : b->end;
    return out;
}

void tl_spans_add(struct tl_spans *s, struct tl_span span)
{
    size_t at = 0;
    if (s->n == TL_SPANS_MAX && s->span[s->n - 1].end < span.start)
        span.start = s->span[s->n - 1].start;
    while (at < s->n && s->span[at].end <= span.start)
        at++;
    size_t to = at;
    while (to < s->n && s->span[to].start < span.end) {
        span = joined(&s->span[to], &span);
        to++;
    }
    if (to == at)
        reserve(s);
    memmove(&s->span[at + 1], &s->span[to], (s->n - to) * sizeof(span));
    s->n = s->n - (to - at) + 1;
    s->span[at] = span;
}

bool tl_spans_cover(const struct tl_spans *s, uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->span[i].start <= start && s->span[i].end >= end)
            return true;
    return false;
}
