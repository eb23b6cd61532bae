/* event.h: server events of both dialects become one kind; what is missing reads as nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openai/event.h"

static struct tl_buf audio;
static struct tl_openai_event e;
static struct tl_error err;

static int set_up(void **state)
{
    (void)state;
    tl_buf_init(&audio, 1u << 16);
    memset(&e, 0, sizeof(e));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tl_openai_event_finish(&e);
    tl_buf_finish(&audio);
    return 0;
}

static enum tl_status parse_bytes(const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, data, len);
    tl_openai_event_finish(&e);
    enum tl_status st = tl_openai_event_parse(copy, len, &audio, &e, &err);
    free(copy); /* nothing is borrowed from it */
    return st;
}

static void parse(const char *text)
{
    if (parse_bytes(text, strlen(text)) != TL_OK)
        fail_msg("%s: %s", text, err.msg);
}

/* Each row one kind, whatever it is called (sections 5 and 8.3). */
static void both_dialects_become_one_kind(void **state)
{
    static const struct {
        const char *present, *older;
        enum tl_openai_event_kind kind;
    } rows[] = {
        {"response.output_audio.delta", "response.audio.delta", TL_OPENAI_AUDIO_DELTA},
        {"response.output_audio.done", "response.audio.done", TL_OPENAI_AUDIO_DONE},
        {"response.output_audio_transcript.delta", "response.audio_transcript.delta",
         TL_OPENAI_AUDIO_TRANSCRIPT_DELTA},
        {"response.output_audio_transcript.done", "response.audio_transcript.done",
         TL_OPENAI_AUDIO_TRANSCRIPT_DONE},
        {"response.output_text.delta", "response.text.delta", TL_OPENAI_TEXT_DELTA},
        {"response.output_text.done", "response.text.done", TL_OPENAI_TEXT_DONE},
        {"conversation.item.added", "conversation.item.created", TL_OPENAI_ITEM_ADDED},
        {"error", "error", TL_OPENAI_ERROR},
        {"session.created", "session.created", TL_OPENAI_SESSION_CREATED},
        {"session.updated", "session.updated", TL_OPENAI_SESSION_UPDATED},
        {"input_audio_buffer.speech_started", NULL, TL_OPENAI_SPEECH_STARTED},
        {"input_audio_buffer.speech_stopped", NULL, TL_OPENAI_SPEECH_STOPPED},
        {"input_audio_buffer.committed", NULL, TL_OPENAI_INPUT_COMMITTED},
        {"input_audio_buffer.timeout_triggered", NULL, TL_OPENAI_TIMEOUT_TRIGGERED},
        {"conversation.item.input_audio_transcription.delta", NULL, TL_OPENAI_TRANSCRIPTION_DELTA},
        {"conversation.item.input_audio_transcription.completed", NULL,
         TL_OPENAI_TRANSCRIPTION_COMPLETED},
        {"conversation.item.input_audio_transcription.failed", NULL,
         TL_OPENAI_TRANSCRIPTION_FAILED},
        {"response.created", NULL, TL_OPENAI_RESPONSE_CREATED},
        {"response.output_item.added", NULL, TL_OPENAI_OUTPUT_ITEM_ADDED},
        {"response.output_item.done", NULL, TL_OPENAI_OUTPUT_ITEM_DONE},
        {"response.done", NULL, TL_OPENAI_RESPONSE_DONE},
        {"rate_limits.updated", NULL, TL_OPENAI_RATE_LIMITS},
        /* harmless: nobody acts on them */
        {"conversation.item.done", NULL, TL_OPENAI_OTHER},
        {"conversation.created", NULL, TL_OPENAI_OTHER},
        {"conversation.item.truncated", NULL, TL_OPENAI_OTHER},
        {"conversation.item.deleted", NULL, TL_OPENAI_OTHER},
        {"response.content_part.added", NULL, TL_OPENAI_OTHER},
        {"response.function_call_arguments.done", NULL, TL_OPENAI_OTHER},
        {"input_audio_buffer.cleared", NULL, TL_OPENAI_OTHER},
        {"something.that.comes.later", "", TL_OPENAI_OTHER},
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        for (int older = 0; older < 2; older++) {
            const char *type = older ? rows[i].older : rows[i].present;
            if (!type)
                continue;
            (void)snprintf(text, sizeof(text),
                           "{\"type\":\"%s\",\"event_id\":\"e\",\"delta\":\"\"}", type);
            parse(text);
            if (e.kind != rows[i].kind)
                fail_msg("%s is kind %d", type, (int)e.kind);
            assert_string_equal(e.type, type);
        }
}

static void missing_members_read_as_nothing(void **state)
{
    static const char *const types[] = {"error",
                                        "session.created",
                                        "session.updated",
                                        "input_audio_buffer.speech_started",
                                        "conversation.item.input_audio_transcription.completed",
                                        "conversation.item.added",
                                        "conversation.item.input_audio_transcription.failed",
                                        "response.created",
                                        "response.done",
                                        "response.output_item.done",
                                        "rate_limits.updated",
                                        "x"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(types); i++) {
        (void)snprintf(text, sizeof(text), "{\"type\":\"%s\"}", types[i]);
        parse(text);
        const char *const strings[] = {
            e.item_id,      e.previous_item_id, e.response_id, e.text,          e.item_type,
            e.role,         e.call_id,          e.name,        e.arguments,     e.metadata_request,
            e.output_text,  e.status_reason,    e.error_type,  e.error_code,    e.error_message,
            e.input_format, e.output_format,    e.voice,       e.error_event_id};
        for (size_t k = 0; k < TL_ARRAY_LEN(strings); k++)
            assert_string_equal(strings[k], "");
        assert_true(e.audio_ms == 0 && e.expires_at_s == 0 && e.tokens_remaining == -1);
        assert_false(e.has_usage);
        assert_false(e.is_out_of_band);
        assert_int_equal(e.status, TL_OPENAI_RESPONSE_UNKNOWN);
        tl_openai_event_calls(&e, NULL, NULL); /* none to call */
    }
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "null",
                                        "[]",
                                        "\"error\"",
                                        "{}",
                                        "{\"type\":null}",
                                        "{\"type\":1}",
                                        "{\"type\":\"error\"",
                                        "{\"type\":\"error\"}}",
                                        "{\"type\":\"\xff\"}",
                                        "{\"type\":\"a\\u0000b\"}"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++)
        assert_int_equal(parse_bytes(texts[i], strlen(texts[i])), TL_INVALID);
}

