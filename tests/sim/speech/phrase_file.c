/* One line of a phrase file. */
#include "speech/phrase_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/** A copy without spaces around; NULL when nothing is left. */
static char *trimmed(struct tl_arena *arena, const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return len > 0 ? tl_arena_strndup(arena, text, len) : NULL;
}

/** Reads the JSON object at *at, if there is one, and moves *at behind it. */
static enum tl_status read_arguments(struct tl_arena *arena, const char **at, char **ret_json,
                                     struct tl_error *err)
{
    json_error_t wrong;

    if (**at != '{') {
        *ret_json = tl_arena_strdup(arena, "{}");
        return TL_OK;
    }
    json_t *tree = json_loads(*at, JSON_DISABLE_EOF_CHECK, &wrong);
    if (!tree)
        return tl_fail(err, TL_INVALID, "arguments of the tool: %s", wrong.text);
    *at += wrong.position;
    char *text = json_dumps(tree, JSON_COMPACT);
    *ret_json = tl_arena_strdup(arena, text);
    free(text);
    json_decref(tree);
    return TL_OK;
}

/** `tool` points at "[tool ". */
static enum tl_status read_tool(const char *tool, struct tl_arena *arena,
                                struct tl_phrase_line *out, const char **ret_rest,
                                struct tl_error *err)
{
    const char *at = tool + strlen("[tool ");
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    if (len == 0)
        return tl_fail(err, TL_INVALID, "a tool without a name");
    out->tool = tl_arena_strndup(arena, at, len);
    at += len;
    at += strspn(at, " \t");
    enum tl_status st = read_arguments(arena, &at, &out->tool_arguments, err);
    if (st != TL_OK)
        return st;
    at += strspn(at, " \t");
    if (*at != ']')
        return tl_fail(err, TL_INVALID, "a tool without its closing bracket");
    *ret_rest = at + 1;
    return TL_OK;
}

static enum tl_status read_answer(const char *answer, struct tl_arena *arena,
                                  struct tl_phrase_line *out, struct tl_error *err)
{
    const char *tool = strstr(answer, "[tool ");
    const char *rest = NULL;

    if (!tool) {
        out->answer = trimmed(arena, answer, strlen(answer));
        if (!out->answer)
            return tl_fail(err, TL_INVALID, "no answer");
        return TL_OK;
    }
    out->answer = trimmed(arena, answer, (size_t)(tool - answer));
    enum tl_status st = read_tool(tool, arena, out, &rest, err);
    if (st != TL_OK)
        return st;
    out->after_tool = trimmed(arena, rest, strlen(rest));
    if (out->answer && out->after_tool)
        out->without_tool = tl_arena_printf(arena, "%s %s", out->answer, out->after_tool);
    else
        out->without_tool = out->answer ? out->answer : out->after_tool;
    return TL_OK;
}

enum tl_status tl_phrase_line_parse(const char *line, struct tl_arena *arena,
                                    struct tl_phrase_line *ret_line, bool *ret_blank,
                                    struct tl_error *err)
{
    struct tl_phrase_line out = {0};
    const char *bar = strchr(line, '|');

    line += strspn(line, " \t\r\n");
    *ret_blank = *line == '\0' || *line == '#';
    if (*ret_blank)
        return TL_OK;
    if (!bar)
        return tl_fail(err, TL_INVALID, "no '|' between the caller's words and the answer");
    out.ask = trimmed(arena, line, (size_t)(bar - line));
    if (!out.ask)
        return tl_fail(err, TL_INVALID, "no words of the caller");
    enum tl_status st = read_answer(bar + 1, arena, &out, err);
    if (st == TL_OK)
        *ret_line = out;
    return st;
}
