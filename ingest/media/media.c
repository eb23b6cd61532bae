/* Between sockets and mailboxes: batches of what callers say, one record a conversation and turn;
 * the own mailbox with what they are to hear; watching over the legs. */
#include "ingest/media/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/call_command.h"
#include "base/time.h"
#include "call/call_id.h"
#include "crypto/hash.h"
#include "ingest/media/media_internal.h"

#define CHECK_MS 250
#define STREAM_SILENT_MS 2000 /* no frame for so long: the stream is dead */
#define START_WAIT_MS 10000
#define STUCK_MS 100 /* Kafka takes nothing: try again so much later */
#define BATCH_ITEMS_MAX 512
#define RECORD_BYTES_MAX (900u << 10)
#define PROMISE_MS 1500 /* from the document to the stream; it may have come to another ingest */
#define GIVEN_MS 500    /* until the heartbeat of its conversation counts it */

/* ---- into the mailboxes ---- */

/* What a batch holds of one leg. */
struct batch_part {
    struct tl_leg *leg;
    unsigned generation;
    int64_t n; /* newest */
};

struct batch {
    size_t parts_n;
    struct batch_part parts[];
};

static void on_batch(void *arg, const struct tl_delivery *delivery)
{
    struct batch *batch = arg;

    for (size_t i = 0; i < batch->parts_n; i++)
        tl_leg_on_batch(batch->parts[i].leg, batch->parts[i].generation, batch->parts[i].n,
                        delivery->status == TL_OK, delivery->offset);
    free(batch);
}

static struct tl_media_batch batch_header(struct tl_media *media, int64_t to_epoch)
{
    struct tl_ingest *ingest = media->ingest;

    return (struct tl_media_batch){.producer = ingest->name,
                                   .ingest = ingest->number,
                                   .ingest_epoch = tl_fleet_epoch(ingest->fleet),
                                   .to_epoch = to_epoch,
                                   .at = tl_now_ms()};
}

static enum tl_status send_batch(struct tl_media *media, int mailbox,
                                 const struct tl_media_batch *batch, tl_delivery_fn on_delivery,
                                 void *arg, struct tl_error *err)
{
    tl_buf_reset(&media->out);
    enum tl_status st = tl_record_encode(tl_fleet_schemas(media->ingest->fleet),
                                         TL_RECORD_MEDIA_BATCH, batch, &media->out, err);
    if (st != TL_OK)
        return st;
    tl_counter_add(&media->ingest->metrics.batches, 1);
    return tl_producer_send(media->mailboxes, mailbox, (struct tl_bytes){0},
                            (struct tl_bytes){media->out.data, media->out.len}, NULL, on_delivery,
                            arg, err);
}

enum tl_status tl_media_send_item(struct tl_media *media, int mailbox, int64_t epoch,
                                  const struct tl_media_item *item, tl_delivery_fn on_delivery,
                                  void *arg, struct tl_error *err)
{
    struct tl_media_batch batch = batch_header(media, epoch);

    batch.items = (struct tl_media_item *)item;
    batch.items_n = 1;
    return send_batch(media, mailbox, &batch, on_delivery, arg, err);
}

static struct tl_media_item to_item(const struct tl_leg *leg, const struct tl_backlog_item *from)
{
    struct tl_media_item item = {.kind = (enum tl_media_kind)from->kind,
                                 .call_id = leg->call_uuid,
                                 .number = leg->number,
                                 .offset = leg->offset,
                                 .session = leg->session,
                                 .n = from->n,
                                 .timestamp_ms = from->timestamp_ms};
    if (from->kind == TL_MEDIA_KIND_FRAME)
        item.audio = (struct tl_bytes){(const uint8_t *)from->data, from->len};
    else
        item.text = from->data;
    return item;
}

/* A leg that is not live has nothing to send: what would come before its STARTED is lost. */
static bool has_unsent(const struct tl_leg *leg)
{
    return leg->stage == TL_LEG_LIVE && leg->conversation >= 0 && !leg->has_failed &&
           leg->backlog.sent < leg->backlog.len;
}

