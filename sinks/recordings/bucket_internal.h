#ifndef TL_RECORDINGS_BUCKET_INTERNAL_H
#define TL_RECORDINGS_BUCKET_INTERNAL_H

#include "sinks/recordings/store.h"

/** A driver's verbs; as those of store.h, with names that were checked. One of `data` and `path`.
 */
struct tl_bucket_driver {
    enum tl_status (*put)(void *self, const char *name, struct tl_bytes data, const char *path,
                          struct tl_error *err);
    enum tl_status (*get)(void *self, const char *name, int64_t from, size_t len,
                          struct tl_buf *out, struct tl_error *err);
    enum tl_status (*delete)(void *self, const char *name, struct tl_error *err);
    enum tl_status (*list)(void *self, const char *prefix, const char *after, size_t max,
                           struct tl_store_object *ret_objects, size_t *ret_n,
                           struct tl_error *err);
    void (*close)(void *self); /* accepts NULL */
};

extern const struct tl_bucket_driver tl_bucket_folder, tl_bucket_s3;

enum tl_status tl_bucket_folder_open(const struct tl_store_options *options, void **ret_self,
                                     struct tl_error *err);
enum tl_status tl_bucket_s3_open(const struct tl_store_options *options, void **ret_self,
                                 struct tl_error *err);

#endif
