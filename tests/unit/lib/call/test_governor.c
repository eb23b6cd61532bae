/* governor.h: shares of the AI provider's limits. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "call/governor.h"

#define MANY 9

/* Instances 0 to n - 1 with these sessions, each a call. */
struct fleet {
    struct tl_governed all[MANY];
    size_t n;
};

static struct fleet fleet_of(size_t n, const int *sessions)
{
    struct fleet f = {.n = n};

    for (size_t i = 0; i < n; i++)
        f.all[i] = (struct tl_governed){
            .number = (int)i, .calls = sessions[i], .sessions = sessions[i], .capacity = 1000};
    return f;
}

static struct tl_governor_share share_of(const struct fleet *f, const struct tl_governor_limits *limits,
                                         size_t own)
{
    struct tl_governor_share share;

    tl_governor_divide(limits, f->all, f->n, own, &share);
    return share;
}

static void expect(const struct fleet *f, struct tl_governor_limits limits, const int *new_calls,
                   const int *going_on)
{
    for (size_t i = 0; i < f->n; i++) {
        struct tl_governor_share share = share_of(f, &limits, i);
        assert_int_equal(share.new_calls, new_calls[i]);
        assert_int_equal(share.going_on, going_on[i]);
    }
}

static void no_limit_is_no_limit(void **state)
{
    struct fleet f = fleet_of(2, (int[]){500, 1});
    (void)state;
    expect(&f, (struct tl_governor_limits){0}, (int[]){INT_MAX, INT_MAX}, (int[]){INT_MAX, INT_MAX});
    assert_true(share_of(&f, &(struct tl_governor_limits){0}, 0).sessions == -1);
}

static void equal_load_gets_equal_shares_less_the_reserve(void **state)
{
    struct fleet f = fleet_of(4, (int[]){0, 0, 0, 0});
    (void)state;
    /* 80 each would be the limit; a fifth of 400 is 80: what the fullest has fits into the reserve */
    expect(&f, (struct tl_governor_limits){.max_sessions = 400, .reserve_pct = 20},
           (int[]){80, 80, 80, 80}, (int[]){100, 100, 100, 100});
}

static void reserve_covers_the_fullest_though_less_is_configured(void **state)
{
    struct fleet f = fleet_of(2, (int[]){0, 0});
    (void)state;
    expect(&f, (struct tl_governor_limits){.max_sessions = 30}, (int[]){10, 10}, (int[]){15, 15});
    f = fleet_of(2, (int[]){2, 1});
    expect(&f, (struct tl_governor_limits){.max_sessions = 5}, (int[]){0, 0}, (int[]){1, 1});
}

static void what_one_leaves_unused_the_others_may_have(void **state)
{
    struct fleet f = fleet_of(3, (int[]){40, 0, 0});
    (void)state;
    f.all[1].capacity = 5; /* it cannot use its share */
    expect(&f, (struct tl_governor_limits){.max_sessions = 100, .reserve_pct = 10}, (int[]){0, 5, 15},
           (int[]){8, 5, 47});
    f.all[2].is_leaving = true;
    expect(&f, (struct tl_governor_limits){.max_sessions = 120, .reserve_pct = 10}, (int[]){17, 5, 0},
           (int[]){75, 5, 0});
}

static void remainder_goes_to_the_emptiest_then_to_the_lower_number(void **state)
{
    struct fleet f = fleet_of(3, (int[]){1, 0, 0});
    (void)state;
    expect(&f, (struct tl_governor_limits){.max_sessions = 4}, (int[]){0, 1, 1}, (int[]){1, 1, 1});
    f = fleet_of(3, (int[]){1, 1, 1});
    expect(&f, (struct tl_governor_limits){.max_sessions = 6}, (int[]){1, 0, 0}, (int[]){1, 1, 1});
}

static void one_alone_needs_no_room_for_its_own_death(void **state)
{
    struct fleet f = fleet_of(1, (int[]){1});
    (void)state;
    expect(&f, (struct tl_governor_limits){.max_sessions = 3}, (int[]){2}, (int[]){2});
    expect(&f, (struct tl_governor_limits){.max_sessions = 10, .reserve_pct = 25}, (int[]){6}, (int[]){9});
}

