/* rivalry.h: a stream that lost its leg claims again, but two do not do so for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/media/rivalry.h"

static struct tl_playback_item lost_to(const struct tl_claim *winner, const char *sid)
{
    return (struct tl_playback_item){.kind = TL_PLAYBACK_KIND_LOST,
                                     .number = winner->number,
                                     .offset = winner->offset,
                                     .session = winner->session,
                                     .winner_stream_sid = sid};
}

static enum tl_rivalry_verdict lose(struct tl_rivalry *r, struct tl_claim own,
                                    struct tl_claim winner, const char *sid, int64_t now_ms)
{
    const struct tl_playback_item item = lost_to(&winner, sid);
    return tl_rivalry_on_lost(r, &own, "MZown", &item, now_ms);
}

#define CLAIM(n, o, s) ((struct tl_claim){.number = (n), .offset = (o), .session = (s)})

static void loses_to_a_dead_stream_and_claims_above_it_at_once(void **state)
{
    struct tl_rivalry r = {.claimed_ms = 1000};
    (void)state;
    assert_int_equal(lose(&r, CLAIM(1, 10, 1), CLAIM(2, 20, 1), "MZother", 5000), TL_RIVALRY_CLAIM);
    assert_true(r.due_ms == 5000);
}

static void the_winner_that_claims_again_is_yielded_to(void **state)
{
    struct tl_rivalry r = {0};
    (void)state;
    assert_int_equal(lose(&r, CLAIM(2, 10, 1), CLAIM(2, 20, 1), "MZother", 5000), TL_RIVALRY_CLAIM);
    tl_rivalry_on_claim(&r, 5000);
    assert_false(r.is_outbid);
    assert_int_equal(lose(&r, CLAIM(2, 30, 1), CLAIM(2, 20, 1), "MZother", 5010),
                     TL_RIVALRY_OLD_NEWS); /* the same news once more */
    assert_int_equal(lose(&r, CLAIM(2, 30, 1), CLAIM(2, 40, 1), "MZother", 5020), TL_RIVALRY_YIELD);
}

static void a_third_stream_is_no_proof_against_the_second(void **state)
{
    struct tl_rivalry r = {0};
    (void)state;
    assert_int_equal(lose(&r, CLAIM(1, 10, 1), CLAIM(2, 20, 1), "MZb", 5000), TL_RIVALRY_CLAIM);
    tl_rivalry_on_claim(&r, 5000);
    assert_int_equal(lose(&r, CLAIM(2, 30, 1), CLAIM(3, 40, 1), "MZc", 6000), TL_RIVALRY_CLAIM);
    tl_rivalry_on_claim(&r, 6000);
    assert_int_equal(lose(&r, CLAIM(3, 50, 1), CLAIM(3, 60, 1), "MZc", 7000), TL_RIVALRY_YIELD);
}

static void winners_without_a_name_are_taken_for_one(void **state)
{
    struct tl_rivalry r = {0};
    (void)state;
    assert_int_equal(lose(&r, CLAIM(1, 10, 1), CLAIM(2, 20, 1), NULL, 5000), TL_RIVALRY_CLAIM);
    assert_int_equal(lose(&r, CLAIM(2, 30, 1), CLAIM(2, 40, 1), "", 5500), TL_RIVALRY_YIELD);
}

static void lower_winners_and_the_own_stream_are_old_news(void **state)
{
    struct tl_rivalry r = {0};
    (void)state;
    assert_int_equal(lose(&r, CLAIM(2, 30, 2), CLAIM(1, 99, 9), "MZother", 1), TL_RIVALRY_OLD_NEWS);
    assert_int_equal(lose(&r, CLAIM(2, 30, 2), CLAIM(2, 29, 9), "MZother", 1), TL_RIVALRY_OLD_NEWS);
    assert_int_equal(lose(&r, CLAIM(2, 30, 2), CLAIM(2, 30, 1), NULL, 1), TL_RIVALRY_OLD_NEWS);
    assert_int_equal(lose(&r, CLAIM(2, 30, 2), CLAIM(2, 30, 3), "MZown", 1), TL_RIVALRY_OLD_NEWS);
    assert_int_equal(r.losses, 0);
}

/* "Not here": the message names the own claim. Each claim waits twice as long as the one before. */
static void a_leg_that_nobody_holds_is_claimed_ever_more_seldom(void **state)
{
    static const int64_t waits_ms[] = {0, 250, 500, 1000, 2000, 4000, 8000, 8000};
    struct tl_rivalry r = {.claimed_ms = -10000};
    int64_t now_ms = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(*waits_ms); i++) {
        const struct tl_claim own = CLAIM(1, 10 + (int64_t)i, 1);
        assert_int_equal(lose(&r, own, own, NULL, now_ms), TL_RIVALRY_CLAIM);
        assert_true(r.due_ms == now_ms + waits_ms[i]);
        now_ms = r.due_ms;
        tl_rivalry_on_claim(&r, now_ms);
        now_ms += 100;
    }
    tl_rivalry_on_held(&r); /* somebody speaks: that was another time */
    assert_int_equal(lose(&r, CLAIM(1, 50, 1), CLAIM(1, 50, 1), NULL, now_ms + 1000),
                     TL_RIVALRY_CLAIM);
    assert_true(r.due_ms == now_ms + 1000);
}

/* ---- two sockets that both carry frames ---- */

struct socket {
    struct tl_rivalry r;
    struct tl_claim claim;
    const char *sid;
    bool closed;
};

/* Play the conversation between them: whoever claims is told to the other, which claims again when
 * it may. Returns how many claims were made. */
static int fight(struct socket *first, struct socket *second)
{
    int64_t offset = 100, now_ms = 0;
    int claims = 2;
    struct socket *loser = first, *winner = second;
    while (!first->closed && !second->closed) {
        const struct tl_playback_item item = lost_to(&winner->claim, winner->sid);
        enum tl_rivalry_verdict v =
            tl_rivalry_on_lost(&loser->r, &loser->claim, loser->sid, &item, now_ms);
        assert_int_not_equal(v, TL_RIVALRY_OLD_NEWS);
        loser->closed = v == TL_RIVALRY_YIELD;
        if (loser->closed)
            break;
        now_ms = loser->r.due_ms;
        tl_rivalry_on_claim(&loser->r, now_ms);
        loser->claim = CLAIM(winner->claim.number, offset++, 1);
        struct socket *swap = loser;
        loser = winner;
        winner = swap;
        now_ms += 30;
        assert_true(++claims < 10);
    }
    return claims;
}

static void two_that_carry_frames_end_with_the_newer_one(void **state)
{
    (void)state;
    for (int second_number = 1; second_number <= 2; second_number++) {
        struct socket a = {.sid = "MZa", .claim = CLAIM(1, 10, 1)};
        struct socket b = {.sid = "MZb", .claim = CLAIM(second_number, 20, 1)};
        assert_int_equal(fight(&a, &b), 4);
        assert_true(a.closed && !b.closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loses_to_a_dead_stream_and_claims_above_it_at_once),
        cmocka_unit_test(the_winner_that_claims_again_is_yielded_to),
        cmocka_unit_test(a_third_stream_is_no_proof_against_the_second),
        cmocka_unit_test(winners_without_a_name_are_taken_for_one),
        cmocka_unit_test(lower_winners_and_the_own_stream_are_old_news),
        cmocka_unit_test(a_leg_that_nobody_holds_is_claimed_ever_more_seldom),
        cmocka_unit_test(two_that_carry_frames_end_with_the_newer_one),
    };
    return cmocka_run_group_tests_name("rivalry", tests, NULL, NULL);
}
