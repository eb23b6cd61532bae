#ifndef TL_INGEST_MEDIA_MEDIA_INTERNAL_H
#define TL_INGEST_MEDIA_MEDIA_INTERNAL_H

#include "ingest/ingest.h"
#include "ingest/media/leg.h"
#include "ingest/media/media.h"
#include "ingest/media/promises.h"
#include "ingest/media/whereabouts.h"
#include "kafka/producer.h"
#include "kafka/tail.h"
#include "net/timer.h"

/* Shared by media.c (mailboxes), leg.c (one stream), gift.c (its claim): nobody else includes it.
 */

#define TL_MEDIA_ENDED_MAX 256

/** A stream that ended here: how long was its call without one? */
struct tl_media_ended {
    char call_sid[64];
    int64_t last_frame_ms; /* wall clock */
};

struct tl_media {
    struct tl_ingest *ingest;
    struct tl_leg *legs;      /* all */
    struct tl_leg *by_stream; /* started ones, by stream SID */
    struct tl_leg *dirty;     /* with unsent items */
    bool is_stuck;            /* Kafka took nothing at the last flush */
    struct tl_producer *producer;
    struct tl_producer_topic *mailboxes; /* media.v1 */
    struct tl_producer_topic *commands;
    struct tl_producer_topic *playback; /* of the other ingests */
    struct tl_tail *tail;               /* the own mailbox in playback.v1 */
    int64_t mailbox_offset_read;
    struct tl_timer flush_timer, check_timer;
    struct tl_arena arena;
    struct tl_buf out;   /* record being written */
    struct tl_buf frame; /* message being written to a socket */
    int64_t streams;
    struct tl_promises promises;
    struct tl_whereabouts *whereabouts;
    struct tl_media_ended ended[TL_MEDIA_ENDED_MAX]; /* ring */
    size_t ended_next;
    int64_t drain_began_ms; /* 0: not draining */
    bool is_leaving;        /* its producer goes: nothing is begun any more */
};

/** The leg has unsent items: they leave with the next batch. */
void tl_media_touch(struct tl_media *media, struct tl_leg *leg);

/** Sends one control item (STARTED, REVOKED) at once; `leg` is told through `on_delivery`. */
TL_MUST_CHECK enum tl_status tl_media_send_item(struct tl_media *media, int mailbox, int64_t epoch,
                                                const struct tl_media_item *item,
                                                tl_delivery_fn on_delivery, void *arg,
                                                struct tl_error *err);

/** Asks telephony to end the call after a sentence. */
void tl_media_end_call(struct tl_media *media, const struct tl_leg *leg, const char *reason,
                       const char *sentence);

/** The leg was given: it takes room of its own from the next heartbeat of its conversation on. */
void tl_media_given(struct tl_media *media, const struct tl_leg *leg);

/** The leg is with another conversation than its URL says: all ingests are told. */
void tl_media_moved(struct tl_media *media, const struct tl_leg *leg);

/** The leg's socket is closed. */
void tl_media_ended(struct tl_media *media, const struct tl_leg *leg);

/** Wall clock of the newest frame of the call's streams here, `not_stream` aside; 0: there was
 * none. */
int64_t tl_media_last_frame(const struct tl_media *media, const char *call_sid,
                            const char *not_stream);

void tl_media_forget(struct tl_media *media, struct tl_leg *leg); /* out of every list */

#endif
