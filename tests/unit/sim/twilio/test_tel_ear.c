/* The ear: what is played when, what is recognised, when marks come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ear.h"

#define TICK_US 20000

/* An ear and what it told. */
struct fixture {
    struct tl_speech_bank *bank;
    const struct tl_speech *hello, *bye;
    struct tl_tel_ear ear;
    int64_t now_us;
    struct tl_tel_heard heard[16];
    size_t heards;
    struct tl_tel_gap gap[16];
    size_t gaps;
    char marks[256]; /* names, each with a space behind */
};

static void on_heard(void *arg, const struct tl_tel_heard *heard)
{
    struct fixture *f = arg;

    assert_true(f->heards < TL_ARRAY_LEN(f->heard));
    f->heard[f->heards++] = *heard;
}

static void on_gap(void *arg, const struct tl_tel_gap *gap)
{
    struct fixture *f = arg;

    assert_true(f->gaps < TL_ARRAY_LEN(f->gap));
    f->gap[f->gaps++] = *gap;
}

static void on_mark(void *arg, const char *name)
{
    struct fixture *f = arg;

    strncat(f->marks, name, sizeof(f->marks) - strlen(f->marks) - 1);
    strncat(f->marks, " ", sizeof(f->marks) - strlen(f->marks) - 1);
}

static const struct tl_tel_ear_callbacks CALLBACKS = {on_heard, on_gap, on_mark};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct tl_error err;

    if (tl_speech_bank_create(NULL, &f->bank, &err) != TL_OK ||
        tl_speech_bank_say(f->bank, TL_SPEECH_AI, "Hello there.", &f->hello, &err) != TL_OK ||
        tl_speech_bank_say(f->bank, TL_SPEECH_AI, "Goodbye.", &f->bye, &err) != TL_OK)
        return -1;
    tl_tel_ear_init(&f->ear, f->bank, &CALLBACKS, f);
    f->now_us = 1000000;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    tl_tel_ear_finish(&f->ear);
    tl_buf_finish(&f->ear.audio);
    free(f->ear.arrival);
    tl_speech_bank_destroy(f->bank);
    free(f);
    return 0;
}

static void play_ms(struct fixture *f, int64_t ms)
{
    for (int64_t i = 0; i < ms; i += TL_TEL_FRAME_MS) {
        tl_tel_ear_tick(&f->ear, f->now_us);
        f->now_us += TICK_US;
    }
}

static void give(struct fixture *f, const struct tl_speech *speech, size_t from, size_t len)
{
    assert_true(tl_tel_ear_media(&f->ear, speech->ulaw + from, len, f->now_us));
}

static void ear_recognises_a_speech_by_its_bytes_and_tells_when(void **state)
{
    struct fixture *f = *state;

    play_ms(f, 100);
    give(f, f->hello, 0, f->hello->sound_len);
    int64_t start_us = f->now_us;
    play_ms(f, 5000);
    assert_int_equal(f->heards, 1);
    assert_ptr_equal(f->heard[0].speech, f->hello);
    assert_true(f->heard[0].exact);
    assert_int_equal(f->heard[0].start_us, start_us);
    assert_int_equal(f->heard[0].end_us, start_us + (int64_t)f->hello->sound_len * 125);
    assert_int_equal(f->heard[0].rx_from, 0);
    assert_int_equal(f->heard[0].rx_to, f->hello->sound_len);
    assert_int_equal(f->ear.utterances, 1);
    assert_int_equal(f->ear.ended_start_us, start_us);
}

static void ear_tells_two_speeches_without_a_pause_apart(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, f->hello->sound_len);
    give(f, f->bye, 0, f->bye->sound_len);
    play_ms(f, 8000);
    assert_int_equal(f->heards, 2);
    assert_ptr_equal(f->heard[0].speech, f->hello);
    assert_ptr_equal(f->heard[1].speech, f->bye);
    assert_int_equal(f->heard[1].rx_from, f->hello->sound_len);
}

static void ear_does_not_recognise_a_speech_with_one_byte_changed(void **state)
{
    struct fixture *f = *state;
    uint8_t *copy = malloc(f->hello->sound_len);

    memcpy(copy, f->hello->ulaw, f->hello->sound_len);
    copy[f->hello->sound_len / 2] ^= 1;
    assert_true(tl_tel_ear_media(&f->ear, copy, f->hello->sound_len, f->now_us));
    play_ms(f, 8000);
    for (size_t i = 0; i < f->heards; i++)
        assert_false(f->heard[i].exact);
    assert_true(f->heards > 0);
    free(copy);
}

static void ear_notices_two_frames_in_the_wrong_order(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, 1600);
    give(f, f->hello, 1760, 160);
    give(f, f->hello, 1600, 160);
    give(f, f->hello, 1920, f->hello->sound_len - 1920);
    play_ms(f, 8000);
    for (size_t i = 0; i < f->heards; i++)
        assert_false(f->heard[i].exact);
}

static void ear_counts_silence_within_a_speech_that_came_late(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, 1600);
    play_ms(f, 300); /* 200 ms of speech, 100 ms of nothing */
    give(f, f->hello, 1600, f->hello->sound_len - 1600);
    play_ms(f, 8000);
    assert_int_equal(f->heards, 1);
    assert_true(f->heard[0].exact);
    assert_int_equal(f->heard[0].dry_ms, 100);
}

