/* What tests ask of the simulator and tell it. */
#include "openai/control.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_server.h"
#include "openai/session.h"

static void respond(struct tl_http_exchange *x, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    tl_http_respond(x, status, "application/json", text, strlen(text), NULL);
    free(text);
    json_decref(body);
}

static void list_sessions(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    const char *full = tl_http_request_arg(tl_http_exchange_request(x), "full");
    json_t *list = json_array();
    struct tl_ai_session *session;

    (void)rest;
    TAILQ_FOREACH(session, &sim->sessions, link)
    json_array_append_new(list, tl_ai_session_report(session, full != NULL));
    respond(x, 200,
            json_pack("{s:I, s:I, s:I, s:o}", "open", (json_int_t)sim->open, "closed",
                      (json_int_t)sim->closed, "opened_ever", (json_int_t)sim->opened_ever,
                      "sessions", list));
}

static void get_session(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    struct tl_ai_session *session;

    TAILQ_FOREACH(session, &sim->sessions, link)
    {
        if (strcmp(session->id, rest) != 0)
            continue;
        respond(x, 200, tl_ai_session_report(session, true));
        return;
    }
    tl_http_problem(x, 404, "No such session", rest);
}

static void forget_sessions(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    struct tl_ai_session *session = TAILQ_FIRST(&sim->sessions);

    (void)rest;
    while (session) {
        struct tl_ai_session *next = TAILQ_NEXT(session, link);
        if (!session->ws)
            tl_ai_session_destroy(session);
        session = next;
    }
    respond(x, 200, json_pack("{s:I}", "open", (json_int_t)sim->open));
}

static void list_faults(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    (void)rest;
    respond(x, 200, json_pack("{s:o}", "faults", tl_ai_fault_list(sim)));
}

static void post_fault(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    struct tl_bytes body = tl_http_request_body(tl_http_exchange_request(x));
    json_t *request = json_loadb((const char *)body.data, body.len, 0, NULL);
    struct tl_ai_problem problem = {0};

    (void)rest;
    if (!json_is_object(request))
        tl_http_problem(x, 400, "Not a JSON object", NULL);
    else if (!tl_ai_fault_post(sim, request, &problem))
        tl_http_problem(x, 400, "No such fault", problem.message);
    else
        respond(x, 200, json_pack("{s:o}", "faults", tl_ai_fault_list(sim)));
    json_decref(request);
}

static void delete_faults(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    (void)rest;
    tl_ai_fault_clear(sim);
    respond(x, 200, json_pack("{s:[]}", "faults"));
}

static void list_phrases(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    json_t *list = json_array();
    size_t count;
    const struct tl_phrase *phrases = tl_speech_bank_phrases(sim->bank, &count);

    (void)rest;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:s?, s:s?, s:s?}", "ask", phrases[i].ask->text, "ask_bytes",
                      (json_int_t)phrases[i].ask->len, "answer",
                      phrases[i].answer ? phrases[i].answer->text : NULL, "tool", phrases[i].tool,
                      "after_tool", phrases[i].after_tool ? phrases[i].after_tool->text : NULL));
    respond(x, 200, json_pack("{s:o}", "phrases", list));
}

static void healthz(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest)
{
    (void)rest;
    respond(x, 200, json_pack("{s:s, s:I}", "status", "ok", "open", (json_int_t)sim->open));
}

static const struct {
    const char *method, *path; /* a path that ends in '/' is a prefix */
    void (*handle)(struct tl_ai_sim *sim, struct tl_http_exchange *x, const char *rest);
} routes[] = {
    {"GET", "/sessions", list_sessions}, {"DELETE", "/sessions", forget_sessions},
    {"GET", "/sessions/", get_session},  {"GET", "/faults", list_faults},
    {"POST", "/faults", post_fault},     {"DELETE", "/faults", delete_faults},
    {"GET", "/phrases", list_phrases},   {"GET", "/healthz", healthz},
};

void tl_ai_control_on_request(void *arg, struct tl_http_exchange *x)
{
    const char *method = tl_http_request_method(tl_http_exchange_request(x));
    const char *path = tl_http_request_path(tl_http_exchange_request(x));

    for (size_t i = 0; i < TL_ARRAY_LEN(routes); i++) {
        size_t len = strlen(routes[i].path);
        bool prefix = routes[i].path[len - 1] == '/';
        if (strcmp(routes[i].method, method) != 0 || strncmp(routes[i].path, path, len) != 0 ||
            (!prefix && path[len] != '\0'))
            continue;
        routes[i].handle(arg, x, path + len);
        return;
    }
    tl_http_problem(x, 404, "Not found", path);
}
