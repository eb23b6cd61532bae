#ifndef TL_TESTS_MODEL_MODEL_H
#define TL_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/arena.h"
#include "call/fence.h"
#include "call/presence.h"

/* A world small enough to walk: Kafka as logs in memory, a telephone network, and the processes of
 * "How a call stays alive" (design), which run on the fence, the comparison of claims, the presence
 * and the order of states of lib/call. README.md says what is covered. */

#define TL_MODEL_CALLS_MAX 3
#define TL_MODEL_PROCS_MAX 12 /* 3 ingests, 3 conversations, 2 telephonies, 4 that were replaced   \
                               */
#define TL_MODEL_PARTS_MAX 8  /* calls, presence, mailboxes */
#define TL_MODEL_WORDS_MAX 16 /* of one call, from 1 */
#define TL_MODEL_FAULTS_MAX 64
#define TL_MODEL_CALLS 0       /* partition of calls.v1 */
#define TL_MODEL_PRESENCE 1    /* partition of presence.v1 */
#define TL_MODEL_WORD_FRAMES 2 /* frames that a word has */
#define TL_MODEL_WHOLE ((1 << TL_MODEL_WORD_FRAMES) - 1)

/* Ticks stand for time. */
#define TL_MODEL_SILENT 4     /* 2 s: a stream without frames is dead */
#define TL_MODEL_NEXT 3       /* 1 s: then the next rescue */
#define TL_MODEL_EXPECT 8     /* a stream should have come by now */
#define TL_MODEL_FINALS 10    /* 10 s for the last transcripts */
#define TL_MODEL_NO_FRAMES 25 /* 20 s: the AI session ends */
#define TL_MODEL_HEIR 15      /* after the final state: a living holder has closed by then */
#define TL_MODEL_CLOSE 50     /* 60 s: telephony closes */

/** Rules that --mut switches off. */
enum tl_model_rule {
#define TL_MODEL_RULE(name, doc) TL_RULE_##name,
#include "tests/model/rules.def"
#undef TL_MODEL_RULE
    TL_RULE_N
};
extern const char *const tl_model_rule_names[TL_RULE_N], *const tl_model_rule_docs[TL_RULE_N];

struct tl_model_options {
    uint64_t off;  /* bit per rule */
    int calls;     /* at most, 1..TL_MODEL_CALLS_MAX */
    int faults;    /* at most */
    int length;    /* moves of the faulty phase, half to one and a half of it */
    int cut;       /* the faulty phase ends after so many moves; 0: where it would */
    uint64_t skip; /* faults that do not happen, bit per fault: for shrinking */
    bool trace;
};

/** What happened in one schedule, and the promise that was broken: "" if none. */
struct tl_model_result {
    char failure[128];
    int64_t steps, faults, records, false_gone, claims, take_overs, rescues, effects, said,
        gap_words, cut_words_lost, fenced_sound, closed_by_telephony;
};

/** Walks the schedule of that seed. */
void tl_model_run(uint64_t seed, const struct tl_model_options *options,
                  struct tl_model_result *ret_result);

/* ---- inside ---- */

enum kind {
    K_STATE, /* calls.v1 … */
    K_GIVEN,
    K_ENDED,
    K_SESSION,
    K_FINAL_CALLER,
    K_DRAFT,
    K_FINAL_AI,
    K_INTENT,
    K_RESULT,
    K_RESCUE,
    K_CLOSED,
    K_STARTED, /* media … */
    K_FRAME,
    K_MARK,
    K_STOPPED,
    K_REVOKED,
    K_BARRIER,
    K_PIECE, /* playback … */
    K_CLEAR,
    K_LOST,
    K_PRESENCE,
    K_N
};

/* A record of any topic. */
struct rec {
    enum kind kind;
    int call, id;
    int by;           /* process */
    int64_t epoch;    /* of its run */
    int64_t to_epoch; /* mailboxes: which run of the owner it is meant for */
    struct tl_claim claim;
    int stream;         /* 0: none */
    int generation;     /* the writer's own note, no part of the record */
    int n, word, frame; /* an item; word 0: silence */
    int utterance, answer, pieces;
    int intent, request, value; /* value: of a state, result, rescue's attempt */
    int conversation, ingest;   /* processes */
    int64_t conversation_epoch, ingest_epoch;
    int first_n;
    int64_t started_offset;
    bool has_media_to, has_answers_to, has_winner;
    int winner_stream;
    struct tl_position media_to, answers_to;
    uint8_t words[TL_MODEL_WORDS_MAX], words_n;
    struct tl_presence *presence;
};

