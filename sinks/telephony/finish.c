/* A call whose conversation died between the end of the stream and `closed`: what was said last may stand in
 * the mailbox only. It is given to another conversation, as ingest gives a stream, but one that has stopped:
 * that one puts the rest into words and closes the call. Nobody else would, for no ingest has the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/media_batch.h"
#include "base/time.h"
#include "call/call_state.h"
#include "sinks/telephony/telephony_internal.h"
#include "sinks/telephony/watch.h"

#define WAIT_MS 500    /* from the final state: presence and the log may be a moment behind */
#define AGAIN_MS 20000 /* not closed by then: given anew */
#define ATTEMPTS_MAX 3 /* then `closed` is written without the rest, see closing.c */

struct tl_finish {
    struct tl_finish *next;
    struct tl_telephony *telephony; /* NULL: cleared, freed by the delivery that is under way */
    char call_id[TL_UUID_TEXT_LEN + 1];
    struct tl_claim claim; /* that it is given under */
    int mailbox;
    int64_t epoch;
    int64_t again_at; /* monotonic ms */
    int attempts;
    bool is_sending;
};

static struct tl_finish *find(struct tl_telephony *telephony, const char *call_id)
{
    for (struct tl_finish *f = telephony->finishes; f; f = f->next)
        if (strcmp(f->call_id, call_id) == 0)
            return f;
    return NULL;
}

static struct tl_finish *add(struct tl_telephony *telephony, const char *call_id)
{
    struct tl_finish *f = calloc(1, sizeof(*f));

    if (!f)
        abort();
    f->telephony = telephony;
    (void)snprintf(f->call_id, sizeof(f->call_id), "%s", call_id);
    f->next = telephony->finishes;
    telephony->finishes = f;
    return f;
}

static void drop(struct tl_finish *f)
{
    if (f->is_sending)
        f->telephony = NULL;
    else
        free(f);
}

void tl_finish_remove(struct tl_telephony *telephony, const char *call_id)
{
    for (struct tl_finish **at = &telephony->finishes; *at; at = &(*at)->next) {
        if (strcmp((*at)->call_id, call_id) == 0) {
            struct tl_finish *f = *at;
            *at = f->next;
            drop(f);
            return;
        }
    }
}

void tl_finish_clear(struct tl_telephony *telephony)
{
    while (telephony->finishes) {
        struct tl_finish *next = telephony->finishes->next;
        drop(telephony->finishes);
        telephony->finishes = next;
    }
}

/* ---- 3. STARTED and STOPPED, into its mailbox ---- */

static void send_leg(struct tl_finish *f, const struct tl_call_fold *call)
{
    struct tl_telephony *telephony = f->telephony;
    struct tl_fleet *fleet = telephony->sink->fleet;
    const struct tl_watch_call *watched = tl_watchdog_call(telephony->watchdog, f->call_id);
    struct tl_started started = {.stream_sid = "",
                                 .call_sid = call->call_sid,
                                 .leg = "caller",
                                 .business_id = call->business_id,
                                 .business_version = call->business_version,
                                 .direction = call->direction,
                                 .from_number = call->from_number,
                                 .to_number = call->to_number,
                                 .call_started_at = call->started_at,
                                 .call_start_offset = watched ? watched->start_offset : -1,
                                 .calls_partition = call->partition,
                                 .checkpoint_offset = -1,
                                 .is_new = {.set = true, .value = false}};
    struct tl_media_item items[2] = {{.kind = TL_MEDIA_KIND_STARTED, .n = -1, .started = &started},
                                     {.kind = TL_MEDIA_KIND_STOPPED}};
    struct tl_media_batch batch = {.producer = tl_fleet_name(fleet),
                                   .ingest = -1,
                                   .ingest_epoch = -1,
                                   .to_epoch = f->epoch,
                                   .at = tl_now_ms(),
                                   .items = items,
                                   .items_n = 2};
    struct tl_error err;

    enum tl_status st = tl_uuid_parse(f->call_id, strlen(f->call_id), &items[0].call_id, &err);
    for (size_t i = 0; i < 2; i++) {
        items[i].call_id = items[0].call_id;
        items[i].number = f->claim.number;
        items[i].offset = f->claim.offset;
        items[i].session = f->claim.session;
    }
    tl_buf_reset(&telephony->out);
    if (st == TL_OK)
        st = tl_record_encode(tl_fleet_schemas(fleet), TL_RECORD_MEDIA_BATCH, &batch,
                              &telephony->out, &err);
    if (st == TL_OK)
        st = tl_producer_send(telephony->mailboxes, f->mailbox, (struct tl_bytes){0},
                              (struct tl_bytes){telephony->out.data, telephony->out.len}, NULL, NULL,
                              NULL, &err);
    if (st != TL_OK) { /* again, under a higher claim */
        tl_log_warn(telephony->sink->log, "telephony.not_given", TL_STR("call_id", f->call_id),
                    TL_STR("error", err.msg));
        return;
    }
    tl_counter_add(&telephony->sink->metrics.finished, 1);
    tl_log_info(telephony->sink->log, "call.given_to_finish", TL_STR("call_id", f->call_id),
                TL_STR("business_id", call->business_id), TL_INT("conversation", f->mailbox),
                TL_INT("number", f->claim.number), TL_INT("ended_ms", tl_now_ms() - call->ended_at));
}

