/* Media streams: the socket to the media server, what is sent and what is refused.
 *
 *   connecting ──open──▶ started ──stop()──▶ stopping ──▶ closed
 *                           └──────── the server closes ──▶ closed: the call is told */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "base/time.h"
#include "callback.h"
#include "net/ws.h"
#include "run.h"
#include "signer.h"
#include "voice.h"

#define MEDIA_MAX (1 << 20)

struct tl_tel_stream {
    struct tl_tel_call *call;
    struct tl_ws *ws;
    char sid[TL_TEL_SID_SIZE];
    char *url, *name;
    struct tl_tel_target callback;
    json_t *parameters;
    struct tl_timer timer; /* to fail from the loop */
    bool is_started, is_stopped, is_half_open;
    unsigned long sequence, chunk, timestamp_ms;
    int64_t opened_us, started_us;
    uint64_t media_in, media_bytes, marks_in, clears_in, media_out;
    bool told_protocol, told_undecodable, told_full; /* errors that the callback tells once */
    json_t *errors;                                  /* code → count */
    const char *early_error;
    int early_code;
};

bool tl_tel_stream_is_started(const struct tl_tel_stream *s)
{
    return s && s->is_started && !s->is_stopped;
}

const char *tl_tel_stream_sid(const struct tl_tel_stream *s)
{
    return s->sid;
}

static bool send_text(struct tl_tel_stream *s, const char *text, size_t len)
{
    return s->ws && !s->is_half_open && tl_ws_send(s->ws, true, text, len) == TL_OK;
}

static void count_error(struct tl_tel_stream *s, int code, const char *what)
{
    char key[16];

    (void)snprintf(key, sizeof(key), "%d", code);
    json_int_t n = json_integer_value(json_object_get(s->errors, key));
    json_object_set_new(s->errors, key, json_integer(n + 1));
    if (n < 20)
        tl_tel_call_error(s->call, code, "stream %s: %s", s->sid, what);
}

/* An error of a running stream: counted always, told to the status callback once. */
static void stream_error(struct tl_tel_stream *s, int code, bool *told, const char *what)
{
    char text[256];

    count_error(s, code, what);
    if (*told)
        return;
    *told = true;
    (void)snprintf(text, sizeof(text), "%d %s", code, what);
    tl_tel_callback_stream(s->call, &s->callback, s->sid, s->name, "stream-error", text);
}

static void protocol_error(struct tl_tel_stream *s, const char *what)
{
    stream_error(s, 31951, &s->told_protocol, what);
}

/* The object has exactly these members. */
static bool has_only(const json_t *object, const char *const *names, size_t n)
{
    if (!json_is_object(object) || json_object_size(object) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!json_object_get(object, names[i]))
            return false;
    return true;
}

static void take_media(struct tl_tel_stream *s, const json_t *message)
{
    static const char *const members[] = {"payload"};
    struct tl_buf *decoded = &s->call->tel->scratch;
    const json_t *media = json_object_get(message, "media");
    const json_t *payload = json_object_get(media, "payload");
    size_t len = 0;

    if (!has_only(media, members, 1) || !json_is_string(payload)) {
        protocol_error(s, "media is not {\"payload\": text}");
        return;
    }
    tl_buf_reset(decoded);
    if (json_string_length(payload) > MEDIA_MAX ||
        !tl_tel_b64_decode(json_string_value(payload), json_string_length(payload),
                           tl_buf_reserve(decoded, MEDIA_MAX), &len) ||
        len == 0) {
        stream_error(s, 31950, &s->told_undecodable, "payload does not decode");
        return;
    }
    s->media_in++;
    s->media_bytes += len;
    if (!tl_tel_ear_media(&s->call->ear, decoded->data, len, tl_mono_us()))
        stream_error(s, 31931, &s->told_full, "over ten minutes are buffered, media dropped");
}

static void take_mark(struct tl_tel_stream *s, const json_t *message)
{
    static const char *const members[] = {"name"};
    const json_t *mark = json_object_get(message, "mark");
    const json_t *name = json_object_get(mark, "name");

    if (!has_only(mark, members, 1) || !json_is_string(name) || json_string_length(name) == 0) {
        protocol_error(s, "mark is not {\"name\": text}");
        return;
    }
    s->marks_in++;
    tl_tel_ear_mark(&s->call->ear, json_string_value(name));
}

