/* What both kinds of store have in common: names, limits, retention. See store.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/recordings/bucket_internal.h"

#define EXPIRE_AT_ONCE 100

struct tl_bucket {
    const struct tl_bucket_driver *driver;
    void *self;
};

bool tl_store_is_name(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
    size_t len = strlen(name);

    if (!len || len > TL_STORE_NAME_MAX || strspn(name, letters) != len || name[len - 1] == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/' && part != name;
        if (*part == '/' || *part == '.')
            return false;
    }
    return true;
}

static enum tl_status check_name(const char *name, struct tl_error *err)
{
    return tl_store_is_name(name) ? TL_OK : tl_fail(err, TL_INVALID, "not the name of an object");
}

/* A prefix is the beginning of a name, or nothing. */
static enum tl_status check_prefix(const char *prefix, struct tl_error *err)
{
    size_t len = strlen(prefix);
    char name[TL_STORE_NAME_MAX + 1];

    if (!len)
        return TL_OK;
    if (len >= TL_STORE_NAME_MAX)
        return tl_fail(err, TL_INVALID, "a prefix of %zu bytes", len);
    memcpy(name, prefix, len);
    name[len] = 'x'; /* it may end with "/" */
    name[len + 1] = '\0';
    return tl_store_is_name(name) ? TL_OK : tl_fail(err, TL_INVALID, "not a prefix of names");
}

enum tl_status tl_bucket_open(const struct tl_store_options *options, struct tl_bucket **ret_bucket,
                              struct tl_error *err)
{
    bool is_folder = options->folder != NULL;
    void *self;

    enum tl_status st = is_folder ? tl_bucket_folder_open(options, &self, err)
                                  : tl_bucket_s3_open(options, &self, err);
    if (st != TL_OK)
        return st;
    struct tl_bucket *bucket = malloc(sizeof(*bucket));
    if (!bucket)
        abort();
    *bucket = (struct tl_bucket){is_folder ? &tl_bucket_folder : &tl_bucket_s3, self};
    *ret_bucket = bucket;
    return TL_OK;
}

void tl_bucket_close(struct tl_bucket *bucket)
{
    if (!bucket)
        return;
    bucket->driver->close(bucket->self);
    free(bucket);
}

enum tl_status tl_bucket_put(struct tl_bucket *bucket, const char *name, struct tl_bytes data,
                             struct tl_error *err)
{
    enum tl_status st = check_name(name, err);

    return st == TL_OK ? bucket->driver->put(bucket->self, name, data, NULL, err) : st;
}

enum tl_status tl_bucket_put_file(struct tl_bucket *bucket, const char *name, const char *path,
                                  struct tl_error *err)
{
    enum tl_status st = check_name(name, err);

    return st == TL_OK ? bucket->driver->put(bucket->self, name, (struct tl_bytes){0}, path, err)
                       : st;
}

enum tl_status tl_bucket_get(struct tl_bucket *bucket, const char *name, int64_t from, size_t len,
                             struct tl_buf *out, struct tl_error *err)
{
    enum tl_status st = check_name(name, err);

    assert(from >= 0);
    return st == TL_OK && len ? bucket->driver->get(bucket->self, name, from, len, out, err) : st;
}

enum tl_status tl_bucket_delete(struct tl_bucket *bucket, const char *name, struct tl_error *err)
{
    enum tl_status st = check_name(name, err);

    if (st == TL_OK)
        st = bucket->driver->delete (bucket->self, name, err);
    return st == TL_NOT_FOUND ? TL_OK : st;
}

enum tl_status tl_bucket_list(struct tl_bucket *bucket, const char *prefix, const char *after,
                              size_t max, struct tl_store_object *ret_objects, size_t *ret_n,
                              struct tl_error *err)
{
    enum tl_status st = check_prefix(prefix, err);

    assert(max >= 1 && max <= TL_STORE_LIST_MAX);
    if (st == TL_OK && *after)
        st = check_name(after, err);
    return st == TL_OK
               ? bucket->driver->list(bucket->self, prefix, after, max, ret_objects, ret_n, err)
               : st;
}

enum tl_status tl_bucket_expire(struct tl_bucket *bucket, const char *prefix, int64_t before_at,
                                size_t *ret_deleted, struct tl_error *err)
{
    struct tl_store_object *objects = calloc(EXPIRE_AT_ONCE, sizeof(*objects));
    char after[TL_STORE_NAME_MAX + 1] = "";
    enum tl_status st = TL_OK;
    size_t n, deleted = 0;

    if (!objects)
        abort();
    do {
        st = tl_bucket_list(bucket, prefix, after, EXPIRE_AT_ONCE, objects, &n, err);
        for (size_t i = 0; st == TL_OK && i < n; i++) {
            memcpy(after, objects[i].name, sizeof(after));
            if (objects[i].changed_at >= before_at)
                continue;
            st = tl_bucket_delete(bucket, objects[i].name, err);
            deleted += st == TL_OK;
        }
    } while (st == TL_OK && n == EXPIRE_AT_ONCE);
    free(objects);
    if (st == TL_OK)
        *ret_deleted = deleted;
    return st;
}
