/* The watchdog's I/O: reads calls.v1 and the state topic, all partitions, in no group; writes rescues;
 * asks for high watermarks. What is decided stands in watch.c. */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/tail.h"
#include "sinks/telephony/telephony_internal.h"
#include "sinks/telephony/watch.h"

#define TICK_MS 50
#define AGAIN_MS 250 /* Kafka did not answer, or a schema is not known */
#define QUERY_DEADLINE_MS 5000
#define BEATS_TO_JUDGE 8 /* own records in the log: by then all that live have been heard */
#define FORGET_MS 60000
#define REMEMBER_OVER_MS 3600000
#define NEVER_OVER_MS 86400000

enum { CALLS, STATE, TOPICS_N };
static const char *const TOPICS[TOPICS_N] = {"calls.v1", "state.telephony.v1"};

/* One topic of one partition, as far as it was read. */
struct feed {
    struct part *part;
    int64_t next;      /* offset */
    int64_t end;       /* high watermark of the round under way; -1: not answered */
    int64_t held;      /* its schema is not known: from here again; -1 */
    bool is_caught_up; /* with what was there at start */
    struct tl_offsets_query *query;
};

struct part {
    struct tl_watchdog *watchdog;
    int32_t number;
    bool is_marking;
    struct feed feed[TOPICS_N];
    struct tl_timer again;
};

struct tl_watchdog {
    struct tl_telephony *telephony;
    struct tl_tail *tail;
    struct tl_watch watch;
    struct part *parts;
    int32_t parts_n;
    int64_t beats;
    int64_t gone;      /* as counted last */
    int64_t forgot_at; /* monotonic ms */
    bool is_ready;
    struct tl_timer tick;
    struct tl_arena arena;
};

static int topic_index(const char *topic)
{
    return strcmp(topic, TOPICS[CALLS]) == 0 ? CALLS : STATE;
}

static struct tl_counter *rescues(struct tl_watchdog *watchdog, const char *step,
                                  const struct tl_watch_call *call)
{
    return tl_counter_of(&watchdog->telephony->sink->metrics.rescues, step,
                         tl_watch_cause_name(call->cause));
}

/* ---- marks: the ends of both logs, then the reading has to pass them ---- */

static void ask_end(struct feed *feed);

static void check_mark(struct part *part)
{
    if (!part->is_marking)
        return;
    for (int k = 0; k < TOPICS_N; k++)
        if (part->feed[k].end < 0 || part->feed[k].next < part->feed[k].end)
            return;
    part->is_marking = false;
    tl_watch_mark(&part->watchdog->watch, part->number);
}

static void on_again(void *arg)
{
    struct part *part = arg;
    struct tl_watchdog *watchdog = part->watchdog;
    struct tl_error err;

    for (int k = 0; k < TOPICS_N; k++) {
        struct feed *feed = &part->feed[k];
        struct tl_tail_start start = {.from = TL_FROM_OFFSET, .at = feed->held};

        if (feed->held >= 0) {
            feed->held = -1;
            tl_tail_remove(watchdog->tail, TOPICS[k], part->number);
            if (tl_tail_add(watchdog->tail, TOPICS[k], part->number, start, &err) != TL_OK)
                watchdog->telephony->sink->fail(watchdog->telephony->sink, &err);
        }
        if (part->is_marking && feed->end < 0 && !feed->query)
            ask_end(feed);
    }
}

static void try_again(struct part *part)
{
    tl_timer_start(&part->again, part->watchdog->telephony->sink->loop, AGAIN_MS, on_again, part);
}

static void on_end_known(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct feed *feed = arg;

    (void)error; /* Kafka is away, and that is told elsewhere */
    feed->query = NULL;
    if (status != TL_OK) {
        try_again(feed->part);
        return;
    }
    feed->end = offset;
    check_mark(feed->part);
}

static void ask_end(struct feed *feed)
{
    struct part *part = feed->part;
    struct tl_error err;

    if (tl_offset_of_end(tl_fleet_kafka(part->watchdog->telephony->sink->fleet),
                         TOPICS[feed - part->feed], part->number, QUERY_DEADLINE_MS, on_end_known,
                         feed, &feed->query, &err) != TL_OK)
        try_again(part);
}

