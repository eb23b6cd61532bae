#ifndef TL_CONVERSATION_OPENAI_SPEECH_H
#define TL_CONVERSATION_OPENAI_SPEECH_H

#include "base/log.h"
#include "base/metrics.h"
#include "net/net.h"
#include "processors/conversation/settings.h"
#include "processors/conversation/speech.h"

/** OpenAI Realtime as a speech provider: `self` of the driver. */
struct tl_openai_provider {
    struct tl_net *net;
    const struct tl_log *log;
    const struct tl_openai_settings *settings;
    struct tl_metric_vec *errors; /* code */
    int64_t not_before_ms; /* monotonic: too many requests; no session is opened before */
    int refusals;          /* bursts of them in a row */
    bool must_wait;        /* the provider named that time, and not we */
};

extern const struct tl_speech_driver tl_openai_speech_driver;

#endif
