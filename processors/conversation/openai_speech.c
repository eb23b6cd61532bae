/* A session of the OpenAI Realtime API: connect, configure, replay the history, then sound both ways.
 * One answer at a time: VAD and we both ask for them (protocols: OpenAI, section 6.4). */
#include "processors/conversation/openai_speech.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/timer.h"
#include "net/ws.h"
#include "openai/event.h"

#define MESSAGE_BYTES_MAX (8u << 20)
#define TURN_BYTES_MAX (256u << 10)
#define HOLD_BACK_MS INT64_C(250)

enum stage {
    CONNECTING, /* until session.created */
    CONFIGURING, /* until session.updated */
    READY,
};

enum answering {
    IDLE,
    PENDING, /* asked for, response.created has not come */
    ACTIVE,
};

struct tl_speech {
    struct tl_openai_provider *provider;
    const struct tl_speech_callbacks *on;
    void *arg;
    struct tl_ws *ws; /* NULL: over */
    enum stage stage;
    enum tl_openai_dialect dialect;
    enum answering answering;
    bool wants_answer;   /* one more, when the present one is over */
    bool cancelled;      /* the pending one is not wanted any more */
    bool fatal;          /* an error said that reconnecting is useless */
    char *instructions;  /* of the session */
    char *wanted_more;   /* for the next answer; NULL: nothing */
    char response_id[64];
    char request[24];    /* of ours that is pending */
    unsigned requests;
    char summary_request[24];
    char model[64], transcription_model[64];
    struct tl_openai_session detection; /* of turns; its strings: `eagerness` */
    char eagerness[16];
    struct tl_buf first;  /* session.update and the history, sent after session.created */
    size_t first_update_len;
    struct tl_buf out, audio;
    struct tl_timer watchdog;
    int64_t expires_at_ms;
};

static void send_out(struct tl_speech *s)
{
    if (s->ws && tl_ws_is_open(s->ws) &&
        tl_ws_send(s->ws, true, s->out.data, s->out.len) != TL_OK)
        tl_ws_close(s->ws, 1001, "the socket is full"); /* it does not read: open another one */
}

static struct tl_buf *begin(struct tl_speech *s)
{
    tl_buf_reset(&s->out);
    return &s->out;
}

/* ---- answers, one at a time ---- */

static void ask(struct tl_speech *s);

static void on_watchdog(void *arg)
{
    struct tl_speech *s = arg;

    if (s->stage != READY) { /* a socket, but nobody behind it */
        tl_ws_abort(s->ws);
        return;
    }
    tl_log_warn(s->provider->log, "ai.no_answer", TL_STR("response_id", s->response_id));
    if (s->answering == ACTIVE) {
        tl_openai_response_cancel(begin(s), s->response_id);
        send_out(s);
    }
    s->answering = IDLE;
    s->on->on_response_done(s->arg, true, "timeout");
}

static void watch(struct tl_speech *s)
{
    tl_timer_start(&s->watchdog, tl_net_loop(s->provider->net),
                   (uint64_t)s->provider->settings->response_timeout_ms, on_watchdog, s);
}

static void ask(struct tl_speech *s)
{
    struct tl_buf text;

    s->answering = PENDING;
    s->cancelled = false;
    s->wants_answer = false;
    (void)snprintf(s->request, sizeof(s->request), "r%u", ++s->requests);
    tl_buf_init(&text, 2 * TURN_BYTES_MAX);
    if (s->wanted_more)
        tl_buf_printf(&text, "%s\n\n%s", s->instructions, s->wanted_more);
    tl_openai_response_create(begin(s), s->wanted_more ? tl_buf_str(&text) : NULL, s->request);
    tl_buf_finish(&text);
    free(s->wanted_more);
    s->wanted_more = NULL;
    send_out(s);
    watch(s);
}

static void speech_respond(struct tl_speech *s, const char *more)
{
    if (more) {
        free(s->wanted_more);
        s->wanted_more = strdup(more);
    }
    if (s->answering == IDLE && s->stage == READY)
        ask(s);
    else
        s->wants_answer = true; /* repeats merge */
}

static void speech_cancel(struct tl_speech *s)
{
    s->wants_answer = false;
    if (s->answering == ACTIVE) {
        tl_openai_response_cancel(begin(s), s->response_id);
        send_out(s);
    } else if (s->answering == PENDING) {
        s->cancelled = true; /* a cancel before response.created would be lost */
    }
}

