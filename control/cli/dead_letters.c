/* trunkline dead-letters: records that could not be processed; see them, send them again. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/dead_letter.h"
#include "avro/topics.h"
#include "base/time.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/record_json.h"
#include "control/cli/store.h"
#include "kafka/producer.h"
#include "kafka/scan.h"

#define DECODED_BYTES_MAX (8 * 1024 * 1024)
#define ALL_BYTES_MAX (512 * 1024 * 1024)
#define HEADERS_MAX 64

/* A letter in memory, and where it stands in dead-letters.v1. */
struct letter {
    int32_t partition;
    int64_t offset;
    struct tl_dead_letter content; /* in the arena of the reading */
};

/* Which letters are wanted, and what was read so far. */
struct reading {
    struct tl_cli *cli;
    struct tl_cli_store store;
    struct tl_admin *admin;
    struct tl_scanner *scanner;
    struct tl_arena arena;
    struct letter *letter;
    size_t len;
    const char *topic; /* --topic: only letters from there; NULL: all */
    bool done;         /* the present scan */
    enum tl_status status;
    struct tl_error err;
};

static void note_unreadable(struct reading *r, const struct tl_record *record,
                            const struct tl_error *err)
{
    tl_log_warn(&r->cli->log, "dead_letters.unreadable_skipped",
                TL_INT("partition", record->partition), TL_INT("offset", record->offset),
                TL_STR("reason", err->msg));
}

static void add_letter(struct reading *r, const struct letter *letter)
{
    if (r->len % 256 == 0) {
        struct letter *grown = realloc(r->letter, (r->len + 256) * sizeof(*grown));
        if (!grown)
            abort();
        r->letter = grown;
    }
    r->letter[r->len++] = *letter;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct reading *r = arg;
    struct letter letter = {.partition = record->partition, .offset = record->offset};
    struct tl_error err;

    if (!record->value.data || r->status != TL_OK)
        return;
    /* The record is gone when this returns; the letter borrows from its copy. */
    uint8_t *copy = tl_arena_alloc(&r->arena, record->value.len);
    if (!copy) {
        r->status =
            tl_fail(&r->err, TL_INVALID, "more than %d MiB of dead letters; name some of them",
                    ALL_BYTES_MAX / 1024 / 1024);
        return;
    }
    memcpy(copy, record->value.data, record->value.len);
    struct tl_bytes value = {copy, record->value.len};
    if (tl_record_decode(r->store.schemas, TL_RECORD_DEAD_LETTER, value, &r->arena, &letter.content,
                         &err) != TL_OK)
        note_unreadable(r, record, &err);
    else if (!r->topic || strcmp(r->topic, letter.content.topic) == 0)
        add_letter(r, &letter);
}

static void on_done(void *arg, enum tl_status status, const struct tl_error *err)
{
    struct reading *r = arg;

    r->done = true;
    if (status != TL_OK && r->status == TL_OK)
        r->status = tl_fail(&r->err, status, "%s: %s", TL_TOPIC_DEAD_LETTERS, err->msg);
}

/* One partition from an offset up to another one. */
static enum tl_status scan(struct reading *r, int32_t partition, int64_t from, int64_t until,
                           struct tl_error *err)
{
    struct tl_scan_options options = {.topic = TL_TOPIC_DEAD_LETTERS,
                                      .partition = partition,
                                      .from_offset = from,
                                      .until_offset = until,
                                      .deadline_ms = r->cli->settings.timeout_ms,
                                      .on_record = on_record,
                                      .on_done = on_done,
                                      .arg = r};
    struct tl_scan *under_way;

    r->done = false;
    enum tl_status st = tl_scan_start(r->scanner, &options, &under_way, err);
    if (st != TL_OK)
        return st;
    st = tl_cli_wait(r->cli, &r->done, 0, "", err);
    if (st != TL_OK) {
        tl_scan_cancel(under_way);
        return st;
    }
    if (r->status != TL_OK)
        *err = r->err;
    return r->status;
}

static enum tl_status open_reading(struct reading *r, struct tl_error *err)
{
    struct tl_kafka *kafka;

