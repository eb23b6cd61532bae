/* presence.h: who lives, who gets a call, and whether there is room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "call/presence.h"

#define INGEST TL_INSTANCE_KIND_INGEST
#define CONVERSATION TL_INSTANCE_KIND_CONVERSATION

#define OWN_RUN 1010

/* The view of ingest 0, whose own first record stands at offset 10. */
struct fixture {
    struct tl_presence_view view;
    int64_t offset; /* of the next record */
};

static struct tl_presence record(enum tl_instance_kind kind, int number, int64_t epoch)
{
    return (struct tl_presence){.kind = kind,
                                .number = number,
                                .epoch = epoch,
                                .run = 1000 + epoch, /* one for each epoch */
                                .capacity = 10,
                                .mailbox_offset_read = -1};
}

static bool take(struct fixture *f, const struct tl_presence *r, bool is_own)
{
    return tl_presence_take(&f->view, r, f->offset++, is_own);
}

static bool own(struct fixture *f)
{
    struct tl_presence r = record(INGEST, 0, 10); /* run: OWN_RUN */
    return take(f, &r, true);
}

static bool peer(struct fixture *f, int number, int64_t epoch)
{
    struct tl_presence r = record(CONVERSATION, number, epoch);
    return take(f, &r, false);
}

static struct tl_peer *living(struct fixture *f, int number)
{
    return tl_presence_peer(&f->view, CONVERSATION, number);
}

static int set_up(void **state)
{
    static struct fixture f;
    tl_presence_init(&f.view, INGEST, 0);
    f.offset = 10;
    struct tl_presence first = record(INGEST, 0, -1);
    first.run = OWN_RUN;
    assert_false(take(&f, &first, true));
    assert_true(own(&f));
    f.offset = 1000;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tl_presence_finish(&f->view);
    return 0;
}

/* ---- who lives ---- */

static bool beat(struct fixture *f, int64_t run, int64_t epoch)
{
    struct tl_presence r = record(CONVERSATION, 4, epoch);
    r.run = run;
    return take(f, &r, false);
}

static void run_counts_from_the_record_that_names_its_epoch(void **state)
{
    struct fixture *f = *state;
    assert_true(f->view.own_epoch == 10);
    f->offset = 77;
    assert_false(beat(f, 1, -1));
    assert_null(living(f, 4));
    assert_true(beat(f, 1, 77));
    assert_true(living(f, 4)->epoch == 77);
    assert_false(beat(f, 1, 77)); /* nothing new */
}

/* The broker could not say where the first record stands, so that the next one has no epoch either:
 * taken for the beginning of another run, the instance was seen by nobody any more. */
static void two_first_records_of_one_run_are_one_run(void **state)
{
    struct fixture *f = *state;
    f->offset = 77;
    assert_false(beat(f, 1, -1));
    assert_false(beat(f, 1, -1)); /* 78 */
    assert_true(beat(f, 1, 77));
    assert_true(living(f, 4)->epoch == 77);
    assert_false(beat(f, 1, -1)); /* sent again, late */
    assert_true(living(f, 4)->epoch == 77);
    for (int i = 0; i < 3; i++) { /* and it is a sign of life */
        (void)own(f);
        (void)own(f);
        assert_false(beat(f, 1, -1));
    }
    assert_non_null(living(f, 4));
}

/* A broker that was paused takes the requests of its connections in any order. */
static void first_record_of_a_dead_run_behind_the_next_run_changes_nothing(void **state)
{
    struct fixture *f = *state;
    f->offset = 77;
    assert_false(beat(f, 2, -1));
    assert_true(beat(f, 2, 77));
    assert_false(beat(f, 1, -1)); /* of the run that died before */
    assert_true(living(f, 4)->epoch == 77);
    assert_true(living(f, 4)->run == 2);
    assert_false(beat(f, 2, 77));
}

static void dead_run_is_visible_until_the_next_one_names_its_epoch(void **state)
{
    struct fixture *f = *state;
    f->offset = 77;
    assert_true(beat(f, 1, 50));
    assert_false(beat(f, 2, -1)); /* 78 */
    assert_false(beat(f, 1, 50)); /* what the dead one had under way */
    assert_true(living(f, 4)->epoch == 50);
    assert_true(beat(f, 2, 78));
    assert_false(beat(f, 1, 50));
    assert_true(living(f, 4)->run == 2);
}

/* Offsets begin at 0 again when the topic was deleted: an epoch that lies ahead of the log is of the
 * topic before. */
