/* The model of calls, tested itself: with all rules no promise breaks, and a rule that is switched off
 * is noticed within a few schedules. Seeds make it the same run every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "tests/model/model.h"

#define SCHEDULES 100 /* within which a missing rule is to be found */

static struct tl_model_options options(uint64_t off, int calls)
{
    return (struct tl_model_options){.off = off, .calls = calls, .faults = 6, .length = 300};
}

static uint64_t bit(enum tl_model_rule rule)
{
    return (uint64_t)1 << rule;
}

/* ---- all rules ---- */

static void all_rules_keep_all_promises(void **state)
{
    int64_t steps = 0;

    (void)state;
    for (uint64_t seed = 50000; steps < 300000; seed++) {
        struct tl_model_options o = options(0, 1 + (int)(seed % 2) * 2);
        struct tl_model_result r;
        tl_model_run(seed, &o, &r);
        if (r.failure[0])
            fail_msg("seed %d: %s", (int)seed, r.failure);
        steps += r.steps;
    }
}

static void the_same_seed_walks_the_same_schedule(void **state)
{
    struct tl_model_options o = options(0, 3);
    struct tl_model_result first, second;

    (void)state;
    tl_model_run(12, &o, &first);
    tl_model_run(12, &o, &second);
    assert_memory_equal(&first, &second, sizeof(first));
    assert_true(first.steps > 100 && first.claims > 0);
}

static void schedules_meet_what_they_are_for(void **state)
{
    struct tl_model_options o = options(0, 1);
    struct tl_model_result sum = {0}, r;

    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        tl_model_run(seed, &o, &r);
        sum.faults += r.faults;
        sum.false_gone += r.false_gone;
        sum.take_overs += r.take_overs;
        sum.rescues += r.rescues;
        sum.effects += r.effects;
        sum.gap_words += r.gap_words;
    }
    assert_true(sum.faults > 100 && sum.false_gone > 10 && sum.take_overs > 50);
    assert_true(sum.rescues > 10 && sum.effects > 30 && sum.gap_words > 10);
}

/* ---- each rule ---- */

/* Rules left out, and the first of the schedules to try. */
struct missing {
    uint64_t off;
    uint64_t from;
};

#define MISSING(rule, seed) {(uint64_t)1 << TL_RULE_##rule, seed}

static const struct missing missing[] = {
    MISSING(nofence, 500),         MISSING(norevoked, 400),      MISSING(norevokedwait, 2100),
    MISSING(noingestrevoked, 400), MISSING(norevokeall, 2100),   MISSING(noanswersto, 650),
    MISSING(nointentanswersto, 650), MISSING(nomediato, 1),      MISSING(nogiven, 1),
    MISSING(nogivenwait, 400),     MISSING(nosessionwait, 1),    MISSING(nodraftfirst, 3650),
    MISSING(nounique, 1),          MISSING(nosameread, 50),      MISSING(nosamereadback, 50),
    MISSING(noreclaim, 50),        MISSING(noframereclaim, 700), MISSING(noclosefinal, 1),
    MISSING(noended, 1),           MISSING(noexpect, 50),        MISSING(nowatchdog, 1),
    MISSING(noorder, 2000),        MISSING(noheir, 1),           MISSING(norescueover, 100),
    MISSING(nokey, 400),           MISSING(actsclaiming, 500),
};

static const char *names(uint64_t off)
{
    for (int i = 0; i < TL_RULE_N; i++)
        if (off == bit((enum tl_model_rule)i))
            return tl_model_rule_names[i];
    return "several";
}

static void a_missing_rule_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(missing); i++) {
        const struct missing *m = &missing[i];
        struct tl_model_options without = options(m->off, 1), with = options(0, 1);
        struct tl_model_result r = {0};
        uint64_t seed = m->from;

        for (; seed < m->from + SCHEDULES && !r.failure[0]; seed++)
            tl_model_run(seed, &without, &r);
        if (!r.failure[0])
            fail_msg("%s: not noticed in %d schedules", names(m->off), SCHEDULES);
        tl_model_run(seed - 1, &with, &r);
        if (r.failure[0])
            fail_msg("%s: seed %d breaks a promise with the rule too: %s", names(m->off),
                     (int)seed - 1, r.failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rules_keep_all_promises),
        cmocka_unit_test(the_same_seed_walks_the_same_schedule),
        cmocka_unit_test(schedules_meet_what_they_are_for),
        cmocka_unit_test(a_missing_rule_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
