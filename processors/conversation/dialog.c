/* One call held by this process: its claim, its stages, and the way of each item from the mailbox to
 * the AI and of each word into the log. */
#include "processors/conversation/dialog.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/time.h"
#include "call/call_state.h"
#include "call/claim.h"
#include "crypto/hash.h"
#include "processors/conversation/closing.h"
#include "processors/conversation/outbox.h"
#include "processors/conversation/prompt.h"
#include "processors/conversation/recall.h"

#define FRAME_WAIT_MS 20000  /* without a frame: the AI session ends */
#define FINALS_WAIT_MS 10000 /* for the last transcripts */
#define STATE_WAIT_MS 60000  /* for a final state; then telephony closes */
#define KEYED_PAUSE_MS 3000  /* between two keys: then the digits are complete */
#define PENDING_MAX 3000     /* items: a minute of sound */
#define CHECKPOINT_BYTES 16384

/* ---- small things ---- */

static int64_t call_now_ms(const struct tl_dialog *d)
{
    int64_t ms = tl_now_ms() - d->call_started_at;
    return ms > 0 ? ms : 0;
}

struct tl_talk_now tl_dialog_now(const struct tl_dialog *d)
{
    return (struct tl_talk_now){.mono_ms = tl_mono_ms(), .call_ms = call_now_ms(d)};
}

const struct tl_business *tl_dialog_business(const struct tl_dialog *d)
{
    return tl_fleet_business(d->conversation->fleet, d->business_id, d->business_version);
}

static void free_pending(struct tl_dialog *d)
{
    struct tl_dialog_item *item, *tmp;

    DL_FOREACH_SAFE (d->pending, item, tmp)
        free(item);
    d->pending = NULL;
    d->pending_n = 0;
}

static void dialog_release(struct tl_dialog *d)
{
    if (!d->gone || d->refs)
        return;
    free(d);
}

/* Out of the table, everything but the struct freed; deliveries under way still find that. */
static void dialog_destroy(struct tl_dialog *d)
{
    struct tl_conversation *c = d->conversation;

    if (d->gone)
        return;
    HASH_DEL(c->dialogs, d);
    c->dialogs_n--;
    tl_gauge_set(&c->metrics.calls, c->dialogs_n);
    d->gone = true;
    tl_closing_forget(c->closing, d);
    tl_recall_cancel(d->recall);
    tl_dialog_ai_close(d);
    tl_timer_finish(&d->retry_timer);
    if (d->has_talk)
        tl_talk_finish(&d->talk);
    tl_memory_finish(&d->memory);
    tl_buf_finish(&d->early);
    free_pending(d);
    dialog_release(d);
}

/* ---- to ingest ---- */

static void send_playback(struct tl_dialog *d, enum tl_playback_kind kind, struct tl_bytes audio,
                          const char *text)
{
    const struct tl_playback_item item = {.kind = kind,
                                          .call_id = d->call_uuid,
                                          .number = d->claim.number,
                                          .offset = d->claim.offset,
                                          .session = d->claim.session,
                                          .stream_sid = d->stream_sid,
                                          .audio = audio,
                                          .text = text,
                                          .checkpoint_offset = d->checkpoint_offset};
    tl_outbox_add(d->conversation->outbox, d->ingest, d->ingest_epoch, &item);
}

/* "I do not hold this stream": the winner's claim, or the own one when there is none. */
static void send_lost(struct tl_conversation *c, int ingest, int64_t ingest_epoch,
                      const struct tl_uuid *call_id, const char *stream_sid,
                      const struct tl_claim *winner, const char *winner_stream_sid,
                      const char *reason)
{
    const struct tl_playback_item item = {.kind = TL_PLAYBACK_KIND_LOST,
                                          .call_id = *call_id,
                                          .number = winner->number,
                                          .offset = winner->offset,
                                          .session = winner->session,
                                          .stream_sid = stream_sid,
                                          .text = reason,
                                          .winner_stream_sid = winner_stream_sid,
                                          .checkpoint_offset = -1};
    tl_outbox_add(c->outbox, ingest, ingest_epoch, &item);
}

void tl_dialog_lost(struct tl_dialog *d, const struct tl_claim *winner,
                    const char *winner_stream_sid, const char *reason)
{
    send_lost(d->conversation, d->ingest, d->ingest_epoch, &d->call_uuid, d->stream_sid, winner,
              winner_stream_sid, reason);
    tl_dialog_drop(d, reason);
}

void tl_dialog_drop(struct tl_dialog *d, const char *reason)
{
    tl_counter_add(tl_counter_of(&d->conversation->metrics.lost, reason), 1);
    tl_log_info(d->conversation->log, "call.dropped_here", TL_STR("call_id", d->call_id),
                TL_STR("reason", reason));
    dialog_destroy(d);
}

void tl_dialog_recall_failed(struct tl_dialog *d, const char *reason)
{
    tl_dialog_lost(d, &d->claim, NULL, reason); /* ingest claims again, here or elsewhere */
}