static void number_runs_anew_in_a_topic_made_anew(void **state)
{
    struct fixture *f = *state;
    f->offset = 7000;
    assert_true(beat(f, 1, 5000));
    f->offset = 2;
    assert_false(beat(f, 1, 5000)); /* it goes on in the new topic */
    assert_false(beat(f, 2, -1));   /* 3 */
    assert_false(beat(f, 2, 3));    /* for all we know an old run: the other one lives */
    for (int i = 0; i < 5; i++)
        (void)own(f);
    assert_null(living(f, 4));
    assert_true(beat(f, 2, 3));
    assert_true(living(f, 4)->epoch == 3);
    assert_true(living(f, 4)->run == 2);
}

static void late_record_does_not_revive_a_run_in_the_same_topic(void **state)
{
    struct fixture *f = *state;
    f->offset = 7000;
    assert_true(beat(f, 2, 5000));
    for (int i = 0; i < 5; i++)
        (void)own(f);
    assert_false(beat(f, 1, 4000));
    assert_null(living(f, 4));
}

static void same_epoch_in_two_topics_is_decided_by_the_run(void **state)
{
    struct fixture *f = *state;
    assert_true(beat(f, 5, 3));
    assert_false(beat(f, 4, 3));
    assert_true(living(f, 4)->run == 5);
    assert_true(beat(f, 6, 3));
    assert_true(living(f, 4)->run == 6);
    for (int i = 0; i < 5; i++)
        (void)own(f);
    assert_true(beat(f, 4, 3)); /* the other one is gone */
    struct tl_presence twin = record(INGEST, 0, 10);
    twin.run = OWN_RUN - 1;
    (void)take(f, &twin, false);
    assert_false(f->view.superseded);
    twin.run = OWN_RUN + 1; /* one of the two has to go */
    (void)take(f, &twin, false);
    assert_true(f->view.superseded);
}

static void peer_is_gone_after_five_own_records_without_one_of_its(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 50));
    for (int i = 0; i < 4; i++)
        assert_false(own(f));
    assert_non_null(living(f, 1));
    assert_true(own(f)); /* the fifth */
    assert_null(living(f, 1));
}

static void peer_that_speaks_in_between_is_not_gone(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 50));
    for (int i = 0; i < 40; i++) {
        assert_false(own(f));
        if (i % 4 == 3)
            assert_false(peer(f, 1, 50));
    }
    assert_non_null(living(f, 1));
}

static void nobody_is_gone_while_the_own_records_do_not_come_back(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 50));
    assert_true(peer(f, 2, 51));
    for (int i = 0; i < 100; i++)
        assert_false(peer(f, 2, 51));
    assert_non_null(living(f, 1));
}

static void gone_peer_comes_back_with_its_next_record(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 50));
    for (int i = 0; i < 5; i++)
        (void)own(f);
    assert_null(living(f, 1));
    assert_true(peer(f, 1, 50));
    assert_non_null(living(f, 1));
}

static void higher_epoch_replaces_a_run(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 50));
    tl_presence_owe(&f->view, CONVERSATION, 1, 7);
    assert_true(peer(f, 1, 60));
    assert_true(living(f, 1)->epoch == 60);
    assert_true(living(f, 1)->owed_offset == -1); /* what the old run owed is nobody's */
}

static void late_record_of_a_replaced_run_is_ignored(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 60));
    struct tl_presence late = record(CONVERSATION, 1, 50);
    late.calls_held = 9;
    late.draining = true;
    assert_false(take(f, &late, false));
    assert_true(living(f, 1)->epoch == 60);
    assert_int_equal(living(f, 1)->calls_held, 0);
}

static void late_record_of_a_replaced_run_does_not_keep_it_alive(void **state)
{
    struct fixture *f = *state;
    assert_true(peer(f, 1, 60));
    for (int i = 0; i < 5; i++) {
        (void)own(f);
        (void)peer(f, 1, 50);
    }
    assert_null(living(f, 1));
}

static void own_number_under_a_higher_epoch_supersedes(void **state)
{
    struct fixture *f = *state;
    struct tl_presence other = record(INGEST, 0, -1);
    (void)take(f, &other, false);
    assert_false(f->view.superseded); /* it may have died before we began */
    other = record(INGEST, 0, f->offset - 1);
    (void)take(f, &other, false);
    assert_true(f->view.superseded);
}

