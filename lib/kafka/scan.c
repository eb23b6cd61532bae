/* Bounded reads on top of one tail. Each partition that somebody scans has a reader; each scan of
 * it remembers which record it wants next, so the reader may go back for a newcomer.
 *
 *      scan A   next ─────────▶ until        (joined first)
 *      scan B        next ──────────▶ until  (starts behind the position: just joins)
 *      scan C next ────▶ until               (starts before it: the reader goes back to C's start;
 *                                             A and B pass over what they have seen)
 *
 * What was asked in one loop turn starts together in the next: twelve successors' calls, one read.
 */
#include "kafka/scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/client.h"
#include "kafka/internal.h"
#include "kafka/offsets.h"
#include "kafka/tail.h"
#include "net/timer.h"

#define FETCH_WAIT_MS 10 /* a fetch under way must not hold up a partition that is added */
#define GATHER_MS 2      /* the calls of a dead process come one after the other */
#define TICK_MS 10       /* deadlines are looked at so often */
#define DEADLINE_DEFAULT_MS 10000

struct tl_scan {
    struct scan_reader *reader;
    struct tl_scan *next_scan;
    struct tl_scan_options options; /* topic is the reader's */
    int64_t next;                   /* first offset it has not seen; -1: to be found by time */
    int64_t until_ms;
    bool joined; /* the reader stands at or before `next`: nothing of it can be missed */
    bool dead; /* done or cancelled: nothing is handed to it, freed by sweep() */
};

struct scan_reader {
    struct tl_scanner *scanner;
    struct scan_reader *next_reader;
    char *topic;
    int32_t partition;
    struct tl_scan *scans;
    bool reading; /* added to the tail */
    bool dirty;   /* scans came: look again where to read */
    struct tl_offsets_query *lookup;
    int64_t lookup_time_ms; /* scans from then on are answered by it */
};

struct tl_scanner {
    struct tl_kafka *kafka;
    struct tl_tail *tail;
    struct scan_reader *readers;
    struct tl_timer tick;
    struct tl_timer kick;
    unsigned busy; /* callbacks run: nothing is freed */
    bool closing;  /* destroyed by one of them */
};

static void finish(struct tl_scan *scan, enum tl_status status, const char *why)
{
    struct tl_error err = {.status = TL_OK};

    if (scan->dead)
        return;
    scan->dead = true;
    if (status != TL_OK)
        (void)tl_fail(&err, status, "scan %s/%" PRId32 " from %" PRId64 ": %s", scan->reader->topic,
                      scan->reader->partition, scan->next, why);
    if (scan->options.on_done)
        scan->options.on_done(scan->options.arg, status, &err);
}

static void stop_reading(struct scan_reader *reader)
{
    if (reader->reading)
        tl_tail_remove(reader->scanner->tail, reader->topic, reader->partition);
    reader->reading = false;
}

static void free_reader(struct scan_reader *reader)
{
    tl_offsets_query_cancel(reader->lookup);
    stop_reading(reader);
    free(reader->topic);
    free(reader);
}

static void free_scanner(struct tl_scanner *scanner)
{
    while (scanner->readers) {
        struct scan_reader *reader = scanner->readers;

        scanner->readers = reader->next_reader;
        while (reader->scans) {
            struct tl_scan *scan = reader->scans;
            reader->scans = scan->next_scan;
            free(scan);
        }
        free_reader(reader);
    }
    tl_timer_finish(&scanner->tick);
    tl_timer_finish(&scanner->kick);
    tl_tail_destroy(scanner->tail);
    free(scanner);
}

static void sweep_scans(struct scan_reader *reader)
{
    for (struct tl_scan **at = &reader->scans; *at;) {
        struct tl_scan *scan = *at;

        if (!scan->dead) {
            at = &scan->next_scan;
            continue;
        }
        *at = scan->next_scan;
        free(scan);
    }
}

/* Frees what is done with, once no callback is on the stack. */
static void sweep(struct tl_scanner *scanner)
{
    for (struct scan_reader **at = &scanner->readers; *at;) {
        struct scan_reader *reader = *at;

        sweep_scans(reader);
        if (reader->scans) {
            at = &reader->next_reader;
            continue;
        }
        *at = reader->next_reader;
        free_reader(reader);
    }
    if (!scanner->readers)
        tl_timer_stop(&scanner->tick);
}

/* Callbacks run between enter and leave; after leave the scanner may be gone. */
static void enter(struct tl_scanner *scanner)
{
    scanner->busy++;
}

static void leave(struct tl_scanner *scanner)
{
    if (--scanner->busy > 0)
        return;
    if (scanner->closing)
        free_scanner(scanner);
    else
        sweep(scanner);
}

