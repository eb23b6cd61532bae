/* The talk as the redactor sees it: both sides' open runs of digits and the words around them. One
 * utterance goes through here once as a final, and any number of times, on copies, as a draft. */
#include "redact/talk.h"

#include <string.h>

#include "redact/detect.h"
#include "redact/forms.h"

enum {
    RUN_GAP_MS = 10000, /* a run goes on within this time */
    SHORT_WORDS = 3,    /* "mm hmm", "go on" */
    READ_BACK_MIN = 4,  /* digits */
};

static const uint64_t SECRET_CUES = TL_CUE_BIT(TL_CUE_CARD) | TL_CUE_BIT(TL_CUE_CODE) |
                                    TL_CUE_BIT(TL_CUE_EXPIRY) | TL_CUE_BIT(TL_CUE_PIN) |
                                    TL_CUE_BIT(TL_CUE_OTP);

/* What one utterance needs besides its step. */
struct reading {
    struct tl_talk_step *step;
    struct tl_words w;
    struct tl_cues cues;
    struct tl_digits ds;
    struct tl_run *run;   /* this side's */
    struct tl_run *other; /* the other side's */
    size_t card_end;      /* digits up to here belong to a card */
    uint32_t utt;
};

static void run_close(struct tl_run *run)
{
    explicit_bzero(run, sizeof(*run));
}

static bool allowed(const struct reading *r, enum tl_entity_type type)
{
    return type < TL_ENTITY_TYPES && (r->step->rules->on & TL_ENTITY_BIT(type));
}

/* Adds the span of digits [first, end) to each utterance that they stand in. */
static void add_span(struct reading *r, size_t first, size_t end, struct tl_span span)
{
    size_t i = first;
    while (i < end) {
        uint32_t utt = r->ds.digit[i].utt;
        span.start = r->ds.digit[i].start;
        while (i < end && r->ds.digit[i].utt == utt) {
            span.end = r->ds.digit[i].end;
            r->ds.digit[i].flags |= TL_DIGIT_MASKED;
            i++;
        }
        if (utt == r->utt)
            tl_spans_add(&r->step->spans, span);
        else if (r->step->on_earlier != NULL)
            r->step->on_earlier(r->step->self, utt, &span);
    }
}

static void mask_found(struct reading *r, const struct tl_found *f)
{
    struct tl_span span = {.type = f->type, .confidence = f->confidence};
    span.n = tl_numbers_get(r->step->numbers, f->type, f->value, f->value_n);
    if (f->type == TL_ENTITY_CARD) {
        for (size_t i = 0; i < 4; i++)
            span.last4[i] = (char)('0' + f->value[f->value_n - 4 + i]);
        tl_numbers_add_card(r->step->numbers, f->value, f->value_n, span.n);
        r->card_end = f->end > r->card_end ? f->end : r->card_end;
    }
    add_span(r, f->first, f->end, span);
}

static void mask_digits(struct reading *r, size_t first, size_t end, enum tl_entity_type type,
                        unsigned n)
{
    struct tl_found f = {.first = first, .end = end, .type = type, .confidence = 0.50};
    for (size_t i = first; i < end && f.value_n < TL_RUN_MAX; i++)
        f.value[f.value_n++] = r->ds.digit[i].value;
    if (n == 0)
        n = tl_numbers_get(r->step->numbers, type, f.value, f.value_n);
    add_span(r, first, end, (struct tl_span){.type = type, .confidence = 0.50, .n = n});
}

/* A telephone number said as such, in full, is decided although it is not masked. Only one that no
 * card starts like: ten digits of a card look like a number in North America. */
static bool settles(const struct reading *r, const struct tl_segment *seg, const struct tl_found *f)
{
    if (f->type == TL_ENTITY_TYPES)
        return true;
    if ((r->step->mode & TL_DIGITS_CUT) || seg->carried || (!seg->plus && f->value[0] != 0))
        return false;
    return f->type == TL_ENTITY_PHONE && (r->cues.all & TL_CUE_BIT(TL_CUE_PHONE)) &&
           !r->step->secret_near;
}

