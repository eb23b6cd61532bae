/* presence.h, walked: random fleets whose processes beat, die, stop, come back and run anew, with
 * records of the dead under way; the promises are checked from the log itself, by other means than
 * the view's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call/presence.h"

#define SEATS 7       /* kind and number; a process runs in each, or nobody */
#define GHOSTS_MAX 16 /* records of the dead that are still under way */
#define NOBODY (-1)

struct process {
    bool is_up, is_stopped;
    int64_t run, epoch;
    int first_records; /* without an epoch that are to be sent: the broker could not say where they
                          stand */
    int64_t read;      /* of its mailbox */
};

struct ghost {
    int seat;
    struct tl_presence record;
};

struct walk {
    uint64_t random;
    int64_t offset, next_run;
    struct process seat[SEATS];
    struct ghost ghosts[GHOSTS_MAX];
    int ghosts_n;
    /* A view for each seat, while a process runs there; it follows the log from when that began. */
    struct tl_presence_view view[SEATS];
    bool is_viewing[SEATS];
    /* What each view [own] must know of each seat, as the part of the log says that it has read:
     * the run that counts, and how many own records came since one of that run's. */
    int64_t run[SEATS][SEATS], epoch[SEATS][SEATS];
    int since[SEATS][SEATS];
    long gone, waited, steps;
};

