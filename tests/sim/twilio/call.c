/* A call: its states, its report, and the beat that moves mouth, stream and ear. */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "callback.h"
#include "dial.h"
#include "hook.h"
#include "mouth.h"
#include "report.h"
#include "run.h"
#include "stream.h"

#define EVENTS_MAX ((size_t)8 << 20)
#define LIST_MAX 5000 /* entries of one list of the report */

const char *tl_tel_status_name(enum tl_tel_status status)
{
    static const char *const NAMES[] = {
        "planned",   "queued", "initiated", "ringing",   "in-progress",
        "completed", "busy",   "failed",    "no-answer", "canceled",
    };
    return NAMES[status];
}

const char *tl_tel_direction_name(enum tl_tel_direction direction)
{
    static const char *const NAMES[] = {"inbound", "outbound-api", "outbound-dial"};
    return NAMES[direction];
}

bool tl_tel_status_is_final(enum tl_tel_status status)
{
    return status >= TL_TEL_COMPLETED;
}

int64_t tl_tel_call_ms(const struct tl_tel_call *call, int64_t mono_us)
{
    return (mono_us - call->created_us) / 1000;
}

void tl_tel_target_set(struct tl_tel_target *target, const char *url, const char *method)
{
    char *new_url = url && *url ? strdup(url) : NULL;
    char *new_method = method && *method ? strdup(method) : NULL;

    free(target->url);
    free(target->method);
    *target = (struct tl_tel_target){.url = new_url, .method = new_method};
}

/* ---- the report ---- */

static void append(json_t *list, json_t *line)
{
    if (json_array_size(list) < LIST_MAX)
        json_array_append(list, line);
}

void tl_tel_call_event(struct tl_tel_call *call, const char *name, json_t *fields)
{
    json_t *line =
        json_pack("{s:I, s:s, s:s}", "at_ms", (json_int_t)tl_tel_call_ms(call, tl_mono_us()),
                  "call_sid", call->sid, "event", name);

    if (fields) {
        /* at_ms is the event's own; a field of that name would hide it */
        json_object_update_missing(line, fields);
    }
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text)
        abort();
    tl_buf_printf(&call->events, "%s\n", text);
    if (call->tel->print_events) {
        (void)puts(text);
        (void)fflush(stdout);
    }
    free(text);
    json_decref(line);
    json_decref(fields);
    tl_tel_report_wake(call);
}

void tl_tel_call_error(struct tl_tel_call *call, int code, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_t *line = json_pack("{s:i, s:s, s:I}", "code", code, "message", text, "at_ms",
                             (json_int_t)tl_tel_call_ms(call, tl_mono_us()));
    if (!line) /* the message is not UTF-8: it quotes the peer */
        line = json_pack("{s:i, s:s, s:I}", "code", code, "message", "(not UTF-8)", "at_ms",
                         (json_int_t)tl_tel_call_ms(call, tl_mono_us()));
    append(call->errors, line);
    tl_tel_call_event(call, "error", line);
}

static void on_heard(void *arg, const struct tl_tel_heard *heard)
{
    struct tl_tel_call *call = arg;
    json_t *line = json_pack(
        "{s:s?, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "phrase",
        heard->speech ? heard->speech->text : NULL, "voice",
        !heard->speech                             ? "unknown"
        : heard->speech->voice == TL_SPEECH_CALLER ? "caller"
                                                   : "ai",
        "exact", heard->exact, "start_ms", (json_int_t)tl_tel_call_ms(call, heard->start_us),
        "end_ms", (json_int_t)tl_tel_call_ms(call, heard->end_us), "start_us",
        (json_int_t)heard->start_us, "end_us", (json_int_t)heard->end_us, "rx_from",
        (json_int_t)heard->rx_from, "rx_to", (json_int_t)heard->rx_to, "bytes",
        (json_int_t)heard->bytes, "dry_ms", (json_int_t)heard->dry_ms);

    if (!heard->speech)
        json_object_set_new(line, "sha1", json_string(heard->sha1));
    if (heard->speech && !heard->exact) {
        char words[1024];
        tl_speech_text_heard(heard->speech, heard->bytes, words, sizeof(words));
        json_object_set_new(line, "words", json_string(words));
    }
    append(call->heard, line);
    tl_tel_call_event(call, "heard", line);
}