static void take_found(struct reading *r, const struct tl_segment *seg, const struct tl_found *f,
                       bool formed)
{
    if (formed && f->type != TL_ENTITY_CARD && f->type != TL_ENTITY_CARD_CVV)
        return; /* the form that stands there knows better */
    if (allowed(r, f->type) && f->confidence >= TL_ENTITY_MASK) {
        mask_found(r, f);
        return;
    }
    if (settles(r, seg, f) && f->first == seg->first && f->end == seg->end)
        for (size_t i = f->first; i < f->end; i++)
            r->ds.digit[i].flags |= TL_DIGIT_MASKED;
}

/* Marks digits that lie in a form already found; true when there are some. */
static bool mark_formed(struct reading *r, const struct tl_segment *seg)
{
    bool any = false;
    for (size_t i = seg->first; i < seg->end; i++) {
        struct tl_digit *d = &r->ds.digit[i];
        if (d->utt == r->utt && tl_spans_cover(&r->step->spans, d->start, d->end)) {
            d->flags |= TL_DIGIT_MASKED;
            any = true;
        }
    }
    return any;
}

/* Digits that the other side is just saying: read back, they share its fate. */
static bool reads_back(const struct reading *r, const uint8_t *d, size_t n)
{
    const struct tl_run *run = r->other;
    if (!run->open || run->unseen || n < READ_BACK_MIN || run->n < n)
        return false;
    for (size_t at = 0; at + n <= run->n; at++) {
        size_t k = 0;
        while (k < n && run->digit[at + k].value == d[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

static void read_rest(struct reading *r, const struct tl_segment *seg)
{
    uint8_t d[TL_RUN_MAX];
    size_t n = 0;
    for (size_t i = seg->first; i < seg->end && n < TL_RUN_MAX; i++)
        d[n++] = r->ds.digit[i].value;
    unsigned card = tl_numbers_card_part(r->step->numbers, d, n);
    if (card != 0)
        mask_digits(r, seg->first, seg->end, TL_ENTITY_CARD, card);
    else if (reads_back(r, d, n))
        mask_digits(r, seg->first, seg->end, TL_ENTITY_DIGITS, 0);
    explicit_bzero(d, sizeof(d));
}

/* "at five", "a table for two", "June 12": a time, a quantity, a day. At most two digits, and none
 * while a card is spoken of; they stay in the run for what may follow. */
static bool is_small_talk(const struct reading *r, const struct tl_segment *seg)
{
    static const char *const before[] = {"at",    "for",    "by",    "until", "till", "around",
                                         "about", "before", "after", "since", "of"};
    if ((r->step->mode & TL_DIGITS_CUT) || r->step->secret_near || seg->carried ||
        seg->end - seg->first > 2 || seg->first_word == 0)
        return false;
    if (tl_word_roles(&r->w, seg->first_word - 1) & TL_ROLE_MONTH)
        return true;
    for (size_t i = 0; i < TL_ARRAY_LEN(before); i++)
        if (tl_word_is(&r->w, seg->first_word - 1, before[i]))
            return true;
    return false;
}

static void read_segment(struct reading *r, const struct tl_segment *seg)
{
    struct tl_found found[TL_FOUND_MAX + 2];
    struct tl_detect in = {.cues = &r->cues,
                           .own = r->step->rules->own,
                           .year = r->step->rules->year,
                           .customer = r->step->u->side == TL_REDACT_CUSTOMER};
    if (seg->first == seg->end || r->ds.digit[seg->end - 1].utt != r->utt)
        return; /* nothing new */
    bool formed = mark_formed(r, seg);
    if (seg->carried && r->run->unseen) {
        mask_digits(r, seg->first, seg->end, TL_ENTITY_DIGITS, 0);
        return;
    }
    size_t n = tl_detect_segment(&in, &r->ds, seg, seg->carried && r->run->after_card, found);
    for (size_t i = 0; i < n; i++)
        take_found(r, seg, &found[i], formed);
    explicit_bzero(found, sizeof(found[0]) * n);
    if (n == 0 && !formed)
        read_rest(r, seg);
    if (n == 0 && is_small_talk(r, seg))
        for (size_t i = seg->first; i < seg->end; i++)
            r->ds.digit[i].flags |= TL_DIGIT_MASKED;
}

/* Keeps the digits that the next utterance may go on with. */
static void keep_run(struct reading *r, const struct tl_segment *seg)
{
    struct tl_run run = {.open = true, .others = seg->others, .end_ms = r->step->u->end_ms};
    bool carried = seg->carried;
    size_t first = seg->first > r->card_end ? seg->first : r->card_end;
    size_t last = seg->end;

    if (first > last)
        first = last;
    if (last - first > TL_RUN_MAX)
        first = last - TL_RUN_MAX;
    run.n = last - first;
    memcpy(run.digit, r->ds.digit + first, run.n * sizeof(run.digit[0]));
    run.group = (uint16_t)(seg->end > seg->first ? r->ds.digit[seg->end - 1].group + 1 : 0);
    run.after_card = (r->card_end > seg->first) || (carried && r->run->after_card);
    run.unseen = carried && r->run->unseen;
    bool grown = seg->end > seg->first && r->ds.digit[seg->end - 1].utt == r->utt;
    if (carried && !grown)
        run.end_ms = r->run->end_ms;
    *r->run = run;
}

static void read_digits(struct reading *r)
{
    struct tl_run *run = r->run;
    if (run->open && r->step->u->start_ms - run->end_ms > RUN_GAP_MS)
        run_close(run);
    if (!run->open && !r->w.any_number)
        return;
    tl_digits_init(&r->ds, &r->w, run->open ? run : NULL, r->utt, r->step->mode);
    const struct tl_segment *open = NULL;
    for (size_t i = 0; i < r->ds.n_segments; i++) {
        read_segment(r, &r->ds.segment[i]);
        if (r->ds.segment[i].open)
            open = &r->ds.segment[i];
    }
    if (open != NULL)
        keep_run(r, open);
    else
        run_close(run);
    tl_digits_finish(&r->ds);
}

/* Does the other side's run outlive what was just said? It does when that was short, or digits read
 * back, or asks for more, and always while a card is being spoken of. */
static bool lets_go_on(const struct reading *r)
{
    if (r->w.n <= SHORT_WORDS || r->w.any_number || r->step->secret_near)
        return true;
    for (size_t i = 0; i < r->w.n; i++)
        if (tl_word_roles(&r->w, i) & TL_ROLE_PROMPT)
            return true;
    return false;
}

/* Numbers what forms and facts found; digits have theirs. The value is its letters and digits. */
static void number_spans(struct reading *r)
{
    for (size_t i = 0; i < r->step->spans.n; i++) {
        struct tl_span *span = &r->step->spans.span[i];
        char value[256];
        size_t n = 0;
        if (span->n != 0)
            continue;
        for (uint32_t at = span->start; at < span->end && n < sizeof(value); at++) {
            char c = r->step->u->text[at];
            if (c >= 'A' && c <= 'Z')
                c = (char)(c | 0x20);
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
                value[n++] = c;
        }
        span->n = tl_numbers_get(r->step->numbers, span->type, value, n);
        explicit_bzero(value, n);
    }
}

static void find_facts(struct reading *r)
{
    const struct tl_talk_rules *rules = r->step->rules;
    struct tl_facts facts = {.cues = &r->cues,
                             .on = rules->on,
                             .year = rules->year,
                             .customer = r->step->u->side == TL_REDACT_CUSTOMER,
                             .names = rules->names,
                             .n_names = rules->n_names};
    tl_forms_find(&r->w, &r->cues, rules->on, &r->step->spans);
    tl_facts_find(&facts, &r->w, &r->step->spans);
}

void tl_talk_read(struct tl_talk_step *step)
{
    const struct tl_redact_utterance *u = step->u;
    struct reading r;
    r.step = step;
    r.run = &step->talk->run[u->side];
    r.other = &step->talk->run[!u->side];
    r.card_end = 0;
    r.utt = ++step->talk->utt;

    tl_spans_init(&step->spans);
    tl_words_init(&r.w, u->text, u->len);
    bool brief = r.w.n <= SHORT_WORDS && !r.w.any_number;
    tl_cues_init(&r.cues, &r.w, step->alone ? NULL : &step->talk->context, (int)u->side, brief,
                 u->start_ms);
    step->secret_near = (r.cues.all & SECRET_CUES) ||
                        tl_cues_distance(&r.cues, SECRET_CUES, 0, r.w.n) != TL_CUE_FAR;

    find_facts(&r);
    read_digits(&r);
    number_spans(&r);
    if (r.other->open && !lets_go_on(&r))
        run_close(r.other);
    tl_context_add(&step->talk->context, &r.cues, (int)u->side, brief, u->end_ms);
    step->pending = tl_talk_is_pending(r.run, r.utt);
    tl_words_finish(&r.w);
}

bool tl_talk_is_pending(const struct tl_run *run, uint32_t utt)
{
    for (size_t i = 0; run->open && i < run->n; i++)
        if (run->digit[i].utt == utt && !(run->digit[i].flags & TL_DIGIT_MASKED))
            return true;
    return false;
}

bool tl_talk_mask_pending(struct tl_run *run, uint32_t utt, enum tl_entity_type type,
                          struct tl_numbers *numbers, struct tl_spans *spans)
{
    struct tl_span span = {.type = type, .confidence = 0.50};
    uint8_t value[TL_RUN_MAX];
    size_t n = 0;
    for (size_t i = 0; run->open && i < run->n; i++) {
        struct tl_digit *d = &run->digit[i];
        if (d->utt != utt || (d->flags & TL_DIGIT_MASKED))
            continue;
        if (n == 0)
            span.start = d->start;
        span.end = d->end;
        value[n++] = d->value;
        d->flags |= TL_DIGIT_MASKED;
    }
    if (n == 0)
        return false;
    span.n = tl_numbers_get(numbers, type, value, n);
    tl_spans_add(spans, span);
    explicit_bzero(value, n);
    return true;
}

/* The mask that ends the text, but for one word behind it; TL_ENTITY_TYPES for none. */
static enum tl_entity_type last_mask(struct tl_numbers *numbers,
                                     const struct tl_redact_utterance *u)
{
    enum tl_entity_type last = TL_ENTITY_TYPES;
    unsigned words = 0;
    for (size_t at = 0; at < u->len; at++) {
        enum tl_entity_type type;
        unsigned n;
        size_t mask = tl_entity_mask_at(u->text, u->len, at, &type, &n);
        if (mask > 0) {
            tl_numbers_raise(numbers, type, n);
            last = type;
            words = 0;
            at += mask - 1;
        } else if (u->text[at] == ' ' && at + 1 < u->len && u->text[at + 1] != ' ') {
            words++;
        }
    }
    return words < 2 ? last : TL_ENTITY_TYPES;
}

void tl_talk_resume(struct tl_talk *talk, struct tl_numbers *numbers,
                    const struct tl_redact_utterance *u)
{
    struct tl_words w;
    struct tl_cues cues;
    struct tl_run *run = &talk->run[u->side];

    talk->utt++;
    enum tl_entity_type last = last_mask(numbers, u);
    tl_words_init(&w, u->text, u->len);
    bool brief = w.n <= SHORT_WORDS && !w.any_number;
    tl_cues_init(&cues, &w, &talk->context, (int)u->side, brief, u->start_ms);
    if (last == TL_ENTITY_CARD)
        cues.all |= TL_CUE_BIT(TL_CUE_CARD);
    if (last == TL_ENTITY_CARD || last == TL_ENTITY_DIGITS) {
        run_close(run);
        run->open = true;
        run->unseen = last == TL_ENTITY_DIGITS;
        run->after_card = last == TL_ENTITY_CARD;
        run->end_ms = u->end_ms;
    } else if (w.n > 1) {
        run_close(run);
    }
    tl_context_add(&talk->context, &cues, (int)u->side, brief, u->end_ms);
    tl_words_finish(&w);
}
