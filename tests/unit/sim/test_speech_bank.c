/* The speech bank: the same bytes every time, found again whole, cut, and one behind the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "speech/g711.h"
#include "speech/phrase_file.h"
#include "speech/speech.h"

static const struct tl_speech *say(struct tl_speech_bank *bank, const char *text)
{
    const struct tl_speech *speech = NULL;
    struct tl_error err;

    assert_int_equal(tl_speech_bank_say(bank, TL_SPEECH_CALLER, text, &speech, &err), TL_OK);
    return speech;
}

static int setup(void **state)
{
    struct tl_error err;

    return tl_speech_bank_create(NULL, (struct tl_speech_bank **)state, &err) != TL_OK;
}

static int teardown(void **state)
{
    tl_speech_bank_destroy(*state);
    return 0;
}

static void say_gives_the_same_bytes_whatever_was_said_before(void **state)
{
    struct tl_speech_bank *other = NULL;
    struct tl_error err;

    assert_int_equal(tl_speech_bank_create(NULL, &other, &err), TL_OK);
    say(other, "Something else came first.");
    const struct tl_speech *a = say(*state, "What are your opening hours?");
    const struct tl_speech *b = say(other, "What are your opening hours?");
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->ulaw, b->ulaw, a->len);
    tl_speech_bank_destroy(other);
}

static void two_voices_sound_different(void **state)
{
    const struct tl_speech *ai = NULL;
    struct tl_error err;
    const struct tl_speech *caller = say(*state, "Yes, please.");

    assert_int_equal(tl_speech_bank_say(*state, TL_SPEECH_AI, "Yes, please.", &ai, &err), TL_OK);
    assert_ptr_equal(tl_speech_bank_recognise(*state, ai->ulaw, ai->len), ai);
    assert_ptr_equal(tl_speech_bank_recognise(*state, caller->ulaw, caller->len), caller);
}

static long loudness(const uint8_t *frame)
{
    long sum = 0;

    for (size_t i = 0; i < TL_SPEECH_FRAME_BYTES; i++)
        sum += labs(tl_ulaw_decode(frame[i]));
    return sum / TL_SPEECH_FRAME_BYTES;
}

static void sound_has_no_silence_and_no_long_pause(void **state)
{
    const struct tl_speech *s =
        say(*state, "Well; then. Full stop. And, after that... a very long thought!");
    size_t silence = 0;
    size_t quiet = 0;

    assert_int_equal(s->len % TL_SPEECH_FRAME_BYTES, 0);
    assert_true(s->len - s->sound_len < TL_SPEECH_FRAME_BYTES);
    for (size_t i = 0; i < s->sound_len; i++) {
        silence = s->ulaw[i] == TL_SPEECH_SILENCE ? silence + 1 : 0;
        assert_true(silence < 40);
    }
    for (size_t at = 0; at < s->len; at += TL_SPEECH_FRAME_BYTES) {
        quiet = loudness(s->ulaw + at) < 100 ? quiet + 1 : 0;
        assert_true(quiet < 10);
    }
    assert_true(s->sound_len < s->len || s->ulaw[s->len - 1] != TL_SPEECH_SILENCE);
}

static void recognise_refuses_a_single_wrong_byte(void **state)
{
    const struct tl_speech *s = say(*state, "Thursday is fine.");
    uint8_t *copy = malloc(s->len + 500);

    memset(copy, TL_SPEECH_SILENCE, s->len + 500);
    memcpy(copy + 300, s->ulaw, s->len);
    assert_ptr_equal(tl_speech_bank_recognise(*state, copy, s->len + 500), s);
    copy[300 + s->sound_len / 2] ^= 1;
    assert_null(tl_speech_bank_recognise(*state, copy, s->len + 500));
    free(copy);
}

static void scan_finds_whole_cut_and_unknown_pieces(void **state)
{
    const struct tl_speech *a = say(*state, "Can I get an invoice?");
    const struct tl_speech *b = say(*state, "How long does a refund take?");
    size_t cut = 20 * TL_SPEECH_FRAME_BYTES;
    size_t noise = 1000;
    size_t len = a->sound_len + cut + a->len + noise + 400;
    uint8_t *tape = malloc(len);
    struct tl_speech_piece piece[8];

    memset(tape, TL_SPEECH_SILENCE, len);
    memcpy(tape, a->ulaw, a->sound_len);
    memcpy(tape + a->sound_len, b->ulaw, cut);
    memcpy(tape + a->sound_len + cut, a->ulaw, a->len);
    for (size_t i = 0; i < noise; i++)
        tape[a->sound_len + cut + a->len + 200 + i] = (uint8_t)(i * 7 % 200);

    assert_int_equal(tl_speech_bank_scan(*state, tape, len, piece, 8), 4);
    assert_ptr_equal(piece[0].speech, a);
    assert_true(piece[0].exact);
    assert_ptr_equal(piece[1].speech, b);
    assert_false(piece[1].exact);
    assert_in_range(piece[1].len, cut, cut + 1); /* one byte more may agree by chance */
    assert_null(piece[3].speech);
    assert_int_equal(piece[3].len, noise);
    free(tape);
}