static void hand_out(struct tl_scan *scan, const struct tl_record *record)
{
    int64_t until = scan->options.until_offset;

    if (scan->dead || !scan->joined || record->offset < scan->next)
        return;
    if (until < 0 || record->offset < until) {
        scan->next = record->offset + 1;
        scan->options.on_record(scan->options.arg, record);
    }
    if (until >= 0 && record->offset + 1 >= until)
        finish(scan, TL_OK, "");
}

static struct scan_reader *find_reader(struct tl_scanner *scanner, const char *topic,
                                       int32_t partition)
{
    for (struct scan_reader *r = scanner->readers; r; r = r->next_reader) {
        if (r->partition == partition && strcmp(r->topic, topic) == 0)
            return r;
    }
    return NULL;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_scanner *scanner = arg;
    struct scan_reader *reader = find_reader(scanner, record->topic, record->partition);

    if (!reader)
        return;
    enter(scanner);
    for (struct tl_scan *s = reader->scans; s && !scanner->closing; s = s->next_scan)
        hand_out(s, record);
    leave(scanner);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t end)
{
    struct tl_scanner *scanner = arg;
    struct scan_reader *reader = find_reader(scanner, topic, partition);

    if (!reader)
        return;
    enter(scanner);
    for (struct tl_scan *s = reader->scans; s && !scanner->closing; s = s->next_scan) {
        if (s->joined && s->next <= end && s->options.until_offset <= end)
            finish(s, TL_OK, ""); /* TL_SCAN_TO_END is below every end */
    }
    leave(scanner);
}

/* Where the reader must go: the least of what its scans want. -1: nobody wants anything yet. */
static int64_t least_next(const struct scan_reader *reader)
{
    int64_t least = -1;

    for (const struct tl_scan *s = reader->scans; s; s = s->next_scan) {
        if (!s->dead && s->next >= 0 && (least < 0 || s->next < least))
            least = s->next;
    }
    return least;
}

static void kick_soon(struct tl_scanner *scanner);

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct tl_scanner *scanner = arg;
    struct scan_reader *reader = topic ? find_reader(scanner, topic, partition) : NULL;

    /* Others mend themselves or meet the deadline. */
    if (!reader || (err->status != TL_CONFLICT && err->status != TL_DENIED))
        return;
    int64_t position = least_next(reader);
    enter(scanner);
    stop_reading(reader);
    for (struct tl_scan *s = reader->scans; s && !scanner->closing; s = s->next_scan) {
        if (s->next >= 0 && (s->next <= position || err->status == TL_DENIED))
            finish(s, err->status, err->msg);
    }
    reader->dirty = true; /* those that start later may be within the log */
    if (!scanner->closing)
        kick_soon(scanner);
    leave(scanner);
}

static void on_start_found(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct scan_reader *reader = arg;
    struct tl_scanner *scanner = reader->scanner;

    reader->lookup = NULL;
    enter(scanner);
    for (struct tl_scan *s = reader->scans; s && !scanner->closing; s = s->next_scan) {
        if (s->dead || s->next >= 0 || s->options.from_time_ms < reader->lookup_time_ms)
            continue;
        if (status == TL_OK)
            s->next = offset;
        else
            finish(s, status, error);
    }
    reader->dirty = true;
    if (!scanner->closing)
        kick_soon(scanner);
    leave(scanner);
}

/* One question for all scans that begin by time: the earliest serves them all. */
static void look_up_start(struct scan_reader *reader)
{
    int64_t until_ms = 0, time_ms = -1, now_ms = tl_mono_ms();
    struct tl_error err;

    for (struct tl_scan *s = reader->scans; s; s = s->next_scan) {
        if (s->dead || s->next >= 0)
            continue;
        if (time_ms < 0 || s->options.from_time_ms < time_ms)
            time_ms = s->options.from_time_ms;
        if (s->until_ms > until_ms)
            until_ms = s->until_ms;
    }
    if (time_ms < 0 || reader->lookup || until_ms <= now_ms)
        return;
    reader->lookup_time_ms = time_ms;
    if (tl_offset_of_time(reader->scanner->kafka, reader->topic, reader->partition, time_ms,
                          until_ms - now_ms, on_start_found, reader, &reader->lookup,
                          &err) != TL_OK)
        tl_log_debug(tl_kafka_log(reader->scanner->kafka), "kafka.scan_lookup_failed",
                     TL_STR("error", err.msg)); /* the deadline tells the caller */
}

static void finish_empty(struct scan_reader *reader)
{
    for (struct tl_scan *s = reader->scans; s && !reader->scanner->closing; s = s->next_scan) {
        if (s->next >= 0 && s->options.until_offset >= 0 && s->next >= s->options.until_offset)
            finish(s, TL_OK, "");
    }
}

