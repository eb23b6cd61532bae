/* config.v1 as a table: see table.h.
 *
 *      bucket ──▶ thing (kind, id) ──▶ version 3 ──▶ version 2 ──▶ version 1
 *      number "+15550100" ──▶ the thing whose highest version has it
 */
#include "kafka/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "kafka/client.h"
#include "kafka/schemas_internal.h"
#include "kafka/tail.h"

#define BUCKETS 1024
#define ENTRY_MAX_BYTES (4u << 20) /* decoded; the broker takes 1 MiB */

struct version {
    struct version *older;
    struct tl_arena arena;      /* the entry, its strings, and the record as it came */
    struct tl_bytes key, value; /* in the arena */
    struct tl_config_entry *entry;
    bool provisional; /* decoded as our own schema although its id is not known */
};

struct thing {
    struct thing *next; /* in the bucket */
    enum tl_config_kind kind;
    char *id;
    struct version *newest; /* highest version first; NULL: all have tombstones */
};

/* A number of a business; the newest claim on a number stands first in its bucket. */
struct number {
    struct number *next;
    struct thing *thing;
    char *text;
};

/* An entry that our own schema cannot read and whose id is not known yet. */
struct pending {
    struct pending *next;
    struct tl_arena arena;
    struct tl_record record; /* in the arena */
};

struct tl_config_table {
    struct tl_config_table_options options;
    struct tl_tail *tail;
    bool caught_up;
    bool learning; /* schemas are being learnt from an entry: wait with what that makes readable */
    struct thing *things[BUCKETS];
    struct number *numbers[BUCKETS];
    struct pending *pending;
};

/* FNV-1a; things and numbers are few and come from ourselves. */
static size_t bucket_of(const char *text, unsigned salt)
{
    uint32_t h = 2166136261u ^ salt;

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h % BUCKETS;
}

static struct thing *find_thing(const struct tl_config_table *table, enum tl_config_kind kind,
                                const char *id)
{
    for (struct thing *t = table->things[bucket_of(id, kind)]; t; t = t->next) {
        if (t->kind == kind && strcmp(t->id, id) == 0)
            return t;
    }
    return NULL;
}

static struct thing *make_thing(struct tl_config_table *table, enum tl_config_kind kind,
                                const char *id)
{
    struct thing *t = find_thing(table, kind, id);
    struct thing **bucket = &table->things[bucket_of(id, kind)];

    if (t)
        return t;
    t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    t->kind = kind;
    t->id = strdup(id);
    t->next = *bucket;
    *bucket = t;
    return t;
}

static void free_version(struct version *v)
{
    tl_arena_finish(&v->arena);
    free(v);
}

static void drop_numbers(struct tl_config_table *table, const struct thing *thing,
                         const struct tl_config_entry *entry)
{
    for (size_t i = 0; entry && entry->business && i < entry->business->numbers_n; i++) {
        struct number **at = &table->numbers[bucket_of(entry->business->numbers[i], 0)];

        while (*at) {
            struct number *n = *at;

            if (n->thing != thing) {
                at = &n->next;
                continue;
            }
            *at = n->next;
            free(n->text);
            free(n);
        }
    }
}

static void add_numbers(struct tl_config_table *table, struct thing *thing)
{
    const struct tl_config_entry *entry = thing->newest ? thing->newest->entry : NULL;

    if (!entry || entry->deleted || !entry->business)
        return;
    for (size_t i = 0; i < entry->business->numbers_n; i++) {
        const char *text = entry->business->numbers[i];
        struct number **bucket = &table->numbers[bucket_of(text, 0)];
        struct number *n = calloc(1, sizeof(*n));

        if (!n)
            abort();
        *n = (struct number){*bucket, thing, strdup(text)};
        *bucket = n;
    }
}

/* The numbers follow the highest version. `change` alters thing->newest. */
static void replace_numbers(struct tl_config_table *table, struct thing *thing,
                            const struct tl_config_entry *before)
{
    const struct tl_config_entry *after = thing->newest ? thing->newest->entry : NULL;

    if (before == after)
        return;
    drop_numbers(table, thing, before);
    add_numbers(table, thing);
}

/* Versions never change, so one that stands already stays (its pointers are with users). */
static bool insert(struct thing *thing, struct version *v)
{
    struct version **at = &thing->newest;

    while (*at && (*at)->entry->version > v->entry->version)
        at = &(*at)->older;
    if (*at && (*at)->entry->version == v->entry->version)
        return false;
    v->older = *at;
    *at = v;
    return true;
}

static struct tl_bytes copy(struct tl_arena *arena, struct tl_bytes bytes)
{
    if (!bytes.data)
        return bytes;
    return (struct tl_bytes){
        (uint8_t *)tl_arena_strndup(arena, (const char *)bytes.data, bytes.len), bytes.len};
}

