/* A dialog rebuilt from the log and the mailboxes: see recall.h. */
#include "processors/conversation/recall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/time.h"
#include "call/claim.h"
#include "processors/conversation/dialog.h"

#define LOOK_BACK_MS 1800000 /* a call resumed without knowing where its story begins */
#define RETRY_MS 200
#define RETRIES_MAX 20
#define BOXES_MAX (TL_MEMORY_GIVEN_MAX + 1)
#define SCAN_DEADLINE_MS 15000 /* a machine at its limit reads slowly; silence is better than a gap */
#define SCAN_MARGIN_MS 2000 /* clocks of machines differ a little */

/* A mailbox that is to be read. */
struct box {
    struct tl_recall *recall;
    int mailbox;
    int64_t epoch;
    int64_t from_ms;
    int64_t until; /* offset; of the `revoked`, or of the own STARTED */
    struct tl_claim fence; /* highest attachment of a `revoked` or `started` read so far */
    struct tl_scan *scan;
    bool is_own;
};

struct tl_recall {
    struct tl_dialog *dialog;
    unsigned generation;
    bool only_check, only_sound;
    bool foreign; /* another claim or gift stands between our own */
    struct tl_scan *scan;
    struct box boxes[BOXES_MAX];
    size_t boxes_n, waits;
    struct tl_dialog_item *items;
    struct tl_arena arena;
    struct tl_timer retry;
    int retries;
    unsigned refs; /* deliveries under way */
    bool cancelled;
    int64_t began_us;
};

static void read_log(struct tl_recall *r);

static void free_items(struct tl_dialog_item *items)
{
    struct tl_dialog_item *item, *tmp;

    DL_FOREACH_SAFE (items, item, tmp)
        free(item);
}

static void recall_release(struct tl_recall *r)
{
    if (!r->cancelled || r->refs)
        return;
    tl_timer_finish(&r->retry);
    tl_arena_finish(&r->arena);
    free_items(r->items);
    free(r);
}

void tl_recall_cancel(struct tl_recall *r)
{
    if (!r)
        return;
    tl_scan_cancel(TL_TAKE(r->scan));
    for (size_t i = 0; i < r->boxes_n; i++)
        tl_scan_cancel(TL_TAKE(r->boxes[i].scan));
    r->dialog->recall = NULL;
    r->cancelled = true;
    recall_release(r);
}

static void fail(struct tl_recall *r, const char *reason)
{
    struct tl_dialog *d = r->dialog;

    tl_recall_cancel(r);
    tl_dialog_recall_failed(d, reason);
}

/* ---- 3. the mailboxes ---- */

