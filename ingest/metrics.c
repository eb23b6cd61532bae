/* Metrics of ingest: each a row. */
#include "ingest/ingest.h"

#define ROW(field, kind, name, help, ...)                                                          \
    TL_METRIC_ROW(struct tl_ingest_metrics, field, kind, "trunkline_ingest_" name,                 \
                  help __VA_OPT__(, ) __VA_ARGS__)

const struct tl_metric tl_ingest_metric_rows[] = {
    ROW(webhooks, COUNTER, "webhooks_total", "Webhooks answered.", .labels = "kind,status"),
    ROW(webhook_time, HISTOGRAM, "webhook_seconds", "Time to answer a voice webhook.",
        .buckets = &tl_buckets_latency),
    ROW(redirects, COUNTER, "redirects_total",
        "Callers asked to wait a moment, and the network to ask again.", .labels = "kind,why"),
    ROW(resumes, COUNTER, "resumes_total", "Calls that came back for another stream.",
        .labels = "kind"),
    ROW(resumes_bounded, COUNTER, "resumes_bounded_total",
        "Calls that came back too often within a minute, and were ended.", .labels = "kind"),
    ROW(calls_refused, COUNTER, "calls_refused_total", "Calls refused with a sentence.",
        .labels = "reason"),
    ROW(stream_errors, COUNTER, "stream_errors_total",
        "Errors of media streams that the telephone network reported.", .labels = "code"),
    ROW(promises, GAUGE, "promised_calls", "Calls on their way to a conversation."),
    ROW(streams, GAUGE, "streams", "Media streams open now."),
    ROW(streams_opened, COUNTER, "streams_opened_total", "Media streams whose start came."),
    ROW(streams_ended, COUNTER, "streams_ended_total",
        "Media streams ended: stop (by the network), closed, broken, silent, drained, superseded.",
        .labels = "reason"),
    ROW(gap, HISTOGRAM, "stream_gap_seconds",
        "From the last frame of a call's old stream (between=frames), or, when another process had "
        "it, "
        "from the document that gave the new one (between=document), to the new one's first frame.",
        .labels = "between", .buckets = &tl_buckets_latency),
    ROW(messages_invalid, COUNTER, "messages_invalid_total", "Messages that were refused.",
        .labels = "where"),
    ROW(frames, COUNTER, "frames_total", "Frames of sound taken."),
    ROW(frames_dropped, COUNTER, "frames_dropped_total",
        "Frames dropped because Kafka did not take them, or nobody their call."),
    ROW(frames_resent, COUNTER, "frames_resent_total",
        "Frames sent again, to the same or another conversation."),
    ROW(backlog_bytes, GAUGE, "backlog_bytes", "Memory of what Kafka has not taken yet."),
    ROW(backlog_time, GAUGE, "backlog_seconds",
        "Sound that Kafka has not taken yet, of the stream with the most."),
    ROW(batches, COUNTER, "batches_total", "Records written to mailboxes."),
    ROW(claims, COUNTER, "claims_total",
        "Legs given to a conversation: first, resumed (another stream of the call), gone, refused, "
        "hand_over, lost, log (Kafka took nothing).",
        .labels = "cause"),
    ROW(claim_time, HISTOGRAM, "claim_seconds",
        "From the cause of a gift to the sound being on its way.", .labels = "cause",
        .buckets = &tl_buckets_latency),
    ROW(reclaims, COUNTER, "reclaims_total",
        "Streams that claimed again, for their conversation does not hold them.", .labels = "why"),
    ROW(refusals, COUNTER, "refusals_total", "Legs that a conversation refused.", .labels = "why"),
    ROW(playback_bytes, COUNTER, "playback_bytes_total", "Sound sent to the telephone network."),
    ROW(playback_stale, COUNTER, "playback_stale_total",
        "Items of playback that do not count: for another run of this number (epoch), a stream "
        "that is "
        "not open here, a claim that is over, a leg on the move, a loss that was made good.",
        .labels = "why"),
    {0},
};
