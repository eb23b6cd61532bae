/* Who claims again, who yields: see rivalry.h. */
#include "ingest/media/rivalry.h"

#include <stdio.h>
#include <string.h>

/* The first claim anew is at once, unless the last one was lost at once; then each waits twice as
 * long as the one before. */
static void wait_longer(struct tl_rivalry *r, int64_t now_ms)
{
    bool at_once = now_ms - r->claimed_ms < TL_RIVALRY_SOON_MS;
    int64_t wait_ms = 0;

    if (r->losses > 0 || at_once) {
        int doublings = r->losses > 0 ? r->losses - 1 : 0;
        wait_ms = doublings < 5 ? (int64_t)TL_RIVALRY_SOON_MS << doublings : TL_RIVALRY_MOST_MS;
    }
    r->losses++;
    r->due_ms = now_ms + wait_ms;
}

enum tl_rivalry_verdict tl_rivalry_on_lost(struct tl_rivalry *r, const struct tl_claim *own,
                                           const char *own_sid, const struct tl_playback_item *lost,
                                           int64_t now_ms)
{
    const struct tl_claim winner = {
        .number = lost->number, .offset = lost->offset, .session = lost->session};
    const char *sid =
        lost->winner_stream_sid && *lost->winner_stream_sid ? lost->winner_stream_sid : "?";
    bool is_above = tl_attachment_compare(&winner, own) > 0;

    if (strcmp(sid, own_sid) == 0 || (!is_above && tl_claim_compare(&winner, own) != 0))
        return TL_RIVALRY_OLD_NEWS;
    if (is_above && strcmp(sid, r->rival) == 0)
        return TL_RIVALRY_YIELD;
    if (is_above)
        (void)snprintf(r->rival, sizeof(r->rival), "%s", sid);
    r->is_outbid = is_above;
    wait_longer(r, now_ms);
    return TL_RIVALRY_CLAIM;
}

void tl_rivalry_on_claim(struct tl_rivalry *r, int64_t now_ms)
{
    r->claimed_ms = now_ms;
    r->due_ms = 0;
    r->is_outbid = false;
}

void tl_rivalry_on_held(struct tl_rivalry *r)
{
    r->losses = 0;
}
