/* Webhooks that are answered with a document once the log has their event ("When ingest dies" in
 * the design: what is answered when it does not). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/time.h"
#include "call/call_id.h"
#include "ingest/webhook/hook.h"
#include "ingest/webhook/webhook.h"
#include "twilio/twiml.h"

#define KAFKA_WAIT_MS 500 /* then a stream all the same, or a sentence */
#define PRESENCE_FRESH_MS 1000
#define RETRIES_MAX 20 /* of a webhook that asks itself again */
#define RETRY_PAUSE_S 2
#define OVERRIDES TL_TWILIO_OVERRIDES
#define ENGLISH "en-US"
#define ONE_MOMENT "One moment, please."
#define UNAVAILABLE "We are sorry, we cannot take your call at this moment. Please try again later."

static void count(struct tl_ingest *ingest, const char *kind, int status)
{
    char text[12];

    (void)snprintf(text, sizeof(text), "%d", status);
    tl_counter_add(tl_counter_of(&ingest->metrics.webhooks, kind, text), 1);
}

void tl_hook_respond_twiml(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                           struct tl_bytes twiml)
{
    count(ingest, kind, 200);
    tl_http_respond(x, 200, TL_TWIML_CONTENT_TYPE, twiml.data, twiml.len, NULL);
}

void tl_hook_respond_none(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x)
{
    count(ingest, kind, 204);
    tl_http_respond(x, 204, NULL, NULL, 0, NULL);
}

void tl_hook_respond_problem(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                             int status, const char *title, const char *detail)
{
    count(ingest, kind, status);
    tl_http_problem(x, status, title, detail);
}

/* ---- documents ---- */

/* The business of the call as it is configured now, or NULL. */
static const struct tl_business *find_business(const struct tl_answer *a)
{
    return *a->link.business_id
               ? tl_fleet_business(a->webhook->ingest->fleet, a->link.business_id, 0)
               : NULL;
}

/* <Connect action><Stream>: everything that the next socket needs is in the two signed tokens. */
static enum tl_status write_stream(struct tl_answer *a, struct tl_buf *out, struct tl_error *err)
{
    struct tl_ingest *ingest = a->webhook->ingest;
    struct tl_token_keys keys = tl_webhook_keys(ingest);
    char stream[TL_TOKEN_TEXT_SIZE], action[TL_TOKEN_TEXT_SIZE], action_url[2048], status_url[1024];

    a->link.given_at_ms = tl_now_ms();
    enum tl_status st = tl_link_sign(&keys, TL_LINK_STREAM, &a->link, stream, err);
    if (st == TL_OK)
        st = tl_link_sign(&keys, TL_LINK_ACTION, &a->link, action, err);
    if (st != TL_OK)
        return st;
    (void)snprintf(action_url, sizeof(action_url), "%s/twilio/action?t=%s" OVERRIDES,
                   ingest->twilio.public_url, action);
    (void)snprintf(status_url, sizeof(status_url), "%s/twilio/stream-status" OVERRIDES,
                   ingest->twilio.public_url);
    const struct tl_twiml_parameter parameter = {.name = "key", .value = stream};
    tl_twiml_connect_stream(out, action_url, ingest->settings.media_url, status_url, &parameter, 1);
    return TL_OK;
}

/* Nobody could take it for as long as we asked to wait: an apology, and a person if there is one.
 */
static void write_unavailable(struct tl_answer *a, struct tl_buf *out)
{
    const struct tl_business *b = find_business(a);

    tl_answer_refuse(a, "unavailable", b ? b->unavailable_sentence : NULL, UNAVAILABLE);
    tl_counter_add(tl_counter_of(&a->webhook->ingest->metrics.calls_refused, a->refusal), 1);
    tl_twiml_say(out, a->language, a->sentence, b ? b->fallback_number : NULL);
    if (!b || !*b->fallback_number)
        tl_answer_tell_refusal(a, a->refusal);
}

