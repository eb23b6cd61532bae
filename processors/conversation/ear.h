#ifndef TL_CONVERSATION_EAR_H
#define TL_CONVERSATION_EAR_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"

#define TL_EAR_RUNS 64        /* a minute of sound; further back the oldest is taken */
#define TL_EAR_RUN_FRAMES 50  /* a run is cut after a second, so that mailbox offsets stay near */

/** Where a piece of the caller's sound stands. */
struct tl_ear_place {
    struct tl_position position;
    int64_t call_ms;        /* since the call began */
    int mailbox;
    int64_t mailbox_offset; /* of the record that it came in, or an earlier one */
};

/** The clocks of what the AI hears: the provider counts milliseconds of sound appended, the log wants
 *  positions and times of the call. Pure; embed it. */
struct tl_ear {
    struct tl_ear_run {
        int64_t audio_ms; /* provider's clock at its first byte */
        int64_t len_ms;
        struct tl_ear_place place; /* of its first frame */
        int64_t frames;
        bool is_still; /* padding: all of it stands at one n, and frames is 1 */
    } runs[TL_EAR_RUNS];
    unsigned head, len;
    int64_t audio_bytes; /* appended in this AI session */
    int64_t next_call_ms; /* where the sound of the stream goes on */
    bool has_next;
};

/** Whether it still knows where that moment of the provider's clock was. */
bool tl_ear_reaches(const struct tl_ear *ear, int64_t audio_ms);

/** A new AI session: its clock begins at 0. */
void tl_ear_reset(struct tl_ear *ear);

/** Milliseconds of silence to append before a frame at call_ms, so that the provider's clock keeps up
 *  with a gap: 0 to 10,000. Call before tl_ear_heard. */
int64_t tl_ear_gap_ms(const struct tl_ear *ear, int64_t call_ms);

/** `bytes` of mu-law were appended that stand (or, for padding, end) at `place`. */
void tl_ear_heard(struct tl_ear *ear, const struct tl_ear_place *place, int64_t bytes);

/** Where the sound at audio_ms of the provider's clock stands; the nearest known place when it is
 *  out of reach. False when nothing was heard. */
bool tl_ear_at(const struct tl_ear *ear, int64_t audio_ms, struct tl_ear_place *ret_place);

int64_t tl_ear_audio_ms(const struct tl_ear *ear); /* clock of the AI session now */

#endif
