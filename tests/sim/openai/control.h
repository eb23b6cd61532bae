#ifndef TL_SIM_AI_CONTROL_H
#define TL_SIM_AI_CONTROL_H

struct tl_http_exchange;

/** The control API: GET and DELETE /sessions, GET /sessions/ID, GET, POST and DELETE /faults,
 *  GET /phrases, GET /healthz. `arg` is the simulator. */
void tl_ai_control_on_request(void *arg, struct tl_http_exchange *x);

#endif
