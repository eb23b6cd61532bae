#ifndef TL_SIM_SYNTH_H
#define TL_SIM_SYNTH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "speech/speech.h"

#define TL_SYNTH_MAX_BYTES (8000 * 120) /* two minutes */

/** espeak-ng → 8 kHz → µ-law, made as struct tl_speech promises, without the padding, appended to
 *  ret_ulaw. Runs in a child process: espeak-ng keeps phases and noise from text to text, and only
 *  a fresh one gives the same bytes whatever was said before.
 *  TL_INVALID: nothing to pronounce, or longer than two minutes. TL_FATAL: espeak-ng fails. */
TL_MUST_CHECK enum tl_status tl_synth(enum tl_speech_voice voice, const char *text,
                                      struct tl_buf *ret_ulaw, struct tl_error *err);

#endif
