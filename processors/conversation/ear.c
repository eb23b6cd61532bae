/* The provider's clock against positions and call time: see ear.h. */
#include "processors/conversation/ear.h"

#define GAP_MAX_MS 10000
#define JITTER_MS 20 /* timestamps wander by a frame */

void tl_ear_reset(struct tl_ear *ear)
{
    ear->head = ear->len = 0;
    ear->audio_bytes = 0;
    ear->has_next = false;
}

int64_t tl_ear_audio_ms(const struct tl_ear *ear)
{
    return ear->audio_bytes / 8;
}

int64_t tl_ear_gap_ms(const struct tl_ear *ear, int64_t call_ms)
{
    int64_t gap = call_ms - ear->next_call_ms;

    if (!ear->has_next || gap <= JITTER_MS)
        return 0;
    return gap < GAP_MAX_MS ? gap : GAP_MAX_MS;
}

static struct tl_ear_run *run_at(const struct tl_ear *ear, unsigned i)
{
    return (struct tl_ear_run *)&ear->runs[(ear->head + i) % TL_EAR_RUNS];
}

static bool is_next_to(const struct tl_ear_run *run, const struct tl_ear_place *place)
{
    const struct tl_position *a = &run->place.position, *b = &place->position;
    int64_t drift = place->call_ms - (run->place.call_ms + run->len_ms);

    return a->number == b->number && a->offset == b->offset && drift >= -JITTER_MS &&
           drift <= JITTER_MS;
}

static bool continues(const struct tl_ear_run *run, const struct tl_ear_place *place)
{
    return !run->is_still && run->frames < TL_EAR_RUN_FRAMES &&
           place->position.n == run->place.position.n + run->frames && is_next_to(run, place);
}

/* Padding before a frame, and that frame: seconds of it are one run, not one for every piece. */
static bool stands_still(const struct tl_ear_run *run, const struct tl_ear_place *place)
{
    return run->frames == 1 && place->position.n == run->place.position.n && is_next_to(run, place);
}

static struct tl_ear_run *begin_run(struct tl_ear *ear, const struct tl_ear_place *place)
{
    if (ear->len == TL_EAR_RUNS)
        ear->head = (ear->head + 1) % TL_EAR_RUNS;
    else
        ear->len++;
    struct tl_ear_run *run = run_at(ear, ear->len - 1);
    *run = (struct tl_ear_run){.audio_ms = tl_ear_audio_ms(ear), .place = *place, .frames = 1};
    return run;
}

void tl_ear_heard(struct tl_ear *ear, const struct tl_ear_place *place, int64_t bytes)
{
    struct tl_ear_run *run = ear->len ? run_at(ear, ear->len - 1) : NULL;
    int64_t ms = bytes / 8;

    if (run && stands_still(run, place))
        run->is_still = true;
    else if (run && continues(run, place))
        run->frames++;
    else
        run = begin_run(ear, place);
    run->len_ms += ms;
    ear->audio_bytes += bytes;
    ear->next_call_ms = place->call_ms + ms;
    ear->has_next = true;
}

bool tl_ear_reaches(const struct tl_ear *ear, int64_t audio_ms)
{
    return ear->len && run_at(ear, 0)->audio_ms <= audio_ms;
}

bool tl_ear_at(const struct tl_ear *ear, int64_t audio_ms, struct tl_ear_place *ret_place)
{
    unsigned i = ear->len;

    if (!ear->len)
        return false;
    while (i > 1 && run_at(ear, i - 1)->audio_ms > audio_ms)
        i--;
    const struct tl_ear_run *run = run_at(ear, i - 1);
    int64_t into = audio_ms - run->audio_ms;
    if (into < 0)
        into = 0;
    if (into > run->len_ms)
        into = run->len_ms;
    *ret_place = run->place;
    if (run->len_ms) {
        int64_t frame = into * run->frames / run->len_ms;
        ret_place->position.n += frame < run->frames ? frame : run->frames - 1;
    }
    ret_place->call_ms += into;
    return true;
}
