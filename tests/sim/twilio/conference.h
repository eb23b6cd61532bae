#ifndef TL_TEL_CONFERENCE_H
#define TL_TEL_CONFERENCE_H

#include "call.h"

/** Brings the call into the room that a <Conference> names. False: its label is taken there
 * (16025), the call goes on with its next verb. */
bool tl_tel_conference_join(struct tl_tel_call *call, const struct tl_tel_node *node);

/** The call leaves: hung up, or runs something else. No-op when it is in none. */
void tl_tel_conference_leave(struct tl_tel_call *call);

/** All rooms that ever were, for the control API. */
json_t *tl_tel_conferences_json(const struct tl_tel *tel);
void tl_tel_conferences_finish(struct tl_tel *tel);

#endif
