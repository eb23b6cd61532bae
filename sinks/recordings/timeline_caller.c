/* The caller's side: each stream has a clock of its own, which says exactly how its frames follow
 * each other; the least delayed of them says where that clock's zero stands on the line. */
#include "sinks/recordings/timeline_internal.h"

#include <stdlib.h>
#include <string.h>

#include "call/claim.h"

static struct tl_timeline_stream *stream_at(const struct tl_timeline *t, uint32_t i)
{
    return (struct tl_timeline_stream *)t->streams.data + i;
}

static bool add_run(struct tl_timeline *t, uint32_t number, const struct tl_segment *head,
                    const struct tl_segment_entry *e, uint32_t stream)
{
    struct tl_timeline_stream *s = stream_at(t, stream);
    struct tl_timeline_run *run = tl_rows_add(&t->runs);

    if (!run)
        return false;
    *run = (struct tl_timeline_run){.claim = head->id.claim,
                                    .n = e->n,
                                    .n_last = e->n_last,
                                    .timestamp_ms = e->timestamp_ms,
                                    .lag_ms = e->at_ms - e->timestamp_ms,
                                    .placed = -1,
                                    .stream = stream,
                                    .late_ms = e->late_ms,
                                    .segment = number,
                                    .offset = e->sound,
                                    .len = e->len};
    if (run->lag_ms < s->lag_ms)
        s->lag_ms = run->lag_ms;
    return true;
}

enum tl_status tl_timeline_add_caller(struct tl_timeline *t, uint32_t number,
                                      const struct tl_segment *head, struct tl_error *err)
{
    struct tl_segment_cursor cursor = {0};
    const struct tl_claim attachment = {.number = head->id.claim.number,
                                        .offset = head->id.claim.offset};
    struct tl_segment_entry e;

    if (!tl_timeline_claim_of(t, &attachment)) {
        t->stats.stale += head->sound_bytes;
        return TL_OK;
    }
    uint32_t stream = tl_timeline_stream_of(t, head->id.stream_sid);
    if (stream == UINT32_MAX)
        return tl_fail(err, TL_INVALID, "the call has too many streams for a recording");
    while (tl_segment_next(head, &cursor, &e)) {
        if (e.kind == TL_SEGMENT_MARK)
            tl_timeline_on_mark(t, stream, &e);
        if (e.kind == TL_SEGMENT_SOUND && !add_run(t, number, head, &e, stream))
            return tl_fail(err, TL_INVALID, "the call has too many runs for a recording");
    }
    return TL_OK;
}

/* By position; what begins first and goes farther comes first. */
static int compare_runs(const void *a, const void *b)
{
    const struct tl_timeline_run *x = a, *y = b;
    int by_attachment = tl_attachment_compare(&x->claim, &y->claim);

    if (by_attachment != 0)
        return by_attachment;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    if (x->n_last != y->n_last)
        return x->n_last > y->n_last ? -1 : 1;
    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

/* Samples at the beginning of the run that stand on the line already. A new frame that overlaps by
 * less than one has a timestamp that wanders. */
static int64_t repeated(const struct tl_timeline_run *run, const struct tl_timeline_stream *s,
                        const struct tl_timeline_run *before)
{
    int64_t overlap_ms = s->end_ms - run->timestamp_ms;
    bool is_new = before && before->stream == run->stream && run->n > before->n_last &&
                  tl_attachment_compare(&before->claim, &run->claim) == 0;

    if (s->end_ms < 0 || overlap_ms <= 0 || (is_new && overlap_ms <= TL_SEGMENT_FRAME_MS))
        return 0;
    return overlap_ms * TL_SAMPLES_MS < run->len ? overlap_ms * TL_SAMPLES_MS : run->len;
}

/* `before`: the run whose sound is the newest on the line, NULL for none. */
static bool place(struct tl_timeline *t, struct tl_timeline_run *run,
                  const struct tl_timeline_run *before)
{
    struct tl_rows *spans = tl_timeline_side(t, TL_SIDE_CALLER);
    struct tl_timeline_stream *s = stream_at(t, run->stream);
    bool goes_on = before && before->stream == run->stream;
    int64_t skip = repeated(run, s, before), end = tl_spans_end(spans);
    int64_t at = tl_timeline_place(t, s, run->timestamp_ms) + skip;
    const int64_t frame = TL_SEGMENT_FRAME_MS * TL_SAMPLES_MS;

    t->stats.repeated += skip;
    if (skip == run->len)
        return true;
    s->end_ms = run->timestamp_ms + run->len / TL_SAMPLES_MS;
    run->placed = at;
    if (goes_on && at > end - frame - 1 && at < end + frame)
        at = end; /* the timestamp wanders, the sound does not */
    if (at < 0) { /* clocks of two machines: the line has no place before its beginning */
        skip -= at;
        at = 0;
    }
    if (skip >= run->len)
        return true;
    if (at < end)
        tl_spans_truncate(spans, at); /* of two streams at once the higher attachment's counts */
    return tl_spans_silence(spans, at, goes_on ? TL_SPAN_LOST : TL_SPAN_NO_STREAM) &&
           tl_spans_add(spans, &(struct tl_span){.from = at,
                                                 .len = run->len - skip,
                                                 .kind = TL_SPAN_SOUND,
                                                 .segment = run->segment,
                                                 .offset = run->offset + (uint32_t)skip});
}

bool tl_timeline_place_caller(struct tl_timeline *t)
{
    struct tl_timeline_run *run = t->runs.data, *before = NULL;

    if (t->runs.n)
        qsort(run, t->runs.n, sizeof(*run), compare_runs);
    for (size_t i = 0; i < t->runs.n; i++) {
        if (!place(t, &run[i], before))
            return false;
        if (run[i].placed >= 0)
            before = &run[i];
    }
    return true;
}

int64_t tl_timeline_slack_ms(const struct tl_timeline *t, int64_t to_ms)
{
    const struct tl_timeline_run *run = t->runs.data, *newest = NULL;
    int64_t slack = 0;

    for (size_t i = 0; i < t->runs.n; i++)
        if (run[i].placed >= 0 && run[i].placed <= to_ms * TL_SAMPLES_MS &&
            (!newest || run[i].placed >= newest->placed))
            newest = &run[i];
    for (size_t i = 0; newest && i < t->runs.n; i++) {
        int64_t late = run[i].lag_ms + run[i].late_ms - stream_at(t, newest->stream)->lag_ms;
        if (run[i].stream == newest->stream && run[i].placed <= to_ms * TL_SAMPLES_MS &&
            late > slack)
            slack = late;
    }
    return slack;
}
