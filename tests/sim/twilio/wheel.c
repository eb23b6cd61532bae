/* The 20 ms beat of all calls. */
#include "wheel.h"

#include <stdlib.h>

#include "base/time.h"

void tl_tel_wheel_init(struct tl_tel_wheel *wheel, uv_loop_t *loop)
{
    *wheel = (struct tl_tel_wheel){.loop = loop};
}

void tl_tel_wheel_finish(struct tl_tel_wheel *wheel)
{
    tl_timer_finish(&wheel->timer);
    for (size_t i = 0; i < TL_TEL_WHEEL_SLOTS; i++)
        free(wheel->slot[i].spoke);
}

static void run_slot(struct tl_tel_wheel *wheel, size_t slot, int64_t now_us)
{
    /* Backwards: a spoke that takes itself off is replaced by the last one, which was run. */
    for (size_t i = wheel->slot[slot].len; i-- > 0;)
        if (i < wheel->slot[slot].len)
            wheel->slot[slot].spoke[i]->on_tick(wheel->slot[slot].spoke[i], now_us);
}

static void turn(void *arg)
{
    struct tl_tel_wheel *wheel = arg;
    int64_t now_us = tl_mono_us();
    int64_t late_us = now_us - wheel->next_ms * 1000;

    if (late_us > (int64_t)wheel->late_max_us)
        wheel->late_max_us = (uint64_t)late_us;
    for (; wheel->next_ms * 1000 <= now_us; wheel->next_ms++)
        run_slot(wheel, (size_t)(wheel->next_ms % TL_TEL_WHEEL_SLOTS), wheel->next_ms * 1000);
}

static size_t emptiest(const struct tl_tel_wheel *wheel)
{
    size_t best = 0;

    for (size_t i = 1; i < TL_TEL_WHEEL_SLOTS; i++)
        if (wheel->slot[i].len < wheel->slot[best].len)
            best = i;
    return best;
}

void tl_tel_wheel_add(struct tl_tel_wheel *wheel, struct tl_tel_spoke *spoke)
{
    size_t slot = emptiest(wheel);

    if (wheel->slot[slot].len == wheel->slot[slot].cap) {
        wheel->slot[slot].cap = wheel->slot[slot].cap ? wheel->slot[slot].cap * 2 : 8;
        wheel->slot[slot].spoke =
            realloc(wheel->slot[slot].spoke, wheel->slot[slot].cap * sizeof(struct tl_tel_spoke *));
        if (!wheel->slot[slot].spoke)
            abort();
    }
    spoke->slot = slot;
    spoke->place = wheel->slot[slot].len;
    spoke->is_on = true;
    wheel->slot[slot].spoke[wheel->slot[slot].len++] = spoke;
    if (wheel->spokes++ == 0) {
        wheel->next_ms = tl_mono_ms() + 1;
        tl_timer_repeat(&wheel->timer, wheel->loop, 1, turn, wheel);
    }
}

void tl_tel_wheel_remove(struct tl_tel_wheel *wheel, struct tl_tel_spoke *spoke)
{
    if (!spoke->is_on)
        return;
    struct tl_tel_spoke *last = wheel->slot[spoke->slot].spoke[--wheel->slot[spoke->slot].len];
    wheel->slot[spoke->slot].spoke[spoke->place] = last;
    last->place = spoke->place;
    spoke->is_on = false;
    if (--wheel->spokes == 0)
        tl_timer_stop(&wheel->timer);
}
