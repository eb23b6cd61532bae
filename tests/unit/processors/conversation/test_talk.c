/* talk.h: drafts before sound, finals in turn order and as heard, barge-in, sockets that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "talk_fixture.h"

static void mark(struct talk_fixture *f, const char *name)
{
    tl_talk_on_line(&f->talk, f->now.call_ms);
    tl_talk_on_mark(&f->talk, name, f->now);
}

static void transcript(struct talk_fixture *f, const char *item_id, const char *text)
{
    tl_talk_on_transcript(&f->talk, item_id, text, f->now);
}

static void done(struct talk_fixture *f, const char *item_id)
{
    tl_talk_on_answer_done(&f->talk, item_id, f->now);
}

/* The played bytes are those that were made, from `from` on. */
static void assert_played(struct talk_fixture *f, int64_t from_ms, int64_t to_ms)
{
    assert_int_equal(f->played.len, (to_ms - from_ms) * 8);
    for (size_t i = 0; i < f->played.len; i++)
        assert_int_equal(f->played.data[i], talk_byte(from_ms * 8 + (int64_t)i));
    tl_buf_reset(&f->played);
}

/* ---- drafts and sound ---- */

static void sound_is_not_released_before_its_draft_is_logged(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 400);
    talk_assert(f, "draft 1 ai \"Good morning.\"\n");
    talk_wait(f, 5000); /* however long it takes */
    talk_assert(f, "");
    assert_int_equal(f->played.len, 0);
    talk_log_one(f, true);
    talk_assert(f, "play 200\nmark 1.0.200\nplay 200\nmark 1.0.400\n");
    assert_played(f, 0, 400);
}

static void draft_that_failed_releases_nothing_and_is_written_again(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 200);
    talk_forget(f);
    talk_log_one(f, false);
    talk_assert(f, ""); /* not at once: the log may refuse again from within the call */
    talk_wait(f, 100);
    talk_assert(f, "draft 1 ai \"Good morning.\"\n");
    talk_log_one(f, true);
    talk_assert(f, "play 200\nmark 1.0.200\n");
}

static void one_draft_is_in_flight(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good", 200);
    for (int i = 0; i < 10; i++) {
        tl_talk_on_answer_words(&f->talk, "a", " x");
        talk_sound(f, "a", 100);
        talk_wait(f, 300);
    }
    talk_assert(f, "draft 1 ai \"Good\"\n");
    talk_log_one(f, true);
    talk_assert(f, "draft 1 ai \"Good x x x x x x x x x x\"\nplay 200\nmark 1.0.200\n");
    assert_int_equal(f->in_flight_n, 1);
    talk_log_one(f, true); /* releases what the second one covers, no more, and not its end */
    assert_played(f, 0, 1000);
}

static void sound_that_comes_later_gets_a_draft_of_its_own(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea", 2000);
    talk_log_all(f);
    talk_forget(f);
    tl_talk_on_answer_words(&f->talk, "a", " and");
    talk_sound(f, "a", 20);
    talk_wait(f, 150);
    talk_assert(f, "draft 1 ai \"Tea and\"\nplay 200\nmark 1.0.2000\n");
    assert_int_equal(f->played.len, 2000 * 8);
    done(f, "a");
    talk_log_all(f);
    assert_played(f, 0, 2020);
}

static void last_piece_is_as_short_as_it_is(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and", 450);
    done(f, "a");
    talk_log_all(f);
    assert_non_null(strstr(tl_buf_str(&f->journal), "play 50\nmark 1.0.450\n"));
    assert_played(f, 0, 450);
    talk_forget(f);
}

static void short_piece_does_not_wait_when_nothing_is_left_to_hear(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea", 60);
    talk_log_all(f);
    talk_assert(f, "draft 1 ai \"Tea\"\nplay 60\nmark 1.0.60\n");
}

/* Else who takes over would not know that what was heard is all of it, and say it again. */
static void end_of_an_answer_waits_for_the_log_to_say_so(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes.", 1000);
    talk_log_all(f);
    assert_int_equal(f->played.len, 800 * 8);
    done(f, "a");
    assert_int_equal(f->played.len, 800 * 8);
    talk_log_all(f);
    assert_played(f, 0, 1000);
}

static void end_of_an_answer_does_not_wait_for_silence(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes.", 1000);
    talk_log_all(f);
    mark(f, "1.0.400");
    assert_int_equal(f->played.len, 800 * 8);
    mark(f, "1.0.600"); /* 200 ms lie unheard */
    assert_played(f, 0, 1000);
}

static void play_ahead_is_ten_seconds(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "A very long story.", 30000);
    done(f, "a");
    talk_log_all(f);
    assert_int_equal(f->played.len, 10000 * 8);
    mark(f, "1.0.1000"); /* one second was heard: one second more */
    assert_int_equal(f->played.len, 11000 * 8);
    talk_wait(f, 60000); /* time alone sends nothing */
    assert_int_equal(f->played.len, 11000 * 8);
    for (int ms = 2000; ms <= 20000; ms += 1000) {
        char name[32];
        (void)snprintf(name, sizeof(name), "1.0.%d", ms);
        mark(f, name);
    }
    assert_played(f, 0, 30000);
}

static void answer_whose_marks_never_come_is_over_at_last(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning, madam.", 2000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.600");
    talk_forget(f);
    talk_wait(f, 31000); /* the sound was to be over after two of them */
    assert_false(tl_talk_is_idle(&f->talk));
    talk_wait(f, 2000);
    assert_true(tl_talk_is_idle(&f->talk));
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 1 ai"));
    talk_forget(f);
}

static void next_answer_waits_until_the_one_before_is_sent(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "First.", 400);
    talk_answer(f, "b", "Second.", 200);
    done(f, "b");
    talk_log_all(f);
    talk_assert(f, "draft 1 ai \"First.\"\n"
                   "play 200\nmark 1.0.200\nplay 200\nmark 1.0.400\n");
    done(f, "a"); /* now "a" is whole */
    talk_log_all(f);
    talk_assert(f, "draft 1 ai whole \"First.\"\n"
                   "draft 2 ai whole \"Second.\"\nplay 200\nmark 2.0.200\n");
    assert_played(f, 0, 600);
}

static void sound_of_an_unknown_answer_is_ignored(void **state)
{
    struct talk_fixture *f = *state;
    talk_sound(f, "nobody", 200);
    talk_caller(f, "c", 500);
    talk_sound(f, "c", 200); /* a turn of the caller */
    talk_assert(f, "");
}

static void heard_sound_is_given_back(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea.", 2000);
    talk_log_all(f);
    assert_int_equal(tl_talk_sound_bytes(&f->talk), 16000);
    mark(f, "1.0.1800");
    assert_int_equal(tl_talk_sound_bytes(&f->talk), 1600);
    mark(f, "1.0.1600"); /* out of order */
    assert_int_equal(tl_talk_sound_bytes(&f->talk), 1600);
}

/* ---- what was heard ---- */

static void answer_is_final_when_all_of_it_was_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 400);
    talk_log_all(f);
    done(f, "a");
    mark(f, "1.0.200");
    assert_true(tl_talk_is_playing(&f->talk));
    talk_forget(f);
    mark(f, "1.0.400");
    talk_assert(f, "final 1 ai 400ms \"Good morning.\"\nremember 1 ai a \"Good morning.\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
    assert_false(tl_talk_is_playing(&f->talk));
    assert_int_equal(f->end_ms - f->start_ms, 400);
}

static void answer_is_not_final_before_it_is_whole(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 400);
    talk_log_all(f);
    mark(f, "1.0.400");
    talk_wait(f, 60000);
    assert_null(strstr(tl_buf_str(&f->journal), "final"));
    talk_forget(f);
    done(f, "a");
    talk_assert(f, "draft 1 ai whole \"Good morning.\"\n"
                   "final 1 ai 400ms \"Good morning.\"\nremember 1 ai a \"Good morning.\"\n");
}

