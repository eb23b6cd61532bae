#ifndef TL_DB_SETTINGS_H
#define TL_DB_SETTINGS_H

#include "base/config.h"

/** Each field is told in its row, settings.c. */
struct tl_postgres_settings {
    const char *url;
};
extern const struct tl_setting tl_postgres_settings[];

struct tl_redis_settings {
    const char *url;
};
extern const struct tl_setting tl_redis_settings[];

#endif