/* One batch for a mailbox out of all dirty legs that are given to it; those are clean then, or have
 * more than fits and stay. False: Kafka takes nothing now. */
static bool flush_mailbox(struct tl_media *media, int mailbox, int64_t epoch)
{
    static struct tl_media_item items[BATCH_ITEMS_MAX]; /* the loop thread's only */
    struct tl_media_batch record = batch_header(media, epoch);
    struct batch *batch;
    size_t legs_n = 0;
    struct tl_error err;

    for (struct tl_leg *leg = media->dirty; leg; leg = leg->next_dirty)
        legs_n++;
    batch = malloc(sizeof(*batch) + legs_n * sizeof(batch->parts[0]));
    if (!batch)
        abort();
    batch->parts_n = 0;
    record.items = items;
    for (struct tl_leg *leg = media->dirty; leg && record.items_n < BATCH_ITEMS_MAX;
         leg = leg->next_dirty) {
        struct tl_backlog *b = &leg->backlog;
        if (leg->conversation != mailbox || leg->conversation_epoch != epoch || !has_unsent(leg))
            continue;
        size_t n = 0;
        while (b->sent + n < b->len && record.items_n < BATCH_ITEMS_MAX)
            items[record.items_n++] = to_item(leg, tl_backlog_at(b, b->sent + n++));
        batch->parts[batch->parts_n++] = (struct batch_part){
            .leg = leg, .generation = leg->generation, .n = items[record.items_n - 1].n};
    }
    if (send_batch(media, mailbox, &record, on_batch, batch, &err) != TL_OK) {
        tl_log_debug(media->ingest->log, "media.batch_not_sent", TL_STR("error", err.msg));
        free(batch); /* the items stay unsent; a later flush tries again */
        return false;
    }
    for (size_t i = 0; i < batch->parts_n; i++) {
        struct tl_leg *leg = batch->parts[i].leg;
        size_t n = 0;
        while (leg->backlog.sent + n < leg->backlog.len &&
               tl_backlog_at(&leg->backlog, leg->backlog.sent + n)->n <= batch->parts[i].n)
            n++;
        tl_backlog_mark_sent(&leg->backlog, n);
        leg->refs++;
        leg->in_flight++;
    }
    return true;
}

static void on_flush(void *arg)
{
    struct tl_media *media = arg;
    struct tl_leg *leg;

    media->is_stuck = false;
    for (leg = media->dirty; leg && !media->is_stuck; leg = leg->next_dirty)
        if (has_unsent(leg))
            media->is_stuck = !flush_mailbox(media, leg->conversation, leg->conversation_epoch);
    struct tl_leg *dirty = media->dirty;
    media->dirty = NULL;
    while (dirty) { /* what could not be sent stays dirty */
        leg = dirty;
        dirty = leg->next_dirty;
        leg->dirty = false;
        leg->next_dirty = NULL;
        if (has_unsent(leg))
            tl_media_touch(media, leg);
    }
}

void tl_media_touch(struct tl_media *media, struct tl_leg *leg)
{
    if (leg->dirty)
        return;
    leg->dirty = true;
    leg->next_dirty = media->dirty;
    media->dirty = leg;
    if (!tl_timer_is_running(&media->flush_timer))
        tl_timer_start(&media->flush_timer, media->ingest->loop,
                       media->is_stuck ? STUCK_MS : (uint64_t)media->ingest->settings.batch_ms,
                       on_flush, media);
}

void tl_media_forget(struct tl_media *media, struct tl_leg *leg)
{
    struct tl_leg **p;

    if (leg->stream_sid[0])
        HASH_DEL(media->by_stream, leg);
    for (p = &media->legs; *p && *p != leg; p = &(*p)->next)
        ;
    if (*p)
        *p = leg->next;
    for (p = &media->dirty; *p && *p != leg; p = &(*p)->next_dirty)
        ;
    if (*p)
        *p = leg->next_dirty;
}

