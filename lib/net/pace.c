/* Fewer, fuller loop turns: see pace.h. */
#include "net/pace.h"

#include <time.h>

static void on_prepare(uv_prepare_t *prepare)
{
    struct tl_pace *pace = prepare->data;
    uint64_t now = uv_hrtime();
    uint64_t since = now - pace->last_ns;

    if (since < pace->turn_ns) {
        const struct timespec rest = {.tv_nsec = (long)(pace->turn_ns - since)};
        (void)nanosleep(&rest, NULL); /* a signal may cut it short: no harm */
        now += pace->turn_ns - since;
    }
    pace->last_ns = now;
}

void tl_pace_start(struct tl_pace *pace, uv_loop_t *loop, int64_t turn_us)
{
    if (turn_us <= 0)
        return;
    pace->turn_ns = (uint64_t)turn_us * 1000;
    (void)uv_prepare_init(loop, &pace->prepare); /* cannot fail */
    pace->prepare.data = pace;
    (void)uv_prepare_start(&pace->prepare, on_prepare);
    uv_unref((uv_handle_t *)&pace->prepare);
}

void tl_pace_stop(struct tl_pace *pace)
{
    if (!pace->turn_ns)
        return;
    uv_close((uv_handle_t *)&pace->prepare, NULL);
    pace->turn_ns = 0;
}
