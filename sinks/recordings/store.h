#ifndef TL_RECORDINGS_STORE_H
#define TL_RECORDINGS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"

/* Where segments and recordings are kept: a folder, or a bucket of any S3-compatible service. */

#define TL_STORE_NAME_MAX 512 /* bytes */
#define TL_STORE_LIST_MAX 1000
#define TL_STORE_GET_MAX (4u << 20) /* bytes; longer objects are read in parts */
#define TL_STORE_WAITING_MAX 256    /* requests under way */

struct tl_store_options {
    const char *folder; /* a folder that is there; NULL: S3 */
    const char
        *endpoint; /* "https://s3.eu-central-1.amazonaws.com", "http://127.0.0.1:9000"; no path */
    const char *region; /* "eu-central-1" */
    const char *bucket;
    bool path_style; /* https://endpoint/bucket/name instead of https://bucket.endpoint/name */
    const char *key, *secret;
    const char *ca_file; /* PEM; NULL: the system's */
    unsigned timeout_ms; /* without progress; 0: 30 s */
};

/** True for names that any store takes: parts of A-Z a-z 0-9 . _ - separated by "/", none of which
 * is empty or begins with a dot; 1 to TL_STORE_NAME_MAX bytes. */
bool tl_store_is_name(const char *name);

/* ---- blocking: for worker threads only; one at a time for each tl_bucket ---- */

/** One connection to a store. */
struct tl_bucket;

struct tl_store_object {
    char name[TL_STORE_NAME_MAX + 1];
    int64_t bytes;
    int64_t changed_at; /* wall clock, ms; of S3 whole seconds */
};

/** Everything is copied. TL_INVALID: folder, endpoint, region or bucket unusable. Call first on the
 * main thread (libcurl's own beginning), then wherever. */
TL_MUST_CHECK enum tl_status tl_bucket_open(const struct tl_store_options *options,
                                            struct tl_bucket **ret_bucket, struct tl_error *err);
void tl_bucket_close(struct tl_bucket *bucket); /* accepts NULL */

/* Of all: TL_INVALID: a name that is none. TL_NOT_FOUND: no such object. TL_DENIED: the store knows
 * us and refuses, or does not know us. TL_RETRY: it is away or busy: again later. TL_FATAL:
 * anything else. */

/** The object is there whole when this returns TL_OK, and else as it was before. */
TL_MUST_CHECK enum tl_status tl_bucket_put(struct tl_bucket *bucket, const char *name,
                                           struct tl_bytes data, struct tl_error *err);
/** The same from a file, however long, with a small buffer. */
TL_MUST_CHECK enum tl_status tl_bucket_put_file(struct tl_bucket *bucket, const char *name,
                                                const char *path, struct tl_error *err);
/** Appends up to `len` bytes from byte `from` on to `out`; fewer where the object ends. */
TL_MUST_CHECK enum tl_status tl_bucket_get(struct tl_bucket *bucket, const char *name, int64_t from,
                                           size_t len, struct tl_buf *out, struct tl_error *err);
/** What is not there is deleted already. */
TL_MUST_CHECK enum tl_status tl_bucket_delete(struct tl_bucket *bucket, const char *name,
                                              struct tl_error *err);
/** Objects whose names begin with `prefix` and come behind `after` ("" for the first), in the order
 * of their bytes: up to max, 1 to TL_STORE_LIST_MAX. Fewer: these were the last. */
TL_MUST_CHECK enum tl_status tl_bucket_list(struct tl_bucket *bucket, const char *prefix,
                                            const char *after, size_t max,
                                            struct tl_store_object *ret_objects, size_t *ret_n,
                                            struct tl_error *err);
/** Retention: deletes what begins with `prefix` and was changed before `before_at`, all of it. */
TL_MUST_CHECK enum tl_status tl_bucket_expire(struct tl_bucket *bucket, const char *prefix,
                                              int64_t before_at, size_t *ret_deleted,
                                              struct tl_error *err);

/* ---- for the loop ---- */

/** The same on libuv's worker threads, so that no fsync holds the loop up. Loop thread only. */
struct tl_store;

struct tl_store_answer {
    enum tl_status status;
    const struct tl_error *err;            /* why not TL_OK */
    struct tl_bytes data;                  /* of get; borrowed, as all here */
    const struct tl_store_object *objects; /* of list */
    size_t n;                              /* objects; of expire: how many were deleted */
};

/** Comes exactly once, from the loop, never from within the call that it answers. */
typedef void (*tl_store_fn)(void *arg, const struct tl_store_answer *answer);

TL_MUST_CHECK enum tl_status tl_store_open(uv_loop_t *loop, const struct tl_store_options *options,
                                           struct tl_store **ret_store, struct tl_error *err);

/** No more requests. What is under way is answered first; freed then: the loop must turn until it
 * is. Accepts NULL. */
void tl_store_close(struct tl_store *store);

/* TL_RETRY: TL_STORE_WAITING_MAX are under way. TL_INVALID: too long. Nothing was begun then.
 * Everything is copied. */
TL_MUST_CHECK enum tl_status tl_store_put(struct tl_store *store, const char *name,
                                          struct tl_bytes data, tl_store_fn fn, void *arg,
                                          struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_store_put_file(struct tl_store *store, const char *name,
                                               const char *path, tl_store_fn fn, void *arg,
                                               struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_store_get(struct tl_store *store, const char *name, int64_t from,
                                          size_t len, tl_store_fn fn, void *arg,
                                          struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_store_delete(struct tl_store *store, const char *name,
                                             tl_store_fn fn, void *arg, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_store_list(struct tl_store *store, const char *prefix,
                                           const char *after, size_t max, tl_store_fn fn, void *arg,
                                           struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_store_expire(struct tl_store *store, const char *prefix,
                                             int64_t before_at, tl_store_fn fn, void *arg,
                                             struct tl_error *err);

#endif
