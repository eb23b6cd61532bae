/* The TwiML reader: what is run, what is refused, and with which number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "twiml.h"

static void parse_reads_the_pattern_that_survives_a_crash(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect "
        "action=\"https://v/x?a=1&amp;b=2\">"
        "<Stream url=\"wss://m/media\" statusCallback=\"https://v/s\">"
        "<Parameter name=\"call_key\" value=\"k\"/><Parameter name=\"attempt\" value=\"1\"/>"
        "</Stream></Connect><Say voice=\"alice\"> Goodbye <!-- x --></Say><Hangup/></Response>";
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    int code = 0;

    (void)state;
    assert_int_equal(tl_tel_doc_parse(text, strlen(text), &doc, &code, &err), TL_OK);
    const struct tl_tel_node *connect = doc->first;
    assert_int_equal(connect->element, TL_TEL_CONNECT);
    assert_string_equal(tl_tel_node_attr(connect, "action"), "https://v/x?a=1&b=2");
    const struct tl_tel_node *stream = connect->child;
    assert_string_equal(tl_tel_node_attr(stream, "url"), "wss://m/media");
    assert_string_equal(tl_tel_node_attr(stream->child->next, "value"), "1");
    assert_int_equal(connect->next->element, TL_TEL_SAY);
    assert_string_equal(connect->next->text, "Goodbye");
    assert_int_equal(connect->next->next->element, TL_TEL_HANGUP);
    assert_null(connect->next->next->next);
    assert_null(doc->warnings);
    tl_tel_doc_destroy(doc);
}

static void parse_takes_an_empty_response(void **state)
{
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    int code = 0;

    (void)state;
    assert_int_equal(tl_tel_doc_parse("<Response/>", 11, &doc, &code, &err), TL_OK);
    assert_null(doc->first);
    tl_tel_doc_destroy(doc);
}

static const struct {
    const char *text;
    int code;
} REFUSED[] = {
    {"", 12100},
    {"not xml", 12100},
    {"<Response>", 12100},
    {"<response/>", 12100},
    {"<Response><say>hello</say></Response>", 12100},
    {"<Response><Sing/></Response>", 12100},
    {"<Response>hello</Response>", 12100},
    {"<Response><Parameter name=\"a\" value=\"b\"/></Response>", 12100},
    {"<Response><Say><Play>x</Play></Say><Stream url=\"wss://m\"/></Response>", 12100},
    {"<!DOCTYPE x [<!ENTITY a \"b\">]><Response/>", 12100},
    {"<Response/><Response/>", 12100},
    {"<Response><Connect/></Response>", 12200},
    {"<Response><Connect><Stream/></Connect></Response>", 12200},
    {"<Response><Connect><Stream url=\"wss://m\" track=\"both_tracks\"/></Connect></Response>",
     31941},
    {"<Response><Connect><Stream url=\"wss://m\"><Parameter name=\"a\"/></Stream></Connect>"
     "</Response>",
     12200},
    {"<Response><Redirect method=\"PUT\">x</Redirect></Response>", 12200},
};

static void parse_refuses_with_the_number_of_the_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(REFUSED); i++) {
        struct tl_tel_doc *doc = NULL;
        struct tl_error err;
        int code = 0;
        assert_int_equal(
            tl_tel_doc_parse(REFUSED[i].text, strlen(REFUSED[i].text), &doc, &code, &err),
            TL_INVALID);
        assert_int_equal(code, REFUSED[i].code);
    }
}

static void parse_warns_of_an_unknown_attribute(void **state)
{
    static const char text[] = "<Response><Say Voice=\"x\" loop=\"2\">hi</Say></Response>";
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    int code = 0;

    (void)state;
    assert_int_equal(tl_tel_doc_parse(text, strlen(text), &doc, &code, &err), TL_OK);
    assert_non_null(doc->warnings);
    assert_int_equal(doc->warnings->code, 12200);
    assert_null(tl_tel_node_attr(doc->first, "Voice"));
    assert_string_equal(tl_tel_node_attr(doc->first, "loop"), "2");
    tl_tel_doc_destroy(doc);
}

/* Name "n" and a value of so many two-byte characters. */
static enum tl_status parse_parameter(size_t characters, int *ret_code)
{
    char text[2048];
    struct tl_tel_doc *doc = NULL;
    struct tl_error err;
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "<Response><Connect><Stream url=\"wss://m\"><Parameter name=\"n\" "
                                "value=\"");

    for (size_t i = 0; i < characters; i++, n += 2)
        memcpy(text + n, "\xc3\xab", 2);
    snprintf(text + n, sizeof(text) - n, "\"/></Stream></Connect></Response>");
    enum tl_status st = tl_tel_doc_parse(text, strlen(text), &doc, ret_code, &err);
    tl_tel_doc_destroy(st == TL_OK ? doc : NULL);
    return st;
}

static void parse_limits_a_parameter_to_500_characters(void **state)
{
    int code = 0;

    (void)state;
    assert_int_equal(parse_parameter(499, &code), TL_OK);
    assert_int_equal(parse_parameter(500, &code), TL_INVALID);
    assert_int_equal(code, 12200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_reads_the_pattern_that_survives_a_crash),
        cmocka_unit_test(parse_takes_an_empty_response),
        cmocka_unit_test(parse_refuses_with_the_number_of_the_error),
        cmocka_unit_test(parse_warns_of_an_unknown_attribute),
        cmocka_unit_test(parse_limits_a_parameter_to_500_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
