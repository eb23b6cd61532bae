#ifndef TL_TEL_SCRIPT_H
#define TL_TEL_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "speech/speech.h"

#define TL_TEL_STEPS_MAX 4096

enum tl_tel_step_kind {
    TL_TEL_STEP_SAY, /* {"say":"text"}; with "at_ms": not before so long after the script's start */
    TL_TEL_STEP_WAIT_ANSWER, /* {"wait_answer":true}: until an utterance has been heard to its end
                              */
    TL_TEL_STEP_WAIT_STREAM, /* {"wait_stream":N}: until the N-th stream has started */
    TL_TEL_STEP_WAIT_QUIET,  /* {"wait_quiet":MS}: until nothing was heard for so long */
    TL_TEL_STEP_PAUSE,       /* {"pause":MS} or {"silence":MS} */
    TL_TEL_STEP_BARGE_IN,    /* {"barge_in":MS}: until so much of an utterance has been heard */
    TL_TEL_STEP_DTMF,        /* {"dtmf":"123#"}: a key each 100 ms */
    TL_TEL_STEP_AGAIN,  /* {"again":I,"until_ms":MS}: back to step I (from 0) before that time */
    TL_TEL_STEP_HANGUP, /* {"hangup":true}; with "after_ms": only when the clock has passed it;
                           with "when_told": only when the control API said so */
};

struct tl_tel_step {
    enum tl_tel_step_kind kind;
    int64_t ms;         /* PAUSE, BARGE_IN, WAIT_QUIET; at_ms of SAY, -1: none; N of WAIT_STREAM;
                           until_ms of AGAIN; after_ms of HANGUP */
    int64_t timeout_ms; /* of the waiting ones: then the next step runs; 30 s unless said */
    const struct tl_tel_voice *voice; /* SAY */
    char *keys;                       /* DTMF */
    size_t again;                     /* AGAIN */
    bool when_told;                   /* HANGUP */
};

/** What a party does in a call. */
struct tl_tel_script {
    struct tl_tel_step *step;
    size_t len;
};

struct tl_tel_voices;

/** Reads a JSON array of steps; "{n}" in words and keys becomes `number`. TL_INVALID: a step is
 *  unknown or wrong; says which. */
TL_MUST_CHECK enum tl_status tl_tel_script_parse(struct tl_tel_voices *voices, const json_t *steps,
                                                 size_t number, struct tl_tel_script *ret_script,
                                                 struct tl_error *err);
void tl_tel_script_finish(struct tl_tel_script *script);

#endif