/* ---- into the log ---- */

static struct tl_call_event event_of(struct tl_dialog *d)
{
    return (struct tl_call_event){.call_id = d->call_id,
                                  .leg = d->leg,
                                  .business_id = d->business_id,
                                  .claim = &d->claim};
}

bool tl_dialog_send(struct tl_dialog *d, struct tl_call_event *event)
{
    struct tl_error err;

    event->call_id = d->call_id;
    event->leg = d->leg;
    event->business_id = d->business_id;
    event->claim = &d->claim;
    d->changed = true;
    if (tl_fleet_send_event(d->conversation->fleet, event, NULL, NULL, &err) == TL_OK)
        return true;
    tl_log_error(d->conversation->log, "call.event_not_sent", TL_STR("call_id", d->call_id),
                 TL_STR("error", err.msg));
    return false;
}

/* A draft of the AI on its way: its sound waits for it. */
struct drafting {
    struct tl_dialog *dialog;
    struct tl_talk_turn *turn;
};

static void on_draft_logged(void *arg, const struct tl_delivery *delivery)
{
    struct drafting *drafting = arg;
    struct tl_dialog *d = drafting->dialog;

    tl_talk_on_draft_logged(&d->talk, drafting->turn, delivery->status == TL_OK, tl_dialog_now(d));
    free(drafting);
    d->refs--; /* not before: what is dropped meanwhile must stay until here */
    dialog_release(d);
}

static void on_write(void *arg, const struct tl_utterance *utterance, struct tl_talk_turn *turn)
{
    static const char *const speakers[] = {"unknown", "ai", "customer", "agent"};
    struct tl_dialog *d = arg;
    struct tl_conversation *c = d->conversation;
    struct tl_call_event event = event_of(d);
    struct tl_error err;

    event.utterance = (struct tl_utterance *)utterance;
    d->changed = true;
    if (utterance->final)
        tl_counter_add(tl_counter_of(&c->metrics.utterances, speakers[utterance->speaker]), 1);
    else
        tl_counter_add(&c->metrics.drafts, 1);
    if (utterance->transcript_failed)
        tl_counter_add(&c->metrics.transcripts_failed, 1);
    if (!turn) {
        tl_dialog_send(d, &event);
        return;
    }
    struct drafting *drafting = malloc(sizeof(*drafting));
    if (!drafting)
        abort();
    *drafting = (struct drafting){d, turn};
    d->refs++;
    if (tl_fleet_send_event(c->fleet, &event, on_draft_logged, drafting, &err) == TL_OK)
        return;
    tl_log_warn(c->log, "call.draft_not_sent", TL_STR("call_id", d->call_id),
                TL_STR("error", err.msg));
    const struct tl_delivery failed = {.status = TL_RETRY, .error = err.msg};
    on_draft_logged(drafting, &failed); /* the next tick tries again */
}

static void summarise(struct tl_dialog *d)
{
    int to_turn;

    if (d->summary_to_turn || !tl_memory_is_over(&d->memory, &to_turn))
        return;
    if (d->speech_ready) {
        struct tl_buf text;
        tl_buf_init(&text, 64u << 10);
        tl_memory_print(&d->memory, to_turn, &text);
        d->summary_to_turn = to_turn;
        d->conversation->driver->summarise(d->speech, tl_prompt_summary, tl_buf_str(&text));
        tl_buf_finish(&text);
    }
}

static void on_remember(void *arg, int turn, enum tl_speaker speaker, const char *text,
                        const char *item_id)
{
    struct tl_dialog *d = arg;

    tl_memory_add_turn(&d->memory, turn, speaker, text, item_id);
    summarise(d);
}

static void on_unfinished(void *arg)
{
    tl_dialog_ai_continue(arg);
}

static void on_play(void *arg, struct tl_bytes audio)
{
    struct tl_dialog *d = arg;

    if (d->turn_ended_ms) { /* from the end of the caller's turn to the first sound */
        tl_histogram_observe(&d->conversation->metrics.answer_time,
                             (tl_mono_ms() - d->turn_ended_ms) * 1000);
        d->turn_ended_ms = 0;
    }
    d->last_words_ms = tl_mono_ms();
    send_playback(d, TL_PLAYBACK_KIND_AUDIO, audio, NULL);
}

static void on_mark(void *arg, const char *name)
{
    send_playback(arg, TL_PLAYBACK_KIND_MARK, (struct tl_bytes){0}, name);
}

static void on_clear(void *arg)
{
    struct tl_dialog *d = arg;

    tl_counter_add(&d->conversation->metrics.interruptions, 1);
    send_playback(d, TL_PLAYBACK_KIND_CLEAR, (struct tl_bytes){0}, NULL);
    tl_outbox_flush(d->conversation->outbox); /* the caller is waiting to be heard */
}

