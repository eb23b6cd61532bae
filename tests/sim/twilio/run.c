/* Documents and their verbs. A document is requested, read, and run verb by verb; a verb that
 * blocks ends through tl_tel_run_done.
 *
 *   fetch ──ok──▶ verbs … ──▶ end of call        a failure of fetching or reading: the fallback URL
 *     └── fails ─▶ fallback ── fails ─▶ apology, end */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "dial.h"
#include "hook.h"
#include "stream.h"
#include "url.h"

#define APOLOGY "We are sorry, an application error has occurred. Goodbye."
#define WORD_MS 350 /* of spoken text */

static void run_next(struct tl_tel_call *call);

/* ---- documents ---- */

/* A document under way; dropped when another run has begun. */
struct fetch {
    struct tl_tel_call *call;
    unsigned run;
};

static void begin_run(struct tl_tel_call *call)
{
    tl_tel_run_stop(call);
    call->run++;
    tl_tel_doc_destroy(call->old_doc);
    call->old_doc = TL_TAKE(call->doc);
    call->verb = NULL;
}

void tl_tel_run_stop(struct tl_tel_call *call)
{
    enum tl_tel_mode mode = call->mode;

    call->mode = TL_TEL_MODE_IDLE;
    call->run++;
    tl_timer_stop(&call->timer);
    call->ear.other_sound = false;
    if (call->stream)
        tl_tel_stream_stop(call->stream);
    if (mode == TL_TEL_MODE_DIAL)
        tl_tel_dial_stop(call);
}

static void end_after(void *arg)
{
    tl_tel_call_end(arg, TL_TEL_COMPLETED);
}

static void report_spoken(struct tl_tel_call *call, const char *kind, const char *text, int64_t ms)
{
    json_t *line = json_pack("{s:s, s:s, s:I, s:I}", "kind", kind, "text", text, "start_ms",
                             (json_int_t)tl_tel_call_ms(call, tl_mono_us()), "ms", (json_int_t)ms);

    json_array_append(call->spoken, line);
    tl_tel_call_event(call, "spoken", line);
}

/* Something is played to the caller for so long, or (ms < 0) until it hangs up. */
static void play_for(struct tl_tel_call *call, const char *kind, const char *text, int64_t ms,
                     tl_timer_fn then)
{
    report_spoken(call, kind, text, ms);
    call->mode = TL_TEL_MODE_TIMED;
    call->ear.other_sound = true;
    if (ms >= 0)
        tl_timer_start(&call->timer, &call->tel->loop, (uint64_t)ms, then, call);
}

static int64_t spoken_ms(const char *text)
{
    int64_t words = 0;

    for (const char *p = text; *p;) {
        p += strspn(p, " \t\r\n");
        size_t n = strcspn(p, " \t\r\n");
        words += n > 0;
        p += n;
    }
    return words * WORD_MS;
}

static void fail_document(struct tl_tel_call *call, bool was_fallback, int code, const char *url)
{
    if (!was_fallback && call->fallback.url) {
        struct tl_tel_form *extra = tl_tel_form_new();
        tl_tel_form_addf(extra, "ErrorCode", "%d", code);
        tl_tel_form_add(extra, "ErrorUrl", url ? url : "");
        call->on_fallback = true;
        tl_tel_run_url(call, call->fallback.url, call->fallback.method, extra);
        return;
    }
    tl_tel_call_answer(call);
    play_for(call, "apology", APOLOGY, spoken_ms(APOLOGY), end_after);
}

static void report_document(struct tl_tel_call *call, const char *url, const char *text, size_t len)
{
    json_t *body = json_stringn(text, len < 16384 ? len : 16384);
    json_t *line =
        json_pack("{s:s, s:o, s:I, s:b}", "url", url ? url : "", "text",
                  body ? body : json_string("(not UTF-8)"), "at_ms",
                  (json_int_t)tl_tel_call_ms(call, tl_mono_us()), "fallback", call->on_fallback);

    json_array_append(call->documents, line);
    tl_tel_call_event(call, "document", line);
}

static void load(struct tl_tel_call *call, const char *text, size_t len, const char *url)
{
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    int code = 0;
    bool was_fallback = call->on_fallback;

    report_document(call, url, text, len);
    free(call->doc_url);
    call->doc_url = url ? strdup(url) : NULL;
    if (tl_tel_doc_parse(text, len, &doc, &code, &err) != TL_OK) {
        tl_tel_call_error(call, code, "%s", err.msg);
        fail_document(call, was_fallback, code, call->doc_url);
        return;
    }
    for (const struct tl_tel_warning *w = doc->warnings; w; w = w->next)
        tl_tel_call_error(call, w->code, "%s", w->message);
    call->on_fallback = false;
    call->doc = doc;
    call->verb = doc->first;
    run_next(call);
}

static bool is_type(const char *type, const char *prefix)
{
    return type && strncasecmp(type, prefix, strlen(prefix)) == 0;
}

static bool parses(const struct tl_tel_hook_answer *answer)
{
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    int code;
    bool ok = tl_tel_doc_parse(answer->body.data, answer->body.len, &doc, &code, &err) == TL_OK;

    tl_tel_doc_destroy(doc);
    return ok;
}

