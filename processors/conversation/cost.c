/* What a call costs: see cost.h. */
#include "processors/conversation/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRICES 7

static bool read_row(const char *row, double ret_prices[PRICES])
{
    const char *p = strchr(row, '=');

    if (p == row)
        return false; /* it would be of no model */
    for (size_t i = 0; i < PRICES; i++) {
        char *end;
        if (!p)
            return false;
        ret_prices[i] = strtod(p + 1, &end);
        bool last = i == PRICES - 1;
        if (end == p + 1 || !isfinite(ret_prices[i]) || ret_prices[i] < 0 ||
            *end != (last ? '\0' : ','))
            return false;
        p = last ? NULL : end;
    }
    return true;
}

bool tl_cost_row_is_valid(const char *row)
{
    double prices[PRICES];
    return read_row(row, prices);
}

static const char *row_of(const struct tl_list *prices, const char *model)
{
    const char *best = NULL;
    size_t best_len = 0;

    for (size_t i = 0; i < prices->len; i++) {
        size_t len = strcspn(prices->item[i], "=");
        if (len > best_len && strncmp(prices->item[i], model, len) == 0) {
            best = prices->item[i];
            best_len = len;
        }
    }
    return best;
}

int64_t tl_cost_microusd(const struct tl_list *prices, const struct tl_usage *u)
{
    const char *row = row_of(prices, u->model);
    double p[PRICES];

    if (!row || !read_row(row, p))
        return 0;
    double text = (double)(u->input_text_tokens - u->cached_text_tokens);
    double audio = (double)(u->input_audio_tokens - u->cached_audio_tokens);
    /* dollars for a million tokens are millionths of a dollar for one */
    return llround(text * p[0] + audio * p[1] + (double)u->cached_text_tokens * p[2] +
                   (double)u->cached_audio_tokens * p[3] + (double)u->output_text_tokens * p[4] +
                   (double)u->output_audio_tokens * p[5] +
                   u->transcription_seconds / 60.0 * p[6] * 1e6);
}
