/* Member of a consumer group: rebalances come as events on the same queue as the records.
 *
 * Committed offsets are asked for on a worker thread before the assignment is taken up, so that
 * every partition starts at an offset that is known: with auto.offset.reset=error, which makes an
 * offset outside the log an error, librdkafka would not start one without a committed offset; and
 * to assign once more from such an error ends librdkafka 2.0.2 by an assertion. */
#include "kafka/group.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/internal.h"
#include "kafka/pump.h"
#include "net/timer.h"

#define COMMITTED_ATTEMPT_MS 1000
#define COMMITTED_PAUSE_MS 50
#define REJOIN_MS 3000 /* a process that was replaced learns it from presence, and ends, before this */

/* A question for committed offsets, on a worker thread. */
struct committed {
    uv_work_t work;
    struct tl_group *group; /* NULL: it is gone */
    struct committed *next;
    int64_t generation;
    rd_kafka_topic_partition_list_t *starts; /* what will be assigned */
    unsigned attempts;
    uv_sem_t done; /* the worker has let go of rk */
    rd_kafka_t *rk;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
};

struct tl_group {
    struct tl_kafka *kafka;
    struct tl_group_options options;
    char *name;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* the consumer's, with the main queue forwarded to it */
    struct tl_pump *pump;
    int64_t generation; /* counts assignments */
    bool awaits_assign; /* on_assign was called, tl_group_assign not yet */
    rd_kafka_topic_partition_list_t *held; /* given and not taken; NULL: nothing */
    struct tl_timer rejoin_timer;
    bool closing;
    struct committed *asking; /* questions under way, of former generations too */
    struct tl_counter *records, *bytes, *errors;
};

static const rd_kafka_topic_partition_list_t NO_PARTITIONS;

_Static_assert(TL_GROUP_COMMITTED == RD_KAFKA_OFFSET_INVALID, "as librdkafka says it");
_Static_assert(TL_GROUP_BEGINNING == RD_KAFKA_OFFSET_BEGINNING, "as librdkafka says it");
_Static_assert(TL_GROUP_END == RD_KAFKA_OFFSET_END, "as librdkafka says it");

static struct tl_group_partition *to_partitions(const struct tl_group *group,
                                                const rd_kafka_topic_partition_list_t *list)
{
    struct tl_group_partition *out = calloc((size_t)list->cnt + 1, sizeof(*out));

    if (!out)
        abort();
    for (int i = 0; i < list->cnt; i++) {
        out[i] = (struct tl_group_partition){
            .topic = tl_kafka_short_topic(group->kafka, list->elems[i].topic),
            .partition = list->elems[i].partition,
            .offset = TL_GROUP_COMMITTED,
        };
    }
    return out;
}

static void tell_error(struct tl_group *group, const char *topic, int32_t partition,
                       enum tl_status status, const char *text)
{
    struct tl_error err;

    tl_counter_add(group->errors, 1);
    (void)tl_fail(&err, status, "group %s: %s", group->options.group_id, text);
    if (group->options.on_error)
        group->options.on_error(group->options.arg, topic, partition, &err);
}

static void rejoin(void *arg);

/* Fatal to librdkafka is that another member came with our instance id; any answer of it may say
 * so. That may be our successor, whose presence ends this process; a coordinator that starts anew
 * says it of a rightful member too (it forgets the member ids of a rebalance that its end cut
 * short). So: out, and in again. */
static enum tl_status status_of(struct tl_group *group, rd_kafka_resp_err_t code)
{
    enum tl_status status = tl_kafka_status(code);

    if (status != TL_FATAL)
        return status;
    if (!tl_timer_is_running(&group->rejoin_timer))
        tl_timer_start(&group->rejoin_timer, group->kafka->loop, REJOIN_MS, rejoin, group);
    return TL_RETRY;
}

static void hold(struct tl_group *group, const rd_kafka_topic_partition_list_t *list)
{
    if (group->held)
        rd_kafka_topic_partition_list_destroy(group->held);
    group->held = list && list->cnt > 0 ? rd_kafka_topic_partition_list_copy(list) : NULL;
}

