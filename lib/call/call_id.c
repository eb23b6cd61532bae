/* Ids that are derived, never invented twice: see call_id.h. */
#include "call/call_id.h"

#include <stdio.h>
#include <string.h>

struct tl_uuid tl_call_id_of_sid(const char *call_sid)
{
    return tl_uuid_v5(&tl_uuid_ns_call, call_sid, strlen(call_sid));
}

struct tl_uuid tl_event_id_derive(const char *source_event_id, const char *role, const char *topic,
                                  int ordinal)
{
    char name[256];
    int n = snprintf(name, sizeof(name), "%s|%s|%s|%d", source_event_id, role, topic, ordinal);

    return tl_uuid_v5(&tl_uuid_ns_event, name,
                      (size_t)n < sizeof(name) ? (size_t)n : sizeof(name) - 1);
}
