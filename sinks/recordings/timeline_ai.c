/* The AI's side, as it was heard: pieces play one after the other from when they were sent, marks
 * that came back say where they truly ended, and what a clear or the end of the stream took was not
 * heard. */
#include "sinks/recordings/timeline_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/claim.h"

#define MARK_WAIT_MS INT64_C(400) /* sound that goes on has a mark every 200 ms */
#define LOST_MAX_MS INT64_C(600000)
#define FRAME (TL_SEGMENT_FRAME_MS * TL_SAMPLES_MS)

static struct tl_timeline_stream *stream_of(const struct tl_timeline *t,
                                            const struct tl_timeline_piece *p)
{
    return (struct tl_timeline_stream *)t->streams.data + p->stream;
}

static const struct tl_timeline_claim *claim_of(const struct tl_timeline *t,
                                                const struct tl_timeline_piece *p)
{
    return (const struct tl_timeline_claim *)t->claims.data + p->claim;
}

static bool is_clear(const struct tl_timeline_piece *p)
{
    return p->len == 0 && !p->is_mark;
}

/* ---- what is told ---- */

/* "turn.epoch.ms": the turn's sound up to ms has been sent. */
static bool read_mark(const char *name, struct tl_timeline_piece *p)
{
    int turn, epoch, ms;

    if (sscanf(name, "%9d.%9d.%9d", &turn, &epoch, &ms) != 3) // NOLINT(cert-err34-c): counted
        return false;
    p->turn = turn;
    p->epoch = epoch;
    p->turn_ms = ms;
    return turn >= 0 && epoch >= 0 && ms >= 0;
}

static enum tl_status add_piece(struct tl_timeline *t, const struct tl_timeline_piece *like,
                                const struct tl_segment_entry *e, struct tl_timeline_piece **last,
                                struct tl_error *err)
{
    struct tl_timeline_piece p = *like;

    if (e->kind == TL_SEGMENT_MARK) {
        if (!read_mark(e->text, &p))
            return TL_OK; /* of others, it says nothing of our sound */
        if (*last && (*last)->turn_ms < 0) {
            (*last)->turn = p.turn;
            (*last)->epoch = p.epoch;
            (*last)->turn_ms = p.turn_ms;
            return TL_OK;
        }
        p.is_mark = true;
    }
    int64_t at_ms = e->at_ms - t->options.call_started_at;
    if (at_ms < INT32_MIN / 2 || at_ms > INT32_MAX / 2)
        return tl_fail(err, TL_INVALID, "the segment is of weeks before or after the call");
    struct tl_timeline_piece *added = tl_rows_add(&t->pieces);
    if (!added)
        return tl_fail(err, TL_INVALID, "the call has too many pieces for a recording");
    *added = p;
    added->n = e->n;
    added->at_ms = (int32_t)at_ms;
    added->offset = e->sound;
    added->len = e->len;
    *last = e->kind == TL_SEGMENT_SOUND ? added : NULL;
    return TL_OK;
}

enum tl_status tl_timeline_add_ai(struct tl_timeline *t, uint32_t number,
                                  const struct tl_segment *head, struct tl_error *err)
{
    const struct tl_timeline_claim *claim = tl_timeline_claim_of(t, &head->id.claim);
    struct tl_segment_cursor cursor = {0};
    struct tl_timeline_piece *last = NULL;
    struct tl_segment_entry e;
    enum tl_status st = TL_OK;

    if (!claim) {
        t->stats.stale += head->sound_bytes;
        return TL_OK;
    }
    uint32_t stream = tl_timeline_stream_of(t, head->id.stream_sid);
    if (stream == UINT32_MAX)
        return tl_fail(err, TL_INVALID, "the call has too many streams for a recording");
    const struct tl_timeline_piece like = {
        .segment = number,
        .marked_ms = -1,
        .turn_ms = -1,
        .stream = (uint16_t)stream,
        .claim = (uint16_t)(claim - (const struct tl_timeline_claim *)t->claims.data)};
    while (st == TL_OK && tl_segment_next(head, &cursor, &e))
        st = add_piece(t, &like, &e, &last, err);
    return st;
}

