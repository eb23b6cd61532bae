/* Records as JSON, for people: from structs, and straight from data of any schema. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "codec/cursor.h"
#include "codec/writer.h"

static json_t *base64(struct tl_bytes in)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 0;
    char *text = malloc((in.len + 2) / 3 * 4 + 1);

    if (!text)
        abort();
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t three = (uint32_t)in.data[i] << 16 |
                         (left > 1 ? (uint32_t)in.data[i + 1] << 8 : 0) |
                         (left > 2 ? in.data[i + 2] : 0);
        text[len++] = digits[three >> 18];
        text[len++] = digits[three >> 12 & 63];
        text[len++] = (char)(left > 1 ? digits[three >> 6 & 63] : '=');
        text[len++] = (char)(left > 2 ? digits[three & 63] : '=');
    }
    json_t *json = json_stringn(text, len);
    free(text);
    return json;
}

static json_t *fixed_to_json(const uint8_t *raw, size_t size)
{
    struct tl_uuid uuid;
    char text[TL_UUID_TEXT_LEN + 1];

    if (size != sizeof(uuid))
        return base64((struct tl_bytes){raw, size});
    memcpy(&uuid, raw, sizeof(uuid));
    tl_uuid_format(&uuid, text);
    return json_string(text);
}

static json_t *number_to_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Text that our own code put into a struct need not be UTF-8; then it is null. */
static json_t *text_to_json(const char *s)
{
    json_t *json = json_string(s ? s : "");
    return json ? json : json_null();
}

static json_t *list_to_json(const struct tl_avro_shape *shape, const uint8_t *at);

static json_t *value_to_json(const struct tl_avro_shape *shape, const uint8_t *at)
{
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        return json_boolean(*(const bool *)at);
    case TL_AVRO_INT:
        return json_integer(*(const int32_t *)at);
    case TL_AVRO_LONG:
        return json_integer(*(const int64_t *)at);
    case TL_AVRO_FLOAT:
        return number_to_json((double)*(const float *)at);
    case TL_AVRO_DOUBLE:
        return number_to_json(*(const double *)at);
    case TL_AVRO_STRING:
        return text_to_json(*(const char *const *)at);
    case TL_AVRO_BYTES:
        return base64(*(const struct tl_bytes *)at);
    case TL_AVRO_ENUM: {
        int value;
        memcpy(&value, at, sizeof(value));
        return json_string(tl_avro_enum_name(shape->enumeration, value));
    }
    case TL_AVRO_FIXED:
        return fixed_to_json(at, shape->size);
    case TL_AVRO_RECORD:
        return tl_avro_to_json(shape->record, at);
    case TL_AVRO_ARRAY:
    case TL_AVRO_MAP:
        return list_to_json(shape, at);
    }
    return NULL;
}

static json_t *list_to_json(const struct tl_avro_shape *shape, const uint8_t *at)
{
    bool map = shape->kind == TL_AVRO_MAP;
    json_t *json = map ? json_object() : json_array();
    const uint8_t *item;
    size_t n;

    memcpy(&item, at, sizeof(item));
    memcpy(&n, at + sizeof(item), sizeof(n));
    for (size_t i = 0; i < n; i++, item += shape->size) {
        json_t *value = value_to_json(shape->items, item + shape->value_offset);
        if (map) {
            const char *key = *(const char *const *)item;
            (void)json_object_set_new(json, key ? key : "", value); /* fails for keys not UTF-8 */
        } else {
            (void)json_array_append_new(json, value); /* fails without memory only */
        }
    }
    return json;
}

json_t *tl_avro_to_json(const struct tl_avro_type *type, const void *record)
{
    json_t *json = json_object();

    for (size_t i = 0; i < type->fields_n; i++) {
        const struct tl_avro_field *f = &type->fields[i];
        const uint8_t *at = (const uint8_t *)record + f->offset;
        if (f->shape.nullable && !(at = tl_avro_nullable_get(&f->shape, at)))
            continue;
        (void)json_object_set_new(json, f->name, value_to_json(&f->shape, at)); /* memory only */
    }
    return json;
}

static json_t *node_to_json(struct tl_cursor *c, const struct tl_avro_node *node);

