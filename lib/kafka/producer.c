/* Idempotent producer: records go in by the loop, delivery reports come back through the pump.
 * Each record that wants its report has a context out of a pool, so that a send costs no malloc
 * beyond librdkafka's own. */
#include "kafka/producer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/internal.h"
#include "kafka/pump.h"
#include "net/timer.h"

#define CONTEXTS_A_CHUNK 256
#define PURGE_WAIT_MS 1000       /* for the reports of purged records, which need no network */
#define REBUILD_INTERVAL_MS 1000 /* a broken cluster must not keep us busy */

struct tl_producer_topic {
    struct tl_producer *producer;
    rd_kafka_topic_t *rkt; /* NULL only while the producer is made anew */
    struct tl_producer_topic *next;
    char full[TL_KAFKA_TOPIC_MAX + 1];
    const char *name; /* in full, behind the prefix */
};

/* A report that is owed. In use: in the list `owed` (both links); else in `spare` (next). */
struct context {
    tl_delivery_fn fn;
    void *arg;
    struct context *next, *prev;
};

struct chunk {
    struct chunk *next;
    struct context context[CONTEXTS_A_CHUNK];
};

struct meters {
    struct tl_counter *records, *bytes, *failures, *rebuilds, *errors;
    struct tl_gauge *in_flight;
    struct tl_histogram *delivery;
};

struct tl_producer {
    struct tl_kafka *kafka;
    char *name;
    char *compression;
    int64_t linger_ms;
    int64_t message_timeout_ms;
    tl_producer_fatal_fn on_fatal;
    void *arg;

    rd_kafka_t *rk; /* NULL while and when it could not be made anew */
    rd_kafka_queue_t *queue;
    struct tl_pump *pump;
    rd_kafka_event_t *event; /* delivery reports of which a turn has handled only a part */
    bool fatal;              /* nothing is accepted until it has been made anew */
    struct tl_timer rebuild_timer;
    int64_t rebuilt_at_ms; /* of tl_mono_ms; 0: never */

    struct tl_producer_topic *topics;
    struct context *spare;
    struct context owed; /* head of the ring of contexts in use */
    struct chunk *chunks;
    struct tl_producer_stats stats;
    struct meters meters;
};

static void add_chunk(struct tl_producer *p)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));

    if (!chunk)
        abort();
    chunk->next = p->chunks;
    p->chunks = chunk;
    for (size_t i = 0; i < CONTEXTS_A_CHUNK; i++) {
        chunk->context[i].next = p->spare;
        p->spare = &chunk->context[i];
    }
}

static struct context *take_context(struct tl_producer *p, tl_delivery_fn fn, void *arg)
{
    if (!p->spare)
        add_chunk(p);
    struct context *c = p->spare;
    p->spare = c->next;
    c->fn = fn;
    c->arg = arg;
    c->next = &p->owed;
    c->prev = p->owed.prev;
    c->prev->next = c;
    p->owed.prev = c;
    return c;
}

static void give_back(struct tl_producer *p, struct context *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->next = p->spare;
    p->spare = c;
}

/* The callback comes last: it may send again, and use the context that just became free. */
static void report(struct tl_producer *p, struct context *c, const struct tl_delivery *delivery)
{
    p->stats.in_flight--;
    tl_gauge_set(p->meters.in_flight, (int64_t)p->stats.in_flight);
    if (delivery->status == TL_OK) {
        p->stats.delivered++;
    } else {
        p->stats.failed++;
        tl_counter_add(p->meters.failures, 1);
    }
    if (!c)
        return;
    tl_delivery_fn fn = c->fn;
    void *arg = c->arg;
    give_back(p, c);
    fn(arg, delivery);
}

static void on_report(struct tl_producer *p, const rd_kafka_message_t *message)
{
    struct tl_delivery delivery = {
        .status = tl_kafka_status(message->err),
        .error = message->err ? rd_kafka_err2str(message->err) : "",
        .partition = message->partition,
        .offset = message->err || message->offset < 0 ? -1 : message->offset,
    };

    /* The producer itself starts anew: to the sender a fatal error is just a failure. */
    if (delivery.status == TL_FATAL)
        delivery.status = TL_RETRY;
    if (!message->err)
        tl_histogram_observe(p->meters.delivery, rd_kafka_message_latency(message));
    report(p, message->_private, &delivery);
}

/* Up to `max` reports of the event in hand; gives it back when it has no more. */
static size_t handle_reports(struct tl_producer *p, size_t max)
{
    const rd_kafka_message_t *message;
    size_t n = 0;

    while (n < max) {
        message = rd_kafka_event_message_next(p->event);
        if (!message) {
            rd_kafka_event_destroy(p->event);
            p->event = NULL;
            break;
        }
        on_report(p, message);
        n++;
    }
    return n;
}

