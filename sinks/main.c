/* trunkline-sink: carries the events of calls out, to PostgreSQL, Redis and the telephone network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/member.h"
#include "kafka/admin.h"
#include "sinks/live/live.h"
#include "sinks/records/records.h"
#include "sinks/sink.h"
#include "sinks/telephony/telephony.h"

struct program {
    struct tl_sink sink; /* first: fail() gets its address */
    struct tl_service *service;
    struct tl_member member;
    const char *role;
};

/* ---- roles ---- */

/* They decide which settings must be there, so they are read before the options are. */
static const char *find_roles(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--role") == 0 && i + 1 < argc)
            return argv[i + 1];
        if (strncmp(argv[i], "--role=", 7) == 0)
            return argv[i] + 7;
    }
    return "";
}

static enum tl_status parse_roles(struct tl_sink *sink, const char *roles, struct tl_error *err)
{
    const struct {
        const char *name;
        bool *has;
    } table[] = {{"records", &sink->has_records},
                 {"live", &sink->has_live},
                 {"telephony", &sink->has_telephony}};

    for (const char *at = roles;; at++) {
        size_t len = strcspn(at, ","), i = 0;

        while (i < TL_ARRAY_LEN(table) &&
               !(strlen(table[i].name) == len && strncmp(at, table[i].name, len) == 0))
            i++;
        if (i == TL_ARRAY_LEN(table))
            return tl_fail(err, TL_INVALID, "--role: \"%.*s\" is none of records, live, telephony",
                           (int)len, at);
        *table[i].has = true;
        at += len;
        if (!*at)
            return TL_OK;
    }
}

static size_t choose_parts(struct tl_sink *sink, struct tl_config_part *parts)
{
    size_t n = 0;

    parts[n++] = (struct tl_config_part){tl_kafka_settings, &sink->kafka};
    parts[n++] = (struct tl_config_part){tl_registry_settings, &sink->registry};
    parts[n++] = (struct tl_config_part){tl_sink_settings, &sink->settings};
    if (sink->has_records)
        parts[n++] = (struct tl_config_part){tl_postgres_settings, &sink->postgres};
    if (sink->has_live)
        parts[n++] = (struct tl_config_part){tl_redis_settings, &sink->redis};
    if (sink->has_telephony)
        parts[n++] = (struct tl_config_part){tl_twilio_settings, &sink->twilio};
    return n;
}

/* ---- life ---- */

static void fail(struct tl_sink *sink, const struct tl_error *err)
{
    struct program *program = (struct program *)sink;
    tl_service_fail(program->service, err);
}

static bool is_ready(void *arg, char *reason, size_t size)
{
    struct program *program = arg;
    return tl_member_is_ready(&program->member, reason, size);
}

static bool are_roles_ready(void *arg, char *reason, size_t size)
{
    struct program *program = arg;
    struct tl_sink *sink = &program->sink;

    return (!sink->has_records || tl_records_is_ready(sink->records, reason, size)) &&
           (!sink->has_live || tl_live_is_ready(sink->live, reason, size)) &&
           (!sink->has_telephony || tl_telephony_is_ready(sink->telephony, reason, size));
}

static enum tl_status on_fleet_ready(void *arg, struct tl_error *err)
{
    struct program *program = arg;
    struct tl_sink *sink = &program->sink;
    enum tl_status st = TL_OK;

    if (sink->has_records)
        st = tl_records_start(sink->records, err);
    if (st == TL_OK && sink->has_live)
        st = tl_live_start(sink->live, err);
    if (st == TL_OK && sink->has_telephony)
        st = tl_telephony_start(sink->telephony, err);
    return st;
}

static void on_change(void *arg)
{
    struct program *program = arg;

    if (program->sink.has_telephony)
        tl_telephony_on_change(program->sink.telephony);
}

static void on_fill(void *arg, struct tl_presence *own)
{
    struct program *program = arg;
    tl_telephony_fill(program->sink.telephony, own);
}

