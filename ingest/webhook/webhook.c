/* From webhook to TwiML: a table of routes, a check of the signature before any of them, and one
 * event in calls.v1 behind each answer. The rules are in the design under "When ingest dies". */
#include "ingest/webhook/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "base/time.h"
#include "call/call_id.h"
#include "call/call_state.h"
#include "ingest/ingest.h"
#include "ingest/media/media.h"
#include "ingest/webhook/link.h"
#include "ingest/webhook/replies.h"
#include "net/timer.h"
#include "twilio/signature.h"
#include "twilio/twiml.h"

#define KAFKA_WAIT_MS 500   /* then a stream all the same, or a sentence */
#define PRESENCE_FRESH_MS 1000
#define TWIML_BYTES_MAX 16384
#define RETRIES_MAX 20      /* of a voice webhook that asks itself again */
#define OVERRIDES TL_TWILIO_OVERRIDES

struct tl_webhook {
    struct tl_ingest *ingest;
    struct tl_arena arena; /* of the request being read */
    struct tl_replies *replies;
    struct pending *pending; /* all of them */
};

/* A webhook whose event is on its way to the log. Lives until both the answer is given and the
 * delivery came. */
struct pending {
    struct pending *prev, *next;
    struct tl_webhook *webhook; /* NULL: the process is leaving */
    struct tl_http_exchange *x; /* NULL once answered */
    struct tl_timer timer;
    struct tl_link link;        /* voice, action, fallback: the stream that is to be given */
    bool delivered;
    bool wants_stream;          /* else only the fact: 204 */
    char refusal[32];           /* reason of a refusal, or "" */
    char sentence[512], language[16];
    char reply_key[160];        /* for repeated requests */
    char again[TL_TOKEN_TEXT_SIZE + 32]; /* where to ask once more, when nothing is known yet */
    bool is_early;              /* config.v1 or the log have not been read yet */
    const char *kind;
    int tries;
    int64_t began_us;
};

struct tl_token_keys tl_webhook_keys(const struct tl_ingest *ingest)
{
    const char *now = ingest->settings.token_key, *old = ingest->settings.token_key_previous;

    return (struct tl_token_keys){.current = {(const uint8_t *)now, strlen(now)},
                                  .previous = {(const uint8_t *)old, strlen(old)}};
}

static void count(struct tl_ingest *ingest, const char *kind, int status)
{
    char text[12];

    (void)snprintf(text, sizeof(text), "%d", status);
    tl_counter_add(tl_counter_of(&ingest->metrics.webhooks, kind, text), 1);
}

/* ---- answers ---- */

static void respond_twiml(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                          struct tl_buf *twiml)
{
    count(ingest, kind, 200);
    tl_http_respond(x, 200, TL_TWIML_CONTENT_TYPE, twiml->data, twiml->len, NULL);
}

static void respond_none(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x)
{
    count(ingest, kind, 204);
    tl_http_respond(x, 204, NULL, NULL, 0, NULL);
}

static void respond_problem(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                            int status, const char *title, const char *detail)
{
    count(ingest, kind, status);
    tl_http_problem(x, status, title, detail);
}

/* <Connect action><Stream>: everything that the next socket needs is in the two signed tokens. */
static enum tl_status write_stream(struct tl_ingest *ingest, const struct tl_link *link,
                                   struct tl_buf *out, struct tl_error *err)
{
    struct tl_token_keys keys = tl_webhook_keys(ingest);
    char stream[TL_TOKEN_TEXT_SIZE], action[TL_TOKEN_TEXT_SIZE], action_url[2048], status_url[1024];
    enum tl_status st = tl_link_sign(&keys, TL_LINK_STREAM, link, stream, err);

