#ifndef TL_SINKS_RECORDS_H
#define TL_SINKS_RECORDS_H

#include "sinks/sink.h"

/** From calls.v1 into the tables calls, call_interactions and call_usage. */
struct tl_records;

/** Connects; reading begins with tl_records_start. */
TL_MUST_CHECK enum tl_status
tl_records_create(struct tl_sink *sink, struct tl_records **ret_records, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_records_start(struct tl_records *records, struct tl_error *err);
bool tl_records_is_ready(const struct tl_records *records, char *reason, size_t size);
void tl_records_stop(struct tl_records *records);    /* leaves the group; while Kafka is there */
void tl_records_destroy(struct tl_records *records); /* after the fleet; accepts NULL */

#endif
