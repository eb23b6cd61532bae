/* fence.h: which events of a call count ("Claims and the fence" in the design). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call/claim.h"
#include "call/fence.h"

enum what { UTTERANCE, STARTED, GIVEN, ENDED, INTENT, CLOSED };

/* An event under a claim, from conversation-<by>; borrows the statics until the next one. */
static struct tl_call_event event(enum what what, const char *leg, int number, int64_t offset,
                                  int session, int by)
{
    static struct tl_claim claim;
    static struct tl_utterance utterance;
    static struct tl_session_started started;
    static struct tl_given given;
    static struct tl_stream_ended ended;
    static struct tl_tool_intent intent;
    static struct tl_closed closed;
    static char producer[32];
    struct tl_call_event e = {.event_id = "",
                              .call_id = "",
                              .producer = producer,
                              .leg = leg,
                              .epoch = 100 + by,
                              .claim = &claim};

    claim = (struct tl_claim){.number = number, .offset = offset, .session = session};
    (void)snprintf(producer, sizeof(producer), "conversation-%d", by);
    e.utterance = what == UTTERANCE ? &utterance : NULL;
    e.session_started = what == STARTED ? &started : NULL;
    e.given = what == GIVEN ? &given : NULL;
    e.stream_ended = what == ENDED ? &ended : NULL;
    e.tool_intent = what == INTENT ? &intent : NULL;
    e.closed = what == CLOSED ? &closed : NULL;
    intent.intent_id = "i";
    return e;
}

static bool feed(struct tl_fence *fence, enum what what, int number, int64_t offset, int session,
                 int by)
{
    struct tl_call_event e = event(what, "caller", number, offset, session, by);
    return tl_fence_accept(fence, &e);
}

static bool feed_intent(struct tl_fence *fence, const char *id, int session, int by)
{
    struct tl_call_event e = event(INTENT, "caller", 1, 0, session, by);
    e.tool_intent->intent_id = id;
    return tl_fence_accept(fence, &e);
}

static bool feed_result(struct tl_fence *fence, const char *id)
{
    struct tl_tool_result result = {.intent_id = id};
    struct tl_call_event e = {.leg = "caller", .producer = "telephony-0", .tool_result = &result};
    return tl_fence_accept(fence, &e);
}

static bool feed_unclaimed_closed(struct tl_fence *fence)
{
    struct tl_closed closed = {0};
    struct tl_call_event e = {.leg = "caller", .producer = "telephony-0", .closed = &closed};
    return tl_fence_accept(fence, &e);
}

static bool feed_state(struct tl_fence *fence)
{
    struct tl_changed changed = {.state = TL_CALL_STATE_COMPLETED};
    struct tl_call_event e = {.leg = "caller", .producer = "ingest-0", .changed = &changed};
    return tl_fence_accept(fence, &e);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct tl_fence));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    tl_fence_finish(*state);
    free(*state);
    return 0;
}

static void lower_claims_are_dropped(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 2, 50, 3, 0));
    assert_false(feed(f, UTTERANCE, 2, 50, 2, 1)); /* session */
    assert_false(feed(f, UTTERANCE, 2, 49, 9, 1)); /* offset */
    assert_false(feed(f, UTTERANCE, 1, 99, 9, 1)); /* number */
    assert_false(feed(f, STARTED, 2, 50, 2, 1));
    assert_false(feed(f, CLOSED, 2, 50, 2, 1));
    assert_true(feed(f, UTTERANCE, 2, 50, 3, 0));
}

static void dropped_closed_closes_nothing(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 1, 0, 2, 0));
    assert_false(feed(f, CLOSED, 1, 0, 1, 1));
    assert_false(f->closed);
    assert_true(feed(f, UTTERANCE, 1, 0, 2, 0));
}

static void higher_claims_raise_the_fence_whatever_the_event(void **state)
{
    static const enum what kinds[] = {STARTED, UTTERANCE, INTENT};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(kinds); i++) {
        struct tl_fence f = {0};
        assert_true(feed(&f, STARTED, 1, 0, 1, 0));
        assert_true(feed(&f, kinds[i], 1, 0, 2, 1));
        assert_false(feed(&f, UTTERANCE, 1, 0, 1, 0));
        assert_int_equal(tl_fence_leg_of(&f, "caller")->highest.session, 2);
        tl_fence_finish(&f);
    }
}

