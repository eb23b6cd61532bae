/* Values known by their written or spelled form. */
#include "redact/forms.h"

#include <string.h>

#include "base/error.h"
#include "redact/digits.h"
#include "redact/validate.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void add(struct tl_spans *spans, tl_entity_set on, enum tl_entity_type type, size_t start,
                size_t end, double confidence)
{
    if (on & TL_ENTITY_BIT(type))
        tl_spans_add(spans, (struct tl_span){.start = (uint32_t)start,
                                             .end = (uint32_t)end,
                                             .type = type,
                                             .confidence = confidence});
}

/* ---- credentials ---- */

static bool starts(const char *text, size_t len, size_t at, const char *prefix)
{
    size_t n = strlen(prefix);
    return len - at >= n && memcmp(text + at, prefix, n) == 0;
}

enum { RUN_BYTES_MAX = 16 * 1024, URL_BYTES_MAX = 2048 }; /* keeps hostile texts linear */

static size_t run_of(const char *text, size_t len, size_t at, bool (*is)(char))
{
    size_t n = 0;
    while (at + n < len && n < RUN_BYTES_MAX && is(text[at + n]))
        n++;
    return n;
}

static bool is_key_char(char c)
{
    return is_alnum(c) || c == '-' || c == '_';
}

static bool is_token_char(char c)
{
    return is_alnum(c) || one_of(c, "-_.~+/=");
}

static size_t jwt_at(const char *text, size_t len, size_t at)
{
    size_t n = run_of(text, len, at, is_key_char);
    if (n < 10 || at + n >= len || text[at + n] != '.')
        return 0;
    size_t body = run_of(text, len, at + n + 1, is_key_char);
    if (body < 4)
        return 0;
    n += 1 + body;
    if (at + n < len && text[at + n] == '.')
        n += 1 + run_of(text, len, at + n + 1, is_key_char);
    return n;
}

static size_t bearer_at(const char *text, size_t len, size_t at, size_t *ret_skip)
{
    if (len - at < 8 || strncasecmp(text + at, "bearer", 6) != 0 || !one_of(text[at + 6], " \t:="))
        return 0;
    size_t skip = 6;
    while (at + skip < len && one_of(text[at + skip], " \t:="))
        skip++;
    size_t n = run_of(text, len, at + skip, is_token_char);
    bool odd = n >= 20; /* longer than any word that could follow */
    for (size_t i = 0; i < n; i++)
        odd = odd || is_digit(text[at + skip + i]) || text[at + skip + i] == '_';
    if (n < 8 || !odd)
        return 0;
    *ret_skip = skip;
    return skip + n;
}

size_t tl_credential_at(const char *text, size_t len, size_t at, size_t *ret_skip)
{
    *ret_skip = 0;
    if (at > 0 && is_alnum(text[at - 1]))
        return 0;
    size_t n;
    switch (text[at]) {
    case 's':
        n = starts(text, len, at, "sk-") ? run_of(text, len, at + 3, is_key_char) : 0;
        return n >= 8 ? n + 3 : 0;
    case 'A':
        if (starts(text, len, at, "AKIA")) {
            n = run_of(text, len, at + 4, is_alnum);
            return n >= 12 ? n + 4 : 0;
        }
        if (!starts(text, len, at, "AC"))
            return 0;
        n = run_of(text, len, at + 2, is_hex);
        return n >= 32 ? n + 2 : 0;
    case 'e':
        return starts(text, len, at, "eyJ") ? jwt_at(text, len, at) : 0;
    case 'b':
    case 'B':
        return bearer_at(text, len, at, ret_skip);
    default:
        return 0;
    }
}

static void find_credentials(const struct tl_words *w, tl_entity_set on, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t skip;
        size_t at = w->word[i].start;
        size_t n = tl_credential_at(w->text, w->len, at, &skip);
        if (n > 0)
            add(spans, on, TL_ENTITY_CREDENTIAL, at + skip, at + n, 0.99);
    }
}