/* A sentence, a pause, and the same question again, up to a bound. */
static void write_wait(struct tl_answer *a, const char *why, struct tl_buf *out)
{
    struct tl_ingest *ingest = a->webhook->ingest;
    char url[2048];
    bool is_last = a->tries >= RETRIES_MAX;

    if (is_last) {
        write_unavailable(a, out);
    } else {
        (void)snprintf(url, sizeof(url), "%s%s%ctry=%d" OVERRIDES, ingest->twilio.public_url,
                       a->again, strchr(a->again, '?') ? '&' : '?', a->tries + 1);
        tl_counter_add(tl_counter_of(&ingest->metrics.redirects, a->kind, why), 1);
        tl_twiml_say_redirect(out, ENGLISH, ONE_MOMENT, RETRY_PAUSE_S, url);
    }
    tl_log_warn(ingest->log, is_last ? "call.given_up" : "call.asked_to_wait",
                TL_STR("call_sid", a->link.call_sid), TL_STR("business_id", a->link.business_id),
                TL_STR("kind", a->kind), TL_STR("why", why), TL_INT("tries", a->tries));
}

static bool log_is_near(const struct tl_ingest *ingest)
{
    int64_t seen = tl_fleet_last_seen_ms(ingest->fleet);

    return seen && tl_mono_ms() - seen < PRESENCE_FRESH_MS;
}

static void remember(struct tl_answer *a, const struct tl_buf *twiml)
{
    tl_replies_put(a->webhook->replies, a->reply_key, twiml->data, twiml->len);
}

static void answer(struct tl_answer *a)
{
    struct tl_ingest *ingest = a->webhook->ingest;
    struct tl_buf twiml;
    struct tl_error err;

    tl_timer_stop(&a->timer);
    tl_buf_init(&twiml, TL_HOOK_TWIML_BYTES_MAX);
    if (a->refusal[0]) {
        tl_counter_add(tl_counter_of(&ingest->metrics.calls_refused, a->refusal), 1);
        tl_twiml_say(&twiml, a->language, a->sentence, NULL);
        remember(a, &twiml); /* refused twice, not taken at the second request */
    } else if (a->wait) {
        write_wait(a, a->wait, &twiml);
    } else if (!a->delivered && !log_is_near(ingest)) {
        write_wait(a, "log", &twiml);
    } else if (write_stream(a, &twiml, &err) != TL_OK) {
        tl_log_error(ingest->log, "webhook.link_failed", TL_STR("call_sid", a->link.call_sid),
                     TL_STR("error", err.msg));
        write_wait(a, "link", &twiml);
    } else {
        remember(a, &twiml);
    }
    tl_histogram_observe(&ingest->metrics.webhook_time, tl_mono_us() - a->began_us);
    tl_hook_respond_twiml(ingest, a->kind, TL_TAKE(a->x), (struct tl_bytes){twiml.data, twiml.len});
    tl_buf_finish(&twiml);
}

/* ---- waiting for the log ---- */

static void on_wait_over(void *arg)
{
    struct tl_answer *a = arg;

    if (a->wants_stream) {
        answer(a);
        return;
    }
    tl_hook_respond_problem(a->webhook->ingest, a->kind, TL_TAKE(a->x), 503,
                            "The log does not answer", "Try again: nothing was recorded.");
}

static void answer_destroy(struct tl_answer *a)
{
    if (a->webhook)
        DL_DELETE(a->webhook->answers, a);
    tl_timer_finish(&a->timer);
    free(a);
}

static void on_delivered(void *arg, const struct tl_delivery *delivery)
{
    struct tl_answer *a = arg;

    if (!a->webhook) {
        answer_destroy(a);
        return;
    }
    struct tl_ingest *ingest = a->webhook->ingest;
    a->delivered = delivery->status == TL_OK;
    if (a->delivered && a->link.start_offset < 0)
        a->link.start_offset = delivery->offset;
    if (!a->delivered)
        tl_log_warn(ingest->log, "webhook.not_recorded", TL_STR("call_sid", a->link.call_sid),
                    TL_STR("error", delivery->error));
    if (a->x && a->wants_stream)
        answer(a);
    else if (a->x && a->delivered)
        tl_hook_respond_none(ingest, a->kind, TL_TAKE(a->x));
    else if (a->x)
        tl_hook_respond_problem(ingest, a->kind, TL_TAKE(a->x), 503, "The log does not answer",
                                delivery->error);
    answer_destroy(a);
}

void tl_answer_record(struct tl_answer *a, struct tl_call_event *event)
{
    struct tl_ingest *ingest = a->webhook->ingest;
    struct tl_error err;

    tl_timer_start(&a->timer, ingest->loop, KAFKA_WAIT_MS, on_wait_over, a);
    if (tl_fleet_send_event(ingest->fleet, event, on_delivered, a, &err) == TL_OK)
        return;
    tl_log_warn(ingest->log, "webhook.not_recorded", TL_STR("call_id", event->call_id),
                TL_STR("error", err.msg));
    on_wait_over(a);
    answer_destroy(a);
}

