#ifndef TL_INGEST_MEDIA_LEG_H
#define TL_INGEST_MEDIA_LEG_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "avro/playback_batch.h"
#include "base/uuid.h"
#include "ingest/media/backlog.h"
#include "ingest/webhook/link.h"
#include "net/ws.h"

struct tl_media;

/** How far a leg is in being given to a conversation:
 *
 *  WAIT_START ──start──▶ NUMBERING ──first `given` acked──▶ GIVING ──`given`, `revoked` acked──▶ LIVE
 *                            ▲                                ▲                                  │
 *                            └── claims again above another ──┴── conversation gone, refuses ────┘
 */
enum tl_leg_stage {
    TL_LEG_WAIT_START,
    TL_LEG_NUMBERING,
    TL_LEG_GIVING,
    TL_LEG_LIVE,
};

/** One media stream: the telephone network's socket and the claim under which its leg is given. */
struct tl_leg {
    struct tl_media *media;
    struct tl_ws *ws; /* NULL once closed */
    UT_hash_handle hh; /* by stream_sid */
    struct tl_leg *next; /* all of them, started or not */
    enum tl_leg_stage stage;
    char stream_sid[64];
    char call_id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid call_uuid;
    struct tl_link link;
    int number;      /* claim */
    int64_t offset;  /* claim; -1 until the first `given` is in the log */
    int session;     /* claim */
    unsigned generation; /* rises with every claim: answers to older requests are ignored */
    unsigned waits;      /* acknowledgements outstanding before STARTED; live: that of STARTED */
    bool stalled;        /* the next check claims anew */
    int64_t claimed_ms;  /* monotonic: when it was last numbered */
    unsigned refs;       /* deliveries under way: the struct must stay */
    int conversation;    /* mailbox that it is given to; -1 */
    int64_t conversation_epoch;
    int tried[4];        /* conversations that refused this claim */
    size_t tried_n;
    struct tl_backlog backlog;
    bool dirty;          /* in the media's list of legs with unsent items */
    struct tl_leg *next_dirty;
    int64_t checkpoint_offset;
    int64_t frames;
    int64_t last_frame_ms;  /* monotonic */
    int64_t last_loud_ms;   /* monotonic: the caller's newest frame that was not silence */
    int64_t opened_ms;      /* monotonic */
    int64_t marks_out;      /* marks sent and not returned */
    bool ended;             /* stream_ended is written */
    bool stopped;           /* the network said stop */
};

/** A socket was accepted. */
struct tl_leg *tl_leg_create(struct tl_media *media);

/** Callbacks of its socket. */
extern const struct tl_ws_callbacks tl_leg_callbacks;

/** Gives the leg to another conversation, or to the same one again. `cause` for the metric. */
void tl_leg_move(struct tl_leg *leg, int not_number, const char *cause);

/** Numbers and gives it again, after it has stalled. */
void tl_leg_claim_anew(struct tl_leg *leg);

/** The media goes: frees the leg, or leaves that to the deliveries under way. */
void tl_leg_orphan(struct tl_leg *leg);

/** An item of the own mailbox for this leg. */
void tl_leg_on_playback(struct tl_leg *leg, const struct tl_playback_item *item, int conversation,
                        int64_t conversation_epoch);

/** Its conversation lives under the epoch that it was given to. */
bool tl_leg_conversation_lives(const struct tl_leg *leg);

/** Ends the stream for a reason: writes stream_ended, closes the socket. */
void tl_leg_end(struct tl_leg *leg, const char *reason);

/** Both sides are silent and every mark is back. */
bool tl_leg_is_pausing(const struct tl_leg *leg, int64_t now_ms);

/** Drops the leg unless deliveries are under way. */
void tl_leg_release(struct tl_leg *leg);

/** A batch with items up to n of this leg, sent under `generation`, was delivered or failed. */
void tl_leg_on_batch(struct tl_leg *leg, unsigned generation, int64_t n, bool ok, int64_t offset);

#endif