static void read_from(struct scan_reader *reader, int64_t offset)
{
    struct tl_tail *tail = reader->scanner->tail;
    struct tl_error err;

    stop_reading(reader);
    if (tl_tail_add(tail, reader->topic, reader->partition,
                    (struct tl_tail_start){TL_FROM_OFFSET, offset}, &err) == TL_OK) {
        reader->reading = true;
        for (struct tl_scan *s = reader->scans; s; s = s->next_scan)
            s->joined = s->next >= 0;
        return;
    }
    for (struct tl_scan *s = reader->scans; s && !reader->scanner->closing; s = s->next_scan)
        finish(s, err.status, err.msg);
}

static void settle(struct scan_reader *reader)
{
    reader->dirty = false;
    look_up_start(reader);
    finish_empty(reader);
    int64_t least = least_next(reader);
    if (least < 0 || reader->scanner->closing)
        return;
    /* Also when the reader stands where the newcomer begins: the end is told once, and a scan that
     * joins there would wait for the next record. */
    read_from(reader, least);
}

static void on_kick(void *arg)
{
    struct tl_scanner *scanner = arg;

    enter(scanner);
    for (struct scan_reader *r = scanner->readers; r && !scanner->closing; r = r->next_reader) {
        if (r->dirty)
            settle(r);
    }
    leave(scanner);
}

static void kick_soon(struct tl_scanner *scanner)
{
    if (!tl_timer_is_running(&scanner->kick))
        tl_timer_start(&scanner->kick, tl_kafka_loop(scanner->kafka), GATHER_MS, on_kick, scanner);
}

static void on_tick(void *arg)
{
    struct tl_scanner *scanner = arg;
    int64_t now_ms = tl_mono_ms();

    enter(scanner);
    for (struct scan_reader *r = scanner->readers; r && !scanner->closing; r = r->next_reader) {
        for (struct tl_scan *s = r->scans; s && !scanner->closing; s = s->next_scan) {
            if (now_ms >= s->until_ms)
                finish(s, TL_RETRY, "not done by the deadline");
        }
    }
    leave(scanner);
}

enum tl_status tl_scanner_create(struct tl_kafka *kafka, struct tl_scanner **ret_scanner,
                                 struct tl_error *err)
{
    struct tl_scanner *scanner = calloc(1, sizeof(*scanner));

    if (!scanner)
        abort();
    scanner->kafka = kafka;
    const struct tl_tail_options options = {
        .name = "scan",
        .fetch_wait_max_ms = FETCH_WAIT_MS,
        .on_record = on_record,
        .on_end = on_end,
        .on_error = on_error,
        .arg = scanner,
    };
    enum tl_status st = tl_tail_create(kafka, &options, &scanner->tail, err);
    if (st != TL_OK) {
        free(scanner);
        return st;
    }
    *ret_scanner = scanner;
    return TL_OK;
}

void tl_scanner_destroy(struct tl_scanner *scanner)
{
    if (!scanner)
        return;
    for (struct scan_reader *r = scanner->readers; r; r = r->next_reader) {
        for (struct tl_scan *s = r->scans; s; s = s->next_scan)
            s->dead = true;
    }
    if (scanner->busy)
        scanner->closing = true;
    else
        free_scanner(scanner);
}

static struct scan_reader *make_reader(struct tl_scanner *scanner, const char *topic,
                                       int32_t partition)
{
    struct scan_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        abort();
    reader->scanner = scanner;
    reader->topic = strdup(topic);
    reader->partition = partition;
    reader->next_reader = scanner->readers;
    scanner->readers = reader;
    return reader;
}

enum tl_status tl_scan_start(struct tl_scanner *scanner, const struct tl_scan_options *options,
                             struct tl_scan **ret_scan, struct tl_error *err)
{
    struct scan_reader *reader = find_reader(scanner, options->topic, options->partition);
    int64_t deadline_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_DEFAULT_MS;

    assert(options->on_record && options->partition >= 0);
    if (options->from_offset < 0 && options->from_time_ms < 0)
        return tl_fail(err, TL_INVALID, "scan %s/%" PRId32 ": neither offset nor time to start at",
                       options->topic, options->partition);
    if (!reader)
        reader = make_reader(scanner, options->topic, options->partition);
    struct tl_scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        abort();
    scan->reader = reader;
    scan->options = *options;
    scan->options.topic = reader->topic;
    scan->next = options->from_offset < 0 ? -1 : options->from_offset;
    scan->until_ms = tl_mono_ms() + deadline_ms;
    scan->next_scan = reader->scans;
    reader->scans = scan;
    reader->dirty = true;
    kick_soon(scanner);
    if (!tl_timer_is_running(&scanner->tick))
        tl_timer_repeat(&scanner->tick, tl_kafka_loop(scanner->kafka), TICK_MS, on_tick, scanner);
    *ret_scan = scan;
    return TL_OK;
}

void tl_scan_cancel(struct tl_scan *scan)
{
    if (!scan)
        return;
    struct tl_scanner *scanner = scan->reader->scanner;

    scan->dead = true;
    enter(scanner);
    leave(scanner); /* sweeps unless a callback is running */
}