    if (st == TL_OK)
        st = tl_link_sign(&keys, TL_LINK_ACTION, link, action, err);
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

static void write_wait(struct pending *p, struct tl_buf *out)
{
    char url[2048];

    (void)snprintf(url, sizeof(url), "%s%s%ctry=%d" OVERRIDES,
                   p->webhook->ingest->twilio.public_url, p->again,
                   strchr(p->again, '?') ? '&' : '?', p->tries + 1);
    if (p->tries < RETRIES_MAX)
        tl_twiml_say_redirect(out, p->language, "One moment, please.", 2, url);
    else
        tl_twiml_say(out, p->language,
                     "We are sorry, we cannot take your call at this moment. Please try again later.",
                     NULL);
}

static bool log_is_near(const struct tl_ingest *ingest)
{
    int64_t seen = tl_fleet_last_seen_ms(ingest->fleet);

    return seen && tl_mono_ms() - seen < PRESENCE_FRESH_MS;
}

/* The answer to a voice webhook, action or fallback, now. */
static void answer(struct pending *p)
{
    struct tl_ingest *ingest = p->webhook->ingest;
    struct tl_buf twiml;
    struct tl_error err;

    tl_timer_stop(&p->timer);
    tl_buf_init(&twiml, TWIML_BYTES_MAX);
    if (p->refusal[0]) {
        tl_counter_add(tl_counter_of(&ingest->metrics.calls_refused, p->refusal), 1);
        tl_twiml_say(&twiml, p->language, p->sentence, NULL);
    } else if (p->is_early || (!p->delivered && !log_is_near(ingest))) {
        write_wait(p, &twiml);
    } else if (write_stream(ingest, &p->link, &twiml, &err) != TL_OK) {
        tl_log_error(ingest->log, "webhook.link_failed", TL_STR("error", err.msg));
        write_wait(p, &twiml);
    } else {
        tl_replies_put(p->webhook->replies, p->reply_key, twiml.data, twiml.len);
    }
    tl_histogram_observe(&ingest->metrics.webhook_time, tl_mono_us() - p->began_us);
    struct tl_http_exchange *x = TL_TAKE(p->x);
    respond_twiml(ingest, p->kind, x, &twiml);
    tl_buf_finish(&twiml);
}

static void on_wait_over(void *arg)
{
    struct pending *p = arg;

    if (p->wants_stream) {
        answer(p);
        return;
    }
    struct tl_http_exchange *x = TL_TAKE(p->x);
    respond_problem(p->webhook->ingest, p->kind, x, 503, "The log does not answer",
                    "Try again: nothing was recorded.");
}

static void pending_destroy(struct pending *p)
{
    if (p->webhook)
        DL_DELETE(p->webhook->pending, p);
    tl_timer_finish(&p->timer);
    free(p);
}

static void on_delivered(void *arg, const struct tl_delivery *delivery)
{
    struct pending *p = arg;

    if (!p->webhook) {
        pending_destroy(p);
        return;
    }
    struct tl_ingest *ingest = p->webhook->ingest;
    p->delivered = delivery->status == TL_OK;
    if (p->delivered && p->link.start_offset < 0)
        p->link.start_offset = delivery->offset;
    if (!p->delivered)
        tl_log_warn(ingest->log, "webhook.not_recorded", TL_STR("call_sid", p->link.call_sid),
                    TL_STR("error", delivery->error));
    if (p->x && p->wants_stream) {
        answer(p);
    } else if (p->x) {
        struct tl_http_exchange *x = TL_TAKE(p->x);
        if (p->delivered)
            respond_none(ingest, p->kind, x);
        else
            respond_problem(ingest, p->kind, x, 503, "The log does not answer", delivery->error);
    }
    pending_destroy(p);
}

/* Sends the event behind a webhook and waits for it. Takes p over. */
static void record_then_answer(struct pending *p, struct tl_call_event *event)
{
    struct tl_ingest *ingest = p->webhook->ingest;
    struct tl_error err;

    tl_timer_start(&p->timer, ingest->loop, KAFKA_WAIT_MS, on_wait_over, p);
    if (tl_fleet_send_event(ingest->fleet, event, on_delivered, p, &err) == TL_OK)
        return;
    tl_log_warn(ingest->log, "webhook.not_recorded", TL_STR("call_id", event->call_id),
                TL_STR("error", err.msg));
    on_wait_over(p);
    pending_destroy(p);
}

/* ---- routes ---- */

/* A request whose signature is good. */
struct request {
    struct tl_webhook *webhook;
    struct tl_http_exchange *x;
    const struct tl_http_request *r;
    struct tl_form form;
    const char *kind;
    const char *call_sid;
};

static const char *form_or(const struct request *q, const char *name, const char *fallback)
{
    const char *value = tl_form_get(&q->form, name);
    return value ? value : fallback;
}

static struct pending *pending_create(const struct request *q, bool wants_stream)
{
    struct pending *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->webhook = q->webhook;
    DL_APPEND(q->webhook->pending, p);
    p->x = q->x;
    p->kind = q->kind;
    p->wants_stream = wants_stream;
    p->began_us = tl_mono_us();
    p->link.start_offset = -1;
    p->link.hint = -1;
    (void)snprintf(p->link.call_sid, sizeof(p->link.call_sid), "%s", q->call_sid);
    (void)snprintf(p->language, sizeof(p->language), "en-US");
    (void)snprintf(p->again, sizeof(p->again), "/twilio/voice");
    const char *try = tl_http_request_arg(q->r, "try");
    p->tries = try ? (int)strtol(try, NULL, 10) : 0;
    const char *token = tl_http_request_header(q->r, "i-twilio-idempotency-token");
    (void)snprintf(p->reply_key, sizeof(p->reply_key), "%s|%s|%.60s", q->kind, q->call_sid,
                   token ? token : tl_http_request_query(q->r));
    return p;
}

/* Business, room and conversation for a new or returning call; fills refusal and sentence when it
 * cannot be taken. */
static void route_call(struct pending *p, const char *to, bool is_new)
{
    struct tl_ingest *ingest = p->webhook->ingest;
    const struct tl_config_entry *entry =
        tl_config_table_by_number(tl_fleet_table(ingest->fleet), to);
    const struct tl_business *b = entry && !entry->deleted ? entry->business : NULL;
    const char *reason = "", *sentence = "";

    if (!is_new && p->link.business_id[0]) {
        /* It goes on as it began, whatever was configured since. */
    } else if (!b) {
        reason = "unknown_number";
        sentence = "We are sorry, the number that you dialled is not in service. Goodbye.";
    } else {
        (void)snprintf(p->link.business_id, sizeof(p->link.business_id), "%s", entry->id);
        p->link.business_version = entry->version;
        (void)snprintf(p->language, sizeof(p->language), "%s", *b->language ? b->language : "en-US");
        bool full = is_new && (!tl_presence_admits(tl_fleet_view(ingest->fleet),
                                                   TL_INSTANCE_KIND_CONVERSATION) ||
                               tl_media_streams(ingest->media) >= ingest->settings.calls_max);
        if (!b->active) {
            reason = "business_inactive";
            sentence = *b->closed_sentence
                           ? b->closed_sentence
                           : "We are sorry, we are closed at this moment. Please call again later.";
        } else if (full) {
            reason = "capacity";
            sentence = *b->busy_sentence
                           ? b->busy_sentence
                           : "We are sorry, all our lines are busy. Please call again later.";
        }
    }
    (void)snprintf(p->refusal, sizeof(p->refusal), "%s", reason);
    (void)snprintf(p->sentence, sizeof(p->sentence), "%s", sentence);
    if (!*reason && p->link.hint < 0)
        p->link.hint = tl_media_choose(ingest->media, p->link.call_sid, -1);
}

static struct tl_call_event event_of_call(const struct request *q, char call_id[37], char event_id[37],
                                          const char *part, int ordinal)
{
    struct tl_uuid id = tl_call_id_of_sid(q->call_sid);
    char source[160];

    tl_uuid_format(&id, call_id);
    (void)snprintf(source, sizeof(source), "%s|%s", q->call_sid, part);
    id = tl_event_id_derive(source, "ingest", "calls.v1", ordinal);
    tl_uuid_format(&id, event_id);
    return (struct tl_call_event){.event_id = event_id, .call_id = call_id, .leg = "caller"};
}

static void set_int(struct tl_opt_int *to, int value)
{
    *to = (struct tl_opt_int){.set = true, .value = value};
}

static void on_voice(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    const char *to = form_or(q, "To", ""), *from = form_or(q, "From", "");
    struct pending *p = pending_create(q, true);
    char call_id[37], event_id[37];
    struct tl_bytes known;

    if (tl_replies_get(q->webhook->replies, p->reply_key, &known)) {
        count(ingest, q->kind, 200);
        tl_http_respond(q->x, 200, TL_TWIML_CONTENT_TYPE, known.data, known.len, NULL);
        pending_destroy(p);
        return;
    }
    p->link.direction = TL_DIRECTION_INBOUND;
    p->link.number = 1;
    p->link.started_at_ms = tl_now_ms();
    p->link.window_start_s = p->link.started_at_ms / 1000;
    (void)snprintf(p->link.from_number, sizeof(p->link.from_number), "%s", from);
    (void)snprintf(p->link.to_number, sizeof(p->link.to_number), "%s", to);
    if (!tl_fleet_is_ready(ingest->fleet, p->sentence, sizeof(p->sentence))) {
        on_wait_over(p);
        pending_destroy(p);
        return;
    }
    route_call(p, to, true);
    struct tl_call_event event = event_of_call(q, call_id, event_id, "voice", 0);
    struct tl_changed changed = {.state = p->refusal[0] ? TL_CALL_STATE_FAILED
                                                        : TL_CALL_STATE_RINGING,
                                 .call_sid = q->call_sid,
                                 .direction = TL_DIRECTION_INBOUND,
                                 .from_number = from,
                                 .to_number = to,
                                 .status = form_or(q, "CallStatus", NULL),
                                 .reason = p->refusal[0] ? p->refusal : NULL};
    set_int(&changed.business_version, p->link.business_version);
    event.business_id = p->link.business_id[0] ? p->link.business_id : NULL;
    event.changed = &changed;
    tl_log_info(ingest->log, p->refusal[0] ? "call.refused" : "call.started",
                TL_STR("call_id", call_id), TL_STR("call_sid", q->call_sid),
                TL_STR("business_id", event.business_id), TL_STR("reason", changed.reason));
    record_then_answer(p, &event);
}

static void status_event(const struct request *q, struct tl_call_event *event,
                         struct tl_changed *changed)
{
    const char *status = form_or(q, "CallStatus", "");
    const char *sequence = form_or(q, "SequenceNumber", NULL);
    const char *duration = form_or(q, "CallDuration", NULL);
    const char *from = form_or(q, "From", NULL), *to = form_or(q, "To", NULL);

