/* request.h: client events of both dialects, with no member that the service does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "openai/request.h"

static struct tl_buf out;

static int set_up(void **state)
{
    (void)state;
    tl_buf_init(&out, 1u << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tl_buf_finish(&out);
    return 0;
}

/* What was written is this JSON: each member, and none besides. Empties the buffer. */
static void assert_written(const char *want)
{
    json_error_t err;
    json_t *a = json_loads(tl_buf_str(&out), JSON_REJECT_DUPLICATES, &err);
    json_t *b = json_loads(want, JSON_REJECT_DUPLICATES, &err);

    if (!b)
        fail_msg("the test is wrong: %s", err.text);
    if (!a || !json_equal(a, b))
        fail_msg("written:  %s\nexpected: %s", tl_buf_str(&out), want);
    json_decref(a);
    json_decref(b);
    tl_buf_reset(&out);
}

static const struct tl_openai_tool tools[] = {
    {.name = "search_kb",
     .description = "Looks things up.",
     .parameters = "{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}},"
                   "\"required\":[\"q\"]}"},
};

static struct tl_openai_session session(void)
{
    return (struct tl_openai_session){.instructions = "Be \"kind\".",
                                      .voice = "marin",
                                      .transcription_model = "gpt-realtime-whisper",
                                      .language = "en",
                                      .eagerness = "",
                                      .vad_threshold = 0.5,
                                      .vad_prefix_ms = 300,
                                      .vad_silence_ms = 500,
                                      .create_response = true,
                                      .tools = tools,
                                      .tools_n = 1};
}

static void session_update_is_of_the_present_shape(void **state)
{
    const struct tl_openai_session s = session();
    (void)state;
    tl_openai_session_update(&out, TL_OPENAI_GA, &s);
    assert_written(
        "{\"type\":\"session.update\",\"event_id\":\"session\",\"session\":{"
        "\"type\":\"realtime\",\"output_modalities\":[\"audio\"],\"instructions\":\"Be "
        "\\\"kind\\\".\","
        "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcmu\"},\"noise_reduction\":null,"
        "\"transcription\":{\"model\":\"gpt-realtime-whisper\",\"language\":\"en\"},"
        "\"turn_detection\":{\"type\":\"server_vad\",\"threshold\":0.5,\"prefix_padding_ms\":300,"
        "\"silence_duration_ms\":500,\"create_response\":true,\"interrupt_response\":true}},"
        "\"output\":{\"format\":{\"type\":\"audio/pcmu\"},\"voice\":\"marin\"}},"
        "\"tools\":[{\"type\":\"function\",\"name\":\"search_kb\",\"description\":\"Looks things "
        "up.\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}},"
        "\"required\":[\"q\"]}}],"
        "\"tool_choice\":\"auto\",\"max_output_tokens\":4096,\"truncation\":\"auto\"}}");
}

static void session_update_is_of_the_older_shape(void **state)
{
    struct tl_openai_session s = session();
    (void)state;
    s.voice = "alloy";
    s.has_temperature = true;
    s.temperature = 0.75;
    tl_openai_session_update(&out, TL_OPENAI_BETA, &s);
    assert_written(
        "{\"type\":\"session.update\",\"event_id\":\"session\",\"session\":{"
        "\"modalities\":[\"text\",\"audio\"],\"instructions\":\"Be "
        "\\\"kind\\\".\",\"voice\":\"alloy\","
        "\"input_audio_format\":\"g711_ulaw\",\"output_audio_format\":\"g711_ulaw\","
        "\"input_audio_transcription\":{\"model\":\"gpt-realtime-whisper\",\"language\":\"en\"},"
        "\"turn_detection\":{\"type\":\"server_vad\",\"threshold\":0.5,\"prefix_padding_ms\":300,"
        "\"silence_duration_ms\":500,\"create_response\":true,\"interrupt_response\":true},"
        "\"tools\":[{\"type\":\"function\",\"name\":\"search_kb\",\"description\":\"Looks things "
        "up.\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}},"
        "\"required\":[\"q\"]}}],"
        "\"tool_choice\":\"auto\",\"max_response_output_tokens\":4096,\"temperature\":0.75}}");
}

static void session_update_of_the_present_shape_has_no_temperature(void **state)
{
    struct tl_openai_session s = session();
    (void)state;
    s.has_temperature = true;
    s.temperature = 0.75;
    tl_openai_session_update(&out, TL_OPENAI_GA, &s);
    assert_null(strstr(tl_buf_str(&out), "temperature"));
}

static void session_update_leaves_out_what_is_not_set(void **state)
{
    struct tl_openai_session s = session();
    (void)state;
    s.language = "";
    s.tools_n = 0;
    tl_openai_session_update(&out, TL_OPENAI_BETA, &s);
    assert_null(strstr(tl_buf_str(&out), "\"language\""));
    assert_null(strstr(tl_buf_str(&out), "\"temperature\""));
    assert_non_null(strstr(tl_buf_str(&out), "\"tools\":[]")); /* said, so that old ones go */
}