static bool same_key(struct tl_bytes a, struct tl_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* A tombstone: the version with that key goes. The table knows keys only by the versions it has. */
static void bury(struct tl_config_table *table, struct tl_bytes key)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct thing *t = table->things[i]; t; t = t->next) {
            for (struct version **at = &t->newest; *at; at = &(*at)->older) {
                struct version *v = *at;

                if (!same_key(v->key, key))
                    continue;
                const struct tl_config_entry *newest = t->newest->entry;
                if (v == t->newest)
                    drop_numbers(table, t, newest);
                *at = v->older;
                if (v->entry == newest)
                    add_numbers(table, t);
                free_version(v);
                return;
            }
        }
    }
}

static enum tl_status decode(struct tl_config_table *table, struct tl_bytes value,
                             struct tl_arena *arena, struct tl_config_entry *ret_entry,
                             bool *ret_provisional, struct tl_error *err)
{
    struct tl_schema_set *schemas = table->options.schemas;
    int32_t id;
    enum tl_status st = tl_record_schema_id(value, &id, err);

    if (st != TL_OK)
        return st;
    *ret_provisional = !tl_schema_set_knows(schemas, id);
    if (*ret_provisional &&
        tl_record_decode_as_own(TL_RECORD_CONFIG_ENTRY, value, arena, ret_entry, err) == TL_OK)
        return TL_OK;
    return tl_record_decode(schemas, TL_RECORD_CONFIG_ENTRY, value, arena, ret_entry, err);
}

static void put_aside(struct tl_config_table *table, const struct tl_record *record)
{
    struct pending *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    p->record = *record;
    p->record.topic = tl_record_topic(TL_RECORD_CONFIG_ENTRY);
    p->record.key = copy(&p->arena, record->key);
    p->record.value = copy(&p->arena, record->value);
    p->record.message = NULL;
    p->next = table->pending;
    table->pending = p;
}

static void learn(struct tl_config_table *table, const struct tl_config_entry *entry)
{
    struct tl_error err;

    if (entry->kind != TL_CONFIG_KIND_SCHEMA || !entry->schema || entry->deleted)
        return;
    table->learning = true;
    if (tl_schema_set_learn(table->options.schemas, entry->schema->subject,
                            entry->schema->registry_id, entry->schema->text, &err) != TL_OK &&
        table->options.on_invalid)
        table->options.on_invalid(table->options.arg, NULL, &err);
    table->learning = false;
}

static void on_learnt(void *arg);

enum tl_status tl_config_table_put(struct tl_config_table *table, const struct tl_record *record,
                                   struct tl_error *err)
{
    struct version *v;
    bool knew;

    if (!record->value.data) {
        bury(table, record->key);
        return TL_OK;
    }
    v = calloc(1, sizeof(*v));
    if (!v)
        abort();
    v->arena.max_bytes = ENTRY_MAX_BYTES;
    v->key = copy(&v->arena, record->key);
    v->value = copy(&v->arena, record->value);
    v->entry = tl_arena_alloc(&v->arena, sizeof(*v->entry));
    enum tl_status st =
        v->entry && v->value.data
            ? decode(table, v->value, &v->arena, v->entry, &v->provisional, err)
            : tl_fail(err, TL_INVALID, "an entry of over %u bytes", ENTRY_MAX_BYTES);
    if (st != TL_OK) {
        free_version(v);
        if (st == TL_RETRY) { /* its schema is on the way */
            put_aside(table, record);
            return TL_OK;
        }
        return st;
    }
    struct thing *thing = make_thing(table, v->entry->kind, v->entry->id);
    const struct tl_config_entry *before = thing->newest ? thing->newest->entry : NULL;
    knew = !insert(thing, v);
    if (knew) {
        free_version(v);
        return TL_OK;
    }
    replace_numbers(table, thing, before);
    learn(table, v->entry);
    if (v->entry->kind == TL_CONFIG_KIND_SCHEMA)
        on_learnt(table);
    if (table->options.on_change)
        table->options.on_change(table->options.arg, v->entry);
    return TL_OK;
}

static void put_or_tell(struct tl_config_table *table, const struct tl_record *record)
{
    struct tl_error err;

    if (tl_config_table_put(table, record, &err) != TL_OK && table->options.on_invalid)
        table->options.on_invalid(table->options.arg, record, &err);
}

/* Entries that were read as if their writer had our schema, and now we know that it had another. */
static void redo_provisional(struct tl_config_table *table)
{
    struct tl_config_entry again;
    struct tl_error err;
    int32_t id;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct thing *t = table->things[i]; t; t = t->next) {
            for (struct version *v = t->newest; v; v = v->older) {
                if (!v->provisional || tl_record_schema_id(v->value, &id, &err) != TL_OK ||
                    !tl_schema_set_knows(table->options.schemas, id))
                    continue;
                v->provisional = false;
                if (id == tl_schema_set_id(table->options.schemas, TL_RECORD_CONFIG_ENTRY) ||
                    tl_record_decode(table->options.schemas, TL_RECORD_CONFIG_ENTRY, v->value,
                                     &v->arena, &again, &err) != TL_OK ||
                    again.kind != t->kind || strcmp(again.id, t->id) != 0 ||
                    again.version != v->entry->version)
                    continue; /* the key fields are the oldest: they cannot have moved */
                if (v == t->newest)
                    drop_numbers(table, t, v->entry);
                *v->entry = again; /* in place: users hold the pointer */
                if (v == t->newest)
                    add_numbers(table, t);
            }
        }
    }
}

