/* backlog.h: what Kafka has not taken of a leg: in order, numbered, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/media/backlog.h"

#define MAX 100

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct tl_backlog));
    tl_backlog_init(*state, MAX);
    return 0;
}

static int tear_down(void **state)
{
    tl_backlog_finish(*state);
    free(*state);
    return 0;
}

/* A frame whose sound tells its number. */
static bool frame(struct tl_backlog *b)
{
    uint8_t sound[TL_BACKLOG_DATA_MAX];
    memset(sound, (int)(b->next_n & 0xff), sizeof(sound));
    return tl_backlog_push(b, TL_MEDIA_KIND_FRAME, b->next_n * 20, sound, sizeof(sound));
}

static void frames(struct tl_backlog *b, int count)
{
    for (int i = 0; i < count; i++)
        (void)frame(b);
}

/* The items are those from `first` on, without a hole. */
static void assert_items(const struct tl_backlog *b, int64_t first, size_t len)
{
    assert_int_equal(b->len, len);
    for (size_t i = 0; i < len; i++) {
        const struct tl_backlog_item *item = tl_backlog_at(b, i);
        assert_int_equal(item->n, first + (int64_t)i);
        assert_int_equal(item->timestamp_ms, item->n * 20);
        assert_int_equal(item->len, TL_BACKLOG_DATA_MAX);
        assert_int_equal((uint8_t)item->data[0], item->n & 0xff);
        assert_int_equal((uint8_t)item->data[TL_BACKLOG_DATA_MAX - 1], item->n & 0xff);
    }
}

static void items_are_numbered_from_nothing(void **state)
{
    struct tl_backlog *b = *state;
    assert_true(tl_backlog_push(b, TL_MEDIA_KIND_FRAME, 0, "abc", 3));
    assert_true(tl_backlog_push(b, TL_MEDIA_KIND_KEYED, 20, "5", 1));
    assert_true(tl_backlog_push(b, TL_MEDIA_KIND_STOPPED, 40, "", 0));
    assert_int_equal(b->len, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tl_backlog_at(b, i)->n, i);
    assert_int_equal(tl_backlog_at(b, 1)->kind, TL_MEDIA_KIND_KEYED);
    assert_string_equal(tl_backlog_at(b, 1)->data, "5"); /* a text ends with a NUL */
    assert_string_equal(tl_backlog_at(b, 2)->data, "");
    assert_int_equal(tl_backlog_at(b, 0)->len, 3);
}

static void acknowledge_takes_out_what_was_sent(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, 10);
    tl_backlog_mark_sent(b, 6);
    tl_backlog_acknowledge(b, 3);
    assert_items(b, 4, 6);
    assert_int_equal(b->sent, 2);
    tl_backlog_acknowledge(b, 5);
    assert_items(b, 6, 4);
    assert_int_equal(b->sent, 0);
}

static void acknowledge_never_takes_out_what_was_not_sent(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, 10);
    tl_backlog_mark_sent(b, 4);
    tl_backlog_acknowledge(b, 9);
    assert_items(b, 4, 6);
    tl_backlog_acknowledge(b, 9);
    assert_items(b, 4, 6);
}

static void acknowledge_of_the_past_changes_nothing(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, 10);
    tl_backlog_mark_sent(b, 10);
    tl_backlog_acknowledge(b, 6);
    tl_backlog_acknowledge(b, 2);
    assert_items(b, 7, 3);
    tl_backlog_acknowledge(b, -1);
    assert_items(b, 7, 3);
}

static void rewind_sends_everything_again(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, 10);
    tl_backlog_mark_sent(b, 8);
    tl_backlog_acknowledge(b, 1);
    assert_int_equal(tl_backlog_rewind(b), 8);
    assert_int_equal(b->sent, 0);
    assert_items(b, 2, 8);
    tl_backlog_acknowledge(b, 5); /* late: of the sending before */
    assert_items(b, 2, 8);
}

static void oldest_is_dropped_when_it_is_full(void **state)
{
    struct tl_backlog *b = *state;
    for (int i = 0; i < MAX; i++)
        assert_true(frame(b));
    assert_int_equal(b->dropped, 0);
    assert_false(frame(b));
    assert_false(frame(b));
    assert_int_equal(b->dropped, 2);
    assert_items(b, 2, MAX); /* numbers go on: the hole shows */
}

