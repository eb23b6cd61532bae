#ifndef TL_SIM_AI_RULES_H
#define TL_SIM_AI_RULES_H

#include "openai/schema.h"

/* What clients may say, as tables (openai/schema.h): names, kinds and ranges of the Realtime
 * reference. What depends on the state of a session is checked where that state is. */

extern const struct tl_ai_rule tl_ai_session_rules[];       /* `session`, GA */
extern const struct tl_ai_rule tl_ai_beta_session_rules[];  /* `session`, beta */
extern const struct tl_ai_rule tl_ai_response_rules[];      /* `response` of response.create, GA */
extern const struct tl_ai_rule tl_ai_beta_response_rules[]; /* the same, beta */

#endif
