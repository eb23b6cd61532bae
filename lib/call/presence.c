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
    peers[view->peers_n] = (struct tl_peer){.kind = kind,
                                            .number = number,
                                            .epoch = -1,
                                            .gone = true,
                                            .missed = TL_PRESENCE_WAIT,
                                            .owed_offset = -1};
    return &peers[view->peers_n++];
}

const char *tl_gone_cause_name(enum tl_gone_cause cause)
{
    static const char *const names[TL_GONE_CAUSES] = {"missed", "epoch", "stuck"};
    return names[cause];
}

static void declare_gone(struct tl_presence_view *view, struct tl_peer *p, enum tl_gone_cause cause)
{
    p->gone = true;
    p->cause = cause;
    if (view->on_gone)
        view->on_gone(view->arg, p, cause);
}

/* Over half at once: then the log, not the fleet, has the trouble. `going` of `all` are gone, nearly (a
 * record or two more) or lately: what stopped all of them caught each at another place of its own
 * rhythm, so that "at once" is not at the very same record. */
static bool is_most(size_t going, size_t all)
{
    return going * 2 > all;
}

#define NEARLY (TL_PRESENCE_MISSED - 2)
#define LATELY (TL_PRESENCE_MISSED * 2)

/* ---- missed ---- */

/* An own record came back: every peer that sent none for five of them in a row is gone. */
static bool count_missed(struct tl_presence_view *view)
{
    size_t all = 0, going = 0;
    bool changed = false;

    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->missed < TL_PRESENCE_WAIT)
            p->missed++;
        if (p->gone && (p->cause != TL_GONE_MISSED || p->missed >= LATELY))
            continue;
        all++;
        going += p->missed >= NEARLY;
    }
    bool waits = is_most(going, all) && all > 2;
    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->gone || p->missed < TL_PRESENCE_MISSED || (waits && p->missed < TL_PRESENCE_WAIT))
            continue;
        declare_gone(view, p, TL_GONE_MISSED);
        changed = true;
    }
    return changed;
}

/* ---- stuck ---- */

/* Half of those that are written to: a broker that was away serves mailboxes later than presence, all
 * of them, and who gets nothing proves nothing. */
static bool most_are_stuck(const struct tl_presence_view *view, enum tl_instance_kind kind)
{
    size_t all = 0, going = 0;

    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        bool lately_gone = p->gone && p->cause == TL_GONE_STUCK && p->stuck < LATELY;
        bool is_written_to = !p->gone && (p->owed_offset >= 0 || p->unread < TL_PRESENCE_MISSED);
        if (p->kind != kind || (!lately_gone && !is_written_to))
            continue;
        all++;
        going += p->stuck >= NEARLY;
    }
    return is_most(going, all) && all > 1;
}

/* A record of its came: has it read what we wrote? True when it is to be given up: it speaks but does
 * not read, and its calls are better off elsewhere. */
static bool count_stuck(struct tl_presence_view *view, struct tl_peer *p)
{
    if (p->unread < TL_PRESENCE_WAIT)
        p->unread++;
    if (p->owed_offset < 0)
        return false;
    if (p->mailbox_offset_read > p->owed_offset) {
        p->owed_offset = -1;
        p->stuck = p->unread = 0;
        return false;
    }
    if (p->stuck < TL_PRESENCE_WAIT)
        p->stuck++;
    return p->stuck >= TL_PRESENCE_WAIT ||
           (p->stuck >= TL_PRESENCE_MISSED && !most_are_stuck(view, p->kind));
}

/* It was given up because it does not read, and it still does not. */
static bool stays_gone(struct tl_peer *p, const struct tl_presence *record)
{
    bool reads = record->mailbox_offset_read > p->owed_offset ||
                 record->mailbox_offset_read < p->mailbox_offset_read; /* a mailbox made anew */

    if (!p->gone || p->cause != TL_GONE_STUCK || p->run != record->run || reads)
        return false;
    if (p->stuck < TL_PRESENCE_WAIT)
        p->stuck++;
    return true;
}