static uint32_t draw(struct walk *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static enum tl_instance_kind kind_of(int seat)
{
    return seat < 2   ? TL_INSTANCE_KIND_INGEST
           : seat < 5 ? TL_INSTANCE_KIND_CONVERSATION
                      : TL_INSTANCE_KIND_TELEPHONY;
}

static int number_of(int seat)
{
    return seat < 2 ? seat : seat < 5 ? seat - 2 : seat - 5;
}

/* ---- the log ---- */

static void check_view(struct walk *w, int own, bool is_own);

static void hear(struct walk *w, int own, int seat, const struct tl_presence *record)
{
    if (record->epoch > w->epoch[own][seat]) {
        w->epoch[own][seat] = record->epoch;
        w->run[own][seat] = record->run;
    }
    if (record->run == w->run[own][seat])
        w->since[own][seat] = 0;
}

static void append(struct walk *w, int seat, const struct tl_presence *record)
{
    int64_t offset = w->offset++;

    for (int own = 0; own < SEATS; own++) {
        struct process *p = &w->seat[own];
        bool is_own = own == seat && p->is_up && record->run == p->run;
        if (!w->is_viewing[own])
            continue;
        for (int k = 0; k < SEATS && is_own; k++)
            w->since[own][k]++;
        if (is_own || own != seat)
            hear(w, own, seat, record);
        (void)tl_presence_take(&w->view[own], record, offset, is_own);
        if (is_own && p->epoch < 0)
            p->epoch =
                offset; /* or it learns of it by the acknowledgement: the same, or a later one */
        check_view(w, own, is_own);
    }
}

static struct tl_presence record_of(const struct walk *w, int seat)
{
    const struct process *p = &w->seat[seat];

    return (struct tl_presence){.kind = kind_of(seat),
                                .number = number_of(seat),
                                .epoch = p->first_records > 0 ? -1 : p->epoch,
                                .run = p->run,
                                .capacity = 10,
                                .mailbox_offset_read = p->read};
}

static void beat(struct walk *w, int seat)
{
    struct process *p = &w->seat[seat];
    struct tl_presence record = record_of(w, seat);

    p->read++;
    append(w, seat, &record);
    if (p->first_records > 0)
        p->first_records--;
}

/* ---- life ---- */

static void start(struct walk *w, int seat)
{
    if (w->is_viewing[seat])
        tl_presence_finish(&w->view[seat]);
    tl_presence_init(&w->view[seat], kind_of(seat), number_of(seat));
    w->is_viewing[seat] = true;
    w->seat[seat] = (struct process){
        .is_up = true, .run = ++w->next_run, .epoch = -1, .first_records = 1 + (int)draw(w, 2)};
    for (int k = 0; k < SEATS; k++) { /* it has seen nobody yet */
        w->since[seat][k] = 1000;
        w->run[seat][k] = 0;
        w->epoch[seat][k] = -1;
    }
}

/* SIGKILL; its last record may still be under way. */
static void die(struct walk *w, int seat)
{
    if (draw(w, 2) && w->ghosts_n < GHOSTS_MAX)
        w->ghosts[w->ghosts_n++] = (struct ghost){seat, record_of(w, seat)};
    w->seat[seat].is_up = w->seat[seat].is_stopped = false;
    w->is_viewing[seat] = false;
    tl_presence_finish(&w->view[seat]);
}

static void land_a_ghost(struct walk *w)
{
    if (!w->ghosts_n)
        return;
    int i = (int)draw(w, (uint32_t)w->ghosts_n);
    struct ghost ghost = w->ghosts[i];
    w->ghosts[i] = w->ghosts[--w->ghosts_n];
    append(w, ghost.seat, &ghost.record);
}

static bool beats(const struct walk *w, int seat)
{
    return w->seat[seat].is_up && !w->seat[seat].is_stopped;
}

/* One that beats without breaking the rule for anybody: never a fifth record of its own while
 * another that lives has sent none. */
static bool may_beat(const struct walk *w, int seat)
{
    if (!beats(w, seat))
        return false;
    for (int k = 0; k < SEATS; k++)
        if (k != seat && beats(w, k) && w->since[seat][k] == TL_PRESENCE_MISSED - 1)
            return false;
    return true;
}

/* A mailbox was written to; each of its records shows that it has read one more. */
static void owe(struct walk *w, int seat)
{
    int own = (int)draw(w, SEATS);

    if (beats(w, seat) && w->is_viewing[own])
        tl_presence_owe(&w->view[own], kind_of(seat), number_of(seat),
                        w->seat[seat].read + draw(w, 3));
}

static void step(struct walk *w)
{
    int seat = (int)draw(w, SEATS);

    w->steps++;
    switch (draw(w, 400)) {
    case 0:
    case 1:
        if (w->seat[seat].is_up)
            die(w, seat);
        return;
    case 2:
    case 3:
    case 4:
        if (!w->seat[seat].is_up)
            start(w, seat);
        return;
    case 5:
        if (w->seat[seat].is_up)
            w->seat[seat].is_stopped = !w->seat[seat].is_stopped;
        return;
    case 6:
    case 7:
    case 8:
        land_a_ghost(w);
        return;
    case 9:
    case 10:
    case 11:
    case 12:
        owe(w, seat);
        return;
    default:
        if (may_beat(w, seat))
            beat(w, seat);
    }
}

/* ---- the promises ---- */

static const struct tl_peer *peer_of(struct walk *w, int own, int seat)
{
    return tl_presence_peer(&w->view[own], kind_of(seat), number_of(seat));
}

/* Over half of those that live, or did until lately, are silent at once. */
static bool are_most_silent(struct walk *w, int own)
{
    int going = 0, all = 0;

    for (int i = 0; i < SEATS; i++) {
        int since = w->since[own][i];
        bool was_there = since < 2 * TL_PRESENCE_MISSED || peer_of(w, own, i) ||
                         since == TL_PRESENCE_WAIT; /* gone by this very record */
        all += was_there;
        going += was_there && w->since[own][i] >= TL_PRESENCE_MISSED - 2;
    }
    return going * 2 > all;
}

/* After each record. One that spoke since the fifth own record before is not gone, whatever else
 * happened, and what the view knows of it is the run that counts in the log; one that did not is
 * gone, at the latest after three seconds when most are silent. */
static void check_view(struct walk *w, int own, bool is_own)
{
    for (int k = 0; k < SEATS; k++) {
        const struct tl_peer *p = peer_of(w, own, k);
        if (w->run[own][k] && w->since[own][k] < TL_PRESENCE_MISSED) {
            assert_non_null(p);
            assert_true(p->run == w->run[own][k]);
            assert_true(p->epoch == w->epoch[own][k]);
        }
        assert_false(p && w->since[own][k] >= TL_PRESENCE_WAIT);
        if (is_own && p && w->since[own][k] >= TL_PRESENCE_MISSED) {
            assert_true(are_most_silent(w, own));
            w->waited++;
        }
        w->gone += is_own && !p && w->since[own][k] == TL_PRESENCE_MISSED;
    }
}

/* Everybody who lives beats in turn, until the three seconds are over: then all see the same. */
static void settle_and_check_that_all_agree(struct walk *w)
{
    while (w->ghosts_n)
        land_a_ghost(w);
    for (int i = 0; i < SEATS; i++) /* the stopped ones go on, and the superseded leave */
        w->seat[i].is_stopped = false;
    for (int round = 0; round < TL_PRESENCE_WAIT + 6; round++)
        for (int i = 0; i < SEATS; i++)
            if (beats(w, i))
                beat(w, i);
    for (int own = 0; own < SEATS; own++) {
        for (int k = 0; k < SEATS && w->is_viewing[own]; k++) {
            const struct tl_peer *p = peer_of(w, own, k);
            assert_int_equal(p != NULL, w->seat[k].is_up);
            assert_true(!p || (p->run == w->seat[k].run && p->epoch == w->seat[k].epoch));
        }
        assert_false(w->is_viewing[own] && w->view[own].superseded);
    }
}

static void walk(uint64_t seed, struct walk *w)
{
    *w = (struct walk){.random = seed};
    for (int i = 0; i < SEATS; i++)
        start(w, i);
    for (int part = 0; part < 5; part++) {
        for (int i = 0; i < 2000; i++)
            step(w);
        settle_and_check_that_all_agree(w);
    }
    for (int i = 0; i < SEATS; i++)
        if (w->is_viewing[i])
            tl_presence_finish(&w->view[i]);
}

static void living_are_never_gone_dead_always_and_views_agree(void **state)
{
    struct walk w;
    long gone = 0, waited = 0, steps = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        walk(seed, &w);
        gone += w.gone;
        waited += w.waited;
        steps += w.steps;
    }
    print_message("%ld steps, gone at the fifth record %ld times, waited %ld times\n", steps, gone,
                  waited);
    assert_true(gone > 1000 && waited > 100); /* it walks where it should */
}

