/* Facts about a person that are known by the words around them. */
#include "redact/facts.h"

#include <string.h>

#include "base/error.h"
#include "redact/digits.h"
#include "redact/validate.h"

#define CUE(name) TL_CUE_BIT(TL_CUE_##name)

static void add(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans,
                enum tl_entity_type type, size_t first, size_t last, double confidence)
{
    if (in->on & TL_ENTITY_BIT(type))
        tl_spans_add(spans, (struct tl_span){.start = w->word[first].start,
                                             .end = w->word[last].end,
                                             .type = type,
                                             .confidence = confidence});
}

static bool has_role(const struct tl_words *w, size_t i, uint32_t roles)
{
    return (tl_word_roles(w, i) & roles) != 0;
}

/* ---- dates ---- */

struct number {
    int value;
    unsigned digits;
    size_t words;
};

/* A number of up to four digits at word i: written, or spoken, "nineteen eighty five". */
static bool read_number(const struct tl_words *w, size_t i, struct number *ret)
{
    *ret = (struct number){0};
    if (i < w->n && w->word[i].digits) {
        if (w->word[i].norm_len > 4)
            return false;
        for (size_t k = 0; k < w->word[i].norm_len; k++)
            ret->value = ret->value * 10 + (tl_word_text(w, i)[k] - '0');
        ret->digits = w->word[i].norm_len;
        ret->words = 1;
        return true;
    }
    uint8_t d[4];
    size_t n = 0;
    while (i + ret->words < w->n && ret->digits < 4) {
        size_t at = i + ret->words;
        size_t used = tl_number_word(w, at, d, &n);
        if (used == 0 && ret->digits > 0 && has_role(w, at, TL_ROLE_OH)) {
            used = n = 1;
            d[0] = 0;
        }
        if (used == 0 || ret->digits + n > 4)
            break;
        for (size_t k = 0; k < n; k++)
            ret->value = ret->value * 10 + d[k];
        ret->digits += (unsigned)n;
        ret->words += used;
    }
    return ret->words > 0;
}

/* "12", "12th", "twelfth", "twenty first", "twelve"; the words used, 0 for none. */
static size_t read_day(const struct tl_words *w, size_t i, int *ret_day)
{
    if (i >= w->n)
        return 0;
    if (w->word[i].digits && w->word[i].norm_len <= 2) {
        const char *t = tl_word_text(w, i);
        *ret_day = w->word[i].norm_len == 1 ? t[0] - '0' : (t[0] - '0') * 10 + t[1] - '0';
        bool ending = i + 1 < w->n && w->word[i + 1].gap == 0 && !w->word[i + 1].digits;
        return ending ? 2 : 1;
    }
    if (has_role(w, i, TL_ROLE_ORDINAL)) {
        *ret_day = tl_word_value(w, i);
        return 1;
    }
    if (has_role(w, i, TL_ROLE_TENS) && has_role(w, i + 1, TL_ROLE_ORDINAL)) {
        *ret_day = tl_word_value(w, i) + tl_word_value(w, i + 1);
        return 2;
    }
    uint8_t d[4];
    size_t n = 0;
    size_t used = tl_number_word(w, i, d, &n);
    if (used == 0 || n > 2)
        return 0;
    *ret_day = n == 1 ? d[0] : d[0] * 10 + d[1];
    return used;
}

/* A year of four digits, or of two; the words used. "two thousand and five" too. */
static size_t read_year(const struct tl_words *w, size_t i, int *ret_year)
{
    struct number n;
    if (tl_word_is(w, i, "two") && tl_word_is(w, i + 1, "thousand")) {
        size_t k = i + 2 + tl_word_is(w, i + 2, "and");
        *ret_year = 2000;
        if (read_number(w, k, &n) && n.digits <= 2) {
            *ret_year += n.value;
            return k + n.words - i;
        }
        return 2;
    }
    if (!read_number(w, i, &n) || (n.digits != 4 && n.digits != 2))
        return 0;
    *ret_year = n.digits == 4 ? n.value : 1900 + n.value;
    return n.words;
}

static size_t skip_small(const struct tl_words *w, size_t i)
{
    while (tl_word_is(w, i, "of") || tl_word_is(w, i, "the") || tl_word_is(w, i, "in"))
        i++;
    return i;
}

