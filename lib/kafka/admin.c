/* Administration of topics, blocking: see admin.h. */
#include "kafka/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kafka/internal.h"

#define LEADER_PAUSE_MS 20

struct tl_admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char *prefix;
    int64_t timeout_ms;
};

enum tl_status tl_admin_create(const struct tl_kafka_settings *settings, const char *client_id,
                               int64_t timeout_ms, struct tl_admin **ret_admin,
                               struct tl_error *err)
{
    TL_CLEANUP(tl_kafka_conf_destroyp) rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk = NULL;
    enum tl_status st = tl_kafka_conf_create(settings, client_id, TL_KAFKA_READ, &conf, err);

    if (st != TL_OK || (st = tl_kafka_conf_set(conf, "log.queue", "false", err)) != TL_OK ||
        (st = tl_kafka_conf_set(conf, "isolation.level", "read_uncommitted", err)) != TL_OK ||
        (st = tl_kafka_conf_properties(conf, settings, err)) != TL_OK)
        return st;
    rd_kafka_conf_set_log_cb(conf, NULL); /* every verb says itself what went wrong */
    if ((st = tl_kafka_handle_create(RD_KAFKA_CONSUMER, &conf, &rk, err)) != TL_OK)
        return st;
    struct tl_admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        abort();
    admin->rk = rk;
    admin->queue = rd_kafka_queue_new(rk);
    admin->prefix = strdup(settings->topic_prefix);
    admin->timeout_ms = timeout_ms;
    *ret_admin = admin;
    return TL_OK;
}

void tl_admin_destroy(struct tl_admin *admin)
{
    if (!admin)
        return;
    rd_kafka_queue_destroy(admin->queue);
    rd_kafka_destroy(admin->rk);
    free(admin->prefix);
    free(admin);
}

static rd_kafka_AdminOptions_t *make_options(struct tl_admin *admin, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, op);
    char why[128];

    /* Both take any time that is positive. */
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)admin->timeout_ms, why,
                                                    sizeof(why));
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, (int)admin->timeout_ms, why,
                                                      sizeof(why));
    return options;
}

/* The one topic of a result. */
static enum tl_status topic_result(const rd_kafka_topic_result_t **topics, size_t len,
                                   const char *what, const char *full, struct tl_error *err)
{
    if (len != 1)
        return tl_fail(err, TL_RETRY, "%s %s: the broker answered about %zu topics", what, full,
                       len);
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[0]);
    const char *text = rd_kafka_topic_result_error_string(topics[0]);
    if (code)
        return tl_fail(err, tl_kafka_status(code), "%s %s: %s", what, full,
                       text ? text : rd_kafka_err2str(code));
    return TL_OK;
}

static enum tl_status await(struct tl_admin *admin, const char *what, const char *full,
                            rd_kafka_event_t **ret_event, struct tl_error *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, (int)admin->timeout_ms + 1000);

    if (!event)
        return tl_fail(err, TL_RETRY, "%s %s: no answer", what, full);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code) {
        enum tl_status st = tl_fail(err, tl_kafka_status(code), "%s %s: %s", what, full,
                                    rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return st;
    }
    *ret_event = event;
    return TL_OK;
}

static enum tl_status read_metadata(struct tl_admin *admin, const struct rd_kafka_metadata **ret,
                                    struct tl_error *err)
{
    /* All topics, never one by name: asking for a topic can create it. */
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->rk, 1, NULL, ret, (int)admin->timeout_ms);

    if (code)
        return tl_fail(err, tl_kafka_status(code), "read the list of topics: %s",
                       rd_kafka_err2str(code));
    return TL_OK;
}

static bool has_leaders(const struct rd_kafka_metadata *metadata, const char *full, int partitions)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &metadata->topics[i];
        int leaders = 0;

        if (strcmp(t->topic, full) != 0)
            continue;
        for (int p = 0; p < t->partition_cnt; p++)
            leaders += t->partitions[p].leader >= 0;
        return !t->err && leaders >= partitions;
    }
    return false;
}

/* The controller has it, the brokers learn of it a little later: a process that starts now must not
 * be told that it is missing. */
static enum tl_status await_leaders(struct tl_admin *admin, const char *full, int32_t partitions,
                                    struct tl_error *err)
{
    int64_t until_ms = tl_mono_ms() + admin->timeout_ms;
    bool is_there = false;

    while (!is_there) {
        const struct rd_kafka_metadata *metadata = NULL;
        enum tl_status st = read_metadata(admin, &metadata, err);

        if (st != TL_OK)
            return st;
        is_there = has_leaders(metadata, full, partitions);
        rd_kafka_metadata_destroy(metadata);
        if (!is_there && tl_mono_ms() > until_ms)
            return tl_fail(err, TL_RETRY, "%s was made, but its partitions have no leaders", full);
        if (!is_there)
            uv_sleep(LEADER_PAUSE_MS);
    }
    return TL_OK;
}

