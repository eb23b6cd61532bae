/* Settings of the administrator's command. */
#include "control/cli/settings.h"

const struct tl_setting tl_cli_settings[] = {
    TL_SET_INT(struct tl_cli_settings, call_partitions, "topics.call_partitions", "12", 1, 4096,
               "Partitions of every topic that is keyed by call. Fixed once calls are kept."),
    TL_SET_INT(struct tl_cli_settings, mailboxes, "topics.mailboxes", "64", 1, 512,
               "Partitions of media.v1 and playback.v1: how many ingest and conversation processes "
               "there may be of each. May grow at any time."),
    TL_SET_INT(struct tl_cli_settings, replication, "topics.replication", "0", 0, 16,
               "Replicas of each partition of a new topic; 0: the broker's default."),
    TL_SET_DURATION(struct tl_cli_settings, timeout_ms, "cli.timeout", "30s", 1000, 600000,
                    "How long the trunkline command waits for an answer of a server."),
    TL_SET_STRING(struct tl_cli_settings, simulator_url, "simulator.url", "",
                  "Control API of the telephone simulator, for trunkline call."),
    {0},
};
