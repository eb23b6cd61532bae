/* The verbs: what is held and for how long, numbering, taking over, texts by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redact/redact.h"
#include "talk_script.h"

struct fixture {
    struct tl_redactor *r;
    struct tl_redacted red;
    struct tl_error err;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.r = tl_script_redactor(tl_entity_default_set(false, false));
    tl_redacted_init(&f.red);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tl_redactor_destroy(f->r);
    tl_redacted_finish(&f->red);
    return 0;
}

static struct tl_redact_utterance utterance(enum tl_redact_side side, int64_t start_ms,
                                            int64_t end_ms, const char *text)
{
    return (struct tl_redact_utterance){
        .side = side, .text = text, .len = strlen(text), .start_ms = start_ms, .end_ms = end_ms};
}

/* A final that was spoken in the second before `now_ms`. */
static void final_at(struct fixture *f, enum tl_redact_side side, int64_t now_ms, const char *text)
{
    struct tl_redact_utterance u = utterance(side, now_ms - 1000, now_ms, text);
    assert_int_equal(tl_redactor_final(f->r, &u, now_ms, &f->err), TL_OK);
}

static const char *pop(struct fixture *f, int64_t now_ms)
{
    return tl_redactor_pop(f->r, now_ms, &f->red) ? tl_buf_str(&f->red.text) : NULL;
}

static const char *text(struct fixture *f, enum tl_redact_text_kind kind, const char *t)
{
    assert_int_equal(tl_redactor_text(f->r, kind, t, strlen(t), &f->red, &f->err), TL_OK);
    return tl_buf_str(&f->red.text);
}

static const char *draft(struct fixture *f, int64_t now_ms, const char *t)
{
    struct tl_redact_utterance u = utterance(TL_REDACT_CUSTOMER, now_ms - 1000, now_ms, t);
    assert_int_equal(tl_redactor_draft(f->r, &u, &f->red, &f->err), TL_OK);
    return tl_buf_str(&f->red.text);
}

static void final_without_digits_is_decided_at_once(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "I would like to change my plan");
    assert_true(tl_redactor_due(f->r) <= 1000);
    assert_string_equal(pop(f, 1000), "I would like to change my plan");
    assert_null(pop(f, 1000));
    assert_true(tl_redactor_due(f->r) == INT64_MAX);
}

static void open_run_is_held_three_seconds_and_stays_masked(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "my order is 4 8 2 1");
    assert_null(pop(f, 3999));
    assert_int_equal(tl_redactor_due(f->r), 4000);
    assert_string_equal(pop(f, 4000), "my order is [DIGITS_1]");
    assert_int_equal(f->red.entities[0].type, TL_ENTITY_DIGITS);
}

static void next_utterance_of_the_speaker_releases_a_harmless_run(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "my order is 4 8 2 1");
    assert_null(pop(f, 1500));
    final_at(f, TL_REDACT_CUSTOMER, 2500, "and it has not arrived");
    assert_string_equal(pop(f, 2500), "my order is 4 8 2 1");
    assert_string_equal(pop(f, 2500), "and it has not arrived");
}

static void long_answer_of_the_other_side_ends_a_run(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "it was number two");
    assert_null(pop(f, 1500));
    final_at(f, TL_REDACT_AGENT, 2500, "I will see what we have");
    assert_string_equal(pop(f, 2500), "it was number two");
    assert_string_equal(pop(f, 2500), "I will see what we have");
}

static void nothing_ends_a_run_while_a_card_is_spoken_of(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_AGENT, 500, "your card please");
    assert_non_null(pop(f, 500));
    final_at(f, TL_REDACT_CUSTOMER, 1000, "4111 1111");
    final_at(f, TL_REDACT_AGENT, 2000, "I will see what we have");
    assert_null(pop(f, 2000));
    final_at(f, TL_REDACT_CUSTOMER, 3000, "1111 1111");
    assert_string_equal(pop(f, 3000), "[CARD_1]");
    assert_non_null(pop(f, 3000));
    assert_string_equal(pop(f, 3000), "[CARD_1]");
}

