/* config.v1 for commands: see store.h. */
#include "control/cli/store.h"

#include <jansson.h>
#include <string.h>

#include "avro/topics.h"
#include "base/time.h"
#include "kafka/producer.h"

#define ENTRY_BYTES_MAX (1024 * 1024)

static enum tl_status open_registry(struct tl_cli_store *store, struct tl_error *err)
{
    struct tl_cli *cli = store->cli;
    struct tl_net *net;

    if (!*cli->registry_settings.url)
        return TL_OK; /* config.v1 alone */
    enum tl_status st = tl_cli_net(cli, &net, err);
    if (st == TL_OK)
        st = tl_registry_create(net, cli->registry_settings.url, &store->registry, err);
    return st;
}

enum tl_status tl_cli_store_open_schemas(struct tl_cli_store *store, struct tl_cli *cli,
                                         struct tl_error *err)
{
    *store = (struct tl_cli_store){.cli = cli};
    enum tl_status st = open_registry(store, err);
    if (st != TL_OK)
        return st;
    struct tl_schema_set_options options = {
        .loop = &cli->loop,
        .log = &cli->log,
        .topic_prefix = cli->kafka_settings.topic_prefix,
        .registry = store->registry ? tl_registry_driver(store->registry) : NULL};
    return tl_schema_set_create(&options, &store->schemas, err);
}

static void on_caught_up(void *arg)
{
    struct tl_cli_store *store = arg;

    store->is_caught_up = true;
}

static void on_invalid(void *arg, const struct tl_record *record, const struct tl_error *err)
{
    struct tl_cli_store *store = arg;

    store->invalid++;
    tl_log_warn(&store->cli->log, "config.invalid_skipped", TL_INT("offset", record->offset),
                TL_STR("reason", err->msg));
}

/* A table waits for a topic that does not exist; a person wants to be told. */
static enum tl_status check_topic(struct tl_cli_store *store, struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    int32_t partitions;

    enum tl_status st = tl_cli_admin(store->cli, &admin, err);
    if (st == TL_OK)
        st = tl_admin_topic_partitions(admin, TL_TOPIC_CONFIG, &partitions, err);
    return st;
}

enum tl_status tl_cli_store_open(struct tl_cli_store *store, struct tl_cli *cli,
                                 struct tl_error *err)
{
    struct tl_kafka *kafka;

    if (!store->schemas) {
        enum tl_status st = tl_cli_store_open_schemas(store, cli, err);
        if (st != TL_OK)
            return st;
    }
    enum tl_status st = check_topic(store, err);
    if (st == TL_OK)
        st = tl_cli_kafka(cli, &kafka, err);
    if (st != TL_OK)
        return st;
    struct tl_config_table_options options = {.schemas = store->schemas,
                                              .on_caught_up = on_caught_up,
                                              .on_invalid = on_invalid,
                                              .arg = store};
    st = tl_config_table_create(kafka, &options, &store->table, err);
    if (st == TL_OK)
        st = tl_cli_wait(cli, &store->is_caught_up, cli->settings.timeout_ms, "reading config.v1",
                         err);
    if (st == TL_OK)
        tl_schema_set_resolve(store->schemas);
    return st;
}

void tl_cli_store_close(struct tl_cli_store *store)
{
    if (!store->cli)
        return;
    tl_producer_destroy(store->producer, store->cli->settings.timeout_ms);
    tl_config_table_destroy(store->table);
    tl_registry_destroy(store->registry);
    tl_schema_set_destroy(store->schemas);
    *store = (struct tl_cli_store){0};
}

/* Set when every wanted id is known. */
struct schemas_wait {
    const struct tl_schema_set *schemas;
    const enum tl_record_type *types;
    bool done;
};

static void on_learnt(void *arg)
{
    struct schemas_wait *wait = arg;

    wait->done = tl_schema_set_is_ready(wait->schemas, wait->types);
}

enum tl_status tl_cli_store_wait_schemas(struct tl_cli_store *store,
                                         const enum tl_record_type *types, struct tl_error *err)
{
    struct schemas_wait wait = {.schemas = store->schemas, .types = types};

    on_learnt(&wait);
    if (wait.done)
        return TL_OK;
    tl_schema_set_watch(store->schemas, on_learnt, &wait);
    enum tl_status st = tl_cli_wait(store->cli, &wait.done, store->cli->settings.timeout_ms,
                                    "the ids of schemas", err);
    tl_schema_set_unwatch(store->schemas, on_learnt, &wait);
    if (st == TL_RETRY)
        return tl_fail(
            err, TL_NOT_FOUND,
            "schemas are neither in config.v1 nor in the registry: trunkline schemas register");
    return st;
}

