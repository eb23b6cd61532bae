#ifndef TL_TEL_CALLBACK_H
#define TL_TEL_CALLBACK_H

#include "call.h"

/** The call came to its present status: sends the status callback, if one was asked for, the way
 *  that the delivery fault says. */
void tl_tel_callback_status(struct tl_tel_call *call);

/** Stream status callback; `event`: "stream-started", "stream-stopped", "stream-error". */
void tl_tel_callback_stream(struct tl_tel_call *call, const struct tl_tel_target *target,
                            const char *stream_sid, const char *name, const char *event,
                            const char *error);

#endif