/* A date with its month as a word, from word i: "12 April 1985", "April the twelfth 85", "April
 * 1985". Returns the word behind it, or i. Parts that were not said are 0. */
static size_t read_date(const struct tl_words *w, size_t i, int *ret_year, int *ret_month,
                        int *ret_day)
{
    size_t k = i;
    *ret_year = *ret_month = *ret_day = 0;
    if (!has_role(w, k, TL_ROLE_MONTH)) {
        size_t used = read_day(w, k, ret_day);
        if (used == 0)
            return i;
        k = skip_small(w, k + used);
    }
    if (!has_role(w, k, TL_ROLE_MONTH))
        return i;
    *ret_month = tl_word_value(w, k++);
    if (*ret_day == 0) {
        /* Behind the month stands a day, or at once the year. */
        size_t at = skip_small(w, k);
        size_t used = read_day(w, at, ret_day);
        int year;
        size_t year_words = read_year(w, at, &year);
        if (used > 0 && (year_words <= used || *ret_day <= 31)) {
            size_t behind = skip_small(w, at + used);
            size_t more = read_year(w, behind, ret_year);
            if (more > 0)
                return behind + more;
        }
        *ret_day = 0;
        if (year_words > 0) {
            *ret_year = year;
            return at + year_words;
        }
        used = read_day(w, at, ret_day);
        return used > 0 ? at + used : i;
    }
    size_t at = skip_small(w, k);
    size_t used = read_year(w, at, ret_year);
    return used > 0 ? at + used : k;
}

static bool near_card(const struct tl_facts *in, size_t first, size_t last)
{
    return tl_cues_distance(in->cues, CUE(EXPIRY), first, last) != TL_CUE_FAR ||
           tl_cues_distance(in->cues, CUE(CARD), first, last) != TL_CUE_FAR;
}

static bool fits_expiry(const struct tl_facts *in, int year)
{
    int full = year < 2000 ? year + 100 : year; /* "27" was read as 1927 */
    if (in->year == 0)
        return full >= 2000 && full < 2100;
    return full >= in->year - 20 && full <= in->year + 20;
}

static void date_found(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans,
                       size_t first, size_t last, int year, int month, int day)
{
    uint32_t dob = tl_cues_distance(in->cues, CUE(DOB), first, last);
    if (dob != TL_CUE_FAR && (day == 0 || tl_valid_date(year == 0 ? 2000 : year, month, day)))
        add(in, w, spans, TL_ENTITY_DOB, first, last, 0.90);
    else if ((day == 0) != (year == 0) && near_card(in, first, last) &&
             fits_expiry(in,
                         year != 0 ? year : 2000 + day)) /* "April twenty seven" reads as a day */
        add(in, w, spans, TL_ENTITY_CARD_EXPIRY, first, last, 0.85);
}

static void find_dates(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n;) {
        int year, month, day;
        size_t end = i;
        bool start = has_role(w, i,
                              TL_ROLE_MONTH | TL_ROLE_ORDINAL | TL_ROLE_TENS | TL_ROLE_TEEN |
                                  TL_ROLE_DIGIT) ||
                     w->word[i].digits;
        if (start)
            end = read_date(w, i, &year, &month, &day);
        if (end > i)
            date_found(in, w, spans, i, end - 1, year, month, day);
        i = end > i ? end : i + 1;
    }
}

/* "04/27", "04/2027", "12/04/1985", "1985-04-12": figures with strokes, dots or dashes between. */
static size_t written_date(const struct tl_words *w, size_t i, uint8_t d[8], size_t *ret_n)
{
    const uint16_t stroke = TL_GAP_SLASH | TL_GAP_DASH | TL_GAP_DOT;
    size_t k = i;
    *ret_n = 0;
    while (k < w->n && k - i < 3 && w->word[k].digits && w->word[k].norm_len <= 4 &&
           *ret_n + (w->word[k].norm_len < 2 ? 2 : w->word[k].norm_len) <= 8 &&
           (k == i || ((w->word[k].gap & stroke) && !(w->word[k].gap & TL_GAP_SPACE)))) {
        if (w->word[k].norm_len == 1)
            d[(*ret_n)++] = 0;
        for (size_t c = 0; c < w->word[k].norm_len; c++)
            d[(*ret_n)++] = (uint8_t)(tl_word_text(w, k)[c] - '0');
        k++;
    }
    return k - i;
}