static void on_given(struct tl_group *group, const rd_kafka_topic_partition_list_t *list)
{
    struct tl_group_partition *partitions = to_partitions(group, list);
    int64_t generation = ++group->generation;
    struct tl_error err;

    hold(group, list);
    group->awaits_assign = true;
    if (group->options.on_assign)
        group->options.on_assign(group->options.arg, generation, partitions, (size_t)list->cnt);
    else if (tl_group_assign(group, generation, partitions, (size_t)list->cnt, &err) != TL_OK)
        tell_error(group, NULL, -1, err.status, err.msg);
    free(partitions);
}

static void tell_taken(struct tl_group *group, const rd_kafka_topic_partition_list_t *list,
                       bool lost)
{
    struct tl_group_partition *partitions = to_partitions(group, list);

    group->generation++;
    group->awaits_assign = false;
    if (group->options.on_revoke && list->cnt > 0)
        group->options.on_revoke(group->options.arg, partitions, (size_t)list->cnt, lost);
    free(partitions);
    hold(group, NULL);
}

static void on_taken(struct tl_group *group, const rd_kafka_topic_partition_list_t *list)
{
    tell_taken(group, list, rd_kafka_assignment_lost(group->rk) != 0);
    /* Commits what is stored, then lets go. */
    rd_kafka_resp_err_t code = rd_kafka_assign(group->rk, NULL);
    if (code)
        tell_error(group, NULL, -1, status_of(group, code), rd_kafka_err2str(code));
}

static void on_rebalance(struct tl_group *group, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);

    if (!list)
        list = &NO_PARTITIONS;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !group->closing)
        on_given(group, list);
    else
        on_taken(group, list);
}

static void on_message(struct tl_group *group, const rd_kafka_message_t *message)
{
    struct tl_record record;

    tl_kafka_record_from(tl_kafka_short_topic(group->kafka, rd_kafka_topic_name(message->rkt)),
                         message, &record);
    tl_counter_add(group->records, 1);
    tl_counter_add(group->bytes, record.key.len + record.value.len);
    group->options.on_record(group->options.arg, &record);
}

static void on_error(struct tl_group *group, rd_kafka_event_t *event)
{
    rd_kafka_topic_partition_t *tp = rd_kafka_event_topic_partition(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error_is_fatal(event) ? RD_KAFKA_RESP_ERR__FATAL
                                                                    : rd_kafka_event_error(event);

    tell_error(group, tp ? tl_kafka_short_topic(group->kafka, tp->topic) : NULL,
               tp ? tp->partition : -1, status_of(group, code), rd_kafka_event_error_string(event));
    if (tp)
        rd_kafka_topic_partition_destroy(tp);
}

static void on_commit(struct tl_group *group, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);

    if (code && code != RD_KAFKA_RESP_ERR__NO_OFFSET)
        tell_error(group, NULL, -1, status_of(group, code), rd_kafka_event_error_string(event));
}

static void handle(struct tl_group *group, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;

    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        message = rd_kafka_event_message_next(event); /* one an event */
        if (message && !group->closing)
            on_message(group, message);
        break;
    case RD_KAFKA_EVENT_REBALANCE:
        on_rebalance(group, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        on_commit(group, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(group, event);
        break;
    default:
        (void)tl_kafka_log_event(group->kafka, group->name, event);
    }
}

static bool turn(void *arg)
{
    struct tl_group *group = arg;
    rd_kafka_event_t *event = NULL;

    for (int64_t n = 0; n < group->kafka->settings->turn_max_records; n++) {
        event = rd_kafka_queue_poll(group->queue, 0);
        if (!event)
            break;
        handle(group, event);
        rd_kafka_event_destroy(event);
    }
    return event != NULL;
}

static enum tl_status set_group_conf(struct tl_group *group, rd_kafka_conf_t *conf,
                                     struct tl_error *err)
{
    const struct tl_kafka_settings *settings = group->kafka->settings;
    const struct tl_group_options *o = &group->options;
    char id[TL_KAFKA_TOPIC_MAX + 1];
    enum tl_status st = tl_kafka_full_topic(settings->topic_prefix, o->group_id, id, err);

    if (st != TL_OK || (st = tl_kafka_conf_set(conf, "group.id", id, err)) != TL_OK ||
        /* cooperative assignment of 2.0.2 splits co-partitioned topics and has known bugs */
        (st = tl_kafka_conf_set(conf, "partition.assignment.strategy", "range", err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "session.timeout.ms", settings->session_timeout_ms,
                                    err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "heartbeat.interval.ms", settings->session_timeout_ms / 4,
                                    err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "auto.commit.interval.ms",
                                    o->commit_interval_ms ? o->commit_interval_ms : 1000, err)) !=
            TL_OK ||
        (st = tl_kafka_conf_set(conf, "enable.auto.commit", "true", err)) != TL_OK)
        return st;
    if (o->instance_id)
        return tl_kafka_conf_set(conf, "group.instance.id", o->instance_id, err);
    return TL_OK;
}

static enum tl_status set_fetch_conf(struct tl_group *group, rd_kafka_conf_t *conf,
                                     struct tl_error *err)
{
    const struct tl_kafka_settings *settings = group->kafka->settings;
    const struct tl_group_options *o = &group->options;
    enum tl_status st;

    if ((st = tl_kafka_conf_set_int(conf, "fetch.wait.max.ms", settings->fetch_wait_max_ms, err)) !=
            TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queued.min.messages", settings->fetch_queue_min_records,
                                    err)) != TL_OK ||
        (st = tl_kafka_conf_set_int(conf, "queued.max.messages.kbytes",
                                    settings->fetch_queue_max_kbytes, err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "isolation.level",
                                o->read_uncommitted ? "read_uncommitted" : "read_committed",
                                err)) != TL_OK)
        return st;
    return tl_kafka_conf_properties(conf, settings, err);
}

