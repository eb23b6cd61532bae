/* A YAML file to settings: nested mappings are the parts of a name, "kafka: {brokers: …}" is
 * "kafka.brokers". No anchors, tags or second documents: a configuration should read as it stands.
 */
#include <string.h>
#include <yaml.h>

#include "base/config_internal.h"

#define DEPTH_MAX 4
#define LIST_ITEMS_MAX 1024
#define KEYS_MAX 4096
#define NAME_BYTES_MAX 128

struct reader {
    struct tl_config_load *load;
    const char *file;
    const char *text;
    yaml_parser_t parser;
    const char *seen[KEYS_MAX]; /* names met in this file */
    size_t seen_len;
};

struct key {
    char name[NAME_BYTES_MAX]; /* full, with dots */
    int depth;                 /* 1: a section */
    size_t line;               /* from 1 */
};

static const char *where(struct reader *r, size_t line)
{
    return tl_arena_printf(&r->load->config->arena, "%s:%zu", r->file, line);
}

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

/* Bytes that are no text at all are told by their place, the rest by a line. */
static size_t line_of_error(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    size_t line = 1;

    if (p->error != YAML_READER_ERROR)
        return (p->problem_mark.line ? p->problem_mark.line : p->context_mark.line) + 1;
    for (size_t i = 0; i < p->problem_offset; i++)
        line += r->text[i] == '\n';
    return line;
}

static void note_parser_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;

    tl_config_problem(r->load, where(r, line_of_error(r)), "not YAML: %s%s%s",
                      p->problem ? p->problem : "out of memory", p->context ? " " : "",
                      p->context ? p->context : "");
}

/* The next event, or false when the text is broken; what we do not take is as good as broken. */
static bool next(struct reader *r, yaml_event_t *event)
{
    if (!yaml_parser_parse(&r->parser, event)) {
        note_parser_error(r);
        return false;
    }
    const unsigned char *tag = NULL, *anchor = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        anchor = event->data.scalar.anchor;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
        anchor = event->data.sequence_start.anchor;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
        anchor = event->data.mapping_start.anchor;
    }
    if (!tag && !anchor && event->type != YAML_ALIAS_EVENT)
        return true;
    tl_config_problem(r->load, where(r, line_of(event)), "%s are not taken here",
                      tag ? "tags (!)" : "anchors (&) and aliases (*)");
    yaml_event_delete(event);
    return false;
}

/* Passes over the rest of a node whose first event is given. Bounded: the text is. */
static bool skip(struct reader *r, const yaml_event_t *first)
{
    int depth = first->type == YAML_SEQUENCE_START_EVENT || first->type == YAML_MAPPING_START_EVENT;

    while (depth > 0) {
        yaml_event_t event;
        if (!next(r, &event))
            return false;
        if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT)
            depth++;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
            depth--;
        yaml_event_delete(&event);
    }
    return true;
}

/* A scalar's text in the arena; a plain null or ~ is empty. NULL, with a problem, for a NUL in it.
 */
static const char *scalar_text(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (memchr(text, 0, len)) {
        tl_config_problem(r->load, where(r, line_of(event)), "a NUL byte");
        return NULL;
    }
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (strcmp(text, "null") == 0 || strcmp(text, "~") == 0))
        return "";
    return tl_arena_strndup(&r->load->config->arena, text, len);
}

static bool note_seen(struct reader *r, const struct key *key)
{
    for (size_t i = 0; i < r->seen_len; i++)
        if (strcmp(r->seen[i], key->name) == 0) {
            tl_config_problem(r->load, where(r, key->line), "%s: stands here a second time",
                              key->name);
            return false;
        }
    if (r->seen_len < KEYS_MAX)
        r->seen[r->seen_len++] = tl_arena_strdup(&r->load->config->arena, key->name);
    return true;
}

static void note_unknown(struct reader *r, const struct key *key, bool is_mapping)
{
    bool section = is_mapping || key->depth == 1;
    const char *near = tl_config_suggest(r->load, key->name, section);

    tl_config_problem(r->load, where(r, key->line), "%s: no such %s%s%s%s", key->name,
                      section ? "section" : "setting", near ? " (did you mean " : "",
                      near ? near : "", near ? "?)" : "");
}

