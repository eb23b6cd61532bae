/* Reading server events of both dialects: see event.h. */
#include "openai/event.h"

#include <string.h>

#include "crypto/base64.h"

static const struct {
    const char *type;
    enum tl_openai_event_kind kind;
} kinds[] = {
    {"response.output_audio.delta", TL_OPENAI_AUDIO_DELTA},
    {"response.audio.delta", TL_OPENAI_AUDIO_DELTA},
    {"response.output_audio_transcript.delta", TL_OPENAI_AUDIO_TRANSCRIPT_DELTA},
    {"response.audio_transcript.delta", TL_OPENAI_AUDIO_TRANSCRIPT_DELTA},
    {"response.output_audio_transcript.done", TL_OPENAI_AUDIO_TRANSCRIPT_DONE},
    {"response.audio_transcript.done", TL_OPENAI_AUDIO_TRANSCRIPT_DONE},
    {"response.output_audio.done", TL_OPENAI_AUDIO_DONE},
    {"response.audio.done", TL_OPENAI_AUDIO_DONE},
    {"response.output_text.delta", TL_OPENAI_TEXT_DELTA},
    {"response.text.delta", TL_OPENAI_TEXT_DELTA},
    {"response.output_text.done", TL_OPENAI_TEXT_DONE},
    {"response.text.done", TL_OPENAI_TEXT_DONE},
    {"input_audio_buffer.speech_started", TL_OPENAI_SPEECH_STARTED},
    {"input_audio_buffer.speech_stopped", TL_OPENAI_SPEECH_STOPPED},
    {"input_audio_buffer.committed", TL_OPENAI_INPUT_COMMITTED},
    {"input_audio_buffer.timeout_triggered", TL_OPENAI_TIMEOUT_TRIGGERED},
    {"conversation.item.input_audio_transcription.delta", TL_OPENAI_TRANSCRIPTION_DELTA},
    {"conversation.item.input_audio_transcription.completed", TL_OPENAI_TRANSCRIPTION_COMPLETED},
    {"conversation.item.input_audio_transcription.failed", TL_OPENAI_TRANSCRIPTION_FAILED},
    {"conversation.item.added", TL_OPENAI_ITEM_ADDED},
    {"conversation.item.created", TL_OPENAI_ITEM_ADDED},
    {"response.created", TL_OPENAI_RESPONSE_CREATED},
    {"response.output_item.added", TL_OPENAI_OUTPUT_ITEM_ADDED},
    {"response.output_item.done", TL_OPENAI_OUTPUT_ITEM_DONE},
    {"response.done", TL_OPENAI_RESPONSE_DONE},
    {"rate_limits.updated", TL_OPENAI_RATE_LIMITS},
    {"session.created", TL_OPENAI_SESSION_CREATED},
    {"session.updated", TL_OPENAI_SESSION_UPDATED},
    {"error", TL_OPENAI_ERROR},
};

static const char *text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static int64_t number_of(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (json_is_real(value)) {
        double d = json_real_value(value);
        return d > -1e15 && d < 1e15 ? (int64_t)d : 0;
    }
    return json_integer_value(value);
}

static void read_item(json_t *item, struct tl_openai_event *e)
{
    e->item_id = text_of(item, "id");
    e->item_type = text_of(item, "type");
    e->role = text_of(item, "role");
    e->call_id = text_of(item, "call_id");
    e->name = text_of(item, "name");
    e->arguments = text_of(item, "arguments");
}

static void read_usage(json_t *usage, struct tl_openai_event *e)
{
    json_t *in = json_object_get(usage, "input_token_details");
    json_t *cached = json_object_get(in, "cached_tokens_details");
    json_t *out = json_object_get(usage, "output_token_details");

    if (!json_is_object(usage))
        return;
    e->has_usage = true;
    e->usage = (struct tl_openai_usage){
        .input_text_tokens = number_of(in, "text_tokens"),
        .input_audio_tokens = number_of(in, "audio_tokens"),
        .cached_text_tokens = number_of(cached, "text_tokens"),
        .cached_audio_tokens = number_of(cached, "audio_tokens"),
        .output_text_tokens = number_of(out, "text_tokens"),
        .output_audio_tokens = number_of(out, "audio_tokens"),
        .transcription_seconds = json_number_value(json_object_get(usage, "seconds")),
    };
    if (!json_is_object(in)) /* models that tell only the sums */
        e->usage.input_text_tokens = number_of(usage, "input_tokens");
    if (!json_is_object(out))
        e->usage.output_text_tokens = number_of(usage, "output_tokens");
}

static enum tl_openai_response_status status_of(const char *text)
{
    static const char *const names[] = {"", "completed", "cancelled", "failed", "incomplete"};
    for (size_t i = 1; i < TL_ARRAY_LEN(names); i++)
        if (strcmp(names[i], text) == 0)
            return (enum tl_openai_response_status)i;
    return TL_OPENAI_RESPONSE_UNKNOWN;
}

