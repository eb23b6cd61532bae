#ifndef TL_CALL_PRESENCE_H
#define TL_CALL_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/presence.h"

#define TL_PRESENCE_MISSED 5 /* own records in a row without one of a peer: it is gone */

/** One instance of the fleet as presence.v1 tells it. */
struct tl_peer {
    enum tl_instance_kind kind;
    int number;
    int64_t epoch;
    int calls_held;
    int calls_promised; /* as it said, plus what we gave since its last record */
    int capacity;
    bool draining;
    int64_t mailbox_offset_read;
    bool gone;
    int missed;         /* own records since its last one */
    int64_t owed_offset; /* newest offset of ours in its mailbox that it had not read; -1: none */
    int stuck;          /* its records since owed_offset that did not pass it */
};

/** Who lives, decided in the order of one log and by no clock ("Presence" in the design). Zeroed +
 *  init. Pure. */
struct tl_presence_view {
    enum tl_instance_kind own_kind;
    int own_number;
    int64_t own_epoch; /* -1 until the own first record came back */
    bool superseded;   /* the own number was seen under a higher epoch: exit */
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

/** The conversation that a new call goes to: the freer of two drawn (with `random`) out of four
 *  neighbours by rendezvous hash of the key, more when these are full; `not_number` (-1: none) is left
 *  out. NULL: nobody has room. */
struct tl_peer *tl_presence_choose(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const char *key, uint64_t random, int not_number);

/** True while the free capacity of all but the fullest instance of that kind is at least the
 *  fullest one's calls, so that a death can be absorbed. One alone has nobody to absorb it: then
 *  true while it has room. */
bool tl_presence_admits(const struct tl_presence_view *view, enum tl_instance_kind kind);

#endif
