/* What a run of digits is: first of all whether a card number hides in it, then what the nearest
 * cue word makes of it, then what its form alone says. */
#include "redact/detect.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- cards ---- */

enum {
    WINDOWS_MAX = 96,
    VIEWS = 4,
    LEAD_MIN = 4, /* digits before a card in one run that are masked with it */
};

struct window {
    size_t first; /* digits of the stream */
    size_t last;
    uint8_t n;    /* digits of the number */
    uint8_t rank; /* how well it fits the way it was said */
    bool usual;
    bool whole; /* nothing else in its segment */
    uint8_t value[TL_CARD_DIGITS_MAX];
};

struct card_scan {
    const struct tl_digits *ds;
    const struct tl_segment *seg;
    struct window window[WINDOWS_MAX];
    size_t n;
    bool overflow;
};

static bool group_starts(const struct tl_digits *ds, const struct tl_segment *seg, size_t i)
{
    return i == seg->first || ds->digit[i].group != ds->digit[i - 1].group;
}

static bool group_ends(const struct tl_digits *ds, const struct tl_segment *seg, size_t i)
{
    return i + 1 == seg->end || ds->digit[i].group != ds->digit[i + 1].group;
}

static void window_add(struct card_scan *s, const size_t *index, const uint8_t *value, size_t n,
                       size_t all, bool usual)
{
    if (s->n == WINDOWS_MAX) {
        s->overflow = true;
        return;
    }
    struct window *w = &s->window[s->n++];
    *w = (struct window){.first = index[0],
                         .last = index[n - 1],
                         .n = (uint8_t)n,
                         .usual = usual,
                         .whole = n == all};
    memcpy(w->value, value, n);
    w->rank = (uint8_t)(4 * w->whole + 2 * group_starts(s->ds, s->seg, w->first) +
                        2 * group_ends(s->ds, s->seg, w->last) + 2 * usual);
}

/* All card windows of the digits that are left without those flagged `skip`. */
static void scan_view(struct card_scan *s, uint8_t skip)
{
    size_t span = s->seg->end - s->seg->first;
    size_t index_inline[TL_DIGITS_INLINE];
    uint8_t value_inline[TL_DIGITS_INLINE];
    size_t *index = span <= TL_DIGITS_INLINE ? index_inline : malloc(span * sizeof(*index));
    uint8_t *value = span <= TL_DIGITS_INLINE ? value_inline : malloc(span);
    if (index == NULL || value == NULL)
        abort();

    size_t n = 0;
    for (size_t i = s->seg->first; i < s->seg->end; i++) {
        if (s->ds->digit[i].flags & skip)
            continue;
        index[n] = i;
        value[n++] = s->ds->digit[i].value;
    }
    for (size_t at = 0; at + TL_CARD_DIGITS_MIN <= n && !s->overflow; at++) {
        for (size_t len = TL_CARD_DIGITS_MIN; len <= TL_CARD_DIGITS_MAX && at + len <= n; len++) {
            bool usual = false;
            if (tl_valid_card(value + at, len, &usual))
                window_add(s, index + at, value + at, len, n, usual);
        }
    }
    explicit_bzero(value, n);
    if (index != index_inline)
        free(index);
    if (value != value_inline)
        free(value);
}

static bool better(const struct window *a, const struct window *b)
{
    return a->rank != b->rank ? a->rank > b->rank : a->n > b->n;
}

static bool overlaps(const struct tl_found *f, const struct window *w)
{
    return w->first < f->end && f->first <= w->last;
}

static double card_confidence(const struct tl_detect *in, const struct tl_segment *seg,
                              const struct window *w)
{
    const uint64_t strong = TL_CUE_BIT(TL_CUE_CARD);
    const uint64_t weak = strong | TL_CUE_BIT(TL_CUE_CARD_WEAK) | TL_CUE_BIT(TL_CUE_EXPIRY);
    const uint64_t otherwise = TL_CUE_BIT(TL_CUE_OTHERWISE);

    if (in->cues->all & strong)
        return 0.95;
    if (in->cues->all & otherwise)
        return 0.40;
    if (tl_cues_distance(in->cues, weak, seg->first_word, seg->last_word) != TL_CUE_FAR)
        return 0.95;
    /* One number in ten passes Luhn: only a run that is nothing but a card number, of the length
     * that its brand issues, accuses by itself. Masked it is either way. */
    return w->whole && w->usual ? 0.70 : 0.55;
}

