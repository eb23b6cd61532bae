/* A call rebuilt from its events: see memory.h. */
#include "processors/conversation/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_state.h"
#include "call/claim.h"

#define SUMMARY_BYTES_MAX 4000
#define EXTRACT_BYTES 120 /* of each turn, when nobody can summarise */

static char *copy_text(const char *s)
{
    char *copy = strdup(s ? s : "");
    if (!copy)
        abort();
    return copy;
}

void tl_memory_init(struct tl_memory *m, int turns_limit, size_t characters_limit)
{
    *m = (struct tl_memory){.characters_limit = characters_limit ? characters_limit : 10000,
                            .media_mailbox = -1,
                            .media_offset = -1};
    m->turns_limit = turns_limit >= 1 && turns_limit <= TL_MEMORY_TURNS_MAX ? turns_limit
                                                                            : TL_MEMORY_TURNS_MAX;
}

static void forget_turns(struct tl_memory *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m->characters -= strlen(m->turns[i].text);
        free(m->turns[i].text);
    }
    memmove(m->turns, m->turns + n, (m->turns_n - n) * sizeof(*m->turns));
    m->turns_n -= n;
}

static void forget_draft(struct tl_memory *m, size_t i)
{
    free(m->drafts[i].text);
    m->drafts[i] = m->drafts[--m->drafts_n];
}

static void forget_intent(struct tl_memory *m, size_t i)
{
    free(m->intents[i].arguments);
    m->intents[i] = m->intents[--m->intents_n];
}

void tl_memory_finish(struct tl_memory *m)
{
    forget_turns(m, m->turns_n);
    while (m->drafts_n)
        forget_draft(m, 0);
    while (m->intents_n)
        forget_intent(m, 0);
    free(m->drafts);
    free(m->summary);
    tl_fence_finish(&m->fence);
    *m = (struct tl_memory){0};
}

void tl_memory_add_turn(struct tl_memory *m, int turn, enum tl_speaker speaker, const char *text,
                        const char *item_id)
{
    if (turn > m->turn)
        m->turn = turn;
    m->utterances++;
    if (!*text)
        return; /* nothing was heard: nothing to remember */
    if (m->turns_n == TL_MEMORY_TURNS_MAX + 1)
        tl_memory_summarise(m, m->turns[0].turn, NULL);
    struct tl_memory_turn *t = &m->turns[m->turns_n++];
    *t = (struct tl_memory_turn){.turn = turn, .speaker = speaker, .text = copy_text(text)};
    (void)snprintf(t->item_id, sizeof(t->item_id), "%s", item_id);
    m->characters += strlen(text);
}

bool tl_memory_is_over(const struct tl_memory *m, int *ret_to_turn)
{
    size_t keep = m->turns_n, characters = m->characters;

    if ((int)m->turns_n <= m->turns_limit && m->characters <= m->characters_limit)
        return false;
    size_t drop = 0;
    while (drop + 1 < m->turns_n &&
           ((int)keep > m->turns_limit / 2 || characters > m->characters_limit / 2)) {
        characters -= strlen(m->turns[drop++].text);
        keep--;
    }
    if (!drop)
        return false; /* one turn alone is longer: it stays */
    *ret_to_turn = m->turns[drop - 1].turn;
    return true;
}

static const char *speaker_word(enum tl_speaker speaker)
{
    return speaker == TL_SPEAKER_CUSTOMER ? "Caller" : speaker == TL_SPEAKER_AGENT ? "Agent" : "You";
}

void tl_memory_print(const struct tl_memory *m, int to_turn, struct tl_buf *out)
{
    if (m->summary)
        tl_buf_printf(out, "Earlier: %s\n", m->summary);
    for (size_t i = 0; i < m->turns_n && m->turns[i].turn <= to_turn; i++)
        tl_buf_printf(out, "%s: %s\n", speaker_word(m->turns[i].speaker), m->turns[i].text);
}

static void extract(const struct tl_memory *m, int to_turn, struct tl_buf *out)
{
    if (m->summary)
        tl_buf_printf(out, "%s ", m->summary);
    for (size_t i = 0; i < m->turns_n && m->turns[i].turn <= to_turn; i++) {
        const char *text = m->turns[i].text;
        size_t len = strcspn(text, ".?!") + 1;
        len = len < strlen(text) ? len : strlen(text);
        len = len < EXTRACT_BYTES ? len : EXTRACT_BYTES;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--; /* not within a character */
        tl_buf_printf(out, "%s: %.*s ", speaker_word(m->turns[i].speaker), (int)len, text);
    }
}

void tl_memory_summarise(struct tl_memory *m, int to_turn, const char *summary)
{
    struct tl_buf out;
    size_t n = 0;

    tl_buf_init(&out, SUMMARY_BYTES_MAX);
    if (summary)
        tl_buf_add_str(&out, summary);
    if (!summary || out.full)
        extract(m, to_turn, &out);
    char *text = copy_text(tl_buf_str(&out));
    tl_buf_finish(&out);
    free(m->summary);
    m->summary = text;
    m->summary_to_turn = to_turn;
    while (n < m->turns_n && m->turns[n].turn <= to_turn)
        n++;
    forget_turns(m, n);
}