static void own_number_under_a_lower_epoch_does_not_supersede(void **state)
{
    struct fixture *f = *state;
    struct tl_presence before = record(INGEST, 0, 3);
    (void)take(f, &before, false);
    struct tl_presence other_kind = record(CONVERSATION, 0, 99);
    (void)take(f, &other_kind, false);
    assert_false(f->view.superseded);
}

static void nothing_supersedes_before_the_own_first_record_is_back(void **state)
{
    struct fixture f = {.offset = 5};
    struct tl_presence before = record(INGEST, 0, 4), mine = record(INGEST, 0, -1);
    (void)state;
    tl_presence_init(&f.view, INGEST, 0);
    (void)take(&f, &before, false);
    (void)take(&f, &mine, true);
    assert_false(f.view.superseded);
    assert_true(f.view.own_epoch == 6);
    (void)take(&f, &before, false); /* it goes on, and will see us */
    assert_false(f.view.superseded);
    tl_presence_finish(&f.view);
}

/* Peers 1 to n, alive. */
static void fleet(struct fixture *f, int n)
{
    for (int i = 1; i <= n; i++)
        assert_true(peer(f, i, 50));
}

/* n own records, with one of each of the first `speaking` peers behind it. */
static void rounds(struct fixture *f, int n, int speaking)
{
    for (int i = 0; i < n; i++) {
        (void)own(f);
        for (int k = 1; k <= speaking; k++)
            (void)peer(f, k, 50);
    }
}

static void over_half_of_the_fleet_at_once_waits(void **state)
{
    struct fixture *f = *state;
    fleet(f, 5); /* six with ourselves */
    rounds(f, 10, 1);
    for (int i = 1; i <= 5; i++)
        assert_non_null(living(f, i)); /* four of six */
    rounds(f, 14, 1);                  /* three seconds are 24 records */
    assert_non_null(living(f, 1));
    for (int i = 2; i <= 5; i++)
        assert_null(living(f, i));
}

static void over_half_of_the_fleet_that_comes_back_was_never_gone(void **state)
{
    struct fixture *f = *state;
    fleet(f, 5);
    rounds(f, 20, 1);
    for (int i = 2; i <= 5; i++)
        assert_false(peer(f, i, 50));
    rounds(f, 4, 1);
    for (int i = 1; i <= 5; i++)
        assert_non_null(living(f, i));
}

static void half_of_the_fleet_is_gone_at_once(void **state)
{
    struct fixture *f = *state;
    fleet(f, 5);
    rounds(f, 5, 2);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(living(f, i) != NULL, i <= 2); /* three of six */
}

static void over_half_of_the_fleet_a_record_apart_waits(void **state)
{
    struct fixture *f = *state;
    fleet(f, 5);
    (void)own(f);
    (void)peer(f, 1, 50);
    (void)peer(f, 2, 50); /* these two had one record more */
    (void)peer(f, 3, 50);
    rounds(f, 6, 1);
    for (int i = 1; i <= 5; i++)
        assert_non_null(living(f, i));
    rounds(f, 18, 1);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(living(f, i) != NULL, i == 1);
}

/* Two are gone, and two more fall silent before anybody could have told: over half at once. */
static void those_that_are_gone_since_a_moment_count_as_at_once(void **state)
{
    struct fixture *f = *state;
    fleet(f, 5);
    rounds(f, 3, 3);
    rounds(f, 2, 1);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(living(f, i) != NULL, i <= 3);
    rounds(f, 4, 1); /* 2 and 3 have missed six */
    assert_non_null(living(f, 2));
    assert_non_null(living(f, 3));
    rounds(f, 1, 1); /* the others are gone since five records: now these two are half of four */
    assert_null(living(f, 2));
    assert_null(living(f, 3));
}

/* ---- told ---- */

struct told {
    int n[TL_GONE_CAUSES];
    int64_t epoch;
};

static void on_gone(void *arg, const struct tl_peer *p, enum tl_gone_cause cause)
{
    struct told *told = arg;
    told->n[cause]++;
    told->epoch = p->epoch;
}

