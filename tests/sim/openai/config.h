#ifndef TL_SIM_AI_CONFIG_H
#define TL_SIM_AI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "openai/problem.h"

enum tl_ai_dialect {
    TL_AI_GA,
    TL_AI_BETA, /* header OpenAI-Beta: realtime=v1 */
};

enum tl_ai_format {
    TL_AI_PCM16, /* 24 kHz, little endian */
    TL_AI_PCMU,
    TL_AI_PCMA,
};

enum tl_ai_detection {
    TL_AI_NO_DETECTION,
    TL_AI_SERVER_VAD,
    TL_AI_SEMANTIC_VAD,
};

/** The settings in force: the tree that clients see, in the GA shape whatever the dialect, and what
 *  the simulator needs of it. */
struct tl_ai_config {
    json_t *session; /* owned */
    enum tl_ai_format input_format, output_format;
    enum tl_ai_detection detection;
    double threshold;
    unsigned prefix_padding_ms, silence_ms, idle_timeout_ms; /* idle 0: none */
    bool create_response, interrupt_response;
    bool transcription; /* asked for */
    bool text_only;
    long max_output_tokens; /* 0: no limit */
};

/** The defaults of a new session. `expires_at`: seconds since 1970. */
void tl_ai_config_init(struct tl_ai_config *config, const char *session_id, const char *model,
                       int64_t expires_at);
void tl_ai_config_finish(struct tl_ai_config *config);

/** Takes a client's `session` over as a whole or not at all. `voice_locked`: audio was said.
 *  False: refused, nothing changed. */
bool tl_ai_config_update(struct tl_ai_config *config, enum tl_ai_dialect dialect,
                         const json_t *session, bool voice_locked, struct tl_ai_problem *problem);

/** The session as clients of the dialect see it; a new reference. */
json_t *tl_ai_config_json(const struct tl_ai_config *config, enum tl_ai_dialect dialect);

const char *tl_ai_config_instructions(const struct tl_ai_config *config); /* never NULL */
const char *tl_ai_config_model(const struct tl_ai_config *config);
bool tl_ai_model_reasons(const char *model); /* of the gpt-realtime-2 family */

#endif
