/* Brings calls back that the watch has decided on: has the telephone network ask our webhook for another
 * stream. A request belongs to the turn that it was written for; when that is over it is dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sinks/telephony/telephony_internal.h"
#include "sinks/telephony/watch.h"

#define URL_MAX_BYTES 1024

static struct tl_rescue_call *find(const struct tl_telephony *telephony, const char *call_id)
{
    struct tl_rescue_call *rescue = telephony->rescues;

    while (rescue && strcmp(rescue->call_id, call_id) != 0)
        rescue = rescue->next;
    return rescue;
}

static void count(const struct tl_rescue_call *rescue, const char *step)
{
    tl_counter_add(tl_counter_of(&rescue->telephony->sink->metrics.rescues, step, rescue->cause), 1);
}

static void remove_rescue(struct tl_rescue_call *rescue)
{
    struct tl_telephony *telephony = rescue->telephony;
    struct tl_rescue_call **at = &telephony->rescues;

    while (*at != rescue)
        at = &(*at)->next;
    *at = rescue->next;
    if (rescue->request) {
        tl_http_call_cancel(rescue->request);
        telephony->in_flight--;
    }
    tl_buf_finish(&rescue->url);
    free(rescue);
}

void tl_rescue_clear(struct tl_telephony *telephony)
{
    while (telephony->rescues)
        remove_rescue(telephony->rescues);
}

/* One that is under way cannot be taken back; its answer is waited for. */
void tl_rescue_settle(struct tl_telephony *telephony, const char *call_id)
{
    struct tl_rescue_call *rescue = find(telephony, call_id);

    if (rescue && rescue->request)
        rescue->is_settled = true;
    else if (rescue)
        remove_rescue(rescue);
}