/* ---- mail ---- */

static bool is_local_char(char c)
{
    return is_alnum(c) || one_of(c, "._%+-'") || (unsigned char)c >= 0x80;
}

static bool is_domain_char(char c)
{
    return is_alnum(c) || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

static bool known_tld(const char *text, size_t start, size_t end)
{
    size_t dot = end;
    while (dot > start && text[dot - 1] != '.')
        dot--;
    char tld[16];
    size_t n = end - dot;
    if (dot == start || n < 2 || n >= sizeof(tld))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_alpha(text[dot + i]))
            return false;
        tld[i] = (char)(text[dot + i] | 0x20);
    }
    return tl_valid_tld(tld, n);
}

static void find_written_mail(const struct tl_words *w, tl_entity_set on, struct tl_spans *spans)
{
    for (const char *p = w->text; (p = memchr(p, '@', w->len - (size_t)(p - w->text))) != NULL;
         p++) {
        size_t at = (size_t)(p - w->text);
        size_t start = at;
        while (start > 0 && is_local_char(w->text[start - 1]))
            start--;
        size_t end = at + 1;
        while (end < w->len && is_domain_char(w->text[end]))
            end++;
        bool cut = end == w->len; /* a draft may end within the address */
        while (end > at + 1 && one_of(w->text[end - 1], ".-"))
            end--;
        bool known = known_tld(w->text, at + 1, end);
        if (start < at && (cut || known))
            add(spans, on, TL_ENTITY_EMAIL, start, end, known ? 0.95 : 0.60);
        if (at + 1 >= w->len)
            break;
    }
}

static bool is_symbol(const struct tl_words *w, size_t i)
{
    return (tl_word_roles(w, i) & TL_ROLE_SYMBOL) != 0;
}

static bool ends_local_part(const struct tl_words *w, size_t i)
{
    return (tl_word_roles(w, i) & TL_ROLE_STOP) != 0 && w->word[i].norm_len > 1;
}

/* First word of the local part whose last is `i`: all that a symbol joins, spelled letters, and up
 * to two more words. */
static size_t local_part(const struct tl_words *w, size_t i)
{
    unsigned free_words = 2;
    while (i > 0) {
        if (is_symbol(w, i - 1) && i >= 2) {
            i -= 2;
            continue;
        }
        bool letter = w->word[i - 1].norm_len == 1 || w->word[i - 1].digits ||
                      (tl_word_roles(w, i - 1) & (TL_ROLE_DIGIT | TL_ROLE_LETTER));
        if (ends_local_part(w, i - 1) || (w->word[i].gap & TL_GAP_STOP) ||
            (!letter && free_words-- == 0))
            break;
        i--;
    }
    return i;
}

/* Last word of "gmail dot com", "acme dot co dot uk" from word i, or 0. */
static size_t spoken_domain(const struct tl_words *w, size_t i)
{
    size_t k = i;
    while (k < w->n && k - i < 4 && !tl_word_is(w, k + 1, "dot") && !tl_word_is(w, k + 1, "period"))
        k++;
    size_t last = 0;
    while (k + 2 < w->n + 0 && (tl_word_is(w, k + 1, "dot") || tl_word_is(w, k + 1, "period"))) {
        k += 2;
        if (!w->word[k].digits && tl_valid_tld(tl_word_text(w, k), w->word[k].norm_len))
            last = k;
    }
    return last;
}

static void find_spoken_mail(const struct tl_words *w, tl_entity_set on, struct tl_spans *spans)
{
    for (size_t i = 1; i + 3 < w->n; i++) {
        size_t last;
        if (!tl_word_is(w, i, "at") || (last = spoken_domain(w, i + 1)) == 0)
            continue;
        size_t first = local_part(w, i - 1);
        add(spans, on, TL_ENTITY_EMAIL, w->word[first].start, w->word[last].end, 0.90);
        i = last;
    }
}

/* ---- machines ---- */