static void equal_claim_of_another_holder_is_dropped(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    assert_false(feed(f, STARTED, 1, 0, 1, 1)); /* another producer and epoch */
    assert_false(feed(f, UTTERANCE, 1, 0, 1, 1));
    assert_true(feed(f, UTTERANCE, 1, 0, 1, 0));
}

static void equal_claim_of_another_run_of_the_holder_is_dropped(void **state)
{
    struct tl_fence *f = *state;
    struct tl_call_event e = event(UTTERANCE, "caller", 1, 0, 1, 0);
    assert_true(tl_fence_accept(f, &e));
    e.epoch++;
    assert_false(tl_fence_accept(f, &e));
    e.epoch--;
    e.producer = "conversation-7"; /* the same epoch, another name */
    assert_false(tl_fence_accept(f, &e));
}

static void ingest_events_pass_and_never_raise(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    assert_true(feed(f, GIVEN, 3, 70, 0, 9));
    assert_true(feed(f, ENDED, 3, 70, 0, 9));
    assert_true(feed(f, GIVEN, 3, -1, 0, 9)); /* before its own offset is known */
    assert_true(feed(f, UTTERANCE, 1, 0, 1, 0));
    assert_int_equal(tl_fence_leg_of(f, "caller")->highest.number, 1);
    assert_true(feed(f, ENDED, 1, 0, 0, 9)); /* the same attachment, session 0 */
}

static void ingest_events_of_a_lower_attachment_are_dropped(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 2, 50, 1, 0));
    assert_false(feed(f, ENDED, 1, 10, 0, 9));
    assert_false(feed(f, GIVEN, 2, 49, 0, 9));
    assert_true(feed(f, ENDED, 2, 50, 0, 9));
}

static void ingest_event_first_holds_nothing(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, GIVEN, 1, 0, 1, 9));
    assert_false(tl_fence_leg_of(f, "caller")->held);
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    assert_true(tl_fence_leg_of(f, "caller")->held);
}

static void unclaimed_events_pass_and_leave_the_fence(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed_state(f));
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    assert_true(feed_state(f));
    assert_true(feed_state(f)); /* twice is harmless */
    assert_true(feed(f, UTTERANCE, 1, 0, 1, 0));
}

static void result_counts_once_and_only_behind_its_intent(void **state)
{
    struct tl_fence *f = *state;
    assert_false(feed_result(f, "a"));
    assert_true(feed_intent(f, "a", 1, 0));
    assert_true(feed_result(f, "a"));
    assert_false(feed_result(f, "a"));
    assert_false(feed_result(f, "b"));
}

static void result_of_a_dropped_intent_never_counts(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 1, 0, 2, 1));
    assert_false(feed_intent(f, "late", 1, 0));
    assert_false(feed_result(f, "late"));
}

static void result_counts_although_its_holder_lost_the_leg(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed_intent(f, "a", 1, 0));
    assert_true(feed(f, STARTED, 1, 0, 2, 1));
    assert_true(feed_result(f, "a"));
}

static void result_with_a_lower_claim_counts_and_raises_nothing(void **state)
{
    struct tl_fence *f = *state;
    struct tl_tool_result result = {.intent_id = "a"};
    assert_true(feed_intent(f, "a", 1, 0));
    assert_true(feed(f, STARTED, 1, 0, 2, 1));
    struct tl_call_event e = event(UTTERANCE, "caller", 1, 0, 1, 0);
    e.utterance = NULL;
    e.tool_result = &result;
    assert_true(tl_fence_accept(f, &e));
    e.claim->session = 9;
    assert_false(tl_fence_accept(f, &e)); /* the second one, under whatever claim */
    assert_int_equal(tl_fence_leg_of(f, "caller")->highest.session, 2);
}

static void many_intents_each_get_one_result(void **state)
{
    struct tl_fence *f = *state;
    char id[16];
    for (int i = 0; i < TL_FENCE_INTENTS_MAX + 1; i++) {
        (void)snprintf(id, sizeof(id), "i%d", i);
        assert_true(feed_intent(f, id, 1, 0));
    }
    for (int i = 0; i < TL_FENCE_INTENTS_MAX; i++) {
        (void)snprintf(id, sizeof(id), "i%d", i);
        assert_true(feed_result(f, id));
        assert_false(feed_result(f, id));
    }
    assert_false(feed_result(f, "i256")); /* beyond the bound: never counts */
}

