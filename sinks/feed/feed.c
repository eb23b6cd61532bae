/* From calls.v1 into a store, exactly once: see README.md for the states. */
#include "sinks/feed/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/dead_letter.h"
#include "kafka/group.h"
#include "kafka/offsets.h"
#include "net/timer.h"
#include "sinks/fold/call_map.h"

#define TOPIC "calls.v1"
#define PARTITIONS_MAX 512
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define QUEUE_BATCHES 16 /* so many batches are read ahead before reading is paused */
#define CALLS_MAX 50000  /* in memory; beyond it all are dropped and loaded when needed */
#define OFFSET_DEADLINE_MS 10000

enum state {
    WITHOUT,     /* no partitions */
    POSITIONING, /* asking the store where we are (or waiting to ask) */
    READING,     /* records come in */
};

enum step { NOTHING, ASKS_POSITIONS, LOADS, WRITES };

/* A partition that is ours. */
struct part {
    int32_t partition;
    int64_t expected; /* the store's position; -1: none */
    int64_t next;     /* next record wanted; -1: to be looked up */
    int64_t gap_at;   /* a record that came too early was asked for again: this one */
    int64_t poison;   /* the store refuses the record at this offset; -1: none */
};

enum letter_state { NO_LETTER, LETTER_SENT, LETTER_DONE };

/* A record that was read and is not stored yet. */
struct entry {
    struct tl_arena arena;
    struct tl_call_event event;
    int32_t partition;
    int64_t offset;
    enum letter_state letter;
};

struct tl_feed {
    struct tl_feed_options o;
    struct tl_group *group;
    struct tl_dead_letters *letters;
    enum state state;
    enum step step;
    bool stale;    /* the store's answer under way belongs to the past */
    bool assigned; /* the group waits no more for our positions */
    bool paused, lingering, lingered, is_dead, had_assignment;
    int refs; /* itself, and each dead letter under way */
    int64_t generation;
    struct part parts[PARTITIONS_MAX];
    size_t parts_n;
    size_t part_looked_up; /* whose offset by time is asked for */
    struct tl_offsets_query *query;
    struct entry **queue; /* in the order in which they came */
    size_t queue_n, queue_cap;
    size_t flight_n; /* the first ones: the batch under way */
    struct tl_call_map map;
    struct tl_feed_item *items;
    struct tl_call_fold **touched;
    struct tl_feed_move moves[PARTITIONS_MAX];
    size_t items_n, touched_n, moves_n;
    int strikes;      /* times in a row that the store refused what comes next */
    int64_t narrow_n; /* records that are still to go one by one */
    int64_t backoff_ms, flight_at_us;
    struct tl_timer timer; /* linger, backoff */
    char why[256];
    char poison_why[512];
};

static void ask_positions(void *arg);
static void flush(struct tl_feed *feed);

#define COUNT(feed, vec, ...)                                                                      \
    tl_counter_add(                                                                                \
        tl_counter_of(&(feed)->o.metrics->vec, (feed)->o.store->name __VA_OPT__(, ) __VA_ARGS__),  \
        1)

/* Alive until the last question and the last dead letter are answered. */
static void unref(struct tl_feed *feed)
{
    if (--feed->refs > 0)
        return;
    tl_call_map_clear(&feed->map);
    free(feed->queue);
    free(feed->items);
    free(feed->touched);
    free(feed);
}

static void begin_step(struct tl_feed *feed, enum step step)
{
    feed->step = step;
    feed->refs++;
}

/* ---- queue ---- */

static void free_entry(struct entry *entry)
{
    tl_arena_finish(&entry->arena);
    free(entry);
}

static void drop_first(struct tl_feed *feed, size_t n)
{
    if (n == 0)
        return;
    if (n == 0) /* also the queue that was never there: memmove takes no NULL */
        return;
    for (size_t i = 0; i < n; i++)
        free_entry(feed->queue[i]);
    memmove(feed->queue, feed->queue + n, (feed->queue_n - n) * sizeof(struct entry *));
    feed->queue_n -= n;
}

