/* Events of a call that are sent until they stand in the log: see story.h. */
#include "fleet/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/uuid.h"
#include "net/timer.h"

#define AGAIN_MS 100

struct entry {
    struct entry *prev, *next;
    struct tl_story *story;
    tl_delivery_fn on_logged;
    void *arg;
    bool is_held, is_sent, was_sent;
    size_t len;
    uint8_t value[];
};

struct tl_story {
    struct tl_story *prev, *next;
    struct tl_stories *stories;
    char call_id[TL_UUID_TEXT_LEN + 1];
    struct entry *entries; /* not in the log yet, in order */
    size_t sent;           /* of them: owed a delivery */
    bool is_held;
    bool is_stalled; /* one failed: nothing is sent until all that were under way are known */
    bool is_left;
    unsigned busy; /* callbacks of the owner's that run now */
    struct tl_timer again;
};

static void on_delivery(void *arg, const struct tl_delivery *delivery);

static void story_free(struct tl_story *s)
{
    DL_DELETE(s->stories->all, s);
    tl_timer_finish(&s->again);
    free(s);
}

static void free_when_done(struct tl_story *s)
{
    if (s->is_left && !s->entries && !s->busy)
        story_free(s);
}

/* Out of the story, and its owner is told. */
static void entry_end(struct entry *e, const struct tl_delivery *delivery)
{
    struct tl_story *s = e->story;
    tl_delivery_fn on_logged = e->on_logged;
    void *arg = e->arg;

    DL_DELETE(s->entries, e);
    free(e);
    if (!on_logged)
        return;
    s->busy++;
    on_logged(arg, delivery);
    s->busy--;
}

/* ---- sending ---- */

static void on_again(void *arg);

static void try_later(struct tl_story *s)
{
    s->is_stalled = true;
    if (!s->sent && !tl_timer_is_running(&s->again))
        tl_timer_start(&s->again, s->stories->loop, AGAIN_MS, on_again, s);
}

/* False: nothing behind it may go now. */
static bool send_entry(struct tl_story *s, struct entry *e)
{
    struct tl_stories *all = s->stories;
    struct tl_error err;
    enum tl_status st = all->send(all->arg, s->call_id, (struct tl_bytes){e->value, e->len},
                                  on_delivery, e, &err);

    if (st == TL_OK) {
        if (e->was_sent && all->repeats)
            tl_counter_add(all->repeats, 1);
        e->is_sent = e->was_sent = true;
        s->sent++;
        return true;
    }
    if (st == TL_INVALID) { /* it would be refused for ever: those behind it must not wait */
        const struct tl_delivery refused = {.status = st, .error = err.msg, .partition = -1,
                                            .offset = -1};
        tl_log_error(all->log, "call.event_refused", TL_STR("call_id", s->call_id),
                     TL_STR("error", err.msg));
        entry_end(e, &refused);
        return true;
    }
    try_later(s);
    return false;
}

static struct entry *first_unsent(const struct tl_story *s)
{
    struct entry *e;

    DL_FOREACH (s->entries, e)
        if (!e->is_sent)
            break;
    return e;
}

static void pump(struct tl_story *s)
{
    struct entry *e;
    bool goes = true;

    s->busy++;
    while (goes && !s->is_stalled && (e = first_unsent(s)) && !e->is_held)
        goes = send_entry(s, e);
    s->busy--;
    free_when_done(s);
}

static void on_again(void *arg)
{
    struct tl_story *s = arg;

    s->is_stalled = false;
    pump(s);
}

static void on_delivery(void *arg, const struct tl_delivery *delivery)
{
    struct entry *e = arg;
    struct tl_story *s = e->story;

    s->sent--;
    e->is_sent = false;
    if (delivery->status == TL_OK || delivery->status == TL_INVALID) {
        if (delivery->status == TL_INVALID)
            tl_log_error(s->stories->log, "call.event_refused", TL_STR("call_id", s->call_id),
                         TL_STR("error", delivery->error));
        entry_end(e, delivery);
        if (s->is_stalled)
            try_later(s);
        free_when_done(s);
        return;
    }
    tl_log_debug(s->stories->log, "call.event_again", TL_STR("call_id", s->call_id),
                 TL_STR("error", delivery->error));
    try_later(s);
}

void tl_story_add(struct tl_story *s, struct tl_bytes value, tl_delivery_fn on_logged, void *arg)
{
    struct entry *e = malloc(sizeof(*e) + value.len);

    if (!e)
        abort();
    *e = (struct entry){.story = s,
                        .on_logged = on_logged,
                        .arg = arg,
                        .is_held = s->is_held,
                        .len = value.len};
    memcpy(e->value, value.data, value.len);
    DL_APPEND(s->entries, e);
    pump(s);
}

/* ---- holding ---- */

void tl_story_hold(struct tl_story *s)
{
    s->is_held = true;
}

void tl_story_release(struct tl_story *s)
{
    struct entry *e;

    s->is_held = false;
    DL_FOREACH (s->entries, e)
        e->is_held = false;
    pump(s);
}

static void give_up(struct tl_story *s, bool all)
{
    static const struct tl_delivery discarded = {
        .status = TL_CONFLICT, .error = "discarded", .partition = -1, .offset = -1};
    struct entry *e, *next;

    s->busy++;
    DL_FOREACH_SAFE (s->entries, e, next) {
        if (e->is_held) {
            entry_end(e, &discarded);
        } else if (all && e->on_logged) { /* it goes on, but nobody waits for it any more */
            tl_delivery_fn on_logged = e->on_logged;
            e->on_logged = NULL;
            on_logged(e->arg, &discarded);
        }
    }
    s->busy--;
}

void tl_story_discard(struct tl_story *s)
{
    s->is_held = false;
    give_up(s, false);
}

/* ---- life ---- */

struct tl_story *tl_story_create(struct tl_stories *stories, const char *call_id)
{
    struct tl_story *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    s->stories = stories;
    (void)snprintf(s->call_id, sizeof(s->call_id), "%s", call_id);
    DL_APPEND(stories->all, s);
    return s;
}

void tl_story_leave(struct tl_story *s)
{
    if (!s)
        return;
    s->is_left = true;
    give_up(s, true);
    free_when_done(s);
}

size_t tl_stories_pending(const struct tl_stories *stories)
{
    const struct tl_story *s;
    const struct entry *e;
    size_t n = 0;

    DL_FOREACH (stories->all, s)
        DL_FOREACH (s->entries, e)
            n += !e->is_held;
    return n;
}

void tl_stories_finish(struct tl_stories *stories)
{
    struct tl_story *s, *next;
    size_t lost = tl_stories_pending(stories);

    if (lost)
        tl_log_error(stories->log, "call.events_lost", TL_INT("events", lost));
    DL_FOREACH_SAFE (stories->all, s, next) {
        struct entry *e, *after;
        DL_FOREACH_SAFE (s->entries, e, after)
            free(e);
        story_free(s);
    }
}
