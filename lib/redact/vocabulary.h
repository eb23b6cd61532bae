#ifndef TL_REDACT_VOCABULARY_H
#define TL_REDACT_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

/** What a word can be; many are several things ("second", "may", "for"). */
enum tl_role {
    TL_ROLE_DIGIT = 1 << 0,     /* zero … niner; value 0..9 */
    TL_ROLE_TEEN = 1 << 1,      /* ten … nineteen; value 10..19 */
    TL_ROLE_TENS = 1 << 2,      /* twenty … ninety; value 20..90 */
    TL_ROLE_OH = 1 << 3,        /* oh, o: zero beside a digit, else nothing */
    TL_ROLE_MULT = 1 << 4,      /* double …; value 2..4 */
    TL_ROLE_HOMOPHONE = 1 << 5, /* to too for ate won; the digit that was meant */
    TL_ROLE_GLUE = 1 << 6,      /* does not break a run of digits */
    TL_ROLE_FILLER = 1 << 7,    /* um, uh: as if not said */
    TL_ROLE_UNIT = 1 << 8,      /* makes an amount of the digits before it, and ends them */
    TL_ROLE_SUBJECT = 1 << 9,   /* another thing begins: ends a run */
    TL_ROLE_MONTH = 1 << 10,    /* value 1..12 */
    TL_ROLE_ORDINAL = 1 << 11,  /* first … thirty; value 1..30 */
    TL_ROLE_STREET = 1 << 12,   /* street, road … */
    TL_ROLE_LETTER = 1 << 13,   /* alpha … zulu; value 'a'..'z' */
    TL_ROLE_STOP = 1 << 14,     /* never a name, a street, a password */
    TL_ROLE_SYMBOL = 1 << 15,   /* dot, dash, underscore …; value the character */
    TL_ROLE_CONDITION = 1 << 16,
    TL_ROLE_DRUG = 1 << 17,
    TL_ROLE_PROCEDURE = 1 << 18,
    TL_ROLE_STATE = 1 << 19,   /* a US state before a ZIP */
    TL_ROLE_PROMPT = 1 << 20,  /* asks the other side to go on with its number */
    TL_ROLE_NOT_ONE = 1 << 21, /* "one" behind it is no digit: that one, no one */
    TL_ROLE_COUNTED = 1 << 22, /* a number before it counts it: three digits */
    TL_ROLE_REFUSE = 1 << 23,  /* an answer that is not the secret asked for */
};

struct tl_vocabulary {
    const char *word;
    uint32_t roles;
    int8_t value;
};

/** The row of a normalised word, or NULL. */
const struct tl_vocabulary *tl_vocabulary_find(const char *word, size_t len);

/* The table, for the test that watches its order. */
size_t tl_vocabulary_size(void);
const char *tl_vocabulary_word(size_t i);

#endif