static void find_written_dates(const struct tl_facts *in, const struct tl_words *w,
                               struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        uint8_t d[8];
        size_t n;
        size_t words = w->word[i].digits ? written_date(w, i, d, &n) : 0;
        if (words == 3 && (n == 6 || n == 8) && tl_valid_date_digits(d, n) &&
            tl_cues_distance(in->cues, CUE(DOB), i, i + 2) != TL_CUE_FAR)
            add(in, w, spans, TL_ENTITY_DOB, i, i + 2, 0.95);
        else if (words == 2 && (w->word[i + 1].gap & TL_GAP_SLASH) &&
                 tl_valid_expiry(d, n, in->year) && near_card(in, i, i + 1))
            add(in, w, spans, TL_ENTITY_CARD_EXPIRY, i, i + 1, 0.95);
        if (words > 1)
            i += words - 1;
    }
}

/* "forty two years old", "42-year-old", "aged 42" */
static void find_ages(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        struct number n;
        if ((!w->word[i].digits && !has_role(w, i, TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS)) ||
            !read_number(w, i, &n) || n.value < 1 || n.value > 120)
            continue;
        size_t k = i + n.words;
        bool old = (tl_word_is(w, k, "years") || tl_word_is(w, k, "year")) &&
                   (tl_word_is(w, k + 1, "old") ||
                    (tl_word_is(w, k + 1, "of") && tl_word_is(w, k + 2, "age")));
        uint32_t cue = tl_cues_distance(in->cues, CUE(AGE), i, k - 1);
        if (old || cue <= 1)
            add(in, w, spans, TL_ENTITY_AGE, i, old ? k + 1 : k - 1, 0.85);
        i = k - 1;
    }
}

/* ---- passwords ---- */

static size_t words_to_stop(const struct tl_words *w, size_t i, size_t max)
{
    size_t k = i;
    while (k < w->n && k - i < max) {
        if (k > i && (w->word[k].gap & (TL_GAP_STOP | TL_GAP_COMMA)))
            break;
        if (k > i &&
            (tl_word_is(w, k, "and") || tl_word_is(w, k, "but") || tl_word_is(w, k, "can") ||
             tl_word_is(w, k, "please") || tl_word_is(w, k, "thanks")))
            break;
        k++;
    }
    return k - i;
}

static bool tells(const struct tl_words *w, size_t i)
{
    return tl_word_is(w, i, "is") || tl_word_is(w, i, "its") || tl_word_is(w, i, "was") ||
           (i < w->n && (w->word[i].gap & TL_GAP_OTHER) != 0); /* a colon, an equals sign */
}

/* "my password is hunter two": all up to the next stop. Not "my password is wrong". */
static void find_told_passwords(const struct tl_facts *in, const struct tl_words *w,
                                struct tl_spans *spans)
{
    static const char *const states[] = {
        "wrong",   "incorrect", "expired", "reset",    "required",  "invalid", "weak",  "safe",
        "secret",  "working",   "needed",  "blocked",  "different", "changed", "there", "important",
        "private", "stored",    "case",    "disabled", "protected", "in",      "on",    "too"};
    for (size_t c = 0; c < in->cues->n; c++) {
        const struct tl_cue_at *cue = &in->cues->at[c];
        if (!(cue->cues & (CUE(PASSWORD) | CUE(OTP))))
            continue;
        size_t i = cue->word + cue->len;
        if (!tells(w, i))
            continue;
        while (tl_word_is(w, i, "is") || tl_word_is(w, i, "its") || tl_word_is(w, i, "was"))
            i++;
        bool state = i >= w->n || has_role(w, i, TL_ROLE_STOP);
        for (size_t k = 0; k < TL_ARRAY_LEN(states); k++)
            state = state || tl_word_is(w, i, states[k]);
        bool otp = !(cue->cues & CUE(PASSWORD));
        if (state || (otp && !w->word[i].digits && w->word[i].norm_len > 1 && !w->any_number))
            continue;
        size_t n = words_to_stop(w, i, otp ? 8 : 12);
        add(in, w, spans, otp ? TL_ENTITY_OTP : TL_ENTITY_PASSWORD, i, i + n - 1, 0.90);
    }
}

