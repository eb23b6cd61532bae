/* A consumed message as a record. */
#include "kafka/record.h"

#include <librdkafka/rdkafka.h>

#include "kafka/internal.h"

void tl_kafka_record_from(const char *short_topic, const rd_kafka_message_t *message,
                          struct tl_record *ret_record)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);

    *ret_record = (struct tl_record){
        .topic = short_topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
        .message = message,
    };
}

static rd_kafka_headers_t *headers_of(const struct tl_record *record)
{
    rd_kafka_headers_t *headers = NULL;

    if (!record->message || rd_kafka_message_headers(record->message, &headers) != 0)
        return NULL;
    return headers;
}

bool tl_record_header(const struct tl_record *record, const char *name, struct tl_bytes *ret_value)
{
    rd_kafka_headers_t *headers = headers_of(record);
    const void *data;
    size_t len;

    if (!headers || rd_kafka_header_get_last(headers, name, &data, &len) != 0)
        return false;
    *ret_value = (struct tl_bytes){data, len};
    return true;
}

bool tl_record_header_at(const struct tl_record *record, size_t i, const char **ret_name,
                         struct tl_bytes *ret_value)
{
    rd_kafka_headers_t *headers = headers_of(record);
    const void *data;
    size_t len;

    if (!headers || rd_kafka_header_get_all(headers, i, ret_name, &data, &len) != 0)
        return false;
    *ret_value = (struct tl_bytes){data, len};
    return true;
}
