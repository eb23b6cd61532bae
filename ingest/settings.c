/* Settings of ingest: each a row. */
#include "ingest/settings.h"

const struct tl_setting tl_ingest_settings[] = {
    TL_SET_STRING(struct tl_ingest_settings, listen, "ingest.listen", "127.0.0.1:8080",
                  "Address and port of webhooks and media streams; instances on one machine may share "
                  "it."),
    TL_SET_STRING(struct tl_ingest_settings, media_url, "ingest.media_url", "",
                  "URL of the media streams, wss://host/media; empty: public_url with wss and /media."),
    TL_SET_STRING(struct tl_ingest_settings, tls_cert, "ingest.tls_cert", "",
                  "Certificate (PEM) of the listener; empty: plain, behind a proxy that ends TLS."),
    TL_SET_STRING(struct tl_ingest_settings, tls_key, "ingest.tls_key", "",
                  "Private key (PEM) of the certificate."),
    TL_SET_STRING(struct tl_ingest_settings, token_key, "ingest.token_key", "",
                  "Signs the parameters in URLs that come back to us; 16 characters or more, the same "
                  "for every ingest.",
                  .secret = true, .required = true),
    TL_SET_STRING(struct tl_ingest_settings, token_key_previous, "ingest.token_key_previous", "",
                  "A second key that is accepted, while the first one is changed.", .secret = true),
    TL_SET_INT(struct tl_ingest_settings, calls_max, "ingest.calls_max", "1000", 1, 100000,
               "Streams that one instance holds at most."),
    TL_SET_DURATION(struct tl_ingest_settings, batch_ms, "ingest.batch", "4ms", 0, 100,
                    "Sound waits so long at most to share a record with that of other calls."),
    TL_SET_DURATION(struct tl_ingest_settings, backlog_ms, "ingest.backlog", "30s", 1000, 600000,
                    "Sound of each call that is kept while Kafka does not take it; the oldest is "
                    "dropped, and counted, beyond."),
    TL_SET_DURATION(struct tl_ingest_settings, drain_ms, "ingest.drain", "15s", 0, 600000,
                    "How long a draining instance waits for a pause in speech before it closes a "
                    "stream regardless."),
    TL_SET_INT(struct tl_ingest_settings, resumes_per_minute, "ingest.resumes_per_minute", "30", 1,
               1000, "How often a call may come back for a new stream within a minute."),
    {0},
};
