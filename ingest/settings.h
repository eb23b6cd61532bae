#ifndef TL_INGEST_SETTINGS_H
#define TL_INGEST_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** Each field is told in its row, settings.c. */
struct tl_ingest_settings {
    const char *listen;
    const char *media_url;
    const char *tls_cert, *tls_key;
    const char *token_key, *token_key_previous;
    int64_t calls_max;
    int64_t batch_ms;
    int64_t backlog_ms;
    int64_t drain_ms;
    int64_t resumes_per_minute;
};
extern const struct tl_setting tl_ingest_settings[];

#endif
