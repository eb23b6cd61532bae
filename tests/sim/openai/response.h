#ifndef TL_SIM_AI_RESPONSE_H
#define TL_SIM_AI_RESPONSE_H

#include <stdbool.h>

#include <jansson.h>

#include "openai/answer.h"
#include "openai/problem.h"
#include "openai/session.h"

/** A response in the making. Belongs to its session; freed with its response.done. */
struct tl_ai_response {
    LIST_ENTRY(tl_ai_response) link;
    struct tl_ai_session *session;
    char id[TL_AI_ID_SIZE];
    const char *cause;     /* "client", "turn", "idle" */
    bool is_created;       /* response.created went out */
    bool in_conversation;  /* false: out of band */
    const char *cancelled; /* reason of a cancel that waits for response.created */
    json_t *request;       /* `response` of response.create, or NULL */
    json_t *output;        /* finished items */
    enum tl_ai_format format;
    bool text_only;
    long audio_left_bytes; /* until max_output_tokens; < 0: no limit */
    struct tl_ai_plan plan;
    size_t part;             /* of the plan, being said */
    size_t done_bytes;       /* of that part's sound */
    size_t done_text;        /* of that part's text */
    struct tl_ai_item *item; /* of that part; NULL: not begun */
    json_t *said;            /* its entry in the report, borrowed */
    size_t total_bytes;      /* sound generated */
    size_t total_text;       /* characters generated */
};

/** Starts a response. `request` (may be NULL) is `response` of a response.create, borrowed.
 *  False: refused (one is active, the request is wrong). */
bool tl_ai_response_start(struct tl_ai_session *session, const char *cause, const json_t *request,
                          struct tl_ai_problem *problem);

/** response.cancel; `response_id` may be NULL. False: refused. */
bool tl_ai_response_cancel(struct tl_ai_session *session, const char *response_id,
                           struct tl_ai_problem *problem);

/** Barge-in: cancels the active response, if there is one. */
void tl_ai_response_interrupt(struct tl_ai_session *session);

void tl_ai_response_destroy_all(struct tl_ai_session *session);

#endif
