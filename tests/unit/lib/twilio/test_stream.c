/* stream.h: messages of the telephone network's socket, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "twilio/stream.h"

static struct tl_stream_message message;
static struct tl_error err;

static const char connected[] =
    "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";
static const char start[] =
    "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"streamSid\":\"MZ01\",\"start\":{"
    "\"accountSid\":\"AC01\",\"streamSid\":\"MZ01\",\"callSid\":\"CA01\",\"tracks\":[\"inbound\"],"
    "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1},"
    "\"customParameters\":{\"key\":\"kQ1v\"}}}";
static const char media[] =
    "{\"event\":\"media\",\"sequenceNumber\":\"4\",\"streamSid\":\"MZ01\",\"media\":{"
    "\"track\":\"inbound\",\"chunk\":\"2\",\"timestamp\":\"25\",\"payload\":\"//7+/w==\"}}";
static const char dtmf[] = "{\"event\":\"dtmf\",\"streamSid\":\"MZ01\",\"sequenceNumber\":\"5\","
                           "\"dtmf\":{\"track\":\"inbound_track\",\"digit\":\"5\"}}";
static const char mark[] = "{\"event\":\"mark\",\"sequenceNumber\":\"6\",\"streamSid\":\"MZ01\","
                           "\"mark\":{\"name\":\"3.0.200\"}}";
static const char stop[] = "{\"event\":\"stop\",\"sequenceNumber\":\"7\",\"streamSid\":\"MZ01\","
                           "\"stop\":{\"accountSid\":\"AC01\",\"callSid\":\"CA01\"}}";
static const char *const all[] = {connected, start, media, dtmf, mark, stop};

static enum tl_status parse_bytes(const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1); /* no NUL behind it */
    memcpy(copy, data, len);
    memset(&message, 0x5a, sizeof(message)); /* what the caller has there is rubbish */
    enum tl_status st = tl_stream_parse(copy, len, &message, &err);
    free(copy);
    return st;
}

static enum tl_status parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* `text` with its first `from` replaced by `to`. */
static enum tl_status parse_with(const char *text, const char *from, const char *to)
{
    struct tl_buf b;
    const char *at = strstr(text, from);

    assert_non_null(at);
    tl_buf_init(&b, 1u << 20);
    tl_buf_add(&b, text, (size_t)(at - text));
    tl_buf_add_str(&b, to);
    tl_buf_add_str(&b, at + strlen(from));
    enum tl_status st = parse_bytes((const char *)b.data, b.len);
    tl_buf_finish(&b);
    return st;
}

static void connected_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(connected), TL_OK);
    assert_int_equal(message.event, TL_STREAM_CONNECTED);
    assert_string_equal(message.stream_sid, "");
}

static void start_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(start), TL_OK);
    assert_int_equal(message.event, TL_STREAM_START);
    assert_string_equal(message.stream_sid, "MZ01");
    assert_string_equal(message.call_sid, "CA01");
    assert_string_equal(message.account_sid, "AC01");
    assert_string_equal(message.text, "kQ1v");
}

static void media_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(media), TL_OK);
    assert_int_equal(message.event, TL_STREAM_MEDIA);
    assert_string_equal(message.stream_sid, "MZ01");
    assert_true(message.timestamp_ms == 25);
    assert_int_equal(message.audio_len, 4);
    assert_memory_equal(message.audio, "\xff\xfe\xfe\xff", 4);
}

static void dtmf_is_read(void **state)
{
    static const char keys[] = "0123456789*#ABCDabcd";
    (void)state;
    for (size_t i = 0; keys[i]; i++) {
        assert_int_equal(parse_with(dtmf, "\"5\"}", (char[]){'"', keys[i], '"', '}', 0}), TL_OK);
        assert_int_equal(message.event, TL_STREAM_DTMF);
        assert_int_equal(message.text[0], keys[i]);
        assert_int_equal(message.text[1], 0);
    }
}

static void mark_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(mark), TL_OK);
    assert_int_equal(message.event, TL_STREAM_MARK);
    assert_string_equal(message.text, "3.0.200");
}

static void stop_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(stop), TL_OK);
    assert_int_equal(message.event, TL_STREAM_STOP);
    assert_string_equal(message.stream_sid, "MZ01");
    assert_string_equal(message.call_sid, "CA01");
}

static void numbers_may_be_numbers_or_strings(void **state)
{
    (void)state;
    assert_int_equal(parse_with(media, "\"25\"", "25"), TL_OK);
    assert_true(message.timestamp_ms == 25);
    assert_int_equal(parse_with(media, "\"25\"", "\"86400000\""), TL_OK);
    assert_true(message.timestamp_ms == 86400000);
    assert_int_equal(parse_with(media, "\"25\"", "0"), TL_OK);
    assert_int_equal(parse_with(start, "8000", "\"8000\""), TL_OK);
    assert_int_equal(parse_with(start, "\"channels\":1", "\"channels\":\"1\""), TL_OK);
}

