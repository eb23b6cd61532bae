/* Status callbacks of calls and streams. */
#include "callback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "hook.h"

static unsigned event_of(enum tl_tel_status status)
{
    switch (status) {
    case TL_TEL_PLANNED:
    case TL_TEL_QUEUED:
        return 0;
    case TL_TEL_INITIATED:
        return TL_TEL_ON_INITIATED;
    case TL_TEL_RINGING:
        return TL_TEL_ON_RINGING;
    case TL_TEL_IN_PROGRESS:
        return TL_TEL_ON_ANSWERED;
    default:
        return TL_TEL_ON_COMPLETED;
    }
}

static const char *sip_code(enum tl_tel_status status)
{
    switch (status) {
    case TL_TEL_COMPLETED:
        return "200";
    case TL_TEL_BUSY:
        return "486";
    case TL_TEL_FAILED:
        return "404";
    default:
        return "487";
    }
}

static void add_final_fields(const struct tl_tel_call *call, struct tl_tel_form *form)
{
    int64_t seconds =
        call->answered_us ? (call->ended_us - call->answered_us + 500000) / 1000000 : 0;

    tl_tel_form_addf(form, "CallDuration", "%lld", (long long)seconds);
    tl_tel_form_addf(form, "Duration", "%lld", (long long)((seconds + 59) / 60));
    tl_tel_form_add(form, "SipResponseCode", sip_code(call->status));
}

static struct tl_tel_form *make_form(struct tl_tel_call *call)
{
    struct tl_tel_form *form = tl_tel_form_new();
    char now[TL_TIME_RFC2822_SIZE];

    tl_tel_call_fields(call, form);
    tl_time_format_rfc2822(tl_now_ms(), now);
    tl_tel_form_add(form, "Timestamp", now);
    tl_tel_form_add(form, "CallbackSource", "call-progress-events");
    tl_tel_form_addf(form, "SequenceNumber", "%u", call->callbacks_made++);
    if (tl_tel_status_is_final(call->status))
        add_final_fields(call, form);
    return form;
}

/* Takes the form. */
static void deliver(struct tl_tel_call *call, struct tl_tel_form *form, tl_tel_hook_fn on_answer,
                    void *arg)
{
    struct tl_tel_hook hook = {
        .call = call,
        .kind = "status",
        .url = call->status_callback.url,
        .method = call->status_callback.method,
        .form = form,
        .on_answer = on_answer,
        .arg = arg,
    };

    tl_tel_hook_send(&hook);
}

/* A callback that waits until a later one has come through. */
struct held {
    struct tl_tel_call *call;
    struct tl_tel_form *form;
};

static void release_held(void *arg, const struct tl_tel_hook_answer *answer)
{
    struct held *held = arg;

    (void)answer;
    deliver(held->call, held->form, NULL, NULL);
    free(held);
}

/* This one, and behind it the one that was held back, if there is one. */
static void deliver_before_held(struct tl_tel_call *call, struct tl_tel_form *form)
{
    struct tl_tel_form *other = TL_TAKE(call->held_callback);
    struct held *held = other ? malloc(sizeof(*held)) : NULL;

    if (other && !held)
        abort();
    if (held)
        *held = (struct held){.call = call, .form = other};
    deliver(call, form, held ? release_held : NULL, held);
}

static struct tl_tel_form *copy_form(const struct tl_tel_form *form)
{
    struct tl_tel_form *out = tl_tel_form_new();

    for (size_t i = 0; i < form->len; i++)
        tl_tel_form_add(out, form->field[i].name, form->field[i].value);
    return out;
}

void tl_tel_callback_status(struct tl_tel_call *call)
{
    bool is_final = tl_tel_status_is_final(call->status);

    if (!call->status_callback.url || !(call->status_events & event_of(call->status)))
        return;
    struct tl_tel_form *form = make_form(call);
    switch (call->tel->faults.delivery) {
    case TL_TEL_DELIVER_DROPPED:
        tl_tel_form_free(form);
        return;
    case TL_TEL_DELIVER_TWICE:
        deliver(call, copy_form(form), NULL, NULL);
        break;
    case TL_TEL_DELIVER_SWAPPED:
        if (call->held_callback || is_final)
            break;
        call->held_callback = form;
        return;
    case TL_TEL_DELIVER_LATE_INITIATED:
        if (call->held_callback || call->callbacks_made > 1)
            break;
        call->held_callback = form;
        return;
    case TL_TEL_DELIVER_IN_ORDER:
        break;
    }
    if (is_final || call->tel->faults.delivery == TL_TEL_DELIVER_SWAPPED)
        deliver_before_held(call, form);
    else
        deliver(call, form, NULL, NULL);
}

void tl_tel_callback_stream(struct tl_tel_call *call, const struct tl_tel_target *target,
                            const char *stream_sid, const char *name, const char *event,
                            const char *error)
{
    char now[TL_TIME_ISO_SIZE];

    if (!target->url)
        return;
    struct tl_tel_form *form = tl_tel_form_new();
    tl_time_format_iso(tl_now_ms(), now);
    tl_tel_form_add(form, "AccountSid", call->tel->options.account_sid);
    tl_tel_form_add(form, "CallSid", call->sid);
    tl_tel_form_add(form, "StreamSid", stream_sid);
    tl_tel_form_add(form, "StreamName", *name ? name : stream_sid);
    tl_tel_form_add(form, "StreamEvent", event);
    if (error)
        tl_tel_form_add(form, "StreamError", error);
    tl_tel_form_add(form, "Timestamp", now);
    struct tl_tel_hook hook = {
        .call = call,
        .kind = event,
        .url = target->url,
        .method = target->method,
        .form = form,
    };
    tl_tel_hook_send(&hook);
}