static void on_truncate(void *arg, const char *item_id, int64_t heard_ms)
{
    struct tl_dialog *d = arg;

    if (d->speech_ready)
        d->conversation->driver->truncate(d->speech, item_id, heard_ms);
}

static const struct tl_talk_callbacks talk_callbacks = {.write = on_write,
                                                        .remember = on_remember,
                                                        .unfinished = on_unfinished,
                                                        .play = on_play,
                                                        .mark = on_mark,
                                                        .clear = on_clear,
                                                        .truncate = on_truncate};

/* ---- claiming ---- */

static void take_started(struct tl_dialog *d, const struct tl_media_batch *batch,
                         const struct tl_media_item *item, int64_t mailbox_offset)
{
    const struct tl_started *s = item->started;

    d->claim = (struct tl_claim){
        .number = item->number, .offset = item->offset, .session = item->session};
    (void)snprintf(d->stream_sid, sizeof(d->stream_sid), "%s", s->stream_sid);
    (void)snprintf(d->call_sid, sizeof(d->call_sid), "%s", s->call_sid);
    (void)snprintf(d->business_id, sizeof(d->business_id), "%s", s->business_id);
    (void)snprintf(d->from_number, sizeof(d->from_number), "%s", s->from_number);
    (void)snprintf(d->to_number, sizeof(d->to_number), "%s", s->to_number);
    (void)snprintf(d->leg, sizeof(d->leg), "%s", s->leg);
    if (!d->business_version)
        d->business_version = s->business_version;
    d->direction = s->direction;
    if (!d->call_started_at)
        d->call_started_at = s->call_started_at;
    d->call_start_offset = s->call_start_offset;
    d->calls_partition = tl_fleet_partition_of(d->conversation->fleet, d->call_id);
    if (s->checkpoint_offset > d->checkpoint_offset)
        d->checkpoint_offset = s->checkpoint_offset;
    d->ingest = batch->ingest;
    d->ingest_epoch = batch->ingest_epoch;
    d->started_offset = mailbox_offset;
    d->first_n = s->first_n;
    d->last_frame_ms = tl_mono_ms();
    d->stopped = false;
}

struct claiming {
    struct tl_dialog *dialog;
    unsigned generation;
    bool is_known; /* the dialog was live under an earlier attachment */
};

static void on_session_logged(void *arg, const struct tl_delivery *delivery)
{
    struct claiming *claiming = arg;
    struct tl_dialog *d = claiming->dialog;
    bool current = !d->gone && claiming->generation == d->generation;

    if (current && delivery->status == TL_OK && delivery->offset >= 0) {
        d->previous_S = d->S;
        d->S = delivery->offset;
        d->stage = TL_DIALOG_RECALLING;
        if (claiming->is_known)
            tl_recall_check(d);
        else
            tl_recall_start(d);
    } else if (current) {
        tl_dialog_lost(d, &d->claim, NULL, "log");
    }
    free(claiming);
    d->refs--; /* not before: it may just have been dropped */
    dialog_release(d);
}

static void claim_leg(struct tl_dialog *d, bool is_known)
{
    struct tl_conversation *c = d->conversation;
    struct tl_call_event event = event_of(d);
    const char *cause = is_known                                          ? "attachment"
                        : d->claim.number == 1 && d->claim.session == 1 ? "first"
                                                                          : "take_over";
    struct tl_session_started session = {.stream_sid = d->stream_sid,
                                         .mailbox = c->number,
                                         .mailbox_epoch = tl_fleet_epoch(c->fleet),
                                         .mailbox_offset = d->started_offset,
                                         .first_n = d->first_n,
                                         .ingest = d->ingest,
                                         .ingest_epoch = d->ingest_epoch,
                                         .call_sid = d->call_sid,
                                         .direction = d->direction,
                                         .from_number = d->from_number,
                                         .to_number = d->to_number,
                                         .business_version = d->business_version,
                                         .call_started_at = d->call_started_at,
                                         .cause = cause};
    struct tl_error err;
    struct claiming *claiming = malloc(sizeof(*claiming));

    if (!claiming)
        abort();
    d->stage = TL_DIALOG_CLAIMING;
    d->began_us = tl_mono_us();
    d->refs++;
    *claiming = (struct claiming){d, ++d->generation, is_known};
    event.session_started = &session;
    tl_counter_add(tl_counter_of(&c->metrics.claims, cause), 1);
    tl_log_info(c->log, "call.claimed", TL_STR("call_id", d->call_id),
                TL_STR("business_id", d->business_id), TL_STR("cause", cause),
                TL_INT("number", d->claim.number), TL_INT("session", d->claim.session),
                TL_INT("ingest", d->ingest));
    if (tl_fleet_send_event(c->fleet, &event, on_session_logged, claiming, &err) == TL_OK)
        return;
    const struct tl_delivery failed = {.status = TL_RETRY, .error = err.msg};
    on_session_logged(claiming, &failed);
}

