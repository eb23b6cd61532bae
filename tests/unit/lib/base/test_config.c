/* config.h: sources and their order, and that every mistake is named with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"

struct demo {
    const char *brokers;
    const char *password;
    const char *level;
    int64_t linger;
    double ratio;
    bool tls;
    int64_t timeout_ms;
    struct tl_list topics;
    int64_t number;
};

static const struct tl_setting demo_settings[] = {
    TL_SET_STRING(struct demo, brokers, "kafka.brokers", "localhost:9092", "Where the brokers are.",
                  .env = "KAFKA_BROKERS", .required = true),
    TL_SET_STRING(struct demo, password, "kafka.password", "", "The password.", .secret = true,
                  .min = 8, .max = 20),
    TL_SET_STRING(struct demo, level, "log.level", "info", "Level.", .choices = "debug,info"),
    TL_SET_INT(struct demo, linger, "kafka.linger", "5", 0, 1000, "Linger | wait."),
    TL_SET_NUMBER(struct demo, ratio, "demo.ratio", "0.5", 0, 1, "A ratio."),
    TL_SET_BOOL(struct demo, tls, "demo.tls", "false", "Whether TLS."),
    TL_SET_DURATION(struct demo, timeout_ms, "demo.timeout", "1.5s", 100, 3600000, "A timeout."),
    TL_SET_LIST(struct demo, topics, "demo.deep.topics", "a, b", "Topics."),
    TL_SET_INT(struct demo, number, "instance.number", "0", 0, 511, "Number."),
    {0},
};

static const struct tl_setting other_settings[] = {
    TL_SET_INT(struct demo, linger, "sinks.batch", "100", 1, 1000, "Of another program."),
    TL_SET_STRING(struct demo, level, "sinks.url", "", "Required there.", .required = true),
    {0},
};
static const struct tl_setting *const known[] = {demo_settings, other_settings, NULL};

struct fixture {
    struct tl_config config;
    struct demo demo;
    struct tl_error err;
    enum tl_status status;
};

static const char *problems(struct fixture *f)
{
    return tl_buf_str(&f->config.problems);
}

static void load(struct fixture *f, const char *yaml, char *const *variables)
{
    const struct tl_config_part parts[] = {{demo_settings, &f->demo}, {0}};

    tl_config_finish(&f->config);
    f->status = tl_config_load_text(&f->config, parts, known, "t.yaml", yaml, strlen(yaml),
                                    variables, &f->err);
}

static void assert_problem(struct fixture *f, const char *yaml, const char *expected)
{
    load(f, yaml, NULL);
    assert_string_equal(problems(f), expected);
    assert_int_equal(f->status, TL_INVALID);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tl_config_finish(&f->config);
    free(f);
    return 0;
}

static void defaults_fill_every_field(void **state)
{
    struct fixture *f = *state;

    load(f, "", NULL);
    assert_int_equal(f->status, TL_OK);
    assert_string_equal(f->demo.brokers, "localhost:9092");
    assert_string_equal(f->demo.password, "");
    assert_int_equal(f->demo.linger, 5);
    assert_true(f->demo.ratio == 0.5);
    assert_false(f->demo.tls);
    assert_int_equal(f->demo.timeout_ms, 1500);
    assert_int_equal(f->demo.topics.len, 2);
    assert_string_equal(f->demo.topics.item[1], "b");
}

static void yaml_sets_every_type(void **state)
{
    struct fixture *f = *state;

    load(f,
         "# comment\n"
         "kafka: {brokers: 'a:1,b:2', linger: 7}\n"
         "demo:\n"
         "  ratio: 1e-1\n"
         "  tls: true\n"
         "  timeout: 2m\n"
         "  deep:\n"
         "    topics: [x, 'y,z']\n"
         "log:\n",
         NULL);
    assert_string_equal(problems(f), "");
    assert_int_equal(f->status, TL_OK);
    assert_string_equal(f->demo.brokers, "a:1,b:2");
    assert_int_equal(f->demo.linger, 7);
    assert_true(f->demo.ratio == 0.1);
    assert_true(f->demo.tls);
    assert_int_equal(f->demo.timeout_ms, 120000);
    assert_int_equal(f->demo.topics.len, 2);
    assert_string_equal(f->demo.topics.item[1], "y,z");
}

static void strings_outlive_the_text_and_the_variables(void **state)
{
    struct fixture *f = *state;
    char yaml[] = "kafka: {brokers: from-file}\n", level[] = "TRUNKLINE_LOG_LEVEL=debug";
    char *variables[] = {level, NULL};

    load(f, yaml, variables);
    memset(yaml, 'x', sizeof(yaml) - 1);
    memset(level, 'x', sizeof(level) - 1);
    assert_string_equal(f->demo.brokers, "from-file");
    assert_string_equal(f->demo.level, "debug");
}

static void an_unknown_setting_is_named_with_file_line_and_the_likely_one(void **state)
{
    assert_problem(*state, "kafka:\n  linger: 3\n  brokrs: x\n",
                   "t.yaml:3: kafka.brokrs: no such setting (did you mean kafka.brokers?)\n");
    assert_problem(*state, "kafka:\n  zebra: x\n", "t.yaml:2: kafka.zebra: no such setting\n");
    assert_problem(*state, "\nkafak:\n  brokers: x\n",
                   "t.yaml:2: kafak: no such section (did you mean kafka?)\n");
    assert_problem(*state, "demo:\n  deeep:\n    topics: [x]\n",
                   "t.yaml:2: demo.deeep: no such section (did you mean demo.deep?)\n");
}

static void a_section_of_another_program_is_checked_but_not_stored(void **state)
{
    struct fixture *f = *state;

    load(f, "sinks: {batch: 7}\n", NULL);
    assert_string_equal(problems(f), "");
    assert_int_equal(f->demo.linger, 5);
    assert_problem(f, "sinks: {bach: 7}\n",
                   "t.yaml:1: sinks.bach: no such setting (did you mean sinks.batch?)\n");
    assert_problem(f, "sinks: {batch: 7000}\n",
                   "t.yaml:1: sinks.batch: \"7000\" is not within 1..1000\n");
}

static void wrong_values_are_named_with_what_was_expected(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {"kafka: {linger: x}", "kafka.linger: \"x\" is not a whole number"},
        {"kafka: {linger: 1.5}", "kafka.linger: \"1.5\" is not a whole number"},
        {"kafka: {linger: ' 1'}", "kafka.linger: \" 1\" is not a whole number"},
        {"kafka: {linger: 0x10}", "kafka.linger: \"0x10\" is not a whole number"},
        {"kafka: {linger: }", "kafka.linger: \"\" is not a whole number"},
        {"kafka: {linger: 99999999999999999999}",
         "kafka.linger: \"99999999999999999999\" is not a whole number"},
        {"kafka: {linger: 1001}", "kafka.linger: \"1001\" is not within 0..1000"},
        {"kafka: {linger: -1}", "kafka.linger: \"-1\" is not within 0..1000"},
        {"kafka: {linger: [1]}", "kafka.linger: takes one value, not a list"},
        {"kafka: {linger: {a: 1}}", "kafka.linger: is a setting, not a section"},
        {"kafka: 7", "kafka: is a section, not a setting"},
        {"kafka: [7]", "kafka: is a section, not a setting"},
        {"demo: {ratio: nan}", "demo.ratio: \"nan\" is not a number"},
        {"demo: {ratio: 1e999}", "demo.ratio: \"1e999\" is not a number"},
        {"demo: {ratio: 0x1p-3}", "demo.ratio: \"0x1p-3\" is not a number"},
        {"demo: {ratio: 1.01}", "demo.ratio: \"1.01\" is not within 0..1"},
        {"demo: {tls: yes}", "demo.tls: \"yes\" is neither true nor false"},
        {"demo: {timeout: 5}",
         "demo.timeout: \"5\" is not a duration such as 250ms, 1.5s, 10m, 2h or 7d"},
        {"demo: {timeout: 5x}",
         "demo.timeout: \"5x\" is not a duration such as 250ms, 1.5s, 10m, 2h or 7d"},
        {"demo: {timeout: s}",
         "demo.timeout: \"s\" is not a duration such as 250ms, 1.5s, 10m, 2h or 7d"},
        {"demo: {timeout: -5s}",
         "demo.timeout: \"-5s\" is not a duration such as 250ms, 1.5s, 10m, 2h or 7d"},
        {"demo: {timeout: 0.5ms}", "demo.timeout: \"0.5ms\" is not a whole number of milliseconds"},
        {"demo: {timeout: 2h}", "demo.timeout: \"2h\" is not within 100ms..1h"},
        {"demo: {deep: {topics: [a, '']}}", "demo.deep.topics: item 2 is empty"},
        {"demo: {deep: {topics: 'a,'}}", "demo.deep.topics: item 2 is empty"},
        {"demo: {deep: {topics: [a, [b]]}}", "demo.deep.topics: an item must be plain text"},
        {"log: {level: loud}", "log.level: \"loud\" is none of debug,info"},
        {"log: {level: ''}", "log.level: \"\" is none of debug,info"},
        {"log: {level: 'debug,info'}", "log.level: \"debug,info\" is none of debug,info"},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char expected[256];
        (void)snprintf(expected, sizeof(expected), "t.yaml:1: %s\n", cases[i].problem);
        assert_problem(*state, cases[i].yaml, expected);
    }
}

static void the_value_of_a_secret_is_in_no_message(void **state)
{
    struct fixture *f = *state;
    char *variables[] = {(char[]){"TRUNKLINE_KAFKA_PASSWORD=hunter2"}, NULL};

    load(f, "kafka: {password: tooshrt}\n", variables);
    assert_int_equal(f->config.problems_len, 2);
    assert_null(strstr(problems(f), "hunter2"));
    assert_null(strstr(problems(f), "tooshrt"));
    assert_non_null(strstr(problems(f),
                           "t.yaml:1: kafka.password: the value (secret, not shown) is "
                           "not within 8..20 bytes long"));
    assert_non_null(strstr(problems(f), "TRUNKLINE_KAFKA_PASSWORD: kafka.password"));
}

static void duplicates_are_refused(void **state)
{
    assert_problem(*state, "kafka:\n  linger: 1\n  linger: 1\n",
                   "t.yaml:3: kafka.linger: stands here a second time\n");
    assert_problem(*state, "kafka: {linger: 1}\nlog: {level: info}\nkafka:\n  brokers: x\n",
                   "t.yaml:3: kafka: stands here a second time\n");
}

static void what_is_not_plain_yaml_is_refused(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {"kafka: &a {linger: 1}", "t.yaml:1: anchors (&) and aliases (*) are not taken here\n"},
        {"kafka:\n  linger: *a", "t.yaml:2: anchors (&) and aliases (*) are not taken here\n"},
        {"kafka: !!map {linger: 1}", "t.yaml:1: tags (!) are not taken here\n"},
        {"--- {}\n--- {}\n", "t.yaml:2: a second document; only one is read\n"},
        {"- a\n", "t.yaml:1: sections are expected, such as \"kafka:\"\n"},
        {"text", "t.yaml:1: sections are expected, such as \"kafka:\"\n"},
        {"? [a]\n: b\n", "t.yaml:1: no name of a setting\n"},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++)
        assert_problem(*state, cases[i].yaml, cases[i].problem);
}

static void broken_yaml_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;

    load(f, "kafka:\n  linger: 1\n bad\n", NULL);
    assert_int_equal(f->status, TL_INVALID);
    assert_memory_equal(problems(f), "t.yaml:3: not YAML: ", 20);
    load(f, "kafka: {linger: 1\n", NULL);
    assert_non_null(strstr(problems(f), "not YAML: "));
    load(f, "kafka: \"\\xZZ\"\n", NULL);
    assert_memory_equal(problems(f), "t.yaml:1: not YAML: ", 20);
    load(f, "kafka:\n  linger: 1\n  brokers: \xff\n", NULL); /* not UTF-8 */
    assert_memory_equal(problems(f), "t.yaml:3: not YAML: ", 20);
}

