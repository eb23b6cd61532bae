/* Telephony: partitions come, are restored from their logs, then followed. See README.md. */
#include "sinks/telephony/telephony.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sinks/telephony/telephony_internal.h"

#define TICK_MS 500
#define AGAIN_MS 500 /* a restore that failed, a record whose schema is not known */
#define SCAN_DEADLINE_MS 300000
#define QUERY_DEADLINE_MS 10000
#define RECORD_MAX_BYTES 65536

static const char *const TOPICS[] = {[TL_RESTORE_STATE] = "state.telephony.v1",
                                     [TL_RESTORE_CALLS] = "calls.v1",
                                     [TL_RESTORE_COMMANDS] = "commands.v1"};
static const char *const GROUP_TOPICS[] = {"calls.v1", "commands.v1", NULL};

static void restore_all(void *arg);
static void restore_step(struct tl_shard *shard);

static struct tl_shard *shard_of(const struct tl_telephony *telephony, int32_t partition)
{
    for (size_t i = 0; i < telephony->shards_n; i++)
        if (telephony->shards[i].partition == partition)
            return &telephony->shards[i];
    return NULL;
}

static void unreadable(struct tl_telephony *telephony, const struct tl_record *record,
                       const struct tl_error *err)
{
    tl_log_warn(telephony->sink->log, "telephony.unreadable, skipped",
                TL_STR("topic", record->topic), TL_INT("partition", record->partition),
                TL_INT("offset", record->offset), TL_STR("error", err->msg));
}

/* ---- restoring: the state topic whole, then the last hours of calls and commands ---- */

static void stop_shard(struct tl_shard *shard)
{
    tl_offsets_query_cancel(shard->query);
    tl_scan_cancel(shard->scan);
    shard->query = NULL;
    shard->scan = NULL;
    tl_timer_stop(&shard->again);
}

static void forget_all(struct tl_telephony *telephony)
{
    telephony->is_live = false;
    tl_effect_clear(telephony);
    tl_closing_clear(telephony);
    tl_finish_clear(telephony);
    tl_call_map_clear(&telephony->calls);
    tl_known_clear(telephony);
    for (size_t i = 0; i < telephony->shards_n; i++)
        stop_shard(&telephony->shards[i]);
}

/* What was read of one partition cannot be told from the rest, so all begin again. */
static void restore_failed(struct tl_shard *shard, const char *why)
{
    struct tl_telephony *telephony = shard->telephony;

    tl_log_warn(telephony->sink->log, "telephony.restore_failed",
                TL_INT("partition", shard->partition), TL_STR("topic", TOPICS[shard->step]),
                TL_STR("error", why));
    forget_all(telephony);
    tl_timer_start(&shard->again, telephony->sink->loop, AGAIN_MS, restore_all, telephony);
}

static void go_live(struct tl_telephony *telephony)
{
    size_t n = telephony->shards_n;
    struct tl_group_partition *list = calloc(2 * n + 1, sizeof(*list));
    struct tl_error err;

    if (!list)
        abort();
    for (size_t i = 0; i < n; i++) {
        const struct tl_shard *shard = &telephony->shards[i];

        list[2 * i] =
            (struct tl_group_partition){"calls.v1", shard->partition, shard->end[TL_RESTORE_CALLS]};
        list[2 * i + 1] = (struct tl_group_partition){"commands.v1", shard->partition,
                                                      shard->end[TL_RESTORE_COMMANDS]};
    }
    enum tl_status st = tl_group_assign(telephony->group, telephony->generation, list, 2 * n, &err);
    free(list);
    if (st == TL_CONFLICT || st == TL_RETRY)
        return; /* of the past, or fenced: another assignment comes */
    if (st != TL_OK) {
        telephony->sink->fail(telephony->sink, &err);
        return;
    }
    telephony->is_live = true;
    tl_log_info(telephony->sink->log, "telephony.restored", TL_INT("partitions", n),
                TL_INT("calls", telephony->calls.len));
    tl_effect_pump(telephony);
}

