/* The line of a call: what is told, spans, cuts. timeline_caller.c and timeline_ai.c place the
 * sides. */
#include "sinks/recordings/timeline_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/claim.h"

/* ---- rows ---- */

void *tl_rows_insert(struct tl_rows *rows, size_t at)
{
    if (rows->n == rows->max)
        return NULL;
    if (rows->n == rows->cap) {
        size_t cap = rows->cap + rows->cap / 4 + 16;
        void *data = realloc(rows->data, cap * rows->size);
        if (!data)
            abort();
        rows->data = data;
        rows->cap = cap;
    }
    char *row = (char *)rows->data + at * rows->size;
    memmove(row + rows->size, row, (rows->n - at) * rows->size);
    memset(row, 0, rows->size);
    rows->n++;
    return row;
}

void *tl_rows_add(struct tl_rows *rows)
{
    return tl_rows_insert(rows, rows->n);
}

/* ---- spans ---- */

const char *tl_span_kind_name(enum tl_span_kind kind)
{
    static const char *const names[] = {"?",    "sound",   "quiet",    "no_stream",
                                        "lost", "expired", "redacted", "paused"};

    return names[kind <= TL_SPAN_PAUSED ? kind : 0];
}

static struct tl_span *last_span(const struct tl_rows *spans)
{
    return spans->n ? (struct tl_span *)spans->data + spans->n - 1 : NULL;
}

int64_t tl_spans_end(const struct tl_rows *spans)
{
    const struct tl_span *last = last_span(spans);

    return last ? last->from + last->len : 0;
}

static bool goes_on(const struct tl_span *a, const struct tl_span *b)
{
    return a->kind == b->kind && a->from + a->len == b->from &&
           (a->kind != TL_SPAN_SOUND ||
            (a->segment == b->segment && a->offset + a->len == b->offset));
}

bool tl_spans_add(struct tl_rows *spans, const struct tl_span *span)
{
    struct tl_span *last = last_span(spans);

    if (span->len <= 0)
        return true;
    if (last && goes_on(last, span)) {
        last->len += span->len;
        return true;
    }
    struct tl_span *added = tl_rows_add(spans);
    if (added)
        *added = *span;
    return added != NULL;
}

bool tl_spans_silence(struct tl_rows *spans, int64_t to, enum tl_span_kind kind)
{
    int64_t from = tl_spans_end(spans);

    return tl_spans_add(spans, &(struct tl_span){.from = from, .len = to - from, .kind = kind});
}

void tl_spans_truncate(struct tl_rows *spans, int64_t to)
{
    struct tl_span *last;

    while ((last = last_span(spans)) && last->from >= to)
        spans->n--;
    if (last && last->from + last->len > to)
        last->len = to - last->from;
}

/* ---- what is told ---- */

struct tl_timeline *tl_timeline_create(const struct tl_timeline_options *options)
{
    struct tl_timeline *t = calloc(1, sizeof(*t));

    if (!t)
        abort();
    assert(options->redact_margin_ms >= 0 && options->redact_widen_pct >= 0 &&
           options->redact_widen_pct <= 100);
    *t = (struct tl_timeline){
        .options = *options,
        .claims = {.max = TL_TIMELINE_CLAIMS_MAX, .size = sizeof(struct tl_timeline_claim)},
        .streams = {.max = TL_TIMELINE_STREAMS_MAX, .size = sizeof(struct tl_timeline_stream)},
        .runs = {.max = TL_TIMELINE_RUNS_MAX, .size = sizeof(struct tl_timeline_run)},
        .pieces = {.max = TL_TIMELINE_PIECES_MAX, .size = sizeof(struct tl_timeline_piece)},
        .cuts = {.max = TL_TIMELINE_CUTS_MAX, .size = sizeof(struct tl_timeline_cut)},
        .spans = {{.max = TL_TIMELINE_SPANS_MAX, .size = sizeof(struct tl_span)},
                  {.max = TL_TIMELINE_SPANS_MAX, .size = sizeof(struct tl_span)}},
    };
    return t;
}

void tl_timeline_destroy(struct tl_timeline *t)
{
    if (!t)
        return;
    free(t->claims.data);
    free(t->streams.data);
    free(t->runs.data);
    free(t->pieces.data);
    free(t->cuts.data);
    free(t->spans[0].data);
    free(t->spans[1].data);
    free(t);
}

static enum tl_status full(struct tl_error *err, const char *what)
{
    return tl_fail(err, TL_INVALID, "the call has too many %s for a recording", what);
}

enum tl_status tl_timeline_add_claim(struct tl_timeline *t, const struct tl_timeline_claim *claim,
                                     struct tl_error *err)
{
    assert(!t->runs.n && !t->pieces.n);
    struct tl_timeline_claim *added = tl_rows_add(&t->claims);
    if (!added)
        return full(err, "claims");
    *added = *claim;
    return TL_OK;
}