static void take_document(struct tl_tel_call *call, const struct tl_tel_hook_answer *answer)
{
    const char *type = answer->content_type;
    const char *text = (const char *)answer->body.data;

    if (is_type(type, "text/xml") || is_type(type, "application/xml") ||
        is_type(type, "text/html") || (is_type(type, "text/plain") && parses(answer))) {
        load(call, text, answer->body.len, answer->url);
    } else if (is_type(type, "audio/")) {
        tl_tel_call_answer(call);
        play_for(call, "audio", answer->url, 1000, end_after);
    } else if (is_type(type, "text/plain") && answer->body.len) {
        tl_tel_call_answer(call);
        play_for(call, "plain", text, spoken_ms(text), end_after);
    } else {
        tl_tel_call_error(call, 12300, "content type %s of %s", type ? type : "(none)",
                          answer->url);
        fail_document(call, call->on_fallback, 12300, answer->url);
    }
}

static void on_document(void *arg, const struct tl_tel_hook_answer *answer)
{
    struct fetch *f = arg;
    struct tl_tel_call *call = f->call;
    bool is_current = f->run == call->run && !tl_tel_status_is_final(call->status);

    free(f);
    if (!is_current || call->tel->is_stopping)
        return;
    call->mode = TL_TEL_MODE_IDLE;
    if (answer->error_code)
        fail_document(call, call->on_fallback, answer->error_code, answer->url);
    else
        take_document(call, answer);
}

void tl_tel_run_url(struct tl_tel_call *call, const char *url, const char *method,
                    struct tl_tel_form *extra)
{
    struct tl_tel_form *form = tl_tel_form_new();
    struct fetch *f = calloc(1, sizeof(*f));
    char *absolute = tl_tel_url_resolve(call->doc_url, url);

    if (!f)
        abort();
    begin_run(call);
    call->mode = TL_TEL_MODE_FETCHING;
    *f = (struct fetch){.call = call, .run = call->run};
    tl_tel_call_fields(call, form);
    for (size_t i = 0; extra && i < extra->len; i++)
        tl_tel_form_add(form, extra->field[i].name, extra->field[i].value);
    tl_tel_form_free(extra);
    struct tl_tel_hook hook = {
        .call = call,
        .kind = call->on_fallback ? "fallback" : "voice",
        .url = absolute ? absolute : url,
        .method = method,
        .form = form,
        .on_answer = on_document,
        .arg = f,
    };
    tl_tel_hook_send(&hook);
    free(absolute);
}

void tl_tel_run_text(struct tl_tel_call *call, const char *twiml)
{
    begin_run(call);
    load(call, twiml, strlen(twiml), NULL);
}

/* ---- verbs: true when the verb blocks ---- */

static long number_attr(const struct tl_tel_node *node, const char *name, long fallback)
{
    const char *text = tl_tel_node_attr(node, name);
    char *end;
    long value = text ? strtol(text, &end, 10) : 0;

    return text && *text && *end == '\0' && value >= 0 ? value : fallback;
}

static void verb_over(void *arg)
{
    struct tl_tel_call *call = arg;

    call->mode = TL_TEL_MODE_IDLE;
    call->ear.other_sound = false;
    run_next(call);
}

static bool run_say(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    long loop = number_attr(node, "loop", 1);
    int64_t ms = loop == 0 ? -1 : loop * spoken_ms(node->text);

    if (strlen(node->text) > 4096)
        tl_tel_call_error(call, 13521, "Say: text over 4096 characters");
    tl_tel_call_answer(call);
    play_for(call, "say", node->text, ms, verb_over);
    return true;
}

static bool run_play(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    const char *digits = tl_tel_node_attr(node, "digits");
    long loop = number_attr(node, "loop", 1);
    int64_t one = digits ? 500 * (int64_t)strlen(digits) : 1000;

    tl_tel_call_answer(call);
    play_for(call, "play", digits ? digits : node->text, loop == 0 ? -1 : loop * one, verb_over);
    return true;
}

static bool run_pause(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    int64_t ms = 1000 * number_attr(node, "length", 1);

    if (call->doc->first != node) /* as first verb it delays the pick-up */
        tl_tel_call_answer(call);
    call->mode = TL_TEL_MODE_TIMED;
    tl_timer_start(&call->timer, &call->tel->loop, (uint64_t)ms, verb_over, call);
    return true;
}

static bool run_redirect(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    const char *method = tl_tel_node_attr(node, "method");
    char *url = strdup(node->text); /* the document goes away */

    tl_tel_run_url(call, url, method, NULL);
    free(url);
    return true;
}

static bool run_reject(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    const char *reason = tl_tel_node_attr(node, "reason");

    if (call->answered_us)
        tl_tel_call_end(call, TL_TEL_COMPLETED);
    else
        tl_tel_call_end(call, reason && strcmp(reason, "busy") == 0 ? TL_TEL_BUSY : TL_TEL_FAILED);
    return true;
}

static bool run_hangup(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    (void)node;
    tl_tel_call_answer(call);
    tl_tel_call_end(call, TL_TEL_COMPLETED);
    return true;
}

