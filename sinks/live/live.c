/* The store of the feed "live": Redis. */
#include "sinks/live/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "db/redis.h"
#include "net/timer.h"
#include "sinks/live/scripts.h"
#include "sinks/live/view.h"

#define CLOSED_S "3600" /* a closed call is remembered so long; events behind it are dropped */

struct tl_live {
    struct tl_sink *sink;
    struct tl_redis *redis;
    struct tl_feed *feed;
    struct tl_feed_store store;
    char key[TL_KAFKA_TOPIC_MAX + 256]; /* of the positions */
    char **ids;                         /* calls that are asked for */
    size_t ids_n, asked_n;
    struct tl_timer late; /* an answer to what could not be asked */
    struct tl_error late_err;
    bool late_positions;
};

/* ---- a question that could not be asked is answered all the same, but not from within ---- */

static void on_late(void *arg)
{
    struct tl_live *live = arg;

    if (live->late_positions)
        tl_feed_answer_positions(live->feed, live->late_err.status, NULL, &live->late_err);
    else
        tl_feed_answer(live->feed, live->late_err.status, &live->late_err);
}

static void answer_late(struct tl_live *live, bool positions, const struct tl_error *err)
{
    live->late_err = *err;
    live->late_positions = positions;
    tl_timer_start(&live->late, live->sink->loop, 0, on_late, live);
}

/* ---- positions ---- */

static void on_positions(void *arg, enum tl_status status, const redisReply *reply,
                         const struct tl_error *err)
{
    struct tl_live *live = arg;
    int64_t *next = calloc(live->asked_n + 1, sizeof(*next));

    if (!next)
        abort();
    for (size_t i = 0; i < live->asked_n; i++) {
        const redisReply *item = status == TL_OK && i < reply->elements ? reply->element[i] : NULL;
        next[i] = item && item->str ? strtoll(item->str, NULL, 10) : -1;
    }
    tl_feed_answer_positions(live->feed, status, next, err);
    free(next);
}

static void read_positions(void *self, const int32_t *partitions, size_t len)
{
    struct tl_live *live = self;
    const char **argv = calloc(len + 2, sizeof(*argv));
    char(*text)[16] = calloc(len + 1, sizeof(*text));
    struct tl_error err;

    if (!argv || !text)
        abort();
    argv[0] = "HMGET";
    argv[1] = live->key;
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%" PRId32, partitions[i]);
        argv[i + 2] = text[i];
    }
    live->asked_n = len;
    if (tl_redis_command(live->redis, argv, len + 2, on_positions, live, &err) != TL_OK)
        answer_late(live, true, &err);
    free(argv);
    free(text);
}

/* ---- calls ---- */

static void forget_ids(struct tl_live *live)
{
    for (size_t i = 0; i < live->ids_n; i++)
        free(live->ids[i]);
    free(live->ids);
    live->ids = NULL;
    live->ids_n = 0;
}

static void on_calls(void *arg, enum tl_status status, const redisReply *reply,
                     const struct tl_error *err)
{
    struct tl_live *live = arg;

    for (size_t i = 0; status == TL_OK && i < live->ids_n && i < reply->elements; i++) {
        const char *text = reply->element[i]->str;

        if (!text || !*text)
            continue;
        if (strcmp(text, "closed") == 0) {
            tl_feed_put_closed(live->feed, live->ids[i]);
            continue;
        }
        json_t *fold = json_loads(text, 0, NULL);
        tl_feed_put_call(live->feed, live->ids[i], fold);
        json_decref(fold);
    }
    forget_ids(live);
    tl_feed_answer(live->feed, status, err);
}

static void load(void *self, const char *const *call_ids, size_t len)
{
    struct tl_live *live = self;
    const char **argv = calloc(len + 1, sizeof(*argv));
    struct tl_error err;

    forget_ids(live);
    live->ids = calloc(len, sizeof(char *));
    if (!argv || !live->ids)
        abort();
    live->ids_n = len;
    argv[0] = live->sink->settings.live_prefix;
    for (size_t i = 0; i < len; i++)
        argv[i + 1] = live->ids[i] = strdup(call_ids[i]);
    if (tl_redis_eval(live->redis, TL_LIVE_LOAD, argv, len + 1, 0, on_calls, live, &err) != TL_OK)
        answer_late(live, false, &err);
    free(argv);
}

