#ifndef TL_CONVERSATION_TALK_H
#define TL_CONVERSATION_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/buf.h"
#include "processors/conversation/ear.h"
#include "processors/conversation/memory.h"
#include "redact/redact.h"

/* The two sides of a call as turns: what becomes a draft, what a final and in which order, what of
 * the AI's sound may leave, what of it was heard. No I/O and no clock: the dialog says what happened
 * and when, and carries out what the talk asks for. */

/** Now, on both clocks that matter. */
struct tl_talk_now {
    int64_t mono_ms;
    int64_t call_ms; /* since the call began */
};

struct tl_talk_turn;

struct tl_talk_callbacks {
    /** Write this utterance. For drafts of the AI call tl_talk_on_draft_logged(turn) when it is in
     *  the log; `turn` is NULL for all others. The strings are borrowed. */
    void (*write)(void *arg, const struct tl_utterance *utterance, struct tl_talk_turn *turn);
    /** A final was written: what the AI remembers, masked. */
    void (*remember)(void *arg, int turn, enum tl_speaker speaker, const char *text,
                     const char *item_id);
    /** What was heard of a predecessor's answer is decided: `heard`, masked, "" for nothing, which no AI
     *  session knows yet. unfinished: more was to come, and the AI is to go on with it. */
    void (*answered)(void *arg, const char *heard, bool unfinished);
    void (*play)(void *arg, struct tl_bytes audio);
    void (*mark)(void *arg, const char *name);
    void (*clear)(void *arg);
    /** The provider's memory of an item is to be cut to what was heard; 0: it was not heard. */
    void (*truncate)(void *arg, const char *item_id, int64_t heard_ms);
};

struct tl_talk {
    const struct tl_talk_callbacks *on;
    void *arg;
    struct tl_redactor *redactor;
    struct tl_redacted redacted;
    struct tl_ear *ear;           /* borrowed */
    int64_t play_ahead_ms, transcript_wait_ms;
    int64_t prefix_ms, silence_ms; /* that the provider adds before and behind what was spoken */
    struct tl_talk_turn *turns;   /* in turn order, without finals that were written */
    struct tl_talk_turn *handed;  /* with the redactor, in turn order */
    struct tl_talk_turn *speaking; /* the caller, now; not committed yet */
    int turn;                     /* newest */
    int final_turn;               /* newest that is final */
    bool is_muted;                /* no sound is sent now: the claim is on its way */
    bool listens;                 /* only what was answered already is heard, once more */
    int64_t line_ms;              /* see tl_talk_on_line */
    int64_t noticed_ms;           /* see tl_talk_on_noticed */
    int64_t ai_ms, ai_bytes;      /* sound and words of the AI's answers that were heard whole */
    int epoch;                    /* of playback: rises with every clear */
    int64_t play_until_ms;        /* call time at which the sound that was sent ends */
    bool has_media_to, has_answers_to, has_answered_to;
    struct tl_ear_place media_to;
    struct tl_position answers_to;  /* end of the caller's newest turn */
    struct tl_position answered_to; /* of the newest answer that has a draft in the log */
};

/** `redactor` is taken over, `ear` borrowed. */
void tl_talk_init(struct tl_talk *talk, const struct tl_talk_callbacks *on, void *arg,
                  struct tl_redactor *redactor, struct tl_ear *ear);
void tl_talk_finish(struct tl_talk *talk);

/** Goes on from what the log says: number of turns, positions, open drafts. */
void tl_talk_go_on(struct tl_talk *talk, const struct tl_memory *memory, struct tl_talk_now now);

/* What the AI session reports. */
/** Returns true when the AI was interrupted by it. */
bool tl_talk_on_speech_started(struct tl_talk *talk, const char *item_id, int64_t audio_ms,
                               struct tl_talk_now now);
void tl_talk_on_speech_stopped(struct tl_talk *talk, const char *item_id, int64_t audio_ms);
void tl_talk_on_committed(struct tl_talk *talk, const char *item_id, struct tl_talk_now now);
void tl_talk_on_words(struct tl_talk *talk, const char *item_id, const char *delta,
                      struct tl_talk_now now);
void tl_talk_on_transcript(struct tl_talk *talk, const char *item_id, const char *text,
                           struct tl_talk_now now); /* NULL: failed */
void tl_talk_on_answer(struct tl_talk *talk, const char *item_id);
void tl_talk_on_answer_sound(struct tl_talk *talk, const char *item_id, struct tl_bytes audio,
                             struct tl_talk_now now);
