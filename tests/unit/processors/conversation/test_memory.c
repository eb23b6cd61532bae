/* memory.h: a call rebuilt from its events, within the limits (CONV-4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processors/conversation/memory.h"

static int set_up(void **state)
{
    struct tl_memory *m = calloc(1, sizeof(*m));
    tl_memory_init(m, 100, 10000);
    *state = m;
    return 0;
}

static int tear_down(void **state)
{
    tl_memory_finish(*state);
    free(*state);
    return 0;
}

/* An event of the holder of session `session`, to which a part is added. */
static struct tl_call_event event(int session)
{
    static struct tl_claim claim;
    claim = (struct tl_claim){.number = 1, .offset = 5, .session = session};
    return (struct tl_call_event){.event_id = "",
                                  .call_id = "",
                                  .producer = "conversation-0",
                                  .epoch = session,
                                  .leg = "caller",
                                  .claim = &claim,
                                  .at = 1000000};
}

static bool take_utterance(struct tl_memory *m, int session, struct tl_utterance u)
{
    struct tl_call_event e = event(session);
    u.media_mailbox = u.media_to ? 3 : -1;
    u.media_offset = u.media_to ? 1000 + u.media_to->n : -1;
    e.utterance = &u;
    return tl_memory_take(m, &e);
}

static bool say(struct tl_memory *m, int turn, enum tl_speaker speaker, const char *text)
{
    char id[37];
    (void)snprintf(id, sizeof(id), "final-%d", turn);
    return take_utterance(m, 1,
                          (struct tl_utterance){.utterance_id = id,
                                                .revision = 9,
                                                .final = true,
                                                .turn = turn,
                                                .speaker = speaker,
                                                .text = text});
}

static bool draft(struct tl_memory *m, const char *id, int revision, int turn, const char *text)
{
    struct tl_position to = {.number = 1, .offset = 5, .n = 10 * turn};
    return take_utterance(m, 1,
                          (struct tl_utterance){.utterance_id = id,
                                                .revision = revision,
                                                .turn = turn,
                                                .speaker = TL_SPEAKER_AI,
                                                .text = text,
                                                .start_ms = 100,
                                                .end_ms = 100 + 10 * revision,
                                                .answers_to = &to});
}

static bool intent(struct tl_memory *m, const char *id, const char *name)
{
    struct tl_tool_intent part = {.intent_id = id, .name = name, .arguments = "{}"};
    struct tl_call_event e = event(1);
    e.tool_intent = &part;
    return tl_memory_take(m, &e);
}

static bool result(struct tl_memory *m, const char *id)
{
    struct tl_tool_result part = {.intent_id = id, .status = TL_TOOL_STATUS_DONE, .output = "{}"};
    struct tl_call_event e = {.producer = "telephony-0", .leg = "caller", .tool_result = &part};
    return tl_memory_take(m, &e);
}

static bool given(struct tl_memory *m, int number, int64_t offset, int mailbox)
{
    struct tl_given part = {.stream_sid = "MZ01", .mailbox = mailbox, .mailbox_epoch = 70};
    struct tl_claim claim = {.number = number, .offset = offset, .session = 1};
    struct tl_call_event e = {
        .producer = "ingest-0", .leg = "caller", .claim = &claim, .given = &part, .at = 1000000};
    return tl_memory_take(m, &e);
}

/* ---- turns ---- */

static void finals_become_turns(void **state)
{
    struct tl_memory *m = *state;
    assert_true(say(m, 1, TL_SPEAKER_AI, "Good morning."));
    assert_true(say(m, 2, TL_SPEAKER_CUSTOMER, "Hello."));
    assert_int_equal(m->turns_n, 2);
    assert_string_equal(m->turns[0].text, "Good morning.");
    assert_int_equal(m->turns[1].speaker, TL_SPEAKER_CUSTOMER);
    assert_int_equal(m->turn, 2);
    assert_int_equal(m->utterances, 2);
    assert_int_equal(m->characters, 19);
}

static void final_sent_again_is_one_turn(void **state)
{
    struct tl_memory *m = *state;
    assert_true(say(m, 1, TL_SPEAKER_CUSTOMER, "Hello."));
    assert_true(say(m, 1, TL_SPEAKER_CUSTOMER, "Hello."));
    assert_int_equal(m->turns_n, 1);
    assert_int_equal(m->utterances, 1);
}