static bool run_connect(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    tl_tel_call_answer(call);
    call->mode = TL_TEL_MODE_STREAM;
    tl_tel_stream_open(call, node->child);
    return true;
}

static bool run_dial(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    const char *on_bridge = tl_tel_node_attr(node, "answerOnBridge");

    if (!on_bridge || strcmp(on_bridge, "true") != 0)
        tl_tel_call_answer(call);
    call->mode = TL_TEL_MODE_DIAL;
    if (tl_tel_dial_start(call, node))
        return true;
    call->mode = TL_TEL_MODE_IDLE;
    return false;
}

/* ---- Gather ---- */

static void end_gather(void *arg)
{
    struct tl_tel_call *call = arg;
    const struct tl_tel_node *node = call->running;
    const char *on_empty = tl_tel_node_attr(node, "actionOnEmptyResult");

    tl_timer_stop(&call->timer);
    call->mode = TL_TEL_MODE_IDLE;
    if (call->keys.len == 0 && !(on_empty && strcmp(on_empty, "true") == 0)) {
        run_next(call);
        return;
    }
    struct tl_tel_form *fields = tl_tel_form_new();
    tl_tel_form_add(fields, "Digits", tl_buf_str(&call->keys));
    tl_tel_form_add(fields, "FinishedOnKey", "");
    if (tl_tel_node_attr(node, "action"))
        tl_tel_run_done(call, fields);
    else /* the document itself, with the digits */
        tl_tel_run_url(call, call->doc_url ? call->doc_url : "", NULL, fields);
}

static bool run_gather(struct tl_tel_call *call, const struct tl_tel_node *node)
{
    int64_t ms = 1000 * number_attr(node, "timeout", 5);

    tl_tel_call_answer(call);
    for (const struct tl_tel_node *n = node->child; n; n = n->next) {
        int64_t one =
            n->element == TL_TEL_PAUSE ? 1000 * number_attr(n, "length", 1) : spoken_ms(n->text);
        if (n->element != TL_TEL_PAUSE)
            report_spoken(call, n->element == TL_TEL_SAY ? "say" : "play", n->text, one);
        ms += one;
    }
    tl_buf_reset(&call->keys);
    call->mode = TL_TEL_MODE_GATHER;
    tl_timer_start(&call->timer, &call->tel->loop, (uint64_t)ms, end_gather, call);
    return true;
}

void tl_tel_run_key(struct tl_tel_call *call, char key)
{
    const char *finish = tl_tel_node_attr(call->running, "finishOnKey");
    long max = number_attr(call->running, "numDigits", 0);
    int64_t ms = 1000 * number_attr(call->running, "timeout", 5);

    if (strchr(finish ? finish : "#", key)) {
        end_gather(call);
        return;
    }
    tl_buf_add_char(&call->keys, key);
    if (max && (long)call->keys.len >= max)
        end_gather(call);
    else
        tl_timer_start(&call->timer, &call->tel->loop, (uint64_t)ms, end_gather, call);
}

/* ---- the loop over verbs ---- */

static bool (*const VERBS[TL_TEL_ELEMENTS])(struct tl_tel_call *, const struct tl_tel_node *) = {
    [TL_TEL_SAY] = run_say,           [TL_TEL_PLAY] = run_play,     [TL_TEL_PAUSE] = run_pause,
    [TL_TEL_REDIRECT] = run_redirect, [TL_TEL_REJECT] = run_reject, [TL_TEL_HANGUP] = run_hangup,
    [TL_TEL_CONNECT] = run_connect,   [TL_TEL_DIAL] = run_dial,     [TL_TEL_GATHER] = run_gather,
};

static void run_next(struct tl_tel_call *call)
{
    while (call->verb) {
        const struct tl_tel_node *node = call->verb;
        call->verb = node->next;
        call->running = node;
        if (VERBS[node->element](call, node))
            return;
    }
    if (call->parent) { /* a whisper is over: the legs are put together */
        call->mode = TL_TEL_MODE_IDLE;
        tl_tel_dial_leg_answered(call);
        return;
    }
    tl_tel_call_end(call, TL_TEL_COMPLETED);
}

void tl_tel_run_done(struct tl_tel_call *call, struct tl_tel_form *action_fields)
{
    const char *action = tl_tel_node_attr(call->running, "action");

    call->mode = TL_TEL_MODE_IDLE;
    if (!action) {
        tl_tel_form_free(action_fields);
        run_next(call);
        return;
    }
    char *url = strdup(action); /* the document goes away */
    tl_tel_run_url(call, url, tl_tel_node_attr(call->running, "method"), action_fields);
    free(url);
}

void tl_tel_run_stream_ended(struct tl_tel_call *call, bool abrupt)
{
    if (call->mode != TL_TEL_MODE_STREAM || call->tel->is_stopping)
        return;
    if (abrupt && call->tel->faults.after_abrupt != TL_TEL_ABRUPT_ACTION) {
        call->mode = TL_TEL_MODE_HELD;
        return;
    }
    tl_tel_run_done(call, NULL);
}