static void answers_over_makes_every_answer_whole(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 400);
    talk_log_all(f);
    mark(f, "1.0.400");
    talk_forget(f);
    tl_talk_on_answers_over(&f->talk, f->now);
    talk_assert(f, "draft 1 ai whole \"Good morning.\"\n"
                   "final 1 ai 400ms \"Good morning.\"\nremember 1 ai a \"Good morning.\"\n");
}

static void second_answer_begins_when_the_first_one_ends(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "First.", 3000);
    done(f, "a");
    talk_log_all(f);
    assert_int_equal(f->start_ms, 1000);
    talk_answer(f, "b", "Second.", 200);
    assert_int_equal(f->start_ms, 4000); /* behind what lies unheard */
}

static void mark_that_is_none_of_ours_is_ignored(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 400);
    talk_log_all(f);
    done(f, "a");
    talk_forget(f);
    mark(f, "");
    mark(f, "1.0");
    mark(f, "hello");
    mark(f, "9.0.400");
    mark(f, "1.7.400"); /* another epoch */
    talk_assert(f, "");
    assert_true(tl_talk_is_playing(&f->talk));
}

/* A name that we never gave comes from the network: nothing may be taken for heard that was not
 * sent. */
static void mark_beyond_what_was_sent_is_not_believed(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning.", 1000);
    talk_log_all(f);
    talk_sound(f, "a", 1000); /* its draft is on the way */
    mark(f, "1.0.1800");
    mark(f, "1.0.9223372036854775807");
    mark(f, "1.0.-5");
    done(f, "a");
    talk_log_all(f);
    assert_played(f, 0, 2000);
    assert_int_equal(tl_talk_sound_bytes(&f->talk), 8000); /* the second half was not heard */
    assert_true(tl_talk_is_playing(&f->talk));
    talk_forget(f);
    tl_talk_stop(&f->talk, f->now);
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 1 ai 1000ms cut"));
    talk_forget(f);
}

/* ---- barge-in ---- */

static void barge_in_cuts_at_the_words_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "The first half here, the second half there", 4000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.2000");
    talk_forget(f);
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "clear\ntruncate a 2000\n"
                   "final 1 ai 2000ms cut \"The first half here,\"\n"
                   "remember 1 ai a \"The first half here,\"\n");
    assert_int_equal(f->end_ms - f->start_ms, 2000);
    assert_int_equal(f->talk.epoch, 1);
    assert_false(tl_talk_is_playing(&f->talk));
    assert_true(tl_talk_is_caller_speaking(&f->talk));
}

static void barge_in_deletes_what_was_not_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Nobody hears this", 1000);
    talk_log_all(f);
    talk_forget(f);
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "clear\ntruncate a 0\n"
                   "final 1 ai 0ms cut \"\"\nremember 1 ai a \"\"\n");
}

static void barge_in_cuts_every_answer_that_waits(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "First.", 400);
    done(f, "a");
    talk_log_all(f);
    talk_answer(f, "b", "Second.", 400);
    talk_log_all(f);
    mark(f, "1.0.200");
    talk_forget(f);
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "clear\ntruncate a 200\ntruncate b 0\n"
                   "final 1 ai 200ms cut \"\"\nremember 1 ai a \"\"\n"
                   "final 2 ai 0ms cut \"\"\nremember 2 ai b \"\"\n");
}

static void barge_in_leaves_an_answer_that_was_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "Good morning.", 400);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.400"); /* its final waits for the transcript of "c" */
    talk_forget(f);
    assert_false(tl_talk_on_speech_started(&f->talk, "d", 600, f->now));
    talk_assert(f, "");
    transcript(f, "c", "Hello.");
    talk_assert(f, "final 1 caller \"Hello.\"\nremember 1 caller c \"Hello.\"\n"
                   "final 2 ai 400ms \"Good morning.\"\nremember 2 ai a \"Good morning.\"\n");
}

static void speech_without_an_answer_interrupts_nobody(void **state)
{
    struct talk_fixture *f = *state;
    assert_false(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "");
    assert_int_equal(f->talk.epoch, 0);
}

static void marks_that_come_back_for_the_clear_say_nothing(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500); /* its transcript is still to come: the answer's final waits */
    talk_answer(f, "a", "Tea and cakes with jams", 1000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.400");
    assert_true(tl_talk_on_speech_started(&f->talk, "d", 600, f->now));
    mark(f, "2.0.600");
    mark(f, "2.0.800");
    mark(f, "2.0.1000");
    talk_forget(f);
    transcript(f, "c", "Hello.");
    talk_assert(f, "final 1 caller \"Hello.\"\nremember 1 caller c \"Hello.\"\n"
                   "final 2 ai 400ms cut \"Tea and\"\nremember 2 ai a \"Tea and\"\n");
}

static void sound_of_an_interrupted_answer_is_ignored(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "Tea and", 200);
    talk_log_all(f);
    assert_true(tl_talk_on_speech_started(&f->talk, "d", 600, f->now));
    talk_forget(f);
    talk_sound(f, "a", 400);
    tl_talk_on_answer_words(&f->talk, "a", " cakes");
    done(f, "a");
    talk_wait(f, 1000);
    talk_assert(f, "");
    transcript(f, "c", "Hello.");
    talk_sound(f, "a", 400); /* its final is written: it is gone */
    assert_null(strstr(tl_buf_str(&f->journal), "play"));
}

static void sound_goes_on_after_a_barge_in(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea", 1000);
    talk_log_all(f);
    talk_caller(f, "c", 500);
    transcript(f, "c", "Stop.");
    talk_forget(f);
    talk_answer(f, "b", "Sorry.", 200);
    talk_log_all(f);
    talk_assert(f, "draft 3 ai \"Sorry.\"\nplay 200\nmark 3.1.200\n");
}

static void draft_that_is_delivered_after_its_turn_is_gone_is_harmless(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and", 400);
    assert_int_equal(f->in_flight_n, 1);
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "draft 1 ai \"Tea and\"\nclear\ntruncate a 0\n"
                   "final 1 ai 0ms cut \"\"\nremember 1 ai a \"\"\n");
    talk_log_one(f, true);
    talk_assert(f, "");
}

static void draft_that_is_delivered_after_the_talk_is_gone_is_harmless(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and", 400);
    talk_caller(f, "c", 500);
    talk_answer(f, "b", "Cakes", 400);
    assert_int_equal(f->in_flight_n, 2);
    talk_forget(f); /* the tear-down finishes the talk and delivers both */
}

static void interrupted_answer_that_nobody_drafted_is_no_utterance(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and", 0); /* words, no sound yet */
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "clear\n");
}

/* ---- the order of finals ---- */

static void finals_wait_for_the_transcript_before_them(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "You are welcome.", 400);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.400");
    talk_assert(f, "draft 2 ai \"You are welcome.\"\ndraft 2 ai whole \"You are welcome.\"\n"
                   "play 200\nmark 2.0.200\nplay 200\nmark 2.0.400\n");
    transcript(f, "c", "Thank you.");
    talk_assert(f, "final 1 caller \"Thank you.\"\nremember 1 caller c \"Thank you.\"\n"
                   "final 2 ai 400ms \"You are welcome.\"\n"
                   "remember 2 ai a \"You are welcome.\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void transcripts_out_of_order_are_put_in_order(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_caller(f, "d", 500);
    transcript(f, "d", "Second.");
    talk_assert(f, "");
    transcript(f, "c", "First.");
    talk_assert(f, "final 1 caller \"First.\"\nremember 1 caller c \"First.\"\n"
                   "final 2 caller \"Second.\"\nremember 2 caller d \"Second.\"\n");
}

