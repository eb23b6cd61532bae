#ifndef TL_CODEC_CURSOR_H
#define TL_CODEC_CURSOR_H

/* Strict reading of Avro's primitives from bytes that nobody can be trusted with; inside the codec
 * only. Each returns false with the reason in `why`. */

#include <string.h>

#include "codec/types.h"
#include "codec/utf8.h"

#define TL_CURSOR_PATH_MAX 8

struct tl_cursor {
    const uint8_t *p;
    const uint8_t *end;
    struct tl_arena *arena;
    const char *why;
    const char *path[TL_CURSOR_PATH_MAX]; /* fields on the way out of a failure, innermost first */
    size_t path_n;
};

static inline bool tl_cursor_fail(struct tl_cursor *c, const char *why)
{
    c->why = why;
    return false;
}

/* Notes a field that a failure passes on its way up; the outermost ones matter least. */
static inline bool tl_cursor_leave(struct tl_cursor *c, const char *field)
{
    if (c->path_n < TL_CURSOR_PATH_MAX)
        c->path[c->path_n++] = field;
    return false;
}

static inline size_t tl_cursor_rest(const struct tl_cursor *c)
{
    return (size_t)(c->end - c->p);
}

static inline bool tl_cursor_varint(struct tl_cursor *c, int64_t *ret)
{
    uint64_t z = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (c->p == c->end)
            return tl_cursor_fail(c, "ends within a number");
        uint8_t byte = *c->p++;
        if (shift == 63 && byte > 1)
            break;
        z |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
            return true;
        }
    }
    return tl_cursor_fail(c, "a number of more than 64 bits");
}

static inline bool tl_cursor_long(struct tl_cursor *c, int64_t *ret)
{
    if (c->p < c->end && *c->p < 0x80) { /* the common case: one byte */
        uint8_t z = *c->p++;
        *ret = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
        return true;
    }
    return tl_cursor_varint(c, ret);
}

static inline bool tl_cursor_int(struct tl_cursor *c, int32_t *ret)
{
    int64_t value;

    if (!tl_cursor_long(c, &value))
        return false;
    if (value < INT32_MIN || value > INT32_MAX)
        return tl_cursor_fail(c, "an int of more than 32 bits");
    *ret = (int32_t)value;
    return true;
}

static inline bool tl_cursor_bool(struct tl_cursor *c, bool *ret)
{
    if (c->p == c->end)
        return tl_cursor_fail(c, "ends before a boolean");
    if (*c->p > 1)
        return tl_cursor_fail(c, "a boolean that is neither 0 nor 1");
    *ret = *c->p++;
    return true;
}

static inline bool tl_cursor_raw(struct tl_cursor *c, size_t n, const uint8_t **ret)
{
    if (tl_cursor_rest(c) < n)
        return tl_cursor_fail(c, "ends within a value");
    *ret = c->p;
    c->p += n;
    return true;
}

static inline bool tl_cursor_float(struct tl_cursor *c, float *ret)
{
    const uint8_t *raw;
    uint32_t bits = 0;

    if (!tl_cursor_raw(c, 4, &raw))
        return false;
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)raw[i] << (8 * i);
    memcpy(ret, &bits, sizeof(bits));
    return true;
}

static inline bool tl_cursor_double(struct tl_cursor *c, double *ret)
{
    const uint8_t *raw;
    uint64_t bits = 0;

    if (!tl_cursor_raw(c, 8, &raw))
        return false;
    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)raw[i] << (8 * i);
    memcpy(ret, &bits, sizeof(bits));
    return true;
}

/* Length and content of bytes or string; borrows. */
static inline bool tl_cursor_bytes(struct tl_cursor *c, struct tl_bytes *ret)
{
    int64_t len;

    if (!tl_cursor_long(c, &len))
        return false;
    if (len < 0 || (uint64_t)len > tl_cursor_rest(c))
        return tl_cursor_fail(c, "a length beyond the end");
    *ret = (struct tl_bytes){c->p, (size_t)len};
    c->p += len;
    return true;
}