static void depth_and_size_are_bounded(void **state)
{
    struct fixture *f = *state;
    char *deep = calloc(1, 200001), *large = calloc(1, TL_CONFIG_FILE_BYTES_MAX + 2);

    memset(deep, '[', 200000);
    load(f, deep, NULL);
    assert_int_equal(f->status, TL_INVALID);
    memset(large, '#', TL_CONFIG_FILE_BYTES_MAX + 1);
    load(f, large, NULL);
    assert_string_equal(problems(f), "t.yaml: larger than 262144 bytes\n");
    free(deep);
    free(large);
}

static void all_problems_are_listed_and_counted(void **state)
{
    struct fixture *f = *state;
    char yaml[4096] = "kafka:\n";

    load(f, "kafka: {linger: x, brokrs: y}\nlog: {level: z}\n", NULL);
    assert_int_equal(f->config.problems_len, 3);
    assert_string_equal(f->err.msg,
                        "t.yaml:1: kafka.linger: \"x\" is not a whole number (and 2 more)");
    for (int i = 0; i < 100; i++)
        (void)snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "  zebra%d: x\n", i);
    load(f, yaml, NULL);
    assert_int_equal(f->config.problems_len, 100);
    size_t lines = 0;
    for (const char *c = problems(f); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, TL_CONFIG_PROBLEMS_MAX);
}

