/* The digit stream: runs of spoken and written digits and what breaks them. Breaking too late costs
 * a mask too many, breaking too early lets a card number out: when in doubt a run goes on. */
#include "redact/digits.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_ROLES = TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS };

struct reader {
    struct tl_digits *ds;
    const struct tl_words *w;
    uint32_t utt;
    bool in_segment;
    bool amount_next; /* a currency sign stands before what comes */
    bool plus_next;
    bool after_digit; /* the last word was a digit */
    bool new_group;
    uint16_t group;
    unsigned others;
    unsigned mode;
    bool carry_waits; /* the carried digits are in, none of ours yet */
};

/* A bigger block for what stands in `old`, which may still be the caller's own. */
static void *grow(void *old, const void *inline_mem, size_t used, size_t bytes)
{
    void *p = malloc(bytes);
    if (p == NULL)
        abort();
    memcpy(p, old, used);
    explicit_bzero(old, used); /* clear digits may stand in it */
    if (old != inline_mem)
        free(old);
    return p;
}

static struct tl_segment *current(const struct reader *r)
{
    return &r->ds->segment[r->ds->n_segments - 1];
}

static void segment_open(struct reader *r, size_t word, bool carried)
{
    struct tl_digits *ds = r->ds;
    if (ds->n_segments == ds->segment_cap) {
        size_t cap = ds->segment_cap * 2;
        ds->segment = grow(ds->segment, ds->segment_inline, ds->n_segments * sizeof(*ds->segment),
                           cap * sizeof(*ds->segment));
        ds->segment_cap = cap;
    }
    ds->segment[ds->n_segments++] = (struct tl_segment){.first = ds->n,
                                                        .end = ds->n,
                                                        .first_word = word,
                                                        .last_word = word,
                                                        .carried = carried,
                                                        .amount = r->amount_next,
                                                        .plus = r->plus_next,
                                                        .open = true};
    r->in_segment = true;
    r->amount_next = r->plus_next = false;
    r->others = 0;
}

static void segment_close(struct reader *r)
{
    r->after_digit = false;
    if (!r->in_segment)
        return;
    if (r->carry_waits)
        r->ds->carry_ended = true;
    r->carry_waits = false;
    current(r)->open = false;
    r->in_segment = false;
}

static void digit_add(struct reader *r, struct tl_digit d)
{
    struct tl_digits *ds = r->ds;
    if (ds->n == ds->cap) {
        size_t cap = ds->cap * 2;
        ds->digit =
            grow(ds->digit, ds->digit_inline, ds->n * sizeof(*ds->digit), cap * sizeof(*ds->digit));
        ds->cap = cap;
    }
    ds->digit[ds->n++] = d;
    current(r)->end = ds->n;
}

static void digit_said(struct reader *r, uint8_t value, uint8_t flags, size_t word,
                       size_t last_word)
{
    if (!r->in_segment)
        segment_open(r, word, false);
    if (r->carry_waits)
        current(r)->first_word = 0;
    r->carry_waits = false;
    if (r->new_group)
        r->group++;
    r->new_group = false;
    r->others = 0;
    digit_add(r, (struct tl_digit){.value = value,
                                   .flags = flags,
                                   .group = r->group,
                                   .utt = r->utt,
                                   .start = r->w->word[word].start,
                                   .end = r->w->word[last_word].end});
    current(r)->last_word = last_word;
}

static bool numeric(const struct tl_words *w, size_t i)
{
    return i < w->n && (w->word[i].digits || (tl_word_roles(w, i) & (NUMBER_ROLES | TL_ROLE_MULT)));
}

/* A value below ten that one word names: "five", "5", "oh" behind "double". */
static int one_digit(const struct tl_words *w, size_t i)
{
    if (i >= w->n)
        return -1;
    if (w->word[i].digits)
        return w->word[i].norm_len == 1 ? tl_word_text(w, i)[0] - '0' : -1;
    if (tl_word_roles(w, i) & (TL_ROLE_DIGIT | TL_ROLE_OH))
        return tl_word_value(w, i);
    return -1;
}

