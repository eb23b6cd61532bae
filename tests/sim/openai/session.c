/* A session's life: the handshake, session.created, its limit, its end, its record. */
#include "openai/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/http_server.h"
#include "openai/response.h"
#include "openai/rest.h"
#include "openai/wire.h"

#define QUEUE_BYTES ((size_t)16 << 20)
#define MESSAGE_BYTES ((size_t)24 << 20) /* 15 MiB of sound in base64 */

long tl_ai_session_age_ms(const struct tl_ai_session *session)
{
    return (long)((tl_mono_us() - session->report.opened_us) / 1000);
}

/* Making and unmaking. */

static void init_report(struct tl_ai_report *report)
{
    *report = (struct tl_ai_report){.opened_at_ms = tl_now_ms(), .opened_us = tl_mono_us()};
    json_t **const lists[] = {&report->heard,        &report->said,        &report->given,
                              &report->tool_outputs, &report->truncations, &report->deletions,
                              &report->errors,       &report->responses,   &report->updates};
    for (size_t i = 0; i < TL_ARRAY_LEN(lists); i++)
        *lists[i] = json_array();
}

static struct tl_ai_session *create(struct tl_ai_sim *sim, enum tl_ai_dialect dialect,
                                    const char *model)
{
    struct tl_ai_session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    session->sim = sim;
    session->dialect = dialect;
    tl_ai_sim_make_id(sim, "sess", session->id);
    tl_ai_sim_make_id(sim, "conv", session->conversation_id);
    tl_ai_jobs_init(&session->jobs, sim->loop);
    tl_ai_config_init(&session->config, session->id, model,
                      tl_now_ms() / 1000 + sim->options.session_limit_s);
    tl_ai_input_init(&session->input);
    tl_ai_input_reconfigure(session);
    TAILQ_INIT(&session->items);
    LIST_INIT(&session->responses);
    session->early = json_array();
    init_report(&session->report);
    TAILQ_INSERT_TAIL(&sim->sessions, session, link);
    sim->opened_ever++;
    sim->open++;
    return session;
}

/** What a closed session no longer needs. */
static void release(struct tl_ai_session *session)
{
    struct tl_ai_item *item;

    tl_ai_response_destroy_all(session);
    tl_ai_jobs_finish(&session->jobs);
    while ((item = TAILQ_FIRST(&session->items))) {
        TAILQ_REMOVE(&session->items, item, link);
        tl_ai_item_destroy(item);
    }
    tl_ai_input_finish(&session->input);
    tl_ai_input_init(&session->input);
    json_decref(session->early);
    session->early = NULL;
}

void tl_ai_session_destroy(struct tl_ai_session *session)
{
    struct tl_ai_report *report = &session->report;

    TAILQ_REMOVE(&session->sim->sessions, session, link);
    session->sim->closed--;
    tl_ai_config_finish(&session->config);
    json_decref(report->heard);
    json_decref(report->said);
    json_decref(report->given);
    json_decref(report->tool_outputs);
    json_decref(report->truncations);
    json_decref(report->deletions);
    json_decref(report->errors);
    json_decref(report->responses);
    json_decref(report->updates);
    free(session);
}

static void forget_oldest(struct tl_ai_sim *sim)
{
    struct tl_ai_session *session;

    if ((long)sim->closed <= sim->options.keep)
        return;
    TAILQ_FOREACH(session, &sim->sessions, link)
    if (!session->ws)
        break;
    tl_ai_session_destroy(session);
}

/* Events of the WebSocket. */

void tl_ai_session_expire(struct tl_ai_session *session)
{
    struct tl_ai_problem problem;

    tl_ai_refuse(&problem, "session_expired", NULL,
                 "Your session hit the maximum duration of %ld minutes.",
                 (session->sim->options.session_limit_s + 59) / 60);
    tl_ai_send_problem(session, &problem, NULL);
    session->report.closed_by = "server";
    tl_ws_close(session->ws, 1001, "session expired");
}

static void on_limit(void *arg)
{
    tl_ai_session_expire(arg);
}

static void refuse_beta(struct tl_ai_session *session)
{
    struct tl_ai_problem problem;

    tl_ai_refuse(&problem, "beta_api_shape_disabled", NULL,
                 "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA "
                 "API.");
    tl_ai_send_problem(session, &problem, NULL);
    session->report.closed_by = "server";
    tl_ws_close(session->ws, 4000, "beta_api_shape_disabled");
}

/** The greeting of the service, then what the client said before it. */
static void on_ready(void *arg)
{
    struct tl_ai_session *session = arg;
    json_t *message;
    size_t i;

    if (session->is_beta_refused) {
        refuse_beta(session);
        return;
    }
    session->is_created = true;
    tl_ai_emit(session, "session.created", "{s:o}", "session",
               tl_ai_config_json(&session->config, session->dialect));
    json_array_foreach(session->early, i, message)
        tl_ai_client_event(session, json_string_value(message), json_string_length(message));
    json_array_clear(session->early);
}

static void on_open(void *arg, struct tl_ws *ws)
{
    struct tl_ai_session *session = arg;
    const struct tl_ai_options *options = &session->sim->options;

    (void)ws;
    tl_ai_jobs_add(&session->jobs, (uint64_t)options->session_delay_ms, on_ready, session, NULL);
    if (session->is_beta_refused)
        return;
    tl_ai_jobs_add(&session->jobs, (uint64_t)options->session_limit_s * 1000, on_limit, session,
                   NULL);
    tl_ai_fault_attach(session);
}

