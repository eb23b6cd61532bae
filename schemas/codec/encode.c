/* Structs to Avro: one walk over the descriptor tables, writing through a cursor into the buffer.
 */
#include <string.h>

#include "codec/codec.h"
#include "codec/cursor.h"
#include "codec/utf8.h"

#define VARINT_MAX 10 /* bytes of a 64-bit number */

/* `p`..`end` is free memory of `out`, behind what was written so far. */
struct output {
    struct tl_buf *out;
    uint8_t *p;
    uint8_t *end;
    const char *why;   /* what went wrong */
    const char *field; /* and where */
};

/* Room for n more bytes; the common case is one comparison. */
static bool room_slow(struct output *o, size_t n)
{
    struct tl_buf *b = o->out;

    if (o->p)
        b->len = (size_t)(o->p - b->data);
    if (!tl_buf_reserve(b, n)) {
        o->why = "the record is larger than the buffer's maximum";
        return false;
    }
    size_t usable = b->cap - 1 < b->max ? b->cap - 1 : b->max; /* one for the NUL */
    o->p = b->data + b->len;
    o->end = b->data + usable;
    return true;
}

static inline bool room(struct output *o, size_t n)
{
    return (size_t)(o->end - o->p) >= n || room_slow(o, n);
}

static inline bool put_long(struct output *o, int64_t value)
{
    uint64_t z = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63); /* zig-zag */

    if (o->end - o->p <
        VARINT_MAX) { /* near the maximum the number may fit though ten bytes do not */
        size_t n = 1;
        for (uint64_t rest = z >> 7; rest; rest >>= 7)
            n++;
        if (!room(o, n))
            return false;
    }
    while (z >= 0x80) {
        *o->p++ = (uint8_t)(z | 0x80);
        z >>= 7;
    }
    *o->p++ = (uint8_t)z;
    return true;
}

static inline bool put_raw(struct output *o, const void *data, size_t n)
{
    if (!room(o, n))
        return false;
    if (n) {
        memcpy(o->p, data, n);
        o->p += n;
    }
    return true;
}

static bool put_float(struct output *o, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint8_t raw[4];
    for (int i = 0; i < 4; i++)
        raw[i] = (uint8_t)(bits >> (8 * i));
    return put_raw(o, raw, sizeof(raw));
}

static bool put_double(struct output *o, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint8_t raw[8];
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(bits >> (8 * i));
    return put_raw(o, raw, sizeof(raw));
}

static bool put_string(struct output *o, const char *s)
{
    size_t n = s ? strlen(s) : 0;

    if (!tl_utf8_is_text((const uint8_t *)s, n)) {
        o->why = "text is not UTF-8";
        return false;
    }
    return put_long(o, (int64_t)n) && put_raw(o, s, n);
}

static bool put_bytes(struct output *o, const struct tl_bytes *b)
{
    return put_long(o, (int64_t)b->len) && put_raw(o, b->data, b->len);
}

static bool put_enum(struct output *o, const struct tl_avro_enum *e, int value)
{
    if (value < 0 || (size_t)value >= e->symbols_n) {
        o->why = "enum out of range";
        return false;
    }
    return put_long(o, value);
}

static bool put_record(struct output *o, const struct tl_avro_type *type, const uint8_t *record);
static bool put_list(struct output *o, const struct tl_avro_shape *shape, const uint8_t *at);

/* A value that is not null. */
static bool put_value(struct output *o, const struct tl_avro_shape *shape, const uint8_t *at)
{
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        return put_raw(o, *(const bool *)at ? "\1" : "\0", 1);
    case TL_AVRO_INT:
        return put_long(o, *(const int32_t *)at);
    case TL_AVRO_LONG:
        return put_long(o, *(const int64_t *)at);
    case TL_AVRO_FLOAT:
        return put_float(o, *(const float *)at);
    case TL_AVRO_DOUBLE:
        return put_double(o, *(const double *)at);
    case TL_AVRO_STRING:
        return put_string(o, *(const char *const *)at);
    case TL_AVRO_BYTES:
        return put_bytes(o, (const struct tl_bytes *)at);
    case TL_AVRO_ENUM: {
        int value;
        memcpy(&value, at, sizeof(value));
        return put_enum(o, shape->enumeration, value);
    }
    case TL_AVRO_FIXED:
        return put_raw(o, at, shape->size);
    case TL_AVRO_RECORD:
        return put_record(o, shape->record, at);
    case TL_AVRO_ARRAY:
    case TL_AVRO_MAP:
        return put_list(o, shape, at);
    }
    return false;
}

