#ifndef TL_INGEST_WEBHOOK_HOOK_H
#define TL_INGEST_WEBHOOK_HOOK_H

#include "avro/call_event.h"
#include "ingest/ingest.h"
#include "ingest/webhook/attempts.h"
#include "ingest/webhook/link.h"
#include "ingest/webhook/replies.h"
#include "net/timer.h"

/* Shared by the parts of webhook/: nobody else includes it. */

#define TL_HOOK_TWIML_BYTES_MAX 16384

struct tl_webhook {
    struct tl_ingest *ingest;
    struct tl_arena arena; /* of the request being read */
    struct tl_replies *replies;
    struct tl_attempts *attempts;
    struct tl_answer *answers; /* all that are under way */
};

/** A request whose signature is good. Borrowed until its handler returns, but for `x`. */
struct tl_hook {
    struct tl_webhook *webhook;
    struct tl_http_exchange *x;
    const struct tl_http_request *r;
    struct tl_form form;
    const char *kind; /* "voice", for metrics and logs */
    const char *call_sid;
};

/** A member of its form, or `fallback`. */
const char *tl_hook_get(const struct tl_hook *hook, const char *name, const char *fallback);

/** The state in its CallStatus is final: nothing is left to run. */
bool tl_hook_is_over(const struct tl_hook *hook);

/* ---- answers at once ---- */

void tl_hook_respond_twiml(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                           struct tl_bytes twiml);
void tl_hook_respond_none(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x);
void tl_hook_respond_problem(struct tl_ingest *ingest, const char *kind, struct tl_http_exchange *x,
                             int status, const char *title, const char *detail);

/* ---- events ---- */

/** Names the call and its event: `part` says which of the call's it is, so that a repeated webhook
 * writes the same event. The two ids are the caller's memory. */
struct tl_call_event tl_hook_event(const struct tl_hook *hook, char call_id[37], char event_id[37],
                                   const char *part);

/** What the form says of the call's state; `event->changed` is then `ret_changed`. */
void tl_hook_read_changed(const struct tl_hook *hook, struct tl_call_event *event,
                          struct tl_changed *ret_changed);

/* ---- answers that wait for the log ---- */

/** A webhook whose event is on its way to the log, and the document that is to answer it. Lives
 * until both the answer is given and the delivery came. */
struct tl_answer {
    struct tl_answer *prev, *next;
    struct tl_webhook *webhook; /* NULL: the process is leaving */
    struct tl_http_exchange *x; /* NULL once answered */
    struct tl_timer timer;
    struct tl_link link; /* voice, action, fallback: the stream that is to be given */
    bool delivered;
    bool wants_stream;                   /* else only the fact: 204 */
    char refusal[32];                    /* reason of a refusal, or "" */
    char sentence[512];                  /* of a refusal */
    char language[16];                   /* of it */
    char reply_key[160];                 /* for repeated requests */
    char again[TL_TOKEN_TEXT_SIZE + 32]; /* where to ask once more */
    const char *wait;                    /* why it is to ask once more; NULL: it need not */
    const char *kind;
    int tries;
    int64_t began_us;
};

struct tl_answer *tl_answer_create(const struct tl_hook *hook, bool wants_stream);

/** Finds the called business: the call is of that one, unless it began as another one's. */
const struct tl_business *tl_answer_know_business(struct tl_answer *answer, const char *number);

/** Refuses the call with a sentence: the business's, or `otherwise` (English) where it has none. */
void tl_answer_refuse(struct tl_answer *answer, const char *reason, const char *sentence,
                      const char *otherwise);

/** Writes why the call is refused into the log, for webhooks whose answer does not wait for that.
 */
void tl_answer_tell_refusal(const struct tl_answer *answer, const char *reason);

/** The caller is asked to wait a moment, and the network to ask again. */
void tl_answer_wait(struct tl_answer *answer, const char *why);

/** Sends the event behind the webhook and answers when it is in the log, or what the design says
 * when it is not. Takes the answer over. */
void tl_answer_record(struct tl_answer *answer, struct tl_call_event *event);

/** Answers now, without waiting for an event. Takes the answer over. */
void tl_answer_now(struct tl_answer *answer);

/** It was answered otherwise. */
void tl_answer_drop(struct tl_answer *answer);

/** The process leaves: frees it, or leaves that to its delivery. */
void tl_answer_orphan(struct tl_answer *answer);

/* ---- routes ---- */

void tl_hook_on_voice(const struct tl_hook *hook);
void tl_hook_on_action(const struct tl_hook *hook);
void tl_hook_on_rescue(const struct tl_hook *hook);
void tl_hook_on_fallback(const struct tl_hook *hook);
void tl_hook_on_status(const struct tl_hook *hook);
void tl_hook_on_stream_status(const struct tl_hook *hook);

#endif