static void decided_final_waits_behind_an_undecided_one(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "4111");
    final_at(f, TL_REDACT_AGENT, 1500, "go on");
    assert_null(pop(f, 1500));
    assert_string_equal(pop(f, 4000), "[DIGITS_1]");
    assert_string_equal(pop(f, 4000), "go on");
}

static void run_is_over_after_ten_seconds(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "it's 4111 1111");
    assert_string_equal(pop(f, 4000), "it's [DIGITS_1]");
    final_at(f, TL_REDACT_CUSTOMER, 12001 + 1000, "1111 1111");
    assert_string_equal(pop(f, 20000), "[DIGITS_2]"); /* eleven seconds: no card of it */
}

static void timed_out_half_still_makes_a_card_of_the_rest(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "it's 4111 1111");
    assert_string_equal(pop(f, 4000), "it's [DIGITS_1]");
    final_at(f, TL_REDACT_CUSTOMER, 8000, "1111 1111");
    assert_string_equal(pop(f, 8000), "[CARD_1]");
    assert_string_equal(f->red.entities[0].last4, "1111");
}

static void flush_decides_all(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "4111");
    final_at(f, TL_REDACT_AGENT, 1100, "42");
    tl_redactor_flush(f->r);
    assert_string_equal(pop(f, 1100), "[DIGITS_1]");
    assert_string_equal(pop(f, 1100), "[DIGITS_2]");
}

static void small_talk_is_not_held(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"a table for two", "see you at five", "on June 12"};
    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++) {
        final_at(f, TL_REDACT_CUSTOMER, 20000 * (int64_t)i + 1000, texts[i]);
        assert_string_equal(pop(f, 20000 * (int64_t)i + 1000), texts[i]);
    }
    final_at(f, TL_REDACT_CUSTOMER, 100000, "so my card is for 41");
    assert_null(pop(f, 100000));
    assert_string_equal(draft(f, 200000, "a table for two"), "a table for [DIGITS_1]");
}

static void full_queue_forces_the_oldest_out(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < TL_REDACT_HELD_MAX; i++)
        final_at(f, TL_REDACT_CUSTOMER, 1000 + i, "4");
    struct tl_redact_utterance u = utterance(TL_REDACT_CUSTOMER, 0, 1, "5");
    assert_int_equal(tl_redactor_final(f->r, &u, 1, &f->err), TL_RETRY);
    for (int i = 0; i < TL_REDACT_HELD_MAX; i++)
        assert_string_equal(pop(f, 1100), "[DIGITS_1]");
}

static void draft_masks_runs_of_any_length_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(draft(f, 1000, "it is four"), "it is [DIGITS_1]");
    assert_string_equal(draft(f, 1000, "it is four one one one"), "it is [DIGITS_1]");
    assert_string_equal(draft(f, 1000, "it is four of them really"), "it is four of them really");
    assert_string_equal(draft(f, 1000, "4111 1111 1111 1111"), "[CARD_1]");
    assert_string_equal(draft(f, 1000, "378282246310005"), "[CARD_1]");
    final_at(f, TL_REDACT_CUSTOMER, 1000, "378282246310005");
    assert_string_equal(pop(f, 1000), "[CARD_1]");
}

static void same_value_same_number(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(text(f, TL_REDACT_PROSE, "4111111111111111 a@b.com x@y.org"),
                        "[CARD_1] [EMAIL_1] [EMAIL_2]");
    assert_string_equal(text(f, TL_REDACT_PROSE, "x@y.org, 378282246310005, 4111 1111 1111 1111"),
                        "[EMAIL_2], [CARD_2], [CARD_1]");
}

