#ifndef TL_TEST_FILL_H
#define TL_TEST_FILL_H

/* Fills a struct of any generated type through its descriptor: every field set, or every nullable
 * null and every list empty. Also the schemas that the tests go through. */

#include <stdio.h>
#include <string.h>

#include "avro/topics.h"
#include "avro_test/golden.h"
#include "avro_test/sample.h"

struct filler {
    struct tl_arena *arena;
    bool full;
    int64_t seed; /* so that no two fields have the same value */
};

static void fill_record(struct filler *f, const struct tl_avro_type *type, uint8_t *record);
static void fill_value(struct filler *f, const struct tl_avro_shape *shape, uint8_t *to);

static const char *fill_text(struct filler *f)
{
    return tl_arena_printf(f->arena, "text %lld ünï \xf0\x9f\x93\x9e", (long long)f->seed);
}

static void fill_list(struct filler *f, const struct tl_avro_shape *shape, uint8_t *to)
{
    size_t n = f->full ? 3 : 0;
    uint8_t *items = n ? tl_arena_alloc(f->arena, n * shape->size) : NULL;

    for (size_t i = 0; i < n; i++) {
        uint8_t *item = items + i * shape->size;
        f->seed++;
        if (shape->kind == TL_AVRO_MAP)
            *(const char **)item = fill_text(f);
        fill_value(f, shape->items, item + shape->value_offset);
    }
    memcpy(to, &items, sizeof(items));
    memcpy(to + sizeof(items), &n, sizeof(n));
}

static void fill_value(struct filler *f, const struct tl_avro_shape *shape, uint8_t *to)
{
    f->seed++;
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        *(bool *)to = true;
        break;
    case TL_AVRO_INT:
        *(int32_t *)to = (int32_t)(f->seed * -1000003);
        break;
    case TL_AVRO_LONG:
        *(int64_t *)to = f->seed * 1000000007 * (f->seed % 2 ? 1 : -1);
        break;
    case TL_AVRO_FLOAT:
        *(float *)to = (float)f->seed / 4;
        break;
    case TL_AVRO_DOUBLE:
        *(double *)to = (double)f->seed / 8;
        break;
    case TL_AVRO_STRING:
        *(const char **)to = fill_text(f);
        break;
    case TL_AVRO_BYTES: {
        uint8_t *data = tl_arena_alloc(f->arena, 5);
        memcpy(data, (uint8_t[]){0, 0xff, (uint8_t)f->seed, 0x80, 1}, 5);
        *(struct tl_bytes *)to = (struct tl_bytes){data, 5};
        break;
    }
    case TL_AVRO_ENUM:
        memcpy(to, &(int){1 + (int)(f->seed % (int64_t)(shape->enumeration->symbols_n - 1))},
               sizeof(int));
        break;
    case TL_AVRO_FIXED:
        memset(to, (int)(f->seed & 0xff), shape->size);
        break;
    case TL_AVRO_RECORD:
        fill_record(f, shape->record, to);
        break;
    case TL_AVRO_ARRAY:
    case TL_AVRO_MAP:
        fill_list(f, shape, to);
    }
}

static void fill_nullable(struct filler *f, const struct tl_avro_shape *shape, uint8_t *to)
{
    switch (shape->kind) {
    case TL_AVRO_BOOL:
        *(struct tl_opt_bool *)to = (struct tl_opt_bool){true, true};
        break;
    case TL_AVRO_INT:
        *(struct tl_opt_int *)to = (struct tl_opt_int){true, -(int32_t)f->seed};
        break;
    case TL_AVRO_LONG:
        *(struct tl_opt_long *)to = (struct tl_opt_long){true, f->seed};
        break;
    case TL_AVRO_DOUBLE:
        *(struct tl_opt_double *)to = (struct tl_opt_double){true, (double)f->seed / 2};
        break;
    case TL_AVRO_RECORD: {
        uint8_t *record = tl_arena_alloc(f->arena, shape->record->size);
        fill_record(f, shape->record, record);
        memcpy(to, &record, sizeof(record));
        break;
    }
    default:
        fill_value(f, shape, to);
    }
}

static void fill_record(struct filler *f, const struct tl_avro_type *type, uint8_t *record)
{
    for (size_t i = 0; i < type->fields_n; i++) {
        const struct tl_avro_field *field = &type->fields[i];
        if (!field->shape.nullable)
            fill_value(f, &field->shape, record + field->offset);
        else if (f->full)
            fill_nullable(f, &field->shape, record + field->offset);
    }
}

/* A record of this type in the arena, everything set or as much null as can be. */
static inline void *fill_new(const struct tl_avro_type *type, struct tl_arena *arena, bool full)
{
    struct filler f = {.arena = arena, .full = full};
    void *record = tl_arena_alloc(arena, type->size);
    fill_record(&f, type, record);
    return record;
}

/* The record of topic i, then those of the tests; NULL behind the last. */
static inline const struct tl_avro_type *fill_type(size_t i)
{
    if (i < TL_TOPICS_N)
        return tl_topics[i].type;
    return i == TL_TOPICS_N ? &tl_golden_type : i == TL_TOPICS_N + 1 ? &tl_sample_type : NULL;
}

#endif
