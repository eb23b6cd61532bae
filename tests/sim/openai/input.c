/* The caller's sound: clock, turn detection, turns cut out and recognised. */
#include "openai/input.h"

#include <string.h>

#include "base/time.h"
#include "openai/response.h"
#include "openai/session.h"
#include "openai/transcript.h"
#include "openai/wire.h"
#include "speech/g711.h"

#define BUFFER_MAX_BYTES (8000 * 60 * 15)
#define COMMIT_MIN_BYTES 800 /* 100 ms */
#define MS(bytes) ((json_int_t)((bytes) / 8))
#define SEMANTIC_PAUSE_MS 300 /* behind a sentence that sounds finished */

void tl_ai_input_init(struct tl_ai_input *input)
{
    *input = (struct tl_ai_input){0};
    tl_buf_init(&input->buffer, BUFFER_MAX_BYTES);
}

void tl_ai_input_finish(struct tl_ai_input *input)
{
    tl_buf_finish(&input->buffer);
}

/** The clock at the buffer's first byte. */
static uint64_t buffer_start(const struct tl_ai_input *input)
{
    return input->clock_bytes - input->buffer.len;
}

static void drop_front(struct tl_ai_input *input, size_t len)
{
    struct tl_buf *buffer = &input->buffer;

    memmove(buffer->data, buffer->data + len, buffer->len - len);
    buffer->len -= len;
}

/* Taking sound in. */

static void take_pcm(struct tl_ai_input *input, const uint8_t *data, size_t len)
{
    /* Every third sample: exact for what was made of 8 kHz by putting two between each. */
    for (size_t i = 0; i < len; i++) {
        input->odd[input->odd_len++] = data[i];
        if (input->odd_len < sizeof(input->odd))
            continue;
        uint8_t byte = tl_ulaw_encode((int16_t)(input->odd[0] | input->odd[1] << 8));
        tl_buf_add(&input->buffer, &byte, 1);
        input->odd_len = 0;
    }
}

static void take_alaw(struct tl_ai_input *input, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = tl_ulaw_encode(tl_alaw_decode(data[i]));
        tl_buf_add(&input->buffer, &byte, 1);
    }
}

static void take(struct tl_ai_session *session, const uint8_t *data, size_t len)
{
    struct tl_ai_input *input = &session->input;
    size_t before = input->buffer.len;

    if (session->config.input_format == TL_AI_PCMU)
        tl_buf_add(&input->buffer, data, len);
    else if (session->config.input_format == TL_AI_PCMA)
        take_alaw(input, data, len);
    else
        take_pcm(input, data, len);
    input->clock_bytes += input->buffer.len - before;
    size_t at = input->arrivals++ % TL_AI_ARRIVALS;
    input->arrival[at].end_bytes = input->clock_bytes;
    input->arrival[at].at_us = tl_mono_us();
}

/** When the byte at that place of the clock came in; the oldest time known when it is long ago. */
static int64_t arrival_us(const struct tl_ai_input *input, uint64_t at_bytes)
{
    size_t known = input->arrivals < TL_AI_ARRIVALS ? input->arrivals : TL_AI_ARRIVALS;
    int64_t at_us = 0;

    for (size_t back = 0; back < known; back++) {
        size_t i = (input->arrivals - 1 - back) % TL_AI_ARRIVALS;
        if (input->arrival[i].end_bytes <= at_bytes)
            break;
        at_us = input->arrival[i].at_us;
    }
    return at_us;
}

/* A finished turn. */

static void report_piece(struct tl_ai_session *session, const struct tl_ai_item *item,
                         const struct tl_speech_piece *piece, uint64_t start_bytes)
{
    const struct tl_ai_input *input = &session->input;
    char text[1024] = "";
    uint64_t at = start_bytes + piece->at;
    int64_t first_us = at == input->speech_start_bytes && input->speech_start_us
                           ? input->speech_start_us
                           : arrival_us(input, at);

    if (piece->speech)
        tl_speech_text_heard(piece->speech, piece->len, text, sizeof(text));
    json_t *entry =
        json_pack("{s:s, s:s?, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "item_id", item->id,
                  "text", piece->speech ? piece->speech->text : NULL, "exact", piece->exact,
                  "bytes", (json_int_t)piece->len, "of_bytes",
                  (json_int_t)(piece->speech ? piece->speech->sound_len : 0), "start_ms", MS(at),
                  "end_ms", MS(at + piece->len), "first_us", (json_int_t)first_us, "last_us",
                  (json_int_t)arrival_us(input, at + piece->len - 1), "at_ms",
                  (json_int_t)tl_ai_session_age_ms(session));
    if (!piece->exact && piece->speech)
        json_object_set_new(entry, "heard_text", json_string(text));
    json_array_append_new(session->report.heard, entry);
}