static void read_back_in_pieces_is_masked(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "my card is 4539 5787 6362 1486");
    assert_string_equal(pop(f, 1000), "my card is [CARD_1]");
    final_at(f, TL_REDACT_AGENT, 60000, "that was 4539 5787 is that right");
    assert_string_equal(pop(f, 60000), "that was [CARD_1] is that right");
    final_at(f, TL_REDACT_AGENT, 62000, "the one ending in 1486");
    assert_string_equal(pop(f, 62000), "the one ending in 1486");
}

static void open_run_read_back_shares_its_fate(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_CUSTOMER, 1000, "4539 5787");
    final_at(f, TL_REDACT_AGENT, 2000, "4539 5787 is that right");
    assert_string_equal(pop(f, 4000), "[DIGITS_1]");
    assert_string_equal(pop(f, 4000), "[DIGITS_1] is that right");
}

static void code_split_over_turns_is_one_code(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_AGENT, 500, "and the security code");
    assert_non_null(pop(f, 500));
    final_at(f, TL_REDACT_CUSTOMER, 1000, "seven");
    final_at(f, TL_REDACT_AGENT, 1500, "mm hmm");
    final_at(f, TL_REDACT_CUSTOMER, 2500, "three seven");
    assert_string_equal(pop(f, 2500), "[CARD_CVV_1]");
    assert_string_equal(pop(f, 2500), "mm hmm");
    assert_string_equal(pop(f, 2500), "[CARD_CVV_1]");
}

static void code_word_counts_for_thirty_seconds(void **state)
{
    struct fixture *f = *state;
    final_at(f, TL_REDACT_AGENT, 1000, "and the security code");
    assert_non_null(pop(f, 1000));
    final_at(f, TL_REDACT_CUSTOMER, 31900, "I think 737 was printed there"); /* begins at 30.9 */
    assert_string_equal(pop(f, 31900), "I think [CARD_CVV_1] was printed there");
    final_at(f, TL_REDACT_CUSTOMER, 32200, "I think 737 was printed there"); /* at 31.2 */
    assert_string_equal(pop(f, 32200), "I think 737 was printed there");
}

static void code_word_counts_for_two_turns(void **state)
{
    static struct tl_script s;
    (void)state;
    tl_script_run(&s, 0,
                  "A: and the security code please | C: I have to look for it | A: take your time "
                  "please do | C: there were 737 people waiting");
    assert_string_equal(s.text[3], "there were 737 people waiting");
    tl_script_run(&s, 0,
                  "A: and the security code please | C: I have to look for it | A: take your time "
                  "please do | C: 737 it says there");
    assert_string_equal(s.text[3], "737 it says there");
    tl_script_run(&s, 0,
                  "A: and the security code please | C: yes | A: okay | C: 737 it says there");
    assert_string_equal(s.text[3], "[CARD_CVV_1] it says there");
}

/* PCI DSS 3.3.1: not even as a hash, so the same code cannot be known again. */
static void codes_are_not_remembered(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(text(f, TL_REDACT_PROSE, "cvv 737"), "cvv [CARD_CVV_1]");
    assert_string_equal(text(f, TL_REDACT_PROSE, "cvv 737"), "cvv [CARD_CVV_2]");
}

static void resume_goes_on_with_numbers_context_and_run(void **state)
{
    struct fixture *f = *state;
    struct tl_redact_utterance u =
        utterance(TL_REDACT_CUSTOMER, 0, 1000, "[CARD_3] and [EMAIL_1] thanks");
    tl_redactor_resume(f->r, &u);
    u = utterance(TL_REDACT_AGENT, 1000, 2000, "And the security code?");
    tl_redactor_resume(f->r, &u);
    final_at(f, TL_REDACT_CUSTOMER, 3500, "737");
    assert_string_equal(pop(f, 3500), "[CARD_CVV_1]");
    final_at(f, TL_REDACT_CUSTOMER, 5000, "378282246310005");
    assert_string_equal(pop(f, 5000), "[CARD_4]");
    u = utterance(TL_REDACT_CUSTOMER, 6000, 7000, "it is [DIGITS_7]");
    tl_redactor_resume(f->r, &u);
    final_at(f, TL_REDACT_CUSTOMER, 9000, "1111 1111 that was all of it");
    assert_string_equal(pop(f, 9000), "[DIGITS_8] that was all of it");
}

