#ifndef TL_INGEST_WEBHOOK_WEBHOOK_H
#define TL_INGEST_WEBHOOK_WEBHOOK_H

#include "base/error.h"
#include "crypto/token.h"
#include "net/http_server.h"

struct tl_ingest;

/** Answers the telephone network's webhooks: voice, action, fallback, status, stream status. */
struct tl_webhook;

TL_MUST_CHECK enum tl_status tl_webhook_create(struct tl_ingest *ingest,
                                               struct tl_webhook **ret_webhook,
                                               struct tl_error *err);
void tl_webhook_destroy(struct tl_webhook *webhook); /* accepts NULL */

/** on_request of the public listener; arg is the webhook. */
void tl_webhook_on_request(void *arg, struct tl_http_exchange *x);

/** Keys that sign links; live as long as the ingest. */
struct tl_token_keys tl_webhook_keys(const struct tl_ingest *ingest);

#endif
