/* <Dial>: legs to numbers, of which the first to answer wins, or a conference. Legs hear nothing of
 * each other: what is simulated is signalling, not mixing. */
#include "dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "conference.h"
#include "hook.h"
#include "run.h"

#define LEGS_MAX 10

static long seconds_attr(const struct tl_tel_node *node, const char *name, long fallback)
{
    const char *text = tl_tel_node_attr(node, name);

    return text ? strtol(text, NULL, 10) : fallback;
}

static unsigned callback_events(const char *list)
{
    static const struct {
        const char *name;
        unsigned bit;
    } EVENTS[] = {{"initiated", TL_TEL_ON_INITIATED},
                  {"ringing", TL_TEL_ON_RINGING},
                  {"answered", TL_TEL_ON_ANSWERED},
                  {"completed", TL_TEL_ON_COMPLETED}};
    unsigned bits = 0;

    for (size_t i = 0; list && i < TL_ARRAY_LEN(EVENTS); i++)
        if (strstr(list, EVENTS[i].name))
            bits |= EVENTS[i].bit;
    return list ? bits : TL_TEL_ON_COMPLETED;
}

static void add_script(struct tl_tel_call *leg, const struct tl_tel_destination *d)
{
    struct tl_error err;

    leg->starts_at_answer = true;
    if (d && d->script &&
        tl_tel_script_parse(leg->tel->voices, d->script, 0, &leg->mouth.script, &err) != TL_OK)
        tl_tel_call_error(leg, 0, "script of %s: %s", leg->to, err.msg);
}

static void dial_number(struct tl_tel_call *call, const struct tl_tel_node *dial,
                        const struct tl_tel_node *noun, const char *number)
{
    const char *caller_id = tl_tel_node_attr(dial, "callerId");
    const struct tl_tel_destination *d = tl_tel_destination_find(call->tel, number);
    struct tl_tel_call *leg = tl_tel_call_create(call->tel, TL_TEL_OUTBOUND_DIAL,
                                                 caller_id ? caller_id : call->from, number);

    leg->parent = call;
    leg->ring_timeout_ms = 1000 * seconds_attr(dial, "timeout", 30);
    leg->ring_ms = d ? d->ring_ms : call->tel->options.ring_ms;
    leg->outcome = d ? strdup(d->outcome) : NULL;
    add_script(leg, d);
    if (noun) {
        tl_tel_target_set(&leg->status_callback, tl_tel_node_attr(noun, "statusCallback"),
                          tl_tel_node_attr(noun, "statusCallbackMethod"));
        leg->status_events = callback_events(tl_tel_node_attr(noun, "statusCallbackEvent"));
        tl_tel_target_set(&leg->voice, tl_tel_node_attr(noun, "url"),
                          tl_tel_node_attr(noun, "method"));
    }
    tl_tel_call_place(leg);
}

bool tl_tel_dial_start(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    size_t legs = 0;

    call->dialled = NULL;
    if (node->child && node->child->element == TL_TEL_CONFERENCE)
        return tl_tel_conference_join(call, node->child);
    if (*node->text) {
        dial_number(call, node, NULL, node->text);
        return true;
    }
    for (const struct tl_tel_node *n = node->child; n && legs < LEGS_MAX; n = n->next, legs++)
        dial_number(call, node, n, n->text);
    return legs > 0;
}

/* Ends the legs of this call but one. */
static void end_legs(struct tl_tel_call *call, const struct tl_tel_call *but)
{
    struct tl_tel *tel = call->tel;

    for (size_t i = call->index + 1; i < tel->calls; i++) {
        struct tl_tel_call *leg = tel->call[i];
        if (leg->parent == call && leg != but)
            tl_tel_call_end(leg, leg->answered_us ? TL_TEL_COMPLETED : TL_TEL_CANCELED);
    }
}

void tl_tel_dial_stop(struct tl_tel_call *call)
{
    tl_tel_conference_leave(call);
    call->dialled = NULL;
    end_legs(call, NULL);
}

void tl_tel_dial_leg_answered(struct tl_tel_call *leg)
{
    struct tl_tel_call *call = leg->parent;

    if (leg->voice.url) { /* a whisper is run first; it comes back here */
        char *url = TL_TAKE(leg->voice.url);
        tl_tel_run_url(leg, url, leg->voice.method, NULL);
        free(url);
        return;
    }
    if (call->mode != TL_TEL_MODE_DIAL || call->dialled)
        return;
    call->dialled = leg;
    tl_tel_call_answer(call);
    tl_tel_call_event(call, "bridged", json_pack("{s:s, s:s}", "leg", leg->sid, "to", leg->to));
    end_legs(call, leg);
}

static bool has_living_leg(const struct tl_tel_call *call)
{
    for (size_t i = call->index + 1; i < call->tel->calls; i++)
        if (call->tel->call[i]->parent == call &&
            !tl_tel_status_is_final(call->tel->call[i]->status))
            return true;
    return false;
}

void tl_tel_dial_leg_ended(struct tl_tel_call *leg)
{
    struct tl_tel_call *call = leg->parent;
    bool was_bridged = call->dialled == leg;

    if (call->mode != TL_TEL_MODE_DIAL || (!was_bridged && (call->dialled || has_living_leg(call))))
        return;
    struct tl_tel_form *fields = tl_tel_form_new();
    tl_tel_form_add(fields, "DialCallStatus",
                    was_bridged ? "completed" : tl_tel_status_name(leg->status));
    tl_tel_form_add(fields, "DialCallSid", leg->sid);
    if (was_bridged)
        tl_tel_form_addf(fields, "DialCallDuration", "%lld",
                         (long long)((leg->ended_us - leg->answered_us + 500000) / 1000000));
    tl_tel_form_add(fields, "DialBridged", was_bridged ? "true" : "false");
    call->dialled = NULL;
    tl_tel_run_done(call, fields);
}
