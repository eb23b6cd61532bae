/* One call held by this process: its claim, its stages, and the way of each item from the mailbox to
 * the AI and of each word into the log. */
#include "processors/conversation/dialog.h"

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
#define PENDING_MAX 15000    /* items: five minutes of sound */
#define DEAD_LINE_MS 1000    /* without a frame: is the call over? */
#define HAND_OVER_MS 1000    /* told again: a word to ingest may get lost */

/* ---- small things ---- */

struct tl_talk_now tl_dialog_now(const struct tl_dialog *d)
{
    int64_t call_ms = tl_now_ms() - d->call_started_at;
    return (struct tl_talk_now){.mono_ms = tl_mono_ms(), .call_ms = call_ms > 0 ? call_ms : 0};
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

/* The talk and its AI session go: what is to be known comes from the log and the mailboxes. */
void tl_dialog_forget_talk(struct tl_dialog *d)
{
    tl_dialog_ai_close(d);
    if (d->has_talk)
        tl_talk_finish(&d->talk);
    d->has_talk = false;
    tl_story_discard(d->story);
}

void tl_dialog_destroy(struct tl_dialog *d)
{
    struct tl_conversation *c = d->conversation;

    HASH_DEL(c->dialogs, d);
    c->dialogs_n--;
    tl_gauge_set(&c->metrics.calls, c->dialogs_n);
    tl_closing_forget(c->closing, d);
    tl_recall_cancel(d->recall);
    tl_dialog_forget_talk(d);
    tl_story_leave(d->story); /* what is in it gets into the log without us */
    tl_timer_finish(&d->retry_timer);
    tl_memory_finish(&d->memory);
    tl_buf_finish(&d->early);
    free_pending(d);
    free(d->sources);
    free(d);
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
    bool is_sent = !d->is_claiming || (kind == TL_PLAYBACK_KIND_CLEAR && d->is_same_stream);
    if (is_sent) /* else it is sent again when the claim stands in the log */
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
    tl_dialog_destroy(d);
}

void tl_dialog_recall_failed(struct tl_dialog *d, const char *reason)
{
    tl_dialog_lost(d, &d->claim, NULL, reason); /* ingest claims again, here or elsewhere */
}

/* ---- what the talk asks for ---- */

static void on_write(void *arg, const struct tl_utterance *utterance, struct tl_talk_turn *turn)
{
    tl_dialog_write_utterance(arg, utterance, turn);
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

static void on_answered(void *arg, const char *heard, bool unfinished)
{
    tl_dialog_ai_on_answered(arg, heard, unfinished);
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
                                                        .answered = on_answered,
                                                        .play = on_play,
                                                        .mark = on_mark,
                                                        .clear = on_clear,
                                                        .truncate = on_truncate};

/* ---- claiming ---- */

static void take_started(struct tl_dialog *d, const struct tl_media_batch *batch,
                         const struct tl_media_item *item, int64_t mailbox_offset)
{
    const struct tl_started *s = item->started;

    d->previous_claim = d->claim;
    d->claim = (struct tl_claim){
        .number = item->number, .offset = item->offset, .session = item->session};
    d->is_same_stream = *s->stream_sid && strcmp(d->stream_sid, s->stream_sid) == 0;
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
    struct claiming claiming = *(struct claiming *)arg;
    struct tl_dialog *d = claiming.dialog;

    free(arg);
    if (claiming.generation != d->generation || delivery->status == TL_CONFLICT)
        return; /* a later claim is on its way, or the dialog goes */
    if (delivery->status != TL_OK || delivery->offset < 0) { /* nobody can say where it stands */
        tl_dialog_lost(d, &d->claim, NULL, "log");
        return;
    }
    d->previous_S = d->S;
    d->S = delivery->offset;
    d->stage = TL_DIALOG_RECALLING;
    if (claiming.is_known)
        tl_recall_check(d);
    else
        tl_recall_start(d);
}

static void claim_leg(struct tl_dialog *d, bool is_known)
{
    struct tl_conversation *c = d->conversation;
    struct tl_call_event event = {0};
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
    struct claiming *claiming = malloc(sizeof(*claiming));

    if (!claiming)
        abort();
    d->stage = TL_DIALOG_CLAIMING;
    d->began_us = tl_mono_us();
    *claiming = (struct claiming){d, ++d->generation, is_known};
    if (!is_known) {
        tl_dialog_forget_talk(d);
        d->claimed_at = tl_now_ms();
        d->claimed_offset = d->started_offset;
    }
    event.session_started = &session;
    tl_counter_add(tl_counter_of(&c->metrics.claims, cause), 1);
    tl_log_info(c->log, "call.claimed", TL_STR("call_id", d->call_id),
                TL_STR("business_id", d->business_id), TL_STR("cause", cause),
                TL_INT("number", d->claim.number), TL_INT("session", d->claim.session),
                TL_INT("ingest", d->ingest));
    tl_dialog_tell(d, &event, on_session_logged, claiming);
    tl_story_hold(d->story); /* nothing of ours may count before that was read back */
    d->is_claiming = d->talk.is_muted = true;
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
    tl_buf_init(&d->early, TL_DIALOG_EARLY_BYTES);
    d->story = tl_story_create(tl_fleet_stories(c->fleet), d->call_id);
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
    const char *refusal = d ? NULL : tl_conversation_refusal(c, item);
    if (refusal) {
        refuse(c, batch, item, refusal);
        return;
    }
    bool is_known = d && d->stage == TL_DIALOG_LIVE;
    if (d && strcmp(d->stream_sid, item->started->stream_sid) != 0 &&
        d->claim.number == claim.number) /* two sockets with one number: the older one has lost */
        send_lost(c, d->ingest, d->ingest_epoch, &d->call_uuid, d->stream_sid, &claim,
                  item->started->stream_sid, "higher_claim");
    if (d && d->stage == TL_DIALOG_ENDING) { /* the caller is back: the log knows everything */
        tl_dialog_destroy(d);
        d = NULL;
    }
    if (!d)
        d = dialog_create(c, &item->call_id);
    tl_recall_cancel(d->recall);
    take_started(d, batch, item, mailbox_offset);
    claim_leg(d, is_known);
}

/* A frame that is not for us: about once a second its ingest is told, for a word to it may get lost. */
static bool is_reminder(const struct tl_media_item *item)
{
    return item->kind == TL_MEDIA_KIND_FRAME && item->n % 50 == 0;
}

void tl_dialog_on_stranger(struct tl_conversation *c, const struct tl_media_batch *batch,
                           const struct tl_media_item *item)
{
    const struct tl_claim claim = {
        .number = item->number, .offset = item->offset, .session = item->session};

    tl_counter_add(tl_counter_of(&c->metrics.stale, "call"), 1);
    if (is_reminder(item) && batch->ingest >= 0)
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
        tl_dialog_handle(d, item);
        free(item);
    }
}

/* The newest turn is an answer that was cut, though its final is not written. */
static bool is_newest_cut(const struct tl_memory *m)
{
    for (size_t i = 0; i < m->drafts_n; i++)
        if (m->drafts[i].speaker == TL_SPEAKER_AI && m->drafts[i].turn == m->turn)
            return m->drafts[i].interrupted;
    return false;
}

/* A new call, or one taken over: everything that is known of it comes from the log. */
static void begin_rebuilt(struct tl_dialog *d)
{
    const struct tl_memory *m = &d->memory;

    if (m->call_started_at)
        d->call_started_at = m->call_started_at;
    tl_dialog_forget_talk(d); /* of a claim before: it has heard what is to be heard again */
    create_talk(d);
    d->heard_n = -1;
    d->heard_claim = (struct tl_claim){.number = -1, .offset = -1};
    d->frame_at = d->mark_at = 0;
    d->heard_sid[0] = '\0';
    d->repeats_to_ms = -1;
    d->wants_greeting = m->utterances == 0 && m->turn == 0;
    bool is_open = tl_talk_is_open(&d->talk, TL_SPEAKER_AI); /* what becomes of it, its marks tell */
    enum tl_speaker last = m->turns_n ? m->turns[m->turns_n - 1].speaker : TL_SPEAKER_UNKNOWN;
    d->wants_answer = !is_open && last == TL_SPEAKER_CUSTOMER;
    d->wants_continuation =
        (!is_open && last == TL_SPEAKER_AI && m->is_cut_short) || is_newest_cut(m);
    tl_dialog_resume_end(d);
}

/* The place from which a new AI session hears: behind what is in words. */
static void hear_again(struct tl_dialog *d)
{
    struct tl_ear_place to;

    d->repeats_to_ms = -1;
    d->heard_sid[0] = '\0';
    if (tl_talk_worded_to(&d->talk, &to)) {
        d->heard_claim =
            (struct tl_claim){.number = to.position.number, .offset = to.position.offset};
        d->heard_n = to.position.n;
    } else {
        d->heard_claim = (struct tl_claim){.number = -1, .offset = -1};
        d->heard_n = -1;
    }
}

/* Another stream comes: of what the AI had sent into the old one, what could be heard until its last frame
 *  was heard, though no mark says so. */
static void on_stream_broken(struct tl_dialog *d, const struct tl_claim *next)
{
    bool was_last = tl_attachment_compare(next, &d->claim) == 0 && d->claim.session == 1;

    if (d->frame_at)
        tl_talk_on_broken(&d->talk, d->frame_at - d->call_started_at,
                          d->mark_at ? d->mark_at - d->call_started_at : -1, was_last,
                          tl_dialog_now(d));
    d->frame_at = d->mark_at = 0;
}

/* One line tells the story of a take-over. */
static void tell_live(struct tl_dialog *d, enum tl_dialog_return how)
{
    const char *event = how == TL_DIALOG_REATTACHED    ? "call.reattached"
                        : how == TL_DIALOG_HEARS_AGAIN ? "call.hears_again"
                        : d->predecessor[0]            ? "call.taken_over"
                                                       : "call.live";
    int64_t took_us = tl_mono_us() - d->began_us;
    const struct tl_memory *m = &d->memory;

    if (how == TL_DIALOG_REBUILT && d->predecessor[0])
        tl_histogram_observe(&d->conversation->metrics.take_over, took_us);
    tl_log_info(d->conversation->log, event, TL_STR("call_id", d->call_id),
                TL_STR("from", d->predecessor), TL_INT("number", d->claim.number),
                TL_INT("session", d->claim.session), TL_INT("ingest", d->ingest),
                TL_INT("turns", m->turns_n), TL_INT("open_drafts", m->drafts_n),
                TL_INT("open_intents", m->intents_n), TL_INT("items_recalled", d->recalled_n),
                TL_INT("mailboxes", d->sources_n), TL_INT("log_offset", d->S),
                TL_INT("took_us", took_us));
}

void tl_dialog_live(struct tl_dialog *d, enum tl_dialog_return how)
{
    d->stage = TL_DIALOG_LIVE;
    d->is_claiming = d->talk.is_muted = false;
    if (how == TL_DIALOG_REBUILT)
        begin_rebuilt(d);
    tl_story_release(d->story);
    if (how == TL_DIALOG_REATTACHED && !d->is_same_stream) { /* else what was sent is still to be heard */
        on_stream_broken(d, &d->claim);
        tl_talk_resend(&d->talk, tl_dialog_now(d));
    }
    if (how == TL_DIALOG_HEARS_AGAIN)
        hear_again(d);
    else if (how == TL_DIALOG_REBUILT || !d->is_same_stream)
        d->has_base = false;
    if (how == TL_DIALOG_REATTACHED)
        tl_dialog_ai_return(d);
    else if (!d->end_asked)
        tl_dialog_ai_open(d);
    tell_live(d, how);
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
    if (d->pending_n == PENDING_MAX) { /* the log has not answered for minutes */
        struct tl_dialog_item *oldest = d->pending;
        DL_DELETE(d->pending, oldest);
        free(oldest);
        d->pending_n--;
    }
    DL_APPEND(d->pending, copy);
    d->pending_n++;
}

/* A stream may be claimed anew, under a higher attachment: its sound goes on, and some of it comes twice. */
static void begin_attachment(struct tl_dialog *d, const struct tl_claim *attachment)
{
    const char *sid = "";

    for (size_t i = 0; i < d->memory.given_n; i++)
        if (tl_attachment_compare(&d->memory.given[i].claim, attachment) == 0)
            sid = d->memory.given[i].stream_sid;
    if (tl_attachment_compare(&d->claim, attachment) == 0)
        sid = d->stream_sid;
    bool goes_on = *sid && strcmp(sid, d->heard_sid) == 0;
    (void)snprintf(d->heard_sid, sizeof(d->heard_sid), "%s", sid);
    d->repeats_to_ms = goes_on ? d->heard_timestamp_ms : -1;
    if (goes_on)
        return;
    on_stream_broken(d, attachment);
    d->has_base = false;
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
                       : (tl_dialog_ai_is_holding(d) && item->kind != TL_MEDIA_KIND_MARK) ||
                             (item->kind == TL_MEDIA_KIND_STOPPED && tl_dialog_ai_is_coming(d));
    if (is_held) { /* everything that comes behind held sound waits with it */
        keep_pending(d, item);
        return;
    }
    if (tl_dialog_ai_is_holding(d) && item->kind == TL_MEDIA_KIND_MARK) {
        tl_talk_on_line(&d->talk, item->at_ms - d->call_started_at);
        on_marked(d, item); /* what was heard is no news of the caller's: it overtakes */
        return;
    }
    if (!same)
        begin_attachment(d, &item->claim);
    if (item->kind == TL_MEDIA_KIND_FRAME && item->timestamp_ms <= d->repeats_to_ms) {
        tl_counter_add(&d->conversation->metrics.frames_repeated, 1);
        return;
    }
    tl_talk_on_line(&d->talk, item->at_ms - d->call_started_at);
    if (item->kind == TL_MEDIA_KIND_FRAME) {
        d->frame_at = item->at_ms;
        d->heard_timestamp_ms = item->timestamp_ms;
    } else if (item->kind == TL_MEDIA_KIND_MARK) {
        d->mark_at = item->at_ms;
    }
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
        tl_dialog_on_keyed(d, item);
        break;
    case TL_MEDIA_KIND_STOPPED:
        tl_dialog_on_stopped(d);
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
        if (is_reminder(from) && tl_attachment_compare(&claim, &d->claim) < 0)
            send_lost(d->conversation, batch->ingest, batch->ingest_epoch, &d->call_uuid, "",
                      &d->claim, d->stream_sid, "higher_claim");
        return;
    }
    d->last_frame_ms = tl_mono_ms();
    if (d->is_watched && d->stage == TL_DIALOG_LIVE)
        tl_closing_forget(d->conversation->closing, d); /* it was only late */
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

/* ---- time ---- */

/* At a pause in speech, or when none comes; and again, for a word to ingest may get lost. */
static void tick_hand_over(struct tl_dialog *d, int64_t now_ms)
{
    const struct tl_conversation *c = d->conversation;
    bool is_due = now_ms - c->drain_began_ms > c->settings.drain_ms * 2 / 3;

    if (now_ms - d->handed_over_ms <= HAND_OVER_MS ||
        (!d->handed_over_ms && !is_due && !tl_dialog_ai_is_at_pause(d)))
        return;
    d->handed_over_ms = now_ms;
    tl_talk_flush(&d->talk, tl_dialog_now(d));
    send_playback(d, TL_PLAYBACK_KIND_HANDED_OVER, (struct tl_bytes){0}, "draining");
}

static void tick_live(struct tl_dialog *d, int64_t now_ms)
{
    tl_talk_tick(&d->talk, tl_dialog_now(d));
    tl_dialog_ai_tick(d, now_ms);
    if (d->keyed_due_ms && now_ms >= d->keyed_due_ms)
        tl_dialog_write_keyed(d);
    if (d->changed && now_ms - d->last_checkpoint_ms > d->conversation->settings.checkpoint_ms)
        tl_dialog_write_checkpoint(d);
    if (d->conversation->draining)
        tick_hand_over(d, now_ms);
    if (!d->is_watched && now_ms - d->last_frame_ms > DEAD_LINE_MS)
        tl_closing_watch(d->conversation->closing, d); /* did the caller hang up as its ingest died? */
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
        tl_dialog_tick_ending(d, now_ms);
        break;
    case TL_DIALOG_CLAIMING:
    case TL_DIALOG_RECALLING:
        if (now_ms - d->last_frame_ms > FRAME_WAIT_MS)
            tl_dialog_drop(d, "no_frames");
        break;
    }
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
