/* Events of a call get into the log in order, whatever becomes of single deliveries: fleet/story.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/story.h"

#define SENT_MAX 64

/* The broker: what was sent to it and not answered yet, and its log, one letter an event. */
struct broker {
    struct {
        char letter;
        tl_delivery_fn fn;
        void *arg;
    } sent[SENT_MAX];
    size_t sent_n;
    char log[SENT_MAX];
    size_t log_n;
    bool is_full, refuses;
};

struct fixture {
    uv_loop_t loop;
    struct tl_log log; /* to nowhere */
    struct broker broker;
    struct tl_stories stories;
    struct tl_story *story;
    char logged[SENT_MAX]; /* letters whose owner was told that they are in the log; small: that not */
    size_t logged_n;
};

static struct fixture *now; /* of the owner's callbacks, whose argument is the letter */

static enum tl_status take(void *arg, const char *call_id, struct tl_bytes value, tl_delivery_fn fn,
                           void *delivery_arg, struct tl_error *err)
{
    struct broker *b = arg;

    (void)call_id;
    if (b->is_full)
        return tl_fail(err, TL_RETRY, "full");
    if (b->refuses)
        return tl_fail(err, TL_INVALID, "too large");
    b->sent[b->sent_n].letter = (char)value.data[0];
    b->sent[b->sent_n].fn = fn;
    b->sent[b->sent_n++].arg = delivery_arg;
    return TL_OK;
}

/* The oldest delivery that is owed is told; OK: it stands in the log. */
static void answer(struct fixture *f, enum tl_status status)
{
    struct broker *b = &f->broker;
    struct tl_delivery delivery = {.status = status, .error = "", .offset = -1};
    tl_delivery_fn fn = b->sent[0].fn;
    void *arg = b->sent[0].arg;

    if (status == TL_OK) {
        delivery.offset = (int64_t)b->log_n;
        b->log[b->log_n++] = b->sent[0].letter;
    }
    memmove(b->sent, b->sent + 1, --b->sent_n * sizeof(b->sent[0]));
    fn(arg, &delivery);
}

static void on_logged(void *arg, const struct tl_delivery *delivery)
{
    char letter = (char)(intptr_t)arg;
    now->logged[now->logged_n++] = delivery->status == TL_OK ? letter : (char)(letter + 'a' - 'A');
}

static void add(struct fixture *f, const char *letters)
{
    for (; *letters; letters++)
        tl_story_add(f->story, (struct tl_bytes){(const uint8_t *)letters, 1}, on_logged,
                     (void *)(intptr_t)*letters);
}

