/* Command lines of the daemons: see service_options.h. */
#include "service_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "net/service.h"

#define OPTIONS_MAX 32

enum common_option {
    OPTION_CONFIG = 256,
    OPTION_INSTANCE,
    OPTION_CHECK_CONFIG,
    OPTION_READY_FILE,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_PROGRAM, /* the first of the program's own */
};

static const struct option common[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"instance", required_argument, NULL, OPTION_INSTANCE},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"ready-file", required_argument, NULL, OPTION_READY_FILE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};

static void print_row(const char *name, const char *placeholder, const char *doc)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "--%s%s%s", name, placeholder ? " " : "",
                   placeholder ? placeholder : ""); /* cut when longer: only looks odd */
    (void)printf("  %-22s %s\n", left, doc);
}

static void print_help(const struct tl_service_program *program)
{
    const struct tl_service_option *own = program->options;

    (void)printf("usage: %s [OPTION]...\n%s\n\n", program->name, program->summary);
    for (; own && own->name; own++)
        print_row(own->name, own->placeholder, own->doc);
    print_row("config", "FILE", "settings; else $TRUNKLINE_CONFIG, else " TL_CONFIG_FILE);
    print_row("instance", "N", "number of this process (setting instance.number)");
    print_row("check-config", NULL, "read the settings, say what is wrong with them, and leave");
    print_row("ready-file", "FILE", "write NAME=PORT of each listener there when all is ready");
    print_row("help", NULL, "print this and leave");
    print_row("version", NULL, "print the version and leave");
}

static size_t build_table(const struct tl_service_program *program, struct option *table)
{
    const struct tl_service_option *own = program->options;
    size_t n = TL_ARRAY_LEN(common);

    memcpy(table, common, sizeof(common));
    for (int i = 0; own && own[i].name && n < OPTIONS_MAX; i++)
        table[n++] = (struct option){own[i].name, required_argument, NULL, OPTION_PROGRAM + i};
    table[n] = (struct option){0};
    return n;
}

static void take_option(const struct tl_service_program *program, int option,
                        struct tl_service_options *o)
{
    switch (option) {
    case OPTION_CONFIG:
        o->config = optarg;
        break;
    case OPTION_INSTANCE:
        o->instance = optarg;
        break;
    case OPTION_CHECK_CONFIG:
        o->check_config = true;
        break;
    case OPTION_READY_FILE:
        o->ready_file = optarg;
        break;
    case OPTION_HELP:
        print_help(program);
        o->is_done = true;
        break;
    case OPTION_VERSION:
        (void)printf("%s %s\n", program->name, TL_VERSION);
        o->is_done = true;
        break;
    default:
        *program->options[option - OPTION_PROGRAM].value = optarg;
    }
}

enum tl_status tl_service_options_parse(const struct tl_service_program *program, int argc,
                                        char **argv, struct tl_service_options *ret_options,
                                        struct tl_error *err)
{
    struct tl_service_options options = {0};
    struct option table[OPTIONS_MAX + 1];
    int option;

    (void)build_table(program, table);
    optind = 0; /* tests parse more than once in a process */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (option == ':')
            return tl_fail(err, TL_INVALID, "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return tl_fail(err, TL_INVALID, "%s: no such option (--help tells)", argv[optind - 1]);
        take_option(program, option, &options);
        if (options.is_done)
            break;
    }
    if (!options.is_done && optind < argc)
        return tl_fail(err, TL_INVALID, "%s: unexpected (--help tells)", argv[optind]);
    *ret_options = options;
    return TL_OK;
}