/* "What's your password?" — "hunter two" */
static void find_answered_password(const struct tl_facts *in, const struct tl_words *w,
                                   struct tl_spans *spans)
{
    if (!in->customer || w->n == 0 || (in->cues->all & CUE(PASSWORD)))
        return;
    uint32_t asked = tl_cues_distance(in->cues, CUE(PASSWORD), 0, w->n - 1);
    if (asked == TL_CUE_FAR || asked < TL_CUE_EARLIER ||
        asked >= TL_CUE_EARLIER + 2 * TL_CONTEXT_TURNS) /* the turn before this one */
        return;
    size_t i = 0;
    while (has_role(w, i, TL_ROLE_FILLER) || tl_word_is(w, i, "its") || tl_word_is(w, i, "it") ||
           tl_word_is(w, i, "is") || tl_word_is(w, i, "sure") || tl_word_is(w, i, "yes") ||
           tl_word_is(w, i, "okay") || tl_word_is(w, i, "ok"))
        i++;
    if (i >= w->n || w->n - i > 6 || has_role(w, i, TL_ROLE_REFUSE))
        return;
    add(in, w, spans, TL_ENTITY_PASSWORD, i, w->n - 1, 0.75);
}

/* ---- names ---- */

static bool may_be_name(const struct tl_words *w, size_t i)
{
    if (i >= w->n || w->word[i].digits || has_role(w, i, TL_ROLE_STOP) || w->word[i].norm_len < 2)
        return false;
    return w->mixed_case
               ? w->word[i].capital
               : !has_role(w, i, TL_ROLE_UNIT | TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS);
}

static void find_names(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans)
{
    for (size_t c = 0; c < in->cues->n; c++) {
        const struct tl_cue_at *cue = &in->cues->at[c];
        if (!(cue->cues & CUE(NAME)))
            continue;
        size_t i = cue->word + cue->len;
        size_t max = w->mixed_case ? 3 : 2;
        while (tl_word_is(w, i, "is") || (in->cues->n > c + 1 && in->cues->at[c + 1].word == i &&
                                          (in->cues->at[c + 1].cues & CUE(NAME))))
            i++;
        size_t k = i;
        while (k - i < max && may_be_name(w, k) &&
               (k == i || !(w->word[k].gap & ~TL_GAP_SPACE & ~TL_GAP_DASH)))
            k++;
        if (k > i)
            add(in, w, spans, TL_ENTITY_NAME, i, k - 1, 0.75);
    }
}

static void find_known_names(const struct tl_facts *in, const struct tl_words *w,
                             struct tl_spans *spans)
{
    for (size_t n = 0; n < in->n_names; n++) {
        const char *name = in->names[n].text;
        size_t len = strlen(name);
        for (size_t i = 0; i < w->n; i++)
            if (len > 0 && w->word[i].norm_len == len && memcmp(tl_word_text(w, i), name, len) == 0)
                add(in, w, spans, TL_ENTITY_NAME, i, i, 0.95);
    }
}

/* ---- addresses ---- */

static bool ends_with(const struct tl_words *w, size_t i, const char *tail)
{
    size_t n = strlen(tail);
    return i < w->n && w->word[i].norm_len > n + 2 &&
           memcmp(tl_word_text(w, i) + w->word[i].norm_len - n, tail, n) == 0;
}

static bool is_house_number(const struct tl_words *w, size_t i, size_t *ret_words)
{
    struct number n;
    if (i >= w->n)
        return false;
    if (w->word[i].digits) {
        *ret_words = 1;
        return w->word[i].norm_len <= 5;
    }
    if (!has_role(w, i, TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS) || !read_number(w, i, &n))
        return false;
    *ret_words = n.words;
    return true;
}

/* A flat, a state and a ZIP that go on behind the street. */
static size_t address_tail(const struct tl_words *w, size_t last)
{
    size_t k = last + 1;
    if (tl_word_is(w, k, "apartment") || tl_word_is(w, k, "apt") || tl_word_is(w, k, "unit") ||
        tl_word_is(w, k, "flat") || tl_word_is(w, k, "suite")) {
        size_t words;
        if (is_house_number(w, k + 1, &words))
            last = k + words;
    }
    for (size_t i = last + 1; i < w->n && i <= last + 4; i++) {
        if (w->word[i].digits && w->word[i].norm_len == 5 && has_role(w, i - 1, TL_ROLE_STATE))
            return i;
        if (w->word[i].digits)
            break;
    }
    return last;
}

