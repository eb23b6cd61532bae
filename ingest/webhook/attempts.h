#ifndef TL_INGEST_WEBHOOK_ATTEMPTS_H
#define TL_INGEST_WEBHOOK_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#define TL_ATTEMPTS_CALLS_MAX 1024 /* remembered; the one that came back longest ago falls out */

/** How often calls came back to this process lately, for those whose link does not tell: nothing of
 * ours comes with a fallback. Pure. */
struct tl_attempts;

struct tl_attempts *tl_attempts_create(void);
void tl_attempts_destroy(struct tl_attempts *attempts); /* accepts NULL */

/** The call comes back at time now_s: the window (begun at, attempts in it) that it stands in, this
 * one not counted. */
void tl_attempts_window(const struct tl_attempts *attempts, const char *call_sid, int64_t now_s,
                        int64_t *ret_start_s, int *ret_n);

/** Remembers the window of a call, this attempt counted. */
void tl_attempts_put(struct tl_attempts *attempts, const char *call_sid, int64_t start_s, int n);

#endif
