#ifndef TL_SINKS_TELEPHONY_INTERNAL_H
#define TL_SINKS_TELEPHONY_INTERNAL_H

#include <uthash.h>

#include "avro/call_command.h"
#include "avro/telephony_state.h"
#include "kafka/dead_letter.h"
#include "kafka/group.h"
#include "kafka/offsets.h"
#include "kafka/scan.h"
#include "net/http_client.h"
#include "net/timer.h"
#include "sinks/fold/call_map.h"
#include "sinks/telephony/telephony.h"
#include "twilio/rest.h"

#define TL_TELEPHONY_ID_SIZE 64

/** What the state topic says of an intent or command. */
struct tl_known {
    char id[TL_TELEPHONY_ID_SIZE];
    char call_id[TL_UUID_TEXT_LEN + 1];
    int32_t partition;
    enum tl_telephony_stage stage;
};

enum tl_effect_stage {
    TL_EFFECT_READY,   /* waits for its call's CallSid, or for a place among the requests */
    TL_EFFECT_INTENDS, /* INTENDED is being written */
    TL_EFFECT_LOOKS,   /* asks for the call's status: an earlier outcome is unknown */
    TL_EFFECT_ACTS,    /* the request itself is under way */
    TL_EFFECT_WAITS,   /* for its next attempt */
    TL_EFFECT_SETTLES, /* outcome known, being written */
};

/** An end that somebody wants.
 *
 *  READY ─▶ INTENDS ─▶ ACTS ─────────────▶ SETTLES ─▶ gone
 *     │                 ▲ │ 429, 5xx          ▲
 *     │ INTENDED before │ ▼                   │ over already
 *     └──────────────▶ LOOKS ◀── WAITS ───────┘
 */
struct tl_effect {
    struct tl_effect *next;
    struct tl_telephony *telephony;
    char id[TL_TELEPHONY_ID_SIZE]; /* intent or command */
    char source_event_id[TL_UUID_TEXT_LEN + 1];
    char call_id[TL_UUID_TEXT_LEN + 1];
    char call_sid[64]; /* once it acts */
    bool is_intent;    /* wants a tool_result */
    int32_t partition;
    char *sentence, *dial_number; /* NULL: none */
    int64_t asked_at;             /* ms */
    enum tl_effect_stage stage;
    enum tl_telephony_stage outcome; /* DONE or FAILED, once it settles */
    char detail[320];
    int attempts;
    bool is_looking; /* the next request looks first */
    int writes;      /* deliveries that are awaited */
    struct tl_timer timer;
    struct tl_http_call *request;
};

/** A call of which the log may say too little: see closing.c. */
struct tl_closing {
    UT_hash_handle hh; /* by call_id */
    struct tl_telephony *telephony;
    char call_id[TL_UUID_TEXT_LEN + 1];
    int64_t again_at; /* monotonic ms */
    struct tl_http_call *request;
};

/** A call that it is for us to bring back, until the next instance's turn. */
struct tl_rescue_call {
    struct tl_rescue_call *next;
    struct tl_telephony *telephony;
    char call_id[TL_UUID_TEXT_LEN + 1];
    char call_sid[64];
    struct tl_buf url;    /* where the network is to ask */
    int32_t attempt;
    int64_t turn_ends_at; /* monotonic ms: another one acts then */
    const char *cause;    /* static */
    bool is_settled;      /* meanwhile it needs none any more */
    struct tl_http_call *request;
};

struct tl_watchdog;
struct tl_finish;

enum tl_restore_step {
    TL_RESTORE_STATE,    /* state.telephony.v1, whole */
    TL_RESTORE_CALLS,    /* calls.v1 of the last hours */
    TL_RESTORE_COMMANDS, /* commands.v1 of the last hours */
    TL_RESTORED,
};

/** A partition that is ours: of calls.v1, commands.v1 and the state topic alike. */
struct tl_shard {
    struct tl_telephony *telephony;
    int32_t partition;
    enum tl_restore_step step;
    struct tl_offsets_query *query;
    struct tl_scan *scan;
    struct tl_timer again;
    int64_t end[TL_RESTORED];  /* of each log: the group goes on from there */
    bool put_off;              /* a schema was not known: from the start again */
    int64_t held[TL_RESTORED]; /* offset that the group is to read again; -1: none */
};

struct tl_telephony {
    struct tl_sink *sink;
    struct tl_group *group;
    struct tl_scanner *scanner;
    struct tl_dead_letters *letters;
    struct tl_producer_topic *state_topic;
    struct tl_call_map calls; /* closed ones stay an hour */
    void *known;              /* tree of struct tl_known by id */
    struct tl_effect *effects;
    struct tl_closing *closings;
    struct tl_finish *finishes;
    struct tl_producer_topic *mailboxes; /* media.v1 */
    struct tl_rescue_call *rescues;    /* in the order in which they came */
    int64_t rescues_wait_until;        /* a 429 asked for it; monotonic ms */
    struct tl_watchdog *watchdog;      /* NULL: switched off */
    struct tl_shard *shards;
    size_t shards_n;
    int64_t generation;
    bool had_assignment, is_live; /* every shard restored, reading goes on by the group */
    bool is_pumping;
    int64_t in_flight; /* requests */
    struct tl_timer tick;
    struct tl_arena arena; /* of the record being handled */
    struct tl_buf out;
};