static void transcript_that_does_not_come_for_ten_seconds_failed(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "Yes.", 200);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.200");
    talk_forget(f);
    talk_wait(f, 10000);
    talk_assert(f, "");
    talk_wait(f, 1);
    talk_assert(f, "final 1 caller failed \"\"\nremember 1 caller c \"\"\n"
                   "final 2 ai 200ms \"Yes.\"\nremember 2 ai a \"Yes.\"\n");
    transcript(f, "c", "Too late.");
    talk_assert(f, ""); /* finals never change */
}

static void transcript_that_failed_is_final_at_once(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    transcript(f, "c", NULL);
    talk_assert(f, "final 1 caller failed \"\"\nremember 1 caller c \"\"\n");
}

static void transcript_of_an_answer_is_ignored(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Yes.", 200);
    talk_forget(f);
    transcript(f, "a", "No.");
    tl_talk_on_words(&f->talk, "a", "No.", f->now);
    transcript(f, "nobody", "No.");
    talk_assert(f, "");
}

static void caller_who_said_nothing_is_no_utterance(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "cough", 300);
    transcript(f, "cough", "");
    talk_assert(f, "");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void caller_who_said_nothing_after_a_draft_gets_an_empty_final(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 300);
    tl_talk_on_words(&f->talk, "c", "Hm", f->now);
    transcript(f, "c", "");
    talk_assert(f, "draft 1 caller \"Hm\"\nfinal 1 caller \"\"\nremember 1 caller c \"\"\n");
}

static void answer_without_sound_is_no_utterance(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Only thought.", 0);
    done(f, "a");
    talk_assert(f, "");
    assert_true(tl_talk_is_idle(&f->talk));
}

/* More finals than the redactor holds become ready at once. */
static void many_finals_that_waited_for_one_transcript_all_come(void **state)
{
    struct talk_fixture *f = *state;
    char item_id[16];
    int finals = 0;
    talk_caller(f, "c", 500);
    for (int i = 0; i < 3 * TL_REDACT_HELD_MAX; i++) {
        (void)snprintf(item_id, sizeof(item_id), "d%d", i);
        talk_caller(f, item_id, 200);
        transcript(f, item_id, i % 2 ? "Yes, please." : "My order is 4 8 2");
    }
    talk_assert(f, "");
    transcript(f, "c", "Hello.");
    talk_wait(f, 4000);
    for (const char *p = tl_buf_str(&f->journal); (p = strstr(p, "final ")); p++)
        finals++;
    assert_int_equal(finals, 3 * TL_REDACT_HELD_MAX + 1);
    assert_true(tl_talk_is_idle(&f->talk));
    talk_forget(f);
}

/* ---- the caller ---- */

static void caller_words_are_drafted_now_and_then(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    tl_talk_on_words(&f->talk, "c", "I", f->now);
    tl_talk_on_words(&f->talk, "c", " would", f->now); /* too soon */
    f->now.mono_ms += 150;
    tl_talk_on_words(&f->talk, "c", " like", f->now);
    transcript(f, "c", "I would like tea.");
    talk_assert(f, "draft 1 caller \"I\"\ndraft 1 caller \"I would like\"\n"
                   "final 1 caller \"I would like tea.\"\n"
                   "remember 1 caller c \"I would like tea.\"\n");
}

static void utterances_carry_their_places(void **state)
{
    struct talk_fixture *f = *state;
    talk_hear(f, 1000);
    talk_caller(f, "c", 1000); /* frames 50 to 99 */
    talk_answer(f, "a", "Yes.", 200);
    assert_true(f->has_answers_to);
    assert_int_equal(f->answers_to.number, 1);
    assert_int_equal(f->answers_to.offset, 9);
    assert_true(f->answers_to.n >= 98 && f->answers_to.n <= 100);
    assert_false(f->has_media_to); /* the words of "c" are not in the log */
    assert_int_equal(f->media_mailbox, -1);
    assert_int_equal(f->media_offset, -1);
    struct tl_position answered = f->answers_to;
    transcript(f, "c", "Tea?");
    assert_false(f->has_answers_to); /* of the caller */
    assert_true(f->has_media_to);
    assert_memory_equal(&f->media_to, &answered, sizeof(answered));
    assert_int_equal(f->media_mailbox, 3);
    assert_true(f->media_offset >= 1025 && f->media_offset <= 1050);
    assert_int_equal(f->start_ms, 2000);
    assert_int_equal(f->end_ms, 3000);
}

static void places_move_on_past_what_was_silence(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "cough", 300);
    transcript(f, "cough", "");
    talk_answer(f, "a", "Yes.", 200);
    assert_true(f->has_media_to); /* no utterance, but it is done with */
}

/* An answer that is heard whole while the caller says nothing. */
static void answer_and_hear(struct talk_fixture *f, const char *item_id, int64_t ms)
{
    char name[48];
    talk_answer(f, item_id, "Good morning.", ms);
    done(f, item_id);
    talk_log_all(f);
    talk_hear(f, ms);
    (void)snprintf(name, sizeof(name), "%d.%d.%lld", f->talk.turn, f->talk.epoch, (long long)ms);
    mark(f, name);
}

static void silence_while_the_ai_spoke_is_done_with(void **state)
{
    struct talk_fixture *f = *state;
    f->talk.prefix_ms = 300;
    tl_talk_on_noticed(&f->talk, 6500);
    answer_and_hear(f, "a", 8000);
    assert_true(f->has_media_to);
    assert_int_equal(f->media_to.n, (6500 - 300) / 20); /* what the provider has judged */
    tl_talk_on_noticed(&f->talk, 10500);
    answer_and_hear(f, "b", 4000);
    assert_int_equal(f->media_to.n, (10500 - 300) / 20);
}

/* A session that is dead and not known to be tells nothing of who speaks. */
static void sound_that_a_lost_session_was_given_is_not_silence(void **state)
{
    struct talk_fixture *f = *state;
    tl_talk_on_noticed(&f->talk, 6500);
    talk_answer(f, "a", "Good morning.", 8000);
    done(f, "a");
    talk_log_all(f);
    talk_hear(f, 8000);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    mark(f, "1.0.8000");
    talk_forget(f);
    assert_false(f->has_media_to);
}

static void silence_that_is_not_judged_yet_is_not_done_with(void **state)
{
    struct talk_fixture *f = *state;
    answer_and_hear(f, "a", 1400);
    assert_false(f->has_media_to);
}

static void sound_is_not_silence_while_the_caller_speaks(void **state)
{
    struct talk_fixture *f = *state;
    tl_talk_on_noticed(&f->talk, 8000);
    talk_answer(f, "a", "Good morning.", 8000);
    done(f, "a");
    talk_log_all(f);
    talk_hear(f, 8000);
    (void)tl_talk_on_speech_started(&f->talk, "c", 5000, f->now);
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 1 ai"));
    assert_false(f->has_media_to);
    talk_forget(f);
}

/* What the redactor still holds is not in the log: a death now must not lose it. */
static void sound_of_a_turn_that_is_held_is_not_silence(void **state)
{
    struct talk_fixture *f = *state;
    tl_talk_on_noticed(&f->talk, 8000);
    talk_caller(f, "c", 1000); /* frames 0 to 49 */
    transcript(f, "c", "My order is 4 8 2 1");
    answer_and_hear(f, "a", 1000);
    talk_caller(f, "d", 1000);
    transcript(f, "d", "no, it is 7 7");
    talk_hear(f, 2000);
    talk_forget(f);
    for (int i = 0; i < 16 && !strstr(tl_buf_str(&f->journal), "final 3"); i++) {
        talk_wait(f, 250);
        if (strstr(tl_buf_str(&f->journal), "final 2") &&
            !strstr(tl_buf_str(&f->journal), "final 3"))
            assert_true(f->media_to.n <= 50);
    }
    const char *journal = tl_buf_str(&f->journal);
    assert_non_null(strstr(journal, "final 2 ai"));
    assert_non_null(strstr(journal, "final 3 caller"));
    talk_forget(f);
}

