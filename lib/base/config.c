/* Settings from their sources, in order, into the structs of a program's parts: see config.h. */
#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config_internal.h"
#include "base/text.h"

#define ENV_PREFIX "TRUNKLINE_"
#define PROBLEM_BYTES_MAX 400
#define NAME_BYTES_MAX 127

void tl_config_problem(struct tl_config_load *load, const char *where, const char *fmt, ...)
{
    char text[PROBLEM_BYTES_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut when longer: for people only */
    va_end(ap);
    if (load->config->problems_len++ < TL_CONFIG_PROBLEMS_MAX)
        tl_buf_printf(&load->config->problems, "%s: %s\n", where, text);
}

struct tl_config_slot *tl_config_slot_find(const struct tl_config_load *load, const char *name)
{
    for (size_t i = 0; i < load->len; i++)
        if (strcmp(load->slot[i].setting->name, name) == 0)
            return &load->slot[i];
    return NULL;
}

bool tl_config_is_section(const struct tl_config_load *load, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < load->len; i++) {
        const char *full = load->slot[i].setting->name;
        if (strncmp(full, name, len) == 0 && full[len] == '.')
            return true;
    }
    return false;
}

const char *tl_config_suggest(struct tl_config_load *load, const char *name, bool section)
{
    struct tl_arena *arena = &load->config->arena;
    size_t len = strlen(name), near = len / 4 > 2 ? len / 4 + 1 : 3; /* further off is a guess */
    const char *best = NULL;

    for (size_t i = 0; i < load->len; i++) {
        const char *full = load->slot[i].setting->name;
        const char *dot = section ? strrchr(full, '.') : NULL;
        size_t full_len = dot ? (size_t)(dot - full) : strlen(full);
        char candidate[NAME_BYTES_MAX + 1];
        if (full_len >= sizeof(candidate))
            continue;
        memcpy(candidate, full, full_len);
        candidate[full_len] = 0;
        size_t distance = tl_text_distance(name, candidate);
        if (distance < near) {
            near = distance;
            best = tl_arena_strdup(arena, candidate);
        }
    }
    return best;
}

void tl_config_slot_set(struct tl_config_load *load, struct tl_config_slot *slot, const char *text,
                        const char *where)
{
    struct tl_error err;

    if (tl_setting_parse(slot->setting, text, &load->config->arena, &slot->value, &err) == TL_OK)
        return;
    slot->had_problem = true;
    tl_config_problem(load, where, "%s", err.msg);
}

static size_t count_rows(const struct tl_config_part *parts, const struct tl_setting *const *known)
{
    size_t len = 0;

    for (; parts && parts->settings; parts++)
        for (const struct tl_setting *s = parts->settings; s->name; s++)
            len++;
    for (; known && *known; known++)
        for (const struct tl_setting *s = *known; s->name; s++)
            len++;
    return len;
}

/* Adds a table with its defaults. A name that another table already has is a mistake of ours. */
static enum tl_status add_table(struct tl_config_load *load, const struct tl_setting *table,
                                void *into, struct tl_error *err)
{
    for (const struct tl_setting *s = table; s->name; s++) {
        struct tl_config_slot *slot = &load->slot[load->len];
        if (tl_config_slot_find(load, s->name))
            return tl_fail(err, TL_FATAL, "%s: two tables of settings have it", s->name);
        *slot = (struct tl_config_slot){.setting = s, .into = into};
        if (tl_setting_parse(s, s->fallback ? s->fallback : "", &load->config->arena, &slot->value,
                             err) != TL_OK) {
            (void)tl_fail_prefix(err, "default"); /* returns what err holds */
            return err->status = TL_FATAL;
        }
        load->len++;
    }
    return TL_OK;
}

static bool is_part(const struct tl_config_part *parts, const struct tl_setting *table)
{
    for (; parts && parts->settings; parts++)
        if (parts->settings == table)
            return true;
    return false;
}

