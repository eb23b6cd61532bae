#ifndef TL_CONVERSATION_CONVERSATION_H
#define TL_CONVERSATION_CONVERSATION_H

#include "avro/media_batch.h"
#include "avro/playback_batch.h"
#include "base/metrics.h"
#include "call/governor.h"
#include "fleet/fleet.h"
#include "kafka/scan.h"
#include "kafka/tail.h"
#include "net/timer.h"
#include "processors/conversation/openai_speech.h"
#include "processors/conversation/settings.h"
#include "processors/conversation/speech.h"

struct tl_dialog;
struct tl_outbox;
struct tl_closing;

struct tl_conversation_metrics {
    struct tl_gauge calls, ai_sessions, sound_bytes;
    struct tl_gauge ai_tokens, ai_share, ai_share_tokens, ai_new_calls;
    struct tl_counter calls_taken;
    struct tl_metric_vec claims;         /* cause */
    struct tl_metric_vec refused;        /* reason */
    struct tl_metric_vec lost;           /* reason */
    struct tl_metric_vec ended;          /* reason */
    struct tl_counter frames, frames_repeated, frames_padded;
    struct tl_counter items_recalled, events_repeated;
    struct tl_metric_vec utterances;     /* speaker */
    struct tl_counter drafts, transcripts_failed, interruptions;
    struct tl_metric_vec ai_errors;      /* code */
    struct tl_metric_vec ai_sessions_ended; /* reason */
    struct tl_counter ai_renewals;
    struct tl_histogram ai_connect, answer_time, take_over;
    struct tl_counter batches;
    struct tl_metric_vec stale;          /* what */
    struct tl_counter cost_microusd;
};

/** One conversation process: dialogs on one side, its mailbox and the log on the other. */
struct tl_conversation {
    struct tl_net *net;
    uv_loop_t *loop;
    const struct tl_log *log;
    int number; /* its mailbox in media.v1 */
    char name[40];
    struct tl_kafka_settings kafka;
    struct tl_registry_settings registry;
    struct tl_conversation_settings settings;
    struct tl_openai_settings openai;
    struct tl_conversation_metrics metrics;
    struct tl_fleet *fleet;
    struct tl_openai_provider provider;
    const struct tl_speech_driver *driver;
    void *driver_self;
    struct tl_producer *producer; /* of sound */
    struct tl_producer_topic *mailboxes; /* media.v1: revoked */
    struct tl_outbox *outbox;
    struct tl_scanner *scanner;
    struct tl_tail *mailbox;
    struct tl_closing *closing;
    int64_t mailbox_offset_read;
    struct tl_dialog *dialogs; /* by call and leg */
    int dialogs_n;
    struct tl_timer tick_timer;
    struct tl_arena arena; /* of the record being handled */
    struct tl_media_batch recalled; /* the batch that was decoded last by tl_conversation_recalled */
    struct tl_arena recalled_arena;
    int recalled_mailbox;
    int64_t recalled_offset;
    struct tl_buf out;
    int64_t tokens_minute, tokens_since_ms, tokens_last_minute;
    bool draining;
    int64_t drain_began_ms;
    void (*on_drained)(void *arg);
    void *drained_arg;
};

extern const struct tl_metric tl_conversation_metric_rows[];

/** After net, loop, log, number, name, settings and fleet are set. */
TL_MUST_CHECK enum tl_status tl_conversation_create(struct tl_conversation *self,
                                                    struct tl_error *err);
void tl_conversation_destroy(struct tl_conversation *self);

/** Adds its metrics to the process's. Once, before anything else. */
void tl_conversation_collect(struct tl_conversation *self, struct tl_metrics *metrics);

/** The fleet is ready: begin to read the mailbox. */
TL_MUST_CHECK enum tl_status tl_conversation_start(struct tl_conversation *self,
                                                   struct tl_error *err);
int tl_conversation_calls(const struct tl_conversation *self); /* held, without those that are over */

/** Why a call that is given to this process is refused, or NULL: it is taken. A call that goes on is
 *  refused only while draining: admission has left the room for it. */
const char *tl_conversation_refusal(const struct tl_conversation *self,
                                    const struct tl_media_item *started);
void tl_conversation_fill(struct tl_conversation *self, struct tl_presence *own);
void tl_conversation_drain(struct tl_conversation *self, void (*on_done)(void *arg), void *arg);

/** A configuration came: calls of that business take it up. */
void tl_conversation_on_config(struct tl_conversation *self, const struct tl_config_entry *entry);

/** The batch in a record of some mailbox; NULL when it cannot be read. Calls that are recalled together
 *  read the same records: each is decoded once. Borrowed until the next record. */
const struct tl_media_batch *tl_conversation_recalled(struct tl_conversation *self,
                                                      const struct tl_record *record);

/** Sends one control item (REVOKED, BARRIER) into a mailbox of media.v1. */
TL_MUST_CHECK enum tl_status tl_conversation_send_item(struct tl_conversation *self, int mailbox,
                                                       int64_t epoch,
                                                       const struct tl_media_item *item,
                                                       tl_delivery_fn on_delivery, void *arg,
                                                       struct tl_error *err);

#endif