static void on_response_created(struct tl_speech *s, const struct tl_openai_event *e)
{
    if (e->is_out_of_band)
        return;
    (void)snprintf(s->response_id, sizeof(s->response_id), "%s", e->response_id);
    bool is_ours = strcmp(e->metadata_request, s->request) == 0;
    if (s->answering == PENDING && !is_ours)
        s->wants_answer = true; /* another one came first: ours will be refused */
    s->answering = ACTIVE;
    watch(s);
    if (is_ours && s->cancelled)
        speech_cancel(s);
}

static void report_usage(struct tl_speech *s, const struct tl_openai_event *e, const char *kind,
                         const char *model)
{
    if (!e->has_usage)
        return;
    const struct tl_usage usage = {.provider = "openai",
                                   .model = model,
                                   .kind = kind,
                                   .input_text_tokens = e->usage.input_text_tokens,
                                   .input_audio_tokens = e->usage.input_audio_tokens,
                                   .cached_text_tokens = e->usage.cached_text_tokens,
                                   .cached_audio_tokens = e->usage.cached_audio_tokens,
                                   .output_text_tokens = e->usage.output_text_tokens,
                                   .output_audio_tokens = e->usage.output_audio_tokens,
                                   .transcription_seconds = e->usage.transcription_seconds};
    s->on->on_usage(s->arg, &usage);
}

static void on_call(void *arg, const char *item_id, const char *call_id, const char *name,
                    const char *arguments)
{
    struct tl_speech *s = arg;

    (void)item_id;
    s->on->on_tool(s->arg, call_id, name, arguments);
}

static void on_response_done(struct tl_speech *s, const struct tl_openai_event *e)
{
    bool is_summary = s->summary_request[0] && strcmp(e->metadata_request, s->summary_request) == 0;

    report_usage(s, e, "response", s->model);
    if (is_summary || e->is_out_of_band) {
        s->summary_request[0] = '\0';
        bool ok = e->status == TL_OPENAI_RESPONSE_COMPLETED && *e->output_text;
        s->on->on_text(s->arg, ok ? e->output_text : NULL);
        return;
    }
    tl_timer_stop(&s->watchdog);
    s->answering = IDLE;
    s->response_id[0] = '\0';
    bool failed = e->status == TL_OPENAI_RESPONSE_FAILED;
    if (failed && tl_openai_error_severity(e->error_type, e->error_code) == TL_OPENAI_FATAL)
        s->fatal = true;
    if (failed)
        tl_counter_add(tl_counter_of(s->provider->errors, *e->error_code ? e->error_code : "other"),
                       1);
    if (e->status == TL_OPENAI_RESPONSE_COMPLETED)
        tl_openai_event_calls(e, on_call, s);
    s->on->on_response_done(s->arg, failed, failed ? e->error_code : e->status_reason);
    if (s->fatal && s->ws)
        tl_ws_close(s->ws, 1000, "account");
    else if (s->wants_answer && s->answering == IDLE)
        ask(s);
}

/* ---- events ---- */

static void on_session_created(struct tl_speech *s, const struct tl_openai_event *e)
{
    s->expires_at_ms = e->expires_at_s * 1000;
    if (s->stage != CONNECTING)
        return;
    s->stage = CONFIGURING;
    s->provider->refusals = 0;
    s->provider->must_wait = false;
    if (tl_ws_send(s->ws, true, s->first.data, s->first_update_len) != TL_OK)
        tl_ws_close(s->ws, 1001, "the socket is full");
}

/* The history follows as soon as the settings are in force; the provider takes it in order. */
static void send_history(struct tl_speech *s)
{
    const char *p = (const char *)s->first.data + s->first_update_len;
    const char *end = (const char *)s->first.data + s->first.len;

    while (p < end) { /* events are parted by NUL */
        size_t len = strlen(p);
        if (len && tl_ws_send(s->ws, true, p, len) != TL_OK)
            break;
        p += len + 1;
    }
    tl_buf_finish(&s->first);
    tl_buf_init(&s->first, TURN_BYTES_MAX);
}

static void on_session_updated(struct tl_speech *s, const struct tl_openai_event *e)
{
    if (e->expires_at_s)
        s->expires_at_ms = e->expires_at_s * 1000;
    if (s->stage != CONFIGURING)
        return;
    if (strcmp(e->input_format, "audio/pcmu") != 0 || strcmp(e->output_format, "audio/pcmu") != 0) {
        tl_log_error(s->provider->log, "ai.format_refused", TL_STR("input", e->input_format),
                     TL_STR("output", e->output_format));
        s->fatal = true;
        tl_ws_close(s->ws, 1000, "format");
        return;
    }
    send_history(s);
    s->stage = READY;
    tl_timer_stop(&s->watchdog);
    s->on->on_ready(s->arg);
    if (s->ws && s->wants_answer && s->answering == IDLE)
        ask(s);
}

