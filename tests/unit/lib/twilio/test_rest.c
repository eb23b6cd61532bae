/* rest.h: what an answer of the REST API means for whoever asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "twilio/form.h"
#include "twilio/rest.h"

static struct tl_twilio_answer read_answer(int http_status, const char *body)
{
    struct tl_twilio_answer answer;
    memset(&answer, 0x5a, sizeof(answer));
    tl_twilio_answer_read(http_status, (struct tl_bytes){(const uint8_t *)body, strlen(body)},
                          &answer);
    return answer;
}

/* The table of codes, and what is to be done about each. */
static void every_code_is_judged(void **state)
{
    static const struct {
        int code, http_status;
        enum tl_twilio_outcome outcome;
    } rows[] = {
        {20003, 401, TL_TWILIO_REFUSED}, {20403, 403, TL_TWILIO_REFUSED},
        {20404, 404, TL_TWILIO_OVER},    {20429, 429, TL_TWILIO_AGAIN},
        {21200, 400, TL_TWILIO_REFUSED}, {21201, 400, TL_TWILIO_REFUSED},
        {21205, 400, TL_TWILIO_REFUSED}, {21210, 400, TL_TWILIO_REFUSED},
        {21212, 400, TL_TWILIO_REFUSED}, {21211, 400, TL_TWILIO_REFUSED},
        {21217, 400, TL_TWILIO_REFUSED}, {21214, 400, TL_TWILIO_REFUSED},
        {21215, 400, TL_TWILIO_REFUSED}, {21216, 400, TL_TWILIO_REFUSED},
        {21220, 400, TL_TWILIO_OVER},    {21405, 400, TL_TWILIO_REFUSED},
        {32018, 400, TL_TWILIO_REFUSED}, {20500, 500, TL_TWILIO_UNKNOWN},
        {20503, 503, TL_TWILIO_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"code\":%d,\"message\":\"Because %d\",\"more_info\":\"https://x\","
                       "\"status\":%d}",
                       rows[i].code, rows[i].code, rows[i].http_status);
        struct tl_twilio_answer answer = read_answer(rows[i].http_status, body);
        if (answer.outcome != rows[i].outcome)
            fail_msg("code %d: outcome %d", rows[i].code, (int)answer.outcome);
        assert_int_equal(answer.code, rows[i].code);
        (void)snprintf(body, sizeof(body), "Because %d", rows[i].code);
        assert_string_equal(answer.message, body);
        assert_string_equal(answer.status, ""); /* the number is none of a call */
    }
}

static void status_alone_is_judged_when_there_is_no_code(void **state)
{
    static const struct {
        int http_status;
        enum tl_twilio_outcome outcome;
    } rows[] = {
        {0, TL_TWILIO_UNKNOWN},   {200, TL_TWILIO_DONE},    {201, TL_TWILIO_DONE},
        {204, TL_TWILIO_DONE},    {302, TL_TWILIO_REFUSED}, {400, TL_TWILIO_REFUSED},
        {401, TL_TWILIO_REFUSED}, {403, TL_TWILIO_REFUSED}, {404, TL_TWILIO_OVER},
        {429, TL_TWILIO_AGAIN},   {500, TL_TWILIO_UNKNOWN}, {502, TL_TWILIO_UNKNOWN},
        {503, TL_TWILIO_UNKNOWN}, {504, TL_TWILIO_UNKNOWN},
    };
    static const char *const bodies[] = {"",
                                         "<html>Bad gateway</html>",
                                         "{}",
                                         "[]",
                                         "null",
                                         "{\"code\":",
                                         "{\"code\":\"21220\"}",
                                         "{\"code\":null}"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < TL_ARRAY_LEN(bodies); k++) {
            struct tl_twilio_answer answer = read_answer(rows[i].http_status, bodies[k]);
            assert_int_equal(answer.outcome, rows[i].outcome);
            assert_int_equal(answer.code, 0);
            if (answer.outcome == TL_TWILIO_DONE)
                assert_string_equal(answer.message, "");
            else
                assert_non_null(strstr(answer.message, "HTTP status"));
        }
}

