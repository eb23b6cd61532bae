#ifndef TL_INGEST_MEDIA_RIVALRY_H
#define TL_INGEST_MEDIA_RIVALRY_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/playback_batch.h"
#include "call/claim.h"

#define TL_RIVALRY_SOON_MS 250  /* a claim lost within this time was lost at once */
#define TL_RIVALRY_MOST_MS 8000 /* between claims of a leg that is lost again and again */

/** What one media stream remembers of losing its leg. Pure; zeroed = never lost.
 *
 *  A stream that still gets frames claims again above the winner, which may be dead; a claim is
 * made on the arrival of a frame, never without. So a winner that claims again above *that* gets
 * frames too: two sockets carry one call. Then the one that lost first yields: it closes, and were
 * it the caller's after all, the telephone network comes back with a higher number. Each pair of
 * streams claims against each other once, not for ever, and the newer one is left. */
struct tl_rivalry {
    char rival[64];     /* above whose claim this stream claimed last; "?": not named; "": nobody */
    int64_t claimed_ms; /* monotonic: when it last claimed */
    int64_t due_ms;     /* it does not claim again before */
    int losses;         /* since it was last held */
    bool is_outbid;     /* another stream's claim stands above its own, and it has not claimed since */
};

enum tl_rivalry_verdict {
    TL_RIVALRY_OLD_NEWS, /* the message is of a claim that is over */
    TL_RIVALRY_CLAIM,    /* claim again, from due_ms on, with a frame */
    TL_RIVALRY_YIELD,    /* another stream carries the call */
};

/** "Your conversation does not hold you" came for the stream `own_sid`, whose newest claim is
 * `own`. The item names the winner's claim and stream, or the own claim when nobody is known to
 * have won. */
enum tl_rivalry_verdict tl_rivalry_on_lost(struct tl_rivalry *rivalry, const struct tl_claim *own,
                                           const char *own_sid, const struct tl_playback_item *lost,
                                           int64_t now_ms);

/** It claims now. */
void tl_rivalry_on_claim(struct tl_rivalry *rivalry, int64_t now_ms);

/** Its conversation speaks to it: it is held. */
void tl_rivalry_on_held(struct tl_rivalry *rivalry);

#endif
