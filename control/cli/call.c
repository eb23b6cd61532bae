/* trunkline call: a test call through the telephone simulator, its transcript as it is spoken. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/store.h"

#define ANSWER_BYTES_MAX (8 * 1024 * 1024)
#define EVENTS_WAIT_MS 10000

/* What the caller says when nobody says otherwise; the AI says goodbye after the last one and ends
 * the call. */
static const char *const small_talk[] = {
    "What are your opening hours?",
    "How much does express shipping cost?",
    "Thank you, that is all.",
};

struct calling {
    struct tl_cli *cli;
    const char *url; /* control API */
    char sid[64];
    bool is_over;
    size_t answers; /* phrases heard from the AI */
    size_t errors;
    char status[32];
};

static enum tl_status ask(struct calling *c, const char *method, const char *path, const char *body,
                          struct tl_buf *answer, struct tl_error *err)
{
    char url[1024];
    int status = 0;
    size_t len = strlen(c->url);

    while (len && c->url[len - 1] == '/')
        len--;
    (void)snprintf(url, sizeof(url), "%.*s%s", (int)len, c->url, path);
    enum tl_status st = tl_cli_http(c->cli, method, url, body, &status, answer, err);
    if (st != TL_OK || status / 100 == 2)
        return st;
    json_t *problem = json_loadb(tl_buf_str(answer), answer->len, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    st = tl_fail(err,
                 status == 404   ? TL_NOT_FOUND
                 : status >= 500 ? TL_RETRY
                                 : TL_INVALID,
                 "the simulator says %d: %s", status, detail ? detail : tl_buf_str(answer));
    json_decref(problem);
    return st;
}

/* The steps of the caller: a file, sentences, or the small talk. */
static enum tl_status make_script(const struct tl_cli_args *args, json_t **ret_script,
                                  struct tl_error *err)
{
    const char *path = tl_cli_arg(args, "script");
    json_error_t why;

    if (path) {
        *ret_script = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
        if (!*ret_script)
            return tl_fail(err, TL_INVALID, "%s:%d: %s", path, why.line, why.text);
        return TL_OK;
    }
    size_t n = args->operands ? args->operands : TL_ARRAY_LEN(small_talk);
    json_t *script = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *text = args->operands ? args->operand[i] : small_talk[i];
        /* out of memory: the request fails */
        (void)json_array_append_new(script, json_pack("{s:b}", "wait_answer", 1));
        (void)json_array_append_new(script, json_pack("{s:s}", "say", text));
    }
    (void)json_array_append_new(script, json_pack("{s:b}", "wait_answer", 1));
    (void)json_array_append_new(script, json_pack("{s:i}", "pause", 3000));
    (void)json_array_append_new(script, json_pack("{s:b}", "hangup", 1));
    *ret_script = script;
    return TL_OK;
}

/* Takes the first number of an active business. */
static void take_number(void *arg, const struct tl_config_entry *entry)
{
    char *number = arg;
    const struct tl_business *b = entry->business;

    if (!*number && b && b->active && b->numbers_n)
        (void)snprintf(number, 32, "%s", b->numbers[0]);
}

static enum tl_status find_number(struct tl_cli *cli, char number[32], struct tl_error *err)
{
    struct tl_cli_store store = {0};

    enum tl_status st = tl_cli_store_open(&store, cli, err);
    if (st == TL_OK)
        tl_config_table_each(store.table, TL_CONFIG_KIND_BUSINESS, take_number, number);
    tl_cli_store_close(&store);
    if (st == TL_OK && !*number)
        st = tl_fail(err, TL_NOT_FOUND,
                     "no active business has a number: trunkline config apply FILE");
    return st;
}

static enum tl_status dial(struct calling *c, const char *to, const char *from, json_t *script,
                           struct tl_error *err)
{
    struct tl_buf answer;

    json_t *body = json_pack("{s:s, s:O}", "to", to, "script", script);
    if (from)
        (void)json_object_set_new(body, "from", json_string(from)); /* as in make_script */
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        abort();
    tl_buf_init(&answer, ANSWER_BYTES_MAX);
    enum tl_status st = ask(c, "POST", "/calls", text, &answer, err);
    free(text);
    if (st == TL_OK) {
        json_t *json = json_loadb(tl_buf_str(&answer), answer.len, 0, NULL);
        const char *sid = json_string_value(json_array_get(json_object_get(json, "calls"), 0));
        (void)snprintf(c->sid, sizeof(c->sid), "%s", sid ? sid : "");
        json_decref(json);
        if (!*c->sid)
            st = tl_fail(err, TL_RETRY, "the simulator placed no call");
    }
    tl_buf_finish(&answer);
    return st;
}

static void print_line(struct calling *c, const json_t *event, const char *start, const char *who,
                       const char *text, const char *note)
{
    const json_t *at = json_object_get(event, start);

    (void)fprintf(c->cli->out, "%7.1f s  %-9s %s%s\n", json_number_value(at) / 1000, who, text,
                  note);
    (void)fflush(c->cli->out); /* live; a closed pipe shows at the end, in main */
}

static void print_heard(struct calling *c, const json_t *event)
{
    const char *phrase = json_string_value(json_object_get(event, "phrase"));
    const char *words = json_string_value(json_object_get(event, "words"));
    bool exact = json_is_true(json_object_get(event, "exact"));

    if (!phrase) {
        print_line(c, event, "start_ms", "AI", "(sound that is no known phrase)", "");
        return;
    }
    c->answers++;
    print_line(c, event, "start_ms", "AI", exact || !words ? phrase : words,
               exact ? "" : " (cut off)");
}