/* ---- events ---- */

static void take_media_to(struct tl_memory *m, const struct tl_position *to, int mailbox,
                          int64_t offset)
{
    if (!to)
        return;
    m->media_to = *to;
    m->has_media_to = true;
    m->media_mailbox = mailbox;
    m->media_offset = offset;
}

static void take_answers_to(struct tl_memory *m, const struct tl_position *to)
{
    if (!to || (m->has_answers_to && tl_position_compare(to, &m->answers_to) <= 0))
        return;
    m->answers_to = *to;
    m->has_answers_to = true;
}

static struct tl_memory_draft *take_draft(struct tl_memory *m, const char *id, int revision,
                                          int turn, enum tl_speaker speaker, const char *text,
                                          const struct tl_position *answers)
{
    struct tl_memory_draft *d = NULL;

    for (size_t i = 0; i < m->drafts_n; i++)
        if (strcmp(m->drafts[i].utterance_id, id) == 0)
            d = &m->drafts[i];
    if (!d) {
        void *p = realloc(m->drafts, (m->drafts_n + 1) * sizeof(*m->drafts));
        if (!p)
            abort();
        m->drafts = p;
        d = &m->drafts[m->drafts_n++];
        *d = (struct tl_memory_draft){.turn = turn, .speaker = speaker};
        (void)snprintf(d->utterance_id, sizeof(d->utterance_id), "%s", id);
    }
    if (revision < d->revision)
        return d;
    free(d->text);
    d->text = copy_text(text);
    d->revision = revision;
    if (answers) {
        d->answers_to = *answers;
        d->has_answers_to = true;
    }
    if (turn > m->turn)
        m->turn = turn;
    return d;
}

static bool is_final(const struct tl_memory *m, const char *utterance_id)
{
    for (size_t i = 0; i < m->turns_n; i++)
        if (strcmp(m->turns[i].utterance_id, utterance_id) == 0)
            return true;
    return false;
}

static void take_utterance(struct tl_memory *m, const struct tl_utterance *u)
{
    take_answers_to(m, u->answers_to);
    if (!u->final && is_final(m, u->utterance_id))
        return; /* sent again, behind its final */
    if (!u->final) {
        struct tl_memory_draft *d = take_draft(m, u->utterance_id, u->revision, u->turn, u->speaker,
                                               u->text, u->answers_to);
        if (u->revision < d->revision)
            return;
        d->start_ms = u->start_ms;
        d->len_ms = u->end_ms - u->start_ms;
        d->heard_ms = u->heard_ms;
        d->complete = u->complete;
        d->interrupted = u->interrupted;
        return;
    }
    for (size_t i = 0; i < m->drafts_n; i++)
        if (strcmp(m->drafts[i].utterance_id, u->utterance_id) == 0) {
            forget_draft(m, i);
            break;
        }
    take_media_to(m, u->media_to, u->media_mailbox, u->media_offset);
    m->is_cut_short = u->speaker == TL_SPEAKER_AI && u->interrupted;
    if (u->speaker == TL_SPEAKER_CUSTOMER && u->media_to) {
        m->caller_to = *u->media_to;
        m->has_caller_to = true;
    }
    if (u->speaker == TL_SPEAKER_AI && u->heard_ms > 0 && !u->interrupted) {
        m->ai_ms += u->heard_ms;
        m->ai_bytes += (int64_t)strlen(u->text);
    }
    for (size_t i = 0; i < m->turns_n; i++)
        if (strcmp(m->turns[i].utterance_id, u->utterance_id) == 0)
            return; /* sent again: nobody knew whether it stood in the log */
    tl_memory_add_turn(m, u->turn, u->speaker, u->text, "");
    if (*u->text) {
        struct tl_memory_turn *newest = &m->turns[m->turns_n - 1];
        (void)snprintf(newest->utterance_id, sizeof(newest->utterance_id), "%s", u->utterance_id);
    }
}

static void take_intent(struct tl_memory *m, const char *id, const char *name, const char *arguments)
{
    if (strcmp(name, "end_call") == 0)
        m->ended_by_us = true;
    for (size_t i = 0; i < m->intents_n; i++)
        if (strcmp(m->intents[i].intent_id, id) == 0)
            return;
    if (m->intents_n == TL_MEMORY_INTENTS_MAX)
        return;
    struct tl_memory_intent *i = &m->intents[m->intents_n++];
    *i = (struct tl_memory_intent){.arguments = copy_text(arguments)};
    (void)snprintf(i->intent_id, sizeof(i->intent_id), "%s", id);
    (void)snprintf(i->name, sizeof(i->name), "%s", name);
}

