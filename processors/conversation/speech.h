#ifndef TL_CONVERSATION_SPEECH_H
#define TL_CONVERSATION_SPEECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/buf.h"
#include "base/error.h"
#include "openai/request.h"

/* A session with an AI that hears and speaks: the speech_provider interface. OpenAI Realtime is the
 * one driver now (openai_speech.c). Loop thread only. */

struct tl_speech;

/** How bad the end of a session is. */
enum tl_speech_end {
    TL_SPEECH_CLOSED,    /* we closed it */
    TL_SPEECH_RECONNECT, /* the network, the time limit: open another one */
    TL_SPEECH_FATAL,     /* account, key, dialect: another one would end the same way */
};

/** Callbacks of one session. None comes from within a verb. item_id: the provider's name of a turn. */
struct tl_speech_callbacks {
    /** Settings took effect and the history is in: sound may be appended, answers be asked for. */
    void (*on_ready)(void *arg);
    /* The caller; audio_ms on the clock of the sound appended. */
    void (*on_speech_started)(void *arg, const char *item_id, int64_t audio_ms);
    void (*on_speech_stopped)(void *arg, const char *item_id, int64_t audio_ms);
    void (*on_committed)(void *arg, const char *item_id);
    void (*on_words)(void *arg, const char *item_id, const char *delta); /* transcript so far grows */
    void (*on_transcript)(void *arg, const char *item_id, const char *text); /* NULL: it failed */
    /* The AI. */
    void (*on_answer)(void *arg, const char *item_id, const char *response_id); /* a message began */
    void (*on_answer_sound)(void *arg, const char *item_id, struct tl_bytes audio);
    void (*on_answer_words)(void *arg, const char *item_id, const char *delta);
    void (*on_answer_done)(void *arg, const char *item_id);
    void (*on_tool)(void *arg, const char *provider_call_id, const char *name,
                    const char *arguments);
    /** An answer is over, whole or not; failed: the provider could not give it. */
    void (*on_response_done)(void *arg, bool failed, const char *reason);
    void (*on_text)(void *arg, const char *text); /* of tl_speech_summarise; NULL: failed */
    void (*on_usage)(void *arg, const struct tl_usage *usage);
    void (*on_closed)(void *arg, enum tl_speech_end end, const char *reason); /* the last one */
};

/** A turn of the history that a new session is given. */
struct tl_speech_turn {
    enum tl_speaker speaker;
    const char *text;
};

struct tl_speech_options {
    struct tl_openai_session session; /* borrowed until open returns */
    const char *model;
    enum tl_openai_dialect dialect;
    const struct tl_speech_turn *history; /* oldest first; borrowed until open returns */
    size_t history_n;
    const struct tl_speech_callbacks *callbacks; /* outlives the session */
    void *arg;
};

/** A provider, and its verbs. open: TL_RETRY when it is not to be asked yet. */
struct tl_speech_driver {
    TL_MUST_CHECK enum tl_status (*open)(void *self, const struct tl_speech_options *options,
                                         struct tl_speech **ret_speech, struct tl_error *err);
    /** Monotonic ms before which no session should be opened, for there were too many requests. */
    int64_t (*not_before_ms)(void *self, bool *ret_must_wait); /* the provider named it */
    void (*append)(struct tl_speech *speech, struct tl_bytes audio); /* mu-law */
    /** Asks for an answer: the session's instructions with `more` (NULL: nothing) behind them. Waits
     *  for an answer that is under way. */
    void (*respond)(struct tl_speech *speech, const char *more);
    /** Whether turns of the caller are answered; not: they are transcribed only. */
    void (*set_answering)(struct tl_speech *speech, bool answers);
    void (*cancel)(struct tl_speech *speech); /* the answer under way, if any */
    void (*truncate)(struct tl_speech *speech, const char *item_id, int64_t heard_ms); /* 0: delete */
    void (*tool_output)(struct tl_speech *speech, const char *provider_call_id, const char *output,
                        bool respond);
    void (*summarise)(struct tl_speech *speech, const char *instructions, const char *text);
    /** A turn goes out of the provider's memory. */
    void (*forget)(struct tl_speech *speech, const char *item_id);
    void (*remember)(struct tl_speech *speech, enum tl_speaker speaker, const char *text);
    bool (*is_answering)(const struct tl_speech *speech);
    int64_t (*expires_at_ms)(const struct tl_speech *speech); /* wall clock; 0: not known */
    /** No callback comes any more; frees. Accepts NULL. */
    void (*close)(struct tl_speech *speech);
};

#endif
