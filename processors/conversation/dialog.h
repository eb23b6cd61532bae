#ifndef TL_CONVERSATION_DIALOG_H
#define TL_CONVERSATION_DIALOG_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "avro/media_batch.h"
#include "processors/conversation/conversation.h"
#include "processors/conversation/ear.h"
#include "processors/conversation/memory.h"
#include "processors/conversation/talk.h"

#define TL_DIALOG_EARLY_BYTES (15u * 60 * 8000) /* as long as mailboxes are kept */

struct tl_recall;

/** How far a dialog is:
 *
 *  CLAIMING ──session_started at S──▶ RECALLING ──log and mailboxes read──▶ LIVE ──stop──▶ ENDING ──▶ gone
 *      ▲                                                                      │               ▲
 *      └──────────────────── a new attachment of the same call ───────────────┘   no frame 20 s ┘
 */
enum tl_dialog_stage {
    TL_DIALOG_CLAIMING,
    TL_DIALOG_RECALLING,
    TL_DIALOG_LIVE,
    TL_DIALOG_ENDING,
};

/** How a dialog comes to be live (again). */
enum tl_dialog_return {
    TL_DIALOG_REBUILT,     /* from the log and the mailboxes: a new call, or taken over */
    TL_DIALOG_REATTACHED,  /* the same conversation, another socket */
    TL_DIALOG_HEARS_AGAIN, /* another AI session hears what the lost one did not put into words */
};

/** An item that came before the dialog was live. */
struct tl_dialog_item {
    struct tl_dialog_item *prev, *next;
    enum tl_media_kind kind;
    struct tl_claim claim;
    int64_t n, timestamp_ms, at_ms; /* at_ms: wall clock of its batch */
    int mailbox;
    int64_t mailbox_offset;
    size_t len;
    char data[]; /* sound, or NUL-terminated text */
};

/** A mailbox of another holder, read up to `until` when the call was taken over. */
struct tl_dialog_source {
    int mailbox;
    int64_t epoch, from_ms, until;
};

/** An AI session's place in its dialog. */
struct tl_dialog_slot {
    struct tl_dialog *dialog;
};

/** One leg of one call, held by this process. */
struct tl_dialog {
    struct tl_conversation *conversation;
    UT_hash_handle hh; /* by call_uuid: one leg a call so far */
    char call_id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid call_uuid;
    enum tl_dialog_stage stage;
    struct tl_story *story; /* its events on their way to the log */
    unsigned generation;    /* rises with every claim */
    bool is_same_stream;    /* the newest attachment is of the stream that was held before */
    bool is_claiming;       /* the claim was not read back: what is written is held, nothing is played */
    int64_t handed_over_ms; /* monotonic: when ingest was last asked to move the leg */

    /* who and where */
    struct tl_claim claim, previous_claim;
    char stream_sid[64], call_sid[64], business_id[64], from_number[64], to_number[64], leg[16];
    int business_version;
    enum tl_direction direction;
    int64_t call_started_at, call_start_offset;
    int calls_partition;
    int ingest;
    int64_t ingest_epoch;
    int64_t started_offset; /* of the STARTED that it answers, in the own mailbox */
    int64_t first_n;
    int64_t S, previous_S;  /* offsets of session_started in the log */
    int64_t checkpoint_offset;
    int64_t began_us;

    /* what was said */
    struct tl_memory memory;
    struct tl_talk talk;
    bool has_talk;
    struct tl_ear ear;
    struct tl_recall *recall;
    struct tl_dialog_source *sources; /* mailboxes of predecessors: sound not in words may stand there */
    size_t sources_n;
    char predecessor[64]; /* who held the leg before, by the log; "" for nobody */
    size_t recalled_n;    /* items of sound that were recalled last */
    int64_t claimed_at, claimed_offset; /* wall clock and mailbox offset of the first claim here, or
                                           of the last one behind another holder's */
    struct tl_dialog_item *pending; /* came while not live */
    size_t pending_n;

