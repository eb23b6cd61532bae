/* ear.h: the provider's clock against positions and the time of the call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "processors/conversation/ear.h"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct tl_ear));
    tl_ear_reset(*state);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct tl_ear_place place(int number, int64_t n, int64_t call_ms)
{
    return (struct tl_ear_place){.position = {.number = number, .offset = 9, .n = n},
                                 .call_ms = call_ms,
                                 .mailbox = number,
                                 .mailbox_offset = 1000 + n};
}

/* `count` frames from n and call_ms on. */
static void hear(struct tl_ear *ear, int number, int64_t n, int64_t call_ms, int count)
{
    for (int i = 0; i < count; i++) {
        const struct tl_ear_place at = place(number, n + i, call_ms + 20 * (int64_t)i);
        tl_ear_heard(ear, &at, 160);
    }
}

static void assert_at(struct tl_ear *ear, int64_t audio_ms, int number, int64_t n, int64_t call_ms)
{
    struct tl_ear_place at;
    assert_true(tl_ear_at(ear, audio_ms, &at));
    assert_int_equal(at.position.number, number);
    assert_int_equal(at.position.n, n);
    assert_int_equal(at.call_ms, call_ms);
    assert_int_equal(at.position.offset, 9);
    assert_int_equal(at.mailbox, number);
    assert_true(at.mailbox_offset <= 1000 + n); /* never behind the frame */
}

static void at_knows_nothing_when_nothing_was_heard(void **state)
{
    struct tl_ear *ear = *state;
    struct tl_ear_place at;
    assert_false(tl_ear_at(ear, 0, &at));
    assert_false(tl_ear_at(ear, 1000, &at));
    assert_int_equal(tl_ear_audio_ms(ear), 0);
}

static void at_finds_the_frame(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 100, 5000, 200);
    assert_int_equal(tl_ear_audio_ms(ear), 4000);
    assert_at(ear, 0, 1, 100, 5000);
    assert_at(ear, 19, 1, 100, 5019);
    assert_at(ear, 20, 1, 101, 5020);
    assert_at(ear, 3999, 1, 299, 8999);
    for (int64_t ms = 0; ms < 4000; ms += 7)
        assert_at(ear, ms, 1, 100 + ms / 20, 5000 + ms);
}

static void at_takes_the_nearest_when_out_of_reach(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 100, 5000, 10);
    assert_at(ear, -500, 1, 100, 5000);
    assert_at(ear, 200, 1, 109, 5200); /* the end */
    assert_at(ear, 99999, 1, 109, 5200);
}

static void at_finds_the_frame_behind_a_gap(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 0, 1000, 50);  /* to 2000 */
    hear(ear, 1, 50, 4000, 50); /* nothing was padded: the provider's clock did not run */
    assert_at(ear, 999, 1, 49, 1999);
    assert_at(ear, 1000, 1, 50, 4000);
    assert_at(ear, 1500, 1, 75, 4500);
}

static void at_finds_the_frame_behind_padding(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 0, 1000, 50);
    for (int64_t ms = 2000; ms < 4000; ms += 20) { /* silence before frame 50 */
        const struct tl_ear_place at = place(1, 50, ms);
        tl_ear_heard(ear, &at, 160);
    }
    hear(ear, 1, 50, 4000, 50);
    assert_int_equal(tl_ear_audio_ms(ear), 4000);
    assert_at(ear, 1500, 1, 50, 2500);
    assert_at(ear, 3000, 1, 50, 4000);
    assert_at(ear, 3500, 1, 75, 4500);
}

/* The longest gap takes no more room than a second of sound. */
static void padding_does_not_push_out_what_was_before(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 0, 1000, 50);
    unsigned runs = ear->len;
    for (int64_t ms = 2000; ms < 12000; ms += 20) {
        const struct tl_ear_place at = place(1, 50, ms);
        tl_ear_heard(ear, &at, 160);
    }
    hear(ear, 1, 50, 12000, 50);
    assert_true(ear->len <= runs + 2);
    assert_at(ear, 500, 1, 25, 1500);
    assert_at(ear, 6000, 1, 50, 7000);
    assert_at(ear, 11000, 1, 50, 12000);
    assert_at(ear, 11019, 1, 50, 12019);
    assert_at(ear, 11020, 1, 51, 12020);
    assert_at(ear, 11999, 1, 99, 12999);
}