static void ear_knows_when_a_speech_behind_a_broken_one_began(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, 1600);
    play_ms(f, 1200); /* 200 ms of speech, a second of nothing */
    int64_t start_us = f->now_us;
    give(f, f->bye, 0, f->bye->sound_len);
    play_ms(f, 8000);
    assert_int_equal(f->heards, 2);
    assert_false(f->heard[0].exact);
    assert_int_equal(f->heard[0].dry_ms, 0);
    assert_true(f->heard[1].exact);
    assert_int_equal(f->heard[1].start_us, start_us);
    assert_int_equal(f->heard[1].dry_ms, 0);
}

static void ear_reports_what_was_heard_before_a_clear(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, f->hello->sound_len);
    play_ms(f, 200);
    tl_tel_ear_clear(&f->ear);
    assert_int_equal(tl_tel_ear_buffered(&f->ear), 0);
    assert_int_equal(f->heards, 1);
    assert_ptr_equal(f->heard[0].speech, f->hello);
    assert_false(f->heard[0].exact);
    assert_int_equal(f->heard[0].bytes, 1600);
}

static void marks_come_back_when_what_was_before_them_is_played(void **state)
{
    struct fixture *f = *state;

    tl_tel_ear_mark(&f->ear, "empty");
    assert_string_equal(f->marks, "empty ");
    give(f, f->hello, 0, 400);
    tl_tel_ear_mark(&f->ear, "a");
    give(f, f->hello, 400, 400);
    tl_tel_ear_mark(&f->ear, "b");
    play_ms(f, 40);
    assert_string_equal(f->marks, "empty ");
    play_ms(f, 20);
    assert_string_equal(f->marks, "empty a ");
    play_ms(f, 40);
    assert_string_equal(f->marks, "empty a b ");
}

static void clear_brings_all_marks_back_and_drop_none(void **state)
{
    struct fixture *f = *state;

    give(f, f->hello, 0, 1600);
    tl_tel_ear_mark(&f->ear, "a");
    tl_tel_ear_mark(&f->ear, "b");
    tl_tel_ear_clear(&f->ear);
    assert_string_equal(f->marks, "a b ");
    give(f, f->hello, 0, 1600);
    tl_tel_ear_mark(&f->ear, "c");
    tl_tel_ear_drop(&f->ear);
    assert_string_equal(f->marks, "a b ");
}

static void media_over_ten_minutes_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t *second = calloc(1, 8000);

    for (int i = 0; i < 600; i++)
        assert_true(tl_tel_ear_media(&f->ear, second, 8000, f->now_us));
    assert_false(tl_tel_ear_media(&f->ear, second, 1, f->now_us));
    assert_int_equal(tl_tel_ear_buffered(&f->ear), TL_TEL_BUFFER_MAX);
    free(second);
}

static void gaps_are_reported_but_not_while_something_else_is_played(void **state)
{
    struct fixture *f = *state;
    int64_t start_us = f->now_us;

    play_ms(f, 500);
    give(f, f->bye, 0, f->bye->sound_len);
    int64_t sound_us = f->now_us;
    play_ms(f, (int64_t)f->bye->sound_len / 8 + 20);
    assert_int_equal(f->gaps, 1);
    assert_int_equal(f->gap[0].start_us, start_us);
    assert_int_equal(f->gap[0].end_us, sound_us);
    f->ear.other_sound = true;
    play_ms(f, 1000);
    f->ear.other_sound = false;
    play_ms(f, 400);
    tl_tel_ear_end(&f->ear, f->now_us);
    assert_int_equal(f->gaps, 2);
    assert_int_equal(f->gap[1].end_us - f->gap[1].start_us, 400000);
}

static void audio_is_kept_with_its_silence(void **state)
{
    struct fixture *f = *state;

    f->ear.keep_audio = true;
    play_ms(f, 20);
    give(f, f->hello, 0, 200);
    play_ms(f, 40);
    assert_int_equal(f->ear.audio.len, 480);
    assert_int_equal(f->ear.audio.data[159], 0xFF);
    assert_memory_equal(f->ear.audio.data + 160, f->hello->ulaw, 200);
    assert_int_equal(f->ear.audio.data[360], 0xFF);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ear_recognises_a_speech_by_its_bytes_and_tells_when),
        CASE(ear_tells_two_speeches_without_a_pause_apart),
        CASE(ear_does_not_recognise_a_speech_with_one_byte_changed),
        CASE(ear_notices_two_frames_in_the_wrong_order),
        CASE(ear_counts_silence_within_a_speech_that_came_late),
        CASE(ear_knows_when_a_speech_behind_a_broken_one_began),
        CASE(ear_reports_what_was_heard_before_a_clear),
        CASE(marks_come_back_when_what_was_before_them_is_played),
        CASE(clear_brings_all_marks_back_and_drop_none),
        CASE(media_over_ten_minutes_is_refused),
        CASE(gaps_are_reported_but_not_while_something_else_is_played),
        CASE(audio_is_kept_with_its_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
