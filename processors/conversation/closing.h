#ifndef TL_CONVERSATION_CLOSING_H
#define TL_CONVERSATION_CLOSING_H

#include "base/error.h"

struct tl_conversation;
struct tl_dialog;

/** Calls that have ended here and wait for their final state in the log: follows the partitions of
 *  calls.v1 that they are in, and no others. */
struct tl_closing;

TL_MUST_CHECK enum tl_status tl_closing_create(struct tl_conversation *conversation,
                                               struct tl_closing **ret_closing,
                                               struct tl_error *err);
void tl_closing_destroy(struct tl_closing *closing); /* accepts NULL */

void tl_closing_watch(struct tl_closing *closing, struct tl_dialog *dialog);
void tl_closing_forget(struct tl_closing *closing, struct tl_dialog *dialog); /* also unwatched ones */

#endif
