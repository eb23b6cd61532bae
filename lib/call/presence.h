#ifndef TL_CALL_PRESENCE_H
#define TL_CALL_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/presence.h"

#define TL_PRESENCE_MISSED 5 /* own records in a row without one of a peer: it is gone */
#define TL_PRESENCE_WAIT 24  /* so many, three seconds, when over half would be gone at once */

/** Why an instance is gone. */
enum tl_gone_cause {
    TL_GONE_MISSED, /* own records came back without one of its among them */
    TL_GONE_EPOCH,  /* its number runs under a higher epoch: the old run is gone, the new one lives */
    TL_GONE_STUCK,  /* it speaks, but does not read its mailbox */
};
#define TL_GONE_CAUSES 3
const char *tl_gone_cause_name(enum tl_gone_cause cause);

/** One instance of the fleet as presence.v1 tells it. */
struct tl_peer {
    enum tl_instance_kind kind;
    int number;
    int64_t epoch; /* -1: none of its runs has named one yet */
    int64_t run;
    int calls_held;
    int calls_promised;
    int promised_here; /* by us: on their way to it, and not among its calls_held yet */
    int capacity;
    int new_calls; /* beside those, by the governor of the AI provider's limits; -1: any number */
    int ai_sessions;
    int ai_tokens_per_minute;
    bool draining;
    int64_t mailbox_offset_read;
    bool gone;
    enum tl_gone_cause cause; /* when gone */
    int missed;         /* own records since its last one */
    int64_t owed_offset; /* newest offset of ours in its mailbox that it had not read; -1: none */
    int stuck;          /* its records since owed_offset that did not pass it */
    int unread;         /* its records since it last passed an offset of ours */
};

/** Who lives, decided in the order of one log and by no clock ("Presence" in the design). Zeroed +
 *  init. Pure.
 *
 *  A run counts from its first record that names an epoch, not from the one without before: that may
 *  have been on its way while its process died, and come behind the first records of the next run.
 *  Named, an epoch stood in the log before, so the epochs of a number rise with its runs. */
struct tl_presence_view {
    enum tl_instance_kind own_kind;
    int own_number;
    int64_t own_epoch; /* -1 until the own first record came back */
    int64_t own_run;   /* likewise */
    bool superseded;   /* the own number was seen under a higher epoch: exit */
    /** May be NULL: told of each that is gone, before the record that says so has been taken in. */
    void (*on_gone)(void *arg, const struct tl_peer *peer, enum tl_gone_cause cause);
    void *arg;
    struct tl_peer *peers;
    size_t peers_n;
};

void tl_presence_init(struct tl_presence_view *view, enum tl_instance_kind kind, int number);
void tl_presence_finish(struct tl_presence_view *view);

/** Takes the next record of the log in. `is_own`: this process's run wrote it. Returns true when
 *  somebody came, went, or changed between draining and not. */
bool tl_presence_take(struct tl_presence_view *view, const struct tl_presence *record,
                      int64_t offset, bool is_own);

/** We wrote into a peer's mailbox at `offset`. */
void tl_presence_owe(struct tl_presence_view *view, enum tl_instance_kind kind, int number,
                     int64_t offset);

/** Living peer with that number, or NULL. Borrowed until the next take. */
struct tl_peer *tl_presence_peer(struct tl_presence_view *view, enum tl_instance_kind kind,
                                 int number);

/** The freest living one that does not drain, room or not, those in `not_numbers` aside: for a call that
 *  is there already, or that others have refused. NULL: none is left. */
struct tl_peer *tl_presence_freest(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const int *not_numbers, size_t not_n);

/** `count` more calls (or fewer, negative) are on their way to a peer; kept until taken back or the peer
 *  runs anew. Unknown peers are ignored. */
void tl_presence_promise(struct tl_presence_view *view, enum tl_instance_kind kind, int number,
                         int count);

/** The conversation that a call goes to: the freer of two drawn (with `random`) out of four neighbours
 *  by rendezvous hash of the key, more when these are full; `not_number` (-1: none) is left out. Those
 *  that may take new calls come first; others have room for calls that must go on. NULL: nobody has
 *  room. */
struct tl_peer *tl_presence_choose(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const char *key, uint64_t random, int not_number);

/** True while somebody of that kind may take a new call and, one more call taken in, each instance's calls find room in the others, so that the death
 *  of any can be absorbed wherever that call goes (of equal ones, the fullest decides). Calls that other
 *  ingests have promised may be on their way to any instance. One alone has nobody to absorb it: then
 *  true while it has room. */
bool tl_presence_admits(const struct tl_presence_view *view, enum tl_instance_kind kind);

/** True when an instance of that kind lives that does not drain, `not_number` (-1: none) aside. */
bool tl_presence_has(const struct tl_presence_view *view, enum tl_instance_kind kind, int not_number);

#endif
