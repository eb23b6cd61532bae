/* Metrics of ingest: each a row. */
#include "ingest/ingest.h"

#define ROW(field, kind, name, help, ...)                                                          \
    TL_METRIC_ROW(struct tl_ingest_metrics, field, kind, "trunkline_ingest_" name,                 \
                  help __VA_OPT__(, ) __VA_ARGS__)

const struct tl_metric tl_ingest_metric_rows[] = {
    ROW(webhooks, COUNTER, "webhooks_total", "Webhooks answered.", .labels = "kind,status"),
    ROW(webhook_time, HISTOGRAM, "webhook_seconds", "Time to answer a voice webhook.",
        .buckets = &tl_buckets_latency),
    ROW(calls_refused, COUNTER, "calls_refused_total", "Calls refused with a sentence.",
        .labels = "reason"),
    ROW(streams, GAUGE, "streams", "Media streams open now."),
    ROW(streams_opened, COUNTER, "streams_opened_total", "Media streams whose start came."),
    ROW(streams_ended, COUNTER, "streams_ended_total", "Media streams ended.", .labels = "reason"),
    ROW(frames, COUNTER, "frames_total", "Frames of sound taken."),
    ROW(frames_dropped, COUNTER, "frames_dropped_total",
        "Frames dropped because Kafka did not take them."),
    ROW(frames_resent, COUNTER, "frames_resent_total",
        "Frames sent again, to the same or another conversation."),
    ROW(messages_invalid, COUNTER, "messages_invalid_total", "Messages that were refused.",
        .labels = "where"),
    ROW(claims, COUNTER, "claims_total", "Legs given to a conversation."),
    ROW(claims_moved, COUNTER, "claims_moved_total", "Legs given to another conversation.",
        .labels = "cause"),
    ROW(batches, COUNTER, "batches_total", "Records written to mailboxes."),
    ROW(playback_bytes, COUNTER, "playback_bytes_total", "Sound sent to the telephone network."),
    ROW(playback_stale, COUNTER, "playback_stale_total",
        "Items for streams or claims that are not held any more."),
    ROW(stream_errors, COUNTER, "stream_errors_total",
        "Errors of media streams that the telephone network reported.", .labels = "code"),
    {0},
};
