/* The way in: a table of routes, and a check of the signature before any of them. */
#include "ingest/webhook/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "ingest/webhook/hook.h"
#include "twilio/signature.h"

static const struct {
    const char *path;
    const char *kind;
    void (*handle)(const struct tl_hook *hook);
} routes[] = {
    {"/twilio/voice", "voice", tl_hook_on_voice},
    {"/twilio/action", "action", tl_hook_on_action},
    {"/twilio/status", "status", tl_hook_on_status},
    {"/twilio/stream-status", "stream_status", tl_hook_on_stream_status},
    {"/twilio/fallback", "fallback", tl_hook_on_fallback},
    {"/twilio/rescue", "rescue", tl_hook_on_rescue},
};

struct tl_token_keys tl_webhook_keys(const struct tl_ingest *ingest)
{
    const char *now = ingest->settings.token_key, *old = ingest->settings.token_key_previous;

    return (struct tl_token_keys){.current = {(const uint8_t *)now, strlen(now)},
                                  .previous = {(const uint8_t *)old, strlen(old)}};
}

const char *tl_hook_get(const struct tl_hook *hook, const char *name, const char *fallback)
{
    const char *value = tl_form_get(&hook->form, name);
    return value ? value : fallback;
}

bool tl_ingest_is_signed(struct tl_ingest *self, const struct tl_http_request *request,
                         const char *url, const struct tl_form *form)
{
    const struct tl_twilio_signed what = {
        .url = url, .form = form, .body = tl_http_request_body(request)};
    const char *signature = tl_http_request_header(request, "x-twilio-signature");

    if (!self->twilio.verify_signatures ||
        tl_twilio_verify(self->twilio.auth_token, &what, signature) ||
        tl_twilio_verify(self->twilio.auth_token_previous, &what, signature))
        return true;
    tl_counter_add(tl_counter_of(&self->metrics.messages_invalid, "signature"), 1);
    tl_log_warn(
        self->log, "webhook.signature_refused", TL_STR("path", tl_http_request_path(request)),
        TL_STR("peer", tl_http_request_peer(request)), TL_BOOL("signed", signature != NULL));
    return false;
}

/* Form of a POST body, or of the query of a GET (same names). */
static enum tl_status read_form(struct tl_hook *hook, bool is_post, struct tl_error *err)
{
    struct tl_bytes body = tl_http_request_body(hook->r);
    const char *query = tl_http_request_query(hook->r);
    const char *type = tl_http_request_header(hook->r, "content-type");

    if (!is_post)
        return tl_form_parse(query, strlen(query), &hook->webhook->arena, &hook->form, err);
    if (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return tl_fail(err, TL_INVALID, "content type %.60s", type);
    return tl_form_parse((const char *)body.data, body.len, &hook->webhook->arena, &hook->form,
                         err);
}

static bool is_sid(const char *s)
{
    return s && strncmp(s, "CA", 2) == 0 && strlen(s) == 34 &&
           strspn(s + 2, "0123456789abcdefABCDEF") == 32;
}

static void handle(struct tl_webhook *webhook, size_t route, struct tl_http_exchange *x)
{
    struct tl_ingest *ingest = webhook->ingest;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    struct tl_hook hook = {.webhook = webhook, .x = x, .r = r, .kind = routes[route].kind};
    bool is_post = strcmp(tl_http_request_method(r), "POST") == 0;
    char url[4096];
    struct tl_error err;

    if (!is_post && strcmp(tl_http_request_method(r), "GET") != 0) {
        tl_hook_respond_problem(ingest, hook.kind, x, 405, "Only POST and GET", NULL);
        return;
    }
    tl_arena_reset(&webhook->arena);
    if (read_form(&hook, is_post, &err) != TL_OK) {
        tl_hook_respond_problem(ingest, hook.kind, x, 400, "Cannot read the form", err.msg);
        return;
    }
    (void)snprintf(url, sizeof(url), "%s%s", ingest->twilio.public_url, tl_http_request_target(r));
    if (!tl_ingest_is_signed(ingest, r, url, is_post ? &hook.form : NULL)) {
        tl_hook_respond_problem(ingest, hook.kind, x, 403, "Signature refused", NULL);
        return;
    }
    hook.call_sid = tl_form_get(&hook.form, "CallSid");
    if (!is_sid(hook.call_sid)) {
        tl_hook_respond_problem(ingest, hook.kind, x, 400, "CallSid is missing or malformed", NULL);
        return;
    }
    routes[route].handle(&hook);
}

void tl_webhook_on_request(void *arg, struct tl_http_exchange *x)
{
    struct tl_webhook *webhook = arg;
    const char *path = tl_http_request_path(tl_http_exchange_request(x));

    for (size_t i = 0; i < TL_ARRAY_LEN(routes); i++)
        if (strcmp(routes[i].path, path) == 0) {
            handle(webhook, i, x);
            return;
        }
    tl_hook_respond_problem(webhook->ingest, "unknown", x, 404, "No such path", NULL);
}

enum tl_status tl_webhook_create(struct tl_ingest *ingest, struct tl_webhook **ret_webhook,
                                 struct tl_error *err)
{
    struct tl_webhook *webhook = calloc(1, sizeof(*webhook));

    (void)err;
    if (!webhook)
        abort();
    webhook->ingest = ingest;
    webhook->arena.max_bytes = 4u << 20;
    webhook->replies = tl_replies_create();
    webhook->attempts = tl_attempts_create();
    *ret_webhook = webhook;
    return TL_OK;
}

void tl_webhook_destroy(struct tl_webhook *webhook)
{
    struct tl_answer *answer, *tmp;

    if (!webhook)
        return;
    DL_FOREACH_SAFE(webhook->answers, answer, tmp) /* freed by the deliveries that they wait for */
    tl_answer_orphan(answer);
    tl_replies_destroy(webhook->replies);
    tl_attempts_destroy(webhook->attempts);
    tl_arena_finish(&webhook->arena);
    free(webhook);
}
