#ifndef TL_CONVERSATION_OUTBOX_H
#define TL_CONVERSATION_OUTBOX_H

#include "avro/playback_batch.h"

struct tl_conversation;

/** Items for ingests, gathered for a moment so that calls share records of playback.v1. */
struct tl_outbox;

TL_MUST_CHECK enum tl_status tl_outbox_create(struct tl_conversation *conversation,
                                              struct tl_outbox **ret_outbox, struct tl_error *err);
void tl_outbox_destroy(struct tl_outbox *outbox); /* accepts NULL */

/** Copies the item and what it points to. */
void tl_outbox_add(struct tl_outbox *outbox, int ingest, int64_t ingest_epoch,
                   const struct tl_playback_item *item);
void tl_outbox_flush(struct tl_outbox *outbox);

#endif