static struct tl_dialog *dialog_create(struct tl_conversation *c, const struct tl_uuid *call_id)
{
    struct tl_dialog *d = calloc(1, sizeof(*d));

    if (!d)
        abort();
    d->conversation = c;
    d->call_uuid = *call_id;
    tl_uuid_format(call_id, d->call_id);
    d->S = d->previous_S = d->checkpoint_offset = -1;
    d->heard_n = -1;
    d->heard_claim = (struct tl_claim){.number = -1, .offset = -1};
    d->last_words_ms = d->last_checkpoint_ms = tl_mono_ms();
    tl_buf_init(&d->early, 30 * 8000);
    HASH_ADD(hh, c->dialogs, call_uuid, sizeof(d->call_uuid), d);
    c->dialogs_n++;
    tl_counter_add(&c->metrics.calls_taken, 1);
    tl_gauge_set(&c->metrics.calls, c->dialogs_n);
    return d;
}

static void refuse(struct tl_conversation *c, const struct tl_media_batch *batch,
                   const struct tl_media_item *item, const char *reason)
{
    const struct tl_playback_item refusal = {.kind = TL_PLAYBACK_KIND_REFUSED,
                                             .call_id = item->call_id,
                                             .number = item->number,
                                             .offset = item->offset,
                                             .session = item->session,
                                             .stream_sid = item->started->stream_sid,
                                             .text = reason,
                                             .checkpoint_offset = -1};

    tl_counter_add(tl_counter_of(&c->metrics.refused, reason), 1);
    tl_outbox_add(c->outbox, batch->ingest, batch->ingest_epoch, &refusal);
}

void tl_dialog_on_started(struct tl_conversation *c, const struct tl_media_batch *batch,
                          const struct tl_media_item *item, int64_t mailbox_offset)
{
    const struct tl_claim claim = {
        .number = item->number, .offset = item->offset, .session = item->session};
    struct tl_dialog *d;

    HASH_FIND(hh, c->dialogs, &item->call_id, sizeof(item->call_id), d);
    if (d && tl_claim_compare(&claim, &d->claim) < 0) {
        if (strcmp(d->stream_sid, item->started->stream_sid) != 0) /* a higher claim is held here */
            send_lost(c, batch->ingest, batch->ingest_epoch, &item->call_id,
                      item->started->stream_sid, &d->claim, d->stream_sid, "higher_claim");
        return;
    }
    if (!d && c->draining) {
        refuse(c, batch, item, "draining");
        return;
    }
    if (!d && tl_conversation_calls(c) >= c->settings.calls_max) {
        refuse(c, batch, item, "capacity");
        return;
    }
    bool is_known = d && d->stage == TL_DIALOG_LIVE;
    if (d && strcmp(d->stream_sid, item->started->stream_sid) != 0 &&
        d->claim.number == claim.number) /* two sockets with one number: the older one has lost */
        send_lost(c, d->ingest, d->ingest_epoch, &d->call_uuid, d->stream_sid, &claim,
                  item->started->stream_sid, "higher_claim");
    if (d && d->stage == TL_DIALOG_ENDING) { /* the caller is back: the log knows everything */
        dialog_destroy(d);
        d = NULL;
    }
    if (!d)
        d = dialog_create(c, &item->call_id);
    tl_recall_cancel(d->recall);
    take_started(d, batch, item, mailbox_offset);
    claim_leg(d, is_known);
}

void tl_dialog_on_stranger(struct tl_conversation *c, const struct tl_media_batch *batch,
                           const struct tl_media_item *item)
{
    const struct tl_claim claim = {
        .number = item->number, .offset = item->offset, .session = item->session};

    tl_counter_add(tl_counter_of(&c->metrics.stale, "call"), 1);
    if (item->kind == TL_MEDIA_KIND_FRAME && item->n % 50 == 0 && batch->ingest >= 0)
        send_lost(c, batch->ingest, batch->ingest_epoch, &item->call_id, "", &claim, NULL,
                  "not_here");
}

/* ---- live ---- */

static void create_talk(struct tl_dialog *d)
{
    const struct tl_business *b = tl_dialog_business(d);
    struct tl_redact_options options = {.year = 0, .own = {d->from_number, d->to_number}};
    enum tl_entity_type type;

    tl_random_bytes(options.key, sizeof(options.key));
    options.on = tl_entity_default_set(false, false);
    for (size_t i = 0; b && i < b->redaction_off_n; i++)
        if (tl_entity_parse(b->redaction_off[i], &type))
            options.on &= ~TL_ENTITY_BIT(type);
    for (size_t i = 0; b && i < b->redaction_on_n; i++)
        if (tl_entity_parse(b->redaction_on[i], &type))
            options.on |= TL_ENTITY_BIT(type);
    tl_talk_init(&d->talk, &talk_callbacks, d, tl_redactor_create(&options), &d->ear);
    d->talk.play_ahead_ms = d->conversation->settings.play_ahead_ms;
    d->talk.transcript_wait_ms = d->conversation->settings.transcript_wait_ms;
    tl_talk_go_on(&d->talk, &d->memory, tl_dialog_now(d));
    d->has_talk = true;
}

