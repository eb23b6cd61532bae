#ifndef TL_TWILIO_REST_H
#define TL_TWILIO_REST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/** What an answer of the REST API means for whoever asked (Twilio, error dictionary). */
enum tl_twilio_outcome {
    TL_TWILIO_DONE,    /* carried out */
    TL_TWILIO_OVER,    /* the call is over already (21220, 20404): as good as done for an end */
    TL_TWILIO_AGAIN,   /* was not carried out, may be later: 429 */
    TL_TWILIO_UNKNOWN, /* 5xx, no answer: it may have been carried out */
    TL_TWILIO_REFUSED, /* will never be */
};

struct tl_twilio_answer {
    enum tl_twilio_outcome outcome;
    int code;          /* of the error dictionary; 0: none */
    char message[256]; /* for people */
    char call_sid[64]; /* of a created or fetched call */
    char status[32];   /* its status */
};

/** Reads status and body of an answer; `http_status` 0 when none came. Never fails: what cannot be
 *  read is judged by the status alone. */
void tl_twilio_answer_read(int http_status, struct tl_bytes body,
                           struct tl_twilio_answer *ret_answer);

/** Appends name=value, form-encoded, with '&' before it unless out is empty. */
void tl_twilio_form_add(struct tl_buf *out, const char *name, const char *value);

#endif
