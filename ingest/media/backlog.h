#ifndef TL_INGEST_MEDIA_BACKLOG_H
#define TL_INGEST_MEDIA_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/media_batch.h"

#define TL_BACKLOG_DATA_MAX 160 /* bytes: a frame of 20 ms; texts are shorter */

/** One item of a leg on its way to the log. */
struct tl_backlog_item {
    uint8_t kind; /* enum tl_media_kind: FRAME, KEYED, MARK, STOPPED */
    uint8_t len;
    int64_t n;
    int64_t timestamp_ms;
    char data[TL_BACKLOG_DATA_MAX + 1]; /* sound, or NUL-terminated text */
};

/** What Kafka has not yet taken of one leg: a queue whose front part was sent and is not
 *  acknowledged, and whose rest waits. Zeroed + init. */
struct tl_backlog {
    struct tl_backlog_item *items; /* ring */
    size_t cap, head, len, sent;
    size_t max;      /* items; beyond, the oldest is dropped */
    int64_t next_n;  /* n of the next item */
    uint64_t dropped; /* frames */
};

void tl_backlog_init(struct tl_backlog *b, size_t max_items);
void tl_backlog_finish(struct tl_backlog *b);

/** Appends; gives the item its n. Returns false when the oldest had to go for it. */
bool tl_backlog_push(struct tl_backlog *b, enum tl_media_kind kind, int64_t timestamp_ms,
                     const void *data, size_t len);

/** i-th item, 0 = oldest. */
const struct tl_backlog_item *tl_backlog_at(const struct tl_backlog *b, size_t i);

/** The next `count` unsent items are on their way. */
void tl_backlog_mark_sent(struct tl_backlog *b, size_t count);

/** Items up to and including n are in the log. */
void tl_backlog_acknowledge(struct tl_backlog *b, int64_t n);

/** Everything unacknowledged has to be sent again; returns how many items. */
size_t tl_backlog_rewind(struct tl_backlog *b);

#endif
