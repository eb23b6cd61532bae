#ifndef TL_SIM_AI_VAD_H
#define TL_SIM_AI_VAD_H

#include <stdbool.h>
#include <stdint.h>

/** Voice activity on received frames of 20 ms; it knows no clock but theirs. No heap. */
struct tl_ai_vad {
    double threshold;    /* 0..1: the louder the line may be without being speech */
    unsigned silence_ms; /* quiet that ends a turn */
    bool speaking;
    unsigned loud_frames;  /* in a row, while not speaking */
    unsigned quiet_frames; /* in a row, while speaking */
};

enum tl_ai_vad_event {
    TL_AI_VAD_NOTHING,
    TL_AI_VAD_STARTED, /* speech began TL_AI_VAD_ONSET_FRAMES frames ago, this one among them */
    TL_AI_VAD_STOPPED, /* silence_ms of quiet stand behind the last loud frame */
};

#define TL_AI_VAD_FRAME_MS 20
#define TL_AI_VAD_ONSET_FRAMES 2 /* a click of one frame is not speech */

/** `ulaw`: 160 bytes. */
enum tl_ai_vad_event tl_ai_vad_feed(struct tl_ai_vad *vad, const uint8_t *ulaw);

/** Forgets a turn in progress. */
void tl_ai_vad_reset(struct tl_ai_vad *vad);

#endif
