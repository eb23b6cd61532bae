#ifndef TL_TEL_RUN_H
#define TL_TEL_RUN_H

#include "call.h"

/** Requests a document and runs it in place of the running one. `extra` (taken, may be NULL) are
 *  fields beside the standard ones. `url` may be relative to the running document. */
void tl_tel_run_url(struct tl_tel_call *call, const char *url, const char *method,
                    struct tl_tel_form *extra);

/** Runs this text in place of the running document. */
void tl_tel_run_text(struct tl_tel_call *call, const char *twiml);

/** What runs ends now: the stream is stopped, timers and fetches are forgotten. */
void tl_tel_run_stop(struct tl_tel_call *call);

/** The verb that blocked is over: its action, the next verb, or the end of the call. */
void tl_tel_run_done(struct tl_tel_call *call, struct tl_tel_form *action_fields);

/** The stream is over and was not stopped by us. `abrupt`: no close frame came. */
void tl_tel_run_stream_ended(struct tl_tel_call *call, bool abrupt);

/** A key for the Gather that runs. */
void tl_tel_run_key(struct tl_tel_call *call, char key);

#endif
