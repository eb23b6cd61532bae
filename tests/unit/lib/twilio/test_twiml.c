/* twiml.h: exact documents, and nothing that breaks out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "twilio/twiml.h"

#define HEADER "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"

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

static void connect_stream_names_action_stream_and_parameters(void **state)
{
    const struct tl_twiml_parameter parameters[] = {{"key", "kQ1v"}, {"n", "2"}};
    (void)state;
    tl_twiml_connect_stream(&out, "https://v.example.com/action?t=1&u=2",
                            "wss://m.example.com/media", "https://v.example.com/stream", parameters,
                            2);
    assert_string_equal(tl_buf_str(&out), HEADER
                        "<Response><Connect action=\"https://v.example.com/action?t=1&amp;u=2\">"
                        "<Stream url=\"wss://m.example.com/media\" "
                        "statusCallback=\"https://v.example.com/stream\">"
                        "<Parameter name=\"key\" value=\"kQ1v\"/>"
                        "<Parameter name=\"n\" value=\"2\"/>"
                        "</Stream></Connect></Response>");
}

static void connect_stream_leaves_out_what_is_not_given(void **state)
{
    (void)state;
    tl_twiml_connect_stream(&out, NULL, "wss://m.example.com/media", "", NULL, 0);
    assert_string_equal(tl_buf_str(&out), HEADER "<Response><Connect><Stream "
                                                 "url=\"wss://m.example.com/media\">"
                                                 "</Stream></Connect></Response>");
}

static void say_ends_the_call(void **state)
{
    (void)state;
    tl_twiml_say(&out, "en-US", "We are closed.", NULL);
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say language=\"en-US\">We are closed.</Say>"
                               "<Hangup/></Response>");
    tl_buf_reset(&out);
    tl_twiml_say(&out, "", "We are closed.", "");
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say>We are closed.</Say><Hangup/></Response>");
}

static void say_with_a_number_dials_a_person(void **state)
{
    (void)state;
    tl_twiml_say(&out, "de-DE", "Einen Moment.", "+14155550100");
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say language=\"de-DE\">Einen Moment.</Say>"
                               "<Dial>+14155550100</Dial></Response>");
}

static void say_redirect_asks_again(void **state)
{
    (void)state;
    tl_twiml_say_redirect(&out, "en-US", "One moment.", 2, "https://v.example.com/voice?a=1&b=2");
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say language=\"en-US\">One moment.</Say>"
                               "<Pause length=\"2\"/><Redirect method=\"POST\">"
                               "https://v.example.com/voice?a=1&amp;b=2</Redirect></Response>");
}

static void reject_says_why(void **state)
{
    (void)state;
    tl_twiml_reject(&out, "busy");
    assert_string_equal(tl_buf_str(&out), HEADER "<Response><Reject reason=\"busy\"/></Response>");
}

static void empty_is_empty(void **state)
{
    (void)state;
    tl_twiml_empty(&out);
    assert_string_equal(tl_buf_str(&out), HEADER "<Response/>");
}

static void texts_cannot_break_out(void **state)
{
    const struct tl_twiml_parameter parameter = {"a\"b", "</Stream><Hangup/>"};
    (void)state;
    tl_twiml_say(&out, "\"><Hangup/>", "</Say><Hangup/> & \"it's\" fine", "<Sip>x</Sip>");
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say language=\"&quot;&gt;&lt;Hangup/&gt;\">"
                               "&lt;/Say&gt;&lt;Hangup/&gt; &amp; &quot;it's&quot; fine</Say>"
                               "<Dial>&lt;Sip&gt;x&lt;/Sip&gt;</Dial></Response>");
    tl_buf_reset(&out);
    tl_twiml_connect_stream(&out, NULL, "wss://m.example.com/media", NULL, &parameter, 1);
    assert_non_null(strstr(tl_buf_str(&out), "<Parameter name=\"a&quot;b\" "
                                             "value=\"&lt;/Stream&gt;&lt;Hangup/&gt;\"/>"));
}

static void what_xml_cannot_hold_becomes_a_question_mark(void **state)
{
    (void)state;
    tl_twiml_say(&out, "",
                 "a\x01"
                 "b\x1f\tc\nd \xc3\xab \xf0\x9f\x98\x80",
                 NULL);
    assert_string_equal(tl_buf_str(&out),
                        HEADER "<Response><Say>a?b?\tc\nd \xc3\xab \xf0\x9f\x98\x80</Say>"
                               "<Hangup/></Response>");
}

/* U+FFFE and U+FFFF are no characters of XML either. */
static void noncharacters_become_a_question_mark(void **state)
{
    (void)state;
    tl_twiml_say(&out, "",
                 "a\xef\xbf\xbe"
                 "b\xef\xbf\xbf"
                 "c\xef\xbf\xbd",
                 NULL);
    assert_string_equal(tl_buf_str(&out), HEADER "<Response><Say>a?b?c\xef\xbf\xbd</Say>"
                                                 "<Hangup/></Response>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_stream_names_action_stream_and_parameters),
        TEST(connect_stream_leaves_out_what_is_not_given),
        TEST(say_ends_the_call),
        TEST(say_with_a_number_dials_a_person),
        TEST(say_redirect_asks_again),
        TEST(reject_says_why),
        TEST(empty_is_empty),
        TEST(texts_cannot_break_out),
        TEST(what_xml_cannot_hold_becomes_a_question_mark),
        TEST(noncharacters_become_a_question_mark),
    };
    return cmocka_run_group_tests_name("twilio_twiml", tests, NULL, NULL);
}
