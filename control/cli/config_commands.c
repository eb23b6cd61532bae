/* trunkline config: businesses from YAML straight to config.v1, and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "control/cli/business.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/store.h"

/* A file, or standard input for "-". TL_INVALID: cannot be read, or too large. */
static enum tl_status read_text(const char *path, struct tl_buf *text, struct tl_error *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

    if (!file)
        return tl_fail(err, TL_INVALID, "%s: %s", path, strerror(errno));
    tl_buf_init(text, TL_CONFIG_FILE_BYTES_MAX + 1); /* one more, so that too large shows */
    uint8_t *to = tl_buf_reserve(text, TL_CONFIG_FILE_BYTES_MAX + 1);
    text->len = fread(to, 1, TL_CONFIG_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file);
    if (file != stdin)
        (void)fclose(file); /* only read */
    return failed ? tl_fail(err, TL_INVALID, "%s: cannot be read", path) : TL_OK;
}

/* Reads a business; every problem goes to stderr, the count to err. */
static enum tl_status read_business(const char *path, struct tl_business_file *file,
                                    struct tl_error *err)
{
    struct tl_buf text = {0};

    enum tl_status st = read_text(path, &text, err);
    if (st == TL_OK)
        st = tl_business_file_read(file, strcmp(path, "-") == 0 ? "stdin" : path, tl_buf_str(&text),
                                   text.len, err);
    tl_buf_finish(&text);
    if (st == TL_INVALID && file->config.problems_len > 1) {
        (void)fputs(tl_buf_str(&file->config.problems), stderr);
        return tl_fail(err, TL_INVALID, "%s: %zu mistakes", path, file->config.problems_len);
    }
    return st;
}

static enum tl_status apply_one(struct tl_cli_store *store, const char *path, struct tl_error *err)
{
    struct tl_business_file file = {0};
    struct tl_config_entry entry = {.kind = TL_CONFIG_KIND_BUSINESS};
    bool written = false;

    enum tl_status st = read_business(path, &file, err);
    if (st == TL_OK) {
        entry.id = file.id;
        entry.business = &file.business;
        st = tl_cli_store_put(store, &entry, &written, err);
    }
    if (st == TL_OK)
        (void)fprintf(store->cli->out, "business %s: version %d, %s\n", entry.id, entry.version,
                      written ? "written" : "unchanged");
    tl_business_file_finish(&file);
    return st;
}

static enum tl_status validate(struct tl_cli *cli, const struct tl_cli_args *args,
                               struct tl_error *err)
{
    enum tl_status st = TL_OK;

    for (size_t i = 0; i < args->operands && st == TL_OK; i++) {
        struct tl_business_file file = {0};
        st = read_business(args->operand[i], &file, err);
        if (st == TL_OK)
            (void)fprintf(cli->out, "%s: business %s is good\n", args->operand[i], file.id);
        tl_business_file_finish(&file);
    }
    return st;
}

/* All files are read before the first is written: half an apply helps nobody. */
static enum tl_status apply(struct tl_cli *cli, const struct tl_cli_args *args,
                            struct tl_error *err)
{
    struct tl_cli_store store = {0};

    enum tl_status st = TL_OK;
    for (size_t i = 0; i < args->operands && st == TL_OK; i++) {
        struct tl_business_file file = {0};
        if (strcmp(args->operand[i], "-") == 0 && args->operands > 1)
            st = tl_fail(err, TL_INVALID, "-: goes alone");
        else if (strcmp(args->operand[i], "-") != 0)
            st = read_business(args->operand[i], &file, err);
        tl_business_file_finish(&file);
    }
    if (st == TL_OK)
        st = tl_cli_store_open(&store, cli, err);
    for (size_t i = 0; i < args->operands && st == TL_OK; i++)
        st = apply_one(&store, args->operand[i], err);
    tl_cli_store_close(&store);
    return st;
}

/* Collects a row for each business. */
struct listing {
    struct tl_cli_table table;
};