static void members_of_another_shape_read_as_nothing(void **state)
{
    (void)state;
    parse("{\"type\":\"response.done\",\"response\":[1],\"item_id\":7,\"response_id\":{}}");
    assert_string_equal(e.item_id, "");
    parse("{\"type\":\"response.done\",\"response\":{\"id\":1,\"status\":[],\"usage\":\"x\","
          "\"output\":{\"a\":1},\"metadata\":\"x\",\"status_details\":7}}");
    assert_string_equal(e.response_id, "");
    assert_int_equal(e.status, TL_OPENAI_RESPONSE_UNKNOWN);
    parse("{\"type\":\"error\",\"error\":\"text\"}");
    assert_string_equal(e.error_message, "");
    parse("{\"type\":\"rate_limits.updated\",\"rate_limits\":{\"name\":\"tokens\"}}");
    assert_true(e.tokens_remaining == -1);
    parse("{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":\"12\"}");
    assert_true(e.audio_ms == 0);
    parse("{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1e300}");
    assert_true(e.audio_ms == 0);
}

/* ---- sound ---- */

static void audio_delta_is_decoded(void **state)
{
    (void)state;
    parse("{\"type\":\"response.output_audio.delta\",\"response_id\":\"r\",\"item_id\":\"i\","
          "\"output_index\":0,\"content_index\":0,\"delta\":\"//7+/w==\"}");
    assert_int_equal(e.audio.len, 4);
    assert_memory_equal(e.audio.data, "\xff\xfe\xfe\xff", 4);
    assert_string_equal(e.item_id, "i");
    assert_string_equal(e.response_id, "r");
    parse("{\"type\":\"response.audio.delta\",\"delta\":\"AAA=\"}"); /* not behind the last one */
    assert_int_equal(e.audio.len, 2);
    parse("{\"type\":\"response.audio.delta\",\"delta\":\"\"}");
    assert_int_equal(e.audio.len, 0);
}