static inline bool tl_cursor_text(struct tl_cursor *c, struct tl_bytes *ret)
{
    return tl_cursor_bytes(c, ret) && (tl_utf8_is_text(ret->data, ret->len) ||
                                       tl_cursor_fail(c, "text that is not UTF-8 or holds NUL"));
}

static inline void *tl_cursor_alloc(struct tl_cursor *c, size_t n)
{
    void *p = tl_arena_alloc(c->arena, n);
    if (!p)
        (void)tl_cursor_fail(c, "needs more memory than a record may");
    return p;
}

static inline bool tl_cursor_copy(struct tl_cursor *c, struct tl_bytes text, const char **ret)
{
    char *copy = tl_cursor_alloc(c, text.len + 1);
    if (!copy)
        return false;
    if (text.len)
        memcpy(copy, text.data, text.len);
    *ret = copy;
    return true;
}

/* Branch of a union with n branches. */
static inline bool tl_cursor_branch(struct tl_cursor *c, size_t n, size_t *ret)
{
    int64_t branch;

    if (!tl_cursor_long(c, &branch))
        return false;
    if (branch < 0 || (uint64_t)branch >= n)
        return tl_cursor_fail(c, "a branch that the union has not");
    *ret = (size_t)branch;
    return true;
}

/* Head of a block of an array or map: number of items, 0 at the end; `ret_end` where it must end
 * when it says so (negative count), else NULL. An item is at least min_bytes (1 or more) long. */
static inline bool tl_cursor_block(struct tl_cursor *c, size_t min_bytes, size_t *ret_n,
                                   const uint8_t **ret_end)
{
    int64_t n, bytes;

    *ret_end = NULL;
    if (!tl_cursor_long(c, &n))
        return false;
    if (n < 0) {
        if (n == INT64_MIN || !tl_cursor_long(c, &bytes))
            return tl_cursor_fail(c, "an absurd number of items");
        if (bytes < 0 || (uint64_t)bytes > tl_cursor_rest(c))
            return tl_cursor_fail(c, "a block beyond the end");
        n = -n;
        *ret_end = c->p + bytes;
    }
    if ((uint64_t)n > tl_cursor_rest(c) / min_bytes)
        return tl_cursor_fail(c, "more items than can be there");
    *ret_n = (size_t)n;
    return true;
}

static inline bool tl_cursor_block_end(struct tl_cursor *c, const uint8_t *end)
{
    return !end || c->p == end || tl_cursor_fail(c, "a block of another size than it says");
}

/* Items that grow over several blocks; `data` moves within the arena. */
struct tl_cursor_list {
    uint8_t *data;
    size_t n;
    size_t cap;
};

static inline bool tl_cursor_grow(struct tl_cursor *c, struct tl_cursor_list *list, size_t more,
                                  size_t size)
{
    size_t cap = list->n + more;

    if (cap <= list->cap)
        return true;
    if (list->cap && cap < 2 * list->cap)
        cap = 2 * list->cap;
    if (cap > SIZE_MAX / 2 / size)
        return tl_cursor_fail(c, "more items than can be there");
    uint8_t *data = tl_cursor_alloc(c, cap * size);
    if (!data)
        return false;
    if (list->n)
        memcpy(data, list->data, list->n * size);
    list->data = data;
    list->cap = cap;
    return true;
}

static inline void tl_cursor_store_list(const struct tl_cursor_list *list, uint8_t *to)
{
    memcpy(to, &list->data, sizeof(list->data));
    memcpy(to + sizeof(list->data), &list->n, sizeof(list->n));
}

/* A value of this shape takes at least so many bytes. */
size_t tl_avro_shape_min_bytes(const struct tl_avro_shape *shape);

/* Marks a nullable value as set; where the value itself goes, NULL on failure. */
uint8_t *tl_avro_nullable_set(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to);

/* Where the value of a nullable one is, NULL when it is null. */
const uint8_t *tl_avro_nullable_get(const struct tl_avro_shape *shape, const uint8_t *at);

/* Turns a failure into the caller's error: "decode CallEvent.utterance.text: ends within …". */
enum tl_status tl_cursor_error(const struct tl_cursor *c, const char *record, const uint8_t *start,
                               struct tl_error *err);

#endif