static void mark(void *arg, int32_t partition)
{
    struct tl_watchdog *watchdog = arg;
    struct part *part = &watchdog->parts[partition];

    part->is_marking = true;
    for (int k = 0; k < TOPICS_N; k++) {
        part->feed[k].end = -1;
        ask_end(&part->feed[k]);
    }
}

/* ---- rescues ---- */

static bool write_rescue(void *arg, const struct tl_watch_call *call)
{
    struct tl_watchdog *watchdog = arg;
    struct tl_rescue rescue = {.number = call->attachment.number,
                               .offset = call->attachment.offset,
                               .attempt = call->attempts + 1,
                               .reason = tl_watch_cause_name(call->cause)};
    struct tl_call_event event = {.call_id = call->call_id,
                                  .leg = "caller",
                                  .business_id = *call->business_id ? call->business_id : NULL,
                                  .rescue = &rescue};
    struct tl_error err;

    if (tl_fleet_send_event(watchdog->telephony->sink->fleet, &event, NULL, NULL, &err) != TL_OK)
        return false;
    tl_counter_add(rescues(watchdog, "written", call), 1);
    return true;
}

static void act(void *arg, const struct tl_watch_call *call)
{
    struct tl_watchdog *watchdog = arg;

    tl_counter_add(rescues(watchdog, "first", call), 1);
    tl_rescue_add(watchdog->telephony, call);
}

static void settle(void *arg, const struct tl_watch_call *call, enum tl_watch_end end)
{
    static const char *const ends[] = {
        [TL_WATCH_RESUMED] = "resumed", [TL_WATCH_OVER] = "over", [TL_WATCH_LEFT] = "left"};
    struct tl_watchdog *watchdog = arg;
    int64_t lost_ms = tl_mono_ms() - call->lost_at;

    tl_rescue_settle(watchdog->telephony, call->call_id);
    if (!call->is_ours) /* told by the one who acted last */
        return;
    tl_counter_add(rescues(watchdog, ends[end], call), 1);
    if (end == TL_WATCH_RESUMED)
        tl_histogram_observe(&watchdog->telephony->sink->metrics.rescue_time, lost_ms * 1000);
    tl_log_info(watchdog->telephony->sink->log, "call.rescued", TL_STR("call_id", call->call_id),
                TL_STR("business_id", call->business_id), TL_STR("end", ends[end]),
                TL_STR("cause", tl_watch_cause_name(call->cause)),
                TL_INT("number", call->attachment.number), TL_INT("ingest", call->ingest),
                TL_STR("stream_sid", call->stream_sid), TL_INT("attempts", call->attempts),
                TL_INT("lost_ms", lost_ms));
}

/* ---- reading ---- */

static void check_ready(struct tl_watchdog *watchdog)
{
    if (watchdog->is_ready || watchdog->beats < BEATS_TO_JUDGE)
        return;
    for (int32_t p = 0; p < watchdog->parts_n; p++)
        for (int k = 0; k < TOPICS_N; k++)
            if (!watchdog->parts[p].feed[k].is_caught_up)
                return;
    watchdog->is_ready = true;
    tl_log_info(watchdog->telephony->sink->log, "watchdog.ready",
                TL_INT("calls", HASH_COUNT(watchdog->watch.calls)));
}

static enum tl_status take(struct tl_watchdog *watchdog, const struct tl_record *record, int topic,
                           struct tl_error *err)
{
    struct tl_fleet *fleet = watchdog->telephony->sink->fleet;
    struct tl_schema_set *schemas = tl_fleet_schemas(fleet);
    struct tl_call_event event;
    struct tl_telephony_state state;