/* ---- runs ---- */

/* Order of the runs of one number: the epoch; two may only be equal when the topic was made anew between
 * them, and then any order does as long as all have the same. */
static bool is_later(int64_t epoch, int64_t run, int64_t than_epoch, int64_t than_run)
{
    return epoch > than_epoch || (epoch == than_epoch && run > than_run);
}

/* Whether the record is of the run that counts, or of one that counts from now on. */
static bool is_of_present_run(const struct tl_peer *p, const struct tl_presence *record,
                              int64_t offset)
{
    if (p->epoch >= 0 && record->run == p->run)
        return true;
    if (record->epoch < 0)
        return false; /* it has to name its epoch first */
    if (p->epoch < 0 || is_later(record->epoch, record->run, p->epoch, p->run))
        return true;
    /* A late record of a run that was replaced; but no epoch lies ahead of the log: when the one we
     * know does, the topic was made anew since, and the number runs anew in it. */
    return p->gone && p->cause == TL_GONE_MISSED &&
           (offset < p->epoch || record->epoch == p->epoch);
}

static void begin_run(struct tl_presence_view *view, struct tl_peer *p,
                      const struct tl_presence *record)
{
    if (!p->gone)
        declare_gone(view, p, TL_GONE_EPOCH);
    bool is_back = p->run == record->run && p->epoch >= 0;
    *p = (struct tl_peer){.kind = record->kind,
                          .number = record->number,
                          .epoch = record->epoch >= 0 ? record->epoch : p->epoch,
                          .run = record->run,
                          .promised_here = is_back ? p->promised_here : 0,
                          .mailbox_offset_read = -1,
                          .owed_offset = -1,
                          .unread = TL_PRESENCE_WAIT};
}

static void copy_load(struct tl_peer *p, const struct tl_presence *record)
{
    if (record->mailbox_offset_read < p->mailbox_offset_read) { /* a mailbox made anew */
        p->owed_offset = -1;
        p->stuck = 0;
    }
    p->calls_held = record->calls_held;
    p->calls_promised = record->calls_promised;
    p->capacity = record->capacity;
    p->new_calls = record->new_calls.set ? record->new_calls.value : -1;
    p->ai_sessions = record->ai_sessions;
    p->ai_tokens_per_minute = record->ai_tokens_per_minute;
    p->draining = record->draining;
    p->mailbox_offset_read = record->mailbox_offset_read;
}

/* A record under the own number. */
static void take_own(struct tl_presence_view *view, const struct tl_presence *record, int64_t offset,
                     bool is_own)
{
    if (is_own) {
        view->own_run = record->run;
        if (record->epoch >= 0 || view->own_epoch < 0)
            view->own_epoch = record->epoch >= 0 ? record->epoch : offset;
    } else if (view->own_epoch >= 0 && record->epoch >= 0 &&
               is_later(record->epoch, record->run, view->own_epoch, view->own_run)) {
        view->superseded = true;
    }
}

