/* Heartbeats out, those of all in: see heart.h. */
#include "fleet/heart.h"

#include <stdlib.h>

#include "base/time.h"
#include "crypto/hash.h"
#include "kafka/producer.h"
#include "kafka/tail.h"
#include "net/timer.h"

#define BEAT_MS 125           /* eight a second, and no more: others count their own beats */
#define LATE_MS (2 * BEAT_MS) /* between two beats: late, and told in the metrics */
#define LOOK_BACK_MS 500      /* whoever lives has spoken since */
#define RECORD_BYTES_MAX 4096

struct heart_metrics {
    struct tl_metric_vec instances; /* kind, state */
    struct tl_metric_vec gone;      /* cause */
    struct tl_counter beats, beats_late, beats_failed;
    struct tl_histogram interval, ack, seen;
    struct tl_gauge own_age;
};

struct tl_heart {
    struct tl_heart_options o;
    struct tl_producer *producer;
    struct tl_producer_topic *topic;
    struct tl_tail *tail;
    struct tl_presence_view view;
    struct tl_timer timer;
    struct tl_arena arena; /* of the record being handled */
    struct tl_buf out;
    int64_t run;
    int64_t epoch;                 /* -1 until the first beat is in the log */
    int64_t sent_us, last_seen_us; /* 0: never */
    int seen;
    bool is_in_flight;
    bool is_due; /* when the one in flight is in the log */
    struct heart_metrics metrics;
};

#define ROW(field, kind, name, help, ...)                                                          \
    TL_METRIC_ROW(struct heart_metrics, field, kind, "trunkline_presence_" name,                   \
                  help __VA_OPT__(, ) __VA_ARGS__)

static const struct tl_metric metric_rows[] = {
    ROW(instances, GAUGE, "instances", "Instances as this one sees them: living, draining, gone.",
        .labels = "kind,state"),
    ROW(gone, COUNTER, "gone_total",
        "Instances declared gone: missed records, a higher epoch, a mailbox that is not read.",
        .labels = "cause"),
    ROW(beats, COUNTER, "beats_total", "Own heartbeats sent."),
    ROW(beats_late, COUNTER, "beats_late_total",
        "Own heartbeats sent more than 250 ms after the one before."),
    ROW(beats_failed, COUNTER, "beats_failed_total",
        "Own heartbeats that did not get into the log."),
    ROW(interval, HISTOGRAM, "beat_interval_seconds", "Time between two own heartbeats.",
        .buckets = &tl_buckets_latency),
    ROW(ack, HISTOGRAM, "beat_ack_seconds", "From an own heartbeat to its acknowledgement.",
        .buckets = &tl_buckets_latency),
    ROW(seen, HISTOGRAM, "beat_return_seconds", "From an own heartbeat to its record in the log.",
        .buckets = &tl_buckets_latency),
    ROW(own_age, GAUGE, "own_age_seconds", "Since an own record last came back; -1: never."),
    {0},
};

struct tl_presence_view *tl_heart_view(struct tl_heart *heart)
{
    return &heart->view;
}

int64_t tl_heart_epoch(const struct tl_heart *heart)
{
    return heart->epoch;
}

int tl_heart_seen(const struct tl_heart *heart)
{
    return heart->seen;
}

int64_t tl_heart_last_seen_ms(const struct tl_heart *heart)
{
    return heart->last_seen_us / 1000;
}

/* ---- out ---- */

static void on_timer(void *arg)
{
    tl_heart_beat(arg);
}

static void on_delivered(void *arg, const struct tl_delivery *delivery)
{
    struct tl_heart *h = arg;

    h->is_in_flight = false;
    if (delivery->status == TL_OK)
        tl_histogram_observe(&h->metrics.ack, tl_mono_us() - h->sent_us);
    else
        tl_counter_add(&h->metrics.beats_failed, 1);
    if (delivery->status == TL_OK && h->epoch < 0 && delivery->offset >= 0) {
        h->epoch = delivery->offset;
        h->is_due = true; /* nobody counts this run before it has named its epoch */
    }
    if (h->is_due)
        tl_heart_beat(h);
}