void tl_dialog_handle_pending(struct tl_dialog *d)
{
    struct tl_dialog_item *item, *tmp, *pending = d->pending;

    d->pending = NULL;
    d->pending_n = 0;
    DL_FOREACH_SAFE (pending, item, tmp) {
        if (!d->gone)
            tl_dialog_handle(d, item);
        free(item);
    }
}

/* A new call, or one taken over: everything that is known of it comes from the log. */
static void begin_rebuilt(struct tl_dialog *d)
{
    const struct tl_memory *m = &d->memory;

    if (m->call_started_at)
        d->call_started_at = m->call_started_at;
    tl_dialog_ai_close(d); /* of a claim before: it has heard what is to be heard again */
    if (d->has_talk)
        tl_talk_finish(&d->talk);
    create_talk(d);
    d->heard_n = -1;
    d->heard_claim = (struct tl_claim){.number = -1, .offset = -1};
    d->wants_greeting = m->utterances == 0 && m->turn == 0;
    d->wants_continuation = false;
    d->wants_answer = !tl_talk_is_open(&d->talk, TL_SPEAKER_AI) && m->turns_n &&
                      m->turns[m->turns_n - 1].speaker == TL_SPEAKER_CUSTOMER;
    d->end_asked = m->ended_by_us;
}

/* The place from which a new AI session hears: behind what is in words. */
static void hear_again(struct tl_dialog *d)
{
    struct tl_ear_place to;

    if (tl_talk_worded_to(&d->talk, &to)) {
        d->heard_claim =
            (struct tl_claim){.number = to.position.number, .offset = to.position.offset};
        d->heard_n = to.position.n;
    } else {
        d->heard_claim = (struct tl_claim){.number = -1, .offset = -1};
        d->heard_n = -1;
    }
}

void tl_dialog_live(struct tl_dialog *d, enum tl_dialog_return how)
{
    d->stage = TL_DIALOG_LIVE;
    if (how == TL_DIALOG_REBUILT)
        begin_rebuilt(d);
    if (how == TL_DIALOG_REATTACHED)
        tl_talk_resend(&d->talk, tl_dialog_now(d));
    if (how == TL_DIALOG_HEARS_AGAIN)
        hear_again(d);
    else
        d->has_base = false;
    if (how == TL_DIALOG_REATTACHED)
        tl_dialog_ai_return(d);
    else if (!d->end_asked)
        tl_dialog_ai_open(d);
    tl_log_info(d->conversation->log, "call.live", TL_STR("call_id", d->call_id),
                TL_INT("took_us", tl_mono_us() - d->began_us), TL_INT("turns", d->memory.turns_n),
                TL_STR("how", how == TL_DIALOG_REBUILT      ? "rebuilt"
                              : how == TL_DIALOG_REATTACHED ? "reattached"
                                                            : "hears_again"));
    if (d->conversation->draining) /* it was on its way when draining began */
        tl_dialog_hand_over(d);
}

/* ---- items ---- */

static void hear_frame(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    struct tl_conversation *c = d->conversation;
    struct tl_ear_place place = {
        .position = {.number = item->claim.number, .offset = item->claim.offset, .n = item->n},
        .mailbox = item->mailbox,
        .mailbox_offset = item->mailbox_offset};
    static const uint8_t silence[160] = {[0 ... 159] = 0xff};

    if (!d->has_base) {
        d->stream_base_ms = item->at_ms - d->call_started_at - item->timestamp_ms;
        d->has_base = true;
    }
    place.call_ms = d->stream_base_ms + item->timestamp_ms;
    int64_t gap = tl_ear_gap_ms(&d->ear, place.call_ms);
    tl_counter_add(&c->metrics.frames_padded, (uint64_t)gap / 20);
    for (int64_t i = 0; i + 20 <= gap; i += 20) { /* so that the provider's clock keeps up */
        struct tl_ear_place padding = place;
        padding.call_ms -= gap - i;
        tl_ear_heard(&d->ear, &padding, sizeof(silence));
        tl_dialog_ai_hear(d, (struct tl_bytes){silence, sizeof(silence)});
    }
    tl_counter_add(&c->metrics.frames, 1);
    tl_ear_heard(&d->ear, &place, (int64_t)item->len);
    tl_dialog_ai_hear(d, (struct tl_bytes){(const uint8_t *)item->data, item->len});
}

