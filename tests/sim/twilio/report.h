#ifndef TL_TEL_REPORT_H
#define TL_TEL_REPORT_H

#include "call.h"
#include "net/http_server.h"

/** Everything about a call, for the control API; a new reference. `with_frames`: the times of
 * frames and arrivals too. */
json_t *tl_tel_report_call(const struct tl_tel_call *call, bool with_frames);

/** One line of a list of calls. */
json_t *tl_tel_report_line(const struct tl_tel_call *call);

/** Answers with the events behind byte `from`, as soon as there are any, or when the call is over,
 *  or after wait_ms. Takes the exchange. */
void tl_tel_report_events(struct tl_tel_call *call, struct tl_http_exchange *x, size_t from,
                          int64_t wait_ms);

/** New events came, or the call is over. */
void tl_tel_report_wake(struct tl_tel_call *call);

#endif
