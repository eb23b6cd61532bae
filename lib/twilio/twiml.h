#ifndef TL_TWILIO_TWIML_H
#define TL_TWILIO_TWIML_H

#include "base/buf.h"

#define TL_TWIML_CONTENT_TYPE "text/xml; charset=utf-8"

/** A name and a value for <Parameter>; together under 500 characters. */
struct tl_twiml_parameter {
    const char *name;
    const char *value;
};

/* Each appends one whole document. Texts are escaped; what XML cannot hold becomes '?'. */

/** <Connect action><Stream url statusCallback><Parameter…>: the bidirectional stream. */
void tl_twiml_connect_stream(struct tl_buf *out, const char *action_url, const char *stream_url,
                             const char *status_url, const struct tl_twiml_parameter *parameters,
                             size_t parameters_n);

/** Says a sentence (NULL or empty: says nothing) and ends; with `dial_number` (not NULL, not empty) connects to a person instead
 *  of ending. */
void tl_twiml_say(struct tl_buf *out, const char *language, const char *sentence,
                  const char *dial_number);

/** Says a sentence, waits, and asks again at `url`. */
void tl_twiml_say_redirect(struct tl_buf *out, const char *language, const char *sentence,
                           int pause_s, const char *url);

/** <Reject reason="busy|rejected">: not answered, not billed. */
void tl_twiml_reject(struct tl_buf *out, const char *reason);

/** <Response/>: nothing to run. */
void tl_twiml_empty(struct tl_buf *out);

#endif
