/* The redactor of one call: holds finals back until their digits are decided, and writes masks. */
#include "redact/redact.h"

#include <stdlib.h>
#include <string.h>

#include "redact/forms.h"
#include "redact/talk.h"

/* A final that waits. Owns its copy of the text. */
struct held {
    char *text;
    size_t len;
    struct tl_redact_word_time *words;
    size_t n_words;
    struct tl_spans spans;
    enum tl_redact_side side;
    int64_t start_ms;
    int64_t end_ms;
    int64_t due_ms;
    uint64_t tag;
    uint32_t utt;
    bool pending;
    bool secret_near;
};

struct tl_redactor {
    struct tl_talk_rules rules;
    bool keep_short;
    struct tl_talk talk;
    struct tl_numbers numbers;
    struct held *held[TL_REDACT_HELD_MAX]; /* oldest first */
    size_t n_held;
};

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static void add_name(struct tl_talk_rules *rules, const char *name)
{
    struct tl_words w;
    tl_words_init(&w, name, strlen(name));
    for (size_t i = 0; i < w.n && rules->n_names < TL_TALK_NAMES_MAX * 2; i++) {
        size_t len = w.word[i].norm_len;
        if (len < 2 || len >= sizeof(rules->names[0].text))
            continue;
        memcpy(rules->names[rules->n_names++].text, tl_word_text(&w, i), len);
    }
    tl_words_finish(&w);
}

struct tl_redactor *tl_redactor_create(const struct tl_redact_options *options)
{
    struct tl_redactor *r = must(calloc(1, sizeof(*r)));
    memcpy(r->numbers.key, options->key, sizeof(r->numbers.key));
    r->rules.on = options->on | tl_entity_always_set();
    r->rules.year = options->year;
    r->keep_short = options->keep_short;
    for (size_t i = 0; i < 2; i++) {
        if (options->own[i] == NULL)
            continue;
        size_t len = strnlen(options->own[i], sizeof(r->rules.own_text[i]) - 1);
        memcpy(r->rules.own_text[i], options->own[i], len);
        r->rules.own[i] = r->rules.own_text[i];
    }
    for (size_t i = 0; i < options->n_names && i < TL_TALK_NAMES_MAX; i++)
        add_name(&r->rules, options->names[i]);
    tl_context_init(&r->talk.context);
    return r;
}

static void held_destroy(struct held *h)
{
    if (h == NULL)
        return;
    if (h->text != NULL)
        explicit_bzero(h->text, h->len);
    free(h->text);
    free(h->words);
    tl_spans_finish(&h->spans);
    free(h);
}

void tl_redactor_destroy(struct tl_redactor *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n_held; i++)
        held_destroy(r->held[i]);
    explicit_bzero(r, sizeof(*r));
    free(r);
}

void tl_redactor_destroyp(struct tl_redactor **r)
{
    tl_redactor_destroy(*r);
}

void tl_redacted_init(struct tl_redacted *red)
{
    memset(red, 0, sizeof(*red));
    /* A mask is at most 21 bytes where one was. */
    tl_buf_init(&red->text, (size_t)TL_REDACT_TEXT_MAX * 24);
}

void tl_redacted_finish(struct tl_redacted *red)
{
    tl_buf_finish(&red->text);
}

/* ---- writing ---- */

/* What a text and its spans come from, held or not. */
struct source {
    const char *text;
    size_t len;
    const struct tl_redact_word_time *words;
    size_t n_words;
    int64_t start_ms;
    int64_t end_ms;
    bool json;
};

static int64_t time_at(const struct source *s, uint32_t byte, bool end)
{
    const struct tl_redact_word_time *near = NULL;
    for (size_t i = 0; i < s->n_words; i++) {
        if (end ? s->words[i].start < byte : s->words[i].start <= byte)
            near = &s->words[i];
        if (!end && s->words[i].end > byte)
            break;
    }
    if (near != NULL)
        return end ? near->end_ms : near->start_ms;
    if (s->len == 0)
        return end ? s->end_ms : s->start_ms;
    return s->start_ms + (s->end_ms - s->start_ms) * (int64_t)byte / (int64_t)s->len;
}

static void list_entity(const struct source *s, const struct tl_span *span, size_t at, size_t len,
                        struct tl_redacted *red)
{
    if (red->n_entities == TL_REDACT_ENTITIES_MAX) {
        red->n_unlisted++;
        return;
    }
    struct tl_entity *e = &red->entities[red->n_entities++];
    *e = (struct tl_entity){.type = span->type,
                            .n = span->n,
                            .confidence = span->confidence,
                            .start = (uint32_t)at,
                            .len = (uint32_t)len,
                            .start_ms = time_at(s, span->start, false),
                            .end_ms = time_at(s, span->end, true)};
    memcpy(e->last4, span->last4, sizeof(e->last4));
}