static void limit_too_small_for_a_reserve_serves_one(void **state)
{
    struct fleet f = fleet_of(2, (int[]){0, 0});
    (void)state;
    expect(&f, (struct tl_governor_limits){.max_sessions = 1, .reserve_pct = 50}, (int[]){1, 0},
           (int[]){1, 0});
    f = fleet_of(2, (int[]){0, 1});
    expect(&f, (struct tl_governor_limits){.max_sessions = 1}, (int[]){0, 0}, (int[]){0, 0});
}

static void over_the_limit_nobody_gets_anything(void **state)
{
    struct fleet f = fleet_of(2, (int[]){9, 0});
    (void)state;
    expect(&f, (struct tl_governor_limits){.max_sessions = 8}, (int[]){0, 0}, (int[]){0, 0});
}

/* Three calls on a limit of five, one instance dies with two of them: they fit, though the provider may
 * count the dead ones still. */
static void death_is_absorbed_by_the_reserve(void **state)
{
    struct fleet f = fleet_of(1, (int[]){1});
    struct tl_governor_limits limits = {.max_sessions = 5};
    (void)state;
    assert_true(share_of(&f, &limits, 0).going_on >= 2);
}

static void tokens_are_divided_by_what_a_call_takes(void **state)
{
    struct fleet f = fleet_of(2, (int[]){4, 2});
    struct tl_governor_limits limits = {.tokens_per_minute = 20000, .reserve_pct = 20};
    (void)state;
    f.all[0].tokens = 8000;
    f.all[1].tokens = 4000; /* 2000 a call; 4000 of 16000 are left */
    expect(&f, limits, (int[]){1, 1}, (int[]){INT_MAX, INT_MAX});
    assert_true(share_of(&f, &limits, 0).tokens == 10000);
    f.all[1].tokens = 7000;
    expect(&f, limits, (int[]){0, 0}, (int[]){INT_MAX, INT_MAX});
    f.all[1].tokens = 70000;
    expect(&f, limits, (int[]){0, 0}, (int[]){INT_MAX, INT_MAX});
}

static void first_calls_are_not_held_up_by_unknown_tokens(void **state)
{
    struct fleet f = fleet_of(2, (int[]){0, 0});
    (void)state;
    assert_true(share_of(&f, &(struct tl_governor_limits){.tokens_per_minute = 1000}, 0).new_calls > 0);
}

/* ---- the rule, walked ---- */

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % below;
}

static struct fleet draw_fleet(uint64_t *random, struct tl_governor_limits *limits)
{
    struct fleet f = {.n = 1 + draw(random, MANY)};

    *limits = (struct tl_governor_limits){.max_sessions = (int64_t)(1 + draw(random, 200)),
                                          .reserve_pct = (int64_t)draw(random, 60)};
    for (size_t i = 0; i < f.n; i++) {
        int sessions = (int)draw(random, draw(random, 3) ? 40 : 2);
        f.all[i] = (struct tl_governed){.number = (int)i,
                                        .calls = sessions,
                                        .sessions = sessions,
                                        .capacity = (int)draw(random, 80),
                                        .is_leaving = draw(random, 8) == 0};
    }
    return f;
}

static int64_t sum_of(const struct fleet *f, int64_t *ret_fullest)
{
    int64_t sum = 0;

    *ret_fullest = 0;
    for (size_t i = 0; i < f->n; i++) {
        sum += f->all[i].sessions;
        if (f->all[i].sessions > *ret_fullest)
            *ret_fullest = f->all[i].sessions;
    }
    return sum;
}