static void on_restored(struct tl_shard *shard)
{
    struct tl_telephony *telephony = shard->telephony;

    shard->step++;
    if (shard->step < TL_RESTORED) {
        restore_step(shard);
        return;
    }
    for (size_t i = 0; i < telephony->shards_n; i++)
        if (telephony->shards[i].step != TL_RESTORED)
            return;
    go_live(telephony);
}

static void on_scan_record(void *arg, const struct tl_record *record)
{
    struct tl_shard *shard = arg;
    struct tl_error err;
    enum tl_status st = tl_story_take(shard->telephony, record, &err);

    if (st == TL_RETRY)
        shard->put_off = true;
    else if (st != TL_OK)
        unreadable(shard->telephony, record, &err);
}

static void on_scan_done(void *arg, enum tl_status status, const struct tl_error *err)
{
    struct tl_shard *shard = arg;

    shard->scan = NULL;
    if (status != TL_OK)
        restore_failed(shard, err->msg);
    else if (shard->put_off)
        restore_failed(shard, "a schema is not known yet");
    else
        on_restored(shard);
}

static void on_end(void *arg, enum tl_status status, int64_t offset, const char *error)
{
    struct tl_shard *shard = arg;
    struct tl_telephony *telephony = shard->telephony;
    bool is_state = shard->step == TL_RESTORE_STATE;
    struct tl_error err;

    shard->query = NULL;
    if (status != TL_OK) {
        restore_failed(shard, error);
        return;
    }
    shard->end[shard->step] = offset;
    const struct tl_scan_options options = {
        .topic = TOPICS[shard->step],
        .partition = shard->partition,
        .from_offset = -1,
        .from_time_ms =
            is_state ? 0 : tl_now_ms() - telephony->sink->settings.telephony_lookback_ms,
        .until_offset = offset,
        .deadline_ms = SCAN_DEADLINE_MS,
        .on_record = on_scan_record,
        .on_done = on_scan_done,
        .arg = shard};
    if (tl_scan_start(telephony->scanner, &options, &shard->scan, &err) != TL_OK)
        restore_failed(shard, err.msg);
}

static void restore_step(struct tl_shard *shard)
{
    struct tl_error err;

    if (tl_offset_of_end(tl_fleet_kafka(shard->telephony->sink->fleet), TOPICS[shard->step],
                         shard->partition, QUERY_DEADLINE_MS, on_end, shard, &shard->query,
                         &err) != TL_OK)
        restore_failed(shard, err.msg);
}

static void restore_all(void *arg)
{
    struct tl_telephony *telephony = arg;

    forget_all(telephony); /* whatever another partition had begun */
    for (size_t i = 0; i < telephony->shards_n; i++) {
        struct tl_shard *shard = &telephony->shards[i];

        shard->step = TL_RESTORE_STATE;
        shard->put_off = false;
        for (int k = 0; k < TL_RESTORED; k++)
            shard->held[k] = -1;
        restore_step(shard);
    }
}

/* ---- following ---- */

static int topic_index(const char *topic)
{
    return strcmp(topic, TOPICS[TL_RESTORE_CALLS]) == 0 ? TL_RESTORE_CALLS : TL_RESTORE_COMMANDS;
}

static void on_held(void *arg)
{
    struct tl_shard *shard = arg;
    struct tl_telephony *telephony = shard->telephony;
    struct tl_error err;

    for (int k = TL_RESTORE_CALLS; k < TL_RESTORED; k++) {
        if (shard->held[k] < 0)
            continue;
        int64_t offset = shard->held[k];
        shard->held[k] = -1;
        if (tl_group_seek(telephony->group, TOPICS[k], shard->partition, offset, &err) != TL_OK)
            telephony->sink->fail(telephony->sink, &err); /* starts anew, from the logs */
        tl_group_resume(telephony->group, TOPICS[k], shard->partition);
    }
}

/* Its writer's schema is not known yet: the partition waits. */
static void hold(struct tl_shard *shard, const struct tl_record *record)
{
    shard->held[topic_index(record->topic)] = record->offset;
    tl_group_pause(shard->telephony->group, record->topic, record->partition);
    tl_timer_start(&shard->again, shard->telephony->sink->loop, AGAIN_MS, on_held, shard);
}