static void found_set(struct tl_found *f, const struct window *w, double confidence)
{
    *f = (struct tl_found){.first = w->first,
                           .end = w->last + 1,
                           .type = TL_ENTITY_CARD,
                           .confidence = confidence,
                           .value_n = w->n};
    memcpy(f->value, w->value, w->n);
}

static bool covered(const struct tl_found *found, size_t n, const struct window *w)
{
    for (size_t i = w->first; i <= w->last; i++) {
        bool in = false;
        for (size_t k = 0; k < n; k++)
            in = in || (i >= found[k].first && i < found[k].end);
        if (!in)
            return false;
    }
    return true;
}

/* Takes the best windows that do not overlap; then all others are covered by the nearest taken. */
static size_t choose(const struct tl_detect *in, struct card_scan *s, struct tl_found *found)
{
    size_t n = 0;
    for (;;) {
        const struct window *best = NULL;
        for (size_t i = 0; i < s->n; i++) {
            bool taken = false;
            for (size_t k = 0; k < n; k++)
                taken |= overlaps(&found[k], &s->window[i]);
            if (!taken && (best == NULL || better(&s->window[i], best)))
                best = &s->window[i];
        }
        if (best == NULL || n == TL_FOUND_MAX / 2)
            break;
        found_set(&found[n++], best, card_confidence(in, s->seg, best));
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct window *w = &s->window[i];
        size_t k = 0;
        if (covered(found, n, w))
            continue; /* chance, across two cards in a row */
        while (k < n && !overlaps(&found[k], w))
            k++;
        if (k == n) {
            s->overflow = true; /* more cards than we list */
            continue;
        }
        if (w->first < found[k].first)
            found[k].first = w->first;
        if (w->last >= found[k].end)
            found[k].end = w->last + 1;
    }
    return n;
}

static void sort_found(struct tl_found *found, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct tl_found f = found[i];
        size_t k = i;
        for (; k > 0 && found[k - 1].first > f.first; k--)
            found[k] = found[k - 1];
        found[k] = f;
    }
}

static size_t find_cards(const struct tl_detect *in, const struct tl_digits *ds,
                         const struct tl_segment *seg, struct tl_found *found)
{
    struct card_scan s = {.ds = ds, .seg = seg};
    uint8_t flags = 0;

    if (seg->end - seg->first < TL_CARD_DIGITS_MIN)
        return 0;
    for (size_t i = seg->first; i < seg->end; i++)
        flags |= ds->digit[i].flags & (TL_DIGIT_HOMOPHONE | TL_DIGIT_TAKEN_BACK);
    for (unsigned skip = 0; skip < VIEWS; skip++)
        if ((skip & ~flags) == 0)
            scan_view(&s, (uint8_t)skip);
    size_t n = choose(in, &s, found);
    if (n == 0)
        return 0;
    sort_found(found, n);
    if (s.overflow) { /* so many that no choice makes sense: the whole run */
        found[0].first = seg->first;
        found[0].end = seg->end;
        n = 1;
    }
    explicit_bzero(&s, sizeof(s));
    return n;
}

/* ---- everything else ---- */

static size_t values(const struct tl_digits *ds, size_t first, size_t end, uint8_t out[TL_RUN_MAX])
{
    size_t n = 0;
    for (size_t i = first; i < end && n < TL_RUN_MAX; i++)
        if (!(ds->digit[i].flags & (TL_DIGIT_TAKEN_BACK | TL_DIGIT_HOMOPHONE)))
            out[n++] = ds->digit[i].value;
    return n;
}

static struct tl_found make_found(const struct tl_digits *ds, size_t first, size_t end,
                                  enum tl_entity_type type, double confidence)
{
    struct tl_found f = {.first = first, .end = end, .type = type, .confidence = confidence};
    f.value_n = values(ds, first, end, f.value);
    return f;
}

typedef bool (*form_fn)(const struct tl_detect *in, const uint8_t *d, size_t n);

static bool is_any(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)d;
    return n > 0;
}

static bool is_expiry(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    return tl_valid_expiry(d, n, in->year);
}

static bool is_ssn(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)n;
    return tl_valid_ssn(d);
}

