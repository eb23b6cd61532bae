/* Walks schedules until so many steps are done, prints what was found, and last a line of JSON. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

struct run {
    struct tl_model_options options;
    uint64_t seed;
    int64_t steps;
    bool shrink;
};

struct kind_of_failure {
    char failure[128];
    int64_t n;
    uint64_t seed; /* of the schedule with the fewest faults, then records */
    int64_t size;
};

struct tally {
    int64_t schedules, failures;
    uint64_t first_seed; /* of the first failure */
    char first[128];
    struct tl_model_result sum;
    struct kind_of_failure kinds[32];
    int kinds_n;
};

static void usage(FILE *out)
{
    (void)fprintf(out,
                  "trunkline-model: random interleavings of claims, presence, log and mailboxes\n"
                  "  --steps N    walk until so many steps are done (1000000)\n"
                  "  --seed S     of the first schedule (1)\n"
                  "  --faults N   at most in a schedule (4)\n"
                  "  --calls N    at most at once, 1..%d (1)\n"
                  "  --length N   moves of a schedule's faulty phase (500)\n"
                  "  --mut RULES  switch rules off, by comma; 'list' names them\n"
                  "  --trace      one schedule, --seed's, step by step\n"
                  "  --shrink     cut the shortest failing schedule down and trace it\n",
                  TL_MODEL_CALLS_MAX);
}

static bool parse_rules(char *list, uint64_t *ret_off)
{
    for (char *name = list, *end; name && *name; name = end) {
        end = strchr(name, ',');
        if (end)
            *end++ = '\0';
        int i = 0;
        while (i < TL_RULE_N && strcmp(tl_model_rule_names[i], name) != 0)
            i++;
        if (i == TL_RULE_N) {
            (void)fprintf(stderr, "no rule %s\n", name);
            return false;
        }
        *ret_off |= (uint64_t)1 << i;
    }
    return true;
}

static void count(struct tally *t, uint64_t seed, const struct tl_model_result *r)
{
    int64_t size = r->faults * 100000 + r->records;
    int i = 0;

    if (!t->failures++) {
        t->first_seed = seed;
        (void)snprintf(t->first, sizeof(t->first), "%s", r->failure);
    }
    while (i < t->kinds_n && strcmp(t->kinds[i].failure, r->failure) != 0)
        i++;
    if (i == 32)
        return;
    struct kind_of_failure *kind = &t->kinds[i];
    if (i == t->kinds_n) {
        t->kinds_n++;
        (void)snprintf(kind->failure, sizeof(kind->failure), "%s", r->failure);
        kind->size = INT64_MAX;
    }
    kind->n++;
    if (size < kind->size) {
        kind->size = size;
        kind->seed = seed;
    }
}

static void add(struct tl_model_result *sum, const struct tl_model_result *r)
{
    sum->steps += r->steps;
    sum->faults += r->faults;
    sum->records += r->records;
    sum->false_gone += r->false_gone;
    sum->claims += r->claims;
    sum->take_overs += r->take_overs;
    sum->rescues += r->rescues;
    sum->effects += r->effects;
    sum->said += r->said;
    sum->gap_words += r->gap_words;
    sum->cut_words_lost += r->cut_words_lost;
    sum->fenced_sound += r->fenced_sound;
    sum->closed_by_telephony += r->closed_by_telephony;
}

static void walk(const struct run *run, struct tally *t)
{
    struct tl_model_result r;

    for (uint64_t seed = run->seed; t->sum.steps < run->steps; seed++) {
        tl_model_run(seed, &run->options, &r);
        t->schedules++;
        add(&t->sum, &r);
        if (r.failure[0])
            count(t, seed, &r);
    }
}

/* ---- shrinking ---- */

static bool still_fails(const struct run *run, uint64_t seed, const char *failure)
{
    struct tl_model_result r;

    tl_model_run(seed, &run->options, &r);
    return strcmp(r.failure, failure) == 0;
}

/* Leaves faults out one by one, then ends the faulty phase sooner, as long as the same promise
 * breaks. */
