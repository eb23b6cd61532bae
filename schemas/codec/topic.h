#ifndef TL_CODEC_TOPIC_H
#define TL_CODEC_TOPIC_H

#include "codec/types.h"

/** How many partitions a topic has; settings may say otherwise than the default. */
enum tl_topic_partitions {
    TL_PARTITIONS_ONE,       /* 1, always */
    TL_PARTITIONS_CALLS,     /* 12; the same for every topic keyed by call */
    TL_PARTITIONS_MAILBOXES, /* 64 */
};

/** A setting of the topic as the broker knows it: {"retention.ms", "900000"}. */
struct tl_topic_config {
    const char *name;
    const char *value;
};

/** A row of schemas/topics.json. Names are without the prefix (setting kafka.topic_prefix). */
struct tl_topic {
    const char *name;                /* "calls.v1" */
    const struct tl_avro_type *type; /* of its values; type->schema is to be registered */
    const char *key;                 /* what the key is, for people */
    enum tl_topic_partitions partitions;
    int32_t partitions_default;
    int64_t retention_ms; /* -1: for ever */
    bool compacted;
    const struct tl_topic_config *configs; /* all of them, the two above included */
    size_t configs_n;
    const char *written_by;
    const char *read_by;
    const char *description;
};

#endif
