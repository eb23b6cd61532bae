#ifndef TL_OPENAI_REQUEST_H
#define TL_OPENAI_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum tl_openai_dialect {
    TL_OPENAI_GA,   /* the present shape */
    TL_OPENAI_BETA, /* the older one: header OpenAI-Beta: realtime=v1 */
};

/** A tool that the model may call. `parameters` is JSON Schema text. */
struct tl_openai_tool {
    const char *name;
    const char *description;
    const char *parameters;
};

/** A telephone session: mu-law both ways. */
struct tl_openai_session {
    const char *instructions;
    const char *voice;
    const char *transcription_model;
    const char *language; /* ISO 639-1, or "" */
    bool semantic_vad;
    const char *eagerness;
    double vad_threshold;
    int vad_prefix_ms, vad_silence_ms;
    bool create_response; /* the model answers by itself at the end of a turn */
    bool has_temperature; /* older dialect only */
    double temperature;
    const struct tl_openai_tool *tools;
    size_t tools_n;
};

/* Each appends one client event. */
void tl_openai_session_update(struct tl_buf *out, enum tl_openai_dialect dialect,
                              const struct tl_openai_session *session);
/** Only the turn detection of a session: its create_response and interrupt_response change. */
void tl_openai_turn_detection(struct tl_buf *out, enum tl_openai_dialect dialect,
                              const struct tl_openai_session *session);
void tl_openai_append(struct tl_buf *out, struct tl_bytes audio); /* mu-law, any length */
void tl_openai_commit(struct tl_buf *out);

/** A message as text: role "user", "assistant" or "system"; `item_id` ours, at most 32 characters, or
 *  NULL. Audio of the model cannot be created, so history is replayed as text. */
void tl_openai_item_message(struct tl_buf *out, enum tl_openai_dialect dialect, const char *role,
                            const char *text, const char *item_id);
void tl_openai_item_output(struct tl_buf *out, const char *call_id, const char *output);
void tl_openai_item_truncate(struct tl_buf *out, const char *item_id, int64_t audio_end_ms);
void tl_openai_item_delete(struct tl_buf *out, const char *item_id);

/** Asks for an answer. `instructions` (NULL: those of the session) replace the session's, so put
 *  those before your own. `request` comes back in metadata and as event_id of an error. */
void tl_openai_response_create(struct tl_buf *out, const char *instructions, const char *request);

/** Asks for a text beside the conversation (a summary), from `input` alone. */
void tl_openai_response_create_text(struct tl_buf *out, enum tl_openai_dialect dialect,
                                    const char *instructions, const char *input,
                                    const char *request);
void tl_openai_response_cancel(struct tl_buf *out, const char *response_id);

/** A voice that exists: of those that do not any more (fable, onyx, nova) the nearest present one
 *  (CONV-3), `*ret_replaced` true then. In the older dialect marin and cedar become alloy. */
const char *tl_openai_voice(const char *voice, enum tl_openai_dialect dialect, bool *ret_replaced);

/** A transcription model that the dialect has: in the older one what it does not know becomes
 *  gpt-4o-mini-transcribe. */
const char *tl_openai_transcription_model(const char *model, enum tl_openai_dialect dialect);

#endif