size_t tl_number_word(const struct tl_words *w, size_t i, uint8_t *ret, size_t *ret_n)
{
    uint32_t roles = tl_word_roles(w, i);
    int value = roles ? tl_word_value(w, i) : 0;

    if (roles & TL_ROLE_DIGIT) {
        ret[0] = (uint8_t)value;
        *ret_n = 1;
        return 1;
    }
    if (roles & (TL_ROLE_TEEN | TL_ROLE_TENS)) {
        bool unit = (roles & TL_ROLE_TENS) && (tl_word_roles(w, i + 1) & TL_ROLE_DIGIT) &&
                    tl_word_value(w, i + 1) > 0 &&
                    !(w->word[i + 1].gap & (TL_GAP_COMMA | TL_GAP_STOP));
        ret[0] = (uint8_t)(value / 10);
        ret[1] = unit ? (uint8_t)tl_word_value(w, i + 1) : (uint8_t)(value % 10);
        *ret_n = 2;
        return unit ? 2 : 1;
    }
    int again = roles & TL_ROLE_MULT ? one_digit(w, i + 1) : -1;
    if (again < 0)
        return 0;
    *ret_n = (size_t)value;
    memset(ret, again, *ret_n);
    return 2;
}

/* "oh" is a zero beside a digit, and when it is said twice. */
static bool oh_is_zero(const struct reader *r, size_t i)
{
    if (r->after_digit || (r->carry_waits && r->ds->n >= 4))
        return true;
    size_t k = i;
    while (tl_word_roles(r->w, k) & TL_ROLE_OH)
        k++;
    return k - i >= 2 || (numeric(r->w, k) && !(r->w->word[k].gap & (TL_GAP_COMMA | TL_GAP_STOP)));
}

/* "that one", "no one", "one of them", "one moment" name no number. */
static bool one_is_pronoun(const struct reader *r, size_t i)
{
    static const char *const behind[] = {"of",     "more",   "thing",  "day", "time",
                                         "moment", "sec",    "second", "dog", "question",
                                         "who",    "person", "minute"};
    if (!tl_word_is(r->w, i, "one") || r->after_digit || numeric(r->w, i + 1) ||
        (tl_word_roles(r->w, i + 1) & TL_ROLE_OH))
        return false;
    if (i > 0 && (tl_word_roles(r->w, i - 1) & TL_ROLE_NOT_ONE) &&
        r->w->word[i].gap == TL_GAP_SPACE)
        return true;
    for (size_t k = 0; k < sizeof(behind) / sizeof(behind[0]); k++)
        if (tl_word_is(r->w, i + 1, behind[k]))
            return true;
    return false;
}

/* "three digits", "the last four": a count, not part of a number. `behind`: the word after it. */
static bool is_count(const struct reader *r, size_t i, size_t behind, size_t digits)
{
    if (r->after_digit || digits > 2)
        return false;
    uint32_t roles = tl_word_roles(r->w, behind);
    if (roles & TL_ROLE_COUNTED)
        return true;
    if (numeric(r->w, behind) || (roles & TL_ROLE_OH) || i == 0)
        return false;
    if (i > 1 && tl_word_is(r->w, i - 1, "plus") && tl_word_is(r->w, i - 2, "zip"))
        return true; /* ZIP plus four */
    return tl_word_is(r->w, i - 1, "last") || tl_word_is(r->w, i - 1, "first") ||
           tl_word_is(r->w, i - 1, "final");
}

/* "to" between two digits of a run that has four; the next digit may be a homophone again. */
static bool homophone_counts(const struct reader *r, size_t i)
{
    if (!r->after_digit || !r->in_segment || r->ds->n - current(r)->first < 4)
        return false;
    size_t k = i + 1;
    while (tl_word_roles(r->w, k) & TL_ROLE_HOMOPHONE)
        k++;
    return numeric(r->w, k) || (tl_word_roles(r->w, k) & TL_ROLE_OH);
}

/* Words that take the last group back; 0 when there are none. */
static size_t takes_back(const struct tl_words *w, size_t i)
{
    if (tl_word_is(w, i, "sorry") || tl_word_is(w, i, "no") || tl_word_is(w, i, "correction") ||
        tl_word_is(w, i, "oops") || tl_word_is(w, i, "wait"))
        return 1;
    if ((tl_word_is(w, i, "scratch") && tl_word_is(w, i + 1, "that")) ||
        (tl_word_is(w, i, "i") && tl_word_is(w, i + 1, "mean")) ||
        (tl_word_is(w, i, "my") &&
         (tl_word_is(w, i + 1, "mistake") || tl_word_is(w, i + 1, "bad"))))
        return 2;
    return 0;
}

