/* Responses: one event after the other, at the pace of a fast model. The steps of a response are
 * jobs of its session:
 *
 *   start ── create_delay ──▶ created ── rest of first_audio_delay ──▶ step, step, … ──▶ done
 *
 * A step begins an item, sends one delta of it, or ends it. */
#include "openai/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "openai/rules.h"
#include "openai/usage.h"
#include "openai/wire.h"

#define TEXT_DELTA_MS 20 /* between deltas of text without sound */
#define TOKEN_BYTES 400  /* the model's sound: a token each 50 ms */
#define AHEAD 2          /* the transcript runs so many times faster than the sound */

static void step(void *arg);

static void later(struct tl_ai_response *response, long delay_ms, void (*run)(void *))
{
    tl_ai_jobs_add(&response->session->jobs, delay_ms > 0 ? (uint64_t)delay_ms : 0, run, response,
                   NULL);
}

/* response.created, response.done. */

static json_t *audio_json(const struct tl_ai_response *response)
{
    const json_t *session_audio = json_object_get(response->session->config.session, "audio");
    json_t *output = json_deep_copy(json_object_get(session_audio, "output"));
    const json_t *own = json_object_get(json_object_get(response->request, "audio"), "output");

    json_object_del(output, "speed");
    if (own)
        json_object_update(output, (json_t *)own);
    return json_pack("{s:o}", "output", output);
}

static json_t *metadata_json(const struct tl_ai_response *response)
{
    json_t *metadata = json_object_get(response->request, "metadata");

    return metadata ? json_incref(metadata) : json_null();
}

static json_t *max_tokens_json(const struct tl_ai_response *response)
{
    json_t *own = json_object_get(response->request, "max_output_tokens");

    if (!own)
        own = json_object_get(response->request, "max_response_output_tokens");
    if (!own)
        own = json_object_get(response->session->config.session, "max_output_tokens");
    return json_incref(own);
}

/** The members that say how, named as in the dialect. */
static void add_settings(const struct tl_ai_response *response, json_t *out)
{
    static const char *const beta_formats[] = {"pcm16", "g711_ulaw", "g711_alaw"};

    json_object_set_new(out, "max_output_tokens", max_tokens_json(response));
    if (response->session->dialect == TL_AI_GA) {
        json_object_set_new(out, "output_modalities",
                            json_pack("[s]", response->text_only ? "text" : "audio"));
        json_object_set_new(out, "audio", audio_json(response));
        return;
    }
    json_object_set_new(out, "modalities",
                        response->text_only ? json_pack("[s]", "text")
                                            : json_pack("[ss]", "text", "audio"));
    json_object_set_new(out, "output_audio_format", json_string(beta_formats[response->format]));
}

static json_t *response_json(const struct tl_ai_response *response, const char *status,
                             json_t *details, bool with_usage)
{
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:o, s:O, s:s?, s:o, s:o}", "object", "realtime.response", "id",
        response->id, "status", status, "status_details", details, "output", response->output,
        "conversation_id", response->in_conversation ? response->session->conversation_id : NULL,
        "metadata", metadata_json(response), "usage",
        with_usage ? tl_ai_usage_json(response) : json_null());

    add_settings(response, out);
    return out;
}

static void destroy(struct tl_ai_response *response)
{
    struct tl_ai_session *session = response->session;

    tl_ai_jobs_cancel(&session->jobs, response);
    if (session->active == response)
        session->active = NULL;
    LIST_REMOVE(response, link);
    if (!response->in_conversation)
        tl_ai_item_destroy(response->item);
    tl_ai_plan_finish(&response->plan);
    json_decref(response->request);
    json_decref(response->output);
    free(response);
}

void tl_ai_response_destroy_all(struct tl_ai_session *session)
{
    while (!LIST_EMPTY(&session->responses))
        destroy(LIST_FIRST(&session->responses));
}

