/* Requests to a store on libuv's worker threads: see store.h. Each worker has a connection of its
 * own for as long as it works; idle ones are kept, so that there are as many as ever were busy at
 * once. */
#include "sinks/recordings/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 4 /* libuv's worker threads, unless told otherwise */

struct tl_store {
    uv_loop_t *loop;
    struct tl_store_options options; /* strings are ours */
    struct tl_bucket *idle[IDLE_MAX];
    size_t idle_n, waiting_n;
    bool is_closing;
};

struct job {
    uv_work_t work; /* first: libuv's handle is the allocation */
    struct tl_store *store;
    struct tl_bucket *bucket;
    enum tl_status (*run)(struct job *job);
    char *name, *second; /* path, or `after` */
    struct tl_buf data;
    int64_t at;
    size_t len;
    struct tl_store_object *objects;
    tl_store_fn fn;
    void *arg;
    enum tl_status status;
    struct tl_error err;
    size_t n;
};

static char *copy(const char *text)
{
    char *copied = text ? strdup(text) : NULL;

    if (text && !copied)
        abort();
    return copied;
}

static void free_options(struct tl_store_options *o)
{
    const char *const texts[] = {o->folder, o->endpoint, o->region, o->bucket,
                                 o->key,    o->secret,   o->ca_file};

    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++)
        free((char *)texts[i]); // NOLINT(performance-no-int-to-ptr): copied by us
}

static void store_free(struct tl_store *store)
{
    while (store->idle_n)
        tl_bucket_close(store->idle[--store->idle_n]);
    free_options(&store->options);
    free(store);
}

enum tl_status tl_store_open(uv_loop_t *loop, const struct tl_store_options *options,
                             struct tl_store **ret_store, struct tl_error *err)
{
    struct tl_bucket *bucket;

    enum tl_status st = tl_bucket_open(options, &bucket, err);
    if (st != TL_OK)
        return st;
    struct tl_store *store = calloc(1, sizeof(*store));
    if (!store)
        abort();
    store->loop = loop;
    store->options = *options;
    store->options.folder = copy(options->folder);
    store->options.endpoint = copy(options->endpoint);
    store->options.region = copy(options->region);
    store->options.bucket = copy(options->bucket);
    store->options.key = copy(options->key);
    store->options.secret = copy(options->secret);
    store->options.ca_file = copy(options->ca_file);
    store->idle[store->idle_n++] = bucket;
    *ret_store = store;
    return TL_OK;
}

void tl_store_close(struct tl_store *store)
{
    if (!store)
        return;
    store->is_closing = true;
    if (!store->waiting_n)
        store_free(store);
}

/* ---- a job ---- */

static void work(uv_work_t *uv)
{
    struct job *job = (struct job *)uv;

    job->status =
        job->bucket ? TL_OK : tl_bucket_open(&job->store->options, &job->bucket, &job->err);
    if (job->status == TL_OK)
        job->status = job->run(job);
}

static void keep_idle(struct tl_store *store, struct tl_bucket *bucket)
{
    if (bucket && store->idle_n < IDLE_MAX)
        store->idle[store->idle_n++] = bucket;
    else
        tl_bucket_close(bucket);
}

static void on_worked(uv_work_t *uv, int status)
{
    struct job *job = (struct job *)uv;
    struct tl_store *store = job->store;
    const struct tl_store_answer answer = {.status = job->status,
                                           .err = &job->err,
                                           .data = {job->data.data, job->data.len},
                                           .objects = job->objects,
                                           .n = job->n};

    assert(status == 0); /* nobody cancels */
    (void)status;
    keep_idle(store, job->bucket);
    job->fn(job->arg, &answer);
    tl_buf_finish(&job->data);
    free(job->objects);
    free(job->name);
    free(job->second);
    free(job);
    if (--store->waiting_n == 0 && store->is_closing)
        store_free(store);
}

