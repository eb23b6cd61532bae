#ifndef TL_SINKS_SINK_H
#define TL_SINKS_SINK_H

#include "base/metrics.h"
#include "db/settings.h"
#include "fleet/fleet.h"
#include "net/net.h"
#include "sinks/feed/feed.h"
#include "sinks/settings.h"
#include "twilio/settings.h"

struct tl_records;
struct tl_live;
struct tl_telephony;

struct tl_sink_metrics {
    struct tl_metric_vec intents;  /* action, outcome */
    struct tl_metric_vec requests; /* request, outcome */
    struct tl_histogram request_time;
    struct tl_histogram intent_time;
    struct tl_gauge pending;
    struct tl_gauge calls;
    struct tl_counter closed;
    struct tl_counter finished;
    struct tl_metric_vec rescues; /* step, cause */
    struct tl_histogram rescue_time;
    struct tl_gauge watched;
    struct tl_gauge lost;
    struct tl_counter ingests_gone;
};
extern const struct tl_metric tl_sink_metric_rows[];

/** One sink process: what carries events out. */
struct tl_sink {
    struct tl_net *net;
    uv_loop_t *loop;
    const struct tl_log *log;
    int number;
    char name[32];     /* "sink-0", with telephony "telephony-0" */
    char cluster[128]; /* id of the Kafka cluster */
    bool has_records, has_live, has_telephony;
    struct tl_kafka_settings kafka;
    struct tl_registry_settings registry;
    struct tl_postgres_settings postgres;
    struct tl_redis_settings redis;
    struct tl_twilio_settings twilio;
    struct tl_sink_settings settings;
    struct tl_feed_metrics feed_metrics;
    struct tl_sink_metrics metrics;
    struct tl_fleet *fleet;
    struct tl_records *records;
    struct tl_live *live;
    struct tl_telephony *telephony;
    void (*fail)(struct tl_sink *sink, const struct tl_error *err); /* leave the process, loudly */
};

#endif