static void answer_names_the_newest_turn_that_it_answers(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "Tea.", 200);
    struct tl_position first = f->answers_to;
    talk_caller(f, "d", 500);
    talk_answer(f, "b", "And.", 200);
    assert_true(f->answers_to.n > first.n);
}

static void commit_without_speech_is_a_turn(void **state)
{
    struct talk_fixture *f = *state;
    talk_hear(f, 500);
    tl_talk_on_committed(&f->talk, "c", f->now);
    tl_talk_on_committed(&f->talk, "c", f->now); /* once */
    transcript(f, "c", "Hello?");
    talk_assert(f, "final 1 caller \"Hello?\"\nremember 1 caller c \"Hello?\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void speech_that_was_never_committed_leaves_nothing(void **state)
{
    struct talk_fixture *f = *state;
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    (void)tl_talk_on_speech_started(&f->talk, "d", 0, f->now);
    tl_talk_on_committed(&f->talk, "d", f->now);
    transcript(f, "d", "Hello.");
    talk_assert(f, "final 1 caller \"Hello.\"\nremember 1 caller d \"Hello.\"\n");
}

static void draft_of_speech_that_was_never_committed_goes_on_with_the_next(void **state)
{
    struct talk_fixture *f = *state;
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    tl_talk_on_words(&f->talk, "c", "Hel", f->now);
    (void)tl_talk_on_speech_started(&f->talk, "d", 0, f->now);
    tl_talk_on_committed(&f->talk, "d", f->now);
    transcript(f, "d", "Hello.");
    talk_assert(f, "draft 1 caller \"Hel\"\nfinal 1 caller \"Hello.\"\n"
                   "remember 1 caller d \"Hello.\"\n");
    assert_int_equal(f->ids_n, 1); /* one id, one final */
}

static void card_number_across_two_turns_is_masked(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 2000);
    transcript(f, "c", "My card number is 4111 1111");
    talk_assert(f, ""); /* held: it may go on */
    talk_answer(f, "a", "Go on.", 200);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.200");
    talk_forget(f);
    talk_caller(f, "d", 2000);
    tl_talk_on_words(&f->talk, "d", "1111 1111", f->now);
    assert_null(strstr(tl_buf_str(&f->journal), "1111"));
    transcript(f, "d", "1111 1111 is it.");
    talk_wait(f, 4000);
    const char *journal = tl_buf_str(&f->journal);
    assert_null(strstr(journal, "1111"));
    assert_null(strstr(journal, "4111"));
    assert_non_null(strstr(journal, "final 1 caller \"My card number is [CARD_1]"));
    assert_non_null(strstr(journal, "final 3 caller"));
    talk_forget(f);
    assert_true(tl_talk_is_idle(&f->talk));
}

static void undecided_digits_are_held_three_seconds(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 1000);
    transcript(f, "c", "My order is 4 8 2 1");
    assert_false(tl_talk_is_idle(&f->talk));
    talk_wait(f, 2999);
    talk_assert(f, "");
    talk_wait(f, 1);
    talk_assert(f, "final 1 caller \"My order is [DIGITS_1]\"\n"
                   "remember 1 caller c \"My order is [DIGITS_1]\"\n");
    assert_int_equal(f->entities_n, 1);
    assert_string_equal(f->entity, "DIGITS");
}

static void flush_writes_what_is_held_masked(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 1000);
    transcript(f, "c", "My order is 4 8 2 1");
    tl_talk_flush(&f->talk, f->now);
    talk_assert(f, "final 1 caller \"My order is [DIGITS_1]\"\n"
                   "remember 1 caller c \"My order is [DIGITS_1]\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

/* ---- sockets and sessions that end ---- */

static void go_on(struct talk_fixture *f, enum tl_speaker speaker, const char *text, int64_t len_ms);
static void go_on_with(struct talk_fixture *f, enum tl_speaker speaker, const char *text,
                       int64_t len_ms, bool complete);

static void resend_sends_what_was_not_heard_again(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes with jams", 1000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.400");
    assert_played(f, 0, 1000);
    talk_forget(f);
    tl_talk_resend(&f->talk, f->now);
    talk_assert(f, "play 200\nmark 1.1.600\nplay 200\nmark 1.1.800\nplay 200\nmark 1.1.1000\n");
    assert_played(f, 400, 1000);
    mark(f, "1.0.1000"); /* of the old socket */
    talk_assert(f, "");
    mark(f, "1.1.1000");
    talk_assert(f, "final 1 ai 1000ms \"Tea and cakes with jams\"\n"
                   "remember 1 ai a \"Tea and cakes with jams\"\n");
}

/* Call time 1000 is when its sound began: the last mark at 1450, the last frame at 1700. */
static void what_played_on_behind_the_last_mark_is_not_sent_again(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes with jams", 1000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.400");
    assert_played(f, 0, 1000);
    talk_forget(f);
    tl_talk_on_broken(&f->talk, 1700, 1450, true, f->now);
    tl_talk_resend(&f->talk, f->now);
    talk_assert(f, "play 200\nmark 1.1.840\nplay 160\nmark 1.1.1000\n");
    assert_played(f, 640, 1000);
}

static void without_a_mark_nothing_is_taken_as_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes with jams", 1000);
    done(f, "a");
    talk_log_all(f);
    assert_played(f, 0, 1000);
    talk_forget(f);
    tl_talk_on_broken(&f->talk, 1700, -1, true, f->now);
    tl_talk_resend(&f->talk, f->now);
    assert_played(f, 0, 1000);
}

static void no_more_plays_on_than_was_sent(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    mark(f, "5.0.400");
    tl_talk_on_broken(&f->talk, 700, 650, false, f->now); /* the one before: others sent into the next */
    talk_assert(f, "");
    tl_talk_on_broken(&f->talk, 9000, 1000, true, f->now);
    talk_assert(f, "answered \"Tea and cakes with\"\n"
                   "final 5 ai 800ms \"Tea and cakes with\"\n"
                   "remember 5 ai  \"Tea and cakes with\"\n");
}

/* Its words ran ahead of its sound: how much was heard follows from how fast that voice speaks. */
static void of_an_incomplete_draft_words_count_as_the_voice_is_fast(void **state)
{
    struct talk_fixture *f = *state;
    go_on_with(f, TL_SPEAKER_AI, "Tea and cakes with jams for ten people", 800, false);
    mark(f, "5.0.800");
    talk_wait(f, 401);
    talk_assert(f, "unfinished \"Tea and cakes with\"\nfinal 5 ai 800ms cut \"Tea and cakes with\"\nremember 5 ai  \"Tea and cakes with\"\n");
}

static void resend_of_nothing_sends_nothing(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea", 200);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.200");
    talk_forget(f);
    tl_talk_resend(&f->talk, f->now);
    talk_assert(f, "");
}

static void resend_does_not_send_what_was_cut(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500); /* without its transcript the cut answer stays */
    talk_answer(f, "a", "Tea and", 1000);
    talk_log_all(f);
    (void)tl_talk_on_speech_started(&f->talk, "d", 600, f->now);
    talk_forget(f);
    tl_talk_resend(&f->talk, f->now);
    talk_assert(f, "");
}

static void stop_makes_answers_final_as_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and cakes with jams", 1000);
    talk_log_all(f);
    mark(f, "1.0.400");
    talk_forget(f);
    tl_talk_stop(&f->talk, f->now);
    talk_assert(f, "truncate a 400\nfinal 1 ai 400ms cut \"Tea and\"\n"
                   "remember 1 ai a \"Tea and\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void stop_leaves_the_transcripts_their_time(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_answer(f, "a", "Tea and", 400);
    talk_log_all(f);
    talk_forget(f);
    tl_talk_stop(&f->talk, f->now);
    talk_assert(f, "truncate a 0\n");
    mark(f, "2.0.400"); /* too late: it is cut */
    transcript(f, "c", "Bye.");
    talk_assert(f, "final 1 caller \"Bye.\"\nremember 1 caller c \"Bye.\"\n"
                   "final 2 ai 0ms cut \"\"\nremember 2 ai a \"\"\n");
}

