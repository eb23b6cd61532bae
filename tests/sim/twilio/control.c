/* The control API: calls are started, watched and hurt. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call.h"
#include "conference.h"
#include "report.h"
#include "stream.h"

#define BATCH_MAX 50000

/* ---- starting calls ---- */

static void ring(void *arg)
{
    struct tl_tel_call *call = arg;

    tl_timer_stop(&call->life_timer);
    call->created_us = tl_mono_us();
    call->created_at = tl_now_ms();
    tl_tel_call_ring_in(call);
}

static const char *text_of(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

static int64_t number_of(const json_t *body, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(body, name);

    return json_is_number(value) ? (int64_t)json_number_value(value) : fallback;
}

static void configure(struct tl_tel_call *call, const json_t *body,
                      const struct tl_tel_number *number)
{
    const char *url = text_of(body, "voice_url");
    const char *fallback = text_of(body, "fallback_url");
    const char *status = text_of(body, "status_url");

    if (url || number)
        tl_tel_target_set(&call->voice, url ? url : number->voice_url,
                          url ? text_of(body, "voice_method") : number->voice_method);
    if (fallback || number)
        tl_tel_target_set(&call->fallback, fallback ? fallback : number->fallback_url,
                          fallback ? NULL : number->fallback_method);
    if (status || number)
        tl_tel_target_set(&call->status_callback, status ? status : number->status_url,
                          status ? NULL : number->status_method);
    const char *name = text_of(body, "caller_name"), *forwarded = text_of(body, "forwarded_from");
    call->caller_name = name ? strdup(name) : NULL;
    call->forwarded_from = forwarded ? strdup(forwarded) : NULL;
    call->keep_frames = json_is_true(json_object_get(body, "frames"));
    call->ear.keep_arrivals = call->keep_frames;
    call->ear.keep_audio = json_is_true(json_object_get(body, "record"));
    call->ear.gap_min_ms = number_of(body, "gap_min_ms", call->ear.gap_min_ms);
    call->time_limit_ms = number_of(body, "max_ms", INT64_C(4) * 3600 * 1000);
    const char *start = text_of(body, "start");
    call->starts_at_answer = start && strcmp(start, "answer") == 0;
}

static enum tl_status make_call(struct tl_tel *tel, const json_t *body, size_t n,
                                struct tl_tel_call **ret_call, struct tl_error *err)
{
    const char *to = text_of(body, "to"), *from = text_of(body, "from");
    struct tl_tel_number *number = tl_tel_number_find(tel, to);
    struct tl_tel_script script = {0};
    char caller[64];

    if ((!number || !*number->voice_url) && !text_of(body, "voice_url"))
        return tl_fail(err, TL_NOT_FOUND, "nobody has the number %s, or it has no voice URL", to);
    enum tl_status st =
        tl_tel_script_parse(tel->voices, json_object_get(body, "script"), n, &script, err);
    if (st != TL_OK)
        return st;
    if (from)
        (void)snprintf(caller, sizeof(caller), "%s", from);
    else
        (void)snprintf(caller, sizeof(caller), "+1415%07zu", n % 10000000);
    struct tl_tel_call *call = tl_tel_call_create(tel, TL_TEL_INBOUND, caller, to);
    call->mouth.script = script;
    configure(call, body, number);
    *ret_call = call;
    return TL_OK;
}

enum tl_status tl_tel_control_start_calls(struct tl_tel *tel, const json_t *body, json_t **ret_sids,
                                          struct tl_error *err)
{
    const json_t *scripts = json_object_get(body, "scripts"); /* one for each call, in turn */
    int64_t count = number_of(body, "count", 1);
    double rate = json_number_value(json_object_get(body, "rate"));
    int64_t first = number_of(body, "first_n", 1);

    if (!json_is_object(body) || !text_of(body, "to") || count < 1 || count > BATCH_MAX ||
        tel->calls + (size_t)count > TL_TEL_CALLS_MAX)
        return tl_fail(err, TL_INVALID, "a call has \"to\"; \"count\" is 1 to %d", BATCH_MAX);
    json_t *sids = json_array(), *one = json_copy((json_t *)body);
    for (int64_t i = 0; i < count; i++) {
        struct tl_tel_call *call = NULL;
        if (json_array_size(scripts))
            json_object_set(one, "script",
                            json_array_get(scripts, (size_t)i % json_array_size(scripts)));
        enum tl_status st = make_call(tel, one, (size_t)(first + i), &call, err);
        if (st != TL_OK) {
            json_decref(one);
            json_decref(sids);
            return st; /* it is the first: they differ by numbers only, or its script is wrong */
        }
        int64_t delay_ms = rate > 0 ? (int64_t)((double)i * 1000 / rate) : 0;
        tl_timer_start(&call->life_timer, &tel->loop, (uint64_t)delay_ms, ring, call);
        json_array_append_new(sids, json_string(call->sid));
    }
    json_decref(one);
    *ret_sids = sids;
    return TL_OK;
}

/* ---- answers ---- */

static void answer_json(struct tl_http_exchange *x, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    json_decref(body);
    if (!text)
        abort();
    tl_http_respond(x, status, "application/json", text, strlen(text), NULL);
    free(text);
}

static void answer_error(struct tl_http_exchange *x, const struct tl_error *err)
{
    tl_http_problem(x, tl_http_status_of(err->status), tl_status_name(err->status), err->msg);
}

/* NULL: it is no JSON object, the answer is given. */
static json_t *read_body(struct tl_http_exchange *x)
{
    struct tl_bytes body = tl_http_request_body(tl_http_exchange_request(x));
    json_error_t why;
    json_t *out = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &why);

    if (!json_is_object(out)) {
        json_decref(out);
        tl_http_problem(x, 400, "Not a JSON object", why.text);
        return NULL;
    }
    return out;
}