    if (!record->value.data)
        return TL_OK; /* the call is closed, and calls.v1 says so */
    tl_arena_reset(&watchdog->arena);
    if (topic == STATE) {
        enum tl_status st = tl_record_decode(schemas, TL_RECORD_TELEPHONY_STATE, record->value,
                                             &watchdog->arena, &state, err);
        if (st == TL_OK)
            tl_watch_take_state(&watchdog->watch, &state, record->partition, tl_mono_ms());
        return st;
    }
    enum tl_status st = tl_record_decode(schemas, TL_RECORD_CALL_EVENT, record->value,
                                         &watchdog->arena, &event, err);
    if (st == TL_OK)
        st = tl_call_event_check(&event, record->key, err);
    if (st == TL_OK)
        tl_watch_take(&watchdog->watch, &event, record->partition, record->offset,
                      event.epoch == tl_fleet_epoch(fleet) &&
                          strcmp(event.producer, tl_fleet_name(fleet)) == 0,
                      tl_mono_ms());
    return st;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_watchdog *watchdog = arg;
    int topic = topic_index(record->topic);
    struct part *part = &watchdog->parts[record->partition];
    struct feed *feed = &part->feed[topic];
    struct tl_error err;

    if (feed->held >= 0)
        return;
    enum tl_status st = take(watchdog, record, topic, &err);
    if (st == TL_RETRY) { /* its writer's schema is being fetched */
        feed->held = record->offset;
        tl_tail_pause(watchdog->tail, record->topic, record->partition);
        try_again(part);
        return;
    }
    if (st != TL_OK)
        tl_log_debug(watchdog->telephony->sink->log, "watchdog.unreadable, skipped",
                     TL_STR("topic", record->topic), TL_INT("offset", record->offset),
                     TL_STR("error", err.msg));
    feed->next = record->offset + 1;
    check_mark(part);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t next_offset)
{
    struct tl_watchdog *watchdog = arg;
    struct feed *feed = &watchdog->parts[partition].feed[topic_index(topic)];

    if (feed->held >= 0)
        return;
    feed->next = next_offset;
    feed->is_caught_up = true;
    check_ready(watchdog);
    check_mark(feed->part);
}

/* The reading fell behind what is kept: what is left of the log is read. */
static void read_from_beginning(struct tl_watchdog *watchdog, const char *topic, int32_t partition)
{
    struct tl_error err;

    tl_tail_remove(watchdog->tail, topic, partition);
    if (tl_tail_add(watchdog->tail, topic, partition,
                    (struct tl_tail_start){.from = TL_FROM_BEGINNING}, &err) != TL_OK)
        watchdog->telephony->sink->fail(watchdog->telephony->sink, &err);
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct tl_watchdog *watchdog = arg;

    tl_log_warn(watchdog->telephony->sink->log, "watchdog.kafka", TL_STR("topic", topic),
                TL_INT("partition", partition), TL_STR("error", err->msg));
    if (err->status == TL_CONFLICT && topic)
        read_from_beginning(watchdog, topic, partition);
}

/* ---- time ---- */

void tl_watchdog_look(struct tl_watchdog *watchdog)
{
    struct tl_sink_metrics *metrics = &watchdog->telephony->sink->metrics;

    if (!watchdog->is_ready)
        return;
    tl_watch_tick(&watchdog->watch, tl_fleet_view(watchdog->telephony->sink->fleet), tl_mono_ms());
    tl_gauge_set(&metrics->watched, watchdog->watch.streams);
    tl_gauge_set(&metrics->lost, watchdog->watch.lost);
    if (watchdog->watch.gone > watchdog->gone)
        tl_counter_add(&metrics->ingests_gone, (uint64_t)(watchdog->watch.gone - watchdog->gone));
    watchdog->gone = watchdog->watch.gone;
}

static void on_tick(void *arg)
{
    struct tl_watchdog *watchdog = arg;
    int64_t now = tl_mono_ms();

    check_ready(watchdog);
    tl_watchdog_look(watchdog);
    tl_rescue_pump(watchdog->telephony);
    if (now - watchdog->forgot_at < FORGET_MS)
        return;
    watchdog->forgot_at = now;
    tl_watch_forget(&watchdog->watch, now - REMEMBER_OVER_MS, now - NEVER_OVER_MS);
}

void tl_watchdog_count_beat(struct tl_watchdog *watchdog)
{
    watchdog->beats++;
}