/* ---- batches ---- */

static void on_written(void *arg, enum tl_status status, const redisReply *reply,
                       const struct tl_error *err)
{
    struct tl_live *live = arg;

    (void)reply;
    tl_feed_answer(live->feed, status, err);
}

static void write_batch(void *self, const struct tl_feed_batch *batch)
{
    struct tl_live *live = self;
    json_t *view = tl_live_view_make(batch);
    char *text = json_dumps(view, JSON_COMPACT), now[24], expiry[24];
    struct tl_error err;

    (void)snprintf(now, sizeof(now), "%" PRId64, tl_now_ms());
    (void)snprintf(expiry, sizeof(expiry), "%" PRId64, live->sink->settings.live_expiry_ms / 1000);
    const char *const argv[] = {live->key, live->sink->settings.live_prefix, text, now, expiry,
                                CLOSED_S};
    if (tl_redis_eval(live->redis, TL_LIVE_WRITE, argv, TL_ARRAY_LEN(argv), 1, on_written, live,
                      &err) != TL_OK)
        answer_late(live, false, &err);
    free(text);
    json_decref(view);
}

/* ---- life ---- */

static bool is_up(void *self, char *reason, size_t size)
{
    const struct tl_live *live = self;
    return tl_redis_is_up(live->redis, reason, size);
}

bool tl_live_is_ready(const struct tl_live *live, char *reason, size_t size)
{
    if (!live->feed) {
        (void)snprintf(reason, size, "live: Kafka is not ready");
        return false;
    }
    return tl_redis_is_up(live->redis, reason, size) && tl_feed_is_ready(live->feed, reason, size);
}

enum tl_status tl_live_create(struct tl_sink *sink, struct tl_live **ret_live, struct tl_error *err)
{
    struct tl_live *live = calloc(1, sizeof(*live));

    if (!live)
        abort();
    live->sink = sink;
    live->store = (struct tl_feed_store){.name = "live",
                                         .lookback_ms = sink->settings.live_lookback_ms,
                                         .is_up = is_up,
                                         .read_positions = read_positions,
                                         .load = load,
                                         .write = write_batch,
                                         .self = live};
    (void)snprintf(live->key, sizeof(live->key), "%sposition:%s:%scalls.v1",
                   sink->settings.live_prefix, sink->cluster, sink->kafka.topic_prefix);
    const struct tl_redis_options options = {
        .loop = sink->loop, .log = sink->log, .url = sink->redis.url, .scripts = tl_live_scripts};
    enum tl_status st = tl_redis_create(&options, &live->redis, err);
    if (st != TL_OK) {
        tl_live_destroy(live);
        return st;
    }
    *ret_live = live;
    return TL_OK;
}

static void on_fatal(void *arg, const struct tl_error *err)
{
    struct tl_live *live = arg;
    live->sink->fail(live->sink, err);
}

enum tl_status tl_live_start(struct tl_live *live, struct tl_error *err)
{
    struct tl_sink *sink = live->sink;
    const struct tl_feed_options options = {.fleet = sink->fleet,
                                            .loop = sink->loop,
                                            .log = sink->log,
                                            .metrics = &sink->feed_metrics,
                                            .store = &live->store,
                                            .instance = sink->number,
                                            .batch_records = sink->settings.live_batch_records,
                                            .batch_ms = sink->settings.live_batch_ms,
                                            .on_fatal = on_fatal,
                                            .arg = live};
    return tl_feed_create(&options, &live->feed, err);
}

void tl_live_stop(struct tl_live *live)
{
    if (live)
        tl_feed_destroy(live->feed);
}

void tl_live_destroy(struct tl_live *live)
{
    if (!live)
        return;
    tl_redis_destroy(live->redis);
    if (tl_timer_is_running(&live->late)) /* so that the feed has all its answers */
        on_late(live);
    tl_timer_finish(&live->late);
    forget_ids(live);
    free(live);
}