static const char *first_output_text(json_t *output)
{
    size_t i, k;
    json_t *item, *part;

    json_array_foreach (output, i, item) {
        json_array_foreach (json_object_get(item, "content"), k, part) {
            const char *text = text_of(part, "text");
            if (*text)
                return text;
        }
    }
    return "";
}

static void read_response(json_t *root, struct tl_openai_event *e)
{
    json_t *response = json_object_get(root, "response");
    json_t *details = json_object_get(response, "status_details");
    json_t *conversation = json_object_get(response, "conversation_id");

    e->response_id = text_of(response, "id");
    e->status = status_of(text_of(response, "status"));
    e->is_out_of_band = json_is_null(conversation);
    e->metadata_request = text_of(json_object_get(response, "metadata"), "req");
    e->output_text = first_output_text(json_object_get(response, "output"));
    /* status_details has been seen as a plain string */
    e->status_reason =
        json_is_string(details) ? json_string_value(details) : text_of(details, "reason");
    json_t *error = json_object_get(details, "error");
    e->error_type = text_of(error, "type");
    e->error_code = text_of(error, "code");
    e->error_message = text_of(error, "message");
    read_usage(json_object_get(response, "usage"), e);
}

static void read_error(json_t *root, struct tl_openai_event *e)
{
    json_t *error = json_object_get(root, "error");

    e->error_type = text_of(error, "type");
    e->error_code = text_of(error, "code");
    e->error_message = text_of(error, "message");
    e->error_event_id = text_of(error, "event_id");
}

static const char *format_of(json_t *audio, const char *side, json_t *session, const char *flat)
{
    json_t *format = json_object_get(json_object_get(audio, side), "format");
    const char *type = text_of(format, "type");
    if (*type)
        return type;
    return strcmp(text_of(session, flat), "g711_ulaw") == 0 ? "audio/pcmu" : text_of(session, flat);
}

static void read_session(json_t *root, struct tl_openai_event *e)
{
    json_t *session = json_object_get(root, "session");
    json_t *audio = json_object_get(session, "audio");
    const char *voice = text_of(json_object_get(audio, "output"), "voice");

    e->expires_at_s = number_of(session, "expires_at");
    e->input_format = format_of(audio, "input", session, "input_audio_format");
    e->output_format = format_of(audio, "output", session, "output_audio_format");
    e->voice = *voice ? voice : text_of(session, "voice");
}

static void read_rate_limits(json_t *root, struct tl_openai_event *e)
{
    size_t i;
    json_t *limit;

    e->tokens_remaining = -1;
    json_array_foreach (json_object_get(root, "rate_limits"), i, limit) {
        if (strcmp(text_of(limit, "name"), "tokens") != 0)
            continue;
        e->tokens_remaining = number_of(limit, "remaining");
        e->tokens_reset_s = json_number_value(json_object_get(limit, "reset_seconds"));
    }
}

static enum tl_status read_audio(json_t *root, struct tl_buf *audio_buf, struct tl_openai_event *e,
                                 struct tl_error *err)
{
    json_t *delta = json_object_get(root, "delta");
    size_t len = json_string_length(delta), audio_len = 0;

    if (!json_is_string(delta))
        return tl_fail(err, TL_INVALID, "%s without delta", e->type);
    uint8_t *to = tl_buf_reserve(audio_buf, tl_base64_decoded_max(len));
    if (!to)
        return tl_fail(err, TL_INVALID, "%s of %zu characters", e->type, len);
    enum tl_status st = tl_base64_decode(json_string_value(delta), len, to, &audio_len, err);
    audio_buf->len = audio_len;
    e->audio = (struct tl_bytes){.data = audio_buf->data, .len = audio_len};
    return st;
}

