/* The process around the dialogs: mailbox in, sound out, presence, draining. */
#include "processors/conversation/conversation.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "processors/conversation/closing.h"
#include "processors/conversation/dialog.h"
#include "processors/conversation/outbox.h"

#define TICK_MS 100

/* ---- the mailbox ---- */

static void take_item(struct tl_conversation *self, const struct tl_media_batch *batch,
                      const struct tl_media_item *item, int64_t offset)
{
    struct tl_dialog *d;

    if (item->kind == TL_MEDIA_KIND_STARTED && item->started) {
        tl_dialog_on_started(self, batch, item, offset);
        return;
    }
    HASH_FIND(hh, self->dialogs, &item->call_id, sizeof(item->call_id), d);
    if (d)
        tl_dialog_on_item(d, batch, item, offset);
    else
        tl_dialog_on_stranger(self, batch, item);
}

static void on_mailbox(void *arg, const struct tl_record *record)
{
    struct tl_conversation *self = arg;
    struct tl_media_batch batch;
    struct tl_error err;

    self->mailbox_offset_read = record->offset + 1;
    tl_arena_reset(&self->arena);
    if (tl_record_decode(tl_fleet_schemas(self->fleet), TL_RECORD_MEDIA_BATCH, record->value,
                         &self->arena, &batch, &err) != TL_OK) {
        tl_counter_add(tl_counter_of(&self->metrics.stale, "unreadable"), 1);
        tl_log_warn(self->log, "mailbox.unreadable, skipped", TL_INT("offset", record->offset),
                    TL_STR("error", err.msg));
        return;
    }
    if (batch.to_epoch != tl_fleet_epoch(self->fleet)) {
        tl_counter_add(tl_counter_of(&self->metrics.stale, "epoch"), 1);
        return;
    }
    for (size_t i = 0; i < batch.items_n; i++)
        take_item(self, &batch, &batch.items[i], record->offset);
}

const struct tl_media_batch *tl_conversation_recalled(struct tl_conversation *self,
                                                      const struct tl_record *record)
{
    struct tl_error err;

    if (self->recalled_mailbox == record->partition && self->recalled_offset == record->offset)
        return &self->recalled;
    tl_arena_reset(&self->recalled_arena);
    self->recalled_offset = -1;
    if (tl_record_decode(tl_fleet_schemas(self->fleet), TL_RECORD_MEDIA_BATCH, record->value,
                         &self->recalled_arena, &self->recalled, &err) != TL_OK)
        return NULL;
    /* the sound would go with the record: keep it as long as the rest */
    for (size_t i = 0; i < self->recalled.items_n; i++) {
        struct tl_bytes *audio = &self->recalled.items[i].audio;
        uint8_t *copy = audio->len ? tl_arena_alloc(&self->recalled_arena, audio->len) : NULL;
        if (copy)
            audio->data = memcpy(copy, audio->data, audio->len);
    }
    self->recalled_mailbox = record->partition;
    self->recalled_offset = record->offset;
    return &self->recalled;
}

enum tl_status tl_conversation_send_item(struct tl_conversation *self, int mailbox, int64_t epoch,
                                         const struct tl_media_item *item,
                                         tl_delivery_fn on_delivery, void *arg,
                                         struct tl_error *err)
{
    const struct tl_media_batch batch = {.producer = self->name,
                                         .ingest = -1,
                                         .ingest_epoch = -1,
                                         .to_epoch = epoch,
                                         .at = tl_now_ms(),
                                         .items = (struct tl_media_item *)item,
                                         .items_n = 1};

    tl_buf_reset(&self->out);
    enum tl_status st = tl_record_encode(tl_fleet_schemas(self->fleet), TL_RECORD_MEDIA_BATCH,
                                         &batch, &self->out, err);
    return st == TL_OK ? tl_producer_send(self->mailboxes, mailbox, (struct tl_bytes){0},
                                          (struct tl_bytes){self->out.data, self->out.len}, NULL,
                                          on_delivery, arg, err)
                       : st;
}

/* ---- time ---- */

static void count_tokens(struct tl_conversation *self, int64_t now_ms)
{
    if (now_ms - self->tokens_since_ms < 60000)
        return;
    self->tokens_last_minute = self->tokens_minute;
    self->tokens_minute = 0;
    self->tokens_since_ms = now_ms;
}