    *changed = (struct tl_changed){.state = tl_call_state_of_status(status),
                                   .call_sid = q->call_sid,
                                   .direction = strncmp(form_or(q, "Direction", ""), "outbound", 8)
                                                    ? TL_DIRECTION_INBOUND
                                                    : TL_DIRECTION_OUTBOUND,
                                   .from_number = from,
                                   .to_number = to,
                                   .status = status,
                                   .answered_by = form_or(q, "AnsweredBy", NULL)};
    if (changed->state == TL_CALL_STATE_FAILED)
        changed->reason = status;
    if (sequence)
        set_int(&changed->sequence, (int)strtol(sequence, NULL, 10));
    if (duration)
        set_int(&changed->duration_s, (int)strtol(duration, NULL, 10));
    event->changed = changed;
}

/* Records what a form says of the call's status; answers 204 when it is in the log. */
static void on_status(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    char call_id[37], event_id[37], part[96], reason[64];
    struct tl_changed changed;

    if (tl_call_state_of_status(form_or(q, "CallStatus", "")) == TL_CALL_STATE_UNKNOWN) {
        respond_problem(ingest, q->kind, q->x, 400, "CallStatus is missing or unknown", NULL);
        return;
    }
    if (!tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        respond_problem(ingest, q->kind, q->x, 503, "Not ready", reason);
        return;
    }
    (void)snprintf(part, sizeof(part), "status|%s|%s", form_or(q, "CallStatus", ""),
                   form_or(q, "SequenceNumber", ""));
    struct tl_call_event event = event_of_call(q, call_id, event_id, part, 0);
    status_event(q, &event, &changed);
    record_then_answer(pending_create(q, false), &event);
}

static bool is_final_status(const struct request *q)
{
    return tl_call_state_is_final(tl_call_state_of_status(form_or(q, "CallStatus", "")));
}

/* The call is over: the fact is recorded, and there is nothing left to run. */
static void answer_over(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    char call_id[37], event_id[37], reason[64];
    struct tl_changed changed;
    struct tl_buf twiml;
    struct tl_error err;

    if (tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        struct tl_call_event event = event_of_call(q, call_id, event_id, "over", 0);
        status_event(q, &event, &changed);
        if (tl_fleet_send_event(ingest->fleet, &event, NULL, NULL, &err) != TL_OK)
            tl_log_warn(ingest->log, "webhook.not_recorded", TL_STR("call_id", call_id),
                        TL_STR("error", err.msg));
    }
    tl_buf_init(&twiml, TWIML_BYTES_MAX);
    tl_twiml_empty(&twiml);
    respond_twiml(ingest, q->kind, q->x, &twiml);
    tl_buf_finish(&twiml);
}

/* A stream ended, or its socket broke: the call comes back for another one; to a process that has
 * only just begun, `again` a little later. */
static void resume(const struct request *q, const struct tl_link *link, const char *again)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    struct pending *p = pending_create(q, true);
    char reason[64];

