#ifndef TL_REDACT_CUE_H
#define TL_REDACT_CUE_H

#include <stddef.h>
#include <stdint.h>

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

/* The table, for the test that watches its order. */
size_t tl_cue_phrases(void);
const char *tl_cue_phrase(size_t i);

#endif
