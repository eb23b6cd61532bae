/* Batches of sound on their way to ingests: see outbox.h. */
#include "processors/conversation/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "processors/conversation/conversation.h"

#define ITEMS_MAX 256
#define BYTES_MAX (700u << 10)
#define BOXES_MAX 16 /* ingests with something waiting at once; more flush early */

struct box {
    int ingest;
    int64_t ingest_epoch;
    struct tl_playback_item items[ITEMS_MAX];
    size_t items_n;
};

struct tl_outbox {
    struct tl_conversation *conversation;
    struct tl_producer_topic *playback;
    struct box boxes[BOXES_MAX];
    size_t boxes_n;
    struct tl_arena arena; /* what the items point to */
    struct tl_timer timer;
    struct tl_buf out;
};

static void send_box(struct tl_outbox *outbox, struct box *box)
{
    struct tl_conversation *c = outbox->conversation;
    const struct tl_playback_batch batch = {.producer = c->name,
                                            .conversation = c->number,
                                            .conversation_epoch = tl_fleet_epoch(c->fleet),
                                            .to_epoch = box->ingest_epoch,
                                            .at = tl_now_ms(),
                                            .items = box->items,
                                            .items_n = box->items_n};
    struct tl_error err;

    tl_buf_reset(&outbox->out);
    enum tl_status st = tl_record_encode(tl_fleet_schemas(c->fleet), TL_RECORD_PLAYBACK_BATCH,
                                         &batch, &outbox->out, &err);
    if (st == TL_OK)
        st = tl_producer_send(outbox->playback, box->ingest, (struct tl_bytes){0},
                              (struct tl_bytes){outbox->out.data, outbox->out.len}, NULL, NULL, NULL,
                              &err);
    if (st != TL_OK) /* marks will not come back: the dialog sends again when its stream goes on */
        tl_log_warn(c->log, "playback.not_sent", TL_STR("error", err.msg));
    tl_counter_add(&c->metrics.batches, 1);
    box->items_n = 0;
}

void tl_outbox_flush(struct tl_outbox *outbox)
{
    for (size_t i = 0; i < outbox->boxes_n; i++)
        if (outbox->boxes[i].items_n)
            send_box(outbox, &outbox->boxes[i]);
    outbox->boxes_n = 0;
    tl_arena_reset(&outbox->arena);
}

static void on_flush(void *arg)
{
    tl_outbox_flush(arg);
}

static struct box *box_of(struct tl_outbox *outbox, int ingest, int64_t ingest_epoch)
{
    for (size_t i = 0; i < outbox->boxes_n; i++)
        if (outbox->boxes[i].ingest == ingest && outbox->boxes[i].ingest_epoch == ingest_epoch)
            return &outbox->boxes[i];
    if (outbox->boxes_n == BOXES_MAX)
        tl_outbox_flush(outbox);
    struct box *box = &outbox->boxes[outbox->boxes_n++];
    box->ingest = ingest;
    box->ingest_epoch = ingest_epoch;
    box->items_n = 0;
    return box;
}

void tl_outbox_add(struct tl_outbox *outbox, int ingest, int64_t ingest_epoch,
                   const struct tl_playback_item *item)
{
    if (ingest < 0)
        return; /* telephony gave a call that is over: nobody listens */
    struct box *box = box_of(outbox, ingest, ingest_epoch);
    if (box->items_n == ITEMS_MAX || outbox->arena.used_bytes > BYTES_MAX) {
        tl_outbox_flush(outbox);
        box = box_of(outbox, ingest, ingest_epoch);
    }
    struct tl_playback_item *copy = &box->items[box->items_n++];
    *copy = *item;
    if (item->audio.len) {
        uint8_t *audio = tl_arena_alloc(&outbox->arena, item->audio.len);
        memcpy(audio, item->audio.data, item->audio.len);
        copy->audio.data = audio;
    }
    copy->stream_sid = tl_arena_strdup(&outbox->arena, item->stream_sid);
    copy->text = tl_arena_strdup(&outbox->arena, item->text);
    copy->winner_stream_sid = tl_arena_strdup(&outbox->arena, item->winner_stream_sid);
    if (!tl_timer_is_running(&outbox->timer))
        tl_timer_start(&outbox->timer, outbox->conversation->loop,
                       (uint64_t)outbox->conversation->settings.batch_ms, on_flush, outbox);
}

enum tl_status tl_outbox_create(struct tl_conversation *conversation, struct tl_outbox **ret_outbox,
                                struct tl_error *err)
{
    struct tl_outbox *outbox = calloc(1, sizeof(*outbox));
    if (!outbox)
        abort();
    outbox->conversation = conversation;
    tl_buf_init(&outbox->out, 2u << 20);
    enum tl_status st =
        tl_producer_topic(conversation->producer, "playback.v1", &outbox->playback, err);
    if (st != TL_OK) {
        tl_outbox_destroy(outbox);
        return st;
    }
    *ret_outbox = outbox;
    return TL_OK;
}

void tl_outbox_destroy(struct tl_outbox *outbox)
{
    if (!outbox)
        return;
    tl_timer_finish(&outbox->timer);
    tl_arena_finish(&outbox->arena);
    tl_buf_finish(&outbox->out);
    free(outbox);
}