static void on_tick(void *arg)
{
    struct tl_conversation *self = arg;
    struct tl_dialog *d, *tmp;
    int64_t now_ms = tl_mono_ms();

    HASH_ITER (hh, self->dialogs, d, tmp)
        tl_dialog_tick(d, now_ms);
    count_tokens(self, now_ms);
    bool is_empty = !self->dialogs && !tl_stories_pending(tl_fleet_stories(self->fleet));
    if (self->draining &&
        (is_empty || now_ms - self->drain_began_ms > self->settings.drain_ms) &&
        self->on_drained) {
        void (*on_done)(void *) = self->on_drained;
        self->on_drained = NULL;
        on_done(self->drained_arg);
    }
}

int tl_conversation_calls(const struct tl_conversation *self)
{
    const struct tl_dialog *d;
    int n = 0;

    for (d = self->dialogs; d; d = d->hh.next)
        n += d->stage != TL_DIALOG_ENDING; /* what is over takes no room */
    return n;
}

static int64_t tokens_used(const struct tl_conversation *self)
{
    return self->tokens_last_minute > self->tokens_minute ? self->tokens_last_minute
                                                          : self->tokens_minute;
}

static struct tl_governor_share share_of_ai(const struct tl_conversation *self)
{
    const struct tl_governor_limits limits = {.max_sessions = self->openai.max_sessions,
                                              .tokens_per_minute = self->openai.tokens_per_minute,
                                              .reserve_pct = self->openai.reserve_pct};
    int calls = tl_conversation_calls(self), sessions = (int)self->metrics.ai_sessions.value;
    const struct tl_governed own = {.number = self->number,
                                    .calls = calls,
                                    .sessions = sessions > calls ? sessions : calls,
                                    .tokens = tokens_used(self),
                                    .capacity = (int)self->settings.calls_max,
                                    .is_leaving = self->draining};
    struct tl_governor_share share;

    tl_governor_share(&limits, tl_fleet_view(self->fleet), &own, &share);
    return share;
}

const char *tl_conversation_refusal(const struct tl_conversation *self,
                                    const struct tl_media_item *item)
{
    const struct tl_opt_bool *said = &item->started->is_new;
    bool is_new = said->set ? said->value : item->number == 1 && item->session == 1;

    if (self->draining)
        return "draining";
    if (is_new && tl_conversation_calls(self) >= self->settings.calls_max)
        return "capacity";
    if (is_new && share_of_ai(self).new_calls <= 0)
        return "ai_limit";
    return NULL;
}

/* Whoever has no limits announces none. */
static void fill_share(struct tl_conversation *self, struct tl_presence *own)
{
    struct tl_governor_share share = share_of_ai(self);
    bool is_limited = share.new_calls < INT_MAX;

    tl_gauge_set(&self->metrics.ai_tokens, tokens_used(self));
    tl_gauge_set(&self->metrics.ai_share, share.sessions);
    tl_gauge_set(&self->metrics.ai_share_tokens, share.tokens);
    tl_gauge_set(&self->metrics.ai_new_calls, is_limited ? share.new_calls : -1);
    own->new_calls = (struct tl_opt_int){.set = is_limited, .value = is_limited ? share.new_calls : 0};
}

void tl_conversation_fill(struct tl_conversation *self, struct tl_presence *own)
{
    own->calls_held = tl_conversation_calls(self);
    own->capacity = (int32_t)self->settings.calls_max;
    own->draining = self->draining;
    own->mailbox_offset_read = self->mailbox_offset_read;
    own->ai_sessions = (int32_t)self->metrics.ai_sessions.value;
    own->ai_tokens_per_minute = (int32_t)tokens_used(self);
    fill_share(self, own);
}

void tl_conversation_drain(struct tl_conversation *self, void (*on_done)(void *arg), void *arg)
{
    self->draining = true; /* the ticks of the dialogs do the rest */
    self->drain_began_ms = tl_mono_ms();
    self->on_drained = on_done;
    self->drained_arg = arg;
    tl_fleet_beat(self->fleet);
}

void tl_conversation_on_config(struct tl_conversation *self, const struct tl_config_entry *entry)
{
    struct tl_dialog *d, *tmp;

    if (entry->kind != TL_CONFIG_KIND_BUSINESS)
        return;
    HASH_ITER (hh, self->dialogs, d, tmp)
        if (strcmp(d->business_id, entry->id) == 0)
            tl_dialog_on_config(d, entry);
}

