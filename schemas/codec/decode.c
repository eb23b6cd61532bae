/* Avro to structs, when the writer had this very schema: one walk over the descriptor tables. */
#include "codec/codec.h"
#include "codec/cursor.h"

static bool get_record(struct tl_cursor *c, const struct tl_avro_type *type, uint8_t *record);
static bool get_list(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to);

static bool get_enum(struct tl_cursor *c, const struct tl_avro_enum *e, uint8_t *to)
{
    int64_t value;

    if (!tl_cursor_long(c, &value))
        return false;
    if (value < 0 || (uint64_t)value >= e->symbols_n)
        return tl_cursor_fail(c, "a symbol that the enum has not");
    int stored = (int)value;
    memcpy(to, &stored, sizeof(stored));
    return true;
}

static bool get_string(struct tl_cursor *c, uint8_t *to)
{
    struct tl_bytes text;
    return tl_cursor_text(c, &text) && tl_cursor_copy(c, text, (const char **)to);
}

static bool get_fixed(struct tl_cursor *c, size_t size, uint8_t *to)
{
    const uint8_t *raw;
    if (!tl_cursor_raw(c, size, &raw))
        return false;
    memcpy(to, raw, size);
    return true;
}

/* A value that is not null, to zeroed memory. */
static bool get_value(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to)
{
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        return tl_cursor_bool(c, (bool *)to);
    case TL_AVRO_INT:
        return tl_cursor_int(c, (int32_t *)to);
    case TL_AVRO_LONG:
        return tl_cursor_long(c, (int64_t *)to);
    case TL_AVRO_FLOAT:
        return tl_cursor_float(c, (float *)to);
    case TL_AVRO_DOUBLE:
        return tl_cursor_double(c, (double *)to);
    case TL_AVRO_STRING:
        return get_string(c, to);
    case TL_AVRO_BYTES:
        return tl_cursor_bytes(c, (struct tl_bytes *)to);
    case TL_AVRO_ENUM:
        return get_enum(c, shape->enumeration, to);
    case TL_AVRO_FIXED:
        return get_fixed(c, shape->size, to);
    case TL_AVRO_RECORD:
        return get_record(c, shape->record, to);
    case TL_AVRO_ARRAY:
    case TL_AVRO_MAP:
        return get_list(c, shape, to);
    }
    return false;
}

static bool get_item(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *item)
{
    if (shape->kind == TL_AVRO_MAP && !get_string(c, item))
        return false;
    return get_value(c, shape->items, item + shape->value_offset);
}

static bool get_list(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to)
{
    struct tl_cursor_list list = {0};
    size_t least = tl_avro_shape_min_bytes(shape->items) + (shape->kind == TL_AVRO_MAP);
    const uint8_t *block_end;
    size_t n;

    for (;;) {
        if (!tl_cursor_block(c, least, &n, &block_end))
            return false;
        if (n == 0)
            break;
        if (!tl_cursor_grow(c, &list, n, shape->size))
            return false;
        for (size_t end = list.n + n; list.n < end; list.n++)
            if (!get_item(c, shape, list.data + list.n * shape->size))
                return false;
        if (!tl_cursor_block_end(c, block_end))
            return false;
    }
    tl_cursor_store_list(&list, to);
    return true;
}

/* ["null", X]: zeroed memory is null already. */
static bool get_nullable(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to)
{
    size_t branch;

    if (!tl_cursor_branch(c, 2, &branch))
        return false;
    if (branch == 0)
        return true;
    to = tl_avro_nullable_set(c, shape, to);
    return to && get_value(c, shape, to);
}

static bool get_record(struct tl_cursor *c, const struct tl_avro_type *type, uint8_t *record)
{
    const struct tl_avro_field *end = type->fields + type->fields_n;

    for (const struct tl_avro_field *f = type->fields; f < end; f++) {
        uint8_t *to = record + f->offset;
        if (f->shape.nullable ? !get_nullable(c, &f->shape, to) : !get_value(c, &f->shape, to))
            return tl_cursor_leave(c, f->name);
    }
    return true;
}

enum tl_status tl_avro_decode(const struct tl_avro_type *type, struct tl_bytes in,
                              struct tl_arena *arena, void *ret_record, struct tl_error *err)
{
    static const uint8_t nothing;
    const uint8_t *start = in.data ? in.data : &nothing;
    struct tl_cursor c = {.p = start, .end = start + in.len, .arena = arena};
    uint8_t *record = tl_cursor_alloc(&c, type->size);

    if (!record || !get_record(&c, type, record))
        return tl_cursor_error(&c, type->name, start, err);
    if (c.p != c.end)
        return tl_fail(err, TL_INVALID, "decode %s: %zu bytes behind its end", type->name,
                       tl_cursor_rest(&c));
    memcpy(ret_record, record, type->size);
    return TL_OK;
}