bool tl_config_entry_same(const struct tl_config_entry *a, const struct tl_config_entry *b)
{
    struct tl_config_entry x = *a, y = *b;

    x.version = y.version = 0;
    x.at = y.at = 0;
    json_t *left = tl_avro_to_json(&tl_config_entry_type, &x);
    json_t *right = tl_avro_to_json(&tl_config_entry_type, &y);
    bool same = left && right && json_equal(left, right);
    json_decref(left);
    json_decref(right);
    return same;
}

static enum tl_status open_producer(struct tl_cli_store *store, struct tl_error *err)
{
    struct tl_producer_options options = {.name = "config"};
    struct tl_kafka *kafka;

    if (store->topic)
        return TL_OK;
    options.message_timeout_ms = store->cli->settings.timeout_ms;
    enum tl_status st = tl_cli_kafka(store->cli, &kafka, err);
    if (st == TL_OK)
        st = tl_producer_create(kafka, &options, &store->producer, err);
    if (st == TL_OK)
        st = tl_producer_topic(store->producer, TL_TOPIC_CONFIG, &store->topic, err);
    return st;
}

/* One record on its way. */
struct sending {
    bool done;
    enum tl_status status;
    char error[256];
};

static void on_delivery(void *arg, const struct tl_delivery *delivery)
{
    struct sending *sending = arg;

    sending->done = true;
    sending->status = delivery->status;
    (void)snprintf(sending->error, sizeof(sending->error), "%s", delivery->error);
}

static enum tl_status send_entry(struct tl_cli_store *store, const struct tl_config_entry *entry,
                                 struct tl_error *err)
{
    static const enum tl_record_type types[] = {TL_RECORD_CONFIG_ENTRY, TL_RECORD_TYPES};
    struct sending sending = {0};
    struct tl_buf value;
    char key[512];

    enum tl_status st = open_producer(store, err);
    if (st == TL_OK)
        st = tl_cli_store_wait_schemas(store, types, err);
    if (st != TL_OK)
        return st;
    int n = snprintf(key, sizeof(key), "%s/%s/%d", tl_config_kind_name(entry->kind), entry->id,
                     entry->version);
    if (n < 0 || (size_t)n >= sizeof(key))
        return tl_fail(err, TL_INVALID, "%.40s…: the id is too long", entry->id);
    tl_buf_init(&value, ENTRY_BYTES_MAX);
    st = tl_record_encode(store->schemas, TL_RECORD_CONFIG_ENTRY, entry, &value, err);
    if (st == TL_OK)
        st = tl_producer_send(
            store->topic, TL_PARTITION_BY_KEY, (struct tl_bytes){(const uint8_t *)key, (size_t)n},
            (struct tl_bytes){value.data, value.len}, NULL, on_delivery, &sending, err);
    tl_buf_finish(&value);
    if (st != TL_OK)
        return st;
    /* No deadline: the producer has its own, and `sending` must outlive the record. */
    st = tl_cli_wait(store->cli, &sending.done, 0, "config.v1", err);
    if (st != TL_OK) { /* interrupted: the callback must not come later */
        tl_producer_destroy(store->producer, 0);
        store->producer = NULL;
        store->topic = NULL;
        return st;
    }
    return sending.status == TL_OK
               ? TL_OK
               : tl_fail(err, sending.status, "write %s to config.v1: %s", key, sending.error);
}

enum tl_status tl_cli_store_put(struct tl_cli_store *store, struct tl_config_entry *entry,
                                bool *ret_written, struct tl_error *err)
{
    const struct tl_config_entry *newest =
        tl_config_table_get(store->table, entry->kind, entry->id);

    entry->version = newest ? newest->version + 1 : 1;
    entry->at = tl_now_ms();
    *ret_written = !newest || !tl_config_entry_same(newest, entry);
    if (!*ret_written) {
        entry->version = newest->version;
        return TL_OK;
    }
    return send_entry(store, entry, err);
}
