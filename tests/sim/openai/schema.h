#ifndef TL_SIM_AI_SCHEMA_H
#define TL_SIM_AI_SCHEMA_H

#include <stdbool.h>

#include <jansson.h>

#include "openai/problem.h"

enum {
    TL_AI_STRING = 1,
    TL_AI_INTEGER = 2,
    TL_AI_NUMBER = 4, /* integers too */
    TL_AI_BOOL = 8,
    TL_AI_OBJECT = 16,
    TL_AI_ARRAY = 32,
    TL_AI_NULL = 64,
    TL_AI_ANY = 127,
};

/** What a member may be. A table of them describes an object; the row with name NULL ends it. */
struct tl_ai_rule {
    const char *name;
    unsigned kinds; /* TL_AI_… or'ed */
    bool required;
    double min, max;                  /* of numbers; both 0: any. Of strings: max is the length */
    const char *const *choices;       /* of strings, NULL-ended */
    const struct tl_ai_rule *members; /* of an object; NULL: any */
    const struct tl_ai_rule *element; /* of an array: one row for each element; NULL: any */

    /** More than a row can say; runs last. `path` names the value. */
    bool (*check)(const json_t *value, const char *path, struct tl_ai_problem *problem);
};

/** Checks all of `object` against the table: unknown members, missing ones, kinds, ranges, choices.
 *  `path` is "" at the top. False: the first thing that is wrong, as the real service words it. */
bool tl_ai_check(const struct tl_ai_rule *members, const json_t *object, const char *path,
                 struct tl_ai_problem *problem);

#endif