/* The items of a sequence whose start was read. */
static bool read_list(struct reader *r, struct tl_config_slot *slot, const struct key *key)
{
    const char *item[LIST_ITEMS_MAX];
    size_t len = 0;
    struct tl_error err;

    for (;;) {
        yaml_event_t event;
        if (!next(r, &event))
            return false;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT && len < LIST_ITEMS_MAX) {
            const char *text = scalar_text(r, &event);
            item[len++] = text ? text : "";
        } else if (!end) {
            tl_config_problem(r->load, where(r, line_of(&event)), "%s: %s", key->name,
                              event.type == YAML_SCALAR_EVENT ? "too many items"
                                                              : "an item must be plain text");
            yaml_event_delete(&event);
            return false;
        }
        yaml_event_delete(&event);
        if (end)
            break;
    }
    if (tl_setting_list(slot->setting, item, len, &r->load->config->arena, &slot->value.list,
                        &err) != TL_OK) {
        slot->had_problem = true;
        tl_config_problem(r->load, where(r, key->line), "%s", err.msg);
    }
    return true;
}

/* The value of a known setting. */
static bool read_setting(struct reader *r, struct tl_config_slot *slot, const struct key *key,
                         const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT) {
        const char *text = scalar_text(r, event);
        if (text)
            tl_config_slot_set(r->load, slot, text, where(r, key->line));
        return true;
    }
    if (event->type == YAML_SEQUENCE_START_EVENT && slot->setting->type == TL_SETTING_LIST)
        return read_list(r, slot, key);
    tl_config_problem(r->load, where(r, key->line), "%s: %s", key->name,
                      event->type == YAML_SEQUENCE_START_EVENT ? "takes one value, not a list"
                                                               : "is a setting, not a section");
    return skip(r, event);
}

static bool read_mapping(struct reader *r, const char *prefix, int depth);

static bool read_value(struct reader *r, const struct key *key, const yaml_event_t *event)
{
    struct tl_config_slot *slot = tl_config_slot_find(r->load, key->name);
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;

    if (!note_seen(r, key))
        return skip(r, event);
    if (slot)
        return read_setting(r, slot, key, event);
    if (!tl_config_is_section(r->load, key->name)) {
        note_unknown(r, key, is_mapping);
        return skip(r, event);
    }
    if (is_mapping)
        return read_mapping(r, key->name, key->depth + 1);
    /* "kafka:" with nothing beneath is a section of which all lines are commented out */
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length > 0)
        tl_config_problem(r->load, where(r, key->line), "%s: is a section, not a setting",
                          key->name);
    return skip(r, event);
}

/* Reads keys and values up to the end of a mapping whose start was read. */
static bool read_mapping(struct reader *r, const char *prefix, int depth)
{
    for (;;) {
        yaml_event_t event;
        struct key key = {.depth = depth};
        if (!next(r, &event))
            return false;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        const char *text = event.type == YAML_SCALAR_EVENT ? scalar_text(r, &event) : NULL;
        key.line = line_of(&event);
        yaml_event_delete(&event);
        if (end)
            return true;
        if (!text || depth > DEPTH_MAX || strlen(prefix) + strlen(text) + 2 > sizeof(key.name)) {
            tl_config_problem(r->load, where(r, key.line), "no name of a setting");
            return false;
        }
        (void)snprintf(key.name, sizeof(key.name), "%s%s%s", prefix, *prefix ? "." : "", text);
        if (!next(r, &event))
            return false;
        bool ok = read_value(r, &key, &event);
        yaml_event_delete(&event);
        if (!ok)
            return false;
    }
}

/* The document's node. An empty document, or one of comments alone, is a null scalar or nothing. */
static bool read_root(struct reader *r)
{
    yaml_event_t event;

    if (!next(r, &event))
        return false;
    bool ok = true;
    if (event.type == YAML_MAPPING_START_EVENT) {
        ok = read_mapping(r, "", 1);
    } else if (event.type != YAML_SCALAR_EVENT || event.data.scalar.length > 0) {
        tl_config_problem(r->load, where(r, line_of(&event)),
                          "sections are expected, such as \"kafka:\"");
        ok = false;
    }
    yaml_event_delete(&event);
    return ok;
}

static void read_stream(struct reader *r)
{
    int documents = 0;

    for (bool more = true; more;) {
        yaml_event_t event;
        if (!next(r, &event))
            return;
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (++documents > 1)
                tl_config_problem(r->load, where(r, line_of(&event)),
                                  "a second document; only one is read");
            more = documents == 1 && read_root(r);
        }
        yaml_event_delete(&event);
    }
}

void tl_config_read_yaml(struct tl_config_load *load, const char *name, const char *yaml,
                         size_t len)
{
    struct reader *r = tl_arena_alloc(&load->config->arena, sizeof(*r));

    r->load = load;
    r->file = name;
    r->text = yaml;
    if (len > TL_CONFIG_FILE_BYTES_MAX) {
        tl_config_problem(load, name, "larger than %d bytes", TL_CONFIG_FILE_BYTES_MAX);
        return;
    }
    if (!yaml_parser_initialize(&r->parser))
        abort();
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)yaml, len);
    read_stream(r);
    yaml_parser_delete(&r->parser);
}
