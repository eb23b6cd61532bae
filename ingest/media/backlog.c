/* The ring of what Kafka has not taken: see backlog.h. */
#include "ingest/media/backlog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void tl_backlog_init(struct tl_backlog *b, size_t max_items)
{
    *b = (struct tl_backlog){.max = max_items};
}

void tl_backlog_finish(struct tl_backlog *b)
{
    free(b->items);
    *b = (struct tl_backlog){0};
}

static struct tl_backlog_item *slot(const struct tl_backlog *b, size_t i)
{
    return &b->items[(b->head + i) % b->cap];
}

static void grow(struct tl_backlog *b)
{
    size_t cap = b->cap ? b->cap * 2 : 8;
    if (cap > b->max)
        cap = b->max;
    struct tl_backlog_item *items = malloc(cap * sizeof(*items));
    if (!items)
        abort();
    for (size_t i = 0; i < b->len; i++)
        items[i] = *slot(b, i);
    free(b->items);
    b->items = items;
    b->cap = cap;
    b->head = 0;
}

static void pop(struct tl_backlog *b)
{
    b->head = (b->head + 1) % b->cap;
    b->len--;
    if (b->sent)
        b->sent--;
}

bool tl_backlog_push(struct tl_backlog *b, enum tl_media_kind kind, int64_t timestamp_ms,
                     const void *data, size_t len)
{
    bool kept = true;

    assert(len <= TL_BACKLOG_DATA_MAX);
    if (b->len == b->max) {
        b->dropped += slot(b, 0)->kind == TL_MEDIA_KIND_FRAME;
        pop(b);
        kept = false;
    }
    if (b->len == b->cap)
        grow(b);
    struct tl_backlog_item *item = slot(b, b->len++);
    item->kind = (uint8_t)kind;
    item->len = (uint8_t)len;
    item->n = b->next_n++;
    item->timestamp_ms = timestamp_ms;
    memcpy(item->data, data, len);
    item->data[len] = '\0';
    return kept;
}

const struct tl_backlog_item *tl_backlog_at(const struct tl_backlog *b, size_t i)
{
    return slot(b, i);
}

void tl_backlog_mark_sent(struct tl_backlog *b, size_t count)
{
    assert(b->sent + count <= b->len);
    b->sent += count;
}

void tl_backlog_acknowledge(struct tl_backlog *b, int64_t n)
{
    while (b->sent && slot(b, 0)->n <= n)
        pop(b);
    if (b->len == 0 && b->cap > 64) { /* a long outage is over: give the memory back */
        free(b->items);
        b->items = NULL;
        b->cap = b->head = 0;
    }
}

size_t tl_backlog_rewind(struct tl_backlog *b)
{
    b->sent = 0;
    return b->len;
}
