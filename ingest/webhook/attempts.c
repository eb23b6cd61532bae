/* A small table of calls that came back lately: see attempts.h. */
#include "ingest/webhook/attempts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S 60

struct row {
    char call_sid[64];
    int64_t start_s;
    int n;
    uint64_t used; /* rises with every use */
};

struct tl_attempts {
    struct row rows[TL_ATTEMPTS_CALLS_MAX];
    uint64_t uses;
};

struct tl_attempts *tl_attempts_create(void)
{
    struct tl_attempts *attempts = calloc(1, sizeof(*attempts));
    if (!attempts)
        abort();
    return attempts;
}

void tl_attempts_destroy(struct tl_attempts *attempts)
{
    free(attempts);
}

static const struct row *find(const struct tl_attempts *attempts, const char *call_sid)
{
    for (size_t i = 0; i < TL_ATTEMPTS_CALLS_MAX; i++)
        if (attempts->rows[i].used && strcmp(attempts->rows[i].call_sid, call_sid) == 0)
            return &attempts->rows[i];
    return NULL;
}

void tl_attempts_window(const struct tl_attempts *attempts, const char *call_sid, int64_t now_s,
                        int64_t *ret_start_s, int *ret_n)
{
    const struct row *row = find(attempts, call_sid);
    bool is_open = row && now_s - row->start_s < WINDOW_S;

    *ret_start_s = is_open ? row->start_s : now_s;
    *ret_n = is_open ? row->n : 0;
}

void tl_attempts_put(struct tl_attempts *attempts, const char *call_sid, int64_t start_s, int n)
{
    struct row *row = (struct row *)find(attempts, call_sid);

    if (!row) { /* the one unused longest, or a free one */
        row = &attempts->rows[0];
        for (size_t i = 1; i < TL_ATTEMPTS_CALLS_MAX; i++)
            if (attempts->rows[i].used < row->used)
                row = &attempts->rows[i];
    }
    (void)snprintf(row->call_sid, sizeof(row->call_sid), "%s", call_sid);
    row->start_s = start_s;
    row->n = n;
    row->used = ++attempts->uses;
}