/* ---- two processes with one number ---- */

/* Whoever has the higher epoch stays, in whatever order their records come: exactly one is
 * superseded. */
static void of_two_with_one_number_one_leaves(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct walk w = {.random = seed};
        struct tl_presence_view view[2];
        int64_t epoch[2] = {-1, -1}, offset = 0;
        int sent[2] = {0};

        for (int i = 0; i < 2; i++)
            tl_presence_init(&view[i], TL_INSTANCE_KIND_INGEST, 3);
        while (sent[0] < 3 || sent[1] < 3) {
            int i = (int)draw(&w, 2);
            struct tl_presence r = {
                .kind = TL_INSTANCE_KIND_INGEST, .number = 3, .epoch = epoch[i], .run = 1 + i};
            for (int k = 0; k < 2; k++)
                (void)tl_presence_take(&view[k], &r, offset, i == k);
            if (epoch[i] < 0)
                epoch[i] = offset;
            offset++;
            sent[i]++;
        }
        assert_true(view[0].superseded != view[1].superseded);
        assert_true(view[0].superseded == (epoch[1] > epoch[0]));
        for (int i = 0; i < 2; i++)
            tl_presence_finish(&view[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(living_are_never_gone_dead_always_and_views_agree),
        cmocka_unit_test(of_two_with_one_number_one_leaves),
    };
    return cmocka_run_group_tests_name("presence_walk", tests, NULL, NULL);
}
