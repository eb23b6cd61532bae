/* trunkline topics: the table of topics (schemas/topics.json) against the brokers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/topics.h"
#include "base/time.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"

#define LOOK_AGAIN_MS 20

/* A topic as it should be, and as it is. */
struct topic_row {
    const struct tl_topic *topic;
    int32_t wanted;
    int32_t partitions; /* 0: it does not exist */
    int32_t replication;
};

static int32_t wanted_partitions(const struct tl_cli *cli, const struct tl_topic *topic)
{
    switch (topic->partitions) {
    case TL_PARTITIONS_CALLS:
        return (int32_t)cli->settings.call_partitions;
    case TL_PARTITIONS_MAILBOXES:
        return (int32_t)cli->settings.mailboxes;
    case TL_PARTITIONS_ONE:
        break;
    }
    return 1;
}

static void note_topic(void *arg, const struct tl_topic_info *info)
{
    struct topic_row *rows = arg;

    for (size_t i = 0; i < TL_TOPICS_N; i++)
        if (strcmp(rows[i].topic->name, info->topic) == 0) {
            rows[i].partitions = info->partitions;
            rows[i].replication = info->replication;
        }
}

static enum tl_status read_topics(struct tl_cli *cli, struct tl_admin **ret_admin,
                                  struct topic_row rows[TL_TOPICS_N], struct tl_error *err)
{
    for (size_t i = 0; i < TL_TOPICS_N; i++)
        rows[i] = (struct topic_row){.topic = &tl_topics[i],
                                     .wanted = wanted_partitions(cli, &tl_topics[i])};
    enum tl_status st = tl_cli_admin(cli, ret_admin, err);
    if (st == TL_OK)
        st = tl_admin_topics_each(*ret_admin, note_topic, rows, err);
    return st;
}

/* "30 days", "15 min", "for ever". */
static void format_retention(int64_t ms, char *text, size_t size)
{
    if (ms < 0)
        (void)snprintf(text, size, "for ever");
    else if (ms % 86400000 == 0)
        (void)snprintf(text, size, "%" PRId64 " d", ms / 86400000);
    else if (ms % 3600000 == 0)
        (void)snprintf(text, size, "%" PRId64 " h", ms / 3600000);
    else
        (void)snprintf(text, size, "%" PRId64 " min", ms / 60000);
}

static enum tl_status list(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    static const char *const titles[] = {"TOPIC",   "RECORD", "PARTITIONS", "REPLICAS",
                                         "CLEANUP", "KEPT",   "KEY"};
    struct topic_row rows[TL_TOPICS_N];
    struct tl_cli_table table = {0};

    (void)args;
    enum tl_status st = read_topics(cli, &admin, rows, err);
    if (st != TL_OK)
        return st;
    tl_cli_table_row(&table, TL_ARRAY_LEN(titles), titles);
    for (size_t i = 0; i < TL_TOPICS_N; i++) {
        char name[256], partitions[16], replicas[16], kept[32];
        const struct tl_topic *t = rows[i].topic;
        (void)snprintf(name, sizeof(name), "%s%s", cli->kafka_settings.topic_prefix, t->name);
        (void)snprintf(partitions, sizeof(partitions), rows[i].partitions ? "%d" : "missing",
                       rows[i].partitions);
        (void)snprintf(replicas, sizeof(replicas), rows[i].partitions ? "%d" : "-",
                       rows[i].replication);
        format_retention(t->retention_ms, kept, sizeof(kept));
        const char *cells[] = {
            name, t->type->name, partitions, replicas, t->compacted ? "compact" : "delete",
            kept, t->key};
        tl_cli_table_row(&table, TL_ARRAY_LEN(cells), cells);
    }
    tl_cli_table_print(&table, cli->out);
    return TL_OK;
}

static enum tl_status create_one(struct tl_cli *cli, struct tl_admin *admin,
                                 const struct topic_row *row, struct tl_error *err)
{
    struct tl_topic_spec spec = {.topic = row->topic->name,
                                 .partitions = row->wanted,
                                 .replication = (int32_t)cli->settings.replication,
                                 .configs = row->topic->configs,
                                 .configs_n = row->topic->configs_n};

    enum tl_status st = tl_admin_topic_create(admin, &spec, err);
    return st == TL_CONFLICT ? TL_OK : st; /* somebody else was faster */
}

/* Mailboxes may grow at any time; in a topic keyed by call, growing sends later events of a call to
 * another partition than its earlier ones. */
static bool may_grow(const struct topic_row *row)
{
    return row->topic->partitions == TL_PARTITIONS_MAILBOXES && row->partitions < row->wanted;
}

