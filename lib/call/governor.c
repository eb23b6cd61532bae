/* How many sessions and tokens this instance may have: see governor.h. */
#include "call/governor.h"

#include <limits.h>
#include <stdlib.h>

/* Handing out one by one to the emptiest raises a level, as water does: everybody ends at it, or at what
 * it has already, or at its capacity. So the level is looked for instead. */
struct water {
    const struct tl_governed *all;
    size_t n;
    int64_t limit;       /* of the sum */
    int64_t with_fullest; /* of the sum and the fullest together */
};

static int64_t at_level(const struct tl_governed *g, int64_t level)
{
    int64_t most = g->is_leaving || g->capacity < g->sessions ? g->sessions : g->capacity;
    int64_t least = level > g->sessions ? level : g->sessions;

    return least < most ? least : most;
}

static bool fits(const struct water *w, int64_t sum, int64_t fullest)
{
    return sum <= w->limit && sum + fullest <= w->with_fullest;
}

static bool level_fits(const struct water *w, int64_t level, int64_t *ret_sum, int64_t *ret_fullest)
{
    *ret_sum = *ret_fullest = 0;
    for (size_t i = 0; i < w->n; i++) {
        int64_t sessions = at_level(&w->all[i], level);
        *ret_sum += sessions;
        if (sessions > *ret_fullest)
            *ret_fullest = sessions;
    }
    return fits(w, *ret_sum, *ret_fullest);
}

static int64_t find_level(const struct water *w)
{
    int64_t low = 0, high = w->limit, sum, fullest;

    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (level_fits(w, middle, &sum, &fullest))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* What all[own] has in the end. */
static int64_t pour(const struct water *w, size_t own)
{
    int64_t level = find_level(w), sum, fullest, last = INT_MIN;
    int64_t ours = at_level(&w->all[own], level);

    if (!level_fits(w, level, &sum, &fullest))
        return w->all[own].sessions; /* too many already */
    /* One more each, in the order of their numbers, until it does not fit any more. */
    for (;;) {
        const struct tl_governed *next = NULL;
        for (size_t i = 0; i < w->n; i++) {
            const struct tl_governed *g = &w->all[i];
            if (g->number > last && at_level(g, level + 1) > at_level(g, level) &&
                (!next || g->number < next->number))
                next = g;
        }
        if (!next || !fits(w, sum + 1, fullest > level + 1 ? fullest : level + 1))
            return ours;
        sum++;
        if (fullest < level + 1)
            fullest = level + 1;
        last = next->number;
        if (next == &w->all[own])
            return ours + 1;
    }
}

static int bounded(int64_t n)
{
    return n < 0 ? 0 : n > INT_MAX ? INT_MAX : (int)n;
}

static int64_t reserve_of(int64_t limit, int64_t pct)
{
    return (limit * pct + 99) / 100;
}

static size_t count_takers(const struct tl_governed *all, size_t n)
{
    size_t takers = 0;

    for (size_t i = 0; i < n; i++)
        takers += !all[i].is_leaving;
    return takers;
}

/* A limit too small for any reserve: better one call without than none. */
static bool is_first_of_all(const struct tl_governed *all, size_t n, size_t own)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].sessions > 0 || (!all[i].is_leaving && all[i].number < all[own].number))
            return false;
    return !all[own].is_leaving && all[own].capacity > 0;
}

static void divide_sessions(const struct tl_governor_limits *limits, const struct tl_governed *all,
                            size_t n, size_t own, struct tl_governor_share *share)
{
    int64_t limit = limits->max_sessions, reserve = reserve_of(limit, limits->reserve_pct);
    /* One alone has nobody who would take its calls beside it. */
    bool is_alone = n < 2;
    const struct water with_reserve = {all, n, limit - reserve, is_alone ? INT64_MAX / 2 : limit};
    const struct water without = {all, n, limit, INT64_MAX / 2};
    int64_t ours = all[own].sessions;

    share->sessions = pour(&with_reserve, own);
    if (limit - reserve < 2 && share->sessions == 0 && is_first_of_all(all, n, own))
        share->sessions = 1;
    share->new_calls = bounded(share->sessions - ours);
    share->going_on = bounded(pour(&without, own) - ours);
}

static void divide_tokens(const struct tl_governor_limits *limits, const struct tl_governed *all,
                          size_t n, size_t own, struct tl_governor_share *share)
{
    int64_t limit = limits->tokens_per_minute, used = 0, calls = 0;
    int64_t takers = (int64_t)count_takers(all, n);

    for (size_t i = 0; i < n; i++) {
        used += all[i].tokens;
        calls += all[i].calls;
    }
    int64_t left = limit - reserve_of(limit, limits->reserve_pct) - used;
    int64_t part = left > 0 && takers && !all[own].is_leaving ? left / takers : 0;
    int64_t a_call = calls && used > calls ? used / calls : 1;
    share->tokens = all[own].tokens + part;
    int more = bounded(part / a_call);
    if (more < share->new_calls)
        share->new_calls = more;
}

void tl_governor_divide(const struct tl_governor_limits *limits, const struct tl_governed *all, size_t n,
                        size_t own, struct tl_governor_share *ret_share)
{
    *ret_share = (struct tl_governor_share){
        .new_calls = INT_MAX, .going_on = INT_MAX, .sessions = -1, .tokens = -1};
    if (limits->max_sessions > 0)
        divide_sessions(limits, all, n, own, ret_share);
    if (limits->tokens_per_minute > 0)
        divide_tokens(limits, all, n, own, ret_share);
}

void tl_governor_share(const struct tl_governor_limits *limits, const struct tl_presence_view *view,
                       const struct tl_governed *own, struct tl_governor_share *ret_share)
{
    struct tl_governed *all = calloc(view->peers_n + 1, sizeof(*all));
    size_t n = 0;

    if (!all)
        abort();
    all[n++] = *own;
    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        if (p->kind != TL_INSTANCE_KIND_CONVERSATION || p->gone || p->number == own->number)
            continue;
        all[n++] = (struct tl_governed){
            .number = p->number,
            .calls = p->calls_held,
            .sessions = p->ai_sessions > p->calls_held ? p->ai_sessions : p->calls_held,
            .tokens = p->ai_tokens_per_minute,
            .capacity = p->capacity,
            .is_leaving = p->draining};
    }
    tl_governor_divide(limits, all, n, 0, ret_share);
    free(all);
}