static void on_error(struct tl_speech *s, const struct tl_openai_event *e)
{
    const char *code = *e->error_code ? e->error_code : "other";
    enum tl_openai_severity severity = tl_openai_error_severity(e->error_type, e->error_code);

    tl_counter_add(tl_counter_of(s->provider->errors, code), 1);
    if (strcmp(code, "conversation_already_has_active_response") == 0) {
        if (strcmp(e->error_event_id, s->request) == 0 && !s->cancelled)
            s->wants_answer = true; /* ours lost the race */
        return;
    }
    if (strcmp(code, "response_cancel_not_active") == 0 ||
        strcmp(code, "input_audio_buffer_commit_empty") == 0)
        return;
    bool is_summary = s->summary_request[0] && strcmp(e->error_event_id, s->summary_request) == 0;
    tl_log_warn(s->provider->log, "ai.error", TL_STR("type", e->error_type), TL_STR("code", code),
                TL_STR("message", e->error_message), TL_STR("event_id", e->error_event_id));
    if (strcmp(e->error_event_id, "session") == 0 && s->stage == CONFIGURING) {
        s->fatal = true; /* our settings were refused as a whole */
        tl_ws_close(s->ws, 1000, "settings");
    } else if (severity == TL_OPENAI_FATAL) {
        s->fatal = true;
        tl_ws_close(s->ws, 1000, code);
    } else if (severity == TL_OPENAI_RECONNECT) {
        tl_ws_close(s->ws, 1000, code);
    } else if (is_summary) {
        s->summary_request[0] = '\0';
        s->on->on_text(s->arg, NULL);
    } else if (s->answering == PENDING && strcmp(e->error_event_id, s->request) == 0) {
        tl_timer_stop(&s->watchdog);
        s->answering = IDLE;
        s->on->on_response_done(s->arg, true, code);
    }
}

static void dispatch(struct tl_speech *s, const struct tl_openai_event *e)
{
    const struct tl_speech_callbacks *on = s->on;

    switch (e->kind) {
    case TL_OPENAI_SESSION_CREATED:
        on_session_created(s, e);
        break;
    case TL_OPENAI_SESSION_UPDATED:
        on_session_updated(s, e);
        break;
    case TL_OPENAI_ERROR:
        on_error(s, e);
        break;
    case TL_OPENAI_SPEECH_STARTED:
        on->on_speech_started(s->arg, e->item_id, e->audio_ms);
        break;
    case TL_OPENAI_SPEECH_STOPPED:
        on->on_speech_stopped(s->arg, e->item_id, e->audio_ms);
        break;
    case TL_OPENAI_INPUT_COMMITTED:
        on->on_committed(s->arg, e->item_id);
        break;
    case TL_OPENAI_TRANSCRIPTION_DELTA:
        on->on_words(s->arg, e->item_id, e->text);
        break;
    case TL_OPENAI_TRANSCRIPTION_COMPLETED:
        report_usage(s, e, "transcription", s->transcription_model);
        on->on_transcript(s->arg, e->item_id, e->text);
        break;
    case TL_OPENAI_TRANSCRIPTION_FAILED:
        tl_counter_add(tl_counter_of(s->provider->errors, "transcription_failed"), 1);
        on->on_transcript(s->arg, e->item_id, NULL);
        break;
    case TL_OPENAI_RESPONSE_CREATED:
        on_response_created(s, e);
        break;
    case TL_OPENAI_OUTPUT_ITEM_ADDED:
        if (strcmp(e->item_type, "message") == 0 && s->answering != IDLE)
            on->on_answer(s->arg, e->item_id, e->response_id);
        break;
    case TL_OPENAI_AUDIO_DELTA:
        watch(s); /* the rest may stay away too */
        on->on_answer_sound(s->arg, e->item_id, e->audio);
        break;
    case TL_OPENAI_AUDIO_TRANSCRIPT_DELTA:
        on->on_answer_words(s->arg, e->item_id, e->text);
        break;
    case TL_OPENAI_OUTPUT_ITEM_DONE:
        if (strcmp(e->item_type, "message") == 0)
            on->on_answer_done(s->arg, e->item_id);
        break;
    case TL_OPENAI_RESPONSE_DONE:
        on_response_done(s, e);
        break;
    default:
        break;
    }
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct tl_speech *s = arg;
    struct tl_openai_event e;
    struct tl_error err;

    (void)ws;
    if (!s || !is_text)
        return;
    if (tl_openai_event_parse(data, len, &s->audio, &e, &err) != TL_OK) {
        tl_counter_add(tl_counter_of(s->provider->errors, "malformed"), 1);
        tl_log_warn(s->provider->log, "ai.event_unreadable, skipped", TL_STR("error", err.msg));
        return;
    }
    dispatch(s, &e);
    tl_openai_event_finish(&e);
}