static enum tl_status subscribe(struct tl_group *group, struct tl_error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(4);
    char full[TL_KAFKA_TOPIC_MAX + 1];
    enum tl_status st = TL_OK;

    for (const char *const *t = group->options.topics; *t && st == TL_OK; t++) {
        st = tl_kafka_full_topic(group->kafka->settings->topic_prefix, *t, full, err);
        if (st == TL_OK)
            rd_kafka_topic_partition_list_add(topics, full, RD_KAFKA_PARTITION_UA);
    }
    if (st == TL_OK) {
        rd_kafka_resp_err_t code = rd_kafka_subscribe(group->rk, topics);
        if (code)
            st = tl_fail(err, TL_INVALID, "subscribe: %s", rd_kafka_err2str(code));
    }
    rd_kafka_topic_partition_list_destroy(topics);
    return st;
}

static enum tl_status open_handle(struct tl_group *group, struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = NULL;
    enum tl_status st = tl_kafka_conf_create(group->kafka->settings, group->kafka->client_id,
                                             TL_KAFKA_READ, &conf, err);

    if (st != TL_OK || (st = set_group_conf(group, conf, err)) != TL_OK ||
        (st = set_fetch_conf(group, conf, err)) != TL_OK)
        return st;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR |
                                       RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_REBALANCE |
                                       RD_KAFKA_EVENT_OFFSET_COMMIT);
    st = tl_kafka_handle_create(RD_KAFKA_CONSUMER, &conf, &group->rk, err);
    if (st != TL_OK)
        return st;
    (void)rd_kafka_poll_set_consumer(group->rk); /* fails only without a group */
    rd_kafka_set_log_queue(group->rk, NULL);
    group->queue = rd_kafka_queue_get_consumer(group->rk);
    st = tl_pump_create(group->kafka->loop, group->queue, turn, group, &group->pump, err);
    return st == TL_OK ? subscribe(group, err) : st;
}

static void nothing_to_free(void *arg)
{
    (void)arg;
}

static void close_handle(struct tl_group *group, bool is_hung)
{
    if (group->pump)
        tl_pump_close(group->pump, nothing_to_free, NULL);
    group->pump = NULL;
    if (group->queue)
        rd_kafka_queue_destroy(group->queue);
    group->queue = NULL;
    if (group->rk && !is_hung)
        (void)tl_kafka_handle_destroy(group->kafka, group->name, group->rk, TL_KAFKA_DESTROY_MS);
    group->rk = NULL;
}

static void free_group(struct tl_group *group, bool is_hung)
{
    tl_timer_finish(&group->rejoin_timer);
    close_handle(group, is_hung);
    hold(group, NULL);
    free(group->name);
    free(group);
}

enum tl_status tl_group_create(struct tl_kafka *kafka, const struct tl_group_options *options,
                               struct tl_group **ret_group, struct tl_error *err)
{
    struct tl_group *group = calloc(1, sizeof(*group));

