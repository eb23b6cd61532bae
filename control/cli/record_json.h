#ifndef TL_CLI_RECORD_JSON_H
#define TL_CLI_RECORD_JSON_H

#include <jansson.h>

#include "codec/topic.h"
#include "kafka/record.h"
#include "kafka/schemas.h"

/** A record for people: {"topic","partition","offset","timestamp","key","value"}, with "error" and
 *  "base64" in place of "value" when it cannot be decoded. New reference. *ret_retry: the writer's
 *  schema is being fetched, ask again; then NULL. */
json_t *tl_cli_record_json(struct tl_schema_set *schemas, const struct tl_topic *topic,
                           const struct tl_record *record, bool *ret_retry);

/** Text where the bytes are UTF-8, else their base64. New reference; null for NULL. */
json_t *tl_cli_bytes_json(struct tl_bytes bytes);

/** The record type of a topic's values. */
enum tl_record_type tl_cli_record_type(const struct tl_topic *topic);

#endif
