#ifndef TL_CONVERSATION_RECALL_H
#define TL_CONVERSATION_RECALL_H

struct tl_dialog;

/** Rebuilds a dialog from the log and the mailboxes, up to its session_started ("The log is the
 *  memory" in the design):
 *  1. scan calls.v1 from the checkpoint or the call's start to S → memory; check that S is the holder
 *  2. write `revoked` to every other mailbox given since media_to, and wait
 *  3. scan those mailboxes, and the own one up to its STARTED, for sound that is not in the log as
 *     words; put it in order and hand it to the dialog
 *  Ends with tl_dialog_live, tl_dialog_lost or tl_dialog_recall_failed. */
struct tl_recall;

void tl_recall_start(struct tl_dialog *dialog);

/** Only step 1, for a conversation that takes its own call up again: live at once unless another
 *  claim or gift stands between its own; then everything. */
void tl_recall_check(struct tl_dialog *dialog);

/** Only step 3 on the own mailbox: the AI session was lost, and another one is to hear again what is not
 *  in the log as words. */
void tl_recall_sound(struct tl_dialog *dialog);

/** Stops it; no callback comes any more. Accepts NULL. */
void tl_recall_cancel(struct tl_recall *recall);

#endif