static void gone_is_told_once_with_its_cause(void **state)
{
    struct fixture *f = *state;
    struct told told = {0};
    f->view.on_gone = on_gone;
    f->view.arg = &told;
    assert_true(peer(f, 1, 50));
    for (int i = 0; i < 9; i++)
        (void)own(f);
    assert_int_equal(told.n[TL_GONE_MISSED], 1);
    assert_true(peer(f, 1, 50));
    assert_true(peer(f, 1, 60));
    assert_int_equal(told.n[TL_GONE_EPOCH], 1);
    assert_true(told.epoch == 50);
    tl_presence_owe(&f->view, CONVERSATION, 1, 3);
    for (int i = 0; i < 9; i++)
        (void)peer(f, 1, 60);
    assert_int_equal(told.n[TL_GONE_STUCK], 1);
    assert_int_equal(told.n[TL_GONE_MISSED], 1);
    assert_true(peer(f, 1, 70)); /* of one that was gone there is no news */
    assert_int_equal(told.n[TL_GONE_EPOCH], 1);
}

static void only_peer_is_gone_without_waiting(void **state)
{
    struct fixture *f = *state;
    fleet(f, 1);
    rounds(f, 5, 0);
    assert_null(living(f, 1));
}

/* ---- a mailbox that is not read ---- */

static bool peer_read(struct fixture *f, int number, int64_t mailbox_offset_read)
{
    struct tl_presence r = record(CONVERSATION, number, 50);
    r.mailbox_offset_read = mailbox_offset_read;
    return take(f, &r, false);
}

static void peer_that_does_not_read_its_mailbox_is_gone_after_five_of_its_records(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    tl_presence_owe(&f->view, CONVERSATION, 1, 100);
    for (int i = 0; i < 4; i++)
        assert_false(peer_read(f, 1, 100));
    assert_non_null(living(f, 1));
    assert_true(peer_read(f, 1, 100));
    assert_null(living(f, 1));
}

static void peer_that_does_not_read_stays_gone_until_it_does(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    tl_presence_owe(&f->view, CONVERSATION, 1, 100);
    for (int i = 0; i < 5; i++)
        (void)peer_read(f, 1, 100);
    for (int i = 0; i < 20; i++) {
        assert_false(peer_read(f, 1, 100));
        assert_null(living(f, 1));
    }
    assert_true(peer_read(f, 1, 101));
    assert_non_null(living(f, 1));
}

static void peer_that_did_not_read_comes_back_with_a_new_run(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    tl_presence_owe(&f->view, CONVERSATION, 1, 100);
    for (int i = 0; i < 5; i++)
        (void)peer_read(f, 1, 100);
    assert_true(peer(f, 1, 90));
    assert_non_null(living(f, 1));
}

static void peer_that_passes_what_it_owed_lives(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    for (int64_t at = 100; at < 130; at++) {
        tl_presence_owe(&f->view, CONVERSATION, 1, at);
        for (int i = 0; i < 4; i++)
            assert_false(peer_read(f, 1, at));
        assert_false(peer_read(f, 1, at + 1)); /* just in time */
    }
    assert_non_null(living(f, 1));
}

static void peer_that_reads_but_behind_what_it_owes_is_gone(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    tl_presence_owe(&f->view, CONVERSATION, 1, 200);
    for (int i = 0; i < 5; i++)
        (void)peer_read(f, 1, 101 + i); /* to 105: none passed 200 */
    assert_null(living(f, 1));
}

/* n records of each of the peers 1 to last; those up to `reading` pass what they owe. */
static void reads(struct fixture *f, int n, int last, int reading, int64_t at)
{
    for (int i = 0; i < n; i++)
        for (int k = 1; k <= last; k++)
            (void)peer_read(f, k, k <= reading ? at + 1 : at);
}

static void owe(struct fixture *f, int last, int64_t at)
{
    for (int k = 1; k <= last; k++) {
        (void)peer_read(f, k, at);
        tl_presence_owe(&f->view, CONVERSATION, k, at);
    }
}

/* A broker that was away serves the mailboxes later than presence: that is no fault of those who read
 * them, and nobody else would read more. */
static void all_that_do_not_read_at_once_wait(void **state)
{
    struct fixture *f = *state;
    owe(f, 2, 100);
    reads(f, 23, 2, 0, 100);
    assert_non_null(living(f, 1));
    assert_non_null(living(f, 2));
    reads(f, 1, 2, 0, 100); /* three seconds */
    assert_null(living(f, 1));
    assert_null(living(f, 2));
}

static void all_that_do_not_read_at_once_wait_though_others_get_nothing(void **state)
{
    struct fixture *f = *state;
    for (int k = 3; k <= 9; k++)
        (void)peer_read(f, k, 100); /* they have no calls of ours: they prove nothing */
    owe(f, 2, 100);
    reads(f, 20, 2, 0, 100);
    assert_non_null(living(f, 1));
    assert_non_null(living(f, 2));
    reads(f, 1, 2, 2, 100);
    reads(f, 30, 2, 0, 101);
    assert_non_null(living(f, 1));
}

