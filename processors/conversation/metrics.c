/* Metrics of conversation: each a row. */
#include "processors/conversation/conversation.h"

#define ROW(field, kind, name, help, ...)                                                          \
    TL_METRIC_ROW(struct tl_conversation_metrics, field, kind, "trunkline_conversation_" name,     \
                  help __VA_OPT__(, ) __VA_ARGS__)

const struct tl_metric tl_conversation_metric_rows[] = {
    ROW(calls, GAUGE, "calls", "Calls held now."),
    ROW(ai_sessions, GAUGE, "ai_sessions", "AI sessions open now."),
    ROW(sound_bytes, GAUGE, "sound_bytes", "Sound of the AI that callers have not heard yet."),
    ROW(calls_taken, COUNTER, "calls_taken_total", "Calls taken."),
    ROW(claims, COUNTER, "claims_total", "Legs claimed.", .labels = "cause"),
    ROW(refused, COUNTER, "refused_total", "Legs refused.", .labels = "reason"),
    ROW(lost, COUNTER, "lost_total", "Legs that are not held any more.", .labels = "reason"),
    ROW(ended, COUNTER, "ended_total", "Calls closed here.", .labels = "reason"),
    ROW(frames, COUNTER, "frames_total", "Frames of callers given to the AI."),
    ROW(frames_repeated, COUNTER, "frames_repeated_total", "Items that came twice and were left out."),
    ROW(frames_padded, COUNTER, "frames_padded_total", "Frames of silence put into gaps."),
    ROW(items_recalled, COUNTER, "items_recalled_total",
        "Items of sound read from mailboxes after a take-over or a lost AI session."),
    ROW(events_repeated, COUNTER, "events_repeated_total",
        "Events sent again because their delivery failed."),
    ROW(utterances, COUNTER, "utterances_total", "Finals written.", .labels = "speaker"),
    ROW(drafts, COUNTER, "drafts_total", "Drafts written."),
    ROW(transcripts_failed, COUNTER, "transcripts_failed_total", "Turns without a transcript."),
    ROW(interruptions, COUNTER, "interruptions_total", "Answers cut by barge-in."),
    ROW(ai_errors, COUNTER, "ai_errors_total", "Errors of the AI provider.", .labels = "code"),
    ROW(ai_sessions_ended, COUNTER, "ai_sessions_ended_total", "AI sessions that were lost.",
        .labels = "reason"),
    ROW(ai_renewals, COUNTER, "ai_renewals_total", "AI sessions renewed before their time limit."),
    ROW(ai_connect, HISTOGRAM, "ai_connect_seconds", "From opening an AI session to its being ready.",
        .buckets = &tl_buckets_latency),
    ROW(answer_time, HISTOGRAM, "answer_seconds",
        "From the end of the caller's turn to the first sound of the answer.",
        .buckets = &tl_buckets_latency),
    ROW(take_over, HISTOGRAM, "take_over_seconds",
        "From the gift of a leg that another one held to its being live here.",
        .buckets = &tl_buckets_latency),
    ROW(batches, COUNTER, "batches_total", "Records written to ingests."),
    ROW(stale, COUNTER, "stale_total", "Items that were meant for somebody or something else.",
        .labels = "what"),
    ROW(cost_microusd, COUNTER, "cost_microusd_total",
        "Cost of the AI by the price list, millionths of a US dollar."),
    {0},
};
