#ifndef TL_INGEST_MEDIA_LEG_H
#define TL_INGEST_MEDIA_LEG_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "avro/playback_batch.h"
#include "base/uuid.h"
#include "ingest/media/backlog.h"
#include "ingest/media/delay.h"
#include "ingest/media/rivalry.h"
#include "ingest/webhook/link.h"
#include "net/ws.h"

#define TL_LEG_TRIED_MAX 8

struct tl_media;

/** How far a leg is in being given to a conversation:
 *
 *  WAIT_START ──start──▶ NUMBERING ──first `given` acked──▶ GIVING ──`given`, `revoked` acked──▶
 * LIVE ▲                                ▲                                  │ └── claims again above
 * another ──┴── conversation gone, refuses ────┘
 */
enum tl_leg_stage {
    TL_LEG_WAIT_START,
    TL_LEG_NUMBERING,
    TL_LEG_GIVING,
    TL_LEG_LIVE,
};

/** How the leg came to be given as it is being given now: the line that is logged when it is. */
struct tl_leg_move {
    const char *cause; /* "first", "resumed", "gone", "refused", "hand_over", "lost" … */
    char why[32];      /* of a loss: what the conversation said */
    int from;          /* conversation before; -1: none, or not known */
    int64_t began_ms;  /* monotonic */
    size_t resent;     /* items that were on their way, and go again */
    bool is_untold;
};

/** One media stream: the telephone network's socket and the claim under which its leg is given. */
struct tl_leg {
    struct tl_media *media;
    struct tl_ws *ws;    /* NULL once closed */
    UT_hash_handle hh;   /* by stream_sid */
    struct tl_leg *next; /* all of them, started or not */
    enum tl_leg_stage stage;
    char stream_sid[64];
    char call_id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid call_uuid;
    struct tl_link link;

    /* the claim */
    int number;            /* claim */
    int64_t offset;        /* claim; -1 until the first `given` is in the log */
    int session;           /* claim */
    struct tl_claim known; /* the newest attachment that stands in the log; offset -1: none */
    unsigned generation;   /* rises with every claim: answers to older requests are ignored */
    unsigned waits;        /* acknowledgements outstanding before STARTED; live: that of STARTED */
    bool stalled;          /* claims anew with the next frame that comes when it is due */
    struct tl_rivalry rivalry;
    struct tl_leg_move move;
    unsigned refs; /* deliveries under way: the struct must stay */

    /* the conversation */
    int conversation; /* mailbox that it is given to; -1 */
    int64_t conversation_epoch;
    int tried[TL_LEG_TRIED_MAX]; /* conversations that refused this claim */
    size_t tried_n;
    int64_t refused_since_ms;  /* monotonic: nobody has taken it since; 0: somebody has */
    bool was_held;             /* a conversation has spoken to it */
    bool wants_move;           /* it was handed over, and nobody could take it */
    int64_t draining_since_ms; /* monotonic: so long its conversation drains; 0: it does not */

    /* sound in */
    struct tl_backlog backlog;
    unsigned in_flight; /* batches with items of it that Kafka has not answered for */
    bool has_failed;    /* one of them failed: all behind it goes again, when the rest is known */
    bool dirty;         /* in the media's list of legs with unsent items */
    struct tl_leg *next_dirty;
    int64_t frames;
    int64_t first_frame_ms; /* wall clock; 0: none came */
    int64_t last_frame_ms;  /* monotonic */
    int64_t last_loud_ms;   /* monotonic: the caller's newest frame that was not silence */
    int64_t opened_ms;      /* monotonic */
    struct tl_delay delay;

    /* sound out */
    int64_t checkpoint_offset;
    int64_t marks_out; /* marks sent and not returned */

    bool ended;             /* stream_ended is on its way to the log */
    bool stopped;           /* the network said stop */
    bool refusal_is_spoken; /* its reason goes into the log when the stream is over */
};

/** A socket was accepted. */
struct tl_leg *tl_leg_create(struct tl_media *media);

/** Callbacks of its socket. */
extern const struct tl_ws_callbacks tl_leg_callbacks;

/** An item of the own mailbox for this leg. */
void tl_leg_on_playback(struct tl_leg *leg, const struct tl_playback_item *item, int conversation,
                        int64_t conversation_epoch);

/** Ends the stream for a reason: writes stream_ended, closes the socket. */
void tl_leg_end(struct tl_leg *leg, const char *reason);

/** Both sides are silent, every mark is back, and every word has reached the log. */
bool tl_leg_is_pausing(const struct tl_leg *leg, int64_t now_ms);

/** Drops the leg unless its socket is open or deliveries are under way. */
void tl_leg_release(struct tl_leg *leg);

/** The media goes: frees the leg, or leaves that to the deliveries under way. */
void tl_leg_orphan(struct tl_leg *leg);

/* ---- giving it to a conversation (gift.c) ---- */

/** Its start came: numbers it and gives it. */
void tl_leg_claim(struct tl_leg *leg, const char *cause);

/** Numbers and gives it again, above `number` at least, with the next frame from due_ms on. */
void tl_leg_claim_anew(struct tl_leg *leg, const char *cause, const char *why, int number,
                       int64_t due_ms);

/** A frame came, so much later than the promptest ones: claims anew if that is due, and if the frame
 * shows that the stream lives. What lay in the socket while we did not run does not. */
void tl_leg_on_frame(struct tl_leg *leg, int64_t late_ms, int64_t now_ms);

/** Gives the leg to another conversation, or to the same one again, under its attachment; one of
 * those that have `tried` it only when there is no other. False: nobody takes it now. */
bool tl_leg_move(struct tl_leg *leg, const char *cause);

/** Looks after the gift: is its conversation gone, does it drain without a word? */
void tl_leg_check_gift(struct tl_leg *leg, int64_t now_ms);

/** A batch with items up to n of this leg, sent under `generation`, was delivered or failed. */
void tl_leg_on_batch(struct tl_leg *leg, unsigned generation, int64_t n, bool ok, int64_t offset);

/** It is given, and its first frame is here: the line of the move. */
void tl_leg_tell_move(struct tl_leg *leg);

struct tl_call_event tl_leg_event(const struct tl_leg *leg, struct tl_claim *claim);

#endif
