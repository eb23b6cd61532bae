/* A stream ended, its socket broke, or a document could not be had: the call comes back for another
 * one
 * ("When ingest dies" in the design). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "ingest/media/media.h"
#include "ingest/webhook/hook.h"
#include "ingest/webhook/webhook.h"
#include "twilio/twiml.h"

#define TOO_BAD "We are sorry, the connection is too bad. Please call again later."
#define NOT_IN_SERVICE "We are sorry, the number that you dialled is not in service. Goodbye."

/* The call is over: the fact is recorded, and there is nothing left to run. */
static void answer_over(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    char call_id[37], event_id[37], reason[64];
    struct tl_changed changed;
    struct tl_buf twiml;

    if (tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        struct tl_call_event event = tl_hook_event(hook, call_id, event_id, "over");
        struct tl_story *story = tl_story_create(tl_fleet_stories(ingest->fleet), call_id);
        tl_hook_read_changed(hook, &event, &changed);
        tl_fleet_tell(ingest->fleet, story, &event, NULL, NULL);
        tl_story_leave(story);
    }
    tl_buf_init(&twiml, TL_HOOK_TWIML_BYTES_MAX);
    tl_twiml_empty(&twiml);
    tl_hook_respond_twiml(ingest, hook->kind, hook->x, (struct tl_bytes){twiml.data, twiml.len});
    tl_buf_finish(&twiml);
}

/* One more attempt, in the window that the link tells of or, when that knows fewer, the one that
 * this process remembers. False: too many within a minute. */
static bool count_attempt(struct tl_webhook *webhook, struct tl_link *link)
{
    int64_t now_s = tl_now_ms() / 1000, start_s;
    int n;

    tl_attempts_window(webhook->attempts, link->call_sid, now_s, &start_s, &n);
    if (now_s - link->window_start_s >= 60 || n > link->window_attempts) {
        link->window_start_s = start_s;
        link->window_attempts = n;
    }
    int known = tl_media_number_of(webhook->ingest->media, link->call_sid);
    link->number = known > link->number ? known : link->number;
    bool goes = tl_link_next(link, now_s, (int)webhook->ingest->settings.resumes_per_minute);
    tl_attempts_put(webhook->attempts, link->call_sid, link->window_start_s, link->window_attempts);
    return goes;
}

/* Whose call it is, and a conversation for it when its link names none. */
static void route(struct tl_ingest *ingest, struct tl_answer *a)
{
    bool is_outbound = a->link.direction == TL_DIRECTION_OUTBOUND;

    (void)tl_answer_know_business(a, is_outbound ? a->link.from_number : a->link.to_number);
    if (!a->link.business_id[0])
        tl_answer_refuse(a, "unknown_number", NULL, NOT_IN_SERVICE);
    else if (a->link.hint < 0)
        a->link.hint = tl_media_choose(ingest->media, a->link.call_sid, -1);
}

/* Perhaps its voice webhook reached nobody: the log has to know of the call before its stream
 * comes, for the watchdog follows what stands there. */
static void record_unknown(const struct tl_hook *hook, struct tl_answer *a)
{
    char call_id[37], event_id[37];
    struct tl_call_event event = tl_hook_event(hook, call_id, event_id, "fallback");
    struct tl_changed changed;

    tl_hook_read_changed(hook, &event, &changed);
    changed.business_version = (struct tl_opt_int){.set = true, .value = a->link.business_version};
    event.business_id = a->link.business_id;
    tl_answer_record(a, &event);
}

