#ifndef TL_SIM_AI_EMBEDDING_H
#define TL_SIM_AI_EMBEDDING_H

#include <stddef.h>
#include <stdint.h>

#define TL_AI_EMBEDDING_MAX 3072

/** A bag of words, hashed into `full` dimensions, cut to the first `dimensions`, of length 1. The
 *  same text gives the same vector; texts that share words lie near each other. */
struct tl_ai_embedding {
    float value[TL_AI_EMBEDDING_MAX];
    size_t full, dimensions;
};

void tl_ai_embedding_init(struct tl_ai_embedding *e, size_t full, size_t dimensions);
void tl_ai_embedding_add_text(struct tl_ai_embedding *e, const char *text);
void tl_ai_embedding_add_token(struct tl_ai_embedding *e, uint64_t token);
void tl_ai_embedding_normalise(struct tl_ai_embedding *e);

#endif
