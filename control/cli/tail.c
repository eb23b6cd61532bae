/* trunkline tail: records of a topic as JSON lines. */
#include "kafka/tail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/topics.h"
#include "base/time.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/record_json.h"
#include "control/cli/store.h"

/* What is left to read of a partition. */
struct partition {
    int64_t end; /* --until-end: first offset not wanted; -1: no end */
    bool is_done;
    int64_t retry_at; /* offset to read again when a schema was learnt; -1: none */
};

struct tailing {
    struct tl_cli *cli;
    struct tl_cli_store store;
    const struct tl_topic *topic;
    struct tl_tail *tail;
    struct partition *partition;
    int32_t partitions;
    const char *key; /* --call: only records with this key; NULL: all */
    long long left;  /* records still wanted; -1: no limit */
    bool done;
    enum tl_status status;
    struct tl_error err;
};

static void finish_when_all_are_done(struct tailing *t)
{
    for (int32_t i = 0; i < t->partitions; i++)
        if (!t->partition[i].is_done)
            return;
    t->done = true;
}

static void print_record(struct tailing *t, const struct tl_record *record)
{
    bool retry = false;
    json_t *line = tl_cli_record_json(t->store.schemas, t->topic, record, &retry);

    if (retry) { /* the writer's schema is on its way: read this one again then */
        t->partition[record->partition].retry_at = record->offset;
        tl_tail_remove(t->tail, record->topic, record->partition);
        return;
    }
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (!text)
        abort();
    if (fprintf(t->cli->out, "%s\n", text) < 0 || fflush(t->cli->out) != 0)
        t->done = true; /* the reader has gone */
    free(text);
    if (t->left > 0 && --t->left == 0)
        t->done = true;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tailing *t = arg;
    struct partition *p = &t->partition[record->partition];
    bool wanted = !t->key || (record->key.data && record->key.len == strlen(t->key) &&
                              memcmp(record->key.data, t->key, record->key.len) == 0);

    if (t->done || p->is_done)
        return;
    if (p->end >= 0 && record->offset >= p->end) {
        p->is_done = true;
        finish_when_all_are_done(t);
        return;
    }
    if (wanted)
        print_record(t, record);
}

/* The last records before the end may have been removed by compaction. */
static void on_end(void *arg, const char *topic, int32_t partition, int64_t next_offset)
{
    struct tailing *t = arg;
    struct partition *p = &t->partition[partition];

    (void)topic;
    if (p->end < 0 || next_offset < p->end || p->retry_at >= 0)
        return;
    p->is_done = true;
    finish_when_all_are_done(t);
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct tailing *t = arg;

    (void)topic;
    if (err->status == TL_RETRY)
        return; /* it goes on by itself */
    if (err->status == TL_CONFLICT)
        t->status = tl_fail(&t->err, TL_NOT_FOUND, "partition %d: no such offset", partition);
    else
        t->status = tl_fail(&t->err, err->status, "partition %d: %s", partition, err->msg);
    t->done = true;
}

static void on_schema(void *arg)
{
    struct tailing *t = arg;

    for (int32_t i = 0; i < t->partitions; i++) {
        struct partition *p = &t->partition[i];
        struct tl_tail_start start = {TL_FROM_OFFSET, p->retry_at};
        if (p->retry_at < 0)
            continue;
        p->retry_at = -1;
        if (tl_tail_add(t->tail, t->topic->name, i, start, &t->err) != TL_OK) {
            t->status = t->err.status;
            t->done = true;
        }
    }
}

/* "beginning", "end", an offset, or a time. */
static enum tl_status parse_from(const char *text, struct tl_tail_start *ret_start,
                                 struct tl_error *err)
{
    char *end;

    if (!text || strcmp(text, "end") == 0) {
        *ret_start = (struct tl_tail_start){TL_FROM_END, 0};
        return TL_OK;
    }
    if (strcmp(text, "beginning") == 0) {
        *ret_start = (struct tl_tail_start){TL_FROM_BEGINNING, 0};
        return TL_OK;
    }
    errno = 0;
    long long offset = strtoll(text, &end, 10);
    if (end != text && !*end && !errno && offset >= 0) {
        *ret_start = (struct tl_tail_start){TL_FROM_OFFSET, offset};
        return TL_OK;
    }
    int64_t at;
    if (tl_time_parse_iso(text, &at, err) != TL_OK)
        return tl_fail(err, TL_INVALID,
                       "--from: \"%.40s\" is neither beginning, end, an offset nor a time such as "
                       "2026-11-23T14:00:00Z",
                       text);
    *ret_start = (struct tl_tail_start){TL_FROM_TIME, at};
    return TL_OK;
}

