#ifndef TL_TEL_TEL_H
#define TL_TEL_TEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/net.h"
#include "speech/speech.h"
#include "wheel.h"

#define TL_TEL_SID_SIZE 35 /* two letters, 32 hex digits, NUL */
#define TL_TEL_CALLS_MAX 200000
#define TL_TEL_AI_SAYS_MAX 64

struct tl_tel_call;
struct tl_tel_conference;
struct tl_tel_voices;

/** What the network does when a media socket dies without a close frame: the real one's way is not
 *  documented. */
enum tl_tel_after_abrupt {
    TL_TEL_ABRUPT_ACTION,  /* as after a proper close, at once */
    TL_TEL_ABRUPT_HOLD,    /* reports stream-stopped and holds the caller in silence */
    TL_TEL_ABRUPT_NOTHING, /* notices nothing */
};

/** How status callbacks are delivered. */
enum tl_tel_delivery {
    TL_TEL_DELIVER_IN_ORDER,
    TL_TEL_DELIVER_SWAPPED, /* each pair the wrong way round; a last odd one alone */
    TL_TEL_DELIVER_TWICE,
    TL_TEL_DELIVER_DROPPED,
    TL_TEL_DELIVER_LATE_INITIATED, /* the first one only after all others */
};

/** Settings of the command line. Strings are borrowed from argv. */
struct tl_tel_options {
    const char *listen;               /* REST, "127.0.0.1:0" */
    const char *control;              /* control API */
    const char *cert_file, *key_file; /* of REST; NULL: plain HTTP */
    const char *public_url;           /* origin of REST in answers; NULL: none */
    const char *account_sid, *auth_token;
    const char *key_sid, *key_secret; /* an API key; NULL: none */
    const char *ca_file;
    const char *phrases, *speech_cache;
    const char *ai_says[TL_TEL_AI_SAYS_MAX]; /* sentences that the ear is to know, beside phrases */
    size_t ai_says_len;
    const char *call_from, *call_to, *script_file; /* one call from the command line */
    bool allow_plain;                              /* ws:// streams */
    bool sign_port;                                /* https URLs are signed with their port */
    int64_t ring_ms; /* until a destination answers, unless it says otherwise */
    int64_t cps;     /* calls by REST that leave the queue each second; 0: no limit */
    int64_t gap_min_ms;
};

/** A number of the account. Strings are owned, never NULL. */
struct tl_tel_number {
    char sid[TL_TEL_SID_SIZE];
    char *number;
    char *voice_url, *voice_method;
    char *fallback_url, *fallback_method;
    char *status_url, *status_method;
    char *friendly_name, *application_sid, *trunk_sid;
    bool caller_id_lookup;
    int64_t created_at, updated_at;
};

/** Who can be dialled: what happens there. */
struct tl_tel_destination {
    char *number;
    char *outcome; /* "answer", "busy", "no-answer", "failed" */
    int64_t ring_ms;
    json_t *script; /* of the party; NULL: listens until the other end hangs up */
};

/** Faults to come; counts go down with each use. */
struct tl_tel_faults {
    int64_t wrong_token;  /* webhooks signed with another token */
    int64_t changed_body; /* webhooks whose body is changed after signing */
    int64_t no_signature; /* webhooks and handshakes without the header */
    int64_t wrong_stream_signature;
    int64_t answers_lost;          /* answers to webhooks that are made again when none comes */
    int64_t rest_429;              /* REST requests refused with 20429, not carried out */
    int64_t rest_500;              /* REST requests that fail before anything is done */
    int64_t create_5xx_after;      /* Create Call answers 500, the call is placed all the same */
    int64_t rest_delay_ms;         /* each REST answer comes so late; stays */
    enum tl_tel_delivery delivery; /* stays */
    enum tl_tel_after_abrupt after_abrupt; /* stays */
};

/** The telephone network. Loop thread only. */
struct tl_tel {
    struct tl_tel_options options;
    uv_loop_t loop;
    struct tl_log log;
    struct tl_net *net;
    struct tl_tel_wheel wheel;
    struct tl_speech_bank *bank;
    struct tl_tel_voices *voices;
    struct tl_http_server *rest, *control;
    int64_t created_at;

    struct tl_tel_number *number;
    size_t numbers;
    struct tl_tel_destination *destination;
    size_t destinations;
    struct tl_tel_faults faults;

    struct tl_tel_call **call; /* all that ever were, by index; a Call SID ends with its index */
    size_t calls, calls_cap;
    size_t calls_active;
    size_t pending; /* webhooks under way and sockets not yet closed */
    struct tl_tel_conference *conferences;
    int64_t queue_free_at_ms; /* when the next call by REST may leave the queue (monotonic) */

    struct tl_buf scratch; /* a payload being decoded */

    bool print_events; /* JSON lines on stdout */
    bool is_told;      /* scripts hang up at their next {"hangup":…,"when_told":true} */
    bool is_stopping;
    int exit_status;
};

/** With --call: leaves the loop once the call is over and everything about it has been sent. */
void tl_tel_stop_when_done(struct tl_tel *tel);

/** Random hex behind the two letters; `index` in the last eight digits if it is not SIZE_MAX. */
void tl_tel_sid_make(const char *letters, size_t index, char ret_sid[TL_TEL_SID_SIZE]);

struct tl_tel_number *tl_tel_number_find(struct tl_tel *tel, const char *number);
/** "+1555…=voice[,status[,fallback]]". */
TL_MUST_CHECK enum tl_status tl_tel_number_add(struct tl_tel *tel, const char *text,
                                               struct tl_error *err);
void tl_tel_numbers_finish(struct tl_tel *tel);

struct tl_tel_destination *tl_tel_destination_find(struct tl_tel *tel, const char *number);
TL_MUST_CHECK enum tl_status tl_tel_destination_set(struct tl_tel *tel, const json_t *body,
                                                    struct tl_error *err);
void tl_tel_destinations_finish(struct tl_tel *tel);

/** Sets the faults that `body` names. TL_INVALID: an unknown one; nothing was set. */
TL_MUST_CHECK enum tl_status tl_tel_faults_set(struct tl_tel_faults *faults, const json_t *body,
                                               struct tl_error *err);
/** The values now, for the control API; a new reference. */
json_t *tl_tel_faults_json(const struct tl_tel_faults *faults);
bool tl_tel_fault_take(int64_t *count); /* true and one less, when there is one */

#endif
