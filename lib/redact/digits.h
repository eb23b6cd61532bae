#ifndef TL_REDACT_DIGITS_H
#define TL_REDACT_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/words.h"

#define TL_RUN_MAX 40 /* digits of a run that are kept across turns */

enum tl_digit_flag {
    TL_DIGIT_HOMOPHONE = 1 << 0,  /* "to" between digits: perhaps a 2 */
    TL_DIGIT_TAKEN_BACK = 1 << 1, /* "no, sorry" came behind: perhaps not meant */
    TL_DIGIT_MASKED = 1 << 2,     /* already part of an entity */
};

/** A spoken or written digit and the word it came from. */
struct tl_digit {
    uint8_t value;  /* 0..9 */
    uint8_t flags;  /* tl_digit_flag */
    uint16_t group; /* rises at each pause: a space between written groups, a comma, a turn */
    uint32_t utt;   /* the utterance it stands in */
    uint32_t start; /* bytes of the whole word in that utterance */
    uint32_t end;
};

/** A side's run of digits that its next utterance may go on with. Plain data; zeroed = none. */
struct tl_run {
    struct tl_digit digit[TL_RUN_MAX];
    size_t n;
    unsigned others; /* words that are neither digit nor glue since the last digit, 0 or 1 */
    uint16_t group;
    bool open;
    bool after_card; /* it stands behind a card number in the same breath */
    bool unseen;     /* its beginning was heard by a predecessor and is masked */
    int64_t end_ms;
};

/** A run within an utterance. */
struct tl_segment {
    size_t first; /* index of its first digit */
    size_t end;   /* index behind its last */
    size_t first_word;
    size_t last_word;
    bool carried; /* begins with the digits of the carried run */
    bool amount;  /* "four thousand", "$42": no number to be kept back */
    bool plus;    /* a plus sign stands before it */
    bool open;    /* nothing has ended it yet */
    unsigned others;
};

#define TL_DIGITS_INLINE 64
#define TL_SEGMENTS_INLINE 16

/** The digit stream of an utterance. For the stack; long ones go to the heap. Wiped on finish. */
struct tl_digits {
    struct tl_digit *digit;
    size_t n;
    size_t cap;
    struct tl_segment *segment;
    size_t n_segments;
    size_t segment_cap;
    bool carry_ended; /* the carried run got no digit from this utterance and is broken off */
    unsigned carry_others;
    struct tl_digit digit_inline[TL_DIGITS_INLINE];
    struct tl_segment segment_inline[TL_SEGMENTS_INLINE];
};

enum tl_digits_mode {
    TL_DIGITS_QUOTES_BREAK = 1 << 0, /* a run ends at a double quote, as between strings of JSON */
    TL_DIGITS_CUT = 1 << 1,          /* the last word may be half of one: it breaks nothing yet */
};

/** Reads the digits of the words; `carry` (open, or NULL) is the run that they may go on with.
 * `mode`: tl_digits_mode. */
void tl_digits_init(struct tl_digits *ds, const struct tl_words *w, const struct tl_run *carry,
                    uint32_t utt, unsigned mode);
void tl_digits_finish(struct tl_digits *ds);

/** Reads one number at word i into `ret` (4 bytes): a digit word, a teen, tens, "double five".
 *  Returns how many words it took, 0 when it is none. Written digits are not read here. */
size_t tl_number_word(const struct tl_words *w, size_t i, uint8_t *ret, size_t *ret_n);

#endif