static int compare_pieces(const void *a, const void *b, void *arg)
{
    const struct tl_timeline_piece *x = a, *y = b;
    const struct tl_timeline *t = arg;
    int by_attachment = tl_attachment_compare(&claim_of(t, x)->claim, &claim_of(t, y)->claim);

    if (by_attachment != 0)
        return by_attachment;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

static bool take_mark(struct tl_timeline_piece *to, const struct tl_timeline_piece *from)
{
    if (to->turn_ms >= 0 || from->turn_ms < 0)
        return false;
    to->turn = from->turn;
    to->epoch = from->epoch;
    to->turn_ms = from->turn_ms;
    return true;
}

/* In the order of the mailbox, each once, marks with their sound. */
static void sort_pieces(struct tl_timeline *t)
{
    struct tl_timeline_piece *p = t->pieces.data;
    size_t kept = 0;

    if (t->pieces_are_sorted)
        return;
    t->pieces_are_sorted = true;
    if (t->pieces.n)
        qsort_r(p, t->pieces.n, sizeof(*p), compare_pieces, t);
    for (size_t i = 0; i < t->pieces.n; i++) {
        struct tl_timeline_piece *before = kept ? &p[kept - 1] : NULL;
        bool same =
            before && before->n == p[i].n &&
            tl_attachment_compare(&claim_of(t, before)->claim, &claim_of(t, &p[i])->claim) == 0;
        if (same) {
            t->stats.repeated += p[i].len;
            (void)take_mark(before, &p[i]); /* if it lacks one */
        } else if (p[i].is_mark) {
            if (before && before->len && before->stream == p[i].stream)
                (void)take_mark(before, &p[i]); /* else it has its own */
        } else {
            p[kept++] = p[i];
        }
    }
    t->pieces.n = kept;
}

/* Marks come back in the order in which they were sent, so the one sought is near the last. */
void tl_timeline_on_mark(struct tl_timeline *t, uint32_t stream,
                         const struct tl_segment_entry *mark)
{
    struct tl_timeline_stream *s = (struct tl_timeline_stream *)t->streams.data + stream;
    struct tl_timeline_piece *p = t->pieces.data, name = {0};
    bool is_wall = mark->timestamp_ms < 0;
    int64_t ms = is_wall ? mark->at_ms - t->options.call_started_at : mark->timestamp_ms;

    sort_pieces(t);
    if (!read_mark(mark->text, &name) || ms < 0 || ms > INT32_MAX / 2)
        return;
    for (size_t k = 0; k < t->pieces.n; k++) {
        size_t i = (s->mark_cursor + k) % t->pieces.n;
        if (p[i].stream != stream || !p[i].len || p[i].turn != name.turn ||
            p[i].epoch != name.epoch || p[i].turn_ms != name.turn_ms)
            continue;
        if (p[i].marked_ms < 0) { /* else this one is its repetition */
            p[i].marked_ms = (int32_t)ms;
            p[i].is_wall = is_wall;
        }
        s->mark_cursor = i + 1;
        return;
    }
}

/* ---- placing ---- */

static const struct tl_timeline_cut *expired_at(const struct tl_timeline *t, int64_t from_ms,
                                                int64_t to_ms)
{
    const struct tl_timeline_cut *cut = t->cuts.data;

    for (size_t i = 0; i < t->cuts.n; i++)
        if (cut[i].side == TL_SIDE_CALLER && cut[i].kind == TL_SPAN_EXPIRED &&
            cut[i].from_ms <= to_ms && cut[i].to_ms > from_ms)
            return &cut[i];
    return NULL;
}

/* Where the stream ends: behind the last that the caller said into it, as far as that is known. */
static int64_t end_of(const struct tl_timeline *t, const struct tl_timeline_stream *s)
{
    if (s->end_ms < 0)
        return INT64_MAX;
    int64_t end = tl_timeline_place(t, s, s->end_ms);
    const struct tl_timeline_cut *cut =
        expired_at(t, end / TL_SAMPLES_MS, end / TL_SAMPLES_MS + TL_SEGMENT_FRAME_MS);
    return cut ? cut->to_ms * TL_SAMPLES_MS : end;
}

static bool is_stale(const struct tl_timeline *t, const struct tl_timeline_piece *p)
{
    int64_t until = claim_of(t, p)->until_at;

    return until != INT64_MAX && t->options.call_started_at + p->at_ms >= until;
}

/* Of the next clear of the piece's stream. */
static int64_t next_clear(const struct tl_timeline *t, size_t i)
{
    const struct tl_timeline_piece *p = t->pieces.data;
    struct tl_timeline_stream *s = stream_of(t, &p[i]);

    if (s->clear_cursor <= i)
        for (s->clear_cursor = i + 1; s->clear_cursor < t->pieces.n; s->clear_cursor++)
            if (is_clear(&p[s->clear_cursor]) && p[s->clear_cursor].stream == p[i].stream &&
                !is_stale(t, &p[s->clear_cursor]))
                break;
    return s->clear_cursor < t->pieces.n ? (int64_t)p[s->clear_cursor].at_ms * TL_SAMPLES_MS
                                         : INT64_MAX;
}

/* Of the turn, that its marks say was sent and that is not there. Nothing is known before its first
 * mark. */
static int64_t lost_before(struct tl_timeline_stream *s, const struct tl_timeline_piece *p)
{
    bool same = s->is_marked && p->turn_ms >= 0 && p->turn == s->turn && p->epoch == s->epoch;
    int64_t lost = same ? (p->turn_ms - s->marked_ms) * TL_SAMPLES_MS - s->since_mark - p->len : 0;

    s->since_mark += p->len;
    if (p->turn_ms >= 0) {
        s->is_marked = true;
        s->turn = p->turn;
        s->epoch = p->epoch;
        s->marked_ms = p->turn_ms;
        s->since_mark = 0;
    }
    return lost >= TL_SAMPLES_MS && lost <= LOST_MAX_MS * TL_SAMPLES_MS ? lost : 0;
}

/* The end of the piece by its mark; -1: nothing is known of it. A mark that came back because of
 * the clear says nothing. */
static int64_t marked_end(const struct tl_timeline *t, const struct tl_timeline_piece *p,
                          int64_t clear)
{
    const struct tl_timeline_stream *s = stream_of(t, p);

    if (p->marked_ms < 0 || (!p->is_wall && s->lag_ms == INT64_MAX))
        return -1;
    int64_t end =
        p->is_wall ? (int64_t)p->marked_ms * TL_SAMPLES_MS : tl_timeline_place(t, s, p->marked_ms);
    return end <= clear ? end : -1;
}

static bool is_redacted(const struct tl_timeline *t, const struct tl_timeline_piece *p)
{
    const struct tl_timeline_cut *cut = t->cuts.data;
    int64_t len_ms = (p->len + TL_SAMPLES_MS - 1) / TL_SAMPLES_MS;

    for (size_t i = 0; p->turn_ms >= 0 && i < t->cuts.n; i++)
        if (cut[i].turn && cut[i].turn == p->turn && cut[i].turn_from_ms < p->turn_ms &&
            cut[i].turn_to_ms > p->turn_ms - len_ms)
            return true;
    return false;
}

static bool put(struct tl_timeline *t, const struct tl_timeline_piece *p, int64_t start,
                int64_t lost, int64_t len)
{
    struct tl_rows *spans = tl_timeline_side(t, TL_SIDE_AI);
    struct tl_span span = {.from = start, .len = len, .kind = TL_SPAN_REDACTED};
    int64_t skip = start < 0 ? -start : 0; /* sent before the line begins: clocks of two machines */

    if (!is_redacted(t, p)) {
        span.kind = TL_SPAN_SOUND;
        span.segment = p->segment;
        span.offset = p->offset + (uint32_t)skip;
    }
    span.from += skip;
    span.len -= skip;
    if (start < tl_spans_end(spans))
        tl_spans_truncate(spans,
                          start); /* of two streams at once the higher attachment's is heard */
    return tl_spans_silence(spans, start - lost, TL_SPAN_QUIET) &&
           tl_spans_silence(spans, start, TL_SPAN_LOST) && tl_spans_add(spans, &span);
}

static bool place_sound(struct tl_timeline *t, size_t i)
{
    const struct tl_timeline_piece *p = (const struct tl_timeline_piece *)t->pieces.data + i;
    struct tl_timeline_stream *s = stream_of(t, p);
    int64_t sent = (int64_t)p->at_ms * TL_SAMPLES_MS, stream_end = end_of(t, s);
    int64_t clear = next_clear(t, i), marked = marked_end(t, p, clear);
    int64_t lost = lost_before(s, p);
    bool is_queued = s->play_until > sent;
    int64_t start = is_queued || s->play_until + lost > sent ? s->play_until + lost : sent;

    if (marked >= 0 && marked - p->len > start + (is_queued ? FRAME : 0))
        start = marked - p->len; /* it waited, in a process or on the way */
    int64_t end = start + p->len, known = clear < stream_end ? clear : stream_end;
    int64_t wait = MARK_WAIT_MS * TL_SAMPLES_MS;
    bool is_unheard = p->turn_ms >= 0 && p->marked_ms < 0 && known != INT64_MAX &&
                      end + wait <= known &&
                      !expired_at(t, end / TL_SAMPLES_MS, end / TL_SAMPLES_MS + MARK_WAIT_MS);
    if (is_unheard || start >= stream_end) {
        t->stats.unheard += p->len;
        return true;
    }
    if (end > stream_end) {
        t->stats.unheard += end - stream_end;
        end = stream_end;
    }
    s->play_until = end;
    return put(t, p, start, lost, end - start);
}

static void place_clear(struct tl_timeline *t, const struct tl_timeline_piece *p)
{
    struct tl_rows *spans = tl_timeline_side(t, TL_SIDE_AI);
    struct tl_timeline_stream *s = stream_of(t, p);
    int64_t at = (int64_t)p->at_ms * TL_SAMPLES_MS;

    if (at < 0)
        at = 0;
    s->is_marked = false;
    if (s->play_until <= at)
        return;
    t->stats.unheard += s->play_until - at;
    s->play_until = at;
    tl_spans_truncate(spans, at);
}

bool tl_timeline_place_ai(struct tl_timeline *t)
{
    const struct tl_timeline_piece *p;
    bool ok = true;

    sort_pieces(t);
    p = t->pieces.data;
    for (size_t i = 0; i < t->pieces.n && ok; i++)
        if (is_stale(t, &p[i]))
            t->stats.stale += p[i].len;
        else if (is_clear(&p[i]))
            place_clear(t, &p[i]);
        else
            ok = place_sound(t, i);
    return ok;
}