/** The last event of a response; it is gone afterwards. `details` is stolen. */
static void finish(struct tl_ai_response *response, const char *status, json_t *details)
{
    struct tl_ai_session *session = response->session;
    bool was_spoken = response->total_bytes > 0 && response->in_conversation;
    unsigned generated_ms = (unsigned)(response->total_bytes / 8);

    if (!json_is_null(details) &&
        tl_ai_fault_strikes(session, TL_AI_FAULT_STATUS_DETAILS_STRING, NULL)) {
        json_t *reason = json_object_get(details, "reason");
        reason = reason ? json_incref(reason) : json_string("failed");
        json_decref(details);
        details = reason;
    }
    json_array_append_new(session->report.responses,
                          json_pack("{s:s, s:s, s:s, s:O, s:I, s:I}", "id", response->id, "cause",
                                    response->cause, "status", status, "details", details, "bytes",
                                    (json_int_t)response->total_bytes, "at_ms",
                                    (json_int_t)tl_ai_session_age_ms(session)));
    json_t *body = response_json(response, status, details, true);
    destroy(response);
    if (was_spoken)
        tl_ai_input_arm_idle(session, generated_ms);
    tl_ai_emit(session, "response.done", "{s:o}", "response", body);
}

static void fail(struct tl_ai_response *response, const char *type, const char *code)
{
    finish(
        response, "failed",
        json_pack("{s:s, s:{s:s, s:s?}}", "type", "failed", "error", "type", type, "code", code));
}

/* Items. */

static const struct tl_ai_part *part_of(const struct tl_ai_response *response)
{
    return &response->plan.part[response->part];
}

static void emit_item(struct tl_ai_response *response, const char *type)
{
    tl_ai_emit(response->session, type, "{s:s, s:I, s:o}", "response_id", response->id,
               "output_index", (json_int_t)response->part, "item",
               tl_ai_item_json(response->item, response->session->dialect, false));
}

static void emit_conversation_item(struct tl_ai_response *response, const char *type)
{
    const struct tl_ai_item *before = TAILQ_PREV(response->item, tl_ai_item_list, link);

    tl_ai_emit(response->session, type, "{s:s?, s:o}", "previous_item_id",
               before ? before->id : NULL, "item",
               tl_ai_item_json(response->item, response->session->dialect, false));
}

static void emit_part(struct tl_ai_response *response, const char *type, const char *text)
{
    bool spoken = part_of(response)->speech;

    tl_ai_emit(response->session, type, "{s:s, s:s, s:I, s:i, s:{s:s, s:s}}", "response_id",
               response->id, "item_id", response->item->id, "output_index",
               (json_int_t)response->part, "content_index", 0, "part", "type",
               spoken ? "audio" : "text", spoken ? "transcript" : "text", text);
}

static void add_said(struct tl_ai_response *response)
{
    const struct tl_ai_part *part = part_of(response);

    response->said = json_pack(
        "{s:s, s:s, s:s, s:s?, s:b, s:i, s:i, s:s, s:I}", "item_id", response->item->id,
        "response_id", response->id, "cause", response->cause, "text", part->text, "spoken",
        part->speech != NULL, "bytes", 0, "of_bytes", (int)(part->to - part->from), "status",
        "in_progress", "at_ms", (json_int_t)tl_ai_session_age_ms(response->session));
    if (part->call)
        json_object_set_new(response->said, "tool", json_string(part->call->tool));
    else
        json_object_set_new(response->said, "deltas_us", json_array()); /* when each was sent */
    json_array_append_new(response->session->report.said, response->said);
}