/* Until what failed is sent again. */
static void wait_again(struct fixture *f)
{
    size_t before = f->broker.sent_n;
    while (f->broker.sent_n == before)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void answer_all(struct fixture *f)
{
    while (f->broker.sent_n)
        answer(f, TL_OK);
}

static void assert_log(struct fixture *f, const char *log, const char *told)
{
    f->broker.log[f->broker.log_n] = f->logged[f->logged_n] = '\0';
    assert_string_equal(f->broker.log, log);
    assert_string_equal(f->logged, told);
}

static void they_go_at_once_and_in_order(void **state)
{
    struct fixture *f = *state;

    add(f, "ABC");
    assert_int_equal(f->broker.sent_n, 3);
    assert_int_equal(tl_stories_pending(&f->stories), 3);
    answer_all(f);
    assert_log(f, "ABC", "ABC");
    assert_int_equal(tl_stories_pending(&f->stories), 0);
}

static void what_failed_is_sent_again_and_nothing_overtakes_it(void **state)
{
    struct fixture *f = *state;

    add(f, "ABC");
    answer(f, TL_OK);
    answer(f, TL_RETRY); /* B */
    add(f, "D");
    assert_int_equal(f->broker.sent_n, 1); /* C is still under way, D waits */
    answer(f, TL_RETRY);
    wait_again(f);
    assert_int_equal(f->broker.sent_n, 3);
    answer_all(f);
    assert_log(f, "ABCD", "ABCD");
}

static void a_full_queue_only_delays(void **state)
{
    struct fixture *f = *state;

    f->broker.is_full = true;
    add(f, "AB");
    f->broker.is_full = false;
    add(f, "C");
    assert_int_equal(f->broker.sent_n, 0);
    wait_again(f);
    answer_all(f);
    assert_log(f, "ABC", "ABC");
}

static void what_is_refused_for_good_does_not_stop_the_rest(void **state)
{
    struct fixture *f = *state;

    f->broker.refuses = true;
    add(f, "A");
    f->broker.refuses = false;
    add(f, "BC");
    answer(f, TL_INVALID);
    answer_all(f);
    assert_log(f, "C", "abC");
}

static void what_is_held_goes_when_it_is_released(void **state)
{
    struct fixture *f = *state;

    add(f, "A");
    tl_story_hold(f->story);
    add(f, "BC");
    answer_all(f);
    assert_log(f, "A", "A");
    assert_int_equal(tl_stories_pending(&f->stories), 0);
    tl_story_release(f->story);
    add(f, "D");
    answer_all(f);
    assert_log(f, "ABCD", "ABCD");
}

static void what_is_held_can_be_discarded(void **state)
{
    struct fixture *f = *state;

    add(f, "A");
    tl_story_hold(f->story);
    add(f, "BC");
    tl_story_discard(f->story);
    add(f, "D");
    answer_all(f);
    assert_log(f, "AD", "bcAD");
}

static void a_left_story_finishes_without_its_owner(void **state)
{
    struct fixture *f = *state;

    add(f, "AB");
    tl_story_hold(f->story);
    add(f, "C");
    tl_story_leave(f->story);
    assert_log(f, "", "abc");
    answer(f, TL_RETRY);
    answer(f, TL_RETRY);
    wait_again(f);
    answer_all(f);
    assert_log(f, "AB", "abc");
    assert_null(f->stories.all);
}

static void leave(void *arg, const struct tl_delivery *delivery)
{
    (void)delivery;
    tl_story_leave(((struct fixture *)arg)->story);
}

static void the_owner_may_leave_in_its_callback(void **state)
{
    struct fixture *f = *state;

    tl_story_add(f->story, (struct tl_bytes){(const uint8_t *)"A", 1}, leave, f);
    add(f, "B");
    answer_all(f);
    assert_log(f, "AB", "b");
    assert_null(f->stories.all);
}

static void chance_loses_nothing(void **state)
{
    struct fixture *f = *state;
    char expected[SENT_MAX] = "";
    unsigned seed = 1;

    for (int i = 0; i < 26; i++) {
        expected[i] = (char)('A' + i);
        add(f, &expected[i]);
        seed = seed * 1103515245u + 12345u;
        /* librdkafka fails what is queued from the oldest on: behind a failure all fail */
        bool fails = (seed >> 16) % 3 == 0;
        while (f->broker.sent_n && (seed >> 20) % 2)
            answer(f, fails ? TL_RETRY : TL_OK);
        if (tl_stories_pending(&f->stories) && !f->broker.sent_n)
            wait_again(f);
    }
    while (tl_stories_pending(&f->stories)) {
        if (!f->broker.sent_n)
            wait_again(f);
        answer_all(f);
    }
    assert_log(f, expected, expected);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->log = (struct tl_log){.fd = -1, .level = TL_LOG_ERROR + 1};
    f->stories = (struct tl_stories){
        .loop = &f->loop, .log = &f->log, .send = take, .arg = &f->broker};
    f->story = tl_story_create(&f->stories, "11111111-2222-3333-4444-555555555555");
    *state = now = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tl_stories_finish(&f->stories);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_go_at_once_and_in_order),
        TEST(what_failed_is_sent_again_and_nothing_overtakes_it),
        TEST(a_full_queue_only_delays),
        TEST(what_is_refused_for_good_does_not_stop_the_rest),
        TEST(what_is_held_goes_when_it_is_released),
        TEST(what_is_held_can_be_discarded),
        TEST(a_left_story_finishes_without_its_owner),
        TEST(the_owner_may_leave_in_its_callback),
        TEST(chance_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
