#ifndef TL_TEST_TALK_SCRIPT_H
#define TL_TEST_TALK_SCRIPT_H

#include "redact/redact.h"

#define TL_SCRIPT_TURNS 64

/** A talk played through a redactor: "C: four one | A: mm hmm | C: one one"; "A:" the agent, "C:"
 *  the customer, who also speaks where nothing is said. */
struct tl_script {
    char text[TL_SCRIPT_TURNS][1024]; /* finals as they came out, in order */
    char draft[TL_SCRIPT_TURNS][1024];
    size_t n;
    struct tl_entity entities[256];
    size_t n_entities;
};

/** Plays `talk`, a turn a second, each turn as a draft first.
 *  All finals are out at the end. Asserts that they come in order. */
void tl_script_play(struct tl_script *s, struct tl_redactor *r, const char *talk);

/** The same with a redactor of its own, for the types in `on`. */
void tl_script_run(struct tl_script *s, tl_entity_set on, const char *talk);

/** Highest confidence of an entity of the type, 0 for none. */
double tl_script_confidence(const struct tl_script *s, enum tl_entity_type type);

struct tl_redactor *tl_script_redactor(tl_entity_set on);

#endif
