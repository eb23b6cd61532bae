/* What the AI simulator hears: turn detection, and the cheap reading of appended sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openai/append_scan.h"
#include "openai/vad.h"
#include "speech/speech.h"

#define PHRASES TL_SOURCE_FOLDER "/tests/sim/phrases.txt"

/** Turns in a recording between 40 frames of silence, and where the last one ended. */
static unsigned count_turns(struct tl_ai_vad *vad, const uint8_t *ulaw, size_t len)
{
    uint8_t silence[TL_SPEECH_FRAME_BYTES];
    unsigned turns = 0;

    memset(silence, TL_SPEECH_SILENCE, sizeof(silence));
    for (size_t at = 0; at + TL_SPEECH_FRAME_BYTES <= len; at += TL_SPEECH_FRAME_BYTES)
        turns += tl_ai_vad_feed(vad, ulaw + at) == TL_AI_VAD_STARTED;
    for (int i = 0; i < 40; i++)
        turns += 100 * (tl_ai_vad_feed(vad, silence) == TL_AI_VAD_STOPPED);
    return turns;
}

static void every_phrase_is_one_turn_at_any_threshold(void **state)
{
    static const double thresholds[] = {0.0, 0.3, 0.5, 0.7, 0.9};
    struct tl_speech_bank *bank = NULL;
    struct tl_error err;
    size_t count;

    (void)state;
    assert_int_equal(tl_speech_bank_create(NULL, &bank, &err), TL_OK);
    assert_int_equal(tl_speech_bank_load(bank, PHRASES, &err), TL_OK);
    const struct tl_phrase *phrases = tl_speech_bank_phrases(bank, &count);
    assert_true(count >= 40);
    for (size_t i = 0; i < count; i++) {
        const struct tl_speech *s = phrases[i].ask;
        assert_ptr_equal(tl_speech_bank_recognise(bank, s->ulaw, s->len), s);
        for (size_t t = 0; t < TL_ARRAY_LEN(thresholds); t++) {
            struct tl_ai_vad vad = {.threshold = thresholds[t], .silence_ms = 200};
            assert_int_equal(count_turns(&vad, s->ulaw, s->len), 101);
        }
    }
    tl_speech_bank_destroy(bank);
}

static void a_click_is_not_speech(void **state)
{
    struct tl_ai_vad vad = {.threshold = 0.5, .silence_ms = 200};
    uint8_t loud[TL_SPEECH_FRAME_BYTES] = {0};

    (void)state;
    assert_int_equal(count_turns(&vad, loud, sizeof(loud)), 0);
    assert_int_equal(tl_ai_vad_feed(&vad, loud), TL_AI_VAD_NOTHING);
    assert_int_equal(tl_ai_vad_feed(&vad, loud), TL_AI_VAD_STARTED);
}

static void a_turn_ends_after_exactly_its_silence(void **state)
{
    struct tl_ai_vad vad = {.threshold = 0.5, .silence_ms = 500};
    uint8_t loud[TL_SPEECH_FRAME_BYTES] = {0};
    uint8_t silence[TL_SPEECH_FRAME_BYTES];

    (void)state;
    memset(silence, TL_SPEECH_SILENCE, sizeof(silence));
    tl_ai_vad_feed(&vad, loud);
    assert_int_equal(tl_ai_vad_feed(&vad, loud), TL_AI_VAD_STARTED);
    for (int i = 1; i < 500 / TL_AI_VAD_FRAME_MS; i++)
        assert_int_equal(tl_ai_vad_feed(&vad, silence), TL_AI_VAD_NOTHING);
    assert_int_equal(tl_ai_vad_feed(&vad, silence), TL_AI_VAD_STOPPED);
    assert_false(vad.speaking);
}

static void scan_reads_appends_in_any_order(void **state)
{
    static const char *const messages[] = {
        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\"}",
        "{ \"audio\" : \"AAAA\" ,\n\"type\":\"input_audio_buffer.append\" }",
        "{\"event_id\":\"e\",\"audio\":\"AAAA\",\"type\":\"input_audio_buffer.append\"}",
    };
    struct tl_ai_append append;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(messages); i++) {
        assert_true(tl_ai_append_scan(messages[i], strlen(messages[i]), &append));
        assert_int_equal(append.audio_len, 4);
        assert_memory_equal(append.audio, "AAAA", 4);
    }
}

/** Each cut of it too: whatever is unusual is left to the full parser. */
static void scan_leaves_everything_else_alone(void **state)
{
    static const char *const messages[] = {
        "{\"type\":\"input_audio_buffer.append\"}",
        "{\"type\":\"input_audio_buffer.commit\",\"audio\":\"AAAA\"}",
        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AA\\/A\"}",
        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\",\"more\":\"x\"}",
        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\",\"audio\":\"BBBB\"}",
        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\"} x",
        "{\"type\":\"input_audio_buffer.append\",\"audio\":7}",
        "[\"input_audio_buffer.append\"]",
    };
    static const char good[] = "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\"}";
    struct tl_ai_append append;

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(messages); i++)
        assert_false(tl_ai_append_scan(messages[i], strlen(messages[i]), &append));
    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        char *cut = malloc(len + 1); /* exact, so that reading past it is found */
        memcpy(cut, good, len);
        assert_false(tl_ai_append_scan(cut, len, &append));
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phrase_is_one_turn_at_any_threshold),
        cmocka_unit_test(a_click_is_not_speech),
        cmocka_unit_test(a_turn_ends_after_exactly_its_silence),
        cmocka_unit_test(scan_reads_appends_in_any_order),
        cmocka_unit_test(scan_leaves_everything_else_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
