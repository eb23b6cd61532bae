/* Folded calls by id: the C library's balanced tree. */
#include "sinks/fold/call_map.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct tl_call_fold *)a)->call_id,
                  ((const struct tl_call_fold *)b)->call_id);
}

static void *slot_of(const struct tl_call_map *map, const char *call_id)
{
    struct tl_call_fold key;

    (void)snprintf(key.call_id, sizeof(key.call_id), "%s", call_id);
    return tfind(&key, &map->root, compare);
}

struct tl_call_fold *tl_call_map_get(const struct tl_call_map *map, const char *call_id)
{
    void *slot = slot_of(map, call_id);
    return slot ? *(struct tl_call_fold **)slot : NULL;
}

struct tl_call_fold *tl_call_map_add(struct tl_call_map *map, const char *call_id)
{
    struct tl_call_fold *call = malloc(sizeof(*call));

    if (!call)
        abort();
    tl_call_fold_init(call, call_id);
    if (!tsearch(call, &map->root, compare))
        abort();
    map->len++;
    return call;
}

static void free_call(void *call)
{
    tl_call_fold_finish(call);
    free(call);
}

void tl_call_map_remove(struct tl_call_map *map, const char *call_id)
{
    struct tl_call_fold *call = tl_call_map_get(map, call_id);

    if (!call)
        return;
    (void)tdelete(call, &map->root, compare); /* returns the parent: of no use */
    map->len--;
    free_call(call);
}

void tl_call_map_clear(struct tl_call_map *map)
{
    tdestroy(map->root, free_call);
    *map = (struct tl_call_map){0};
}

struct each {
    void (*fn)(void *arg, struct tl_call_fold *call);
    void *arg;
};

static void visit(const void *node, VISIT which, void *closure)
{
    const struct each *each = closure;

    if (which == postorder || which == leaf)
        each->fn(each->arg, *(struct tl_call_fold *const *)node);
}

void tl_call_map_each(const struct tl_call_map *map,
                      void (*fn)(void *arg, struct tl_call_fold *call), void *arg)
{
    struct each each = {.fn = fn, .arg = arg};
    twalk_r(map->root, visit, &each);
}