static void post_calls(struct tl_tel *tel, struct tl_http_exchange *x)
{
    json_t *body = read_body(x), *sids = NULL;
    struct tl_error err;

    if (!body)
        return;
    if (tl_tel_control_start_calls(tel, body, &sids, &err) == TL_OK)
        answer_json(x, 201, json_pack("{s:o}", "calls", sids));
    else
        answer_error(x, &err);
    json_decref(body);
}

static void get_calls(struct tl_tel *tel, struct tl_http_exchange *x)
{
    const char *active = tl_http_request_arg(tl_http_exchange_request(x), "active");
    json_t *calls = json_array();

    for (size_t i = 0; i < tel->calls; i++)
        if (!active || !tl_tel_status_is_final(tel->call[i]->status))
            json_array_append_new(calls, tl_tel_report_line(tel->call[i]));
    answer_json(x, 200,
                json_pack("{s:o, s:I, s:I, s:I}", "calls", calls, "total", (json_int_t)tel->calls,
                          "active", (json_int_t)tel->calls_active, "tick_late_max_us",
                          (json_int_t)tel->wheel.late_max_us));
}

static void get_faults(struct tl_tel *tel, struct tl_http_exchange *x)
{
    answer_json(x, 200, tl_tel_faults_json(&tel->faults));
}

static void post_faults(struct tl_tel *tel, struct tl_http_exchange *x)
{
    json_t *body = read_body(x);
    struct tl_error err;

    if (!body)
        return;
    if (tl_tel_faults_set(&tel->faults, body, &err) == TL_OK)
        get_faults(tel, x);
    else
        answer_error(x, &err);
    json_decref(body);
}

static void post_destinations(struct tl_tel *tel, struct tl_http_exchange *x)
{
    json_t *body = read_body(x);
    struct tl_tel_script script = {0};
    struct tl_error err;

    if (!body)
        return;
    enum tl_status st =
        tl_tel_script_parse(tel->voices, json_object_get(body, "script"), 0, &script, &err);
    tl_tel_script_finish(&script);
    if (st == TL_OK)
        st = tl_tel_destination_set(tel, body, &err);
    if (st == TL_OK)
        answer_json(x, 200, json_object());
    else
        answer_error(x, &err);
    json_decref(body);
}

/* Teaches the ear a sentence of the AI (or prepares one of the caller). */
static void post_phrases(struct tl_tel *tel, struct tl_http_exchange *x)
{
    json_t *body = read_body(x);
    const struct tl_speech *speech = NULL;
    const char *text, *voice;
    struct tl_error err;

    if (!body)
        return;
    text = text_of(body, "text");
    voice = text_of(body, "voice");
    if (!text) {
        tl_http_problem(x, 400, "A phrase has a text", NULL);
    } else if (tl_speech_bank_say(tel->bank,
                                  voice && strcmp(voice, "caller") == 0 ? TL_SPEECH_CALLER
                                                                        : TL_SPEECH_AI,
                                  text, &speech, &err) == TL_OK) {
        answer_json(x, 200,
                    json_pack("{s:I, s:I}", "bytes", (json_int_t)speech->len, "sound_bytes",
                              (json_int_t)speech->sound_len));
    } else {
        answer_error(x, &err);
    }
    json_decref(body);
}

/* {"told": bool}: whether scripts hang up that wait for it. */
static void post_told(struct tl_tel *tel, struct tl_http_exchange *x)
{
    json_t *body = read_body(x);

    if (!body)
        return;
    tel->is_told = json_is_true(json_object_get(body, "told"));
    answer_json(x, 200, json_pack("{s:b}", "told", tel->is_told));
    json_decref(body);
}