/* Tracks whether byte `to` of a JSON text lies within a string. */
static bool json_in_string(const char *text, size_t from, size_t to, bool in)
{
    for (size_t i = from; i < to; i++) {
        if (in && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in = !in;
    }
    return in;
}

static void write_masked(const struct source *s, const struct tl_spans *spans,
                         struct tl_redacted *red)
{
    size_t at = 0;
    bool in_string = false;
    tl_buf_reset(&red->text);
    red->n_entities = red->n_unlisted = 0;
    red->start_ms = s->start_ms;
    red->end_ms = s->end_ms;
    for (size_t i = 0; i < spans->n; i++) {
        const struct tl_span *span = &spans->span[i];
        in_string = s->json && json_in_string(s->text, at, span->start, in_string);
        const char *quote = s->json && !in_string ? "\"" : "";
        tl_buf_add(&red->text, s->text + at, span->start - at);
        size_t mask = red->text.len;
        tl_buf_printf(&red->text, "%s[%s_%u]%s", quote, tl_entity_name(span->type), span->n, quote);
        list_entity(s, span, mask, red->text.len - mask, red);
        at = span->end;
    }
    tl_buf_add(&red->text, s->text + at, s->len - at);
}

static struct source source_of(const struct tl_redact_utterance *u)
{
    return (struct source){.text = u->text,
                           .len = u->len,
                           .words = u->words,
                           .n_words = u->words != NULL ? u->n_words : 0,
                           .start_ms = u->start_ms,
                           .end_ms = u->end_ms};
}

static enum tl_status check_length(size_t len, struct tl_error *err)
{
    if (len > TL_REDACT_TEXT_MAX)
        return tl_fail(err, TL_INVALID, "redact: text of %zu bytes, at most %d", len,
                       TL_REDACT_TEXT_MAX);
    return TL_OK;
}

/* ---- drafts ---- */

enum tl_status tl_redactor_draft(const struct tl_redactor *r, const struct tl_redact_utterance *u,
                                 struct tl_redacted *ret_red, struct tl_error *err)
{
    enum tl_status st = check_length(u->len, err);
    if (st != TL_OK)
        return st;

    struct tl_talk talk = r->talk;
    struct tl_numbers numbers = r->numbers;
    struct tl_talk_step step = {
        .rules = &r->rules, .talk = &talk, .numbers = &numbers, .u = u, .mode = TL_DIGITS_CUT};
    tl_talk_read(&step);
    tl_talk_mask_pending(&talk.run[u->side], talk.utt, TL_ENTITY_DIGITS, &numbers, &step.spans);

    struct source s = source_of(u);
    ret_red->side = u->side;
    ret_red->tag = u->tag;
    write_masked(&s, &step.spans, ret_red);
    tl_spans_finish(&step.spans);
    explicit_bzero(&talk, sizeof(talk));
    return TL_OK;
}

/* ---- finals ---- */

static void on_earlier(void *self, uint32_t utt, const struct tl_span *span)
{
    struct tl_redactor *r = self;
    for (size_t i = 0; i < r->n_held; i++)
        if (r->held[i]->utt == utt)
            tl_spans_add(&r->held[i]->spans, *span);
}

static void copy_spans(struct tl_spans *to, const struct tl_spans *from)
{
    tl_spans_init(to);
    for (size_t i = 0; i < from->n; i++)
        tl_spans_add(to, from->span[i]);
}

static struct held *held_create(const struct tl_redact_utterance *u,
                                const struct tl_talk_step *step, uint32_t utt, int64_t now_ms)
{
    struct held *h = must(calloc(1, sizeof(*h)));
    h->text = must(malloc(u->len + 1));
    memcpy(h->text, u->text, u->len);
    h->len = u->len;
    if (u->words != NULL && u->n_words > 0) {
        h->words = must(malloc(u->n_words * sizeof(*h->words)));
        memcpy(h->words, u->words, u->n_words * sizeof(*h->words));
        h->n_words = u->n_words;
    }
    copy_spans(&h->spans, &step->spans);
    h->side = u->side;
    h->start_ms = u->start_ms;
    h->end_ms = u->end_ms;
    h->due_ms = now_ms + TL_REDACT_HOLD_MS;
    h->tag = u->tag;
    h->utt = utt;
    h->pending = step->pending;
    h->secret_near = step->secret_near;
    return h;
}

static void decide(struct tl_redactor *r, struct held *h)
{
    struct tl_run *run = &r->talk.run[h->side];
    if (!h->pending)
        return;
    h->pending = false;
    if (r->keep_short && run->n < 4 && !h->secret_near)
        return;
    tl_talk_mask_pending(run, h->utt, TL_ENTITY_DIGITS, &r->numbers, &h->spans);
}

static void look_again(struct tl_redactor *r)
{
    for (size_t i = 0; i < r->n_held; i++) {
        struct held *h = r->held[i];
        h->pending = h->pending && tl_talk_is_pending(&r->talk.run[h->side], h->utt);
    }
}

enum tl_status tl_redactor_final(struct tl_redactor *r, const struct tl_redact_utterance *u,
                                 int64_t now_ms, struct tl_error *err)
{
    enum tl_status st = check_length(u->len, err);
    if (st != TL_OK)
        return st;
    if (r->n_held == TL_REDACT_HELD_MAX)
        return tl_fail(err, TL_RETRY, "redact: %d finals wait to be popped", TL_REDACT_HELD_MAX);

    struct tl_talk_step step = {.rules = &r->rules,
                                .talk = &r->talk,
                                .numbers = &r->numbers,
                                .u = u,
                                .on_earlier = on_earlier,
                                .self = r};
    tl_talk_read(&step);
    r->held[r->n_held++] = held_create(u, &step, r->talk.utt, now_ms);
    tl_spans_finish(&step.spans);
    look_again(r);
    for (size_t i = 0; r->n_held == TL_REDACT_HELD_MAX && i < r->n_held; i++)
        decide(r, r->held[i]);
    return TL_OK;
}

bool tl_redactor_pop(struct tl_redactor *r, int64_t now_ms, struct tl_redacted *ret_red)
{
    if (r->n_held == 0)
        return false;
    struct held *h = r->held[0];
    if (h->pending && now_ms < h->due_ms)
        return false;
    decide(r, h);

    struct source s = {.text = h->text,
                       .len = h->len,
                       .words = h->words,
                       .n_words = h->n_words,
                       .start_ms = h->start_ms,
                       .end_ms = h->end_ms};
    ret_red->side = h->side;
    ret_red->tag = h->tag;
    write_masked(&s, &h->spans, ret_red);
    r->n_held--;
    memmove(&r->held[0], &r->held[1], r->n_held * sizeof(r->held[0]));
    held_destroy(h);
    return true;
}

int64_t tl_redactor_due(const struct tl_redactor *r)
{
    if (r->n_held == 0)
        return INT64_MAX;
    return r->held[0]->pending ? r->held[0]->due_ms : INT64_MIN;
}

void tl_redactor_flush(struct tl_redactor *r)
{
    for (size_t i = 0; i < r->n_held; i++)
        decide(r, r->held[i]);
}

/* ---- texts by themselves ---- */

enum tl_status tl_redactor_text(struct tl_redactor *r, enum tl_redact_text_kind kind,
                                const char *text, size_t len, struct tl_redacted *ret_red,
                                struct tl_error *err)
{
    enum tl_status st = check_length(len, err);
    if (st != TL_OK)
        return st;

    struct tl_redact_utterance u = {.side = TL_REDACT_CUSTOMER, .text = text, .len = len};
    struct tl_talk talk = {.context = r->talk.context};
    if (kind == TL_REDACT_KEYED) {
        /* Whatever was asked for in the last turns counts, however long ago by the clock. */
        for (size_t i = 0; i < TL_CONTEXT_TURNS; i++)
            talk.context.past[i].end_ms = 0;
    }
    struct tl_talk_step step = {.rules = &r->rules,
                                .talk = &talk,
                                .numbers = &r->numbers,
                                .u = &u,
                                .alone = kind != TL_REDACT_KEYED,
                                .mode = kind == TL_REDACT_JSON ? TL_DIGITS_QUOTES_BREAK : 0};
    tl_talk_read(&step);
    if (kind == TL_REDACT_KEYED && talk.run[u.side].n >= 3)
        tl_talk_mask_pending(&talk.run[u.side], talk.utt, TL_ENTITY_DIGITS, &r->numbers,
                             &step.spans);

    struct source s = source_of(&u);
    s.json = kind == TL_REDACT_JSON;
    ret_red->side = u.side;
    ret_red->tag = 0;
    write_masked(&s, &step.spans, ret_red);
    tl_spans_finish(&step.spans);
    explicit_bzero(&talk, sizeof(talk));
    return TL_OK;
}

void tl_redactor_resume(struct tl_redactor *r, const struct tl_redact_utterance *u)
{
    tl_talk_resume(&r->talk, &r->numbers, u);
}

size_t tl_redact_credentials(const char *text, size_t len, struct tl_buf *out)
{
    size_t found = 0;
    size_t from = 0;
    for (size_t at = 0; at < len;) {
        size_t skip;
        size_t n = tl_credential_at(text, len, at, &skip);
        if (n == 0) {
            at++;
            continue;
        }
        tl_buf_add(out, text + from, at + skip - from);
        tl_buf_add_str(out, "[CREDENTIAL]");
        at += n;
        from = at;
        found++;
    }
    tl_buf_add(out, text + from, len - from);
    return found;
}
