#ifndef TL_SIM_SPEECH_H
#define TL_SIM_SPEECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TL_SPEECH_FRAME_BYTES 160 /* 20 ms of µ-law at 8 kHz */
#define TL_SPEECH_SILENCE 0xFF    /* the µ-law byte of digital silence */

/** Who speaks: the two voices differ, so the same words by the other one are another sound. */
enum tl_speech_voice {
    TL_SPEECH_CALLER,
    TL_SPEECH_AI,
};

/** A text and its sound. Owned by the bank, lives as long as the bank. Within the sound proper no
 *  run of silence bytes reaches 5 ms and no quiet stretch 200 ms: a line's own silence is told from
 *  it, and no voice activity detection splits it. */
struct tl_speech {
    enum tl_speech_voice voice;
    const char *text;
    const uint8_t *ulaw; /* begins and ends with sound, then padded with silence bytes … */
    size_t len;          /* … to whole frames; this is what to send */
    size_t sound_len;    /* without the padding; what recognition compares */
};

/** A line of the phrase file: the caller's words and the AI's answer. In file order. */
struct tl_phrase {
    const struct tl_speech *ask;
    const struct tl_speech *answer;     /* said at once; NULL: nothing (a bare tool call) */
    const char *tool;                   /* function that the AI calls after `answer`; NULL: none */
    const char *tool_arguments;         /* JSON text; "{}" when none were written */
    const struct tl_speech *after_tool; /* said once the function's output is there; may be NULL */
    const struct tl_speech *without_tool; /* all words of the answer, when the function is not
                                             declared; NULL: no words at all */
};

struct tl_speech_bank;

/** `cache_dir`: where synthesised sound is kept between runs (made when missing); NULL: nowhere. */
TL_MUST_CHECK enum tl_status tl_speech_bank_create(const char *cache_dir,
                                                   struct tl_speech_bank **ret_bank,
                                                   struct tl_error *err);
void tl_speech_bank_destroy(struct tl_speech_bank *bank); /* accepts NULL */

static inline void tl_speech_bank_destroyp(struct tl_speech_bank **bank)
{
    tl_speech_bank_destroy(*bank);
}

/** Reads a phrase file (format: tests/sim/README.md) and synthesises every phrase and answer.
 *  TL_NOT_FOUND: no such file. TL_INVALID: a line is wrong ("FILE:LINE: why"). TL_FATAL: no speech
 *  synthesis. */
TL_MUST_CHECK enum tl_status tl_speech_bank_load(struct tl_speech_bank *bank, const char *file,
                                                 struct tl_error *err);

/** The loaded phrases; valid until the next load. */
const struct tl_phrase *tl_speech_bank_phrases(const struct tl_speech_bank *bank,
                                               size_t *ret_count);

/** The phrase whose caller's words are `text`, whatever its case and punctuation; NULL: none. */
const struct tl_phrase *tl_speech_bank_find(const struct tl_speech_bank *bank, const char *text);

/** The phrase that this sound asks; NULL: an answer, or said by tl_speech_bank_say only. */
const struct tl_phrase *tl_speech_bank_phrase_of(const struct tl_speech_bank *bank,
                                                 const struct tl_speech *speech);

/** The sound of any text: known from before or synthesised now (some 30 ms of this thread), and
 *  recognised from then on. The same text and voice give the same bytes in every process.
 *  TL_INVALID: nothing to pronounce. TL_FATAL: no speech synthesis. */
TL_MUST_CHECK enum tl_status tl_speech_bank_say(struct tl_speech_bank *bank,
                                                enum tl_speech_voice voice, const char *text,
                                                const struct tl_speech **ret_speech,
                                                struct tl_error *err);

/** The speech whose sound these bytes are, exactly, leading and trailing silence bytes aside;
 *  NULL: none. */
const struct tl_speech *tl_speech_bank_recognise(const struct tl_speech_bank *bank,
                                                 const uint8_t *ulaw, size_t len);

/** A stretch of a recording that is not line silence. */
struct tl_speech_piece {
    const struct tl_speech *speech; /* NULL: unknown sound */
    size_t at;                      /* first byte in the recording */
    size_t len;                     /* bytes of the recording */
    bool exact; /* the whole speech; false: only its first `len` bytes, or unknown */
};

/** Splits a recording into the speeches in it, one behind the other with or without silence
 *  between. A speech that was cut short is a piece of its first bytes (at least one frame of them).
 *  Writes at most `max` pieces, returns how many there are. */
size_t tl_speech_bank_scan(const struct tl_speech_bank *bank, const uint8_t *ulaw, size_t len,
                           struct tl_speech_piece *ret_pieces, size_t max);

/** About what share of the text lies in its first `bytes` bytes: whole words, "" at 0. */
void tl_speech_text_heard(const struct tl_speech *speech, size_t bytes, char *ret_text,
                          size_t size);

#endif