static void empty_final_counts_but_is_not_remembered(void **state)
{
    struct tl_memory *m = *state;
    assert_true(say(m, 1, TL_SPEAKER_AI, ""));
    assert_int_equal(m->turns_n, 0);
    assert_int_equal(m->utterances, 1);
    assert_int_equal(m->turn, 1);
}

static void events_that_the_fence_drops_change_nothing(void **state)
{
    struct tl_memory *m = *state;
    assert_true(take_utterance(
        m, 2,
        (struct tl_utterance){.utterance_id = "a", .final = true, .turn = 1, .text = "New."}));
    assert_false(take_utterance(
        m, 1,
        (struct tl_utterance){.utterance_id = "b", .final = true, .turn = 2, .text = "Old."}));
    assert_int_equal(m->turns_n, 1);
    assert_int_equal(m->turn, 1);
}

static void limits_are_a_hundred_turns(void **state)
{
    struct tl_memory *m = *state;
    int to = 0;
    for (int turn = 1; turn <= 100; turn++)
        assert_true(say(m, turn, TL_SPEAKER_AI, "x"));
    assert_false(tl_memory_is_over(m, &to));
    assert_true(say(m, 101, TL_SPEAKER_AI, "x"));
    assert_true(tl_memory_is_over(m, &to));
    assert_int_equal(to, 51); /* half of the limit stays */
    tl_memory_summarise(m, to, "Summary.");
    assert_int_equal(m->turns_n, 50);
    assert_int_equal(m->turns[0].turn, 52);
    assert_false(tl_memory_is_over(m, &to));
}

static void limits_are_ten_thousand_characters(void **state)
{
    struct tl_memory *m = *state;
    char text[1001];
    int to = 0;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (int turn = 1; turn <= 10; turn++)
        assert_true(say(m, turn, TL_SPEAKER_AI, text));
    assert_false(tl_memory_is_over(m, &to));
    assert_true(say(m, 11, TL_SPEAKER_AI, "y"));
    assert_true(tl_memory_is_over(m, &to));
    tl_memory_summarise(m, to, "Summary.");
    assert_true(m->characters <= 5000);
    assert_int_equal(m->turns[m->turns_n - 1].turn, 11);
    size_t sum = 0;
    for (size_t i = 0; i < m->turns_n; i++)
        sum += strlen(m->turns[i].text);
    assert_int_equal(m->characters, sum);
}

static void limits_of_a_business_are_kept(void **state)
{
    static const int asked[] = {0, -5, 101, 1000}; /* out of range: the most */
    struct tl_memory m;
    int to = 0;
    (void)state;
    tl_memory_init(&m, 4, 100);
    for (int turn = 1; turn <= 5; turn++)
        tl_memory_add_turn(&m, turn, TL_SPEAKER_AI, "x", "");
    assert_true(tl_memory_is_over(&m, &to));
    assert_int_equal(to, 3);
    tl_memory_finish(&m);
    for (size_t i = 0; i < TL_ARRAY_LEN(asked); i++) {
        tl_memory_init(&m, asked[i], 0);
        assert_int_equal(m.turns_limit, 100);
        assert_int_equal(m.characters_limit, 10000);
        tl_memory_finish(&m);
    }
}

static void one_long_turn_stays(void **state)
{
    struct tl_memory *m = *state;
    static char text[20001];
    int to = 0;
    memset(text, 'x', 20000);
    assert_true(say(m, 1, TL_SPEAKER_AI, text));
    assert_false(tl_memory_is_over(m, &to));
    assert_true(say(m, 2, TL_SPEAKER_CUSTOMER, "y"));
    assert_true(tl_memory_is_over(m, &to));
    assert_int_equal(to, 1);
}

/* When nobody summarises, an extract takes the place of the oldest. */
static void turns_beyond_the_room_are_extracted(void **state)
{
    struct tl_memory *m = *state;
    for (int turn = 1; turn <= 300; turn++)
        assert_true(say(m, turn, TL_SPEAKER_CUSTOMER, "Yes. And more."));
    assert_true(m->turns_n <= TL_MEMORY_TURNS_MAX + 1);
    assert_int_equal(m->turns[m->turns_n - 1].turn, 300);
    assert_non_null(m->summary);
    assert_null(strstr(m->summary, "And more"));
}

/* ---- summaries ---- */