static void audio_that_cannot_be_decoded_is_refused(void **state)
{
    static const char *const deltas[] = {"\"//7+/w=\"", "\"a\"", "\"    \"",  "\"__7-_w==\"",
                                         "7",           "null",  "[\"AAAA\"]"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(deltas); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"type\":\"response.output_audio.delta\",\"delta\":%s}", deltas[i]);
        assert_int_equal(parse_bytes(text, strlen(text)), TL_INVALID);
    }
    assert_int_equal(parse_bytes("{\"type\":\"response.audio.delta\"}", 31), TL_INVALID);
}

static void audio_beyond_the_buffer_is_refused(void **state)
{
    static char text[100000];
    (void)state;
    size_t n =
        (size_t)snprintf(text, sizeof(text), "{\"type\":\"response.audio.delta\",\"delta\":\"");
    memset(text + n, 'A', 90000);
    memcpy(text + n + 90000, "\"}", 3);
    assert_int_equal(parse_bytes(text, strlen(text)), TL_INVALID);
}

/* ---- the caller ---- */

static void speech_is_on_the_clock_of_the_sound(void **state)
{
    (void)state;
    parse("{\"type\":\"input_audio_buffer.speech_started\",\"audio_start_ms\":1234,\"item_id\":"
          "\"i\"}");
    assert_true(e.audio_ms == 1234);
    assert_string_equal(e.item_id, "i");
    parse(
        "{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":2345,\"item_id\":\"i\"}");
    assert_true(e.audio_ms == 2345);
    parse("{\"type\":\"input_audio_buffer.timeout_triggered\",\"audio_start_ms\":1,"
          "\"audio_end_ms\":3456,\"item_id\":\"i\"}");
    assert_true(e.audio_ms == 3456);
    parse("{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":2345.6}");
    assert_true(e.audio_ms == 2345);
}

static void committed_names_the_item_before(void **state)
{
    (void)state;
    parse(
        "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"b\",\"previous_item_id\":\"a\"}");
    assert_string_equal(e.previous_item_id, "a");
    parse(
        "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"b\",\"previous_item_id\":null}");
    assert_string_equal(e.previous_item_id, "");
}

static void transcription_is_read_with_its_usage(void **state)
{
    (void)state;
    parse("{\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"i\","
          "\"content_index\":0,\"transcript\":\"Hello.\","
          "\"usage\":{\"type\":\"duration\",\"seconds\":1.5}}");
    assert_string_equal(e.text, "Hello.");
    assert_true(e.has_usage && e.usage.transcription_seconds == 1.5);
    parse("{\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"i\","
          "\"transcript\":\"Hello.\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":9,"
          "\"output_tokens\":3,\"total_tokens\":12,"
          "\"input_token_details\":{\"text_tokens\":1,\"audio_tokens\":8}}}");
    assert_true(e.usage.input_text_tokens == 1 && e.usage.input_audio_tokens == 8);
    assert_true(e.usage.output_text_tokens == 3 && e.usage.transcription_seconds == 0);
    parse("{\"type\":\"conversation.item.input_audio_transcription.delta\",\"item_id\":\"i\","
          "\"delta\":\"Hel\",\"obfuscation\":\"xx\"}");
    assert_string_equal(e.text, "Hel");
    assert_false(e.has_usage);
    parse("{\"type\":\"conversation.item.input_audio_transcription.failed\",\"item_id\":\"i\","
          "\"error\":{\"type\":\"server_error\",\"code\":\"audio_unintelligible\",\"message\":"
          "\"m\"}}");
    assert_string_equal(e.error_code, "audio_unintelligible");
    assert_string_equal(e.item_id, "i");
}

/* ---- answers ---- */

static void items_are_read(void **state)
{
    (void)state;
    parse("{\"type\":\"response.output_item.done\",\"response_id\":\"r\",\"output_index\":0,"
          "\"item\":{"
          "\"id\":\"i\",\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"end_call\","
          "\"arguments\":\"{\\\"reason\\\":\\\"bye\\\"}\",\"status\":\"completed\"}}");
    assert_string_equal(e.item_id, "i");
    assert_string_equal(e.item_type, "function_call");
    assert_string_equal(e.call_id, "c");
    assert_string_equal(e.name, "end_call");
    assert_string_equal(e.arguments, "{\"reason\":\"bye\"}");
    assert_string_equal(e.response_id, "r");
    parse(
        "{\"type\":\"conversation.item.created\",\"previous_item_id\":\"p\",\"item\":{\"id\":\"i\","
        "\"type\":\"message\",\"role\":\"user\"}}");
    assert_string_equal(e.item_type, "message");
    assert_string_equal(e.role, "user");
    assert_string_equal(e.previous_item_id, "p");
}

