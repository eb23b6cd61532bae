/* How an ingest leaves: see drain.h. */
#include "ingest/drain.h"

#include "base/time.h"
#include "ingest/ingest.h"
#include "ingest/media/media.h"

#define CHECK_MS 50
#define ALONE_MS 1500 /* behind the last stream: its webhook is still to be answered */
#define UNFINISHED_MS                                                                              \
    4000 /* behind the drain time: closing handshakes, and the rest into the log */

bool tl_ingest_leaves_alone(const struct tl_ingest *ingest)
{
    return ingest->draining &&
           !tl_presence_has(tl_fleet_view(ingest->fleet), TL_INSTANCE_KIND_INGEST, ingest->number);
}

static bool is_done(struct tl_ingest *ingest, int64_t now_ms)
{
    struct tl_drain *drain = &ingest->drain;

    if (!tl_media_is_empty(ingest->media)) {
        drain->busy_ms = now_ms;
        return now_ms - drain->began_ms > ingest->settings.drain_ms + UNFINISHED_MS;
    }
    return !drain->busy_ms || !tl_ingest_leaves_alone(ingest) || now_ms - drain->busy_ms > ALONE_MS;
}

static void on_check(void *arg)
{
    struct tl_ingest *ingest = arg;
    struct tl_drain *drain = &ingest->drain;
    int64_t now_ms = tl_mono_ms();

    if (!drain->is_deaf && !tl_ingest_leaves_alone(ingest)) {
        drain->is_deaf = true;
        tl_http_server_stop_listening(ingest->server);
    }
    if (!is_done(ingest, now_ms))
        return;
    tl_timer_stop(&drain->timer);
    tl_log_info(ingest->log, "drain.done", TL_INT("took_ms", now_ms - drain->began_ms),
                TL_BOOL("finished", tl_media_is_empty(ingest->media)),
                TL_BOOL("alone", !drain->is_deaf),
                TL_INT("events_unwritten", tl_stories_pending(tl_fleet_stories(ingest->fleet))));
    drain->on_done(drain->arg);
}

void tl_drain_begin(struct tl_ingest *ingest, void (*on_done)(void *arg), void *arg)
{
    struct tl_drain *drain = &ingest->drain;

    ingest->draining = true;
    *drain = (struct tl_drain){.began_ms = tl_mono_ms(), .on_done = on_done, .arg = arg};
    tl_log_info(ingest->log, "drain.began", TL_INT("streams", tl_media_streams(ingest->media)),
                TL_BOOL("alone", tl_ingest_leaves_alone(ingest)));
    tl_fleet_beat(ingest->fleet);
    tl_media_drain(ingest->media);
    tl_timer_repeat(&drain->timer, ingest->loop, CHECK_MS, on_check, ingest);
    on_check(ingest);
}

void tl_drain_finish(struct tl_ingest *ingest)
{
    tl_timer_finish(&ingest->drain.timer);
}
