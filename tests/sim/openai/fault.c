/* Faults: asked for by the control API or the command line, kept until their moment comes. */
#include "openai/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openai/schema.h"
#include "openai/session.h"
#include "openai/wire.h"

static const char *const names[] = {
    [TL_AI_FAULT_CLOSE_1011] = "close_1011",
    [TL_AI_FAULT_DROP] = "drop",
    [TL_AI_FAULT_RST] = "rst",
    [TL_AI_FAULT_HALF_OPEN] = "half_open",
    [TL_AI_FAULT_EXPIRE] = "expire",
    [TL_AI_FAULT_QUOTA_CLOSE] = "quota_close",
    [TL_AI_FAULT_MALFORMED] = "malformed",
    [TL_AI_FAULT_LATENCY] = "latency",
    [TL_AI_FAULT_RATE_LIMIT] = "rate_limit",
    [TL_AI_FAULT_QUOTA] = "quota",
    [TL_AI_FAULT_SERVER_ERROR] = "server_error",
    [TL_AI_FAULT_LATE_CREATED] = "late_created",
    [TL_AI_FAULT_DONE_WITHOUT_CREATED] = "done_without_created",
    [TL_AI_FAULT_STATUS_DETAILS_STRING] = "status_details_string",
    [TL_AI_FAULT_NO_RESPONSE] = "no_response",
    [TL_AI_FAULT_SEVERAL_ITEMS] = "several_items",
    [TL_AI_FAULT_DROP_IN_AUDIO] = "drop_in_audio",
    [TL_AI_FAULT_LATE_TRANSCRIPT] = "late_transcript",
    [TL_AI_FAULT_FAILED_TRANSCRIPT] = "failed_transcript",
    [TL_AI_FAULT_REFUSE_401] = "refuse_upgrade_401",
    [TL_AI_FAULT_REFUSE_403] = "refuse_upgrade_403",
    [TL_AI_FAULT_REFUSE_404] = "refuse_upgrade_404",
    [TL_AI_FAULT_REFUSE_429] = "refuse_upgrade_429",
    [TL_AI_FAULT_REFUSE_500] = "refuse_upgrade_500",
    [TL_AI_FAULT_REFUSE_503] = "refuse_upgrade_503",
    [TL_AI_FAULT_REST_429] = "rest_429",
    [TL_AI_FAULT_REST_QUOTA] = "rest_quota",
    [TL_AI_FAULT_REST_500] = "rest_500",
    [TL_AI_FAULT_REST_HTML_502] = "rest_html_502",
    [TL_AI_FAULT_REST_SLOW] = "rest_slow",
    [TL_AI_FAULTS_LEN] = NULL, /* ends the list of choices */
};

static bool is_connection_fault(enum tl_ai_fault_kind kind)
{
    return kind <= TL_AI_FAULT_LATENCY;
}

static bool is_request_fault(enum tl_ai_fault_kind kind)
{
    return kind >= TL_AI_FAULT_REFUSE_401;
}

static bool add_row(struct tl_ai_faults *faults, const struct tl_ai_fault *fault, long sessions)
{
    if (faults->len == TL_AI_FAULTS_MAX)
        return false;
    faults->row[faults->len].fault = *fault;
    faults->row[faults->len].sessions = sessions;
    faults->len++;
    return true;
}

static void remove_row(struct tl_ai_faults *faults, size_t i)
{
    faults->len--;
    memmove(&faults->row[i], &faults->row[i + 1], (faults->len - i) * sizeof(faults->row[0]));
}

static bool chance(struct tl_ai_sim *sim, double probability)
{
    return (double)(tl_ai_sim_random(sim) >> 11) / (double)(UINT64_C(1) << 53) < probability;
}

/* What happens to connections. */

static void send_malformed(struct tl_ai_session *session)
{
    static const char broken[] = "{\"type\":\"response.output_audio.delta\",\"delta\":\"AAA";

    tl_ai_send_text(session, broken, sizeof(broken) - 1);
}

static void close_for_quota(struct tl_ai_session *session)
{
    struct tl_ai_problem problem;

    tl_ai_refuse(&problem, "insufficient_quota", NULL,
                 "You exceeded your current quota, please check your plan and billing details.");
    snprintf(problem.type, sizeof(problem.type), "insufficient_quota");
    tl_ai_send_problem(session, &problem, NULL);
    tl_ws_close(session->ws, 1008, "insufficient_quota");
}

