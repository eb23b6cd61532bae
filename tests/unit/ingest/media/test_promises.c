/* promises.h: calls on their way take room until they are over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ingest/media/promises.h"

struct fixture {
    struct tl_presence_view view;
    struct tl_promises promises;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.promises = (struct tl_promises){0};
    tl_presence_init(&f.view, TL_INSTANCE_KIND_INGEST, 0);
    for (int i = 0; i < 2; i++) {
        const struct tl_presence r = {.kind = TL_INSTANCE_KIND_CONVERSATION,
                                      .number = i,
                                      .epoch = 5,
                                      .run = i + 1,
                                      .capacity = 100,
                                      .mailbox_offset_read = -1};
        (void)tl_presence_take(&f.view, &r, 10 + i, false);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tl_promises_finish(&f->promises);
    tl_presence_finish(&f->view);
    return 0;
}

static void assert_promised(struct fixture *f, int first, int second)
{
    const enum tl_instance_kind kind = TL_INSTANCE_KIND_CONVERSATION;
    assert_int_equal(tl_presence_peer(&f->view, kind, 0)->promised_here, first);
    assert_int_equal(tl_presence_peer(&f->view, kind, 1)->promised_here, second);
    assert_int_equal(f->promises.n, first + second);
}

static void promise_lasts_until_its_time(void **state)
{
    struct fixture *f = *state;
    tl_promises_add(&f->promises, &f->view, "CA1", 0, 1000);
    tl_promises_add(&f->promises, &f->view, "CA2", 1, 2000);
    tl_promises_add(&f->promises, &f->view, "CA3", 1, 1000);
    assert_promised(f, 1, 2);
    tl_promises_expire(&f->promises, &f->view, 999);
    assert_promised(f, 1, 2);
    tl_promises_expire(&f->promises, &f->view, 1000);
    assert_promised(f, 0, 1);
    tl_promises_expire(&f->promises, &f->view, 5000);
    assert_promised(f, 0, 0);
}

static void a_call_is_promised_once(void **state)
{
    struct fixture *f = *state;
    tl_promises_add(&f->promises, &f->view, "CA1", 0, 1000);
    tl_promises_add(&f->promises, &f->view, "CA1", 1, 500); /* given elsewhere, and sooner over */
    assert_promised(f, 0, 1);
    tl_promises_expire(&f->promises, &f->view, 500);
    assert_promised(f, 0, 0);
}

static void more_than_the_most_are_not_remembered(void **state)
{
    struct fixture *f = *state;
    char key[16];
    for (int i = 0; i <= TL_PROMISES_MAX; i++) {
        (void)snprintf(key, sizeof(key), "CA%d", i);
        tl_promises_add(&f->promises, &f->view, key, 0, 1000 + i % 2);
    }
    assert_promised(f, TL_PROMISES_MAX, 0);
    tl_promises_expire(&f->promises, &f->view, 1000);
    assert_promised(f, TL_PROMISES_MAX / 2, 0);
    tl_promises_add(&f->promises, &f->view, "CAnew", 1, 2000);
    assert_promised(f, TL_PROMISES_MAX / 2, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(promise_lasts_until_its_time),
        TEST(a_call_is_promised_once),
        TEST(more_than_the_most_are_not_remembered),
    };
    return cmocka_run_group_tests_name("promises", tests, NULL, NULL);
}
