/* Kafka for one process of the data plane: see fleet.h. */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "base/uuid.h"
#include "fleet/heart.h"
#include "kafka/admin.h"
#include "kafka/partitioner.h"

#define BEATS_TO_READY 3 /* own records seen, the third an eighth later: every living peer has spoken */
#define RECORD_BYTES_MAX (1u << 20)

struct tl_fleet {
    struct tl_fleet_options o;
    struct tl_kafka *kafka;
    struct tl_registry *registry;
    struct tl_schema_set *schemas;
    struct tl_config_table *table;
    struct tl_producer *events;
    struct tl_producer_topic *calls;
    struct tl_heart *heart;
    struct tl_buf out;
    int32_t partitions; /* of each call-keyed topic */
    struct tl_stories stories;
    bool table_ready, is_ready;
};

struct tl_kafka *tl_fleet_kafka(struct tl_fleet *fleet)
{
    return fleet->kafka;
}

struct tl_schema_set *tl_fleet_schemas(struct tl_fleet *fleet)
{
    return fleet->schemas;
}

struct tl_config_table *tl_fleet_table(struct tl_fleet *fleet)
{
    return fleet->table;
}

struct tl_presence_view *tl_fleet_view(struct tl_fleet *fleet)
{
    return tl_heart_view(fleet->heart);
}

struct tl_producer *tl_fleet_events(struct tl_fleet *fleet)
{
    return fleet->events;
}

const char *tl_fleet_name(const struct tl_fleet *fleet)
{
    return fleet->o.name;
}

int64_t tl_fleet_epoch(const struct tl_fleet *fleet)
{
    return tl_heart_epoch(fleet->heart);
}

int64_t tl_fleet_last_seen_ms(const struct tl_fleet *fleet)
{
    return tl_heart_last_seen_ms(fleet->heart);
}

static bool has_presence(const struct tl_fleet *f)
{
    return f->o.kind != TL_INSTANCE_KIND_UNKNOWN;
}

bool tl_fleet_is_ready(const struct tl_fleet *fleet, char *reason, size_t size)
{
    const char *why = !fleet->table_ready                           ? "config.v1 is being read"
                      : !tl_schema_set_is_ready(fleet->schemas, NULL) ? "schema ids are not known"
                      : !fleet->is_ready ? "own presence is not in the log yet"
                                         : "";
    (void)snprintf(reason, size, "%s", why);
    return fleet->is_ready;
}

static void check_ready(struct tl_fleet *f)
{
    if (f->is_ready || !f->table_ready || !tl_schema_set_is_ready(f->schemas, NULL))
        return;
    if (has_presence(f) && (tl_fleet_epoch(f) < 0 || tl_heart_seen(f->heart) < BEATS_TO_READY))
        return;
    f->is_ready = true;
    if (f->o.on_ready)
        f->o.on_ready(f->o.arg);
}

/* ---- presence ---- */

void tl_fleet_beat(struct tl_fleet *fleet)
{
    tl_heart_beat(fleet->heart);
}

static void on_fill(void *arg, struct tl_presence *own)
{
    struct tl_fleet *f = arg;

    f->o.fill(f->o.arg, own);
}

static void on_presence(void *arg, bool changed)
{
    struct tl_fleet *f = arg;

    if (tl_fleet_view(f)->superseded && f->o.on_superseded) {
        f->o.on_superseded(f->o.arg);
        return;
    }
    check_ready(f);
    if (changed && f->is_ready && f->o.on_change)
        f->o.on_change(f->o.arg);
}

/* ---- config.v1 and schemas ---- */

static void on_schema(void *arg)
{
    struct tl_fleet *f = arg;

    if (f->table_ready && tl_fleet_epoch(f) < 0)
        tl_fleet_beat(f);
    check_ready(f);
}

static void on_table_ready(void *arg)
{
    struct tl_fleet *f = arg;
    struct tl_error err;

    f->table_ready = true;
    tl_schema_set_resolve(f->schemas);
    if (tl_heart_start(f->heart, &err) != TL_OK) /* not ready, and says so, until it is restarted */
        tl_log_error(f->o.log, "presence.not_followed", TL_STR("error", err.msg));
    check_ready(f);
}

