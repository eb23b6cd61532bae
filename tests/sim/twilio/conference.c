/* Conferences: who is in the room, when it starts, who hears of it.
 *
 *   init ──two in, one of them with startConferenceOnEnter──▶ in-progress ──empty, or one with
 *   endConferenceOnExit leaves──▶ completed */
#include "conference.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "hook.h"
#include "run.h"

struct participant {
    struct tl_tel_call *call;
    char *label;
    bool starts, ends, muted;
    struct participant *next;
};

struct tl_tel_conference {
    struct tl_tel *tel;
    char sid[TL_TEL_SID_SIZE];
    char *name;
    struct participant *participants;
    size_t count;
    bool is_started, is_over;
    struct tl_tel_target callback; /* of the first participant only */
    char *events;
    unsigned callbacks_made;
    json_t *log; /* what happened, for the report */
    struct tl_tel_conference *next;
};

static bool is_true(const struct tl_tel_node *node, const char *name, bool fallback)
{
    const char *text = tl_tel_node_attr(node, name);

    return text ? strcmp(text, "true") == 0 : fallback;
}

static struct tl_tel_conference *room_of(struct tl_tel *tel, const char *name)
{
    for (struct tl_tel_conference *c = tel->conferences; c; c = c->next)
        if (!c->is_over && strcmp(c->name, name) == 0)
            return c;
    struct tl_tel_conference *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->tel = tel;
    c->name = strdup(name);
    c->log = json_array();
    tl_tel_sid_make("CF", SIZE_MAX, c->sid);
    c->next = tel->conferences;
    tel->conferences = c;
    return c;
}

/* The word of the event list that an event needs. */
static bool is_wanted(const struct tl_tel_conference *c, const char *event)
{
    const char *word = strchr(event, '-') + 1; /* "participant-join" → "join" */

    return c->callback.url && c->events && strstr(c->events, word);
}

/* `who` may be NULL; takes `extra`, which may be NULL. */
static void tell(struct tl_tel_conference *c, const char *event, const struct participant *who,
                 struct tl_tel_call *about, struct tl_tel_form *extra)
{
    struct tl_tel_form *form = tl_tel_form_new();
    char now[TL_TIME_RFC2822_SIZE];

    json_array_append_new(
        c->log, json_pack("{s:s, s:s}", "event", event, "call_sid", who ? who->call->sid : ""));
    tl_time_format_rfc2822(tl_now_ms(), now);
    tl_tel_form_add(form, "ConferenceSid", c->sid);
    tl_tel_form_add(form, "FriendlyName", c->name);
    tl_tel_form_add(form, "AccountSid", c->tel->options.account_sid);
    tl_tel_form_addf(form, "SequenceNumber", "%u", ++c->callbacks_made);
    tl_tel_form_add(form, "Timestamp", now);
    tl_tel_form_add(form, "StatusCallbackEvent", event);
    if (who) {
        tl_tel_form_add(form, "CallSid", who->call->sid);
        tl_tel_form_add(form, "ParticipantLabel", who->label);
        tl_tel_form_add(form, "Muted", who->muted ? "true" : "false");
        tl_tel_form_add(form, "Hold", "false");
        tl_tel_form_add(form, "Coaching", "false");
        tl_tel_form_add(form, "StartConferenceOnEnter", who->starts ? "true" : "false");
        tl_tel_form_add(form, "EndConferenceOnExit", who->ends ? "true" : "false");
    }
    for (size_t i = 0; extra && i < extra->len; i++)
        tl_tel_form_add(form, extra->field[i].name, extra->field[i].value);
    tl_tel_form_free(extra);
    if (!is_wanted(c, event)) {
        tl_tel_form_free(form);
        return;
    }
    struct tl_tel_hook hook = {.call = about,
                               .kind = event,
                               .url = c->callback.url,
                               .method = c->callback.method,
                               .form = form};
    tl_tel_hook_send(&hook);
}

static void take_callback(struct tl_tel_conference *c, const struct tl_tel_node *node)
{
    const char *url = tl_tel_node_attr(node, "statusCallback");
    const char *events = tl_tel_node_attr(node, "statusCallbackEvent");

    if (c->count > 0) /* only the first participant's setting counts */
        return;
    tl_tel_target_set(&c->callback, url, tl_tel_node_attr(node, "statusCallbackMethod"));
    free(c->events);
    c->events = strdup(events ? events : "start end");
}

