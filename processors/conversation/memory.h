#ifndef TL_CONVERSATION_MEMORY_H
#define TL_CONVERSATION_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/buf.h"
#include "call/fence.h"

#define TL_MEMORY_TURNS_MAX 100
#define TL_MEMORY_GIVEN_MAX 32
#define TL_MEMORY_INTENTS_MAX 16

/** A turn that the AI remembers, masked. */
struct tl_memory_turn {
    int turn;
    enum tl_speaker speaker;
    char *text;
    char item_id[48]; /* of the AI session; "" when it comes from the log */
    char utterance_id[37]; /* "" when it does not come from an event */
};

/** An utterance whose final has not been read. */
struct tl_memory_draft {
    char utterance_id[37];
    int revision;
    int turn;
    enum tl_speaker speaker;
    char *text;
    int64_t start_ms, len_ms; /* of its sound so far, where the AI speaks */
    int64_t heard_ms;         /* of it, as far as was known */
    bool complete;            /* nothing more of the answer was to come */
    bool interrupted;         /* nor is more to be heard; the text is what was */
    bool has_answers_to;
    struct tl_position answers_to;
};

struct tl_memory_intent {
    char intent_id[40];
    char name[32];
    char *arguments;
};

/** A mailbox that may hold sound that is not in the log as words yet. */
struct tl_memory_given {
    int mailbox;
    int64_t mailbox_epoch;
    struct tl_claim claim; /* session 0 */
    char stream_sid[64];
    int64_t at_ms;
};

/** What a conversation remembers of a call, and what a successor rebuilds from calls.v1 ("The log is
 *  the memory" in the design; CONV-4). Fed with the call's events in order, it is the same whoever
 *  feeds it. Pure. */
struct tl_memory {
    int turns_limit;        /* 1..TL_MEMORY_TURNS_MAX */
    size_t characters_limit;
    struct tl_memory_turn turns[TL_MEMORY_TURNS_MAX + 1];
    size_t turns_n;
    size_t characters;
    char *summary; /* of older turns, or NULL */
    int summary_to_turn;
    struct tl_memory_draft *drafts;
    size_t drafts_n;
    struct tl_memory_intent intents[TL_MEMORY_INTENTS_MAX];
    size_t intents_n;
    struct tl_memory_given given[TL_MEMORY_GIVEN_MAX];
    size_t given_n;
    bool has_media_to, has_answers_to;
    struct tl_position media_to;   /* the caller's sound before it is in the log or was silence */
    int media_mailbox;
    int64_t media_offset;
    struct tl_position answers_to; /* the newest position that was answered */
    bool has_caller_to;
    struct tl_position caller_to;  /* end of the caller's newest turn */
    bool is_cut_short;             /* the AI spoke last, and was not heard to its end */
    int64_t ai_ms, ai_bytes;       /* sound and words of the AI that were heard whole */
    bool has_keyed_to;
    struct tl_position keyed_to;   /* keys up to here are in the log */
    int turn;             /* newest */
    int utterances;       /* finals seen */
    enum tl_call_state state;
    int64_t call_started_at; /* 0: not known */
    bool ended_by_us;     /* an end_call intent stands in the log */
    struct tl_fence fence;
    bool closed;
};

void tl_memory_init(struct tl_memory *m, int turns_limit, size_t characters_limit);
void tl_memory_finish(struct tl_memory *m);

/** Takes the next event of the call in; false when the fence drops it. */
bool tl_memory_take(struct tl_memory *m, const struct tl_call_event *event);

/** A final of our own. `item_id` may be "". */
void tl_memory_add_turn(struct tl_memory *m, int turn, enum tl_speaker speaker, const char *text,
                        const char *item_id);

/** True when the turns are over the limits, so that the oldest ones should be summarised. Writes
 *  the number of the last turn to be replaced. Half of the limits stays. */
bool tl_memory_is_over(const struct tl_memory *m, int *ret_to_turn);

/** The turns up to to_turn are replaced by a summary. NULL: an extract of their first sentences. */
void tl_memory_summarise(struct tl_memory *m, int to_turn, const char *summary);

/** Appends turns up to to_turn as "Caller: …" lines, the older summary first. */
void tl_memory_print(const struct tl_memory *m, int to_turn, struct tl_buf *out);

#endif
