#ifndef TL_BASE_BUF_H
#define TL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Borrowed bytes; who hands them out says how long they live. */
struct tl_bytes {
    const uint8_t *data;
    size_t len;
};

/** A growable run of bytes, born with a maximum. Always followed by one NUL that `len` does not
 *  count, so text can be read as a string. Append verbs fail as a whole: on overflow nothing is
 *  added and `full` stays set, so a writer may check once at the end. Out of memory aborts. */
struct tl_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max; /* bytes */
    bool full;  /* an append did not fit since the last reset */
};

void tl_buf_init(struct tl_buf *b, size_t max_bytes);
void tl_buf_finish(struct tl_buf *b);          /* frees; accepts a zeroed struct */
void tl_buf_reset(struct tl_buf *b);           /* empties, keeps the memory, clears `full` */
uint8_t *tl_buf_reserve(struct tl_buf *b, size_t n); /* room for n more bytes, or NULL when full */
void tl_buf_add(struct tl_buf *b, const void *data, size_t n);
void tl_buf_add_str(struct tl_buf *b, const char *s);
void tl_buf_add_char(struct tl_buf *b, char c);
void tl_buf_printf(struct tl_buf *b, const char *fmt, ...) TL_PRINTF(2, 3);
const char *tl_buf_str(struct tl_buf *b); /* borrowed until the next append */

#endif