/* All that see the same take all they may, at once: the sum stays within limit and reserve. */
static void shares_of_one_view_never_exceed_the_limit(void **state)
{
    uint64_t random = 1;
    long full = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct tl_governor_limits limits;
        struct fleet f = draw_fleet(&random, &limits), after = f;
        int64_t fullest, before = sum_of(&f, &fullest), going_on = before;
        int64_t free_for_new = limits.max_sessions * (100 - limits.reserve_pct) / 100;

        for (size_t k = 0; k < f.n; k++) {
            struct tl_governor_share share = share_of(&f, &limits, k);
            assert_true(share.new_calls <= share.going_on);
            assert_true(!f.all[k].is_leaving || share.going_on == 0);
            assert_true(share.going_on == 0 ||
                        f.all[k].sessions + share.going_on <= f.all[k].capacity);
            after.all[k].sessions += share.new_calls;
            going_on += share.going_on;
        }
        int64_t sum = sum_of(&after, &fullest);
        assert_true(sum == before || sum <= free_for_new || (sum == 1 && free_for_new < 2));
        assert_true(sum == before || f.n < 2 || sum + fullest <= limits.max_sessions ||
                    (sum == 1 && free_for_new < 2));
        assert_true(going_on <= (before > limits.max_sessions ? before : limits.max_sessions));
        full += sum > before && sum == free_for_new;
    }
    assert_true(full > 1000); /* and they are used up */
}

/* What one sees after it took a part of its share is the rest of it: shares are no race. */
static void using_a_share_does_not_change_it(void **state)
{
    uint64_t random = 2;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct tl_governor_limits limits;
        struct fleet f = draw_fleet(&random, &limits);
        size_t own = draw(&random, f.n);
        int share = share_of(&f, &limits, own).new_calls;
        if (!share)
            continue;
        int taken = 1 + (int)draw(&random, (uint64_t)share);
        f.all[own].sessions += taken;
        assert_int_equal(share_of(&f, &limits, own).new_calls, share - taken);
    }
}

/* ---- over presence ---- */

static void view_gives_the_living_conversations(void **state)
{
    struct tl_presence_view view;
    struct tl_governor_share share;
    const struct tl_governor_limits limits = {.max_sessions = 12};
    struct tl_governed own = {.number = 0, .calls = 3, .sessions = 3, .capacity = 10};
    struct tl_presence r = {.kind = TL_INSTANCE_KIND_CONVERSATION, .capacity = 10};

    (void)state;
    tl_presence_init(&view, TL_INSTANCE_KIND_CONVERSATION, 0);
    for (int i = 0; i < 3; i++) { /* number 0 is older news of ourselves */
        r.number = i;
        r.epoch = r.run = 10 + i;
        r.calls_held = 2;
        r.ai_sessions = i == 1 ? 3 : 0; /* one is being renewed, or not opened yet */
        (void)tl_presence_take(&view, &r, 20 + i, i == 0);
    }
    struct tl_presence ingest = {
        .kind = TL_INSTANCE_KIND_INGEST, .number = 5, .epoch = 5, .run = 5, .calls_held = 100};
    (void)tl_presence_take(&view, &ingest, 30, false);
    tl_governor_share(&limits, &view, &own, &share); /* 3, 3 and 2: one more makes 9, and 3 twice is 12 */
    assert_int_equal(share.new_calls, 0);
    assert_true(share.sessions == 3);
    assert_int_equal(share.going_on, 1);
    tl_presence_peer(&view, TL_INSTANCE_KIND_CONVERSATION, 2)->gone = true;
    tl_governor_share(&limits, &view, &own, &share); /* 3 and 3, and two more are 4 twice */
    assert_int_equal(share.new_calls, 1);
    tl_presence_finish(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(equal_load_gets_equal_shares_less_the_reserve),
        cmocka_unit_test(reserve_covers_the_fullest_though_less_is_configured),
        cmocka_unit_test(what_one_leaves_unused_the_others_may_have),
        cmocka_unit_test(remainder_goes_to_the_emptiest_then_to_the_lower_number),
        cmocka_unit_test(one_alone_needs_no_room_for_its_own_death),
        cmocka_unit_test(limit_too_small_for_a_reserve_serves_one),
        cmocka_unit_test(over_the_limit_nobody_gets_anything),
        cmocka_unit_test(death_is_absorbed_by_the_reserve),
        cmocka_unit_test(tokens_are_divided_by_what_a_call_takes),
        cmocka_unit_test(first_calls_are_not_held_up_by_unknown_tokens),
        cmocka_unit_test(shares_of_one_view_never_exceed_the_limit),
        cmocka_unit_test(using_a_share_does_not_change_it),
        cmocka_unit_test(view_gives_the_living_conversations),
    };
    return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
