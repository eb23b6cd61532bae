#ifndef TL_CALL_CALL_ID_H
#define TL_CALL_CALL_ID_H

#include "base/uuid.h"

/** The call id of an inbound call: UUIDv5 of its CallSid, so that every ingest agrees unasked. */
struct tl_uuid tl_call_id_of_sid(const char *call_sid);

/** Id of an event derived from another: UUIDv5(source event id, role, topic, ordinal): what is
 *  produced twice is the same record. */
struct tl_uuid tl_event_id_derive(const char *source_event_id, const char *role, const char *topic,
                                  int ordinal);

#endif
