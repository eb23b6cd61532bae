#ifndef TL_REDACT_REDACT_H
#define TL_REDACT_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "redact/entity.h"

#define TL_REDACT_TEXT_MAX (64 * 1024) /* bytes of one text */
#define TL_REDACT_HELD_MAX 16          /* finals held per call; the oldest is forced out, masked */
#define TL_REDACT_ENTITIES_MAX 32      /* listed per text; masking has no such limit */
#define TL_REDACT_HOLD_MS 3000         /* an undecided final waits this long at most */

/** Which end of the call speaks. AI and human agents are one side: they read back alike. */
enum tl_redact_side {
    TL_REDACT_CUSTOMER,
    TL_REDACT_AGENT,
    TL_REDACT_SIDES,
};

struct tl_redact_options {
    uint8_t key[16];          /* random per call; values are remembered only as hashes under it */
    tl_entity_set on;         /* types to mask; those that cannot be switched off are added */
    int year;                 /* the call's year, e.g. 2026, for expiry dates; 0: any year */
    const char *own[2];       /* the call's two numbers, E.164, never masked; NULL when unknown */
    const char *const *names; /* the contact's known names, masked wherever said (NAME on) */
    size_t n_names;           /* 0..8, 64 bytes each; copied */
    bool keep_short;          /* an undecided run of one to three digits without a card or code word
                                 is released after the hold instead of staying masked */
};

/** When a stretch of the text was spoken. */
struct tl_redact_word_time {
    uint32_t start; /* first byte in the text */
    uint32_t end;   /* byte behind */
    int64_t start_ms;
    int64_t end_ms;
};

/** What was said. Times share one clock, whichever; everything borrowed until the verb returns. */
struct tl_redact_utterance {
    enum tl_redact_side side;
    const char *text; /* UTF-8; broken bytes are let through as they are */
    size_t len;       /* bytes, 0..TL_REDACT_TEXT_MAX */
    int64_t start_ms;
    int64_t end_ms;
    const struct tl_redact_word_time *words; /* ascending; NULL: times are estimated by length */
    size_t n_words;
    uint64_t tag; /* the caller's, handed back */
};

/** A masked stretch. */
struct tl_entity {
    enum tl_entity_type type;
    unsigned n;        /* the n of [TYPE_n]: one per distinct value and call */
    double confidence; /* 0..1; a finding from 0.70 up (TL_ENTITY_FLAG) */
    uint32_t start;    /* of the mask, bytes in the masked text */
    uint32_t len;
    int64_t start_ms; /* when the clear words were spoken; not padded */
    int64_t end_ms;
    char last4[5]; /* CARD only, else "" */
};

/** A masked text. Init once, used again and again, finish once. */
struct tl_redacted {
    uint64_t tag;
    enum tl_redact_side side;
    int64_t start_ms;
    int64_t end_ms;
    struct tl_buf text; /* NUL-terminated through tl_buf_str */
    struct tl_entity entities[TL_REDACT_ENTITIES_MAX];
    size_t n_entities;
    size_t n_unlisted; /* entities masked beyond the list */
};

void tl_redacted_init(struct tl_redacted *red);
void tl_redacted_finish(struct tl_redacted *red);

/** The redactor of one call: digit runs of both sides across turns, the words that give them a
 *  meaning, and the numbers given to values. Bounded: about 6 KiB and the held
 *  texts. Not for threads; no I/O, no clock. */
struct tl_redactor;

/** Never NULL: out of memory aborts. The caller destroys. */
struct tl_redactor *tl_redactor_create(const struct tl_redact_options *options);
void tl_redactor_destroy(struct tl_redactor *r); /* accepts NULL; wipes */
void tl_redactor_destroyp(struct tl_redactor **r);

/** Masks a draft: all that a final would mask, and every run of digits that is still undecided, of
 *  any length. Changes nothing: the next draft or final starts from the same state.
 *  TL_INVALID: longer than TL_REDACT_TEXT_MAX. */
TL_MUST_CHECK enum tl_status tl_redactor_draft(const struct tl_redactor *r,
                                               const struct tl_redact_utterance *u,
                                               struct tl_redacted *ret_red, struct tl_error *err);

/** Takes a final in turn order. It comes back through tl_redactor_pop, at once when decided.
 *  `now_ms`: the clock of tl_redactor_pop. TL_INVALID: too long; nothing was taken. */
TL_MUST_CHECK enum tl_status tl_redactor_final(struct tl_redactor *r,
                                               const struct tl_redact_utterance *u, int64_t now_ms,
                                               struct tl_error *err);

/** The next final in the order given, if it is decided: its digits became something, its run was
 *  broken off, or it waited TL_REDACT_HOLD_MS, and then they stay masked as [DIGITS_n]. A decided
 *  one waits behind an undecided one. Call until false after each final and at tl_redactor_due. */
bool tl_redactor_pop(struct tl_redactor *r, int64_t now_ms, struct tl_redacted *ret_red);

/** When to pop again (clock of `now_ms`); INT64_MAX when nothing is held. */
int64_t tl_redactor_due(const struct tl_redactor *r);

/** Decides all that is held, masked: the call ends or is handed over. Pop afterwards. */
void tl_redactor_flush(struct tl_redactor *r);

enum tl_redact_text_kind {
    TL_REDACT_PROSE, /* summaries, history, notes */
    TL_REDACT_KEYED, /* key-pad digits: three or more stay masked, and what the talk asked for */
    TL_REDACT_JSON,  /* tool arguments and results: a mask in place of a bare number is quoted */
};

/** Masks a text by itself: no run goes on from it or into it. The same value gets the same number
 *  as in the talk. TL_INVALID: too long. */
TL_MUST_CHECK enum tl_status tl_redactor_text(struct tl_redactor *r, enum tl_redact_text_kind kind,
                                              const char *text, size_t len,
                                              struct tl_redacted *ret_red, struct tl_error *err);

/** Feeds one masked final of a predecessor, oldest first: numbering goes on behind its masks, its
 *  words count as context, and a run that ended in a mask is taken to be open: what goes on from
 *  it stays masked. */
void tl_redactor_resume(struct tl_redactor *r, const struct tl_redact_utterance *u);

/** Masks the CREDENTIAL forms (sk-, AC + 32 hex, JWT, AKIA, bearer) of a log line into `out`,
 *  as [CREDENTIAL]. Needs no redactor; any thread. Returns how many. */
size_t tl_redact_credentials(const char *text, size_t len, struct tl_buf *out);

#endif