static void take_clear(struct tl_tel_stream *s, const json_t *message)
{
    (void)message; /* it has no members of its own */
    s->clears_in++;
    tl_tel_call_event(
        s->call, "clear",
        json_pack("{s:I}", "unplayed_ms", (json_int_t)tl_tel_ear_buffered(&s->call->ear) / 8));
    tl_tel_ear_clear(&s->call->ear);
}

static const struct {
    const char *event;
    const char *members[3];
    size_t len;
    void (*take)(struct tl_tel_stream *s, const json_t *message);
} MESSAGES[] = {
    {"media", {"event", "streamSid", "media"}, 3, take_media},
    {"mark", {"event", "streamSid", "mark"}, 3, take_mark},
    {"clear", {"event", "streamSid"}, 2, take_clear},
};

static void take_message(struct tl_tel_stream *s, const json_t *message)
{
    const char *event = json_string_value(json_object_get(message, "event"));
    const char *sid = json_string_value(json_object_get(message, "streamSid"));

    for (size_t i = 0; event && i < TL_ARRAY_LEN(MESSAGES); i++) {
        if (strcmp(MESSAGES[i].event, event) != 0)
            continue;
        if (!has_only(message, MESSAGES[i].members, MESSAGES[i].len))
            protocol_error(s, "a member is missing or too many");
        else if (!sid || strcmp(sid, s->sid) != 0)
            protocol_error(s, "wrong streamSid");
        else
            MESSAGES[i].take(s, message);
        return;
    }
    protocol_error(s, "unknown event");
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct tl_tel_stream *s = arg;

    (void)ws;
    if (!s->is_started || s->is_stopped || s->is_half_open)
        return;
    if (!is_text) {
        stream_error(s, 31950, &s->told_undecodable, "a binary message");
        return;
    }
    json_t *message = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(message))
        take_message(s, message);
    else
        protocol_error(s, "not a JSON object");
    json_decref(message);
}

bool tl_tel_stream_frame(struct tl_tel_stream *s, const char *payload)
{
    char text[512];

    if (!tl_tel_stream_is_started(s))
        return false;
    s->chunk++;
    int n = snprintf(text, sizeof(text),
                     "{\"event\":\"media\",\"sequenceNumber\":\"%lu\",\"streamSid\":\"%s\","
                     "\"media\":{\"track\":\"inbound\",\"chunk\":\"%lu\",\"timestamp\":\"%lu\","
                     "\"payload\":\"%.*s\"}}",
                     ++s->sequence, s->sid, s->chunk, s->timestamp_ms, TL_TEL_FRAME_TEXT, payload);
    s->timestamp_ms += TL_TEL_FRAME_MS;
    s->media_out++;
    return send_text(s, text, (size_t)n);
}

void tl_tel_stream_skip_frame(struct tl_tel_stream *s)
{
    s->timestamp_ms += TL_TEL_FRAME_MS;
}

/* Adds "sequenceNumber" and "streamSid" and sends; takes the message. */
static void send_json(struct tl_tel_stream *s, json_t *message)
{
    char number[24];

    (void)snprintf(number, sizeof(number), "%lu", ++s->sequence);
    json_object_set_new(message, "sequenceNumber", json_string(number));
    json_object_set_new(message, "streamSid", json_string(s->sid));
    char *text = json_dumps(message, JSON_COMPACT);
    if (!text)
        abort();
    (void)send_text(s, text, strlen(text)); /* a full socket loses it, as the network would */
    free(text);
    json_decref(message);
}

void tl_tel_stream_key(struct tl_tel_stream *s, char key)
{
    char digit[2] = {key, '\0'};

    if (tl_tel_stream_is_started(s))
        send_json(s, json_pack("{s:s, s:{s:s, s:s}}", "event", "dtmf", "dtmf", "track",
                               "inbound_track", "digit", digit));
}

void tl_tel_stream_mark(struct tl_tel_stream *s, const char *name)
{
    if (tl_tel_stream_is_started(s))
        send_json(s, json_pack("{s:s, s:{s:s}}", "event", "mark", "mark", "name", name));
}

static void send_start(struct tl_tel_stream *s)
{
    static const char connected[] =
        "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";

    (void)send_text(s, connected, sizeof(connected) - 1); /* the socket has just been opened */
    send_json(s, json_pack("{s:s, s:{s:s, s:s, s:s, s:[s], s:O, s:{s:s, s:i, s:i}}}", "event",
                           "start", "start", "accountSid", s->call->tel->options.account_sid,
                           "streamSid", s->sid, "callSid", s->call->sid, "tracks", "inbound",
                           "customParameters", s->parameters, "mediaFormat", "encoding",
                           "audio/x-mulaw", "sampleRate", 8000, "channels", 1));
}