static size_t octet(const char *text, size_t len, size_t at)
{
    size_t n = run_of(text, len, at, is_digit);
    if (n == 0 || n > 3)
        return 0;
    unsigned v = 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (unsigned)(text[at + i] - '0');
    return v <= 255 ? n : 0;
}

static size_t ipv4_at(const char *text, size_t len, size_t at)
{
    size_t end = at;
    for (int i = 0; i < 4; i++) {
        size_t n = octet(text, len, end);
        if (n == 0 || (i < 3 && (end + n >= len || text[end + n] != '.')))
            return 0;
        end += n + (i < 3);
    }
    return end < len && (is_alnum(text[end]) ||
                         (text[end] == '.' && end + 1 < len && is_digit(text[end + 1])))
               ? 0
               : end - at;
}

/* Eight groups of up to four hex digits, or fewer and one "::". */
static size_t ipv6_at(const char *text, size_t len, size_t at)
{
    size_t end = at;
    unsigned groups = 0;
    bool gap = false;
    while (end < len) {
        size_t n = run_of(text, len, end, is_hex);
        if (n > 4)
            return 0;
        groups += n > 0;
        end += n;
        if (end + 1 < len && text[end] == ':' && text[end + 1] == ':' && !gap) {
            gap = true;
            end += 2;
        } else if (n > 0 && end + 1 < len && text[end] == ':' && is_hex(text[end + 1])) {
            end++;
        } else {
            break;
        }
    }
    bool ends = end >= len || !is_alnum(text[end]);
    return ends && (groups == 8 || (gap && groups >= 2 && groups < 8)) ? end - at : 0;
}

static size_t mac_at(const char *text, size_t len, size_t at)
{
    if (len - at < 17 || (text[at + 2] != ':' && text[at + 2] != '-'))
        return 0;
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[at + i] != text[at + 2] : !is_hex(text[at + i]))
            return 0;
    return at + 17 < len && (is_alnum(text[at + 17]) || text[at + 17] == text[at + 2]) ? 0 : 17;
}

static void find_machines(const struct tl_words *w, tl_entity_set on, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t at = w->word[i].start;
        char c = w->text[at];
        if (!is_hex(c) || (at > 0 && (is_alnum(w->text[at - 1]) || one_of(w->text[at - 1], ".:"))))
            continue;
        size_t n;
        if ((n = mac_at(w->text, w->len, at)) > 0)
            add(spans, on, TL_ENTITY_MAC, at, at + n, 0.95);
        else if ((n = ipv6_at(w->text, w->len, at)) > 0)
            add(spans, on, TL_ENTITY_IP, at, at + n, 0.95);
        else if (is_digit(c) && (n = ipv4_at(w->text, w->len, at)) > 0)
            add(spans, on, TL_ENTITY_IP, at, at + n, 0.90);
    }
}

/* Parameters whose value is a secret. */
static bool has_secret(const char *url, size_t n)
{
    static const char *const names[] = {"token", "key",  "secret",    "password", "passwd",
                                        "pwd",   "sig",  "signature", "auth",     "session",
                                        "sid",   "code", "credential"};
    const char *query = memchr(url, '?', n);
    const char *host = memchr(url, ':', n);
    const char *at = memchr(url, '@', n);
    const char *slash = host != NULL ? memchr(host + 3, '/', n - (size_t)(host + 3 - url)) : NULL;
    if (at != NULL && (slash == NULL || at < slash))
        return true; /* user:password@ */
    for (const char *p = query; p != NULL && p < url + n; p++) {
        if (*p != '=')
            continue;
        const char *name = p;
        while (name > url && !one_of(name[-1], "?&#;"))
            name--;
        for (size_t i = 0; i < TL_ARRAY_LEN(names); i++) {
            size_t k = strlen(names[i]);
            if ((size_t)(p - name) >= k && strncasecmp(p - k, names[i], k) == 0)
                return true;
        }
    }
    return false;
}

