/* Command lines against the table of commands: see args.h. */
#include "control/cli/args.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NEAR_ENOUGH 3

/* Whether `word` is the first word of a two-word command. */
static bool is_group(const struct tl_cli_command *commands, const char *word)
{
    size_t len = strlen(word);

    for (; commands->name; commands++)
        if (strncmp(commands->name, word, len) == 0 && commands->name[len] == ' ')
            return true;
    return false;
}

static const struct tl_cli_command *find(const struct tl_cli_command *commands, const char *first,
                                         const char *second)
{
    for (; commands->name; commands++) {
        size_t len = strlen(first);
        if (!second && strcmp(commands->name, first) == 0)
            return commands;
        if (second && strncmp(commands->name, first, len) == 0 && commands->name[len] == ' ' &&
            strcmp(commands->name + len + 1, second) == 0)
            return commands;
    }
    return NULL;
}

static enum tl_status fail_unknown(const struct tl_cli_command *commands, const char *first,
                                   const char *second, struct tl_error *err)
{
    char text[128];
    const char *best = NULL;
    size_t near = NEAR_ENOUGH;

    (void)snprintf(text, sizeof(text), "%s%s%s", first, second ? " " : "", second ? second : "");
    for (; commands->name; commands++) {
        size_t distance = tl_text_distance(text, commands->name);
        if (distance < near) {
            near = distance;
            best = commands->name;
        }
    }
    return tl_fail(err, TL_INVALID, "%s: no such command%s%s%s", text,
                   best ? " (did you mean " : "", best ? best : "",
                   best ? "?)" : "; trunkline --help lists them");
}

/* "topics" alone: which ones there are. */
static enum tl_status fail_group(const struct tl_cli_command *commands, const char *first,
                                 struct tl_error *err)
{
    size_t len = strlen(first), n;
    char list[256] = "";

    for (; commands->name; commands++)
        if (strncmp(commands->name, first, len) == 0 && commands->name[len] == ' ') {
            n = strlen(list);
            (void)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
                           commands->name + len + 1);
        }
    return tl_fail(err, TL_INVALID, "%s what? There are: %s", first, list);
}

static size_t find_option(const struct tl_cli_command *command, const char *name, size_t len)
{
    const struct tl_cli_option *options = command->options;
    size_t i = 0;

    while (options && options[i].name &&
           (strlen(options[i].name) != len || strncmp(options[i].name, name, len) != 0))
        i++;
    return options && options[i].name ? i : TL_CLI_OPTIONS_MAX;
}

/* The value of "--name=value" or of the next word; NULL when there is none. */
static const char *take_value(int argc, char **argv, int *at, const char *equals)
{
    if (equals)
        return equals + 1;
    return *at + 1 < argc ? argv[++*at] : NULL;
}

static enum tl_status take_option(struct tl_cli_args *args, int argc, char **argv, int *at,
                                  struct tl_error *err)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);

    if (len == strlen("config") && strncmp(name, "config", len) == 0) {
        args->config_file = take_value(argc, argv, at, equals);
        return args->config_file ? TL_OK : tl_fail(err, TL_INVALID, "--config: a file is missing");
    }
    size_t i = args->command ? find_option(args->command, name, len) : TL_CLI_OPTIONS_MAX;
    if (i == TL_CLI_OPTIONS_MAX)
        return tl_fail(err, TL_INVALID, "--%.*s: no such option%s%s", (int)len, name,
                       args->command ? " of " : "", args->command ? args->command->name : "");
    const struct tl_cli_option *option = &args->command->options[i];
    if (args->value[i])
        return tl_fail(err, TL_INVALID, "--%s: given twice", option->name);
    if (!option->placeholder && equals)
        return tl_fail(err, TL_INVALID, "--%s: takes no value", option->name);
    args->value[i] = option->placeholder ? take_value(argc, argv, at, equals) : "";
    if (!args->value[i])
        return tl_fail(err, TL_INVALID, "--%s: %s is missing", option->name, option->placeholder);
    return TL_OK;
}

/* The words that name the command: the first ones that are no options. */
static enum tl_status take_command(const struct tl_cli_command *commands, int argc, char **argv,
                                   struct tl_cli_args *args, int *ret_words, struct tl_error *err)
{
    const char *word[2] = {NULL, NULL};
    int n = 0;

    for (int i = 1; i < argc && n < 2; i++) {
        if (strcmp(argv[i], "--config") == 0)
            i++; /* its file is no command */
        else if (strncmp(argv[i], "--", 2) != 0)
            word[n++] = argv[i];
    }
    *ret_words = 0;
    if (n == 0)
        return TL_OK;
    bool group = is_group(commands, word[0]);
    args->command = find(commands, word[0], group ? word[1] : NULL);
    *ret_words = group ? 2 : 1;
    if (args->command)
        return TL_OK;
    if (group && !word[1])
        return fail_group(commands, word[0], err);
    return fail_unknown(commands, word[0], group ? word[1] : NULL, err);
}