static void lost_session_lets_the_sound_play(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Tea and", 400);
    talk_log_all(f);
    talk_forget(f);
    assert_true(tl_talk_on_session_lost(&f->talk, f->now)); /* another is to go on with it */
    talk_assert(f, "");
    mark(f, "1.0.400");
    talk_assert(f, "final 1 ai 400ms cut \"Tea and\"\nremember 1 ai a \"Tea and\"\n");
}

/* Words run ahead of their sound: half a second of it is not eight of them. */
static void answer_that_lost_its_session_has_the_words_of_its_sound(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "We are open from nine to five, and on", 500);
    talk_log_all(f);
    assert_true(tl_talk_on_session_lost(&f->talk, f->now));
    mark(f, "1.0.400");
    talk_forget(f);
    mark(f, "1.0.500");
    assert_non_null(strstr(tl_buf_str(&f->journal), "\"We are open\""));
    talk_forget(f);
}

static void answer_whose_session_was_lost_behind_its_end_is_whole(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "Good morning to you, dear caller.", 1400);
    talk_log_all(f);
    talk_forget(f);
    assert_false(tl_talk_on_session_lost(&f->talk, f->now));
    talk_log_all(f);
    talk_forget(f);
    mark(f, "1.0.1400");
    talk_assert(f, "final 1 ai 1400ms \"Good morning to you, dear caller.\"\n"
                   "remember 1 ai a \"Good morning to you, dear caller.\"\n");
}

static void answer_without_a_sound_leaves_nothing_when_its_session_is_lost(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    transcript(f, "c", "Where?");
    tl_talk_on_answer(&f->talk, "a");
    tl_talk_on_answer_words(&f->talk, "a", "Here");
    assert_false(tl_talk_on_session_lost(&f->talk, f->now));
    assert_false(tl_talk_is_open(&f->talk, TL_SPEAKER_AI));
    talk_forget(f);
}