static void environment_goes_before_the_file_and_its_own_name_before_the_alias(void **state)
{
    struct fixture *f = *state;
    char *alias[] = {(char[]){"KAFKA_BROKERS=alias:1"}, NULL};
    char *both[] = {(char[]){"TRUNKLINE_KAFKA_BROKERS=own:1"}, (char[]){"KAFKA_BROKERS=alias:1"},
                    NULL};
    char *empty[] = {(char[]){"KAFKA_BROKERS="}, (char[]){"OTHER=1"}, NULL};
    char *list[] = {(char[]){"TRUNKLINE_DEMO_DEEP_TOPICS= p , q"}, NULL};

    load(f, "kafka: {brokers: file}\n", alias);
    assert_string_equal(f->demo.brokers, "alias:1");
    load(f, "kafka: {brokers: file}\n", both);
    assert_string_equal(f->demo.brokers, "own:1");
    load(f, "kafka: {brokers: file}\n", empty);
    assert_string_equal(f->demo.brokers, "file");
    load(f, "", list);
    assert_int_equal(f->demo.topics.len, 2);
    assert_string_equal(f->demo.topics.item[0], "p");
}

static void wrong_variables_are_named(void **state)
{
    struct fixture *f = *state;
    char *variables[] = {(char[]){"TRUNKLINE_ENV=x"},          (char[]){"TRUNKLINE_CONFIG=x"},
                         (char[]){"TRUNKLINE_KAFKA_BROKRS=x"}, (char[]){"TRUNKLINE_ZEBRA=x"},
                         (char[]){"TRUNKLINE_KAFKA_LINGER=x"}, NULL};

    load(f, "", variables);
    assert_string_equal(
        problems(f),
        "TRUNKLINE_KAFKA_BROKRS: no such setting (did you mean TRUNKLINE_KAFKA_BROKERS?)\n"
        "TRUNKLINE_ZEBRA: no such setting\n"
        "TRUNKLINE_KAFKA_LINGER: kafka.linger: \"x\" is not a whole number\n");
}

