/* args.h: command lines taken apart, and what people get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/cli/args.h"

static const struct tl_cli_option tail_options[] = {
    {"from", "WHERE", "where to begin"},
    {"count", "N", "how many"},
    {"until-end", NULL, "a flag"},
    {0},
};

static const struct tl_cli_command commands[] = {
    {.name = "tail",
     .operands = "TOPIC",
     .operands_min = 1,
     .operands_max = 1,
     .summary = "Prints records.",
     .options = tail_options},
    {.name = "topics list", .summary = "Lists topics."},
    {.name = "topics create", .summary = "Creates topics.", .details = "More about it."},
    {.name = "call", .operands = "[SENTENCE...]", .operands_max = 3, .summary = "Calls."},
    {0},
};

struct parsed {
    enum tl_status status;
    enum tl_cli_wish wish;
    struct tl_cli_args args;
    struct tl_error err;
};

/* A command line without the program's name. */
#define PARSE(...) parse((char *[]){(char[]){"trunkline"}, __VA_ARGS__ __VA_OPT__(, ) NULL})

static struct parsed parse(char **argv)
{
    struct parsed p = {0};
    int argc = 0;

    while (argv[argc])
        argc++;
    p.status = tl_cli_args_parse(commands, argc, argv, &p.wish, &p.args, &p.err);
    return p;
}

static void options_and_operands_come_in_any_order(void **state)
{
    (void)state;
    struct parsed p = PARSE("--config", "a.yaml", "tail", "--from=beginning", "calls.v1", "--count",
                            "5", "--until-end");
    assert_int_equal(p.status, TL_OK);
    assert_int_equal(p.wish, TL_CLI_RUN);
    assert_string_equal(p.args.command->name, "tail");
    assert_string_equal(p.args.config_file, "a.yaml");
    assert_int_equal(p.args.operands, 1);
    assert_string_equal(p.args.operand[0], "calls.v1");
    assert_string_equal(tl_cli_arg(&p.args, "from"), "beginning");
    assert_string_equal(tl_cli_arg(&p.args, "count"), "5");
    assert_string_equal(tl_cli_arg(&p.args, "until-end"), "");
    p = PARSE("tail", "calls.v1");
    assert_null(tl_cli_arg(&p.args, "until-end"));
}

static void commands_of_two_words_are_found(void **state)
{
    (void)state;
    struct parsed p = PARSE("topics", "create");
    assert_string_equal(p.args.command->name, "topics create");
    assert_int_equal(p.args.operands, 0);
}

static void behind_two_dashes_all_are_operands(void **state)
{
    (void)state;
    struct parsed p = PARSE("call", "--", "--not an option", "--help");
    assert_int_equal(p.status, TL_OK);
    assert_int_equal(p.wish, TL_CLI_RUN);
    assert_int_equal(p.args.operands, 2);
    assert_string_equal(p.args.operand[0], "--not an option");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        char *argv[6];
        const char *message;
    } cases[] = {
        {{"trunkline"}, "a command is missing; trunkline --help lists them"},
        {{"trunkline", "tial", "x"}, "tial: no such command (did you mean tail?)"},
        {{"trunkline", "zebra"}, "zebra: no such command; trunkline --help lists them"},
        {{"trunkline", "topics"}, "topics what? There are: list, create"},
        {{"trunkline", "topics", "crate"},
         "topics crate: no such command (did you mean topics create?)"},
        {{"trunkline", "tail"}, "usage: trunkline tail TOPIC"},
        {{"trunkline", "tail", "a", "b"}, "usage: trunkline tail TOPIC"},
        {{"trunkline", "topics", "list", "x"}, "usage: trunkline topics list"},
        {{"trunkline", "tail", "a", "--frm", "x"}, "--frm: no such option of tail"},
        {{"trunkline", "--frm"}, "a command is missing; trunkline --help lists them"},
        {{"trunkline", "tail", "a", "--from"}, "--from: WHERE is missing"},
        {{"trunkline", "tail", "a", "--until-end=1"}, "--until-end: takes no value"},
        {{"trunkline", "tail", "a", "--from=x", "--from=y"}, "--from: given twice"},
        {{"trunkline", "tail", "a", "--config"}, "--config: a file is missing"},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        struct parsed p = parse((char **)cases[i].argv);
        assert_int_equal(p.status, TL_INVALID);
        assert_string_equal(p.err.msg, cases[i].message);
    }
}

static void numbers_are_whole_and_within_range(void **state)
{
    static const struct {
        char *text;
        const char *message;
    } cases[] = {
        {"x", "--count: \"x\" is not a whole number"},
        {"1.5", "--count: \"1.5\" is not a whole number"},
        {"", "--count: \"\" is not a whole number"},
        {"99999999999999999999", "--count: \"99999999999999999999\" is not a whole number"},
        {"0", "--count: 0 is not within 1..10"},
        {"11", "--count: 11 is not within 1..10"},
    };
    long long value = 0;
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        struct parsed p = PARSE("tail", "a", "--count", cases[i].text);
        assert_int_equal(tl_cli_arg_int(&p.args, "count", 1, 10, 7, &value, &p.err), TL_INVALID);
        assert_string_equal(p.err.msg, cases[i].message);
    }
    struct parsed p = PARSE("tail", "a", "--count", "10");
    assert_int_equal(tl_cli_arg_int(&p.args, "count", 1, 10, 7, &value, &p.err), TL_OK);
    assert_int_equal(value, 10);
    p = PARSE("tail", "a");
    assert_int_equal(tl_cli_arg_int(&p.args, "count", 1, 10, 7, &value, &p.err), TL_OK);
    assert_int_equal(value, 7);
}

static void help_is_given_wherever_it_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--help").wish, TL_CLI_HELP);
    assert_null(PARSE("--help").args.command);
    assert_int_equal(PARSE("tail", "--help").wish, TL_CLI_HELP); /* though TOPIC is missing */
    assert_string_equal(PARSE("topics", "create", "-h").args.command->name, "topics create");
    assert_int_equal(PARSE("--version").wish, TL_CLI_VERSION);
}

static void help_has_every_command_and_option(void **state)
{
    struct tl_buf text;
    (void)state;
    tl_buf_init(&text, 8192);
    tl_cli_help(commands, NULL, &text);
    for (const struct tl_cli_command *c = commands; c->name; c++) {
        assert_non_null(strstr(tl_buf_str(&text), c->name));
        assert_non_null(strstr(tl_buf_str(&text), c->summary));
    }
    tl_buf_reset(&text);
    tl_cli_help(commands, &commands[0], &text);
    assert_non_null(strstr(tl_buf_str(&text), "usage: trunkline tail [options] TOPIC\n"));
    assert_non_null(strstr(tl_buf_str(&text), "--from WHERE"));
    assert_non_null(strstr(tl_buf_str(&text), "a flag"));
    assert_false(text.full);
    tl_buf_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_come_in_any_order),
        cmocka_unit_test(commands_of_two_words_are_found),
        cmocka_unit_test(behind_two_dashes_all_are_operands),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(numbers_are_whole_and_within_range),
        cmocka_unit_test(help_is_given_wherever_it_is_asked_for),
        cmocka_unit_test(help_has_every_command_and_option),
    };
    return cmocka_run_group_tests_name("cli_args", tests, NULL, NULL);
}
