#ifndef TL_SIM_AI_ITEM_H
#define TL_SIM_AI_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/buf.h"
#include "openai/config.h"
#include "openai/sim.h"

enum tl_ai_item_kind {
    TL_AI_MESSAGE,
    TL_AI_FUNCTION_CALL,
    TL_AI_FUNCTION_OUTPUT,
};

/** What the caller's sound or the AI's words are, for the simulator's own use. */
enum tl_ai_turn {
    TL_AI_TURN_WORDS,   /* sound or text; `phrase` when it is one, whole */
    TL_AI_TURN_SILENCE, /* no sound at all: idle timeout */
};

/** An item of a conversation. */
struct tl_ai_item {
    TAILQ_ENTRY(tl_ai_item) link;
    char id[TL_AI_ID_SIZE];
    enum tl_ai_item_kind kind;
    const char *role;   /* of messages; static */
    const char *status; /* static */
    json_t *content;    /* of messages: parts in GA shape, without sound */
    char *call_id, *name;
    char *text;             /* arguments or output of a function */
    struct tl_buf audio;    /* of the caller, µ-law */
    const uint8_t *sound;   /* of the AI, µ-law; the bank's */
    size_t generated_bytes; /* of it, 8 a millisecond */
    bool is_truncated;
    enum tl_ai_turn turn;
    const struct tl_phrase *phrase; /* what it says; of function calls: the one they answer */
};

TAILQ_HEAD(tl_ai_item_list, tl_ai_item);

/** With a fresh id. `role` (may be NULL) must be static. */
struct tl_ai_item *tl_ai_item_create(struct tl_ai_sim *sim, enum tl_ai_item_kind kind,
                                     const char *role);
void tl_ai_item_destroy(struct tl_ai_item *item); /* accepts NULL */

struct tl_ai_item *tl_ai_item_find(const struct tl_ai_item_list *items, const char *id);
struct tl_ai_item *tl_ai_item_find_call(const struct tl_ai_item_list *items, const char *call_id);

/** As clients of the dialect see it; a new reference. `with_audio`: base64 too. */
json_t *tl_ai_item_json(const struct tl_ai_item *item, enum tl_ai_dialect dialect, bool with_audio);

/** Checks what a client wants to create against the conversation and makes it. False: refused. */
bool tl_ai_item_parse(struct tl_ai_sim *sim, const struct tl_ai_item_list *items,
                      enum tl_ai_dialect dialect, const json_t *given, const char *path,
                      struct tl_ai_item **ret_item, struct tl_ai_problem *problem);

/** All text of a message's parts, or of a function's output, joined by spaces. */
void tl_ai_item_text(const struct tl_ai_item *item, struct tl_buf *out);

#endif
