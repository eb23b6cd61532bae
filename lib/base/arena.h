#ifndef TL_BASE_ARENA_H
#define TL_BASE_ARENA_H

#include <stddef.h>

#include "base/error.h"

struct tl_arena_block;

/** Memory that is freed all at once: decoded records, parsed requests. Zeroed = empty and ready.
 *  Not for threads. Out of memory aborts; `max_bytes` 0 means no maximum, past it alloc gives NULL. */
struct tl_arena {
    struct tl_arena_block *head;
    size_t used_bytes;
    size_t max_bytes;
};

void *tl_arena_alloc(struct tl_arena *a, size_t n); /* zeroed, aligned for any type; NULL past max */
char *tl_arena_strndup(struct tl_arena *a, const char *s, size_t n); /* NUL-terminated copy */
char *tl_arena_strdup(struct tl_arena *a, const char *s);            /* NULL for NULL */
char *tl_arena_printf(struct tl_arena *a, const char *fmt, ...) TL_PRINTF(2, 3);
void tl_arena_reset(struct tl_arena *a);  /* everything is gone; the newest block is kept for reuse */
void tl_arena_finish(struct tl_arena *a); /* frees all */

#endif
