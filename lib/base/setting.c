/* One setting: its text to its value, its name in the environment, its line in the reference. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"

#define SHOWN_BYTES_MAX 40
#define LIST_ITEMS_MAX 1024

struct duration_unit {
    const char *name;
    int64_t ms;
};

/* Largest first, so that a duration is shown in the largest unit that it fills. */
static const struct duration_unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static enum tl_status refuse(const struct tl_setting *setting, const char *text, const char *what,
                             struct tl_error *err)
{
    if (setting->secret)
        return tl_fail(err, TL_INVALID, "%s: the value (secret, not shown) %s", setting->name,
                       what);
    int shown = (int)strnlen(text, SHOWN_BYTES_MAX);
    return tl_fail(err, TL_INVALID, "%s: \"%.*s%s\" %s", setting->name, shown, text,
                   text[shown] ? "..." : "", what);
}

static void format_limit(const struct tl_setting *setting, double limit, char *ret_text,
                         size_t size)
{
    if (setting->type != TL_SETTING_DURATION || limit == 0) {
        (void)snprintf(ret_text, size, "%.15g", limit); /* short: a number */
        return;
    }
    int64_t ms = (int64_t)limit;
    for (size_t i = 0; i < TL_ARRAY_LEN(duration_units); i++)
        if (ms % duration_units[i].ms == 0) {
            (void)snprintf(ret_text, size, "%lld%s", (long long)(ms / duration_units[i].ms),
                           duration_units[i].name);
            return;
        }
}

static bool has_limits(const struct tl_setting *setting)
{
    return setting->min != 0 || setting->max != 0;
}

static enum tl_status check_limits(const struct tl_setting *setting, const char *text, double value,
                                   struct tl_error *err)
{
    char low[32], high[32], what[128];

    if (!has_limits(setting) || (value >= setting->min && value <= setting->max))
        return TL_OK;
    const char *unit = setting->type == TL_SETTING_STRING ? " bytes long"
                       : setting->type == TL_SETTING_LIST ? " items long"
                                                          : "";
    format_limit(setting, setting->min, low, sizeof(low));
    format_limit(setting, setting->max, high, sizeof(high));
    (void)snprintf(what, sizeof(what), "is not within %s..%s%s", low, high, unit); /* fits */
    return refuse(setting, text, what, err);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = choices; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strcspn(at, ",") == len && strncmp(at, text, len) == 0)
            return true;
    }
    return false;
}

/* Choices and the row's own check. */
static enum tl_status check_text(const struct tl_setting *setting, const char *text,
                                 struct tl_error *err)
{
    char what[256];

    /* An empty text says "not set": `required` is looked at when all sources were read. */
    bool may_be_empty = !setting->fallback || !*setting->fallback;
    const char *wrong = setting->check && *text ? setting->check(text) : NULL;
    if (wrong)
        return refuse(setting, text, wrong, err);
    if (!setting->choices || is_choice(setting->choices, text) || (!*text && may_be_empty))
        return TL_OK;
    (void)snprintf(what, sizeof(what), "is none of %s", setting->choices); /* cut: for people */
    return refuse(setting, text, what, err);
}

static enum tl_status parse_string(const struct tl_setting *setting, const char *text,
                                   struct tl_arena *arena, const char **ret_string,
                                   struct tl_error *err)
{
    enum tl_status st = check_text(setting, text, err);

    /* An empty text says "not set": whether it may is `required`, not the length. */
    if (st == TL_OK && *text)
        st = check_limits(setting, text, (double)strlen(text), err);
    if (st == TL_OK)
        *ret_string = tl_arena_strdup(arena, text);
    return st;
}

static enum tl_status parse_int(const struct tl_setting *setting, const char *text,
                                int64_t *ret_integer, struct tl_error *err)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || isspace((unsigned char)*text))
        return refuse(setting, text, "is not a whole number", err);
    enum tl_status st = check_limits(setting, text, (double)value, err);
    if (st == TL_OK)
        *ret_integer = value;
    return st;
}

/* Decimal only: strtod would also take "inf", "nan", "0x1p3" and leading blanks. */
static bool parse_decimal(const char *text, size_t len, double *ret_number)
{
    char copy[64], *end;

    if (len == 0 || len >= sizeof(copy) || strspn(text, "0123456789+-.eE") < len)
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    *ret_number = strtod(copy, &end);
    return end == copy + len && isfinite(*ret_number);
}