static void summary_replaces_turns(void **state)
{
    struct tl_memory *m = *state;
    struct tl_summarised part = {.to_turn = 2, .text = "They want tea."};
    struct tl_call_event e = event(1);
    for (int turn = 1; turn <= 4; turn++)
        assert_true(say(m, turn, TL_SPEAKER_AI, "x"));
    e.summarised = &part;
    assert_true(tl_memory_take(m, &e));
    assert_int_equal(m->turns_n, 2);
    assert_int_equal(m->turns[0].turn, 3);
    assert_int_equal(m->characters, 2);
    assert_int_equal(m->summary_to_turn, 2);
    assert_string_equal(m->summary, "They want tea.");
}

static void extract_takes_first_sentences_and_the_older_summary(void **state)
{
    struct tl_memory *m = *state;
    tl_memory_summarise(m, 0, "Old.");
    assert_true(say(m, 1, TL_SPEAKER_AI, "Good morning. How are you?"));
    assert_true(say(m, 2, TL_SPEAKER_CUSTOMER, "no full stop"));
    assert_true(say(m, 3, TL_SPEAKER_AGENT, "It's me! Hi."));
    tl_memory_summarise(m, 3, NULL);
    assert_string_equal(m->summary,
                        "Old. You: Good morning. Caller: no full stop Agent: It's me! ");
    assert_int_equal(m->turns_n, 0);
}

static void extract_does_not_cut_characters(void **state)
{
    struct tl_memory *m = *state;
    char text[300] = "";
    for (int i = 0; i < 100; i++)
        strncat(text, i ? "\xc3\xab" : "x", sizeof(text) - strlen(text) - 1);
    assert_true(say(m, 1, TL_SPEAKER_AI, text));
    tl_memory_summarise(m, 1, NULL);
    size_t len = strlen(m->summary);
    assert_true(len < 130);
    assert_int_equal((unsigned char)m->summary[len - 2], 0xab); /* whole, before the blank */
}

static void summary_that_is_too_long_is_extracted(void **state)
{
    struct tl_memory *m = *state;
    static char text[8001];
    memset(text, 'x', 8000);
    assert_true(say(m, 1, TL_SPEAKER_AI, "Good morning."));
    tl_memory_summarise(m, 1, text);
    assert_string_equal(m->summary, "You: Good morning. ");
}

static void print_writes_lines(void **state)
{
    struct tl_memory *m = *state;
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    tl_buf_init(&out, 4096);
    assert_true(say(m, 1, TL_SPEAKER_AI, "Good morning."));
    assert_true(say(m, 2, TL_SPEAKER_CUSTOMER, "Hello."));
    assert_true(say(m, 3, TL_SPEAKER_AGENT, "Hi."));
    tl_memory_print(m, 2, &out);
    assert_string_equal(tl_buf_str(&out), "You: Good morning.\nCaller: Hello.\n");
    tl_memory_summarise(m, 1, "They met.");
    tl_buf_reset(&out);
    tl_memory_print(m, 9, &out);
    assert_string_equal(tl_buf_str(&out), "Earlier: They met.\nCaller: Hello.\nAgent: Hi.\n");
}

/* ---- drafts ---- */

static void newest_revision_of_a_draft_is_kept(void **state)
{
    struct tl_memory *m = *state;
    assert_true(draft(m, "u", 1, 1, "Good"));
    assert_true(draft(m, "u", 2, 1, "Good morning"));
    assert_int_equal(m->drafts_n, 1);
    assert_string_equal(m->drafts[0].text, "Good morning");
    assert_int_equal(m->drafts[0].revision, 2);
    assert_int_equal(m->drafts[0].start_ms, 100);
    assert_int_equal(m->drafts[0].len_ms, 20);
    assert_true(m->drafts[0].has_answers_to);
    assert_int_equal(m->turn, 1);
    assert_int_equal(m->turns_n, 0);
    assert_true(draft(m, "u", 1, 1, "Good")); /* sent again */
    assert_string_equal(m->drafts[0].text, "Good morning");
    assert_int_equal(m->drafts[0].len_ms, 20);
}

static void draft_behind_its_final_opens_nothing(void **state)
{
    struct tl_memory *m = *state;
    assert_true(take_utterance(m, 1, (struct tl_utterance){.utterance_id = "a", .revision = 2,
                                                           .final = true, .turn = 1, .text = "One."}));
    (void)draft(m, "a", 1, 1, "One");
    assert_int_equal(m->drafts_n, 0);
}

