/* Splits a text into normalised words and keeps where each came from: what is found in the
 * normalised text is masked in the original. */
#include "redact/words.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "redact/entity.h"

struct scan {
    struct tl_words *w;
    bool open;    /* the last word may still grow */
    uint16_t gap; /* since the last word */
    bool upper_seen;
    bool lower_seen;
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

static void norm_add(struct tl_words *w, const char *bytes, size_t n)
{
    if (w->norm_len + n > w->norm_cap) {
        size_t cap = (w->norm_cap + n) * 2;
        w->norm = grow(w->norm, w->norm_inline, w->norm_len, cap);
        w->norm_cap = cap;
    }
    memcpy(w->norm + w->norm_len, bytes, n);
    w->norm_len += n;
}

static struct tl_word *word_add(struct tl_words *w)
{
    if (w->n == w->cap) {
        size_t cap = w->cap * 2;
        w->word = grow(w->word, w->word_inline, w->n * sizeof(*w->word), cap * sizeof(*w->word));
        w->cap = cap;
    }
    return &w->word[w->n++];
}

static void word_close(struct scan *s)
{
    s->open = false;
}

/* One letter or digit, normalised to `bytes`, that stands at [start, end) of the original. */
static void letter(struct scan *s, const char *bytes, size_t n, bool digit, bool upper,
                   size_t start, size_t end)
{
    struct tl_words *w = s->w;
    struct tl_word *word = w->n > 0 ? &w->word[w->n - 1] : NULL;

    if (!s->open || word->digits != digit || word->norm_len + n > TL_WORD_BYTES_MAX) {
        word = word_add(w);
        *word = (struct tl_word){.start = (uint32_t)start,
                                 .norm = (uint32_t)w->norm_len,
                                 .gap = s->gap,
                                 .digits = digit,
                                 .capital = upper,
                                 .shouted = !digit};
        s->open = true;
        s->gap = 0;
    }
    word->shouted = word->shouted && upper;
    if (!digit) {
        s->upper_seen |= upper;
        s->lower_seen |= !upper;
    }
    norm_add(w, bytes, n);
    word->norm_len = (uint16_t)(word->norm_len + n);
    word->end = (uint32_t)end;
}

static uint16_t gap_of_ascii(const struct scan *s, size_t at)
{
    char c = s->w->text[at];
    switch (c) {
    case ' ':
    case '\t':
        return TL_GAP_SPACE;
    case ',':
    case ';':
        return TL_GAP_COMMA;
    case '\n':
    case '\r':
    case '!':
    case '?':
        return TL_GAP_STOP;
    case '.': {
        char next = at + 1 < s->w->len ? s->w->text[at + 1] : ' ';
        return next == ' ' || next == '\n' || next == '"' ? TL_GAP_STOP : TL_GAP_DOT;
    }
    case '$':
        return TL_GAP_CURRENCY;
    case '%':
        return TL_GAP_PERCENT;
    case '+':
        return TL_GAP_PLUS;
    case '@':
        s->w->any_at = true;
        return TL_GAP_AT;
    case '/':
        return TL_GAP_SLASH;
    case '-':
        return TL_GAP_DASH;
    case '"':
        return TL_GAP_QUOTE;
    default:
        return TL_GAP_OTHER;
    }
}

static void ascii(struct scan *s, size_t at)
{
    char c = s->w->text[at];
    if (c >= '0' && c <= '9') {
        letter(s, &c, 1, true, false, at, at + 1);
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        char low = (char)(c | 0x20);
        letter(s, &low, 1, false, c != low, at, at + 1);
    } else if (c == '\'' && s->open && !s->w->word[s->w->n - 1].digits) {
        /* don't is dont */
    } else {
        s->gap |= gap_of_ascii(s, at);
        word_close(s);
    }
}

/* The value of a decimal digit that NFKD leaves alone (Arabic, Devanagari …), or -1. */
static int foreign_digit(utf8proc_int32_t cp)
{
    static const uint16_t zeros[] = {0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6,
                                     0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
                                     0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946,
                                     0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
                                     0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
        if (cp >= zeros[i] && cp <= zeros[i] + 9)
            return (int)(cp - zeros[i]);
    return -1;
}

static bool is_letter(utf8proc_category_t cat)
{
    return cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO;
}

/* One code point of the normalised form. */
static void code_point(struct scan *s, utf8proc_int32_t cp, bool upper, size_t start, size_t end)
{
    int value = cp >= '0' && cp <= '9' ? (int)(cp - '0') : foreign_digit(cp);
    if (value >= 0) {
        char c = (char)('0' + value);
        letter(s, &c, 1, true, false, start, end);
        return;
    }
    utf8proc_category_t cat = utf8proc_category(cp);
    if (is_letter(cat)) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t n = utf8proc_encode_char(cp, bytes);
        letter(s, (const char *)bytes, (size_t)n, false, upper, start, end);
        return;
    }
    if (cat == UTF8PROC_CATEGORY_MN || cat == UTF8PROC_CATEGORY_ME) {
        if (s->open)
            s->w->word[s->w->n - 1].end = (uint32_t)end; /* the mark goes with its letter */
        return;
    }
    if (cp == 0x2019 && s->open && !s->w->word[s->w->n - 1].digits)
        return; /* a typographer's apostrophe */
    if (cat == UTF8PROC_CATEGORY_SC)
        s->gap |= TL_GAP_CURRENCY;
    else if (cat == UTF8PROC_CATEGORY_PD || cp == 0x2212)
        s->gap |= TL_GAP_DASH;
    else if (cat == UTF8PROC_CATEGORY_ZS || cp == ' ')
        s->gap |= TL_GAP_SPACE;
    else if (cp < 0x80)
        s->gap |= cp == '.'   ? TL_GAP_DOT
                  : cp == '@' ? TL_GAP_AT
                  : cp == '+' ? TL_GAP_PLUS
                              : TL_GAP_OTHER;
    else
        s->gap |= TL_GAP_OTHER;
    word_close(s);
}

/* A character beyond ASCII; returns its bytes. */
static size_t beyond_ascii(struct scan *s, size_t at)
{
    utf8proc_int32_t cp;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s->w->text + at,
                                          (utf8proc_ssize_t)(s->w->len - at), &cp);
    if (n <= 0 || cp < 0) {
        s->gap |= TL_GAP_OTHER;
        word_close(s);
        return 1;
    }
    utf8proc_int32_t parts[32]; /* the longest compatibility form has 18 */
    int boundclass = 0;
    bool upper = utf8proc_category(cp) == UTF8PROC_CATEGORY_LU;
    utf8proc_ssize_t k = utf8proc_decompose_char(
        cp, parts, 32, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE,
        &boundclass);
    for (utf8proc_ssize_t i = 0; i < k && i < 32; i++)
        code_point(s, parts[i], upper, at, at + (size_t)n);
    return (size_t)n;
}