/* ---- life ---- */

static void on_collect(void *arg)
{
    struct tl_conversation *self = arg;
    struct tl_dialog *d, *tmp;
    int64_t bytes = 0;

    HASH_ITER (hh, self->dialogs, d, tmp)
        if (d->has_talk)
            bytes += tl_talk_sound_bytes(&d->talk);
    tl_gauge_set(&self->metrics.sound_bytes, bytes);
}

static enum tl_status follow_mailbox(struct tl_conversation *self, struct tl_error *err)
{
    const struct tl_tail_start start = {.from = TL_FROM_TIME, .at = tl_now_ms() - 1000};
    return tl_tail_add(self->mailbox, "media.v1", self->number, start, err);
}

static void on_mailbox_error(void *arg, const char *topic, int32_t partition,
                             const struct tl_error *error)
{
    struct tl_conversation *self = arg;
    struct tl_error err;

    if (!topic || error->status != TL_CONFLICT)
        return; /* it goes on by itself */
    /* stopped for longer than sound is kept: whoever gave us calls has given them to others */
    tl_log_warn(self->log, "mailbox.lost_its_place", TL_STR("error", error->msg));
    tl_tail_remove(self->mailbox, topic, partition);
    if (follow_mailbox(self, &err) != TL_OK)
        tl_log_error(self->log, "mailbox.not_followed", TL_STR("error", err.msg));
}

enum tl_status tl_conversation_start(struct tl_conversation *self, struct tl_error *err)
{
    self->tokens_since_ms = tl_mono_ms();
    tl_timer_repeat(&self->tick_timer, self->loop, TICK_MS, on_tick, self);
    return follow_mailbox(self, err);
}

enum tl_status tl_conversation_create(struct tl_conversation *self, struct tl_error *err)
{
    struct tl_kafka *kafka = tl_fleet_kafka(self->fleet);
    const struct tl_producer_options producer = {.name = "media",
                                                 .linger_ms = self->kafka.media_linger_ms};
    const struct tl_tail_options tail = {
        .name = "mailbox", .on_record = on_mailbox, .on_error = on_mailbox_error, .arg = self};

    tl_fleet_stories(self->fleet)->repeats = &self->metrics.events_repeated;
    self->mailbox_offset_read = self->recalled_offset = -1;
    self->provider = (struct tl_openai_provider){.net = self->net,
                                                 .log = self->log,
                                                 .settings = &self->openai,
                                                 .errors = &self->metrics.ai_errors};
    self->driver = &tl_openai_speech_driver;
    self->driver_self = &self->provider;
    tl_buf_init(&self->out, 1u << 20);
    enum tl_status st = tl_producer_create(kafka, &producer, &self->producer, err);
    if (st == TL_OK)
        st = tl_producer_topic(self->producer, "media.v1", &self->mailboxes, err);
    if (st == TL_OK)
        st = tl_outbox_create(self, &self->outbox, err);
    if (st == TL_OK)
        st = tl_scanner_create(kafka, &self->scanner, err);
    if (st == TL_OK)
        st = tl_closing_create(self, &self->closing, err);
    if (st == TL_OK)
        st = tl_tail_create(kafka, &tail, &self->mailbox, err);
    return st;
}

void tl_conversation_collect(struct tl_conversation *self, struct tl_metrics *metrics)
{
    tl_metrics_add(metrics, tl_conversation_metric_rows, &self->metrics);
    tl_metrics_on_collect(metrics, on_collect, self);
}

void tl_conversation_destroy(struct tl_conversation *self)
{
    struct tl_dialog *d, *tmp;

    tl_timer_finish(&self->tick_timer);
    HASH_ITER (hh, self->dialogs, d, tmp)
        tl_dialog_drop(d, "exit");
    tl_closing_destroy(self->closing);
    tl_tail_destroy(self->mailbox);
    tl_outbox_destroy(self->outbox);
    tl_producer_destroy(self->producer, 2000);
    tl_scanner_destroy(self->scanner);
    tl_arena_finish(&self->arena);
    tl_arena_finish(&self->recalled_arena);
    tl_buf_finish(&self->out);
}
