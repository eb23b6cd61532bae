#ifndef TL_REDACT_WORDS_H
#define TL_REDACT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/cue.h"
#include "redact/vocabulary.h"

/** What stood between two words. */
enum tl_gap {
    TL_GAP_SPACE = 1 << 0,
    TL_GAP_COMMA = 1 << 1,
    TL_GAP_STOP = 1 << 2, /* . ! ? before a space or the end, a line feed */
    TL_GAP_CURRENCY = 1 << 3,
    TL_GAP_PERCENT = 1 << 4,
    TL_GAP_PLUS = 1 << 5,
    TL_GAP_AT = 1 << 6,
    TL_GAP_SLASH = 1 << 7,
    TL_GAP_DASH = 1 << 8,
    TL_GAP_DOT = 1 << 9, /* a dot inside: 3.5, example.com */
    TL_GAP_OTHER = 1 << 10,
    TL_GAP_QUOTE = 1 << 11, /* a double quote */
    TL_GAP_MASK = 1 << 12,  /* a [TYPE_n] that was there before */
};

/** A stretch of letters or of digits, normalised: NFKD, lower case, no marks, no apostrophes. */
struct tl_word {
    uint32_t start; /* bytes in the original */
    uint32_t end;
    uint32_t norm; /* offset of the normalised form */
    uint16_t norm_len;
    uint16_t gap; /* tl_gap bits before it; 0 when it follows the last one directly */
    bool digits;  /* all digits, as ASCII; at most TL_WORD_BYTES_MAX of them */
    bool capital; /* the original starts with an upper-case letter */
    bool shouted; /* all letters upper case */
    const struct tl_vocabulary *known; /* NULL: not in the vocabulary */
};
#define TL_WORD_BYTES_MAX 200 /* longer ones are cut in two */

#define TL_WORDS_INLINE 96
#define TL_WORDS_TEXT_INLINE 768

/** The words of a text. About 5 KiB: for the stack; longer texts go to the heap. Wiped on finish.
 */
struct tl_words {
    const char *text;
    size_t len;
    struct tl_word *word;
    size_t n;
    size_t cap;
    char *norm;
    size_t norm_len;
    size_t norm_cap;
    uint16_t tail;   /* tl_gap bits behind the last word */
    bool any_number; /* a digit or a number word is among them */
    bool any_at;     /* an @, or the word at or dot */
    bool mixed_case; /* upper and lower case: capitals mean something */
    struct tl_word word_inline[TL_WORDS_INLINE];
    char norm_inline[TL_WORDS_TEXT_INLINE];
};

void tl_words_init(struct tl_words *w, const char *text, size_t len);
void tl_words_finish(struct tl_words *w);

static inline const char *tl_word_text(const struct tl_words *w, size_t i)
{
    return w->norm + w->word[i].norm;
}

static inline uint32_t tl_word_roles(const struct tl_words *w, size_t i)
{
    return i < w->n && w->word[i].known != NULL ? w->word[i].known->roles : 0;
}

static inline int tl_word_value(const struct tl_words *w, size_t i)
{
    return w->word[i].known->value;
}

/** tl_gap bits behind word i. */
static inline uint16_t tl_word_gap_after(const struct tl_words *w, size_t i)
{
    return i + 1 < w->n ? w->word[i + 1].gap : w->tail;
}

bool tl_word_is(const struct tl_words *w, size_t i, const char *text); /* false past the end */

/** Cue phrase at word i: its words, 0 for none. */
size_t tl_words_cue(const struct tl_words *w, size_t i, uint64_t *ret_cues);

#endif