static void words_of_an_answer_are_read(void **state)
{
    (void)state;
    parse(
        "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i\",\"delta\":\"Hi\"}");
    assert_string_equal(e.text, "Hi");
    parse("{\"type\":\"response.audio_transcript.done\",\"item_id\":\"i\",\"transcript\":\"Hi "
          "all\"}");
    assert_string_equal(e.text, "Hi all");
    parse("{\"type\":\"response.text.delta\",\"delta\":\"a\"}");
    assert_string_equal(e.text, "a");
    parse("{\"type\":\"response.output_text.done\",\"text\":\"ab\"}");
    assert_string_equal(e.text, "ab");
}

static void response_usage_is_read(void **state)
{
    (void)state;
    parse(
        "{\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"status\":\"completed\","
        "\"status_details\":null,\"conversation_id\":\"conv\",\"metadata\":{\"req\":\"q7\"},"
        "\"output\":[],\"usage\":{\"total_tokens\":253,\"input_tokens\":132,\"output_tokens\":121,"
        "\"input_token_details\":{\"text_tokens\":119,\"audio_tokens\":13,\"image_tokens\":0,"
        "\"cached_tokens\":64,\"cached_tokens_details\":{\"text_tokens\":60,\"audio_tokens\":4}},"
        "\"output_token_details\":{\"text_tokens\":30,\"audio_tokens\":91}}}}");
    assert_int_equal(e.status, TL_OPENAI_RESPONSE_COMPLETED);
    assert_string_equal(e.response_id, "r");
    assert_string_equal(e.metadata_request, "q7");
    assert_string_equal(e.status_reason, "");
    assert_false(e.is_out_of_band);
    assert_true(e.has_usage);
    assert_true(e.usage.input_text_tokens == 119 && e.usage.input_audio_tokens == 13);
    assert_true(e.usage.cached_text_tokens == 60 && e.usage.cached_audio_tokens == 4);
    assert_true(e.usage.output_text_tokens == 30 && e.usage.output_audio_tokens == 91);
    parse("{\"type\":\"response.done\",\"response\":{\"usage\":null}}");
    assert_false(e.has_usage);
}

static void response_status_and_reason_are_read(void **state)
{
    static const struct {
        const char *status, *details, *reason;
        enum tl_openai_response_status want;
    } rows[] = {
        {"completed", "null", "", TL_OPENAI_RESPONSE_COMPLETED},
        {"cancelled", "{\"type\":\"cancelled\",\"reason\":\"turn_detected\"}", "turn_detected",
         TL_OPENAI_RESPONSE_CANCELLED},
        {"cancelled", "{\"reason\":\"client_cancelled\"}", "client_cancelled",
         TL_OPENAI_RESPONSE_CANCELLED},
        {"incomplete", "{\"reason\":\"max_output_tokens\"}", "max_output_tokens",
         TL_OPENAI_RESPONSE_INCOMPLETE},
        {"incomplete", "{\"reason\":\"content_filter\"}", "content_filter",
         TL_OPENAI_RESPONSE_INCOMPLETE},
        {"failed", "\"inference failed\"", "inference failed",
         TL_OPENAI_RESPONSE_FAILED}, /* a string */
        {"in_progress", "null", "", TL_OPENAI_RESPONSE_UNKNOWN},
        {"later", "null", "", TL_OPENAI_RESPONSE_UNKNOWN},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"type\":\"response.done\",\"response\":{\"status\":\"%s\","
                       "\"status_details\":%s}}",
                       rows[i].status, rows[i].details);
        parse(text);
        assert_int_equal(e.status, rows[i].want);
        assert_string_equal(e.status_reason, rows[i].reason);
    }
}

static void failed_response_tells_its_error(void **state)
{
    (void)state;
    parse("{\"type\":\"response.done\",\"response\":{\"status\":\"failed\",\"status_details\":{"
          "\"type\":\"failed\",\"error\":{\"type\":\"tokens\",\"code\":\"inference_rate_limit_"
          "exceeded\","
          "\"message\":\"slow down\"}}}}");
    assert_int_equal(e.status, TL_OPENAI_RESPONSE_FAILED);
    assert_string_equal(e.error_type, "tokens");
    assert_string_equal(e.error_code, "inference_rate_limit_exceeded");
    assert_string_equal(e.error_message, "slow down");
}

