#ifndef TL_SIM_AI_USAGE_H
#define TL_SIM_AI_USAGE_H

#include <jansson.h>

struct tl_ai_response;
struct tl_ai_session;

/** `usage` of a response: text about 4 characters a token, the caller's sound 100 ms a token, the
 *  model's 50 ms. The whole conversation is input, all of it but the newest items cached. */
json_t *tl_ai_usage_json(const struct tl_ai_response *response);

/** rate_limits.updated. */
void tl_ai_usage_send_limits(struct tl_ai_session *session);

#endif
