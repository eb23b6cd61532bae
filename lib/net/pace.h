#ifndef TL_NET_PACE_H
#define TL_NET_PACE_H

#include <stdint.h>
#include <uv.h>

/** Keeps a busy loop from waking for every single packet, as network cards do with interrupts: a
 *  turn that would begin less than `turn_us` after the last one begins that much later, and finds
 * more to do. A loop with little to do is not delayed at all. Two hundred calls send ten thousand
 * frames a second; waking for each costs more than handling it. */
struct tl_pace {
    uv_prepare_t prepare;
    uint64_t turn_ns;
    uint64_t last_ns; /* when the last turn began to wait for events */
};

void tl_pace_start(struct tl_pace *pace, uv_loop_t *loop, int64_t turn_us); /* 0: no pacing */

/** Before the loop is closed. Accepts one that was not started. */
void tl_pace_stop(struct tl_pace *pace);

#endif