static void on_gap(void *arg, const struct tl_tel_gap *gap)
{
    struct tl_tel_call *call = arg;
    json_t *line =
        json_pack("{s:I, s:I}", "start_ms", (json_int_t)tl_tel_call_ms(call, gap->start_us),
                  "end_ms", (json_int_t)tl_tel_call_ms(call, gap->end_us));

    append(call->gaps, line);
    json_decref(line);
}

static void on_mark(void *arg, const char *name)
{
    struct tl_tel_call *call = arg;

    if (call->stream)
        tl_tel_stream_mark(call->stream, name);
}

static const struct tl_tel_ear_callbacks EAR_CALLBACKS = {
    .on_heard = on_heard,
    .on_gap = on_gap,
    .on_mark = on_mark,
};

/* ---- life ---- */

static void on_tick(struct tl_tel_spoke *spoke, int64_t now_us)
{
    struct tl_tel_call *call =
        (struct tl_tel_call *)((char *)spoke - offsetof(struct tl_tel_call, spoke));
    const char *frame = tl_tel_mouth_tick(call, now_us);

    if (tl_tel_status_is_final(call->status))
        return;
    bool taken = false;
    if (call->skip_frames > 0 && call->stream) {
        call->skip_frames--;
        tl_tel_stream_skip_frame(call->stream);
    } else {
        taken = tl_tel_stream_frame(call->stream, frame);
    }
    tl_tel_mouth_sent(call, taken);
    tl_tel_ear_tick(&call->ear, now_us);
}

struct tl_tel_call *tl_tel_call_create(struct tl_tel *tel, enum tl_tel_direction direction,
                                       const char *from, const char *to)
{
    struct tl_tel_call *call = calloc(1, sizeof(*call));

    if (tel->calls == tel->calls_cap) {
        tel->calls_cap = tel->calls_cap ? tel->calls_cap * 2 : 256;
        tel->call = realloc(tel->call, tel->calls_cap * sizeof(struct tl_tel_call *));
    }
    if (!call || !tel->call)
        abort();
    call->tel = tel;
    call->index = tel->calls;
    tel->call[tel->calls++] = call;
    tl_tel_sid_make("CA", call->index, call->sid);
    call->direction = direction;
    call->from = strdup(from);
    call->to = strdup(to);
    call->created_at = call->updated_at = tl_now_ms();
    call->created_us = tl_mono_us();
    call->ring_timeout_ms = 60000;
    call->status_events = TL_TEL_ON_COMPLETED;
    call->spoke.on_tick = on_tick;
    tl_tel_ear_init(&call->ear, tel->bank, &EAR_CALLBACKS, call);
    call->ear.gap_min_ms = tel->options.gap_min_ms;
    tl_buf_init(&call->events, EVENTS_MAX);
    tl_buf_init(&call->keys, 128);
    json_t **lists[] = {&call->said,      &call->heard,    &call->gaps,
                        &call->documents, &call->spoken,   &call->errors,
                        &call->streams,   &call->webhooks, &call->keys_pressed};
    for (size_t i = 0; i < TL_ARRAY_LEN(lists); i++)
        *lists[i] = json_array();
    return call;
}

void tl_tel_call_destroy(struct tl_tel_call *call)
{
    json_t *lists[] = {call->said,   call->heard,   call->gaps,     call->documents,   call->spoken,
                       call->errors, call->streams, call->webhooks, call->keys_pressed};
    char *texts[] = {call->from,  call->to,      call->caller_name, call->forwarded_from,
                     call->twiml, call->outcome, call->doc_url,     call->cookie};

    tl_timer_finish(&call->timer);
    tl_timer_finish(&call->life_timer);
    tl_tel_wheel_remove(&call->tel->wheel, &call->spoke);
    for (size_t i = 0; i < TL_ARRAY_LEN(lists); i++)
        json_decref(lists[i]);
    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++)
        free(texts[i]);
    tl_tel_target_set(&call->voice, NULL, NULL);
    tl_tel_target_set(&call->fallback, NULL, NULL);
    tl_tel_target_set(&call->status_callback, NULL, NULL);
    tl_tel_form_free(call->held_callback);
    tl_tel_doc_destroy(call->doc);
    tl_tel_doc_destroy(call->old_doc);
    tl_tel_script_finish(&call->mouth.script);
    tl_tel_ear_finish(&call->ear);
    tl_buf_finish(&call->ear.audio);
    free(call->ear.arrival);
    tl_buf_finish(&call->events);
    tl_buf_finish(&call->keys);
    free(call);
}