/* Too many requests: all calls of this process hold back, for each would only make it worse. Those that
 * were refused together count once. */
static void hold_back(struct tl_openai_provider *p, int retry_after_s)
{
    int64_t now_ms = tl_mono_ms(), until_ms = now_ms + retry_after_s * INT64_C(1000);

    if (retry_after_s && until_ms > p->not_before_ms) {
        p->not_before_ms = until_ms;
    } else if (!retry_after_s && now_ms >= p->not_before_ms) {
        p->not_before_ms = now_ms + (p->refusals ? 2 : 1) * HOLD_BACK_MS; /* living calls cannot wait long */
        p->refusals++;
    }
    p->must_wait = p->must_wait || retry_after_s > 0;
}

static int64_t provider_not_before_ms(void *self, bool *ret_must_wait)
{
    const struct tl_openai_provider *p = self;

    *ret_must_wait = p->must_wait;
    return p->not_before_ms;
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *close)
{
    struct tl_speech *s = arg;
    enum tl_speech_end end = TL_SPEECH_RECONNECT;

    (void)ws;
    if (!s) /* we closed it, and have forgotten it */
        return;
    s->ws = NULL;
    tl_timer_stop(&s->watchdog);
    if (close->http_status == 429)
        hold_back(s->provider, close->retry_after_s);
    if (s->fatal ||
        tl_openai_close_severity(close->http_status, close->code) == TL_OPENAI_FATAL)
        end = TL_SPEECH_FATAL;
    s->on->on_closed(s->arg, end, close->reason);
}

static const struct tl_ws_callbacks ws_callbacks = {.on_message = on_message, .on_close = on_close};

/* ---- verbs ---- */

static void prepare(struct tl_speech *s, const struct tl_speech_options *o)
{
    tl_openai_session_update(&s->first, o->dialect, &o->session);
    s->first_update_len = s->first.len;
    for (size_t i = 0; i < o->history_n; i++) {
        tl_openai_item_message(&s->first, o->dialect,
                               o->history[i].speaker == TL_SPEAKER_CUSTOMER ? "user" : "assistant",
                               o->history[i].text, NULL);
        tl_buf_add_char(&s->first, '\0');
    }
}

static void speech_close(struct tl_speech *s)
{
    if (!s)
        return;
    if (s->ws) {
        tl_ws_set_arg(s->ws, NULL);
        tl_ws_close(s->ws, 1000, NULL);
    }
    tl_timer_finish(&s->watchdog);
    tl_buf_finish(&s->first);
    tl_buf_finish(&s->out);
    tl_buf_finish(&s->audio);
    free(s->instructions);
    free(s->wanted_more);
    free(s);
}

static enum tl_status speech_open(void *self, const struct tl_speech_options *o,
                                  struct tl_speech **ret_speech, struct tl_error *err)
{
    struct tl_openai_provider *provider = self;
    const struct tl_openai_settings *settings = provider->settings;
    char url[1024], authorization[512];
    struct tl_http_header headers[5] = {{"Authorization", authorization}};
    size_t n = 1;
    struct tl_speech *s;

