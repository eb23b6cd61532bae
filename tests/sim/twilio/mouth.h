#ifndef TL_TEL_MOUTH_H
#define TL_TEL_MOUTH_H

#include "call.h"

/** 20 ms of the script; the frame to send, in base64. The call may have ended when it returns. */
const char *tl_tel_mouth_tick(struct tl_tel_call *call, int64_t now_us);

/** The frame was sent, or lost. */
void tl_tel_mouth_sent(struct tl_tel_call *call, bool taken);

void tl_tel_mouth_finish(struct tl_tel_call *call); /* what is being said is reported as cut */

#endif
