#ifndef TL_NET_SERVICE_OPTIONS_H
#define TL_NET_SERVICE_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"

struct tl_service_program;

/** The command line of a daemon; borrowed from argv. */
struct tl_service_options {
    const char *config;     /* NULL: not given */
    const char *instance;   /* likewise */
    const char *ready_file; /* likewise */
    bool check_config;
    bool is_done; /* --help or --version was printed */
};

/** TL_INVALID: an unknown option, a missing value, or a word that is no option. */
TL_MUST_CHECK enum tl_status tl_service_options_parse(const struct tl_service_program *program,
                                                      int argc, char **argv,
                                                      struct tl_service_options *ret_options,
                                                      struct tl_error *err);

#endif