static void on_message(void *arg, struct tl_ws *ws, const void *data, size_t len, bool is_text)
{
    struct tl_ai_session *session = arg;
    struct tl_ai_problem problem;

    (void)ws;
    if (session->is_mute)
        return;
    if (!is_text) {
        tl_ai_refuse(&problem, "invalid_message", NULL, "Binary messages are not supported.");
        tl_ai_send_problem(session, &problem, NULL);
    } else if (session->is_created) {
        tl_ai_client_event(session, data, len);
    } else if (!session->is_beta_refused) {
        json_array_append_new(session->early, json_stringn(data, len));
    }
}

static void on_close(void *arg, struct tl_ws *ws, const struct tl_ws_close *end)
{
    struct tl_ai_session *session = arg;
    struct tl_ai_sim *sim = session->sim;

    (void)ws;
    session->ws = NULL;
    session->report.closed_us = tl_mono_us();
    session->report.close_code = end->code;
    if (!session->report.closed_by)
        session->report.closed_by = "client";
    tl_log_debug(&sim->log, "session.closed", TL_STR("session", session->id),
                 TL_INT("code", end->code), TL_STR("reason", end->reason));
    release(session);
    sim->open--;
    sim->closed++;
    forget_oldest(sim);
}

static const struct tl_ws_callbacks callbacks = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close};

void tl_ai_session_on_upgrade(void *arg, const struct tl_http_request *request,
                              struct tl_ws_accept *accept)
{
    struct tl_ai_sim *sim = arg;
    const char *beta = tl_http_request_header(request, "OpenAI-Beta");
    const char *model = tl_http_request_arg(request, "model");
    bool is_beta = beta && strstr(beta, "realtime=v1");
    static const int statuses[] = {401, 403, 404, 429, 500, 503};
    struct tl_ai_fault fault;

    if (tl_ai_fault_strikes_request(sim, TL_AI_FAULT_REFUSE_401, TL_AI_FAULT_REFUSE_503, &fault))
        accept->status = statuses[fault.kind - TL_AI_FAULT_REFUSE_401];
    else if (strcmp(tl_http_request_path(request), "/v1/realtime") != 0)
        accept->status = 404;
    else if (!tl_ai_rest_is_authorised(sim, request))
        accept->status = 401;
    else if (!model)
        accept->status = 400;
    else if (!tl_ai_rest_model_exists(model))
        accept->status = 404;
    if (accept->status)
        return;

    struct tl_ai_session *session = create(sim, is_beta ? TL_AI_BETA : TL_AI_GA, model);
    session->is_beta_refused = is_beta && sim->options.ga_only;
    session->ws = accept->ws;
    accept->accepted = true;
    accept->subprotocol = "realtime";
    accept->callbacks = &callbacks;
    accept->arg = session;
    accept->limits =
        (struct tl_ws_limits){.queue_bytes = QUEUE_BYTES, .message_bytes = MESSAGE_BYTES};
}

/* The record. */

static json_t *texts_of(const json_t *list, const char *only_if)
{
    json_t *texts = json_array();
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)list, i, entry)
    {
        json_t *text = json_object_get(entry, "text");
        if (json_is_string(text) && (!only_if || json_is_true(json_object_get(entry, only_if))))
            json_array_append(texts, text);
    }
    return texts;
}

static size_t count_unknown(const json_t *heard)
{
    size_t count = 0, i;
    json_t *entry;

    json_array_foreach((json_t *)heard, i,
                       entry) if (!json_is_true(json_object_get(entry, "exact"))) count++;
    return count;
}

static void add_details(const struct tl_ai_session *session, json_t *out)
{
    const struct tl_ai_report *report = &session->report;
    const struct {
        const char *name;
        json_t *value;
    } lists[] = {{"heard", report->heard},
                 {"said", report->said},
                 {"items", report->given},
                 {"tool_outputs", report->tool_outputs},
                 {"truncations", report->truncations},
                 {"deletions", report->deletions},
                 {"errors", report->errors},
                 {"responses", report->responses},
                 {"updates", report->updates}};

    for (size_t i = 0; i < TL_ARRAY_LEN(lists); i++)
        json_object_set(out, lists[i].name, lists[i].value);
    json_object_set_new(out, "session", tl_ai_config_json(&session->config, session->dialect));
    json_object_set_new(out, "instructions",
                        json_string(tl_ai_config_instructions(&session->config)));
}

json_t *tl_ai_session_report(const struct tl_ai_session *session, bool full)
{
    const struct tl_ai_report *report = &session->report;
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:s?, s:i, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I}", "id",
        session->id, "dialect", session->dialect == TL_AI_GA ? "ga" : "beta", "model",
        tl_ai_config_model(&session->config), "is_open", session->ws != NULL, "opened_at_ms",
        (json_int_t)report->opened_at_ms, "opened_us", (json_int_t)report->opened_us, "closed_by",
        report->closed_by, "close_code", (int)report->close_code, "closed_us",
        (json_int_t)report->closed_us, "appends", (json_int_t)report->appends, "audio_bytes",
        (json_int_t)report->audio_bytes, "heard_texts", texts_of(report->heard, "exact"),
        "heard_inexact", (json_int_t)count_unknown(report->heard), "said_texts",
        texts_of(report->said, NULL), "messages", (json_int_t)report->messages, "errors_sent",
        (json_int_t)json_array_size(report->errors));

    if (full)
        add_details(session, out);
    return out;
}