/* One block with all items, if any; then the empty block that ends it. */
static bool put_list(struct output *o, const struct tl_avro_shape *shape, const uint8_t *at)
{
    const uint8_t *item;
    size_t n;

    memcpy(&item, at, sizeof(item));
    memcpy(&n, at + sizeof(item), sizeof(n));
    if (n && !put_long(o, (int64_t)n))
        return false;
    for (size_t i = 0; i < n; i++, item += shape->size) {
        if (shape->kind == TL_AVRO_MAP && !put_string(o, *(const char *const *)item))
            return false;
        if (!put_value(o, shape->items, item + shape->value_offset))
            return false;
    }
    return put_long(o, 0);
}

/* ["null", X]: the branch, then the value if there is one. */
static bool put_nullable(struct output *o, const struct tl_avro_shape *shape, const uint8_t *at)
{
    at = tl_avro_nullable_get(shape, at);
    return put_raw(o, at ? "\2" : "\0", 1) && (!at || put_value(o, shape, at));
}

static bool put_record(struct output *o, const struct tl_avro_type *type, const uint8_t *record)
{
    const struct tl_avro_field *end = type->fields + type->fields_n;

    for (const struct tl_avro_field *f = type->fields; f < end; f++) {
        const uint8_t *at = record + f->offset;
        if (f->shape.nullable ? !put_nullable(o, &f->shape, at) : !put_value(o, &f->shape, at)) {
            if (!o->field)
                o->field = f->name;
            return false;
        }
    }
    return true;
}

enum tl_status tl_avro_encode(const struct tl_avro_type *type, const void *record,
                              struct tl_buf *out, struct tl_error *err)
{
    size_t start = out->len;
    struct output o = {.out = out};

    if (!room_slow(&o, 1) || !put_record(&o, type, record)) {
        out->len = start;
        if (out->data)
            out->data[start] = 0;
        return tl_fail(err, TL_INVALID, "encode %s: %s: %s", type->name, o.field ? o.field : "-",
                       o.why);
    }
    out->len = (size_t)(o.p - out->data);
    out->data[out->len] = 0;
    return TL_OK;
}

const char *tl_avro_enum_name(const struct tl_avro_enum *e, int value)
{
    return value >= 0 && (size_t)value < e->symbols_n ? e->symbols[value] : e->symbols[0];
}

int tl_avro_enum_from_name(const struct tl_avro_enum *e, const char *name)
{
    for (size_t i = 0; name && i < e->symbols_n; i++)
        if (strcmp(name, e->symbols[i]) == 0)
            return (int)i;
    return 0;
}

void tl_avro_frame_begin(struct tl_buf *out, int32_t schema_id)
{
    uint32_t id = (uint32_t)schema_id;
    uint8_t head[TL_AVRO_FRAME_BYTES] = {0, (uint8_t)(id >> 24), (uint8_t)(id >> 16),
                                         (uint8_t)(id >> 8), (uint8_t)id};
    tl_buf_add(out, head, sizeof(head));
}

enum tl_status tl_avro_frame_parse(struct tl_bytes value, int32_t *ret_schema_id,
                                   struct tl_bytes *ret_datum, struct tl_error *err)
{
    if (value.len < TL_AVRO_FRAME_BYTES)
        return tl_fail(err, TL_INVALID, "record value of %zu bytes has no schema id", value.len);
    if (value.data[0] != 0)
        return tl_fail(err, TL_INVALID, "record value begins with %u, not 0", value.data[0]);
    *ret_schema_id = (int32_t)((uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 |
                               (uint32_t)value.data[3] << 8 | value.data[4]);
    *ret_datum =
        (struct tl_bytes){value.data + TL_AVRO_FRAME_BYTES, value.len - TL_AVRO_FRAME_BYTES};
    return TL_OK;
}