static enum tl_status mend(struct tl_cli *cli, struct tl_admin *admin, const struct topic_row *row,
                           bool dry_run, struct tl_error *err)
{
    const char *prefix = cli->kafka_settings.topic_prefix;
    enum tl_status st = TL_OK;

    if (row->partitions == 0) {
        st = dry_run ? TL_OK : create_one(cli, admin, row, err);
        if (st == TL_OK)
            (void)fprintf(cli->out, "%s%s: %s with %d partition%s\n", prefix, row->topic->name,
                          dry_run ? "would be created" : "created", row->wanted,
                          row->wanted == 1 ? "" : "s");
        return st;
    }
    if (may_grow(row)) {
        st = dry_run ? TL_OK : tl_admin_topic_grow(admin, row->topic->name, row->wanted, err);
        if (st == TL_OK)
            (void)fprintf(cli->out, "%s%s: %s from %d to %d partitions\n", prefix, row->topic->name,
                          dry_run ? "would grow" : "grown", row->partitions, row->wanted);
        return st;
    }
    (void)fprintf(cli->out, "%s%s: is there\n", prefix, row->topic->name);
    return TL_OK;
}

static const char *problem_of(const struct topic_row *row)
{
    if (row->partitions == 0)
        return "missing (trunkline topics create makes it)";
    if (may_grow(row))
        return "too few partitions (trunkline topics create adds them)";
    if (row->topic->partitions == TL_PARTITIONS_MAILBOXES)
        return NULL; /* more mailboxes than wanted do no harm */
    if (row->partitions != row->wanted)
        return "another number of partitions (set topics.call_partitions to it; a topic that is in "
               "use "
               "keeps its number)";
    return NULL;
}

/* TL_CONFLICT when something is not as the table says. */
static enum tl_status report(struct tl_cli *cli, const struct topic_row rows[TL_TOPICS_N],
                             struct tl_error *err)
{
    size_t wrong = 0;

    for (size_t i = 0; i < TL_TOPICS_N; i++) {
        const char *problem = problem_of(&rows[i]);
        if (!problem)
            continue;
        wrong++;
        (void)fprintf(stderr, "%s%s: %d partitions, wanted %d: %s\n",
                      cli->kafka_settings.topic_prefix, rows[i].topic->name, rows[i].partitions,
                      rows[i].wanted, problem);
    }
    return wrong ? tl_fail(err, TL_CONFLICT, "%zu of %d topics are not as they should be", wrong,
                           TL_TOPICS_N)
                 : TL_OK;
}

static bool is_complete(const struct topic_row rows[TL_TOPICS_N])
{
    for (size_t i = 0; i < TL_TOPICS_N; i++)
        if (rows[i].partitions == 0 || may_grow(&rows[i]))
            return false;
    return true;
}

/* Brokers answer before every one of them knows the topic: who comes next must find it. */
static enum tl_status wait_until_there(struct tl_cli *cli, struct tl_admin *admin,
                                       struct topic_row rows[TL_TOPICS_N], struct tl_error *err)
{
    static const bool never = false;
    int64_t until_ms = tl_mono_ms() + cli->settings.timeout_ms;

    for (;;) {
        struct tl_error late;
        enum tl_status st = tl_admin_topics_each(admin, note_topic, rows, err);
        if (st != TL_OK || is_complete(rows))
            return st;
        if (tl_mono_ms() > until_ms)
            return tl_fail(err, TL_RETRY, "the brokers do not show the topics that were created");
        if (tl_cli_wait(cli, &never, LOOK_AGAIN_MS, "", &late) == TL_DENIED) {
            *err = late;
            return TL_DENIED;
        }
    }
}

static enum tl_status create(struct tl_cli *cli, const struct tl_cli_args *args,
                             struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    struct topic_row rows[TL_TOPICS_N];
    bool dry_run = tl_cli_arg(args, "dry-run");

    enum tl_status st = read_topics(cli, &admin, rows, err);
    for (size_t i = 0; i < TL_TOPICS_N && st == TL_OK; i++)
        st = mend(cli, admin, &rows[i], dry_run, err);
    if (st == TL_OK && !dry_run)
        st = wait_until_there(cli, admin, rows, err);
    if (st == TL_OK && !dry_run)
        st = report(cli, rows, err); /* what could not be mended */
    return st;
}

static enum tl_status check(struct tl_cli *cli, const struct tl_cli_args *args,
                            struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    struct topic_row rows[TL_TOPICS_N];

    (void)args;
    enum tl_status st = read_topics(cli, &admin, rows, err);
    if (st == TL_OK)
        st = report(cli, rows, err);
    if (st == TL_OK)
        (void)fprintf(cli->out, "all %d topics are as they should be\n", TL_TOPICS_N);
    return st;
}

static const struct tl_cli_option create_options[] = {
    {"dry-run", NULL, "say what would be done, and do nothing"},
    {0},
};

const struct tl_cli_command tl_cli_topics_list = {
    .name = "topics list", .summary = "Lists the topics and what stands in them.", .run = list};

const struct tl_cli_command tl_cli_topics_create = {
    .name = "topics create",
    .summary = "Creates the topics that are missing, and adds missing mailboxes.",
    .details =
        "Settings topics.call_partitions, topics.mailboxes and topics.replication say how many.\n"
        "A topic that exists keeps its settings. Run it as often as you like.",
    .options = create_options,
    .run = create};

const struct tl_cli_command tl_cli_topics_check = {
    .name = "topics check",
    .summary = "Compares the topics with what they should be; exit status 3 when they differ.",
    .run = check};
