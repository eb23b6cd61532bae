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
    TL_ROLE_STATE = 1 << 19,    /* a US state before a ZIP */
    TL_ROLE_PROMPT = 1 << 20,   /* asks the other side to go on with its number */
    TL_ROLE_NOT_ONE = 1 << 21,  /* "one" behind it is no digit: that one, no one */
    TL_ROLE_COUNTED = 1 << 22,  /* a number before it counts it: three digits */
    TL_ROLE_REFUSE = 1 << 23,   /* an answer that is not the secret asked for */
};

struct tl_vocabulary {
    const char *word;
    uint32_t roles;
    int8_t value;
};

/** The row of a normalised word, or NULL. */
const struct tl_vocabulary *tl_vocabulary_find(const char *word, size_t len);

/** What a phrase makes of digits, letters or words near it. */
enum tl_cue {
    TL_CUE_CARD,      /* card, visa … */
    TL_CUE_CARD_WEAK, /* number, pay: a card word unless something else is meant */
    TL_CUE_OTHERWISE, /* order, tracking, extension: these digits are another thing */
    TL_CUE_CODE,      /* security code */
    TL_CUE_EXPIRY,
    TL_CUE_LAST4,
    TL_CUE_PIN,
    TL_CUE_PASSWORD,
    TL_CUE_OTP,
    TL_CUE_SSN,
    TL_CUE_SIN,
    TL_CUE_NINO,
    TL_CUE_NHS,
    TL_CUE_BANK,
    TL_CUE_SORT,
    TL_CUE_ABA,
    TL_CUE_IBAN,
    TL_CUE_SWIFT,
    TL_CUE_PHONE,
    TL_CUE_NAME,
    TL_CUE_POSTCODE,
    TL_CUE_DOB,
    TL_CUE_AGE,
    TL_CUE_MRN,
    TL_CUE_PLAN,
    TL_CUE_MEMBER,
    TL_CUE_PASSPORT,
    TL_CUE_LICENCE,
    TL_CUE_VIN,
    TL_CUE_PLATE,
    TL_CUES,
};
#define TL_CUE_BIT(cue) ((uint64_t)1 << (cue))

/** One of a phrase's words, as the matcher sees them. */
struct tl_phrase_word {
    const char *text;
    size_t len;
};

/** The longest cue phrase that starts at words[0]; returns how many words it has, 0 for none. */
size_t tl_cue_match(const struct tl_phrase_word *words, size_t n, uint64_t *ret_cues);
#define TL_CUE_WORDS_MAX 5

/* The tables, for the test that watches their order. */
size_t tl_vocabulary_size(void);
const char *tl_vocabulary_word(size_t i);
size_t tl_cue_phrases(void);
const char *tl_cue_phrase(size_t i);

#endif
