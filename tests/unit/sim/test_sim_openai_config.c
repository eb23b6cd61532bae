/* Session settings: taken over as a whole or not at all, shown in either dialect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openai/config.h"

static int setup(void **state)
{
    struct tl_ai_config *config = calloc(1, sizeof(*config));

    tl_ai_config_init(config, "sess_1", "gpt-realtime", 1);
    *state = config;
    return 0;
}

static int teardown(void **state)
{
    tl_ai_config_finish(*state);
    free(*state);
    return 0;
}

static bool update(struct tl_ai_config *config, enum tl_ai_dialect dialect, const char *text,
                   bool voice_locked, struct tl_ai_problem *problem)
{
    json_t *session = json_loads(text, 0, NULL);

    assert_non_null(session);
    bool ok = tl_ai_config_update(config, dialect, session, voice_locked, problem);
    json_decref(session);
    return ok;
}

static void defaults_are_the_services(void **state)
{
    struct tl_ai_config *config = *state;

    assert_int_equal(config->input_format, TL_AI_PCM16);
    assert_int_equal(config->detection, TL_AI_SERVER_VAD);
    assert_int_equal(config->silence_ms, 200);
    assert_int_equal(config->prefix_padding_ms, 300);
    assert_true(config->create_response && config->interrupt_response);
    assert_false(config->transcription);
}

static void update_merges_members_and_replaces_turn_detection(void **state)
{
    struct tl_ai_config *config = *state;
    struct tl_ai_problem problem;

    assert_true(update(config, TL_AI_GA,
                       "{\"type\":\"realtime\",\"audio\":{\"input\":{\"format\":{\"type\":"
                       "\"audio/pcmu\"},\"turn_detection\":{\"type\":\"server_vad\","
                       "\"silence_duration_ms\":700}}}}",
                       false, &problem));
    assert_int_equal(config->input_format, TL_AI_PCMU);
    assert_int_equal(config->output_format, TL_AI_PCM16);
    assert_int_equal(config->silence_ms, 700);
    assert_int_equal(config->prefix_padding_ms, 300);
    assert_true(update(config, TL_AI_GA,
                       "{\"type\":\"realtime\",\"audio\":{\"input\":{\"turn_detection\":null}}}",
                       false, &problem));
    assert_int_equal(config->detection, TL_AI_NO_DETECTION);
    assert_int_equal(config->input_format, TL_AI_PCMU);
}

static void a_refused_update_changes_nothing(void **state)
{
    struct tl_ai_config *config = *state;
    struct tl_ai_problem problem;
    json_t *before = json_deep_copy(config->session);

    assert_false(update(config, TL_AI_GA,
                        "{\"type\":\"realtime\",\"instructions\":\"x\",\"audio\":{\"output\":{"
                        "\"voice\":\"marin\",\"pitch\":1}}}",
                        false, &problem));
    assert_string_equal(problem.code, "unknown_parameter");
    assert_string_equal(problem.param, "session.audio.output.pitch");
    assert_true(json_equal(before, config->session));
    json_decref(before);
}

static void voice_is_kept_once_it_was_heard(void **state)
{
    struct tl_ai_config *config = *state;
    struct tl_ai_problem problem;
    const char *marin = "{\"type\":\"realtime\",\"audio\":{\"output\":{\"voice\":\"marin\"}}}";

    assert_false(update(config, TL_AI_GA, marin, true, &problem));
    assert_string_equal(problem.code, "cannot_update_voice");
    assert_true(update(config, TL_AI_GA, marin, false, &problem));
    assert_true(update(config, TL_AI_GA, marin, true, &problem)); /* no change */
}

static void beta_members_find_their_place_and_come_back(void **state)
{
    struct tl_ai_config *config = *state;
    struct tl_ai_problem problem;

    assert_true(update(config, TL_AI_BETA,
                       "{\"modalities\":[\"text\"],\"voice\":\"ash\",\"output_audio_format\":"
                       "\"g711_ulaw\",\"temperature\":1,\"max_response_output_tokens\":7,"
                       "\"turn_detection\":null}",
                       false, &problem));
    assert_int_equal(config->output_format, TL_AI_PCMU);
    assert_true(config->text_only);
    assert_int_equal(config->max_output_tokens, 7);
    assert_int_equal(config->detection, TL_AI_NO_DETECTION);
    json_t *shown = tl_ai_config_json(config, TL_AI_BETA);
    assert_string_equal(json_string_value(json_object_get(shown, "voice")), "ash");
    assert_string_equal(json_string_value(json_object_get(shown, "output_audio_format")),
                        "g711_ulaw");
    assert_string_equal(json_string_value(json_object_get(shown, "input_audio_format")), "pcm16");
    assert_int_equal(json_array_size(json_object_get(shown, "modalities")), 1);
    assert_null(json_object_get(shown, "audio"));
    json_decref(shown);
    assert_false(update(config, TL_AI_BETA, "{\"audio\":{}}", false, &problem));
    assert_string_equal(problem.param, "session.audio");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(defaults_are_the_services),
        CASE(update_merges_members_and_replaces_turn_detection),
        CASE(a_refused_update_changes_nothing),
        CASE(voice_is_kept_once_it_was_heard),
        CASE(beta_members_find_their_place_and_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
