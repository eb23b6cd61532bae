#ifndef TL_SIM_AI_TRANSCRIPT_H
#define TL_SIM_AI_TRANSCRIPT_H

struct tl_ai_item;
struct tl_ai_session;

/** Sends the transcript of a user item a while later, apart from any response: deltas (one for
 *  whisper-1), then completed, or failed by fault. */
void tl_ai_transcript_begin(struct tl_ai_session *session, const struct tl_ai_item *item);

#endif