static void created_call_is_read(void **state)
{
    (void)state;
    struct tl_twilio_answer answer =
        read_answer(201, "{\"sid\":\"CA00000000000000000000000000000001\",\"status\":\"queued\","
                         "\"queue_time\":\"0\",\"price\":null,\"to\":\"+14155550100\"}");
    assert_int_equal(answer.outcome, TL_TWILIO_DONE);
    assert_string_equal(answer.call_sid, "CA00000000000000000000000000000001");
    assert_string_equal(answer.status, "queued");
    assert_int_equal(answer.code, 0);
}

static void no_answer_may_have_been_carried_out(void **state)
{
    (void)state;
    struct tl_twilio_answer answer;
    tl_twilio_answer_read(0, (struct tl_bytes){NULL, 0}, &answer);
    assert_int_equal(answer.outcome, TL_TWILIO_UNKNOWN);
}

static void long_texts_are_cut(void **state)
{
    char body[2000];
    (void)state;
    memset(body, 'x', sizeof(body));
    memcpy(body, "{\"message\":\"", 12);
    memcpy(body + 1500, "\",\"sid\":\"", 9);
    memcpy(body + sizeof(body) - 3, "\"}", 3);
    struct tl_twilio_answer answer = read_answer(400, body);
    assert_int_equal(strlen(answer.message), sizeof(answer.message) - 1);
    assert_int_equal(strlen(answer.call_sid), sizeof(answer.call_sid) - 1);
}

static void members_of_another_shape_are_ignored(void **state)
{
    (void)state;
    struct tl_twilio_answer answer =
        read_answer(200, "{\"sid\":7,\"status\":[\"x\"],\"message\":{},\"code\":1.5}");
    assert_int_equal(answer.outcome, TL_TWILIO_DONE);
    assert_string_equal(answer.call_sid, "");
    assert_string_equal(answer.status, "");
    assert_int_equal(answer.code, 0);
}

static void form_add_encodes_what_form_parse_reads(void **state)
{
    static const char *const values[] = {"+14155550100", "",     "a b&c=d%",
                                         "Zo\xc3\xab",   "~-._", "<Response/>\n"};
    TL_CLEANUP(tl_arena_finish) struct tl_arena arena = {0};
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    struct tl_form form;
    struct tl_error err;
    (void)state;
    tl_buf_init(&out, 4096);
    for (size_t i = 0; i < TL_ARRAY_LEN(values); i++)
        tl_twilio_form_add(&out, i % 2 ? "Status=Callback" : "To", values[i]);
    assert_int_equal(tl_form_parse(tl_buf_str(&out), out.len, &arena, &form, &err), TL_OK);
    assert_int_equal(form.fields_n, TL_ARRAY_LEN(values));
    for (size_t i = 0; i < form.fields_n; i++) {
        assert_string_equal(form.fields[i].name, i % 2 ? "Status=Callback" : "To");
        assert_string_equal(form.fields[i].value, values[i]);
    }
}

static void form_add_writes_every_other_character_as_an_escape(void **state)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    (void)state;
    tl_buf_init(&out, 4096);
    tl_twilio_form_add(&out, "To", "+1 4");
    tl_twilio_form_add(&out, "Url", "https://v.example.com/x?a=1&b");
    assert_string_equal(tl_buf_str(&out),
                        "To=%2B1%204&Url=https%3A%2F%2Fv.example.com%2Fx%3Fa%3D1%26b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_judged),
        cmocka_unit_test(status_alone_is_judged_when_there_is_no_code),
        cmocka_unit_test(created_call_is_read),
        cmocka_unit_test(no_answer_may_have_been_carried_out),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(members_of_another_shape_are_ignored),
        cmocka_unit_test(form_add_encodes_what_form_parse_reads),
        cmocka_unit_test(form_add_writes_every_other_character_as_an_escape),
    };
    return cmocka_run_group_tests_name("twilio_rest", tests, NULL, NULL);
}
