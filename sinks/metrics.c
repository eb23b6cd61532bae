/* Metrics of the sinks: each a row. */
#include "sinks/sink.h"

#define ROW(type, field, kind, name, help, ...)                                                    \
    TL_METRIC_ROW(struct type, field, kind, "trunkline_sink_" name, help __VA_OPT__(, ) __VA_ARGS__)
#define FEED(field, kind, name, help, ...)                                                         \
    ROW(tl_feed_metrics, field, kind, name, help __VA_OPT__(, ) __VA_ARGS__)
#define TELEPHONY(field, kind, name, help, ...)                                                    \
    ROW(tl_sink_metrics, field, kind, "telephony_" name, help __VA_OPT__(, ) __VA_ARGS__)

const struct tl_metric tl_feed_metric_rows[] = {
    FEED(events, COUNTER, "events_total", "Events of calls.v1, and whether they counted.",
         .labels = "sink,verdict"),
    FEED(letters, COUNTER, "dead_letters_total", "Records put aside.", .labels = "sink"),
    FEED(skipped, COUNTER, "skipped_total",
         "Records that could not be processed and that another sink puts aside.", .labels = "sink"),
    FEED(batches, COUNTER, "batches_total", "Batches offered to the store, and what it said.",
         .labels = "sink,status"),
    FEED(batch_time, HISTOGRAM, "batch_seconds", "Time to load, fold and store a batch.",
         .labels = "sink", .buckets = &tl_buckets_latency),
    FEED(lag, HISTOGRAM, "lag_seconds", "Time from an event to its being stored.", .labels = "sink",
         .buckets = &tl_buckets_latency),
    FEED(calls, GAUGE, "calls_in_memory", "Calls whose state is in memory.", .labels = "sink"),
    FEED(restarts, COUNTER, "restarts_total",
         "Times that the position was read again and reading went on from there.",
         .labels = "sink,reason"),
    {0},
};

const struct tl_metric tl_sink_metric_rows[] = {
    TELEPHONY(intents, COUNTER, "intents_total", "Effects asked for that are settled.",
              .labels = "action,outcome"),
    TELEPHONY(requests, COUNTER, "requests_total", "Requests to the telephone network.",
              .labels = "request,outcome"),
    TELEPHONY(request_time, HISTOGRAM, "request_seconds", "Time until a request was answered.",
              .buckets = &tl_buckets_latency),
    TELEPHONY(intent_time, HISTOGRAM, "intent_seconds", "Time from an intent to its effect.",
              .buckets = &tl_buckets_latency),
    TELEPHONY(pending, GAUGE, "pending", "Effects that are not settled."),
    TELEPHONY(calls, GAUGE, "calls", "Calls that are not closed."),
    TELEPHONY(closed, COUNTER, "closed_total", "Calls closed because nobody else did."),
    TELEPHONY(finished, COUNTER, "finished_total",
              "Calls that were over and whose conversation was gone: given to another one to finish."),
    TELEPHONY(rescues, COUNTER, "rescues_total",
              "Calls without a stream: rescues written, those that were first in the log, what became of "
              "the request, and how the call got out of it.",
              .labels = "step,cause"),
    TELEPHONY(rescue_time, HISTOGRAM, "rescue_seconds",
              "Time from the loss of a stream, as far as known here, to the next one.",
              .buckets = &tl_buckets_latency),
    TELEPHONY(watched, GAUGE, "streams_watched", "Streams of calls that are not over."),
    TELEPHONY(lost, GAUGE, "calls_lost", "Calls that have lost their stream and need another one."),
    TELEPHONY(ingests_gone, COUNTER, "ingests_gone_total", "Times that an ingest was seen to go."),
    {0},
};