static void begin_item(struct tl_ai_response *response)
{
    struct tl_ai_session *session = response->session;
    const struct tl_ai_part *part = part_of(response);
    struct tl_ai_item *item =
        tl_ai_item_create(session->sim, part->call ? TL_AI_FUNCTION_CALL : TL_AI_MESSAGE,
                          part->call ? NULL : "assistant");

    item->status = "in_progress";
    if (part->call) {
        char call_id[TL_AI_ID_SIZE];
        tl_ai_sim_make_id(session->sim, "call", call_id);
        item->call_id = strdup(call_id);
        item->name = strdup(part->call->tool);
        item->phrase = part->call;
    }
    item->sound = part->speech ? part->speech->ulaw + part->from : NULL;
    response->item = item;
    response->done_bytes = response->done_text = 0;
    if (response->in_conversation)
        TAILQ_INSERT_TAIL(&session->items, item, link);
    add_said(response);
    emit_item(response, "response.output_item.added");
    if (response->in_conversation)
        emit_conversation_item(response, "conversation.item.added");
    if (!part->call)
        emit_part(response, "response.content_part.added", "");
}

static json_t *ids_json(const struct tl_ai_response *response)
{
    return json_pack("{s:s, s:s, s:I, s:i}", "response_id", response->id, "item_id",
                     response->item->id, "output_index", (json_int_t)response->part,
                     "content_index", 0);
}

static void emit_with_ids(struct tl_ai_response *response, const char *type, const char *name,
                          const char *text, size_t len)
{
    json_t *event = tl_ai_event(response->session, type);
    json_t *ids = ids_json(response);

    json_object_update(event, ids);
    json_decref(ids);
    if (name)
        json_object_set_new(event, name, json_stringn(text, len));
    tl_ai_send(response->session, event);
}

/** Closes the item as far as it came, with all the events that belong to it. */
static void end_words(struct tl_ai_response *response, const char *status)
{
    const struct tl_ai_part *part = part_of(response);
    struct tl_ai_item *item = response->item;
    char text[TL_AI_TEXT_MAX];

    snprintf(text, sizeof(text), "%.*s", (int)response->done_text, part->text);
    item->status = status;
    if (part->speech) {
        json_array_append_new(item->content,
                              json_pack("{s:s, s:s}", "type", "output_audio", "transcript", text));
        emit_with_ids(response, "response.output_audio.done", NULL, NULL, 0);
        emit_with_ids(response, "response.output_audio_transcript.done", "transcript", text,
                      strlen(text));
    } else {
        json_array_append_new(item->content,
                              json_pack("{s:s, s:s}", "type", "output_text", "text", text));
        emit_with_ids(response, "response.output_text.done", "text", text, strlen(text));
    }
    emit_part(response, "response.content_part.done", text);
}

static void end_item(struct tl_ai_response *response, const char *status)
{
    struct tl_ai_session *session = response->session;

    if (part_of(response)->call)
        response->item->status = status;
    else
        end_words(response, status);
    json_object_set_new(response->said, "status", json_string(status));
    json_object_set_new(response->said, "bytes", json_integer((json_int_t)response->done_bytes));
    emit_item(response, "response.output_item.done");
    if (response->in_conversation)
        emit_conversation_item(response, "conversation.item.done");
    json_array_append_new(response->output,
                          tl_ai_item_json(response->item, session->dialect, false));
    if (!response->in_conversation)
        tl_ai_item_destroy(response->item);
    response->item = NULL;
    response->part++;
}

/** A function call goes out at once: its arguments in two deltas. */
static void say_call(struct tl_ai_response *response)
{
    const char *arguments = part_of(response)->call->tool_arguments;
    struct tl_ai_session *session = response->session;
    struct tl_ai_item *item = response->item;
    size_t len = strlen(arguments);
    size_t half = len / 2;

    for (int i = 0; i < 2; i++)
        tl_ai_emit(session, "response.function_call_arguments.delta", "{s:s, s:s, s:I, s:s, s:s%}",
                   "response_id", response->id, "item_id", item->id, "output_index",
                   (json_int_t)response->part, "call_id", item->call_id, "delta",
                   i ? arguments + half : arguments, i ? len - half : half);
    item->text = strdup(arguments);
    response->total_text += len;
    json_t *event = tl_ai_event(session, "response.function_call_arguments.done");
    json_t *members = json_pack("{s:s, s:s, s:I, s:s, s:s}", "response_id", response->id, "item_id",
                                item->id, "output_index", (json_int_t)response->part, "call_id",
                                item->call_id, "arguments", arguments);
    json_object_update(event, members);
    json_decref(members);
    if (session->dialect == TL_AI_GA)
        json_object_set_new(event, "name", json_string(item->name));
    tl_ai_send(session, event);
}

