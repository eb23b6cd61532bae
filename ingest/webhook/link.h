#ifndef TL_INGEST_WEBHOOK_LINK_H
#define TL_INGEST_WEBHOOK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/common.h"
#include "base/error.h"
#include "crypto/token.h"

#define TL_LINK_STREAM "stream" /* purposes: what a token made for one URL is worth nothing in others */
#define TL_LINK_ACTION "action"

/** What the URLs and parameters that we give carry, signed, so that whichever ingest gets them
 *  can go on with the call ("When ingest dies" in the design). */
struct tl_link {
    char call_sid[64];
    char business_id[64];
    int business_version;
    int number; /* of the attachment */
    enum tl_direction direction;
    char from_number[64];
    char to_number[64];
    int64_t started_at_ms;    /* of the call */
    int64_t start_offset;     /* its story in calls.v1 begins here; -1: not known */
    int hint;                 /* mailbox of the conversation chosen or last known; -1: none */
    int64_t window_start_s;   /* attempts are bounded per minute */
    int window_attempts;
    int64_t given_at_ms;      /* when the document with it was given; 0: not known */
};

TL_MUST_CHECK enum tl_status tl_link_sign(const struct tl_token_keys *keys, const char *purpose,
                                          const struct tl_link *link,
                                          char ret_text[TL_TOKEN_TEXT_SIZE], struct tl_error *err);

/** TL_INVALID, TL_DENIED: as tl_token_verify. */
TL_MUST_CHECK enum tl_status tl_link_verify(const struct tl_token_keys *keys, const char *purpose,
                                            const char *text, struct tl_link *ret_link,
                                            struct tl_error *err);

/** The link of the next socket of the call at time now_s: number + 1, one more attempt. False when
 *  this would be more than `per_minute` within a minute. */
bool tl_link_next(struct tl_link *link, int64_t now_s, int per_minute);

#endif