static void push(struct tl_feed *feed, struct entry *entry)
{
    if (feed->queue_n == feed->queue_cap) {
        feed->queue_cap = feed->queue_cap ? feed->queue_cap * 2 : 256;
        void *p = realloc(feed->queue, feed->queue_cap * sizeof(struct entry *));
        if (!p)
            abort();
        feed->queue = p;
    }
    feed->queue[feed->queue_n++] = entry;
}

static struct part *part_of(struct tl_feed *feed, int32_t partition)
{
    for (size_t i = 0; i < feed->parts_n; i++)
        if (feed->parts[i].partition == partition)
            return &feed->parts[i];
    return NULL;
}

static void pause_all(struct tl_feed *feed)
{
    for (size_t i = 0; i < feed->parts_n && !feed->paused; i++)
        tl_group_pause(feed->group, TOPIC, feed->parts[i].partition);
    feed->paused = true;
}

static void resume_all(struct tl_feed *feed)
{
    for (size_t i = 0; i < feed->parts_n && feed->paused; i++)
        tl_group_resume(feed->group, TOPIC, feed->parts[i].partition);
    feed->paused = false;
}

/* ---- starting over ---- */

/* Everything read and not stored is forgotten; so is every call: the store knows them. */
static void forget(struct tl_feed *feed)
{
    drop_first(feed, feed->queue_n);
    feed->flight_n = 0;
    feed->lingering = feed->lingered = false;
    tl_call_map_clear(&feed->map);
    tl_timer_stop(&feed->timer);
    tl_offsets_query_cancel(feed->query);
    feed->query = NULL;
    feed->stale = feed->step != NOTHING;
}

static void restart(struct tl_feed *feed, const char *reason, const char *detail)
{
    (void)snprintf(feed->why, sizeof(feed->why), "%s: %s", reason, detail);
    COUNT(feed, restarts, reason);
    tl_log_warn(feed->o.log, "feed.restarted", TL_STR("sink", feed->o.store->name),
                TL_STR("reason", reason), TL_STR("error", detail));
    forget(feed);
    feed->state = POSITIONING;
    if (feed->assigned)
        pause_all(feed);
    tl_timer_start(&feed->timer, feed->o.loop, (uint64_t)feed->backoff_ms, ask_positions, feed);
    feed->backoff_ms =
        feed->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : feed->backoff_ms * 2;
}

static void fatal(struct tl_feed *feed, const struct tl_error *err)
{
    forget(feed);
    feed->state = WITHOUT;
    feed->o.on_fatal(feed->o.arg, err);
}

/* ---- dead letters ---- */

struct letter {
    struct tl_feed *feed;
    int32_t partition;
    int64_t offset;
};

static void on_letter(void *arg, const struct tl_delivery *delivery)
{
    struct letter letter = *(struct letter *)arg;
    struct tl_feed *feed = letter.feed;

    free(arg);
    for (size_t i = 0; i < feed->queue_n && !feed->is_dead; i++) {
        struct entry *e = feed->queue[i];

        if (e->partition != letter.partition || e->offset != letter.offset ||
            e->letter != LETTER_SENT)
            continue;
        if (delivery->status == TL_OK) {
            e->letter = LETTER_DONE;
            flush(feed);
        } else {
            restart(feed, "dead_letter", delivery->error);
        }
        break;
    }
    unref(feed);
}

/* Puts the record aside; it counts as handled when the dead letter is in the log. */
static enum tl_status put_aside(struct tl_feed *feed, const struct tl_record *record,
                                const char *reason, struct tl_error *err)
{
    struct letter *letter = malloc(sizeof(*letter));

    if (!letter)
        abort();
    *letter = (struct letter){feed, record->partition, record->offset};
    enum tl_status st = tl_dead_letter_send(feed->letters, record, reason, on_letter, letter, err);
    if (st != TL_OK) {
        free(letter);
        return st == TL_RETRY ? st : TL_FATAL;
    }
    feed->refs++;
    COUNT(feed, letters);
    tl_log_warn(feed->o.log, "feed.dead_letter", TL_STR("sink", feed->o.store->name),
                TL_INT("partition", record->partition), TL_INT("offset", record->offset),
                TL_STR("reason", reason));
    return TL_OK;
}