static void on_open(void *arg, struct tl_ws *ws)
{
    struct tl_tel_stream *s = arg;

    (void)ws;
    if (s->is_stopped)
        return;
    s->started_us = tl_mono_us();
    send_start(s);
    s->is_started = true;
    s->call->streams_started++;
    tl_tel_call_event(s->call, "stream.started",
                      json_pack("{s:s, s:s}", "stream_sid", s->sid, "url", s->url));
    tl_tel_callback_stream(s->call, &s->callback, s->sid, s->name, "stream-started", NULL);
}

static void report(struct tl_tel_stream *s, const struct tl_ws_close *close)
{
    struct tl_tel_call *call = s->call;
    json_t *line = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:i, s:b, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:O, s:O}",
        "stream_sid", s->sid, "url", s->url, "opened_ms",
        (json_int_t)tl_tel_call_ms(call, s->opened_us), "started_ms",
        (json_int_t)(s->started_us ? tl_tel_call_ms(call, s->started_us) : -1), "closed_ms",
        (json_int_t)tl_tel_call_ms(call, tl_mono_us()), "close_code", (int)close->code, "abrupt",
        close->abrupt, "reason", close->reason, "by_network", s->is_stopped, "frames_sent",
        (json_int_t)s->media_out, "media_received", (json_int_t)s->media_in, "bytes_received",
        (json_int_t)s->media_bytes, "marks_received", (json_int_t)s->marks_in, "clears_received",
        (json_int_t)s->clears_in, "errors", s->errors, "parameters", s->parameters);

    tl_tel_call_event(call, "stream.closed", json_incref(line));
    json_array_append_new(call->streams, line);
}

static void destroy(struct tl_tel_stream *s)
{
    s->call->tel->pending--;
    tl_tel_stop_when_done(s->call->tel);
    tl_timer_finish(&s->timer);
    tl_tel_target_set(&s->callback, NULL, NULL);
    json_decref(s->parameters);
    json_decref(s->errors);
    free(s->url);
    free(s->name);
    free(s);
}

/* The error number of a handshake that failed. */
static int connect_error(const struct tl_ws_close *close)
{
    if (close->http_status)
        return 31920;
    return strstr(close->reason, "time") ? 31901 : 31902;
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *close)
{
    struct tl_tel_stream *s = arg;
    struct tl_tel_call *call = s->call;
    bool is_current = call->stream == s;
    char text[256];

    (void)ws;
    s->ws = NULL;
    if (!s->started_us && is_current) {
        int code = connect_error(close);
        count_error(s, code, close->reason);
        (void)snprintf(text, sizeof(text), "%d %s", code, close->reason);
        tl_tel_callback_stream(call, &s->callback, s->sid, s->name, "stream-error", text);
    }
    report(s, close);
    bool unnoticed = is_current && s->started_us && close->abrupt &&
                     call->tel->faults.after_abrupt == TL_TEL_ABRUPT_NOTHING;
    if (s->started_us && !unnoticed)
        tl_tel_callback_stream(call, &s->callback, s->sid, s->name, "stream-stopped", NULL);
    if (is_current) {
        call->stream = NULL;
        tl_tel_ear_drop(&call->ear);
        tl_tel_run_stream_ended(call, s->started_us && close->abrupt);
    }
    destroy(s);
}

static const struct tl_ws_callbacks CALLBACKS = {
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
};

static void fail_early(void *arg)
{
    struct tl_tel_stream *s = arg;
    struct tl_ws_close close = {.code = 1006, .abrupt = true, .reason = s->early_error};
    char text[128];

    report(s, &close);
    if (s->call->stream == s) {
        (void)snprintf(text, sizeof(text), "%d %s", s->early_code, s->early_error);
        tl_tel_callback_stream(s->call, &s->callback, s->sid, s->name, "stream-error", text);
        s->call->stream = NULL;
        tl_tel_run_stream_ended(s->call, false);
    }
    destroy(s);
}

static void fail_later(struct tl_tel_stream *s, int code, const char *why)
{
    s->early_error = why;
    s->early_code = code;
    count_error(s, code, why);
    tl_timer_start(&s->timer, &s->call->tel->loop, 0, fail_early, s);
}

/* Streams take no query: the network drops it. */
static char *without_query(struct tl_tel_call *call, const char *url)
{
    char *out = strndup(url, strcspn(url, "?#"));

    if (!out)
        abort();
    if (strcmp(out, url) != 0)
        tl_tel_call_error(call, 12200, "Stream: the query string of %s is dropped", url);
    return out;
}

