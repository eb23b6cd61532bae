/* Timers that may be freed at any moment: see timer.h. */
#include "net/timer.h"

#include <stdlib.h>

struct heap_timer {
    uv_timer_t uv; /* first: the handle is the allocation */
    tl_timer_fn fn;
    void *arg;
};

static void on_timer(uv_timer_t *handle)
{
    struct heap_timer *t = (struct heap_timer *)handle;

    t->fn(t->arg); /* may finish the timer: the handle lives until its close callback */
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void start(struct tl_timer *timer, uv_loop_t *loop, uint64_t delay_ms, uint64_t repeat_ms,
                  tl_timer_fn fn, void *arg)
{
    if (!timer->handle) {
        struct heap_timer *t = calloc(1, sizeof(*t));
        if (!t)
            abort();
        (void)uv_timer_init(loop, &t->uv); /* cannot fail */
        timer->handle = &t->uv;
    }
    struct heap_timer *t = (struct heap_timer *)timer->handle;
    t->fn = fn;
    t->arg = arg;
    (void)uv_timer_start(timer->handle, on_timer, delay_ms,
                         repeat_ms); /* fails only when closing */
}

void tl_timer_start(struct tl_timer *timer, uv_loop_t *loop, uint64_t delay_ms, tl_timer_fn fn,
                    void *arg)
{
    start(timer, loop, delay_ms, 0, fn, arg);
}

void tl_timer_repeat(struct tl_timer *timer, uv_loop_t *loop, uint64_t period_ms, tl_timer_fn fn,
                     void *arg)
{
    start(timer, loop, period_ms, period_ms, fn, arg);
}

void tl_timer_stop(struct tl_timer *timer)
{
    if (timer->handle)
        (void)uv_timer_stop(timer->handle); /* cannot fail */
}

bool tl_timer_is_running(const struct tl_timer *timer)
{
    return timer->handle && uv_is_active((const uv_handle_t *)timer->handle);
}

void tl_timer_finish(struct tl_timer *timer)
{
    if (timer->handle)
        uv_close((uv_handle_t *)timer->handle, on_closed);
    timer->handle = NULL;
}
