/* Refusals in the words of the real service. */
#include "openai/problem.h"

#include <stdarg.h>
#include <stdio.h>

bool tl_ai_refuse(struct tl_ai_problem *problem, const char *code, const char *param,
                  const char *fmt, ...)
{
    va_list args;

    snprintf(problem->type, sizeof(problem->type), "invalid_request_error");
    snprintf(problem->code, sizeof(problem->code), "%s", code ? code : "");
    snprintf(problem->param, sizeof(problem->param), "%s", param ? param : "");
    va_start(args, fmt);
    vsnprintf(problem->message, sizeof(problem->message), fmt, args);
    va_end(args);
    return false;
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

json_t *tl_ai_problem_json(const struct tl_ai_problem *problem)
{
    return json_pack("{s:s, s:o, s:s, s:o}", "type", problem->type, "code",
                     text_or_null(problem->code), "message", problem->message, "param",
                     text_or_null(problem->param));
}
