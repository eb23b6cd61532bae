/* Which words near a number say what it is: "security code", "order", "date of birth". */
#include "redact/context.h"

#include <string.h>

enum { BEHIND_PENALTY = 20, BEHIND_MAX = 6 };

void tl_context_init(struct tl_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->side = -1;
}

static uint32_t turn_of(const struct tl_context *ctx, int side, bool short_answer)
{
    bool changes = ctx->side >= 0 && ctx->side != side && !short_answer;
    return ctx->turn + changes;
}

void tl_cues_init(struct tl_cues *cues, const struct tl_words *w, const struct tl_context *before,
                  int side, bool short_answer, int64_t start_ms)
{
    cues->n = 0;
    cues->all = 0;
    cues->before = before;
    cues->start_ms = start_ms;
    for (size_t i = 0, len; i<w->n; i += len> 0 ? len : 1) {
        uint64_t set = 0;
        len = w->word[i].digits && w->word[i].norm_len > 2 ? 0 : tl_words_cue(w, i, &set);
        if (len == 0)
            continue;
        cues->all |= set;
        if (cues->n < TL_CUES_MAX)
            cues->at[cues->n++] =
                (struct tl_cue_at){.word = (uint32_t)i, .len = (uint32_t)len, .cues = set};
    }
    cues->turn = before != NULL ? turn_of(before, side, short_answer && cues->all == 0) : 0;
}

void tl_context_add(struct tl_context *ctx, const struct tl_cues *cues, int side, bool short_answer,
                    int64_t end_ms)
{
    bool passing = short_answer && cues->all == 0;
    ctx->turn = turn_of(ctx, side, passing);
    if (!passing || ctx->side < 0)
        ctx->side = side;
    if (cues->all == 0)
        return;
    ctx->past[ctx->next].cues = cues->all;
    ctx->past[ctx->next].end_ms = end_ms;
    ctx->past[ctx->next].turn = ctx->turn;
    ctx->next = (ctx->next + 1) % TL_CONTEXT_TURNS;
    if (ctx->n < TL_CONTEXT_TURNS)
        ctx->n++;
}

static uint32_t distance_here(const struct tl_cues *cues, uint64_t set, size_t first, size_t last)
{
    uint32_t best = TL_CUE_FAR;
    for (size_t i = 0; i < cues->n; i++) {
        const struct tl_cue_at *at = &cues->at[i];
        uint32_t d = TL_CUE_FAR;
        if (!(at->cues & set))
            continue;
        if (at->word + at->len <= first)
            d = (uint32_t)first - at->word - at->len;
        else if (at->word > last && at->word - last <= BEHIND_MAX)
            d = BEHIND_PENALTY + at->word - (uint32_t)last;
        if (d < best)
            best = d;
    }
    return best < TL_CUE_EARLIER ? best : best == TL_CUE_FAR ? best : TL_CUE_EARLIER - 1;
}

static uint32_t distance_before(const struct tl_cues *cues, uint64_t set)
{
    uint32_t best = TL_CUE_FAR;
    for (size_t i = 0; cues->before != NULL && i < cues->before->n; i++) {
        uint32_t turns = cues->turn - cues->before->past[i].turn;
        int64_t ago_ms = cues->start_ms - cues->before->past[i].end_ms;
        if (!(cues->before->past[i].cues & set) || turns > TL_CONTEXT_REACH ||
            ago_ms > TL_CONTEXT_MS)
            continue;
        /* Of two in one turn the later counts as nearer. */
        uint32_t age =
            (uint32_t)((cues->before->next + TL_CONTEXT_TURNS - 1 - i) % TL_CONTEXT_TURNS);
        uint32_t d = TL_CUE_EARLIER + turns * TL_CONTEXT_TURNS + age;
        if (d < best)
            best = d;
    }
    return best;
}

uint32_t tl_cues_distance(const struct tl_cues *cues, uint64_t set, size_t first, size_t last)
{
    uint32_t here = distance_here(cues, set, first, last);
    return here != TL_CUE_FAR ? here : distance_before(cues, set);
}