void tl_talk_on_answer_words(struct tl_talk *talk, const char *item_id, const char *delta);
void tl_talk_on_answer_done(struct tl_talk *talk, const char *item_id, struct tl_talk_now now);
/** No more sound of any answer comes: the response or the session is over. */
void tl_talk_on_answers_over(struct tl_talk *talk, struct tl_talk_now now);
/** The same, before it was complete. Returns as tl_talk_on_session_lost. */
bool tl_talk_on_answers_failed(struct tl_talk *talk, struct tl_talk_now now);
/** The AI session has told of all speech in the sound that it was given up to `audio_ms`, 0 for none of it: a
 *  session that says nothing may be dead, and its silence is no silence of the caller's. */
void tl_talk_on_noticed(struct tl_talk *talk, int64_t audio_ms);
/** The AI session is gone. Turns of the caller without a transcript wait for another session that is
 *  given their sound again, so that each keeps its place and utterance. True: an answer of which the caller
 *  has heard something, or will, lacks its rest. */
bool tl_talk_on_session_lost(struct tl_talk *talk, struct tl_talk_now now);
/** No turn of the caller waits for a transcript, and none is being spoken. */
bool tl_talk_is_transcribed(const struct tl_talk *talk);
/** Calls fn with the masked words of each open turn that is in words, in turn order: what a new AI session
 *  is to know beside the memory. `text` is borrowed. */
typedef void (*tl_talk_turn_fn)(void *arg, enum tl_speaker speaker, const char *text);
void tl_talk_each_open(struct tl_talk *talk, tl_talk_turn_fn fn, void *arg);

/** Up to where the caller's sound has been put into words, in the log already or on the way there:
 *  a new AI session hears what is behind it. False: nothing was. */
bool tl_talk_worded_to(const struct tl_talk *talk, struct tl_ear_place *ret_place);
/** The newest turn is the caller's, in words, and nothing answers it. False also when no turn is open. */
bool tl_talk_waits_for_answer(const struct tl_talk *talk);
/** The caller's sound up to `to` is in words. */
bool tl_talk_is_transcribed_to(const struct tl_talk *talk, const struct tl_position *to);

/* What the log and the telephone report. */
void tl_talk_on_draft_logged(struct tl_talk *talk, struct tl_talk_turn *turn, bool ok,
                             struct tl_talk_now now);
/** What came over the line up to `call_ms`, marks included, has been told: of a frame or mark, before it.
 *  By the line's own time, so that a delay of ours is not taken for silence. */
void tl_talk_on_line(struct tl_talk *talk, int64_t call_ms);
void tl_talk_on_mark(struct tl_talk *talk, const char *name, struct tl_talk_now now);

/** A stream broke off after a frame at `end_ms`, with the newest mark at `mark_ms` (-1: none), in call time:
 *  sound plays on behind a mark, so a little more was heard. was_last: nobody but us will send into a later
 *  one, so no mark of a predecessor's comes any more. */
void tl_talk_on_broken(struct tl_talk *talk, int64_t end_ms, int64_t mark_ms, bool was_last,
                       struct tl_talk_now now);

/** A new socket: what was sent and not heard is sent again. */
void tl_talk_resend(struct tl_talk *talk, struct tl_talk_now now);

/** The stream is over: nothing more is heard, the AI's turns are final as they were heard. */
void tl_talk_stop(struct tl_talk *talk, struct tl_talk_now now);

/** The call is over, no session will hear it again: turns of the caller without a transcript failed,
 *  everything is written out. The talk is idle then. */
void tl_talk_give_up(struct tl_talk *talk, struct tl_talk_now now);

/** Time passed: transcripts that will not come, redactions that are decided. Call a few times a
 *  second. */
void tl_talk_tick(struct tl_talk *talk, struct tl_talk_now now);

/** Everything that is held is written out, masked. */
void tl_talk_flush(struct tl_talk *talk, struct tl_talk_now now);

bool tl_talk_is_open(const struct tl_talk *talk, enum tl_speaker speaker); /* a turn is not final */
bool tl_talk_is_quiet(const struct tl_talk *talk);  /* no turn is open; finals may wait for a redaction */
bool tl_talk_is_idle(const struct tl_talk *talk);   /* every turn is final */
bool tl_talk_is_playing(const struct tl_talk *talk); /* the AI has sound that was not heard */
bool tl_talk_is_caller_speaking(const struct tl_talk *talk);

/** Bytes held of sound not yet heard, for the metrics. */
int64_t tl_talk_sound_bytes(const struct tl_talk *talk);

#endif