/** The words up to that share of the part's sound, whole words, ahead of the sound. */
static void send_words(struct tl_ai_response *response, size_t done, size_t all)
{
    const char *text = part_of(response)->text;
    size_t len = strlen(text);
    size_t to = all == 0 || done * AHEAD >= all ? len : len * done * AHEAD / all;

    while (to < len && text[to] != ' ')
        to++;
    if (to <= response->done_text)
        return;
    emit_with_ids(response,
                  part_of(response)->speech ? "response.output_audio_transcript.delta"
                                            : "response.output_text.delta",
                  "delta", text + response->done_text, to - response->done_text);
    response->total_text += to - response->done_text;
    response->done_text = to;
}

static size_t next_delta_bytes(const struct tl_ai_response *response)
{
    const struct tl_ai_part *part = part_of(response);
    size_t left = part->to - part->from - response->done_bytes;
    size_t delta = (size_t)response->session->sim->options.delta_ms * 8;

    if (left < delta)
        delta = left;
    if (response->audio_left_bytes >= 0 && (size_t)response->audio_left_bytes < delta)
        delta = (size_t)response->audio_left_bytes;
    return delta;
}

static void send_sound(struct tl_ai_response *response, size_t len)
{
    const struct tl_ai_part *part = part_of(response);
    size_t all = part->to - part->from;

    if (response->done_bytes == 0)
        json_object_set_new(response->said, "first_us", json_integer(tl_mono_us()));
    json_array_append_new(json_object_get(response->said, "deltas_us"), json_integer(tl_mono_us()));
    send_words(response, response->done_bytes + len, all);
    tl_ai_send_audio_delta(response->session, response->id, response->item->id, response->part,
                           part->speech->ulaw + part->from + response->done_bytes, len,
                           (int)response->format);
    response->session->voice_locked = true;
    response->done_bytes += len;
    response->total_bytes += len;
    response->item->generated_bytes += len;
    if (response->audio_left_bytes >= 0)
        response->audio_left_bytes -= (long)len;
    json_object_set_new(response->said, "bytes", json_integer((json_int_t)response->done_bytes));
}

/* Steps. */

static void step_sound(struct tl_ai_response *response)
{
    const struct tl_ai_part *part = part_of(response);
    const struct tl_ai_options *options = &response->session->sim->options;
    size_t len = next_delta_bytes(response);

    if (len == 0 && response->done_bytes < part->to - part->from) {
        end_item(response, "incomplete");
        finish(response, "incomplete",
               json_pack("{s:s, s:s}", "type", "incomplete", "reason", "max_output_tokens"));
        return;
    }
    if (len == 0) {
        end_item(response, "completed");
        step(response);
        return;
    }
    send_sound(response, len);
    /* Not with the first delta: what is queued goes down with the connection. */
    if (response->in_conversation && response->done_bytes > len &&
        tl_ai_fault_strikes(response->session, TL_AI_FAULT_DROP_IN_AUDIO, NULL)) {
        response->session->report.closed_by = "server";
        tl_ws_drop(response->session->ws);
        return;
    }
    later(response, options->delta_ms / options->speed, step);
}

static void step_text(struct tl_ai_response *response)
{
    size_t all = strlen(part_of(response)->text);

    if (response->done_text >= all) {
        end_item(response, "completed");
        step(response);
        return;
    }
    send_words(response, response->done_text / AHEAD + 16, all);
    later(response, TEXT_DELTA_MS, step);
}