/* Exactly the members of semantic_vad; of both switches neither alone (trap 9). */
static void semantic_vad_has_its_own_members(void **state)
{
    static const struct {
        const char *eagerness, *want;
    } rows[] = {{"", "auto"}, {"low", "low"}, {"high", "high"}};
    struct tl_openai_session s = session();
    (void)state;
    s.semantic_vad = true;
    s.create_response = false;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        s.eagerness = rows[i].eagerness;
        tl_openai_session_update(&out, TL_OPENAI_GA, &s);
        json_t *event = json_loads(tl_buf_str(&out), 0, NULL);
        json_t *vad = json_object_get(
            json_object_get(json_object_get(json_object_get(event, "session"), "audio"), "input"),
            "turn_detection");
        json_t *want = json_pack("{s:s, s:s, s:b, s:b}", "type", "semantic_vad", "eagerness",
                                 rows[i].want, "create_response", 0, "interrupt_response", 0);
        assert_true(json_equal(vad, want));
        json_decref(want);
        json_decref(event);
        tl_buf_reset(&out);
    }
}

static void turn_detection_alone_is_updated_whole(void **state)
{
    struct tl_openai_session s = session();
    (void)state;
    s.create_response = false;
    tl_openai_turn_detection(&out, TL_OPENAI_GA, &s);
    assert_written("{\"type\":\"session.update\",\"event_id\":\"answering\",\"session\":{"
                   "\"type\":\"realtime\",\"audio\":{\"input\":{\"turn_detection\":{"
                   "\"type\":\"server_vad\",\"threshold\":0.5,\"prefix_padding_ms\":300,"
                   "\"silence_duration_ms\":500,\"create_response\":false,"
                   "\"interrupt_response\":false}}}}}");
    tl_openai_turn_detection(&out, TL_OPENAI_BETA, &s);
    assert_written("{\"type\":\"session.update\",\"event_id\":\"answering\",\"session\":{"
                   "\"turn_detection\":{\"type\":\"server_vad\",\"threshold\":0.5,"
                   "\"prefix_padding_ms\":300,\"silence_duration_ms\":500,"
                   "\"create_response\":false,\"interrupt_response\":false}}}");
}

static void tool_with_broken_parameters_takes_any_object(void **state)
{
    const struct tl_openai_tool broken = {
        .name = "t", .description = "d", .parameters = "{\"type\""};
    struct tl_openai_session s = session();
    (void)state;
    s.tools = &broken;
    tl_openai_session_update(&out, TL_OPENAI_GA, &s);
    assert_non_null(strstr(tl_buf_str(&out), "\"parameters\":{\"type\":\"object\"}"));
}

static void sound_is_appended_as_it_is(void **state)
{
    (void)state;
    tl_openai_append(&out, (struct tl_bytes){(const uint8_t *)"\xff\xfe\xfe\xff", 4});
    assert_string_equal(tl_buf_str(&out),
                        "{\"type\":\"input_audio_buffer.append\",\"audio\":\"//7+/w==\"}");
    tl_buf_reset(&out);
    tl_openai_commit(&out);
    assert_written("{\"type\":\"input_audio_buffer.commit\"}");
}

/* Parts that the service lets be created (section 5.1): never the assistant's sound. */
static void messages_are_text_of_their_role(void **state)
{
    static const struct {
        enum tl_openai_dialect dialect;
        const char *role, *part;
    } rows[] = {
        {TL_OPENAI_GA, "user", "input_text"},       {TL_OPENAI_GA, "system", "input_text"},
        {TL_OPENAI_GA, "assistant", "output_text"}, {TL_OPENAI_BETA, "user", "input_text"},
        {TL_OPENAI_BETA, "system", "input_text"},   {TL_OPENAI_BETA, "assistant", "text"},
    };
    char want[512];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        (void)snprintf(want, sizeof(want),
                       "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\","
                       "\"role\":\"%s\",\"content\":[{\"type\":\"%s\",\"text\":\"Hi\"}]}}",
                       rows[i].role, rows[i].part);
        tl_openai_item_message(&out, rows[i].dialect, rows[i].role, "Hi", NULL);
        assert_written(want);
    }
    tl_openai_item_message(&out, TL_OPENAI_GA, "user", "Hi", "mine");
    assert_written(
        "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"id\":\"mine\","
        "\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"}]}}");
}

static void items_are_answered_cut_and_deleted(void **state)
{
    (void)state;
    tl_openai_item_output(&out, "c1", "{\"ok\":true}");
    assert_written(
        "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"function_call_output\","
        "\"call_id\":\"c1\",\"output\":\"{\\\"ok\\\":true}\"}}");
    tl_openai_item_truncate(&out, "i1", 1234);
    assert_written(
        "{\"type\":\"conversation.item.truncate\",\"item_id\":\"i1\",\"content_index\":0,"
        "\"audio_end_ms\":1234}");
    tl_openai_item_delete(&out, "i1");
    assert_written("{\"type\":\"conversation.item.delete\",\"item_id\":\"i1\"}");
}