static enum tl_status begin(struct tl_config_load *load, struct tl_config *config,
                            const struct tl_config_part *parts,
                            const struct tl_setting *const *known, struct tl_error *err)
{
    *config = (struct tl_config){0};
    tl_buf_init(&config->problems, (size_t)TL_CONFIG_PROBLEMS_MAX * 1024);
    *load = (struct tl_config_load){.config = config};
    load->slot =
        tl_arena_alloc(&config->arena, (count_rows(parts, known) + 1) * sizeof(*load->slot));
    for (const struct tl_config_part *p = parts; p && p->settings; p++) {
        enum tl_status st = add_table(load, p->settings, p->into, err);
        if (st != TL_OK)
            return st;
    }
    for (; known && *known; known++) {
        enum tl_status st = is_part(parts, *known) ? TL_OK : add_table(load, *known, NULL, err);
        if (st != TL_OK)
            return st;
    }
    return TL_OK;
}

static const char *variable(char *const *variables, const char *name)
{
    size_t len = strlen(name);

    for (; variables && *variables; variables++)
        if (strncmp(*variables, name, len) == 0 && (*variables)[len] == '=')
            return *variables + len + 1;
    return NULL;
}

static struct tl_config_slot *slot_of_variable(const struct tl_config_load *load, const char *name,
                                               size_t len)
{
    char env[TL_SETTING_ENV_SIZE];

    for (size_t i = 0; i < load->len; i++) {
        tl_setting_env_name(load->slot[i].setting, env);
        if (strlen(env) == len && strncmp(env, name, len) == 0)
            return &load->slot[i];
    }
    return NULL;
}

static void note_unknown_variable(struct tl_config_load *load, const char *name)
{
    char env[TL_SETTING_ENV_SIZE], best[TL_SETTING_ENV_SIZE] = "";
    size_t near = 4;

    for (size_t i = 0; i < load->len; i++) {
        tl_setting_env_name(load->slot[i].setting, env);
        size_t distance = tl_text_distance(name, env);
        if (distance < near) {
            near = distance;
            memcpy(best, env, sizeof(best));
        }
    }
    tl_config_problem(load, name, "no such setting%s%s%s", *best ? " (did you mean " : "", best,
                      *best ? "?)" : "");
}

/* An alias comes from a foreign convention, where empty means not set. */
static void read_aliases(struct tl_config_load *load, char *const *variables)
{
    for (size_t i = 0; i < load->len; i++) {
        const char *alias = load->slot[i].setting->env;
        const char *text = alias ? variable(variables, alias) : NULL;
        if (text && *text)
            tl_config_slot_set(load, &load->slot[i], text, alias);
    }
}

static void read_variables(struct tl_config_load *load, char *const *variables)
{
    read_aliases(load, variables);
    for (; variables && *variables; variables++) {
        const char *equals = strchr(*variables, '=');
        if (!equals || strncmp(*variables, ENV_PREFIX, strlen(ENV_PREFIX)) != 0)
            continue;
        size_t len = (size_t)(equals - *variables);
        const char *name = tl_arena_strndup(&load->config->arena, *variables, len);
        if (strcmp(name, "TRUNKLINE_ENV") == 0 || strcmp(name, "TRUNKLINE_CONFIG") == 0)
            continue;
        struct tl_config_slot *slot = slot_of_variable(load, name, len);
        if (slot)
            tl_config_slot_set(load, slot, equals + 1, name);
        else
            note_unknown_variable(load, name);
    }
}

static enum tl_status read_file(struct tl_config_load *load, const char *path, struct tl_error *err)
{
    struct tl_buf text;
    FILE *file = fopen(path, "re");

    if (!file)
        return tl_fail(err, errno == ENOENT ? TL_NOT_FOUND : TL_INVALID, "%s: %s", path,
                       strerror(errno));
    tl_buf_init(&text, TL_CONFIG_FILE_BYTES_MAX + 1);
    uint8_t *to =
        tl_buf_reserve(&text, TL_CONFIG_FILE_BYTES_MAX + 1); /* one more, to see too large */
    size_t len = fread(to, 1, TL_CONFIG_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file);
    (void)fclose(file); /* only read */
    if (!failed)
        tl_config_read_yaml(load, path, (const char *)to, len);
    tl_buf_finish(&text);
    return failed ? tl_fail(err, TL_INVALID, "%s: cannot be read", path) : TL_OK;
}