static void final_closes_its_draft(void **state)
{
    struct tl_memory *m = *state;
    assert_true(draft(m, "a", 1, 1, "One"));
    assert_true(draft(m, "b", 1, 2, "Two"));
    assert_true(take_utterance(
        m, 1,
        (struct tl_utterance){
            .utterance_id = "a", .revision = 2, .final = true, .turn = 1, .text = "One."}));
    assert_int_equal(m->drafts_n, 1);
    assert_string_equal(m->drafts[0].utterance_id, "b");
    assert_int_equal(m->turns_n, 1);
}

static void positions_follow_finals_and_answers(void **state)
{
    struct tl_memory *m = *state;
    struct tl_position to = {.number = 1, .offset = 5, .n = 77};
    assert_true(draft(m, "a", 1, 9, "One"));
    assert_true(m->has_answers_to);
    assert_int_equal(m->answers_to.n, 90);
    assert_false(m->has_media_to);
    assert_true(draft(m, "b", 1, 2, "Late")); /* n 20: below */
    assert_int_equal(m->answers_to.n, 90);
    assert_true(take_utterance(
        m, 1, (struct tl_utterance){.utterance_id = "c", .turn = 3, .text = "x", .media_to = &to}));
    assert_false(m->has_media_to); /* a draft says nothing about what is final */
    assert_true(take_utterance(
        m, 1,
        (struct tl_utterance){
            .utterance_id = "c", .turn = 3, .final = true, .text = "x", .media_to = &to}));
    assert_int_equal(m->media_to.n, 77);
    assert_int_equal(m->media_mailbox, 3);
    assert_int_equal(m->media_offset, 1077);
}

/* ---- intents ---- */

static void intents_are_open_until_their_result(void **state)
{
    struct tl_memory *m = *state;
    assert_true(intent(m, "i1", "transfer"));
    assert_true(intent(m, "i2", "escalate"));
    assert_false(result(m, "i9"));
    assert_true(result(m, "i1"));
    assert_false(result(m, "i1"));
    assert_int_equal(m->intents_n, 1);
    assert_string_equal(m->intents[0].intent_id, "i2");
    assert_string_equal(m->intents[0].name, "escalate");
    assert_false(m->ended_by_us);
}

static void end_call_is_remembered(void **state)
{
    struct tl_memory *m = *state;
    assert_true(intent(m, "i1", "end_call"));
    assert_true(result(m, "i1"));
    assert_true(m->ended_by_us);
}

static void intents_beyond_the_bound_are_dropped(void **state)
{
    struct tl_memory *m = *state;
    char id[16];
    for (int i = 0; i < TL_MEMORY_INTENTS_MAX + 5; i++) {
        (void)snprintf(id, sizeof(id), "i%d", i);
        assert_true(intent(m, id, "transfer"));
    }
    assert_int_equal(m->intents_n, TL_MEMORY_INTENTS_MAX);
}

/* ---- mailboxes, states ---- */

static void given_mailboxes_are_listed_once(void **state)
{
    struct tl_memory *m = *state;
    assert_true(given(m, 1, -1, 3)); /* only numbers the attachment */
    assert_int_equal(m->given_n, 0);
    assert_true(given(m, 1, 5, 3));
    assert_true(given(m, 1, 5, 3));
    assert_true(given(m, 1, 5, 4));
    assert_true(given(m, 2, 50, 3));
    assert_int_equal(m->given_n, 3);
    assert_int_equal(m->given[0].mailbox, 3);
    assert_int_equal(m->given[0].claim.session, 0);
    assert_string_equal(m->given[0].stream_sid, "MZ01");
    assert_int_equal(m->given[2].claim.number, 2);
}

static void given_mailboxes_of_losers_are_listed_too(void **state)
{
    struct tl_memory *m = *state;
    struct tl_session_started part = {.stream_sid = "MZ02"};
    struct tl_claim claim = {.number = 2, .offset = 50, .session = 1};
    struct tl_call_event e = {
        .producer = "conversation-0", .leg = "caller", .claim = &claim, .session_started = &part};
    assert_true(tl_memory_take(m, &e));
    assert_false(given(m, 1, 5, 3));
    assert_int_equal(m->given_n, 1);
}

static void oldest_given_mailbox_falls_out(void **state)
{
    struct tl_memory *m = *state;
    for (int i = 0; i < TL_MEMORY_GIVEN_MAX + 3; i++)
        assert_true(given(m, 1 + i, 5 + i, 3));
    assert_int_equal(m->given_n, TL_MEMORY_GIVEN_MAX);
    assert_int_equal(m->given[0].claim.number, 4);
    assert_int_equal(m->given[TL_MEMORY_GIVEN_MAX - 1].claim.number, TL_MEMORY_GIVEN_MAX + 3);
}

