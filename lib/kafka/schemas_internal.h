#ifndef TL_KAFKA_SCHEMAS_INTERNAL_H
#define TL_KAFKA_SCHEMAS_INTERNAL_H

#include "kafka/schemas.h"

/** Can records with this id be decoded now? */
bool tl_schema_set_knows(const struct tl_schema_set *set, int32_t id);

/** Decodes as if our own schema had been the writer's: how config.v1 is read before it has told
 * which ids there are. */
TL_MUST_CHECK enum tl_status tl_record_decode_as_own(enum tl_record_type type,
                                                     struct tl_bytes value, struct tl_arena *arena,
                                                     void *ret_record, struct tl_error *err);

#endif