static void find_urls(const struct tl_words *w, tl_entity_set on, struct tl_spans *spans)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t at = w->word[i].start;
        if (w->len - w->word[i].end < 4 || memcmp(w->text + w->word[i].end, "://", 3) != 0)
            continue;
        size_t end = at;
        while (end < w->len && end - at < URL_BYTES_MAX && (unsigned char)w->text[end] > ' ' &&
               !one_of(w->text[end], "\"<>\\"))
            end++;
        if (has_secret(w->text + at, end - at))
            add(spans, on, TL_ENTITY_URL, at, end, 0.95);
    }
}

/* ---- letters and digits, written or spelled ---- */

enum { SPELLED_MAX = 64 };

/* Characters of consecutive words, with the word that each came from. */
struct spelled {
    char c[SPELLED_MAX];
    size_t first_word[SPELLED_MAX];
    size_t last_word[SPELLED_MAX];
    size_t n;
};

static void spell(struct spelled *s, char c, size_t first, size_t last)
{
    if (s->n == SPELLED_MAX)
        return;
    s->c[s->n] = c;
    s->first_word[s->n] = first;
    s->last_word[s->n++] = last;
}

/* "q for queen", "b as in bravo": words behind the letter. */
static size_t explained(const struct tl_words *w, size_t i)
{
    char c = tl_word_text(w, i)[0];
    size_t k = 0;
    if (tl_word_is(w, i + 1, "for") || tl_word_is(w, i + 1, "like"))
        k = i + 2;
    else if (tl_word_is(w, i + 1, "as") && tl_word_is(w, i + 2, "in"))
        k = i + 3;
    return k > 0 && k < w->n && !w->word[k].digits && tl_word_text(w, k)[0] == c ? k - i : 0;
}

static bool joins_digits(const struct tl_words *w, size_t i)
{
    return (i > 0 && w->word[i].gap == 0 && w->word[i - 1].digits) ||
           (i + 1 < w->n && w->word[i + 1].gap == 0 && w->word[i + 1].digits);
}

static size_t spell_letters(const struct tl_words *w, size_t i, struct spelled *s)
{
    const struct tl_word *word = &w->word[i];
    uint32_t roles = tl_word_roles(w, i);
    if (roles & TL_ROLE_LETTER || tl_word_is(w, i, "november")) {
        spell(s, (char)(tl_word_text(w, i)[0] - 32), i, i);
        return 1;
    }
    if (word->norm_len == 1 && is_alpha(tl_word_text(w, i)[0])) {
        size_t more = explained(w, i);
        spell(s, (char)(tl_word_text(w, i)[0] - 32), i, i + more);
        return 1 + more;
    }
    if (word->norm_len <= 24 && (joins_digits(w, i) || (word->shouted && word->norm_len <= 11))) {
        for (size_t k = 0; k < word->norm_len; k++) {
            char c = tl_word_text(w, i)[k];
            spell(s, is_alpha(c) ? (char)(c - 32) : '?', i, i);
        }
        return 1;
    }
    return 0;
}

/* One word's characters; returns words used, 0 when it is no part of a code. */
static size_t spell_word(const struct tl_words *w, size_t i, struct spelled *s)
{
    uint8_t d[4];
    size_t n = 0, used;
    if (w->word[i].digits) {
        for (size_t k = 0; k < w->word[i].norm_len; k++)
            spell(s, tl_word_text(w, i)[k], i, i);
        return 1;
    }
    if ((used = tl_number_word(w, i, d, &n)) > 0) {
        for (size_t k = 0; k < n; k++)
            spell(s, (char)('0' + d[k]), i, i + used - 1);
        return used;
    }
    if (tl_word_is(w, i, "oh") || (tl_word_is(w, i, "o") && i > 0 && s->n > 0)) {
        spell(s, '0', i, i);
        return 1;
    }
    if (tl_word_is(w, i, "dash") || tl_word_is(w, i, "hyphen") || tl_word_is(w, i, "space") ||
        (tl_word_roles(w, i) & TL_ROLE_FILLER))
        return 1;
    return spell_letters(w, i, s);
}