static void take_result(struct tl_memory *m, const struct tl_tool_result *result)
{
    for (size_t i = 0; i < m->intents_n; i++)
        if (strcmp(m->intents[i].intent_id, result->intent_id) == 0) {
            forget_intent(m, i);
            return;
        }
}

static void take_given(struct tl_memory *m, const struct tl_memory_given *given)
{
    for (size_t i = 0; i < m->given_n; i++)
        if (m->given[i].mailbox == given->mailbox &&
            m->given[i].mailbox_epoch == given->mailbox_epoch &&
            tl_attachment_compare(&m->given[i].claim, &given->claim) == 0)
            return;
    if (m->given_n == TL_MEMORY_GIVEN_MAX) { /* the oldest is long in the log */
        memmove(m->given, m->given + 1, (m->given_n - 1) * sizeof(*m->given));
        m->given_n--;
    }
    m->given[m->given_n++] = *given;
}

static void take_given_event(struct tl_memory *m, const struct tl_call_event *event)
{
    struct tl_memory_given given = {.mailbox = event->given->mailbox,
                                    .mailbox_epoch = event->given->mailbox_epoch,
                                    .claim = *event->claim,
                                    .at_ms = event->at};

    if (given.claim.offset < 0)
        return; /* only numbers the attachment: nothing was sent under it */
    given.claim.session = 0;
    (void)snprintf(given.stream_sid, sizeof(given.stream_sid), "%s", event->given->stream_sid);
    take_given(m, &given);
}

static void take_checkpoint(struct tl_memory *m, const struct tl_call_event *event)
{
    const struct tl_checkpoint *c = event->checkpoint;
    int utterances = m->utterances;

    forget_turns(m, m->turns_n);
    while (m->drafts_n)
        forget_draft(m, 0);
    while (m->intents_n)
        forget_intent(m, 0);
    m->given_n = 0;
    free(m->summary);
    m->summary = c->summary ? copy_text(c->summary) : NULL;
    for (size_t i = 0; i < c->history_n; i++)
        tl_memory_add_turn(m, c->history[i].turn, c->history[i].speaker, c->history[i].text, "");
    m->utterances = utterances > c->utterances ? utterances : c->utterances;
    m->ended_by_us |= c->end_asked;
    for (size_t i = 0; i < c->open_intents_n; i++)
        take_intent(m, c->open_intents[i].intent_id, c->open_intents[i].name,
                    c->open_intents[i].arguments);
    for (size_t i = 0; i < c->open_drafts_n; i++)
        (void)take_draft(m, c->open_drafts[i].utterance_id, c->open_drafts[i].revision,
                         c->open_drafts[i].turn, c->open_drafts[i].speaker, c->open_drafts[i].text,
                         c->open_drafts[i].answers_to);
    for (size_t i = 0; i < c->given_n; i++) {
        struct tl_memory_given given = {
            .mailbox = c->given[i].mailbox,
            .mailbox_epoch = c->given[i].mailbox_epoch,
            .claim = {.number = c->given[i].number, .offset = c->given[i].offset},
            .at_ms = event->at - 30000};
        (void)snprintf(given.stream_sid, sizeof(given.stream_sid), "%s", c->given[i].stream_sid);
        take_given(m, &given);
    }
    take_media_to(m, c->media_to, c->media_mailbox, c->media_offset);
    if (m->has_media_to && m->turns_n && m->turns[m->turns_n - 1].speaker == TL_SPEAKER_CUSTOMER) {
        m->caller_to = m->media_to;
        m->has_caller_to = true;
    }
    take_answers_to(m, c->answers_to);
    m->turn = c->turn;
    m->state = tl_call_state_advance(m->state, c->state);
}

bool tl_memory_take(struct tl_memory *m, const struct tl_call_event *event)
{
    bool counts = tl_fence_accept(&m->fence, event);

    if (event->given && event->claim) /* the mailboxes of losers are read too */
        take_given_event(m, event);
    if (!counts)
        return false;
    if (event->changed) {
        m->state = tl_call_state_advance(m->state, event->changed->state);
        if (!m->call_started_at)
            m->call_started_at = event->at;
    }
    if (event->session_started && !m->call_started_at)
        m->call_started_at = event->session_started->call_started_at;
    if (event->checkpoint)
        take_checkpoint(m, event);
    if (event->utterance)
        take_utterance(m, event->utterance);
    if (event->tool_intent) {
        take_answers_to(m, event->tool_intent->answers_to);
        take_intent(m, event->tool_intent->intent_id, event->tool_intent->name,
                    event->tool_intent->arguments);
    }
    if (event->keyed && event->keyed->media_to) {
        m->keyed_to = *event->keyed->media_to;
        m->has_keyed_to = true;
    }
    if (event->tool_result)
        take_result(m, event->tool_result);
    if (event->summarised)
        tl_memory_summarise(m, event->summarised->to_turn, event->summarised->text);
    if (event->closed)
        m->closed = true;
    return true;
}
