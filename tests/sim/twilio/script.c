/* Scripts: what a caller does, step by step. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voice.h"

#define WAIT_MS 30000

/* "{n}" → number; the caller frees. */
static char *numbered(const char *text, size_t number)
{
    const char *place = strstr(text, "{n}");
    char *out = NULL;

    if (asprintf(&out, "%.*s", (int)(place ? place - text : (long)strlen(text)), text) < 0)
        abort();
    while (place) {
        const char *rest = place + 3;
        char *longer = NULL;
        place = strstr(rest, "{n}");
        if (asprintf(&longer, "%s%zu%.*s", out, number,
                     (int)(place ? place - rest : (long)strlen(rest)), rest) < 0)
            abort();
        free(out);
        out = longer;
    }
    return out;
}

static enum tl_status parse_say(struct tl_tel_voices *voices, const json_t *step, size_t number,
                                struct tl_tel_step *ret_step, struct tl_error *err)
{
    const char *text = json_string_value(json_object_get(step, "say"));
    const json_t *at_ms = json_object_get(step, "at_ms");

    if (!text)
        return tl_fail(err, TL_INVALID, "\"say\" is not a text");
    ret_step->ms = at_ms ? json_integer_value(at_ms) : -1;
    char *words = numbered(text, number);
    enum tl_status st = tl_tel_voices_say(voices, words, &ret_step->voice, err);
    free(words);
    return st;
}

static enum tl_status parse_dtmf(const json_t *step, size_t number, struct tl_tel_step *ret_step,
                                 struct tl_error *err)
{
    const char *keys = json_string_value(json_object_get(step, "dtmf"));

    if (!keys)
        return tl_fail(err, TL_INVALID, "\"dtmf\" is not a text");
    ret_step->keys = numbered(keys, number);
    if (ret_step->keys[strspn(ret_step->keys, "0123456789*#ABCDw")])
        return tl_fail(err, TL_INVALID, "\"dtmf\" has keys that no telephone has");
    return TL_OK;
}

static enum tl_status parse_again(const json_t *step, struct tl_tel_step *ret_step,
                                  struct tl_error *err)
{
    const json_t *until_ms = json_object_get(step, "until_ms");
    json_int_t again = json_integer_value(json_object_get(step, "again"));

    if (again < 0)
        return tl_fail(err, TL_INVALID, "\"again\" is a step");
    ret_step->again = (size_t)again;
    ret_step->ms = json_is_integer(until_ms) ? json_integer_value(until_ms) : INT64_MAX / 1000;
    return TL_OK;
}

static const struct {
    const char *name;
    enum tl_tel_step_kind kind;
} KINDS[] = {
    {"say", TL_TEL_STEP_SAY},
    {"wait_answer", TL_TEL_STEP_WAIT_ANSWER},
    {"wait_stream", TL_TEL_STEP_WAIT_STREAM},
    {"wait_quiet", TL_TEL_STEP_WAIT_QUIET},
    {"pause", TL_TEL_STEP_PAUSE},
    {"silence", TL_TEL_STEP_PAUSE},
    {"barge_in", TL_TEL_STEP_BARGE_IN},
    {"dtmf", TL_TEL_STEP_DTMF},
    {"again", TL_TEL_STEP_AGAIN},
    {"hangup", TL_TEL_STEP_HANGUP},
};

static enum tl_status parse_step(struct tl_tel_voices *voices, const json_t *step, size_t number,
                                 struct tl_tel_step *ret_step, struct tl_error *err)
{
    const json_t *value = NULL;
    const json_t *timeout = json_object_get(step, "timeout_ms");

    for (size_t i = 0; i < TL_ARRAY_LEN(KINDS) && !value; i++) {
        value = json_object_get(step, KINDS[i].name);
        ret_step->kind = KINDS[i].kind;
    }
    if (!value)
        return tl_fail(err, TL_INVALID, "no such step");
    ret_step->timeout_ms = timeout ? json_integer_value(timeout) : WAIT_MS;
    switch (ret_step->kind) {
    case TL_TEL_STEP_SAY:
        return parse_say(voices, step, number, ret_step, err);
    case TL_TEL_STEP_DTMF:
        return parse_dtmf(step, number, ret_step, err);
    case TL_TEL_STEP_AGAIN:
        return parse_again(step, ret_step, err);
    case TL_TEL_STEP_HANGUP:
        ret_step->ms = json_integer_value(json_object_get(step, "after_ms"));
        ret_step->when_told = json_is_true(json_object_get(step, "when_told"));
        return TL_OK;
    case TL_TEL_STEP_WAIT_ANSWER:
        return TL_OK;
    default:
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return tl_fail(err, TL_INVALID, "its value is a number of milliseconds, or a count");
        ret_step->ms = json_integer_value(value);
        return TL_OK;
    }
}

enum tl_status tl_tel_script_parse(struct tl_tel_voices *voices, const json_t *steps, size_t number,
                                   struct tl_tel_script *ret_script, struct tl_error *err)
{
    struct tl_tel_script script = {.len = json_array_size(steps)};

    if (steps && (!json_is_array(steps) || script.len > TL_TEL_STEPS_MAX))
        return tl_fail(err, TL_INVALID, "a script is an array of steps");
    script.step = calloc(script.len + 1, sizeof(*script.step));
    if (!script.step)
        abort();
    for (size_t i = 0; i < script.len; i++) {
        enum tl_status st =
            parse_step(voices, json_array_get(steps, i), number, &script.step[i], err);
        if (st == TL_OK && script.step[i].again > i)
            st = tl_fail(err, TL_INVALID, "\"again\" goes back, not forward");
        if (st != TL_OK) {
            tl_tel_script_finish(&script);
            return tl_fail_prefix(err, "step %zu of the script", i + 1);
        }
    }
    *ret_script = script;
    return TL_OK;
}

void tl_tel_script_finish(struct tl_tel_script *script)
{
    for (size_t i = 0; i < script->len; i++)
        free(script->step[i].keys);
    free(script->step);
    *script = (struct tl_tel_script){0};
}