static void step(void *arg)
{
    struct tl_ai_response *response = arg;

    if (response->part == response->plan.len) {
        finish(response, "completed", json_null());
        return;
    }
    if (!response->item)
        begin_item(response);
    const struct tl_ai_part *part = part_of(response);
    if (part->call) {
        say_call(response);
        end_item(response, "completed");
        step(response);
    } else if (part->speech) {
        step_sound(response);
    } else {
        step_text(response);
    }
}

static bool fails_by_fault(struct tl_ai_response *response)
{
    static const struct {
        enum tl_ai_fault_kind kind;
        const char *type, *code;
    } failures[] = {
        {TL_AI_FAULT_RATE_LIMIT, "rate_limit_error", "inference_rate_limit_exceeded"},
        {TL_AI_FAULT_QUOTA, "insufficient_quota", "insufficient_quota"},
        {TL_AI_FAULT_SERVER_ERROR, "server_error", NULL},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(failures); i++) {
        if (!tl_ai_fault_strikes(response->session, failures[i].kind, NULL))
            continue;
        fail(response, failures[i].type, failures[i].code);
        return true;
    }
    return false;
}

/** Stops it where it is. */
static void cancel(struct tl_ai_response *response, const char *reason)
{
    if (response->item)
        end_item(response, "incomplete");
    finish(response, "cancelled", json_pack("{s:s, s:s}", "type", "cancelled", "reason", reason));
}

static void on_created(void *arg)
{
    struct tl_ai_response *response = arg;
    struct tl_ai_session *session = response->session;
    const struct tl_ai_options *options = &session->sim->options;
    struct tl_ai_fault fault;

    response->is_created = true;
    if (!tl_ai_fault_strikes(session, TL_AI_FAULT_DONE_WITHOUT_CREATED, &fault))
        tl_ai_emit(session, "response.created", "{s:o}", "response",
                   response_json(response, "in_progress", json_null(), false));
    tl_ai_usage_send_limits(session);
    if (response->cancelled) {
        cancel(response, response->cancelled);
        return;
    }
    if (fails_by_fault(response))
        return;
    tl_ai_answer_plan(response, &response->plan);
    if (options->several_items || tl_ai_fault_strikes(session, TL_AI_FAULT_SEVERAL_ITEMS, NULL))
        tl_ai_plan_split(&response->plan);
    later(response, options->first_audio_delay_ms - options->create_delay_ms, step);
}

/* Starting and cancelling. */

static bool is_out_of_band(const json_t *request)
{
    const char *conversation = json_string_value(json_object_get(request, "conversation"));

    return conversation && strcmp(conversation, "none") == 0;
}

static bool check_input(struct tl_ai_session *session, const json_t *request,
                        struct tl_ai_problem *problem)
{
    json_t *given;
    size_t i;
    char path[64];

    json_array_foreach(json_object_get(request, "input"), i, given)
    {
        const char *type = json_string_value(json_object_get(given, "type"));
        const char *id = json_string_value(json_object_get(given, "id"));
        struct tl_ai_item *item = NULL;
        snprintf(path, sizeof(path), "response.input[%zu]", i);
        if (type && strcmp(type, "item_reference") == 0) {
            if (id && tl_ai_item_find(&session->items, id))
                continue;
            return tl_ai_refuse(problem, "invalid_value", path,
                                "Item with id '%.40s' not found in conversation.", id ? id : "");
        }
        if (!tl_ai_item_parse(session->sim, &session->items, session->dialect, given, path, &item,
                              problem))
            return false;
        tl_ai_item_destroy(item);
    }
    return true;
}

static bool check_request(struct tl_ai_session *session, const json_t *request,
                          struct tl_ai_problem *problem)
{
    static const char *const family[] = {"reasoning", "parallel_tool_calls"};
    bool is_ga = session->dialect == TL_AI_GA;
    char param[64];