/* ---- records in ---- */

static enum tl_status decode(struct tl_feed *feed, const struct tl_record *record,
                             struct entry *entry, struct tl_error *err)
{
    if (!record->value.data)
        return tl_fail(err, TL_INVALID, "no value");
    uint8_t *copy = tl_arena_alloc(&entry->arena, record->value.len + 1);
    memcpy(copy, record->value.data, record->value.len); /* the event's strings may lie in it */
    enum tl_status st = tl_record_decode(tl_fleet_schemas(feed->o.fleet), TL_RECORD_CALL_EVENT,
                                         (struct tl_bytes){copy, record->value.len}, &entry->arena,
                                         &entry->event, err);
    return st == TL_OK ? tl_call_event_check(&entry->event, record->key, err) : st;
}

/* True when the record is the next one. Offsets of calls.v1 have no gaps unless somebody wrote in a
 * transaction; so one that is too high may be what was read ahead before a seek: ask again, once.
 */
static bool is_next(struct tl_feed *feed, struct part *part, int64_t offset)
{
    struct tl_error err;

    if (offset == part->next || offset == part->gap_at)
        return true;
    if (offset < part->next)
        return false;
    part->gap_at = offset;
    if (tl_group_seek(feed->group, TOPIC, part->partition, part->next, &err) != TL_OK)
        restart(feed, "seek", err.msg);
    return false;
}

/* It cannot be processed: put aside, or skipped where another sink does that. */
static enum tl_status refuse_record(struct tl_feed *feed, const struct tl_record *record,
                                    struct entry *entry, struct tl_error *err)
{
    char reason[sizeof(err->msg) + 64];

    (void)snprintf(reason, sizeof(reason), "%s: %s", feed->o.store->name, err->msg);
    entry->letter = feed->o.store->puts_aside ? LETTER_SENT : LETTER_DONE;
    if (feed->o.store->puts_aside)
        return put_aside(feed, record, reason, err);
    COUNT(feed, skipped);
    tl_log_warn(feed->o.log, "feed.unreadable, skipped", TL_INT("partition", record->partition),
                TL_INT("offset", record->offset), TL_STR("reason", reason));
    return TL_OK;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_feed *feed = arg;
    struct part *part = part_of(feed, record->partition);
    struct tl_error err;

    if (feed->state != READING || !part || !is_next(feed, part, record->offset))
        return;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        abort();
    entry->partition = record->partition;
    entry->offset = record->offset;
    enum tl_status st = decode(feed, record, entry, &err);
    if (st == TL_OK && part->poison == record->offset)
        st = tl_fail(&err, TL_INVALID, "%s", feed->poison_why);
    if (st == TL_INVALID)
        st = refuse_record(feed, record, entry, &err);
    if (st != TL_OK) {
        free_entry(entry);
        restart(feed, "record", err.msg); /* its schema is not known yet, or the producer is full */
        return;
    }
    push(feed, entry);
    part->next = record->offset + 1;
    if (feed->queue_n >= (size_t)(feed->o.batch_records * QUEUE_BATCHES))
        pause_all(feed);
    flush(feed);
}

/* ---- a batch: load, fold, write ---- */

static void on_linger(void *arg)
{
    struct tl_feed *feed = arg;

    feed->lingering = false;
    feed->lingered = true;
    flush(feed);
}

static void fold(struct tl_feed *feed);

/* Calls of the batch that are not in memory: asked for together, made empty meanwhile. */
static void load(struct tl_feed *feed)
{
    const char **ids = malloc((feed->flight_n + 1) * sizeof(*ids));
    size_t n = 0;

    if (!ids)
        abort();
    if (feed->map.len > CALLS_MAX)
        tl_call_map_clear(&feed->map);
    for (size_t i = 0; i < feed->flight_n; i++) {
        struct entry *e = feed->queue[i];

        if (e->letter || tl_call_map_get(&feed->map, e->event.call_id))
            continue;
        ids[n++] = tl_call_map_add(&feed->map, e->event.call_id)->call_id;
    }
    if (n > 0) {
        begin_step(feed, LOADS);
        feed->o.store->load(feed->o.store->self, ids, n);
    } else {
        fold(feed);
    }
    free(ids);
}