static void responses_are_asked_for_and_cancelled(void **state)
{
    (void)state;
    tl_openai_response_create(&out, NULL, "q1");
    assert_written("{\"type\":\"response.create\",\"event_id\":\"q1\","
                   "\"response\":{\"metadata\":{\"req\":\"q1\"}}}");
    tl_openai_response_create(&out, "Be kind. Greet.", "q2");
    assert_written("{\"type\":\"response.create\",\"event_id\":\"q2\",\"response\":{"
                   "\"metadata\":{\"req\":\"q2\"},\"instructions\":\"Be kind. Greet.\"}}");
    tl_openai_response_cancel(&out, "r1");
    assert_written("{\"type\":\"response.cancel\",\"response_id\":\"r1\"}");
}

static void text_beside_the_conversation_is_asked_for(void **state)
{
    static const char *const modalities[] = {
        [TL_OPENAI_GA] = "output_modalities", [TL_OPENAI_BETA] = "modalities"};
    char want[512];
    (void)state;
    for (int dialect = 0; dialect < 2; dialect++) {
        (void)snprintf(want, sizeof(want),
                       "{\"type\":\"response.create\",\"event_id\":\"s1\",\"response\":{"
                       "\"conversation\":\"none\",\"%s\":[\"text\"],\"instructions\":\"Sum up.\","
                       "\"metadata\":{\"req\":\"s1\"},\"input\":[{\"type\":\"message\","
                       "\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                       "\"text\":\"Caller: Hi\"}]}]}}",
                       modalities[dialect]);
        tl_openai_response_create_text(&out, (enum tl_openai_dialect)dialect, "Sum up.",
                                       "Caller: Hi", "s1");
        assert_written(want);
    }
}

/* Half an event would be worse than none; nothing leaks. */
static void what_is_not_utf8_writes_nothing(void **state)
{
    struct tl_openai_session s = session();
    (void)state;
    s.instructions = "\xff";
    tl_openai_session_update(&out, TL_OPENAI_GA, &s);
    tl_openai_session_update(&out, TL_OPENAI_BETA, &s);
    s = session();
    s.voice = "\xff";
    tl_openai_session_update(&out, TL_OPENAI_GA, &s);
    tl_openai_session_update(&out, TL_OPENAI_BETA, &s);
    tl_openai_item_message(&out, TL_OPENAI_GA, "user", "\xff", "mine");
    tl_openai_item_output(&out, "c1", "\xff");
    tl_openai_response_create_text(&out, TL_OPENAI_GA, "Sum up.", "\xff", "s1");
    assert_int_equal(out.len, 0);
}

static void voices_that_are_gone_are_replaced(void **state)
{
    static const struct {
        const char *voice, *present, *older;
    } rows[] = {
        {"alloy", "alloy", "alloy"},       {"ash", "ash", "ash"},
        {"ballad", "ballad", "ballad"},    {"coral", "coral", "coral"},
        {"echo", "echo", "echo"},          {"sage", "sage", "sage"},
        {"shimmer", "shimmer", "shimmer"}, {"verse", "verse", "verse"},
        {"marin", "marin", "alloy"},       {"cedar", "cedar", "alloy"},
        {"fable", "ballad", "ballad"},     {"onyx", "ash", "ash"},
        {"nova", "coral", "coral"},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        bool replaced;
        assert_string_equal(tl_openai_voice(rows[i].voice, TL_OPENAI_GA, &replaced),
                            rows[i].present);
        assert_int_equal(replaced, strcmp(rows[i].voice, rows[i].present) != 0);
        assert_string_equal(tl_openai_voice(rows[i].voice, TL_OPENAI_BETA, &replaced),
                            rows[i].older);
        assert_int_equal(replaced, strcmp(rows[i].voice, rows[i].older) != 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(session_update_is_of_the_present_shape),
        TEST(session_update_is_of_the_older_shape),
        TEST(session_update_of_the_present_shape_has_no_temperature),
        TEST(session_update_leaves_out_what_is_not_set),
        TEST(semantic_vad_has_its_own_members),
        TEST(turn_detection_alone_is_updated_whole),
        TEST(tool_with_broken_parameters_takes_any_object),
        TEST(sound_is_appended_as_it_is),
        TEST(messages_are_text_of_their_role),
        TEST(items_are_answered_cut_and_deleted),
        TEST(responses_are_asked_for_and_cancelled),
        TEST(text_beside_the_conversation_is_asked_for),
        TEST(what_is_not_utf8_writes_nothing),
        TEST(voices_that_are_gone_are_replaced),
    };
    return cmocka_run_group_tests_name("openai_request", tests, NULL, NULL);
}