    r->arena.max_bytes = ALL_BYTES_MAX;
    enum tl_status st = tl_cli_store_open(&r->store, r->cli, err);
    if (st == TL_OK)
        st = tl_cli_admin(r->cli, &r->admin, err);
    if (st == TL_OK)
        st = tl_cli_kafka(r->cli, &kafka, err);
    if (st == TL_OK)
        st = tl_scanner_create(kafka, &r->scanner, err);
    return st;
}

static void close_reading(struct reading *r)
{
    tl_scanner_destroy(r->scanner);
    tl_admin_destroy(r->admin);
    tl_cli_store_close(&r->store);
    tl_arena_finish(&r->arena);
    free(r->letter);
}

static int by_time(const void *a, const void *b)
{
    const struct letter *x = a, *y = b;

    if (x->content.at != y->content.at)
        return x->content.at < y->content.at ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* All of them, oldest first. */
static enum tl_status read_all(struct reading *r, struct tl_error *err)
{
    int32_t partitions = 0;

    enum tl_status st =
        tl_admin_topic_partitions(r->admin, TL_TOPIC_DEAD_LETTERS, &partitions, err);
    for (int32_t i = 0; i < partitions && st == TL_OK; i++) {
        int64_t low, high;
        st = tl_admin_watermarks(r->admin, TL_TOPIC_DEAD_LETTERS, i, &low, &high, err);
        if (st == TL_OK && low < high)
            st = scan(r, i, low, high, err);
    }
    if (st == TL_OK && r->len)
        qsort(r->letter, r->len, sizeof(*r->letter), by_time);
    return st;
}

/* "3/17": partition and offset, as list prints them. */
static enum tl_status read_one(struct reading *r, const char *name, struct tl_error *err)
{
    size_t before = r->len;
    char *slash, *end;

    errno = 0;
    long long partition = strtoll(name, &slash, 10);
    long long offset = *slash == '/' ? strtoll(slash + 1, &end, 10) : -1;
    if (slash == name || *slash != '/' || end == slash + 1 || *end || errno || partition < 0 ||
        partition > INT32_MAX || offset < 0 || offset == INT64_MAX)
        return tl_fail(err, TL_INVALID, "\"%.40s\" is not partition/offset, such as 3/17", name);
    int64_t low, high;
    enum tl_status st =
        tl_admin_watermarks(r->admin, TL_TOPIC_DEAD_LETTERS, (int32_t)partition, &low, &high, err);
    if (st == TL_OK && (offset < low || offset >= high))
        return tl_fail(err, TL_NOT_FOUND, "%s: no such dead letter", name);
    if (st == TL_OK)
        st = scan(r, (int32_t)partition, offset, offset + 1, err);
    if (st == TL_OK && r->len == before)
        st = tl_fail(err, TL_NOT_FOUND, "%s: no such dead letter%s", name,
                     r->topic ? " of that topic" : "");
    return st;
}

static void print_list(struct reading *r)
{
    struct tl_cli_table table = {0};

    tl_cli_table_row(&table, 6,
                     (const char *[]){"LETTER", "AT", "FROM", "KEY", "PUT ASIDE BY", "REASON"});
    for (size_t i = 0; i < r->len; i++) {
        const struct letter *l = &r->letter[i];
        char name[48], at[TL_TIME_ISO_SIZE], from[160], key[48] = "-";
        (void)snprintf(name, sizeof(name), "%d/%" PRId64, l->partition, l->offset);
        (void)snprintf(from, sizeof(from), "%.100s[%d]@%" PRId64, l->content.topic,
                       l->content.partition, l->content.offset);
        tl_time_format_iso(l->content.at, at);
        json_t *text = l->content.key.data ? tl_cli_bytes_json(l->content.key) : NULL;
        if (text)
            (void)snprintf(key, sizeof(key), "%.40s",
                           json_string_value(text)); /* cut: for people */
        json_decref(text);
        tl_cli_table_row(
            &table, 6,
            (const char *[]){name, at, from, key, l->content.producer, l->content.reason});
    }
    tl_cli_table_print(&table, r->cli->out);
}

static enum tl_status list(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    struct reading r = {.cli = cli, .topic = tl_cli_arg(args, "topic")};

    enum tl_status st = open_reading(&r, err);
    if (st == TL_OK)
        st = read_all(&r, err);
    if (st == TL_OK)
        print_list(&r);
    close_reading(&r);
    return st;
}

/* The letter, and the record in it decoded as far as that goes. */
static json_t *letter_json(struct reading *r, const struct letter *l)
{
    const struct tl_dead_letter *c = &l->content;
    const struct tl_topic *topic = tl_topic_find(c->topic);
    char at[TL_TIME_ISO_SIZE];
    bool retry = false;
    struct tl_record record = {.topic = c->topic,
                               .partition = c->partition,
                               .offset = c->offset,
                               .timestamp_ms = c->timestamp,
                               .key = c->key,
                               .value = c->value};

    tl_time_format_iso(c->at, at);
    json_t *headers = json_object();
    for (size_t i = 0; i < c->headers_n; i++)
        (void)json_object_set_new(headers, c->headers[i].name,
                                  tl_cli_bytes_json(c->headers[i].value));
    json_t *inside = topic ? tl_cli_record_json(r->store.schemas, topic, &record, &retry) : NULL;
    if (!inside) /* another topic, or an unknown writer */
        inside = json_pack("{s:s, s:i, s:I, s:o, s:o}", "topic", c->topic, "partition",
                           c->partition, "offset", (json_int_t)c->offset, "key",
                           tl_cli_bytes_json(c->key), "value", tl_cli_bytes_json(c->value));
    return json_pack("{s:i, s:I, s:s, s:s, s:s, s:o, s:o}", "partition", l->partition, "offset",
                     (json_int_t)l->offset, "at", at, "producer", c->producer, "reason", c->reason,
                     "headers", headers, "record", inside);
}

static enum tl_status show(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    struct reading r = {.cli = cli};

    enum tl_status st = open_reading(&r, err);
    for (size_t i = 0; i < args->operands && st == TL_OK; i++)
        st = read_one(&r, args->operand[i], err);
    for (size_t i = 0; i < r.len && st == TL_OK; i++) {
        json_t *json = letter_json(&r, &r.letter[i]);
        char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
        json_decref(json);
        if (!text)
            abort();
        (void)fprintf(cli->out, "%s\n", text); /* a closed pipe shows at the end, in main */
        free(text);
    }
    close_reading(&r);
    return st;
}

/* Why letters of a topic are not sent again, or NULL. */
static const char *refuse_replay(const struct tl_dead_letter *letter)
{
    const struct tl_topic *topic = tl_topic_find(letter->topic);

    if (!topic)
        return "no topic of ours";
    if (topic->partitions == TL_PARTITIONS_MAILBOXES)
        return "was meant for one process at one moment";
    if (strcmp(topic->name, TL_TOPIC_PRESENCE) == 0)
        return "a heartbeat is worth nothing later, and would tell a wrong order";
    if (topic->compacted && topic->partitions == TL_PARTITIONS_CALLS)
        return "would put old state over newer";
    if (!letter->key.data)
        return "has no key";
    return NULL;
}

/* Deliveries that are waited for. */
struct replaying {
    struct reading *reading;
    struct tl_producer *producer;
    size_t left;
    size_t failed;
    bool done;
};

static void on_delivery(void *arg, const struct tl_delivery *delivery)
{
    struct replaying *p = arg;

    if (delivery->status != TL_OK) {
        p->failed++;
        (void)fprintf(stderr, "not sent: %s\n", delivery->error);
    }
    p->done = --p->left == 0;
}

static enum tl_status send_again(struct replaying *p, const struct letter *l, struct tl_error *err)
{
    const struct tl_dead_letter *c = &l->content;
    struct tl_header headers[HEADERS_MAX];
    struct tl_send_extra extra = {.timestamp_ms = c->timestamp, .headers = headers};
    struct tl_producer_topic *topic;

    if (c->headers_n > HEADERS_MAX)
        return tl_fail(err, TL_INVALID, "%d/%" PRId64 ": more than %d headers", l->partition,
                       l->offset, HEADERS_MAX);
    for (size_t i = 0; i < c->headers_n; i++)
        headers[i] = (struct tl_header){c->headers[i].name, c->headers[i].value};
    extra.headers_len = c->headers_n;
    enum tl_status st = tl_producer_topic(p->producer, c->topic, &topic, err);
    if (st == TL_OK)
        st = tl_producer_send(topic, TL_PARTITION_BY_KEY, c->key, c->value, &extra, on_delivery, p,
                              err);
    if (st == TL_OK)
        p->left++;
    return st;
}

/* Sends those that may be sent, and waits for all of them. */
static enum tl_status replay_all(struct reading *r, bool dry_run, struct tl_error *err)
{
    struct replaying p = {.reading = r};
    struct tl_producer_options options = {.name = "replay"};
    struct tl_kafka *kafka;
    size_t sent = 0, refused = 0;

    enum tl_status st = tl_cli_kafka(r->cli, &kafka, err);
    if (st == TL_OK)
        st = tl_producer_create(kafka, &options, &p.producer, err);
    for (size_t i = 0; i < r->len && st == TL_OK; i++) {
        const struct letter *l = &r->letter[i];
        const char *why_not = refuse_replay(&l->content);
        if (why_not)
            refused++;
        else
            st = dry_run ? TL_OK : send_again(&p, l, err);
        if (st == TL_OK && !why_not)
            sent++;
        (void)fprintf(r->cli->out, "%d/%" PRId64 " to %s: %s%s\n", l->partition, l->offset,
                      l->content.topic,
                      why_not   ? "not replayed: "
                      : dry_run ? "would be replayed"
                                : "replayed",
                      why_not ? why_not : "");
    }
    if (p.left) {
        struct tl_error wait_err;
        enum tl_status waited =
            tl_cli_wait(r->cli, &p.done, r->cli->settings.timeout_ms, "the brokers", &wait_err);
        if (st == TL_OK && waited != TL_OK) {
            st = waited;
            *err = wait_err;
        }
    }
    tl_producer_destroy(p.producer, 0); /* its callbacks come before it returns */
    if (st == TL_OK && p.failed)
        st = tl_fail(err, TL_RETRY, "%zu of %zu were not sent", p.failed, sent);
    if (st == TL_OK && refused)
        st = tl_fail(err, TL_CONFLICT, "%zu of %zu were not replayed", refused, r->len);
    return st;
}

static enum tl_status replay(struct tl_cli *cli, const struct tl_cli_args *args,
                             struct tl_error *err)
{
    struct reading r = {.cli = cli, .topic = tl_cli_arg(args, "topic")};
    bool all = tl_cli_arg(args, "all");

    if (all == (args->operands > 0))
        return tl_fail(err, TL_INVALID, "either letters (3/17) or --all");
    enum tl_status st = open_reading(&r, err);
    if (st == TL_OK && all)
        st = read_all(&r, err);
    for (size_t i = 0; i < args->operands && st == TL_OK; i++)
        st = read_one(&r, args->operand[i], err);
    if (st == TL_OK)
        st = replay_all(&r, tl_cli_arg(args, "dry-run"), err);
    close_reading(&r);
    return st;
}

static const struct tl_cli_option list_options[] = {
    {"topic", "TOPIC", "only what was put aside from there"},
    {0},
};

static const struct tl_cli_option replay_options[] = {
    {"all", NULL, "every dead letter"},
    {"topic", "TOPIC", "only what was put aside from there"},
    {"dry-run", NULL, "say what would be sent, and send nothing"},
    {0},
};

const struct tl_cli_command tl_cli_dead_letters_list = {
    .name = "dead-letters list",
    .summary = "Lists the records that could not be processed, oldest first.",
    .options = list_options,
    .run = list};

const struct tl_cli_command tl_cli_dead_letters_show = {
    .name = "dead-letters show",
    .operands = "LETTER...",
    .operands_min = 1,
    .operands_max = TL_CLI_OPERANDS_MAX,
    .summary = "Prints dead letters (3/17: partition and offset) whole, as JSON.",
    .run = show};

const struct tl_cli_command tl_cli_dead_letters_replay = {
    .name = "dead-letters replay",
    .operands = "[LETTER...]",
    .operands_max = TL_CLI_OPERANDS_MAX,
    .summary = "Sends dead letters to their topics again, as they were.",
    .details =
        "Each record goes to the end of its topic with its key, value, headers and time. The "
        "letter\n"
        "stays. What was meant for one process, and old state, is not sent; exit status 3 then.",
    .options = replay_options,
    .run = replay};