    if (tl_mono_ms() < provider->not_before_ms)
        return tl_fail(err, TL_RETRY, "the AI service had too many requests");
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->provider = provider;
    s->on = o->callbacks;
    s->arg = o->arg;
    s->dialect = o->dialect;
    s->instructions = strdup(o->session.instructions);
    s->detection = (struct tl_openai_session){.semantic_vad = o->session.semantic_vad,
                                              .vad_threshold = o->session.vad_threshold,
                                              .vad_prefix_ms = o->session.vad_prefix_ms,
                                              .vad_silence_ms = o->session.vad_silence_ms};
    (void)snprintf(s->eagerness, sizeof(s->eagerness), "%s", o->session.eagerness);
    (void)snprintf(s->model, sizeof(s->model), "%s", o->model);
    (void)snprintf(s->transcription_model, sizeof(s->transcription_model), "%s",
                   o->session.transcription_model);
    tl_buf_init(&s->first, 2u << 20);
    tl_buf_init(&s->out, TURN_BYTES_MAX * 2);
    tl_buf_init(&s->audio, MESSAGE_BYTES_MAX);
    prepare(s, o);
    (void)snprintf(url, sizeof(url), "%s?model=%s", settings->url, o->model);
    (void)snprintf(authorization, sizeof(authorization), "Bearer %s", settings->key);
    if (*settings->organization)
        headers[n++] = (struct tl_http_header){"OpenAI-Organization", settings->organization};
    if (*settings->project)
        headers[n++] = (struct tl_http_header){"OpenAI-Project", settings->project};
    if (o->dialect == TL_OPENAI_BETA)
        headers[n++] = (struct tl_http_header){"OpenAI-Beta", "realtime=v1"};
    const struct tl_ws_connect_options connect = {
        .url = url,
        .headers = headers,
        .timeout_ms = (unsigned)settings->connect_timeout_ms,
        .callbacks = &ws_callbacks,
        .arg = s,
        .limits = {.queue_bytes = 4u << 20, .message_bytes = MESSAGE_BYTES_MAX,
                   .keepalive_ms = 3000, .keepalive_timeout_ms = 2000}};
    enum tl_status st = tl_ws_connect(provider->net, &connect, &s->ws, err);
    if (st != TL_OK) {
        speech_close(s);
        return st;
    }
    tl_timer_start(&s->watchdog, tl_net_loop(provider->net),
                   (uint64_t)settings->connect_timeout_ms * 3 / 2, on_watchdog, s);
    *ret_speech = s;
    return TL_OK;
}

static void speech_append(struct tl_speech *s, struct tl_bytes audio)
{
    tl_openai_append(begin(s), audio);
    send_out(s);
}

static void speech_set_answering(struct tl_speech *s, bool answers)
{
    s->detection.create_response = answers;
    s->detection.eagerness = s->eagerness;
    tl_openai_turn_detection(begin(s), s->dialect, &s->detection);
    send_out(s);
}

static void speech_truncate(struct tl_speech *s, const char *item_id, int64_t heard_ms)
{
    if (heard_ms > 0)
        tl_openai_item_truncate(begin(s), item_id, heard_ms);
    else
        tl_openai_item_delete(begin(s), item_id);
    send_out(s);
}

static void speech_tool_output(struct tl_speech *s, const char *provider_call_id,
                               const char *output, bool respond)
{
    tl_openai_item_output(begin(s), provider_call_id, output);
    send_out(s);
    if (respond)
        speech_respond(s, NULL);
}

static void speech_summarise(struct tl_speech *s, const char *instructions, const char *text)
{
    (void)snprintf(s->summary_request, sizeof(s->summary_request), "s%u", ++s->requests);
    tl_openai_response_create_text(begin(s), s->dialect, instructions, text, s->summary_request);
    send_out(s);
}

static void speech_forget(struct tl_speech *s, const char *item_id)
{
    tl_openai_item_delete(begin(s), item_id);
    send_out(s);
}

static void speech_remember(struct tl_speech *s, enum tl_speaker speaker, const char *text)
{
    const char *role = speaker == TL_SPEAKER_CUSTOMER  ? "user"
                       : speaker == TL_SPEAKER_UNKNOWN ? "system"
                                                       : "assistant";
    if (s->stage == READY) {
        tl_openai_item_message(begin(s), s->dialect, role, text, NULL);
        send_out(s);
    } else { /* behind the history */
        tl_openai_item_message(&s->first, s->dialect, role, text, NULL);
        tl_buf_add_char(&s->first, '\0');
    }
}

static bool speech_is_answering(const struct tl_speech *s)
{
    return s->answering != IDLE || s->wants_answer;
}

static int64_t speech_expires_at_ms(const struct tl_speech *s)
{
    return s->expires_at_ms;
}

const struct tl_speech_driver tl_openai_speech_driver = {
    .open = speech_open,
    .not_before_ms = provider_not_before_ms,
    .append = speech_append,
    .respond = speech_respond,
    .set_answering = speech_set_answering,
    .cancel = speech_cancel,
    .truncate = speech_truncate,
    .tool_output = speech_tool_output,
    .summarise = speech_summarise,
    .forget = speech_forget,
    .remember = speech_remember,
    .is_answering = speech_is_answering,
    .expires_at_ms = speech_expires_at_ms,
    .close = speech_close,
};
