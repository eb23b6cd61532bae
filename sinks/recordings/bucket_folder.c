/* Objects as files of a folder. A file is written beside its place and moved there when it is on
 * the disk, so that none is ever there in part. Names that begin with a dot are ours: files not yet
 * in place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "base/uuid.h"
#include "sinks/recordings/bucket_internal.h"

#define COPY_BYTES (64 * 1024)
/* A file that is not in its place after that is of a process that died. */
#define STALE_MS (24LL * 3600 * 1000)

struct folder {
    int fd;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* what was written was synchronised before */
}

static enum tl_status failed(struct tl_error *err, const char *what, const char *name)
{
    int why = errno;
    enum tl_status st = why == ENOENT || why == ENOTDIR                 ? TL_NOT_FOUND
                        : why == EACCES || why == EPERM || why == EROFS ? TL_DENIED
                        : why == ENOSPC || why == EDQUOT || why == EMFILE || why == ENFILE ||
                                why == EIO || why == ENOMEM
                            ? TL_RETRY
                            : TL_FATAL;

    return tl_fail(err, st, "%s %s: %s", what, name, strerror(why));
}

enum tl_status tl_bucket_folder_open(const struct tl_store_options *options, void **ret_self,
                                     struct tl_error *err)
{
    int fd = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return tl_fail(err, TL_INVALID, "folder %s: %s", options->folder, strerror(errno));
    struct folder *f = malloc(sizeof(*f));
    if (!f)
        abort();
    f->fd = fd;
    *ret_self = f;
    return TL_OK;
}

static void folder_close(void *self)
{
    struct folder *f = self;

    if (!f)
        return;
    (void)close(f->fd); /* it was only read */
    free(f);
}

/* ---- writing ---- */

static bool sync_at(int fd, const char *path)
{
    TL_CLEANUP(close_fd) int folder = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return folder >= 0 && fsync(folder) == 0;
}

/* The folder of a name, and those above it; each that is made is on the disk. */
static enum tl_status make_folders(int fd, const char *name, struct tl_error *err)
{
    char path[TL_STORE_NAME_MAX + 1], above[TL_STORE_NAME_MAX + 1] = ".";

    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
        if (mkdirat(fd, path, 0750) == 0) {
            if (!sync_at(fd, above))
                return failed(err, "sync the folder of", path);
        } else if (errno != EEXIST) {
            return failed(err, "make folder", path);
        }
        memcpy(above, path, sizeof(above));
    }
    return TL_OK;
}

