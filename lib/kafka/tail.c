/* Reader of assigned partitions. It uses librdkafka's simple consumer: no group, no coordinator,
 * and a partition starts or ends without touching the others. Of librdkafka 2.0.2's ways three
 * are avoided:
 * - Its pause resumes behind what it had read ahead when no record was handed out before. Here
 *   pausing is stop and start at the remembered position.
 * - Its logical offsets (beginning, end) wait half a second when the leader is not known yet. Here
 *   they are asked for beside the loop, and reading always starts at a number.
 * - It tells the end of a partition only after a fetch that brought nothing, half a second later.
 *   Here the end is where the high watermark of the last fetch stands.
 * A partition that is added while a fetch of others is under way waits for that, up to
 * fetch.wait.max.ms; so those that were added together also begin together. */
#include "kafka/tail.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"
#include "kafka/offsets.h"
#include "kafka/pump.h"
#include "net/timer.h"

#define LOOKUP_DEADLINE_MS 1000 /* then it is asked again */
#define GATHER_MS 20 /* so long a partition waits for the start of those that were added with it   \
                      */

struct tail_topic {
    struct tl_tail *tail;
    struct tail_topic *next;
    rd_kafka_topic_t *rkt;
    struct tail_partition *partitions;
    char full[TL_KAFKA_TOPIC_MAX + 1];
    const char *name; /* in full, behind the prefix */
};

struct tail_partition {
    struct tail_topic *topic;
    struct tail_partition *next_in_topic;
    int32_t number;
    struct tl_tail_start start;
    int64_t position; /* next offset; -1: not known yet */
    bool reading;     /* librdkafka fetches it */
    bool paused;      /* the user wants nothing */
    bool begun;       /* something was heard of it since its start was found */
    bool behind; /* records came, or it has just started: on_end is due when it is at the end */
    int64_t end; /* where the log ended when the start was looked up; -1: not asked */
    struct tl_offsets_query *lookup; /* of the start */
};

struct tl_tail {
    struct tl_kafka *kafka;
    struct tl_tail_options options;
    char *name;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct tl_pump *pump;
    struct tail_topic *topics;
    struct tl_timer gather;
    struct tl_counter *records, *bytes, *errors;
};

