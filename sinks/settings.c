/* Settings of the sinks: each a row. */
#include "sinks/settings.h"

#define S struct tl_sink_settings

const struct tl_setting tl_sink_settings[] = {
    TL_SET_INT(S, records_batch_records, "records.batch_records", "1000", 1, 10000,
               "Events that are stored in one transaction at most."),
    TL_SET_DURATION(S, records_batch_ms, "records.batch", "100ms", 1, 10000,
                    "An event waits so long at most for others to share a transaction with."),
    TL_SET_INT(S, live_batch_records, "live.batch_records", "500", 1, 10000,
               "Events that are brought into Redis in one step at most."),
    TL_SET_DURATION(S, live_batch_ms, "live.batch", "50ms", 1, 10000,
                    "An event waits so long at most for others."),
    TL_SET_DURATION(S, live_expiry_ms, "live.expiry", "4h", 10000, 604800000,
                    "A call of which nothing was heard for so long is not live any more."),
    TL_SET_DURATION(S, live_lookback_ms, "live.lookback", "4h", 60000, 604800000,
                    "How far back to read when Redis has lost its contents."),
    TL_SET_STRING(S, live_prefix, "live.prefix", "trunkline:", "Before every key in Redis."),
    TL_SET_DURATION(S, telephony_lookback_ms, "telephony.lookback", "4h", 60000, 604800000,
                    "How far back calls and commands are read at start: the longest call that can "
                    "still be ended."),
    TL_SET_INT(S, telephony_attempts, "telephony.attempts", "6", 1, 100,
               "Requests that are made for one effect at most."),
    TL_SET_DURATION(S, telephony_request_timeout_ms, "telephony.request_timeout", "10s", 100, 60000,
                    "How long one request may take."),
    TL_SET_DURATION(S, telephony_backoff_ms, "telephony.backoff", "250ms", 10, 60000,
                    "Wait before the second request; doubles with each."),
    TL_SET_DURATION(S, telephony_backoff_max_ms, "telephony.backoff_max", "5s", 10, 600000,
                    "Longest wait between requests, unless the telephone network asks for a longer "
                    "one."),
    TL_SET_INT(S, telephony_requests_max, "telephony.requests_max", "50", 1, 1000,
               "Requests in flight at most."),
    TL_SET_DURATION(S, telephony_end_max_age_ms, "telephony.end_max_age", "10m", 3000, 86400000,
                    "An end that is older when it is read is not carried out any more."),
    TL_SET_DURATION(S, telephony_close_after_ms, "telephony.close_after", "60s", 100, 3600000,
                    "So long after its final state a call is closed for whoever should have closed "
                    "it."),
    TL_SET_DURATION(S, telephony_callback_wait_ms, "telephony.callback_wait", "10s", 100, 3600000,
                    "So long after an end that was carried out its callback may take; then the telephone "
                    "network is asked."),
    TL_SET_BOOL(S, telephony_rescue, "telephony.rescue", "true",
                "Bring calls back whose stream is gone and for which the telephone network does not ask "
                "again by itself."),
    TL_SET_DURATION(S, telephony_rescue_broken_ms, "telephony.rescue_broken", "1s", 0, 600000,
                    "From the end of a stream that nobody asked to end to the first rescue: so long the "
                    "network has to come back by itself."),
    TL_SET_DURATION(S, telephony_rescue_stopped_ms, "telephony.rescue_stopped", "3s", 0, 600000,
                    "The same where the network itself stopped the stream: mostly the call is over, and its "
                    "final state on its way."),
    TL_SET_DURATION(S, telephony_rescue_gone_ms, "telephony.rescue_gone", "250ms", 0, 600000,
                    "The same after presence has decided that the ingest of a call is gone."),
    TL_SET_DURATION(S, telephony_rescue_no_stream_ms, "telephony.rescue_no_stream", "5s", 100, 600000,
                    "The same for a call whose TwiML was given and whose stream did not come."),
    TL_SET_DURATION(S, telephony_rescue_next_ms, "telephony.rescue_next", "1s", 100, 60000,
                    "Without a new stream so long after a rescue the next instance tries; doubles with each "
                    "attempt."),
    TL_SET_DURATION(S, telephony_rescue_next_max_ms, "telephony.rescue_next_max", "30s", 100, 600000,
                    "Longest wait between rescues of a call."),
    TL_SET_INT(S, telephony_rescues_per_minute, "telephony.rescues_per_minute", "10", 1, 1000,
               "Rescues of one call within a minute at most."),
    TL_SET_STRING(S, telephony_language, "telephony.language", "en-US",
                  "Language in which the telephone network speaks a sentence before the end."),
    {0},
};