    if (!request)
        return true;
    if (!tl_ai_check(is_ga ? tl_ai_response_rules : tl_ai_beta_response_rules, request, "response",
                     problem))
        return false;
    for (size_t i = 0; i < TL_ARRAY_LEN(family); i++) {
        if (!json_object_get(request, family[i]) ||
            tl_ai_model_reasons(tl_ai_config_model(&session->config)))
            continue;
        snprintf(param, sizeof(param), "response.%s", family[i]);
        return tl_ai_refuse(problem, "unsupported_parameter", param,
                            "Unsupported parameter: '%s' is not supported with this model.", param);
    }
    return check_input(session, request, problem);
}

static enum tl_ai_format requested_format(const struct tl_ai_session *session,
                                          const json_t *request)
{
    const json_t *output = json_object_get(json_object_get(request, "audio"), "output");
    const char *type =
        json_string_value(json_object_get(json_object_get(output, "format"), "type"));

    if (!type)
        type = json_string_value(json_object_get(request, "output_audio_format"));
    if (!type)
        return session->config.output_format;
    if (strcmp(type, "audio/pcmu") == 0 || strcmp(type, "g711_ulaw") == 0)
        return TL_AI_PCMU;
    return strcmp(type, "audio/pcma") == 0 || strcmp(type, "g711_alaw") == 0 ? TL_AI_PCMA
                                                                             : TL_AI_PCM16;
}

static void read_request(struct tl_ai_response *response, const json_t *request)
{
    const struct tl_ai_session *session = response->session;
    const json_t *modalities = json_object_get(request, "output_modalities");

    response->request = json_deep_copy(request);
    response->format = requested_format(session, request);
    response->text_only = session->config.text_only;
    if (!modalities)
        modalities = json_object_get(request, "modalities");
    if (modalities)
        response->text_only = json_array_size(modalities) == 1 &&
                              strcmp(json_string_value(json_array_get(modalities, 0)), "text") == 0;
    json_t *limit = max_tokens_json(response);
    response->audio_left_bytes =
        json_is_integer(limit) ? (long)json_integer_value(limit) * TOKEN_BYTES : -1;
    json_decref(limit);
}

bool tl_ai_response_start(struct tl_ai_session *session, const char *cause, const json_t *request,
                          struct tl_ai_problem *problem)
{
    bool out_of_band = is_out_of_band(request);
    long delay_ms = session->sim->options.create_delay_ms;
    struct tl_ai_fault fault;

    if (!check_request(session, request, problem))
        return false;
    if (session->active && !out_of_band)
        return tl_ai_refuse(problem, "conversation_already_has_active_response", NULL,
                            "Conversation already has an active response in progress: %s. Wait "
                            "until the response is finished before creating a new one.",
                            session->active->id);

    struct tl_ai_response *response = calloc(1, sizeof(*response));
    if (!response)
        abort();
    response->session = session;
    response->cause = cause;
    response->in_conversation = !out_of_band;
    response->output = json_array();
    tl_ai_sim_make_id(session->sim, "resp", response->id);
    read_request(response, request);
    LIST_INSERT_HEAD(&session->responses, response, link);
    if (!out_of_band)
        session->active = response;
    session->input.idle_from_bytes = 0;
    if (tl_ai_fault_strikes(session, TL_AI_FAULT_LATE_CREATED, &fault))
        delay_ms += fault.delay_ms;
    later(response, delay_ms, on_created);
    return true;
}

bool tl_ai_response_cancel(struct tl_ai_session *session, const char *response_id,
                           struct tl_ai_problem *problem)
{
    struct tl_ai_response *response = session->active;

    if (response_id)
        LIST_FOREACH(response, &session->responses, link)
    if (strcmp(response->id, response_id) == 0)
        break;
    /* One that is not created yet cannot be named: such a cancel is lost, as at the real service.
     */
    if (!response || !response->is_created)
        return tl_ai_refuse(problem, "response_cancel_not_active", NULL,
                            "Cancellation failed: no active response found");
    cancel(response, "client_cancelled");
    return true;
}

void tl_ai_response_interrupt(struct tl_ai_session *session)
{
    if (!session->active)
        return;
    if (session->active->is_created)
        cancel(session->active, "turn_detected");
    else
        session->active->cancelled = "turn_detected";
}
