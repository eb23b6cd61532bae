/* Who lives, from the order of presence records alone: see presence.h. */
#include "call/presence.h"

#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 4

void tl_presence_init(struct tl_presence_view *view, enum tl_instance_kind kind, int number)
{
    *view = (struct tl_presence_view){.own_kind = kind, .own_number = number, .own_epoch = -1};
}

void tl_presence_finish(struct tl_presence_view *view)
{
    free(view->peers);
    view->peers = NULL;
    view->peers_n = 0;
}

static struct tl_peer *find(struct tl_presence_view *view, enum tl_instance_kind kind, int number)
{
    for (size_t i = 0; i < view->peers_n; i++)
        if (view->peers[i].kind == kind && view->peers[i].number == number)
            return &view->peers[i];
    return NULL;
}

static struct tl_peer *add(struct tl_presence_view *view, enum tl_instance_kind kind, int number)
{
    struct tl_peer *peers = realloc(view->peers, (view->peers_n + 1) * sizeof(*peers));
    if (!peers)
        abort();
    view->peers = peers;
    peers[view->peers_n] = (struct tl_peer){
        .kind = kind, .number = number, .epoch = -1, .gone = true, .owed_offset = -1};
    return &peers[view->peers_n++];
}

/* An own record came back: every peer that sent none for five of them in a row is gone, unless that
 * would be over half of the fleet at once: then the log, not the fleet, has the trouble. */
static bool count_missed(struct tl_presence_view *view)
{
    size_t living = 0, going = 0;
    bool changed = false;

    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->gone)
            continue;
        living++;
        p->missed++;
        going += p->missed >= TL_PRESENCE_MISSED;
    }
    /* Wait when over half went at once, but not for ever: three seconds are 24 records. */
    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->gone || p->missed < TL_PRESENCE_MISSED)
            continue;
        if (going * 2 > living && living > 2 && p->missed < 24)
            continue;
        p->gone = true;
        changed = true;
    }
    return changed;
}

/* It was given up because it does not read, and it still does not. */
static bool stays_gone(const struct tl_peer *p, const struct tl_presence *record, int64_t epoch)
{
    return p->gone && p->epoch == epoch && p->stuck >= TL_PRESENCE_MISSED &&
           record->mailbox_offset_read <= p->owed_offset;
}

static bool stuck(struct tl_peer *p)
{
    if (p->owed_offset < 0)
        return false;
    if (p->mailbox_offset_read > p->owed_offset) {
        p->owed_offset = -1;
        p->stuck = 0;
        return false;
    }
    return ++p->stuck >= TL_PRESENCE_MISSED;
}

bool tl_presence_take(struct tl_presence_view *view, const struct tl_presence *record,
                      int64_t offset, bool is_own)
{
    int64_t epoch = record->epoch < 0 ? offset : record->epoch;

    if (record->kind == view->own_kind && record->number == view->own_number) {
        if (is_own) {
            if (view->own_epoch < 0)
                view->own_epoch = epoch;
        } else if (epoch > view->own_epoch && view->own_epoch >= 0) {
            view->superseded = true;
        }
        if (!is_own)
            return false;
    }
    bool changed = is_own && count_missed(view);
    struct tl_peer *p = find(view, record->kind, record->number);
    if (!p)
        p = add(view, record->kind, record->number);
    if (epoch < p->epoch)
        return changed; /* a late record of a run that was replaced */
    if (stays_gone(p, record, epoch))
        return changed;
    if (epoch > p->epoch || p->gone) {
        *p = (struct tl_peer){.kind = record->kind, .number = record->number, .owed_offset = -1};
        changed = true;
    }
    changed |= p->draining != record->draining;
    p->epoch = epoch;
    p->calls_held = record->calls_held;
    p->calls_promised = record->calls_promised;
    p->capacity = record->capacity;
    p->draining = record->draining;
    p->mailbox_offset_read = record->mailbox_offset_read;
    p->missed = 0;
    if (stuck(p)) {
        p->gone = true; /* it speaks but does not read: its calls are better off elsewhere */
        changed = true;
    }
    return changed;
}

void tl_presence_owe(struct tl_presence_view *view, enum tl_instance_kind kind, int number,
                     int64_t offset)
{
    struct tl_peer *p = find(view, kind, number);
    if (p && p->owed_offset < 0) {
        p->owed_offset = offset;
        p->stuck = 0;
    }
}

struct tl_peer *tl_presence_peer(struct tl_presence_view *view, enum tl_instance_kind kind,
                                 int number)
{
    struct tl_peer *p = find(view, kind, number);
    return p && !p->gone ? p : NULL;
}

static int room(const struct tl_peer *p)
{
    return p->capacity - p->calls_held - p->calls_promised;
}

/* FNV-1a of key and number: rendezvous weights. */
static uint64_t weight(const char *key, int number)
{
    uint64_t h = 14695981039346656037u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    for (int i = 0; i < 4; i++)
        h = (h ^ (unsigned char)(number >> (8 * i))) * 1099511628211u;
    return h ^ h >> 29;
}

struct tl_peer *tl_presence_choose(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const char *key, uint64_t random, int not_number)
{
    struct tl_peer *near[NEIGHBOURS];
    uint64_t near_weight[NEIGHBOURS];
    size_t n = 0;

    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->kind != kind || p->gone || p->draining || p->number == not_number || room(p) <= 0)
            continue;
        uint64_t w = weight(key, p->number);
        size_t at = n < NEIGHBOURS ? n : NEIGHBOURS;
        while (at > 0 && near_weight[at - 1] < w)
            at--;
        if (at == NEIGHBOURS)
            continue;
        size_t last = n < NEIGHBOURS ? n++ : NEIGHBOURS - 1;
        for (size_t k = last; k > at; k--) {
            near[k] = near[k - 1];
            near_weight[k] = near_weight[k - 1];
        }
        near[at] = p;
        near_weight[at] = w;
    }
    if (n == 0)
        return NULL;
    struct tl_peer *a = near[random % n], *b = near[(random >> 32) % n];
    return room(a) >= room(b) ? a : b;
}

bool tl_presence_admits(const struct tl_presence_view *view, enum tl_instance_kind kind)
{
    int fullest = 0, fullest_room = 0, living = 0;
    int64_t free_of_all = 0;

    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        if (p->kind != kind || p->gone || p->draining)
            continue;
        int held = p->calls_held + p->calls_promised;
        int free_here = room(p) > 0 ? room(p) : 0;
        if (!living || held > fullest || (held == fullest && free_here > fullest_room)) {
            fullest = held;
            fullest_room = free_here;
        }
        living++;
        free_of_all += free_here;
    }
    if (living < 2)
        return living == 1 && free_of_all > 0;
    return free_of_all > 0 && free_of_all - fullest_room >= fullest;
}
