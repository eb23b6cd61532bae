/* call_state.h: whatever order reports come in, a call ends in one state (CALL-3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "call/call_state.h"

static const char *statuses[] = {"queued",      "initiated", "ringing",
                                 "in-progress", "completed", "no-such-word"};
#define STATUSES TL_ARRAY_LEN(statuses)
#define FINAL 4 /* of statuses: each word that ends a call stands there in turn */
static const char *const finals[] = {"completed", "busy", "failed", "no-answer", "canceled"};

static enum tl_call_state run(const size_t *order, size_t n)
{
    enum tl_call_state state = TL_CALL_STATE_UNKNOWN;

    for (size_t i = 0; i < n; i++)
        state = tl_call_state_advance(state, tl_call_state_of_status(statuses[order[i]]));
    return state;
}

static void swap(size_t *a, size_t *b)
{
    size_t c = *a;
    *a = *b;
    *b = c;
}

static size_t permute(size_t *order, size_t from)
{
    size_t n = 0;

    if (from == STATUSES) {
        assert_int_equal(run(order, STATUSES), tl_call_state_of_status(statuses[FINAL]));
        return 1;
    }
    for (size_t i = from; i < STATUSES; i++) {
        swap(&order[from], &order[i]);
        n += permute(order, from + 1);
        swap(&order[from], &order[i]);
    }
    return n;
}

static void advance_ends_in_one_state_for_every_permutation(void **state)
{
    (void)state;
    for (size_t f = 0; f < TL_ARRAY_LEN(finals); f++) {
        size_t order[STATUSES] = {0, 1, 2, 3, 4, 5};
        statuses[FINAL] = finals[f];
        assert_int_equal(permute(order, 0), 720);
    }
    statuses[FINAL] = "completed";
}

/* Six reports, each of them any of the six: the one that is furthest decides. */
static void advance_ends_at_the_furthest_for_every_repetition(void **state)
{
    static const enum tl_call_state furthest[STATUSES] = {
        TL_CALL_STATE_INITIATED,   TL_CALL_STATE_INITIATED, TL_CALL_STATE_RINGING,
        TL_CALL_STATE_IN_PROGRESS, TL_CALL_STATE_COMPLETED, TL_CALL_STATE_UNKNOWN};
    (void)state;

    for (size_t code = 0; code < 46656; code++) { /* 6 to the 6th */
        size_t order[6], rest = code;
        enum tl_call_state want = TL_CALL_STATE_UNKNOWN;
        for (size_t i = 0; i < 6; i++, rest /= 6) {
            order[i] = rest % 6;
            if (furthest[order[i]] > want)
                want = furthest[order[i]];
        }
        assert_int_equal(run(order, 6), want);
    }
}

static void advance_never_goes_back(void **state)
{
    (void)state;
    for (int a = 0; a < TL_CALL_STATE_N; a++)
        for (int b = 0; b < TL_CALL_STATE_N; b++) {
            int next = (int)tl_call_state_advance(a, b);
            assert_true(next == a || next == b);
            if (tl_call_state_is_final(a))
                assert_int_equal(next, a);
            else
                assert_int_equal(next, a > b ? a : b);
        }
}

static void advance_keeps_the_first_final_state(void **state)
{
    (void)state;
    assert_int_equal(tl_call_state_advance(TL_CALL_STATE_FAILED, TL_CALL_STATE_COMPLETED),
                     TL_CALL_STATE_FAILED);
    assert_int_equal(tl_call_state_advance(TL_CALL_STATE_COMPLETED, TL_CALL_STATE_FAILED),
                     TL_CALL_STATE_COMPLETED);
}

static void advance_keeps_an_escalation_when_the_answer_comes_late(void **state)
{
    (void)state;
    assert_int_equal(tl_call_state_advance(TL_CALL_STATE_ESCALATED, TL_CALL_STATE_IN_PROGRESS),
                     TL_CALL_STATE_ESCALATED);
}

static void only_completed_and_failed_are_final(void **state)
{
    (void)state;
    for (int s = 0; s < TL_CALL_STATE_N; s++)
        assert_int_equal(tl_call_state_is_final(s),
                         s == TL_CALL_STATE_COMPLETED || s == TL_CALL_STATE_FAILED);
}

static void of_status_knows_every_word(void **state)
{
    static const struct {
        const char *status;
        enum tl_call_state state;
    } rows[] = {
        {"queued", TL_CALL_STATE_INITIATED},    {"initiated", TL_CALL_STATE_INITIATED},
        {"ringing", TL_CALL_STATE_RINGING},     {"in-progress", TL_CALL_STATE_IN_PROGRESS},
        {"completed", TL_CALL_STATE_COMPLETED}, {"busy", TL_CALL_STATE_FAILED},
        {"failed", TL_CALL_STATE_FAILED},       {"no-answer", TL_CALL_STATE_FAILED},
        {"canceled", TL_CALL_STATE_FAILED},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        assert_int_equal(tl_call_state_of_status(rows[i].status), rows[i].state);
}

static void of_status_refuses_other_words(void **state)
{
    static const char *const others[] = {"",         "cancelled",  "Completed", "in_progress",
                                         "answered", "completed ", "queue"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(others); i++)
        assert_int_equal(tl_call_state_of_status(others[i]), TL_CALL_STATE_UNKNOWN);
    assert_int_equal(tl_call_state_of_status(NULL), TL_CALL_STATE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advance_ends_in_one_state_for_every_permutation),
        cmocka_unit_test(advance_ends_at_the_furthest_for_every_repetition),
        cmocka_unit_test(advance_never_goes_back),
        cmocka_unit_test(advance_keeps_the_first_final_state),
        cmocka_unit_test(advance_keeps_an_escalation_when_the_answer_comes_late),
        cmocka_unit_test(only_completed_and_failed_are_final),
        cmocka_unit_test(of_status_knows_every_word),
        cmocka_unit_test(of_status_refuses_other_words),
    };
    return cmocka_run_group_tests_name("call_state", tests, NULL, NULL);
}