static void strike_connection(struct tl_ai_session *session, const struct tl_ai_fault *fault)
{
    if (!session->ws)
        return;
    tl_log_info(&session->sim->log, "fault.struck", TL_STR("session", session->id),
                TL_STR("kind", names[fault->kind]));
    switch (fault->kind) {
    case TL_AI_FAULT_CLOSE_1011:
        session->report.closed_by = "server";
        tl_ws_close(session->ws, 1011, "The server had an error while processing your request");
        break;
    case TL_AI_FAULT_DROP:
        session->report.closed_by = "server";
        tl_ws_drop(session->ws);
        break;
    case TL_AI_FAULT_RST:
        session->report.closed_by = "server";
        tl_ws_abort(session->ws);
        break;
    case TL_AI_FAULT_HALF_OPEN:
        session->is_mute = true;
        tl_ws_stop_reading(session->ws);
        break;
    case TL_AI_FAULT_EXPIRE:
        tl_ai_session_expire(session);
        break;
    case TL_AI_FAULT_QUOTA_CLOSE:
        session->report.closed_by = "server";
        close_for_quota(session);
        break;
    case TL_AI_FAULT_MALFORMED:
        send_malformed(session);
        break;
    case TL_AI_FAULT_LATENCY:
        session->latency_ms = fault->delay_ms;
        break;
    default:
        break;
    }
}

struct strike {
    struct tl_ai_session *session;
    struct tl_ai_fault fault;
};

static void on_strike(void *arg)
{
    struct strike *strike = arg;

    strike_connection(strike->session, &strike->fault);
    free(strike);
}

/** A fault reaches a session: connections are struck after a while, the rest waits in the session.
 *  The probability of a connection fault is that of its coming at all. */
static void give(struct tl_ai_session *session, const struct tl_ai_fault *fault)
{
    if (!is_connection_fault(fault->kind)) {
        (void)add_row(&session->faults, fault, -1); /* more than 32 at once is nobody's test */
        return;
    }
    if (!chance(session->sim, fault->probability))
        return;
    struct strike *strike = calloc(1, sizeof(*strike));
    if (!strike)
        abort();
    *strike = (struct strike){session, *fault};
    tl_ai_jobs_add(&session->jobs, (uint64_t)fault->after_ms, on_strike, strike, free);
}

void tl_ai_fault_attach(struct tl_ai_session *session)
{
    struct tl_ai_faults *waiting = &session->sim->faults;

    for (size_t i = 0; i < waiting->len;) {
        if (is_request_fault(waiting->row[i].fault.kind)) {
            i++;
            continue;
        }
        give(session, &waiting->row[i].fault);
        if (waiting->row[i].sessions > 0 && --waiting->row[i].sessions == 0)
            remove_row(waiting, i);
        else
            i++;
    }
}

bool tl_ai_fault_strikes(struct tl_ai_session *session, enum tl_ai_fault_kind kind,
                         struct tl_ai_fault *ret_fault)
{
    for (size_t i = 0; i < session->faults.len; i++) {
        struct tl_ai_fault *fault = &session->faults.row[i].fault;
        if (fault->kind != kind || !chance(session->sim, fault->probability))
            continue;
        if (ret_fault)
            *ret_fault = *fault;
        tl_log_info(&session->sim->log, "fault.struck", TL_STR("session", session->id),
                    TL_STR("kind", names[kind]));
        if (fault->times > 0 && --fault->times == 0)
            remove_row(&session->faults, i);
        return true;
    }
    return false;
}

bool tl_ai_fault_strikes_request(struct tl_ai_sim *sim, enum tl_ai_fault_kind first,
                                 enum tl_ai_fault_kind last, struct tl_ai_fault *ret_fault)
{
    for (size_t i = 0; i < sim->faults.len; i++) {
        const struct tl_ai_fault *fault = &sim->faults.row[i].fault;
        if (fault->kind < first || fault->kind > last || !chance(sim, fault->probability))
            continue;
        *ret_fault = *fault;
        if (sim->faults.row[i].sessions > 0 && --sim->faults.row[i].sessions == 0)
            remove_row(&sim->faults, i);
        return true;
    }
    return false;
}

/* Asking for them. */

static const struct tl_ai_rule request_rules[] = {
    {.name = "kind", .kinds = TL_AI_STRING, .required = true, .choices = names},
    {.name = "scope", .kinds = TL_AI_STRING | TL_AI_OBJECT},
    {.name = "probability", .kinds = TL_AI_NUMBER, .min = 0, .max = 1},
    {.name = "times", .kinds = TL_AI_INTEGER, .min = -1, .max = 1e9},
    {.name = "after_ms", .kinds = TL_AI_INTEGER, .min = 0, .max = 1e9},
    {.name = "delay_ms", .kinds = TL_AI_INTEGER, .min = 0, .max = 1e9},
    {.name = "retry_after_ms", .kinds = TL_AI_INTEGER, .min = -1, .max = 1e9},
    {0},
};

static const struct tl_ai_rule scope_rules[] = {
    {.name = "next", .kinds = TL_AI_INTEGER, .min = 1, .max = 1e9},
    {.name = "session", .kinds = TL_AI_STRING},
    {0},
};