static void count_beat(struct tl_heart *h)
{
    int64_t now_us = tl_mono_us(), since_us = now_us - h->sent_us;

    tl_counter_add(&h->metrics.beats, 1);
    if (h->sent_us) {
        tl_histogram_observe(&h->metrics.interval, since_us);
        tl_counter_add(&h->metrics.beats_late, since_us > LATE_MS * 1000);
    }
    h->sent_us = now_us;
}

/* Never faster than BEAT_MS by itself: the next one is timed from this one. */
static void beat(struct tl_heart *h)
{
    struct tl_presence own = {.kind = h->o.kind,
                              .number = h->o.number,
                              .epoch = h->epoch,
                              .run = h->run,
                              .at = tl_now_ms(),
                              .mailbox_offset_read = -1};
    struct tl_error err;

    h->is_due = false;
    tl_timer_start(&h->timer, tl_kafka_loop(h->o.kafka), BEAT_MS, on_timer, h);
    if (tl_schema_set_id(h->o.schemas, TL_RECORD_PRESENCE) < 0)
        return;
    h->o.fill(h->o.arg, &own);
    tl_buf_reset(&h->out);
    if (tl_record_encode(h->o.schemas, TL_RECORD_PRESENCE, &own, &h->out, &err) != TL_OK ||
        tl_producer_send(h->topic, 0, (struct tl_bytes){0},
                         (struct tl_bytes){h->out.data, h->out.len}, NULL, on_delivered, h,
                         &err) != TL_OK) {
        tl_counter_add(&h->metrics.beats_failed, 1);
        return; /* the next one tries again */
    }
    h->is_in_flight = true;
    count_beat(h);
}

/* One in flight: when the log was away, those that piled up would come back in one row, and make
 * everybody gone. */
void tl_heart_beat(struct tl_heart *h)
{
    if (h->o.kind == TL_INSTANCE_KIND_UNKNOWN || !h->tail)
        return;
    if (h->is_in_flight)
        h->is_due = true;
    else
        beat(h);
}

/* ---- in ---- */

static void on_gone(void *arg, const struct tl_peer *p, enum tl_gone_cause cause)
{
    struct tl_heart *h = arg;

    tl_counter_add(tl_counter_of(&h->metrics.gone, tl_gone_cause_name(cause)), 1);
    /* A run that drained and left, or was replaced, is no trouble. */
    TL_LOG_AT(h->o.log, p->draining || cause == TL_GONE_EPOCH ? TL_LOG_INFO : TL_LOG_WARN,
              "presence.gone", TL_STR("kind", tl_instance_kind_name(p->kind)),
              TL_INT("number", p->number), TL_INT("epoch", p->epoch),
              TL_STR("cause", tl_gone_cause_name(cause)), TL_BOOL("draining", p->draining),
              TL_INT("missed", p->missed), TL_INT("stuck", p->stuck),
              TL_INT("calls", p->calls_held));
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_heart *h = arg;
    struct tl_presence p;
    struct tl_error err;

    tl_arena_reset(&h->arena);
    if (tl_record_decode(h->o.schemas, TL_RECORD_PRESENCE, record->value, &h->arena, &p, &err) !=
        TL_OK) {
        tl_log_warn(h->o.log, "presence.unreadable, skipped", TL_STR("error", err.msg));
        return;
    }
    bool is_own = p.run == h->run;
    if (is_own) {
        h->seen++;
        h->last_seen_us = tl_mono_us();
        tl_histogram_observe(&h->metrics.seen, (tl_now_ms() - p.at) * 1000);
        if (h->epoch < 0) { /* the broker could not say where it stands */
            h->epoch = record->offset;
            tl_heart_beat(h);
        }
    }
    bool changed = tl_presence_take(&h->view, &p, record->offset, is_own);
    h->o.on_record(h->o.arg, changed); /* the last thing: the process may leave */
}

static enum tl_status follow(struct tl_heart *h, struct tl_error *err)
{
    const struct tl_tail_start start = {.from = TL_FROM_TIME, .at = tl_now_ms() - LOOK_BACK_MS};