static void text_heard_ends_at_a_word(void **state)
{
    const struct tl_speech *s = say(*state, "one two three four");
    char text[64];

    tl_speech_text_heard(s, s->sound_len, text, sizeof(text));
    assert_string_equal(text, "one two three four");
    tl_speech_text_heard(s, s->sound_len / 2, text, sizeof(text));
    assert_string_equal(text, "one two");
    tl_speech_text_heard(s, 0, text, sizeof(text));
    assert_string_equal(text, "");
}

static void say_refuses_what_has_no_sound(void **state)
{
    const struct tl_speech *s = NULL;
    struct tl_error err;

    assert_int_equal(tl_speech_bank_say(*state, TL_SPEECH_AI, "", &s, &err), TL_INVALID);
    assert_null(s);
}

static void phrase_line_takes_the_tool_apart(void **state)
{
    struct tl_arena arena = {0};
    struct tl_phrase_line line;
    struct tl_error err;
    bool blank = true;

    (void)state;
    assert_int_equal(
        tl_phrase_line_parse(" Bye. | So long. [tool end_call {\"a\":[\"]\"]}] Gone.\n", &arena,
                             &line, &blank, &err),
        TL_OK);
    assert_false(blank);
    assert_string_equal(line.ask, "Bye.");
    assert_string_equal(line.answer, "So long.");
    assert_string_equal(line.tool, "end_call");
    assert_string_equal(line.tool_arguments, "{\"a\":[\"]\"]}");
    assert_string_equal(line.after_tool, "Gone.");
    assert_string_equal(line.without_tool, "So long. Gone.");
    tl_arena_finish(&arena);
}

static void phrase_line_refuses_what_it_cannot_read(void **state)
{
    static const char *const wrong[] = {
        "no bar", " | answer", "ask |", "a | [tool ]", "a | [tool x {\"a\":] b", "a | [tool x {}"};
    struct tl_arena arena = {0};
    struct tl_phrase_line line;
    struct tl_error err;
    bool blank;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong); i++)
        assert_int_equal(tl_phrase_line_parse(wrong[i], &arena, &line, &blank, &err), TL_INVALID);
    assert_int_equal(tl_phrase_line_parse("# a comment", &arena, &line, &blank, &err), TL_OK);
    assert_true(blank);
    tl_arena_finish(&arena);
}

static void g711_encodes_what_it_decoded(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        assert_int_equal(tl_alaw_encode(tl_alaw_decode((uint8_t)byte)), byte);
        if (byte != 0x7F)
            assert_int_equal(tl_ulaw_encode(tl_ulaw_decode((uint8_t)byte)), byte);
    }
    assert_int_equal(tl_ulaw_encode(0), TL_SPEECH_SILENCE);
    assert_int_equal(tl_ulaw_decode(0x00), -32124); /* ITU-T G.711 table 2b, 14 bit 8031 × 4 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(say_gives_the_same_bytes_whatever_was_said_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_voices_sound_different, setup, teardown),
        cmocka_unit_test_setup_teardown(sound_has_no_silence_and_no_long_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(recognise_refuses_a_single_wrong_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_finds_whole_cut_and_unknown_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(text_heard_ends_at_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(say_refuses_what_has_no_sound, setup, teardown),
        cmocka_unit_test(phrase_line_takes_the_tool_apart),
        cmocka_unit_test(phrase_line_refuses_what_it_cannot_read),
        cmocka_unit_test(g711_encodes_what_it_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