/* "hold on", "let me see": the speaker looks for the next digits. */
static size_t bides_time(const struct tl_words *w, size_t i)
{
    static const char *const phrases[][3] = {
        {"hold", "on", NULL},    {"hang", "on", NULL},     {"let", "me", "see"},
        {"let", "me", "check"},  {"just", "a", "second"},  {"just", "a", "moment"},
        {"one", "moment", NULL}, {"one", "second", NULL},  {"one", "sec", NULL},
        {"go", "on", NULL},      {"are", "you", "ready"},  {"you", "got", "that"},
        {"got", "that", NULL},   {"you", "know", NULL},    {"and", "then", "its"},
        {"bear", "with", "me"},  {"followed", "by", NULL}, {"you", "ready", NULL},
    };
    for (size_t p = 0; p < sizeof(phrases) / sizeof(phrases[0]); p++) {
        size_t n = 0;
        while (n < 3 && phrases[p][n] != NULL && tl_word_is(w, i + n, phrases[p][n]))
            n++;
        if (n > 1 && (n == 3 || phrases[p][n] == NULL))
            return n;
    }
    return 0;
}

static void take_back(struct reader *r)
{
    if (!r->in_segment)
        return;
    struct tl_digits *ds = r->ds;
    const struct tl_segment *seg = current(r);
    for (size_t k = ds->n; k > seg->first && ds->digit[k - 1].group == r->group; k--)
        ds->digit[k - 1].flags |= TL_DIGIT_TAKEN_BACK;
    r->new_group = true;
}

static void other_word(struct reader *r)
{
    r->after_digit = false;
    r->new_group = true;
    if (r->in_segment && ++r->others >= 2)
        segment_close(r);
}

static void read_gap(struct reader *r, size_t i)
{
    const struct tl_word *word = &r->w->word[i];
    if (i > 0 && word->gap == 0 && (word->digits != r->w->word[i - 1].digits))
        segment_close(r); /* letters and digits in one: a name of something, not a number */
    if ((word->gap & TL_GAP_MASK) ||
        ((r->mode & TL_DIGITS_QUOTES_BREAK) && (word->gap & TL_GAP_QUOTE)))
        segment_close(r);
    if (word->gap & TL_GAP_PERCENT && r->after_digit) {
        current(r)->amount = true;
        segment_close(r);
    }
    if (word->gap & TL_GAP_CURRENCY) {
        segment_close(r);
        r->amount_next = true;
    }
    if (word->gap & TL_GAP_PLUS && !r->in_segment)
        r->plus_next = true;
    if (word->gap & (TL_GAP_COMMA | TL_GAP_STOP))
        r->new_group = true;
}

static void number_said(struct reader *r, const uint8_t *digits, size_t n, size_t i, size_t used)
{
    if (is_count(r, i, i + used, n)) {
        segment_close(r);
        return;
    }
    for (size_t k = 0; k < n; k++)
        digit_said(r, digits[k], 0, i, i + used - 1);
    r->after_digit = true;
}

static size_t read_written(struct reader *r, size_t i)
{
    const struct tl_word *word = &r->w->word[i];
    uint8_t digits[TL_WORD_BYTES_MAX];
    for (size_t k = 0; k < word->norm_len; k++)
        digits[k] = (uint8_t)(tl_word_text(r->w, i)[k] - '0');
    r->new_group = true;
    number_said(r, digits, word->norm_len, i, 1);
    explicit_bzero(digits, word->norm_len);
    r->new_group = true;
    return 1;
}