/* Its sound is given to the next session: the turn keeps its place and its utterance. */
static void turn_of_a_lost_session_gets_the_transcript_of_the_next(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    tl_talk_on_words(&f->talk, "c", "Whe", f->now);
    talk_answer(f, "a", "Tea and", 400);
    done(f, "a");
    talk_log_all(f);
    mark(f, "2.0.400");
    talk_forget(f);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    assert_true(tl_talk_is_transcribed(&f->talk));
    talk_wait(f, 3000);
    talk_assert(f, "");
    talk_caller(f, "again", 500);
    assert_false(tl_talk_is_transcribed(&f->talk));
    transcript(f, "c", "Of the old session.");
    transcript(f, "again", "Where is it?");
    talk_assert(f, "final 1 caller \"Where is it?\"\nremember 1 caller again \"Where is it?\"\n"
                   "final 2 ai 400ms \"Tea and\"\nremember 2 ai a \"Tea and\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void turn_of_a_lost_session_fails_after_ten_seconds(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_wait(f, 9000);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    talk_wait(f, 10000); /* the next session has its own ten seconds */
    talk_assert(f, "");
    talk_wait(f, 1);
    talk_assert(f, "final 1 caller failed \"\"\nremember 1 caller  \"\"\n");
}

static void turns_of_a_lost_session_are_taken_up_in_order(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    talk_caller(f, "d", 500);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    talk_caller(f, "c2", 500);
    talk_caller(f, "d2", 500);
    talk_caller(f, "e", 500);
    transcript(f, "e", "Third.");
    transcript(f, "d2", "Second.");
    transcript(f, "c2", "First.");
    talk_wait(f, 4000); /* ordinals are held */
    const char *journal = tl_buf_str(&f->journal);
    const char *first = strstr(journal, "final 1 caller"), *second = strstr(journal, "final 2");
    assert_true(first && second && first < second && strstr(second, "final 3 caller"));
    talk_forget(f);
}

static void speech_that_a_lost_session_took_leaves_nothing(void **state)
{
    struct talk_fixture *f = *state;
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    assert_false(tl_talk_is_caller_speaking(&f->talk));
    assert_true(tl_talk_is_idle(&f->talk));
}

static void draft_of_speech_that_a_lost_session_took_goes_on_with_the_next(void **state)
{
    struct talk_fixture *f = *state;
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    tl_talk_on_words(&f->talk, "c", "Hel", f->now);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    assert_false(tl_talk_is_caller_speaking(&f->talk));
    talk_caller(f, "d", 500);
    transcript(f, "d", "Hello.");
    talk_assert(f, "draft 1 caller \"Hel\"\nfinal 1 caller \"Hello.\"\n"
                   "remember 1 caller d \"Hello.\"\n");
    assert_int_equal(f->ids_n, 1);
}

static void draft_of_the_next_session_closes_with_the_turn_that_it_takes_up(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    tl_talk_on_words(&f->talk, "c", "Whe", f->now);
    (void)tl_talk_on_session_lost(&f->talk, f->now);
    f->now.mono_ms += 1000;
    (void)tl_talk_on_speech_started(&f->talk, "again", 600, f->now);
    tl_talk_on_words(&f->talk, "again", "Where", f->now); /* before it is committed */
    tl_talk_on_committed(&f->talk, "again", f->now);
    transcript(f, "again", "Where is it?");
    assert_true(tl_talk_is_idle(&f->talk));
    for (size_t i = 0; i < f->ids_n; i++)
        assert_int_equal(f->ids[i].finals, 1);
}

static void giving_up_writes_everything_out(void **state)
{
    struct talk_fixture *f = *state;
    talk_caller(f, "c", 500);
    tl_talk_on_words(&f->talk, "c", "Wait, ", f->now);
    talk_answer(f, "a", "Tea and", 400);
    talk_log_all(f);
    mark(f, "2.0.400");
    talk_caller(f, "d", 500);
    transcript(f, "d", "My order is 4 8 2 1");
    talk_forget(f);
    tl_talk_give_up(&f->talk, f->now);
    talk_assert(f, "final 1 caller failed \"Wait, \"\nremember 1 caller  \"Wait, \"\n"
                   "final 2 ai 400ms cut \"Tea and\"\nremember 2 ai a \"Tea and\"\n"
                   "final 3 caller \"My order is [DIGITS_1]\"\n"
                   "remember 3 caller d \"My order is [DIGITS_1]\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void giving_up_closes_the_draft_of_who_still_speaks(void **state)
{
    struct talk_fixture *f = *state;
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    tl_talk_on_words(&f->talk, "c", "And", f->now);
    talk_forget(f);
    tl_talk_give_up(&f->talk, f->now);
    talk_assert(f, "final 1 caller failed \"And\"\nremember 1 caller  \"And\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

/* ---- a successor ---- */

#define PREDECESSORS_ID "11111111-1111-4111-8111-111111111111"
#define PREDECESSORS_OTHER_ID "22222222-2222-4222-8222-222222222222"

static void go_on_with(struct talk_fixture *f, enum tl_speaker speaker, const char *text,
                       int64_t len_ms, bool complete)
{
    struct tl_memory m;

    tl_memory_init(&m, 100, 10000);
    tl_memory_add_turn(&m, 4, TL_SPEAKER_CUSTOMER, "Where is my parcel?", "");
    m.has_media_to = m.has_answers_to = true;
    m.media_to = m.answers_to = (struct tl_position){.number = 1, .offset = 9, .n = 77};
    m.media_mailbox = 3;
    m.media_offset = 1077;
    struct tl_memory_draft draft = {.utterance_id = PREDECESSORS_ID,
                                    .revision = 3,
                                    .turn = 5,
                                    .speaker = speaker,
                                    .text = (char *)text,
                                    .start_ms = 500,
                                    .len_ms = len_ms,
                                    .complete = complete};
    m.turn = 5;
    m.drafts = &draft;
    m.drafts_n = 1;
    tl_talk_go_on(&f->talk, &m, f->now);
    m.drafts = NULL;
    m.drafts_n = 0;
    tl_memory_finish(&m);
}

static void go_on(struct talk_fixture *f, enum tl_speaker speaker, const char *text, int64_t len_ms)
{
    go_on_with(f, speaker, text, len_ms, true);
}

static void predecessors_answer_is_final_when_its_marks_say_so(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    f->last_final_turn = 4;
    assert_true(tl_talk_is_playing(&f->talk));
    mark(f, "5.2.400");
    talk_assert(f, "");
    mark(f, "5.2.800");
    talk_assert(f, "answered \"Tea and cakes with\"\n"
                   "final 5 ai 800ms \"Tea and cakes with\"\n"
                   "remember 5 ai  \"Tea and cakes with\"\n");
    assert_string_equal(f->ids[0].id, PREDECESSORS_ID);
    assert_int_equal(f->start_ms, 500);
    assert_int_equal(f->end_ms, 1300);
}

static void count_open(void *arg, enum tl_speaker speaker, const char *text)
{
    struct talk_fixture *f = arg;
    (void)speaker;
    tl_buf_printf(&f->journal, "open \"%s\"\n", text);
}

static void predecessors_answer_is_cut_when_no_mark_comes(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    mark(f, "5.2.400");
    talk_wait(f, 400);
    talk_assert(f, "");
    talk_wait(f, 1);
    talk_assert(f, "unfinished \"Tea and\"\n"
                   "final 5 ai 400ms cut \"Tea and\"\nremember 5 ai  \"Tea and\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void of_a_predecessors_answer_that_nobody_heard_nothing_is_told(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    tl_talk_each_open(&f->talk, count_open, f); /* a session is opened before that is known */
    talk_assert(f, "");
    talk_wait(f, 401);
    talk_assert(f, "unfinished \"\"\nfinal 5 ai 0ms cut \"\"\nremember 5 ai  \"\"\n");
}

/* All that was in the log of it was heard, but more was to come. */
static void predecessors_answer_that_was_not_complete_is_unfinished(void **state)
{
    struct talk_fixture *f = *state;
    go_on_with(f, TL_SPEAKER_AI, "Tea and", 400, false);
    mark(f, "5.2.400");
    talk_assert(f, "unfinished \"Tea and\"\n"
                   "final 5 ai 400ms cut \"Tea and\"\nremember 5 ai  \"Tea and\"\n");
}

/* It died between the last sound of the answer and saying that it was the last. */
static void predecessors_answer_that_ends_a_sentence_is_whole(void **state)
{
    struct talk_fixture *f = *state;
    go_on_with(f, TL_SPEAKER_AI, "We have tea and cakes with jam.", 1400, false);
    mark(f, "5.0.1400");
    talk_wait(f, 401);
    talk_assert(f, "answered \"We have tea and cakes with jam.\"\n"
                   "final 5 ai 1400ms \"We have tea and cakes with jam.\"\n"
                   "remember 5 ai  \"We have tea and cakes with jam.\"\n");
}

static void predecessors_answer_waits_while_marks_come(void **state)
{
    struct talk_fixture *f = *state;
    char name[32];
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with jams", 10000);
    mark(f, "5.0.100");
    for (int ms = 200; ms < 10000; ms += 200) {
        (void)snprintf(name, sizeof(name), "5.0.%d", ms);
        talk_wait(f, 350);
        mark(f, name);
    }
    talk_assert(f, "");
}

static void predecessors_answer_is_cut_by_a_barge_in(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    mark(f, "5.0.400");
    assert_true(tl_talk_on_speech_started(&f->talk, "c", 0, f->now));
    talk_assert(f, "clear\nanswered \"Tea and\"\nfinal 5 ai 400ms cut \"Tea and\"\nremember 5 ai  \"Tea and\"\n");
}

/* The predecessor answered turn 4 before it had its words: they come first, and what the caller said
 * then is no barge-in now. */
static void what_a_predecessor_answered_comes_before_its_answer(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and cakes with", 800);
    f->talk.final_turn = f->last_final_turn = 3;
    f->talk.listens = true;
    talk_caller(f, "c", 600);
    talk_assert(f, "");
    mark(f, "5.2.800");
    talk_wait(f, 1600);
    talk_assert(f, "");
    transcript(f, "c", "What is there?");
    f->talk.listens = false;
    talk_wait(f, 100);
    talk_assert(f, "final 4 caller \"What is there?\"\nremember 4 caller c \"What is there?\"\n"
                   "answered \"Tea and cakes with\"\n"
                   "final 5 ai 800ms \"Tea and cakes with\"\n"
                   "remember 5 ai  \"Tea and cakes with\"\n");
}

static void predecessors_answer_is_not_played(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and", 800);
    tl_talk_resend(&f->talk, f->now);
    talk_answer(f, "a", "Cakes.", 200);
    talk_log_all(f);
    talk_assert(f, "draft 6 ai \"Cakes.\"\nplay 200\nmark 6.1006.200\n");
}

/* What the predecessor had played does not count against what we may send. */
static void predecessors_answer_does_not_widen_the_play_ahead(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_AI, "Tea and", 9000);
    mark(f, "5.0.8000");
    talk_answer(f, "a", "Cakes.", 30000);
    talk_log_all(f);
    assert_int_equal(f->played.len, 10000 * 8);
}

static void predecessors_draft_of_the_caller_gets_our_final(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_CUSTOMER, "Whe", 0);
    talk_assert(f, "");
    talk_caller(f, "c", 500);
    transcript(f, "c", "When does it come?");
    talk_assert(f, "final 5 caller \"When does it come?\"\n"
                   "remember 5 caller c \"When does it come?\"\n");
    assert_string_equal(f->ids[0].id, PREDECESSORS_ID);
    talk_caller(f, "d", 500);
    transcript(f, "d", "Hello?");
    talk_assert(f, "final 6 caller \"Hello?\"\nremember 6 caller d \"Hello?\"\n");
}

static void predecessors_draft_of_the_caller_closes_with_its_words_when_nothing_comes(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_CUSTOMER, "Where is", 0);
    talk_wait(f, 10000);
    talk_assert(f, "");
    talk_wait(f, 1);
    talk_assert(f, "final 5 caller failed \"Where is\"\nremember 5 caller  \"Where is\"\n");
    assert_true(tl_talk_is_idle(&f->talk));
}

static void successor_goes_on_from_the_positions(void **state)
{
    struct talk_fixture *f = *state;
    go_on(f, TL_SPEAKER_CUSTOMER, "Whe", 0);
    talk_answer(f, "a", "It comes.", 200);
    assert_true(f->has_answers_to && f->has_media_to);
    assert_int_equal(f->answers_to.n, 77);
    assert_int_equal(f->media_to.n, 77);
    assert_int_equal(f->media_offset, 1077);
    assert_int_equal(f->media_mailbox, 3);
}

static void successor_counts_masks_on(void **state)
{
    struct talk_fixture *f = *state;
    struct tl_memory m;
    tl_memory_init(&m, 100, 10000);
    tl_memory_add_turn(&m, 1, TL_SPEAKER_CUSTOMER, "My card is [CARD_1].", "");
    tl_talk_go_on(&f->talk, &m, f->now);
    tl_memory_finish(&m);
    talk_caller(f, "c", 500);
    transcript(f, "c", "The other card is 4111 1111 1111 1111. Is it there?");
    talk_wait(f, 4000);
    assert_non_null(strstr(tl_buf_str(&f->journal), "[CARD_2]"));
    talk_forget(f);
}

/* The redactor holds the final for seconds; whoever takes over then knows what was heard, whatever marks a
 * clear gave back. */
static void held_answer_is_told_as_it_was_heard(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "It takes three to five, or more on Thursdays", 2000);
    done(f, "a");
    talk_log_all(f);
    mark(f, "1.0.1000");
    talk_forget(f);
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    assert_non_null(strstr(tl_buf_str(&f->journal), "held 1 ai whole cut \"It takes"));
    assert_null(strstr(tl_buf_str(&f->journal), "Thursday"));
    assert_null(strstr(tl_buf_str(&f->journal), "final"));
    talk_wait(f, 4000);
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 1 ai 1000ms cut \"It takes"));
    talk_forget(f);
}

