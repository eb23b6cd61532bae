/* Questions about offsets, one at a time on libuv's worker threads: see offsets.h. A question that
 * finds no broker goes to the end of the line after a second, until its deadline, so that one does
 * not hold up the others nor a worker for long. */
#include "kafka/offsets.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/internal.h"
#include "kafka/offsets_internal.h"

#define ATTEMPT_MS 1000
#define RETRY_PAUSE_MS 50

/* "Times" with a meaning of their own in ListOffsets. */
#define TIME_END (-1)
#define TIME_BEGINNING (-2)

struct tl_offsets_query {
    struct tl_offsets *offsets;
    struct tl_offsets_query *next;
    char full[TL_KAFKA_TOPIC_MAX + 1];
    int32_t partition;
    int64_t time; /* ms, or TIME_END, TIME_BEGINNING */
    int64_t until_ms;
    unsigned attempts;
    tl_offset_fn fn; /* NULL: cancelled */
    void *arg;
    /* what the worker found */
    rd_kafka_resp_err_t code;
    int64_t offset;
};

struct tl_offsets {
    struct tl_kafka *kafka;
    rd_kafka_t *rk; /* thread-safe, used by the worker */
    uv_work_t work;
    struct tl_offsets_query *first, **last;
    struct tl_offsets_query *asking; /* by the worker now */
    bool closing;
};

static void ask(uv_work_t *work)
{
    struct tl_offsets *offsets = work->data;
    struct tl_offsets_query *q = offsets->asking;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    if (q->attempts++ > 0)
        uv_sleep(RETRY_PAUSE_MS); /* this is a worker thread */
    /* The end is the high watermark, for this handle reads uncommitted. */
    rd_kafka_topic_partition_list_add(list, q->full, q->partition)->offset = q->time;
    q->code = rd_kafka_offsets_for_times(offsets->rk, list, ATTEMPT_MS);
    if (!q->code)
        q->code = list->elems[0].err;
    q->offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
}

