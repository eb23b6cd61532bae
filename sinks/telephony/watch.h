#ifndef TL_SINKS_TELEPHONY_WATCH_H
#define TL_SINKS_TELEPHONY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "avro/call_event.h"
#include "avro/telephony_state.h"
#include "base/uuid.h"
#include "call/fence.h"
#include "call/presence.h"

/* Which calls have lost their stream, and whose turn it is to bring them back ("When ingest dies" in
 * the design). Pure: events, presence and time in, decisions out; no clock, no I/O. */

enum tl_watch_cause {
    TL_WATCH_FINE,
    TL_WATCH_BROKEN,    /* ingest wrote the end of the stream, and the network did not come back */
    TL_WATCH_STOPPED,   /* the same, and the network had said stop: the call is over or was moved */
    TL_WATCH_GONE,      /* its ingest is gone */
    TL_WATCH_NO_STREAM, /* TwiML was given and no stream came */
};
#define TL_WATCH_CAUSES 5
const char *tl_watch_cause_name(enum tl_watch_cause cause); /* as in the event's reason */

/** How a call that was rescued, or was about to be, got out of that. */
enum tl_watch_end {
    TL_WATCH_RESUMED, /* a higher attachment */
    TL_WATCH_OVER,    /* a final state, or closed */
    TL_WATCH_LEFT,    /* we end it, or put it through, ourselves */
};

/** An end that is wanted, begun or done: of an intent, or of a command that the state topic knows. */
struct tl_watch_wish {
    struct tl_watch_wish *next;
    char id[64];
};

struct tl_watch_call {
    UT_hash_handle hh;
    struct tl_watch_call *prev, *next; /* among those that are not over */
    char call_id[TL_UUID_TEXT_LEN + 1];
    int32_t partition;
    bool is_over;     /* final state or closed: only remembered */
    int64_t read_at;  /* when its newest event was read */
    char call_sid[64];
    char business_id[128];
    int32_t business_version;
    enum tl_direction direction;
    enum tl_call_state state;
    int64_t started_at;   /* wall clock, ms */
    int64_t start_offset; /* -1: the reading began later */
    int32_t holder;       /* mailbox of the conversation that had it last; -1 */
    struct tl_fence *fence;       /* NULL when it is over */
    struct tl_watch_wish *wishes; /* a call with one is left alone */

    /* the newest attachment */
    bool is_attached;
    struct tl_claim attachment; /* session 0; {0, -1, 0} before the first */
    char stream_sid[64];
    int32_t ingest;
    int64_t ingest_epoch;
    bool is_ended, is_stopped;

    /* lost */
    enum tl_watch_cause cause; /* FINE: it is not */
    int64_t lost_at;
    int32_t attempts;   /* rescues of this attachment in the log */
    int64_t rescued_at; /* when the newest of them was read */
    bool is_ours;       /* it was written by this process */
    int64_t round;      /* of marks, that has to be over before one is written; 0: none asked for yet */
    int64_t written_at; /* -1: the next one is not on its way */
    int64_t tried_at;      /* when this process wrote its newest one */
    int64_t turn_ends_at;  /* of ours: behind that, others may have acted */
    int64_t minute_at;
    int32_t minute_n; /* rescues of the call within the minute from minute_at */
};

struct tl_watch_rules {
    int64_t broken_ms, stopped_ms, gone_ms, no_stream_ms; /* from the loss to the first rescue */
    int64_t rank_ms;     /* between instances */
    int64_t next_ms;     /* until the next instance's turn; doubles with each attempt */
    int64_t next_max_ms; /* longest such wait */
    int64_t per_minute;  /* rescues of one call */
};

/** What the watch wants done. Callbacks must not call the watch. */
struct tl_watch_wants {
    /** Read the high watermarks of this partition, and call tl_watch_mark when the reading has passed them. */
    void (*mark)(void *arg, int32_t partition);
    /** Write rescue number `attempts` + 1. False: could not; asked again at the next tick. */
    bool (*write)(void *arg, const struct tl_watch_call *call);
    /** The own rescue is the first in the log, and its turn not over: bring the call back before
     *  turn_ends_at. */
    void (*act)(void *arg, const struct tl_watch_call *call);
    /** A rescued call needs none any more. */
    void (*settle)(void *arg, const struct tl_watch_call *call, enum tl_watch_end end);
    void *arg;
};

struct tl_watch_round {
    int64_t begun, over; /* rounds of marks: at most one is under way */
    bool is_wanted;
};

struct tl_watch {
    struct tl_watch_rules rules;
    struct tl_watch_wants wants;
    struct tl_watch_call *calls; /* all, by id */
    struct tl_watch_call *open;  /* those that are not over */
    struct tl_watch_round *rounds;
    int32_t partitions;
    int64_t *ingests; /* epoch of the living one with that number; -1 */
    size_t ingests_n;
    int64_t gone;     /* ingests that were seen to go */
    int64_t streams;  /* calls with an attachment, as of the last tick */
    int64_t lost;     /* of them, or without one: lost */
};

void tl_watch_init(struct tl_watch *watch, const struct tl_watch_rules *rules,
                   const struct tl_watch_wants *wants, int32_t partitions);
void tl_watch_finish(struct tl_watch *watch); /* accepts a zeroed struct */

/** The next event of calls.v1 in its partition. `is_own`: this run of this process wrote it; `now`: ms,
 *  monotonic, as everywhere here. */
void tl_watch_take(struct tl_watch *watch, const struct tl_call_event *event, int32_t partition,
                   int64_t offset, bool is_own, int64_t now);

/** A record of state.telephony.v1: an end that has begun, is done or failed. */
void tl_watch_take_state(struct tl_watch *watch, const struct tl_telephony_state *state,
                         int32_t partition, int64_t now);

/** Everything has been read that was in the logs of this partition when `mark` was asked for. */
void tl_watch_mark(struct tl_watch *watch, int32_t partition);

/** Time has passed, or presence changed. Not before everything was read that was there at start. */
void tl_watch_tick(struct tl_watch *watch, const struct tl_presence_view *view, int64_t now);

/** NULL when it is not known. */
const struct tl_watch_call *tl_watch_get(const struct tl_watch *watch, const char *call_id);

/** Drops calls that are over and of which nothing was read since `over_before`, and any of which
 *  nothing was read since `any_before`. */
void tl_watch_forget(struct tl_watch *watch, int64_t over_before, int64_t any_before);

#endif
