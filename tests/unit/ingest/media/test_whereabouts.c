/* whereabouts.h: which conversation holds a call that was moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/media/whereabouts.h"

static struct tl_uuid call(int n)
{
    struct tl_uuid id = {0};
    memcpy(&id, &n, sizeof(n));
    return id;
}

static void put(struct tl_whereabouts *w, int n, struct tl_claim claim, int conversation)
{
    const struct tl_uuid id = call(n);
    tl_whereabouts_put(w, &id, &claim, conversation, 100 + conversation);
}

static int get(const struct tl_whereabouts *w, int n)
{
    const struct tl_uuid id = call(n);
    int conversation, number;
    int64_t epoch;
    if (!tl_whereabouts_get(w, &id, &conversation, &epoch, &number))
        return -1;
    assert_true(epoch == 100 + conversation);
    assert_int_equal(number, conversation == 4 ? 2 : 1);
    return conversation;
}

#define CLAIM(n, o, s) ((struct tl_claim){.number = (n), .offset = (o), .session = (s)})

static void the_highest_claim_counts_in_whatever_order_it_is_heard(void **state)
{
    struct tl_whereabouts *w = tl_whereabouts_create();
    (void)state;
    assert_int_equal(get(w, 1), -1);
    put(w, 1, CLAIM(1, 10, 2), 5);
    put(w, 2, CLAIM(1, 10, 2), 7);
    put(w, 1, CLAIM(1, 10, 3), 6);
    put(w, 1, CLAIM(1, 10, 2), 5); /* late */
    assert_int_equal(get(w, 1), 6);
    assert_int_equal(get(w, 2), 7);
    put(w, 1, CLAIM(2, 90, 1), 4);
    assert_int_equal(get(w, 1), 4);
    tl_whereabouts_destroy(w);
}

static void the_call_heard_of_longest_ago_falls_out(void **state)
{
    struct tl_whereabouts *w = tl_whereabouts_create();
    (void)state;
    for (int n = 0; n < TL_WHEREABOUTS_MAX; n++)
        put(w, n, CLAIM(1, 10, 2), n % 3);
    put(w, 0, CLAIM(1, 10, 3), 2);
    put(w, TL_WHEREABOUTS_MAX, CLAIM(1, 10, 2), 1);
    assert_int_equal(get(w, 0), 2);
    assert_int_equal(get(w, 1), -1);
    assert_int_equal(get(w, 2), 2);
    assert_int_equal(get(w, TL_WHEREABOUTS_MAX), 1);
    tl_whereabouts_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_claim_counts_in_whatever_order_it_is_heard),
        cmocka_unit_test(the_call_heard_of_longest_ago_falls_out),
    };
    return cmocka_run_group_tests_name("whereabouts", tests, NULL, NULL);
}
