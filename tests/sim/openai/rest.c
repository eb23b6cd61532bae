/* The REST side: what the service answers over plain HTTPS, refusals and limits included. */
#include "openai/rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/timer.h"
#include "openai/answer.h"
#include "openai/embedding.h"
#include "openai/schema.h"
#include "openai/sim.h"
#include "twilio/b64.h"

#define INPUTS_MAX 2048
#define TOKENS_MAX 8192 /* of one input */
#define TOKENS_SUM_MAX 300000
#define BODY_TEXT_MAX (4 * 1024 * 1024)
#define TOKENS(bytes) (((bytes) + 3) / 4)

static const struct {
    const char *id;
    size_t dimensions; /* embeddings; 0: another kind of model */
    bool is_realtime;
    const char *shutdown_date; /* NULL: none */
} models[] = {
    {"gpt-realtime-2.1", 0, true, NULL},
    {"gpt-realtime-2.1-mini", 0, true, NULL},
    {"gpt-realtime-2", 0, true, NULL},
    {"gpt-realtime", 0, true, "2027-01-20"},
    {"gpt-realtime-mini", 0, true, "2027-01-20"},
    {"gpt-4o-realtime-preview", 0, true, "2027-01-20"},
    {"gpt-4o-mini-realtime-preview", 0, true, "2027-01-20"},
    {"gpt-realtime-whisper", 0, false, NULL},
    {"gpt-live-transcribe", 0, false, NULL},
    {"whisper-1", 0, false, "2027-02-26"},
    {"gpt-5", 0, false, NULL},
    {"gpt-5-mini", 0, false, NULL},
    {"gpt-4o-mini", 0, false, "2027-01-14"},
    {"gpt-4.1-mini", 0, false, "2027-01-14"},
    {"text-embedding-3-small", 1536, false, NULL},
    {"text-embedding-3-large", 3072, false, NULL},
    {"text-embedding-ada-002", 1536, false, NULL},
};

bool tl_ai_rest_model_exists(const char *model)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(models); i++)
        if (models[i].is_realtime && strcmp(models[i].id, model) == 0)
            return true;
    return false;
}

bool tl_ai_rest_is_authorised(const struct tl_ai_sim *sim, const struct tl_http_request *request)
{
    const char *header = tl_http_request_header(request, "Authorization");

    if (!header || strncmp(header, "Bearer ", 7) != 0 || !header[7])
        return false;
    return !sim->options.api_key || strcmp(header + 7, sim->options.api_key) == 0;
}

/* Answering. */

static void respond_text(struct tl_ai_sim *sim, struct tl_http_exchange *x, int status,
                         const char *type, const char *text, const char *retry_after_ms)
{
    char id[TL_AI_ID_SIZE];
    char seconds[24] = "";
    struct tl_http_header headers[] = {
        {"x-request-id", id},
        {"x-ratelimit-limit-requests", "10000"},
        {"x-ratelimit-limit-tokens", "5000000"},
        {"x-ratelimit-remaining-requests", status == 429 ? "0" : "9999"},
        {"x-ratelimit-remaining-tokens", status == 429 ? "0" : "4999000"},
        {"x-ratelimit-reset-requests", status == 429 ? "1s" : "6ms"},
        {"x-ratelimit-reset-tokens", "17ms"},
        {NULL, NULL},
        {NULL, NULL},
        {NULL, NULL},
    };

    tl_ai_sim_make_id(sim, "req", id);
    if (retry_after_ms) {
        snprintf(seconds, sizeof(seconds), "%ld", (strtol(retry_after_ms, NULL, 10) + 999) / 1000);
        headers[7] = (struct tl_http_header){"retry-after-ms", retry_after_ms};
        headers[8] = (struct tl_http_header){"retry-after", seconds};
    }
    tl_http_respond(x, status, type, text, strlen(text), headers);
}

static void respond_json(struct tl_ai_sim *sim, struct tl_http_exchange *x, int status,
                         json_t *body, const char *retry_after_ms)
{
    char *text = json_dumps(body, JSON_COMPACT);

    respond_text(sim, x, status, "application/json", text, retry_after_ms);
    free(text);
    json_decref(body);
}

static void respond_problem(struct tl_ai_sim *sim, struct tl_http_exchange *x, int status,
                            const struct tl_ai_problem *problem, const char *retry_after_ms)
{
    respond_json(sim, x, status, json_pack("{s:o}", "error", tl_ai_problem_json(problem)),
                 retry_after_ms);
}