static void add_business(void *arg, const struct tl_config_entry *entry)
{
    struct listing *listing = arg;
    const struct tl_business *b = entry->business;
    char version[16], at[TL_TIME_ISO_SIZE], numbers[128] = "";

    if (!b)
        return;
    (void)snprintf(version, sizeof(version), "%d", entry->version);
    tl_time_format_iso(entry->at, at);
    for (size_t i = 0; i < b->numbers_n; i++) {
        size_t n = strlen(numbers);
        (void)snprintf(numbers + n, sizeof(numbers) - n, "%s%s", i ? " " : "", b->numbers[i]);
    }
    tl_cli_table_row(
        &listing->table, 6,
        (const char *[]){entry->id, version, b->active ? "yes" : "no", at, numbers, b->name});
}

static void show_all(struct tl_cli_store *store)
{
    struct listing listing = {0};

    tl_cli_table_row(
        &listing.table, 6,
        (const char *[]){"BUSINESS", "VERSION", "ACTIVE", "WRITTEN", "NUMBERS", "NAME"});
    tl_config_table_each(store->table, TL_CONFIG_KIND_BUSINESS, add_business, &listing);
    tl_cli_table_print(&listing.table, store->cli->out);
}

static enum tl_status show_one(struct tl_cli_store *store, const char *id, long long version,
                               struct tl_error *err)
{
    const struct tl_config_entry *entry =
        version
            ? tl_config_table_version(store->table, TL_CONFIG_KIND_BUSINESS, id, (int32_t)version)
            : tl_config_table_get(store->table, TL_CONFIG_KIND_BUSINESS, id);
    struct tl_buf out;
    char at[TL_TIME_ISO_SIZE];

    if (!entry || entry->deleted || !entry->business)
        return tl_fail(err, TL_NOT_FOUND, "no business %s%s", id,
                       version ? " of that version" : "");
    tl_buf_init(&out, TL_CONFIG_FILE_BYTES_MAX);
    tl_time_format_iso(entry->at, at);
    tl_buf_printf(&out, "# version %d of %s\n", entry->version, at);
    tl_business_print_yaml(entry->id, entry->business, &out);
    (void)fputs(tl_buf_str(&out), store->cli->out); /* a closed pipe shows at the end, in main */
    tl_buf_finish(&out);
    return TL_OK;
}

static enum tl_status show(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    struct tl_cli_store store = {0};
    long long version = 0;

    enum tl_status st = tl_cli_arg_int(args, "version", 1, INT32_MAX, 0, &version, err);
    if (st == TL_OK && version && !args->operands)
        st = tl_fail(err, TL_INVALID, "--version: of which business?");
    if (st == TL_OK)
        st = tl_cli_store_open(&store, cli, err);
    if (st == TL_OK && args->operands)
        st = show_one(&store, args->operand[0], version, err);
    else if (st == TL_OK)
        show_all(&store);
    tl_cli_store_close(&store);
    return st;
}

static const struct tl_cli_option show_options[] = {
    {"version", "N", "this version, not the newest"},
    {0},
};

const struct tl_cli_command tl_cli_config_apply = {
    .name = "config apply",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = TL_CLI_OPERANDS_MAX,
    .summary = "Writes businesses from YAML files (- reads standard input) to config.v1.",
    .details =
        "Each file holds one business. What has changed becomes a new version; the next call is\n"
        "answered by it. What has not is left alone.",
    .run = apply};

const struct tl_cli_command tl_cli_config_validate = {
    .name = "config validate",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = TL_CLI_OPERANDS_MAX,
    .summary = "Reads files as apply does and names every mistake; needs no server.",
    .offline = true,
    .run = validate};

const struct tl_cli_command tl_cli_config_show = {
    .name = "config show",
    .operands = "[BUSINESS]",
    .operands_max = 1,
    .summary = "Lists the businesses, or prints one as a file for config apply.",
    .options = show_options,
    .run = show};