static void at_finds_the_attachment(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 0, 1000, 50);
    hear(ear, 2, 0, 2000, 50); /* a new socket counts from 0 again */
    assert_at(ear, 500, 1, 25, 1500);
    assert_at(ear, 1500, 2, 25, 2500);
}

static void at_does_not_mix_frames_that_are_missing(void **state)
{
    struct tl_ear *ear = *state;
    hear(ear, 1, 0, 1000, 10);
    hear(ear, 1, 15, 1200, 10); /* five never came */
    assert_at(ear, 199, 1, 9, 1199);
    assert_at(ear, 200, 1, 15, 1200);
    assert_at(ear, 399, 1, 24, 1399);
}

static void mailbox_offsets_stay_near(void **state)
{
    struct tl_ear *ear = *state;
    struct tl_ear_place at;
    hear(ear, 1, 0, 0, 1000);
    for (int64_t n = 0; n < 1000; n++) {
        assert_true(tl_ear_at(ear, n * 20, &at));
        assert_true(at.mailbox_offset <= 1000 + n &&
                    at.mailbox_offset > 1000 + n - TL_EAR_RUN_FRAMES);
    }
}

static void many_runs_forget_the_oldest(void **state)
{
    struct tl_ear *ear = *state;
    const int64_t runs = TL_EAR_RUNS + 10;
    for (int64_t i = 0; i < runs; i++)
        hear(ear, 1, i * 100, i * 10000, 1); /* each a run of its own */
    for (int64_t i = 10; i < runs; i++)
        assert_at(ear, i * 20 + 10, 1, i * 100, i * 10000 + 10);
    assert_at(ear, 0, 1, 1000, 100000); /* the oldest that is known */
    assert_at(ear, 9 * 20, 1, 1000, 100000);
}

static void wandering_timestamps_do_not_make_runs(void **state)
{
    struct tl_ear *ear = *state;
    for (int64_t n = 0; n < 50; n++) {
        const struct tl_ear_place at = place(1, n, 1000 + 20 * n + (n % 3 - 1) * 6);
        tl_ear_heard(ear, &at, 160);
    }
    assert_int_equal(ear->len, 1);
}

static void reset_begins_the_clock_again(void **state)
{
    struct tl_ear *ear = *state;
    struct tl_ear_place at;
    hear(ear, 1, 0, 1000, 50);
    tl_ear_reset(ear);
    assert_int_equal(tl_ear_audio_ms(ear), 0);
    assert_int_equal(tl_ear_gap_ms(ear, 99999), 0);
    assert_false(tl_ear_at(ear, 0, &at));
    hear(ear, 1, 50, 2000, 50);
    assert_at(ear, 500, 1, 75, 2500);
}

static void gap_is_what_is_missing_before_a_frame(void **state)
{
    struct tl_ear *ear = *state;
    assert_int_equal(tl_ear_gap_ms(ear, 5000), 0); /* before the first frame */
    hear(ear, 1, 0, 1000, 50);
    assert_int_equal(tl_ear_gap_ms(ear, 2000), 0);
    assert_int_equal(tl_ear_gap_ms(ear, 2020), 0); /* a frame's wandering */
    assert_int_equal(tl_ear_gap_ms(ear, 2021), 21);
    assert_int_equal(tl_ear_gap_ms(ear, 1500), 0); /* backwards */
    assert_int_equal(tl_ear_gap_ms(ear, 5000), 3000);
    assert_int_equal(tl_ear_gap_ms(ear, 500000), 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_knows_nothing_when_nothing_was_heard),
        TEST(at_finds_the_frame),
        TEST(at_takes_the_nearest_when_out_of_reach),
        TEST(at_finds_the_frame_behind_a_gap),
        TEST(at_finds_the_frame_behind_padding),
        TEST(padding_does_not_push_out_what_was_before),
        TEST(at_finds_the_attachment),
        TEST(at_does_not_mix_frames_that_are_missing),
        TEST(mailbox_offsets_stay_near),
        TEST(many_runs_forget_the_oldest),
        TEST(wandering_timestamps_do_not_make_runs),
        TEST(reset_begins_the_clock_again),
        TEST(gap_is_what_is_missing_before_a_frame),
    };
    return cmocka_run_group_tests_name("conversation_ear", tests, NULL, NULL);
}