struct log {
    struct rec *recs;
    int n, cap;
};

/* Records of a dead process that may still land. */
struct late {
    int part;
    struct log log;
    int next;
};

struct ack {
    struct rec rec;
    int64_t offset;
};

/* The telephone network's end of a media stream. */
struct tsock {
    int stream, call, number, ingest, run;
    struct log to_us; /* what lies in the socket */
    int to_us_read;
    struct log play;
    int play_next;
    bool closed;
};

struct call {
    struct tsock *current;
    struct tsock *socks[64];
    int socks_n;
    int actions[16], actions_n; /* numbers whose `action` is to be asked for */
    int opens[16], opens_n;     /* numbers whose stream is to be opened */
    int rests[16], rests_n;     /* requests of ours under way: stop what is there, open this */
    int late_number, late_at;
    bool ended;
    int callbacks; /* status callbacks still to come */
    int word, frame, turn, silence, left;
    uint8_t landed[TL_MODEL_WORDS_MAX]; /* frames that count as having reached the log */
    int carrier[TL_MODEL_WORDS_MAX];    /* stream of a word's newest frame */
    struct tl_claim landed_under[TL_MODEL_WORDS_MAX];
    bool cut[TL_MODEL_WORDS_MAX]; /* its frames went through two streams, or two attachments */
    int pieces_heard;
    struct tl_claim
        mailbox_fence[TL_MODEL_PARTS_MAX]; /* highest attachment revoked or started there */
};

/* One decision of an AI session to answer some words. */
struct answer {
    int call, pieces, request;
    uint8_t words[TL_MODEL_WORDS_MAX], words_n;
    uint32_t heard;
    bool by_twin; /* heard through one of two sockets that were open at once */
};

struct effect {
    int call, key, request;
};

/* ingest */
struct leg {
    bool used, live, ended, giving, numbering, lost;
    int call, number, conversation, hint, stream, generation, waits, next_n, last_frame;
    int head, sent; /* of the backlog: oldest that Kafka has not taken, first that was not sent */
    int session;
    int64_t offset, conversation_epoch;
    struct log backlog;
    struct tsock *sock; /* NULL: closed */
};

/* conversation */
struct seg { /* a turn of the caller, as the provider hears it */
    uint8_t frames[TL_MODEL_WORDS_MAX], words[TL_MODEL_WORDS_MAX], words_n;
    bool converses, transcribed, answered, written;
    struct tl_position to;
};

enum reply_stage { R_NEW, R_INTENT, R_BARRIER, R_ACT, R_SPEAK, R_FINAL, R_PREDECESSOR };

struct reply {
    enum reply_stage stage;
    int answer, utterance, drafted, landed, released, heard, intent, last;
    bool intent_logged, finishes, has_draft;
    struct tl_position answers_to;
    struct seg *seg;
};

enum dialog_stage { D_NONE, D_CLAIMING, D_REVOKE, D_REVOKING, D_READ, D_LIVE };

#define REPLIES_MAX 24
#define SEGS_MAX 48

struct dialog {
    enum dialog_stage stage;
    int call, stream, ingest, first_n, waits, generation, last_frame, stopped_at;
    struct tl_claim claim, previous, heard;
    int heard_n;
    int64_t ingest_epoch, started_offset, S, previous_S;
    bool known, is_over;
    struct log pending;
    struct seg *speaking, *segs[SEGS_MAX];
    int segs_n;
    struct reply replies[REPLIES_MAX];
    int replies_n;
    struct tl_position heard_last, media_to, answered_to;
    int barrier;
    bool barrier_seen, barrier_passed, barge;
    int heard_to[256]; /* per stream: the next n */
};

/* telephony's view of a call */
struct watched {
    bool known, dead;
    int stream, ingest, number, attempts,
        asked; /* asked: attempts when the last rescue was written */
    int since, grace, final_at, heir_at;
    int64_t ingest_epoch, offset, watermark;
    struct tl_fence fence;
    bool ended[256]; /* streams */
};