static void touch(struct tl_feed *feed, struct tl_call_fold *call)
{
    for (size_t i = feed->touched_n; i > 0; i--) /* mostly a recent one */
        if (feed->touched[i - 1] == call)
            return;
    feed->touched[feed->touched_n++] = call;
}

static void note_move(struct tl_feed *feed, const struct entry *e)
{
    for (size_t i = 0; i < feed->moves_n; i++) {
        if (feed->moves[i].partition == e->partition) {
            feed->moves[i].next = e->offset + 1;
            return;
        }
    }
    feed->moves[feed->moves_n++] =
        (struct tl_feed_move){e->partition, part_of(feed, e->partition)->expected, e->offset + 1};
}

static void fold_entry(struct tl_feed *feed, const struct entry *e)
{
    struct tl_call_fold *call = tl_call_map_get(&feed->map, e->event.call_id);
    enum tl_fold_verdict verdict = tl_call_fold_take(call, &e->event, e->partition, e->offset);
    bool is_final = e->event.utterance && e->event.utterance->final;

    COUNT(feed, events, tl_fold_verdict_name(verdict));
    if (verdict != TL_FOLD_COUNTS)
        return;
    touch(feed, call);
    feed->items[feed->items_n++] =
        (struct tl_feed_item){.event = &e->event,
                              .call = call,
                              .offset = e->offset,
                              .sequence = is_final ? call->utterances : 0};
}

static void fold(struct tl_feed *feed)
{
    size_t n = feed->flight_n;

    feed->items = realloc(feed->items, (n + 1) * sizeof(*feed->items));
    feed->touched = realloc(feed->touched, (n + 1) * sizeof(struct tl_call_fold *));
    if (!feed->items || !feed->touched)
        abort();
    feed->items_n = feed->touched_n = feed->moves_n = 0;
    for (size_t i = 0; i < n; i++) {
        note_move(feed, feed->queue[i]);
        if (!feed->queue[i]->letter)
            fold_entry(feed, feed->queue[i]);
    }
    const struct tl_feed_batch batch = {.items = feed->items,
                                        .items_n = feed->items_n,
                                        .calls = feed->touched,
                                        .calls_n = feed->touched_n,
                                        .moves = feed->moves,
                                        .moves_n = feed->moves_n};
    begin_step(feed, WRITES);
    feed->o.store->write(feed->o.store->self, &batch);
}

/* How many of the queue go now: up to a dead letter that is not in the log yet. */
static size_t next_batch(const struct tl_feed *feed)
{
    size_t max = feed->narrow_n > 0 ? 1 : (size_t)feed->o.batch_records, n = 0;

    while (n < feed->queue_n && n < max && feed->queue[n]->letter != LETTER_SENT)
        n++;
    return n;
}

static void linger(struct tl_feed *feed)
{
    if (!feed->lingering)
        tl_timer_start(&feed->timer, feed->o.loop, (uint64_t)feed->o.batch_ms, on_linger, feed);
    feed->lingering = true;
}

static void flush(struct tl_feed *feed)
{
    if (feed->state != READING || feed->step != NOTHING || feed->queue_n == 0)
        return;
    if (feed->queue_n < (size_t)feed->o.batch_records && !feed->lingered && feed->narrow_n == 0) {
        linger(feed);
        return;
    }
    feed->flight_n = next_batch(feed);
    if (feed->flight_n == 0)
        return; /* on_letter comes back */
    if (feed->lingering)
        tl_timer_stop(&feed->timer);
    feed->lingering = feed->lingered = false;
    feed->flight_at_us = tl_mono_us();
    load(feed);
}

/* ---- answers of the store ---- */

