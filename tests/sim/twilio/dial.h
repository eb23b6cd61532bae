#ifndef TL_TEL_DIAL_H
#define TL_TEL_DIAL_H

#include "call.h"

/** Runs a <Dial>: legs to numbers, or a conference. It ends through tl_tel_run_done. False: it has
 *  nothing to dial, go on. */
bool tl_tel_dial_start(struct tl_tel_call *call, const struct tl_tel_node *node);

/** The caller left the Dial (hung up, or runs something else): legs end, the conference is left. */
void tl_tel_dial_stop(struct tl_tel_call *call);

void tl_tel_dial_leg_answered(struct tl_tel_call *leg);
void tl_tel_dial_leg_ended(struct tl_tel_call *leg);

#endif