static enum tl_status parse_number(const struct tl_setting *setting, const char *text,
                                   double *ret_number, struct tl_error *err)
{
    double value;

    if (!parse_decimal(text, strlen(text), &value))
        return refuse(setting, text, "is not a number", err);
    enum tl_status st = check_limits(setting, text, value, err);
    if (st == TL_OK)
        *ret_number = value;
    return st;
}

static enum tl_status parse_duration(const struct tl_setting *setting, const char *text,
                                     int64_t *ret_ms, struct tl_error *err)
{
    static const char wrong[] = "is not a duration such as 250ms, 1.5s, 10m, 2h or 7d";
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits;
    double value;
    int64_t unit_ms = 0;

    if (!parse_decimal(text, digits, &value))
        return refuse(setting, text, wrong, err);
    for (size_t i = 0; i < TL_ARRAY_LEN(duration_units); i++)
        if (strcmp(unit, duration_units[i].name) == 0)
            unit_ms = duration_units[i].ms;
    if (!unit_ms && !(*unit == 0 && value == 0))
        return refuse(setting, text, wrong, err);
    double ms = value * (double)unit_ms;
    if (ms != floor(ms) || ms > 9e15)
        return refuse(setting, text, "is not a whole number of milliseconds", err);
    enum tl_status st = check_limits(setting, text, ms, err);
    if (st == TL_OK)
        *ret_ms = (int64_t)ms;
    return st;
}

static enum tl_status parse_bool(const struct tl_setting *setting, const char *text,
                                 bool *ret_boolean, struct tl_error *err)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return refuse(setting, text, "is neither true nor false", err);
    *ret_boolean = *text == 't';
    return TL_OK;
}

enum tl_status tl_setting_list(const struct tl_setting *setting, const char *const *item,
                               size_t len, struct tl_arena *arena, struct tl_list *ret_list,
                               struct tl_error *err)
{
    char text[32];

    for (size_t i = 0; i < len; i++) {
        enum tl_status st = check_text(setting, item[i], err);
        if (st != TL_OK)
            return st;
        if (!*item[i])
            return tl_fail(err, TL_INVALID, "%s: item %zu is empty", setting->name, i + 1);
    }
    if (len > LIST_ITEMS_MAX)
        return tl_fail(err, TL_INVALID, "%s: more than %d items", setting->name, LIST_ITEMS_MAX);
    (void)snprintf(text, sizeof(text), "%zu items", len); /* fits */
    enum tl_status st = len ? check_limits(setting, text, (double)len, err) : TL_OK;
    if (st != TL_OK)
        return st;
    const char **copy = tl_arena_alloc(arena, (len + 1) * sizeof(*copy));
    for (size_t i = 0; i < len; i++)
        copy[i] = item[i];
    *ret_list = (struct tl_list){.item = copy, .len = len};
    return TL_OK;
}

static enum tl_status parse_list(const struct tl_setting *setting, const char *text,
                                 struct tl_arena *arena, struct tl_list *ret_list,
                                 struct tl_error *err)
{
    const char *item[LIST_ITEMS_MAX + 1];
    size_t len = 0;

    for (const char *at = text; *at && len < TL_ARRAY_LEN(item);) {
        size_t n = strcspn(at, ",");
        size_t lead = strspn(at, " \t");
        size_t to = n;
        if (lead > to)
            lead = to;
        while (to > lead && (at[to - 1] == ' ' || at[to - 1] == '\t'))
            to--;
        item[len++] = tl_arena_strndup(arena, at + lead, to - lead);
        at += n;
        if (*at == ',' && !*++at && len < TL_ARRAY_LEN(item))
            item[len++] = ""; /* "a," has an empty last item */
    }
    return tl_setting_list(setting, item, len, arena, ret_list, err);
}

enum tl_status tl_setting_parse(const struct tl_setting *setting, const char *text,
                                struct tl_arena *arena, void *ret_value, struct tl_error *err)
{
    switch (setting->type) {
    case TL_SETTING_STRING:
        return parse_string(setting, text, arena, ret_value, err);
    case TL_SETTING_INT:
        return parse_int(setting, text, ret_value, err);
    case TL_SETTING_NUMBER:
        return parse_number(setting, text, ret_value, err);
    case TL_SETTING_BOOL:
        return parse_bool(setting, text, ret_value, err);
    case TL_SETTING_DURATION:
        return parse_duration(setting, text, ret_value, err);
    case TL_SETTING_LIST:
        return parse_list(setting, text, arena, ret_value, err);
    }
    return tl_fail(err, TL_FATAL, "%s: unknown type %d", setting->name, (int)setting->type);
}

