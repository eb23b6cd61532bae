#ifndef TL_SIM_AI_PROBLEM_H
#define TL_SIM_AI_PROBLEM_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"

/** What a refusal says: the members of `error`, in events and in REST answers alike. */
struct tl_ai_problem {
    char type[40];
    char code[64];   /* "": null */
    char param[200]; /* "": null */
    char message[512];
};

/** Fills it as an invalid_request_error and returns false, so that a refusal is one statement.
 *  `code` and `param` may be NULL. */
bool tl_ai_refuse(struct tl_ai_problem *problem, const char *code, const char *param,
                  const char *fmt, ...) TL_PRINTF(4, 5);

/** {"type","code","message","param"}; a new reference. */
json_t *tl_ai_problem_json(const struct tl_ai_problem *problem);

#endif