static long number(const json_t *request, const char *name, long fallback)
{
    const json_t *value = json_object_get(request, name);

    return value ? (long)json_integer_value(value) : fallback;
}

static struct tl_ai_fault read_fault(const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "kind"));
    const json_t *probability = json_object_get(request, "probability");
    struct tl_ai_fault fault = {
        .times = number(request, "times", 1),
        .probability = probability ? json_number_value(probability) : 1.0,
        .after_ms = number(request, "after_ms", 0),
        .delay_ms = number(request, "delay_ms", 3000),
        .retry_after_ms = number(request, "retry_after_ms", -1),
    };

    while (strcmp(names[fault.kind], name) != 0)
        fault.kind++;
    return fault;
}

static struct tl_ai_session *find_open(struct tl_ai_sim *sim, const char *id)
{
    struct tl_ai_session *session;

    TAILQ_FOREACH(session, &sim->sessions, link)
    if (session->ws && strcmp(session->id, id) == 0)
        return session;
    return NULL;
}

static void give_to_open(struct tl_ai_sim *sim, const struct tl_ai_fault *fault)
{
    struct tl_ai_session *session;

    TAILQ_FOREACH(session, &sim->sessions, link)
    if (session->ws)
        give(session, fault);
}

static bool apply_word(struct tl_ai_sim *sim, const struct tl_ai_fault *fault, const char *scope,
                       struct tl_ai_problem *problem)
{
    bool all = strcmp(scope, "all") == 0;

    if (!all && strcmp(scope, "open") != 0)
        return tl_ai_refuse(problem, "invalid_value", "scope",
                            "Invalid value: '%.60s'. Supported values are: 'all', 'open', "
                            "{\"next\":N}, and {\"session\":ID}.",
                            scope);
    if (all && !add_row(&sim->faults, fault, -1))
        return tl_ai_refuse(problem, "too_many", NULL, "Too many faults wait already.");
    if (!is_request_fault(fault->kind))
        give_to_open(sim, fault);
    return true;
}

bool tl_ai_fault_post(struct tl_ai_sim *sim, const json_t *request, struct tl_ai_problem *problem)
{
    const json_t *scope = json_object_get(request, "scope");

    if (!tl_ai_check(request_rules, request, "", problem) ||
        (json_is_object(scope) && !tl_ai_check(scope_rules, scope, "scope", problem)))
        return false;

    struct tl_ai_fault fault = read_fault(request);
    const char *id = json_string_value(json_object_get(scope, "session"));
    if (!json_is_object(scope))
        return apply_word(sim, &fault, scope ? json_string_value(scope) : "all", problem);
    if (!id) {
        return add_row(&sim->faults, &fault, number(scope, "next", 1)) ||
               tl_ai_refuse(problem, "too_many", NULL, "Too many faults wait already.");
    }
    struct tl_ai_session *session = find_open(sim, id);
    if (!session)
        return tl_ai_refuse(problem, "not_found", "scope.session", "No open session '%.40s'.", id);
    give(session, &fault);
    return true;
}

/** "name=value" into the request; next and session belong to its scope. */
static void add_option(json_t *request, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    char name[32];

    if (!equals || (size_t)(equals - pair) >= sizeof(name))
        return;
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    json_t *value =
        json_loadb(equals + 1, len - (size_t)(equals + 1 - pair), JSON_DECODE_ANY, NULL);
    if (!value)
        value = json_stringn(equals + 1, len - (size_t)(equals + 1 - pair));
    if (strcmp(name, "next") == 0)
        json_object_set_new(request, "scope", json_pack("{s:o}", name, value));
    else
        json_object_set_new(request, name, value);
}

bool tl_ai_fault_option(struct tl_ai_sim *sim, const char *text, struct tl_ai_problem *problem)
{
    size_t len = strcspn(text, ":");
    json_t *request = json_pack("{s:s%}", "kind", text, len);

    for (text += len; *text; text += len) {
        text++;
        len = strcspn(text, ":,");
        add_option(request, text, len);
    }
    bool ok = tl_ai_fault_post(sim, request, problem);
    json_decref(request);
    return ok;
}

void tl_ai_fault_clear(struct tl_ai_sim *sim)
{
    struct tl_ai_session *session;

    sim->faults.len = 0;
    TAILQ_FOREACH(session, &sim->sessions, link)
    {
        session->faults.len = 0;
        session->latency_ms = 0;
    }
}

json_t *tl_ai_fault_list(const struct tl_ai_sim *sim)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sim->faults.len; i++) {
        const struct tl_ai_fault *fault = &sim->faults.row[i].fault;
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:f}", "kind", names[fault->kind],
                                              "sessions", (json_int_t)sim->faults.row[i].sessions,
                                              "times", (json_int_t)fault->times, "probability",
                                              fault->probability));
    }
    return list;
}