struct tl_tel_call *tl_tel_call_find(struct tl_tel *tel, const char *sid)
{
    if (strlen(sid) != TL_TEL_SID_SIZE - 1)
        return NULL;
    size_t index = strtoul(sid + TL_TEL_SID_SIZE - 1 - 8, NULL, 16);
    if (index >= tel->calls || !tel->call[index] || strcmp(tel->call[index]->sid, sid) != 0)
        return NULL;
    return tel->call[index];
}

/* The one place where a status changes; it never goes back. */
static void set_status(struct tl_tel_call *call, enum tl_tel_status status)
{
    if (status <= call->status || tl_tel_status_is_final(call->status))
        return;
    if (call->status == TL_TEL_PLANNED)
        call->tel->calls_active++;
    call->status = status;
    call->updated_at = tl_now_ms();
    tl_tel_call_event(call, "status", json_pack("{s:s}", "status", tl_tel_status_name(status)));
    tl_tel_callback_status(call);
}

void tl_tel_call_fields(const struct tl_tel_call *call, struct tl_tel_form *form)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        {"AccountSid", call->tel->options.account_sid},
        {"ApiVersion", "2010-04-01"},
        {"CallSid", call->sid},
        {"CallStatus", tl_tel_status_name(call->status)},
        {"Direction", tl_tel_direction_name(call->direction)},
        {"From", call->from},
        {"To", call->to},
        {"Caller", call->from},
        {"Called", call->to},
        {"FromCity", "SAN FRANCISCO"},
        {"FromState", "CA"},
        {"FromZip", "94105"},
        {"FromCountry", "US"},
        {"CallerCity", "SAN FRANCISCO"},
        {"CallerState", "CA"},
        {"CallerZip", "94105"},
        {"CallerCountry", "US"},
        {"ToCity", ""},
        {"ToState", ""},
        {"ToZip", ""},
        {"ToCountry", "US"},
        {"CalledCity", ""},
        {"CalledState", ""},
        {"CalledZip", ""},
        {"CalledCountry", "US"},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(fields); i++)
        tl_tel_form_add(form, fields[i].name, fields[i].value);
    if (call->direction == TL_TEL_INBOUND) {
        tl_tel_form_addf(form, "CallToken", "{\"parentCallInfoToken\":\"%s\"}", call->sid + 2);
        tl_tel_form_add(form, "StirVerstat", "TN-Validation-Passed-A");
    }
    if (call->caller_name)
        tl_tel_form_add(form, "CallerName", call->caller_name);
    if (call->forwarded_from)
        tl_tel_form_add(form, "ForwardedFrom", call->forwarded_from);
    if (call->parent)
        tl_tel_form_add(form, "ParentCallSid", call->parent->sid);
}

void tl_tel_call_ring_in(struct tl_tel_call *call)
{
    set_status(call, TL_TEL_RINGING);
    tl_tel_run_url(call, call->voice.url, call->voice.method, NULL);
}

static void time_is_up(void *arg)
{
    tl_tel_call_end(arg, TL_TEL_COMPLETED);
}

void tl_tel_call_answer(struct tl_tel_call *call)
{
    if (call->answered_us || tl_tel_status_is_final(call->status))
        return;
    call->answered_us = tl_mono_us();
    call->start_at = tl_now_ms();
    set_status(call, TL_TEL_IN_PROGRESS);
    if (call->time_limit_ms)
        tl_timer_start(&call->life_timer, &call->tel->loop, (uint64_t)call->time_limit_ms,
                       time_is_up, call);
    tl_tel_wheel_add(&call->tel->wheel, &call->spoke);
}

static void begin_document(struct tl_tel_call *call)
{
    if (call->voice.url)
        tl_tel_run_url(call, call->voice.url, call->voice.method, NULL);
    else if (call->twiml)
        tl_tel_run_text(call, call->twiml);
}