static void response_beside_the_conversation_is_told(void **state)
{
    (void)state;
    parse("{\"type\":\"response.done\",\"response\":{\"conversation_id\":null,\"output\":["
          "{\"type\":\"reasoning\"},{\"type\":\"message\",\"content\":[{\"type\":\"output_text\","
          "\"text\":\"\"},{\"type\":\"output_text\",\"text\":\"The summary.\"}]}]}}");
    assert_true(e.is_out_of_band);
    assert_string_equal(e.output_text, "The summary.");
}

struct calls {
    int n;
    char text[256];
};

static void on_call(void *arg, const char *item_id, const char *call_id, const char *name,
                    const char *arguments)
{
    struct calls *calls = arg;
    size_t at = strlen(calls->text);
    calls->n++;
    (void)snprintf(calls->text + at, sizeof(calls->text) - at, "%s/%s/%s/%s;", item_id, call_id,
                   name, arguments);
}

static void completed_calls_are_told_in_order(void **state)
{
    struct calls calls = {0};
    (void)state;
    parse("{\"type\":\"response.done\",\"response\":{\"output\":["
          "{\"type\":\"message\",\"status\":\"completed\",\"id\":\"m\"},"
          "{\"type\":\"function_call\",\"status\":\"completed\",\"id\":\"i1\",\"call_id\":\"c1\","
          "\"name\":\"a\",\"arguments\":\"{}\"},"
          "{\"type\":\"function_call\",\"status\":\"incomplete\",\"id\":\"i2\",\"call_id\":\"c2\","
          "\"name\":\"b\",\"arguments\":\"{\\\"x\"},"
          "7,"
          "{\"type\":\"function_call\",\"status\":\"completed\",\"id\":\"i3\",\"call_id\":\"c3\","
          "\"name\":\"b\",\"arguments\":\"{\\\"x\\\":1}\"}]}}");
    tl_openai_event_calls(&e, on_call, &calls);
    assert_int_equal(calls.n, 2);
    assert_string_equal(calls.text, "i1/c1/a/{};i3/c3/b/{\"x\":1};");
}

/* ---- session, limits, errors ---- */

static void session_is_read_in_both_dialects(void **state)
{
    (void)state;
    parse("{\"type\":\"session.updated\",\"session\":{\"type\":\"realtime\",\"expires_at\":"
          "1795500000,"
          "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcmu\"}},"
          "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"voice\":\"marin\"}}}}");
    assert_string_equal(e.input_format, "audio/pcmu");
    assert_string_equal(e.output_format, "audio/pcm");
    assert_string_equal(e.voice, "marin");
    assert_true(e.expires_at_s == 1795500000);
    parse(
        "{\"type\":\"session.updated\",\"session\":{\"voice\":\"alloy\",\"expires_at\":1795500000,"
        "\"input_audio_format\":\"g711_ulaw\",\"output_audio_format\":\"pcm16\"}}");
    assert_string_equal(e.input_format, "audio/pcmu");
    assert_string_equal(e.output_format, "pcm16");
    assert_string_equal(e.voice, "alloy");
}

static void limits_of_tokens_are_read(void **state)
{
    (void)state;
    parse("{\"type\":\"rate_limits.updated\",\"rate_limits\":["
          "{\"name\":\"requests\",\"limit\":100,\"remaining\":9,\"reset_seconds\":1},"
          "{\"name\":\"tokens\",\"limit\":40000,\"remaining\":1200,\"reset_seconds\":0.25}]}");
    assert_true(e.tokens_remaining == 1200);
    assert_true(e.tokens_reset_s == 0.25);
    parse("{\"type\":\"rate_limits.updated\",\"rate_limits\":[]}");
    assert_true(e.tokens_remaining == -1);
}

static void error_is_read(void **state)
{
    (void)state;
    parse("{\"type\":\"error\",\"event_id\":\"x\",\"error\":{\"type\":\"invalid_request_error\","
          "\"code\":null,\"message\":\"no\",\"param\":null,\"event_id\":\"q7\"}}");
    assert_string_equal(e.error_type, "invalid_request_error");
    assert_string_equal(e.error_code, "");
    assert_string_equal(e.error_message, "no");
    assert_string_equal(e.error_event_id, "q7");
}

