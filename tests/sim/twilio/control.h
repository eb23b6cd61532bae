#ifndef TL_TEL_CONTROL_H
#define TL_TEL_CONTROL_H

#include "net/http_server.h"
#include "tel.h"

/** Requests of the control API; `arg` is the struct tl_tel. The verbs are in tests/sim/README.md.
 */
void tl_tel_control_request(void *arg, struct tl_http_exchange *x);

/** Makes the calls that a body of POST /calls describes, and starts them, spread by "rate". The
 * SIDs go to ret_sids (a new reference). TL_INVALID: why. TL_NOT_FOUND: nobody has the number. */
TL_MUST_CHECK enum tl_status tl_tel_control_start_calls(struct tl_tel *tel, const json_t *body,
                                                        json_t **ret_sids, struct tl_error *err);

#endif