static void predecessors_interrupted_answer_is_final_as_it_was_heard(void **state)
{
    struct talk_fixture *f = *state;
    struct tl_memory m;
    struct tl_memory_draft draft = {.utterance_id = PREDECESSORS_ID, .revision = 3, .turn = 5,
                                    .speaker = TL_SPEAKER_AI, .text = "Tea and", .start_ms = 500,
                                    .len_ms = 400, .heard_ms = 400, .interrupted = true};

    tl_memory_init(&m, 100, 10000);
    m.turn = 5;
    m.drafts = &draft;
    m.drafts_n = 1;
    tl_talk_go_on(&f->talk, &m, f->now);
    m.drafts = NULL;
    m.drafts_n = 0;
    tl_memory_finish(&m);
    mark(f, "5.2.3000");
    talk_assert(f, "answered \"Tea and\"\n"
                   "final 5 ai 400ms cut \"Tea and\"\nremember 5 ai  \"Tea and\"\n");
}

/* The second one is what the first one was gone on with: it is not gone on with twice. */
static void of_two_predecessors_answers_the_first_is_not_gone_on_with(void **state)
{
    struct talk_fixture *f = *state;
    struct tl_memory m;
    struct tl_memory_draft drafts[2] = {
        {.utterance_id = PREDECESSORS_ID, .revision = 1, .turn = 3, .speaker = TL_SPEAKER_AI,
         .text = "We have tea and", .start_ms = 1000, .len_ms = 400},
        {.utterance_id = PREDECESSORS_OTHER_ID, .revision = 1, .turn = 4, .speaker = TL_SPEAKER_AI,
         .text = "We have tea and cakes.", .start_ms = 1400, .len_ms = 800, .complete = true}};

    tl_memory_init(&m, 100, 10000);
    m.turn = 4;
    m.drafts = drafts;
    m.drafts_n = 2;
    tl_talk_go_on(&f->talk, &m, f->now);
    m.drafts = NULL;
    m.drafts_n = 0;
    tl_memory_finish(&m);
    mark(f, "3.2.400");
    mark(f, "4.2.800");
    assert_null(strstr(tl_buf_str(&f->journal), "unfinished"));
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 4 ai 800ms \"We have tea and cakes.\""));
    talk_forget(f);
}

/* The caller interrupts while the words have run far ahead of the sound. */
static void predecessors_answer_that_is_interrupted_has_the_words_of_its_sound(void **state)
{
    struct talk_fixture *f = *state;
    go_on_with(f, TL_SPEAKER_AI, "We have tea and cakes with jam, and bread with butter or cheese, and",
               1600, false);
    mark(f, "5.2.400");
    (void)tl_talk_on_speech_started(&f->talk, "c", 0, f->now);
    assert_non_null(strstr(tl_buf_str(&f->journal), "final 5 ai 400ms cut \"We have\""));
    talk_forget(f);
}

/* A response may fail in mid-sound: what was said is cut, and is to be gone on with. */
static void answer_that_failed_in_its_middle_is_broken(void **state)
{
    struct talk_fixture *f = *state;
    talk_answer(f, "a", "We are open from nine to five, and on", 500);
    talk_log_all(f);
    assert_true(tl_talk_on_answers_failed(&f->talk, f->now));
    talk_forget(f);
    mark(f, "1.0.500");
    assert_non_null(strstr(tl_buf_str(&f->journal), "cut \"We are open\""));
    talk_forget(f);
}

static void predecessors_open_drafts_are_put_in_turn_order(void **state)
{
    struct talk_fixture *f = *state;
    struct tl_memory m;
    struct tl_memory_draft drafts[2] = {{.utterance_id = PREDECESSORS_OTHER_ID,
                                         .revision = 1,
                                         .turn = 4,
                                         .speaker = TL_SPEAKER_AI,
                                         .text = "Second.",
                                         .start_ms = 1000,
                                         .len_ms = 400,
                                         .complete = true},
                                        {.utterance_id = PREDECESSORS_ID,
                                         .revision = 1,
                                         .turn = 3,
                                         .speaker = TL_SPEAKER_AI,
                                         .text = "First.",
                                         .start_ms = 1000,
                                         .len_ms = 400,
                                         .complete = true}};
    tl_memory_init(&m, 100, 10000);
    m.turn = 4;
    m.drafts = drafts;
    m.drafts_n = 2;
    tl_talk_go_on(&f->talk, &m, f->now);
    m.drafts_n = 0;
    m.drafts = NULL;
    tl_memory_finish(&m);
    mark(f, "4.0.400");
    talk_assert(f, "");
    mark(f, "3.0.400");
    talk_assert(f, "answered \"First.\"\nfinal 3 ai 400ms \"First.\"\nremember 3 ai  \"First.\"\n"
                   "answered \"Second.\"\nfinal 4 ai 400ms \"Second.\"\nremember 4 ai  \"Second.\"\n");
}

/* ---- whatever happens ---- */

static uint64_t seed;

