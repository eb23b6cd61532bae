#ifndef TL_INGEST_INGEST_H
#define TL_INGEST_INGEST_H

#include <stdint.h>

#include "base/metrics.h"
#include "fleet/fleet.h"
#include "ingest/drain.h"
#include "ingest/settings.h"
#include "kafka/client.h"
#include "kafka/registry.h"
#include "net/http_server.h"
#include "net/net.h"
#include "net/timer.h"
#include "twilio/form.h"
#include "twilio/settings.h"

struct tl_media;
struct tl_webhook;

struct tl_ingest_metrics {
    struct tl_metric_vec webhooks; /* kind, status */
    struct tl_histogram webhook_time;
    struct tl_metric_vec redirects;       /* kind, why */
    struct tl_metric_vec resumes;         /* kind */
    struct tl_metric_vec resumes_bounded; /* kind */
    struct tl_metric_vec calls_refused;   /* reason */
    struct tl_metric_vec stream_errors;   /* code, of the network's status callback */
    struct tl_gauge promises;
    struct tl_gauge streams;
    struct tl_counter streams_opened;
    struct tl_metric_vec streams_ended;    /* reason */
    struct tl_metric_vec gap;              /* between */
    struct tl_metric_vec messages_invalid; /* where */
    struct tl_counter frames, frames_dropped, frames_resent;
    struct tl_gauge backlog_bytes, backlog_time;
    struct tl_counter batches;
    struct tl_metric_vec claims;     /* cause */
    struct tl_metric_vec claim_time; /* cause */
    struct tl_metric_vec reclaims;   /* why */
    struct tl_metric_vec refusals;   /* why */
    struct tl_counter playback_bytes;
    struct tl_metric_vec playback_stale; /* why */
};

/** How far it has got with leaving. */
struct tl_drain {
    struct tl_timer timer;
    int64_t began_ms; /* monotonic */
    int64_t busy_ms;  /* monotonic: when there was a stream last; 0: never */
    bool is_deaf;     /* the listener is closed */
    void (*on_done)(void *arg);
    void *arg;
};

/** One ingest process: what brings the outside in. */
struct tl_ingest {
    struct tl_net *net;
    uv_loop_t *loop;
    const struct tl_log *log;
    struct tl_metrics *registry_of_metrics;
    int number; /* its mailbox in playback.v1 */
    char name[32];
    struct tl_kafka_settings kafka;
    struct tl_registry_settings registry;
    struct tl_twilio_settings twilio;
    struct tl_ingest_settings settings;
    struct tl_ingest_metrics metrics;
    struct tl_fleet *fleet;
    struct tl_webhook *webhook;
    struct tl_media *media;
    struct tl_http_server *server;
    bool draining;
    struct tl_drain drain;
};

extern const struct tl_metric tl_ingest_metric_rows[];

/** True when the request carries the network's signature for `url`; counts and logs when not. */
bool tl_ingest_is_signed(struct tl_ingest *self, const struct tl_http_request *request,
                         const char *url, const struct tl_form *form);

#endif