static void add_escaped(struct tl_buf *out, const char *text)
{
    for (; *text; text++) {
        bool is_plain = strchr("-._~", *text) || (*text >= '0' && *text <= '9') ||
                        (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        tl_buf_printf(out, is_plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

/* All that ingest needs to go on with the call, from the log (on_rescue in ingest/webhook). */
static void write_url(struct tl_rescue_call *rescue, const struct tl_watch_call *call)
{
    struct tl_buf *url = &rescue->url;

    tl_buf_reset(url);
    tl_buf_printf(url, "%s/twilio/rescue?number=%d", rescue->telephony->sink->twilio.public_url,
                  call->attachment.number);
    if (*call->business_id) {
        tl_buf_add_str(url, "&business=");
        add_escaped(url, call->business_id);
        tl_buf_printf(url, "&version=%d", call->business_version);
    }
    tl_buf_printf(url, "&started=%" PRId64 "&offset=%" PRId64 "&hint=%d" TL_TWILIO_OVERRIDES,
                  call->started_at, call->start_offset, call->holder);
}

void tl_rescue_add(struct tl_telephony *telephony, const struct tl_watch_call *call)
{
    struct tl_rescue_call *rescue = find(telephony, call->call_id), **last = &telephony->rescues;

    if (rescue && rescue->request) {
        rescue->turn_ends_at = call->turn_ends_at;
        return; /* of an earlier turn, and not answered yet: another one would only come behind it */
    }
    if (!rescue) {
        rescue = calloc(1, sizeof(*rescue));
        if (!rescue)
            abort();
        rescue->telephony = telephony;
        tl_buf_init(&rescue->url, URL_MAX_BYTES);
        (void)snprintf(rescue->call_id, sizeof(rescue->call_id), "%s", call->call_id);
        while (*last)
            last = &(*last)->next;
        *last = rescue;
    }
    (void)snprintf(rescue->call_sid, sizeof(rescue->call_sid), "%s", call->call_sid);
    rescue->cause = tl_watch_cause_name(call->cause);
    rescue->attempt = call->attempts;
    rescue->turn_ends_at = call->turn_ends_at;
    write_url(rescue, call);
    tl_rescue_pump(telephony);
}

/* ---- requests ---- */

static void release(struct tl_rescue_call *rescue)
{
    rescue->request = NULL;
    rescue->telephony->in_flight--;
}

static void finish(struct tl_rescue_call *rescue, const char *step)
{
    struct tl_telephony *telephony = rescue->telephony;

    count(rescue, step);
    remove_rescue(rescue);
    tl_rescue_pump(telephony);
    tl_effect_pump(telephony);
}

static void complain(const struct tl_rescue_call *rescue, const struct tl_twilio_answer *answer)
{
    tl_log_warn(rescue->telephony->sink->log, "rescue.not_carried_out",
                TL_STR("call_id", rescue->call_id), TL_STR("cause", rescue->cause),
                TL_INT("attempt", rescue->attempt), TL_INT("code", answer->code),
                TL_STR("status", answer->status), TL_STR("error", answer->message));
}

static void on_looked(void *arg, const struct tl_http_answer *http)
{
    struct tl_rescue_call *rescue = arg;
    struct tl_twilio_answer answer;
    int64_t wait_ms;

    release(rescue);
    tl_phone_read(rescue->telephony, "look", http, &answer, &wait_ms);
    bool is_over = tl_phone_is_over(&answer);
    if (is_over && !rescue->is_settled)
        tl_closing_write_over(rescue->telephony, rescue->call_id, rescue->call_sid, &answer);
    else if (!is_over)
        complain(rescue, &answer);
    finish(rescue, is_over ? "over" : "refused");
}

static void look(struct tl_rescue_call *rescue)
{
    struct tl_error err;

    if (tl_phone_look(rescue->telephony, rescue->call_sid, on_looked, rescue, &rescue->request,
                      &err) == TL_OK)
        rescue->telephony->in_flight++;
    else
        finish(rescue, "refused");
}

/* 429: nothing of ours goes out before the time that it asks for; this one keeps its place. */
static void wait(struct tl_rescue_call *rescue, int64_t asked_ms)
{
    struct tl_telephony *telephony = rescue->telephony;
    int64_t own_ms = telephony->sink->settings.telephony_backoff_ms;

    telephony->rescues_wait_until = tl_mono_ms() + (asked_ms > own_ms ? asked_ms : own_ms);
    count(rescue, "again");
    if (rescue->is_settled)
        remove_rescue(rescue);
}

static void on_redirected(void *arg, const struct tl_http_answer *http)
{
    struct tl_rescue_call *rescue = arg;
    struct tl_twilio_answer answer;
    int64_t wait_ms;

    release(rescue);
    tl_phone_read(rescue->telephony, "rescue", http, &answer, &wait_ms);
    switch (answer.outcome) {
    case TL_TWILIO_DONE:
        finish(rescue, "done");
        break;
    case TL_TWILIO_OVER:
        look(rescue);
        break;
    case TL_TWILIO_AGAIN:
        wait(rescue, wait_ms);
        break;
    case TL_TWILIO_UNKNOWN: /* the next turn comes, unless a stream does */
        complain(rescue, &answer);
        finish(rescue, "unknown");
        break;
    case TL_TWILIO_REFUSED:
        complain(rescue, &answer);
        finish(rescue, "refused");
        break;
    }
}

/* Given up at the end of its turn, for a request that a stopped process sends when it goes on must not
 * take the stream from a call that another one has brought back. */
static void act(struct tl_rescue_call *rescue, int64_t now)
{
    struct tl_telephony *telephony = rescue->telephony;
    struct tl_error err;

    if (tl_phone_redirect(telephony, rescue->call_sid, tl_buf_str(&rescue->url),
                          rescue->turn_ends_at - now, on_redirected, rescue, &rescue->request,
                          &err) == TL_OK) {
        telephony->in_flight++;
        return;
    }
    tl_log_error(telephony->sink->log, "rescue.not_sent", TL_STR("call_id", rescue->call_id),
                 TL_STR("error", err.msg));
    count(rescue, "refused");
    remove_rescue(rescue);
}

void tl_rescue_pump(struct tl_telephony *telephony)
{
    int64_t now = tl_mono_ms();

    for (struct tl_rescue_call *rescue = telephony->rescues, *next; rescue; rescue = next) {
        next = rescue->next;
        if (rescue->request)
            continue;
        if (now >= rescue->turn_ends_at) { /* another instance's turn; perhaps we were asleep */
            count(rescue, "expired");
            remove_rescue(rescue);
        } else if (now >= telephony->rescues_wait_until &&
                   telephony->in_flight < telephony->sink->settings.telephony_requests_max) {
            act(rescue, now);
        }
    }
}
