#ifndef TL_INGEST_WEBHOOK_REPLIES_H
#define TL_INGEST_WEBHOOK_REPLIES_H

#include <stdbool.h>

#include "base/buf.h"

#define TL_REPLIES_MAX 256

/** The documents given last, so that a repeated webhook gets the same one without side effects
 *  (Twilio retries with the same I-Twilio-Idempotency-Token). The oldest falls out. */
struct tl_replies;

struct tl_replies *tl_replies_create(void);
void tl_replies_destroy(struct tl_replies *replies); /* accepts NULL */
void tl_replies_put(struct tl_replies *replies, const char *key, const void *data, size_t len);

/** False when the key is not known. `ret` is borrowed until the next put. */
bool tl_replies_get(const struct tl_replies *replies, const char *key, struct tl_bytes *ret);

#endif