static void one_that_does_not_read_is_gone_while_another_does(void **state)
{
    struct fixture *f = *state;
    owe(f, 2, 100);
    reads(f, 5, 2, 1, 100);
    assert_non_null(living(f, 1));
    assert_null(living(f, 2));
}

/* Two stuck, one record apart: none of them may slip through for having come first. */
static void at_once_is_not_at_the_very_same_record(void **state)
{
    struct fixture *f = *state;
    owe(f, 3, 100);
    (void)peer_read(f, 1, 100);
    reads(f, 5, 3, 0, 100);
    for (int k = 1; k <= 3; k++)
        assert_non_null(living(f, k));
}

static void mailbox_made_anew_owes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 70000));
    tl_presence_owe(&f->view, CONVERSATION, 1, 70000);
    for (int i = 0; i < 5; i++)
        (void)peer_read(f, 1, 70000);
    assert_null(living(f, 1));
    assert_true(peer_read(f, 1, 3)); /* it reads the new one */
    for (int i = 0; i < 9; i++)
        assert_false(peer_read(f, 1, 3));
    assert_non_null(living(f, 1));
}

static void owing_more_does_not_give_more_time(void **state)
{
    struct fixture *f = *state;
    assert_true(peer_read(f, 1, 100));
    for (int i = 0; i < 5; i++) {
        tl_presence_owe(&f->view, CONVERSATION, 1, 100 + i);
        (void)peer_read(f, 1, 100);
    }
    assert_null(living(f, 1));
}

static void owing_to_an_unknown_peer_is_nothing(void **state)
{
    struct fixture *f = *state;
    tl_presence_owe(&f->view, CONVERSATION, 63, 1);
    assert_null(living(f, 63));
}

/* ---- draining ---- */

static void draining_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct tl_presence r = record(CONVERSATION, 1, 50);
    assert_true(take(f, &r, false));
    r.draining = true;
    assert_true(take(f, &r, false));
    assert_false(take(f, &r, false));
    assert_non_null(living(f, 1)); /* it lives */
}

/* ---- choosing ---- */

static void offer(struct fixture *f, int number, int held, int promised, int capacity)
{
    struct tl_presence r = record(CONVERSATION, number, 50);
    r.calls_held = held;
    r.calls_promised = promised;
    r.capacity = capacity;
    (void)take(f, &r, false);
}

static int chosen(struct fixture *f, const char *key, uint64_t random, int not_number)
{
    struct tl_peer *p = tl_presence_choose(&f->view, CONVERSATION, key, random, not_number);
    return p ? p->number : -1;
}

#define PAIR(a, b) ((uint64_t)(b) << 32 | (uint64_t)(a))

static void choose_takes_the_freer_of_two(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 2, 3, 10); /* 5 free */
    offer(f, 2, 8, 0, 14); /* 6 free */
    assert_int_equal(chosen(f, "call", PAIR(0, 1), -1), 2);
    assert_int_equal(chosen(f, "call", PAIR(1, 0), -1), 2);
    assert_int_not_equal(chosen(f, "call", PAIR(0, 0), -1), chosen(f, "call", PAIR(1, 1), -1));
}

static void choose_leaves_out_draining_full_and_gone(void **state)
{
    struct fixture *f = *state;
    struct tl_presence draining = record(CONVERSATION, 1, 50);
    draining.draining = true;
    (void)take(f, &draining, false);
    offer(f, 2, 10, 0, 10);
    offer(f, 3, 4, 6, 10); /* promises count */
    offer(f, 4, 0, 0, 10);
    struct tl_presence ingest = record(INGEST, 9, 50);
    (void)take(f, &ingest, false); /* another kind */
    for (uint64_t i = 0; i < 4; i++)
        for (uint64_t k = 0; k < 4; k++)
            assert_int_equal(chosen(f, "call", PAIR(i, k), -1), 4);
    living(f, 4)->gone = true;
    assert_int_equal(chosen(f, "call", 0, -1), -1);
}

static void choose_leaves_out_the_one_that_refused(void **state)
{
    struct fixture *f = *state;
    fleet(f, 3);
    for (uint64_t i = 0; i < 9; i++)
        assert_int_not_equal(chosen(f, "call", PAIR(i % 3, i / 3), 2), 2);
    living(f, 1)->draining = living(f, 3)->draining = true;
    assert_int_equal(chosen(f, "call", 0, 2), -1);
}

