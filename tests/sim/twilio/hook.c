/* Webhooks: signed requests with the retry table of the URL's fragment.
 *
 *   send ──▶ attempt ──2xx──▶ done            15 s in all; the idempotency token stays the same
 *              ▲  │ 3xx: follow, 10 at most
 *              └──┘ a failure that rp names, while rc and the time allow */
#include "hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "base/uuid.h"
#include "net/http_client.h"
#include "signer.h"
#include "url.h"

#define REDIRECTS_MAX 10
#define CEILING_MS 15000

struct sending {
    struct tl_tel_hook hook;
    struct tl_tel_call *call;
    struct tl_tel_url url;
    char *current; /* the URL asked now */
    char method[8];
    struct tl_tel_form *form; /* NULL after a redirect that became GET */
    char token[TL_UUID_TEXT_LEN + 1];
    bool asks_with_password; /* the server challenged */
    unsigned attempts, redirects;
    unsigned tries; /* of the URL asked now */
    int64_t start_us;
    struct tl_timer timer; /* to fail from the loop */
    const char *early_error;
};

struct tl_tel_form *tl_tel_form_new(void)
{
    struct tl_tel_form *form = calloc(1, sizeof(*form));

    if (!form)
        abort();
    return form;
}

void tl_tel_form_free(struct tl_tel_form *form)
{
    if (!form)
        return;
    tl_tel_form_finish(form);
    free(form);
}

static int64_t elapsed_ms(const struct sending *s)
{
    return (tl_mono_us() - s->start_us) / 1000;
}

static void report(struct sending *s, const struct tl_tel_hook_answer *answer)
{
    json_t *line = json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:i}", "kind", s->hook.kind, "url",
                             s->current, "status", answer->status, "attempts", (int)s->attempts,
                             "at_ms", (json_int_t)tl_tel_call_ms(s->call, s->start_us), "took_ms",
                             (json_int_t)elapsed_ms(s), "error_code", answer->error_code);

    if (answer->error)
        json_object_set_new(line, "error", json_string(answer->error));
    json_object_set_new(line, "token", json_string(s->token));
    json_array_append(s->call->webhooks, line);
    tl_tel_call_event(s->call, "webhook", line);
}

static void finish(struct sending *s, const struct tl_tel_hook_answer *answer)
{
    report(s, answer);
    if (answer->error_code && !s->call->tel->is_stopping)
        tl_tel_call_error(s->call, answer->error_code, "%s %s: %s (HTTP %d)", s->hook.kind,
                          s->current, answer->error ? answer->error : "", answer->status);
    if (s->hook.on_answer)
        s->hook.on_answer(s->hook.arg, answer);
    s->call->tel->pending--;
    tl_tel_stop_when_done(s->call->tel);
    tl_timer_finish(&s->timer);
    tl_tel_url_finish(&s->url);
    tl_tel_form_free(s->form);
    free(s->current);
    free(s);
}

static void fail_early(void *arg)
{
    struct sending *s = arg;
    struct tl_tel_hook_answer answer = {
        .error_code = 11200, .error = s->early_error, .url = s->current};

    finish(s, &answer);
}

static void fail_later(struct sending *s, const char *why)
{
    s->early_error = why;
    tl_timer_start(&s->timer, &s->call->tel->loop, 0, fail_early, s);
}

static void attempt(struct sending *s);

static bool is_retried(const struct sending *s, const struct tl_http_answer *answer)
{
    unsigned on = s->url.overrides.retry_on;
    unsigned total =
        s->url.overrides.total_ms < CEILING_MS ? s->url.overrides.total_ms : CEILING_MS;

    if (s->tries > s->url.overrides.retries || elapsed_ms(s) >= (int64_t)total)
        return false;
    if (answer->status == 0)
        return on & (answer->not_sent ? TL_TEL_RETRY_CONNECT : TL_TEL_RETRY_READ);
    return (answer->status >= 500 && (on & TL_TEL_RETRY_5XX)) ||
           (answer->status >= 400 && answer->status < 500 && (on & TL_TEL_RETRY_4XX));
}

/* True when a redirect is followed; *ret_code is set when there were too many. */
static bool follow(struct sending *s, const struct tl_http_answer *answer, int *ret_code)
{
    const char *location = tl_http_answer_header(answer, "Location");
    bool keeps_method = answer->status == 307 || answer->status == 308;
    struct tl_error err;

    if (answer->status < 301 || answer->status > 308 || !location)
        return false;
    if (s->redirects++ >= REDIRECTS_MAX) {
        *ret_code = 11215;
        return false;
    }
    char *next = tl_tel_url_resolve(s->current, location);
    struct tl_tel_url url = {0};
    if (!next || tl_tel_url_parse(next, s->call->tel->options.sign_port, &url, &err) != TL_OK) {
        free(next);
        return false;
    }
    url.overrides = s->url.overrides;
    tl_tel_url_finish(&s->url);
    s->url = url;
    free(s->current);
    s->current = next;
    s->tries = 0;
    if (!keeps_method)
        (void)snprintf(s->method, sizeof(s->method), "GET");
    return true;
}

static void keep_cookie(struct sending *s, const struct tl_http_answer *answer)
{
    const char *cookie = tl_http_answer_header(answer, "Set-Cookie");

    if (!cookie)
        return;
    free(s->call->cookie);
    s->call->cookie = strndup(cookie, strcspn(cookie, ";"));
}

/* True when the answer is lost on its way: asked again with the same token, as after a read timeout. */
static bool loses_answer(struct sending *s, const struct tl_http_answer *answer)
{
    const struct tl_http_answer none = {0};

    return answer->status != 0 && !s->call->tel->is_stopping && is_retried(s, &none) &&
           tl_tel_fault_take(&s->call->tel->faults.answers_lost);
}