static void print_event(struct calling *c, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    const char *text = "";

    if (!name)
        return;
    if (strcmp(name, "said") == 0 &&
        (text = json_string_value(json_object_get(event, "phrase"))) != NULL) {
        print_line(c, event, "start_ms", "caller", text,
                   json_is_false(json_object_get(event, "whole")) ? " (cut off)" : "");
    } else if (strcmp(name, "heard") == 0) {
        print_heard(c, event);
    } else if (strcmp(name, "spoken") == 0 &&
               (text = json_string_value(json_object_get(event, "text"))) != NULL) {
        print_line(c, event, "at_ms", "network", text, "");
    } else if (strcmp(name, "error") == 0) {
        c->errors++;
        text = json_string_value(json_object_get(event, "message"));
        print_line(c, event, "at_ms", "error", text ? text : "?", "");
    } else if (strcmp(name, "ended") == 0) {
        text = json_string_value(json_object_get(event, "status"));
        (void)snprintf(c->status, sizeof(c->status), "%s", text ? text : "?");
        c->is_over = true;
        print_line(c, event, "at_ms", "", c->status, "");
    }
}

static void print_events(struct calling *c, const struct tl_buf *lines)
{
    const char *at = (const char *)lines->data;

    for (size_t left = lines->len; left > 0;) {
        const char *end = memchr(at, '\n', left);
        size_t n = end ? (size_t)(end - at) : left;
        json_t *event = json_loadb(at, n, 0, NULL);
        print_event(c, event);
        json_decref(event);
        n += end != NULL;
        at += n;
        left -= n;
    }
}

/* Follows the call by its events until it is over. */
static enum tl_status follow(struct calling *c, struct tl_error *err)
{
    int64_t wait_ms = c->cli->settings.timeout_ms / 2;
    struct tl_buf answer;
    size_t from = 0;
    char path[160];
    enum tl_status st = TL_OK;

    wait_ms = wait_ms < EVENTS_WAIT_MS ? wait_ms : EVENTS_WAIT_MS;
    tl_buf_init(&answer, ANSWER_BYTES_MAX);
    while (st == TL_OK && !c->is_over) {
        (void)snprintf(path, sizeof(path), "/calls/%s/events?from=%zu&wait_ms=%" PRId64, c->sid,
                       from, wait_ms);
        st = ask(c, "GET", path, NULL, &answer, err);
        if (st == TL_OK)
            print_events(c, &answer);
        from += answer.len;
    }
    tl_buf_finish(&answer);
    return st;
}

static void hang_up(struct calling *c)
{
    struct tl_buf answer;
    struct tl_error ignored;
    char path[128];

    tl_buf_init(&answer, ANSWER_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "/calls/%s/hangup", c->sid);
    c->cli->is_interrupted = false;
    (void)!ask(c, "POST", path, "{}", &answer, &ignored); /* the caller leaves in any case */
    tl_buf_finish(&answer);
}

static enum tl_status judge(struct calling *c, struct tl_error *err)
{
    char id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid call_id = tl_uuid_v5(&tl_uuid_ns_call, c->sid, strlen(c->sid));

    tl_uuid_format(&call_id, id);
    (void)fprintf(c->cli->out,
                  "\ncall %s (%s)\nits story: trunkline tail calls.v1 --from beginning "
                  "--until-end --call %s\n",
                  id, c->sid, id);
    if (strcmp(c->status, "completed") != 0)
        return tl_fail(err, TL_RETRY, "the call ended as %s", c->status);
    if (c->errors)
        return tl_fail(err, TL_RETRY, "the telephone network met %zu errors", c->errors);
    return c->answers ? TL_OK : tl_fail(err, TL_RETRY, "the AI said nothing");
}

static enum tl_status call(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    struct calling c = {.cli = cli, .url = cli->settings.simulator_url};
    const char *to = tl_cli_arg(args, "to");
    char number[32] = "";
    json_t *script = NULL;

    if (!*c.url)
        return tl_fail(err, TL_INVALID,
                       "no telephone simulator: set TRUNKLINE_SIMULATOR_URL "
                       "(simulator.url) to its control API");
    enum tl_status st = make_script(args, &script, err);
    if (st == TL_OK && !to)
        st = find_number(cli, number, err);
    if (st == TL_OK)
        st = dial(&c, to ? to : number, tl_cli_arg(args, "from"), script, err);
    json_decref(script);
    if (st != TL_OK)
        return st;
    st = follow(&c, err);
    if (st != TL_OK && cli->is_interrupted)
        hang_up(&c);
    return st == TL_OK ? judge(&c, err) : st;
}

static const struct tl_cli_option options[] = {
    {"to", "NUMBER", "whom to ring; else the first active business of config.v1"},
    {"from", "NUMBER", "the caller's number; else one of the simulator's"},
    {"script", "FILE", "what the caller does: a JSON array of steps, see tests/sim/README.md"},
    {0},
};

const struct tl_cli_command tl_cli_call = {
    .name = "call",
    .operands = "[SENTENCE...]",
    .operands_max = 32,
    .summary = "Places a test call through the telephone simulator and prints what is spoken.",
    .details =
        "The caller waits for the AI before each sentence, and hangs up after the last answer.\n"
        "ctrl-C hangs up. Exit status 1 when the call failed or the AI said nothing.",
    .options = options,
    .run = call};