void tl_media_end_call(struct tl_media *media, const struct tl_leg *leg, const char *reason,
                       const char *sentence)
{
    char id[TL_UUID_TEXT_LEN + 1];
    char source[160];
    (void)snprintf(source, sizeof(source), "%s|%s", leg->stream_sid, reason);
    struct tl_uuid uuid =
        tl_event_id_derive(source, "ingest", "commands.v1", 0); /* once a stream */
    struct tl_end_call end = {.reason = reason, .sentence = sentence};
    struct tl_call_command command = {.command_id = id,
                                      .call_id = leg->call_id,
                                      .business_id = leg->link.business_id,
                                      .at = tl_now_ms(),
                                      .by = media->ingest->name,
                                      .end = &end};
    struct tl_error err;

    tl_uuid_format(&uuid, id);
    tl_buf_reset(&media->out);
    if (tl_record_encode(tl_fleet_schemas(media->ingest->fleet), TL_RECORD_CALL_COMMAND, &command,
                         &media->out, &err) != TL_OK ||
        tl_producer_send(media->commands, TL_PARTITION_BY_KEY,
                         (struct tl_bytes){(const uint8_t *)leg->call_id, strlen(leg->call_id)},
                         (struct tl_bytes){media->out.data, media->out.len}, NULL, NULL, NULL,
                         &err) != TL_OK)
        tl_log_error(media->ingest->log, "command.not_sent", TL_STR("call_id", leg->call_id),
                     TL_STR("error", err.msg));
}

/* ---- out of the own mailbox ---- */

/* An item for a call whose sender, which does not hold it, knows no stream: for each of its streams
 * here. Its claim tells them whom it concerns. */
static size_t play_by_call(struct tl_media *media, const struct tl_playback_batch *batch,
                           const struct tl_playback_item *item)
{
    size_t n = 0;

    for (struct tl_leg *leg = media->legs, *next; leg; leg = next) {
        next = leg->next;
        if (leg->stream_sid[0] && tl_uuid_equal(&leg->call_uuid, &item->call_id)) {
            tl_leg_on_playback(leg, item, batch->conversation, batch->conversation_epoch);
            n++;
        }
    }
    return n;
}

static void play_item(struct tl_media *media, const struct tl_playback_batch *batch,
                      const struct tl_playback_item *item)
{
    struct tl_leg *leg = NULL;

    if (item->kind == TL_PLAYBACK_KIND_MOVED) {
        const struct tl_claim claim = {
            .number = item->number, .offset = item->offset, .session = item->session};
        tl_whereabouts_put(media->whereabouts, &item->call_id, &claim, batch->conversation,
                           batch->conversation_epoch);
        return;
    }
    if (*item->stream_sid)
        HASH_FIND_STR(media->by_stream, item->stream_sid, leg);
    if (leg)
        tl_leg_on_playback(leg, item, batch->conversation, batch->conversation_epoch);
    else if (*item->stream_sid || !play_by_call(media, batch, item))
        tl_counter_add(tl_counter_of(&media->ingest->metrics.playback_stale, "stream"), 1);
}

static void on_playback(void *arg, const struct tl_record *record)
{
    struct tl_media *media = arg;
    struct tl_ingest *ingest = media->ingest;
    struct tl_playback_batch batch;
    struct tl_error err;

    media->mailbox_offset_read = record->offset + 1;
    tl_arena_reset(&media->arena);
    if (tl_record_decode(tl_fleet_schemas(ingest->fleet), TL_RECORD_PLAYBACK_BATCH, record->value,
                         &media->arena, &batch, &err) != TL_OK) {
        tl_counter_add(tl_counter_of(&ingest->metrics.messages_invalid, "mailbox"), 1);
        tl_log_warn(ingest->log, "mailbox.unreadable, skipped", TL_INT("offset", record->offset),
                    TL_STR("error", err.msg));
        return;
    }
    if (batch.to_epoch != tl_fleet_epoch(ingest->fleet)) {
        tl_counter_add(tl_counter_of(&ingest->metrics.playback_stale, "epoch"), batch.items_n);
        return;
    }
    for (size_t i = 0; i < batch.items_n; i++)
        play_item(media, &batch, &batch.items[i]);
}