static json_t *record_node_to_json(struct tl_cursor *c, const struct tl_avro_node *node)
{
    json_t *json = json_object();

    for (size_t i = 0; i < node->n; i++) {
        json_t *value = node_to_json(c, node->children[i]);
        if (!value) {
            (void)tl_cursor_leave(c, node->names[i]); /* always false */
            json_decref(json);
            return NULL;
        }
        if (json_is_null(value))
            json_decref(value);
        else
            (void)json_object_set_new(json, node->names[i], value); /* memory only */
    }
    return json;
}

static bool item_node_to_json(struct tl_cursor *c, const struct tl_avro_node *node, json_t *list)
{
    struct tl_bytes key;
    json_t *value;

    if (node->kind == TL_NODE_ARRAY) {
        value = node_to_json(c, node->children[0]);
        return value && json_array_append_new(list, value) == 0;
    }
    if (!tl_cursor_text(c, &key) || !(value = node_to_json(c, node->children[0])))
        return false;
    char *name = strndup((const char *)key.data, key.len);
    if (!name)
        abort();
    int rc = json_object_set_new(list, name, value);
    free(name);
    return rc == 0;
}

static json_t *list_node_to_json(struct tl_cursor *c, const struct tl_avro_node *node)
{
    json_t *json = node->kind == TL_NODE_MAP ? json_object() : json_array();
    size_t least = node->children[0]->min_bytes + (node->kind == TL_NODE_MAP);
    const uint8_t *block_end;
    size_t n;

    for (;;) {
        if (!tl_cursor_block(c, least ? least : 1, &n, &block_end))
            break;
        if (n == 0)
            return json;
        size_t i = 0;
        while (i < n && item_node_to_json(c, node, json))
            i++;
        if (i < n || !tl_cursor_block_end(c, block_end))
            break;
    }
    json_decref(json);
    return NULL;
}

static json_t *number_node_to_json(struct tl_cursor *c, const struct tl_avro_node *node)
{
    int32_t small;
    int64_t integer;
    float single;
    double number;
    bool flag;

    switch (node->kind) {
    case TL_NODE_BOOL:
        return tl_cursor_bool(c, &flag) ? json_boolean(flag) : NULL;
    case TL_NODE_INT:
        return tl_cursor_int(c, &small) ? json_integer(small) : NULL;
    case TL_NODE_LONG:
        return tl_cursor_long(c, &integer) ? json_integer(integer) : NULL;
    case TL_NODE_FLOAT:
        return tl_cursor_float(c, &single) ? number_to_json((double)single) : NULL;
    default:
        return tl_cursor_double(c, &number) ? number_to_json(number) : NULL;
    }
}

static json_t *node_to_json(struct tl_cursor *c, const struct tl_avro_node *node)
{
    const uint8_t *raw;
    struct tl_bytes bytes;
    size_t i;

    switch (node->kind) {
    case TL_NODE_NULL:
        return json_null();
    case TL_NODE_STRING:
        return tl_cursor_text(c, &bytes) ? json_stringn((const char *)bytes.data, bytes.len) : NULL;
    case TL_NODE_BYTES:
        return tl_cursor_bytes(c, &bytes) ? base64(bytes) : NULL;
    case TL_NODE_ENUM:
        return tl_cursor_branch(c, node->n, &i) ? json_string(node->names[i]) : NULL;
    case TL_NODE_FIXED:
        return tl_cursor_raw(c, node->size, &raw) ? fixed_to_json(raw, node->size) : NULL;
    case TL_NODE_RECORD:
        return record_node_to_json(c, node);
    case TL_NODE_ARRAY:
    case TL_NODE_MAP:
        return list_node_to_json(c, node);
    case TL_NODE_UNION:
        return tl_cursor_branch(c, node->n, &i) ? node_to_json(c, node->children[i]) : NULL;
    default:
        return number_node_to_json(c, node);
    }
}

enum tl_status tl_avro_writer_to_json(const struct tl_avro_writer *writer, struct tl_bytes in,
                                      json_t **ret_json, struct tl_error *err)
{
    static const uint8_t nothing;
    const uint8_t *start = in.data ? in.data : &nothing;
    struct tl_cursor c = {.p = start, .end = start + in.len};
    json_t *json = node_to_json(&c, writer->root);

    if (!json)
        return tl_cursor_error(&c, writer->root->name, start, err);
    if (c.p != c.end) {
        json_decref(json);
        return tl_fail(err, TL_INVALID, "decode %s: %zu bytes behind its end", writer->root->name,
                       tl_cursor_rest(&c));
    }
    *ret_json = json;
    return TL_OK;
}