static bool has_word(int argc, char **argv, const char *word, const char *other)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0 || strcmp(argv[i], other) == 0)
            return true;
    return false;
}

static enum tl_status take_words(struct tl_cli_args *args, int argc, char **argv, int words,
                                 struct tl_error *err)
{
    bool options_over = false;

    for (int i = 1; i < argc; i++) {
        enum tl_status st = TL_OK;
        if (!options_over && strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (!options_over && strncmp(argv[i], "--", 2) == 0)
            st = take_option(args, argc, argv, &i, err);
        else if (words > 0)
            words--;
        else if (args->operands < TL_CLI_OPERANDS_MAX)
            args->operand[args->operands++] = argv[i];
        else
            return tl_fail(err, TL_INVALID, "more than %d operands", TL_CLI_OPERANDS_MAX);
        if (st != TL_OK)
            return st;
    }
    return TL_OK;
}

enum tl_status tl_cli_args_parse(const struct tl_cli_command *commands, int argc, char **argv,
                                 enum tl_cli_wish *ret_wish, struct tl_cli_args *ret_args,
                                 struct tl_error *err)
{
    struct tl_cli_args args = {0};
    int words = 0;
    bool help = has_word(argc, argv, "--help", "-h");

    enum tl_status st = take_command(commands, argc, argv, &args, &words, err);
    if (st == TL_OK && help) {
        *ret_wish = TL_CLI_HELP;
        *ret_args = args;
        return TL_OK;
    }
    if (st == TL_OK && !args.command && has_word(argc, argv, "--version", "-V")) {
        *ret_wish = TL_CLI_VERSION;
        return TL_OK;
    }
    if (st == TL_OK && !args.command)
        st = tl_fail(err, TL_INVALID, "a command is missing; trunkline --help lists them");
    if (st == TL_OK)
        st = take_words(&args, argc, argv, words, err);
    if (st != TL_OK)
        return st;
    if (args.operands < args.command->operands_min || args.operands > args.command->operands_max)
        return tl_fail(err, TL_INVALID, "usage: trunkline %s%s%s", args.command->name,
                       args.command->operands ? " " : "",
                       args.command->operands ? args.command->operands : "");
    *ret_wish = TL_CLI_RUN;
    *ret_args = args;
    return TL_OK;
}

const char *tl_cli_arg(const struct tl_cli_args *args, const char *name)
{
    size_t i = find_option(args->command, name, strlen(name));

    assert(i < TL_CLI_OPTIONS_MAX);
    return args->value[i];
}

enum tl_status tl_cli_arg_int(const struct tl_cli_args *args, const char *name, long long min,
                              long long max, long long fallback, long long *ret_value,
                              struct tl_error *err)
{
    const char *text = tl_cli_arg(args, name);
    char *end;

    if (!text) {
        *ret_value = fallback;
        return TL_OK;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return tl_fail(err, TL_INVALID, "--%s: \"%.40s\" is not a whole number", name, text);
    if (value < min || value > max)
        return tl_fail(err, TL_INVALID, "--%s: %lld is not within %lld..%lld", name, value, min,
                       max);
    *ret_value = value;
    return TL_OK;
}

static void add_options(const struct tl_cli_option *options, struct tl_buf *out)
{
    tl_buf_add_str(out, "\nOptions\n");
    for (; options && options->name; options++) {
        char left[48];
        (void)snprintf(left, sizeof(left), "--%s%s%s", options->name,
                       options->placeholder ? " " : "",
                       options->placeholder ? options->placeholder : "");
        tl_buf_printf(out, "  %-22s %s\n", left, options->doc);
    }
    tl_buf_printf(out, "  %-22s %s\n  %-22s %s\n", "--config FILE",
                  "settings; else TRUNKLINE_CONFIG, else deploy/config/trunkline.yaml", "--help",
                  "this text");
}

void tl_cli_help(const struct tl_cli_command *commands, const struct tl_cli_command *command,
                 struct tl_buf *out)
{
    if (command) {
        tl_buf_printf(out, "usage: trunkline %s%s%s%s\n\n%s\n", command->name,
                      command->options ? " [options]" : "", command->operands ? " " : "",
                      command->operands ? command->operands : "", command->summary);
        if (command->details)
            tl_buf_printf(out, "\n%s\n", command->details);
        add_options(command->options, out);
        return;
    }
    tl_buf_add_str(out,
                   "usage: trunkline COMMAND [options]\n\nAdministers Trunkline.\n\nCommands\n");
    for (; commands->name; commands++)
        tl_buf_printf(out, "  %-22s %s\n", commands->name, commands->summary);
    add_options(NULL, out);
    tl_buf_printf(out, "  %-22s %s\n", "--version", "the version");
    tl_buf_add_str(
        out, "\nExit status: 0 done; 1 could not be done; 2 the command line, a setting or a file "
             "is wrong;\n3 a check found something.\n"
             "trunkline COMMAND --help tells more of each.\n");
}
