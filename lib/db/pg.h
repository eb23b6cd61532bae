#ifndef TL_DB_PG_H
#define TL_DB_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"

/** One connection to PostgreSQL on the loop. It connects by itself, again and again with backoff,
 *  and runs one job at a time in the order in which they were given. Loop thread only, callbacks
 *  included. (libpq looks up names of hosts while it connects, and blocks for that long: give it an
 *  address where the name server may be slow.) */
struct tl_pg;

struct tl_pg_options {
    uv_loop_t *loop;          /* borrowed */
    const struct tl_log *log; /* borrowed */
    const char *url;          /* copied */
    const char *name;         /* application_name; copied */
    int64_t job_timeout_ms;   /* a job that takes longer costs the connection; 0: 30 s */
    void (*on_up)(void *arg); /* connected: jobs are taken; may be NULL */
    void *arg;
};

/** TL_INVALID: the URL. Whether the server is there shows later. */
TL_MUST_CHECK enum tl_status tl_pg_create(const struct tl_pg_options *options,
                                          struct tl_pg **ret_pg, struct tl_error *err);

/** Ends jobs with TL_RETRY, closes. Accepts NULL; not from a callback of this connection. */
void tl_pg_destroy(struct tl_pg *pg);

/** Connected. Else `reason` says why not. */
bool tl_pg_is_up(const struct tl_pg *pg, char *reason, size_t size);

/** Times that a connection was made. */
uint64_t tl_pg_connects(const struct tl_pg *pg);

/** One parametrised statement; parameters are text ($1 …), NULL is SQL's null. */
struct tl_pg_statement {
    const char *sql;
    const char *const *params;
    int params_n;
    int64_t expect_rows; /* rows touched or returned, anything else undoes the job; -1: any */
};

/** Results in the order of the statements; borrowed until the callback returns. */
struct tl_pg_answer {
    PGresult *const *results;
    size_t len;
};

/** TL_OK: done, and committed. `answer` is NULL otherwise, and nothing was changed, except:
 *  TL_RETRY: the server is away or wants it again (serialisation, deadlock, starting); if the
 *  connection broke at the end it may have been committed all the same: look.
 *  TL_CONFLICT: a statement did not touch expect_rows, or broke a constraint.
 *  TL_INVALID: the data cannot be stored (class 22). TL_DENIED. TL_FATAL: wrong SQL or schema. */
typedef void (*tl_pg_done_fn)(void *arg, enum tl_status status, const struct tl_pg_answer *answer,
                              const struct tl_error *err);

#define TL_PG_STATEMENTS_MAX 16
#define TL_PG_JOBS_MAX 64

/** Runs statements as one transaction, all or nothing: sent in one go (libpq's pipeline), committed
 *  when every one did what was expected. Everything is copied. on_done comes exactly once, from
 *  the loop, never from within this call, if and only if this returns TL_OK.
 *  TL_RETRY: not connected, or TL_PG_JOBS_MAX jobs wait. */
TL_MUST_CHECK enum tl_status tl_pg_run(struct tl_pg *pg, const struct tl_pg_statement *statements,
                                       size_t len, tl_pg_done_fn on_done, void *arg,
                                       struct tl_error *err);

/** What a failure means; `sqlstate` of five characters, NULL: the connection broke. (PostgreSQL,
 *  appendix A.) */
enum tl_status tl_pg_classify(const char *sqlstate);

#endif
