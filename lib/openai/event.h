#ifndef TL_OPENAI_EVENT_H
#define TL_OPENAI_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/** Server events of the Realtime API, under the names of the present shape; those of the older
 *  dialect are mapped onto them when read (protocols: Realtime API reference). */
enum tl_openai_event_kind {
    TL_OPENAI_OTHER, /* known to be harmless, or unknown: ignore */
    TL_OPENAI_ERROR,
    TL_OPENAI_SESSION_CREATED,
    TL_OPENAI_SESSION_UPDATED,
    TL_OPENAI_SPEECH_STARTED,
    TL_OPENAI_SPEECH_STOPPED,
    TL_OPENAI_INPUT_COMMITTED,
    TL_OPENAI_TIMEOUT_TRIGGERED,
    TL_OPENAI_TRANSCRIPTION_DELTA,
    TL_OPENAI_TRANSCRIPTION_COMPLETED,
    TL_OPENAI_TRANSCRIPTION_FAILED,
    TL_OPENAI_ITEM_ADDED,
    TL_OPENAI_RESPONSE_CREATED,
    TL_OPENAI_OUTPUT_ITEM_ADDED,
    TL_OPENAI_OUTPUT_ITEM_DONE,
    TL_OPENAI_AUDIO_DELTA,
    TL_OPENAI_AUDIO_DONE,
    TL_OPENAI_AUDIO_TRANSCRIPT_DELTA,
    TL_OPENAI_AUDIO_TRANSCRIPT_DONE,
    TL_OPENAI_TEXT_DELTA,
    TL_OPENAI_TEXT_DONE,
    TL_OPENAI_RESPONSE_DONE,
    TL_OPENAI_RATE_LIMITS,
};

enum tl_openai_response_status {
    TL_OPENAI_RESPONSE_UNKNOWN,
    TL_OPENAI_RESPONSE_COMPLETED,
    TL_OPENAI_RESPONSE_CANCELLED,
    TL_OPENAI_RESPONSE_FAILED,
    TL_OPENAI_RESPONSE_INCOMPLETE,
};

struct tl_openai_usage {
    int64_t input_text_tokens, input_audio_tokens; /* cached ones included */
    int64_t cached_text_tokens, cached_audio_tokens;
    int64_t output_text_tokens, output_audio_tokens;
    double transcription_seconds;
};

/** One event. Strings are borrowed from `root`, which tl_openai_event_finish drops; they are never
 *  NULL unless said. */
struct tl_openai_event {
    enum tl_openai_event_kind kind;
    const char *type; /* as on the wire */
    const char *item_id;
    const char *previous_item_id; /* "" for none */
    const char *response_id;
    const char *text;       /* delta, transcript */
    const char *item_type;  /* of OUTPUT_ITEM_*, ITEM_ADDED: "message", "function_call" … */
    const char *role;       /* the same: "user", "assistant", "system", or "" */
    const char *call_id, *name, *arguments; /* of OUTPUT_ITEM_* with a function_call */
    const char *metadata_request;           /* response.metadata.req; "" for none */
    const char *output_text;                /* RESPONSE_DONE: first text of its output, or "" */
    int64_t audio_ms;       /* SPEECH_*: on the clock of the sound that was appended */
    struct tl_bytes audio;  /* AUDIO_DELTA, decoded; borrowed from `audio_buf` */
    enum tl_openai_response_status status;
    const char *status_reason; /* turn_detected, max_output_tokens …, or "" */
    bool is_out_of_band;       /* RESPONSE_*: conversation_id is null */
    const char *error_type, *error_code, *error_message, *error_event_id;
    bool has_usage;
    struct tl_openai_usage usage;
    int64_t expires_at_s;      /* SESSION_*: epoch seconds; 0 when absent */
    int64_t tokens_remaining;  /* RATE_LIMITS; -1 when absent */
    double tokens_reset_s;
    const char *input_format, *output_format, *voice; /* SESSION_UPDATED */
    json_t *root;
};

/** Reads one text frame. `audio_buf` takes decoded sound and is reset first; the event borrows
 *  it. TL_INVALID: not a JSON object with a type, or sound that is not base64; nothing to finish
 *  then. Members that are missing read as "" and 0. */
TL_MUST_CHECK enum tl_status tl_openai_event_parse(const char *data, size_t len,
                                                   struct tl_buf *audio_buf,
                                                   struct tl_openai_event *ret_event,
                                                   struct tl_error *err);
void tl_openai_event_finish(struct tl_openai_event *event);

/** Function calls of a RESPONSE_DONE: calls fn for each completed one, in order. */
typedef void (*tl_openai_call_fn)(void *arg, const char *item_id, const char *call_id,
                                  const char *name, const char *arguments);
void tl_openai_event_calls(const struct tl_openai_event *event, tl_openai_call_fn fn, void *arg);

/** How an error is to be taken (protocols: OpenAI, section 7). */
enum tl_openai_severity {
    TL_OPENAI_HARMLESS, /* go on */
    TL_OPENAI_RETRY_RESPONSE,
    TL_OPENAI_RECONNECT,
    TL_OPENAI_FATAL, /* account, key, dialect: do not reconnect */
};
enum tl_openai_severity tl_openai_error_severity(const char *type, const char *code);
enum tl_openai_severity tl_openai_close_severity(int http_status, int close_code);

#endif
