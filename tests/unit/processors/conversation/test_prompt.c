/* prompt.h: what the AI is told (CONV-5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "processors/conversation/prompt.h"

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

static struct tl_business business(void)
{
    return (struct tl_business){
        .name = "Acme", .language = "", .instructions = "", .brand_voice = "", .greeting = ""};
}

static const struct tl_prompt_call call = {.from_number = "+14155550100", .direction = "inbound"};

static const char *instructions(const struct tl_business *b, const struct tl_prompt_call *c)
{
    tl_buf_reset(&out);
    tl_prompt_instructions(b, c, &out);
    return tl_buf_str(&out);
}

static void assert_begins(const char *text, const char *begin)
{
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("does not begin with \"%s\":\n%s", begin, text);
}

static void sections_come_in_their_order(void **state)
{
    const char *guidelines[] = {"Never promise refunds.", "Always ask for the order."};
    const struct tl_prompt_call with_summary = {
        .from_number = "+1", .direction = "inbound", .summary = "The caller wants tea."};
    struct tl_business b = business();
    (void)state;
    b.instructions = "You sell tea.";
    b.brand_voice = "Warm and brief.";
    b.guidelines = guidelines;
    b.guidelines_n = 2;
    b.language = "en-US";
    const char *text = instructions(&b, &with_summary);
    static const char begin[] =
        "You sell tea.\n\n# How you speak\nWarm and brief.\n\n# Rules that you always keep\n"
        "- Never promise refunds.\n- Always ask for the order.\n\n# Language\nSpeak en-US unless "
        "the "
        "caller speaks another language.\n\n# What was said before\nThe caller wants tea.\n\n"
        "# The telephone\n";
    assert_begins(text, begin);
    assert_non_null(strstr(text, "[CARD_1]")); /* masks are explained */
}

static void empty_sections_are_left_out(void **state)
{
    const struct tl_business b = business();
    (void)state;
    const char *text = instructions(&b, &call);
    static const char begin[] = "You answer the telephone for Acme.\n\n# The telephone\n";
    assert_begins(text, begin);
    assert_ptr_equal(strstr(text, "# "), text + strlen("You answer the telephone for Acme.\n\n"));
}

static void placeholders_of_the_template_are_replaced(void **state)
{
    struct tl_business b = business();
    (void)state;
    b.instructions = "{name}: {direction} call from {from_number}, {name}{name}.";
    assert_begins(instructions(&b, &call), "Acme: inbound call from +14155550100, AcmeAcme.\n");
}

static void other_braces_are_left(void **state)
{
    struct tl_business b = business();
    (void)state;
    b.instructions = "{Name} {names} {name {} {summary} %s {";
    assert_begins(instructions(&b, &call), "{Name} {names} {name {} {summary} %s {\n");
}

/* What a caller's number or a name holds is text, never a template again. */
static void replaced_values_are_not_replaced_again(void **state)
{
    const struct tl_prompt_call odd = {.from_number = "{name}%s", .direction = "{from_number}"};
    struct tl_business b = business();
    (void)state;
    b.instructions = "{from_number} {direction}.";
    assert_begins(instructions(&b, &odd), "{name}%s {from_number}.\n");
}

static void only_the_template_is_replaced(void **state)
{
    struct tl_business b = business();
    (void)state;
    b.brand_voice = "Say {name}.";
    assert_non_null(strstr(instructions(&b, &call), "Say {name}."));
}

static void tools_are_those_that_the_business_allows(void **state)
{
    const char *names[] = {"no_such_tool", "end_call"};
    struct tl_openai_tool tools[4];
    struct tl_business b = business();
    (void)state;
    assert_int_equal(tl_prompt_tools(&b, tools, 4), 0);
    b.tools = names;
    b.tools_n = 2;
    assert_int_equal(tl_prompt_tools(&b, tools, 4), 1);
    assert_string_equal(tools[0].name, "end_call");
    json_t *schema = json_loads(tools[0].parameters, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
    json_decref(schema);
    assert_int_equal(tl_prompt_tools(&b, tools, 0), 0);
}

static void greeting_is_said_as_it_stands_or_chosen(void **state)
{
    struct tl_business b = business();
    (void)state;
    tl_prompt_greeting(&b, &out);
    assert_non_null(strstr(tl_buf_str(&out), "on behalf of Acme"));
    tl_buf_reset(&out);
    b.greeting = "Acme, how can I help?";
    tl_prompt_greeting(&b, &out);
    assert_non_null(strstr(tl_buf_str(&out), "\"Acme, how can I help?\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sections_come_in_their_order),
        TEST(empty_sections_are_left_out),
        TEST(placeholders_of_the_template_are_replaced),
        TEST(other_braces_are_left),
        TEST(replaced_values_are_not_replaced_again),
        TEST(only_the_template_is_replaced),
        TEST(tools_are_those_that_the_business_allows),
        TEST(greeting_is_said_as_it_stands_or_chosen),
    };
    return cmocka_run_group_tests_name("conversation_prompt", tests, NULL, NULL);
}
