#ifndef TL_CLI_SETTINGS_H
#define TL_CLI_SETTINGS_H

#include "base/config.h"

/** Settings of the administrator's command. */
struct tl_cli_settings {
    int64_t call_partitions;   /* of every topic keyed by call */
    int64_t mailboxes;         /* partitions of media.v1 and playback.v1 */
    int64_t replication;       /* 0: the broker's default */
    int64_t timeout_ms;        /* of one step */
    const char *simulator_url; /* control API of the telephone simulator */
};
extern const struct tl_setting tl_cli_settings[];

#endif
