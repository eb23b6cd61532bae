/* Timers that may go at any moment: net/timer.h. */
#include "net_fixture.h"

#include <stdlib.h>

#include "net/timer.h"

struct owner {
    struct tl_timer timer;
    int *fired;
    bool *done;
};

static void free_myself(void *arg)
{
    struct owner *o = arg;

    (*o->fired)++;
    *o->done = true;
    tl_timer_finish(&o->timer);
    free(o);
}

static void count(void *arg)
{
    struct owner *o = arg;

    (*o->fired)++;
    *o->done = *o->fired >= 3;
}

static void the_owner_may_go_within_the_callback(void **state)
{
    struct fixture *f = *state;
    struct owner *o = calloc(1, sizeof(*o));
    int fired = 0;
    bool done = false;

    assert_non_null(o);
    *o = (struct owner){.fired = &fired, .done = &done};
    tl_timer_start(&o->timer, &f->loop, 1, free_myself, o);
    assert_true(tl_timer_is_running(&o->timer));
    fixture_wait(f, &done, "the timer");
    fixture_turn(f, 3);
    assert_int_equal(fired, 1);
}

static void repeat_goes_on_until_stopped(void **state)
{
    struct fixture *f = *state;
    int fired = 0;
    bool done = false;
    struct owner o = {.fired = &fired, .done = &done};

    tl_timer_stop(&o.timer); /* idle: nothing happens */
    tl_timer_repeat(&o.timer, &f->loop, 1, count, &o);
    fixture_wait(f, &done, "three firings");
    tl_timer_stop(&o.timer);
    assert_false(tl_timer_is_running(&o.timer));
    int then = fired;
    fixture_turn(f, 5);
    assert_int_equal(fired, then);
    tl_timer_finish(&o.timer);
    tl_timer_finish(&o.timer); /* twice is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_owner_may_go_within_the_callback, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(repeat_goes_on_until_stopped, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
