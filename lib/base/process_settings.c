/* Settings that every process has. */
#include "base/config.h"

const struct tl_setting tl_process_settings[] = {
    TL_SET_INT(
        struct tl_process_settings, instance_number, "instance.number", "0", 0, 511,
        "Number of this process among those of its kind; its mailbox. --instance goes before it."),
    TL_SET_STRING(
        struct tl_process_settings, admin_listen, "admin.listen", "127.0.0.1:0",
        "Address and port of the listener with /metrics, /healthz and /readyz; port 0 takes "
        "any free one, empty has none."),
    TL_SET_STRING(struct tl_process_settings, log_level, "log.level", "info",
                  "Lines below this level are dropped.", .choices = "debug,info,warn,error"),
    TL_SET_STRING(struct tl_process_settings, ca_file, "net.ca_file", "",
                  "PEM file of the authorities that clients trust, for the AI service and the "
                  "telephone network; empty: the system's."),
    TL_SET_DURATION(struct tl_process_settings, turn_ms, "net.turn", "2ms", 0, 20,
                    "A busy event loop begins a turn this long after the last one at the earliest, "
                    "and finds more to do; an idle one is not delayed. 0: at once."),
    {0},
};
