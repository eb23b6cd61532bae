#ifndef TL_SINKS_SETTINGS_H
#define TL_SINKS_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** Each field is told in its row, settings.c. */
struct tl_sink_settings {
    int64_t records_batch_records, records_batch_ms;
    int64_t live_batch_records, live_batch_ms, live_expiry_ms, live_lookback_ms;
    const char *live_prefix;
    int64_t telephony_lookback_ms, telephony_attempts, telephony_request_timeout_ms;
    int64_t telephony_backoff_ms, telephony_backoff_max_ms, telephony_requests_max;
    int64_t telephony_end_max_age_ms, telephony_close_after_ms, telephony_callback_wait_ms;
    bool telephony_rescue;
    int64_t telephony_rescue_broken_ms, telephony_rescue_stopped_ms, telephony_rescue_gone_ms;
    int64_t telephony_rescue_no_stream_ms, telephony_rescue_next_ms, telephony_rescue_next_max_ms;
    int64_t telephony_rescues_per_minute;
    const char *telephony_language;
};
extern const struct tl_setting tl_sink_settings[];

#endif