static bool is_itin(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)n;
    return tl_valid_itin(d);
}

static bool is_sin(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)n;
    return tl_valid_sin(d);
}

static bool is_nhs(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)n;
    return tl_valid_nhs(d);
}

static bool is_aba(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)n;
    return tl_valid_aba(d);
}

static bool is_date(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    return tl_valid_date_digits(d, n);
}

static bool is_zip(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    (void)in;
    (void)d;
    return n == 5 || n == 9;
}

struct rule {
    enum tl_entity_type type;
    uint64_t cues;
    uint8_t min; /* digits */
    uint8_t max;
    bool part; /* may be some groups of a longer run */
    form_fn form;
    double confidence;
};

#define CUE(name) TL_CUE_BIT(TL_CUE_##name)

/* What a cue makes of digits; of those that fit the one with the nearest cue wins, then the first.
 */
static const struct rule rules[] = {
    {TL_ENTITY_CARD_CVV, CUE(CODE), 3, 4, true, is_any, 0.90},
    {TL_ENTITY_CARD_EXPIRY, CUE(EXPIRY), 3, 6, true, is_expiry, 0.90},
    {TL_ENTITY_CARD_PIN, CUE(PIN), 4, 8, true, is_any, 0.90},
    {TL_ENTITY_OTP, CUE(OTP), 4, 10, true, is_any, 0.90},
    {TL_ENTITY_SSN, CUE(SSN), 9, 9, true, is_ssn, 0.95},
    {TL_ENTITY_ITIN, CUE(SSN), 9, 9, true, is_itin, 0.95},
    {TL_ENTITY_SIN, CUE(SIN), 9, 9, true, is_sin, 0.95},
    {TL_ENTITY_NHS, CUE(NHS), 10, 10, true, is_nhs, 0.95},
    {TL_ENTITY_ABA_ROUTING, CUE(ABA), 9, 9, true, is_aba, 0.95},
    {TL_ENTITY_SORT_CODE, CUE(SORT), 6, 6, false, is_any, 0.85},
    {TL_ENTITY_BANK_ACCOUNT, CUE(BANK) | CUE(SORT), 6, 17, false, is_any, 0.80},
    {TL_ENTITY_PHONE, CUE(PHONE), 7, 15, false, is_any, 0.80},
    {TL_ENTITY_DOB, CUE(DOB), 5, 8, false, is_date, 0.90},
    {TL_ENTITY_ADDRESS, CUE(POSTCODE), 5, 9, false, is_zip, 0.80},
    {TL_ENTITY_MRN, CUE(MRN), 4, 20, false, is_any, 0.80},
    {TL_ENTITY_HEALTH_PLAN, CUE(PLAN), 4, 20, false, is_any, 0.80},
    {TL_ENTITY_MEMBER_ID, CUE(MEMBER), 4, 20, false, is_any, 0.80},
    {TL_ENTITY_PASSPORT, CUE(PASSPORT), 7, 10, false, is_any, 0.80},
    {TL_ENTITY_DRIVER_LICENCE, CUE(LICENCE), 6, 16, false, is_any, 0.80},
    {TL_ENTITY_PLATE, CUE(PLATE), 3, 8, false, is_any, 0.70},
};

/* The rule's digits within the segment: all of it, or whole groups. */
static bool rule_range(const struct tl_detect *in, const struct rule *rule,
                       const struct tl_digits *ds, const struct tl_segment *seg, size_t *ret_first,
                       size_t *ret_end)
{
    uint8_t d[TL_RUN_MAX];
    size_t n = values(ds, seg->first, seg->end, d);
    if (n >= rule->min && n <= rule->max && rule->form(in, d, n)) {
        *ret_first = seg->first;
        *ret_end = seg->end;
        return true;
    }
    for (size_t i = seg->first; rule->part && i < seg->end; i++) {
        if (!group_starts(ds, seg, i))
            continue;
        for (size_t k = i; k < seg->end && k - i < rule->max; k++) {
            n = values(ds, i, k + 1, d);
            if (group_ends(ds, seg, k) && n >= rule->min && n <= rule->max &&
                rule->form(in, d, n)) {
                *ret_first = i;
                *ret_end = k + 1;
                return true;
            }
        }
    }
    return false;
}