    assert(options->on_record && options->topics);
    if (!group)
        abort();
    group->kafka = kafka;
    group->options = *options;
    group->name = strdup(options->group_id);
    group->options.group_id = group->name;
    group->records = tl_counter_of(&kafka->metrics.received_records, group->name);
    group->bytes = tl_counter_of(&kafka->metrics.received_bytes, group->name);
    group->errors = tl_counter_of(&kafka->metrics.errors, group->name);
    if (open_handle(group, err) != TL_OK) {
        free_group(group, false);
        return tl_fail_prefix(err, "group %s", options->group_id);
    }
    *ret_group = group;
    return TL_OK;
}

static rd_kafka_topic_partition_list_t *one(const struct tl_group *group, const char *topic,
                                            int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    char full[TL_KAFKA_TOPIC_MAX + 1];
    struct tl_error err;

    /* It came from an assignment, so it is not too long; an empty list is ignored. */
    if (tl_kafka_full_topic(group->kafka->settings->topic_prefix, topic, full, &err) == TL_OK)
        rd_kafka_topic_partition_list_add(list, full, partition)->offset = offset;
    return list;
}

static enum tl_status assign(struct tl_group *group, const rd_kafka_topic_partition_list_t *list,
                             struct tl_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(group->rk, list);

    if (code)
        return tl_fail(err, status_of(group, code), "assign: %s", rd_kafka_err2str(code));
    return TL_OK;
}

static void free_committed(struct committed *c)
{
    rd_kafka_topic_partition_list_destroy(c->starts);
    rd_kafka_topic_partition_list_destroy(c->list);
    uv_sem_destroy(&c->done);
    free(c);
}

static void forget_committed(struct committed *c)
{
    struct committed **at = &c->group->asking;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

static void ask_committed(uv_work_t *work)
{
    struct committed *c = work->data;

    if (c->attempts++ > 0)
        uv_sleep(COMMITTED_PAUSE_MS); /* this is a worker thread */
    c->code = rd_kafka_committed(c->rk, c->list, COMMITTED_ATTEMPT_MS);
    uv_sem_post(&c->done);
}

/* Puts the answers into `starts`; false when one is missing. */
static bool fill_starts(struct committed *c, int64_t without)
{
    if (c->code)
        return false;
    for (int i = 0; i < c->list->cnt; i++) {
        const rd_kafka_topic_partition_t *answer = &c->list->elems[i];

        if (answer->err)
            return false;
        rd_kafka_topic_partition_list_find(c->starts, answer->topic, answer->partition)->offset =
            answer->offset >= 0 ? answer->offset : without;
    }
    return true;
}

static void committed_asked(uv_work_t *work, int status)
{
    struct committed *c = work->data;
    struct tl_group *group = c->group;
    struct tl_error err;

    (void)status; /* never cancelled */
    if (!group) {
        free_committed(c);
        return;
    }
    uv_sem_wait(&c->done); /* does not wait: it was posted */
    bool is_present = c->generation == group->generation;
    if (is_present &&
        !fill_starts(c, group->options.from_end ? TL_GROUP_END : TL_GROUP_BEGINNING)) {
        (void)uv_queue_work(group->kafka->loop, &c->work, ask_committed, committed_asked);
        return; /* again, until it answers or the assignment is gone */
    }
    if (is_present && assign(group, c->starts, &err) != TL_OK)
        tell_error(group, NULL, -1, err.status, err.msg);
    forget_committed(c);
    free_committed(c);
}

/* Takes `starts`. */
static void assign_from_committed(struct tl_group *group, rd_kafka_topic_partition_list_t *starts)
{
    struct committed *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    c->work.data = c;
    c->group = group;
    c->generation = group->generation;
    c->starts = starts;
    c->rk = group->rk;
    c->list = rd_kafka_topic_partition_list_new(starts->cnt);
    for (int i = 0; i < starts->cnt; i++) {
        if (starts->elems[i].offset == TL_GROUP_COMMITTED)
            rd_kafka_topic_partition_list_add(c->list, starts->elems[i].topic,
                                              starts->elems[i].partition);
    }
    (void)uv_sem_init(&c->done, 0); /* fails only for a value out of range */
    c->next = group->asking;
    group->asking = c;
    (void)uv_queue_work(group->kafka->loop, &c->work, ask_committed, committed_asked);
}

/* The worker must have let go of the handle before that can be destroyed; a second at most. */
static void leave_committed(struct tl_group *group)
{
    while (group->asking) {
        struct committed *c = group->asking;

        group->asking = c->next;
        uv_sem_wait(&c->done);
        c->group = NULL; /* committed_asked frees it */
    }
}

enum tl_status tl_group_assign(struct tl_group *group, int64_t generation,
                               const struct tl_group_partition *partitions, size_t len,
                               struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1];
    enum tl_status st = TL_OK;
    bool asks = false;

    if (!group->awaits_assign || generation != group->generation)
        return tl_fail(err, TL_CONFLICT, "assignment %" PRId64 " is not the present one",
                       generation);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)len);
    for (size_t i = 0; i < len && st == TL_OK; i++) {
        st = tl_kafka_full_topic(group->kafka->settings->topic_prefix, partitions[i].topic, full,
                                 err);
        if (st == TL_OK)
            rd_kafka_topic_partition_list_add(list, full, partitions[i].partition)->offset =
                partitions[i].offset;
        asks = asks || partitions[i].offset == TL_GROUP_COMMITTED;
    }
    if (st == TL_OK && asks) {
        group->awaits_assign = false;
        assign_from_committed(group, list);
        return TL_OK;
    }
    if (st == TL_OK)
        st = assign(group, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    if (st == TL_OK)
        group->awaits_assign = false;
    return st;
}

