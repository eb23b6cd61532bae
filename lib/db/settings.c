/* Settings of PostgreSQL: each a row. */
#include "db/settings.h"

#include <string.h>

static const char *check_postgres(const char *text)
{
    return strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0
               ? NULL
               : "is not postgres://user:password@host:port/database";
}

const struct tl_setting tl_postgres_settings[] = {
    TL_SET_STRING(struct tl_postgres_settings, url, "postgres.url",
                  "postgres://trunkline@127.0.0.1:5432/trunkline",
                  "The database; parameters of libpq may follow: ?sslmode=verify-full.",
                  .env = "DATABASE_URL", .secret = true, .check = check_postgres),
    {0},
};
