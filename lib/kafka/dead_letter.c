/* Records that cannot be processed, put aside whole: see dead_letter.h. */
#include "kafka/dead_letter.h"

#include <stdlib.h>
#include <string.h>

#include "avro/dead_letter.h"
#include "base/arena.h"
#include "base/time.h"

#define LETTER_MAX_BYTES (2u << 20) /* the broker's limit for a record is 1 MiB by default */

struct tl_dead_letters {
    struct tl_producer_topic *topic;
    struct tl_schema_set *schemas;
    char *name;
    struct tl_buf buf;
    struct tl_arena arena;
};

enum tl_status tl_dead_letters_create(struct tl_producer *producer, struct tl_schema_set *schemas,
                                      const char *name, struct tl_dead_letters **ret_letters,
                                      struct tl_error *err)
{
    struct tl_producer_topic *topic;
    enum tl_status st =
        tl_producer_topic(producer, tl_record_topic(TL_RECORD_DEAD_LETTER), &topic, err);

    if (st != TL_OK)
        return st;
    struct tl_dead_letters *letters = calloc(1, sizeof(*letters));
    if (!letters)
        abort();
    letters->topic = topic;
    letters->schemas = schemas;
    letters->name = strdup(name);
    tl_buf_init(&letters->buf, LETTER_MAX_BYTES);
    *ret_letters = letters;
    return TL_OK;
}

void tl_dead_letters_destroy(struct tl_dead_letters *letters)
{
    if (!letters)
        return;
    tl_buf_finish(&letters->buf);
    tl_arena_finish(&letters->arena);
    free(letters->name);
    free(letters);
}

static void fill_headers(struct tl_dead_letters *letters, const struct tl_record *record,
                         struct tl_dead_letter *letter)
{
    const char *name;
    struct tl_bytes value;
    size_t n = 0;

    while (tl_record_header_at(record, n, &name, &value))
        n++;
    if (n == 0)
        return;
    letter->headers = tl_arena_alloc(&letters->arena, n * sizeof(*letter->headers));
    letter->headers_n = n;
    for (size_t i = 0; tl_record_header_at(record, i, &name, &value); i++) {
        letter->headers[i].name = name;
        letter->headers[i].value = value;
    }
}

enum tl_status tl_dead_letter_send(struct tl_dead_letters *letters, const struct tl_record *record,
                                   const char *reason, tl_delivery_fn on_delivery, void *arg,
                                   struct tl_error *err)
{
    struct tl_dead_letter letter = {
        .at = tl_now_ms(),
        .producer = letters->name,
        .topic = record->topic,
        .partition = record->partition,
        .offset = record->offset,
        .timestamp = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .reason = reason,
    };

    tl_arena_reset(&letters->arena);
    fill_headers(letters, record, &letter);
    tl_buf_reset(&letters->buf);
    enum tl_status st =
        tl_record_encode(letters->schemas, TL_RECORD_DEAD_LETTER, &letter, &letters->buf, err);
    if (st != TL_OK)
        return st;
    return tl_producer_send(letters->topic, TL_PARTITION_BY_KEY, record->key,
                            (struct tl_bytes){letters->buf.data, letters->buf.len}, NULL,
                            on_delivery, arg, err);
}
