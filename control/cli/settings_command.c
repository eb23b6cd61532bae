/* trunkline settings: the reference page of all settings, from their rows. */
#include "control/cli/business.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"

#define PAGE_BYTES_MAX (1024 * 1024)

static const char introduction[] =
    "# Settings\n\n"
    "Made by `trunkline settings` from the programs' own tables; do not edit.\n\n"
    "Values come, each over the one before, from the default, the YAML file (`--config`, "
    "`TRUNKLINE_CONFIG`,\nelse `deploy/config/trunkline.yaml`), its overlay `<TRUNKLINE_ENV>.yaml` "
    "beside it, and the environment.\nOne file serves all programs. A name `section.setting` "
    "stands in "
    "the file as\n\n"
    "```yaml\nsection:\n  setting: value\n```\n\n"
    "Durations have a unit: `250ms`, `1.5s`, `10m`, `2h`, `7d`. Lists are YAML sequences, or text "
    "with "
    "commas.\nWrong names and values stop a program, which tells file and line.\n\n";

static enum tl_status print(struct tl_cli *cli, const struct tl_cli_args *args,
                            struct tl_error *err)
{
    struct tl_buf page;

    (void)args;
    tl_buf_init(&page, PAGE_BYTES_MAX);
    tl_buf_add_str(&page, introduction);
    tl_settings_print_markdown(tl_all_settings, &page);
    bool full = page.full;
    (void)fputs(tl_buf_str(&page), cli->out); /* a closed pipe shows at the end, in main */
    tl_buf_finish(&page);
    return full ? tl_fail(err, TL_FATAL, "the page is larger than %d bytes", PAGE_BYTES_MAX)
                : TL_OK;
}

const struct tl_cli_command tl_cli_print_settings = {
    .name = "settings",
    .summary = "Prints the reference page of all settings, in Markdown.",
    .offline = true,
    .run = print};