static void numbers_of_another_shape_are_refused(void **state)
{
    static const char *const others[] = {"\"\"",
                                         "\"x\"",
                                         "\"25x\"",
                                         "\"2 5\"",
                                         "-1",
                                         "\"-1\"",
                                         "null",
                                         "true",
                                         "[25]",
                                         "{}",
                                         "2.5",
                                         "\"99999999999999999999\"",
                                         "9223372036854775807"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(others); i++)
        assert_int_equal(parse_with(media, "\"25\"", others[i]), TL_INVALID);
}

static void unknown_members_are_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(all); i++)
        assert_int_equal(parse_with(all[i], "{", "{\"later\":{\"deep\":[1,2]},"), TL_OK);
}

static void unknown_event_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"event\":\"speech\"}"), TL_NOT_FOUND);
    assert_int_equal(parse("{\"event\":\"\"}"), TL_NOT_FOUND);
    assert_int_equal(parse("{\"event\":\"Media\"}"), TL_NOT_FOUND);
    assert_int_equal(parse("{\"event\":\"mediamedia\"}"), TL_NOT_FOUND);
}

static void what_is_no_message_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "null",
                                        "[]",
                                        "\"media\"",
                                        "1",
                                        "{}",
                                        "{\"event\":}",
                                        "{\"event\":1}",
                                        "{\"event\":null}",
                                        "{\"event\":\"media\"}",
                                        "{\"event\":\"media\",\"event\":\"stop\"}",
                                        "{\"event\":\"connected\"}{}",
                                        "{\"event\":\"connected\"} x",
                                        "{'event':'connected'}",
                                        "\xef\xbb\xbf{}",
                                        "{\"event\":\"mark\xff\"}",
                                        "{\"event\":\"conn\\u0000ected\"}"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++)
        assert_int_equal(parse(texts[i]), TL_INVALID);
}

/* Two readers could take two different values of it. */
static void repeated_members_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_with(mark, "{", "{\"event\":\"mark\","), TL_INVALID);
    assert_int_equal(parse_with(media, "\"payload\"", "\"payload\":\"AAAA\",\"payload\""),
                     TL_INVALID);
}

static void missing_and_misshapen_members_are_refused(void **state)
{
    static const struct {
        const char *text, *from, *to;
    } rows[] = {
        {start, "\"accountSid\"", "\"x\""},
        {start, "\"callSid\"", "\"x\""},
        {start, "\"key\"", "\"x\""},
        {start, "\"kQ1v\"", "7"},
        {start, "\"customParameters\"", "\"x\""},
        {start, "\"mediaFormat\"", "\"x\""},
        {start, "\"sampleRate\"", "\"x\""},
        {start, "\"channels\"", "\"x\""},
        {start, "\"start\":{", "\"x\":{"},
        {start, "\"callSid\":\"CA01\"", "\"callSid\":[\"CA01\"]"},
        {start, "{\"key\":\"kQ1v\"}", "[\"key\",\"kQ1v\"]"},
        {media, "\"streamSid\"", "\"x\""},
        {media, "\"MZ01\"", "12"},
        {media, "\"timestamp\"", "\"x\""},
        {media, "\"payload\"", "\"x\""},
        {media, "\"//7+/w==\"", "null"},
        {media, "\"//7+/w==\"", "\"//7+/w=\""},
        {media, "\"//7+/w==\"", "\"//7+/w\""},
        {media, "\"//7+/w==\"", "\"//7+ /w==\""},
        {media, "\"//7+/w==\"", "\"__7-_w==\""},
        {media, "\"media\":{", "\"x\":{"},
        {dtmf, "\"streamSid\"", "\"x\""},
        {dtmf, "\"digit\"", "\"x\""},
        {dtmf, "\"5\"}", "\"\"}"},
        {dtmf, "\"5\"}", "\"55\"}"},
        {dtmf, "\"5\"}", "\"E\"}"},
        {dtmf, "\"5\"}", "\" \"}"},
        {dtmf, "\"5\"}", "5}"},
        {mark, "\"streamSid\"", "\"x\""},
        {mark, "\"name\"", "\"x\""},
        {mark, "\"3.0.200\"", "3"},
        {stop, "\"streamSid\"", "\"x\""},
        {stop, "\"callSid\"", "\"x\""},
        {stop, "\"stop\":{", "\"x\":{"},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        if (parse_with(rows[i].text, rows[i].from, rows[i].to) != TL_INVALID)
            fail_msg("row %zu: %s -> %s", i, rows[i].from, rows[i].to);
}

static void start_of_another_format_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_with(start, "audio/x-mulaw", "audio/x-alaw"), TL_INVALID);
    assert_int_equal(parse_with(start, "audio/x-mulaw", "audio/l16"), TL_INVALID);
    assert_int_equal(parse_with(start, "8000", "16000"), TL_INVALID);
    assert_int_equal(parse_with(start, "\"channels\":1", "\"channels\":2"), TL_INVALID);
    assert_non_null(strstr(err.msg, "mu-law"));
    assert_int_equal(parse_with(start, "\"audio/x-mulaw\"", "null"), TL_INVALID);
}

