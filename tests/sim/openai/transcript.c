/* Transcription of the caller, which runs beside the conversation. */
#include "openai/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "openai/session.h"
#include "openai/wire.h"

#define UNCLEAR "(unintelligible)"
#define TEXT_MAX 4096

struct work {
    struct tl_ai_session *session;
    char item_id[TL_AI_ID_SIZE];
    size_t audio_bytes;
    char text[TEXT_MAX];
};

/** What a good recogniser would write: whole phrases, the words of those that were cut. */
static void write_text(const struct tl_ai_session *session, const struct tl_ai_item *item,
                       struct tl_buf *out)
{
    struct tl_speech_piece pieces[16];
    char heard[1024];
    size_t count = tl_speech_bank_scan(session->sim->bank, item->audio.data, item->audio.len,
                                       pieces, TL_ARRAY_LEN(pieces));

    for (size_t i = 0; i < count && i < TL_ARRAY_LEN(pieces); i++) {
        if (pieces[i].speech)
            tl_speech_text_heard(pieces[i].speech, pieces[i].len, heard, sizeof(heard));
        const char *text = pieces[i].speech ? heard : UNCLEAR;
        if (*text)
            tl_buf_printf(out, "%s%s", out->len ? " " : "", text);
    }
}

static json_t *usage_of(const struct work *work, const char *model)
{
    json_int_t input = (json_int_t)(work->audio_bytes / 800);
    json_int_t output = (json_int_t)(strlen(work->text) / 4 + 1);

    if (strcmp(model, "whisper-1") == 0)
        return json_pack("{s:s, s:f}", "type", "duration", "seconds",
                         (double)work->audio_bytes / 8000);
    return json_pack("{s:s, s:I, s:I, s:I, s:{s:i, s:I}}", "type", "tokens", "input_tokens", input,
                     "output_tokens", output, "total_tokens", input + output, "input_token_details",
                     "text_tokens", 0, "audio_tokens", input);
}

static void send_delta(const struct work *work, const char *text, size_t len)
{
    tl_ai_emit(work->session, "conversation.item.input_audio_transcription.delta",
               "{s:s, s:i, s:s%}", "item_id", work->item_id, "content_index", 0, "delta", text,
               len);
}

static void send_deltas(const struct work *work, const char *model)
{
    const char *at = work->text;

    if (strcmp(model, "whisper-1") == 0) {
        send_delta(work, at, strlen(at));
        return;
    }
    while (*at) {
        size_t len = strcspn(at + 1, " ") + 1; /* a word and the space before it */
        send_delta(work, at, len);
        at += len;
    }
}

static void set_transcript(const struct work *work)
{
    struct tl_ai_item *item = tl_ai_item_find(&work->session->items, work->item_id);

    if (item)
        json_object_set_new(json_array_get(item->content, 0), "transcript",
                            json_string(work->text));
}

static void finish(void *arg)
{
    struct work *work = arg;
    struct tl_ai_session *session = work->session;
    const json_t *audio = json_object_get(session->config.session, "audio");
    const json_t *settings = json_object_get(json_object_get(audio, "input"), "transcription");
    const char *model = json_string_value(json_object_get(settings, "model"));

    model = model ? model : "whisper-1";
    if (tl_ai_fault_strikes(session, TL_AI_FAULT_FAILED_TRANSCRIPT, NULL)) {
        tl_ai_emit(session, "conversation.item.input_audio_transcription.failed",
                   "{s:s, s:i, s:{s:s, s:s, s:s, s:n}}", "item_id", work->item_id, "content_index",
                   0, "error", "type", "transcription_error", "code", "audio_unintelligible",
                   "message", "The audio could not be transcribed.", "param");
    } else {
        set_transcript(work);
        send_deltas(work, model);
        tl_ai_emit(session, "conversation.item.input_audio_transcription.completed",
                   "{s:s, s:i, s:s, s:o}", "item_id", work->item_id, "content_index", 0,
                   "transcript", work->text, "usage", usage_of(work, model));
    }
    free(work);
}

void tl_ai_transcript_begin(struct tl_ai_session *session, const struct tl_ai_item *item)
{
    struct work *work = calloc(1, sizeof(*work));
    struct tl_ai_fault fault;
    TL_CLEANUP(tl_buf_finish) struct tl_buf text;
    long delay_ms = session->sim->options.transcript_delay_ms;

    if (!work)
        abort();
    tl_buf_init(&text, TEXT_MAX - 1);
    work->session = session;
    work->audio_bytes = item->audio.len;
    memcpy(work->item_id, item->id, sizeof(work->item_id));
    write_text(session, item, &text);
    memcpy(work->text, tl_buf_str(&text), text.len);
    if (tl_ai_fault_strikes(session, TL_AI_FAULT_LATE_TRANSCRIPT, &fault))
        delay_ms = fault.delay_ms;
    tl_ai_jobs_add(&session->jobs, (uint64_t)delay_ms, finish, work, free);
}