static void a_required_setting_must_be_set_only_where_it_is_loaded(void **state)
{
    struct fixture *f = *state;

    load(f, "", NULL); /* sinks.url belongs to another program */
    assert_int_equal(f->status, TL_OK);
    assert_problem(f, "kafka: {brokers: null}\n", "t.yaml: kafka.brokers: is required\n");
    char *variables[] = {(char[]){"TRUNKLINE_KAFKA_BROKERS="}, NULL};
    load(f, "", variables);
    assert_string_equal(problems(f), "kafka.brokers: is required and not set (in the file, or as "
                                     "TRUNKLINE_KAFKA_BROKERS or KAFKA_BROKERS)\n");
}

static const char *check_even(const char *text)
{
    return strlen(text) % 2 ? "has an odd length" : NULL;
}

static void a_row_may_check_texts_and_items_itself(void **state)
{
    static const struct tl_setting rows[] = {
        TL_SET_STRING(struct demo, level, "a.text", "", "Text.", .check = check_even),
        TL_SET_LIST(struct demo, topics, "a.list", "ab", "List.", .check = check_even),
        {0},
    };
    struct fixture *f = *state;
    const struct tl_config_part parts[] = {{rows, &f->demo}, {0}};
    const char *yaml = "a:\n  text: abc\n  list: [ab, abc]\n";

    assert_int_equal(
        tl_config_load_text(&f->config, parts, NULL, "t", yaml, strlen(yaml), NULL, &f->err),
        TL_INVALID);
    assert_string_equal(problems(f), "t:2: a.text: \"abc\" has an odd length\n"
                                     "t:3: a.list: \"abc\" has an odd length\n");
}