/* The numbers among which a key's calls are drawn, as a bit set. */
static uint64_t neighbours(struct fixture *f, const char *key)
{
    uint64_t set = 0;
    for (uint64_t i = 0; i < 64; i++)
        set |= UINT64_C(1) << chosen(f, key, PAIR(i, i), -1);
    return set;
}

static void choose_draws_out_of_four_neighbours_of_the_key(void **state)
{
    struct fixture *f = *state;
    uint64_t all = 0;
    char key[24];

    fleet(f, 20);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "call-%d", i);
        uint64_t set = neighbours(f, key);
        assert_int_equal(__builtin_popcountll(set), 4);
        assert_true(set == neighbours(f, key));
        all |= set;
    }
    assert_int_equal(__builtin_popcountll(all), 20); /* keys spread over all */
}

static void choose_goes_on_to_more_neighbours_when_these_are_full(void **state)
{
    struct fixture *f = *state;
    fleet(f, 20);
    uint64_t first = neighbours(f, "call");
    for (int i = 1; i <= 20; i++)
        if (first >> i & 1)
            offer(f, i, 10, 0, 10);
    uint64_t second = neighbours(f, "call");
    assert_int_equal(__builtin_popcountll(second), 4);
    assert_true((first & second) == 0);
}

/* Rendezvous: one that comes or goes moves nobody else. */
static void choose_keeps_the_neighbours_when_another_one_goes(void **state)
{
    struct fixture *f = *state;
    fleet(f, 20);
    uint64_t before = neighbours(f, "call");
    for (int i = 1; i <= 20; i++)
        if (!(before >> i & 1))
            living(f, i)->draining = true;
    assert_true(neighbours(f, "call") == before);
}

static void freest_asks_for_no_room_and_leaves_out_who_refused(void **state)
{
    struct fixture *f = *state;
    static const int refused[] = {2, 4};
    offer(f, 1, 12, 0, 10); /* over its capacity */
    offer(f, 2, 0, 0, 10);
    offer(f, 3, 11, 0, 10);
    offer(f, 4, 5, 0, 10);
    offer(f, 5, 0, 0, 10);
    living(f, 5)->draining = true;
    assert_int_equal(tl_presence_freest(&f->view, CONVERSATION, NULL, 0)->number, 2);
    assert_int_equal(tl_presence_freest(&f->view, CONVERSATION, refused, 1)->number, 4);
    assert_int_equal(tl_presence_freest(&f->view, CONVERSATION, refused, 2)->number, 3);
    living(f, 3)->gone = living(f, 1)->gone = true;
    assert_null(tl_presence_freest(&f->view, CONVERSATION, refused, 2));
}

/* ---- admission ---- */

static bool admits(struct fixture *f)
{
    return tl_presence_admits(&f->view, CONVERSATION);
}

static void admits_while_the_others_can_absorb_the_fullest(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 6, 0, 10);
    offer(f, 2, 3, 0, 10);
    assert_true(admits(f)); /* 7 free beside the fullest one's 6: with this call 6 beside 6, or 7, 7 */
    offer(f, 2, 4, 0, 10);
    assert_false(admits(f)); /* 6: this call would be one for which there is no room */
    offer(f, 3, 10, 0, 13);
    assert_false(admits(f)); /* 10 of the fullest; 4 + 6 free, and 3 of its own that do not count */
    offer(f, 3, 6, 0, 10);
    assert_true(admits(f));
    offer(f, 1, 9, 1, 10);
    assert_false(admits(f)); /* promises count: 10; 6 + 4 free */
}

/* Walk the rule itself: whatever is admitted, and wherever it goes, any one may die then. */
static void admits_only_what_a_death_of_any_leaves_room_for(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct fixture f = {.offset = 10};
        unsigned r = seed;
        int held[5] = {0}, capacity[5], n = 2 + (int)(seed % 4), admitted = 0;
        tl_presence_init(&f.view, INGEST, 0);
        for (int i = 0; i < n; i++) {
            capacity[i] = 1 + (int)((r = r * 1103515245u + 12345u) >> 16) % 12;
            offer(&f, i, 0, 0, capacity[i]);
        }
        for (;; admitted++) {
            int room_of_all = 0, to = -1;
            for (int i = 0; i < n; i++)
                room_of_all += capacity[i] - held[i];
            for (int i = 0; i < n; i++)
                assert_true(held[i] <= room_of_all - (capacity[i] - held[i]));
            if (!admits(&f))
                break;
            for (int tries = 0; to < 0 && tries < 1000; tries++) {
                int i = (int)((r = r * 1103515245u + 12345u) >> 16) % n;
                to = held[i] < capacity[i] ? i : -1;
            }
            assert_true(to >= 0);
            held[to]++;
            offer(&f, to, held[to], 0, capacity[to]);
        }
        tl_presence_finish(&f.view);
    }
}

