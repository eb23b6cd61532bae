#ifndef TL_SIM_AI_REST_H
#define TL_SIM_AI_REST_H

#include <stdbool.h>

#include "net/http_server.h"

struct tl_ai_sim;

/** GET /v1/models[/ID], POST /v1/chat/completions, /v1/responses, /v1/embeddings. `arg` is the
 *  simulator. */
void tl_ai_rest_on_request(void *arg, struct tl_http_exchange *x);

bool tl_ai_rest_is_authorised(const struct tl_ai_sim *sim, const struct tl_http_request *request);
bool tl_ai_rest_model_exists(const char *model);

#endif