static void on_learnt(void *arg)
{
    struct tl_config_table *table = arg;
    struct pending *all = table->pending, *in_order = NULL;

    if (table->learning)
        return; /* tl_config_table_put calls again when the entry is in place */
    redo_provisional(table);
    table->pending = NULL;
    while (all) { /* the newest stands first */
        struct pending *p = all;
        all = p->next;
        p->next = in_order;
        in_order = p;
    }
    while (in_order) {
        struct pending *p = in_order;
        in_order = p->next;
        put_or_tell(table, &p->record);
        tl_arena_finish(&p->arena);
        free(p);
    }
}

static void on_record(void *arg, const struct tl_record *record)
{
    put_or_tell(arg, record);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t next_offset)
{
    struct tl_config_table *table = arg;

    (void)topic;
    (void)partition;
    (void)next_offset;
    if (table->caught_up)
        return;
    table->caught_up = true;
    tl_schema_set_resolve(table->options.schemas); /* what config.v1 lacks */
    if (table->options.on_caught_up)
        table->options.on_caught_up(table->options.arg);
}

static enum tl_status follow(struct tl_config_table *table, struct tl_kafka *kafka,
                             struct tl_error *err)
{
    const struct tl_tail_options options = {
        .name = "config",
        .read_committed = true,
        .on_record = on_record,
        .on_end = on_end,
        .arg = table,
    };
    enum tl_status st = tl_tail_create(kafka, &options, &table->tail, err);

    if (st != TL_OK)
        return st;
    return tl_tail_add(table->tail, tl_record_topic(TL_RECORD_CONFIG_ENTRY), 0,
                       (struct tl_tail_start){TL_FROM_BEGINNING, 0}, err);
}

enum tl_status tl_config_table_create(struct tl_kafka *kafka,
                                      const struct tl_config_table_options *options,
                                      struct tl_config_table **ret_table, struct tl_error *err)
{
    struct tl_config_table *table = calloc(1, sizeof(*table));

    if (!table)
        abort();
    assert(options->schemas);
    table->options = *options;
    tl_schema_set_watch(options->schemas, on_learnt, table);
    if (kafka && follow(table, kafka, err) != TL_OK) {
        tl_config_table_destroy(table);
        return err->status;
    }
    *ret_table = table;
    return TL_OK;
}

static void free_things(struct tl_config_table *table, size_t bucket)
{
    while (table->things[bucket]) {
        struct thing *t = table->things[bucket];

        table->things[bucket] = t->next;
        while (t->newest) {
            struct version *v = t->newest;
            t->newest = v->older;
            free_version(v);
        }
        free(t->id);
        free(t);
    }
    while (table->numbers[bucket]) {
        struct number *n = table->numbers[bucket];
        table->numbers[bucket] = n->next;
        free(n->text);
        free(n);
    }
}

void tl_config_table_destroy(struct tl_config_table *table)
{
    if (!table)
        return;
    tl_tail_destroy(table->tail);
    tl_schema_set_unwatch(table->options.schemas, on_learnt, table);
    for (size_t i = 0; i < BUCKETS; i++)
        free_things(table, i);
    while (table->pending) {
        struct pending *p = table->pending;
        table->pending = p->next;
        tl_arena_finish(&p->arena);
        free(p);
    }
    free(table);
}

bool tl_config_table_is_caught_up(const struct tl_config_table *table)
{
    return table->caught_up;
}

const struct tl_config_entry *tl_config_table_get(const struct tl_config_table *table,
                                                  enum tl_config_kind kind, const char *id)
{
    const struct thing *t = find_thing(table, kind, id);

    return t && t->newest ? t->newest->entry : NULL;
}

const struct tl_config_entry *tl_config_table_version(const struct tl_config_table *table,
                                                      enum tl_config_kind kind, const char *id,
                                                      int32_t version)
{
    const struct thing *t = find_thing(table, kind, id);

    for (const struct version *v = t ? t->newest : NULL; v; v = v->older) {
        if (v->entry->version == version)
            return v->entry;
    }
    return NULL;
}

const struct tl_config_entry *tl_config_table_by_number(const struct tl_config_table *table,
                                                        const char *number)
{
    for (const struct number *n = table->numbers[bucket_of(number, 0)]; n; n = n->next) {
        if (strcmp(n->text, number) == 0)
            return n->thing->newest->entry;
    }
    return NULL;
}

void tl_config_table_each(const struct tl_config_table *table, enum tl_config_kind kind,
                          tl_config_change_fn fn, void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct thing *t = table->things[i]; t; t = t->next) {
            if (t->kind == kind && t->newest && !t->newest->entry->deleted)
                fn(arg, t->newest->entry);
        }
    }
}
