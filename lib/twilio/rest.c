/* Answers of the Calls REST API: see rest.h. */
#include "twilio/rest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void copy_member(json_t *object, const char *name, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    (void)snprintf(to, size, "%s", text ? text : ""); /* cut: for people */
}

static enum tl_twilio_outcome judge(int http_status, int code)
{
    if (code == 21220 || code == 20404 || http_status == 404)
        return TL_TWILIO_OVER;
    if (http_status >= 200 && http_status < 300)
        return TL_TWILIO_DONE;
    if (http_status == 429)
        return TL_TWILIO_AGAIN;
    if (http_status == 0 || http_status >= 500)
        return TL_TWILIO_UNKNOWN;
    return TL_TWILIO_REFUSED;
}

void tl_twilio_answer_read(int http_status, struct tl_bytes body,
                           struct tl_twilio_answer *ret_answer)
{
    struct tl_twilio_answer answer = {0};
    json_t *json = body.len ? json_loadb((const char *)body.data, body.len, 0, NULL) : NULL;

    if (json_is_object(json)) {
        answer.code = (int)json_integer_value(json_object_get(json, "code"));
        copy_member(json, "message", answer.message, sizeof(answer.message));
        copy_member(json, "sid", answer.call_sid, sizeof(answer.call_sid));
        if (json_is_string(json_object_get(json, "status")))
            copy_member(json, "status", answer.status, sizeof(answer.status));
    }
    json_decref(json);
    answer.outcome = judge(http_status, answer.code);
    if (!answer.message[0] && answer.outcome != TL_TWILIO_DONE)
        (void)snprintf(answer.message, sizeof(answer.message), "HTTP status %d", http_status);
    *ret_answer = answer;
}

static void add_encoded(struct tl_buf *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            tl_buf_add_char(out, (char)c);
        else
            tl_buf_printf(out, "%%%02X", c);
    }
}

void tl_twilio_form_add(struct tl_buf *out, const char *name, const char *value)
{
    if (out->len)
        tl_buf_add_char(out, '&');
    add_encoded(out, name);
    tl_buf_add_char(out, '=');
    add_encoded(out, value);
}