static void handle_error(struct tl_producer *p, rd_kafka_event_t *event)
{
    tl_counter_add(p->meters.errors, 1);
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL ||
        rd_kafka_event_error_is_fatal(event))
        p->fatal = true;
    else
        tl_log_debug(p->kafka->log, "kafka.producer_error", TL_STR("client", p->name),
                     TL_STR("error", rd_kafka_event_error_string(event)));
}

/* Handles up to `max` things; false when there was nothing more within wait_ms. */
static bool serve(struct tl_producer *p, size_t max, int wait_ms)
{
    size_t n = 0;

    while (n < max) {
        if (!p->event) {
            p->event = rd_kafka_queue_poll(p->queue, wait_ms);
            if (!p->event)
                return false;
        }
        if (rd_kafka_event_type(p->event) == RD_KAFKA_EVENT_DR) {
            n += handle_reports(p, max - n);
            continue;
        }
        if (rd_kafka_event_type(p->event) == RD_KAFKA_EVENT_ERROR)
            handle_error(p, p->event);
        else
            (void)tl_kafka_log_event(p->kafka, p->name, p->event);
        rd_kafka_event_destroy(p->event);
        p->event = NULL;
        n++;
    }
    return true;
}

static enum tl_status set_conf(struct tl_producer *p, rd_kafka_conf_t *conf, struct tl_error *err)
{
    const struct tl_kafka_settings *settings = p->kafka->settings;
    enum tl_status st;

    if ((st = tl_kafka_conf_set_int(conf, "linger.ms", p->linger_ms, err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "message.timeout.ms", p->message_timeout_ms, err)) !=
            TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queue.buffering.max.messages",
                                    settings->queue_max_records, err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queue.buffering.max.kbytes", settings->queue_max_kbytes,
                                    err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "compression.type", p->compression, err)) != TL_OK)
        return st;
    return tl_kafka_conf_properties(conf, settings, err);
}

static bool turn(void *arg);

static enum tl_status open_handle(struct tl_producer *p, struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = NULL;
    enum tl_status st =
        tl_kafka_conf_create(p->kafka->settings, p->kafka->client_id, TL_KAFKA_PRODUCE, &conf, err);

    if (st != TL_OK || (st = set_conf(p, conf, err)) != TL_OK)
        return st;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    st = tl_kafka_handle_create(RD_KAFKA_PRODUCER, &conf, &p->rk, err);
    if (st != TL_OK)
        return st;
    p->queue = rd_kafka_queue_get_main(p->rk);
    rd_kafka_set_log_queue(p->rk, NULL); /* NULL: the main queue */
    return tl_pump_create(p->kafka->loop, p->queue, turn, p, &p->pump, err);
}

static enum tl_status open_topic(struct tl_producer_topic *topic, struct tl_error *err)
{
    topic->rkt = rd_kafka_topic_new(topic->producer->rk, topic->full, NULL);
    if (!topic->rkt)
        return tl_fail(err, TL_INVALID, "topic %s: %s", topic->full,
                       rd_kafka_err2str(rd_kafka_last_error()));
    return TL_OK;
}

/* Every record that is still owed a report gets it. Callbacks may not send meanwhile (rk is NULL or
 * fatal is set), so this ends. */
static void fail_owed(struct tl_producer *p, const char *why)
{
    const struct tl_delivery failed = {TL_RETRY, why, -1, -1};

    while (p->owed.next != &p->owed)
        report(p, p->owed.next, &failed);
    while (p->stats.in_flight > 0) /* those that nobody waits for */
        report(p, NULL, &failed);
}

static void purge(struct tl_producer *p)
{
    int64_t until_ms = tl_mono_ms() + PURGE_WAIT_MS;

    (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING); /* reports tell */
    while (p->stats.in_flight > 0 && tl_mono_ms() < until_ms)
        (void)serve(p, SIZE_MAX, 10);
}

static void nothing_to_free(void *arg)
{
    (void)arg;
}

static void close_handle(struct tl_producer *p, const char *why)
{
    for (struct tl_producer_topic *t = p->topics; t; t = t->next) {
        if (t->rkt)
            rd_kafka_topic_destroy(t->rkt);
        t->rkt = NULL;
    }
    if (p->pump)
        tl_pump_close(p->pump, nothing_to_free, NULL);
    p->pump = NULL;
    if (p->event)
        rd_kafka_event_destroy(p->event);
    p->event = NULL;
    if (p->queue)
        rd_kafka_queue_destroy(p->queue);
    p->queue = NULL;
    if (p->rk)
        (void)tl_kafka_handle_destroy(p->kafka, p->name, p->rk, TL_KAFKA_DESTROY_MS);
    p->rk = NULL;
    fail_owed(p, why);
}