static bool find_by_cue(const struct tl_detect *in, const struct tl_digits *ds,
                        const struct tl_segment *seg, struct tl_found *ret)
{
    uint32_t near = TL_CUE_FAR;
    bool any = false;
    uint32_t other = tl_cues_distance(in->cues, CUE(OTHERWISE), seg->first_word, seg->last_word);
    if (other >= TL_CUE_EARLIER)
        other = TL_CUE_FAR;

    for (size_t i = 0; i < TL_ARRAY_LEN(rules); i++) {
        size_t first = 0, end = 0;
        if (seg->end - seg->first < rules[i].min)
            continue;
        uint32_t d = tl_cues_distance(in->cues, rules[i].cues, seg->first_word, seg->last_word);
        if (d >= near || d > other || !rule_range(in, &rules[i], ds, seg, &first, &end))
            continue;
        near = d;
        any = true;
        double confidence = rules[i].confidence;
        if (rules[i].type == TL_ENTITY_CARD_CVV && !in->customer)
            confidence = 0.60; /* read back: masked, nobody's slip of the tongue */
        *ret = make_found(ds, first, end, rules[i].type, confidence);
    }
    return any;
}

/* The call's own numbers are no secret of it. */
static bool is_own_number(const struct tl_detect *in, const uint8_t *d, size_t n)
{
    for (size_t i = 0; i < 2 && in->own != NULL; i++) {
        if (in->own[i] == NULL || n < 7)
            continue;
        uint8_t own[16];
        size_t m = 0;
        for (const char *c = in->own[i]; *c != '\0' && m < sizeof(own); c++)
            if (*c >= '0' && *c <= '9')
                own[m++] = (uint8_t)(*c - '0');
        size_t skip = d[0] == 0 ? 1 : 0; /* the trunk zero */
        if (n - skip <= m && memcmp(own + m - (n - skip), d + skip, n - skip) == 0)
            return true;
    }
    return false;
}

/* Sizes of the groups of a segment, at most `max`; 0 when there are more. */
static size_t group_sizes(const struct tl_digits *ds, const struct tl_segment *seg, size_t *size,
                          size_t max)
{
    size_t n = 0;
    for (size_t i = seg->first; i < seg->end; i++) {
        if (group_starts(ds, seg, i)) {
            if (n == max)
                return 0;
            size[n++] = 0;
        }
        size[n - 1]++;
    }
    return n;
}

static bool is_phone_form(const struct tl_segment *seg, const uint8_t *d, size_t n,
                          const size_t *size, size_t groups)
{
    if (seg->plus)
        return tl_valid_e164(d, n);
    if (n == 10 && groups == 3 && size[0] == 3 && size[1] == 3)
        return tl_valid_nanp(d);
    if (n == 11 && groups == 4 && size[0] == 1 && size[1] == 3 && size[2] == 3 && d[0] == 1)
        return tl_valid_nanp(d + 1);
    return n >= 10 && n <= 11 && d[0] == 0 && groups >= 2 && tl_valid_national_phone(d, n);
}

/* What the grouping alone says. */
static bool find_by_form(const struct tl_detect *in, const struct tl_digits *ds,
                         const struct tl_segment *seg, struct tl_found *ret)
{
    uint8_t d[TL_RUN_MAX];
    size_t size[6];
    size_t n = values(ds, seg->first, seg->end, d);
    size_t groups = group_sizes(ds, seg, size, TL_ARRAY_LEN(size));
    bool other = (in->cues->all & CUE(OTHERWISE)) != 0;

    if (n == 9 && groups == 3 && size[0] == 3 && size[1] == 2 && !other) {
        if (tl_valid_ssn(d) || tl_valid_itin(d)) {
            bool itin = !tl_valid_ssn(d);
            *ret =
                make_found(ds, seg->first, seg->end, itin ? TL_ENTITY_ITIN : TL_ENTITY_SSN, 0.80);
            return true;
        }
    }
    if (n == 9 && groups == 2 && size[0] == 5 && size[1] == 4) {
        *ret = make_found(ds, seg->first, seg->end, TL_ENTITY_ADDRESS, 0.60); /* ZIP+4 */
        return true;
    }
    if (groups > 0 && is_phone_form(seg, d, n, size, groups)) {
        *ret = make_found(ds, seg->first, seg->end, TL_ENTITY_PHONE, 0.75);
        return true;
    }
    return false;
}