/* ---- watching ---- */

/* At a pause, while somebody else can take the call; regardless when the time is over. */
static bool may_close(struct tl_media *media, const struct tl_leg *leg, int64_t now)
{
    return now - media->drain_began_ms > media->ingest->settings.drain_ms ||
           (tl_leg_is_pausing(leg, now) && !tl_ingest_leaves_alone(media->ingest));
}

static void check_leg(struct tl_media *media, struct tl_leg *leg, int64_t now)
{
    if (leg->stopped)
        tl_leg_check_gift(leg, now); /* what was said last may still have to be given */
    if (!leg->ws)
        return;
    if (leg->stage == TL_LEG_WAIT_START) {
        if (now - leg->opened_ms > START_WAIT_MS)
            tl_ws_close(leg->ws, 1008, "no start");
        return;
    }
    if (now - leg->last_frame_ms > STREAM_SILENT_MS && !leg->ended) {
        tl_leg_end(leg, "silent");
        return;
    }
    tl_leg_check_gift(leg, now);
    if (media->drain_began_ms && !leg->ended && may_close(media, leg, now))
        tl_leg_end(leg, "drained");
}

static void on_check(void *arg)
{
    struct tl_media *media = arg;
    int64_t now = tl_mono_ms();

    tl_promises_expire(&media->promises, tl_fleet_view(media->ingest->fleet), now);
    for (struct tl_leg *leg = media->legs, *next; leg; leg = next) {
        next = leg->next;
        check_leg(media, leg, now);
    }
}

void tl_media_on_change(struct tl_media *media)
{
    int64_t now = tl_mono_ms();

    for (struct tl_leg *leg = media->legs, *next; leg; leg = next) {
        next = leg->next;
        tl_leg_check_gift(leg, now);
    }
}

void tl_media_drain(struct tl_media *media)
{
    media->drain_began_ms = tl_mono_ms();
}

bool tl_media_is_empty(const struct tl_media *media)
{
    return !media->legs;
}

/* ---- calls on their way ---- */

int tl_media_choose(struct tl_media *media, const char *call_sid, int not_number)
{
    struct tl_presence_view *view = tl_fleet_view(media->ingest->fleet);
    uint64_t random;

    tl_random_bytes(&random, sizeof(random));
    const struct tl_peer *peer =
        tl_presence_choose(view, TL_INSTANCE_KIND_CONVERSATION, call_sid, random, not_number);
    if (!peer)
        return -1;
    tl_promises_add(&media->promises, view, call_sid, peer->number, tl_mono_ms() + PROMISE_MS);
    return peer->number;
}

void tl_media_given(struct tl_media *media, const struct tl_leg *leg)
{
    tl_promises_add(&media->promises, tl_fleet_view(media->ingest->fleet), leg->link.call_sid,
                    leg->conversation, tl_mono_ms() + GIVEN_MS);
}

