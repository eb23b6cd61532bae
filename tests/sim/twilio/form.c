/* Forms as Twilio writes and takes them. Own code, not lib/twilio's: a mistake shared by both sides
 * would not be seen. */
#include "form.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void push(struct tl_tel_form *form, char *name, char *value)
{
    if (form->len == form->cap) {
        form->cap = form->cap ? form->cap * 2 : 16;
        form->field = realloc(form->field, form->cap * sizeof(*form->field));
        if (!form->field)
            abort();
    }
    form->field[form->len++] = (struct tl_tel_field){.name = name, .value = value};
}

void tl_tel_form_add(struct tl_tel_form *form, const char *name, const char *value)
{
    char *name_copy = strdup(name);
    char *value_copy = strdup(value ? value : "");

    if (!name_copy || !value_copy)
        abort();
    push(form, name_copy, value_copy);
}

void tl_tel_form_addf(struct tl_tel_form *form, const char *name, const char *fmt, ...)
{
    char *value = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&value, fmt, args) < 0)
        abort();
    va_end(args);
    tl_tel_form_add(form, name, value);
    free(value);
}

void tl_tel_form_finish(struct tl_tel_form *form)
{
    for (size_t i = 0; i < form->len; i++) {
        free(form->field[i].name);
        free(form->field[i].value);
    }
    free(form->field);
    *form = (struct tl_tel_form){0};
}

const char *tl_tel_form_get(const struct tl_tel_form *form, const char *name)
{
    for (size_t i = 0; i < form->len; i++)
        if (strcmp(form->field[i].name, name) == 0)
            return form->field[i].value;
    return NULL;
}

const char *tl_tel_form_text(const struct tl_tel_form *form, const char *name)
{
    const char *value = tl_tel_form_get(form, name);

    return value && *value ? value : NULL;
}

static bool stays(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("*-._", c));
}

static void encode_text(const char *text, struct tl_buf *out)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (stays(*p))
            tl_buf_add_char(out, (char)*p);
        else if (*p == ' ')
            tl_buf_add_char(out, '+');
        else
            tl_buf_printf(out, "%%%02X", *p);
    }
}

void tl_tel_form_encode(const struct tl_tel_form *form, struct tl_buf *out)
{
    for (size_t i = 0; i < form->len; i++) {
        if (i)
            tl_buf_add_char(out, '&');
        encode_text(form->field[i].name, out);
        tl_buf_add_char(out, '=');
        encode_text(form->field[i].value, out);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* NULL for a broken escape or a NUL. */
static char *decode_text(const char *data, size_t len)
{
    char *text = malloc(len + 1);
    size_t n = 0;

    if (!text)
        abort();
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < len ? hex_value(data[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(data[i + 2]) : -1;
            c = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (c == 0) {
            free(text);
            return NULL;
        }
        text[n++] = (char)c;
    }
    text[n] = '\0';
    return text;
}

enum tl_status tl_tel_form_decode(struct tl_tel_form *form, const char *data, size_t len,
                                  struct tl_error *err)
{
    const char *end = data + len;

    while (data < end) {
        const char *stop = memchr(data, '&', (size_t)(end - data));
        if (!stop)
            stop = end;
        const char *equals = memchr(data, '=', (size_t)(stop - data));
        const char *name_end = equals ? equals : stop;
        if (stop > data) {
            char *name = decode_text(data, (size_t)(name_end - data));
            char *value =
                equals ? decode_text(equals + 1, (size_t)(stop - equals - 1)) : strdup("");
            if (!name || !value) {
                free(name);
                free(value);
                return tl_fail(err, TL_INVALID, "broken escape in a form");
            }
            push(form, name, value);
        }
        data = stop + 1;
    }
    return TL_OK;
}
