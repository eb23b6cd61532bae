/* The model of calls, tested itself: with all rules no promise breaks, and a rule that is switched
 * off is noticed within a few schedules. Seeds make it the same run every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "tests/model/model.h"

#define SCHEDULES 100 /* to look at from where a missing rule was found before */
#define MOST 20000    /* and, when lib/call has changed what a seed does, from the first */

static struct tl_model_options options(uint64_t off, int calls, int length)
{
    return (struct tl_model_options){.off = off, .calls = calls, .faults = 6, .length = length};
}

/* ---- all rules ---- */

static void all_rules_keep_all_promises(void **state)
{
    int64_t steps = 0;

    (void)state;
    for (uint64_t seed = 50000; steps < 600000; seed++) {
        struct tl_model_options o = options(0, 1 + (int)(seed % 2) * 2, 300);
        struct tl_model_result r;
        tl_model_run(seed, &o, &r);
        if (r.failure[0])
            fail_msg("seed %d: %s", (int)seed, r.failure);
        steps += r.steps;
    }
}

static void the_same_seed_walks_the_same_schedule(void **state)
{
    struct tl_model_options o = options(0, 3, 300);
    struct tl_model_result first, second;

    (void)state;
    tl_model_run(12, &o, &first);
    tl_model_run(12, &o, &second);
    assert_memory_equal(&first, &second, sizeof(first));
    assert_true(first.steps > 100 && first.claims > 0);
}

static void schedules_meet_what_they_are_for(void **state)
{
    struct tl_model_options o = options(0, 1, 300);
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

/* Rules left out, the first of the schedules to try, and how long these are. */
struct missing {
    uint64_t off;
    uint64_t from;
    int length;
};

#define BIT(rule) ((uint64_t)1 << TL_RULE_##rule)

static const struct missing missing[] = {
    {BIT(nofence), 100, 300},
    {BIT(norevoked), 400, 300},
    {BIT(norevokedwait), 2100, 300},
    {BIT(noingestrevoked), 400, 300},
    {BIT(norevokeall), 2100, 300},
    {BIT(nobarrier) | BIT(noreadback), 1, 500}, /* either alone keeps the promise, almost always */
    {BIT(noanswersto), 650, 300},
    {BIT(nointentanswersto), 650, 300},
    {BIT(nomediato), 1, 300},
    {BIT(nogiven), 1, 300},
    {BIT(nogivenwait), 400, 300},
    {BIT(nosessionwait), 1, 300},
    {BIT(nodraftfirst), 3650, 300},
    {BIT(nounique), 1, 300},
    {BIT(nosameread), 50, 300},
    {BIT(nosamereadback), 50, 300},
    {BIT(noreclaim), 1000, 300},
    {BIT(noframereclaim), 700, 300},
    {BIT(noclosefinal), 1, 300},
    {BIT(noended), 1, 300},
    {BIT(noexpect), 50, 300},
    {BIT(nowatchdog), 1, 300},
    {BIT(noorder), 2000, 300},
    {BIT(norewindwait), 100, 500},
    {BIT(noheir), 1, 300},
    {BIT(noheir) | BIT(noclosetelephony), 1, 300},
    {BIT(norescueover), 100, 300},
    {BIT(nostopgrace), 1650, 300},
    {BIT(nokey), 400, 300},
    {BIT(actsclaiming), 500, 300},
};

static const char *first_name(uint64_t off)
{
    for (int i = 0; i < TL_RULE_N; i++)
        if (off >> i & 1)
            return tl_model_rule_names[i];
    return "";
}

/* The first of n schedules in which a promise breaks, or 0. */
static uint64_t find(const struct tl_model_options *o, uint64_t from, uint64_t n)
{
    struct tl_model_result r;

    for (uint64_t seed = from; seed < from + n; seed++) {
        tl_model_run(seed, o, &r);
        if (r.failure[0])
            return seed;
    }
    return 0;
}

static void a_missing_rule_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(missing); i++) {
        const struct missing *m = &missing[i];
        struct tl_model_options without = options(m->off, 1, m->length);
        struct tl_model_options with = options(0, 1, m->length);
        struct tl_model_result r;
        uint64_t seed = find(&without, m->from, SCHEDULES);

        if (!seed && (seed = find(&without, 1, MOST)))
            print_message("%s: now from %d\n", first_name(m->off), (int)seed);
        if (!seed)
            fail_msg("%s: not noticed in %d schedules", first_name(m->off), MOST);
        tl_model_run(seed, &with, &r);
        if (r.failure[0])
            fail_msg("%s: seed %d breaks a promise with the rule too: %s", first_name(m->off),
                     (int)seed, r.failure);
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