/* A string that is as long as its room without the NUL is too long. */
static void long_strings_are_refused(void **state)
{
    static const struct {
        const char *text, *from;
        size_t size;
    } rows[] = {
        {start, "CA01", sizeof(message.call_sid)}, {start, "AC01", sizeof(message.account_sid)},
        {start, "kQ1v", sizeof(message.text)},     {media, "MZ01", sizeof(message.stream_sid)},
        {mark, "3.0.200", sizeof(message.text)},   {stop, "CA01", sizeof(message.call_sid)},
    };
    static char text[TL_STREAM_TEXT_MAX + 1];
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        memset(text, 'x', sizeof(text));
        text[rows[i].size] = '\0';
        assert_int_equal(parse_with(rows[i].text, rows[i].from, text), TL_INVALID);
        assert_non_null(strstr(err.msg, "too long"));
        text[rows[i].size - 1] = '\0';
        assert_int_equal(parse_with(rows[i].text, rows[i].from, text), TL_OK);
    }
}

static void long_sound_is_refused(void **state)
{
    static char payload[(TL_STREAM_AUDIO_MAX + 3) / 3 * 4 + 8];
    const size_t most = TL_STREAM_AUDIO_MAX / 3 * 4;
    (void)state;
    memset(payload, 'A', most);
    payload[most] = '\0';
    assert_int_equal(parse_with(media, "//7+/w==", payload), TL_OK);
    assert_int_equal(message.audio_len, TL_STREAM_AUDIO_MAX / 3 * 3);
    memset(payload, 'A', most + 4);
    payload[most + 4] = '\0';
    assert_int_equal(parse_with(media, "//7+/w==", payload), TL_INVALID);
}

static void empty_sound_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse_with(media, "//7+/w==", ""), TL_OK);
    assert_int_equal(message.audio_len, 0);
}

static void message_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(all); i++)
        for (size_t len = 0; len < strlen(all[i]); len++)
            assert_int_equal(parse_bytes(all[i], len), TL_INVALID);
}

/* ---- to the network ---- */

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

static void media_is_written_with_no_member_more(void **state)
{
    (void)state;
    tl_stream_media(&out, "MZ01", (struct tl_bytes){(const uint8_t *)"\xff\xfe\xfe\xff", 4});
    assert_string_equal(tl_buf_str(&out), "{\"event\":\"media\",\"streamSid\":\"MZ01\","
                                          "\"media\":{\"payload\":\"//7+/w==\"}}");
}

static void mark_is_written_with_no_member_more(void **state)
{
    (void)state;
    tl_stream_mark(&out, "MZ01", "3.0.200");
    assert_string_equal(tl_buf_str(&out), "{\"event\":\"mark\",\"streamSid\":\"MZ01\","
                                          "\"mark\":{\"name\":\"3.0.200\"}}");
    assert_int_equal(parse(tl_buf_str(&out)), TL_OK); /* it comes back so */
    assert_string_equal(message.text, "3.0.200");
}

static void clear_is_written_with_no_member_more(void **state)
{
    (void)state;
    tl_stream_clear(&out, "MZ01");
    assert_string_equal(tl_buf_str(&out), "{\"event\":\"clear\",\"streamSid\":\"MZ01\"}");
}

static void nothing_breaks_out_of_a_string(void **state)
{
    (void)state;
    tl_stream_mark(&out, "MZ\",\"x\":\"\\", "a\n\"b\\");
    assert_string_equal(tl_buf_str(&out), "{\"event\":\"mark\",\"streamSid\":\"MZ,x:\","
                                          "\"mark\":{\"name\":\"ab\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connected_is_read),
        cmocka_unit_test(start_is_read),
        cmocka_unit_test(media_is_read),
        cmocka_unit_test(dtmf_is_read),
        cmocka_unit_test(mark_is_read),
        cmocka_unit_test(stop_is_read),
        cmocka_unit_test(numbers_may_be_numbers_or_strings),
        cmocka_unit_test(numbers_of_another_shape_are_refused),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(unknown_event_is_not_found),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(repeated_members_are_refused),
        cmocka_unit_test(missing_and_misshapen_members_are_refused),
        cmocka_unit_test(start_of_another_format_is_refused),
        cmocka_unit_test(long_strings_are_refused),
        cmocka_unit_test(long_sound_is_refused),
        cmocka_unit_test(empty_sound_is_read),
        cmocka_unit_test(message_that_is_cut_anywhere_is_refused),
        cmocka_unit_test_setup_teardown(media_is_written_with_no_member_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mark_is_written_with_no_member_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clear_is_written_with_no_member_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_breaks_out_of_a_string, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("twilio_stream", tests, NULL, NULL);
}