    p->link = *link;
    p->delivered = true; /* nothing to record before: `given` will tell */
    p->is_early = !tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason));
    (void)snprintf(p->again, sizeof(p->again), "%s", again);
    if (p->is_early) {
        answer(p);
        pending_destroy(p);
        return;
    }
    if (!tl_link_next(&p->link, tl_now_ms() / 1000, (int)ingest->settings.resumes_per_minute)) {
        (void)snprintf(p->refusal, sizeof(p->refusal), "too_many_resumes");
        (void)snprintf(p->sentence, sizeof(p->sentence),
                       "We are sorry, the connection is too bad. Please call again later.");
    } else {
        const char *number =
            p->link.direction == TL_DIRECTION_OUTBOUND ? p->link.from_number : p->link.to_number;
        route_call(p, number, false);
    }
    tl_log_info(ingest->log, "call.resumed", TL_STR("call_sid", q->call_sid),
                TL_INT("number", p->link.number), TL_STR("kind", q->kind),
                TL_STR("refused", p->refusal));
    answer(p);
    pending_destroy(p);
}

static void on_action(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    struct tl_token_keys keys = tl_webhook_keys(ingest);
    const char *token = tl_http_request_arg(q->r, "t");
    char again[TL_TOKEN_TEXT_SIZE + 32];
    struct tl_link link;
    struct tl_error err;

    enum tl_status st = tl_link_verify(&keys, TL_LINK_ACTION, token ? token : "", &link, &err);
    if (st == TL_OK && strcmp(link.call_sid, q->call_sid) != 0)
        st = tl_fail(&err, TL_DENIED, "the link is of another call");
    if (st != TL_OK) {
        respond_problem(ingest, q->kind, q->x, tl_http_status_of(st), "Bad link", err.msg);
        return;
    }
    (void)snprintf(again, sizeof(again), "/twilio/action?t=%s", token);
    if (is_final_status(q))
        answer_over(q);
    else
        resume(q, &link, again);
}

