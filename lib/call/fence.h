#ifndef TL_CALL_FENCE_H
#define TL_CALL_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"

#define TL_FENCE_LEGS_MAX 8
#define TL_FENCE_INTENTS_MAX 256 /* of one call; further ones never count */

/** The holder of one leg, as far as a reader has read. */
struct tl_fence_leg {
    char leg[16];
    struct tl_claim highest;
    bool held;          /* a session or one of its events was seen under `highest` */
    char producer[64];  /* who: two holders never share one claim */
    int64_t epoch;
};

struct tl_fence_intent {
    char intent_id[40];
    bool has_result;
};

/** What every reader of calls.v1 keeps for a call, to know which events count ("Claims and the
 *  fence" in the design). Zeroed = a call of which nothing was read. */
struct tl_fence {
    bool closed;
    struct tl_fence_leg legs[TL_FENCE_LEGS_MAX];
    size_t legs_n;
    struct tl_fence_intent *intents;
    size_t intents_n;
};

/** True when `event`, the next one of this call in the log, counts; the fence then knows it.
 *  - Behind the first `closed` nothing counts.
 *  - Events without a claim always pass; so do results, when their intent counted (or stands open in
 *    a checkpoint that did) and they are the first for it.
 *  - Of ingest (`given`, `stream_ended`): pass while their attachment is not below the highest; they
 *    never raise the fence.
 *  - All others: pass at the highest claim or above it, which becomes the highest; under one claim
 *    only the first holder passes. */
bool tl_fence_accept(struct tl_fence *fence, const struct tl_call_event *event);

/** The leg's state, or NULL when nothing of it was read. Borrowed until the next accept. */
const struct tl_fence_leg *tl_fence_leg_of(const struct tl_fence *fence, const char *leg);

void tl_fence_finish(struct tl_fence *fence); /* frees; accepts a zeroed struct */

#endif
