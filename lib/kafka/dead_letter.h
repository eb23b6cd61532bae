#ifndef TL_KAFKA_DEAD_LETTER_H
#define TL_KAFKA_DEAD_LETTER_H

#include "base/error.h"
#include "kafka/producer.h"
#include "kafka/record.h"
#include "kafka/schemas.h"

/** Puts records aside in dead-letters.v1. Loop thread only. */
struct tl_dead_letters;

/** `producer` and `schemas` are borrowed; `name` is the process, copied. */
TL_MUST_CHECK enum tl_status tl_dead_letters_create(struct tl_producer *producer,
                                                    struct tl_schema_set *schemas, const char *name,
                                                    struct tl_dead_letters **ret_letters,
                                                    struct tl_error *err);
void tl_dead_letters_destroy(struct tl_dead_letters *letters); /* accepts NULL */

/** Sends the record, whole, with the reason; its key stays the key. The record counts as handled
 *  only when on_delivery says TL_OK. Statuses as tl_producer_send and tl_record_encode. */
TL_MUST_CHECK enum tl_status tl_dead_letter_send(struct tl_dead_letters *letters,
                                                 const struct tl_record *record, const char *reason,
                                                 tl_delivery_fn on_delivery, void *arg,
                                                 struct tl_error *err);

#endif