/* Unreadable calls are put aside by the role records; commands have no other reader. */
static void put_aside(struct tl_telephony *telephony, const struct tl_record *record,
                      const struct tl_error *problem)
{
    char reason[sizeof(problem->msg) + 16];
    struct tl_error err;

    unreadable(telephony, record, problem);
    if (strcmp(record->topic, "commands.v1") != 0)
        return;
    (void)snprintf(reason, sizeof(reason), "telephony: %s", problem->msg);
    if (tl_dead_letter_send(telephony->letters, record, reason, NULL, NULL, &err) != TL_OK)
        tl_log_error(telephony->sink->log, "telephony.dead_letter_failed",
                     TL_STR("error", err.msg));
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_telephony *telephony = arg;
    struct tl_shard *shard = shard_of(telephony, record->partition);
    struct tl_error err;

    if (!telephony->is_live || !shard || shard->held[topic_index(record->topic)] >= 0)
        return;
    enum tl_status st = tl_story_take(telephony, record, &err);
    if (st == TL_RETRY) {
        hold(shard, record);
        return;
    }
    if (st != TL_OK)
        put_aside(telephony, record, &err);
    tl_group_store(telephony->group, record->topic, record->partition, record->offset + 1);
    tl_effect_pump(telephony);
}

/* ---- group ---- */

static void free_shards(struct tl_telephony *telephony)
{
    for (size_t i = 0; i < telephony->shards_n; i++) {
        stop_shard(&telephony->shards[i]);
        tl_timer_finish(&telephony->shards[i].again);
    }
    free(telephony->shards);
    telephony->shards = NULL;
    telephony->shards_n = 0;
}

static bool has_commands(const struct tl_group_partition *partitions, size_t len, int32_t partition)
{
    for (size_t i = 0; i < len; i++)
        if (partitions[i].partition == partition && strcmp(partitions[i].topic, "commands.v1") == 0)
            return true;
    return false;
}

static void on_assign(void *arg, int64_t generation, const struct tl_group_partition *partitions,
                      size_t len)
{
    struct tl_telephony *telephony = arg;
    struct tl_error err;

    forget_all(telephony);
    free_shards(telephony);
    telephony->generation = generation;
    telephony->had_assignment = true;
    telephony->shards = calloc(len + 1, sizeof(*telephony->shards));
    if (!telephony->shards)
        abort();
    for (size_t i = 0; i < len; i++) {
        if (strcmp(partitions[i].topic, "calls.v1") != 0)
            continue;
        if (!has_commands(partitions, len, partitions[i].partition)) {
            (void)tl_fail(&err, TL_FATAL,
                          "the group gave partition %" PRId32 " of calls.v1 without that of "
                          "commands.v1: these topics must have the same number of partitions",
                          partitions[i].partition);
            telephony->sink->fail(telephony->sink, &err);
            return;
        }
        telephony->shards[telephony->shards_n++] =
            (struct tl_shard){.telephony = telephony, .partition = partitions[i].partition};
    }
    if (telephony->shards_n)
        restore_all(telephony);
    else
        go_live(telephony);
}

static void on_revoke(void *arg, const struct tl_group_partition *partitions, size_t len, bool lost)
{
    struct tl_telephony *telephony = arg;

    (void)partitions;
    (void)len;
    (void)lost; /* whoever has them next reads the state topic, and looks before it acts */
    forget_all(telephony);
    free_shards(telephony);
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct tl_telephony *telephony = arg;

    (void)topic;
    (void)partition;
    if (err->status == TL_FATAL || err->status == TL_CONFLICT) /* starts anew, from the logs */
        telephony->sink->fail(telephony->sink, err);
    else
        tl_log_warn(telephony->sink->log, "telephony.kafka", TL_STR("error", err->msg));
}

/* ---- life ---- */

