#ifndef TL_SINKS_CALL_MAP_H
#define TL_SINKS_CALL_MAP_H

#include <stddef.h>

#include "sinks/fold/call_fold.h"

/** Folded calls by id. Zeroed = empty. */
struct tl_call_map {
    void *root; /* of tsearch() */
    size_t len;
};

/** NULL when it is not there. */
struct tl_call_fold *tl_call_map_get(const struct tl_call_map *map, const char *call_id);

/** Adds one of which nothing was read; it must not be there. */
struct tl_call_fold *tl_call_map_add(struct tl_call_map *map, const char *call_id);

void tl_call_map_remove(struct tl_call_map *map, const char *call_id); /* unknown ones: nothing */
void tl_call_map_clear(struct tl_call_map *map);

/** fn for each call, in order of id; it must not change the map. */
void tl_call_map_each(const struct tl_call_map *map,
                      void (*fn)(void *arg, struct tl_call_fold *call), void *arg);

#endif
