/* Requests to the telephone network about one call (Twilio, Call resource). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_state.h"
#include "sinks/telephony/telephony_internal.h"
#include "twilio/twiml.h"

#define URL_MAX_BYTES 1024
#define BODY_MAX_BYTES 16384
#define WAIT_MAX_MS 60000

static const char *const OUTCOMES[] = {[TL_TWILIO_DONE] = "done",
                                       [TL_TWILIO_OVER] = "over",
                                       [TL_TWILIO_AGAIN] = "again",
                                       [TL_TWILIO_UNKNOWN] = "unknown",
                                       [TL_TWILIO_REFUSED] = "refused"};

static enum tl_status start(struct tl_telephony *telephony, const char *method,
                            const char *call_sid, const struct tl_buf *body, int64_t timeout_ms,
                            tl_http_answer_fn on_answer, void *arg, struct tl_http_call **ret_call,
                            struct tl_error *err)
{
    const struct tl_twilio_settings *twilio = &telephony->sink->twilio;
    int64_t longest_ms = telephony->sink->settings.telephony_request_timeout_ms;
    struct tl_buf url;

    tl_buf_init(&url, URL_MAX_BYTES);
    tl_buf_printf(&url, "%s/2010-04-01/Accounts/%s/Calls/%s.json", twilio->api_url,
                  twilio->account_sid, call_sid);
    const struct tl_http_call_options options = {
        .method = method,
        .url = tl_buf_str(&url),
        .body = body ? body->data : NULL,
        .body_len = body ? body->len : 0,
        .content_type = body ? "application/x-www-form-urlencoded" : NULL,
        .user = twilio->account_sid,
        .password = twilio->auth_token,
        .once = body != NULL, /* whether it was carried out is for us to find out */
        .timeout_ms = (unsigned)(timeout_ms < longest_ms ? timeout_ms : longest_ms),
        .on_answer = on_answer,
        .arg = arg};
    enum tl_status st = url.full
                            ? tl_fail(err, TL_INVALID, "the URL is too long")
                            : tl_http_call_start(telephony->sink->net, &options, ret_call, err);
    tl_buf_finish(&url);
    return st;
}

enum tl_status tl_phone_look(struct tl_telephony *telephony, const char *call_sid,
                             tl_http_answer_fn on_answer, void *arg, struct tl_http_call **ret_call,
                             struct tl_error *err)
{
    return start(telephony, "GET", call_sid, NULL, INT64_MAX, on_answer, arg, ret_call, err);
}

enum tl_status tl_phone_end(struct tl_telephony *telephony, const struct tl_effect *effect,
                            const char *language, tl_http_answer_fn on_answer, void *arg,
                            struct tl_http_call **ret_call, struct tl_error *err)
{
    struct tl_buf body, twiml;

    tl_buf_init(&body, BODY_MAX_BYTES);
    tl_buf_init(&twiml, BODY_MAX_BYTES);
    if (effect->sentence || effect->dial_number) {
        tl_twiml_say(&twiml, language, effect->sentence, effect->dial_number);
        tl_twilio_form_add(&body, "Twiml", tl_buf_str(&twiml));
    } else {
        tl_twilio_form_add(&body, "Status", "completed");
    }
    enum tl_status st =
        body.full || twiml.full
            ? tl_fail(err, TL_INVALID, "the sentence is too long")
            : start(telephony, "POST", effect->call_sid, &body, INT64_MAX, on_answer, arg, ret_call,
                    err);
    tl_buf_finish(&body);
    tl_buf_finish(&twiml);
    return st;
}

enum tl_status tl_phone_redirect(struct tl_telephony *telephony, const char *call_sid,
                                 const char *url, int64_t timeout_ms, tl_http_answer_fn on_answer,
                                 void *arg, struct tl_http_call **ret_call, struct tl_error *err)
{
    struct tl_buf body, fallback;

    tl_buf_init(&body, BODY_MAX_BYTES);
    tl_buf_init(&fallback, URL_MAX_BYTES);
    tl_buf_printf(&fallback, "%s/twilio/fallback" TL_TWILIO_OVERRIDES,
                  telephony->sink->twilio.public_url);
    tl_twilio_form_add(&body, "Url", url);
    tl_twilio_form_add(&body, "Method", "POST");
    tl_twilio_form_add(&body, "FallbackUrl", tl_buf_str(&fallback));
    tl_twilio_form_add(&body, "FallbackMethod", "POST");
    enum tl_status st =
        body.full || fallback.full
            ? tl_fail(err, TL_INVALID, "the URL is too long")
            : start(telephony, "POST", call_sid, &body, timeout_ms, on_answer, arg, ret_call, err);
    tl_buf_finish(&body);
    tl_buf_finish(&fallback);
    return st;
}

void tl_phone_read(struct tl_telephony *telephony, const char *request,
                   const struct tl_http_answer *answer, struct tl_twilio_answer *ret_answer,
                   int64_t *ret_wait_ms)
{
    const char *wait = answer->status ? tl_http_answer_header(answer, "Retry-After") : NULL;

    tl_twilio_answer_read(answer->status, answer->body, ret_answer);
    if (answer->status == 0) {
        (void)snprintf(ret_answer->message, sizeof(ret_answer->message), "%s", answer->error);
        if (answer->not_sent)
            ret_answer->outcome = TL_TWILIO_AGAIN;
    }
    long seconds = wait ? strtol(wait, NULL, 10) : 0; /* a date is 0: our own backoff then */
    *ret_wait_ms = seconds <= 0 ? 0 : seconds > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS : seconds * 1000;
    tl_counter_add(
        tl_counter_of(&telephony->sink->metrics.requests, request, OUTCOMES[ret_answer->outcome]),
        1);
}

bool tl_phone_is_over(const struct tl_twilio_answer *answer)
{
    return answer->outcome == TL_TWILIO_OVER ||
           (answer->outcome == TL_TWILIO_DONE &&
            tl_call_state_is_final(tl_call_state_of_status(answer->status)));
}