/* Models. */

static json_t *model_json(size_t i)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:s?}", "id", models[i].id, "object", "model", "created",
                     1700000000 + (int)i, "owned_by", "system", "shutdown_date",
                     models[i].shutdown_date);
}

static int get_models(struct tl_ai_sim *sim, const char *path, const json_t *body,
                      json_t **ret_answer, struct tl_ai_problem *problem)
{
    const char *id = path + strlen("/v1/models");
    json_t *list = json_array();

    (void)sim;
    (void)body;
    for (size_t i = 0; i < TL_ARRAY_LEN(models); i++) {
        if (!*id)
            json_array_append_new(list, model_json(i));
        else if (strcmp(id + 1, models[i].id) == 0)
            *ret_answer = model_json(i);
    }
    if (!*id)
        *ret_answer = json_pack("{s:s, s:O}", "object", "list", "data", list);
    json_decref(list);
    if (*ret_answer)
        return 200;
    tl_ai_refuse(problem, "model_not_found", "model", "The model '%.80s' does not exist", id + 1);
    return 404;
}

static int check_model(const json_t *body, size_t *ret_index, struct tl_ai_problem *problem)
{
    const char *id = json_string_value(json_object_get(body, "model"));

    for (size_t i = 0; i < TL_ARRAY_LEN(models); i++) {
        if (strcmp(models[i].id, id) != 0)
            continue;
        *ret_index = i;
        return 200;
    }
    tl_ai_refuse(problem, "model_not_found", NULL,
                 "The model `%.80s` does not exist or you do not have access to it.", id);
    return 404;
}

/* Embeddings. */

static const char *const encodings[] = {"float", "base64", NULL};
static const struct tl_ai_rule embedding_rules[] = {
    {.name = "model", .kinds = TL_AI_STRING, .required = true},
    {.name = "input", .kinds = TL_AI_STRING | TL_AI_ARRAY, .required = true},
    {.name = "dimensions", .kinds = TL_AI_INTEGER, .min = 1, .max = TL_AI_EMBEDDING_MAX},
    {.name = "encoding_format", .kinds = TL_AI_STRING, .choices = encodings},
    {.name = "user", .kinds = TL_AI_STRING},
    {0},
};

static size_t tokens_of(const json_t *input)
{
    return json_is_string(input) ? TOKENS(json_string_length(input)) : json_array_size(input);
}

static bool is_token_array(const json_t *input)
{
    return json_is_array(input) && json_is_integer(json_array_get(input, 0));
}

/** The list of inputs: a single one becomes a list. A new reference. */
static json_t *list_inputs(json_t *input)
{
    if (json_is_string(input) || is_token_array(input))
        return json_pack("[O]", input);
    return json_incref(input);
}

static bool check_inputs(const json_t *list, struct tl_ai_problem *problem)
{
    size_t sum = 0, i;
    json_t *input;

    if (json_array_size(list) == 0 || json_array_size(list) > INPUTS_MAX)
        return tl_ai_refuse(problem, NULL, "input",
                            "'$.input' is invalid. Please check the API reference: 1 to 2048 "
                            "inputs.");
    json_array_foreach((json_t *)list, i, input)
    {
        if ((!json_is_string(input) && !is_token_array(input)) || tokens_of(input) == 0)
            return tl_ai_refuse(problem, NULL, "input",
                                "'$.input[%zu]' is invalid: it must be a non-empty string or token "
                                "array.",
                                i);
        if (tokens_of(input) > TOKENS_MAX)
            return tl_ai_refuse(problem, "context_length_exceeded", "input",
                                "Invalid 'input[%zu]': maximum context length is 8192 tokens.", i);
        sum += tokens_of(input);
    }
    return sum <= TOKENS_SUM_MAX ||
           tl_ai_refuse(problem, "max_tokens_per_request", "input",
                        "Requested %zu tokens, max 300000 tokens per request", sum);
}

static json_t *vector_json(const struct tl_ai_embedding *e, bool base64)
{
    char text[TL_TEL_B64_LEN(TL_AI_EMBEDDING_MAX * sizeof(float))];
    size_t bytes = e->dimensions * sizeof(float);

    if (base64) { /* little-endian, as this machine */
        tl_tel_b64_encode((const uint8_t *)e->value, bytes, text);
        return json_stringn(text, TL_TEL_B64_LEN(bytes));
    }
    json_t *list = json_array();
    for (size_t i = 0; i < e->dimensions; i++)
        json_array_append_new(list, json_real(e->value[i]));
    return list;
}