struct proc {
    enum tl_instance_kind kind;
    int gid, number, part; /* part: its mailbox; -1 none */
    int64_t run;
    bool up, stalled, beat_in_flight;
    struct tl_presence_view view;
    struct log out[TL_MODEL_PARTS_MAX];
    int out_next[TL_MODEL_PARTS_MAX];
    struct ack *acks;
    int acks_n, acks_next, acks_cap;
    int presence_read, mailbox_read;
    struct leg legs[32];
    struct dialog *dialogs[TL_MODEL_CALLS_MAX];
    struct watched watched[TL_MODEL_CALLS_MAX];
};

struct world {
    const struct tl_model_options *options;
    struct tl_model_result *result;
    uint64_t random;
    struct tl_arena arena;
    struct proc procs[TL_MODEL_PROCS_MAX];
    int procs_n, first_replaced, ingests, conversations, telephonies; /* in this order */
    struct log parts[TL_MODEL_PARTS_MAX];
    int parts_n;
    struct late late[64];
    int late_n;
    struct call calls[TL_MODEL_CALLS_MAX];
    int calls_n;
    struct answer answers[512];
    int answers_n;
    struct effect effects[256];
    int effects_n;
    int now, ids, streams, faults_done, weight_tick, weight_land;
    int64_t runs;
    bool outage, in_round;
};

/* world.c */
static inline bool off(const struct world *w, enum tl_model_rule rule)
{
    return w->options->off >> rule & 1;
}
int roll(struct world *w, int n); /* 0..n-1 */
void say(const struct world *w, const char *format, ...) TL_PRINTF(2, 3);
const char *name_of(const struct world *w, int gid);
struct rec *log_push(struct world *w, struct log *log, const struct rec *rec);
int send_rec(struct world *w, struct proc *p, int part, struct rec rec);
bool lives(struct proc *p, struct world *w, int gid, int64_t epoch);
int64_t epoch_of(struct proc *p, struct world *w, int gid);         /* -1: not known */
int choose(struct world *w, struct proc *p, int call, int not_gid); /* conversation; -1 none */
bool accepts(const struct world *w, struct tl_fence *fence, const struct rec *rec);
const struct tl_fence_leg *holder_of(const struct tl_fence *fence);
bool has_final_state(const struct world *w, int call);
void network_stop(struct world *w, struct tsock *sock);
static inline struct tl_position before_all(void)
{
    return (struct tl_position){.number = -1, .offset = -1, .n = -1};
}
static inline struct tl_position position_of(const struct rec *r)
{
    return (struct tl_position){.number = r->claim.number, .offset = r->claim.offset, .n = r->n};
}

/* network.c */
void network_move(struct world *w, int call);
void network_frame(struct world *w, int call);
void network_play(struct world *w, int call);
void network_lost(struct world *w, struct tsock *sock);
void network_rest(struct world *w, int call, int number);
void network_hang_up(struct world *w, int call);

/* ingest.c */
bool ingest_sockets(struct world *w, struct proc *p);
void ingest_ack(struct world *w, struct proc *p, const struct ack *ack);
void ingest_mail(struct world *w, struct proc *p, const struct rec *rec);
void ingest_tick(struct world *w, struct proc *p);
void ingest_move(struct world *w, struct proc *p, struct leg *leg, int not_gid);

/* conversation.c */
void conversation_ack(struct world *w, struct proc *p, const struct ack *ack);
void conversation_mail(struct world *w, struct proc *p, const struct rec *rec, int64_t offset);
void conversation_tick(struct world *w, struct proc *p);
void conversation_write(struct world *w, struct proc *p, struct dialog *d, struct rec rec);
void conversation_lost(struct world *w, struct proc *p, struct dialog *d,
                       const struct tl_claim *winner, int winner_stream);
void conversation_hear(struct world *w, struct dialog *d, const struct rec *item, bool is_old);
void conversation_drain(struct world *w, struct proc *p, struct dialog *d);

/* recall.c */
bool recall_is_foreign(const struct world *w, const struct proc *p, const struct dialog *d);
void recall_revoke(struct world *w, struct proc *p, struct dialog *d);
void recall_read(struct world *w, struct proc *p, struct dialog *d);

/* telephony.c */
void telephony_read(struct world *w, struct proc *p, const struct rec *rec);
void telephony_ack(struct world *w, struct proc *p, const struct ack *ack);
void telephony_tick(struct world *w, struct proc *p);

/* check.c: "" or the promise broken */
const char *check_live(struct world *w);
const char *check_end(struct world *w);

#endif
