/* Settings of everything that talks to Kafka. */
#include "kafka/settings.h"

#define S struct tl_kafka_settings

const struct tl_setting tl_kafka_settings[] = {
    TL_SET_STRING(S, brokers, "kafka.brokers", "127.0.0.1:9092",
                  "Bootstrap servers, host:port, separated by commas.", .env = "KAFKA_BROKERS",
                  .required = true),
    TL_SET_STRING(S, topic_prefix, "kafka.topic_prefix", "trunkline.",
                  "Put before the name of every topic and consumer group."),
    TL_SET_INT(S, linger_ms, "kafka.linger_ms", "1", 1, 1000,
               "Milliseconds that a producer of events gathers records for a batch."),
    TL_SET_INT(S, media_linger_ms, "kafka.media_linger_ms", "1", 1, 1000,
               "Milliseconds that a producer of sound gathers records for a batch."),
    TL_SET_DURATION(S, message_timeout_ms, "kafka.message_timeout", "60s", 1000, 900000,
                    "A record that the brokers have not acknowledged by then has failed."),
    TL_SET_INT(S, queue_max_records, "kafka.queue_max_records", "100000", 1000, 10000000,
               "Records that wait in a producer at most."),
    TL_SET_INT(S, queue_max_kbytes, "kafka.queue_max_kbytes", "262144", 1024, 2097151,
               "KiB that wait in a producer at most."),
    TL_SET_DURATION(S, fetch_wait_max_ms, "kafka.fetch_wait_max", "500ms", 1, 60000,
                    "How long a broker may hold a fetch for which there is nothing."),
    TL_SET_INT(S, fetch_queue_min_records, "kafka.fetch_queue_min_records", "100000", 100, 10000000,
               "Records that a consumer reads ahead."),
    TL_SET_INT(S, fetch_queue_max_kbytes, "kafka.fetch_queue_max_kbytes", "65536", 1024, 2097151,
               "KiB that a consumer reads ahead at most."),
    TL_SET_DURATION(S, session_timeout_ms, "kafka.session_timeout", "10s", 6000, 1800000,
                    "A member of a consumer group that is not heard of for so long is replaced."),
    TL_SET_INT(S, turn_max_records, "kafka.turn_max_records", "500", 1, 100000,
               "Records that one reader handles before sockets get their turn."),
    TL_SET_LIST(S, properties, "kafka.properties", "",
                "Further properties of librdkafka, name=value: TLS, SASL and so on.",
                .secret = true),
    {0},
};
