/* Ends, from the wish to the outcome: the states stand in telephony_internal.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/call_id.h"
#include "call/call_state.h"
#include "sinks/telephony/telephony_internal.h"

#define WRITE_AGAIN_MS 250 /* Kafka did not take it */

static void start_write(void *arg);
static void next_request(void *arg);

static void set_stage(struct tl_effect *effect, enum tl_effect_stage stage)
{
    static const char *const names[] = {"ready", "intends", "looks", "acts", "waits", "settles"};

    if (effect->stage != stage)
        tl_log_debug(effect->telephony->sink->log, "telephony.effect",
                     TL_STR("call_id", effect->call_id), TL_STR("intent_id", effect->id),
                     TL_STR("from", names[effect->stage]), TL_STR("to", names[stage]));
    effect->stage = stage;
}

/* ---- life ---- */

static void free_effect(struct tl_effect *effect)
{
    struct tl_telephony *telephony = effect->telephony;

    if (effect->request) {
        tl_http_call_cancel(effect->request);
        telephony->in_flight--;
    }
    tl_timer_finish(&effect->timer);
    tl_gauge_add(&telephony->sink->metrics.pending, -1);
    free(effect->sentence);
    free(effect->dial_number);
    free(effect);
}

static struct tl_effect *find(struct tl_telephony *telephony, const char *id)
{
    for (struct tl_effect *e = telephony->effects; e; e = e->next)
        if (strcmp(e->id, id) == 0)
            return e;
    return NULL;
}

/* Removes those that match: by id, by call, or all. */
static void remove_matching(struct tl_telephony *telephony, const char *id, const char *call_id)
{
    struct tl_effect **at = &telephony->effects;

    while (*at) {
        struct tl_effect *effect = *at;

        if ((id && strcmp(effect->id, id) != 0) ||
            (call_id && strcmp(effect->call_id, call_id) != 0)) {
            at = &effect->next;
            continue;
        }
        *at = effect->next;
        free_effect(effect);
        if (id)
            return; /* there is one, and `id` may have been its own */
    }
}

void tl_effect_remove(struct tl_telephony *telephony, const char *id)
{
    remove_matching(telephony, id, NULL);
}

void tl_effect_remove_call(struct tl_telephony *telephony, const char *call_id)
{
    remove_matching(telephony, NULL, call_id);
}

void tl_effect_clear(struct tl_telephony *telephony)
{
    remove_matching(telephony, NULL, NULL);
}

static char *copy(const char *text)
{
    return text && *text ? strdup(text) : NULL;
}

void tl_effect_add(struct tl_telephony *telephony, int32_t partition,
                   const struct tl_effect_wish *wish)
{
    if (strlen(wish->id) >= TL_TELEPHONY_ID_SIZE || find(telephony, wish->id))
        return;
    struct tl_effect *effect = calloc(1, sizeof(*effect));
    if (!effect)
        abort();
    effect->telephony = telephony;
    (void)snprintf(effect->id, sizeof(effect->id), "%s", wish->id);
    (void)snprintf(effect->source_event_id, sizeof(effect->source_event_id), "%s",
                   wish->source_event_id);
    (void)snprintf(effect->call_id, sizeof(effect->call_id), "%s", wish->call_id);
    effect->is_intent = wish->is_intent;
    effect->partition = partition;
    effect->sentence = copy(wish->sentence);
    effect->dial_number = copy(wish->dial_number);
    effect->asked_at = wish->asked_at;
    if (wish->problem) { /* settled before it begins */
        effect->outcome = TL_TELEPHONY_STAGE_FAILED;
        (void)snprintf(effect->detail, sizeof(effect->detail), "%s", wish->problem);
    }
    struct tl_effect **last = &telephony->effects; /* in the order in which they were wished */
    while (*last)
        last = &(*last)->next;
    *last = effect;
    tl_gauge_add(&telephony->sink->metrics.pending, 1);
}

/* ---- writing: INTENDED, then DONE or FAILED with the result ---- */

