#ifndef TL_CLI_COMMANDS_H
#define TL_CLI_COMMANDS_H

#include "control/cli/args.h"

/* Every command; main.c has them in a table. */
extern const struct tl_cli_command tl_cli_topics_list, tl_cli_topics_create, tl_cli_topics_check;
extern const struct tl_cli_command tl_cli_schemas_list, tl_cli_schemas_register,
    tl_cli_schemas_check;
extern const struct tl_cli_command tl_cli_config_apply, tl_cli_config_show, tl_cli_config_validate;
extern const struct tl_cli_command tl_cli_tail;
extern const struct tl_cli_command tl_cli_dead_letters_list, tl_cli_dead_letters_show,
    tl_cli_dead_letters_replay;
extern const struct tl_cli_command tl_cli_call;
extern const struct tl_cli_command tl_cli_print_settings;

#endif