/* <folder of file>/<TRUNKLINE_ENV>.yaml; a name, so that it cannot lead elsewhere. */
static enum tl_status read_overlay(struct tl_config_load *load, const char *file,
                                   char *const *variables, struct tl_error *err)
{
    const char *name = variable(variables, "TRUNKLINE_ENV");
    const char *slash = strrchr(file, '/');

    if (!name || !*name)
        return TL_OK;
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        strlen(name))
        return tl_fail(err, TL_INVALID, "TRUNKLINE_ENV: letters, digits, _ and - are expected");
    const char *path = tl_arena_printf(&load->config->arena, "%.*s%s.yaml",
                                       slash ? (int)(slash - file) + 1 : 0, file, name);
    enum tl_status st = read_file(load, path, err);
    if (st != TL_OK)
        (void)tl_fail_prefix(err, "TRUNKLINE_ENV"); /* st stands */
    return st;
}

static bool is_empty(const struct tl_config_slot *slot)
{
    if (slot->setting->type == TL_SETTING_STRING)
        return !*slot->value.string;
    return slot->setting->type == TL_SETTING_LIST && slot->value.list.len == 0;
}

static void note_missing(struct tl_config_load *load, const struct tl_setting *setting)
{
    char env[TL_SETTING_ENV_SIZE];

    if (load->text_name) {
        tl_config_problem(load, load->text_name, "%s: is required", setting->name);
        return;
    }
    tl_setting_env_name(setting, env);
    tl_config_problem(load, setting->name, "is required and not set (in the file, or as %s%s%s)",
                      env, setting->env ? " or " : "", setting->env ? setting->env : "");
}

static void store(struct tl_config_load *load)
{
    for (size_t i = 0; i < load->len; i++) {
        struct tl_config_slot *slot = &load->slot[i];
        const struct tl_setting *s = slot->setting;
        if (!slot->into)
            continue;
        if (s->required && is_empty(slot) && !slot->had_problem)
            note_missing(load, s);
        memcpy((char *)slot->into + s->offset, &slot->value, tl_setting_value_size(s->type));
    }
}

/* The first problem becomes the error. */
static enum tl_status end(struct tl_config_load *load, struct tl_error *err)
{
    struct tl_config *config = load->config;

    store(load);
    if (config->problems_len == 0)
        return TL_OK;
    const char *text = tl_buf_str(&config->problems);
    int first = (int)strcspn(text, "\n");
    if (config->problems_len == 1)
        return tl_fail(err, TL_INVALID, "%.*s", first, text);
    return tl_fail(err, TL_INVALID, "%.*s (and %zu more)", first < 480 ? first : 480, text,
                   config->problems_len - 1);
}

enum tl_status tl_config_load(struct tl_config *config, const struct tl_config_part *parts,
                              const struct tl_setting *const *known,
                              const struct tl_config_source *source, struct tl_error *err)
{
    struct tl_config_load load;
    char *const *variables = source->variables ? source->variables : environ;

    enum tl_status st = begin(&load, config, parts, known, err);
    if (st == TL_OK && source->file)
        st = read_file(&load, source->file, err);
    if (st == TL_OK && source->file)
        st = read_overlay(&load, source->file, variables, err);
    if (st != TL_OK)
        return st;
    read_variables(&load, variables);
    if (source->instance) {
        struct tl_config_slot *slot = tl_config_slot_find(&load, "instance.number");
        if (slot)
            tl_config_slot_set(&load, slot, source->instance, "--instance");
        else
            tl_config_problem(&load, "--instance", "this program has no number");
    }
    return end(&load, err);
}

enum tl_status tl_config_load_text(struct tl_config *config, const struct tl_config_part *parts,
                                   const struct tl_setting *const *known, const char *name,
                                   const char *yaml, size_t len, char *const *variables,
                                   struct tl_error *err)
{
    struct tl_config_load load;

    enum tl_status st = begin(&load, config, parts, known, err);
    if (st != TL_OK)
        return st;
    load.text_name = variables ? NULL : name;
    tl_config_read_yaml(&load, name, yaml, len);
    read_variables(&load, variables);
    return end(&load, err);
}

void tl_config_finish(struct tl_config *config)
{
    tl_arena_finish(&config->arena);
    tl_buf_finish(&config->problems);
}
