/* Writing client events in both dialects: see request.h. */
#include "openai/request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"

/* Dumps and drops an event. Packing only fails for text that is not UTF-8, which is checked where it
 * comes in. */
static void add_json(struct tl_buf *out, json_t *event)
{
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    if (text)
        tl_buf_add_str(out, text);
    free(text);
    json_decref(event);
}

static json_t *turn_detection(const struct tl_openai_session *s)
{
    if (s->semantic_vad)
        return json_pack("{s:s, s:s, s:b, s:b}", "type", "semantic_vad", "eagerness",
                         *s->eagerness ? s->eagerness : "auto", "create_response",
                         s->create_response, "interrupt_response", s->create_response);
    return json_pack("{s:s, s:f, s:i, s:i, s:b, s:b}", "type", "server_vad", "threshold",
                     s->vad_threshold, "prefix_padding_ms", s->vad_prefix_ms, "silence_duration_ms",
                     s->vad_silence_ms, "create_response", s->create_response,
                     "interrupt_response", s->create_response);
}

static json_t *transcription(const struct tl_openai_session *s)
{
    json_t *t = json_pack("{s:s}", "model", s->transcription_model);
    if (t && *s->language)
        (void)json_object_set_new(t, "language", json_string(s->language));
    return t;
}

static json_t *tools(const struct tl_openai_session *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->tools_n; i++) {
        const struct tl_openai_tool *tool = &s->tools[i];
        json_t *parameters = json_loads(tool->parameters, 0, NULL);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o}", "type", "function", "name", tool->name,
                            "description", tool->description, "parameters",
                            parameters ? parameters : json_pack("{s:s}", "type", "object")));
    }
    return list;
}

static json_t *ga_session(const struct tl_openai_session *s)
{
    json_t *input = json_pack("{s:{s:s}, s:n, s:o, s:o}", "format", "type", "audio/pcmu",
                              "noise_reduction", "transcription", transcription(s),
                              "turn_detection", turn_detection(s));
    json_t *output = json_pack("{s:{s:s}, s:s}", "format", "type", "audio/pcmu", "voice", s->voice);
    return json_pack("{s:s, s:[s], s:s, s:{s:o, s:o}, s:o, s:s, s:i, s:s}", "type", "realtime",
                     "output_modalities", "audio", "instructions", s->instructions, "audio",
                     "input", input, "output", output, "tools", tools(s), "tool_choice", "auto",
                     "max_output_tokens", 4096, "truncation", "auto");
}

static json_t *beta_session(const struct tl_openai_session *s)
{
    json_t *session = json_pack(
        "{s:[s, s], s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:i}", "modalities", "text", "audio",
        "instructions", s->instructions, "voice", s->voice, "input_audio_format", "g711_ulaw",
        "output_audio_format", "g711_ulaw", "input_audio_transcription", transcription(s),
        "turn_detection", turn_detection(s), "tools", tools(s), "tool_choice", "auto",
        "max_response_output_tokens", 4096);
    if (session && s->has_temperature)
        (void)json_object_set_new(session, "temperature", json_real(s->temperature));
    return session;
}

void tl_openai_session_update(struct tl_buf *out, enum tl_openai_dialect dialect,
                              const struct tl_openai_session *session)
{
    add_json(out, json_pack("{s:s, s:s, s:o}", "type", "session.update", "event_id", "session",
                            "session",
                            dialect == TL_OPENAI_GA ? ga_session(session) : beta_session(session)));
}

void tl_openai_turn_detection(struct tl_buf *out, enum tl_openai_dialect dialect,
                              const struct tl_openai_session *session)
{
    json_t *update = dialect == TL_OPENAI_GA
                         ? json_pack("{s:s, s:{s:{s:o}}}", "type", "realtime", "audio", "input",
                                     "turn_detection", turn_detection(session))
                         : json_pack("{s:o}", "turn_detection", turn_detection(session));
    add_json(out, json_pack("{s:s, s:s, s:o}", "type", "session.update", "event_id", "answering",
                            "session", update));
}

void tl_openai_append(struct tl_buf *out, struct tl_bytes audio)
{
    tl_buf_add_str(out, "{\"type\":\"input_audio_buffer.append\",\"audio\":\"");
    tl_base64_append(out, audio.data, audio.len);
    tl_buf_add_str(out, "\"}");
}