static void on_tick(void *arg)
{
    struct tl_telephony *telephony = arg;

    tl_finish_tick(telephony);
    tl_closing_tick(telephony);
    tl_story_forget_old(telephony);
    tl_effect_pump(telephony);
}

bool tl_telephony_is_ready(const struct tl_telephony *telephony, char *reason, size_t size)
{
    if (telephony->watchdog && !tl_watchdog_is_ready(telephony->watchdog)) {
        (void)snprintf(reason, size, "telephony: the watchdog is reading the calls of the last hours");
        return false;
    }
    if (telephony->had_assignment && telephony->is_live)
        return true;
    (void)snprintf(reason, size, "telephony: %s",
                   telephony->had_assignment ? "reading calls and commands of the last hours"
                                             : "no partitions from the group yet");
    return false;
}

void tl_telephony_fill(struct tl_telephony *telephony, struct tl_presence *own)
{
    if (telephony->watchdog)
        tl_watchdog_count_beat(telephony->watchdog);
    own->calls_held = (int32_t)telephony->in_flight;
    own->capacity = (int32_t)telephony->sink->settings.telephony_requests_max;
}

void tl_telephony_on_change(struct tl_telephony *telephony)
{
    if (telephony->watchdog)
        tl_watchdog_look(telephony->watchdog);
}

enum tl_status tl_telephony_create(struct tl_sink *sink, struct tl_telephony **ret_telephony,
                                   struct tl_error *err)
{
    struct tl_telephony *telephony = calloc(1, sizeof(*telephony));

    (void)err;
    if (!telephony)
        abort();
    telephony->sink = sink;
    tl_buf_init(&telephony->out, RECORD_MAX_BYTES);
    *ret_telephony = telephony;
    return TL_OK;
}

enum tl_status tl_telephony_start(struct tl_telephony *telephony, struct tl_error *err)
{
    struct tl_sink *sink = telephony->sink;
    char member[64];

    (void)snprintf(member, sizeof(member), "telephony-%d", sink->number);
    const struct tl_group_options options = {.group_id = "telephony",
                                             .instance_id = member,
                                             .topics = GROUP_TOPICS,
                                             .read_uncommitted = true,
                                             .on_assign = on_assign,
                                             .on_revoke = on_revoke,
                                             .on_record = on_record,
                                             .on_error = on_error,
                                             .arg = telephony};
    enum tl_status st = tl_producer_topic(tl_fleet_events(sink->fleet), "state.telephony.v1",
                                          &telephony->state_topic, err);
    if (st == TL_OK)
        st = tl_producer_topic(tl_fleet_events(sink->fleet), "media.v1", &telephony->mailboxes, err);
    if (st == TL_OK)
        st = tl_dead_letters_create(tl_fleet_events(sink->fleet), tl_fleet_schemas(sink->fleet),
                                    tl_fleet_name(sink->fleet), &telephony->letters, err);
    if (st == TL_OK)
        st = tl_scanner_create(tl_fleet_kafka(sink->fleet), &telephony->scanner, err);
    if (st == TL_OK)
        st = tl_group_create(tl_fleet_kafka(sink->fleet), &options, &telephony->group, err);
    if (st == TL_OK && sink->settings.telephony_rescue)
        st = tl_watchdog_create(telephony, err);
    if (st == TL_OK)
        tl_timer_repeat(&telephony->tick, sink->loop, TICK_MS, on_tick, telephony);
    return st;
}

void tl_telephony_stop(struct tl_telephony *telephony)
{
    if (!telephony)
        return;
    tl_watchdog_destroy(TL_TAKE(telephony->watchdog));
    tl_rescue_clear(telephony);
    tl_group_destroy(telephony->group, 5000);
    forget_all(telephony);
    free_shards(telephony);
    tl_scanner_destroy(telephony->scanner);
    tl_dead_letters_destroy(telephony->letters);
    tl_timer_finish(&telephony->tick);
}

void tl_telephony_destroy(struct tl_telephony *telephony)
{
    if (!telephony)
        return;
    tl_arena_finish(&telephony->arena);
    tl_buf_finish(&telephony->out);
    free(telephony);
}
