/* trunkline-processor --role NAME: what turns events into events. */
#include <stdio.h>
#include <string.h>

#include "fleet/member.h"
#include "processors/conversation/conversation.h"

struct program {
    struct tl_service *service;
    struct tl_member member;
    const char *role;
    struct tl_conversation conversation;
};

static bool is_ready(void *arg, char *reason, size_t size)
{
    struct program *program = arg;
    return tl_member_is_ready(&program->member, reason, size);
}

static void on_drained(void *arg)
{
    struct program *program = arg;
    tl_service_stop(program->service);
}

static void on_drain(void *arg)
{
    struct program *program = arg;
    tl_conversation_drain(&program->conversation, on_drained, program);
}

static enum tl_status on_fleet_ready(void *arg, struct tl_error *err)
{
    struct program *program = arg;
    return tl_conversation_start(&program->conversation, err);
}

static void on_fill(void *arg, struct tl_presence *own)
{
    struct program *program = arg;
    tl_conversation_fill(&program->conversation, own);
}

static void on_config(void *arg, const struct tl_config_entry *entry)
{
    struct program *program = arg;
    tl_conversation_on_config(&program->conversation, entry);
}

static enum tl_status start(struct program *program, struct tl_error *err)
{
    struct tl_conversation *c = &program->conversation;
    const struct tl_member_options options = {.service = program->service,
                                              .kafka = &c->kafka,
                                              .registry = &c->registry,
                                              .name = c->name,
                                              .kind = TL_INSTANCE_KIND_CONVERSATION,
                                              .mailbox_topic = "media.v1",
                                              .start = on_fleet_ready,
                                              .fill = on_fill,
                                              .on_config = on_config,
                                              .arg = program};

    c->net = tl_service_net(program->service);
    c->loop = tl_service_loop(program->service);
    c->log = tl_service_log(program->service);
    c->number = (int)tl_service_instance(program->service);
    (void)snprintf(c->name, sizeof(c->name), "conversation-%d", c->number);
    tl_conversation_collect(c, tl_service_metrics(program->service));
    enum tl_status st = tl_member_init(&program->member, &options, &c->fleet, err);
    return st == TL_OK ? tl_conversation_create(c, err) : st;
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct tl_service_option options[] = {
        {"role", "NAME", "what it does: conversation", &program.role}, {0}};
    const struct tl_config_part parts[] = {
        {tl_kafka_settings, &program.conversation.kafka},
        {tl_registry_settings, &program.conversation.registry},
        {tl_openai_settings, &program.conversation.openai},
        {tl_conversation_settings, &program.conversation.settings},
        {0}};
    const struct tl_service_program service = {
        .name = "trunkline-processor",
        .summary = "Turns events into events: holds the conversations of callers with the AI.",
        .section = "conversation",
        .parts = parts,
        .known = tl_all_settings,
        .options = options,
        .arg = &program,
        .is_ready = is_ready,
        .on_drain = on_drain,
    };
    struct tl_error err;

    enum tl_status st = tl_service_create(&service, argc, argv, &program.service, &err);
    if (st != TL_OK || !program.service)
        return st == TL_OK ? 0 : st == TL_INVALID ? 2 : 1;
    if (program.role && strcmp(program.role, "conversation") != 0)
        st = tl_fail(&err, TL_INVALID, "--role %s: there is only conversation so far", program.role);
    else
        st = start(&program, &err);
    if (st != TL_OK)
        tl_service_fail(program.service, &err);
    int status = tl_service_run(program.service);

    tl_conversation_destroy(&program.conversation);
    tl_member_finish(&program.member);
    tl_service_destroy(program.service);
    return status;
}
