#ifndef TL_CALL_GOVERNOR_H
#define TL_CALL_GOVERNOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/presence.h"

/* The governor of the AI provider's limits: arithmetic over presence, no shared counter, so nothing leaks
 * on SIGKILL. Pure.
 *
 * Sessions. What is left of the limit is handed out one by one, to whoever has the fewest (of equal ones
 * the lower number), and as long as
 *   - the configured reserve stays free, and
 *   - what stays free could take all of the fullest instance's sessions once more: the provider may count
 *     those of a dead one for a while.
 * With equal load that is limit x (1 - reserve) / instances each; what one leaves unused, the others may
 * have. All that see the same come to the same shares, and using a share does not change it: so the sum
 * never exceeds the limit. Calls that go on after a death take of the reserve too, as far as there is one.
 *
 * Tokens. What is left of the minute's tokens, less the reserve, is divided evenly, and by what a call
 * takes on average. A call that goes on is never refused for tokens. */

struct tl_governor_limits {
    int64_t max_sessions;      /* at once; 0: no limit */
    int64_t tokens_per_minute; /* 0: no limit */
    int64_t reserve_pct;       /* 0..90; at least that share of both is left free by new calls */
};

/** One living instance, this one among them. */
struct tl_governed {
    int number;
    int calls;       /* held */
    int sessions;    /* in use or about to be: not less than calls */
    int64_t tokens;  /* of the last minute */
    int capacity;    /* calls it holds at most, whatever the provider allows */
    bool is_leaving; /* it drains: takes nothing, but uses what it uses */
};

struct tl_governor_share {
    int new_calls;    /* this instance may take so many new calls now; INT_MAX: no limit */
    int going_on;     /* calls of others' that go on, the new ones included; likewise */
    int64_t sessions; /* it may have in all, without reserve; -1: no limit */
    int64_t tokens;   /* it may use a minute, without reserve; -1: no limit */
};

/** The share of all[own]. */
void tl_governor_divide(const struct tl_governor_limits *limits, const struct tl_governed *all, size_t n,
                        size_t own, struct tl_governor_share *ret_share);

/** The same for a conversation, over the living ones of its view; what it knows of itself is newer than its
 *  presence: `own`. */
void tl_governor_share(const struct tl_governor_limits *limits, const struct tl_presence_view *view,
                       const struct tl_governed *own, struct tl_governor_share *ret_share);

#endif