static struct tail_topic *find_topic(const struct tl_tail *tail, const char *name)
{
    for (struct tail_topic *t = tail->topics; t; t = t->next) {
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

static struct tail_partition *find_in(const struct tail_topic *topic, int32_t number)
{
    for (struct tail_partition *p = topic->partitions; p; p = p->next_in_topic) {
        if (p->number == number)
            return p;
    }
    return NULL;
}

static struct tail_partition *find(const struct tl_tail *tail, const char *name, int32_t number)
{
    struct tail_topic *topic = find_topic(tail, name);

    return topic ? find_in(topic, number) : NULL;
}

static void tell_error(struct tl_tail *tail, const char *topic, int32_t partition,
                       const struct tl_error *err)
{
    tl_counter_add(tail->errors, 1);
    if (tail->options.on_error)
        tail->options.on_error(tail->options.arg, topic, partition, err);
}

/* Waits for librdkafka's main thread in this process (tens of microseconds), never for the network.
 */
static void halt(struct tail_partition *p)
{
    if (p->reading)
        (void)rd_kafka_consume_stop(p->topic->rkt, p->number); /* fails only when not reading */
    p->reading = false;
}

static void begin(struct tail_partition *p)
{
    struct tl_error err;

    if (p->reading || p->paused || p->position < 0 || p->lookup)
        return;
    if (rd_kafka_consume_start_queue(p->topic->rkt, p->number, p->position,
                                     p->topic->tail->queue) == 0) {
        p->reading = true;
        p->behind = true;
        if (p->end >= 0 && p->position >= p->end)
            tl_pump_wake(p->topic->tail->pump);
        return;
    }
    (void)tl_fail(&err, TL_INVALID, "read %s/%" PRId32 " from %" PRId64 ": %s", p->topic->full,
                  p->number, p->position, rd_kafka_err2str(rd_kafka_last_error()));
    tell_error(p->topic->tail, p->topic->name, p->number, &err);
}

static void begin_all(void *arg)
{
    struct tl_tail *tail = arg;

    for (struct tail_topic *t = tail->topics; t; t = t->next) {
        for (struct tail_partition *p = t->partitions; p; p = p->next_in_topic)
            begin(p);
    }
}

static bool looks_up_any(const struct tl_tail *tail)
{
    for (const struct tail_topic *t = tail->topics; t; t = t->next) {
        for (const struct tail_partition *p = t->partitions; p; p = p->next_in_topic) {
            if (p->lookup)
                return true;
        }
    }
    return false;
}

/* Begins once all starts are known, or after a little while without the rest. From the loop, so
 * that what is added in one go is read in one fetch. */
static void begin_soon(struct tl_tail *tail)
{
    if (!looks_up_any(tail))
        tl_timer_start(&tail->gather, tail->kafka->loop, 0, begin_all, tail);
    else if (!tl_timer_is_running(&tail->gather))
        tl_timer_start(&tail->gather, tail->kafka->loop, GATHER_MS, begin_all, tail);
}

static void ask_start(struct tail_partition *p);

static void on_end_known(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct tail_partition *p = arg;

    (void)error; /* then the end is noticed a little later */
    p->lookup = NULL;
    p->end = status == TL_OK ? offset : -1;
    begin_soon(p->topic->tail);
}

/* An empty partition is at its end at once. */
static void ask_end(struct tail_partition *p)
{
    struct tl_error err;

    if (tl_offset_of_end(p->topic->tail->kafka, p->topic->name, p->number, LOOKUP_DEADLINE_MS,
                         on_end_known, p, &p->lookup, &err) != TL_OK)
        begin_soon(p->topic->tail);
}

static void on_start(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct tail_partition *p = arg;
    struct tail_topic *topic = p->topic;
    struct tl_error err;

    p->lookup = NULL;
    if (status == TL_OK) {
        p->position = offset;
        p->end = p->start.from == TL_FROM_END ? offset : -1;
        if (p->start.from == TL_FROM_BEGINNING && topic->tail->options.on_end)
            ask_end(p);
        else
            begin_soon(topic->tail);
        return;
    }
    int32_t number = p->number;
    (void)tl_fail(&err, status, "find the start of %s/%" PRId32 ": %s", topic->full, number, error);
    ask_start(p);
    tell_error(topic->tail, topic->name, number, &err); /* may remove p */
}

static void ask_start(struct tail_partition *p)
{
    struct tl_kafka *kafka = p->topic->tail->kafka;
    const char *topic = p->topic->name;
    struct tl_error err;
    enum tl_status st;

    if (p->start.from == TL_FROM_BEGINNING)
        st = tl_offset_of_beginning(kafka, topic, p->number, LOOKUP_DEADLINE_MS, on_start, p,
                                    &p->lookup, &err);
    else if (p->start.from == TL_FROM_END)
        st = tl_offset_of_end(kafka, topic, p->number, LOOKUP_DEADLINE_MS, on_start, p, &p->lookup,
                              &err);
    else
        st = tl_offset_of_time(kafka, topic, p->number, p->start.at, LOOKUP_DEADLINE_MS, on_start,
                               p, &p->lookup, &err);
    if (st != TL_OK)
        tell_error(p->topic->tail, topic, p->number, &err);
}

static void begin_at_start(struct tail_partition *p)
{
    p->position = p->start.from == TL_FROM_OFFSET ? p->start.at : -1;
    if (p->position < 0)
        ask_start(p);
    else
        begin_soon(p->topic->tail);
}

static void on_message(struct tl_tail *tail, const rd_kafka_message_t *message)
{
    struct tail_topic *topic = rd_kafka_topic_opaque(message->rkt);
    struct tail_partition *p = find_in(topic, message->partition);
    struct tl_record record;

    if (!p || !p->reading)
        return;
    p->position = message->offset + 1;
    p->begun = true;
    p->behind = true;
    tl_kafka_record_from(topic->name, message, &record);
    tl_counter_add(tail->records, 1);
    tl_counter_add(tail->bytes, record.key.len + record.value.len);
    tail->options.on_record(tail->options.arg, &record);
}

static void on_end(struct tl_tail *tail, struct tail_partition *p, int64_t next)
{
    if (!p->reading || (!p->behind && p->position == next))
        return; /* told already */
    p->position = next;
    p->begun = true;
    p->behind = false;
    p->end = -1;
    if (tail->options.on_end)
        tail->options.on_end(tail->options.arg, p->topic->name, p->number, next);
}

static bool is_at_end(const struct tl_tail *tail, const struct tail_partition *p)
{
    int64_t low, high;

    if (p->end >= 0 && p->position >= p->end)
        return true;
    /* What the last fetch said; no request. */
    return p->begun &&
           rd_kafka_get_watermark_offsets(tail->rk, p->topic->full, p->number, &low, &high) == 0 &&
           high >= 0 && p->position >= high;
}

static struct tail_partition *find_at_end(const struct tl_tail *tail)
{
    for (const struct tail_topic *t = tail->topics; t; t = t->next) {
        for (struct tail_partition *p = t->partitions; p; p = p->next_in_topic) {
            if (p->reading && p->behind && is_at_end(tail, p))
                return p;
        }
    }
    return NULL;
}

/* The queue is empty: which partitions have been read to their end? */
static void tell_ends(struct tl_tail *tail)
{
    struct tl_pump *pump = tail->pump;
    struct tail_partition *p;

    if (!tail->options.on_end)
        return;
    while (!tl_pump_is_closing(pump) && (p = find_at_end(tail)))
        on_end(tail, p, p->position); /* may remove p, or destroy the tail */
}

static void on_error(struct tl_tail *tail, rd_kafka_event_t *event)
{
    rd_kafka_topic_partition_t *tp = rd_kafka_event_topic_partition(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    struct tail_partition *p = NULL;
    struct tl_error err;

    if (tp)
        p = find(tail, tl_kafka_short_topic(tail->kafka, tp->topic), tp->partition);
    if (p && code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        on_end(tail, p, tp->offset);
    } else if (p && code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET &&
               p->start.from == TL_FROM_BEGINNING && !p->begun && !p->lookup) {
        halt(p); /* the log lost its beginning between question and fetch */
        begin_at_start(p);
    } else if (p) {
        (void)tl_fail(&err, tl_kafka_status(code), "%s/%" PRId32 ": %s", p->topic->full, p->number,
                      rd_kafka_event_error_string(event));
        tell_error(tail, p->topic->name, p->number, &err);
    } else if (!tp) {
        (void)tl_fail(&err, tl_kafka_status(code), "%s", rd_kafka_event_error_string(event));
        tell_error(tail, NULL, -1, &err);
    }
    if (tp)
        rd_kafka_topic_partition_destroy(tp);
}

static void handle(struct tl_tail *tail, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;

    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        message = rd_kafka_event_message_next(event); /* one an event */
        if (message)
            on_message(tail, message);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(tail, event);
        break;
    default:
        (void)tl_kafka_log_event(tail->kafka, tail->name, event);
    }
}

static bool turn(void *arg)
{
    struct tl_tail *tail = arg;
    struct tl_pump *pump = tail->pump;

    for (int64_t n = 0; n < tail->kafka->settings->turn_max_records; n++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(tail->queue, 0);

        if (!event) {
            tell_ends(tail);
            return false;
        }
        handle(tail, event);
        rd_kafka_event_destroy(event);
        if (tl_pump_is_closing(pump))
            return false; /* a callback destroyed the tail */
    }
    return true;
}

static enum tl_status set_conf(struct tl_tail *tail, rd_kafka_conf_t *conf, struct tl_error *err)
{
    const struct tl_kafka_settings *settings = tail->kafka->settings;
    int64_t wait_ms = tail->options.fetch_wait_max_ms ? tail->options.fetch_wait_max_ms
                                                      : settings->fetch_wait_max_ms;
    const char *isolation = tail->options.read_committed ? "read_committed" : "read_uncommitted";
    enum tl_status st;

    if ((st = tl_kafka_conf_set_int(conf, "fetch.wait.max.ms", wait_ms, err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queued.min.messages", settings->fetch_queue_min_records,
                                    err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queued.max.messages.kbytes",
                                    settings->fetch_queue_max_kbytes, err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "isolation.level", isolation, err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "enable.partition.eof",
                                tail->options.on_end ? "true" : "false", err)) != TL_OK)
        return st;
    return tl_kafka_conf_properties(conf, settings, err);
}

static enum tl_status open_handle(struct tl_tail *tail, struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = NULL;
    enum tl_status st = tl_kafka_conf_create(tail->kafka->settings, tail->kafka->client_id,
                                             TL_KAFKA_READ, &conf, err);

    if (st != TL_OK || (st = set_conf(tail, conf, err)) != TL_OK)
        return st;
    rd_kafka_conf_set_events(conf,
                             RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    st = tl_kafka_handle_create(RD_KAFKA_CONSUMER, &conf, &tail->rk, err);
    if (st != TL_OK)
        return st;
    /* One queue for all: fetched records of every partition, errors of the handle, its log. */
    tail->queue = rd_kafka_queue_get_main(tail->rk);
    rd_kafka_set_log_queue(tail->rk, NULL);
    return tl_pump_create(tail->kafka->loop, tail->queue, turn, tail, &tail->pump, err);
}

static void drop_partition(struct tail_partition *p)
{
    struct tail_partition **at = &p->topic->partitions;

    while (*at != p)
        at = &(*at)->next_in_topic;
    *at = p->next_in_topic;
    tl_offsets_query_cancel(p->lookup);
    halt(p);
    free(p);
}

static void free_tail(void *arg)
{
    struct tl_tail *tail = arg;

    while (tail->topics) {
        struct tail_topic *topic = tail->topics;

        while (topic->partitions)
            drop_partition(topic->partitions);
        rd_kafka_topic_destroy(topic->rkt);
        tail->topics = topic->next;
        /* The handle may still name it as opaque, but nothing asks any more. */
        free(topic);
    }
    if (tail->queue)
        rd_kafka_queue_destroy(tail->queue);
    if (tail->rk)
        (void)tl_kafka_handle_destroy(tail->kafka, tail->name, tail->rk, TL_KAFKA_DESTROY_MS);
    tl_timer_finish(&tail->gather);
    free(tail->name);
    free(tail);
}

enum tl_status tl_tail_create(struct tl_kafka *kafka, const struct tl_tail_options *options,
                              struct tl_tail **ret_tail, struct tl_error *err)
{
    struct tl_tail *tail = calloc(1, sizeof(*tail));

    if (!tail)
        abort();
    tail->kafka = kafka;
    tail->options = *options;
    tail->name = strdup(options->name);
    tail->records = tl_counter_of(&kafka->metrics.received_records, tail->name);
    tail->bytes = tl_counter_of(&kafka->metrics.received_bytes, tail->name);
    tail->errors = tl_counter_of(&kafka->metrics.errors, tail->name);
    if (open_handle(tail, err) != TL_OK) {
        free_tail(tail);
        return tl_fail_prefix(err, "tail %s", options->name);
    }
    *ret_tail = tail;
    return TL_OK;
}

void tl_tail_destroy(struct tl_tail *tail)
{
    if (!tail)
        return;
    /* Lookups are cancelled now: their answers must not come even if the rest waits for the turn.
     */
    for (struct tail_topic *t = tail->topics; t; t = t->next) {
        for (struct tail_partition *p = t->partitions; p; p = p->next_in_topic) {
            tl_offsets_query_cancel(p->lookup);
            p->lookup = NULL;
        }
    }
    tl_timer_stop(&tail->gather);
    tl_pump_close(tail->pump, free_tail, tail);
}

static enum tl_status open_topic(struct tl_tail *tail, const char *name,
                                 struct tail_topic **ret_topic, struct tl_error *err)
{
    struct tail_topic *topic = calloc(1, sizeof(*topic));
    rd_kafka_topic_conf_t *conf;

    if (!topic)
        abort();
    topic->tail = tail;
    enum tl_status st =
        tl_kafka_full_topic(tail->kafka->settings->topic_prefix, name, topic->full, err);
    if (st != TL_OK) {
        free(topic);
        return st;
    }
    topic->name = topic->full + tail->kafka->prefix_len;
    conf = rd_kafka_default_topic_conf_dup(tail->rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(tail->rk, topic->full, conf);
    if (!topic->rkt) {
        st = tl_fail(err, TL_INVALID, "topic %s: %s", topic->full,
                     rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_topic_conf_destroy(conf);
        free(topic);
        return st;
    }
    topic->next = tail->topics;
    tail->topics = topic;
    *ret_topic = topic;
    return TL_OK;
}

enum tl_status tl_tail_add(struct tl_tail *tail, const char *topic_name, int32_t partition,
                           struct tl_tail_start start, struct tl_error *err)
{
    struct tail_topic *topic = find_topic(tail, topic_name);

    assert(partition >= 0 && (start.from != TL_FROM_OFFSET || start.at >= 0));
    if (!topic) {
        enum tl_status st = open_topic(tail, topic_name, &topic, err);
        if (st != TL_OK)
            return st;
    } else if (find_in(topic, partition)) {
        return tl_fail(err, TL_CONFLICT, "%s/%" PRId32 " is being read already", topic->full,
                       partition);
    }
    struct tail_partition *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    *p = (struct tail_partition){.topic = topic,
                                 .number = partition,
                                 .start = start,
                                 .position = -1,
                                 .end = -1,
                                 .next_in_topic = topic->partitions};
    topic->partitions = p;
    begin_at_start(p);
    return TL_OK;
}

void tl_tail_remove(struct tl_tail *tail, const char *topic, int32_t partition)
{
    struct tail_partition *p = find(tail, topic, partition);

    if (p)
        drop_partition(p);
}

void tl_tail_pause(struct tl_tail *tail, const char *topic, int32_t partition)
{
    struct tail_partition *p = find(tail, topic, partition);

    if (!p || p->paused)
        return;
    p->paused = true;
    halt(p);
}

void tl_tail_resume(struct tl_tail *tail, const char *topic, int32_t partition)
{
    struct tail_partition *p = find(tail, topic, partition);

    if (!p || !p->paused)
        return;
    p->paused = false;
    begin(p);
}

int64_t tl_tail_position(const struct tl_tail *tail, const char *topic, int32_t partition)
{
    const struct tail_partition *p = find(tail, topic, partition);

    return p ? p->position : -1;
}