void tl_media_moved(struct tl_media *media, const struct tl_leg *leg)
{
    struct tl_ingest *ingest = media->ingest;
    const struct tl_presence_view *view = tl_fleet_view(ingest->fleet);
    const struct tl_claim claim = {
        .number = leg->number, .offset = leg->offset, .session = leg->session};
    struct tl_playback_item item = {.kind = TL_PLAYBACK_KIND_MOVED,
                                    .call_id = leg->call_uuid,
                                    .number = leg->number,
                                    .offset = leg->offset,
                                    .session = leg->session,
                                    .stream_sid = "",
                                    .checkpoint_offset = -1};
    struct tl_playback_batch batch = {.producer = ingest->name,
                                      .conversation = leg->conversation,
                                      .conversation_epoch = leg->conversation_epoch,
                                      .at = tl_now_ms(),
                                      .items = &item,
                                      .items_n = 1};
    struct tl_error err;

    tl_whereabouts_put(media->whereabouts, &leg->call_uuid, &claim, leg->conversation,
                       leg->conversation_epoch);
    for (size_t i = 0; i < view->peers_n; i++) {
        const struct tl_peer *p = &view->peers[i];
        if (p->kind != TL_INSTANCE_KIND_INGEST || p->gone || p->number == ingest->number)
            continue;
        batch.to_epoch = p->epoch;
        tl_buf_reset(&media->out);
        if (tl_record_encode(tl_fleet_schemas(ingest->fleet), TL_RECORD_PLAYBACK_BATCH, &batch,
                             &media->out, &err) != TL_OK ||
            tl_producer_send(media->playback, p->number, (struct tl_bytes){0},
                             (struct tl_bytes){media->out.data, media->out.len}, NULL, NULL, NULL,
                             &err) != TL_OK) /* its URL's conversation will do then */
            tl_log_debug(ingest->log, "media.move_not_told", TL_STR("call_id", leg->call_id),
                         TL_STR("error", err.msg));
    }
}

int tl_media_number_of(const struct tl_media *media, const char *call_sid)
{
    const struct tl_uuid call_id = tl_call_id_of_sid(call_sid);
    int conversation, number;
    int64_t epoch;

    return tl_whereabouts_get(media->whereabouts, &call_id, &conversation, &epoch, &number) ? number
                                                                                            : 0;
}

bool tl_media_is_full(const struct tl_media *media)
{
    return media->streams + (int64_t)media->promises.n >= media->ingest->settings.calls_max;
}

void tl_media_ended(struct tl_media *media, const struct tl_leg *leg)
{
    struct tl_media_ended *ended = &media->ended[media->ended_next++ % TL_MEDIA_ENDED_MAX];

    (void)snprintf(ended->call_sid, sizeof(ended->call_sid), "%s", leg->link.call_sid);
    ended->last_frame_ms = leg->frames ? tl_now_ms() - (tl_mono_ms() - leg->last_frame_ms) : 0;
}

int64_t tl_media_last_frame(const struct tl_media *media, const char *call_sid,
                            const char *not_stream)
{
    int64_t newest_ms = 0, to_wall_ms = tl_now_ms() - tl_mono_ms();

    for (size_t i = 0; i < TL_MEDIA_ENDED_MAX; i++)
        if (strcmp(media->ended[i].call_sid, call_sid) == 0 &&
            media->ended[i].last_frame_ms > newest_ms)
            newest_ms = media->ended[i].last_frame_ms;
    for (const struct tl_leg *leg = media->legs; leg; leg = leg->next)
        if (leg->frames && strcmp(leg->link.call_sid, call_sid) == 0 &&
            strcmp(leg->stream_sid, not_stream) != 0 && leg->last_frame_ms + to_wall_ms > newest_ms)
            newest_ms = leg->last_frame_ms + to_wall_ms;
    return newest_ms;
}

int64_t tl_media_streams(const struct tl_media *media)
{
    return media->streams;
}

void tl_media_fill(struct tl_media *media, struct tl_presence *own)
{
    own->calls_held = (int32_t)media->streams;
    own->capacity = (int32_t)media->ingest->settings.calls_max;
    own->calls_promised = (int32_t)media->promises.n;
    own->draining = media->ingest->draining;
    own->mailbox_offset_read = media->mailbox_offset_read;
}

static void on_collect(void *arg)
{
    struct tl_media *media = arg;
    struct tl_ingest_metrics *metrics = &media->ingest->metrics;
    size_t bytes = 0, most = 0;

    for (const struct tl_leg *leg = media->legs; leg; leg = leg->next) {
        bytes += leg->backlog.cap * sizeof(*leg->backlog.items);
        most = leg->backlog.len > most ? leg->backlog.len : most;
    }
    tl_gauge_set(&metrics->backlog_bytes, (int64_t)bytes);
    tl_gauge_set(&metrics->backlog_time, (int64_t)most * 20000);
    tl_gauge_set(&metrics->promises, (int64_t)media->promises.n);
}

