#ifndef TL_TEL_VOICE_H
#define TL_TEL_VOICE_H

#include <stddef.h>

#include "base/error.h"
#include "speech/speech.h"

#define TL_TEL_FRAME_TEXT 216 /* base64 characters of a frame */

/** A speech of the caller as ready-made frames. Lives as long as its voices. */
struct tl_tel_voice {
    const struct tl_speech *speech;
    const char *frame; /* TL_TEL_FRAME_TEXT characters each */
    size_t frames;
};

/** Every phrase said so far, with its frames in base64, shared by all calls. */
struct tl_tel_voices;

struct tl_tel_voices *tl_tel_voices_create(struct tl_speech_bank *bank);
void tl_tel_voices_destroy(struct tl_tel_voices *voices);

/** The caller's voice saying `text`; as tl_speech_bank_say. */
TL_MUST_CHECK enum tl_status tl_tel_voices_say(struct tl_tel_voices *voices, const char *text,
                                               const struct tl_tel_voice **ret_voice,
                                               struct tl_error *err);

extern const char tl_tel_silent_frame[TL_TEL_FRAME_TEXT + 1];

#endif