const struct tl_watch_call *tl_watchdog_call(const struct tl_watchdog *watchdog, const char *call_id)
{
    return tl_watch_get(&watchdog->watch, call_id);
}

bool tl_watchdog_is_ready(const struct tl_watchdog *watchdog)
{
    return watchdog->is_ready;
}

/* ---- life ---- */

static struct tl_watch_rules rules_of(const struct tl_sink_settings *s)
{
    return (struct tl_watch_rules){.broken_ms = s->telephony_rescue_broken_ms,
                                   .stopped_ms = s->telephony_rescue_stopped_ms,
                                   .gone_ms = s->telephony_rescue_gone_ms,
                                   .no_stream_ms = s->telephony_rescue_no_stream_ms,
                                   .rank_ms = 100,
                                   .next_ms = s->telephony_rescue_next_ms,
                                   .next_max_ms = s->telephony_rescue_next_max_ms,
                                   .per_minute = s->telephony_rescues_per_minute};
}

static enum tl_status follow(struct tl_watchdog *watchdog, struct tl_error *err)
{
    const struct tl_tail_start start[TOPICS_N] = {
        [CALLS] = {.from = TL_FROM_TIME,
                   .at = tl_now_ms() - watchdog->telephony->sink->settings.telephony_lookback_ms},
        [STATE] = {.from = TL_FROM_BEGINNING}};
    enum tl_status st = TL_OK;

    for (int32_t p = 0; st == TL_OK && p < watchdog->parts_n; p++) {
        struct part *part = &watchdog->parts[p];

        *part = (struct part){.watchdog = watchdog, .number = p};
        for (int k = 0; st == TL_OK && k < TOPICS_N; k++) {
            part->feed[k] = (struct feed){.part = part, .held = -1, .end = -1};
            st = tl_tail_add(watchdog->tail, TOPICS[k], p, start[k], err);
        }
    }
    return st;
}

enum tl_status tl_watchdog_create(struct tl_telephony *telephony, struct tl_error *err)
{
    struct tl_sink *sink = telephony->sink;
    struct tl_watchdog *watchdog = calloc(1, sizeof(*watchdog));

    if (!watchdog)
        abort();
    const struct tl_tail_options tail = {.name = "watchdog",
                                         .on_record = on_record,
                                         .on_end = on_end,
                                         .on_error = on_error,
                                         .arg = watchdog};
    const struct tl_watch_rules rules = rules_of(&sink->settings);
    const struct tl_watch_wants wants = {
        .mark = mark, .write = write_rescue, .act = act, .settle = settle, .arg = watchdog};
    watchdog->telephony = telephony;
    watchdog->forgot_at = tl_mono_ms();
    watchdog->parts_n = tl_fleet_partitions(sink->fleet);
    watchdog->parts = calloc((size_t)watchdog->parts_n, sizeof(*watchdog->parts));
    if (!watchdog->parts)
        abort();
    tl_watch_init(&watchdog->watch, &rules, &wants, watchdog->parts_n);
    enum tl_status st = tl_tail_create(tl_fleet_kafka(sink->fleet), &tail, &watchdog->tail, err);
    if (st == TL_OK)
        st = follow(watchdog, err);
    if (st != TL_OK) {
        tl_watchdog_destroy(watchdog);
        return st;
    }
    tl_timer_repeat(&watchdog->tick, sink->loop, TICK_MS, on_tick, watchdog);
    telephony->watchdog = watchdog;
    return TL_OK;
}

void tl_watchdog_destroy(struct tl_watchdog *watchdog)
{
    if (!watchdog)
        return;
    tl_timer_finish(&watchdog->tick);
    for (int32_t p = 0; p < watchdog->parts_n; p++) {
        tl_timer_finish(&watchdog->parts[p].again);
        for (int k = 0; k < TOPICS_N; k++)
            tl_offsets_query_cancel(watchdog->parts[p].feed[k].query);
    }
    tl_tail_destroy(watchdog->tail);
    tl_watch_finish(&watchdog->watch);
    tl_arena_finish(&watchdog->arena);
    free(watchdog->parts);
    free(watchdog);
}
