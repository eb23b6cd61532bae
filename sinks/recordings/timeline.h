#ifndef TL_RECORDINGS_TIMELINE_H
#define TL_RECORDINGS_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "sinks/recordings/segment.h"

/* Where the sound of a call stands: the caller's as it was said, the AI's as it was heard, on one
 * line whose zero is the call's beginning. Pure. It is told what counts (from calls.v1) and the
 * heads of the segments, and yields for each side spans without a hole between them. README.md has
 * the rules. */

#define TL_SAMPLES_MS 8 /* samples, which are bytes of mu-law, in a millisecond */

enum tl_span_kind {
    TL_SPAN_SOUND = 1,
    TL_SPAN_QUIET,     /* nothing was said; on the AI's side only */
    TL_SPAN_NO_STREAM, /* the socket was away: nobody of ours could hear */
    TL_SPAN_LOST,      /* it is not in the log, though the stream was there */
    TL_SPAN_EXPIRED,   /* it was, but could not be read in time */
    TL_SPAN_REDACTED,  /* personal data was said */
    TL_SPAN_PAUSED,    /* recording was paused */
};

/** "sound", "quiet", "no_stream", "lost", "expired", "redacted", "paused". */
const char *tl_span_kind_name(enum tl_span_kind kind);

struct tl_span {
    int64_t from, len; /* samples since the call began */
    enum tl_span_kind kind;
    uint32_t segment; /* SOUND: number that tl_timeline_add_segment was given */
    uint32_t offset;  /* SOUND: first byte within that segment's sound */
};

struct tl_timeline_options {
    struct tl_uuid call_id;
    int64_t call_started_at;  /* wall clock, ms: zero of the line */
    int64_t redact_margin_ms; /* of silence before and behind redacted words; 0 to 10,000 */
    int redact_widen_pct; /* how far to go from a redacted word to the ends of its utterance: 0 not
                             at all, 100 all of it */
};

/** A claim that counted in calls.v1: an accepted session_started, or with session 0 an attachment
 * whose caller's sound counts though nobody took it up. */
struct tl_timeline_claim {
    struct tl_claim claim;
    int64_t until_at; /* wall clock: when the leg was given to somebody else; INT64_MAX: never */
};

/** What became of the sound that was given, in samples. */
struct tl_timeline_stats {
    int64_t repeated; /* came more than once */
    int64_t stale;    /* of claims that do not count (any more) */
    int64_t unheard;  /* of the AI: cleared, or lost with a stream */
};

/** Grows with segments and turns, not with the sound: see tl_timeline_bytes. */
struct tl_timeline;

struct tl_timeline *tl_timeline_create(const struct tl_timeline_options *options);
void tl_timeline_destroy(struct tl_timeline *t); /* accepts NULL */
static inline void tl_timeline_destroyp(struct tl_timeline **t)
{
    tl_timeline_destroy(*t);
}

/* First the claims, then the AI's segments, then the caller's, whose marks tell what was heard;
 * cuts at any time; then tl_timeline_build, once. TL_INVALID: of another call, or more than fits
 * (weeks). */

TL_MUST_CHECK enum tl_status tl_timeline_add_claim(struct tl_timeline *t,
                                                   const struct tl_timeline_claim *claim,
                                                   struct tl_error *err);

/** The head is read now and not kept. The same segment twice, or overlapping ones, are told by the
 *  positions. */
TL_MUST_CHECK enum tl_status tl_timeline_add_segment(struct tl_timeline *t, uint32_t number,
                                                     const struct tl_segment *head,
                                                     struct tl_error *err);

/** REDACTED, PAUSED: sound of the side from..to (ms since the call began) is silenced. EXPIRED:
 * what is missing there was there once. */
TL_MUST_CHECK enum tl_status tl_timeline_add_cut(struct tl_timeline *t, enum tl_sound_side side,
                                                 enum tl_span_kind kind, int64_t from_ms,
                                                 int64_t to_ms, struct tl_error *err);

/** Silences the words of a final that were masked, on its speaker's side; of an entity without
 * times, the whole utterance. Agents have their own leg and are not looked at. */
TL_MUST_CHECK enum tl_status tl_timeline_redact(struct tl_timeline *t,
                                                const struct tl_utterance *utterance,
                                                struct tl_error *err);

/** Places everything. ended_at: wall clock of the call's end, so that what is missing last has its
 * length too; 0: the line ends with the sound. */
TL_MUST_CHECK enum tl_status tl_timeline_build(struct tl_timeline *t, int64_t ended_at,
                                               struct tl_error *err);

/** Of a built line; borrowed from it. Both sides have the same length. */
const struct tl_span *tl_timeline_spans(const struct tl_timeline *t, enum tl_sound_side side,
                                        size_t *ret_n);
int64_t tl_timeline_samples(const struct tl_timeline *t);
struct tl_timeline_stats tl_timeline_stats(const struct tl_timeline *t);
size_t tl_timeline_bytes(const struct tl_timeline *t); /* of memory, now */

#endif
