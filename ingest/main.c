/* trunkline-ingest: webhooks and media streams in, mailboxes and calls.v1 out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/member.h"
#include "ingest/ingest.h"
#include "ingest/media/media.h"
#include "ingest/webhook/webhook.h"

struct program {
    struct tl_service *service;
    struct tl_member member;
    struct tl_ingest ingest;
    char media_url[1024], address[256];
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

    tl_drain_begin(&program->ingest, on_drained, program);
}

static enum tl_status on_fleet_ready(void *arg, struct tl_error *err)
{
    struct program *program = arg;
    return tl_media_start(program->ingest.media, err);
}

static void on_fleet_change(void *arg)
{
    struct program *program = arg;
    tl_media_on_change(program->ingest.media);
}

static void on_fill(void *arg, struct tl_presence *own)
{
    struct program *program = arg;
    tl_media_fill(program->ingest.media, own);
}

/* wss://host/media out of https://host, unless it is set. */
static void derive_media_url(struct program *program)
{
    struct tl_ingest_settings *s = &program->ingest.settings;

    if (*s->media_url)
        return;
    const char *public_url = program->ingest.twilio.public_url;
    bool is_tls = strncmp(public_url, "https://", 8) == 0;
    const char *host = strstr(public_url, "://");
    (void)snprintf(program->media_url, sizeof(program->media_url), "%s://%s/media",
                   is_tls ? "wss" : "ws", host ? host + 3 : public_url);
    s->media_url = program->media_url;
}

static enum tl_status start_fleet(struct program *program, struct tl_error *err)
{
    struct tl_ingest *ingest = &program->ingest;
    const struct tl_member_options options = {.service = program->service,
                                              .kafka = &ingest->kafka,
                                              .registry = &ingest->registry,
                                              .name = ingest->name,
                                              .kind = TL_INSTANCE_KIND_INGEST,
                                              .mailbox_topic = "playback.v1",
                                              .start = on_fleet_ready,
                                              .on_change = on_fleet_change,
                                              .fill = on_fill,
                                              .arg = program};
    return tl_member_init(&program->member, &options, &ingest->fleet, err);
}

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct program *program = arg;
    tl_webhook_on_request(program->ingest.webhook, x);
}

static void on_upgrade(void *arg, const struct tl_http_request *request,
                       struct tl_ws_accept *accept)
{
    struct program *program = arg;
    tl_media_on_upgrade(program->ingest.media, request, accept);
}

static enum tl_status start_listener(struct program *program, struct tl_error *err)
{
    struct tl_ingest_settings *s = &program->ingest.settings;
    struct tl_http_server_options options = {.reuse_port = true,
                                             .cert_file = *s->tls_cert ? s->tls_cert : NULL,
                                             .key_file = *s->tls_key ? s->tls_key : NULL,
                                             .max_body_bytes = 256u << 10,
                                             .on_request = on_request,
                                             .on_upgrade = on_upgrade,
                                             .arg = program};
    const char *colon = strrchr(s->listen, ':');

    if (!colon)
        return tl_fail(err, TL_INVALID, "ingest.listen: %s is not address:port", s->listen);
    (void)snprintf(program->address, sizeof(program->address), "%.*s", (int)(colon - s->listen),
                   s->listen);
    options.address = program->address;
    options.port = (int)strtol(colon + 1, NULL, 10);
    return tl_service_listen(program->service, "ingest", &options, &program->ingest.server, err);
}

static enum tl_status start(struct program *program, struct tl_error *err)
{
    struct tl_ingest *ingest = &program->ingest;

    ingest->net = tl_service_net(program->service);
    ingest->loop = tl_service_loop(program->service);
    ingest->log = tl_service_log(program->service);
    ingest->registry_of_metrics = tl_service_metrics(program->service);
    ingest->number = tl_service_instance(program->service);
    (void)snprintf(ingest->name, sizeof(ingest->name), "ingest-%d", ingest->number);
    tl_metrics_add(ingest->registry_of_metrics, tl_ingest_metric_rows, &ingest->metrics);
    derive_media_url(program);

    enum tl_status st = start_fleet(program, err);
    if (st == TL_OK)
        st = tl_webhook_create(ingest, &ingest->webhook, err);
    if (st == TL_OK)
        st = tl_media_create(ingest, &ingest->media, err);
    if (st == TL_OK)
        st = start_listener(program, err);
    return st;
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct tl_config_part parts[] = {{tl_kafka_settings, &program.ingest.kafka},
                                           {tl_registry_settings, &program.ingest.registry},
                                           {tl_twilio_settings, &program.ingest.twilio},
                                           {tl_ingest_settings, &program.ingest.settings},
                                           {0}};
    const struct tl_service_program service = {
        .name = "trunkline-ingest",
        .summary = "Answers the telephone network's webhooks and carries its media streams.",
        .section = "ingest",
        .parts = parts,
        .known = tl_all_settings,
        .arg = &program,
        .is_ready = is_ready,
        .on_drain = on_drain,
    };
    struct tl_error err;

    enum tl_status st = tl_service_create(&service, argc, argv, &program.service, &err);
    if (st != TL_OK || !program.service)
        return st == TL_OK ? 0 : st == TL_INVALID ? 2 : 1;
    st = start(&program, &err);
    if (st != TL_OK)
        tl_service_fail(program.service, &err);
    int status = tl_service_run(program.service);

    /* Sockets go with the service's net, so legs must be told first. */
    tl_http_server_destroy(program.ingest.server);
    tl_drain_finish(&program.ingest);
    tl_media_destroy(program.ingest.media);
    tl_webhook_destroy(program.ingest.webhook);
    tl_member_finish(&program.member);
    tl_service_destroy(program.service);
    return status;
}