static enum tl_status read_members(json_t *root, struct tl_buf *audio_buf,
                                   struct tl_openai_event *e, struct tl_error *err)
{
    e->item_id = text_of(root, "item_id");
    e->previous_item_id = text_of(root, "previous_item_id");
    e->response_id = text_of(root, "response_id");
    switch (e->kind) {
    case TL_OPENAI_ERROR:
        read_error(root, e);
        break;
    case TL_OPENAI_SESSION_CREATED:
    case TL_OPENAI_SESSION_UPDATED:
        read_session(root, e);
        break;
    case TL_OPENAI_SPEECH_STARTED:
        e->audio_ms = number_of(root, "audio_start_ms");
        break;
    case TL_OPENAI_SPEECH_STOPPED:
    case TL_OPENAI_TIMEOUT_TRIGGERED:
        e->audio_ms = number_of(root, "audio_end_ms");
        break;
    case TL_OPENAI_TRANSCRIPTION_COMPLETED:
        e->text = text_of(root, "transcript");
        read_usage(json_object_get(root, "usage"), e);
        break;
    case TL_OPENAI_TRANSCRIPTION_FAILED:
        read_error(root, e);
        break;
    case TL_OPENAI_TRANSCRIPTION_DELTA:
    case TL_OPENAI_AUDIO_TRANSCRIPT_DELTA:
    case TL_OPENAI_TEXT_DELTA:
        e->text = text_of(root, "delta");
        break;
    case TL_OPENAI_AUDIO_TRANSCRIPT_DONE:
        e->text = text_of(root, "transcript");
        break;
    case TL_OPENAI_TEXT_DONE:
        e->text = text_of(root, "text");
        break;
    case TL_OPENAI_ITEM_ADDED:
    case TL_OPENAI_OUTPUT_ITEM_ADDED:
    case TL_OPENAI_OUTPUT_ITEM_DONE:
        read_item(json_object_get(root, "item"), e);
        break;
    case TL_OPENAI_RESPONSE_CREATED:
    case TL_OPENAI_RESPONSE_DONE:
        read_response(root, e);
        break;
    case TL_OPENAI_AUDIO_DELTA:
        return read_audio(root, audio_buf, e, err);
    case TL_OPENAI_RATE_LIMITS:
        read_rate_limits(root, e);
        break;
    case TL_OPENAI_INPUT_COMMITTED:
    case TL_OPENAI_AUDIO_DONE:
    case TL_OPENAI_OTHER:
        break;
    }
    return TL_OK;
}

enum tl_status tl_openai_event_parse(const char *data, size_t len, struct tl_buf *audio_buf,
                                     struct tl_openai_event *ret_event, struct tl_error *err)
{
    json_error_t json_err;
    json_t *root = json_loadb(data, len, 0, &json_err);
    const char *none = "";

    tl_buf_reset(audio_buf);
    if (!json_is_string(json_object_get(root, "type"))) {
        enum tl_status st =
            tl_fail(err, TL_INVALID, "AI event: %s", root ? "no type" : json_err.text);
        json_decref(root);
        return st;
    }
    struct tl_openai_event e = {
        .type = text_of(root, "type"), .text = none, .item_type = none, .role = none,
        .call_id = none, .name = none, .arguments = none, .metadata_request = none,
        .output_text = none, .status_reason = none, .error_type = none, .error_code = none,
        .error_message = none, .error_event_id = none, .input_format = none,
        .output_format = none, .voice = none, .tokens_remaining = -1, .root = root,
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].type, e.type) == 0) {
            e.kind = kinds[i].kind;
            break;
        }
    enum tl_status st = read_members(root, audio_buf, &e, err);
    if (st != TL_OK) {
        json_decref(root);
        return st;
    }
    *ret_event = e;
    return TL_OK;
}

void tl_openai_event_finish(struct tl_openai_event *event)
{
    json_decref(event->root);
    event->root = NULL;
}

void tl_openai_event_calls(const struct tl_openai_event *event, tl_openai_call_fn fn, void *arg)
{
    json_t *output = json_object_get(json_object_get(event->root, "response"), "output");
    size_t i;
    json_t *item;

    json_array_foreach (output, i, item) {
        if (strcmp(text_of(item, "type"), "function_call") != 0 ||
            strcmp(text_of(item, "status"), "completed") != 0)
            continue;
        fn(arg, text_of(item, "id"), text_of(item, "call_id"), text_of(item, "name"),
           text_of(item, "arguments"));
    }
}

enum tl_openai_severity tl_openai_error_severity(const char *type, const char *code)
{
    static const struct {
        const char *code;
        enum tl_openai_severity severity;
    } table[] = {
        {"session_expired", TL_OPENAI_RECONNECT},
        {"beta_api_shape_disabled", TL_OPENAI_FATAL},
        {"insufficient_quota", TL_OPENAI_FATAL},
        {"billing_hard_limit_reached", TL_OPENAI_FATAL},
        {"credit_balance_exhausted", TL_OPENAI_FATAL},
        {"account_deactivated", TL_OPENAI_FATAL},
        {"invalid_api_key", TL_OPENAI_FATAL},
        {"inference_rate_limit_exceeded", TL_OPENAI_RETRY_RESPONSE},
        {"rate_limit_exceeded", TL_OPENAI_RETRY_RESPONSE},
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(table); i++)
        if (strcmp(table[i].code, code) == 0)
            return table[i].severity;
    return strcmp(type, "server_error") == 0 ? TL_OPENAI_RETRY_RESPONSE : TL_OPENAI_HARMLESS;
}

enum tl_openai_severity tl_openai_close_severity(int http_status, int close_code)
{
    if (http_status == 401 || http_status == 403 || http_status == 404)
        return TL_OPENAI_FATAL;
    if (http_status)
        return TL_OPENAI_RECONNECT;
    return close_code == 1008 || close_code >= 4000 ? TL_OPENAI_FATAL : TL_OPENAI_RECONNECT;
}