/* True when the question belongs to the past: the answer is of no use. */
static bool is_stale(struct tl_feed *feed)
{
    bool stale = feed->stale;

    feed->step = NOTHING;
    feed->stale = false;
    if (feed->is_dead) {
        unref(feed);
        return true;
    }
    feed->refs--; /* not the last one: that is the feed's own */
    if (stale && feed->state == POSITIONING && !tl_timer_is_running(&feed->timer))
        ask_positions(feed);
    return stale;
}

void tl_feed_put_call(struct tl_feed *feed, const char *call_id, const json_t *json)
{
    struct tl_call_fold *call = feed->stale ? NULL : tl_call_map_get(&feed->map, call_id);
    struct tl_error err;

    if (call && tl_call_fold_from_json(call, call_id, json, &err) != TL_OK)
        tl_log_error(feed->o.log, "feed.state_unreadable, skipped", TL_STR("call_id", call_id),
                     TL_STR("error", err.msg));
}

void tl_feed_put_closed(struct tl_feed *feed, const char *call_id)
{
    struct tl_call_fold *call = feed->stale ? NULL : tl_call_map_get(&feed->map, call_id);

    if (call)
        call->closed_at = 1; /* when does not matter: nothing of it is stored again */
}

static void on_written(struct tl_feed *feed)
{
    int64_t now_ms = tl_now_ms(), took_us = tl_mono_us() - feed->flight_at_us;

    for (size_t i = 0; i < feed->moves_n; i++) {
        struct part *part = part_of(feed, feed->moves[i].partition);

        part->expected = feed->moves[i].next;
        if (part->poison < part->expected)
            part->poison = -1;
        tl_group_store(feed->group, TOPIC, part->partition,
                       part->expected); /* for lag, to look at */
    }
    tl_histogram_observe(tl_histogram_of(&feed->o.metrics->batch_time, feed->o.store->name),
                         took_us);
    for (size_t i = 0; i < feed->items_n; i++)
        tl_histogram_observe(tl_histogram_of(&feed->o.metrics->lag, feed->o.store->name),
                             (now_ms - feed->items[i].event->at) * 1000);
    for (size_t i = 0; i < feed->touched_n; i++)
        if (feed->touched[i]->closed_at)
            tl_call_map_remove(&feed->map, feed->touched[i]->call_id);
    tl_gauge_set(tl_gauge_of(&feed->o.metrics->calls, feed->o.store->name), (int64_t)feed->map.len);
    feed->narrow_n -= feed->narrow_n > 0; /* then a batch is one record */
    feed->strikes = 0;
    feed->backoff_ms = BACKOFF_MIN_MS;
    drop_first(feed, feed->flight_n);
    feed->flight_n = 0;
    if (feed->paused && feed->queue_n < (size_t)feed->o.batch_records)
        resume_all(feed);
}

/* The store refused the batch. First everything is read again, as somebody else may have moved the
 * position; refused again, record by record; and a record refused alone is poison. */
static void on_refused(struct tl_feed *feed, const struct tl_error *err)
{
    const struct entry *first = feed->queue[0];

    feed->strikes++;
    if (feed->flight_n == 1 && feed->strikes > 1) {
        part_of(feed, first->partition)->poison = first->offset;
        (void)snprintf(feed->poison_why, sizeof(feed->poison_why), "%s", err->msg);
    } else if (feed->strikes > 1 || err->status == TL_INVALID) {
        feed->narrow_n = (int64_t)feed->flight_n;
    }
    restart(feed, tl_status_name(err->status), err->msg);
}

void tl_feed_answer(struct tl_feed *feed, enum tl_status status, const struct tl_error *err)
{
    bool wrote = feed->step == WRITES;

    if (is_stale(feed))
        return;
    if (wrote)
        COUNT(feed, batches, tl_status_name(status));
    if (status == TL_FATAL)
        fatal(feed, err);
    else if (wrote && (status == TL_INVALID || status == TL_CONFLICT))
        on_refused(feed, err);
    else if (status != TL_OK)
        restart(feed, "store", err->msg);
    else if (wrote)
        on_written(feed);
    else
        fold(feed);
    if (wrote)
        flush(feed);
}