/* ---- life ---- */

void tl_media_on_upgrade(void *arg, const struct tl_http_request *request,
                         struct tl_ws_accept *accept)
{
    struct tl_media *media = arg;
    struct tl_ingest *ingest = media->ingest;
    char reason[64];

    if (strcmp(tl_http_request_path(request), "/media") != 0) {
        accept->status = 404;
        return;
    }
    if (!tl_ingest_is_signed(ingest, request, ingest->settings.media_url, NULL)) {
        accept->status = 403;
        return;
    }
    if (ingest->draining || !tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason))) {
        accept->status = 503;
        return;
    }
    struct tl_leg *leg = tl_leg_create(media);
    leg->ws = accept->ws;
    accept->accepted = true;
    accept->subprotocol = "audio.twilio.com";
    accept->callbacks = &tl_leg_callbacks;
    accept->arg = leg;
    accept->limits = (struct tl_ws_limits){.queue_bytes = 2u << 20, .message_bytes = 64u << 10};
}

enum tl_status tl_media_start(struct tl_media *media, struct tl_error *err)
{
    struct tl_ingest *ingest = media->ingest;
    struct tl_tail_start start = {.from = TL_FROM_TIME, .at = tl_now_ms() - 1000};

    tl_timer_repeat(&media->check_timer, ingest->loop, CHECK_MS, on_check, media);
    return tl_tail_add(media->tail, "playback.v1", ingest->number, start, err);
}

enum tl_status tl_media_create(struct tl_ingest *ingest, struct tl_media **ret_media,
                               struct tl_error *err)
{
    struct tl_media *media = calloc(1, sizeof(*media));
    if (!media)
        abort();
    media->ingest = ingest;
    media->mailbox_offset_read = -1;
    media->whereabouts = tl_whereabouts_create();
    tl_buf_init(&media->out, RECORD_BYTES_MAX);
    tl_buf_init(&media->frame, RECORD_BYTES_MAX);
    struct tl_kafka *kafka = tl_fleet_kafka(ingest->fleet);
    const struct tl_producer_options producer = {.name = "media",
                                                 .linger_ms = ingest->kafka.media_linger_ms};
    const struct tl_tail_options tail = {.name = "mailbox", .on_record = on_playback, .arg = media};
    enum tl_status st = tl_producer_create(kafka, &producer, &media->producer, err);
    if (st == TL_OK)
        st = tl_producer_topic(media->producer, "media.v1", &media->mailboxes, err);
    if (st == TL_OK)
        st = tl_producer_topic(media->producer, "playback.v1", &media->playback, err);
    if (st == TL_OK)
        st =
            tl_producer_topic(tl_fleet_events(ingest->fleet), "commands.v1", &media->commands, err);
    if (st == TL_OK)
        st = tl_tail_create(kafka, &tail, &media->tail, err);
    if (st != TL_OK) {
        tl_media_destroy(media);
        return st;
    }
    tl_metrics_on_collect(ingest->registry_of_metrics, on_collect, media);
    *ret_media = media;
    return TL_OK;
}

void tl_media_destroy(struct tl_media *media)
{
    if (!media)
        return;
    media->is_leaving = true;
    tl_timer_finish(&media->check_timer);
    tl_tail_destroy(media->tail);
    tl_producer_destroy(media->producer, 2000); /* deliveries release the legs that wait for them */
    tl_timer_finish(&media->flush_timer);       /* now: those that failed have started it again */
    while (media->legs) {
        struct tl_leg *leg = media->legs;
        if (leg->ws) {
            tl_ws_set_arg(leg->ws, NULL);
            tl_ws_abort(leg->ws);
        }
        tl_media_forget(media, leg);
        tl_leg_orphan(leg);
    }
    tl_promises_finish(&media->promises);
    tl_whereabouts_destroy(media->whereabouts);
    tl_arena_finish(&media->arena);
    tl_buf_finish(&media->out);
    tl_buf_finish(&media->frame);
    free(media);
}
