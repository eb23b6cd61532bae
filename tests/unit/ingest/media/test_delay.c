/* delay.h: what lay in a socket is told from what has just come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ingest/media/delay.h"

#define ZERO_MS 70000 /* our clock at the stream's 0 */

static void frames_that_come_in_time_are_not_late(void **state)
{
    struct tl_delay d = {0};

    (void)state;
    for (int64_t ms = 0; ms < 10000; ms += 20)
        assert_in_range(tl_delay_of_frame(&d, ms, ZERO_MS + ms + ms % 3), 0, 3);
}

static void frames_that_lay_in_the_socket_are_late_until_it_is_empty(void **state)
{
    struct tl_delay d = {0};
    int64_t ms = 0;

    (void)state;
    for (; ms < 4000; ms += 20)
        (void)tl_delay_of_frame(&d, ms, ZERO_MS + ms);
    for (; ms < 8000; ms += 20) /* all read at one moment */
        assert_in_range(tl_delay_of_frame(&d, ms, ZERO_MS + 8000) + 100, 8000 - ms, 8000 - ms + 100);
    assert_in_range(tl_delay_of_frame(&d, ms, ZERO_MS + ms), 0, 5);
}

static void a_path_that_has_become_longer_is_in_time_after_a_while(void **state)
{
    struct tl_delay d = {0};
    int64_t ms = 0;

    (void)state;
    (void)tl_delay_of_frame(&d, 0, ZERO_MS);
    assert_in_range(tl_delay_of_frame(&d, 20, ZERO_MS + 20 + 900), 850, 900);
    for (ms = 40; ms < 60000; ms += 20)
        (void)tl_delay_of_frame(&d, ms, ZERO_MS + ms + 900);
    assert_in_range(tl_delay_of_frame(&d, ms, ZERO_MS + ms + 900), 250, 350);
}

static void a_frame_that_comes_twice_changes_nothing(void **state)
{
    struct tl_delay d = {0};

    (void)state;
    (void)tl_delay_of_frame(&d, 1000, ZERO_MS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tl_delay_of_frame(&d, 1000, ZERO_MS + 2000), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_come_in_time_are_not_late),
        cmocka_unit_test(frames_that_lay_in_the_socket_are_late_until_it_is_empty),
        cmocka_unit_test(a_path_that_has_become_longer_is_in_time_after_a_while),
        cmocka_unit_test(a_frame_that_comes_twice_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
