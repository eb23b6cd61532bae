#ifndef TL_SIM_AI_WIRE_H
#define TL_SIM_AI_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "openai/problem.h"

struct tl_ai_session;

/** A new event with `type` (in GA words; put into the session's dialect) and `event_id`. NULL: the
 *  dialect has no such event; tl_ai_send takes that too, and drops the rest. */
json_t *tl_ai_event(struct tl_ai_session *session, const char *type);

/** An event and its other members, as json_pack writes them: tl_ai_emit(s, "x", "{s:s}", "a", b).
 *  References ("o") are stolen in any case. */
void tl_ai_emit(struct tl_ai_session *session, const char *type, const char *format, ...);

void tl_ai_send(struct tl_ai_session *session, json_t *event); /* steals it */

/** The `error` event; client_event_id may be NULL. */
void tl_ai_send_problem(struct tl_ai_session *session, const struct tl_ai_problem *problem,
                        const char *client_event_id);

/** A piece of sound: written without a tree. `base64`, ids: no escapes needed. */
void tl_ai_send_audio_delta(struct tl_ai_session *session, const char *response_id,
                            const char *item_id, size_t output_index, const uint8_t *ulaw,
                            size_t len, int format);

/** Text as it is, through latency and silence like every event. */
void tl_ai_send_text(struct tl_ai_session *session, const char *text, size_t len);

/** The name of an event in the session's dialect; NULL: it has none. */
const char *tl_ai_event_name(const struct tl_ai_session *session, const char *ga_name);

#endif
