/* Settings of Redis: each a row. */
#include <string.h>

#include "db/settings.h"

static const char *check_redis(const char *text)
{
    return strncmp(text, "redis://", 8) == 0 ? NULL : "is not redis://[:password@]host[:port][/n]";
}

const struct tl_setting tl_redis_settings[] = {
    TL_SET_STRING(struct tl_redis_settings, url, "redis.url", "redis://127.0.0.1:6379/0",
                  "The Redis server and the number of its database.", .env = "REDIS_URL",
                  .secret = true, .check = check_redis),
    {0},
};
