/* What the two decoders share: see cursor.h. */
#include "codec/cursor.h"

#include <stdio.h>

size_t tl_avro_shape_min_bytes(const struct tl_avro_shape *shape)
{
    switch (shape->kind) {
    case TL_AVRO_FLOAT:
        return 4;
    case TL_AVRO_DOUBLE:
        return 8;
    case TL_AVRO_FIXED:
        return shape->size;
    case TL_AVRO_RECORD:
        return shape->record->min_bytes;
    default:
        return 1;
    }
}

uint8_t *tl_avro_nullable_set(struct tl_cursor *c, const struct tl_avro_shape *shape, uint8_t *to)
{
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        ((struct tl_opt_bool *)to)->set = true;
        return to + offsetof(struct tl_opt_bool, value);
    case TL_AVRO_INT:
        ((struct tl_opt_int *)to)->set = true;
        return to + offsetof(struct tl_opt_int, value);
    case TL_AVRO_LONG:
        ((struct tl_opt_long *)to)->set = true;
        return to + offsetof(struct tl_opt_long, value);
    case TL_AVRO_DOUBLE:
        ((struct tl_opt_double *)to)->set = true;
        return to + offsetof(struct tl_opt_double, value);
    case TL_AVRO_RECORD: {
        uint8_t *record = tl_cursor_alloc(c, shape->record->size);
        memcpy(to, &record, sizeof(record));
        return record;
    }
    default:
        return to;
    }
}

const uint8_t *tl_avro_nullable_get(const struct tl_avro_shape *shape, const uint8_t *at)
{
    const uint8_t *pointer;
    int value;

    switch (shape->kind) {
    case TL_AVRO_BOOL:
        return ((const struct tl_opt_bool *)at)->set ? at + offsetof(struct tl_opt_bool, value)
                                                     : NULL;
    case TL_AVRO_INT:
        return ((const struct tl_opt_int *)at)->set ? at + offsetof(struct tl_opt_int, value)
                                                    : NULL;
    case TL_AVRO_LONG:
        return ((const struct tl_opt_long *)at)->set ? at + offsetof(struct tl_opt_long, value)
                                                     : NULL;
    case TL_AVRO_DOUBLE:
        return ((const struct tl_opt_double *)at)->set ? at + offsetof(struct tl_opt_double, value)
                                                       : NULL;
    case TL_AVRO_ENUM:
        memcpy(&value, at, sizeof(value));
        return value ? at : NULL;
    case TL_AVRO_RECORD:
        memcpy(&pointer, at, sizeof(pointer));
        return pointer;
    default: /* text and bytes begin with their pointer */
        memcpy(&pointer, at, sizeof(pointer));
        return pointer ? at : NULL;
    }
}

enum tl_status tl_cursor_error(const struct tl_cursor *c, const char *record, const uint8_t *start,
                               struct tl_error *err)
{
    char path[256] = "";
    size_t len = 0;

    for (size_t i = c->path_n; i-- > 0 && len < sizeof(path);) {
        int n = snprintf(path + len, sizeof(path) - len, ".%s", c->path[i]);
        len += n > 0 ? (size_t)n : 0;
    }
    return tl_fail(err, TL_INVALID, "decode %s%s: at byte %zu: %s", record, path,
                   (size_t)(c->p - start), c->why);
}
