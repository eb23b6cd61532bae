#ifndef TL_CONVERSATION_SETTINGS_H
#define TL_CONVERSATION_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** Each field is told in its row, settings.c. */
struct tl_conversation_settings {
    int64_t calls_max;
    int64_t batch_ms;
    int64_t play_ahead_ms;
    int64_t transcript_wait_ms;
    int64_t checkpoint_ms;
    int64_t drain_ms;
};
extern const struct tl_setting tl_conversation_settings[];

struct tl_openai_settings {
    const char *url;
    const char *key;
    const char *organization, *project;
    const char *dialect;
    const char *model;
    const char *transcription_model;
    int64_t connect_timeout_ms;
    int64_t reconnect_deadline_ms;
    int64_t session_max_ms;
    int64_t response_timeout_ms;
    int64_t max_sessions;
    int64_t tokens_per_minute;
    int64_t reserve_pct;
    struct tl_list prices;
};
extern const struct tl_setting tl_openai_settings[];

#endif
