#ifndef TL_SINKS_TELEPHONY_H
#define TL_SINKS_TELEPHONY_H

#include "sinks/sink.h"

/** Carries out at the telephone network what calls.v1 and commands.v1 ask for, once, and closes
 * calls that nobody else closed. See README.md. */
struct tl_telephony;

TL_MUST_CHECK enum tl_status tl_telephony_create(struct tl_sink *sink,
                                                 struct tl_telephony **ret_telephony,
                                                 struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_telephony_start(struct tl_telephony *telephony,
                                                struct tl_error *err);
bool tl_telephony_is_ready(const struct tl_telephony *telephony, char *reason, size_t size);
void tl_telephony_fill(struct tl_telephony *telephony, struct tl_presence *own);
void tl_telephony_on_change(struct tl_telephony *telephony); /* somebody came, went, or drains */
void tl_telephony_stop(struct tl_telephony *telephony);    /* while Kafka is there */
void tl_telephony_destroy(struct tl_telephony *telephony); /* after the fleet; accepts NULL */

#endif