/* story.c: what was read changes what is to be done. */
enum tl_status tl_story_take(struct tl_telephony *telephony, const struct tl_record *record,
                             struct tl_error *err); /* any of the three topics */
void tl_story_forget_old(struct tl_telephony *telephony);

/* known.c: the state topic. */
struct tl_known *tl_known_get(const struct tl_telephony *telephony, const char *id);
void tl_known_put(struct tl_telephony *telephony, const char *id, const char *call_id,
                  int32_t partition, enum tl_telephony_stage stage);
void tl_known_remove(struct tl_telephony *telephony, const char *id);
void tl_known_clear(struct tl_telephony *telephony);
enum tl_status tl_known_write(struct tl_telephony *telephony, const struct tl_effect *effect,
                              enum tl_telephony_stage stage, tl_delivery_fn on_delivery, void *arg,
                              struct tl_error *err);
/** The call is closed: tombstones for all that is known of it. */
void tl_known_bury(struct tl_telephony *telephony, const char *call_id);

/* effect.c */
struct tl_effect_wish {
    const char *id, *source_event_id, *call_id;
    bool is_intent;
    const char *sentence, *dial_number; /* may be NULL */
    const char *problem;                /* cannot be carried out: why; NULL */
    int64_t asked_at;
};
void tl_effect_add(struct tl_telephony *telephony, int32_t partition,
                   const struct tl_effect_wish *wish);
void tl_effect_remove(struct tl_telephony *telephony, const char *id);
void tl_effect_remove_call(struct tl_telephony *telephony, const char *call_id);
void tl_effect_clear(struct tl_telephony *telephony);
void tl_effect_pump(struct tl_telephony *telephony);

/* closing.c */
void tl_closing_tick(struct tl_telephony *telephony);
/** An end was carried out: look for the call when no final state has come in time. */
void tl_closing_expect(struct tl_telephony *telephony, const char *call_id);
/** The network knows that the call is over, and the log does not: the callback was lost. */
void tl_closing_write_over(struct tl_telephony *telephony, const char *call_id,
                           const char *call_sid, const struct tl_twilio_answer *answer);
void tl_closing_remove(struct tl_telephony *telephony, const char *call_id);
void tl_closing_clear(struct tl_telephony *telephony);

/* finish.c: calls that are over and whose conversation died before it closed them. */
void tl_finish_tick(struct tl_telephony *telephony);
bool tl_finish_is_at(struct tl_telephony *telephony, const char *call_id); /* given, and in time */
void tl_finish_remove(struct tl_telephony *telephony, const char *call_id);
void tl_finish_clear(struct tl_telephony *telephony);

/* watchdog.c: all partitions read, for watch.h to decide. */
struct tl_watch_call;
enum tl_status tl_watchdog_create(struct tl_telephony *telephony, struct tl_error *err);
void tl_watchdog_destroy(struct tl_watchdog *watchdog); /* accepts NULL */
/** NULL when it is not known. Borrowed until the loop's next turn. */
const struct tl_watch_call *tl_watchdog_call(const struct tl_watchdog *watchdog, const char *call_id);
bool tl_watchdog_is_ready(const struct tl_watchdog *watchdog);
void tl_watchdog_count_beat(struct tl_watchdog *watchdog);
void tl_watchdog_look(struct tl_watchdog *watchdog); /* presence changed */

/* rescue.c: what the watch decided, at the telephone network. */
void tl_rescue_add(struct tl_telephony *telephony, const struct tl_watch_call *call);
void tl_rescue_settle(struct tl_telephony *telephony, const char *call_id);
void tl_rescue_pump(struct tl_telephony *telephony);
void tl_rescue_clear(struct tl_telephony *telephony);

/* phone.c: the Calls resource of the REST API. */
enum tl_status tl_phone_look(struct tl_telephony *telephony, const char *call_sid,
                             tl_http_answer_fn on_answer, void *arg, struct tl_http_call **ret_call,
                             struct tl_error *err);
enum tl_status tl_phone_end(struct tl_telephony *telephony, const struct tl_effect *effect,
                            const char *language, tl_http_answer_fn on_answer, void *arg,
                            struct tl_http_call **ret_call, struct tl_error *err);
/** Has the network ask for a new document at `url`, and at the fallback when that fails; given up after
 *  timeout_ms. */
enum tl_status tl_phone_redirect(struct tl_telephony *telephony, const char *call_sid,
                                 const char *url, int64_t timeout_ms, tl_http_answer_fn on_answer,
                                 void *arg, struct tl_http_call **ret_call, struct tl_error *err);
/** Reads an answer, counts it. `ret_wait_ms`: what a 429 asks for; 0: nothing said. */
void tl_phone_read(struct tl_telephony *telephony, const char *request,
                   const struct tl_http_answer *answer, struct tl_twilio_answer *ret_answer,
                   int64_t *ret_wait_ms);
/** True when the call is over for the telephone network. */
bool tl_phone_is_over(const struct tl_twilio_answer *answer);

#endif