static int64_t number_arg(const struct request *q, const char *name, int64_t fallback)
{
    const char *text = tl_http_request_arg(q->r, name);
    return text && *text ? strtoll(text, NULL, 10) : fallback;
}

/* The watchdog (sinks/telephony) has the network ask here for a call whose stream is gone. What the log told it
 * stands in the URL: nobody can make one up, for the network's signature covers it. */
static void on_rescue(const struct request *q)
{
    int64_t now = tl_now_ms();
    const char *business = tl_http_request_arg(q->r, "business");
    struct tl_link link = {.business_version = (int)number_arg(q, "version", 0),
                           .number = (int)number_arg(q, "number", 0), /* of the stream that is gone */
                           .direction = strncmp(form_or(q, "Direction", ""), "outbound", 8)
                                            ? TL_DIRECTION_INBOUND
                                            : TL_DIRECTION_OUTBOUND,
                           .started_at_ms = number_arg(q, "started", now),
                           .start_offset = number_arg(q, "offset", -1),
                           .hint = (int)number_arg(q, "hint", -1),
                           .window_start_s = now / 1000};
    char again[TL_TOKEN_TEXT_SIZE + 32];

    if (is_final_status(q)) {
        answer_over(q);
        return;
    }
    (void)snprintf(link.call_sid, sizeof(link.call_sid), "%s", q->call_sid);
    (void)snprintf(link.business_id, sizeof(link.business_id), "%s", business ? business : "");
    (void)snprintf(link.from_number, sizeof(link.from_number), "%s", form_or(q, "From", ""));
    (void)snprintf(link.to_number, sizeof(link.to_number), "%s", form_or(q, "To", ""));
    (void)snprintf(again, sizeof(again), "%s", tl_http_request_target(q->r));
    char *try = strstr(again, "&try=");
    if (try)
        *try = '\0';
    resume(q, &link, again);
}

/* The network could not fetch or run a document. Nothing of ours comes with it but the form, so the
 * number of the attachment is taken from the clock: above every number that was counted from 1. */
static void on_fallback(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    int64_t now = tl_now_ms();
    struct tl_link link = {.number = (int)(now / 1000 - 1700000000),
                           .direction = strncmp(form_or(q, "Direction", ""), "outbound", 8)
                                            ? TL_DIRECTION_INBOUND
                                            : TL_DIRECTION_OUTBOUND,
                           .started_at_ms = now,
                           .start_offset = -1,
                           .hint = -1,
                           .window_start_s = now / 1000};
    char url[256];

    (void)snprintf(url, sizeof(url), "%s", form_or(q, "ErrorUrl", ""));
    url[strcspn(url, "?#")] = '\0'; /* the rest is a token, with numbers of people in it */
    tl_log_warn(ingest->log, "webhook.fallback", TL_STR("call_sid", q->call_sid),
                TL_STR("code", form_or(q, "ErrorCode", "")), TL_STR("url", url));
    if (is_final_status(q)) {
        answer_over(q);
        return;
    }
    (void)snprintf(link.call_sid, sizeof(link.call_sid), "%s", q->call_sid);
    (void)snprintf(link.from_number, sizeof(link.from_number), "%s", form_or(q, "From", ""));
    (void)snprintf(link.to_number, sizeof(link.to_number), "%s", form_or(q, "To", ""));
    resume(q, &link, "/twilio/fallback");
}