static void resume(const struct tl_hook *hook, const struct tl_link *link, const char *again)
{
    struct tl_webhook *webhook = hook->webhook;
    struct tl_ingest *ingest = webhook->ingest;
    struct tl_answer *a = tl_answer_create(hook, true);
    char reason[64];

    a->link = *link;
    (void)snprintf(a->again, sizeof(a->again), "%s", again);
    if (!tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        tl_answer_wait(a, "starting");
    } else if (tl_ingest_leaves_alone(ingest)) {
        tl_answer_wait(a, "draining");
    } else if (!count_attempt(webhook, &a->link)) {
        tl_counter_add(tl_counter_of(&ingest->metrics.resumes_bounded, hook->kind), 1);
        tl_answer_refuse(a, "too_many_resumes", NULL, TOO_BAD);
    } else {
        route(ingest, a);
    }
    if (a->refusal[0])
        tl_answer_tell_refusal(a, a->refusal);
    if (!a->wait) {
        tl_counter_add(tl_counter_of(&ingest->metrics.resumes, hook->kind), 1);
        tl_log_info(ingest->log, a->refusal[0] ? "call.not_resumed" : "call.resumed",
                    TL_STR("call_sid", hook->call_sid), TL_STR("business_id", a->link.business_id),
                    TL_STR("kind", hook->kind), TL_INT("number", a->link.number),
                    TL_INT("attempts", a->link.window_attempts), TL_STR("refused", a->refusal));
    }
    bool is_unknown = a->link.start_offset < 0 && strcmp(hook->kind, "fallback") == 0;
    if (is_unknown && !a->wait && !a->refusal[0])
        record_unknown(hook, a);
    else
        tl_answer_now(a);
}

/* The link in a URL that we gave for this call. */
static enum tl_status read_link(const struct tl_hook *hook, const char *token,
                                struct tl_link *ret_link, struct tl_error *err)
{
    struct tl_token_keys keys = tl_webhook_keys(hook->webhook->ingest);
    struct tl_link link;
    enum tl_status st = tl_link_verify(&keys, TL_LINK_ACTION, token, &link, err);

    if (st == TL_OK && strcmp(link.call_sid, hook->call_sid) != 0)
        st = tl_fail(err, TL_DENIED, "the link is of another call");
    if (st == TL_OK)
        *ret_link = link;
    return st;
}

void tl_hook_on_action(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    const char *token = tl_http_request_arg(hook->r, "t");
    char again[TL_TOKEN_TEXT_SIZE + 32];
    struct tl_link link;
    struct tl_error err;

    enum tl_status st = read_link(hook, token ? token : "", &link, &err);
    if (st != TL_OK) {
        tl_hook_respond_problem(ingest, hook->kind, hook->x, tl_http_status_of(st), "Bad link",
                                err.msg);
        return;
    }
    (void)snprintf(again, sizeof(again), "/twilio/action?t=%s", token);
    if (tl_hook_is_over(hook))
        answer_over(hook);
    else
        resume(hook, &link, again);
}

/* ---- the watchdog ---- */

/* A link for a request with which nothing of ours comes but the form. The number of the attachment
 * is taken from the clock: above every number that was counted from 1. */
static void link_of_form(const struct tl_hook *hook, struct tl_link *ret_link)
{
    int64_t now = tl_now_ms();

    *ret_link = (struct tl_link){.number = (int)(now / 1000 - 1700000000),
                                 .direction =
                                     strncmp(tl_hook_get(hook, "Direction", ""), "outbound", 8) == 0
                                         ? TL_DIRECTION_OUTBOUND
                                         : TL_DIRECTION_INBOUND,
                                 .started_at_ms = now,
                                 .start_offset = -1,
                                 .hint = -1,
                                 .window_start_s = now / 1000};
    (void)snprintf(ret_link->call_sid, sizeof(ret_link->call_sid), "%s", hook->call_sid);
    (void)snprintf(ret_link->from_number, sizeof(ret_link->from_number), "%s",
                   tl_hook_get(hook, "From", ""));
    (void)snprintf(ret_link->to_number, sizeof(ret_link->to_number), "%s",
                   tl_hook_get(hook, "To", ""));
}

static int64_t number_of(const struct tl_form *form, const char *name, int64_t fallback)
{
    const char *text = tl_form_get(form, name);
    return text && *text ? strtoll(text, NULL, 10) : fallback;
}