static enum tl_status find_cluster(struct tl_sink *sink, struct tl_error *err)
{
    TL_CLEANUP(tl_admin_destroyp) struct tl_admin *admin = NULL;
    enum tl_status st = tl_admin_create(&sink->kafka, sink->name, 10000, &admin, err);

    return st == TL_OK ? tl_admin_cluster_id(admin, sink->cluster, sizeof(sink->cluster), err) : st;
}

static enum tl_status start_fleet(struct program *program, struct tl_error *err)
{
    struct tl_sink *sink = &program->sink;
    const struct tl_member_options options = {
        .service = program->service,
        .kafka = &sink->kafka,
        .registry = &sink->registry,
        .name = sink->name,
        .kind = sink->has_telephony ? TL_INSTANCE_KIND_TELEPHONY : TL_INSTANCE_KIND_UNKNOWN,
        .start = on_fleet_ready,
        .is_ready = are_roles_ready,
        .on_change = on_change,
        .fill = on_fill,
        .arg = program};

    return tl_member_init(&program->member, &options, &sink->fleet, err);
}

static enum tl_status start(struct program *program, struct tl_error *err)
{
    struct tl_sink *sink = &program->sink;

    sink->net = tl_service_net(program->service);
    sink->loop = tl_service_loop(program->service);
    sink->log = tl_service_log(program->service);
    sink->number = (int)tl_service_instance(program->service);
    sink->fail = fail;
    (void)snprintf(sink->name, sizeof(sink->name), "%s-%d",
                   sink->has_telephony ? "telephony" : "sink", sink->number);
    tl_metrics_add(tl_service_metrics(program->service), tl_feed_metric_rows, &sink->feed_metrics);
    tl_metrics_add(tl_service_metrics(program->service), tl_sink_metric_rows, &sink->metrics);
    enum tl_status st = find_cluster(sink, err);
    if (st == TL_OK && sink->has_records)
        st = tl_records_create(sink, &sink->records, err);
    if (st == TL_OK && sink->has_live)
        st = tl_live_create(sink, &sink->live, err);
    if (st == TL_OK && sink->has_telephony)
        st = tl_telephony_create(sink, &sink->telephony, err);
    return st == TL_OK ? start_fleet(program, err) : st;
}

/* Readers leave their groups first, then what is still to be written goes out, then the stores. */
static void stop(struct program *program)
{
    struct tl_sink *sink = &program->sink;

    tl_records_stop(sink->records);
    tl_live_stop(sink->live);
    tl_telephony_stop(sink->telephony);
    tl_member_finish(&program->member);
    tl_records_destroy(sink->records);
    tl_live_destroy(sink->live);
    tl_telephony_destroy(sink->telephony);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct tl_config_part parts[8] = {0};
    const struct tl_service_option options[] = {
        {"role", "ROLE[,ROLE]", "What this process does: records, live, telephony.", &program.role},
        {0}};
    const char *roles = find_roles(argc, argv);
    struct tl_error err;

    enum tl_status st = *roles ? parse_roles(&program.sink, roles, &err) : TL_OK;
    if (st != TL_OK) {
        (void)fprintf(stderr, "trunkline-sink: %s\n", err.msg);
        return 2;
    }
    (void)choose_parts(&program.sink, parts);
    const struct tl_service_program service = {
        .name = "trunkline-sink",
        .summary = "Carries the events of calls to PostgreSQL, Redis and the telephone network.",
        .section = program.sink.has_telephony ? "telephony" : "sink",
        .parts = parts,
        .known = tl_all_settings,
        .options = options,
        .arg = &program,
        .is_ready = is_ready,
    };
    st = tl_service_create(&service, argc, argv, &program.service, &err);
    if (st != TL_OK || !program.service)
        return st == TL_OK ? 0 : 2;
    if (!*roles)
        st = tl_fail(&err, TL_INVALID, "--role is missing: records, live, telephony");
    if (st == TL_OK)
        st = start(&program, &err);
    if (st != TL_OK)
        tl_service_fail(program.service, &err);
    int status = tl_service_run(program.service);
    stop(&program);
    tl_service_destroy(program.service);
    return status;
}
