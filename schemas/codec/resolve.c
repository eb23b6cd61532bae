/* Avro to structs, when the writer had another version of the schema: a walk over the writer's tree
 * that stores what the descriptor tables know by name and skips the rest. */
#include "codec/codec.h"
#include "codec/cursor.h"
#include "codec/writer.h"

static bool skip(struct tl_cursor *c, const struct tl_avro_node *node);
static bool take_record(struct tl_cursor *c, const struct tl_avro_node *node,
                        const struct tl_avro_type *type, uint8_t *record);

/* Items of arrays and maps are counted even when they may be empty: none is shorter than a byte to
 * us, so five bytes cannot ask for millions of nulls. */
static size_t least_bytes(const struct tl_avro_node *list)
{
    size_t n = list->children[0]->min_bytes + (list->kind == TL_NODE_MAP);
    return n ? n : 1;
}

static bool skip_list(struct tl_cursor *c, const struct tl_avro_node *node)
{
    const uint8_t *block_end;
    struct tl_bytes key;
    size_t n;

    for (;;) {
        if (!tl_cursor_block(c, least_bytes(node), &n, &block_end))
            return false;
        if (n == 0)
            return true;
        for (size_t i = 0; i < n; i++)
            if ((node->kind == TL_NODE_MAP && !tl_cursor_text(c, &key)) ||
                !skip(c, node->children[0]))
                return false;
        if (!tl_cursor_block_end(c, block_end))
            return false;
    }
}

static bool skip_branch(struct tl_cursor *c, const struct tl_avro_node *node)
{
    size_t i;
    return tl_cursor_branch(c, node->n, &i) && skip(c, node->children[i]);
}

/* What we do not know is checked all the same: a record is right or it is not. */
static bool skip(struct tl_cursor *c, const struct tl_avro_node *node)
{
    const uint8_t *raw;
    struct tl_bytes bytes;
    int64_t number;
    int32_t small;
    bool flag;

    switch (node->kind) {
    case TL_NODE_NULL:
        return true;
    case TL_NODE_BOOL:
        return tl_cursor_bool(c, &flag);
    case TL_NODE_INT:
        return tl_cursor_int(c, &small);
    case TL_NODE_LONG:
        return tl_cursor_long(c, &number);
    case TL_NODE_FLOAT:
        return tl_cursor_raw(c, 4, &raw);
    case TL_NODE_DOUBLE:
        return tl_cursor_raw(c, 8, &raw);
    case TL_NODE_STRING:
        return tl_cursor_text(c, &bytes);
    case TL_NODE_BYTES:
        return tl_cursor_bytes(c, &bytes);
    case TL_NODE_ENUM:
        return tl_cursor_branch(c, node->n, &(size_t){0});
    case TL_NODE_FIXED:
        return tl_cursor_raw(c, node->size, &raw);
    case TL_NODE_RECORD:
        for (size_t i = 0; i < node->n; i++)
            if (!skip(c, node->children[i]))
                return tl_cursor_leave(c, node->names[i]);
        return true;
    case TL_NODE_ARRAY:
    case TL_NODE_MAP:
        return skip_list(c, node);
    case TL_NODE_UNION:
        return skip_branch(c, node);
    }
    return false;
}

static bool unfit(struct tl_cursor *c)
{
    return tl_cursor_fail(c, "the writer's type does not fit ours");
}

static bool take_integer(struct tl_cursor *c, const struct tl_avro_node *node, int64_t *ret)
{
    int32_t small;

    if (node->kind == TL_NODE_LONG)
        return tl_cursor_long(c, ret);
    if (node->kind != TL_NODE_INT)
        return unfit(c);
    if (!tl_cursor_int(c, &small))
        return false;
    *ret = small;
    return true;
}

static bool take_int(struct tl_cursor *c, const struct tl_avro_node *node, uint8_t *to)
{
    return node->kind == TL_NODE_INT ? tl_cursor_int(c, (int32_t *)to) : unfit(c);
}

static bool take_float(struct tl_cursor *c, const struct tl_avro_node *node, float *ret)
{
    int64_t integer;

    if (node->kind == TL_NODE_FLOAT)
        return tl_cursor_float(c, ret);
    if (!take_integer(c, node, &integer))
        return false;
    *ret = (float)integer;
    return true;
}