static void on_config(void *arg, const struct tl_config_entry *entry)
{
    struct tl_fleet *f = arg;

    if (f->o.on_config)
        f->o.on_config(f->o.arg, entry);
}

static void on_config_invalid(void *arg, const struct tl_record *record, const struct tl_error *err)
{
    struct tl_fleet *f = arg;

    tl_log_warn(f->o.log, "config.unreadable, skipped", TL_INT("offset", record->offset),
                TL_STR("error", err->msg));
}

const struct tl_business *tl_fleet_business(struct tl_fleet *fleet, const char *business_id,
                                            int version)
{
    const struct tl_config_entry *entry =
        version > 0
            ? tl_config_table_version(fleet->table, TL_CONFIG_KIND_BUSINESS, business_id, version)
            : tl_config_table_get(fleet->table, TL_CONFIG_KIND_BUSINESS, business_id);
    if (!entry) /* superseded and gone: the newest is the nearest */
        entry = tl_config_table_get(fleet->table, TL_CONFIG_KIND_BUSINESS, business_id);
    return entry && !entry->deleted ? entry->business : NULL;
}

/* ---- events ---- */

/* Fills in what is the same for all events, and encodes it into fleet->out. */
static enum tl_status encode_event(struct tl_fleet *fleet, struct tl_call_event *event,
                                   struct tl_error *err)
{
    char id[TL_UUID_TEXT_LEN + 1];

    if (!event->event_id) {
        struct tl_uuid uuid = tl_uuid_v4();
        tl_uuid_format(&uuid, id);
        event->event_id = id;
    }
    event->producer = fleet->o.name;
    event->epoch = tl_fleet_epoch(fleet);
    if (!event->at)
        event->at = tl_now_ms();
    tl_buf_reset(&fleet->out);
    enum tl_status st =
        tl_record_encode(fleet->schemas, TL_RECORD_CALL_EVENT, event, &fleet->out, err);
    if (event->event_id == id)
        event->event_id = NULL;
    return st;
}

static enum tl_status send_value(void *arg, const char *call_id, struct tl_bytes value,
                                 tl_delivery_fn on_delivery, void *delivery_arg,
                                 struct tl_error *err)
{
    struct tl_fleet *fleet = arg;
    const struct tl_bytes key = {(const uint8_t *)call_id, strlen(call_id)};

    return tl_producer_send(fleet->calls, TL_PARTITION_BY_KEY, key, value, NULL, on_delivery,
                            delivery_arg, err);
}

enum tl_status tl_fleet_send_event(struct tl_fleet *fleet, struct tl_call_event *event,
                                   tl_delivery_fn on_delivery, void *arg, struct tl_error *err)
{
    enum tl_status st = encode_event(fleet, event, err);

    return st == TL_OK ? send_value(fleet, event->call_id,
                                    (struct tl_bytes){fleet->out.data, fleet->out.len}, on_delivery,
                                    arg, err)
                       : st;
}

void tl_fleet_tell(struct tl_fleet *fleet, struct tl_story *story, struct tl_call_event *event,
                   tl_delivery_fn on_logged, void *arg)
{
    struct tl_error err;

    if (encode_event(fleet, event, &err) == TL_OK) {
        tl_story_add(story, (struct tl_bytes){fleet->out.data, fleet->out.len}, on_logged, arg);
        return;
    }
    const struct tl_delivery refused = {
        .status = TL_INVALID, .error = err.msg, .partition = -1, .offset = -1};
    tl_log_error(fleet->o.log, "call.event_not_encoded", TL_STR("call_id", event->call_id),
                 TL_STR("error", err.msg));
    if (on_logged)
        on_logged(arg, &refused);
}

struct tl_stories *tl_fleet_stories(struct tl_fleet *fleet)
{
    return &fleet->stories;
}

int32_t tl_fleet_partition_of(const struct tl_fleet *fleet, const char *call_id)
{
    return tl_partition_of_key(call_id, strlen(call_id), fleet->partitions);
}

int32_t tl_fleet_partitions(const struct tl_fleet *fleet)
{
    return fleet->partitions;
}

/* ---- life ---- */

