#ifndef TL_REDACT_CONTEXT_H
#define TL_REDACT_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/words.h"

#define TL_CONTEXT_TURNS 8    /* remembered */
#define TL_CONTEXT_REACH 2    /* a cue counts this many turns later */
#define TL_CONTEXT_MS 30000   /* and this long */
#define TL_CUES_MAX 64        /* of one utterance; more are not looked at */
#define TL_CUE_FAR UINT32_MAX /* no such cue near */
#define TL_CUE_EARLIER 1000u  /* distances from here on lie in earlier utterances */

/** What was said lately, as cues only. Plain data; zeroed = nothing. */
struct tl_context {
    struct {
        uint64_t cues;
        int64_t end_ms;
        uint32_t turn;
    } past[TL_CONTEXT_TURNS];
    size_t n;
    size_t next;
    uint32_t turn; /* rises when the other side says more than a "mm hmm" */
    int side;      /* who said it, -1 at first */
};

struct tl_cue_at {
    uint32_t word;
    uint32_t len; /* words */
    uint64_t cues;
};

/** The cues of one utterance in front of what was said before it. */
struct tl_cues {
    struct tl_cue_at at[TL_CUES_MAX];
    size_t n;
    uint64_t all;
    const struct tl_context *before; /* NULL: a text by itself */
    uint32_t turn;                   /* of this utterance */
    int64_t start_ms;
};

void tl_context_init(struct tl_context *ctx);

/** Finds the cues of `w`. `before` must outlive `cues`. */
void tl_cues_init(struct tl_cues *cues, const struct tl_words *w, const struct tl_context *before,
                  int side, bool short_answer, int64_t start_ms);

/** Remembers the utterance. */
void tl_context_add(struct tl_context *ctx, const struct tl_cues *cues, int side, bool short_answer,
                    int64_t end_ms);

/** How near any of `set` is to words [first, last]: words in between when it stands before them,
 *  somewhat farther when behind, TL_CUE_EARLIER and up in earlier utterances, else TL_CUE_FAR. */
uint32_t tl_cues_distance(const struct tl_cues *cues, uint64_t set, size_t first, size_t last);

#endif