static void only_frames_count_as_dropped(void **state)
{
    struct tl_backlog *b = *state;
    assert_true(tl_backlog_push(b, TL_MEDIA_KIND_MARK, 0, "1.0.200", 7));
    frames(b, MAX - 1);
    assert_false(frame(b));
    assert_int_equal(b->dropped, 0);
    assert_false(frame(b));
    assert_int_equal(b->dropped, 1);
}

static void dropping_what_was_sent_keeps_the_count(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, MAX);
    tl_backlog_mark_sent(b, 3);
    frames(b, 2);
    assert_int_equal(b->sent, 1);
    tl_backlog_acknowledge(b, 2);
    assert_items(b, 3, MAX - 1);
    frames(b, 5); /* one more than there is room for */
    assert_int_equal(b->sent, 0);
    assert_items(b, 7, MAX);
}

static void memory_grows_with_need_only(void **state)
{
    struct tl_backlog *b = *state;
    assert_int_equal(b->cap, 0);
    for (int i = 0; i < 1000; i++) { /* Kafka keeps pace */
        frames(b, 1);
        tl_backlog_mark_sent(b, 1);
        if (i % 3 == 2)
            tl_backlog_acknowledge(b, i);
    }
    assert_true(b->cap <= 8);
    frames(b, 2 * MAX);
    assert_int_equal(b->cap, MAX);
}

static void memory_is_given_back_when_an_outage_is_over(void **state)
{
    struct tl_backlog *b = *state;
    frames(b, MAX);
    tl_backlog_mark_sent(b, MAX);
    tl_backlog_acknowledge(b, MAX - 1);
    assert_int_equal(b->len, 0);
    assert_int_equal(b->cap, 0);
    assert_null(b->items);
    frames(b, 3); /* and it goes on with the numbers */
    assert_items(b, MAX, 3);
}

static void finish_accepts_an_empty_one(void **state)
{
    struct tl_backlog b = {0};
    (void)state;
    tl_backlog_finish(&b);
    tl_backlog_finish(&b);
}

/* Against a plain list: whatever is done, the items are those not acknowledged, in order. */
static void items_stay_in_order_whatever_happens(void **state)
{
    struct tl_backlog *b = *state;
    uint64_t seed = 521288629;
    int64_t first = 0, next = 0, sent_to = 0;

    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned dice = (unsigned)(seed >> 60), many = (unsigned)(seed >> 50) % 20;
        if (dice < 7) {
            frames(b, (int)many);
            next += many;
            first = next - first > MAX ? next - MAX : first;
            sent_to = sent_to < first ? first : sent_to;
        } else if (dice < 11) {
            int64_t unsent = next - sent_to, count = many < unsent ? many : unsent;
            tl_backlog_mark_sent(b, (size_t)count);
            sent_to += count;
        } else if (dice < 15) {
            int64_t n = first + many - 3;
            tl_backlog_acknowledge(b, n);
            if (n + 1 > first)
                first = n + 1 < sent_to ? n + 1 : sent_to;
        } else {
            assert_int_equal(tl_backlog_rewind(b), next - first);
            sent_to = first;
        }
        assert_int_equal(b->sent, sent_to - first);
        assert_items(b, first, (size_t)(next - first));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(items_are_numbered_from_nothing),
        TEST(acknowledge_takes_out_what_was_sent),
        TEST(acknowledge_never_takes_out_what_was_not_sent),
        TEST(acknowledge_of_the_past_changes_nothing),
        TEST(rewind_sends_everything_again),
        TEST(oldest_is_dropped_when_it_is_full),
        TEST(only_frames_count_as_dropped),
        TEST(dropping_what_was_sent_keeps_the_count),
        TEST(memory_grows_with_need_only),
        TEST(memory_is_given_back_when_an_outage_is_over),
        cmocka_unit_test(finish_accepts_an_empty_one),
        TEST(items_stay_in_order_whatever_happens),
    };
    return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