/* The effect may be gone when its record is delivered: it is found again by its id. */
struct write {
    struct tl_telephony *telephony;
    char id[TL_TELEPHONY_ID_SIZE];
};

static struct write *make_write(struct tl_effect *effect)
{
    struct write *write = calloc(1, sizeof(*write));

    if (!write)
        abort();
    write->telephony = effect->telephony;
    (void)snprintf(write->id, sizeof(write->id), "%s", effect->id);
    return write;
}

static void on_settled(struct tl_effect *effect)
{
    struct tl_sink *sink = effect->telephony->sink;
    bool done = effect->outcome == TL_TELEPHONY_STAGE_DONE;

    tl_counter_add(tl_counter_of(&sink->metrics.intents, "end", done ? "done" : "failed"), 1);
    tl_histogram_observe(&sink->metrics.intent_time, (tl_now_ms() - effect->asked_at) * 1000);
    tl_log_info(sink->log, "telephony.ended", TL_STR("call_id", effect->call_id),
                TL_STR("intent_id", effect->id), TL_BOOL("done", done),
                TL_INT("attempts", effect->attempts), TL_STR("detail", effect->detail));
    tl_effect_remove(effect->telephony, effect->id);
}

static void on_delivered(void *arg, const struct tl_delivery *delivery)
{
    struct write write = *(struct write *)arg;

    free(arg);
    struct tl_effect *effect = find(write.telephony, write.id);
    if (!effect || effect->writes == 0)
        return; /* revoked, and perhaps given back meanwhile */
    effect->writes--;
    if (delivery->status != TL_OK) {
        tl_timer_start(&effect->timer, effect->telephony->sink->loop, WRITE_AGAIN_MS, start_write,
                       effect);
        return;
    }
    if (effect->writes > 0 || tl_timer_is_running(&effect->timer))
        return;
    if (effect->stage == TL_EFFECT_INTENDS)
        next_request(effect);
    else if (effect->stage == TL_EFFECT_SETTLES)
        on_settled(effect);
}

static enum tl_status send_result(struct tl_effect *effect, struct write *write,
                                  struct tl_error *err)
{
    bool done = effect->outcome == TL_TELEPHONY_STAGE_DONE;
    json_t *output = done ? json_pack("{s:b}", "ended", 1)
                          : json_pack("{s:b, s:s}", "ended", 0, "error", effect->detail);
    char *text = output ? json_dumps(output, JSON_COMPACT) : NULL, id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid uuid = tl_event_id_derive(effect->source_event_id, "telephony", "calls.v1", 0);
    struct tl_tool_result result = {.intent_id = effect->id,
                                    .status = done ? TL_TOOL_STATUS_DONE : TL_TOOL_STATUS_FAILED,
                                    .output = text ? text : "{}"};

    tl_uuid_format(&uuid, id);
    struct tl_call_event event = {
        .event_id = id, .call_id = effect->call_id, .leg = "caller", .tool_result = &result};
    enum tl_status st =
        tl_fleet_send_event(effect->telephony->sink->fleet, &event, on_delivered, write, err);
    free(text);
    json_decref(output);
    return st;
}

/* Writes what the stage wants written; again when something is not taken. */
static void start_write(void *arg)
{
    struct tl_effect *effect = arg;
    bool settles = effect->stage == TL_EFFECT_SETTLES;
    struct write *write = make_write(effect);
    struct tl_error err;

    enum tl_status st = tl_known_write(effect->telephony, effect,
                                       settles ? effect->outcome : TL_TELEPHONY_STAGE_INTENDED,
                                       on_delivered, write, &err);
    effect->writes += st == TL_OK;
    if (st == TL_OK && settles && effect->is_intent) {
        write = make_write(effect);
        st = send_result(effect, write, &err);
        effect->writes += st == TL_OK;
    }
    if (st == TL_OK)
        return;
    free(write);
    tl_log_warn(effect->telephony->sink->log, "telephony.not_written",
                TL_STR("call_id", effect->call_id), TL_STR("intent_id", effect->id),
                TL_STR("error", err.msg));
    tl_timer_start(&effect->timer, effect->telephony->sink->loop, WRITE_AGAIN_MS, start_write,
                   effect);
}