static void connect_stream(struct tl_tel_stream *s)
{
    struct tl_tel *tel = s->call->tel;
    char signature[TL_TEL_SIGNATURE_SIZE];
    struct tl_http_header headers[] = {{"X-Twilio-Signature", signature}, {NULL, NULL}};
    struct tl_error err;
    bool is_wrong = tl_tel_fault_take(&tel->faults.wrong_stream_signature);

    tl_tel_sign(is_wrong ? "00000000000000000000000000000000" : tel->options.auth_token, s->url,
                NULL, signature);
    struct tl_ws_connect_options options = {
        .url = s->url,
        .headers = tl_tel_fault_take(&tel->faults.no_signature) ? NULL : headers,
        .timeout_ms = 5000,
        .callbacks = &CALLBACKS,
        .arg = s,
        .limits = {.message_bytes = MEDIA_MAX + 4096, .queue_bytes = 256 << 10},
    };
    if (tl_ws_connect(tel->net, &options, &s->ws, &err) != TL_OK)
        fail_later(s, 31923, "the URL is malformed");
}

static json_t *read_parameters(const struct tl_tel_node *node)
{
    json_t *parameters = json_object();

    for (const struct tl_tel_node *p = node->child; p; p = p->next)
        json_object_set_new(parameters, tl_tel_node_attr(p, "name"),
                            json_string(tl_tel_node_attr(p, "value")));
    return parameters;
}

void tl_tel_stream_open(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    struct tl_tel_stream *s = calloc(1, sizeof(*s));
    const char *name = tl_tel_node_attr(node, "name");

    if (!s)
        abort();
    s->call = call;
    s->opened_us = tl_mono_us();
    call->tel->pending++;
    s->url = without_query(call, tl_tel_node_attr(node, "url"));
    s->name = strdup(name ? name : "");
    s->parameters = read_parameters(node);
    s->errors = json_object();
    tl_tel_sid_make("MZ", SIZE_MAX, s->sid);
    tl_tel_target_set(&s->callback, tl_tel_node_attr(node, "statusCallback"),
                      tl_tel_node_attr(node, "statusCallbackMethod"));
    call->stream = s;
    if (strncmp(s->url, "wss://", 6) != 0 &&
        !(call->tel->options.allow_plain && strncmp(s->url, "ws://", 5) == 0))
        fail_later(s, 31922, "the URL's scheme is not wss");
    else
        connect_stream(s);
}

void tl_tel_stream_stop(struct tl_tel_stream *s)
{
    if (tl_tel_stream_is_started(s))
        send_json(s, json_pack("{s:s, s:{s:s, s:s}}", "event", "stop", "stop", "accountSid",
                               s->call->tel->options.account_sid, "callSid", s->call->sid));
    s->is_stopped = true;
    s->call->stream = NULL;
    tl_tel_ear_drop(&s->call->ear);
    if (s->ws && s->is_half_open)
        tl_ws_abort(s->ws);
    else if (s->ws)
        tl_ws_close(s->ws, 1000, NULL);
}

enum tl_status tl_tel_stream_fault(struct tl_tel_stream *s, const json_t *fault,
                                   struct tl_error *err)
{
    const json_t *raw = json_object_get(fault, "raw"), *binary = json_object_get(fault, "binary");

    if (!tl_tel_stream_is_started(s) || !s->ws)
        return tl_fail(err, TL_CONFLICT, "the call has no open stream");
    if (json_is_true(json_object_get(fault, "abort")))
        tl_ws_abort(s->ws);
    else if (json_is_true(json_object_get(fault, "drop")))
        tl_ws_drop(s->ws);
    else if (json_is_true(json_object_get(fault, "close")))
        tl_ws_close(s->ws, 1000, NULL);
    else if (json_is_true(json_object_get(fault, "half_open"))) {
        s->is_half_open = true;
        tl_ws_stop_reading(s->ws);
    } else if (raw || binary) {
        const json_t *text = raw ? raw : binary;
        if (tl_ws_send(s->ws, raw != NULL, json_string_value(text), json_string_length(text)) !=
            TL_OK)
            return tl_fail(err, TL_CONFLICT, "the socket takes nothing");
    } else if (json_object_get(fault, "lose_frames"))
        s->call->skip_frames = json_integer_value(json_object_get(fault, "lose_frames"));
    else
        return tl_fail(err, TL_INVALID, "no such fault of a stream");
    return TL_OK;
}