static void state_and_start_come_from_the_first_events(void **state)
{
    struct tl_memory *m = *state;
    struct tl_changed ringing = {.state = TL_CALL_STATE_RINGING};
    struct tl_changed done = {.state = TL_CALL_STATE_COMPLETED};
    struct tl_call_event e = {
        .producer = "ingest-0", .leg = "caller", .at = 500, .changed = &ringing};
    assert_true(tl_memory_take(m, &e));
    e.at = 900;
    e.changed = &done;
    assert_true(tl_memory_take(m, &e));
    e.changed = &ringing; /* late */
    assert_true(tl_memory_take(m, &e));
    assert_int_equal(m->state, TL_CALL_STATE_COMPLETED);
    assert_int_equal(m->call_started_at, 500);
    assert_false(m->closed);
}

static void start_comes_from_the_session_when_nothing_else_was_read(void **state)
{
    struct tl_memory *m = *state;
    struct tl_session_started part = {.stream_sid = "MZ01", .call_started_at = 400};
    struct tl_call_event e = event(1);
    e.session_started = &part;
    assert_true(tl_memory_take(m, &e));
    assert_int_equal(m->call_started_at, 400);
}

static void closed_ends_the_memory(void **state)
{
    struct tl_memory *m = *state;
    struct tl_closed part = {.state = TL_CALL_STATE_COMPLETED, .reason = ""};
    struct tl_call_event e = event(1);
    assert_true(say(m, 1, TL_SPEAKER_AI, "Bye."));
    e.closed = &part;
    assert_true(tl_memory_take(m, &e));
    assert_true(m->closed);
    assert_false(say(m, 2, TL_SPEAKER_AI, "More."));
    assert_int_equal(m->turns_n, 1);
}

/* ---- checkpoints, and two readers ---- */

static void assert_same(const struct tl_memory *a, const struct tl_memory *b)
{
    assert_int_equal(a->turns_n, b->turns_n);
    for (size_t i = 0; i < a->turns_n; i++) {
        assert_int_equal(a->turns[i].turn, b->turns[i].turn);
        assert_int_equal(a->turns[i].speaker, b->turns[i].speaker);
        assert_string_equal(a->turns[i].text, b->turns[i].text);
    }
    assert_int_equal(a->characters, b->characters);
    assert_int_equal(a->summary != NULL, b->summary != NULL);
    if (a->summary)
        assert_string_equal(a->summary, b->summary);
    assert_int_equal(a->drafts_n, b->drafts_n);
    for (size_t i = 0; i < a->drafts_n; i++) {
        assert_string_equal(a->drafts[i].utterance_id, b->drafts[i].utterance_id);
        assert_string_equal(a->drafts[i].text, b->drafts[i].text);
        assert_int_equal(a->drafts[i].revision, b->drafts[i].revision);
        assert_int_equal(a->drafts[i].turn, b->drafts[i].turn);
    }
    assert_int_equal(a->intents_n, b->intents_n);
    for (size_t i = 0; i < a->intents_n; i++)
        assert_string_equal(a->intents[i].intent_id, b->intents[i].intent_id);
    assert_int_equal(a->given_n, b->given_n);
    for (size_t i = 0; i < a->given_n; i++)
        assert_int_equal(a->given[i].mailbox, b->given[i].mailbox);
    assert_int_equal(a->turn, b->turn);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->has_media_to, b->has_media_to);
    assert_int_equal(a->media_to.n, b->media_to.n);
    assert_int_equal(a->media_offset, b->media_offset);
    assert_int_equal(a->answers_to.n, b->answers_to.n);
}

#define EVENTS 400