static void free_offsets(struct tl_offsets *offsets)
{
    if (offsets->rk)
        rd_kafka_destroy_flags(offsets->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(offsets);
}

static void next(struct tl_offsets *offsets);

static void append(struct tl_offsets *offsets, struct tl_offsets_query *q)
{
    q->next = NULL;
    *offsets->last = q;
    offsets->last = &q->next;
}

static void answer(struct tl_offsets_query *q)
{
    enum tl_status st = tl_kafka_status(q->code);

    /* A time behind the last record has the answer "end", which is asked for in turn. */
    if (st == TL_OK && q->offset < 0 && q->time >= 0 && q->fn) {
        q->time = TIME_END;
        q->attempts = 0;
        append(q->offsets, q);
        return;
    }
    if ((st == TL_RETRY || st == TL_NOT_FOUND) && q->fn && tl_mono_ms() < q->until_ms) {
        append(q->offsets, q);
        return;
    }
    if (q->fn)
        q->fn(q->arg, st, st == TL_OK ? q->offset : -1,
              st == TL_OK ? "" : rd_kafka_err2str(q->code));
    free(q);
}

static void asked(uv_work_t *work, int status)
{
    struct tl_offsets *offsets = work->data;
    struct tl_offsets_query *q = offsets->asking;

    (void)status; /* never cancelled */
    offsets->asking = NULL;
    if (offsets->closing) {
        free(q);
        free_offsets(offsets);
        return;
    }
    answer(q);
    next(offsets);
}

static void next(struct tl_offsets *offsets)
{
    if (offsets->asking)
        return;
    while (offsets->first) {
        struct tl_offsets_query *q = offsets->first;

        offsets->first = q->next;
        if (!offsets->first)
            offsets->last = &offsets->first;
        if (!q->fn) {
            free(q);
            continue;
        }
        offsets->asking = q;
        (void)uv_queue_work(offsets->kafka->loop, &offsets->work, ask, asked); /* fn is not NULL */
        return;
    }
}

static enum tl_status open_offsets(struct tl_kafka *kafka, struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk = NULL;
    enum tl_status st =
        tl_kafka_conf_create(kafka->settings, kafka->client_id, TL_KAFKA_READ, &conf, err);

    if (st != TL_OK ||
        (st = tl_kafka_conf_set(conf, "isolation.level", "read_uncommitted", err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "log.queue", "false", err)) != TL_OK ||
        (st = tl_kafka_conf_properties(conf, kafka->settings, err)) != TL_OK)
        return st;
    rd_kafka_conf_set_log_cb(conf, NULL); /* the other handles tell of brokers that are away */
    if ((st = tl_kafka_handle_create(RD_KAFKA_CONSUMER, &conf, &rk, err)) != TL_OK)
        return st;
    struct tl_offsets *offsets = calloc(1, sizeof(*offsets));
    if (!offsets)
        abort();
    offsets->kafka = kafka;
    offsets->rk = rk;
    offsets->work.data = offsets;
    offsets->last = &offsets->first;
    kafka->offsets = offsets;
    return TL_OK;
}

void tl_offsets_destroy(struct tl_offsets *offsets)
{
    if (!offsets)
        return;
    while (offsets->first) {
        struct tl_offsets_query *q = offsets->first;
        offsets->first = q->next;
        free(q);
    }
    offsets->closing = true;
    if (!offsets->asking)
        free_offsets(offsets);
}

static enum tl_status query(struct tl_kafka *kafka, const char *topic, int32_t partition,
                            int64_t time, int64_t deadline_ms, tl_offset_fn fn, void *arg,
                            struct tl_offsets_query **ret_query, struct tl_error *err)
{
    if (!kafka->offsets) {
        enum tl_status st = open_offsets(kafka, err);
        if (st != TL_OK)
            return st;
    }
    struct tl_offsets_query *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    enum tl_status st = tl_kafka_full_topic(kafka->settings->topic_prefix, topic, q->full, err);
    if (st != TL_OK) {
        free(q);
        return st;
    }
    q->offsets = kafka->offsets;
    q->partition = partition;
    q->time = time;
    q->until_ms = tl_mono_ms() + deadline_ms;
    q->fn = fn;
    q->arg = arg;
    append(q->offsets, q);
    *ret_query = q;
    next(q->offsets);
    return TL_OK;
}

enum tl_status tl_offset_of_time(struct tl_kafka *kafka, const char *topic, int32_t partition,
                                 int64_t timestamp_ms, int64_t deadline_ms, tl_offset_fn on_answer,
                                 void *arg, struct tl_offsets_query **ret_query,
                                 struct tl_error *err)
{
    /* Negative times have other meanings in the protocol. */
    return query(kafka, topic, partition, timestamp_ms < 0 ? 0 : timestamp_ms, deadline_ms,
                 on_answer, arg, ret_query, err);
}

enum tl_status tl_offset_of_end(struct tl_kafka *kafka, const char *topic, int32_t partition,
                                int64_t deadline_ms, tl_offset_fn on_answer, void *arg,
                                struct tl_offsets_query **ret_query, struct tl_error *err)
{
    return query(kafka, topic, partition, TIME_END, deadline_ms, on_answer, arg, ret_query, err);
}

enum tl_status tl_offset_of_beginning(struct tl_kafka *kafka, const char *topic, int32_t partition,
                                      int64_t deadline_ms, tl_offset_fn on_answer, void *arg,
                                      struct tl_offsets_query **ret_query, struct tl_error *err)
{
    return query(kafka, topic, partition, TIME_BEGINNING, deadline_ms, on_answer, arg, ret_query,
                 err);
}

void tl_offsets_query_cancel(struct tl_offsets_query *query)
{
    if (query)
        query->fn = NULL; /* freed when its turn comes, or by destroy */
}
