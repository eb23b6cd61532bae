#ifndef TL_TEL_WHEEL_H
#define TL_TEL_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/timer.h"

#define TL_TEL_WHEEL_SLOTS 20 /* a millisecond each: a turn is a telephone frame */

/** Something that is done every 20 ms. Embed it; zeroed = not on the wheel. */
struct tl_tel_spoke {
    void (*on_tick)(struct tl_tel_spoke *spoke, int64_t now_us);
    size_t slot, place;
    bool is_on;
};

/** One timer for all calls: each has a slot of the 20 ms, the emptiest when it came. Due times are
 *  multiples of a start, so a late turn does not shift the next ones: missed ticks are made up. */
struct tl_tel_wheel {
    uv_loop_t *loop;
    struct tl_timer timer;
    struct {
        struct tl_tel_spoke **spoke;
        size_t len, cap;
    } slot[TL_TEL_WHEEL_SLOTS];
    size_t spokes;
    int64_t next_ms; /* the slot that is due next, on the monotonic clock */
    uint64_t late_max_us;
};

void tl_tel_wheel_init(struct tl_tel_wheel *wheel, uv_loop_t *loop);
void tl_tel_wheel_finish(struct tl_tel_wheel *wheel);
void tl_tel_wheel_add(struct tl_tel_wheel *wheel, struct tl_tel_spoke *spoke);
void tl_tel_wheel_remove(struct tl_tel_wheel *wheel,
                         struct tl_tel_spoke *spoke); /* also from on_tick */

#endif