static bool label_is_taken(const struct tl_tel_conference *c, const char *label)
{
    for (const struct participant *p = c->participants; p; p = p->next)
        if (*label && strcmp(p->label, label) == 0)
            return true;
    return false;
}

static void start_when_ready(struct tl_tel_conference *c, struct tl_tel_call *about)
{
    bool has_starter = false;

    for (const struct participant *p = c->participants; p; p = p->next)
        has_starter = has_starter || p->starts;
    if (c->is_started || c->count < 2 || !has_starter)
        return;
    c->is_started = true;
    tell(c, "conference-start", NULL, about, NULL);
}

bool tl_tel_conference_join(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    struct tl_tel_conference *c = room_of(call->tel, node->text);
    const char *label = tl_tel_node_attr(node, "participantLabel");

    if (label_is_taken(c, label ? label : "")) {
        tl_tel_call_error(call, 16025, "Conference: label %s is taken", label);
        return false;
    }
    take_callback(c, node);
    struct participant *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    *p = (struct participant){.call = call, .next = c->participants};
    p->label = strdup(label ? label : "");
    p->starts = is_true(node, "startConferenceOnEnter", true);
    p->ends = is_true(node, "endConferenceOnExit", false);
    p->muted = is_true(node, "muted", false);
    c->participants = p;
    c->count++;
    call->conference = c;
    tl_tel_call_answer(call);
    tl_tel_call_event(call, "conference.joined",
                      json_pack("{s:s, s:s}", "conference_sid", c->sid, "name", c->name));
    tell(c, "participant-join", p, call, NULL);
    start_when_ready(c, call);
    return true;
}

static struct participant *take_out(struct tl_tel_conference *c, struct tl_tel_call *call)
{
    struct participant **link = &c->participants;

    while (*link && (*link)->call != call)
        link = &(*link)->next;
    struct participant *p = *link;
    if (p) {
        *link = p->next;
        c->count--;
    }
    call->conference = NULL;
    return p;
}

static void end_room(struct tl_tel_conference *c, const struct participant *by, const char *reason)
{
    struct tl_tel_form *extra = tl_tel_form_new();
    struct tl_tel_call *about = by->call;

    c->is_over = true;
    tl_tel_form_add(extra, "ReasonConferenceEnded", reason);
    tl_tel_form_add(extra, "CallSidEndingConference", by->call->sid);
    tl_tel_form_add(extra, "ParticipantLabelEndingConference", by->label);
    tell(c, "conference-end", NULL, about, extra);
    while (c->participants) {
        struct participant *p = take_out(c, c->participants->call);
        struct tl_tel_form *fields = tl_tel_form_new();
        tl_tel_form_add(fields, "DialCallStatus", "answered");
        struct tl_tel_call *call = p->call;
        free(p->label);
        free(p);
        tl_tel_run_done(call, fields);
    }
}

void tl_tel_conference_leave(struct tl_tel_call *call)
{
    struct tl_tel_conference *c = call->conference;

    if (!c)
        return;
    struct participant *p = take_out(c, call);
    struct tl_tel_form *extra = tl_tel_form_new();
    tl_tel_form_add(extra, "ReasonParticipantLeft", "participant_hung_up");
    tell(c, "participant-leave", p, call, extra);
    if (p->ends)
        end_room(c, p, "participant-with-end-conference-on-exit-left");
    else if (c->count == 0)
        end_room(c, p, "last-participant-left");
    free(p->label);
    free(p);
}

static const char *room_status(const struct tl_tel_conference *c)
{
    return c->is_over ? "completed" : c->is_started ? "in-progress" : "init";
}

json_t *tl_tel_conferences_json(const struct tl_tel *tel)
{
    json_t *out = json_array();

    for (const struct tl_tel_conference *c = tel->conferences; c; c = c->next) {
        json_t *room = json_pack("{s:s, s:s, s:s, s:I, s:O}", "sid", c->sid, "friendly_name",
                                 c->name, "status", room_status(c), "participants",
                                 (json_int_t)c->count, "log", c->log);
        json_array_append_new(out, room);
    }
    return out;
}

void tl_tel_conferences_finish(struct tl_tel *tel)
{
    while (tel->conferences) {
        struct tl_tel_conference *c = tel->conferences;
        tel->conferences = c->next;
        while (c->participants) {
            struct participant *p = c->participants;
            c->participants = p->next;
            free(p->label);
            free(p);
        }
        tl_tel_target_set(&c->callback, NULL, NULL);
        json_decref(c->log);
        free(c->events);
        free(c->name);
        free(c);
    }
}