/* The table of errors (section 7). */
static void errors_are_judged(void **state)
{
    static const struct {
        const char *type, *code;
        enum tl_openai_severity severity;
    } rows[] = {
        {"invalid_request_error", "conversation_already_has_active_response", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "response_cancel_not_active", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "input_audio_buffer_commit_empty", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "item_retrieve_invalid_item_id", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "missing_required_parameter", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "invalid_value", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "unknown_parameter", TL_OPENAI_HARMLESS},
        {"invalid_request_error", "", TL_OPENAI_HARMLESS}, /* truncate, for one */
        {"invalid_request_error", "session_expired", TL_OPENAI_RECONNECT},
        {"invalid_request_error", "beta_api_shape_disabled", TL_OPENAI_FATAL},
        {"insufficient_quota", "insufficient_quota", TL_OPENAI_FATAL},
        {"", "billing_hard_limit_reached", TL_OPENAI_FATAL},
        {"", "credit_balance_exhausted", TL_OPENAI_FATAL},
        {"", "account_deactivated", TL_OPENAI_FATAL},
        {"invalid_request_error", "invalid_api_key", TL_OPENAI_FATAL},
        {"tokens", "inference_rate_limit_exceeded", TL_OPENAI_RETRY_RESPONSE},
        {"tokens", "rate_limit_exceeded", TL_OPENAI_RETRY_RESPONSE},
        {"server_error", "", TL_OPENAI_RETRY_RESPONSE},
        {"server_error", "internal_error", TL_OPENAI_RETRY_RESPONSE},
        {"server_error", "session_expired",
         TL_OPENAI_RECONNECT}, /* the code goes before the type */
        {"", "", TL_OPENAI_HARMLESS},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        if (tl_openai_error_severity(rows[i].type, rows[i].code) != rows[i].severity)
            fail_msg("%s %s", rows[i].type, rows[i].code);
}

static void closes_are_judged(void **state)
{
    static const int reconnect[] = {0, 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015};
    static const int fatal[] = {1008, 4000, 4001, 4999};
    static const int refused[] = {401, 403, 404};
    static const int later[] = {408, 409, 429, 500, 502, 503, 504};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(reconnect); i++)
        assert_int_equal(tl_openai_close_severity(0, reconnect[i]), TL_OPENAI_RECONNECT);
    for (size_t i = 0; i < TL_ARRAY_LEN(fatal); i++)
        assert_int_equal(tl_openai_close_severity(0, fatal[i]), TL_OPENAI_FATAL);
    for (size_t i = 0; i < TL_ARRAY_LEN(refused); i++)
        assert_int_equal(tl_openai_close_severity(refused[i], 0), TL_OPENAI_FATAL);
    for (size_t i = 0; i < TL_ARRAY_LEN(later); i++)
        assert_int_equal(tl_openai_close_severity(later[i], 0), TL_OPENAI_RECONNECT);
}

static void event_that_is_cut_anywhere_is_refused(void **state)
{
    static const char text[] =
        "{\"type\":\"response.output_audio.delta\",\"response_id\":\"r\",\"item_id\":\"i\","
        "\"delta\":\"//7+/w==\"}";
    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        assert_int_equal(parse_bytes(text, len), TL_INVALID);
    assert_int_equal(parse_bytes(text, sizeof(text) - 1), TL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_dialects_become_one_kind),
        TEST(missing_members_read_as_nothing),
        TEST(what_is_no_event_is_refused),
        TEST(members_of_another_shape_read_as_nothing),
        TEST(audio_delta_is_decoded),
        TEST(audio_that_cannot_be_decoded_is_refused),
        TEST(audio_beyond_the_buffer_is_refused),
        TEST(speech_is_on_the_clock_of_the_sound),
        TEST(committed_names_the_item_before),
        TEST(transcription_is_read_with_its_usage),
        TEST(items_are_read),
        TEST(words_of_an_answer_are_read),
        TEST(response_usage_is_read),
        TEST(response_status_and_reason_are_read),
        TEST(failed_response_tells_its_error),
        TEST(response_beside_the_conversation_is_told),
        TEST(completed_calls_are_told_in_order),
        TEST(session_is_read_in_both_dialects),
        TEST(limits_of_tokens_are_read),
        TEST(error_is_read),
        TEST(errors_are_judged),
        TEST(closes_are_judged),
        TEST(event_that_is_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests_name("openai_event", tests, NULL, NULL);
}
