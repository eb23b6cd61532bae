/* Tables of what JSON may say, walked once per message. */
#include "openai/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define PATH_SIZE 200

static unsigned kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return TL_AI_STRING;
    case JSON_INTEGER:
        return TL_AI_INTEGER | TL_AI_NUMBER;
    case JSON_REAL:
        return TL_AI_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return TL_AI_BOOL;
    case JSON_OBJECT:
        return TL_AI_OBJECT;
    case JSON_ARRAY:
        return TL_AI_ARRAY;
    default:
        return TL_AI_NULL;
    }
}

static const char *kind_text(unsigned kinds)
{
    static const struct {
        unsigned kind;
        const char *text;
    } names[] = {{TL_AI_STRING, "a string"},  {TL_AI_INTEGER, "an integer"},
                 {TL_AI_NUMBER, "a decimal"}, {TL_AI_BOOL, "a boolean"},
                 {TL_AI_OBJECT, "an object"}, {TL_AI_ARRAY, "an array"}};

    for (size_t i = 0; i < TL_ARRAY_LEN(names); i++)
        if (kinds & names[i].kind)
            return names[i].text;
    return "null";
}

static bool check_choice(const struct tl_ai_rule *rule, const char *text, const char *path,
                         struct tl_ai_problem *problem)
{
    char list[400] = "";
    size_t len = 0;

    for (size_t i = 0; rule->choices[i]; i++)
        if (strcmp(rule->choices[i], text) == 0)
            return true;
    for (size_t i = 0; rule->choices[i] && len < sizeof(list) - 1; i++) {
        const char *between = i == 0 ? "" : rule->choices[i + 1] ? ", " : ", and ";
        len +=
            (size_t)snprintf(list + len, sizeof(list) - len, "%s'%s'", between, rule->choices[i]);
    }
    return tl_ai_refuse(problem, "invalid_value", path,
                        "Invalid value: '%.60s'. Supported values are: %s.", text, list);
}

static bool check_string(const struct tl_ai_rule *rule, const json_t *value, const char *path,
                         struct tl_ai_problem *problem)
{
    size_t len = json_string_length(value);

    if (rule->choices && !check_choice(rule, json_string_value(value), path, problem))
        return false;
    if (rule->max > 0 && rule->min == 0 && (rule->kinds & TL_AI_NUMBER) == 0 &&
        (double)len > rule->max)
        return tl_ai_refuse(problem, "string_above_max_length", path,
                            "Invalid '%s': string too long. Expected a string with maximum length "
                            "%.0f, but got a string with length %zu instead.",
                            path, rule->max, len);
    return true;
}

static bool check_number(const struct tl_ai_rule *rule, const json_t *value, const char *path,
                         struct tl_ai_problem *problem)
{
    double number = json_number_value(value);
    const char *noun = rule->kinds & TL_AI_NUMBER ? "decimal" : "integer";
    bool below = number < rule->min;
    char code[40];

    if ((rule->min == 0 && rule->max == 0) || (!below && number <= rule->max))
        return true;
    snprintf(code, sizeof(code), "%s_%s_value", noun, below ? "below_min" : "above_max");
    return tl_ai_refuse(problem, code, path,
                        "Invalid '%s': %s %s value. Expected a value %s %g, but got %g instead.",
                        path, noun, below ? "below minimum" : "above maximum",
                        below ? ">=" : "<=", below ? rule->min : rule->max, number);
}

static bool check_value(const struct tl_ai_rule *rule, const json_t *value, const char *path,
                        struct tl_ai_problem *problem);

static bool check_elements(const struct tl_ai_rule *rule, const json_t *array, const char *path,
                           struct tl_ai_problem *problem)
{
    char inner[PATH_SIZE];
    size_t i;
    json_t *element;

    json_array_foreach(array, i, element)
    {
        snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
        if (!check_value(rule->element, element, inner, problem))
            return false;
    }
    return true;
}

static bool check_value(const struct tl_ai_rule *rule, const json_t *value, const char *path,
                        struct tl_ai_problem *problem)
{
    unsigned kind = kind_of(value);
    bool ok = true;

    if (!(rule->kinds & kind))
        return tl_ai_refuse(problem, "invalid_type", path,
                            "Invalid type for '%s': expected %s, but got %s instead.", path,
                            kind_text(rule->kinds), kind_text(kind));
    if (kind & TL_AI_STRING)
        ok = check_string(rule, value, path, problem);
    else if (kind & TL_AI_NUMBER)
        ok = check_number(rule, value, path, problem);
    else if (kind & TL_AI_OBJECT && rule->members)
        ok = tl_ai_check(rule->members, value, path, problem);
    else if (kind & TL_AI_ARRAY && rule->element)
        ok = check_elements(rule, value, path, problem);
    return ok && (!rule->check || rule->check(value, path, problem));
}

static void join(char *out, const char *path, const char *name)
{
    snprintf(out, PATH_SIZE, "%s%s%s", path, *path ? "." : "", name);
}

static const struct tl_ai_rule *find_rule(const struct tl_ai_rule *members, const char *name)
{
    for (const struct tl_ai_rule *rule = members; rule->name; rule++)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

bool tl_ai_check(const struct tl_ai_rule *members, const json_t *object, const char *path,
                 struct tl_ai_problem *problem)
{
    char inner[PATH_SIZE];
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        join(inner, path, name);
        if (!find_rule(members, name))
            return tl_ai_refuse(problem, "unknown_parameter", inner, "Unknown parameter: '%s'.",
                                inner);
    }
    for (const struct tl_ai_rule *rule = members; rule->name; rule++) {
        join(inner, path, rule->name);
        value = json_object_get(object, rule->name);
        if (!value && rule->required)
            return tl_ai_refuse(problem, "missing_required_parameter", inner,
                                "Missing required parameter: '%s'.", inner);
        if (value && !check_value(rule, value, inner, problem))
            return false;
    }
    return true;
}