static void on_answer(void *arg, const struct tl_http_answer *answer)
{
    struct sending *s = arg;
    int code = 0;

    if (loses_answer(s, answer)) {
        attempt(s);
        return;
    }

    keep_cookie(s, answer);
    if (s->call->tel->is_stopping) {
        finish(s, &(struct tl_tel_hook_answer){.error_code = 11200, .url = s->current});
        return;
    }
    if (answer->status == 401 && s->url.user && !s->asks_with_password) {
        s->asks_with_password = true;
        s->tries = 0;
        attempt(s);
        return;
    }
    if (follow(s, answer, &code) || (code == 0 && is_retried(s, answer))) {
        attempt(s);
        return;
    }
    struct tl_tel_hook_answer out = {.status = answer->status, .url = s->current};
    out.body = answer->body;
    out.content_type = tl_http_answer_header(answer, "Content-Type");
    if (answer->status == 0) {
        out.error_code = answer->not_sent ? 11205 : 11200;
        out.error = answer->error;
    } else if (answer->status < 200 || answer->status > 299) {
        out.error_code = code ? code : 11200;
        out.error = code ? "too many redirects" : "not a success";
    }
    finish(s, &out);
}

/* The query of a GET carries what a form would. */
static char *get_url(const char *url, const struct tl_tel_form *form)
{
    struct tl_buf text;

    tl_buf_init(&text, 1 << 20);
    tl_buf_add_str(&text, url);
    if (form && form->len) {
        tl_buf_add_char(&text, strchr(url, '?') ? '&' : '?');
        tl_tel_form_encode(form, &text);
    }
    char *out = strdup(tl_buf_str(&text));
    tl_buf_finish(&text);
    if (!out)
        abort();
    return out;
}

static void sign(struct sending *s, const char *url, bool is_post, char *ret_signature)
{
    struct tl_tel *tel = s->call->tel;
    const char *token = tel->options.auth_token;

    if (tl_tel_fault_take(&tel->faults.wrong_token))
        token = "00000000000000000000000000000000";
    tl_tel_sign(token, url, is_post ? s->form : NULL, ret_signature);
}

static enum tl_status start(struct sending *s, const char *url, struct tl_buf *body,
                            const char *signature, bool is_post, struct tl_error *err)
{
    struct tl_tel *tel = s->call->tel;
    struct tl_http_header headers[] = {
        {"I-Twilio-Idempotency-Token", s->token},
        {"User-Agent", "TwilioProxy/1.1"},
        {"Accept", "*/*"},
        {"X-Twilio-Signature", signature},
        {"Cookie", s->call->cookie},
        {NULL, NULL},
    };
    int64_t left = (int64_t)s->url.overrides.total_ms - elapsed_ms(s);
    int64_t one = (int64_t)s->url.overrides.connect_ms + s->url.overrides.read_ms;

    if (!s->call->cookie)
        headers[4] = (struct tl_http_header){NULL, NULL};
    if (tl_tel_fault_take(&tel->faults.no_signature)) {
        headers[3] = headers[4];
        headers[4] = (struct tl_http_header){NULL, NULL};
    }
    struct tl_http_call_options options = {
        .method = s->method,
        .url = url,
        .headers = headers,
        .body = is_post ? body->data : NULL,
        .body_len = is_post ? body->len : 0,
        .content_type = is_post ? "application/x-www-form-urlencoded; charset=UTF-8" : NULL,
        .user = s->asks_with_password ? s->url.user : NULL,
        .password = s->asks_with_password ? s->url.password : NULL,
        .timeout_ms = (unsigned)(one < left ? one
                                 : left > 1 ? left
                                            : 1),
        .connect_timeout_ms = s->url.overrides.connect_ms,
        .on_answer = on_answer,
        .arg = s,
    };
    return tl_http_call_start(tel->net, &options, NULL, err);
}

static void attempt(struct sending *s)
{
    bool is_post = strcmp(s->method, "POST") == 0;
    bool has_query = !is_post && s->redirects == 0;
    char signature[TL_TEL_SIGNATURE_SIZE];
    struct tl_buf body;
    struct tl_error err;
    char *wire = get_url(s->url.wire, has_query ? s->form : NULL);
    char *signed_as = get_url(s->url.signed_as, has_query ? s->form : NULL);

    s->attempts++;
    s->tries++;
    sign(s, signed_as, is_post, signature);
    tl_buf_init(&body, 1 << 20);
    if (is_post)
        tl_tel_form_encode(s->form, &body);
    if (is_post && tl_tel_fault_take(&s->call->tel->faults.changed_body))
        tl_buf_add_str(&body, "&Injected=1");
    if (start(s, wire, &body, signature, is_post, &err) != TL_OK)
        fail_later(s, "the request cannot be made");
    tl_buf_finish(&body);
    free(wire);
    free(signed_as);
}

void tl_tel_hook_send(const struct tl_tel_hook *hook)
{
    struct sending *s = calloc(1, sizeof(*s));
    struct tl_uuid token = tl_uuid_v4();
    struct tl_error err;

    if (!s)
        abort();
    s->hook = *hook;
    s->call = hook->call;
    s->form = hook->form ? hook->form : tl_tel_form_new();
    s->current = strdup(hook->url);
    s->start_us = tl_mono_us();
    s->call->tel->pending++;
    (void)snprintf(s->method, sizeof(s->method), "%s", hook->method ? hook->method : "POST");
    tl_uuid_format(&token, s->token);
    if (s->call->tel->is_stopping)
        fail_early(s);
    else if (tl_tel_url_parse(hook->url, s->call->tel->options.sign_port, &s->url, &err) != TL_OK)
        fail_later(s, "the URL is not usable");
    else
        attempt(s);
}