static void checkpoint_hands_its_open_intents_on(void **state)
{
    struct tl_fence *f = *state;
    struct tl_open_intent open = {.intent_id = "a", .name = "transfer", .arguments = "{}"};
    struct tl_checkpoint checkpoint = {.open_intents = &open, .open_intents_n = 1};
    struct tl_call_event e = event(UTTERANCE, "caller", 1, 0, 1, 0);
    e.utterance = NULL;
    e.checkpoint = &checkpoint;
    assert_true(tl_fence_accept(f, &e)); /* a reader that begins here */
    assert_true(feed_result(f, "a"));
    assert_false(feed_result(f, "a"));
}

static void dropped_checkpoint_hands_nothing_on(void **state)
{
    struct tl_fence *f = *state;
    struct tl_open_intent open = {.intent_id = "a", .name = "transfer", .arguments = "{}"};
    struct tl_checkpoint checkpoint = {.open_intents = &open, .open_intents_n = 1};
    assert_true(feed(f, STARTED, 1, 0, 2, 1));
    struct tl_call_event e = event(UTTERANCE, "caller", 1, 0, 1, 0);
    e.utterance = NULL;
    e.checkpoint = &checkpoint;
    assert_false(tl_fence_accept(f, &e));
    assert_false(feed_result(f, "a"));
}

static void closed_ends_everything(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed_intent(f, "a", 1, 0));
    assert_true(feed(f, CLOSED, 1, 0, 1, 0));
    assert_true(f->closed);
    assert_false(feed_unclaimed_closed(f));
    assert_false(feed_state(f));
    assert_false(feed_result(f, "a"));
    assert_false(feed(f, STARTED, 9, 9, 9, 9));
    assert_false(feed(f, GIVEN, 9, 9, 0, 9));
}

static void closed_without_a_claim_ends_everything_too(void **state)
{
    struct tl_fence *f = *state;
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    assert_true(feed_unclaimed_closed(f));
    assert_false(feed(f, UTTERANCE, 1, 0, 1, 0));
    assert_false(feed(f, CLOSED, 1, 0, 1, 0));
}

static void legs_are_independent(void **state)
{
    struct tl_fence *f = *state;
    struct tl_call_event agent = event(STARTED, "agent-1", 7, 90, 4, 1);
    assert_true(tl_fence_accept(f, &agent));
    assert_true(feed(f, STARTED, 1, 0, 1, 0));
    agent = event(UTTERANCE, "agent-1", 7, 90, 3, 1);
    assert_false(tl_fence_accept(f, &agent));
    assert_true(feed(f, UTTERANCE, 1, 0, 1, 0));
    assert_null(tl_fence_leg_of(f, "agent-2"));
    agent = event(CLOSED, "agent-1", 7, 90, 4, 1);
    assert_true(tl_fence_accept(f, &agent)); /* closing is the call's */
    assert_false(feed(f, UTTERANCE, 1, 0, 1, 0));
}

static void leg_beyond_the_bound_is_dropped(void **state)
{
    struct tl_fence *f = *state;
    char leg[24];
    for (int i = 0; i <= TL_FENCE_LEGS_MAX; i++) {
        (void)snprintf(leg, sizeof(leg), "agent-%d", i);
        struct tl_call_event e = event(STARTED, leg, 1, 0, 1, 0);
        assert_int_equal(tl_fence_accept(f, &e), i < TL_FENCE_LEGS_MAX);
    }
}

static void finish_accepts_a_zeroed_fence(void **state)
{
    struct tl_fence f = {0};
    (void)state;
    tl_fence_finish(&f);
    tl_fence_finish(&f);
}

/* ---- two readers ---- */

#define LOG 400

/* A record of a random log: owners of claims that overlap, as when several believe that they hold
 * the call. */
struct record {
    enum what what;
    bool is_result, is_state;
    int number, session, by, intent;
    int64_t offset;
    bool counts; /* as the reader from the beginning decided */
};

static uint64_t seed;