/* The k-th event of a made-up call: the same whoever reads it. */
static void feed(struct tl_memory *m, int k)
{
    char id[37], text[64];
    struct tl_position to = {.number = 1, .offset = 5, .n = k};
    (void)snprintf(id, sizeof(id), "id-%d", k / 8);
    (void)snprintf(text, sizeof(text), "Words of event %d.", k);

    switch (k % 8) {
    case 0:
    case 1:
    case 2:
        (void)draft(m, id, k % 8 + 1, k / 8 + 1, text);
        break;
    case 3:
        if (k % 5)
            (void)take_utterance(m, 1,
                                 (struct tl_utterance){.utterance_id = id,
                                                       .revision = 9,
                                                       .final = true,
                                                       .turn = k / 8 + 1,
                                                       .speaker = TL_SPEAKER_AI,
                                                       .text = text,
                                                       .media_to = &to});
        break;
    case 4:
        (void)intent(m, id, "transfer");
        break;
    case 5:
        (void)given(m, 1 + k / 100, 5 + k / 100, k % 3);
        break;
    case 6:
        (void)snprintf(id, sizeof(id), "id-%d", (k - 24) / 8); /* of three rounds ago */
        (void)result(m, id);
        break;
    default:
        if (k % 64 == 63) {
            struct tl_summarised part = {.to_turn = k / 8 - 2, .text = text};
            struct tl_call_event e = event(1);
            e.summarised = &part;
            assert_true(tl_memory_take(m, &e));
        }
    }
}

/* The checkpoint that the holder writes when it remembers `m`. */
static void feed_checkpoint(struct tl_memory *m, const struct tl_memory *of)
{
    struct tl_history_turn history[TL_MEMORY_TURNS_MAX + 1];
    struct tl_open_draft drafts[EVENTS];
    struct tl_open_intent intents[TL_MEMORY_INTENTS_MAX];
    struct tl_given_mailbox boxes[TL_MEMORY_GIVEN_MAX];
    struct tl_checkpoint part = {
        .history = history,
        .history_n = of->turns_n,
        .summary = of->summary,
        .open_drafts = drafts,
        .open_drafts_n = of->drafts_n,
        .open_intents = intents,
        .open_intents_n = of->intents_n,
        .given = boxes,
        .given_n = of->given_n,
        .media_to = of->has_media_to ? (struct tl_position *)&of->media_to : NULL,
        .media_mailbox = of->media_mailbox,
        .media_offset = of->media_offset,
        .answers_to = of->has_answers_to ? (struct tl_position *)&of->answers_to : NULL,
        .turn = of->turn,
        .utterances = of->utterances,
        .end_asked = of->ended_by_us,
        .state = of->state};
    for (size_t i = 0; i < of->turns_n; i++)
        history[i] = (struct tl_history_turn){
            .speaker = of->turns[i].speaker, .text = of->turns[i].text, .turn = of->turns[i].turn};
    for (size_t i = 0; i < of->drafts_n; i++)
        drafts[i] =
            (struct tl_open_draft){.utterance_id = of->drafts[i].utterance_id,
                                   .revision = of->drafts[i].revision,
                                   .turn = of->drafts[i].turn,
                                   .speaker = of->drafts[i].speaker,
                                   .text = of->drafts[i].text,
                                   .answers_to = (struct tl_position *)&of->drafts[i].answers_to};
    for (size_t i = 0; i < of->intents_n; i++)
        intents[i] = (struct tl_open_intent){.intent_id = of->intents[i].intent_id,
                                             .name = of->intents[i].name,
                                             .arguments = of->intents[i].arguments};
    for (size_t i = 0; i < of->given_n; i++)
        boxes[i] = (struct tl_given_mailbox){.mailbox = of->given[i].mailbox,
                                             .mailbox_epoch = of->given[i].mailbox_epoch,
                                             .number = of->given[i].claim.number,
                                             .offset = of->given[i].claim.offset,
                                             .stream_sid = of->given[i].stream_sid};
    struct tl_call_event e = event(1);
    e.checkpoint = &part;
    assert_true(tl_memory_take(m, &e));
}

static void rebuilt_memory_is_the_same(void **state)
{
    struct tl_memory again, *m = *state;
    tl_memory_init(&again, 100, 10000);
    for (int k = 0; k < EVENTS; k++) {
        feed(m, k);
        feed(&again, k);
    }
    assert_same(m, &again);
    assert_int_equal(m->utterances, again.utterances);
    assert_true(m->turns_n > 2 && m->drafts_n > 2 && m->intents_n > 1 && m->given_n > 3);
    tl_memory_finish(&again);
}