static void spell_from(const struct tl_words *w, size_t i, struct spelled *s)
{
    s->n = 0;
    for (size_t k = i; k < w->n && s->n < SPELLED_MAX;) {
        if (k > i && (w->word[k].gap & TL_GAP_STOP))
            break;
        size_t used = spell_word(w, k, s);
        if (used == 0)
            break;
        k += used;
    }
}

/* True when character k ends its word, so that a value may end there. */
static bool ends_word(const struct spelled *s, size_t k)
{
    return k + 1 >= s->n || s->first_word[k + 1] != s->first_word[k];
}

static bool glued_on(const struct tl_words *w, const struct spelled *s, size_t k)
{
    size_t next = s->last_word[k] + 1;
    return next < w->n && w->word[next].gap == 0;
}

static void add_spelled(const struct tl_words *w, const struct spelled *s, size_t n,
                        tl_entity_set on, enum tl_entity_type type, double confidence,
                        struct tl_spans *spans)
{
    add(spans, on, type, w->word[s->first_word[0]].start, w->word[s->last_word[n - 1]].end,
        confidence);
}

static bool shape(const struct spelled *s, size_t n, const char *pattern)
{
    if (strlen(pattern) != n || s->n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (pattern[i] == '9' ? !is_digit(s->c[i]) : !(s->c[i] >= 'A' && s->c[i] <= 'Z'))
            return false;
    return true;
}

static bool is_uk_postcode(const struct spelled *s, size_t n)
{
    return shape(s, n, "A99AA") || shape(s, n, "A999AA") || shape(s, n, "AA99AA") ||
           shape(s, n, "AA999AA") || shape(s, n, "A9A9AA") || shape(s, n, "AA9A9AA");
}

/* A written post code has its blank in one place: "SW1A 2AA", "K1A 0B1". */
static bool blank_before(const struct tl_words *w, const struct spelled *s, size_t k)
{
    return s->first_word[k] != s->first_word[k - 1] &&
           (w->word[s->first_word[k]].gap & (TL_GAP_SPACE | TL_GAP_DASH)) != 0;
}

/* Forms that need no cue, longest first. Returns the characters used. */
static size_t find_checked(const struct tl_words *w, const struct spelled *s, tl_entity_set on,
                           bool postcode_cue, struct tl_spans *spans)
{
    for (size_t n = s->n < 34 ? s->n : 34; n >= 5; n--) {
        if (!ends_word(s, n - 1) || glued_on(w, s, n - 1))
            continue;
        if (tl_valid_iban(s->c, n)) {
            add_spelled(w, s, n, on, TL_ENTITY_IBAN, 0.99, spans);
            return n;
        }
        if (tl_valid_vin(s->c, n)) {
            add_spelled(w, s, n, on, TL_ENTITY_VIN, 0.95, spans);
            return n;
        }
        if (tl_valid_nino(s->c, n)) {
            add_spelled(w, s, n, on, TL_ENTITY_NINO, 0.90, spans);
            return n;
        }
        if (is_uk_postcode(s, n) && (postcode_cue || blank_before(w, s, n - 3))) {
            add_spelled(w, s, n, on, TL_ENTITY_ADDRESS, 0.80, spans);
            return n;
        }
        if (shape(s, n, "A9A9A9") && (postcode_cue || blank_before(w, s, 3))) {
            add_spelled(w, s, n, on, TL_ENTITY_ADDRESS, 0.80, spans);
            return n;
        }
    }
    return 0;
}

struct code_rule {
    enum tl_entity_type type;
    uint64_t cues;
    uint8_t min; /* characters */
    uint8_t max;
    uint8_t min_digits;
};

#define CUE(name) TL_CUE_BIT(TL_CUE_##name)

/* Codes known by the words before them. Digits alone are the digit stream's business. */
static const struct code_rule code_rules[] = {
    {TL_ENTITY_PASSPORT, CUE(PASSPORT), 6, 10, 4},
    {TL_ENTITY_DRIVER_LICENCE, CUE(LICENCE), 5, 18, 4},
    {TL_ENTITY_MRN, CUE(MRN), 4, 20, 2},
    {TL_ENTITY_HEALTH_PLAN, CUE(PLAN), 4, 20, 2},
    {TL_ENTITY_MEMBER_ID, CUE(MEMBER), 4, 20, 2},
    {TL_ENTITY_VIN, CUE(VIN), 11, 17, 5},
    {TL_ENTITY_PLATE, CUE(PLATE), 3, 8, 1},
    {TL_ENTITY_BANK_ACCOUNT, CUE(BANK) | CUE(IBAN), 8, 34, 6},
};

static size_t find_by_cue(const struct tl_words *w, const struct tl_cues *cues,
                          const struct spelled *s, tl_entity_set on, struct tl_spans *spans)
{
    size_t digits = 0, letters = 0;
    for (size_t i = 0; i < s->n; i++) {
        digits += is_digit(s->c[i]);
        letters += !is_digit(s->c[i]);
    }
    const struct code_rule *best = NULL;
    uint32_t near = TL_CUE_FAR;
    for (size_t i = 0; i < TL_ARRAY_LEN(code_rules); i++) {
        const struct code_rule *rule = &code_rules[i];
        uint32_t d = tl_cues_distance(cues, rule->cues, s->first_word[0], s->last_word[s->n - 1]);
        if (d < near && s->n >= rule->min && s->n <= rule->max && digits >= rule->min_digits) {
            near = d;
            best = rule;
        }
    }
    if (best != NULL && letters > 0) {
        add_spelled(w, s, s->n, on, best->type, 0.80, spans);
        return s->n;
    }
    uint32_t swift = tl_cues_distance(cues, CUE(SWIFT), s->first_word[0], s->last_word[s->n - 1]);
    if (swift != TL_CUE_FAR && tl_valid_swift(s->c, s->n)) {
        add_spelled(w, s, s->n, on, TL_ENTITY_SWIFT, 0.85, spans);
        return s->n;
    }
    return 0;
}

static bool may_start_code(const struct tl_words *w, size_t i)
{
    const struct tl_word *word = &w->word[i];
    if (word->digits || joins_digits(w, i) || word->norm_len == 1)
        return true;
    return (word->shouted && word->norm_len <= 11) || (tl_word_roles(w, i) & TL_ROLE_LETTER) ||
           (tl_word_roles(w, i) & (TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS | TL_ROLE_MULT));
}

static void find_codes(const struct tl_words *w, const struct tl_cues *cues, tl_entity_set on,
                       struct tl_spans *spans)
{
    struct spelled s;
    for (size_t i = 0; i < w->n; i++) {
        if (!may_start_code(w, i) || (i > 0 && w->word[i].gap == 0))
            continue;
        spell_from(w, i, &s);
        if (s.n < 3)
            continue;
        bool postcode = tl_cues_distance(cues, CUE(POSTCODE), i, i) != TL_CUE_FAR;
        size_t used = find_checked(w, &s, on, postcode, spans);
        if (used == 0)
            used = find_by_cue(w, cues, &s, on, spans);
        if (used > 0)
            i = s.last_word[used - 1];
    }
    explicit_bzero(&s, sizeof(s));
}

void tl_forms_find(const struct tl_words *w, const struct tl_cues *cues, tl_entity_set on,
                   struct tl_spans *spans)
{
    find_credentials(w, on, spans);
    if (w->any_at)
        find_written_mail(w, on, spans);
    find_spoken_mail(w, on, spans);
    find_urls(w, on, spans);
    find_machines(w, on, spans);
    if (w->any_number || (cues->all & CUE(SWIFT)))
        find_codes(w, cues, on, spans);
}