/* "12 Oak Street", "1600 Pennsylvania Avenue", "12 rue de la Paix" */
static size_t street_behind(const struct tl_words *w, size_t i, size_t *ret_last)
{
    size_t words;
    if (!is_house_number(w, i, &words))
        return 0;
    size_t k = i + words;
    if (k < w->n && w->word[k].gap == 0 && w->word[k].norm_len == 1)
        k++; /* 12b */
    if (tl_word_is(w, k, "rue") || tl_word_is(w, k, "chemin") || tl_word_is(w, k, "avenue")) {
        size_t last = k;
        while (last + 1 < w->n && last - k < 4 && !w->word[last + 1].digits &&
               !(w->word[last + 1].gap & (TL_GAP_COMMA | TL_GAP_STOP)))
            last++;
        *ret_last = last;
        return last > k ? words : 0;
    }
    for (size_t n = 0; n < 4 && k + n < w->n; n++) {
        if (n > 0 && (w->word[k + n].gap & TL_GAP_STOP))
            return 0;
        if (n > 0 && has_role(w, k + n, TL_ROLE_STREET)) {
            *ret_last = k + n;
            return words;
        }
        if (has_role(w, k + n, TL_ROLE_STOP | TL_ROLE_UNIT) && !has_role(w, k + n, TL_ROLE_STREET))
            return 0;
    }
    return 0;
}

static void find_streets(const struct tl_facts *in, const struct tl_words *w,
                         struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t last;
        size_t words = street_behind(w, i, &last);
        if (words > 0) {
            last = address_tail(w, last);
            add(in, w, spans, TL_ENTITY_ADDRESS, i, last, 0.80);
            i = last;
            continue;
        }
        if ((ends_with(w, i, "strasse") || ends_with(w, i, "str") || ends_with(w, i, "weg") ||
             ends_with(w, i, "allee") || ends_with(w, i, "platz")) &&
            is_house_number(w, i + 1, &words)) {
            add(in, w, spans, TL_ENTITY_ADDRESS, i, i + words, 0.75);
            i += words;
            continue;
        }
        if (w->word[i].digits && w->word[i].norm_len == 5 && i > 0 && w->mixed_case &&
            has_role(w, i - 1, TL_ROLE_STATE) && w->word[i - 1].capital)
            add(in, w, spans, TL_ENTITY_ADDRESS, i, i, 0.80); /* CA 94107 */
    }
}

/* ---- health ---- */

static void find_health(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        uint32_t roles = tl_word_roles(w, i);
        if (roles & TL_ROLE_CONDITION)
            add(in, w, spans, TL_ENTITY_CONDITION, i, i, 0.80);
        else if (roles & TL_ROLE_DRUG)
            add(in, w, spans, TL_ENTITY_DRUG, i, i, 0.80);
        else if (roles & TL_ROLE_PROCEDURE)
            add(in, w, spans, TL_ENTITY_PROCEDURE, i, i, 0.80);
    }
}

void tl_facts_find(const struct tl_facts *in, const struct tl_words *w, struct tl_spans *spans)
{
    const tl_entity_set health = TL_ENTITY_BIT(TL_ENTITY_CONDITION) |
                                 TL_ENTITY_BIT(TL_ENTITY_DRUG) | TL_ENTITY_BIT(TL_ENTITY_PROCEDURE);
    uint32_t roles = 0;
    for (size_t i = 0; i < w->n; i++)
        roles |= tl_word_roles(w, i);

    if (w->any_number || (roles & TL_ROLE_ORDINAL)) {
        if (roles & TL_ROLE_MONTH)
            find_dates(in, w, spans);
        find_written_dates(in, w, spans);
        if (in->on & TL_ENTITY_BIT(TL_ENTITY_AGE))
            find_ages(in, w, spans);
        if (in->on & TL_ENTITY_BIT(TL_ENTITY_ADDRESS))
            find_streets(in, w, spans);
    }
    if (in->cues->all & (CUE(PASSWORD) | CUE(OTP)))
        find_told_passwords(in, w, spans);
    find_answered_password(in, w, spans);
    if (in->on & TL_ENTITY_BIT(TL_ENTITY_NAME)) {
        find_names(in, w, spans);
        find_known_names(in, w, spans);
    }
    if (in->on & health)
        find_health(in, w, spans);
}
