/* See append_scan.h. Anything out of the ordinary is left to the full parser. */
#include "openai/append_scan.h"

#include <string.h>

#define APPEND "input_audio_buffer.append"

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, char want)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    if (c->at >= c->end || *c->at != want)
        return false;
    c->at++;
    return true;
}

/** A string without escapes. */
static bool take_string(struct cursor *c, const char **ret_text, size_t *ret_len)
{
    if (!take(c, '"'))
        return false;
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    if (!quote || memchr(c->at, '\\', (size_t)(quote - c->at)))
        return false;
    *ret_text = c->at;
    *ret_len = (size_t)(quote - c->at);
    c->at = quote + 1;
    return true;
}

static bool is(const char *text, size_t len, const char *want)
{
    return len == strlen(want) && memcmp(text, want, len) == 0;
}

bool tl_ai_append_scan(const char *message, size_t len, struct tl_ai_append *ret_append)
{
    struct cursor c = {message, message + len};
    struct tl_ai_append out = {0};
    bool is_append = false;
    const char *name, *value;
    size_t name_len, value_len;

    if (!take(&c, '{'))
        return false;
    do {
        if (!take_string(&c, &name, &name_len) || !take(&c, ':') ||
            !take_string(&c, &value, &value_len))
            return false;
        if (is(name, name_len, "type"))
            is_append = is(value, value_len, APPEND);
        else if (is(name, name_len, "audio") && !out.audio)
            out = (struct tl_ai_append){value, value_len};
        else if (!is(name, name_len, "event_id"))
            return false;
    } while (take(&c, ','));
    if (!take(&c, '}') || c.at != c.end || !is_append || !out.audio)
        return false;
    *ret_append = out;
    return true;
}