static void far_end_decides(void *arg)
{
    struct tl_tel_call *call = arg;
    const char *outcome = call->outcome ? call->outcome : "answer";

    if (strcmp(outcome, "busy") == 0) {
        tl_tel_call_end(call, TL_TEL_BUSY);
    } else if (strcmp(outcome, "failed") == 0) {
        tl_tel_call_end(call, TL_TEL_FAILED);
    } else if (strcmp(outcome, "no-answer") == 0 || call->ring_ms > call->ring_timeout_ms) {
        tl_tel_call_end(call, TL_TEL_NO_ANSWER);
    } else {
        tl_tel_call_answer(call);
        if (call->parent)
            tl_tel_dial_leg_answered(call);
        else
            begin_document(call);
    }
}

static void dial_out(void *arg)
{
    struct tl_tel_call *call = arg;
    bool rings_out = call->outcome && strcmp(call->outcome, "no-answer") == 0;
    int64_t ms =
        rings_out || call->ring_ms > call->ring_timeout_ms ? call->ring_timeout_ms : call->ring_ms;

    call->queue_ms = tl_tel_call_ms(call, tl_mono_us());
    set_status(call, TL_TEL_INITIATED);
    set_status(call, TL_TEL_RINGING);
    tl_timer_start(&call->life_timer, &call->tel->loop, (uint64_t)ms, far_end_decides, call);
}

/* How long the call stays in the queue: so many calls a second leave it. */
static int64_t queue_ms(struct tl_tel *tel)
{
    int64_t now_ms = tl_mono_ms();

    if (tel->options.cps <= 0)
        return 0;
    if (tel->queue_free_at_ms < now_ms)
        tel->queue_free_at_ms = now_ms;
    int64_t wait_ms = tel->queue_free_at_ms - now_ms;
    tel->queue_free_at_ms += 1000 / tel->options.cps;
    return wait_ms;
}

void tl_tel_call_place(struct tl_tel_call *call)
{
    int64_t wait_ms = call->direction == TL_TEL_OUTBOUND_API ? queue_ms(call->tel) : 0;

    set_status(call, TL_TEL_QUEUED);
    tl_timer_start(&call->life_timer, &call->tel->loop, (uint64_t)wait_ms, dial_out, call);
}

void tl_tel_call_end(struct tl_tel_call *call, enum tl_tel_status final)
{
    if (tl_tel_status_is_final(call->status))
        return;
    if (!call->answered_us && final == TL_TEL_COMPLETED)
        final = call->direction == TL_TEL_INBOUND ? TL_TEL_COMPLETED : TL_TEL_CANCELED;
    tl_tel_run_stop(call);
    call->mode = TL_TEL_MODE_OVER;
    tl_timer_stop(&call->life_timer);
    tl_tel_wheel_remove(&call->tel->wheel, &call->spoke);
    tl_tel_mouth_finish(call);
    call->ended_us = tl_mono_us();
    call->end_at = tl_now_ms();
    if (call->answered_us)
        tl_tel_ear_end(&call->ear, call->ended_us);
    set_status(call, final);
    if (call->parent)
        tl_tel_dial_leg_ended(call);
    tl_tel_ear_finish(&call->ear);
    tl_tel_call_event(call, "ended", json_pack("{s:s}", "status", tl_tel_status_name(final)));
    call->tel->calls_active--;
    tl_tel_stop_when_done(call->tel);
}

void tl_tel_call_hang_up(struct tl_tel_call *call)
{
    if (tl_tel_status_is_final(call->status))
        return;
    tl_tel_call_event(call, "hung_up", NULL);
    tl_tel_call_end(call, call->answered_us || call->direction == TL_TEL_INBOUND ? TL_TEL_COMPLETED
                                                                                 : TL_TEL_CANCELED);
}

void tl_tel_call_press(struct tl_tel_call *call, char key)
{
    char text[2] = {key, '\0'};
    json_t *line = json_pack("{s:s, s:I}", "key", text, "at_ms",
                             (json_int_t)tl_tel_call_ms(call, tl_mono_us()));

    append(call->keys_pressed, line);
    tl_tel_call_event(call, "key", line);
    if (key == 'w')
        return;
    if (call->stream)
        tl_tel_stream_key(call->stream, key);
    else if (call->mode == TL_TEL_MODE_GATHER)
        tl_tel_run_key(call, key);
}
