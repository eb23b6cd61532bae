#ifndef TL_CALL_CALL_STATE_H
#define TL_CALL_CALL_STATE_H

#include <stdbool.h>

#include "avro/call_event.h"

/** The state that follows when `current` is known and a source reports `reported` (CALL-3):
 *  INITIATED → RINGING → IN_PROGRESS → ESCALATED → COMPLETED or FAILED. States are never gone back
 *  to, the first final one stays, so any order and repetition of reports ends in one state. */
enum tl_call_state tl_call_state_advance(enum tl_call_state current, enum tl_call_state reported);

/** COMPLETED and FAILED. */
bool tl_call_state_is_final(enum tl_call_state state);

/** State for a CallStatus of the telephone network (protocols: Twilio, Call resource): "queued",
 *  "initiated" … "canceled". UNKNOWN for any other word. */
enum tl_call_state tl_call_state_of_status(const char *status);

#endif