/* Wherever a reader begins, at a checkpoint of the one that read everything, they end alike. */
static void memory_from_a_checkpoint_is_the_same(void **state)
{
    (void)state;
    for (int from = 0; from < EVENTS; from += 13) {
        struct tl_memory whole, copy, late;
        tl_memory_init(&whole, 100, 10000);
        tl_memory_init(&copy, 100, 10000); /* the holder's own, which the checkpoint is taken of */
        tl_memory_init(&late, 100, 10000);
        for (int k = 0; k < from; k++) {
            feed(&whole, k);
            feed(&copy, k);
        }
        feed_checkpoint(&whole, &copy);
        feed_checkpoint(&late, &copy);
        assert_same(&whole, &late);
        for (int k = from; k < EVENTS; k++) {
            feed(&whole, k);
            feed(&late, k);
        }
        assert_same(&whole, &late);
        tl_memory_finish(&whole);
        tl_memory_finish(&copy);
        tl_memory_finish(&late);
    }
}

static void checkpoint_replaces_what_was_read_before(void **state)
{
    struct tl_memory *m = *state;
    struct tl_memory empty;
    tl_memory_init(&empty, 100, 10000);
    assert_true(say(m, 1, TL_SPEAKER_AI, "x"));
    assert_true(draft(m, "u", 1, 2, "y"));
    assert_true(intent(m, "i", "transfer"));
    assert_true(given(m, 1, 5, 3));
    tl_memory_summarise(m, 0, "Old.");
    feed_checkpoint(m, &empty);
    assert_int_equal(m->turns_n + m->drafts_n + m->intents_n + m->given_n + m->characters, 0);
    assert_null(m->summary);
    tl_memory_finish(&empty);
}

static void result_behind_a_checkpoint_closes_its_open_intent(void **state)
{
    struct tl_memory *m = *state;
    struct tl_memory late;
    tl_memory_init(&late, 100, 10000);
    assert_true(intent(m, "i", "transfer"));
    feed_checkpoint(&late, m);
    assert_int_equal(late.intents_n, 1);
    assert_true(result(&late, "i"));
    assert_int_equal(late.intents_n, 0);
    tl_memory_finish(&late);
}

static void checkpoint_does_not_count_utterances_again(void **state)
{
    struct tl_memory *m = *state;
    struct tl_memory copy;
    tl_memory_init(&copy, 100, 10000);
    for (int turn = 1; turn <= 5; turn++) {
        assert_true(say(m, turn, TL_SPEAKER_AI, "x"));
        assert_true(say(&copy, turn, TL_SPEAKER_AI, "x"));
    }
    feed_checkpoint(m, &copy);
    assert_int_equal(m->utterances, 5);
    struct tl_memory late;
    tl_memory_init(&late, 100, 10000);
    feed_checkpoint(&late, &copy);
    assert_int_equal(late.utterances, 5); /* at least those that it knows of */
    tl_memory_finish(&late);
    tl_memory_finish(&copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(draft_behind_its_final_opens_nothing),
        TEST(finals_become_turns),
        TEST(final_sent_again_is_one_turn),
        TEST(empty_final_counts_but_is_not_remembered),
        TEST(events_that_the_fence_drops_change_nothing),
        TEST(limits_are_a_hundred_turns),
        TEST(limits_are_ten_thousand_characters),
        TEST(limits_of_a_business_are_kept),
        TEST(one_long_turn_stays),
        TEST(turns_beyond_the_room_are_extracted),
        TEST(summary_replaces_turns),
        TEST(extract_takes_first_sentences_and_the_older_summary),
        TEST(extract_does_not_cut_characters),
        TEST(summary_that_is_too_long_is_extracted),
        TEST(print_writes_lines),
        TEST(newest_revision_of_a_draft_is_kept),
        TEST(final_closes_its_draft),
        TEST(positions_follow_finals_and_answers),
        TEST(intents_are_open_until_their_result),
        TEST(end_call_is_remembered),
        TEST(intents_beyond_the_bound_are_dropped),
        TEST(given_mailboxes_are_listed_once),
        TEST(given_mailboxes_of_losers_are_listed_too),
        TEST(oldest_given_mailbox_falls_out),
        TEST(state_and_start_come_from_the_first_events),
        TEST(start_comes_from_the_session_when_nothing_else_was_read),
        TEST(closed_ends_the_memory),
        TEST(rebuilt_memory_is_the_same),
        TEST(memory_from_a_checkpoint_is_the_same),
        TEST(checkpoint_replaces_what_was_read_before),
        TEST(result_behind_a_checkpoint_closes_its_open_intent),
        TEST(checkpoint_does_not_count_utterances_again),
    };
    return cmocka_run_group_tests_name("conversation_memory", tests, NULL, NULL);
}