/* After a fatal error nothing can be sent by this handle any more: a new one takes its place. */
static void rebuild(void *arg)
{
    struct tl_producer *p = arg;
    struct tl_error err = {.status = TL_RETRY}, fatal;
    char text[256] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(p->rk, text, sizeof(text));

    p->rebuilt_at_ms = tl_mono_ms();
    (void)tl_fail(&fatal, TL_FATAL, "producer %s: %s: %s", p->name, rd_kafka_err2name(code), text);
    purge(p);
    close_handle(p, "the producer met a fatal error");
    enum tl_status st = open_handle(p, &err);
    for (struct tl_producer_topic *t = p->topics; t && st == TL_OK; t = t->next)
        st = open_topic(t, &err);
    if (st != TL_OK)
        (void)tl_fail(&fatal, TL_FATAL, "producer %s cannot start anew: %s", p->name, err.msg);
    else
        p->fatal = false;
    p->stats.rebuilds++;
    tl_counter_add(p->meters.rebuilds, 1);
    if (p->on_fatal)
        p->on_fatal(p->arg, &fatal);
}

static bool turn(void *arg)
{
    struct tl_producer *p = arg;
    bool more = serve(p, (size_t)p->kafka->settings->turn_max_records, 0);

    if (p->fatal && !tl_timer_is_running(&p->rebuild_timer)) {
        int64_t wait_ms = p->rebuilt_at_ms + REBUILD_INTERVAL_MS - tl_mono_ms();

        tl_timer_start(&p->rebuild_timer, p->kafka->loop,
                       p->rebuilt_at_ms && wait_ms > 0 ? (uint64_t)wait_ms : 0, rebuild, p);
    }
    return more;
}

static void init_meters(struct tl_producer *p)
{
    struct tl_kafka_metrics *m = &p->kafka->metrics;

    p->meters = (struct meters){
        .records = tl_counter_of(&m->sent_records, p->name),
        .bytes = tl_counter_of(&m->sent_bytes, p->name),
        .failures = tl_counter_of(&m->send_failures, p->name),
        .rebuilds = tl_counter_of(&m->send_rebuilds, p->name),
        .errors = tl_counter_of(&m->errors, p->name),
        .in_flight = tl_gauge_of(&m->in_flight, p->name),
        .delivery = tl_histogram_of(&m->delivery, p->name),
    };
}

static void free_producer(struct tl_producer *p)
{
    while (p->topics) {
        struct tl_producer_topic *t = p->topics;
        p->topics = t->next;
        free(t);
    }
    while (p->chunks) {
        struct chunk *chunk = p->chunks;
        p->chunks = chunk->next;
        free(chunk);
    }
    free(p->name);
    free(p->compression);
    free(p);
}

enum tl_status tl_producer_create(struct tl_kafka *kafka, const struct tl_producer_options *options,
                                  struct tl_producer **ret_producer, struct tl_error *err)
{
    struct tl_producer *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    p->kafka = kafka;
    p->name = strdup(options->name);
    p->compression = strdup(options->compression ? options->compression : "none");
    p->linger_ms = options->linger_ms ? options->linger_ms : kafka->settings->linger_ms;
    p->message_timeout_ms = options->message_timeout_ms ? options->message_timeout_ms
                                                        : kafka->settings->message_timeout_ms;
    p->on_fatal = options->on_fatal;
    p->arg = options->arg;
    p->owed.next = p->owed.prev = &p->owed;
    init_meters(p);
    enum tl_status st = open_handle(p, err);
    if (st != TL_OK) {
        close_handle(p, "");
        free_producer(p);
        return tl_fail_prefix(err, "producer %s", options->name);
    }
    *ret_producer = p;
    return TL_OK;
}

void tl_producer_destroy(struct tl_producer *p, int64_t deadline_ms)
{
    if (!p)
        return;
    int64_t until_ms = tl_mono_ms() + deadline_ms;

    while (p->rk && !p->fatal && p->stats.in_flight > 0 && tl_mono_ms() < until_ms)
        (void)serve(p, SIZE_MAX, 10);
    p->fatal = true; /* from here on nothing is accepted */
    tl_timer_finish(&p->rebuild_timer);
    if (p->rk && p->stats.in_flight > 0)
        purge(p);
    close_handle(p, "the producer is closed");
    free_producer(p);
}

