/* How long an item takes to encode and decode on the hot path: MediaBatch of 30 frames of 160
 * bytes, PlaybackBatch of 30 pieces of 1600 bytes. Build with the preset release; prints ns per
 * item. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/media_batch.h"
#include "avro/playback_batch.h"
#include "base/time.h"

#define ITEMS 30
#define ROUNDS 20000

static uint8_t sound[1600];

static struct tl_media_batch media(struct tl_media_item *items)
{
    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct tl_media_item){.kind = TL_MEDIA_KIND_FRAME,
                                          .call_id = tl_uuid_v4(),
                                          .number = 1,
                                          .offset = 123456789,
                                          .session = 1,
                                          .n = 1000 + i,
                                          .timestamp_ms = 20000 + 20 * i,
                                          .audio = {sound, 160}};
    return (struct tl_media_batch){.producer = "ingest-0",
                                   .ingest_epoch = 1000,
                                   .to_epoch = 1001,
                                   .at = tl_now_ms(),
                                   .items = items,
                                   .items_n = ITEMS};
}

static struct tl_playback_batch playback(struct tl_playback_item *items)
{
    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct tl_playback_item){.kind = TL_PLAYBACK_KIND_AUDIO,
                                             .call_id = tl_uuid_v4(),
                                             .number = 1,
                                             .offset = 123456789,
                                             .session = 1,
                                             .stream_sid = "MZ0123456789abcdef0123456789abcdef",
                                             .audio = {sound, 1600},
                                             .checkpoint_offset = -1};
    return (struct tl_playback_batch){.producer = "conversation-0",
                                      .conversation_epoch = 1000,
                                      .to_epoch = 1001,
                                      .at = tl_now_ms(),
                                      .items = items,
                                      .items_n = ITEMS};
}

static void report(const char *what, int64_t started_us)
{
    printf("%-28s %6.1f ns an item\n", what,
           (double)(tl_mono_us() - started_us) * 1000 / ROUNDS / ITEMS);
}

static void need(enum tl_status st, const struct tl_error *err)
{
    if (st == TL_OK)
        return;
    (void)fprintf(stderr, "%s\n", err->msg);
    exit(1);
}

static void measure(const struct tl_avro_type *type, const void *record, void *got)
{
    struct tl_avro_writer *writer;
    struct tl_arena arena = {0};
    struct tl_error err;
    struct tl_buf out;
    char what[64];

    tl_buf_init(&out, 1 << 20);
    int64_t at = tl_mono_us();
    for (int i = 0; i < ROUNDS; i++) {
        tl_buf_reset(&out);
        need(tl_avro_encode(type, record, &out, &err), &err);
    }
    (void)snprintf(what, sizeof(what), "%s encode", type->name);
    report(what, at);

    at = tl_mono_us();
    for (int i = 0; i < ROUNDS; i++) {
        tl_arena_reset(&arena);
        need(tl_avro_decode(type, (struct tl_bytes){out.data, out.len}, &arena, got, &err), &err);
    }
    (void)snprintf(what, sizeof(what), "%s decode", type->name);
    report(what, at);

    need(tl_avro_writer_create(type->schema, type->schema_len, &writer, &err), &err);
    at = tl_mono_us();
    for (int i = 0; i < ROUNDS; i++) {
        struct tl_bytes datum = {out.data, out.len};
        tl_arena_reset(&arena);
        need(tl_avro_decode_resolved(type, writer, datum, &arena, got, &err), &err);
    }
    (void)snprintf(what, sizeof(what), "%s resolved", type->name);
    report(what, at);
    tl_avro_writer_destroy(writer);
    tl_arena_finish(&arena);
    tl_buf_finish(&out);
}

int main(void)
{
    struct tl_media_item media_items[ITEMS];
    struct tl_playback_item playback_items[ITEMS];
    struct tl_media_batch m = media(media_items), m_got;
    struct tl_playback_batch p = playback(playback_items), p_got;

    measure(&tl_media_batch_type, &m, &m_got);
    measure(&tl_playback_batch_type, &p, &p_got);
    return 0;
}
