/* A daemon among its peers: see member.h. */
#include "fleet/member.h"

static void on_ready(void *arg)
{
    struct tl_member *member = arg;
    struct tl_error err;

    if (member->o.start(member->o.arg, &err) != TL_OK)
        tl_service_fail(member->o.service, &err);
}

static void on_change(void *arg)
{
    struct tl_member *member = arg;

    if (member->o.on_change)
        member->o.on_change(member->o.arg);
}

static void on_superseded(void *arg)
{
    struct tl_member *member = arg;
    struct tl_error err;

    (void)tl_fail(&err, TL_CONFLICT, "another process runs as %s", member->o.name);
    tl_service_fail(member->o.service, &err);
}

static void on_fill(void *arg, struct tl_presence *own)
{
    struct tl_member *member = arg;

    member->o.fill(member->o.arg, own);
    own->draining |= tl_service_is_draining(member->o.service);
}

static void on_config(void *arg, const struct tl_config_entry *entry)
{
    struct tl_member *member = arg;

    if (member->o.on_config)
        member->o.on_config(member->o.arg, entry);
}

bool tl_member_is_ready(const struct tl_member *member, char *reason, size_t size)
{
    return tl_fleet_is_ready(member->fleet, reason, size) &&
           (!member->o.is_ready || member->o.is_ready(member->o.arg, reason, size));
}

enum tl_status tl_member_init(struct tl_member *member, const struct tl_member_options *options,
                              struct tl_fleet **ret_fleet, struct tl_error *err)
{
    const struct tl_fleet_options fleet = {.net = tl_service_net(options->service),
                                           .log = tl_service_log(options->service),
                                           .metrics = tl_service_metrics(options->service),
                                           .kafka = options->kafka,
                                           .registry = options->registry,
                                           .name = options->name,
                                           .kind = options->kind,
                                           .number = (int)tl_service_instance(options->service),
                                           .mailbox_topic = options->mailbox_topic,
                                           .on_ready = on_ready,
                                           .on_change = on_change,
                                           .on_superseded = on_superseded,
                                           .fill = on_fill,
                                           .on_config = on_config,
                                           .arg = member};

    *member = (struct tl_member){.o = *options};
    enum tl_status st = tl_fleet_create(&fleet, &member->fleet, err);
    if (st == TL_OK)
        *ret_fleet = member->fleet;
    return st;
}

void tl_member_finish(struct tl_member *member)
{
    tl_fleet_destroy(member->fleet);
    member->fleet = NULL;
}