/* Digits one by one would spell a card number in the log: they are masked together. */
static void write_keyed(struct tl_dialog *d)
{
    struct tl_call_event event = {0};
    struct tl_redacted red;
    struct tl_keyed keyed = {.keyed_ms = call_now_ms(d)};
    struct tl_error err;

    d->keyed_due_ms = 0;
    if (!d->keyed[0])
        return;
    tl_redacted_init(&red);
    if (tl_redactor_text(d->talk.redactor, TL_REDACT_KEYED, d->keyed, strlen(d->keyed), &red,
                         &err) == TL_OK) {
        keyed.digits = tl_buf_str(&red.text);
        keyed.media_to = &d->keyed_at;
        event.keyed = &keyed;
        tl_dialog_send(d, &event);
    }
    tl_redacted_finish(&red);
    memset(d->keyed, 0, sizeof(d->keyed));
}

static void on_keyed(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    size_t len = strlen(d->keyed);

    d->keyed[len] = item->data[0];
    d->keyed_at = (struct tl_position){
        .number = item->claim.number, .offset = item->claim.offset, .n = item->n};
    d->last_words_ms = tl_mono_ms();
    d->keyed_due_ms = d->last_words_ms + KEYED_PAUSE_MS;
    if (item->data[0] == '#' || len + 2 == sizeof(d->keyed))
        write_keyed(d);
}

static void on_stopped(struct tl_dialog *d)
{
    if (d->stage == TL_DIALOG_ENDING)
        return;
    d->stopped = true;
    d->stage = TL_DIALOG_ENDING;
    d->ending_since_ms = tl_mono_ms();
    write_keyed(d);
    tl_talk_stop(&d->talk, tl_dialog_now(d));
    tl_dialog_ai_last_words(d);
    tl_closing_watch(d->conversation->closing, d);
}

static void on_marked(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    tl_talk_on_mark(&d->talk, item->data, tl_dialog_now(d));
    d->last_words_ms = tl_mono_ms();
}

static void keep_pending(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    size_t size = sizeof(*item) + item->len + 1;
    struct tl_dialog_item *copy = malloc(size);

    if (!copy)
        abort();
    memcpy(copy, item, size);
    if (d->pending_n == PENDING_MAX) { /* the log has not answered for a minute */
        struct tl_dialog_item *oldest = d->pending;
        DL_DELETE(d->pending, oldest);
        free(oldest);
        d->pending_n--;
    }
    DL_APPEND(d->pending, copy);
    d->pending_n++;
}

void tl_dialog_handle(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    bool same = tl_attachment_compare(&item->claim, &d->heard_claim) == 0;

    if ((same && item->n <= d->heard_n) || tl_attachment_compare(&item->claim, &d->heard_claim) < 0) {
        tl_counter_add(&d->conversation->metrics.frames_repeated, 1);
        return;
    }
    bool is_held = item->kind == TL_MEDIA_KIND_FRAME
                       ? tl_dialog_ai_holds(d, item)
                       : tl_dialog_ai_is_holding(d) && item->kind != TL_MEDIA_KIND_MARK;
    if (is_held) { /* everything that comes behind held sound waits with it */
        keep_pending(d, item);
        return;
    }
    if (tl_dialog_ai_is_holding(d) && item->kind == TL_MEDIA_KIND_MARK) {
        on_marked(d, item); /* what was heard is no news of the caller's: it overtakes */
        return;
    }
    if (!same)
        d->has_base = false;
    d->heard_claim = item->claim;
    d->heard_n = item->n;
    switch (item->kind) {
    case TL_MEDIA_KIND_FRAME:
        hear_frame(d, item);
        break;
    case TL_MEDIA_KIND_MARK:
        on_marked(d, item);
        break;
    case TL_MEDIA_KIND_KEYED:
        on_keyed(d, item);
        break;
    case TL_MEDIA_KIND_STOPPED:
        on_stopped(d);
        break;
    default:
        break;
    }
}

void tl_dialog_on_item(struct tl_dialog *d, const struct tl_media_batch *batch,
                       const struct tl_media_item *from, int64_t mailbox_offset)
{
    union {
        struct tl_dialog_item item;
        char bytes[sizeof(struct tl_dialog_item) + 1024];
    } u = {.item = {.kind = from->kind,
                    .claim = {.number = from->number, .offset = from->offset},
                    .n = from->n,
                    .timestamp_ms = from->timestamp_ms,
                    .at_ms = batch->at,
                    .mailbox = d->conversation->number,
                    .mailbox_offset = mailbox_offset}};
    const struct tl_claim claim = {
        .number = from->number, .offset = from->offset, .session = from->session};

    if (from->kind == TL_MEDIA_KIND_REVOKED) {
        if (tl_claim_compare(&claim, &d->claim) > 0)
            tl_dialog_lost(d, &claim, from->text, "revoked");
        return;
    }
    if (tl_attachment_compare(&claim, &d->claim) != 0) {
        tl_counter_add(tl_counter_of(&d->conversation->metrics.stale, "attachment"), 1);
        return;
    }
    d->last_frame_ms = tl_mono_ms();
    u.item.len = from->audio.len ? from->audio.len : from->text ? strlen(from->text) : 0;
    if (u.item.len > 1000)
        return; /* no item of ours is so long */
    if (u.item.len)
        memcpy(u.item.data, from->audio.len ? (const char *)from->audio.data : from->text,
               u.item.len);
    u.item.data[u.item.len] = '\0';
    if (d->stage == TL_DIALOG_LIVE || d->stage == TL_DIALOG_ENDING)
        tl_dialog_handle(d, &u.item);
    else
        keep_pending(d, &u.item);
}