static struct job *job_create(struct tl_store *store, const char *name, tl_store_fn fn, void *arg,
                              struct tl_error *err)
{
    assert(!store->is_closing);
    if (store->waiting_n == TL_STORE_WAITING_MAX) {
        (void)tl_fail(err, TL_RETRY, "%d requests wait for the store", TL_STORE_WAITING_MAX);
        return NULL;
    }
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        abort();
    job->store = store;
    job->name = copy(name);
    job->fn = fn;
    job->arg = arg;
    tl_buf_init(&job->data, TL_STORE_GET_MAX);
    return job;
}

static enum tl_status begin(struct job *job, enum tl_status (*run)(struct job *job))
{
    struct tl_store *store = job->store;

    job->run = run;
    job->bucket = store->idle_n ? store->idle[--store->idle_n] : NULL;
    store->waiting_n++;
    (void)uv_queue_work(store->loop, &job->work, work, on_worked); /* fails without `work` alone */
    return TL_OK;
}

/* ---- requests ---- */

static enum tl_status run_put(struct job *job)
{
    return tl_bucket_put(job->bucket, job->name, (struct tl_bytes){job->data.data, job->data.len},
                         &job->err);
}

static enum tl_status run_put_file(struct job *job)
{
    return tl_bucket_put_file(job->bucket, job->name, job->second, &job->err);
}

static enum tl_status run_get(struct job *job)
{
    return tl_bucket_get(job->bucket, job->name, job->at, job->len, &job->data, &job->err);
}

static enum tl_status run_delete(struct job *job)
{
    return tl_bucket_delete(job->bucket, job->name, &job->err);
}

static enum tl_status run_list(struct job *job)
{
    return tl_bucket_list(job->bucket, job->name, job->second, job->len, job->objects, &job->n,
                          &job->err);
}

static enum tl_status run_expire(struct job *job)
{
    return tl_bucket_expire(job->bucket, job->name, job->at, &job->n, &job->err);
}

enum tl_status tl_store_put(struct tl_store *store, const char *name, struct tl_bytes data,
                            tl_store_fn fn, void *arg, struct tl_error *err)
{
    if (data.len > TL_STORE_GET_MAX)
        return tl_fail(err, TL_INVALID, "put %s: %zu bytes, put them as a file", name, data.len);
    struct job *job = job_create(store, name, fn, arg, err);
    if (!job)
        return TL_RETRY;
    tl_buf_add(&job->data, data.data, data.len);
    return begin(job, run_put);
}

enum tl_status tl_store_put_file(struct tl_store *store, const char *name, const char *path,
                                 tl_store_fn fn, void *arg, struct tl_error *err)
{
    struct job *job = job_create(store, name, fn, arg, err);

    if (!job)
        return TL_RETRY;
    job->second = copy(path);
    return begin(job, run_put_file);
}

enum tl_status tl_store_get(struct tl_store *store, const char *name, int64_t from, size_t len,
                            tl_store_fn fn, void *arg, struct tl_error *err)
{
    if (len > TL_STORE_GET_MAX)
        return tl_fail(err, TL_INVALID, "get %s: %zu bytes at once", name, len);
    struct job *job = job_create(store, name, fn, arg, err);
    if (!job)
        return TL_RETRY;
    job->at = from;
    job->len = len;
    return begin(job, run_get);
}

enum tl_status tl_store_delete(struct tl_store *store, const char *name, tl_store_fn fn, void *arg,
                               struct tl_error *err)
{
    struct job *job = job_create(store, name, fn, arg, err);

    return job ? begin(job, run_delete) : TL_RETRY;
}

enum tl_status tl_store_list(struct tl_store *store, const char *prefix, const char *after,
                             size_t max, tl_store_fn fn, void *arg, struct tl_error *err)
{
    struct job *job = job_create(store, prefix, fn, arg, err);

    if (!job)
        return TL_RETRY;
    job->second = copy(after);
    job->len = max;
    job->objects = calloc(max, sizeof(*job->objects));
    if (!job->objects)
        abort();
    return begin(job, run_list);
}

enum tl_status tl_store_expire(struct tl_store *store, const char *prefix, int64_t before_at,
                               tl_store_fn fn, void *arg, struct tl_error *err)
{
    struct job *job = job_create(store, prefix, fn, arg, err);

    if (!job)
        return TL_RETRY;
    job->at = before_at;
    return begin(job, run_expire);
}