size_t tl_setting_value_size(enum tl_setting_type type)
{
    switch (type) {
    case TL_SETTING_STRING:
        return sizeof(const char *);
    case TL_SETTING_INT:
    case TL_SETTING_DURATION:
        return sizeof(int64_t);
    case TL_SETTING_NUMBER:
        return sizeof(double);
    case TL_SETTING_BOOL:
        return sizeof(bool);
    case TL_SETTING_LIST:
        return sizeof(struct tl_list);
    }
    return 0;
}

void tl_setting_env_name(const struct tl_setting *setting, char ret_name[TL_SETTING_ENV_SIZE])
{
    int n = snprintf(ret_name, TL_SETTING_ENV_SIZE, "TRUNKLINE_%s", setting->name);

    if (n < 0 || n >= TL_SETTING_ENV_SIZE)
        abort(); /* a name of ours, as long as a line */
    for (char *c = ret_name; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

static int by_name(const void *a, const void *b)
{
    const struct tl_setting *const *x = a;
    const struct tl_setting *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static size_t section_len(const struct tl_setting *setting)
{
    return strcspn(setting->name, ".");
}

/* Cells must not hold a bar or a line's end. */
static void add_cell(struct tl_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            tl_buf_add_char(out, '\\');
        tl_buf_add_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void add_code(struct tl_buf *out, const char *text)
{
    if (!text || !*text)
        return;
    tl_buf_add_char(out, '`');
    add_cell(out, text);
    tl_buf_add_char(out, '`');
}

static void add_allowed(struct tl_buf *out, const struct tl_setting *setting)
{
    static const char *const type_names[] = {"text",       "whole number", "number",
                                             "true/false", "duration",     "list"};
    char low[32], high[32];

    tl_buf_add_str(out, type_names[setting->type]);
    if (setting->choices) {
        tl_buf_add_str(out, ": ");
        add_cell(out, setting->choices);
    }
    if (!has_limits(setting))
        return;
    format_limit(setting, setting->min, low, sizeof(low));
    format_limit(setting, setting->max, high, sizeof(high));
    tl_buf_printf(out, ", %s to %s", low, high);
    if (setting->type == TL_SETTING_STRING)
        tl_buf_add_str(out, " bytes");
    if (setting->type == TL_SETTING_LIST)
        tl_buf_add_str(out, " items");
}

static void add_row(struct tl_buf *out, const struct tl_setting *setting)
{
    char env[TL_SETTING_ENV_SIZE];

    tl_setting_env_name(setting, env);
    tl_buf_printf(out, "| `%s` | ", setting->name);
    add_allowed(out, setting);
    tl_buf_add_str(out, setting->required ? ", required | " : " | ");
    add_code(out, setting->fallback);
    tl_buf_printf(out, " | `%s`", env);
    if (setting->env)
        tl_buf_printf(out, ", `%s`", setting->env);
    tl_buf_add_str(out, " | ");
    add_cell(out, setting->doc ? setting->doc : "");
    tl_buf_add_str(out, setting->secret ? " Secret: never printed. |\n" : " |\n");
}

void tl_settings_print_markdown(const struct tl_setting *const *tables, struct tl_buf *out)
{
    size_t len = 0, n = 0;

    for (size_t i = 0; tables[i]; i++)
        for (const struct tl_setting *s = tables[i]; s->name; s++)
            len++;
    const struct tl_setting **row = calloc(len + 1, sizeof(const struct tl_setting *));
    if (!row)
        abort();
    for (size_t i = 0; tables[i]; i++)
        for (const struct tl_setting *s = tables[i]; s->name; s++)
            row[n++] = s;
    qsort(row, len, sizeof(const struct tl_setting *), by_name);
    for (size_t i = 0; i < len; i++) {
        size_t section = section_len(row[i]);
        if (i == 0 || section != section_len(row[i - 1]) ||
            strncmp(row[i]->name, row[i - 1]->name, section) != 0)
            tl_buf_printf(out,
                          "%s## %.*s\n\n| setting | takes | default | environment | meaning |\n"
                          "| --- | --- | --- | --- | --- |\n",
                          i ? "\n" : "", (int)section, row[i]->name);
        add_row(out, row[i]);
    }
    free(row);
}
