#ifndef TL_SIM_AI_FAULT_H
#define TL_SIM_AI_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "openai/problem.h"

struct tl_ai_session;
struct tl_ai_sim;

/** Everything that can go wrong on purpose; README.md says what each does. */
enum tl_ai_fault_kind {
    /* to the connection, at once or after `after_ms` */
    TL_AI_FAULT_CLOSE_1011,
    TL_AI_FAULT_DROP,
    TL_AI_FAULT_RST,
    TL_AI_FAULT_HALF_OPEN,
    TL_AI_FAULT_EXPIRE,
    TL_AI_FAULT_QUOTA_CLOSE,
    TL_AI_FAULT_MALFORMED,
    TL_AI_FAULT_LATENCY,
    /* to what comes next in a session */
    TL_AI_FAULT_RATE_LIMIT,
    TL_AI_FAULT_QUOTA,
    TL_AI_FAULT_SERVER_ERROR,
    TL_AI_FAULT_LATE_CREATED,
    TL_AI_FAULT_DONE_WITHOUT_CREATED,
    TL_AI_FAULT_STATUS_DETAILS_STRING,
    TL_AI_FAULT_NO_RESPONSE,
    TL_AI_FAULT_SEVERAL_ITEMS,
    TL_AI_FAULT_DROP_IN_AUDIO,
    TL_AI_FAULT_LATE_TRANSCRIPT,
    TL_AI_FAULT_FAILED_TRANSCRIPT,
    /* to upgrades */
    TL_AI_FAULT_REFUSE_401,
    TL_AI_FAULT_REFUSE_403,
    TL_AI_FAULT_REFUSE_404,
    TL_AI_FAULT_REFUSE_429,
    TL_AI_FAULT_REFUSE_500,
    TL_AI_FAULT_REFUSE_503,
    /* to REST requests */
    TL_AI_FAULT_REST_429,
    TL_AI_FAULT_REST_QUOTA,
    TL_AI_FAULT_REST_500,
    TL_AI_FAULT_REST_HTML_502,
    TL_AI_FAULT_REST_SLOW,
    TL_AI_FAULTS_LEN,
};

/** A fault and to whom it happens. */
struct tl_ai_fault {
    enum tl_ai_fault_kind kind;
    long times;          /* how often still; per session where it is one's; < 0: without end */
    double probability;  /* of each time */
    long after_ms;       /* connection faults: since it came to the session */
    long delay_ms;       /* latency, late_*, rest_slow */
    long retry_after_ms; /* rest_429: in the answer's headers; < 0: not said */
};

#define TL_AI_FAULTS_MAX 32

/** Faults that wait for their moment: of the simulator (for sessions and requests to come) or of
 *  one session. */
struct tl_ai_faults {
    struct {
        struct tl_ai_fault fault;
        long sessions; /* for the next so many; < 0: for all */
    } row[TL_AI_FAULTS_MAX];
    size_t len;
};

/** Takes a request of the control API,
 *  {"kind", "scope": "all"|"open"|{"next":N}|{"session":ID}, "probability", "times", "after_ms",
 *  "delay_ms", "retry_after_ms"}, and lets it happen. False: refused. */
bool tl_ai_fault_post(struct tl_ai_sim *sim, const json_t *request, struct tl_ai_problem *problem);

/** "kind[:member=value…]", as on the command line: "drop:after_ms=500", "rate_limit:next=1". */
bool tl_ai_fault_option(struct tl_ai_sim *sim, const char *text, struct tl_ai_problem *problem);

void tl_ai_fault_clear(struct tl_ai_sim *sim); /* those that have not happened yet */
json_t *tl_ai_fault_list(const struct tl_ai_sim *sim);

/** Gives a new session the faults that wait for it. */
void tl_ai_fault_attach(struct tl_ai_session *session);

/** Whether the fault happens now to that session, and counts it. `ret_fault` may be NULL. */
bool tl_ai_fault_strikes(struct tl_ai_session *session, enum tl_ai_fault_kind kind,
                         struct tl_ai_fault *ret_fault);

/** The same for upgrades and REST requests, any kind from `first` to `last`. */
bool tl_ai_fault_strikes_request(struct tl_ai_sim *sim, enum tl_ai_fault_kind first,
                                 enum tl_ai_fault_kind last, struct tl_ai_fault *ret_fault);

#endif