    /* sound in */
    struct tl_claim heard_claim; /* attachment of the newest item */
    int64_t heard_n;             /* newest n of it; -1: none */
    char heard_sid[64];          /* stream of that attachment, as far as known */
    int64_t heard_timestamp_ms;  /* of its newest frame */
    int64_t repeats_to_ms;       /* frames up to this timestamp came under the attachment before; -1 */
    int64_t stream_base_ms;      /* call time of the stream's timestamp 0 */
    bool has_base;
    int64_t last_frame_ms;       /* monotonic */
    int64_t frame_at, mark_at;   /* wall clock: newest frame, newest mark of the present stream; 0 */
    struct tl_buf early;         /* sound for a session that is not ready */
    bool only_listens;           /* up to listen_to it was answered: the AI transcribes it only */
    struct tl_position listen_to;
    int64_t listened_at_ms;      /* monotonic: all of it was appended; 0: not yet */
    struct tl_position keyed_at; /* of the newest key */

    char keyed[64];    /* digits so far: they are masked as one, and written when a pause or # ends them */
    int64_t keyed_due_ms; /* monotonic; 0: none */

    /* the AI */
    struct tl_speech *speech, *next_speech; /* next: renewal */
    struct tl_dialog_slot slots[2];         /* arguments of their callbacks */
    int slot;                               /* of `speech`; the other one is the next one's */
    bool speech_ready, next_ready;
    struct tl_timer retry_timer;
    int64_t given_audio_ms[2]; /* what the session had been given NOTICE_MS ago or earlier, and later */
    int64_t given_at_ms;       /* monotonic: when the later one was noted */
    int64_t ai_wanted_since_ms; /* monotonic; 0: it is there */
    int64_t session_opened_ms, session_ready_ms;
    int ai_attempts;
    int response_failures;
    bool response_has_words; /* the answer under way has a message, not only tools */
    bool wants_greeting, wants_answer, wants_continuation; /* as soon as the session is ready */
    bool asked_greeting, asked_answer, asked_continuation; /* of the session, and nothing of it was heard */
    int64_t answer_due_ms; /* monotonic, with response_delay; 0: none */
    int64_t turn_ended_ms; /* monotonic: when the caller's turn ended, for the metric; 0: answered */
    int summary_to_turn;   /* a summary is under way up to this turn; 0: none */

    /* silence and the end */
    int64_t last_words_ms; /* monotonic: newest speech of anybody */
    int silence_prompts;
    bool wants_end, end_asked; /* by us: goodbye is being said; the intent is written */
    char end_reason[64], end_call_id[64];
    char goodbye_id[40]; /* of the open intent to say it; "": none */
    bool stopped;
    int64_t ending_since_ms;
    int64_t heard_out_ms; /* monotonic: silence was appended behind the last sound; 0: not yet */
    bool is_watched; /* by tl_closing */
    bool finals_written;
    bool changed; /* since the last checkpoint */
    int64_t last_checkpoint_ms;
};

/** A leg was given to this process: a new dialog, or a new attachment of one that is here. */
void tl_dialog_on_started(struct tl_conversation *conversation, const struct tl_media_batch *batch,
                          const struct tl_media_item *item, int64_t mailbox_offset);

/** An item of the own mailbox for a dialog that is here. */
void tl_dialog_on_item(struct tl_dialog *dialog, const struct tl_media_batch *batch,
                       const struct tl_media_item *item, int64_t mailbox_offset);

/** A frame came for a call that is not here: its ingest is told, about once a second. A word to it may have
 *  been lost, and it would send to nobody for ever. */
void tl_dialog_on_stranger(struct tl_conversation *conversation, const struct tl_media_batch *batch,
                           const struct tl_media_item *item);

/** Time passed; a few times a second. */
void tl_dialog_tick(struct tl_dialog *dialog, int64_t now_ms);

/** An event of its call that stands in the log now; only while it is ENDING. */
void tl_dialog_on_event(struct tl_dialog *dialog, const struct tl_call_event *event);

/** The configuration of its business changed. */
void tl_dialog_on_config(struct tl_dialog *dialog, const struct tl_config_entry *entry);