static enum tl_status make_new_topic(const struct tl_topic_spec *spec, const char *full,
                                     rd_kafka_NewTopic_t **ret_topic, struct tl_error *err)
{
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        full, spec->partitions, spec->replication ? spec->replication : -1, why, sizeof(why));

    if (!topic)
        return tl_fail(err, TL_INVALID, "create %s: %s", full, why);
    for (size_t i = 0; i < spec->configs_n; i++) {
        rd_kafka_resp_err_t code =
            rd_kafka_NewTopic_set_config(topic, spec->configs[i].name, spec->configs[i].value);
        if (code) {
            rd_kafka_NewTopic_destroy(topic);
            return tl_fail(err, TL_INVALID, "create %s: %s: %s", full, spec->configs[i].name,
                           rd_kafka_err2str(code));
        }
    }
    *ret_topic = topic;
    return TL_OK;
}

enum tl_status tl_admin_topic_create(struct tl_admin *admin, const struct tl_topic_spec *spec,
                                     struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1];
    rd_kafka_NewTopic_t *topic = NULL;
    rd_kafka_event_t *event = NULL;
    size_t len;
    enum tl_status st = tl_kafka_full_topic(admin->prefix, spec->topic, full, err);

    if (st != TL_OK || (st = make_new_topic(spec, full, &topic, err)) != TL_OK)
        return st;
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(admin->rk, &topic, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    st = await(admin, "create", full, &event, err);
    if (st != TL_OK)
        return st;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &len);
    st = topic_result(results, len, "create", full, err);
    rd_kafka_event_destroy(event);
    return st == TL_OK ? await_leaders(admin, full, spec->partitions, err) : st;
}

enum tl_status tl_admin_topic_grow(struct tl_admin *admin, const char *topic, int32_t partitions,
                                   struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1], why[256];
    rd_kafka_event_t *event = NULL;
    int32_t present = 0;
    size_t len;
    enum tl_status st = tl_admin_topic_partitions(admin, topic, &present, err);

    if (st != TL_OK || (st = tl_kafka_full_topic(admin->prefix, topic, full, err)) != TL_OK)
        return st;
    if (present >= partitions)
        return tl_fail(err, TL_CONFLICT, "grow %s: it has %" PRId32 " partitions", full, present);
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(full, (size_t)partitions, why, sizeof(why));
    if (!more)
        return tl_fail(err, TL_INVALID, "grow %s: %s", full, why);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(admin->rk, &more, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(more);
    st = await(admin, "grow", full, &event, err);
    if (st != TL_OK)
        return st;
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &len);
    st = topic_result(results, len, "grow", full, err);
    rd_kafka_event_destroy(event);
    return st == TL_OK ? await_leaders(admin, full, partitions, err) : st;
}

enum tl_status tl_admin_topic_delete(struct tl_admin *admin, const char *topic,
                                     struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1];
    rd_kafka_event_t *event = NULL;
    size_t len;
    enum tl_status st = tl_kafka_full_topic(admin->prefix, topic, full, err);

    if (st != TL_OK)
        return st;
    rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new(full);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(admin->rk, &gone, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteTopic_destroy(gone);
    st = await(admin, "delete", full, &event, err);
    if (st != TL_OK)
        return st;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &len);
    st = topic_result(results, len, "delete", full, err);
    rd_kafka_event_destroy(event);
    return st;
}

static const char *without_prefix(const struct tl_admin *admin, const char *full)
{
    size_t len = strlen(admin->prefix);

    return strncmp(full, admin->prefix, len) == 0 ? full + len : NULL;
}

enum tl_status tl_admin_topics_each(struct tl_admin *admin, tl_topic_info_fn fn, void *arg,
                                    struct tl_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    enum tl_status st = read_metadata(admin, &metadata, err);

    if (st != TL_OK)
        return st;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &metadata->topics[i];
        const char *name = without_prefix(admin, t->topic);

        if (!name || t->err)
            continue;
        const struct tl_topic_info info = {
            .topic = name,
            .partitions = t->partition_cnt,
            .replication = t->partition_cnt ? t->partitions[0].replica_cnt : 0,
        };
        fn(arg, &info);
    }
    rd_kafka_metadata_destroy(metadata);
    return TL_OK;
}

struct count {
    const char *topic;
    int32_t partitions; /* 0: not found */
};

static void count_partitions(void *arg, const struct tl_topic_info *info)
{
    struct count *count = arg;

    if (strcmp(info->topic, count->topic) == 0)
        count->partitions = info->partitions;
}