/* ---- the end ---- */

void tl_dialog_ask_end(struct tl_dialog *d, const char *reason, const char *sentence,
                       const char *dial_number)
{
    struct tl_call_event event = {0};
    struct tl_uuid id = tl_uuid_v4();
    char intent_id[TL_UUID_TEXT_LEN + 1];

    if (d->end_asked)
        return;
    json_t *arguments = json_pack("{s:s}", "reason", reason);
    if (sentence)
        (void)json_object_set_new(arguments, "sentence", json_string(sentence));
    if (dial_number && *dial_number)
        (void)json_object_set_new(arguments, "dial_number", json_string(dial_number));
    char *text = json_dumps(arguments, JSON_COMPACT);
    tl_uuid_format(&id, intent_id);
    struct tl_tool_intent intent = {
        .intent_id = intent_id,
        .name = "end_call",
        .arguments = text ? text : "{}",
        .answers_to = d->has_talk && d->talk.has_answers_to ? &d->talk.answers_to : NULL,
        .provider_call_id = d->end_call_id[0] ? d->end_call_id : NULL};
    event.tool_intent = &intent;
    d->end_asked = tl_dialog_send(d, &event);
    if (d->end_asked) {
        (void)tl_memory_take(&d->memory, &event); /* open until its result comes */
        tl_log_info(d->conversation->log, "call.end_asked", TL_STR("call_id", d->call_id),
                    TL_STR("reason", reason), TL_BOOL("sentence", sentence != NULL));
    } else { /* the tick asks again */
        d->wants_end = true;
        if (!d->end_reason[0])
            (void)snprintf(d->end_reason, sizeof(d->end_reason), "%s", reason);
    }
    free(text);
    json_decref(arguments);
}

static void write_closed(struct tl_dialog *d)
{
    struct tl_call_event event = {0};
    bool is_failed = d->memory.state == TL_CALL_STATE_FAILED;
    struct tl_closed closed = {.state = is_failed ? TL_CALL_STATE_FAILED : TL_CALL_STATE_COMPLETED,
                               .reason = d->end_reason[0] ? d->end_reason
                                         : d->end_asked   ? "ended_by_ai"
                                                          : "caller_hung_up",
                               .duration_s = (int32_t)(call_now_ms(d) / 1000),
                               .utterances = d->memory.utterances};

    event.closed = &closed;
    tl_dialog_send(d, &event);
    tl_counter_add(tl_counter_of(&d->conversation->metrics.ended, closed.reason), 1);
    tl_log_info(d->conversation->log, "call.closed", TL_STR("call_id", d->call_id),
                TL_STR("reason", closed.reason), TL_INT("utterances", closed.utterances),
                TL_INT("duration_s", closed.duration_s));
    dialog_destroy(d);
}

void tl_dialog_on_event(struct tl_dialog *d, const struct tl_call_event *event)
{
    if (event->changed)
        d->memory.state = tl_call_state_advance(d->memory.state, event->changed->state);
    if (event->closed) {
        tl_dialog_drop(d, "closed_by_other");
        return;
    }
    if (event->session_started && event->claim && tl_claim_compare(event->claim, &d->claim) > 0) {
        tl_dialog_drop(d, "taken_over");
        return;
    }
    if (d->finals_written && tl_call_state_is_final(d->memory.state))
        write_closed(d);
}

static void tick_ending(struct tl_dialog *d, int64_t now_ms)
{
    if (!d->finals_written &&
        (tl_talk_is_idle(&d->talk) || now_ms - d->ending_since_ms > FINALS_WAIT_MS)) {
        tl_dialog_ai_close(d);
        tl_talk_give_up(&d->talk, tl_dialog_now(d));
        d->finals_written = true;
    }
    if (!d->finals_written)
        return;
    if (tl_call_state_is_final(d->memory.state))
        write_closed(d);
    else if (now_ms - d->ending_since_ms > STATE_WAIT_MS)
        tl_dialog_drop(d, "no_final_state");
}

/* ---- checkpoints ---- */

static void on_checkpoint_logged(void *arg, const struct tl_delivery *delivery)
{
    struct tl_dialog *d = arg;

    d->refs--;
    if (!d->gone && delivery->status == TL_OK)
        d->checkpoint_offset = delivery->offset; /* ingest learns it with the next item */
    dialog_release(d);
}