static enum tl_status find_topic(const struct tl_cli *cli, const char *name,
                                 const struct tl_topic **ret_topic, struct tl_error *err)
{
    const char *prefix = cli->kafka_settings.topic_prefix;
    size_t len = strlen(prefix);

    *ret_topic = tl_topic_find(strncmp(name, prefix, len) == 0 ? name + len : name);
    return *ret_topic ? TL_OK
                      : tl_fail(err, TL_INVALID,
                                "%s: no such topic; trunkline topics list has them all", name);
}

/* Counts partitions, and notes their ends when only what is there now is wanted. */
static enum tl_status look_at_partitions(struct tailing *t, bool until_end, struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    struct tl_cli *cli = t->cli;

    enum tl_status st = tl_cli_admin(cli, &admin, err);
    if (st == TL_OK)
        st = tl_admin_topic_partitions(admin, t->topic->name, &t->partitions, err);
    if (st != TL_OK)
        return st;
    t->partition = calloc((size_t)t->partitions, sizeof(*t->partition));
    if (!t->partition)
        abort();
    for (int32_t i = 0; i < t->partitions; i++) {
        struct partition *p = &t->partition[i];
        int64_t low, high;
        *p = (struct partition){.end = -1, .retry_at = -1};
        if (!until_end)
            continue;
        st = tl_admin_watermarks(admin, t->topic->name, i, &low, &high, err);
        if (st != TL_OK)
            return st;
        p->end = high;
        p->is_done = low >= high;
    }
    return TL_OK;
}

static enum tl_status start(struct tailing *t, struct tl_tail_start from, long long only,
                            struct tl_error *err)
{
    struct tl_tail_options options = {
        .name = "cli", .on_record = on_record, .on_end = on_end, .on_error = on_error, .arg = t};
    struct tl_kafka *kafka;

    enum tl_status st = tl_cli_kafka(t->cli, &kafka, err);
    if (st == TL_OK)
        st = tl_tail_create(kafka, &options, &t->tail, err);
    for (int32_t i = 0; i < t->partitions && st == TL_OK; i++) {
        if (only >= 0 && i != only)
            t->partition[i].is_done = true;
        if (!t->partition[i].is_done)
            st = tl_tail_add(t->tail, t->topic->name, i, from, err);
    }
    return st;
}

static enum tl_status run(struct tailing *t, const struct tl_cli_args *args, struct tl_error *err)
{
    struct tl_tail_start from;
    long long only;

    enum tl_status st = find_topic(t->cli, args->operand[0], &t->topic, err);
    if (st == TL_OK)
        st = parse_from(tl_cli_arg(args, "from"), &from, err);
    if (st == TL_OK)
        st = tl_cli_arg_int(args, "count", 1, INT64_MAX, -1, &t->left, err);
    if (st == TL_OK)
        st = tl_cli_arg_int(args, "partition", 0, INT32_MAX, -1, &only, err);
    if (st == TL_OK)
        st = look_at_partitions(t, tl_cli_arg(args, "until-end") != NULL, err);
    if (st == TL_OK && only >= t->partitions)
        st = tl_fail(err, TL_INVALID, "--partition: there are %d, from 0", t->partitions);
    if (st == TL_OK)
        st = tl_cli_store_open(&t->store, t->cli, err); /* the schemas of all writers */
    if (st != TL_OK)
        return st;
    tl_schema_set_watch(t->store.schemas, on_schema, t);
    st = start(t, from, only, err);
    if (st == TL_OK && tl_cli_arg(args, "until-end"))
        finish_when_all_are_done(t);
    if (st == TL_OK)
        st = tl_cli_wait(t->cli, &t->done, 0, "", err);
    tl_tail_destroy(t->tail);
    tl_schema_set_unwatch(t->store.schemas, on_schema, t);
    if (st == TL_DENIED && t->cli->is_interrupted)
        return TL_OK; /* the way to end it */
    if (st == TL_OK && t->status != TL_OK) {
        *err = t->err;
        return t->status;
    }
    return st;
}

static enum tl_status tail(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    struct tailing t = {.cli = cli, .key = tl_cli_arg(args, "call"), .left = -1};

    enum tl_status st = run(&t, args, err);
    tl_cli_store_close(&t.store);
    free(t.partition);
    return st;
}

static const struct tl_cli_option options[] = {
    {"from", "WHERE", "beginning, end (as when not given), an offset, or a time"},
    {"call", "ID", "only records of this call (those with this key)"},
    {"partition", "N", "only this partition"},
    {"count", "N", "stop after so many records"},
    {"until-end", NULL, "stop at what is the end of the topic now"},
    {0},
};

const struct tl_cli_command tl_cli_tail = {
    .name = "tail",
    .operands = "TOPIC",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Prints records of a topic, decoded, as JSON lines; ends with ctrl-C.",
    .details =
        "Each line has topic, partition, offset, timestamp, key and value; a tombstone's value is\n"
        "null. A record that cannot be decoded has its reason in error and its bytes in base64.",
    .options = options,
    .run = tail};