/* What the watchdog (sinks/telephony) knows of a call whose stream is gone, from the log. It stands
 * in the URL, `query` up to its end or '#': nobody can make one up, for the network's signature
 * covers it. */
static enum tl_status link_of_rescue(const struct tl_hook *hook, const char *query,
                                     struct tl_link *ret_link, struct tl_error *err)
{
    struct tl_form form;
    enum tl_status st =
        tl_form_parse(query, strcspn(query, "#"), &hook->webhook->arena, &form, err);

    if (st != TL_OK)
        return st;
    const char *business = tl_form_get(&form, "business");
    link_of_form(hook, ret_link);
    ret_link->number = (int)number_of(&form, "number", 0); /* of the stream that is gone */
    ret_link->business_version = (int)number_of(&form, "version", 0);
    ret_link->started_at_ms = number_of(&form, "started", ret_link->started_at_ms);
    ret_link->start_offset = number_of(&form, "offset", -1);
    ret_link->hint = (int)number_of(&form, "hint", -1);
    (void)snprintf(ret_link->business_id, sizeof(ret_link->business_id), "%s",
                   business ? business : "");
    return TL_OK;
}

void tl_hook_on_rescue(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    char again[TL_TOKEN_TEXT_SIZE + 32];
    struct tl_link link;
    struct tl_error err;

    if (tl_hook_is_over(hook)) {
        answer_over(hook);
        return;
    }
    enum tl_status st = link_of_rescue(hook, tl_http_request_query(hook->r), &link, &err);
    if (st != TL_OK) {
        tl_hook_respond_problem(ingest, hook->kind, hook->x, tl_http_status_of(st), "Bad link",
                                err.msg);
        return;
    }
    (void)snprintf(again, sizeof(again), "%s", tl_http_request_target(hook->r));
    char *try = strstr(again, "&try=");
    if (try)
        *try = '\0';
    resume(hook, &link, again);
}

/* ---- the fallback ---- */

/* When it was our action URL that failed, or the watchdog's, ErrorUrl has its link. False: it has
 * none. */
static bool link_of_failed_url(const struct tl_hook *hook, struct tl_link *ret_link,
                               char ret_again[TL_TOKEN_TEXT_SIZE + 32])
{
    static const char rescue[] = "/twilio/rescue?";
    char token[TL_TOKEN_TEXT_SIZE];
    const char *url = tl_hook_get(hook, "ErrorUrl", ""), *at = strstr(url, rescue);
    struct tl_error err;

    if (at) {
        if (link_of_rescue(hook, at + strlen(rescue), ret_link, &err) != TL_OK)
            return false;
        (void)snprintf(ret_again, TL_TOKEN_TEXT_SIZE + 32, "%.*s", (int)strcspn(at, "#"), at);
        return true;
    }
    at = strstr(url, "?t=");
    if (!at)
        return false;
    at += 3;
    (void)snprintf(token, sizeof(token), "%.*s", (int)strcspn(at, "&#"), at);
    if (read_link(hook, token, ret_link, &err) != TL_OK)
        return false;
    (void)snprintf(ret_again, TL_TOKEN_TEXT_SIZE + 32, "/twilio/action?t=%s", token);
    return true;
}

void tl_hook_on_fallback(const struct tl_hook *hook)
{
    char url[256], again[TL_TOKEN_TEXT_SIZE + 32] = "/twilio/fallback";
    struct tl_link link;

    (void)snprintf(url, sizeof(url), "%s", tl_hook_get(hook, "ErrorUrl", ""));
    url[strcspn(url, "?#")] = '\0'; /* the rest is a token, with numbers of people in it */
    tl_log_warn(hook->webhook->ingest->log, "webhook.fallback", TL_STR("call_sid", hook->call_sid),
                TL_STR("code", tl_hook_get(hook, "ErrorCode", "")), TL_STR("url", url));
    if (tl_hook_is_over(hook)) {
        answer_over(hook);
        return;
    }
    if (!link_of_failed_url(hook, &link, again))
        link_of_form(hook, &link);
    resume(hook, &link, again);
}
