#ifndef TL_RECORDINGS_TIMELINE_INTERNAL_H
#define TL_RECORDINGS_TIMELINE_INTERNAL_H

#include "sinks/recordings/timeline.h"

#define TL_TIMELINE_CLAIMS_MAX 4096
#define TL_TIMELINE_STREAMS_MAX 4096
#define TL_TIMELINE_RUNS_MAX 262144
#define TL_TIMELINE_PIECES_MAX 262144
#define TL_TIMELINE_SPANS_MAX 524288
#define TL_TIMELINE_CUTS_MAX 4096

/** An array with a maximum; grows by a quarter, because a joined call has a limit of memory. */
struct tl_rows {
    void *data;
    size_t n, cap, max, size;
};

void *tl_rows_add(struct tl_rows *rows); /* zeroed; NULL when full */
void *tl_rows_insert(struct tl_rows *rows, size_t at);

struct tl_timeline_stream {
    char sid[40];
    int64_t lag_ms;      /* least of wall clock less the stream's: its zero on the wall clock */
    int64_t end_ms;      /* the stream's clock behind the newest of its sound; -1: none */
    size_t mark_cursor;  /* piece behind the one that was marked last */
    size_t clear_cursor; /* piece at or before the next clear */
    int64_t play_until;  /* samples: where what was sent ends */
    int32_t turn, epoch;
    int64_t marked_ms;  /* of the turn: sent up to the newest mark */
    int64_t since_mark; /* samples placed since */
    bool is_marked;     /* the three fields above are of a turn */
};

/** A caller's SOUND entry. */
struct tl_timeline_run {
    struct tl_claim claim; /* an attachment */
    int64_t n, n_last, timestamp_ms, lag_ms;
    int64_t placed; /* samples; -1: not at all */
    uint32_t stream, late_ms, segment, offset, len;
};

/** An AI's SOUND entry with its mark, or (len 0) a CLEAR. Times are ms since the call began. */
struct tl_timeline_piece {
    int64_t n;
    int32_t at_ms;
    int32_t marked_ms; /* its mark came back: by the stream's clock, or is_wall; -1: it did not */
    int32_t turn, epoch, turn_ms; /* its mark; turn_ms -1: none */
    uint32_t segment, offset, len;
    uint16_t stream, claim;
    bool is_wall; /* marked_ms is in ms since the call began */
    bool is_mark; /* a mark alone, whose sound stands in the segment before */
};

struct tl_timeline_cut {
    enum tl_sound_side side;
    enum tl_span_kind kind;
    int64_t from_ms, to_ms;
    int32_t turn; /* REDACTED, AI: also this part of this turn, whenever it was heard; 0: none */
    int64_t turn_from_ms, turn_to_ms;
};

struct tl_timeline {
    struct tl_timeline_options options;
    struct tl_rows claims, streams, runs, pieces, cuts, spans[TL_SIDES];
    struct tl_timeline_stats stats;
    int64_t samples;
    bool pieces_are_sorted, is_built;
};

static inline struct tl_rows *tl_timeline_side(struct tl_timeline *t, enum tl_sound_side side)
{
    return &t->spans[side - TL_SIDE_CALLER];
}

/** Of the stream's clock, in samples since the call began. */
static inline int64_t tl_timeline_place(const struct tl_timeline *t,
                                        const struct tl_timeline_stream *s, int64_t timestamp_ms)
{
    return (timestamp_ms + s->lag_ms - t->options.call_started_at) * TL_SAMPLES_MS;
}

/** NULL: it does not count. With session 0 any session of the attachment will do. */
const struct tl_timeline_claim *tl_timeline_claim_of(const struct tl_timeline *t,
                                                     const struct tl_claim *claim);
/** Its number, made if need be; UINT32_MAX when full. */
uint32_t tl_timeline_stream_of(struct tl_timeline *t, const char *sid);

/* Spans of a side, as they grow. False: full. */
int64_t tl_spans_end(const struct tl_rows *spans);
bool tl_spans_add(struct tl_rows *spans, const struct tl_span *span); /* joins what goes on */
bool tl_spans_silence(struct tl_rows *spans, int64_t to, enum tl_span_kind kind);
void tl_spans_truncate(struct tl_rows *spans, int64_t to);

/* The two sides. */
enum tl_status tl_timeline_add_caller(struct tl_timeline *t, uint32_t number,
                                      const struct tl_segment *head, struct tl_error *err);
enum tl_status tl_timeline_add_ai(struct tl_timeline *t, uint32_t number,
                                  const struct tl_segment *head, struct tl_error *err);
bool tl_timeline_place_caller(struct tl_timeline *t);
bool tl_timeline_place_ai(struct tl_timeline *t);
void tl_timeline_on_mark(struct tl_timeline *t, uint32_t stream,
                         const struct tl_segment_entry *mark);
/** How much later than the line says the conversation may have placed the caller's sound at to_ms.
 */
int64_t tl_timeline_slack_ms(const struct tl_timeline *t, int64_t to_ms);

#endif