static void a_wrong_value_is_not_called_missing_as_well(void **state)
{
    static const struct tl_setting rows[] = {
        TL_SET_STRING(struct demo, level, "a.must", "", "A must.", .choices = "x,y",
                      .required = true),
        TL_SET_LIST(struct demo, topics, "a.list", "", "Another.", .choices = "x",
                    .required = true),
        {0},
    };
    struct fixture *f = *state;
    const struct tl_config_part parts[] = {{rows, &f->demo}, {0}};
    const char *wrong = "a: {must: z, list: [z]}\n";

    assert_int_equal(
        tl_config_load_text(&f->config, parts, NULL, "t", wrong, strlen(wrong), NULL, &f->err),
        TL_INVALID);
    assert_string_equal(problems(f), "t:1: a.must: \"z\" is none of x,y\n"
                                     "t:1: a.list: \"z\" is none of x\n");
    tl_config_finish(&f->config);
    assert_int_equal(tl_config_load_text(&f->config, parts, NULL, "t", "", 0, NULL, &f->err),
                     TL_INVALID);
    assert_string_equal(problems(f), "t: a.must: is required\nt: a.list: is required\n");
}

static void two_tables_with_one_name_are_our_mistake(void **state)
{
    struct fixture *f = *state;
    static const struct tl_setting again[] = {
        TL_SET_INT(struct demo, linger, "kafka.linger", "5", 0, 9, "Again."),
        {0},
    };
    const struct tl_config_part parts[] = {{demo_settings, &f->demo}, {again, &f->demo}, {0}};

    assert_int_equal(tl_config_load_text(&f->config, parts, NULL, "t", "", 0, NULL, &f->err),
                     TL_FATAL);
    assert_string_equal(f->err.msg, "kafka.linger: two tables of settings have it");
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void an_overlay_goes_over_the_file_and_the_command_line_over_all(void **state)
{
    struct fixture *f = *state;
    const struct tl_config_part parts[] = {{demo_settings, &f->demo}, {0}};
    char dir[] = "/tmp/tl-config-XXXXXX", base[64], overlay[64];
    char *variables[] = {(char[]){"TRUNKLINE_ENV=test"}, (char[]){"TRUNKLINE_INSTANCE_NUMBER=2"},
                         NULL};
    char *missing[] = {(char[]){"TRUNKLINE_ENV=nowhere"}, NULL};
    char *outside[] = {(char[]){"TRUNKLINE_ENV=../test"}, NULL};
    struct tl_config_source source = {.file = base, .instance = "3", .variables = variables};

    assert_non_null(mkdtemp(dir));
    (void)snprintf(base, sizeof(base), "%s/trunkline.yaml", dir);
    (void)snprintf(overlay, sizeof(overlay), "%s/test.yaml", dir);
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_NOT_FOUND);
    tl_config_finish(&f->config);
    write_text(base, "kafka: {brokers: base, linger: 1}\ninstance: {number: 1}\n");
    write_text(overlay, "kafka: {brokers: over}\n");
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_OK);
    assert_string_equal(f->demo.brokers, "over");
    assert_int_equal(f->demo.linger, 1);
    assert_int_equal(f->demo.number, 3);
    tl_config_finish(&f->config);

    write_text(overlay, "\nkafka: {brokrs: over}\n");
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_INVALID);
    assert_non_null(strstr(f->err.msg, "/test.yaml:2: kafka.brokrs"));
    tl_config_finish(&f->config);

    source.instance = "512";
    write_text(overlay, "");
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_INVALID);
    assert_string_equal(f->err.msg, "--instance: instance.number: \"512\" is not within 0..511");
    tl_config_finish(&f->config);

    source.variables = missing;
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_NOT_FOUND);
    assert_non_null(strstr(f->err.msg, "TRUNKLINE_ENV: "));
    tl_config_finish(&f->config);
    source.variables = outside;
    assert_int_equal(tl_config_load(&f->config, parts, known, &source, &f->err), TL_INVALID);

    assert_int_equal(unlink(base) | unlink(overlay) | rmdir(dir), 0);
}