void tl_group_store(struct tl_group *group, const char *topic, int32_t partition,
                    int64_t next_offset)
{
    rd_kafka_topic_partition_list_t *list = one(group, topic, partition, next_offset);

    (void)rd_kafka_offsets_store(group->rk, list); /* _STATE: not ours any more */
    rd_kafka_topic_partition_list_destroy(list);
}

void tl_group_pause(struct tl_group *group, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = one(group, topic, partition, RD_KAFKA_OFFSET_INVALID);

    (void)rd_kafka_pause_partitions(group->rk, list); /* not ours any more */
    rd_kafka_topic_partition_list_destroy(list);
}

void tl_group_resume(struct tl_group *group, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = one(group, topic, partition, RD_KAFKA_OFFSET_INVALID);

    (void)rd_kafka_resume_partitions(group->rk, list); /* not ours any more */
    rd_kafka_topic_partition_list_destroy(list);
}

enum tl_status tl_group_seek(struct tl_group *group, const char *topic, int32_t partition,
                             int64_t offset, struct tl_error *err)
{
    rd_kafka_topic_partition_list_t *list = one(group, topic, partition, offset);
    /* 0: asynchronous; what was read ahead is dropped at once all the same. */
    rd_kafka_error_t *error = rd_kafka_seek_partitions(group->rk, list, 0);
    enum tl_status st = TL_OK;

    if (error) {
        st = tl_fail(err, status_of(group, rd_kafka_error_code(error)), "seek %s/%" PRId32 ": %s",
                     topic, partition, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

static void rejoin(void *arg)
{
    struct tl_group *group = arg;
    struct tl_error err;

    leave_committed(group);
    if (group->held)
        tell_taken(group, group->held, true);
    close_handle(group, false);
    if (open_handle(group, &err) != TL_OK)
        tell_error(group, NULL, -1, TL_FATAL, err.msg);
}

/* Polls until the member has left; false when librdkafka hangs. */
static bool leave(struct tl_group *group, int64_t until_ms)
{
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(group->rk, group->queue);

    if (error) { /* fenced: out already, and librdkafka refuses to close it */
        rd_kafka_error_destroy(error);
        if (group->held)
            tell_taken(group, group->held, true);
        return true;
    }
    while (!rd_kafka_consumer_closed(group->rk) && tl_mono_ms() < until_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(group->queue, 10);

        if (event)
            handle(group, event);
        if (event)
            rd_kafka_event_destroy(event);
    }
    return rd_kafka_consumer_closed(group->rk);
}

void tl_group_destroy(struct tl_group *group, int64_t deadline_ms)
{
    if (!group)
        return;
    group->closing = true;
    leave_committed(group);
    bool is_hung = group->rk && !leave(group, tl_mono_ms() + deadline_ms);
    if (is_hung) { /* bugs of close in 2.0.2: destroy would hang as well */
        group->kafka->stuck = true;
        tl_log_warn(group->kafka->log, "kafka.handle_stuck", TL_STR("client", group->name),
                    TL_INT("deadline_ms", deadline_ms));
    }
    free_group(group, is_hung);
}