/** Drops it here without a word in the log: another one holds the leg, or the process leaves. */
void tl_dialog_drop(struct tl_dialog *dialog, const char *reason);

/* Between dialog.c and its parts (recall.c, dialog_ai.c); nobody else calls these. */
void tl_dialog_live(struct tl_dialog *dialog, enum tl_dialog_return how); /* recall is done */
void tl_dialog_recall_failed(struct tl_dialog *dialog, const char *reason);
void tl_dialog_lost(struct tl_dialog *dialog, const struct tl_claim *winner,
                    const char *winner_stream_sid, const char *reason);
void tl_dialog_handle(struct tl_dialog *dialog, const struct tl_dialog_item *item);
void tl_dialog_handle_pending(struct tl_dialog *dialog);
void tl_dialog_forget_talk(struct tl_dialog *dialog); /* before it is rebuilt */
void tl_dialog_destroy(struct tl_dialog *dialog);

/** An event of the holder, on its way until it stands in the log; on_logged as tl_story_add. */
void tl_dialog_tell(struct tl_dialog *dialog, struct tl_call_event *event, tl_delivery_fn on_logged,
                    void *arg);
void tl_dialog_send(struct tl_dialog *dialog, struct tl_call_event *event); /* nobody waits for it */
void tl_dialog_write_utterance(struct tl_dialog *dialog, const struct tl_utterance *utterance,
                               struct tl_talk_turn *turn); /* of tl_talk_callbacks.write */
void tl_dialog_write_checkpoint(struct tl_dialog *dialog);
void tl_dialog_on_keyed(struct tl_dialog *dialog, const struct tl_dialog_item *item);
/** Digits one by one would spell a card number in the log: they are masked together. */
void tl_dialog_write_keyed(struct tl_dialog *dialog);
void tl_dialog_on_stopped(struct tl_dialog *dialog);
void tl_dialog_tick_ending(struct tl_dialog *dialog, int64_t now_ms);
struct tl_talk_now tl_dialog_now(const struct tl_dialog *dialog);
const struct tl_business *tl_dialog_business(const struct tl_dialog *dialog);

void tl_dialog_ai_open(struct tl_dialog *dialog);
void tl_dialog_ai_return(struct tl_dialog *dialog); /* live again: is a session there, or on its way? */
void tl_dialog_ai_close(struct tl_dialog *dialog);
void tl_dialog_ai_hear(struct tl_dialog *dialog, struct tl_bytes audio);
void tl_dialog_ai_listen(struct tl_dialog *dialog); /* before the first sound of a session is heard */
bool tl_dialog_ai_holds(struct tl_dialog *dialog, const struct tl_dialog_item *item);
bool tl_dialog_ai_is_holding(const struct tl_dialog *dialog); /* and what comes behind */
/** The stream is over: the rest is put into words. True: the AI session has been given time for that, or
 *  there is none. Asked until true. */
bool tl_dialog_ai_heard_out(struct tl_dialog *dialog, int64_t now_ms);
/** A session that was lost is to hear again: the end of the stream waits for it. */
bool tl_dialog_ai_is_coming(const struct tl_dialog *dialog);
void tl_dialog_ai_on_answered(struct tl_dialog *dialog, const char *heard, bool unfinished);
bool tl_dialog_ai_is_at_pause(const struct tl_dialog *dialog); /* nobody speaks or is about to */
void tl_dialog_ai_tick(struct tl_dialog *dialog, int64_t now_ms);
#define TL_SAY_GOODBYE "say_goodbye"                      /* name of that intent */
void tl_dialog_want_end(struct tl_dialog *dialog, const char *reason); /* once goodbye was heard */
void tl_dialog_keep_on(struct tl_dialog *dialog); /* the caller goes on talking: no goodbye yet */
void tl_dialog_resume_end(struct tl_dialog *dialog); /* from the memory */
void tl_dialog_ask_end(struct tl_dialog *dialog, const char *reason, const char *sentence,
                       const char *dial_number);

#endif