static json_t *embed(const json_t *input, size_t index, size_t full, size_t dimensions, bool base64)
{
    struct tl_ai_embedding e;
    json_t *token;
    size_t i;

    tl_ai_embedding_init(&e, full, dimensions);
    if (json_is_string(input))
        tl_ai_embedding_add_text(&e, json_string_value(input));
    json_array_foreach((json_t *)input, i, token)
        tl_ai_embedding_add_token(&e, (uint64_t)json_integer_value(token));
    tl_ai_embedding_normalise(&e);
    return json_pack("{s:s, s:I, s:o}", "object", "embedding", "index", (json_int_t)index,
                     "embedding", vector_json(&e, base64));
}

/** The reference promises no order: the last comes first. */
static json_t *embed_all(const json_t *list, size_t full, size_t dimensions, bool base64)
{
    json_t *data = json_array();

    for (size_t i = json_array_size(list); i-- > 0;)
        json_array_append_new(data, embed(json_array_get(list, i), i, full, dimensions, base64));
    return data;
}

static int post_embeddings(struct tl_ai_sim *sim, const char *path, const json_t *body,
                           json_t **ret_answer, struct tl_ai_problem *problem)
{
    const json_t *asked = json_object_get(body, "dimensions");
    const char *encoding = json_string_value(json_object_get(body, "encoding_format"));
    size_t model = 0, tokens = 0, i;
    json_t *input;

    (void)sim;
    (void)path;
    if (!tl_ai_check(embedding_rules, body, "", problem))
        return 400;
    if (check_model(body, &model, problem) != 200)
        return 404;
    size_t full = models[model].dimensions;
    size_t dimensions = asked ? (size_t)json_integer_value(asked) : full;
    if (!full || dimensions > full || (asked && strstr(models[model].id, "ada"))) {
        tl_ai_refuse(problem, NULL, full ? "dimensions" : "model",
                     full ? "This model does not support specifying these dimensions."
                          : "This model does not make embeddings.");
        return 400;
    }
    json_t *list = list_inputs(json_object_get(body, "input"));
    bool ok = check_inputs(list, problem);
    json_array_foreach(list, i, input) tokens += tokens_of(input);
    if (ok)
        *ret_answer = json_pack(
            "{s:s, s:s, s:o, s:{s:I, s:I}}", "object", "list", "model", models[model].id, "data",
            embed_all(list, full, dimensions, encoding && strcmp(encoding, "base64") == 0), "usage",
            "prompt_tokens", (json_int_t)tokens, "total_tokens", (json_int_t)tokens);
    json_decref(list);
    return ok ? 200 : 400;
}

/* Summaries: the words of a request, shortened; as JSON when a schema asks for it. */

/** All strings called "content", "text" or standing alone in the input, in order. */
static void gather(const json_t *value, struct tl_buf *out)
{
    json_t *inner;
    size_t i;

    if (json_is_string(value))
        tl_buf_printf(out, "%s%s", out->len ? "\n" : "", json_string_value(value));
    json_array_foreach((json_t *)value, i, inner) gather(inner, out);
    if (json_is_object(value)) {
        gather(json_object_get(value, "content"), out);
        gather(json_object_get(value, "text"), out);
    }
}

/** The user's and assistant's words of a conversation; without any, everything. */
static void gather_turns(const json_t *messages, struct tl_buf *out)
{
    json_t *message;
    size_t i;

    json_array_foreach((json_t *)messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        if (!role || (strcmp(role, "system") != 0 && strcmp(role, "developer") != 0))
            gather(message, out);
    }
    if (out->len == 0)
        gather(messages, out);
}

static json_t *fill_schema(const json_t *schema, const char *summary)
{
    const json_t *type = json_object_get(schema, "type");
    const json_t *choices = json_object_get(schema, "enum");
    const char *word = json_string_value(json_is_array(type) ? json_array_get(type, 0) : type);
    json_t *out, *inner;
    const char *name;

    if (json_array_size(choices) > 0)
        return json_incref(json_array_get(choices, 0));
    if (!word || strcmp(word, "string") == 0)
        return json_string(summary);
    if (strcmp(word, "object") == 0) {
        out = json_object();
        json_object_foreach(json_object_get(schema, "properties"), name, inner)
            json_object_set_new(out, name, fill_schema(inner, summary));
        return out;
    }
    if (strcmp(word, "array") == 0)
        return json_array();
    if (strcmp(word, "boolean") == 0)
        return json_false();
    return strcmp(word, "null") == 0 ? json_null() : json_integer(0);
}

