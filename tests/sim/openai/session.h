#ifndef TL_SIM_AI_SESSION_H
#define TL_SIM_AI_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <jansson.h>

#include "net/ws.h"
#include "openai/config.h"
#include "openai/fault.h"
#include "openai/input.h"
#include "openai/item.h"
#include "openai/jobs.h"
#include "openai/sim.h"

struct tl_ai_response;

LIST_HEAD(tl_ai_response_list, tl_ai_response);

/** What tests ask about a session; arrays of objects that only grow. */
struct tl_ai_report {
    json_t *heard;        /* of the caller: phrases and unknown sound */
    json_t *said;         /* of the AI: one entry an output item */
    json_t *given;        /* items that the client created */
    json_t *tool_outputs; /* of these, the outputs of functions */
    json_t *truncations;
    json_t *deletions;                  /* ids of items that the client deleted */
    json_t *errors;                     /* sent */
    json_t *responses;                  /* id, status, cause */
    json_t *updates;                    /* `session` of each session.update taken */
    unsigned long appends, audio_bytes; /* as received */
    unsigned long messages;             /* all kinds */
    long long opened_at_ms;             /* since 1970 */
    int64_t opened_us;                  /* monotonic */
    int64_t closed_us;                  /* 0: open */
    unsigned close_code;
    const char *closed_by; /* "client", "server"; NULL: open */
};

/** One WebSocket of /v1/realtime and its conversation. Kept as a record when closed. */
struct tl_ai_session {
    struct tl_ai_sim *sim;
    TAILQ_ENTRY(tl_ai_session) link;
    char id[TL_AI_ID_SIZE];
    enum tl_ai_dialect dialect;
    struct tl_ws *ws;     /* NULL: closed */
    bool is_beta_refused; /* --ga-only and the beta header */
    bool is_created;      /* session.created went out */
    bool is_mute;         /* half open: nothing is read or written any more */
    long latency_ms;      /* every event leaves so much later */
    struct tl_ai_jobs jobs;
    struct tl_ai_faults faults;

    struct tl_ai_config config;
    struct tl_ai_input input;
    struct tl_ai_item_list items;
    struct tl_ai_response_list responses;
    struct tl_ai_response *active; /* of the default conversation */
    bool voice_locked;             /* sound was said */
    char conversation_id[TL_AI_ID_SIZE];
    json_t *early; /* messages that came before session.created, as strings */
    struct tl_ai_report report;
};

/** Decides about a handshake for /v1/realtime. */
void tl_ai_session_on_upgrade(void *arg, const struct tl_http_request *request,
                              struct tl_ws_accept *accept);

void tl_ai_session_destroy(struct tl_ai_session *session); /* a closed one */

/** session_expired, then close 1001. */
void tl_ai_session_expire(struct tl_ai_session *session);

/** Milliseconds since the session began. */
long tl_ai_session_age_ms(const struct tl_ai_session *session);

/** The record for the control API; a new reference. `full`: with everything said and heard. */
json_t *tl_ai_session_report(const struct tl_ai_session *session, bool full);

/** Handles one client message. */
void tl_ai_client_event(struct tl_ai_session *session, const char *message, size_t len);

#endif
