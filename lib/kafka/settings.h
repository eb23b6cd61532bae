#ifndef TL_KAFKA_SETTINGS_H
#define TL_KAFKA_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** What the rows of tl_kafka_settings are loaded into. Plain data: a test may fill it by hand after
 *  tl_kafka_settings_default. */
struct tl_kafka_settings {
    const char *brokers;        /* host:port, with commas */
    const char *topic_prefix;   /* "trunkline." */
    int64_t linger_ms;          /* of producers of events */
    int64_t media_linger_ms;    /* of producers of media and playback */
    int64_t message_timeout_ms; /* a record that is not acknowledged by then has failed */
    int64_t queue_max_records;  /* records that a producer holds at most */
    int64_t queue_max_kbytes;
    int64_t fetch_wait_max_ms;       /* how long a broker may hold an empty fetch */
    int64_t fetch_queue_min_records; /* read ahead until this many records wait */
    int64_t fetch_queue_max_kbytes;  /* and no more than this, per consumer */
    int64_t session_timeout_ms;      /* of consumer groups */
    int64_t turn_max_records;        /* records handled in one loop turn, per handle */
    struct tl_list properties;       /* name=value, handed to librdkafka last: TLS, SASL */
};

extern const struct tl_setting tl_kafka_settings[];

/** The defaults of the rows, for tests and tools; strings are static. */
void tl_kafka_settings_default(struct tl_kafka_settings *settings);

#endif
