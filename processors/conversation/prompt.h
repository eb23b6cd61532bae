#ifndef TL_CONVERSATION_PROMPT_H
#define TL_CONVERSATION_PROMPT_H

#include "avro/config_entry.h"
#include "base/buf.h"
#include "openai/request.h"

/** What the AI knows beside the turns. */
struct tl_prompt_call {
    const char *from_number;
    const char *direction; /* "inbound", "outbound" */
    const char *summary;   /* of older turns; NULL: none */
};

/** Appends the instructions of a session (CONV-5): the business's template, how it speaks, what must
 *  and must not be said, the summary of older turns, the rules of the telephone. In the template {name},
 *  {from_number} and {direction} are replaced. */
void tl_prompt_instructions(const struct tl_business *business, const struct tl_prompt_call *call,
                            struct tl_buf *out);

/** The built-in tools that the business lets the AI use; at most `max`, returns how many. */
size_t tl_prompt_tools(const struct tl_business *business, struct tl_openai_tool *ret_tools,
                       size_t max);

/** Instructions for single answers, to be put behind the session's. */
void tl_prompt_greeting(const struct tl_business *business, struct tl_buf *out);
extern const char tl_prompt_silence[];  /* nobody has spoken for a while */
extern const char tl_prompt_goodbye[];  /* nobody has spoken for long */
extern const char tl_prompt_continue[]; /* the line was interrupted in the middle of an answer */
extern const char tl_prompt_summary[];  /* summarise what follows */

#endif