enum tl_status tl_producer_topic(struct tl_producer *p, const char *topic,
                                 struct tl_producer_topic **ret_topic, struct tl_error *err)
{
    struct tl_producer_topic *t;

    for (t = p->topics; t; t = t->next) {
        if (strcmp(t->name, topic) == 0) {
            *ret_topic = t;
            return TL_OK;
        }
    }
    if (!p->rk)
        return tl_fail(err, TL_RETRY, "producer %s is starting anew", p->name);
    t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    t->producer = p;
    enum tl_status st = tl_kafka_full_topic(p->kafka->settings->topic_prefix, topic, t->full, err);
    if (st == TL_OK)
        st = open_topic(t, err);
    if (st != TL_OK) {
        free(t);
        return st;
    }
    t->name = t->full + p->kafka->prefix_len;
    t->next = p->topics;
    p->topics = t;
    *ret_topic = t;
    return TL_OK;
}

/* The plain way in: no header, time is now. */
static rd_kafka_resp_err_t produce(struct tl_producer_topic *t, int32_t partition,
                                   struct tl_bytes key, struct tl_bytes value, struct context *c)
{
    int rc = rd_kafka_produce(t->rkt, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data,
                              value.len, key.data, key.len, c);

    return rc == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

static rd_kafka_headers_t *make_headers(const struct tl_send_extra *extra)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(extra->headers_len);

    for (size_t i = 0; i < extra->headers_len; i++) {
        const struct tl_header *h = &extra->headers[i];

        /* Fails for no input: both are copied. */
        (void)rd_kafka_header_add(headers, h->name, -1, h->value.data, (ssize_t)h->value.len);
    }
    return headers;
}

static rd_kafka_resp_err_t produce_extra(struct tl_producer_topic *t, int32_t partition,
                                         struct tl_bytes key, struct tl_bytes value,
                                         const struct tl_send_extra *extra, struct context *c)
{
    rd_kafka_headers_t *headers = extra->headers_len ? make_headers(extra) : NULL;
    rd_kafka_vu_t v[8];
    size_t n = 0;

    v[n].vtype = RD_KAFKA_VTYPE_RKT;
    v[n++].u.rkt = t->rkt;
    v[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    v[n++].u.i32 = partition;
    v[n].vtype = RD_KAFKA_VTYPE_VALUE;
    v[n].u.mem.ptr = (void *)(uintptr_t)value.data;
    v[n++].u.mem.size = value.len;
    v[n].vtype = RD_KAFKA_VTYPE_KEY;
    v[n].u.mem.ptr = (void *)(uintptr_t)key.data;
    v[n++].u.mem.size = key.len;
    v[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    v[n++].u.ptr = c;
    v[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    v[n++].u.i = RD_KAFKA_MSG_F_COPY;
    v[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    v[n++].u.i64 = extra->timestamp_ms;
    if (headers) {
        v[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        v[n++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(t->producer->rk, v, n);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers)
        rd_kafka_headers_destroy(headers); /* taken only by success */
    return code;
}

enum tl_status tl_producer_send(struct tl_producer_topic *topic, int32_t partition,
                                struct tl_bytes key, struct tl_bytes value,
                                const struct tl_send_extra *extra, tl_delivery_fn on_delivery,
                                void *arg, struct tl_error *err)
{
    struct tl_producer *p = topic->producer;

    assert(!extra || !extra->headers_len || partition == TL_PARTITION_BY_KEY);
    if (!topic->rkt || p->fatal)
        return tl_fail(err, TL_RETRY, "producer %s is starting anew", p->name);
    struct context *c = on_delivery ? take_context(p, on_delivery, arg) : NULL;
    rd_kafka_resp_err_t code = extra ? produce_extra(topic, partition, key, value, extra, c)
                                     : produce(topic, partition, key, value, c);
    if (code) {
        if (c)
            give_back(p, c);
        enum tl_status st = tl_kafka_status(code);
        return tl_fail(err, st == TL_FATAL ? TL_RETRY : st, "send to %s/%" PRId32 ": %s",
                       topic->full, partition, rd_kafka_err2str(code));
    }
    p->stats.records++;
    p->stats.bytes += key.len + value.len;
    p->stats.in_flight++;
    tl_counter_add(p->meters.records, 1);
    tl_counter_add(p->meters.bytes, key.len + value.len);
    tl_gauge_set(p->meters.in_flight, (int64_t)p->stats.in_flight);
    return TL_OK;
}

void tl_producer_stats(const struct tl_producer *producer, struct tl_producer_stats *ret_stats)
{
    *ret_stats = producer->stats;
}