/** `format`: {"type":"json_schema","schema":…} or {"type":"json_object"}, or NULL. */
static char *answer_text(const char *input, const json_t *format)
{
    char summary[TL_AI_TEXT_MAX];
    const char *type = json_string_value(json_object_get(format, "type"));
    json_t *tree = NULL;

    tl_ai_summarise(input, summary, sizeof(summary));
    if (type && strcmp(type, "json_schema") == 0)
        tree = fill_schema(json_object_get(format, "schema"), summary);
    else if (type && strcmp(type, "json_object") == 0)
        tree = json_pack("{s:s}", "summary", summary);
    if (!tree)
        return strdup(summary);
    char *text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY); /* a schema may want a string */
    json_decref(tree);
    return text;
}

static const struct tl_ai_rule message_element[] = {{.name = "message", .kinds = TL_AI_OBJECT}};
static const struct tl_ai_rule chat_rules[] = {
    {.name = "model", .kinds = TL_AI_STRING, .required = true},
    {.name = "messages", .kinds = TL_AI_ARRAY, .required = true, .element = message_element},
    {.name = "max_completion_tokens", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 1, .max = 1e6},
    {.name = "max_tokens", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 1, .max = 1e6},
    {.name = "response_format", .kinds = TL_AI_OBJECT},
    {.name = "temperature", .kinds = TL_AI_NUMBER | TL_AI_NULL, .min = 0, .max = 2},
    {.name = "top_p", .kinds = TL_AI_NUMBER | TL_AI_NULL, .min = 0, .max = 1},
    {.name = "store", .kinds = TL_AI_BOOL | TL_AI_NULL},
    {.name = "metadata", .kinds = TL_AI_OBJECT | TL_AI_NULL},
    {.name = "reasoning_effort", .kinds = TL_AI_STRING | TL_AI_NULL},
    {.name = "seed", .kinds = TL_AI_INTEGER | TL_AI_NULL},
    {.name = "user", .kinds = TL_AI_STRING},
    {.name = "n", .kinds = TL_AI_INTEGER, .min = 1, .max = 1},
    {0},
};

static bool is_reasoning_model(const char *id)
{
    return strncmp(id, "gpt-5", 5) == 0;
}

/** Cuts a text to so many tokens; true when that was needed. */
static bool limit_tokens(char *text, json_int_t tokens)
{
    if (tokens <= 0 || (json_int_t)TOKENS(strlen(text)) <= tokens)
        return false;
    text[tokens * 4] = '\0';
    return true;
}

static json_t *chat_json(struct tl_ai_sim *sim, const char *model, const char *text, bool cut,
                         size_t in)
{
    char id[TL_AI_ID_SIZE];
    json_int_t out = (json_int_t)TOKENS(strlen(text));

    tl_ai_sim_make_id(sim, "chatcmpl", id);
    return json_pack("{s:s, s:s, s:i, s:s, s:[{s:i, s:{s:s, s:s, s:n}, s:s}], "
                     "s:{s:I, s:I, s:I}}",
                     "id", id, "object", "chat.completion", "created", 1700000000, "model", model,
                     "choices", "index", 0, "message", "role", "assistant", "content", text,
                     "refusal", "finish_reason", cut ? "length" : "stop", "usage", "prompt_tokens",
                     (json_int_t)in, "completion_tokens", out, "total_tokens",
                     (json_int_t)in + out);
}

static int post_chat(struct tl_ai_sim *sim, const char *path, const json_t *body,
                     json_t **ret_answer, struct tl_ai_problem *problem)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf input;
    const json_t *format = json_object_get(body, "response_format");
    const json_t *schema = json_object_get(format, "json_schema");
    size_t model = 0;

    (void)path;
    tl_buf_init(&input, BODY_TEXT_MAX);
    if (!tl_ai_check(chat_rules, body, "", problem))
        return 400;
    if (check_model(body, &model, problem) != 200)
        return 404;
    if (is_reasoning_model(models[model].id) && json_object_get(body, "max_tokens")) {
        tl_ai_refuse(problem, "unsupported_parameter", "max_tokens",
                     "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                     "'max_completion_tokens' instead.");
        return 400;
    }
    gather_turns(json_object_get(body, "messages"), &input);
    json_t *flat = json_pack("{s:O?, s:O?}", "type", json_object_get(format, "type"), "schema",
                             json_object_get(schema, "schema"));
    char *text = answer_text(tl_buf_str(&input), flat);
    bool cut =
        limit_tokens(text, json_integer_value(json_object_get(body, "max_completion_tokens")));
    *ret_answer = chat_json(sim, models[model].id, text, cut, TOKENS(input.len));
    json_decref(flat);
    free(text);
    return 200;
}