/* Words that are no digits. Returns how many were read. */
static size_t read_other(struct reader *r, size_t i)
{
    uint32_t roles = tl_word_roles(r->w, i);
    size_t n;

    if ((roles & TL_ROLE_MULT) ||
        ((r->mode & TL_DIGITS_CUT) && i + 1 == r->w->n && r->w->tail == 0))
        return 1; /* what it doubles, or how it ends, comes yet */
    if ((roles & TL_ROLE_UNIT) && (r->after_digit || !r->in_segment || roles == TL_ROLE_UNIT)) {
        if (r->in_segment && r->after_digit)
            current(r)->amount = true;
        segment_close(r);
        return 1;
    }
    if (roles & TL_ROLE_SUBJECT) {
        segment_close(r);
        return 1;
    }
    if (roles & TL_ROLE_FILLER)
        return 1; /* not even a pause */
    if (r->in_segment && (n = takes_back(r->w, i)) > 0) {
        take_back(r);
        r->after_digit = false;
        return n;
    }
    if (r->in_segment && (n = bides_time(r->w, i)) > 0) {
        r->after_digit = false;
        r->new_group = true;
        return n;
    }
    if (tl_word_is(r->w, i, "plus") && !r->in_segment) {
        r->plus_next = true;
        return 1;
    }
    if (roles & (TL_ROLE_GLUE | TL_ROLE_SYMBOL)) {
        r->after_digit = false;
        r->new_group = true;
        return 1;
    }
    r->plus_next = false;
    other_word(r);
    return 1;
}

static size_t read_word(struct reader *r, size_t i)
{
    uint8_t digits[4];
    size_t n = 0;
    size_t used;

    read_gap(r, i);
    if (r->w->word[i].digits)
        return read_written(r, i);
    if (one_is_pronoun(r, i))
        return read_other(r, i);
    if ((used = tl_number_word(r->w, i, digits, &n)) > 0) {
        number_said(r, digits, n, i, used);
        return used;
    }
    uint32_t roles = tl_word_roles(r->w, i);
    if ((roles & TL_ROLE_OH) && oh_is_zero(r, i)) {
        digit_said(r, 0, 0, i, i);
        r->after_digit = true;
        return 1;
    }
    if ((roles & TL_ROLE_OH) && r->in_segment && r->ds->n > current(r)->first) {
        /* Behind a pause within a number: a zero or a sigh. Both are tried. */
        digit_said(r, 0, TL_DIGIT_HOMOPHONE, i, i);
        return 1;
    }
    if ((roles & TL_ROLE_HOMOPHONE) && homophone_counts(r, i)) {
        digit_said(r, (uint8_t)tl_word_value(r->w, i), TL_DIGIT_HOMOPHONE, i, i);
        r->after_digit = true;
        return 1;
    }
    return read_other(r, i);
}

static void take_up(struct reader *r, const struct tl_run *carry)
{
    segment_open(r, 0, true);
    for (size_t i = 0; i < carry->n; i++)
        digit_add(r, carry->digit[i]);
    r->carry_waits = true;
    r->others = carry->others;
    r->group = carry->group;
    r->new_group = true;
}

void tl_digits_init(struct tl_digits *ds, const struct tl_words *w, const struct tl_run *carry,
                    uint32_t utt, unsigned mode)
{
    ds->digit = ds->digit_inline;
    ds->n = 0;
    ds->cap = TL_DIGITS_INLINE;
    ds->segment = ds->segment_inline;
    ds->n_segments = 0;
    ds->segment_cap = TL_SEGMENTS_INLINE;
    ds->carry_ended = false;
    ds->carry_others = 0;

    struct reader r = {.ds = ds, .w = w, .utt = utt, .mode = mode};
    if (carry != NULL)
        take_up(&r, carry);
    for (size_t i = 0; i < w->n;)
        i += read_word(&r, i);
    if (r.in_segment && r.after_digit && (w->tail & TL_GAP_PERCENT)) {
        current(&r)->amount = true;
        segment_close(&r);
    }
    if (r.in_segment) {
        current(&r)->others = r.others;
        if (current(&r)->amount)
            current(&r)->open = false;
    }
    ds->carry_others = r.carry_waits ? r.others : 0;
}

void tl_digits_finish(struct tl_digits *ds)
{
    explicit_bzero(ds->digit, ds->n * sizeof(*ds->digit));
    if (ds->digit != ds->digit_inline)
        free(ds->digit);
    if (ds->segment != ds->segment_inline)
        free(ds->segment);
}