static void markdown_lists_every_setting_by_section(void **state)
{
    struct tl_buf out;
    (void)state;
    tl_buf_init(&out, 1 << 16);
    tl_settings_print_markdown(known, &out);
    const char *text = tl_buf_str(&out);
    assert_non_null(strstr(text, "## demo\n\n| setting |"));
    assert_non_null(
        strstr(text, "| `kafka.brokers` | text, required | `localhost:9092` | "
                     "`TRUNKLINE_KAFKA_BROKERS`, `KAFKA_BROKERS` | Where the brokers are. |\n"));
    assert_non_null(strstr(text, "| `demo.timeout` | duration, 100ms to 1h | `1.5s` |"));
    assert_non_null(strstr(text, "| `kafka.linger` | whole number, 0 to 1000 | `5` | "
                                 "`TRUNKLINE_KAFKA_LINGER` | Linger \\| wait. |\n"));
    assert_non_null(strstr(text, "The password. Secret: never printed. |\n"));
    assert_true(strstr(text, "## demo") < strstr(text, "## kafka"));
    tl_buf_finish(&out);
}

static void every_table_of_the_project_loads(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        tl_config_load_text(&f->config, NULL, tl_all_settings, "t", "", 0, NULL, &f->err), TL_OK);
    for (size_t i = 0; tl_all_settings[i]; i++)
        for (const struct tl_setting *s = tl_all_settings[i]; s->name; s++)
            if (!s->doc || strlen(s->doc) < 5 || s->doc[strlen(s->doc) - 1] != '.')
                fail_msg("%s: the doc is no sentence", s->name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_fill_every_field),
        TEST(yaml_sets_every_type),
        TEST(strings_outlive_the_text_and_the_variables),
        TEST(an_unknown_setting_is_named_with_file_line_and_the_likely_one),
        TEST(a_section_of_another_program_is_checked_but_not_stored),
        TEST(wrong_values_are_named_with_what_was_expected),
        TEST(the_value_of_a_secret_is_in_no_message),
        TEST(duplicates_are_refused),
        TEST(what_is_not_plain_yaml_is_refused),
        TEST(broken_yaml_is_named_with_its_line),
        TEST(depth_and_size_are_bounded),
        TEST(all_problems_are_listed_and_counted),
        TEST(environment_goes_before_the_file_and_its_own_name_before_the_alias),
        TEST(wrong_variables_are_named),
        TEST(a_required_setting_must_be_set_only_where_it_is_loaded),
        TEST(a_row_may_check_texts_and_items_itself),
        TEST(a_wrong_value_is_not_called_missing_as_well),
        TEST(two_tables_with_one_name_are_our_mistake),
        TEST(an_overlay_goes_over_the_file_and_the_command_line_over_all),
        TEST(markdown_lists_every_setting_by_section),
        TEST(every_table_of_the_project_loads),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