static const struct tl_ai_rule responses_rules[] = {
    {.name = "model", .kinds = TL_AI_STRING, .required = true},
    {.name = "input", .kinds = TL_AI_STRING | TL_AI_ARRAY, .required = true},
    {.name = "instructions", .kinds = TL_AI_STRING | TL_AI_NULL},
    {.name = "max_output_tokens", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 16, .max = 1e6},
    {.name = "store", .kinds = TL_AI_BOOL | TL_AI_NULL},
    {.name = "text", .kinds = TL_AI_OBJECT},
    {.name = "reasoning", .kinds = TL_AI_OBJECT | TL_AI_NULL},
    {.name = "temperature", .kinds = TL_AI_NUMBER | TL_AI_NULL, .min = 0, .max = 2},
    {.name = "metadata", .kinds = TL_AI_OBJECT | TL_AI_NULL},
    {.name = "user", .kinds = TL_AI_STRING},
    {0},
};

static json_t *responses_json(struct tl_ai_sim *sim, const char *model, const char *text, bool cut,
                              size_t in)
{
    char id[TL_AI_ID_SIZE], thought[TL_AI_ID_SIZE], message[TL_AI_ID_SIZE];
    json_int_t out = (json_int_t)TOKENS(strlen(text));

    tl_ai_sim_make_id(sim, "resp", id);
    tl_ai_sim_make_id(sim, "rs", thought);
    tl_ai_sim_make_id(sim, "msg", message);
    json_t *answer = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:n, s:[{s:s, s:s, s:[]}, {s:s, s:s, s:s, s:s, s:[{s:s, s:s, "
        "s:[]}]}], s:{s:I, s:I, s:I}, s:b, s:[], s:s}",
        "id", id, "object", "response", "created_at", 1700000000, "status",
        cut ? "incomplete" : "completed", "model", model, "error", "output", "id", thought, "type",
        "reasoning", "summary", "id", message, "type", "message", "status",
        cut ? "incomplete" : "completed", "role", "assistant", "content", "type", "output_text",
        "text", text, "annotations", "usage", "input_tokens", (json_int_t)in, "output_tokens", out,
        "total_tokens", (json_int_t)in + out, "parallel_tool_calls", 1, "tools", "tool_choice",
        "auto");
    json_object_set_new(answer, "incomplete_details",
                        cut ? json_pack("{s:s}", "reason", "max_output_tokens") : json_null());
    return answer;
}

static int post_responses(struct tl_ai_sim *sim, const char *path, const json_t *body,
                          json_t **ret_answer, struct tl_ai_problem *problem)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf input;
    size_t model = 0;

    (void)path;
    tl_buf_init(&input, BODY_TEXT_MAX);
    if (!tl_ai_check(responses_rules, body, "", problem))
        return 400;
    if (check_model(body, &model, problem) != 200)
        return 404;
    const json_t *given = json_object_get(body, "input");
    if (json_is_string(given))
        gather(given, &input);
    else
        gather_turns(given, &input);
    char *text =
        answer_text(tl_buf_str(&input), json_object_get(json_object_get(body, "text"), "format"));
    bool cut = limit_tokens(text, json_integer_value(json_object_get(body, "max_output_tokens")));
    *ret_answer = responses_json(sim, models[model].id, text, cut, TOKENS(input.len));
    free(text);
    return 200;
}

/* Routing and faults. */

typedef int (*route_fn)(struct tl_ai_sim *sim, const char *path, const json_t *body,
                        json_t **ret_answer, struct tl_ai_problem *problem);

static const struct {
    const char *method, *path;
    bool is_prefix;
    route_fn handle;
} routes[] = {
    {"GET", "/v1/models", true, get_models},
    {"POST", "/v1/embeddings", false, post_embeddings},
    {"POST", "/v1/chat/completions", false, post_chat},
    {"POST", "/v1/responses", false, post_responses},
};

static route_fn find_route(const char *method, const char *path)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(routes); i++) {
        size_t len = strlen(routes[i].path);
        if (strcmp(routes[i].method, method) != 0 || strncmp(routes[i].path, path, len) != 0)
            continue;
        if (path[len] == '\0' || (routes[i].is_prefix && path[len] == '/'))
            return routes[i].handle;
    }
    return NULL;
}

