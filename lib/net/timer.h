#ifndef TL_NET_TIMER_H
#define TL_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/** A timer to embed in a struct that may be freed at any moment: libuv wants a handle's memory
 * until its close callback, so the handle lives on the heap and only its pointer is embedded.
 *  Zeroed = idle. Loop thread only. */
struct tl_timer {
    uv_timer_t *handle; /* made by the first start */
};

typedef void (*tl_timer_fn)(void *arg);

/** Fires once after delay_ms; a running timer starts anew. The struct may be finished or freed
 *  (after tl_timer_finish) within fn. Milliseconds count from the loop's present time. */
void tl_timer_start(struct tl_timer *timer, uv_loop_t *loop, uint64_t delay_ms, tl_timer_fn fn,
                    void *arg);

/** Fires every period_ms until stopped. */
void tl_timer_repeat(struct tl_timer *timer, uv_loop_t *loop, uint64_t period_ms, tl_timer_fn fn,
                     void *arg);

void tl_timer_stop(struct tl_timer *timer); /* accepts an idle one */
bool tl_timer_is_running(const struct tl_timer *timer);

/** Stops for good; the memory may go at once. The heap handle is freed by a later loop turn. */
void tl_timer_finish(struct tl_timer *timer);

#endif
