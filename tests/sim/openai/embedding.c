/* Vectors without a model: good enough that a search finds the passage that has the words. */
#include "openai/embedding.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define SPREAD 16 /* dimensions that a word touches */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

void tl_ai_embedding_init(struct tl_ai_embedding *e, size_t full, size_t dimensions)
{
    memset(e->value, 0, sizeof(e->value));
    e->full = full;
    e->dimensions = dimensions;
}

void tl_ai_embedding_add_token(struct tl_ai_embedding *e, uint64_t token)
{
    for (uint64_t k = 0; k < SPREAD; k++) {
        uint64_t hash = mix(token + k * UINT64_C(0x9E3779B97F4A7C15));
        e->value[hash % e->full] += hash >> 63 ? 1.0f : -1.0f;
    }
}

void tl_ai_embedding_add_text(struct tl_ai_embedding *e, const char *text)
{
    while (*text) {
        uint64_t hash = UINT64_C(0xCBF29CE484222325);
        while (*text && !isalnum((unsigned char)*text) && (unsigned char)*text < 0x80)
            text++;
        if (!*text)
            return;
        for (; isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80; text++)
            hash = (hash ^ (uint64_t)tolower((unsigned char)*text)) * UINT64_C(0x100000001B3);
        tl_ai_embedding_add_token(e, hash);
    }
}

void tl_ai_embedding_normalise(struct tl_ai_embedding *e)
{
    double sum = 0;

    for (size_t i = 0; i < e->dimensions; i++)
        sum += (double)e->value[i] * e->value[i];
    if (sum == 0) { /* no word at all, or none in these dimensions: still a unit vector */
        e->value[0] = 1;
        sum = 1;
    }
    for (size_t i = 0; i < e->dimensions; i++)
        e->value[i] = (float)(e->value[i] / sqrt(sum));
}