static enum tl_status check_topics(struct tl_fleet *f, struct tl_error *err)
{
    static const char *const call_topics[] = {"calls.v1", "commands.v1", "state.telephony.v1", NULL};
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    enum tl_status st = tl_admin_create(f->o.kafka, f->o.name, 10000, &admin, err);

    return st == TL_OK ? tl_admin_check_start(admin, call_topics, f->o.mailbox_topic, f->o.number,
                                              &f->partitions, err)
                       : st;
}

static enum tl_status start_heart(struct tl_fleet *f, struct tl_error *err)
{
    const struct tl_heart_options heart = {.kafka = f->kafka,
                                           .log = f->o.log,
                                           .metrics = f->o.metrics,
                                           .schemas = f->schemas,
                                           .kind = f->o.kind,
                                           .number = f->o.number,
                                           .fill = on_fill,
                                           .on_record = on_presence,
                                           .arg = f};

    return tl_heart_create(&heart, &f->heart, err);
}

static enum tl_status start_kafka(struct tl_fleet *f, struct tl_error *err)
{
    const struct tl_kafka_options kafka = {.loop = tl_net_loop(f->o.net),
                                           .log = f->o.log,
                                           .metrics = f->o.metrics,
                                           .settings = f->o.kafka,
                                           .client_id = f->o.name};
    enum tl_status st = tl_kafka_create(&kafka, &f->kafka, err);

    if (st == TL_OK && *f->o.registry->url)
        st = tl_registry_create(f->o.net, f->o.registry->url, &f->registry, err);
    if (st != TL_OK)
        return st;
    const struct tl_schema_set_options schemas = {
        .loop = kafka.loop,
        .log = f->o.log,
        .topic_prefix = f->o.kafka->topic_prefix,
        .registry = f->registry ? tl_registry_driver(f->registry) : NULL};
    st = tl_schema_set_create(&schemas, &f->schemas, err);
    if (st != TL_OK)
        return st;
    tl_schema_set_watch(f->schemas, on_schema, f);
    return start_heart(f, err);
}

static enum tl_status start_topics(struct tl_fleet *f, struct tl_error *err)
{
    const struct tl_producer_options events = {.name = "events"};
    const struct tl_config_table_options table = {.schemas = f->schemas,
                                                  .on_caught_up = on_table_ready,
                                                  .on_change = on_config,
                                                  .on_invalid = on_config_invalid,
                                                  .arg = f};
    enum tl_status st = tl_producer_create(f->kafka, &events, &f->events, err);

    if (st == TL_OK)
        st = tl_producer_topic(f->events, "calls.v1", &f->calls, err);
    if (st == TL_OK)
        st = tl_config_table_create(f->kafka, &table, &f->table, err);
    return st;
}

enum tl_status tl_fleet_create(const struct tl_fleet_options *options, struct tl_fleet **ret_fleet,
                               struct tl_error *err)
{
    struct tl_fleet *f = calloc(1, sizeof(*f));
    if (!f)
        abort();
    f->o = *options;
    tl_buf_init(&f->out, RECORD_BYTES_MAX);
    f->stories = (struct tl_stories){.loop = tl_net_loop(options->net),
                                     .log = options->log,
                                     .send = send_value,
                                     .arg = f};
    enum tl_status st = check_topics(f, err);
    if (st == TL_OK)
        st = start_kafka(f, err);
    if (st == TL_OK)
        st = start_topics(f, err);
    if (st != TL_OK) {
        tl_fleet_destroy(f);
        return st;
    }
    *ret_fleet = f;
    return TL_OK;
}

void tl_fleet_destroy(struct tl_fleet *f)
{
    if (!f)
        return;
    tl_config_table_destroy(f->table);
    tl_producer_destroy(f->events, 3000);
    tl_stories_finish(&f->stories);
    tl_heart_destroy(f->heart, 500); /* events name the epoch to the last */
    tl_registry_destroy(f->registry);
    if (f->schemas)
        tl_schema_set_unwatch(f->schemas, on_schema, f);
    tl_schema_set_destroy(f->schemas);
    tl_kafka_destroy(f->kafka);
    tl_buf_finish(&f->out);
    free(f);
}
