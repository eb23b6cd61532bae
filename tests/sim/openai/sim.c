/* Ids and chance: all of it follows from the seed. */
#include "openai/sim.h"

#include <stdio.h>

uint64_t tl_ai_sim_random(struct tl_ai_sim *sim)
{
    uint64_t x = sim->random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

void tl_ai_sim_make_id(struct tl_ai_sim *sim, const char *prefix, char ret_id[TL_AI_ID_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    int len = snprintf(ret_id, TL_AI_ID_SIZE, "%s_", prefix);

    for (int part = 0; part < 2; part++) {
        uint64_t x = tl_ai_sim_random(sim);
        for (int i = 0; i < 10; i++, x /= 62)
            ret_id[len++] = alphabet[x % 62];
    }
    ret_id[len] = '\0';
}