static void settle(struct tl_effect *effect, enum tl_telephony_stage outcome, const char *detail)
{
    effect->outcome = outcome;
    if (detail != effect->detail)
        (void)snprintf(effect->detail, sizeof(effect->detail), "%s", detail);
    set_stage(effect, TL_EFFECT_SETTLES);
    start_write(effect);
}

/* ---- requests ---- */

static void release(struct tl_effect *effect)
{
    effect->request = NULL;
    effect->telephony->in_flight--;
}

/* Again after a while: what the network asked for, else 250 ms, doubling, a quarter of it random so
 * that those that failed together do not come back together. */
static void try_later(struct tl_effect *effect, int64_t asked_ms)
{
    const struct tl_sink_settings *s = &effect->telephony->sink->settings;
    int64_t ms = s->telephony_backoff_ms;

    for (int i = 1; i < effect->attempts && ms < s->telephony_backoff_max_ms; i++)
        ms *= 2;
    if (ms > s->telephony_backoff_max_ms)
        ms = s->telephony_backoff_max_ms;
    ms += ms * (tl_mono_us() & 255) / 1024;
    if (asked_ms > ms)
        ms = asked_ms;
    set_stage(effect, TL_EFFECT_WAITS);
    tl_timer_start(&effect->timer, effect->telephony->sink->loop, (uint64_t)ms, next_request,
                   effect);
}

static void fail_or_wait(struct tl_effect *effect, const struct tl_twilio_answer *answer,
                         int64_t wait_ms)
{
    (void)snprintf(effect->detail, sizeof(effect->detail), "%d %s", answer->code, answer->message);
    if (effect->attempts >= effect->telephony->sink->settings.telephony_attempts)
        settle(effect, TL_TELEPHONY_STAGE_FAILED, effect->detail);
    else
        try_later(effect, wait_ms);
}

static void on_ended(void *arg, const struct tl_http_answer *http)
{
    struct tl_effect *effect = arg;
    struct tl_twilio_answer answer;
    int64_t wait_ms;

    release(effect);
    tl_phone_read(effect->telephony, "end", http, &answer, &wait_ms);
    switch (answer.outcome) {
    case TL_TWILIO_DONE:
        settle(effect, TL_TELEPHONY_STAGE_DONE, "");
        break;
    case TL_TWILIO_OVER:
        settle(effect, TL_TELEPHONY_STAGE_DONE, "over already");
        break;
    case TL_TWILIO_REFUSED:
        effect->attempts = (int)effect->telephony->sink->settings.telephony_attempts;
        fail_or_wait(effect, &answer, 0);
        break;
    case TL_TWILIO_UNKNOWN: /* it may have been carried out: look before the next attempt */
        effect->is_looking = true;
        fail_or_wait(effect, &answer, wait_ms);
        break;
    case TL_TWILIO_AGAIN:
        fail_or_wait(effect, &answer, wait_ms);
        break;
    }
    tl_effect_pump(effect->telephony);
}

static void on_looked(void *arg, const struct tl_http_answer *http)
{
    struct tl_effect *effect = arg;
    struct tl_telephony *telephony = effect->telephony;
    struct tl_twilio_answer answer;
    int64_t wait_ms;

    release(effect);
    tl_phone_read(telephony, "look", http, &answer, &wait_ms);
    if (tl_phone_is_over(&answer)) {
        settle(effect, TL_TELEPHONY_STAGE_DONE, "over already");
    } else if (answer.outcome == TL_TWILIO_DONE) {
        effect->is_looking = false;
        next_request(effect);
    } else {
        effect->attempts++; /* a look counts, so that it ends some time */
        fail_or_wait(effect, &answer, wait_ms);
    }
    tl_effect_pump(telephony);
}