static void old_masks_are_left_alone(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(text(f, TL_REDACT_PROSE, "said [CARD_1] and [DIGITS_12]"),
                        "said [CARD_1] and [DIGITS_12]");
}

static void keyed_digits(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(text(f, TL_REDACT_KEYED, "1"), "1");
    assert_string_equal(text(f, TL_REDACT_KEYED, "4111111111111111#"), "[CARD_1]#");
    assert_string_equal(text(f, TL_REDACT_KEYED, "48213"), "[DIGITS_1]");
    final_at(f, TL_REDACT_AGENT, 1000, "Please key in the three digits on the back");
    assert_string_equal(text(f, TL_REDACT_KEYED, "737#"), "[CARD_CVV_1]#");
}

static void json_stays_json(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(
        text(f, TL_REDACT_JSON,
             "{\"cvv\":737,\"card\":\"4111 1111 1111 1111\",\"n\":4111111111111111}"),
        "{\"cvv\":\"[CARD_CVV_1]\",\"card\":\"[CARD_1]\",\"n\":\"[CARD_1]\"}");
    assert_string_equal(text(f, TL_REDACT_JSON, "{\"a\":\"12\",\"b\":\"x \\\" 34\"}"),
                        "{\"a\":\"12\",\"b\":\"x \\\" 34\"}");
}

static void spans_are_timed_by_length_or_words(void **state)
{
    struct fixture *f = *state;
    struct tl_redact_utterance u =
        utterance(TL_REDACT_CUSTOMER, 10000, 13600, "my card is 4111111111111111 okay bye");
    assert_int_equal(tl_redactor_final(f->r, &u, 13600, &f->err), TL_OK);
    assert_string_equal(pop(f, 13600), "my card is [CARD_1] okay bye");
    assert_int_equal(f->red.entities[0].start_ms, 10000 + 3600 * 11 / 36);
    assert_int_equal(f->red.entities[0].end_ms, 10000 + 3600 * 27 / 36);
    assert_int_equal(f->red.entities[0].start, 11);
    assert_int_equal(f->red.entities[0].len, 8);
    const struct tl_redact_word_time words[] = {{0, 2, 10000, 10100},   {3, 7, 10200, 10300},
                                                {8, 10, 10400, 10500},  {11, 27, 10600, 13000},
                                                {28, 32, 13100, 13200}, {33, 36, 13300, 13400}};
    u.words = words;
    u.n_words = TL_ARRAY_LEN(words);
    assert_int_equal(tl_redactor_draft(f->r, &u, &f->red, &f->err), TL_OK);
    assert_int_equal(f->red.entities[0].start_ms, 10600);
    assert_int_equal(f->red.entities[0].end_ms, 13000);
}

static void too_long_a_text_is_refused(void **state)
{
    struct fixture *f = *state;
    static char big[TL_REDACT_TEXT_MAX + 1];
    memset(big, '4', sizeof(big));
    assert_int_equal(tl_redactor_text(f->r, TL_REDACT_PROSE, big, sizeof(big), &f->red, &f->err),
                     TL_INVALID);
    assert_int_equal(
        tl_redactor_text(f->r, TL_REDACT_PROSE, big, sizeof(big) - 1, &f->red, &f->err), TL_OK);
    struct tl_redact_utterance u = {.text = big, .len = sizeof(big)};
    assert_int_equal(tl_redactor_draft(f->r, &u, &f->red, &f->err), TL_INVALID);
    assert_int_equal(tl_redactor_final(f->r, &u, 0, &f->err), TL_INVALID);
}