const struct tl_timeline_claim *tl_timeline_claim_of(const struct tl_timeline *t,
                                                     const struct tl_claim *claim)
{
    const struct tl_timeline_claim *rows = t->claims.data;

    for (size_t i = 0; i < t->claims.n; i++)
        if (claim->session ? tl_claim_compare(&rows[i].claim, claim) == 0
                           : tl_attachment_compare(&rows[i].claim, claim) == 0)
            return &rows[i];
    return NULL;
}

uint32_t tl_timeline_stream_of(struct tl_timeline *t, const char *sid)
{
    struct tl_timeline_stream *s = t->streams.data;

    for (size_t i = 0; i < t->streams.n; i++)
        if (strcmp(s[i].sid, sid) == 0)
            return (uint32_t)i;
    s = tl_rows_add(&t->streams);
    if (!s)
        return UINT32_MAX;
    (void)snprintf(s->sid, sizeof(s->sid), "%s", sid);
    s->lag_ms = INT64_MAX;
    s->end_ms = -1;
    return (uint32_t)(t->streams.n - 1);
}

enum tl_status tl_timeline_add_segment(struct tl_timeline *t, uint32_t number,
                                       const struct tl_segment *head, struct tl_error *err)
{
    assert(!t->is_built);
    if (!tl_uuid_equal(&head->id.call_id, &t->options.call_id))
        return tl_fail(err, TL_INVALID, "the segment is of another call");
    if (head->id.side == TL_SIDE_CALLER)
        return tl_timeline_add_caller(t, number, head, err);
    assert(!t->pieces_are_sorted); /* the AI's segments come first */
    return tl_timeline_add_ai(t, number, head, err);
}

enum tl_status tl_timeline_add_cut(struct tl_timeline *t, enum tl_sound_side side,
                                   enum tl_span_kind kind, int64_t from_ms, int64_t to_ms,
                                   struct tl_error *err)
{
    assert(!t->is_built && kind >= TL_SPAN_EXPIRED && kind <= TL_SPAN_PAUSED);
    if (to_ms <= from_ms)
        return TL_OK;
    struct tl_timeline_cut *cut = tl_rows_add(&t->cuts);
    if (!cut)
        return full(err, "cuts");
    *cut = (struct tl_timeline_cut){.side = side, .kind = kind, .from_ms = from_ms, .to_ms = to_ms};
    return TL_OK;
}

enum tl_status tl_timeline_redact(struct tl_timeline *t, const struct tl_utterance *utterance,
                                  struct tl_error *err)
{
    enum tl_sound_side side = utterance->speaker == TL_SPEAKER_AI ? TL_SIDE_AI : TL_SIDE_CALLER;
    int64_t pct = t->options.redact_widen_pct, margin = t->options.redact_margin_ms;

    if (utterance->speaker == TL_SPEAKER_AGENT)
        return TL_OK;
    for (size_t i = 0; i < utterance->entities_n; i++) {
        const struct tl_redacted_entity *e = &utterance->entities[i];
        bool is_placed = e->start_ms.set && e->end_ms.set;
        int64_t from = is_placed ? e->start_ms.value : utterance->start_ms;
        int64_t to = is_placed ? e->end_ms.value : utterance->end_ms;
        if (from > utterance->start_ms)
            from -= (from - utterance->start_ms) * pct / 100;
        if (to < utterance->end_ms)
            to += (utterance->end_ms - to) * pct / 100;
        if (to <= from)
            to = from + 1; /* a place is one, however short */
        enum tl_status st =
            tl_timeline_add_cut(t, side, TL_SPAN_REDACTED, from - margin, to + margin, err);
        if (st != TL_OK)
            return st;
        struct tl_timeline_cut *cut = (struct tl_timeline_cut *)t->cuts.data + t->cuts.n - 1;
        cut->turn = side == TL_SIDE_AI ? utterance->turn : 0;
        cut->turn_from_ms = from - margin - utterance->start_ms;
        cut->turn_to_ms = to + margin - utterance->start_ms;
    }
    return TL_OK;
}

/* ---- cuts ---- */

