#ifndef TL_CLI_ARGS_H
#define TL_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct tl_cli;
struct tl_cli_args;

#define TL_CLI_OPERANDS_MAX 64
#define TL_CLI_OPTIONS_MAX 12

/** --name VALUE, --name=VALUE, or a flag. Rows end with name NULL. */
struct tl_cli_option {
    const char *name;
    const char *placeholder; /* "N"; NULL: a flag */
    const char *doc;
};

/** A command of one or two words. */
struct tl_cli_command {
    const char *name;     /* "topics create" */
    const char *operands; /* for people: "TOPIC", "FILE…", or NULL */
    size_t operands_min, operands_max;
    const char *summary;                 /* a sentence */
    const char *details;                 /* further lines of its --help, or NULL */
    const struct tl_cli_option *options; /* or NULL */
    bool offline;                        /* needs neither settings nor a server */
    enum tl_status (*run)(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err);
};

/** A command line taken apart; all borrowed from argv. */
struct tl_cli_args {
    const struct tl_cli_command *command;
    const char *config_file; /* --config; NULL: not given */
    const char *operand[TL_CLI_OPERANDS_MAX];
    size_t operands;
    const char *value[TL_CLI_OPTIONS_MAX]; /* by row of command->options; NULL: not given */
};

enum tl_cli_wish {
    TL_CLI_RUN,
    TL_CLI_HELP, /* args->command, or all when NULL */
    TL_CLI_VERSION,
};

/** Reads argv. `commands` end with name NULL.
 *  TL_INVALID: unknown command or option, too few or too many operands; err says which, and what
 *  may have been meant. */
TL_MUST_CHECK enum tl_status tl_cli_args_parse(const struct tl_cli_command *commands, int argc,
                                               char **argv, enum tl_cli_wish *ret_wish,
                                               struct tl_cli_args *ret_args, struct tl_error *err);

/** What stands behind --name; "" for a flag that was given; NULL when it was not. The name must be
 *  one of the command's. */
const char *tl_cli_arg(const struct tl_cli_args *args, const char *name);

/** A whole number within min..max of --name; `fallback` when it was not given. TL_INVALID. */
TL_MUST_CHECK enum tl_status tl_cli_arg_int(const struct tl_cli_args *args, const char *name,
                                            long long min, long long max, long long fallback,
                                            long long *ret_value, struct tl_error *err);

/** Help of one command, or (NULL) the list of all. */
void tl_cli_help(const struct tl_cli_command *commands, const struct tl_cli_command *command,
                 struct tl_buf *out);

#endif