static void governed(struct fixture *f, int number, int new_calls)
{
    struct tl_presence r = record(CONVERSATION, number, 50);
    r.new_calls = (struct tl_opt_int){.set = true, .value = new_calls};
    (void)take(f, &r, false);
}

static void governor_keeps_new_calls_away_but_not_those_that_go_on(void **state)
{
    struct fixture *f = *state;
    governed(f, 1, 0);
    governed(f, 2, 1);
    assert_true(admits(f));
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(chosen(f, "call", PAIR(i % 2, i / 2), -1), 2);
    tl_presence_promise(&f->view, CONVERSATION, 2, 1);
    assert_false(admits(f));
    assert_int_not_equal(chosen(f, "call", 0, -1), -1);
    governed(f, 2, 0);
    assert_false(admits(f));
    assert_int_equal(chosen(f, "call", 0, 2), 1);
}

static void promise_counts_until_it_is_taken_back(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 3, 0, 10);
    offer(f, 2, 3, 0, 10);
    tl_presence_promise(&f->view, CONVERSATION, 1, 4);
    assert_false(admits(f)); /* 7 beside 7 free */
    offer(f, 1, 3, 0, 10);   /* a heartbeat does not make it forgotten */
    assert_false(admits(f));
    tl_presence_promise(&f->view, CONVERSATION, 1, -1);
    assert_true(admits(f));
    for (uint64_t i = 0; i < 4; i++) /* and the promised calls take their room */
        assert_int_equal(chosen(f, "call", PAIR(i % 2, (i + 1) % 2), -1), 2);
    tl_presence_promise(&f->view, CONVERSATION, 1, -9); /* never below none */
    assert_int_equal(living(f, 1)->promised_here, 0);
    tl_presence_promise(&f->view, CONVERSATION, 63, 1); /* unknown: nothing */
}

static void promises_of_other_ingests_may_go_anywhere(void **state)
{
    struct fixture *f = *state;
    struct tl_presence ingest = record(INGEST, 1, 50);
    offer(f, 1, 4, 0, 10);
    offer(f, 2, 4, 0, 10);
    ingest.calls_promised = 1;
    (void)take(f, &ingest, false);
    assert_true(admits(f)); /* 4 beside 6, one of them promised */
    ingest.calls_promised = 2;
    (void)take(f, &ingest, false);
    assert_false(admits(f));
    struct tl_presence mine = record(INGEST, 0, 10);
    ingest.calls_promised = 0;
    mine.calls_promised = 9; /* our own are known better */
    (void)take(f, &ingest, false);
    (void)take(f, &mine, true);
    assert_true(admits(f));
}

static void has_counts_who_lives_and_does_not_drain(void **state)
{
    struct fixture *f = *state;
    assert_false(tl_presence_has(&f->view, CONVERSATION, -1));
    offer(f, 1, 0, 0, 10);
    assert_true(tl_presence_has(&f->view, CONVERSATION, -1));
    assert_false(tl_presence_has(&f->view, CONVERSATION, 1));
    living(f, 1)->draining = true;
    assert_false(tl_presence_has(&f->view, CONVERSATION, -1));
}

static void admits_nobody_when_all_are_full_or_none_lives(void **state)
{
    struct fixture *f = *state;
    assert_false(admits(f));
    offer(f, 1, 10, 0, 10);
    assert_false(admits(f));
    offer(f, 2, 10, 0, 10);
    assert_false(admits(f));
}

static void admits_while_one_alone_has_room(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 9, 0, 10);
    assert_true(admits(f));
    offer(f, 1, 9, 1, 10);
    assert_false(admits(f));
}

static void admits_does_not_count_draining_and_gone(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 6, 0, 10);
    offer(f, 2, 5, 0, 10);
    offer(f, 3, 0, 0, 10);
    assert_true(admits(f));
    living(f, 3)->draining = true;
    assert_false(admits(f));
    living(f, 3)->draining = false;
    living(f, 3)->gone = true;
    assert_false(admits(f));
}