static void serve(struct tl_ai_sim *sim, struct tl_http_exchange *x)
{
    const struct tl_http_request *request = tl_http_exchange_request(x);
    struct tl_bytes bytes = tl_http_request_body(request);
    bool is_post = strcmp(tl_http_request_method(request), "POST") == 0;
    route_fn handle = find_route(tl_http_request_method(request), tl_http_request_path(request));
    struct tl_ai_problem problem;
    json_t *answer = NULL;
    int status = 400;

    json_t *body = is_post ? json_loadb((const char *)bytes.data, bytes.len, 0, NULL) : NULL;
    if (!handle) {
        tl_ai_refuse(&problem, "unknown_url", NULL, "Invalid URL (%s %.80s)",
                     tl_http_request_method(request), tl_http_request_path(request));
        status = 404;
    } else if (is_post && !json_is_object(body)) {
        tl_ai_refuse(&problem, NULL, NULL, "We could not parse the JSON body of your request.");
    } else {
        status = handle(sim, tl_http_request_path(request), body, &answer, &problem);
    }
    json_decref(body);
    if (status == 200)
        respond_json(sim, x, status, answer, NULL);
    else
        respond_problem(sim, x, status, &problem, NULL);
}

struct slow {
    struct tl_ai_sim *sim;
    struct tl_http_exchange *x;
    struct tl_timer timer;
};

static void on_slow(void *arg)
{
    struct slow *slow = arg;

    tl_timer_finish(&slow->timer);
    serve(slow->sim, slow->x);
    free(slow);
}

static void serve_later(struct tl_ai_sim *sim, struct tl_http_exchange *x, long delay_ms)
{
    struct slow *slow = calloc(1, sizeof(*slow));

    if (!slow)
        abort();
    slow->sim = sim;
    slow->x = x;
    tl_timer_start(&slow->timer, sim->loop, (uint64_t)delay_ms, on_slow, slow);
}

static void fail_by_fault(struct tl_ai_sim *sim, struct tl_http_exchange *x,
                          const struct tl_ai_fault *fault)
{
    struct tl_ai_problem problem;
    char retry_ms[24];

    snprintf(retry_ms, sizeof(retry_ms), "%ld", fault->retry_after_ms);
    if (fault->kind == TL_AI_FAULT_REST_SLOW) {
        serve_later(sim, x, fault->delay_ms);
    } else if (fault->kind == TL_AI_FAULT_REST_HTML_502) {
        respond_text(sim, x, 502, "text/html",
                     "<html><head><title>502 Bad Gateway</title></head><body></body></html>", NULL);
    } else if (fault->kind == TL_AI_FAULT_REST_500) {
        tl_ai_refuse(&problem, NULL, NULL,
                     "The server had an error while processing your request.");
        snprintf(problem.type, sizeof(problem.type), "server_error");
        respond_problem(sim, x, 500, &problem, NULL);
    } else if (fault->kind == TL_AI_FAULT_REST_QUOTA) {
        tl_ai_refuse(&problem, "insufficient_quota", NULL, "You exceeded your current quota.");
        snprintf(problem.type, sizeof(problem.type), "insufficient_quota");
        respond_problem(sim, x, 429, &problem, NULL);
    } else {
        tl_ai_refuse(&problem, "rate_limit_exceeded", NULL, "Rate limit reached for requests.");
        snprintf(problem.type, sizeof(problem.type), "requests");
        respond_problem(sim, x, 429, &problem, fault->retry_after_ms >= 0 ? retry_ms : NULL);
    }
}

void tl_ai_rest_on_request(void *arg, struct tl_http_exchange *x)
{
    struct tl_ai_sim *sim = arg;
    struct tl_ai_problem problem;
    struct tl_ai_fault fault;

    if (!tl_ai_rest_is_authorised(sim, tl_http_exchange_request(x))) {
        tl_ai_refuse(&problem, "invalid_api_key", NULL, "Incorrect API key provided.");
        respond_problem(sim, x, 401, &problem, NULL);
    } else if (tl_ai_fault_strikes_request(sim, TL_AI_FAULT_REST_429, TL_AI_FAULT_REST_SLOW,
                                           &fault)) {
        fail_by_fault(sim, x, &fault);
    } else {
        serve(sim, x);
    }
}