static void shrink(struct run run, const struct kind_of_failure *kind)
{
    struct tl_model_result r;

    for (int i = 0; i < 64; i++) {
        run.options.skip |= (uint64_t)1 << i;
        if (!still_fails(&run, kind->seed, kind->failure))
            run.options.skip &= ~((uint64_t)1 << i);
    }
    for (int cut = run.options.length * 3 / 2, step = cut / 2; step > 0; step /= 2) {
        run.options.cut = cut - step;
        if (still_fails(&run, kind->seed, kind->failure))
            cut -= step;
        run.options.cut = cut;
    }
    run.options.trace = true;
    tl_model_run(kind->seed, &run.options, &r);
    printf("seed %" PRIu64 ", %" PRId64 " faults: %s\n", kind->seed, r.faults, r.failure);
}

static void print_tally(const struct tally *t)
{
    const struct tl_model_result *s = &t->sum;

    for (int i = 0; i < t->kinds_n; i++)
        printf("  %-60s %7" PRId64 "  seed %" PRIu64 "\n", t->kinds[i].failure, t->kinds[i].n,
               t->kinds[i].seed);
    printf("{\"model\":\"calls\",\"steps\":%" PRId64 ",\"schedules\":%" PRId64
           ",\"faults\":%" PRId64 ",\"false_gone\":%" PRId64 ",\"claims\":%" PRId64
           ",\"take_overs\":%" PRId64 ",\"rescues\":%" PRId64 ",\"effects\":%" PRId64
           ",\"words_said\":%" PRId64 ",\"gap_words\":%" PRId64 ",\"cut_words_lost\":%" PRId64
           ",\"fenced_sound\":%" PRId64 ",\"closed_by_telephony\":%" PRId64 ",\"failures\":%" PRId64
           ",\"first_failure\":",
           s->steps, t->schedules, s->faults, s->false_gone, s->claims, s->take_overs, s->rescues,
           s->effects, s->said, s->gap_words, s->cut_words_lost, s->fenced_sound,
           s->closed_by_telephony, t->failures);
    if (t->failures)
        printf("{\"seed\":%" PRIu64 ",\"what\":\"%s\"}}\n", t->first_seed, t->first);
    else
        printf("null}\n");
}

static int64_t number(const char *text, int64_t low, int64_t high)
{
    char *end;
    long long n = strtoll(text, &end, 10);

    if (*end || n < low || n > high) {
        (void)fprintf(stderr, "%s is no number from %" PRId64 " to %" PRId64 "\n", text, low, high);
        exit(2);
    }
    return n;
}

static int list_rules(void)
{
    for (int i = 0; i < TL_RULE_N; i++)
        printf("%-18s %s\n", tl_model_rule_names[i], tl_model_rule_docs[i]);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"steps", required_argument, NULL, 'n'},  {"seed", required_argument, NULL, 's'},
        {"faults", required_argument, NULL, 'f'}, {"calls", required_argument, NULL, 'c'},
        {"length", required_argument, NULL, 'l'}, {"mut", required_argument, NULL, 'm'},
        {"trace", no_argument, NULL, 't'},        {"shrink", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct run run = {
        .options = {.calls = 1, .faults = 4, .length = 500}, .seed = 1, .steps = 1000000};
    struct tally tally = {0};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'n')
            run.steps = number(optarg, 1, INT64_MAX);
        else if (c == 's')
            run.seed = (uint64_t)number(optarg, 0, INT64_MAX);
        else if (c == 'f')
            run.options.faults = (int)number(optarg, 0, TL_MODEL_FAULTS_MAX);
        else if (c == 'c')
            run.options.calls = (int)number(optarg, 1, TL_MODEL_CALLS_MAX);
        else if (c == 'l')
            run.options.length = (int)number(optarg, 2, 100000);
        else if (c == 'm' && strcmp(optarg, "list") == 0)
            return list_rules();
        else if (c == 'm' && !parse_rules(optarg, &run.options.off))
            return 2;
        else if (c == 't')
            run.options.trace = true;
        else if (c == 'k')
            run.shrink = true;
        else if (c == 'h' || c == '?')
            return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
    }
    if (run.options.trace)
        run.steps = 1; /* one schedule */
    walk(&run, &tally);
    if (run.shrink && tally.kinds_n)
        shrink(run, &tally.kinds[0]);
    print_tally(&tally);
    return tally.failures ? 1 : 0;
}