/* ---- 1., 2. `given` numbers the attachment, then names the mailbox ---- */

static void send_given(struct tl_finish *f);

static void on_given(void *arg, const struct tl_delivery *delivery)
{
    struct tl_finish *f = arg;

    f->is_sending = false;
    if (!f->telephony) {
        free(f);
        return;
    }
    const struct tl_call_fold *call = tl_call_map_get(&f->telephony->calls, f->call_id);
    if (!call || delivery->status != TL_OK || delivery->offset < 0)
        return;
    if (f->claim.session == 0) {
        f->claim.offset = delivery->offset;
        f->claim.session = 1;
        send_given(f);
    } else {
        send_leg(f, call);
    }
}

static void send_given(struct tl_finish *f)
{
    struct tl_given given = {.stream_sid = "",
                             .mailbox = f->mailbox,
                             .mailbox_epoch = f->epoch,
                             .ingest = -1,
                             .ingest_epoch = -1};
    struct tl_call_event event = {
        .call_id = f->call_id, .leg = "caller", .claim = &f->claim, .given = &given};
    struct tl_error err;

    f->is_sending = tl_fleet_send_event(f->telephony->sink->fleet, &event, on_given, f, &err) == TL_OK;
}

/* ---- which ---- */

static bool lives(const struct tl_presence_view *view, int64_t epoch)
{
    for (size_t i = 0; i < view->peers_n; i++)
        if (view->peers[i].kind == TL_INSTANCE_KIND_CONVERSATION && view->peers[i].epoch == epoch)
            return !view->peers[i].gone;
    return false;
}

static void give(struct tl_finish *f, const struct tl_fence_leg *leg)
{
    struct tl_presence_view *view = tl_fleet_view(f->telephony->sink->fleet);
    const struct tl_watch_call *watched = tl_watchdog_call(f->telephony->watchdog, f->call_id);
    const struct tl_peer *peer = tl_presence_freest(view, TL_INSTANCE_KIND_CONVERSATION, NULL, 0);
    int number = f->claim.number > leg->highest.number ? f->claim.number : leg->highest.number;

    if (!peer)
        return; /* the tick comes back */
    if (watched && watched->attachment.number > number)
        number = watched->attachment.number;
    f->claim = (struct tl_claim){.number = number + 1, .offset = -1};
    f->mailbox = peer->number;
    f->epoch = peer->epoch;
    f->again_at = tl_mono_ms() + AGAIN_MS;
    f->attempts++;
    send_given(f);
}

static void look_at(void *arg, struct tl_call_fold *call)
{
    struct tl_telephony *telephony = arg;
    const struct tl_fence_leg *leg = tl_fence_leg_of(&call->fence, "caller");

    if (call->closed_at || !tl_call_state_is_final(call->state) || !leg || !leg->held ||
        tl_now_ms() - call->ended_at < WAIT_MS ||
        lives(tl_fleet_view(telephony->sink->fleet), leg->epoch))
        return;
    struct tl_finish *f = find(telephony, call->call_id);
    if (!f)
        f = add(telephony, call->call_id);
    if (!f->is_sending && tl_mono_ms() >= f->again_at && f->attempts < ATTEMPTS_MAX)
        give(f, leg);
}

bool tl_finish_is_at(struct tl_telephony *telephony, const char *call_id)
{
    const struct tl_finish *f = find(telephony, call_id);

    return f && tl_mono_ms() < f->again_at;
}

void tl_finish_tick(struct tl_telephony *telephony)
{
    if (telephony->is_live && telephony->watchdog && tl_watchdog_is_ready(telephony->watchdog))
        tl_call_map_each(&telephony->calls, look_at, telephony);
}