    return tl_tail_add(h->tail, "presence.v1", 0, start, err);
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *error)
{
    struct tl_heart *h = arg;
    struct tl_error err;

    if (!topic || error->status != TL_CONFLICT)
        return; /* it goes on by itself */
    /* Stopped for longer than the topic keeps, or the topic was made anew: what counts is who
     * speaks now. */
    tl_log_warn(h->o.log, "presence.lost_its_place", TL_STR("error", error->msg));
    tl_tail_remove(h->tail, topic, partition);
    if (follow(h, &err) != TL_OK) /* not heard of until it is started anew: others see it live */
        tl_log_error(h->o.log, "presence.not_followed", TL_STR("error", err.msg));
}

/* ---- life ---- */

static void set_instances(struct tl_heart *h, enum tl_instance_kind kind)
{
    const char *name = tl_instance_kind_name(kind);
    int living = 0, draining = 0, gone = 0;

    for (size_t i = 0; i < h->view.peers_n; i++) {
        const struct tl_peer *p = &h->view.peers[i];
        if (p->kind != kind)
            continue;
        gone += p->gone;
        draining += !p->gone && p->draining;
        living += !p->gone && !p->draining;
    }
    tl_gauge_set(tl_gauge_of(&h->metrics.instances, name, "living"), living);
    tl_gauge_set(tl_gauge_of(&h->metrics.instances, name, "draining"), draining);
    tl_gauge_set(tl_gauge_of(&h->metrics.instances, name, "gone"), gone);
}

static void on_collect(void *arg)
{
    struct tl_heart *h = arg;

    set_instances(h, TL_INSTANCE_KIND_INGEST);
    set_instances(h, TL_INSTANCE_KIND_CONVERSATION);
    set_instances(h, TL_INSTANCE_KIND_TELEPHONY);
    tl_gauge_set(&h->metrics.own_age, h->last_seen_us ? tl_mono_us() - h->last_seen_us : -1000000);
}

enum tl_status tl_heart_create(const struct tl_heart_options *options, struct tl_heart **ret_heart,
                               struct tl_error *err)
{
    /* Its own producer: a heartbeat waits for no event of a call, and the events of all calls that
     * are sent again after an outage are many. */
    const struct tl_producer_options producer = {.name = "presence"};
    struct tl_heart *h = calloc(1, sizeof(*h));

    if (!h)
        abort();
    h->o = *options;
    h->epoch = -1;
    tl_random_bytes(&h->run, sizeof(h->run));
    tl_buf_init(&h->out, RECORD_BYTES_MAX);
    tl_presence_init(&h->view, options->kind, options->number);
    h->view.on_gone = on_gone;
    h->view.arg = h;
    tl_metrics_add(options->metrics, metric_rows, &h->metrics);
    tl_metrics_on_collect(options->metrics, on_collect, h);
    enum tl_status st = TL_OK;
    if (options->kind != TL_INSTANCE_KIND_UNKNOWN) {
        st = tl_producer_create(options->kafka, &producer, &h->producer, err);
        if (st == TL_OK)
            st = tl_producer_topic(h->producer, "presence.v1", &h->topic, err);
    }
    if (st != TL_OK) {
        tl_heart_destroy(h, 0);
        return st;
    }
    *ret_heart = h;
    return TL_OK;
}

enum tl_status tl_heart_start(struct tl_heart *h, struct tl_error *err)
{
    const struct tl_tail_options options = {
        .name = "presence", .on_record = on_record, .on_error = on_error, .arg = h};
    enum tl_status st = tl_tail_create(h->o.kafka, &options, &h->tail, err);

    if (st == TL_OK)
        st = follow(h, err);
    if (st == TL_OK)
        tl_heart_beat(h);
    return st;
}

void tl_heart_destroy(struct tl_heart *h, int64_t deadline_ms)
{
    if (!h)
        return;
    tl_timer_finish(&h->timer);
    tl_tail_destroy(h->tail);
    h->tail = NULL; /* no beat from what is delivered now */
    h->is_due = false;
    tl_producer_destroy(h->producer, deadline_ms);
    tl_metrics_remove(h->o.metrics, &h->metrics);
    tl_presence_finish(&h->view);
    tl_arena_finish(&h->arena);
    tl_buf_finish(&h->out);
    free(h);
}