/* "a/b/.<uuid>" for "a/b/c". */
static void name_beside(const char *name, char *ret_path, size_t size)
{
    const char *slash = strrchr(name, '/');
    struct tl_uuid id = tl_uuid_v4();
    char text[TL_UUID_TEXT_LEN + 1];

    tl_uuid_format(&id, text);
    (void)snprintf(ret_path, size, "%.*s.%s", slash ? (int)(slash + 1 - name) : 0, name, text);
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool copy_file(int fd, const char *path)
{
    TL_CLEANUP(close_fd) int from = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t buffer[COPY_BYTES];
    ssize_t n = -1;

    if (from < 0)
        return false;
    while ((n = read(from, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || !write_all(fd, buffer, (size_t)n))
            return false;
    }
    return true;
}

static enum tl_status move_in(struct folder *f, const char *beside, const char *name,
                              struct tl_error *err)
{
    const char *slash = strrchr(name, '/');
    char above[TL_STORE_NAME_MAX + 1] = ".";

    if (renameat(f->fd, beside, f->fd, name) != 0)
        return failed(err, "put", name);
    if (slash)
        (void)snprintf(above, sizeof(above), "%.*s", (int)(slash - name), name);
    return sync_at(f->fd, above) ? TL_OK : failed(err, "sync the folder of", name);
}

static enum tl_status folder_put(void *self, const char *name, struct tl_bytes data,
                                 const char *path, struct tl_error *err)
{
    struct folder *f = self;
    char beside[TL_STORE_NAME_MAX + TL_UUID_TEXT_LEN + 2];

    enum tl_status st = make_folders(f->fd, name, err);
    if (st != TL_OK)
        return st;
    name_beside(name, beside, sizeof(beside));
    TL_CLEANUP(close_fd)
    int fd = openat(f->fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return failed(err, "put", name);
    bool ok = path ? copy_file(fd, path) : write_all(fd, data.data, data.len);
    if (!ok)
        st = failed(err, "write", name);
    else if (fsync(fd) != 0)
        st = failed(err, "sync", name);
    else
        st = move_in(f, beside, name, err);
    if (st != TL_OK)
        (void)unlinkat(f->fd, beside, 0); /* else a later listing finds it */
    return st;
}

/* ---- reading ---- */

static enum tl_status folder_get(void *self, const char *name, int64_t from, size_t len,
                                 struct tl_buf *out, struct tl_error *err)
{
    struct folder *f = self;
    TL_CLEANUP(close_fd) int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat file;

    if (fd < 0 || fstat(fd, &file) != 0)
        return failed(err, "get", name);
    if (!S_ISREG(file.st_mode))
        return tl_fail(err, TL_NOT_FOUND, "get %s: not a file", name);
    if (from >= file.st_size)
        return TL_OK;
    if ((int64_t)len > file.st_size - from)
        len = (size_t)(file.st_size - from);
    uint8_t *room = tl_buf_reserve(out, len);
    if (!room)
        return tl_fail(err, TL_INVALID, "get %s: no room for %zu bytes", name, len);
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(fd, room + at, len - at, from + (int64_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(err, "read", name);
        if (n == 0)
            len = at; /* it was cut meanwhile */
        at += (size_t)n;
    }
    out->len += len;
    out->data[out->len] = '\0';
    return TL_OK;
}

static enum tl_status folder_delete(void *self, const char *name, struct tl_error *err)
{
    struct folder *f = self;
    char path[TL_STORE_NAME_MAX + 1];

    if (unlinkat(f->fd, name, 0) != 0)
        return failed(err, "delete", name);
    memcpy(path, name, strlen(name) + 1);
    for (char *slash; (slash = strrchr(path, '/'));) { /* folders that are empty now */
        *slash = '\0';
        if (unlinkat(f->fd, path, AT_REMOVEDIR) != 0)
            break;
    }
    return TL_OK;
}

/* ---- listing ---- */

struct listing {
    struct folder *f;
    const char *prefix, *after;
    size_t max, n;
    struct tl_store_object *objects; /* the first ones, in order */
};

static void take(struct listing *l, const char *name, const struct stat *file)
{
    size_t at = l->n;

    if (strncmp(name, l->prefix, strlen(l->prefix)) != 0 || strcmp(name, l->after) <= 0)
        return;
    while (at && strcmp(l->objects[at - 1].name, name) > 0)
        at--;
    if (at == l->max)
        return;
    size_t moved = (l->n < l->max ? l->n : l->max - 1) - at;
    memmove(l->objects + at + 1, l->objects + at, moved * sizeof(*l->objects));
    l->objects[at] = (struct tl_store_object){.bytes = file->st_size,
                                              .changed_at = (int64_t)file->st_mtim.tv_sec * 1000 +
                                                            file->st_mtim.tv_nsec / 1000000};
    (void)snprintf(l->objects[at].name, sizeof(l->objects[at].name), "%s", name);
    l->n += l->n < l->max;
}

/* Could a name below this folder begin with the prefix? */
static bool leads_there(const char *path, const char *prefix)
{
    size_t n = strlen(path), m = strlen(prefix);

    return strncmp(path, prefix, n < m ? n : m) == 0;
}

static void walk(struct listing *l, const char *path);

static void visit(struct listing *l, const char *path, const char *entry)
{
    char name[TL_STORE_NAME_MAX + 1];
    struct stat file;

    int n = snprintf(name, sizeof(name), "%s%s%s", path, *path ? "/" : "", entry);
    if (n > TL_STORE_NAME_MAX || fstatat(l->f->fd, name, &file, AT_SYMLINK_NOFOLLOW) != 0)
        return; /* not ours, or gone meanwhile */
    if (entry[0] == '.') {
        if (S_ISREG(file.st_mode) && strlen(entry) == 1 + TL_UUID_TEXT_LEN &&
            (int64_t)file.st_mtim.tv_sec * 1000 < tl_now_ms() - STALE_MS)
            (void)unlinkat(l->f->fd, name, 0); /* else the next listing tries again */
    } else if (S_ISDIR(file.st_mode)) {
        if (leads_there(name, l->prefix))
            walk(l, name);
    } else if (S_ISREG(file.st_mode) && tl_store_is_name(name)) {
        take(l, name, &file);
    }
}

static void walk(struct listing *l, const char *path) // NOLINT(misc-no-recursion): as deep as names
{
    int fd = openat(l->f->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!folder) { /* gone meanwhile */
        close_fd(&fd);
        return;
    }
    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(l, path, entry->d_name);
    (void)closedir(folder); /* it was only read */
}

static enum tl_status folder_list(void *self, const char *prefix, const char *after, size_t max,
                                  struct tl_store_object *ret_objects, size_t *ret_n,
                                  struct tl_error *err)
{
    struct listing l = {self, prefix, after, max, 0, ret_objects};

    (void)err; /* what is not there is not listed */
    walk(&l, "");
    *ret_n = l.n;
    return TL_OK;
}

const struct tl_bucket_driver tl_bucket_folder = {
    folder_put, folder_get, folder_delete, folder_list, folder_close,
};
