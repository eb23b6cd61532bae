#ifndef TL_SIM_AI_INPUT_H
#define TL_SIM_AI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "openai/problem.h"
#include "openai/sim.h"
#include "openai/vad.h"

struct tl_ai_session;

#define TL_AI_ARRIVALS 64 /* pieces of sound whose time of arrival is remembered */

/** The input audio buffer, µ-law at 8 kHz whatever came, and the clock that counts it. */
struct tl_ai_input {
    struct tl_buf buffer;   /* what a commit would take, and padding before speech */
    uint64_t clock_bytes;   /* received since the session began, 8 a millisecond */
    uint64_t checked_bytes; /* of these, seen by the VAD: whole frames */
    struct tl_ai_vad vad;
    char item_id[TL_AI_ID_SIZE]; /* of the turn that is being spoken */
    uint64_t speech_start_bytes; /* on the clock, where that turn begins */
    int64_t speech_start_us;     /* when that sound came in */
    uint64_t idle_from_bytes;    /* idle timeout counts from here; 0: it is not armed */
    uint8_t odd[6];              /* of pcm: bytes that make no µ-law sample yet */
    size_t odd_len;
    struct {
        uint64_t end_bytes; /* on the clock */
        int64_t at_us;
    } arrival[TL_AI_ARRIVALS];
    size_t arrivals; /* ever */
};

void tl_ai_input_init(struct tl_ai_input *input);
void tl_ai_input_finish(struct tl_ai_input *input);

/** Takes sound in the session's input format and lets the turn detection see it. */
void tl_ai_input_append(struct tl_ai_session *session, const uint8_t *data, size_t len);

/** input_audio_buffer.commit and .clear. False: refused. */
bool tl_ai_input_commit(struct tl_ai_session *session, struct tl_ai_problem *problem);
void tl_ai_input_clear(struct tl_ai_session *session);

/** The turn detection settings changed. */
void tl_ai_input_reconfigure(struct tl_ai_session *session);

/** The AI finished speaking `generated_ms` of sound: the caller's silence counts from its end. */
void tl_ai_input_arm_idle(struct tl_ai_session *session, unsigned generated_ms);

#endif
