#ifndef TL_SIM_AI_APPEND_SCAN_H
#define TL_SIM_AI_APPEND_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/** An input_audio_buffer.append, read without a tree: fifty a second come in every session. */
struct tl_ai_append {
    const char *audio; /* base64, within the message */
    size_t audio_len;
};

/** True: the message is {"type":"input_audio_buffer.append","audio":"…"}, perhaps with an event_id
 *  (members in any order, free of escapes). False says nothing: read it with the full parser. */
bool tl_ai_append_scan(const char *message, size_t len, struct tl_ai_append *ret_append);

#endif
