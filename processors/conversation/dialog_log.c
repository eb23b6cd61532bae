/* What a dialog writes into the log: its events in order, drafts and finals, keyed digits, checkpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/claim.h"
#include "processors/conversation/dialog.h"

#define KEYED_PAUSE_MS 3000 /* between two keys: then the digits are complete */
#define CHECKPOINT_BYTES 16384

void tl_dialog_tell(struct tl_dialog *d, struct tl_call_event *event, tl_delivery_fn on_logged,
                    void *arg)
{
    event->call_id = d->call_id;
    event->leg = d->leg;
    event->business_id = d->business_id;
    event->claim = &d->claim;
    tl_fleet_tell(d->conversation->fleet, d->story, event, on_logged, arg);
}

void tl_dialog_send(struct tl_dialog *d, struct tl_call_event *event)
{
    d->changed = true;
    tl_dialog_tell(d, event, NULL, NULL);
}

/* ---- utterances ---- */

/* A draft of the AI on its way: its sound waits for it. */
struct drafting {
    struct tl_dialog *dialog;
    struct tl_talk_turn *turn;
};

static void on_draft_logged(void *arg, const struct tl_delivery *delivery)
{
    struct drafting drafting = *(struct drafting *)arg;
    struct tl_dialog *d = drafting.dialog;

    free(arg);
    tl_talk_on_draft_logged(&d->talk, drafting.turn, delivery->status == TL_OK, tl_dialog_now(d));
}

void tl_dialog_write_utterance(struct tl_dialog *d, const struct tl_utterance *utterance,
                               struct tl_talk_turn *turn)
{
    static const char *const speakers[] = {"unknown", "ai", "customer", "agent"};
    struct tl_conversation *c = d->conversation;
    struct tl_call_event event = {.utterance = (struct tl_utterance *)utterance};

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
    d->changed = true;
    tl_dialog_tell(d, &event, on_draft_logged, drafting);
}

/* ---- keys ---- */

/* Digits one by one would spell a card number in the log: they are masked together. */
void tl_dialog_write_keyed(struct tl_dialog *d)
{
    struct tl_call_event event = {0};
    struct tl_redacted red;
    struct tl_keyed keyed = {.keyed_ms = tl_dialog_now(d).call_ms};
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

void tl_dialog_on_keyed(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    size_t len = strlen(d->keyed);

    d->keyed[len] = item->data[0];
    d->keyed_at = (struct tl_position){
        .number = item->claim.number, .offset = item->claim.offset, .n = item->n};
    d->last_words_ms = tl_mono_ms();
    d->keyed_due_ms = d->last_words_ms + KEYED_PAUSE_MS;
    if (item->data[0] == '#' || len + 2 == sizeof(d->keyed))
        tl_dialog_write_keyed(d);
}

/* ---- checkpoints ---- */

static void on_checkpoint_logged(void *arg, const struct tl_delivery *delivery)
{
    struct tl_dialog *d = arg;

    if (delivery->status == TL_OK && delivery->offset >= 0)
        d->checkpoint_offset = delivery->offset; /* ingest learns it with the next item */
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

/* The own mailbox, and those of others that may hold sound which is not in the log as words: also such as
 *  were given the call and never took it up. */
static size_t list_given(const struct tl_dialog *d, struct tl_given_mailbox *ret)
{
    const struct tl_memory *m = &d->memory;
    const struct tl_claim worded = {.number = d->talk.media_to.position.number,
                                    .offset = d->talk.media_to.position.offset};
    size_t n = 0;

    ret[n++] = (struct tl_given_mailbox){.mailbox = d->conversation->number,
                                         .mailbox_epoch = tl_fleet_epoch(d->conversation->fleet),
                                         .number = d->claim.number,
                                         .offset = d->claim.offset,
                                         .stream_sid = d->stream_sid};
    for (size_t i = 0; i < m->given_n; i++)
        if (tl_attachment_compare(&m->given[i].claim, &worded) >= 0)
            ret[n++] = (struct tl_given_mailbox){.mailbox = m->given[i].mailbox,
                                                 .mailbox_epoch = m->given[i].mailbox_epoch,
                                                 .number = m->given[i].claim.number,
                                                 .offset = m->given[i].claim.offset,
                                                 .stream_sid = m->given[i].stream_sid};
    return n;
}

void tl_dialog_write_checkpoint(struct tl_dialog *d)
{
    struct tl_call_event event = {0};
    struct tl_memory *m = &d->memory;
    struct tl_history_turn history[TL_MEMORY_TURNS_MAX + 1];
    struct tl_open_intent intents[TL_MEMORY_INTENTS_MAX];
    struct tl_given_mailbox given[TL_MEMORY_GIVEN_MAX + 1];
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
                                       .given = given,
                                       .given_n = list_given(d, given)};

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
    tl_dialog_tell(d, &event, on_checkpoint_logged, d);
}
