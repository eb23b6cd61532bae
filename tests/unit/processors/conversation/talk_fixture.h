#ifndef TL_TEST_TALK_FIXTURE_H
#define TL_TEST_TALK_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "processors/conversation/talk.h"

#define TALK_IDS 512
#define TALK_TURNS 512

/** A talk between a script and a journal. What the talk asks for is written down, a line each, and
 *  checked against what must hold always: an id has one final and nothing behind it, revisions
 * rise, finals come in turn order, no mark goes out beyond what the log holds, media_to never goes
 * back. */
struct talk_fixture {
    struct tl_talk talk;
    struct tl_ear ear;
    struct tl_talk_now now;
    struct tl_buf journal;
    struct tl_buf played; /* bytes, in order */
    struct {
        char id[37];
        int revision, finals, turn;
    } ids[TALK_IDS];
    size_t ids_n;
    int last_final_turn;
    struct tl_talk_turn *in_flight[64]; /* drafts of the AI on their way to the log, oldest first */
    int64_t in_flight_ms[64];
    int in_flight_turn[64];
    size_t in_flight_n;
    int64_t logged_ms[TALK_TURNS]; /* sound of a turn whose draft is in the log */
    /* the last utterance */
    bool has_media_to, had_media_to, has_answers_to;
    struct tl_position media_to, answers_to;
    int media_mailbox;
    int64_t media_offset;
    int64_t start_ms, end_ms;
    char entity[32];
    int64_t entities_n;
    int64_t frame; /* next one of the caller */
};

int talk_set_up(void **state);
int talk_tear_down(void **state);
void talk_begin(struct talk_fixture *f);
void talk_end(struct talk_fixture *f);

void talk_wait(struct talk_fixture *f, int64_t ms); /* and a tick */
void talk_hear(struct talk_fixture *f, int64_t ms); /* the caller's sound goes to the AI */

/** The oldest draft on its way arrives, or does not. */
void talk_log_one(struct talk_fixture *f, bool ok);
/** All of them, and those that follow, until none is left. */
void talk_log_all(struct talk_fixture *f);

/** An answer begins, with words and sound; nothing is logged yet. */
void talk_answer(struct talk_fixture *f, const char *item_id, const char *words, int64_t ms);
void talk_sound(struct talk_fixture *f, const char *item_id, int64_t ms);

/** The caller's turn up to and with its commit, `ms` long. */
void talk_caller(struct talk_fixture *f, const char *item_id, int64_t ms);

/** The n-th byte of the sound that talk_sound makes, of the whole fixture. */
uint8_t talk_byte(int64_t n);

/** Compares the journal and empties it. */
void talk_assert(struct talk_fixture *f, const char *journal);
void talk_forget(struct talk_fixture *f); /* empties it unread */

#endif
