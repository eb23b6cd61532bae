#ifndef TL_SINKS_TELEPHONY_GUARDS_H
#define TL_SINKS_TELEPHONY_GUARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phone/phone.h"
#include "phone/zones.h"

/* May this number be dialled now (MORE-7)? Pure: no I/O, no clock; what is known comes in, a
 * decision and its reason go out. What is not known blocks: zeroed rules allow nothing, and a
 * zeroed callee nobody. All times: UTC, ms; -1: never. */

#define TL_GUARD_WINDOWS 3 /* of one weekday */
#define TL_GUARD_SENTENCE_SIZE 256

enum tl_guard_purpose {
    TL_GUARD_SALES = 0, /* the strictest is what a zeroed call is */
    TL_GUARD_COLLECTIONS,
    TL_GUARD_INFORMATION, /* reminders, call-backs, service */
};

enum tl_guard_consent_kind {
    TL_GUARD_NO_CONSENT = 0,
    TL_GUARD_EXPRESS, /* orally, or by giving the number for that */
    TL_GUARD_WRITTEN, /* signed, with number, time and wording */
};

/** Minutes of a local day, 0..1440: from inclusive, to exclusive. Empty: from >= to. */
struct tl_guard_window {
    int16_t from_min, to_min;
};

/** What a business has configured. */
struct tl_guard_rules {
    const char *business_id;
    const char *const *countries; /* regions as of struct tl_phone: "US", "001" */
    size_t countries_n;
    uint32_t kinds; /* bits 1u << enum tl_phone_kind that are allowed beside fixed, mobile, toll
                     * free and VoIP; premium has no effect */
    struct tl_guard_window hours[7][TL_GUARD_WINDOWS]; /* from Monday; the callee's local time */
    enum tl_guard_consent_kind consent;                /* wanted everywhere; laws may want more */
    int32_t max_concurrent, max_daily;                 /* outbound calls; 0: none */
    int32_t max_attempts;                              /* to one number within the next; 0: none */
    int64_t attempts_window_ms;
};

/** The newest consent on file for this number; zeroed: there is none. */
struct tl_guard_consent {
    enum tl_guard_consent_kind kind;
    const char *business_id; /* whom it was given; NULL is nobody */
    int64_t given_at;
    int64_t revoked_at; /* 0: not */
    bool has_evidence;  /* when, how and in which words */
};

/** Do-not-call lists, looked up in the step that dials. */
struct tl_guard_lists {
    bool is_known;         /* false: a list could not be asked, which blocks */
    int64_t own_since;     /* on the list of this business since; 0: not on it */
    bool is_on_registry;   /* a national one */
    bool has_relationship; /* an exemption of that */
};

/** Past attempts: their times, ascending, back to the longest window (at least seven days).
 * Call-backs that the callee asked for do not count and are not in it. */
struct tl_guard_attempts {
    const int64_t *at;
    size_t n;
};

struct tl_guard_callee {
    const struct tl_phone *phone;
    const struct tl_phone_local
        *zones;                /* all that the callee may be in, also by the address on file */
    size_t zones_n;            /* 0: not known, which blocks */
    const char *address_state; /* "US-FL", of the address on file; NULL: none */
    const int32_t *holidays;   /* legal ones there: local days since 1970-01-01 */
    size_t holidays_n;
    struct tl_guard_consent consent;
    struct tl_guard_lists lists;
    struct tl_guard_attempts attempts; /* at this number */
    struct tl_guard_attempts
        subject_attempts;      /* at this person on this subject; of collections: the debt */
    int64_t talked_at;         /* last conversation about the debt; 0: none */
    int64_t callback_asked_at; /* the callee asked for this call; 0: did not */
};

struct tl_guard_call {
    enum tl_guard_purpose purpose;
    bool is_emergency; /* set by an administrator, and audited; stands for consent only */
};

/** Outbound calls of the business. */
struct tl_guard_counters {
    int32_t concurrent, today; /* without this one */
    int64_t today_ends_at;     /* when `today` begins anew */
};

/** Stable: their names stand in events. In the order in which they are looked for. */
enum tl_guard_reason {
    TL_GUARD_ALLOWED = 0,
    TL_GUARD_PREMIUM,
    TL_GUARD_NUMBER, /* not valid, short, or an emergency number */
    TL_GUARD_KIND,
    TL_GUARD_COUNTRY,
    TL_GUARD_LIST_UNAVAILABLE,
    TL_GUARD_LIST_OWN,
    TL_GUARD_LIST_REGISTRY,
    TL_GUARD_CONSENT_MISSING,
    TL_GUARD_CONSENT_REVOKED,
    TL_GUARD_CONSENT_EVIDENCE,
    TL_GUARD_CONSENT_KIND,
    TL_GUARD_ZONE,
    TL_GUARD_HOURS,
    TL_GUARD_TALKED,
    TL_GUARD_ATTEMPTS,
    TL_GUARD_DAILY,
    TL_GUARD_CONCURRENT,
};
#define TL_GUARD_REASONS 18
const char *tl_guard_reason_name(enum tl_guard_reason reason); /* "outside_hours" */

struct tl_guard_verdict {
    enum tl_guard_reason reason;
    const char *rule; /* of the compliance catalogue, as "TCPA-HRS-001"; NULL: the business's own */
    int64_t retry_at; /* not before; then all is asked anew. -1: not as things are */
    char sentence[TL_GUARD_SENTENCE_SIZE]; /* for people; names no number and no person */
};

/** The first reason that stands against it, looked for in the order of enum tl_guard_reason. True:
 * allowed. */
bool tl_guards_decide(const struct tl_guard_rules *rules, const struct tl_guard_callee *callee,
                      const struct tl_guard_call *call, const struct tl_guard_counters *counters,
                      int64_t now, struct tl_guard_verdict *ret_verdict);

/** The same of a text that tl_phone_parse refused. */
void tl_guards_refuse_text(const struct tl_error *why, struct tl_guard_verdict *ret_verdict);

#endif
