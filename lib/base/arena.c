/* Block arena: see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES 4096

struct tl_arena_block {
    struct tl_arena_block *next;
    size_t len;
    size_t cap;
    alignas(max_align_t) unsigned char data[];
};

static struct tl_arena_block *block_create(size_t cap)
{
    struct tl_arena_block *b = malloc(sizeof(*b) + cap);
    if (!b)
        abort();
    b->next = NULL;
    b->len = 0;
    b->cap = cap;
    return b;
}

void *tl_arena_alloc(struct tl_arena *a, size_t n)
{
    size_t align = alignof(max_align_t);
    if (n > (size_t)-1 - align)
        return NULL;
    n = (n + align - 1) / align * align;
    if (a->max_bytes && (n > a->max_bytes || a->used_bytes > a->max_bytes - n))
        return NULL;
    if (!a->head || a->head->cap - a->head->len < n) {
        struct tl_arena_block *b = block_create(n > ARENA_BLOCK_BYTES ? n : ARENA_BLOCK_BYTES);
        b->next = a->head;
        a->head = b;
    }
    void *p = a->head->data + a->head->len;
    a->head->len += n;
    a->used_bytes += n;
    memset(p, 0, n);
    return p;
}

char *tl_arena_strndup(struct tl_arena *a, const char *s, size_t n)
{
    char *p = tl_arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

char *tl_arena_strdup(struct tl_arena *a, const char *s)
{
    return s ? tl_arena_strndup(a, s, strlen(s)) : NULL;
}

char *tl_arena_printf(struct tl_arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : tl_arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap); /* measured above */
    va_end(ap);
    return p;
}

void tl_arena_reset(struct tl_arena *a)
{
    struct tl_arena_block *keep = a->head;
    if (!keep)
        return;
    for (struct tl_arena_block *b = keep->next, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    keep->next = NULL;
    keep->len = 0;
    a->used_bytes = 0;
}

void tl_arena_finish(struct tl_arena *a)
{
    for (struct tl_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    size_t max = a->max_bytes;
    *a = (struct tl_arena){.max_bytes = max};
}
