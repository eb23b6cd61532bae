/* A new call: which business, is there room, which conversation. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "ingest/media/media.h"
#include "ingest/webhook/hook.h"
#include "twilio/twiml.h"

#define UNKNOWN_NUMBER "We are sorry, the number that you dialled is not in service. Goodbye."
#define CLOSED "We are sorry, we are closed at this moment. Please call again later."
#define BUSY "We are sorry, all our lines are busy. Please call again later."

/* The same document for a webhook that came before: a repeated one changes nothing. */
static bool answered_before(const struct tl_hook *hook, struct tl_answer *a)
{
    struct tl_bytes known;

    if (!tl_replies_get(hook->webhook->replies, a->reply_key, &known))
        return false;
    tl_hook_respond_twiml(hook->webhook->ingest, hook->kind, TL_TAKE(a->x), known);
    return true;
}

/* Fills in a refusal, a wait, or the conversation that is to have the call. */
static void admit(struct tl_ingest *ingest, struct tl_answer *a, const struct tl_business *b)
{
    struct tl_presence_view *view = tl_fleet_view(ingest->fleet);
    const enum tl_instance_kind kind = TL_INSTANCE_KIND_CONVERSATION;

    if (!b) {
        tl_answer_refuse(a, "unknown_number", NULL, UNKNOWN_NUMBER);
    } else if (!b->active) {
        tl_answer_refuse(a, "business_inactive", b->closed_sentence, CLOSED);
    } else if (!tl_presence_has(view, kind, -1)) {
        tl_answer_wait(a, "no_conversation"); /* one may be on its way */
    } else if (!tl_presence_admits(view, kind) || tl_media_is_full(ingest->media)) {
        tl_answer_refuse(a, "capacity", b->busy_sentence, BUSY);
    } else {
        a->link.hint = tl_media_choose(ingest->media, a->link.call_sid, -1);
    }
}

static void fill_link(const struct tl_hook *hook, struct tl_link *link)
{
    link->direction = TL_DIRECTION_INBOUND;
    link->number = 1;
    link->started_at_ms = tl_now_ms();
    link->window_start_s = link->started_at_ms / 1000;
    (void)snprintf(link->from_number, sizeof(link->from_number), "%s",
                   tl_hook_get(hook, "From", ""));
    (void)snprintf(link->to_number, sizeof(link->to_number), "%s", tl_hook_get(hook, "To", ""));
}

static void record_call(const struct tl_hook *hook, struct tl_answer *a)
{
    char call_id[37], event_id[37];
    bool refused = a->refusal[0];
    struct tl_call_event event =
        tl_hook_event(hook, call_id, event_id, refused ? "refused" : "voice");
    struct tl_changed changed = {.state = refused ? TL_CALL_STATE_FAILED : TL_CALL_STATE_RINGING,
                                 .call_sid = hook->call_sid,
                                 .direction = TL_DIRECTION_INBOUND,
                                 .from_number = a->link.from_number,
                                 .to_number = a->link.to_number,
                                 .status = tl_hook_get(hook, "CallStatus", NULL),
                                 .reason = refused ? a->refusal : NULL};

    changed.business_version = (struct tl_opt_int){.set = true, .value = a->link.business_version};
    event.business_id = a->link.business_id[0] ? a->link.business_id : NULL;
    event.changed = &changed;
    tl_log_info(hook->webhook->ingest->log, refused ? "call.refused" : "call.started",
                TL_STR("call_id", call_id), TL_STR("call_sid", hook->call_sid),
                TL_STR("business_id", event.business_id), TL_STR("reason", changed.reason));
    tl_answer_record(a, &event);
}

void tl_hook_on_voice(const struct tl_hook *hook)
{
    struct tl_ingest *ingest = hook->webhook->ingest;
    struct tl_answer *a = tl_answer_create(hook, true);
    char reason[64];

    if (answered_before(hook, a)) {
        tl_answer_drop(a);
        return;
    }
    fill_link(hook, &a->link);
    const struct tl_business *b = tl_answer_know_business(a, a->link.to_number);
    if (!tl_fleet_is_ready(ingest->fleet, reason, sizeof(reason)))
        tl_answer_wait(a, "starting");
    else if (tl_ingest_leaves_alone(ingest))
        tl_answer_wait(a, "draining");
    else
        admit(ingest, a, b);
    if (a->wait)
        tl_answer_now(a);
    else
        record_call(hook, a);
}