static void get_conferences(struct tl_tel *tel, struct tl_http_exchange *x)
{
    answer_json(x, 200, json_pack("{s:o}", "conferences", tl_tel_conferences_json(tel)));
}

static void get_health(struct tl_tel *tel, struct tl_http_exchange *x)
{
    answer_json(x, 200,
                json_pack("{s:s, s:I}", "status", "ok", "active", (json_int_t)tel->calls_active));
}

/* ---- one call ---- */

static void get_call(struct tl_tel_call *call, struct tl_http_exchange *x)
{
    const char *frames = tl_http_request_arg(tl_http_exchange_request(x), "frames");

    answer_json(x, 200, tl_tel_report_call(call, frames && strcmp(frames, "1") == 0));
}

static void get_events(struct tl_tel_call *call, struct tl_http_exchange *x)
{
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *from = tl_http_request_arg(r, "from"), *wait = tl_http_request_arg(r, "wait_ms");

    tl_tel_report_events(call, x, from ? strtoul(from, NULL, 10) : 0,
                         wait ? strtol(wait, NULL, 10) : 0);
}

static void get_audio(struct tl_tel_call *call, struct tl_http_exchange *x)
{
    if (!call->ear.keep_audio)
        tl_http_problem(x, 404, "Not recorded", "start the call with \"record\": true");
    else
        tl_http_respond(x, 200, "audio/basic", call->ear.audio.data, call->ear.audio.len, NULL);
}

static void post_hang_up(struct tl_tel_call *call, struct tl_http_exchange *x)
{
    tl_tel_call_hang_up(call);
    answer_json(x, 200, tl_tel_report_line(call));
}

static void post_call_faults(struct tl_tel_call *call, struct tl_http_exchange *x)
{
    json_t *body = read_body(x);
    struct tl_error err;

    if (!body)
        return;
    enum tl_status st = call->stream ? tl_tel_stream_fault(call->stream, body, &err)
                                     : tl_fail(&err, TL_CONFLICT, "the call has no stream");
    if (st == TL_OK)
        answer_json(x, 200, json_object());
    else
        answer_error(x, &err);
    json_decref(body);
}

/* ---- routes ---- */

static const struct {
    const char *method, *path;
    void (*answer)(struct tl_tel *tel, struct tl_http_exchange *x);
} ROUTES[] = {
    {"GET", "/healthz", get_health},    {"GET", "/calls", get_calls},
    {"POST", "/calls", post_calls},     {"GET", "/faults", get_faults},
    {"POST", "/faults", post_faults},   {"POST", "/destinations", post_destinations},
    {"POST", "/phrases", post_phrases}, {"GET", "/conferences", get_conferences},
    {"POST", "/told", post_told},
};

static const struct {
    const char *method, *tail;
    void (*answer)(struct tl_tel_call *call, struct tl_http_exchange *x);
} CALL_ROUTES[] = {
    {"GET", "", get_call},
    {"GET", "/events", get_events},
    {"GET", "/audio", get_audio},
    {"POST", "/hangup", post_hang_up},
    {"POST", "/faults", post_call_faults},
};

static bool route_call(struct tl_tel *tel, struct tl_http_exchange *x, const char *method,
                       const char *path)
{
    char sid[TL_TEL_SID_SIZE];
    size_t n = strcspn(path, "/");

    if (n != TL_TEL_SID_SIZE - 1)
        return false;
    memcpy(sid, path, n);
    sid[n] = '\0';
    struct tl_tel_call *call = tl_tel_call_find(tel, sid);
    for (size_t i = 0; call && i < TL_ARRAY_LEN(CALL_ROUTES); i++) {
        if (strcmp(CALL_ROUTES[i].method, method) != 0 ||
            strcmp(CALL_ROUTES[i].tail, path + n) != 0)
            continue;
        CALL_ROUTES[i].answer(call, x);
        return true;
    }
    return false;
}

void tl_tel_control_request(void *arg, struct tl_http_exchange *x)
{
    struct tl_tel *tel = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *method = tl_http_request_method(r), *path = tl_http_request_path(r);

    for (size_t i = 0; i < TL_ARRAY_LEN(ROUTES); i++) {
        if (strcmp(ROUTES[i].method, method) == 0 && strcmp(ROUTES[i].path, path) == 0) {
            ROUTES[i].answer(tel, x);
            return;
        }
    }
    if (strncmp(path, "/calls/", 7) == 0 && route_call(tel, x, method, path + 7))
        return;
    tl_http_problem(x, 404, "No such thing", path);
}