bool tl_presence_take(struct tl_presence_view *view, const struct tl_presence *record,
                      int64_t offset, bool is_own)
{
    if (record->kind == view->own_kind && record->number == view->own_number) {
        take_own(view, record, offset, is_own);
        if (!is_own)
            return false;
    }
    bool changed = is_own && count_missed(view);
    struct tl_peer *p = find(view, record->kind, record->number);
    if (!p)
        p = add(view, record->kind, record->number);
    if (!is_of_present_run(p, record, offset) || stays_gone(p, record))
        return changed;
    if (p->epoch < 0 || p->run != record->run || p->gone) {
        begin_run(view, p, record);
        changed = true;
    }
    changed |= p->draining != record->draining;
    p->missed = 0;
    copy_load(p, record);
    if (!p->gone && count_stuck(view, p)) {
        declare_gone(view, p, TL_GONE_STUCK);
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
    return p->capacity - p->calls_held - p->calls_promised - p->promised_here;
}

static int room_for_new(const struct tl_peer *p)
{
    int left = p->new_calls - p->promised_here;

    return p->new_calls < 0 || left > room(p) ? room(p) : left;
}

static bool takes_calls(const struct tl_peer *p, enum tl_instance_kind kind)
{
    return p->kind == kind && !p->gone && !p->draining;
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

/* The neighbours of a key among those that have room, nearest first. */
static size_t list_near(struct tl_presence_view *view, enum tl_instance_kind kind, const char *key,
                        int not_number, int (*room_of)(const struct tl_peer *),
                        struct tl_peer *near[NEIGHBOURS])
{
    uint64_t near_weight[NEIGHBOURS];
    size_t n = 0;

    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        if (p->kind != kind || p->gone || p->draining || p->number == not_number || room_of(p) <= 0)
            continue;
        uint64_t w = weight(key, p->number);
        size_t at = n;
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
    return n;
}

struct tl_peer *tl_presence_choose(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const char *key, uint64_t random, int not_number)
{
    int (*room_of)(const struct tl_peer *) = room_for_new;
    struct tl_peer *near[NEIGHBOURS];
    size_t n = list_near(view, kind, key, not_number, room_of, near);

    if (n == 0) {
        room_of = room;
        n = list_near(view, kind, key, not_number, room_of, near);
    }
    if (n == 0)
        return NULL;
    struct tl_peer *a = near[random % n], *b = near[(random >> 32) % n];
    return room_of(a) >= room_of(b) ? a : b;
}

struct tl_peer *tl_presence_freest(struct tl_presence_view *view, enum tl_instance_kind kind,
                                   const int *not_numbers, size_t not_n)
{
    struct tl_peer *freest = NULL;

    for (size_t i = 0; i < view->peers_n; i++) {
        struct tl_peer *p = &view->peers[i];
        bool is_out = !takes_calls(p, kind);
        for (size_t k = 0; k < not_n; k++)
            is_out |= p->number == not_numbers[k];
        if (!is_out && (!freest || room(p) > room(freest)))
            freest = p;
    }
    return freest;
}

void tl_presence_promise(struct tl_presence_view *view, enum tl_instance_kind kind, int number,
                         int count)
{
    struct tl_peer *p = find(view, kind, number);
    if (p)
        p->promised_here = p->promised_here + count > 0 ? p->promised_here + count : 0;
}

/* Calls that other ingests have answered and not yet given: nobody but they knows where to. */
static int promised_elsewhere(const struct tl_presence_view *view)
{
    int n = 0;

    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        bool is_own = p->kind == view->own_kind && p->number == view->own_number;
        if (p->kind == TL_INSTANCE_KIND_INGEST && !p->gone && !is_own)
            n += p->calls_promised;
    }
    return n;
}

bool tl_presence_admits(const struct tl_presence_view *view, enum tl_instance_kind kind)
{
    int living = 0;
    int64_t free_of_all = -(int64_t)promised_elsewhere(view);
    bool takes_new = false;

    for (size_t i = 0; i < view->peers_n; i++)
        if (takes_calls(&view->peers[i], kind)) {
            living++;
            free_of_all += room(&view->peers[i]) > 0 ? room(&view->peers[i]) : 0;
            takes_new |= room_for_new(&view->peers[i]) > 0;
        }
    if (!takes_new || free_of_all <= 0)
        return false;
    for (size_t i = 0; i < view->peers_n && living > 1; i++) {
        const struct tl_peer *p = &view->peers[i];
        if (!takes_calls(p, kind))
            continue;
        int held = p->calls_held + p->calls_promised + p->promised_here;
        int64_t of_others = free_of_all - (room(p) > 0 ? room(p) : 0);
        if (of_others <= held) /* the new call needs one more: here to flee from, or there */
            return false;
    }
    return true;
}

bool tl_presence_has(const struct tl_presence_view *view, enum tl_instance_kind kind, int not_number)
{
    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        if (takes_calls(p, kind) && p->number != not_number)
            return true;
    }
    return false;
}