static size_t list_history(const struct tl_memory *m, struct tl_history_turn *ret)
{
    size_t bytes = 0, first = m->turns_n;

    while (first && bytes + strlen(m->turns[first - 1].text) < CHECKPOINT_BYTES / 2)
        bytes += strlen(m->turns[--first].text) + 16;
    for (size_t i = first; i < m->turns_n; i++)
        ret[i - first] = (struct tl_history_turn){.speaker = m->turns[i].speaker,
                                                  .text = m->turns[i].text,
                                                  .turn = m->turns[i].turn};
    return m->turns_n - first;
}

static size_t list_intents(const struct tl_memory *m, struct tl_open_intent *ret)
{
    for (size_t i = 0; i < m->intents_n; i++)
        ret[i] = (struct tl_open_intent){.intent_id = m->intents[i].intent_id,
                                         .name = m->intents[i].name,
                                         .arguments = m->intents[i].arguments};
    return m->intents_n;
}

static void write_checkpoint(struct tl_dialog *d)
{
    struct tl_call_event event = event_of(d);
    struct tl_memory *m = &d->memory;
    struct tl_history_turn history[TL_MEMORY_TURNS_MAX + 1];
    struct tl_open_intent intents[TL_MEMORY_INTENTS_MAX];
    struct tl_given_mailbox given = {.mailbox = d->conversation->number,
                                     .mailbox_epoch = tl_fleet_epoch(d->conversation->fleet),
                                     .number = d->claim.number,
                                     .offset = d->claim.offset,
                                     .stream_sid = d->stream_sid};
    struct tl_checkpoint checkpoint = {.history = history,
                                       .history_n = list_history(m, history),
                                       .summary = m->summary,
                                       .open_intents = intents,
                                       .open_intents_n = list_intents(m, intents),
                                       .utterances = m->utterances,
                                       .end_asked = d->end_asked,
                                       .media_mailbox = -1,
                                       .media_offset = -1,
                                       .turn = d->talk.turn,
                                       .state = m->state,
                                       .given = &given,
                                       .given_n = 1};
    struct tl_error err;

    if (!tl_talk_is_idle(&d->talk) || !d->talk.has_media_to)
        return; /* between turns nothing is open: a checkpoint is short then */
    checkpoint.media_to = &d->talk.media_to.position;
    checkpoint.media_mailbox = d->talk.media_to.mailbox;
    checkpoint.media_offset = d->talk.media_to.mailbox_offset;
    if (d->talk.has_answers_to)
        checkpoint.answers_to = &d->talk.answers_to;
    event.checkpoint = &checkpoint;
    d->changed = false;
    d->last_checkpoint_ms = tl_mono_ms();
    d->refs++;
    if (tl_fleet_send_event(d->conversation->fleet, &event, on_checkpoint_logged, d, &err) != TL_OK)
        d->refs--;
}

/* ---- time ---- */

static void tick_live(struct tl_dialog *d, int64_t now_ms)
{
    tl_talk_tick(&d->talk, tl_dialog_now(d));
    tl_dialog_ai_tick(d, now_ms);
    if (d->keyed_due_ms && now_ms >= d->keyed_due_ms)
        write_keyed(d);
    if (d->changed && now_ms - d->last_checkpoint_ms > d->conversation->settings.checkpoint_ms)
        write_checkpoint(d);
    if (now_ms - d->last_frame_ms > FRAME_WAIT_MS) { /* the stream is elsewhere, or nowhere */
        tl_dialog_ai_close(d);
        tl_talk_stop(&d->talk, tl_dialog_now(d));
        tl_talk_give_up(&d->talk, tl_dialog_now(d));
        tl_dialog_drop(d, "no_frames");
    }
}

void tl_dialog_tick(struct tl_dialog *d, int64_t now_ms)
{
    switch (d->stage) {
    case TL_DIALOG_LIVE:
        tick_live(d, now_ms);
        break;
    case TL_DIALOG_ENDING:
        tl_talk_tick(&d->talk, tl_dialog_now(d));
        tick_ending(d, now_ms);
        break;
    case TL_DIALOG_CLAIMING:
    case TL_DIALOG_RECALLING:
        if (now_ms - d->last_frame_ms > FRAME_WAIT_MS)
            tl_dialog_drop(d, "no_frames");
        break;
    }
}

void tl_dialog_hand_over(struct tl_dialog *d)
{
    if (d->stage == TL_DIALOG_LIVE)
        send_playback(d, TL_PLAYBACK_KIND_HANDED_OVER, (struct tl_bytes){0}, "draining");
}

void tl_dialog_on_config(struct tl_dialog *d, const struct tl_config_entry *entry)
{
    struct tl_call_event event = {0};
    struct tl_configured configured = {.business_version = entry->version};

    if (d->stage != TL_DIALOG_LIVE || entry->version <= d->business_version || entry->deleted)
        return;
    d->business_version = entry->version;
    event.configured = &configured;
    tl_dialog_send(d, &event);
}
