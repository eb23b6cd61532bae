#ifndef TL_REDACT_TALK_H
#define TL_REDACT_TALK_H

#include "redact/context.h"
#include "redact/digits.h"
#include "redact/facts.h"
#include "redact/numbers.h"
#include "redact/redact.h"
#include "redact/span.h"

#define TL_TALK_NAMES_MAX 8

/** What a call's options come to; fixed for its life. */
struct tl_talk_rules {
    tl_entity_set on;
    int year;
    char own_text[2][24];
    const char *own[2];
    struct tl_known_name names[TL_TALK_NAMES_MAX * 2]; /* normalised words of the names */
    size_t n_names;
};

/** Where a call stands. Plain data: a draft works on a copy. */
struct tl_talk {
    struct tl_run run[TL_REDACT_SIDES];
    struct tl_context context;
    uint32_t utt; /* number of the last utterance */
};

/** One text on its way through the detectors. */
struct tl_talk_step {
    const struct tl_talk_rules *rules;
    struct tl_talk *talk;
    struct tl_numbers *numbers;
    const struct tl_redact_utterance *u;
    bool alone;    /* a text by itself: earlier words do not count */
    unsigned mode; /* tl_digits_mode */

    /* Told of a value that lies wholly or partly in an earlier utterance of the same run. */
    void (*on_earlier)(void *self, uint32_t utt, const struct tl_span *span);
    void *self;

    /* Out */
    struct tl_spans spans; /* the caller finishes it */
    bool pending;          /* digits of this text are undecided: they are in talk->run[side] */
    bool secret_near;      /* a card word or a code word is near */
};

/** Reads one utterance: finds what is in it and moves the talk on. */
void tl_talk_read(struct tl_talk_step *step);

/** Masks the undecided digits of utterance `utt` in `run` as `type`; true when there were any. */
bool tl_talk_mask_pending(struct tl_run *run, uint32_t utt, enum tl_entity_type type,
                          struct tl_numbers *numbers, struct tl_spans *spans);

bool tl_talk_is_pending(const struct tl_run *run, uint32_t utt);

/** Takes in a final that a predecessor masked. */
void tl_talk_resume(struct tl_talk *talk, struct tl_numbers *numbers,
                    const struct tl_redact_utterance *u);

#endif