static int compare_items(const struct tl_dialog_item *a, const struct tl_dialog_item *b)
{
    int c = tl_attachment_compare(&a->claim, &b->claim);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* Another AI session may have to hear again what stands there. */
static void keep_sources(struct tl_recall *r)
{
    struct tl_dialog *d = r->dialog;

    free(d->sources);
    d->sources = calloc(r->boxes_n + 1, sizeof(*d->sources));
    if (!d->sources)
        abort();
    d->sources_n = 0;
    for (size_t i = 0; i < r->boxes_n; i++)
        if (!r->boxes[i].is_own)
            d->sources[d->sources_n++] =
                (struct tl_dialog_source){.mailbox = r->boxes[i].mailbox,
                                          .epoch = r->boxes[i].epoch,
                                          .from_ms = r->boxes[i].from_ms,
                                          .until = r->boxes[i].until};
}

/* Old streams in the order of their attachments, the own one last; what stands twice once. */
static void hand_over_items(struct tl_recall *r)
{
    struct tl_dialog *d = r->dialog;
    struct tl_dialog_item *item, *items = r->items;
    size_t n = 0;

    r->items = NULL;
    DL_COUNT(items, item, n);
    DL_CONCAT(items, d->pending); /* what came meanwhile */
    DL_SORT(items, compare_items);
    d->pending = items;
    d->pending_n += n;
    if (!r->only_sound)
        keep_sources(r);
    enum tl_dialog_return how = r->only_sound ? TL_DIALOG_HEARS_AGAIN : TL_DIALOG_REBUILT;
    d->recalled_n = n;
    tl_counter_add(&d->conversation->metrics.items_recalled, n);
    tl_recall_cancel(r);
    tl_dialog_live(d, how);
    tl_dialog_handle_pending(d);
}

static bool is_wanted(const struct box *box, const struct tl_media_item *item)
{
    const struct tl_dialog *d = box->recall->dialog;
    const struct tl_memory *m = &d->memory;
    const struct tl_claim claim = {.number = item->number, .offset = item->offset};
    const struct tl_position at = {.number = item->number, .offset = item->offset, .n = item->n};
    struct tl_ear_place worded_to;

    if (box->recall->only_sound)
        return item->kind == TL_MEDIA_KIND_FRAME &&
               (!tl_talk_worded_to(&d->talk, &worded_to) ||
                tl_position_compare(&at, &worded_to.position) > 0);
    if (item->kind != TL_MEDIA_KIND_FRAME && item->kind != TL_MEDIA_KIND_KEYED &&
        item->kind != TL_MEDIA_KIND_MARK)
        return false;
    if (m->has_media_to && tl_position_compare(&at, &m->media_to) <= 0)
        return false; /* in the log as words, or was silence */
    if (item->kind == TL_MEDIA_KIND_KEYED && m->has_keyed_to &&
        tl_position_compare(&at, &m->keyed_to) <= 0)
        return false;
    if (tl_attachment_compare(&claim, &d->claim) == 0 && item->n >= d->first_n)
        return false; /* sent again under the own claim */
    return tl_attachment_compare(&claim, &box->fence) >= 0;
}

static void keep_item(struct box *box, const struct tl_media_batch *batch,
                      const struct tl_media_item *from, int64_t offset)
{
    size_t text_len = from->text ? strlen(from->text) : 0;
    size_t len = from->audio.len ? from->audio.len : text_len;
    struct tl_dialog_item *item = calloc(1, sizeof(*item) + len + 1);

    if (!item)
        abort();
    item->kind = from->kind;
    item->claim = (struct tl_claim){.number = from->number, .offset = from->offset};
    item->n = from->n;
    item->timestamp_ms = from->timestamp_ms;
    item->at_ms = batch->at;
    item->mailbox = box->mailbox;
    item->mailbox_offset = offset;
    item->len = len;
    if (len)
        memcpy(item->data, from->audio.len ? (const char *)from->audio.data : from->text, len);
    DL_APPEND(box->recall->items, item);
}

static void on_mailbox_record(void *arg, const struct tl_record *record)
{
    struct box *box = arg;
    struct tl_recall *r = box->recall;
    struct tl_dialog *d = r->dialog;
    const struct tl_media_batch *batch = tl_conversation_recalled(d->conversation, record);

    for (size_t i = 0; batch && i < batch->items_n; i++) { /* NULL: its owner has counted it */
        const struct tl_media_item *item = &batch->items[i];
        const struct tl_claim claim = {.number = item->number, .offset = item->offset};
        if (!tl_uuid_equal(&item->call_id, &d->call_uuid))
            continue;
        if (item->kind == TL_MEDIA_KIND_REVOKED || item->kind == TL_MEDIA_KIND_STARTED) {
            if (tl_attachment_compare(&claim, &box->fence) > 0)
                box->fence = claim;
        } else if (batch->to_epoch == box->epoch && is_wanted(box, item)) {
            keep_item(box, batch, item, record->offset);
        }
    }
}

static void on_mailbox_done(void *arg, enum tl_status status, const struct tl_error *err)
{
    struct box *box = arg;
    struct tl_recall *r = box->recall;

    box->scan = NULL;
    if (status != TL_OK) /* what cannot be read is a gap; the call goes on */
        tl_log_warn(r->dialog->conversation->log, "call.mailbox_not_read",
                    TL_STR("call_id", r->dialog->call_id), TL_INT("mailbox", box->mailbox),
                    TL_STR("error", err->msg));
    if (--r->waits == 0)
        hand_over_items(r);
}

static void read_mailboxes(struct tl_recall *r)
{
    const struct tl_memory *m = &r->dialog->memory;
    struct tl_error err;

    r->waits = 1; /* this function itself */
    for (size_t i = 0; i < r->boxes_n; i++) {
        struct box *box = &r->boxes[i];
        struct tl_ear_place to = {.mailbox = m->media_mailbox, .mailbox_offset = m->media_offset};
        if (r->only_sound && !tl_talk_worded_to(&r->dialog->talk, &to))
            to.mailbox_offset = -1;
        int mailbox = to.mailbox;
        int64_t offset = to.mailbox_offset;
        bool from_media_to = mailbox == box->mailbox && offset >= 0;
        const struct tl_scan_options scan = {
            .topic = "media.v1",
            .partition = box->mailbox,
            .from_offset = from_media_to ? offset : -1,
            .from_time_ms = box->from_ms - SCAN_MARGIN_MS,
            .until_offset = box->until,
            .deadline_ms = SCAN_DEADLINE_MS,
            .on_record = on_mailbox_record,
            .on_done = on_mailbox_done,
            .arg = box};
        box->fence = (struct tl_claim){.number = -1, .offset = -1};
        if (from_media_to && offset >= box->until)
            continue;
        if (tl_scan_start(r->dialog->conversation->scanner, &scan, &box->scan, &err) == TL_OK)
            r->waits++;
        else
            tl_log_warn(r->dialog->conversation->log, "call.mailbox_not_read",
                        TL_STR("call_id", r->dialog->call_id), TL_STR("error", err.msg));
    }
    if (--r->waits == 0)
        hand_over_items(r);
}

/* ---- 2. `revoked` ---- */

static void on_revoked(void *arg, const struct tl_delivery *delivery)
{
    struct box *box = arg;
    struct tl_recall *r = box->recall;

    r->refs--;
    if (r->cancelled) {
        recall_release(r);
        return;
    }
    if (delivery->status != TL_OK || delivery->offset < 0) {
        fail(r, "revoked");
        return;
    }
    box->until = delivery->offset;
    if (--r->waits == 0)
        read_mailboxes(r);
}

static bool revoke_box(struct tl_recall *r, struct box *box)
{
    struct tl_dialog *d = r->dialog;
    const struct tl_media_item item = {.kind = TL_MEDIA_KIND_REVOKED,
                                       .call_id = d->call_uuid,
                                       .number = d->claim.number,
                                       .offset = d->claim.offset,
                                       .session = d->claim.session,
                                       .n = -1,
                                       .text = d->stream_sid};
    struct tl_error err;

    if (tl_conversation_send_item(d->conversation, box->mailbox, box->epoch, &item, on_revoked, box,
                                  &err) == TL_OK) {
        r->refs++;
        r->waits++;
        return true;
    }
    tl_log_warn(d->conversation->log, "call.revoked_not_sent", TL_STR("call_id", d->call_id),
                TL_STR("error", err.msg));
    return false;
}

static void list_boxes(struct tl_recall *r)
{
    struct tl_dialog *d = r->dialog;
    int64_t own_epoch = tl_fleet_epoch(d->conversation->fleet);

    for (size_t i = 0; i < d->memory.given_n; i++) {
        const struct tl_memory_given *g = &d->memory.given[i];
        bool is_own = g->mailbox == d->conversation->number && g->mailbox_epoch == own_epoch;
        bool is_present = tl_attachment_compare(&g->claim, &d->claim) == 0 && is_own;
        struct box *known = NULL;

        if (tl_attachment_compare(&g->claim, &d->claim) > 0)
            continue; /* of a later holder: not ours to read */
        if (is_present && d->first_n == 0)
            continue; /* nothing was sent to it before its STARTED */
        for (size_t k = 0; k < r->boxes_n; k++)
            if (r->boxes[k].mailbox == g->mailbox && r->boxes[k].epoch == g->mailbox_epoch)
                known = &r->boxes[k];
        if (known) {
            known->from_ms = g->at_ms < known->from_ms ? g->at_ms : known->from_ms;
            continue;
        }
        r->boxes[r->boxes_n++] = (struct box){.recall = r,
                                              .mailbox = g->mailbox,
                                              .epoch = g->mailbox_epoch,
                                              .from_ms = g->at_ms,
                                              .until = d->started_offset,
                                              .is_own = is_own};
    }
}

/* ---- 1. the log ---- */

static bool is_holder(const struct tl_dialog *d)
{
    const struct tl_fence_leg *leg = tl_fence_leg_of(&d->memory.fence, d->leg);

    return leg && tl_claim_compare(&leg->highest, &d->claim) == 0 &&
           leg->epoch == tl_fleet_epoch(d->conversation->fleet) &&
           strcmp(leg->producer, d->conversation->name) == 0;
}

static const char *stream_of(const struct tl_memory *m, const struct tl_claim *claim)
{
    for (size_t i = m->given_n; i-- > 0;)
        if (tl_attachment_compare(&m->given[i].claim, claim) == 0)
            return m->given[i].stream_sid;
    return "";
}

static void on_log_read(struct tl_recall *r)
{
    struct tl_dialog *d = r->dialog;
    const struct tl_fence_leg *leg = tl_fence_leg_of(&d->memory.fence, d->leg);

    if (d->memory.closed || !is_holder(d)) {
        const struct tl_claim winner = leg ? leg->highest : d->claim;
        char stream_sid[64];
        bool closed = d->memory.closed;
        (void)snprintf(stream_sid, sizeof(stream_sid), "%s", stream_of(&d->memory, &winner));
        tl_recall_cancel(r);
        tl_dialog_lost(d, &winner, stream_sid, closed ? "closed" : "another_holder");
        return;
    }
    list_boxes(r);
    r->waits = 1;
    for (size_t i = 0; i < r->boxes_n; i++)
        if (!r->boxes[i].is_own && !revoke_box(r, &r->boxes[i])) {
            fail(r, "revoked");
            return;
        }
    if (--r->waits == 0)
        read_mailboxes(r);
}

/* Did a claim or gift of another stand between our own? */
static void look_for_foreign(struct tl_recall *r, const struct tl_call_event *event, int64_t offset)
{
    const struct tl_dialog *d = r->dialog;
    int64_t own_epoch = tl_fleet_epoch(d->conversation->fleet);
    int mailbox = event->given ? event->given->mailbox
                  : event->session_started ? event->session_started->mailbox
                                           : -1;
    int64_t epoch = event->given ? event->given->mailbox_epoch
                    : event->session_started ? event->session_started->mailbox_epoch
                                             : -1;

    if (mailbox >= 0 && (mailbox != d->conversation->number || epoch != own_epoch) &&
        offset > d->previous_S && event->claim && event->claim->offset >= 0)
        r->foreign = true;
}

/* Or before our own last one, under an attachment between the two: of two sockets at once? */
static bool had_foreign(const struct tl_dialog *d)
{
    for (size_t i = 0; i < d->memory.given_n; i++) {
        const struct tl_memory_given *g = &d->memory.given[i];
        if (tl_attachment_compare(&g->claim, &d->previous_claim) > 0 &&
            tl_attachment_compare(&g->claim, &d->claim) < 0)
            return true;
    }
    return false;
}

static void on_log_record(void *arg, const struct tl_record *record)
{
    struct tl_recall *r = arg;
    struct tl_dialog *d = r->dialog;
    struct tl_call_event event;
    struct tl_error err;

    if (record->key.len != TL_UUID_TEXT_LEN ||
        memcmp(record->key.data, d->call_id, TL_UUID_TEXT_LEN) != 0)
        return;
    tl_arena_reset(&r->arena);
    if (tl_record_decode(tl_fleet_schemas(d->conversation->fleet), TL_RECORD_CALL_EVENT,
                         record->value, &r->arena, &event, &err) != TL_OK) {
        tl_log_warn(d->conversation->log, "call.event_unreadable, skipped",
                    TL_STR("call_id", d->call_id), TL_INT("offset", record->offset),
                    TL_STR("error", err.msg));
        return;
    }
    if (r->only_check) {
        look_for_foreign(r, &event, record->offset);
        return;
    }
    const struct tl_fence_leg *leg = tl_fence_leg_of(&d->memory.fence, d->leg);
    if (record->offset == d->S)
        (void)snprintf(d->predecessor, sizeof(d->predecessor), "%s", leg ? leg->producer : "");
    (void)tl_memory_take(&d->memory, &event);
}

static void on_retry(void *arg)
{
    read_log(arg);
}

static void on_log_done(void *arg, enum tl_status status, const struct tl_error *err)
{
    struct tl_recall *r = arg;
    struct tl_dialog *d = r->dialog;

    r->scan = NULL;
    if (status == TL_RETRY && r->retries++ < RETRIES_MAX) {
        tl_timer_start(&r->retry, d->conversation->loop, RETRY_MS, on_retry, r);
        return;
    }
    if (status == TL_CONFLICT && d->checkpoint_offset >= 0) { /* older than the log is kept */
        d->checkpoint_offset = -1;
        d->call_start_offset = -1;
        read_log(r);
        return;
    }
    if (status != TL_OK) {
        tl_log_error(d->conversation->log, "call.log_not_read", TL_STR("call_id", d->call_id),
                     TL_STR("error", err->msg));
        fail(r, "log");
    } else if (!r->only_check) {
        on_log_read(r);
    } else if (r->foreign || had_foreign(d)) {
        r->only_check = false;
        tl_dialog_forget_talk(d);
        d->claimed_at = tl_now_ms();
        d->claimed_offset = d->started_offset;
        read_log(r);
    } else {
        tl_recall_cancel(r);
        tl_dialog_live(d, TL_DIALOG_REATTACHED);
        tl_dialog_handle_pending(d);
    }
}

static void read_log(struct tl_recall *r)
{
    struct tl_dialog *d = r->dialog;
    int64_t from = r->only_check             ? d->previous_S + 1
                   : d->checkpoint_offset >= 0 ? d->checkpoint_offset
                                               : d->call_start_offset;
    const struct tl_business *b = tl_dialog_business(d);
    const struct tl_scan_options scan = {.topic = "calls.v1",
                                         .partition = d->calls_partition,
                                         .from_offset = from,
                                         .from_time_ms = d->call_started_at - LOOK_BACK_MS,
                                         .until_offset = d->S + 1,
                                         .deadline_ms = SCAN_DEADLINE_MS,
                                         .on_record = on_log_record,
                                         .on_done = on_log_done,
                                         .arg = r};
    struct tl_error err;

    if (!r->only_check) {
        tl_memory_finish(&d->memory);
        tl_memory_init(&d->memory, b ? b->history_turns : 0,
                       b && b->history_characters > 0 ? (size_t)b->history_characters : 0);
    }
    if (tl_scan_start(d->conversation->scanner, &scan, &r->scan, &err) != TL_OK) {
        tl_log_error(d->conversation->log, "call.log_not_read", TL_STR("call_id", d->call_id),
                     TL_STR("error", err.msg));
        fail(r, "log");
    }
}

static struct tl_recall *recall_create(struct tl_dialog *dialog, bool only_check)
{
    struct tl_recall *r = calloc(1, sizeof(*r));

    if (!r)
        abort();
    r->dialog = dialog;
    r->only_check = only_check;
    r->began_us = tl_mono_us();
    tl_recall_cancel(dialog->recall);
    dialog->recall = r;
    return r;
}

void tl_recall_start(struct tl_dialog *dialog)
{
    read_log(recall_create(dialog, false));
}

void tl_recall_check(struct tl_dialog *dialog)
{
    read_log(recall_create(dialog, true));
}

void tl_recall_sound(struct tl_dialog *dialog)
{
    struct tl_conversation *c = dialog->conversation;
    struct tl_recall *r = recall_create(dialog, false);
    struct tl_ear_place to;
    /* once words have been made of sound in the own mailbox, all before it is in words */
    bool is_own_only = tl_talk_worded_to(&dialog->talk, &to) && to.mailbox == c->number &&
                       to.mailbox_offset >= dialog->claimed_offset;

    r->only_sound = true;
    for (size_t i = 0; i < dialog->sources_n && !is_own_only; i++)
        r->boxes[r->boxes_n++] = (struct box){.recall = r,
                                              .mailbox = dialog->sources[i].mailbox,
                                              .epoch = dialog->sources[i].epoch,
                                              .from_ms = dialog->sources[i].from_ms,
                                              .until = dialog->sources[i].until};
    r->boxes[r->boxes_n++] = (struct box){.recall = r,
                                          .mailbox = c->number,
                                          .epoch = tl_fleet_epoch(c->fleet),
                                          .from_ms = dialog->claimed_at,
                                          .until = c->mailbox_offset_read,
                                          .is_own = true};
    read_mailboxes(r);
}