/* ---- positions ---- */

static void ask_positions(void *arg)
{
    struct tl_feed *feed = arg;
    int32_t partitions[PARTITIONS_MAX];

    if (feed->step != NOTHING)
        return; /* is_stale comes back */
    if (!feed->o.store->is_up(feed->o.store->self, feed->why, sizeof(feed->why))) {
        tl_timer_start(&feed->timer, feed->o.loop, BACKOFF_MIN_MS, ask_positions, feed);
        return;
    }
    for (size_t i = 0; i < feed->parts_n; i++)
        partitions[i] = feed->parts[i].partition;
    begin_step(feed, ASKS_POSITIONS);
    feed->o.store->read_positions(feed->o.store->self, partitions, feed->parts_n);
}

static void seek_all(struct tl_feed *feed)
{
    struct tl_error err;

    for (size_t i = 0; i < feed->parts_n; i++) {
        struct part *part = &feed->parts[i];

        part->gap_at = -1;
        if (tl_group_seek(feed->group, TOPIC, part->partition, part->next, &err) != TL_OK) {
            restart(feed, "seek", err.msg);
            return;
        }
    }
    feed->state = READING;
    resume_all(feed);
}

static void assign_all(struct tl_feed *feed)
{
    struct tl_group_partition list[PARTITIONS_MAX];
    struct tl_error err;

    for (size_t i = 0; i < feed->parts_n; i++)
        list[i] = (struct tl_group_partition){TOPIC, feed->parts[i].partition, feed->parts[i].next};
    enum tl_status st = tl_group_assign(feed->group, feed->generation, list, feed->parts_n, &err);
    if (st == TL_OK) {
        feed->assigned = true;
        feed->paused = false;
        feed->state = READING;
        tl_log_info(feed->o.log, "feed.reading", TL_STR("sink", feed->o.store->name),
                    TL_INT("partitions", feed->parts_n));
    } else if (st != TL_CONFLICT) { /* of the past: another assignment comes */
        restart(feed, "assign", err.msg);
    }
}

static void look_up(struct tl_feed *feed);

static void on_offset(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct tl_feed *feed = arg;

    feed->query = NULL;
    if (status != TL_OK) {
        restart(feed, "offset_of_time", error);
        return;
    }
    feed->parts[feed->part_looked_up].next = offset;
    look_up(feed);
}

/* Partitions without a position begin some hours ago, or at the first record that there is. A real
 * offset in any case: only so can what was read ahead be told from what was asked for. */
static void look_up(struct tl_feed *feed)
{
    struct tl_error err;

    for (size_t i = 0; i < feed->parts_n; i++) {
        if (feed->parts[i].next >= 0)
            continue;
        int64_t lookback_ms = feed->o.store->lookback_ms;
        feed->part_looked_up = i;
        if (tl_offset_of_time(tl_fleet_kafka(feed->o.fleet), TOPIC, feed->parts[i].partition,
                              lookback_ms ? tl_now_ms() - lookback_ms : 0, OFFSET_DEADLINE_MS,
                              on_offset, feed, &feed->query, &err) != TL_OK)
            restart(feed, "offset_of_time", err.msg);
        return;
    }
    if (feed->assigned)
        seek_all(feed);
    else
        assign_all(feed);
}

void tl_feed_answer_positions(struct tl_feed *feed, enum tl_status status, const int64_t *next,
                              const struct tl_error *err)
{
    if (is_stale(feed))
        return;
    if (status == TL_FATAL) {
        fatal(feed, err);
        return;
    }
    if (status != TL_OK) {
        restart(feed, "store", err->msg);
        return;
    }
    for (size_t i = 0; i < feed->parts_n; i++) {
        struct part *part = &feed->parts[i];

        if (part->expected != next[i])
            feed->strikes = 0; /* somebody else moved it, or it was committed after all */
        part->expected = next[i];
        part->next = next[i];
    }
    look_up(feed);
}

/* ---- group ---- */