/* Of two that are equally full the room of neither may be counted twice, in whichever order they
 * came. */
static void admits_does_not_depend_on_the_order_of_equals(void **state)
{
    struct fixture *f = *state;
    offer(f, 1, 5, 0, 6);
    offer(f, 2, 5, 0, 10);
    assert_false(admits(f)); /* number 1 has room for one of the five of number 2 */
    struct fixture other = {.offset = 10};
    tl_presence_init(&other.view, INGEST, 0);
    offer(&other, 2, 5, 0, 10);
    offer(&other, 1, 5, 0, 6);
    assert_false(admits(&other));
    tl_presence_finish(&other.view);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(run_counts_from_the_record_that_names_its_epoch),
        TEST(two_first_records_of_one_run_are_one_run),
        TEST(first_record_of_a_dead_run_behind_the_next_run_changes_nothing),
        TEST(dead_run_is_visible_until_the_next_one_names_its_epoch),
        TEST(number_runs_anew_in_a_topic_made_anew),
        TEST(late_record_does_not_revive_a_run_in_the_same_topic),
        TEST(same_epoch_in_two_topics_is_decided_by_the_run),
        TEST(peer_is_gone_after_five_own_records_without_one_of_its),
        TEST(peer_that_speaks_in_between_is_not_gone),
        TEST(nobody_is_gone_while_the_own_records_do_not_come_back),
        TEST(gone_peer_comes_back_with_its_next_record),
        TEST(higher_epoch_replaces_a_run),
        TEST(late_record_of_a_replaced_run_is_ignored),
        TEST(late_record_of_a_replaced_run_does_not_keep_it_alive),
        TEST(own_number_under_a_higher_epoch_supersedes),
        TEST(own_number_under_a_lower_epoch_does_not_supersede),
        cmocka_unit_test(nothing_supersedes_before_the_own_first_record_is_back),
        TEST(over_half_of_the_fleet_at_once_waits),
        TEST(over_half_of_the_fleet_that_comes_back_was_never_gone),
        TEST(half_of_the_fleet_is_gone_at_once),
        TEST(over_half_of_the_fleet_a_record_apart_waits),
        TEST(those_that_are_gone_since_a_moment_count_as_at_once),
        TEST(gone_is_told_once_with_its_cause),
        TEST(only_peer_is_gone_without_waiting),
        TEST(peer_that_does_not_read_its_mailbox_is_gone_after_five_of_its_records),
        TEST(peer_that_does_not_read_stays_gone_until_it_does),
        TEST(peer_that_did_not_read_comes_back_with_a_new_run),
        TEST(peer_that_passes_what_it_owed_lives),
        TEST(peer_that_reads_but_behind_what_it_owes_is_gone),
        TEST(all_that_do_not_read_at_once_wait),
        TEST(all_that_do_not_read_at_once_wait_though_others_get_nothing),
        TEST(one_that_does_not_read_is_gone_while_another_does),
        TEST(at_once_is_not_at_the_very_same_record),
        TEST(mailbox_made_anew_owes_nothing),
        TEST(owing_more_does_not_give_more_time),
        TEST(owing_to_an_unknown_peer_is_nothing),
        TEST(draining_is_told_once),
        TEST(choose_takes_the_freer_of_two),
        TEST(choose_leaves_out_draining_full_and_gone),
        TEST(choose_leaves_out_the_one_that_refused),
        TEST(choose_draws_out_of_four_neighbours_of_the_key),
        TEST(choose_goes_on_to_more_neighbours_when_these_are_full),
        TEST(choose_keeps_the_neighbours_when_another_one_goes),
        TEST(freest_asks_for_no_room_and_leaves_out_who_refused),
        TEST(admits_while_the_others_can_absorb_the_fullest),
        cmocka_unit_test(admits_only_what_a_death_of_any_leaves_room_for),
        TEST(governor_keeps_new_calls_away_but_not_those_that_go_on),
        TEST(promise_counts_until_it_is_taken_back),
        TEST(promises_of_other_ingests_may_go_anywhere),
        TEST(has_counts_who_lives_and_does_not_drain),
        TEST(admits_nobody_when_all_are_full_or_none_lives),
        TEST(admits_while_one_alone_has_room),
        TEST(admits_does_not_count_draining_and_gone),
        TEST(admits_does_not_depend_on_the_order_of_equals),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