void tl_openai_commit(struct tl_buf *out)
{
    tl_buf_add_str(out, "{\"type\":\"input_audio_buffer.commit\"}");
}

void tl_openai_item_message(struct tl_buf *out, enum tl_openai_dialect dialect, const char *role,
                            const char *text, const char *item_id)
{
    bool is_assistant = strcmp(role, "assistant") == 0;
    const char *part = !is_assistant                ? "input_text"
                       : dialect == TL_OPENAI_GA    ? "output_text"
                                                    : "text";
    json_t *item = json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "type", "message", "role", role,
                             "content", "type", part, "text", text);
    if (item && item_id)
        (void)json_object_set_new(item, "id", json_string(item_id));
    add_json(out, json_pack("{s:s, s:o}", "type", "conversation.item.create", "item", item));
}

void tl_openai_item_output(struct tl_buf *out, const char *call_id, const char *output)
{
    add_json(out, json_pack("{s:s, s:{s:s, s:s, s:s}}", "type", "conversation.item.create", "item",
                            "type", "function_call_output", "call_id", call_id, "output", output));
}

void tl_openai_item_truncate(struct tl_buf *out, const char *item_id, int64_t audio_end_ms)
{
    add_json(out, json_pack("{s:s, s:s, s:i, s:I}", "type", "conversation.item.truncate", "item_id",
                            item_id, "content_index", 0, "audio_end_ms",
                            (json_int_t)audio_end_ms));
}

void tl_openai_item_delete(struct tl_buf *out, const char *item_id)
{
    add_json(out, json_pack("{s:s, s:s}", "type", "conversation.item.delete", "item_id", item_id));
}

void tl_openai_response_create(struct tl_buf *out, const char *instructions, const char *request)
{
    json_t *response = json_pack("{s:{s:s}}", "metadata", "req", request);
    if (response && instructions)
        (void)json_object_set_new(response, "instructions", json_string(instructions));
    add_json(out, json_pack("{s:s, s:s, s:o}", "type", "response.create", "event_id", request,
                            "response", response));
}

void tl_openai_response_create_text(struct tl_buf *out, enum tl_openai_dialect dialect,
                                    const char *instructions, const char *input,
                                    const char *request)
{
    const char *modalities = dialect == TL_OPENAI_GA ? "output_modalities" : "modalities";
    add_json(out,
             json_pack("{s:s, s:s, s:{s:s, s:[s], s:s, s:{s:s}, s:[{s:s, s:s, s:[{s:s, s:s}]}]}}",
                       "type", "response.create", "event_id", request, "response", "conversation",
                       "none", modalities, "text", "instructions", instructions, "metadata", "req",
                       request, "input", "type", "message", "role", "user", "content", "type",
                       "input_text", "text", input));
}

void tl_openai_response_cancel(struct tl_buf *out, const char *response_id)
{
    add_json(out, json_pack("{s:s, s:s}", "type", "response.cancel", "response_id", response_id));
}

const char *tl_openai_voice(const char *voice, enum tl_openai_dialect dialect, bool *ret_replaced)
{
    static const struct {
        const char *old, *present;
    } gone[] = {{"fable", "ballad"}, {"onyx", "ash"}, {"nova", "coral"}};

    *ret_replaced = false;
    for (size_t i = 0; i < TL_ARRAY_LEN(gone); i++)
        if (strcmp(gone[i].old, voice) == 0) {
            *ret_replaced = true;
            return gone[i].present;
        }
    if (dialect == TL_OPENAI_BETA && (strcmp(voice, "marin") == 0 || strcmp(voice, "cedar") == 0)) {
        *ret_replaced = true;
        return "alloy";
    }
    return voice;
}

const char *tl_openai_transcription_model(const char *model, enum tl_openai_dialect dialect)
{
    static const char *const older[] = {"gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1"};

    for (size_t i = 0; i < TL_ARRAY_LEN(older); i++)
        if (strcmp(older[i], model) == 0)
            return model;
    return dialect == TL_OPENAI_BETA ? "gpt-4o-mini-transcribe" : model;
}
