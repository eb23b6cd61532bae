#ifndef TL_TEL_CALL_H
#define TL_TEL_CALL_H

#include "ear.h"
#include "form.h"
#include "net/timer.h"
#include "script.h"
#include "tel.h"
#include "twiml.h"

/** In the order of a call's life; see tl_tel_status_name. */
enum tl_tel_status {
    TL_TEL_PLANNED, /* of a batch, its time has not come; REST does not know it */
    TL_TEL_QUEUED,
    TL_TEL_INITIATED,
    TL_TEL_RINGING,
    TL_TEL_IN_PROGRESS,
    TL_TEL_COMPLETED, /* this and the rest are final */
    TL_TEL_BUSY,
    TL_TEL_FAILED,
    TL_TEL_NO_ANSWER,
    TL_TEL_CANCELED,
};

enum tl_tel_direction {
    TL_TEL_INBOUND,
    TL_TEL_OUTBOUND_API,
    TL_TEL_OUTBOUND_DIAL,
};

/** What the running document is doing. */
enum tl_tel_mode {
    TL_TEL_MODE_IDLE,
    TL_TEL_MODE_FETCHING,
    TL_TEL_MODE_TIMED,  /* Say, Play, Pause */
    TL_TEL_MODE_STREAM, /* Connect, Stream */
    TL_TEL_MODE_HELD,   /* the stream died and the network holds the caller */
    TL_TEL_MODE_GATHER,
    TL_TEL_MODE_DIAL,
    TL_TEL_MODE_OVER,
};

/** Events that a status callback was asked for. */
enum tl_tel_callback_event {
    TL_TEL_ON_INITIATED = 1,
    TL_TEL_ON_RINGING = 2,
    TL_TEL_ON_ANSWERED = 4,
    TL_TEL_ON_COMPLETED = 8,
};

/** A URL and its method, as configured. */
struct tl_tel_target {
    char *url;    /* NULL: none */
    char *method; /* "POST" or "GET"; NULL: POST */
};

/** The speaking end. */
struct tl_tel_mouth {
    struct tl_tel_script script;
    size_t at;      /* step that runs */
    bool has_begun; /* the script's clock runs */
    bool in_step;   /* the present step has begun */
    int64_t began_us, step_us;
    int64_t heard_after_us;           /* utterances that began before are not answers */
    const struct tl_tel_voice *voice; /* being said; NULL: silence */
    size_t frame;
    size_t lost_frames; /* of the phrase: no stream took them */
    int64_t said_us;    /* when its first frame left */
    json_t *frames_us;  /* when each left; NULL: not kept */
    size_t key;         /* of the keys being pressed */
};

struct tl_tel_call {
    struct tl_tel *tel;
    size_t index;
    char sid[TL_TEL_SID_SIZE];
    struct tl_tel_call *parent; /* of a leg made by Dial */
    enum tl_tel_direction direction;
    enum tl_tel_status status;
    char *from, *to;
    char *caller_name, *forwarded_from; /* NULL: not sent */
    struct tl_tel_target voice, fallback, status_callback;
    unsigned status_events; /* bits of tl_tel_callback_event */
    char *twiml;            /* in place of voice.url */
    int64_t ring_timeout_ms;
    int64_t time_limit_ms; /* after the answer; 0: none */
    char *outcome;         /* what the far end does; outbound only */
    int64_t ring_ms;

    int64_t created_at, updated_at, start_at, end_at; /* wall clock; 0: not yet */
    int64_t created_us, answered_us, ended_us;        /* monotonic; 0: not yet */
    int64_t queue_ms;
    unsigned callbacks_made;           /* SequenceNumber of the next */
    struct tl_tel_form *held_callback; /* delivery out of order */

    enum tl_tel_mode mode;
    unsigned run;     /* changes with each document; late answers of older ones are dropped */
    bool on_fallback; /* the running document came from the fallback URL */
    struct tl_tel_doc *doc;
    struct tl_tel_doc *old_doc; /* freed when the loop comes round: its nodes may still be in use */
    const struct tl_tel_node *verb; /* next to run */
    const struct tl_tel_node *running;
    char *doc_url; /* for relative URLs */
    char *cookie;
    struct tl_timer timer;      /* of the verb */
    struct tl_timer life_timer; /* ringing, time limit */
    struct tl_tel_stream *stream;
    unsigned streams_started;
    struct tl_tel_conference *conference;
    struct tl_tel_call *dialled; /* the leg that the Dial waits for or talks to */
    struct tl_buf keys;          /* of a Gather */

    struct tl_tel_spoke spoke;
    struct tl_tel_mouth mouth;
    struct tl_tel_ear ear;
    bool is_deleted;       /* REST does not know it any more */
    bool starts_at_answer; /* the script's clock; else with the first stream */
    bool keep_frames;      /* frames_us, arrivals */
    int64_t skip_frames;   /* fault: frames to lose */

    /* The report: JSON arrays, made as things happen. */
    json_t *said, *heard, *gaps, *documents, *spoken, *errors, *streams, *webhooks, *keys_pressed;
    struct tl_buf events;          /* JSON lines */
    struct tl_tel_waiter *waiters; /* requests that wait for events */
};

const char *tl_tel_status_name(enum tl_tel_status status);
const char *tl_tel_direction_name(enum tl_tel_direction direction);
bool tl_tel_status_is_final(enum tl_tel_status status);

/** Made in status PLANNED, known to the network, nothing runs. */
struct tl_tel_call *tl_tel_call_create(struct tl_tel *tel, enum tl_tel_direction direction,
                                       const char *from, const char *to);
void tl_tel_call_destroy(struct tl_tel_call *call);

/** NULL: no such call. */
struct tl_tel_call *tl_tel_call_find(struct tl_tel *tel, const char *sid);

void tl_tel_target_set(struct tl_tel_target *target, const char *url, const char *method);

/** An inbound call begins to ring: its webhook is requested. */
void tl_tel_call_ring_in(struct tl_tel_call *call);

/** An outbound call: queued, dialled, answered or not. */
void tl_tel_call_place(struct tl_tel_call *call);

/** Picked up: time runs, the mouth speaks. No-op when it was. */
void tl_tel_call_answer(struct tl_tel_call *call);

/** Everything ends: stream stopped, legs gone, last callback sent. No-op on an ended one. */
void tl_tel_call_end(struct tl_tel_call *call, enum tl_tel_status final);

/** The party hangs up. */
void tl_tel_call_hang_up(struct tl_tel_call *call);

/** Keys that the caller presses, to the stream or the Gather. */
void tl_tel_call_press(struct tl_tel_call *call, char key);

/** An error of the debugger: kept in the report. */
void tl_tel_call_error(struct tl_tel_call *call, int code, const char *fmt, ...) TL_PRINTF(3, 4);

/** Writes an event; takes `fields` (may be NULL). */
void tl_tel_call_event(struct tl_tel_call *call, const char *name, json_t *fields);

int64_t tl_tel_call_ms(const struct tl_tel_call *call, int64_t mono_us); /* since it was created */

/** The standard fields of a request about the call. */
void tl_tel_call_fields(const struct tl_tel_call *call, struct tl_tel_form *form);

#endif