static unsigned draw(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static void make_log(struct record log[LOG])
{
    int top = 1;

    for (size_t i = 0; i < LOG; i++) {
        struct record *r = &log[i];
        unsigned kind = draw(20);
        *r = (struct record){.number = top - (int)draw(3), .by = (int)draw(3)};
        if (draw(30) == 0)
            top++;
        r->session = 1 + (int)draw(3);
        r->offset = r->number * 10 + draw(2);
        r->is_result = kind >= 17;
        r->is_state = kind == 16;
        r->what = kind < 9    ? UTTERANCE
                  : kind < 11 ? STARTED
                  : kind < 13 ? GIVEN
                  : kind < 14 ? ENDED
                              : INTENT;
        r->intent =
            (int)i - (r->is_result ? (int)draw(40) : 0); /* of one made lately, or of none */
    }
    log[LOG - 5].what = CLOSED; /* of whoever; it may be dropped */
}

static bool feed_record(struct tl_fence *f, const struct record *r)
{
    char id[16];

    (void)snprintf(id, sizeof(id), "i%d", r->intent);
    if (r->is_result)
        return feed_result(f, id);
    if (r->is_state)
        return feed_state(f);
    struct tl_call_event e = event(r->what, "caller", r->number, r->offset, r->session, r->by);
    if (r->what == INTENT)
        e.tool_intent->intent_id = id;
    return tl_fence_accept(f, &e);
}

static bool is_of_holder(const struct record *r)
{
    return !r->is_result && !r->is_state && r->what != GIVEN && r->what != ENDED;
}

/* A later reader begins where a checkpoint of the holder stands: with the intents that are open
 * there. From then on it decides as the one that read everything. */
static void read_from(const struct record log[LOG], size_t from, const struct tl_fence *whole)
{
    struct tl_fence f = {0};
    struct tl_open_intent open[TL_FENCE_INTENTS_MAX];
    struct tl_checkpoint checkpoint = {.open_intents = open};

    for (size_t i = 0; i < whole->intents_n; i++)
        if (!whole->intents[i].has_result)
            open[checkpoint.open_intents_n++] =
                (struct tl_open_intent){.intent_id = whole->intents[i].intent_id};
    struct tl_call_event e = event(UTTERANCE, "caller", log[from].number, log[from].offset,
                                   log[from].session, log[from].by);
    e.utterance = NULL;
    e.checkpoint = &checkpoint;
    assert_true(tl_fence_accept(&f, &e));
    for (size_t i = from; i < LOG; i++)
        assert_int_equal(feed_record(&f, &log[i]), log[i].counts);
    tl_fence_finish(&f);
}

static void readers_that_begin_at_different_places_agree(void **state)
{
    static struct record log[LOG];
    size_t begun = 0;
    (void)state;

    for (unsigned round = 0; round < 200; round++) {
        struct tl_fence whole = {0};
        seed = 88172645463325252u + round;
        make_log(log);
        for (size_t i = 0; i < LOG; i++)
            log[i].counts = feed_record(&whole, &log[i]);
        tl_fence_finish(&whole);
        for (size_t i = 0; i < LOG; i++) {
            bool counted = feed_record(&whole, &log[i]);
            assert_int_equal(counted, log[i].counts); /* the same again */
            if (counted && is_of_holder(&log[i]) && log[i].what == UTTERANCE && draw(20) == 0) {
                read_from(log, i, &whole);
                begun++;
            }
        }
        tl_fence_finish(&whole);
    }
    assert_true(begun > 200); /* the logs do have such places */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lower_claims_are_dropped),
        TEST(dropped_closed_closes_nothing),
        cmocka_unit_test(higher_claims_raise_the_fence_whatever_the_event),
        TEST(equal_claim_of_another_holder_is_dropped),
        TEST(equal_claim_of_another_run_of_the_holder_is_dropped),
        TEST(ingest_events_pass_and_never_raise),
        TEST(ingest_events_of_a_lower_attachment_are_dropped),
        TEST(ingest_event_first_holds_nothing),
        TEST(unclaimed_events_pass_and_leave_the_fence),
        TEST(result_counts_once_and_only_behind_its_intent),
        TEST(result_of_a_dropped_intent_never_counts),
        TEST(result_counts_although_its_holder_lost_the_leg),
        TEST(result_with_a_lower_claim_counts_and_raises_nothing),
        TEST(many_intents_each_get_one_result),
        TEST(checkpoint_hands_its_open_intents_on),
        TEST(dropped_checkpoint_hands_nothing_on),
        TEST(closed_ends_everything),
        TEST(closed_without_a_claim_ends_everything_too),
        TEST(legs_are_independent),
        TEST(leg_beyond_the_bound_is_dropped),
        cmocka_unit_test(finish_accepts_a_zeroed_fence),
        cmocka_unit_test(readers_that_begin_at_different_places_agree),
    };
    return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