static unsigned draw(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static const char *item(char kind, unsigned n)
{
    static char name[16];
    (void)snprintf(name, sizeof(name), "%c%u", kind, n);
    return name;
}

static void random_mark(struct talk_fixture *f)
{
    char name[48];
    int turn = f->talk.turn - (int)draw(3);
    if (turn < 1)
        return;
    int64_t ms = f->logged_ms[turn] / 200 * 200;
    (void)snprintf(name, sizeof(name), "%d.%d.%lld", turn, f->talk.epoch - (draw(8) == 0),
                   (long long)(draw(2) ? ms : ms * draw(10) / 10));
    mark(f, name);
}

static void random_step(struct talk_fixture *f, unsigned *callers, unsigned *answers)
{
    static const char *const words[] = {" yes", " no",         " 4111", " 1111",
                                        " one", " my card is", "."};
    unsigned newest = *callers ? draw(*callers < 3 ? *callers : 3) : 0;

    switch (draw(16)) {
    case 0:
        (void)tl_talk_on_speech_started(&f->talk, item('c', (*callers)++),
                                        tl_ear_audio_ms(&f->ear) - 50, f->now);
        break;
    case 1:
    case 2:
        if (*callers)
            tl_talk_on_committed(&f->talk, item('c', *callers - 1), f->now);
        break;
    case 3:
    case 4:
        if (*callers)
            transcript(f, item('c', *callers - 1 - newest),
                       draw(9)   ? words[draw(7)]
                       : draw(2) ? ""
                                 : NULL);
        break;
    case 5:
        if (*callers)
            tl_talk_on_words(&f->talk, item('c', *callers - 1), words[draw(7)], f->now);
        break;
    case 6:
        talk_answer(f, item('a', (*answers)++), "Good", draw(3) * 130);
        break;
    case 7:
    case 8:
        if (*answers) {
            const char *a = item('a', *answers - 1 - draw(2) % *answers);
            tl_talk_on_answer_words(&f->talk, a, words[draw(7)]);
            talk_sound(f, a, draw(1500));
        }
        break;
    case 9:
        if (*answers)
            done(f, item('a', *answers - 1));
        break;
    case 10:
    case 11:
        if (f->in_flight_n)
            talk_log_one(f, draw(10) != 0);
        break;
    case 12:
    case 13:
        random_mark(f);
        break;
    case 14:
        talk_hear(f, draw(500));
        talk_wait(f, draw(400));
        break;
    default:
        if (draw(20) == 0)
            tl_talk_resend(&f->talk, f->now);
        else if (draw(20) == 0)
            tl_talk_on_session_lost(&f->talk, f->now);
        else if (draw(20) == 0)
            tl_talk_on_answers_over(&f->talk, f->now);
    }
}

/* The rules of the fixture hold in whatever order things happen; in the end every id has its one
 * final. */
static void every_id_gets_one_final_whatever_happens(void **state)
{
    static struct talk_fixture f;
    int finals = 0;
    (void)state;

    for (unsigned round = 0; round < 300; round++) {
        unsigned callers = 0, answers = 0;
        seed = 362436069u + round * 7919u;
        talk_begin(&f);
        for (int i = 0; i < 250; i++)
            random_step(&f, &callers, &answers);
        assert_false(f.journal.full);
        if (round % 2) {
            tl_talk_give_up(&f.talk, f.now);
        } else {
            tl_talk_stop(&f.talk, f.now);
            tl_talk_on_session_lost(&f.talk, f.now);
            talk_wait(&f, 10001);
            tl_talk_flush(&f.talk, f.now);
        }
        assert_true(tl_talk_is_idle(&f.talk));
        for (size_t i = 0; i < f.ids_n; i++) {
            assert_int_equal(f.ids[i].finals, 1);
            finals++;
        }
        assert_null(strstr(tl_buf_str(&f.journal), "41111111"));
        talk_end(&f);
    }
    assert_true(finals > 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_set_up, talk_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_is_not_released_before_its_draft_is_logged),
        TEST(draft_that_failed_releases_nothing_and_is_written_again),
        TEST(one_draft_is_in_flight),
        TEST(sound_that_comes_later_gets_a_draft_of_its_own),
        TEST(last_piece_is_as_short_as_it_is),
        TEST(short_piece_does_not_wait_when_nothing_is_left_to_hear),
        TEST(end_of_an_answer_waits_for_the_log_to_say_so),
        TEST(end_of_an_answer_does_not_wait_for_silence),
        TEST(play_ahead_is_ten_seconds),
        TEST(answer_whose_marks_never_come_is_over_at_last),
        TEST(next_answer_waits_until_the_one_before_is_sent),
        TEST(sound_of_an_unknown_answer_is_ignored),
        TEST(heard_sound_is_given_back),
        TEST(answer_is_final_when_all_of_it_was_heard),
        TEST(answer_is_not_final_before_it_is_whole),
        TEST(answers_over_makes_every_answer_whole),
        TEST(second_answer_begins_when_the_first_one_ends),
        TEST(mark_that_is_none_of_ours_is_ignored),
        TEST(mark_beyond_what_was_sent_is_not_believed),
        TEST(barge_in_cuts_at_the_words_heard),
        TEST(barge_in_deletes_what_was_not_heard),
        TEST(barge_in_cuts_every_answer_that_waits),
        TEST(barge_in_leaves_an_answer_that_was_heard),
        TEST(speech_without_an_answer_interrupts_nobody),
        TEST(marks_that_come_back_for_the_clear_say_nothing),
        TEST(sound_of_an_interrupted_answer_is_ignored),
        TEST(sound_goes_on_after_a_barge_in),
        TEST(draft_that_is_delivered_after_its_turn_is_gone_is_harmless),
        TEST(draft_that_is_delivered_after_the_talk_is_gone_is_harmless),
        TEST(interrupted_answer_that_nobody_drafted_is_no_utterance),
        TEST(finals_wait_for_the_transcript_before_them),
        TEST(transcripts_out_of_order_are_put_in_order),
        TEST(transcript_that_does_not_come_for_ten_seconds_failed),
        TEST(transcript_that_failed_is_final_at_once),
        TEST(transcript_of_an_answer_is_ignored),
        TEST(caller_who_said_nothing_is_no_utterance),
        TEST(caller_who_said_nothing_after_a_draft_gets_an_empty_final),
        TEST(answer_without_sound_is_no_utterance),
        TEST(many_finals_that_waited_for_one_transcript_all_come),
        TEST(caller_words_are_drafted_now_and_then),
        TEST(utterances_carry_their_places),
        TEST(places_move_on_past_what_was_silence),
        TEST(silence_while_the_ai_spoke_is_done_with),
        TEST(sound_that_a_lost_session_was_given_is_not_silence),
        TEST(silence_that_is_not_judged_yet_is_not_done_with),
        TEST(sound_is_not_silence_while_the_caller_speaks),
        TEST(sound_of_a_turn_that_is_held_is_not_silence),
        TEST(answer_names_the_newest_turn_that_it_answers),
        TEST(commit_without_speech_is_a_turn),
        TEST(speech_that_was_never_committed_leaves_nothing),
        TEST(draft_of_speech_that_was_never_committed_goes_on_with_the_next),
        TEST(card_number_across_two_turns_is_masked),
        TEST(undecided_digits_are_held_three_seconds),
        TEST(flush_writes_what_is_held_masked),
        TEST(resend_sends_what_was_not_heard_again),
        TEST(what_played_on_behind_the_last_mark_is_not_sent_again),
        TEST(without_a_mark_nothing_is_taken_as_heard),
        TEST(no_more_plays_on_than_was_sent),
        TEST(of_an_incomplete_draft_words_count_as_the_voice_is_fast),
        TEST(resend_of_nothing_sends_nothing),
        TEST(resend_does_not_send_what_was_cut),
        TEST(stop_makes_answers_final_as_heard),
        TEST(stop_leaves_the_transcripts_their_time),
        TEST(lost_session_lets_the_sound_play),
        TEST(answer_that_lost_its_session_has_the_words_of_its_sound),
        TEST(answer_whose_session_was_lost_behind_its_end_is_whole),
        TEST(answer_without_a_sound_leaves_nothing_when_its_session_is_lost),
        TEST(turn_of_a_lost_session_gets_the_transcript_of_the_next),
        TEST(turn_of_a_lost_session_fails_after_ten_seconds),
        TEST(turns_of_a_lost_session_are_taken_up_in_order),
        TEST(speech_that_a_lost_session_took_leaves_nothing),
        TEST(draft_of_speech_that_a_lost_session_took_goes_on_with_the_next),
        TEST(draft_of_the_next_session_closes_with_the_turn_that_it_takes_up),
        TEST(giving_up_writes_everything_out),
        TEST(giving_up_closes_the_draft_of_who_still_speaks),
        TEST(predecessors_answer_is_final_when_its_marks_say_so),
        TEST(predecessors_answer_is_cut_when_no_mark_comes),
        TEST(of_a_predecessors_answer_that_nobody_heard_nothing_is_told),
        TEST(predecessors_answer_that_was_not_complete_is_unfinished),
        TEST(predecessors_answer_that_ends_a_sentence_is_whole),
        TEST(predecessors_answer_waits_while_marks_come),
        TEST(predecessors_answer_is_cut_by_a_barge_in),
        TEST(what_a_predecessor_answered_comes_before_its_answer),
        TEST(predecessors_answer_is_not_played),
        TEST(predecessors_answer_does_not_widen_the_play_ahead),
        TEST(predecessors_draft_of_the_caller_gets_our_final),
        TEST(predecessors_draft_of_the_caller_closes_with_its_words_when_nothing_comes),
        TEST(successor_goes_on_from_the_positions),
        TEST(successor_counts_masks_on),
        TEST(answer_that_failed_in_its_middle_is_broken),
        TEST(held_answer_is_told_as_it_was_heard),
        TEST(predecessors_interrupted_answer_is_final_as_it_was_heard),
        TEST(of_two_predecessors_answers_the_first_is_not_gone_on_with),
        TEST(predecessors_answer_that_is_interrupted_has_the_words_of_its_sound),
        TEST(predecessors_open_drafts_are_put_in_turn_order),
        cmocka_unit_test(every_id_gets_one_final_whatever_happens),
    };
    return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
