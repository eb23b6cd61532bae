/* Waiting for final states: see closing.h. */
#include "processors/conversation/closing.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "processors/conversation/dialog.h"

#define LOOK_BACK_MS 30000 /* the state may stand in the log before the stream's end is read */
#define KEEP_TICKS 40      /* of 250 ms: a partition is followed on for a while, the next call ends soon */

struct followed {
    unsigned dialogs;
    int idle_ticks;
    bool is_followed;
};

struct tl_closing {
    struct tl_conversation *conversation;
    struct tl_tail *tail;
    struct followed *partitions;
    int32_t partitions_n;
    struct tl_timer timer;
    struct tl_arena arena;
};

static void on_record(void *arg, const struct tl_record *record)
{
    struct tl_closing *closing = arg;
    struct tl_conversation *c = closing->conversation;
    struct tl_call_event event;
    struct tl_uuid call_id;
    struct tl_dialog *d;
    struct tl_error err;

    if (tl_uuid_parse((const char *)record->key.data, record->key.len, &call_id, &err) != TL_OK)
        return;
    HASH_FIND(hh, c->dialogs, &call_id, sizeof(call_id), d);
    if (!d || !d->is_watched)
        return;
    tl_arena_reset(&closing->arena);
    if (tl_record_decode(tl_fleet_schemas(c->fleet), TL_RECORD_CALL_EVENT, record->value,
                         &closing->arena, &event, &err) == TL_OK)
        tl_dialog_on_event(d, &event);
}

static void on_timer(void *arg)
{
    struct tl_closing *closing = arg;

    for (int32_t p = 0; p < closing->partitions_n; p++) {
        struct followed *f = &closing->partitions[p];
        if (!f->is_followed || f->dialogs || ++f->idle_ticks < KEEP_TICKS)
            continue;
        tl_tail_remove(closing->tail, "calls.v1", p);
        f->is_followed = false;
    }
}

void tl_closing_watch(struct tl_closing *closing, struct tl_dialog *dialog)
{
    struct followed *f = &closing->partitions[dialog->calls_partition];
    struct tl_tail_start start = {.from = TL_FROM_TIME, .at = tl_now_ms() - LOOK_BACK_MS};
    struct tl_error err;

    if (dialog->is_watched)
        return;
    f->dialogs++;
    f->idle_ticks = 0;
    dialog->is_watched = true;
    if (f->is_followed) { /* what was read before this call ended has to be read again */
        tl_tail_remove(closing->tail, "calls.v1", dialog->calls_partition);
        f->is_followed = false;
    }
    if (tl_tail_add(closing->tail, "calls.v1", dialog->calls_partition, start, &err) == TL_OK)
        f->is_followed = true;
    else
        tl_log_warn(closing->conversation->log, "closing.not_followed", TL_STR("error", err.msg));
}

void tl_closing_forget(struct tl_closing *closing, struct tl_dialog *dialog)
{
    if (!dialog->is_watched)
        return;
    dialog->is_watched = false;
    closing->partitions[dialog->calls_partition].dialogs--;
}

enum tl_status tl_closing_create(struct tl_conversation *conversation,
                                 struct tl_closing **ret_closing, struct tl_error *err)
{
    struct tl_closing *closing = calloc(1, sizeof(*closing));
    if (!closing)
        abort();
    const struct tl_tail_options tail = {.name = "closing", .on_record = on_record, .arg = closing};
    closing->conversation = conversation;
    closing->partitions_n = tl_fleet_partitions(conversation->fleet);
    closing->partitions = calloc((size_t)closing->partitions_n, sizeof(*closing->partitions));
    if (!closing->partitions)
        abort();
    enum tl_status st =
        tl_tail_create(tl_fleet_kafka(conversation->fleet), &tail, &closing->tail, err);
    if (st != TL_OK) {
        tl_closing_destroy(closing);
        return st;
    }
    tl_timer_repeat(&closing->timer, conversation->loop, 250, on_timer, closing);
    *ret_closing = closing;
    return TL_OK;
}

void tl_closing_destroy(struct tl_closing *closing)
{
    if (!closing)
        return;
    tl_timer_finish(&closing->timer);
    tl_tail_destroy(closing->tail);
    tl_arena_finish(&closing->arena);
    free(closing->partitions);
    free(closing);
}