static void every_mask_fits_in_a_text_full_of_them(void **state)
{
    struct fixture *f = *state;
    static char big[TL_REDACT_TEXT_MAX + 1];
    size_t n = 0;
    while (n + 10 < TL_REDACT_TEXT_MAX)
        n += (size_t)snprintf(big + n, sizeof(big) - n, "%c@x.de, ", 'a' + (int)(n / 8 % 26));
    assert_int_equal(tl_redactor_text(f->r, TL_REDACT_PROSE, big, n, &f->red, &f->err), TL_OK);
    assert_null(strchr(tl_buf_str(&f->red.text), '@'));
    assert_int_equal(f->red.n_entities, TL_REDACT_ENTITIES_MAX);
    assert_true(f->red.n_unlisted > 0);
}

static void contact_names_are_masked_when_names_are(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"Müller, Anna-Lena"};
    struct tl_redact_options options = {
        .on = tl_entity_default_set(false, true), .names = names, .n_names = 1};
    tl_redactor_destroy(f->r);
    f->r = tl_redactor_create(&options);
    assert_string_equal(text(f, TL_REDACT_PROSE, "Hello Mrs Muller or Lena"),
                        "Hello Mrs [NAME_1] or [NAME_2]");
}

static void short_runs_go_clear_when_the_business_says_so(void **state)
{
    struct fixture *f = *state;
    struct tl_redact_options options = {.keep_short = true};
    tl_redactor_destroy(f->r);
    f->r = tl_redactor_create(&options);
    final_at(f, TL_REDACT_CUSTOMER, 1000, "it was number two");
    assert_string_equal(pop(f, 4000), "it was number two");
    final_at(f, TL_REDACT_CUSTOMER, 15000, "it is 4821");
    assert_string_equal(pop(f, 18000), "it is [DIGITS_1]");
}

static void credentials_leave_no_log(void **state)
{
    (void)state;
    struct tl_buf out;
    static const char line[] =
        "connect sk-live-0123456789abcdef as AC0123456789abcdef0123456789ABCDEF, "
        "authorization: bearer abc123def456 ok";
    tl_buf_init(&out, 4096);
    assert_int_equal(tl_redact_credentials(line, strlen(line), &out), 3);
    assert_string_equal(
        tl_buf_str(&out),
        "connect [CREDENTIAL] as [CREDENTIAL], authorization: bearer [CREDENTIAL] ok");
    tl_buf_finish(&out);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(final_without_digits_is_decided_at_once),
        WITH(open_run_is_held_three_seconds_and_stays_masked),
        WITH(next_utterance_of_the_speaker_releases_a_harmless_run),
        WITH(long_answer_of_the_other_side_ends_a_run),
        WITH(nothing_ends_a_run_while_a_card_is_spoken_of),
        WITH(decided_final_waits_behind_an_undecided_one),
        WITH(run_is_over_after_ten_seconds),
        WITH(timed_out_half_still_makes_a_card_of_the_rest),
        WITH(flush_decides_all),
        WITH(small_talk_is_not_held),
        WITH(full_queue_forces_the_oldest_out),
        WITH(draft_masks_runs_of_any_length_and_changes_nothing),
        WITH(same_value_same_number),
        WITH(read_back_in_pieces_is_masked),
        WITH(open_run_read_back_shares_its_fate),
        WITH(code_split_over_turns_is_one_code),
        WITH(code_word_counts_for_thirty_seconds),
        WITH(code_word_counts_for_two_turns),
        WITH(codes_are_not_remembered),
        WITH(resume_goes_on_with_numbers_context_and_run),
        WITH(old_masks_are_left_alone),
        WITH(keyed_digits),
        WITH(json_stays_json),
        WITH(spans_are_timed_by_length_or_words),
        WITH(too_long_a_text_is_refused),
        WITH(every_mask_fits_in_a_text_full_of_them),
        WITH(contact_names_are_masked_when_names_are),
        WITH(short_runs_go_clear_when_the_business_says_so),
        cmocka_unit_test(credentials_leave_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