static void on_stream_status(const struct request *q)
{
    struct tl_ingest *ingest = q->webhook->ingest;
    const char *event = form_or(q, "StreamEvent", "");

    if (strcmp(event, "stream-error") == 0) {
        tl_counter_add(
            tl_counter_of(&ingest->metrics.stream_errors, form_or(q, "StreamErrorCode", "other")), 1);
        tl_log_warn(ingest->log, "stream.error", TL_STR("call_sid", q->call_sid),
                    TL_STR("stream_sid", form_or(q, "StreamSid", "")),
                    TL_STR("error", form_or(q, "StreamError", "")));
    }
    respond_none(ingest, q->kind, q->x);
}

static const struct {
    const char *path;
    const char *kind;
    void (*handle)(const struct request *q);
} routes[] = {
    {"/twilio/voice", "voice", on_voice},
    {"/twilio/action", "action", on_action},
    {"/twilio/status", "status", on_status},
    {"/twilio/stream-status", "stream_status", on_stream_status},
    {"/twilio/fallback", "fallback", on_fallback},
    {"/twilio/rescue", "rescue", on_rescue},
};

/* ---- the way in ---- */

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
    tl_log_warn(self->log, "webhook.signature_refused", TL_STR("path", tl_http_request_path(request)),
                TL_STR("peer", tl_http_request_peer(request)),
                TL_BOOL("signed", signature != NULL));
    return false;
}

/* Form of a POST body, or of the query of a GET (same names). */
static enum tl_status read_form(struct request *q, bool is_post, struct tl_error *err)
{
    struct tl_bytes body = tl_http_request_body(q->r);
    const char *query = tl_http_request_query(q->r);
    const char *type = tl_http_request_header(q->r, "content-type");

    if (!is_post)
        return tl_form_parse(query, strlen(query), &q->webhook->arena, &q->form, err);
    if (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return tl_fail(err, TL_INVALID, "content type %.60s", type);
    return tl_form_parse((const char *)body.data, body.len, &q->webhook->arena, &q->form, err);
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
    struct request q = {.webhook = webhook, .x = x, .r = r, .kind = routes[route].kind};
    bool is_post = strcmp(tl_http_request_method(r), "POST") == 0;
    char url[4096];
    struct tl_error err;

    if (!is_post && strcmp(tl_http_request_method(r), "GET") != 0) {
        respond_problem(ingest, q.kind, x, 405, "Only POST and GET", NULL);
        return;
    }
    tl_arena_reset(&webhook->arena);
    if (read_form(&q, is_post, &err) != TL_OK) {
        respond_problem(ingest, q.kind, x, 400, "Cannot read the form", err.msg);
        return;
    }
    (void)snprintf(url, sizeof(url), "%s%s", ingest->twilio.public_url,
                   tl_http_request_target(r));
    if (!tl_ingest_is_signed(ingest, r, url, is_post ? &q.form : NULL)) {
        respond_problem(ingest, q.kind, x, 403, "Signature refused", NULL);
        return;
    }
    q.call_sid = tl_form_get(&q.form, "CallSid");
    if (!is_sid(q.call_sid)) {
        respond_problem(ingest, q.kind, x, 400, "CallSid is missing or malformed", NULL);
        return;
    }
    routes[route].handle(&q);
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
    respond_problem(webhook->ingest, "unknown", x, 404, "No such path", NULL);
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
    *ret_webhook = webhook;
    return TL_OK;
}

void tl_webhook_destroy(struct tl_webhook *webhook)
{
    struct pending *p, *tmp;

    if (!webhook)
        return;
    DL_FOREACH_SAFE (webhook->pending, p, tmp) { /* freed by the deliveries that they wait for */
        tl_timer_finish(&p->timer);
        p->x = NULL;
        p->webhook = NULL;
    }
    tl_replies_destroy(webhook->replies);
    tl_arena_finish(&webhook->arena);
    free(webhook);
}