/** Finds out what the item's sound says, and puts every piece into the report. */
static void recognise(struct tl_ai_session *session, struct tl_ai_item *item, uint64_t start_bytes)
{
    struct tl_speech_piece pieces[16];
    size_t count = tl_speech_bank_scan(session->sim->bank, item->audio.data, item->audio.len,
                                       pieces, TL_ARRAY_LEN(pieces));

    item->turn = count ? TL_AI_TURN_WORDS : TL_AI_TURN_SILENCE;
    if (count > TL_ARRAY_LEN(pieces))
        count = TL_ARRAY_LEN(pieces);
    for (size_t i = 0; i < count; i++) {
        report_piece(session, item, &pieces[i], start_bytes);
        const struct tl_phrase *phrase =
            pieces[i].exact ? tl_speech_bank_phrase_of(session->sim->bank, pieces[i].speech) : NULL;
        item->phrase = phrase ? phrase : item->phrase;
    }
}

/** Makes the buffer's first `len` bytes a user item. */
static struct tl_ai_item *commit(struct tl_ai_session *session, size_t len)
{
    struct tl_ai_input *input = &session->input;
    struct tl_ai_item *last = TAILQ_LAST(&session->items, tl_ai_item_list);
    struct tl_ai_item *item = tl_ai_item_create(session->sim, TL_AI_MESSAGE, "user");
    uint64_t start_bytes = buffer_start(input);

    if (*input->item_id)
        memcpy(item->id, input->item_id, sizeof(item->id));
    input->item_id[0] = '\0';
    tl_buf_add(&item->audio, input->buffer.data, len);
    drop_front(input, len);
    json_array_append_new(item->content,
                          json_pack("{s:s, s:n}", "type", "input_audio", "transcript"));
    recognise(session, item, start_bytes);
    input->speech_start_us = 0;
    TAILQ_INSERT_TAIL(&session->items, item, link);

    tl_ai_emit(session, "input_audio_buffer.committed", "{s:s?, s:s}", "previous_item_id",
               last ? last->id : NULL, "item_id", item->id);
    tl_ai_emit(session, "conversation.item.added", "{s:s?, s:o}", "previous_item_id",
               last ? last->id : NULL, "item", tl_ai_item_json(item, session->dialect, false));
    tl_ai_emit(session, "conversation.item.done", "{s:s?, s:o}", "previous_item_id",
               last ? last->id : NULL, "item", tl_ai_item_json(item, session->dialect, false));
    if (session->config.transcription)
        tl_ai_transcript_begin(session, item);
    return item;
}

/** The response that turn detection asks for. It may come when one is running already: then the
 *  client is told, as the reference says of create_response. */
static void respond(struct tl_ai_session *session, const char *cause)
{
    struct tl_ai_problem problem;

    if (!session->config.create_response ||
        tl_ai_fault_strikes(session, TL_AI_FAULT_NO_RESPONSE, NULL))
        return;
    if (!tl_ai_response_start(session, cause, NULL, &problem))
        tl_ai_send_problem(session, &problem, NULL);
}

/* Turn detection. */

static void on_started(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;
    uint64_t onset =
        input->checked_bytes - (uint64_t)TL_AI_VAD_ONSET_FRAMES * TL_SPEECH_FRAME_BYTES;
    uint64_t padding = (uint64_t)session->config.prefix_padding_ms * 8;
    uint64_t start = onset > padding ? onset - padding : 0;

    if (start > buffer_start(input))
        drop_front(input, (size_t)(start - buffer_start(input)));
    start = buffer_start(input);
    size_t silence = 0;
    while (silence < input->buffer.len && input->buffer.data[silence] == TL_SPEECH_SILENCE)
        silence++;
    input->speech_start_bytes = start + silence;
    input->speech_start_us = arrival_us(input, start + silence);
    tl_ai_sim_make_id(session->sim, "item", input->item_id);
    tl_ai_emit(session, "input_audio_buffer.speech_started", "{s:I, s:s}", "audio_start_ms",
               MS(start), "item_id", input->item_id);
    if (session->config.interrupt_response)
        tl_ai_response_interrupt(session);
}