/* Index of the span that begins at `at`, which is made if need be; n when the line ends there. */
static bool split(struct tl_rows *spans, int64_t at, size_t *ret_i)
{
    const struct tl_span *row = spans->data;
    size_t low = 0, high = spans->n;

    while (low < high) { /* the first that ends behind `at` */
        size_t middle = low + (high - low) / 2;
        if (row[middle].from + row[middle].len > at)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_i = low;
    if (low == spans->n || row[low].from >= at)
        return true;
    struct tl_span *behind = tl_rows_insert(spans, low + 1);
    if (!behind)
        return false;
    struct tl_span *before = behind - 1;
    *behind = *before;
    before->len = at - before->from;
    behind->from = at;
    behind->len -= before->len;
    behind->offset += before->kind == TL_SPAN_SOUND ? (uint32_t)before->len : 0;
    *ret_i = low + 1;
    return true;
}

static bool is_cut(const struct tl_span *span, enum tl_span_kind kind)
{
    if (kind == TL_SPAN_EXPIRED)
        return span->kind == TL_SPAN_QUIET || span->kind == TL_SPAN_NO_STREAM ||
               span->kind == TL_SPAN_LOST;
    return span->kind == TL_SPAN_SOUND;
}

static bool apply_cut(struct tl_timeline *t, const struct tl_timeline_cut *cut)
{
    struct tl_rows *spans = tl_timeline_side(t, cut->side);
    int64_t from_ms = cut->from_ms, to_ms = cut->to_ms;
    size_t from, to;

    if (cut->side == TL_SIDE_CALLER && cut->kind == TL_SPAN_REDACTED)
        from_ms -= tl_timeline_slack_ms(t, to_ms);
    if (!split(spans, from_ms * TL_SAMPLES_MS, &from) || !split(spans, to_ms * TL_SAMPLES_MS, &to))
        return false;
    for (struct tl_span *span = spans->data; from < to; from++)
        if (is_cut(&span[from], cut->kind))
            span[from] = (struct tl_span){span[from].from, span[from].len, cut->kind, 0, 0};
    return true;
}

static bool apply_cuts(struct tl_timeline *t, enum tl_span_kind kind)
{
    const struct tl_timeline_cut *cut = t->cuts.data;
    bool ok = true;

    for (size_t i = 0; i < t->cuts.n && ok; i++)
        if (cut[i].kind == kind)
            ok = apply_cut(t, &cut[i]);
    return ok;
}

/* Neighbours that cuts made alike become one. */
static void join(struct tl_rows *spans)
{
    struct tl_span *span = spans->data;
    size_t kept = 0;

    for (size_t i = 0; i < spans->n; i++)
        if (kept && goes_on(&span[kept - 1], &span[i]))
            span[kept - 1].len += span[i].len;
        else
            span[kept++] = span[i];
    spans->n = kept;
}

/* ---- building ---- */

static bool even_out(struct tl_timeline *t, int64_t ended_at)
{
    struct tl_rows *caller = tl_timeline_side(t, TL_SIDE_CALLER);
    struct tl_rows *ai = tl_timeline_side(t, TL_SIDE_AI);
    int64_t end = ended_at ? (ended_at - t->options.call_started_at) * TL_SAMPLES_MS : 0;

    t->samples = tl_spans_end(caller) > tl_spans_end(ai) ? tl_spans_end(caller) : tl_spans_end(ai);
    if (end > t->samples)
        t->samples = end;
    return tl_spans_silence(caller, t->samples, TL_SPAN_NO_STREAM) &&
           tl_spans_silence(ai, t->samples, TL_SPAN_QUIET);
}

enum tl_status tl_timeline_build(struct tl_timeline *t, int64_t ended_at, struct tl_error *err)
{
    assert(!t->is_built);
    t->is_built = true;
    bool ok = tl_timeline_place_caller(t) && tl_timeline_place_ai(t) && even_out(t, ended_at) &&
              apply_cuts(t, TL_SPAN_EXPIRED) && apply_cuts(t, TL_SPAN_PAUSED) &&
              apply_cuts(t, TL_SPAN_REDACTED);
    if (!ok)
        return full(err, "spans");
    join(tl_timeline_side(t, TL_SIDE_CALLER));
    join(tl_timeline_side(t, TL_SIDE_AI));
    return TL_OK;
}

const struct tl_span *tl_timeline_spans(const struct tl_timeline *t, enum tl_sound_side side,
                                        size_t *ret_n)
{
    const struct tl_rows *spans = &t->spans[side - TL_SIDE_CALLER];

    assert(t->is_built);
    *ret_n = spans->n;
    return spans->data;
}

int64_t tl_timeline_samples(const struct tl_timeline *t)
{
    return t->samples;
}

struct tl_timeline_stats tl_timeline_stats(const struct tl_timeline *t)
{
    return t->stats;
}

size_t tl_timeline_bytes(const struct tl_timeline *t)
{
    const struct tl_rows *rows[] = {&t->claims, &t->streams,  &t->runs,    &t->pieces,
                                    &t->cuts,   &t->spans[0], &t->spans[1]};
    size_t sum = sizeof(*t);

    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        sum += rows[i]->cap * rows[i]->size;
    return sum;
}