static bool take_double(struct tl_cursor *c, const struct tl_avro_node *node, double *ret)
{
    float single;
    int64_t integer;

    if (node->kind == TL_NODE_DOUBLE)
        return tl_cursor_double(c, ret);
    if (node->kind == TL_NODE_FLOAT) {
        if (!tl_cursor_float(c, &single))
            return false;
        *ret = single;
        return true;
    }
    if (!take_integer(c, node, &integer))
        return false;
    *ret = (double)integer;
    return true;
}

static bool take_string(struct tl_cursor *c, const struct tl_avro_node *node, uint8_t *to)
{
    struct tl_bytes text;

    if (node->kind != TL_NODE_STRING && node->kind != TL_NODE_BYTES)
        return unfit(c);
    return tl_cursor_text(c, &text) && tl_cursor_copy(c, text, (const char **)to);
}

static bool take_bytes(struct tl_cursor *c, const struct tl_avro_node *node, uint8_t *to)
{
    if (node->kind == TL_NODE_STRING)
        return tl_cursor_text(c, (struct tl_bytes *)to);
    return node->kind == TL_NODE_BYTES ? tl_cursor_bytes(c, (struct tl_bytes *)to) : unfit(c);
}

static bool take_enum(struct tl_cursor *c, const struct tl_avro_node *node,
                      const struct tl_avro_enum *e, uint8_t *to)
{
    size_t i;

    if (node->kind != TL_NODE_ENUM)
        return unfit(c);
    if (!tl_cursor_branch(c, node->n, &i))
        return false;
    int value = tl_avro_enum_from_name(e, node->names[i]);
    memcpy(to, &value, sizeof(value));
    return true;
}

static bool take_fixed(struct tl_cursor *c, const struct tl_avro_node *node, size_t size,
                       uint8_t *to)
{
    const uint8_t *raw;

    if (node->kind != TL_NODE_FIXED || node->size != size)
        return unfit(c);
    if (!tl_cursor_raw(c, size, &raw))
        return false;
    memcpy(to, raw, size);
    return true;
}

static bool take(struct tl_cursor *c, const struct tl_avro_node *node,
                 const struct tl_avro_shape *shape, uint8_t *to);

static bool take_item(struct tl_cursor *c, const struct tl_avro_node *node,
                      const struct tl_avro_shape *shape, uint8_t *item)
{
    struct tl_bytes key;

    if (shape->kind == TL_AVRO_MAP &&
        (!tl_cursor_text(c, &key) || !tl_cursor_copy(c, key, (const char **)item)))
        return false;
    return take(c, node->children[0], shape->items, item + shape->value_offset);
}

static bool take_list(struct tl_cursor *c, const struct tl_avro_node *node,
                      const struct tl_avro_shape *shape, uint8_t *to)
{
    struct tl_cursor_list list = {0};
    const uint8_t *block_end;
    size_t n;

    if (node->kind != (shape->kind == TL_AVRO_MAP ? TL_NODE_MAP : TL_NODE_ARRAY))
        return unfit(c);
    for (;;) {
        if (!tl_cursor_block(c, least_bytes(node), &n, &block_end))
            return false;
        if (n == 0)
            break;
        if (!tl_cursor_grow(c, &list, n, shape->size))
            return false;
        for (size_t end = list.n + n; list.n < end; list.n++)
            if (!take_item(c, node, shape, list.data + list.n * shape->size))
                return false;
        if (!tl_cursor_block_end(c, block_end))
            return false;
    }
    tl_cursor_store_list(&list, to);
    return true;
}

/* A value that the writer has, to zeroed memory. */
static bool take(struct tl_cursor *c, const struct tl_avro_node *node,
                 const struct tl_avro_shape *shape, uint8_t *to)
{
    if (node->kind == TL_NODE_UNION) {
        size_t i;
        return tl_cursor_branch(c, node->n, &i) && take(c, node->children[i], shape, to);
    }
    if (node->kind == TL_NODE_NULL)
        return shape->nullable || tl_cursor_fail(c, "null where we need a value");
    if (shape->nullable && !(to = tl_avro_nullable_set(c, shape, to)))
        return false;

    switch (shape->kind) {
    case TL_AVRO_BOOL:
        return node->kind == TL_NODE_BOOL ? tl_cursor_bool(c, (bool *)to) : unfit(c);
    case TL_AVRO_INT:
        return take_int(c, node, to);
    case TL_AVRO_LONG:
        return take_integer(c, node, (int64_t *)to);
    case TL_AVRO_FLOAT:
        return take_float(c, node, (float *)to);
    case TL_AVRO_DOUBLE:
        return take_double(c, node, (double *)to);
    case TL_AVRO_STRING:
        return take_string(c, node, to);
    case TL_AVRO_BYTES:
        return take_bytes(c, node, to);
    case TL_AVRO_ENUM:
        return take_enum(c, node, shape->enumeration, to);
    case TL_AVRO_FIXED:
        return take_fixed(c, node, shape->size, to);
    case TL_AVRO_RECORD:
        return node->kind == TL_NODE_RECORD ? take_record(c, node, shape->record, to) : unfit(c);
    case TL_AVRO_ARRAY:
    case TL_AVRO_MAP:
        return take_list(c, node, shape, to);
    }
    return false;
}