static void on_stopped(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;

    tl_ai_emit(session, "input_audio_buffer.speech_stopped", "{s:I, s:s}", "audio_end_ms",
               MS(input->checked_bytes), "item_id", input->item_id);
    commit(session, (size_t)(input->checked_bytes - buffer_start(input)));
    respond(session, "turn");
}

/** Semantic detection hears that a sentence is finished: here, that it is a whole phrase. */
static bool sounds_finished(const struct tl_ai_session *session)
{
    const struct tl_ai_input *input = &session->input;

    return session->config.detection == TL_AI_SEMANTIC_VAD && input->vad.speaking &&
           input->vad.quiet_frames * TL_AI_VAD_FRAME_MS == SEMANTIC_PAUSE_MS &&
           tl_speech_bank_recognise(session->sim->bank, input->buffer.data, input->buffer.len);
}

static void check_idle(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;
    uint64_t timeout = (uint64_t)session->config.idle_timeout_ms * 8;
    char id[TL_AI_ID_SIZE];

    if (!timeout || !input->idle_from_bytes || input->vad.speaking || session->active ||
        input->checked_bytes < input->idle_from_bytes + timeout)
        return;
    tl_ai_sim_make_id(session->sim, "item", id);
    memcpy(input->item_id, id, sizeof(id));
    tl_ai_emit(session, "input_audio_buffer.timeout_triggered", "{s:I, s:I, s:s}", "audio_start_ms",
               MS(input->idle_from_bytes), "audio_end_ms", MS(input->checked_bytes), "item_id", id);
    input->idle_from_bytes = 0;
    commit(session, (size_t)(input->checked_bytes - buffer_start(input)));
    respond(session, "idle");
}

/** While nobody speaks only the padding is worth keeping. Dropped in larger pieces. */
static void forget_silence(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;
    size_t keep = (size_t)session->config.prefix_padding_ms * 8 + 2000;

    if (!input->vad.speaking && input->buffer.len > 2 * keep)
        drop_front(input, input->buffer.len - keep);
}

static void check_frame(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;
    const uint8_t *frame = input->buffer.data + (input->checked_bytes - buffer_start(input));
    enum tl_ai_vad_event event = tl_ai_vad_feed(&input->vad, frame);

    input->checked_bytes += TL_SPEECH_FRAME_BYTES;
    if (event == TL_AI_VAD_NOTHING && sounds_finished(session)) {
        tl_ai_vad_reset(&input->vad);
        event = TL_AI_VAD_STOPPED;
    }
    if (event == TL_AI_VAD_STARTED)
        on_started(session);
    else if (event == TL_AI_VAD_STOPPED)
        on_stopped(session);
    else
        check_idle(session);
}

void tl_ai_input_append(struct tl_ai_session *session, const uint8_t *data, size_t len)
{
    struct tl_ai_input *input = &session->input;

    take(session, data, len);
    if (session->config.detection == TL_AI_NO_DETECTION) {
        input->checked_bytes = input->clock_bytes;
        return;
    }
    while (input->clock_bytes - input->checked_bytes >= TL_SPEECH_FRAME_BYTES)
        check_frame(session);
    forget_silence(session);
}

bool tl_ai_input_commit(struct tl_ai_session *session, struct tl_ai_problem *problem)
{
    struct tl_ai_input *input = &session->input;

    if (input->buffer.len < COMMIT_MIN_BYTES)
        return tl_ai_refuse(problem, "input_audio_buffer_commit_empty", NULL,
                            "Error committing input audio buffer: buffer too small. Expected at "
                            "least 100ms of audio, but buffer only has %.2fms of audio.",
                            (double)input->buffer.len / 8);
    tl_ai_vad_reset(&input->vad);
    input->checked_bytes = input->clock_bytes;
    commit(session, input->buffer.len);
    return true;
}

void tl_ai_input_clear(struct tl_ai_session *session)
{
    struct tl_ai_input *input = &session->input;

    tl_ai_vad_reset(&input->vad);
    input->item_id[0] = '\0';
    input->checked_bytes = input->clock_bytes;
    input->odd_len = 0;
    tl_buf_reset(&input->buffer);
    tl_ai_emit(session, "input_audio_buffer.cleared", "{}");
}

void tl_ai_input_reconfigure(struct tl_ai_session *session)
{
    session->input.vad.threshold = session->config.threshold;
    session->input.vad.silence_ms = session->config.silence_ms;
}

void tl_ai_input_arm_idle(struct tl_ai_session *session, unsigned generated_ms)
{
    session->input.idle_from_bytes = session->input.clock_bytes + (uint64_t)generated_ms * 8;
}
