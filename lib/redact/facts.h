#ifndef TL_REDACT_FACTS_H
#define TL_REDACT_FACTS_H

#include "redact/context.h"
#include "redact/span.h"
#include "redact/words.h"

/** A contact's name as normalised words. */
struct tl_known_name {
    char text[64];
};

struct tl_facts {
    const struct tl_cues *cues;
    tl_entity_set on;
    int year; /* of the call; 0: unknown */
    bool customer;
    const struct tl_known_name *names;
    size_t n_names;
};

/** What is known by the words around it: names, streets, dates, ages, passwords, health. Adds spans
 *  of the types in `on`. */
void tl_facts_find(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans);

#endif
