#ifndef TL_SIM_AI_ANSWER_H
#define TL_SIM_AI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "speech/speech.h"

struct tl_ai_response;

#define TL_AI_PLAN_MAX 6
#define TL_AI_TEXT_MAX 4096

/** One output item to come: words, with sound or without, or a function call. */
struct tl_ai_part {
    const struct tl_speech *speech; /* NULL: text only, or a call */
    size_t from, to;                /* bytes of the speech */
    char *text;                     /* words of this part; NULL: a call */
    const struct tl_phrase *call;   /* NULL: words */
};

struct tl_ai_plan {
    struct tl_ai_part part[TL_AI_PLAN_MAX];
    size_t len;
};

/** Decides what the response says: README.md, "What it answers". */
void tl_ai_answer_plan(const struct tl_ai_response *response, struct tl_ai_plan *ret_plan);

/** Cuts each spoken part in two, at a word and a frame. */
void tl_ai_plan_split(struct tl_ai_plan *plan);
void tl_ai_plan_finish(struct tl_ai_plan *plan);

/** A few sentences of the text: the first, the weightiest, the last. Always the same ones. */
void tl_ai_summarise(const char *text, char *ret_summary, size_t size);

#endif
