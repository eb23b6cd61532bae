/* trunkline: the administrator's command. Each command stands in a file of its own. */
#include <stdio.h>
#include <string.h>

#include "control/cli/args.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"

#define HELP_BYTES_MAX 16384

static int exit_status_of(enum tl_status status)
{
    switch (status) {
    case TL_OK:
        return 0;
    case TL_INVALID:
        return 2;
    case TL_CONFLICT:
        return 3;
    case TL_NOT_FOUND:
    case TL_DENIED:
    case TL_RETRY:
    case TL_FATAL:
        break;
    }
    return 1;
}

static enum tl_status run(const struct tl_cli_args *args, struct tl_error *err)
{
    struct tl_cli cli = {0};

    cli.out = stdout;
    if (args->command->offline)
        return args->command->run(&cli, args, err);
    enum tl_status st = tl_cli_open(&cli, args->config_file, err);
    if (st == TL_INVALID && cli.config.problems_len > 1) {
        (void)fputs(tl_buf_str(&cli.config.problems), stderr);
        st = tl_fail(err, TL_INVALID, "%zu settings are wrong", cli.config.problems_len);
    }
    if (st == TL_OK)
        st = args->command->run(&cli, args, err);
    tl_cli_close(&cli);
    return st;
}

static void help(const struct tl_cli_command *commands, const struct tl_cli_command *command)
{
    struct tl_buf text;

    tl_buf_init(&text, HELP_BYTES_MAX);
    tl_cli_help(commands, command, &text);
    (void)fputs(tl_buf_str(&text), stdout); /* looked at by fflush below */
    tl_buf_finish(&text);
}

int main(int argc, char **argv)
{
    const struct tl_cli_command commands[] = {
        tl_cli_call,
        tl_cli_config_apply,
        tl_cli_config_show,
        tl_cli_config_validate,
        tl_cli_dead_letters_list,
        tl_cli_dead_letters_replay,
        tl_cli_dead_letters_show,
        tl_cli_schemas_check,
        tl_cli_schemas_list,
        tl_cli_schemas_register,
        tl_cli_print_settings,
        tl_cli_tail,
        tl_cli_topics_check,
        tl_cli_topics_create,
        tl_cli_topics_list,
        {0},
    };
    struct tl_cli_args args;
    enum tl_cli_wish wish = TL_CLI_RUN;
    struct tl_error err;

    enum tl_status st = tl_cli_args_parse(commands, argc, argv, &wish, &args, &err);
    if (st == TL_OK && wish == TL_CLI_HELP)
        help(commands, args.command);
    else if (st == TL_OK && wish == TL_CLI_VERSION)
        (void)printf("trunkline %s\n", TL_VERSION); /* looked at by fflush below */
    else if (st == TL_OK)
        st = run(&args, &err);
    if (st == TL_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = tl_fail(&err, TL_RETRY, "the output cannot be written");
    if (st != TL_OK)
        (void)fprintf(stderr, "trunkline: %s\n", err.msg);
    return exit_status_of(st);
}