static void look_up(struct tl_words *w)
{
    const uint32_t number = TL_ROLE_DIGIT | TL_ROLE_TEEN | TL_ROLE_TENS | TL_ROLE_MULT | TL_ROLE_OH;
    for (size_t i = 0; i < w->n; i++) {
        struct tl_word *word = &w->word[i];
        if (word->digits) {
            w->any_number = true;
            continue;
        }
        word->known = tl_vocabulary_find(tl_word_text(w, i), word->norm_len);
        if (word->known != NULL && (word->known->roles & number))
            w->any_number = true;
    }
}

void tl_words_init(struct tl_words *w, const char *text, size_t len)
{
    w->text = text;
    w->len = len;
    w->word = w->word_inline;
    w->n = 0;
    w->cap = TL_WORDS_INLINE;
    w->norm = w->norm_inline;
    w->norm_len = 0;
    w->norm_cap = TL_WORDS_TEXT_INLINE;
    w->any_number = w->any_at = false;

    struct scan s = {.w = w};
    size_t at = 0;
    while (at < len) {
        enum tl_entity_type type;
        unsigned number;
        size_t mask = text[at] == '[' ? tl_entity_mask_at(text, len, at, &type, &number) : 0;
        if (mask > 0) {
            s.gap |= TL_GAP_MASK;
            word_close(&s);
            at += mask;
        } else if ((unsigned char)text[at] < 0x80)
            ascii(&s, at++);
        else
            at += beyond_ascii(&s, at);
    }
    w->tail = s.gap;
    w->mixed_case = s.upper_seen && s.lower_seen;
    look_up(w);
}

void tl_words_finish(struct tl_words *w)
{
    explicit_bzero(w->norm, w->norm_len);
    if (w->norm != w->norm_inline)
        free(w->norm);
    if (w->word != w->word_inline)
        free(w->word);
}

bool tl_word_is(const struct tl_words *w, size_t i, const char *text)
{
    return i < w->n && strlen(text) == w->word[i].norm_len &&
           memcmp(tl_word_text(w, i), text, w->word[i].norm_len) == 0;
}

size_t tl_words_cue(const struct tl_words *w, size_t i, uint64_t *ret_cues)
{
    struct tl_phrase_word words[TL_CUE_WORDS_MAX];
    size_t n = 0;
    while (n < TL_CUE_WORDS_MAX && i + n < w->n) {
        words[n].text = tl_word_text(w, i + n);
        words[n].len = w->word[i + n].norm_len;
        n++;
    }
    return tl_cue_match(words, n, ret_cues);
}