/* Versions mostly differ at the end, so the same place is looked at first. */
static const struct tl_avro_field *field_named(const struct tl_avro_type *type, const char *name,
                                               size_t hint)
{
    if (hint < type->fields_n && strcmp(type->fields[hint].name, name) == 0)
        return &type->fields[hint];
    for (size_t i = 0; i < type->fields_n; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static bool writer_has(const struct tl_avro_node *node, const char *name, size_t hint)
{
    if (hint < node->n && strcmp(node->names[hint], name) == 0)
        return true;
    for (size_t i = 0; i < node->n; i++)
        if (strcmp(node->names[i], name) == 0)
            return true;
    return false;
}

/* A default that is not zero. */
static void store_default(const struct tl_avro_field *f, uint8_t *to)
{
    const struct tl_avro_default *value = f->other;

    switch (f->shape.kind) {
    case TL_AVRO_BOOL:
        *(bool *)to = value->integer != 0;
        break;
    case TL_AVRO_INT:
    case TL_AVRO_ENUM:
        memcpy(to, &(int32_t){(int32_t)value->integer}, sizeof(int32_t));
        break;
    case TL_AVRO_LONG:
        *(int64_t *)to = value->integer;
        break;
    case TL_AVRO_FLOAT:
        *(float *)to = (float)value->number;
        break;
    case TL_AVRO_DOUBLE:
        *(double *)to = value->number;
        break;
    default:
        *(const char **)to = value->text;
    }
}

static bool take_absent(struct tl_cursor *c, const struct tl_avro_field *f, uint8_t *to)
{
    if (f->required)
        return tl_cursor_fail(c, "the writer does not have it, and it has no default");
    if (f->other)
        store_default(f, to);
    else if (f->shape.kind == TL_AVRO_STRING && !f->shape.nullable)
        *(const char **)to = ""; /* as if it had been read */
    return true;
}

static bool take_record(struct tl_cursor *c, const struct tl_avro_node *node,
                        const struct tl_avro_type *type, uint8_t *record)
{
    for (size_t i = 0; i < node->n; i++) {
        const struct tl_avro_field *f = field_named(type, node->names[i], i);
        if (f ? !take(c, node->children[i], &f->shape, record + f->offset)
              : !skip(c, node->children[i]))
            return tl_cursor_leave(c, node->names[i]);
    }
    for (size_t i = 0; i < type->fields_n; i++) {
        const struct tl_avro_field *f = &type->fields[i];
        if (!writer_has(node, f->name, i) && !take_absent(c, f, record + f->offset))
            return tl_cursor_leave(c, f->name);
    }
    return true;
}

enum tl_status tl_avro_decode_resolved(const struct tl_avro_type *type,
                                       const struct tl_avro_writer *writer, struct tl_bytes in,
                                       struct tl_arena *arena, void *ret_record,
                                       struct tl_error *err)
{
    static const uint8_t nothing;
    const uint8_t *start = in.data ? in.data : &nothing;
    struct tl_cursor c = {.p = start, .end = start + in.len, .arena = arena};

    if (strcmp(writer->root->name, type->name) != 0)
        return tl_fail(err, TL_INVALID, "decode %s: the record is a %s", type->name,
                       writer->root->name);
    uint8_t *record = tl_cursor_alloc(&c, type->size);
    if (!record || !take_record(&c, writer->root, type, record))
        return tl_cursor_error(&c, type->name, start, err);
    if (c.p != c.end)
        return tl_fail(err, TL_INVALID, "decode %s: %zu bytes behind its end", type->name,
                       tl_cursor_rest(&c));
    memcpy(ret_record, record, type->size);
    return TL_OK;
}
