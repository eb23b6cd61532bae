/* Growable bytes with a maximum: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tl_buf_init(struct tl_buf *b, size_t max_bytes)
{
    *b = (struct tl_buf){.max = max_bytes};
}

void tl_buf_finish(struct tl_buf *b)
{
    free(b->data);
    *b = (struct tl_buf){0};
}

void tl_buf_reset(struct tl_buf *b)
{
    b->len = 0;
    b->full = false;
    if (b->data)
        b->data[0] = 0;
}

uint8_t *tl_buf_reserve(struct tl_buf *b, size_t n)
{
    if (n > b->max || b->len > b->max - n) {
        b->full = true;
        return NULL;
    }
    size_t need = b->len + n + 1; /* one for the NUL */
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap *= 2;
        uint8_t *data = realloc(b->data, cap);
        if (!data)
            abort();
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void tl_buf_add(struct tl_buf *b, const void *data, size_t n)
{
    uint8_t *to = tl_buf_reserve(b, n);
    if (!to)
        return;
    if (n)
        memcpy(to, data, n);
    b->len += n;
    b->data[b->len] = 0;
}

void tl_buf_add_str(struct tl_buf *b, const char *s)
{
    tl_buf_add(b, s, strlen(s));
}

void tl_buf_add_char(struct tl_buf *b, char c)
{
    tl_buf_add(b, &c, 1);
}

void tl_buf_printf(struct tl_buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n < sizeof(small)) {
        tl_buf_add(b, small, (size_t)n);
        return;
    }
    uint8_t *to = tl_buf_reserve(b, (size_t)n);
    if (!to)
        return;
    va_start(ap, fmt);
    (void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap); /* reserve left room for the NUL */
    va_end(ap);
    b->len += (size_t)n;
}

const char *tl_buf_str(struct tl_buf *b)
{
    return b->data ? (const char *)b->data : "";
}