/* Sort code and account number said in one breath. */
static size_t find_sort_and_account(const struct tl_detect *in, const struct tl_digits *ds,
                                    const struct tl_segment *seg, struct tl_found *found)
{
    if (seg->end - seg->first != 14 ||
        tl_cues_distance(in->cues, CUE(SORT), seg->first_word, seg->last_word) == TL_CUE_FAR ||
        !group_starts(ds, seg, seg->first + 6))
        return 0;
    found[0] = make_found(ds, seg->first, seg->first + 6, TL_ENTITY_SORT_CODE, 0.85);
    found[1] = make_found(ds, seg->first + 6, seg->end, TL_ENTITY_BANK_ACCOUNT, 0.85);
    return 2;
}

/* What follows a card number in the same breath: its expiry and code, whoever asked. */
static size_t find_tail(const struct tl_detect *in, const struct tl_digits *ds, size_t first,
                        size_t end, double confidence, struct tl_found *found)
{
    uint8_t d[TL_RUN_MAX];
    size_t n = values(ds, first, end, d);
    if (n == 0)
        return 0;
    if ((n == 7 || n == 8) && end - first == n && tl_valid_expiry(d, 4, in->year)) {
        found[0] = make_found(ds, first, first + 4, TL_ENTITY_CARD_EXPIRY, confidence);
        found[1] = make_found(ds, first + 4, end, TL_ENTITY_CARD_CVV, confidence);
        return 2;
    }
    enum tl_entity_type type = TL_ENTITY_DIGITS;
    if ((n == 4 || n == 6) && tl_valid_expiry(d, n, in->year))
        type = TL_ENTITY_CARD_EXPIRY;
    else if (n == 3 || n == 4)
        type = TL_ENTITY_CARD_CVV;
    if ((n == 3 || n == 4) && (in->cues->all & CUE(CODE)))
        type = TL_ENTITY_CARD_CVV;
    found[0] = make_found(ds, first, end, type, type == TL_ENTITY_DIGITS ? 0.50 : confidence);
    return 1;
}

/* "ending in 1111" */
static bool is_last_four(const struct tl_detect *in, const struct tl_segment *seg)
{
    uint32_t d = tl_cues_distance(in->cues, CUE(LAST4), seg->first_word, seg->last_word);
    uint32_t code = tl_cues_distance(in->cues, CUE(CODE) | CUE(PIN) | CUE(OTP), seg->first_word,
                                     seg->last_word);
    return seg->end - seg->first == 4 && d <= 8 && code > d && !seg->carried;
}

size_t tl_detect_segment(const struct tl_detect *in, const struct tl_digits *ds,
                         const struct tl_segment *seg, bool after_card,
                         struct tl_found found[TL_FOUND_MAX])
{
    size_t n = find_cards(in, ds, seg, found);
    if (n > 0) {
        size_t end = 0;
        for (size_t i = 0; i < n; i++)
            end = found[i].end > end ? found[i].end : end;
        size_t lead = found[0].first;
        /* As sure as the card that it follows. */
        n += find_tail(in, ds, end, seg->end, found[n - 1].confidence, found + n);
        /* The window may be chance within a longer number that is still being read out. */
        if (lead - seg->first >= LEAD_MIN)
            found[n++] = make_found(ds, seg->first, lead, TL_ENTITY_DIGITS, 0.50);
        return n;
    }
    if (after_card)
        return find_tail(in, ds, seg->first, seg->end, TL_ENTITY_FLAG, found);
    if (seg->end - seg->first > TL_RUN_MAX || seg->end - seg->first < 3)
        return 0;
    if (is_last_four(in, seg)) {
        found[0] = make_found(ds, seg->first, seg->end, TL_ENTITY_TYPES, 0);
        return 1;
    }
    uint8_t d[TL_RUN_MAX];
    size_t values_n = values(ds, seg->first, seg->end, d);
    if (values_n > 0 && is_own_number(in, d, values_n)) {
        found[0] = make_found(ds, seg->first, seg->end, TL_ENTITY_TYPES, 0);
        return 1;
    }
    if ((n = find_sort_and_account(in, ds, seg, found)) > 0)
        return n;
    return find_by_cue(in, ds, seg, &found[0]) || find_by_form(in, ds, seg, &found[0]);
}
