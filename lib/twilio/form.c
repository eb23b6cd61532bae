/* x-www-form-urlencoded, as webhooks are sent: see form.h. */
#include "twilio/form.h"

#include <jansson.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum tl_status decode(const char *s, size_t n, struct tl_arena *arena, const char **ret,
                             struct tl_error *err)
{
    char *out = tl_arena_alloc(arena, n + 1);
    size_t len = 0;

    if (!out)
        return tl_fail(err, TL_INVALID, "form: too large");
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int hi = i + 2 < n ? hex(s[i + 1]) : -1, lo = i + 2 < n ? hex(s[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return tl_fail(err, TL_INVALID, "form: broken escape");
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        if (c == '\0')
            return tl_fail(err, TL_INVALID, "form: NUL in a field");
        out[len++] = c;
    }
    json_t *text = json_stringn(out, len); /* jansson refuses what is not UTF-8 */
    if (!text)
        return tl_fail(err, TL_INVALID, "form: not UTF-8");
    json_decref(text);
    *ret = out;
    return TL_OK;
}

enum tl_status tl_form_parse(const char *body, size_t len, struct tl_arena *arena,
                             struct tl_form *ret_form, struct tl_error *err)
{
    struct tl_form form = {0};
    size_t pairs = 1;

    for (size_t i = 0; i < len; i++)
        pairs += body[i] == '&';
    if (pairs > TL_FORM_FIELDS_MAX)
        return tl_fail(err, TL_INVALID, "form: more than %d fields", TL_FORM_FIELDS_MAX);
    form.fields = tl_arena_alloc(arena, pairs * sizeof(*form.fields));
    if (!form.fields)
        return tl_fail(err, TL_INVALID, "form: too large");

    for (const char *p = body, *end = body + len; p < end;) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp ? amp : end;
        const char *eq = memchr(p, '=', (size_t)(stop - p));
        if (stop > p) { /* "a=1&&b=2" has no field between */
            struct tl_form_field *f = &form.fields[form.fields_n];
            enum tl_status st = decode(p, (size_t)((eq ? eq : stop) - p), arena, &f->name, err);
            if (st == TL_OK)
                st = eq ? decode(eq + 1, (size_t)(stop - eq - 1), arena, &f->value, err) : TL_OK;
            if (st != TL_OK)
                return st;
            if (!eq)
                f->value = "";
            form.fields_n++;
        }
        p = stop + 1;
    }
    *ret_form = form;
    return TL_OK;
}

const char *tl_form_get(const struct tl_form *form, const char *name)
{
    for (size_t i = 0; i < form->fields_n; i++)
        if (strcmp(form->fields[i].name, name) == 0)
            return form->fields[i].value;
    return NULL;
}