void tl_answer_now(struct tl_answer *a)
{
    a->delivered = true; /* there is nothing to record before */
    answer(a);
    answer_destroy(a);
}

void tl_answer_drop(struct tl_answer *a)
{
    answer_destroy(a);
}

void tl_answer_orphan(struct tl_answer *a)
{
    tl_timer_finish(&a->timer);
    if (a->x)
        tl_hook_respond_problem(a->webhook->ingest, a->kind, TL_TAKE(a->x), 503, "Ending",
                                "Ask again: another process answers.");
    a->webhook = NULL;
}

/* ---- what is to be answered ---- */

struct tl_answer *tl_answer_create(const struct tl_hook *hook, bool wants_stream)
{
    struct tl_answer *a = calloc(1, sizeof(*a));
    const char *try = tl_http_request_arg(hook->r, "try");
    const char *token = tl_http_request_header(hook->r, "i-twilio-idempotency-token");

    if (!a)
        abort();
    a->webhook = hook->webhook;
    DL_APPEND(hook->webhook->answers, a);
    a->x = hook->x;
    a->kind = hook->kind;
    a->wants_stream = wants_stream;
    a->began_us = tl_mono_us();
    a->link.start_offset = -1;
    a->link.hint = -1;
    (void)snprintf(a->link.call_sid, sizeof(a->link.call_sid), "%s", hook->call_sid);
    (void)snprintf(a->language, sizeof(a->language), "en-US");
    (void)snprintf(a->again, sizeof(a->again), "/twilio/voice");
    long tries = try ? strtol(try, NULL, 10) : 0;
    a->tries = tries < 0 || tries > RETRIES_MAX ? RETRIES_MAX : (int)tries;
    (void)snprintf(a->reply_key, sizeof(a->reply_key), "%s|%s|%.60s", hook->kind, hook->call_sid,
                   token ? token : tl_http_request_query(hook->r));
    return a;
}

const struct tl_business *tl_answer_know_business(struct tl_answer *a, const char *number)
{
    const struct tl_config_entry *entry =
        tl_config_table_by_number(tl_fleet_table(a->webhook->ingest->fleet), number);
    const struct tl_business *b = entry && !entry->deleted ? entry->business : NULL;

    if (b &&
        !a->link.business_id[0]) { /* a call goes on as it began, whatever was configured since */
        (void)snprintf(a->link.business_id, sizeof(a->link.business_id), "%s", entry->id);
        a->link.business_version = entry->version;
    }
    return b;
}

void tl_answer_refuse(struct tl_answer *a, const char *reason, const char *sentence,
                      const char *otherwise)
{
    const struct tl_business *b = find_business(a);
    bool is_own = sentence && *sentence;

    (void)snprintf(a->refusal, sizeof(a->refusal), "%s", reason);
    (void)snprintf(a->sentence, sizeof(a->sentence), "%s", is_own ? sentence : otherwise);
    (void)snprintf(a->language, sizeof(a->language), "%s",
                   is_own && b && *b->language ? b->language : ENGLISH);
}

void tl_answer_tell_refusal(const struct tl_answer *a, const char *reason)
{
    struct tl_ingest *ingest = a->webhook->ingest;
    struct tl_uuid id = tl_call_id_of_sid(a->link.call_sid);
    char call_id[37], event_id[37], source[160];
    struct tl_changed changed = {.state = TL_CALL_STATE_FAILED,
                                 .call_sid = a->link.call_sid,
                                 .direction = a->link.direction,
                                 .reason = reason};

    tl_uuid_format(&id, call_id);
    (void)snprintf(source, sizeof(source), "%s|refused|%s", a->link.call_sid, reason);
    id = tl_event_id_derive(source, "ingest", "calls.v1", 0);
    tl_uuid_format(&id, event_id);
    struct tl_call_event event = {.event_id = event_id,
                                  .call_id = call_id,
                                  .leg = "caller",
                                  .business_id = *a->link.business_id ? a->link.business_id : NULL,
                                  .changed = &changed};
    struct tl_story *story = tl_story_create(tl_fleet_stories(ingest->fleet), call_id);
    tl_fleet_tell(ingest->fleet, story, &event, NULL, NULL);
    tl_story_leave(story);
}

void tl_answer_wait(struct tl_answer *a, const char *why)
{
    a->wait = why;
}