static const char *language_of(struct tl_effect *effect)
{
    struct tl_sink *sink = effect->telephony->sink;
    const struct tl_call_fold *call = tl_call_map_get(&effect->telephony->calls, effect->call_id);
    const struct tl_business *business =
        call && *call->business_id
            ? tl_fleet_business(sink->fleet, call->business_id, call->business_version)
            : NULL;

    return business && *business->language ? business->language : sink->settings.telephony_language;
}

static void next_request(void *arg)
{
    struct tl_effect *effect = arg;
    struct tl_telephony *telephony = effect->telephony;
    struct tl_error err;
    enum tl_status st;

    if (effect->is_looking) {
        set_stage(effect, TL_EFFECT_LOOKS);
        st = tl_phone_look(telephony, effect->call_sid, on_looked, effect, &effect->request, &err);
    } else {
        set_stage(effect, TL_EFFECT_ACTS);
        effect->attempts++;
        st = tl_phone_end(telephony, effect, language_of(effect), on_ended, effect,
                          &effect->request, &err);
    }
    if (st == TL_OK)
        telephony->in_flight++;
    else
        settle(effect, TL_TELEPHONY_STAGE_FAILED, err.msg);
}

/* ---- who may begin ---- */

/* A state record that says how it ended, or that it may have begun. */
static bool begin_known(struct tl_effect *effect)
{
    const struct tl_known *known = tl_known_get(effect->telephony, effect->id);

    if (!known)
        return false;
    if (known->stage == TL_TELEPHONY_STAGE_INTENDED) {
        effect->is_looking = true;
        return false;
    }
    if (effect->is_intent) /* its result may be missing still; of two the first counts */
        settle(effect, known->stage, "");
    else
        tl_effect_remove(effect->telephony, effect->id);
    return true;
}

/* A command for a call that nobody knows: nothing would ever bury a record of its state. */
static void drop_stranger(struct tl_effect *effect)
{
    struct tl_sink *sink = effect->telephony->sink;

    tl_counter_add(tl_counter_of(&sink->metrics.intents, "end", "unknown_call"), 1);
    tl_log_warn(sink->log, "telephony.unknown_call, skipped", TL_STR("call_id", effect->call_id),
                TL_STR("intent_id", effect->id));
    tl_effect_remove(effect->telephony, effect->id);
}

static void begin(struct tl_effect *effect)
{
    struct tl_telephony *telephony = effect->telephony;
    const struct tl_call_fold *call = tl_call_map_get(&telephony->calls, effect->call_id);
    bool too_old =
        tl_now_ms() - effect->asked_at > telephony->sink->settings.telephony_end_max_age_ms;

    if (begin_known(effect))
        return;
    if (effect->outcome)
        settle(effect, effect->outcome, effect->detail);
    else if (call && call->closed_at)
        tl_effect_remove(telephony, effect->id);
    else if (call && tl_call_state_is_final(call->state))
        settle(effect, TL_TELEPHONY_STAGE_DONE, "over already");
    else if (too_old && !call)
        drop_stranger(effect);
    else if (too_old)
        settle(effect, TL_TELEPHONY_STAGE_FAILED,
               "it was read too late, or the call has no CallSid");
    else if (call && *call->call_sid &&
             telephony->in_flight < telephony->sink->settings.telephony_requests_max) {
        (void)snprintf(effect->call_sid, sizeof(effect->call_sid), "%s", call->call_sid);
        set_stage(effect, TL_EFFECT_INTENDS);
        start_write(effect);
    }
}

void tl_effect_pump(struct tl_telephony *telephony)
{
    if (!telephony->is_live || telephony->is_pumping)
        return;
    telephony->is_pumping = true;
    for (struct tl_effect *effect = telephony->effects, *next; effect; effect = next) {
        next = effect->next;
        if (effect->stage == TL_EFFECT_READY)
            begin(effect);
    }
    telephony->is_pumping = false;
}
