#ifndef TL_SIM_AI_SIM_H
#define TL_SIM_AI_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "openai/fault.h"
#include "speech/speech.h"

struct tl_ai_session;
struct tl_http_server;
struct tl_net;

/** From the command line. */
struct tl_ai_options {
    const char *listen;        /* ADDRESS:PORT of the service */
    const char *control;       /* ADDRESS:PORT of the control API */
    const char *cert, *key;    /* PEM; NULL: no TLS */
    const char *phrases;       /* file */
    const char *cache;         /* folder of synthesised sound; NULL: none */
    const char *api_key;       /* NULL: any */
    bool ga_only;              /* the beta shape is switched off, as at the real service */
    long session_delay_ms;     /* from the upgrade to session.created */
    long create_delay_ms;      /* from the cause of a response to response.created */
    long first_audio_delay_ms; /* from the cause of a response to its first delta */
    long transcript_delay_ms;  /* from the commit to the caller's transcript */
    long delta_ms;             /* sound in one delta */
    long speed;                /* deltas come so many times faster than they sound */
    long session_limit_s;      /* then session_expired and close 1001 */
    long keep;                 /* records of closed sessions that are kept */
    long seed;                 /* of ids and of faults that come with a probability */
    bool several_items;        /* every answer in two output items */
};

TAILQ_HEAD(tl_ai_session_list, tl_ai_session);

/** The whole simulator. Loop thread only. */
struct tl_ai_sim {
    struct tl_ai_options options;
    uv_loop_t *loop;
    struct tl_log log;
    struct tl_net *net;
    struct tl_speech_bank *bank;
    struct tl_http_server *server, *control;
    struct tl_ai_session_list sessions; /* in order of their beginning, closed ones too */
    size_t open, closed;
    unsigned long opened_ever;
    struct tl_ai_faults faults;
    uint64_t random;
    struct tl_buf scratch; /* an outgoing message in the making */
};

uint64_t tl_ai_sim_random(struct tl_ai_sim *sim);

#define TL_AI_ID_SIZE 33

/** prefix_ and 20 letters and digits, like the real ones. */
void tl_ai_sim_make_id(struct tl_ai_sim *sim, const char *prefix, char ret_id[TL_AI_ID_SIZE]);

#endif