static void on_assign(void *arg, int64_t generation, const struct tl_group_partition *partitions,
                      size_t len)
{
    struct tl_feed *feed = arg;

    forget(feed);
    feed->generation = generation;
    feed->assigned = false;
    feed->had_assignment = true;
    feed->parts_n = len > PARTITIONS_MAX ? PARTITIONS_MAX : len;
    for (size_t i = 0; i < feed->parts_n; i++)
        feed->parts[i] = (struct part){.partition = partitions[i].partition,
                                       .expected = -2,
                                       .next = -1,
                                       .gap_at = -1,
                                       .poison = -1};
    feed->state = feed->parts_n ? POSITIONING : WITHOUT;
    if (feed->parts_n)
        ask_positions(feed);
    else
        assign_all(feed);
}

static void on_revoke(void *arg, const struct tl_group_partition *partitions, size_t len, bool lost)
{
    struct tl_feed *feed = arg;

    (void)partitions;
    (void)len;
    (void)lost; /* what is not stored yet is the next owner's: the position says so */
    forget(feed);
    resume_all(feed); /* librdkafka remembers a pause beyond the assignment */
    feed->state = WITHOUT;
    feed->parts_n = 0;
    feed->assigned = false;
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct tl_feed *feed = arg;
    struct tl_error told = *err;

    if (err->status == TL_CONFLICT)
        (void)tl_fail(&told, TL_FATAL,
                      "%s: the position of %s partition %" PRId32
                      " is outside the log: records were "
                      "deleted before they were stored, or the topic was made anew. Set it in the "
                      "store on purpose. (%s)",
                      feed->o.store->name, topic, partition, err->msg);
    if (told.status == TL_FATAL)
        fatal(feed, &told);
    else
        tl_log_warn(feed->o.log, "feed.kafka", TL_STR("sink", feed->o.store->name),
                    TL_STR("error", err->msg));
}

/* ---- life ---- */

bool tl_feed_is_ready(const struct tl_feed *feed, char *reason, size_t size)
{
    if (!feed->had_assignment) {
        (void)snprintf(reason, size, "%s: no partitions from the group yet", feed->o.store->name);
        return false;
    }
    if (feed->state == POSITIONING) {
        (void)snprintf(reason, size, "%s: %s", feed->o.store->name,
                       *feed->why ? feed->why : "reading positions");
        return false;
    }
    return true;
}

enum tl_status tl_feed_create(const struct tl_feed_options *options, struct tl_feed **ret_feed,
                              struct tl_error *err)
{
    static const char *const topics[] = {TOPIC, NULL};
    struct tl_feed *feed = calloc(1, sizeof(*feed));
    char member[64];

    if (!feed)
        abort();
    feed->o = *options;
    feed->refs = 1;
    feed->backoff_ms = BACKOFF_MIN_MS;
    (void)snprintf(member, sizeof(member), "%s-%d", options->store->name, options->instance);
    const struct tl_group_options group = {.group_id = options->store->name,
                                           .instance_id = member,
                                           .topics = topics,
                                           .read_uncommitted = true, /* never in a transaction */
                                           .on_assign = on_assign,
                                           .on_revoke = on_revoke,
                                           .on_record = on_record,
                                           .on_error = on_error,
                                           .arg = feed};
    enum tl_status st =
        tl_dead_letters_create(tl_fleet_events(options->fleet), tl_fleet_schemas(options->fleet),
                               tl_fleet_name(options->fleet), &feed->letters, err);
    if (st == TL_OK)
        st = tl_group_create(tl_fleet_kafka(options->fleet), &group, &feed->group, err);
    if (st != TL_OK) {
        tl_feed_destroy(feed);
        return st;
    }
    *ret_feed = feed;
    return TL_OK;
}

void tl_feed_destroy(struct tl_feed *feed)
{
    if (!feed)
        return;
    feed->is_dead = true;
    tl_group_destroy(feed->group, 5000);
    forget(feed);
    tl_timer_finish(&feed->timer);
    tl_dead_letters_destroy(feed->letters);
    unref(feed);
}
