/* What leaves a session: events named in its dialect, and the two ways to be late or silent. */
#include "openai/wire.h"

#include <stdlib.h>
#include <string.h>

#include "openai/response.h"
#include "openai/session.h"
#include "speech/g711.h"
#include "twilio/b64.h"

/** Where the beta shape has another name; NULL: it has none. The others are the same. */
static const struct {
    const char *ga, *beta;
} beta_names[] = {
    {"response.output_audio.delta", "response.audio.delta"},
    {"response.output_audio.done", "response.audio.done"},
    {"response.output_audio_transcript.delta", "response.audio_transcript.delta"},
    {"response.output_audio_transcript.done", "response.audio_transcript.done"},
    {"response.output_text.delta", "response.text.delta"},
    {"response.output_text.done", "response.text.done"},
    {"conversation.item.added", "conversation.item.created"},
    {"conversation.item.done", NULL},
    {"input_audio_buffer.timeout_triggered", NULL},
};

const char *tl_ai_event_name(const struct tl_ai_session *session, const char *ga_name)
{
    if (session->dialect == TL_AI_GA)
        return ga_name;
    for (size_t i = 0; i < TL_ARRAY_LEN(beta_names); i++)
        if (strcmp(beta_names[i].ga, ga_name) == 0)
            return beta_names[i].beta;
    return ga_name;
}

json_t *tl_ai_event(struct tl_ai_session *session, const char *type)
{
    char id[TL_AI_ID_SIZE];
    const char *name = tl_ai_event_name(session, type);

    if (!name)
        return NULL;
    tl_ai_sim_make_id(session->sim, "event", id);
    return json_pack("{s:s, s:s}", "type", name, "event_id", id);
}

struct late {
    struct tl_ai_session *session;
    size_t len;
    char text[];
};

static void write_text(struct tl_ai_session *session, const char *text, size_t len)
{
    if (!session->ws || session->is_mute)
        return;
    if (tl_ws_send(session->ws, true, text, len) == TL_RETRY) {
        tl_log_warn(&session->sim->log, "session.reader_too_slow", TL_STR("session", session->id));
        tl_ws_abort(session->ws);
    }
}

static void send_late(void *arg)
{
    struct late *late = arg;

    write_text(late->session, late->text, late->len);
    free(late);
}

void tl_ai_send_text(struct tl_ai_session *session, const char *text, size_t len)
{
    if (session->latency_ms <= 0) {
        write_text(session, text, len);
        return;
    }
    struct late *late = malloc(sizeof(*late) + len);
    if (!late)
        abort();
    late->session = session;
    late->len = len;
    memcpy(late->text, text, len);
    tl_ai_jobs_add(&session->jobs, (uint64_t)session->latency_ms, send_late, late, free);
}

static int add_to_buf(const char *data, size_t len, void *arg)
{
    tl_buf_add(arg, data, len);
    return 0;
}

void tl_ai_send(struct tl_ai_session *session, json_t *event)
{
    struct tl_buf *scratch = &session->sim->scratch;

    if (!event)
        return;
    tl_buf_reset(scratch);
    json_dump_callback(event, add_to_buf, scratch, JSON_COMPACT);
    tl_ai_send_text(session, tl_buf_str(scratch), scratch->len);
    json_decref(event);
}

void tl_ai_emit(struct tl_ai_session *session, const char *type, const char *format, ...)
{
    va_list args;
    json_t *event = tl_ai_event(session, type);

    va_start(args, format);
    json_t *members = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    if (event)
        json_object_update(event, members);
    json_decref(members);
    tl_ai_send(session, event);
}

void tl_ai_send_problem(struct tl_ai_session *session, const struct tl_ai_problem *problem,
                        const char *client_event_id)
{
    json_t *error = tl_ai_problem_json(problem);

    json_object_set_new(error, "event_id",
                        client_event_id ? json_string(client_event_id) : json_null());
    json_t *entry = json_copy(error);
    json_object_set_new(entry, "at_ms", json_integer(tl_ai_session_age_ms(session)));
    json_array_append_new(session->report.errors, entry);
    tl_ai_emit(session, "error", "{s:o}", "error", error);
}

/* Sound. */

/** 24 kHz: each sample, and two between it and the next on a straight line. */
static size_t to_pcm16(const uint8_t *ulaw, size_t len, uint8_t *out)
{
    for (size_t i = 0; i < len; i++) {
        int a = tl_ulaw_decode(ulaw[i]);
        int b = i + 1 < len ? tl_ulaw_decode(ulaw[i + 1]) : a;
        for (int k = 0; k < 3; k++) {
            int sample = a + (b - a) * k / 3;
            *out++ = (uint8_t)(sample & 0xFF);
            *out++ = (uint8_t)((sample >> 8) & 0xFF);
        }
    }
    return len * 6;
}

static size_t to_alaw(const uint8_t *ulaw, size_t len, uint8_t *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = tl_alaw_encode(tl_ulaw_decode(ulaw[i]));
    return len;
}

void tl_ai_send_audio_delta(struct tl_ai_session *session, const char *response_id,
                            const char *item_id, size_t output_index, const uint8_t *ulaw,
                            size_t len, int format)
{
    struct tl_buf *scratch = &session->sim->scratch;
    char id[TL_AI_ID_SIZE];
    uint8_t *other = format == TL_AI_PCMU ? NULL : malloc(len * 6);
    const uint8_t *sound = ulaw;

    if (format == TL_AI_PCM16) {
        len = to_pcm16(ulaw, len, other);
        sound = other;
    } else if (format == TL_AI_PCMA) {
        len = to_alaw(ulaw, len, other);
        sound = other;
    }
    tl_ai_sim_make_id(session->sim, "event", id);
    tl_buf_reset(scratch);
    tl_buf_printf(scratch,
                  "{\"type\":\"%s\",\"event_id\":\"%s\",\"response_id\":\"%s\",\"item_id\":\"%s\","
                  "\"output_index\":%zu,\"content_index\":0,\"delta\":\"",
                  tl_ai_event_name(session, "response.output_audio.delta"), id, response_id,
                  item_id, output_index);
    uint8_t *room = tl_buf_reserve(scratch, TL_TEL_B64_LEN(len));
    if (room) {
        tl_tel_b64_encode(sound, len, (char *)room);
        scratch->len += TL_TEL_B64_LEN(len);
    }
    tl_buf_add_str(scratch, "\"}");
    tl_ai_send_text(session, tl_buf_str(scratch), scratch->len);
    free(other);
}