enum tl_status tl_admin_topic_partitions(struct tl_admin *admin, const char *topic,
                                         int32_t *ret_partitions, struct tl_error *err)
{
    struct count count = {topic, 0};
    enum tl_status st = tl_admin_topics_each(admin, count_partitions, &count, err);

    if (st != TL_OK)
        return st;
    if (count.partitions == 0)
        return tl_fail(err, TL_NOT_FOUND,
                       "topic %s%s does not exist; create it with: trunkline topics create",
                       admin->prefix, topic);
    *ret_partitions = count.partitions;
    return TL_OK;
}

enum tl_status tl_admin_watermarks(struct tl_admin *admin, const char *topic, int32_t partition,
                                   int64_t *ret_low, int64_t *ret_high, struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1];
    enum tl_status st = tl_kafka_full_topic(admin->prefix, topic, full, err);

    if (st != TL_OK)
        return st;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(admin->rk, full, partition, ret_low,
                                                                ret_high, (int)admin->timeout_ms);
    if (code)
        return tl_fail(err, tl_kafka_status(code), "offsets of %s/%" PRId32 ": %s", full, partition,
                       rd_kafka_err2str(code));
    return TL_OK;
}

enum tl_status tl_admin_cluster_id(struct tl_admin *admin, char *ret_id, size_t size,
                                   struct tl_error *err)
{
    char *id = rd_kafka_clusterid(admin->rk, (int)admin->timeout_ms);

    if (!id)
        return tl_fail(err, TL_RETRY, "cluster id: no answer");
    int len = snprintf(ret_id, size, "%s", id);
    rd_kafka_mem_free(admin->rk, id);
    if ((size_t)len >= size)
        return tl_fail(err, TL_INVALID, "cluster id: longer than %zu bytes", size - 1);
    return TL_OK;
}

enum tl_status tl_admin_offset_of_time(struct tl_admin *admin, const char *topic, int32_t partition,
                                       int64_t timestamp_ms, int64_t *ret_offset,
                                       struct tl_error *err)
{
    char full[TL_KAFKA_TOPIC_MAX + 1];
    int64_t low, high;
    enum tl_status st = tl_kafka_full_topic(admin->prefix, topic, full, err);

    if (st != TL_OK)
        return st;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, full, partition)->offset =
        timestamp_ms < 0 ? 0 : timestamp_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(admin->rk, list, (int)admin->timeout_ms);
    if (!code)
        code = list->elems[0].err;
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return tl_fail(err, tl_kafka_status(code), "offset of a time in %s/%" PRId32 ": %s", full,
                       partition, rd_kafka_err2str(code));
    if (offset >= 0) {
        *ret_offset = offset;
        return TL_OK;
    }
    st = tl_admin_watermarks(admin, topic, partition, &low, &high, err);
    if (st == TL_OK)
        *ret_offset = high;
    return st;
}

static enum tl_status check_equal(struct tl_admin *admin, const char *const *topics,
                                  int32_t *ret_partitions, struct tl_error *err)
{
    int32_t first = 0, partitions = 0;

    for (const char *const *t = topics; *t; t++) {
        enum tl_status st = tl_admin_topic_partitions(admin, *t, &partitions, err);

        if (st != TL_OK)
            return st;
        if (t == topics)
            first = partitions;
        if (partitions != first)
            return tl_fail(err, TL_INVALID,
                           "topic %s%s has %" PRId32 " partitions and %s%s has %" PRId32
                           ", but both are keyed by call and need as many; see: "
                           "trunkline topics check",
                           admin->prefix, topics[0], first, admin->prefix, *t, partitions);
    }
    *ret_partitions = first;
    return TL_OK;
}

enum tl_status tl_admin_check_start(struct tl_admin *admin, const char *const *call_topics,
                                    const char *mailbox_topic, int32_t number,
                                    int32_t *ret_call_partitions, struct tl_error *err)
{
    int32_t mailboxes = 0, partitions = 0;
    enum tl_status st = check_equal(admin, call_topics, &partitions, err);

    if (st == TL_OK && mailbox_topic)
        st = tl_admin_topic_partitions(admin, mailbox_topic, &mailboxes, err);
    if (st != TL_OK)
        return st;
    if (mailbox_topic && number >= mailboxes)
        return tl_fail(err, TL_INVALID,
                       "instance %" PRId32 " has no mailbox: topic %s%s has %" PRId32
                       " partitions; set topics.mailboxes to %" PRId32
                       " or more and add them with: trunkline topics create",
                       number, admin->prefix, mailbox_topic, mailboxes, number + 1);
    *ret_call_partitions = partitions;
    return TL_OK;
}
