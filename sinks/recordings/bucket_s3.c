/* Objects of an S3-compatible service, signed by libcurl (Signature Version 4). Blocking, so that a
 * file of any length passes through a small buffer; store.c keeps it on worker threads.
 * libcurl 7.88 signs path and arguments as they stand: so names have no letter that would be
 * encoded, and arguments are in their order. */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "crypto/hex.h"
#include "sinks/recordings/bucket_internal.h"

#define REPLY_BYTES_MAX (4u << 20) /* a list of a thousand names */
#define URL_BYTES_MAX 8192
#define KEY_BYTES_MAX 1024 /* of anybody's objects */
#define HASH_TEXT 65
#define TIMEOUT_DEFAULT_MS 30000

struct s3 {
    CURL *easy;
    char *base; /* "https://host/bucket/" */
    char *sign; /* "aws:amz:region:s3" */
    char *key, *secret, *ca_file;
    unsigned timeout_ms;
    char why[CURL_ERROR_SIZE];
};

/* What goes, and what comes. */
struct exchange {
    struct s3 *s3;
    const char *method;
    struct tl_bytes data; /* what is sent, … */
    int fd;               /* … or the file that is */
    int64_t bytes;        /* length of either; -1: nothing is sent */
    char hash[HASH_TEXT];
    int64_t skip; /* of the answer, when it is the whole object instead of a part */
    size_t want;
    struct tl_buf *out; /* where a good answer goes; NULL: to reply */
    struct tl_buf reply;
    long status;
};

/* ---- opening ---- */

static bool is_word(const char *text, const char *more)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

    if (!text || !*text)
        return false;
    for (const char *p = text; *p; p++)
        if (!strchr(letters, *p) && !strchr(more, *p))
            return false;
    return true;
}

static char *text_of(const char *fmt, ...) TL_PRINTF(1, 2);
static char *text_of(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        abort();
    return text;
}

static enum tl_status check(const struct tl_store_options *o, struct tl_error *err)
{
    const char *host = o->endpoint ? strstr(o->endpoint, "://") : NULL;

    if (!host ||
        (strncmp(o->endpoint, "http:", 5) != 0 && strncmp(o->endpoint, "https:", 6) != 0) ||
        !is_word(host + 3, ".:[]"))
        return tl_fail(err, TL_INVALID, "endpoint: not http(s)://host or http(s)://host:port");
    if (!is_word(o->region, ""))
        return tl_fail(err, TL_INVALID, "region: none, or not a word");
    if (!is_word(o->bucket, ".") || *o->bucket == '.')
        return tl_fail(err, TL_INVALID, "bucket: none, or not the name of one");
    if (!o->key || !*o->key || !o->secret || !*o->secret)
        return tl_fail(err, TL_INVALID, "key or secret: none");
    return TL_OK;
}

static void s3_close(void *self)
{
    struct s3 *s = self;

    if (!s)
        return;
    curl_easy_cleanup(s->easy);
    free(s->base);
    free(s->sign);
    free(s->key);
    free(s->secret);
    free(s->ca_file);
    free(s);
    curl_global_cleanup();
}

enum tl_status tl_bucket_s3_open(const struct tl_store_options *o, void **ret_self,
                                 struct tl_error *err)
{
    enum tl_status st = check(o, err);
    if (st != TL_OK)
        return st;
    xmlInitParser();
    struct s3 *s = calloc(1, sizeof(*s));
    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        abort();
    const char *host = strstr(o->endpoint, "://") + 3;
    int scheme = (int)(host - o->endpoint);
    s->base = o->path_style ? text_of("%s/%s/", o->endpoint, o->bucket)
                            : text_of("%.*s%s.%s/", scheme, o->endpoint, o->bucket, host);
    s->sign = text_of("aws:amz:%s:s3", o->region);
    s->key = text_of("%s", o->key);
    s->secret = text_of("%s", o->secret);
    s->ca_file = o->ca_file ? text_of("%s", o->ca_file) : NULL;
    s->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
    s->easy = curl_easy_init();
    if (!s->easy)
        abort();
    *ret_self = s;
    return TL_OK;
}

/* ---- what goes ---- */

static size_t on_read(char *buffer, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t room = size * n;

    if (x->fd >= 0) {
        ssize_t got;
        do
            got = read(x->fd, buffer, room);
        while (got < 0 && errno == EINTR);
        return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
    }
    if (room > x->data.len)
        room = x->data.len;
    memcpy(buffer, x->data.data, room);
    x->data = (struct tl_bytes){x->data.data + room, x->data.len - room};
    return room;
}

/* A kept connection was dead, and libcurl sends again. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    const struct exchange *x = arg;

    if (x->fd < 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    return lseek(x->fd, offset, SEEK_SET) == offset ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static enum tl_status hash(struct exchange *x, struct tl_error *err)
{
    uint8_t buffer[16384], digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ssize_t n = 0;

    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        (x->data.len && EVP_DigestUpdate(ctx, x->data.data, x->data.len) != 1))
        abort();
    x->bytes = x->fd >= 0 ? 0 : x->bytes;
    while (x->fd >= 0 && (n = read(x->fd, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || EVP_DigestUpdate(ctx, buffer, (size_t)n) != 1)
            break;
        x->bytes += n;
    }
    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    if (n < 0 || (x->fd >= 0 && lseek(x->fd, 0, SEEK_SET) != 0))
        return tl_fail(err, TL_FATAL, "read the file: %s", strerror(errno));
    tl_hex_encode(digest, 32, x->hash);
    return TL_OK;
}

/* ---- what comes ---- */

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * n, all = len;
    long status = 0;

    (void)curl_easy_getinfo(x->s3->easy, CURLINFO_RESPONSE_CODE, &status); /* else 0 */
    if (!x->out || status / 100 != 2) {
        tl_buf_add(&x->reply, data, len);
        return status / 100 != 2 || !x->reply.full ? all
                                                   : 0; /* of an error its beginning will do */
    }
    if (status == 200 && x->skip) { /* the store knows no ranges */
        size_t skipped = x->skip < (int64_t)len ? (size_t)x->skip : len;
        x->skip -= (int64_t)skipped;
        data += skipped;
        len -= skipped;
    }
    if (len > x->want)
        len = x->want;
    x->want -= len;
    tl_buf_add(x->out, data, len);
    return x->out->full ? 0 : all;
}

static xmlNode *child_of(xmlNode *node, const char *name)
{
    for (xmlNode *child = node ? node->children : NULL; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE && strcmp((const char *)child->name, name) == 0)
            return child;
    return NULL;
}

static void copy_text(xmlNode *node, const char *name, char *ret_text, size_t size)
{
    xmlNode *child = child_of(node, name);
    xmlChar *text = child ? xmlNodeGetContent(child) : NULL;

    (void)snprintf(ret_text, size, "%s", text ? (const char *)text : "");
    xmlFree(text);
}

static xmlDoc *parse(const struct tl_buf *reply)
{
    return reply->len ? xmlReadMemory((const char *)reply->data, (int)reply->len, NULL, NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                      : NULL;
}

/* "AccessDenied", as the store says it. */
static void code_of(const struct tl_buf *reply, char *ret_code, size_t size)
{
    xmlDoc *doc = parse(reply);

    copy_text(doc ? xmlDocGetRootElement(doc) : NULL, "Code", ret_code, size);
    xmlFreeDoc(doc);
}

static enum tl_status judge(const struct exchange *x, const char *name, struct tl_error *err)
{
    char code[64];
    long s = x->status;
    enum tl_status st = s == 404                                           ? TL_NOT_FOUND
                        : s == 401 || s == 403                             ? TL_DENIED
                        : s == 408 || s == 409 || s == 429 || s / 100 == 5 ? TL_RETRY
                                                                           : TL_FATAL;

    if (s / 100 == 2)
        return TL_OK;
    code_of(&x->reply, code, sizeof(code));
    return tl_fail(err, st, "%s %s: the store says %ld %s", x->method, name, s, code);
}

/* ---- an exchange ---- */

static void set_options(struct exchange *x, const char *url)
{
    struct s3 *s = x->s3;
    CURL *easy = s->easy;
    long seconds = ((long)s->timeout_ms + 999) / 1000;

    curl_easy_reset(easy); /* keeps the connection */
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, s->why);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)s->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second */
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, seconds);
    (void)curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, s->sign);
    (void)curl_easy_setopt(easy, CURLOPT_USERNAME, s->key);
    (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, s->secret);
    if (s->ca_file)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (x->bytes >= 0) {
        (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->bytes);
        (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        (void)curl_easy_setopt(easy, CURLOPT_READDATA, x);
        (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method);
}

/* `rest` is what follows the bucket in the URL; a name, or arguments. */
static enum tl_status perform(struct exchange *x, const char *rest, const char *range,
                              struct tl_error *err)
{
    char url[URL_BYTES_MAX], header[32 + HASH_TEXT];
    struct s3 *s = x->s3;

    if (snprintf(url, sizeof(url), "%s%s", s->base, rest) >= (int)sizeof(url))
        return tl_fail(err, TL_INVALID, "a URL of more than %d bytes", URL_BYTES_MAX);
    enum tl_status st = hash(x, err);
    if (st != TL_OK)
        return st;
    (void)snprintf(header, sizeof(header), "x-amz-content-sha256: %s", x->hash);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    if (!headers)
        abort();
    set_options(x, url);
    (void)curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, headers);
    if (range)
        (void)curl_easy_setopt(s->easy, CURLOPT_RANGE, range);
    s->why[0] = '\0';
    CURLcode rc = curl_easy_perform(s->easy);
    (void)curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &x->status); /* else 0 */
    curl_slist_free_all(headers);
    if (rc != CURLE_OK)
        return tl_fail(err, rc == CURLE_WRITE_ERROR ? TL_INVALID : TL_RETRY, "%s: %s", x->method,
                       s->why[0] ? s->why : curl_easy_strerror(rc));
    return TL_OK;
}

static struct exchange exchange_of(struct s3 *s, const char *method)
{
    struct exchange x = {.s3 = s, .method = method, .fd = -1, .bytes = -1};

    tl_buf_init(&x.reply, REPLY_BYTES_MAX);
    return x;
}

static void finish(struct exchange *x)
{
    tl_buf_finish(&x->reply);
    if (x->fd >= 0)
        (void)close(x->fd); /* it was only read */
}

static enum tl_status s3_put(void *self, const char *name, struct tl_bytes data, const char *path,
                             struct tl_error *err)
{
    TL_CLEANUP(finish) struct exchange x = exchange_of(self, "PUT");

    x.data = data;
    x.bytes = (int64_t)data.len;
    if (path && (x.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return tl_fail(err, errno == ENOENT ? TL_NOT_FOUND : TL_FATAL, "put %s: %s: %s", name, path,
                       strerror(errno));
    enum tl_status st = perform(&x, name, NULL, err);
    return st == TL_OK ? judge(&x, name, err) : st;
}

static enum tl_status s3_get(void *self, const char *name, int64_t from, size_t len,
                             struct tl_buf *out, struct tl_error *err)
{
    TL_CLEANUP(finish) struct exchange x = exchange_of(self, "GET");
    size_t before = out->len;
    char range[64];

    x.out = out;
    x.skip = from;
    x.want = len;
    (void)snprintf(range, sizeof(range), "%lld-%lld", (long long)from,
                   (long long)from + (long long)len - 1);
    enum tl_status st = perform(&x, name, range, err);
    if (st == TL_OK && x.status != 416) /* behind its end there is nothing */
        st = judge(&x, name, err);
    if (st != TL_OK)
        out->len = before;
    return st;
}

static enum tl_status s3_delete(void *self, const char *name, struct tl_error *err)
{
    TL_CLEANUP(finish) struct exchange x = exchange_of(self, "DELETE");

    enum tl_status st = perform(&x, name, NULL, err);
    return st == TL_OK ? judge(&x, name, err) : st;
}

/* ---- listing ---- */

static void add_argument(struct tl_buf *out, const char *name, const char *value)
{
    tl_buf_add_str(out, name);
    for (; *value; value++)
        if (isalnum((unsigned char)*value) || strchr("-._~", *value))
            tl_buf_add_char(out, *value);
        else
            tl_buf_printf(out, "%%%02X", (unsigned char)*value);
}

/* False: it is somebody else's. */
static bool read_object(xmlNode *contents, char name[KEY_BYTES_MAX + 1],
                        struct tl_store_object *ret_object)
{
    char bytes[32], changed[64];
    struct tl_error err;

    *ret_object = (struct tl_store_object){0};
    copy_text(contents, "Key", name, KEY_BYTES_MAX + 1);
    copy_text(contents, "Size", bytes, sizeof(bytes));
    copy_text(contents, "LastModified", changed, sizeof(changed));
    ret_object->bytes = strtoll(bytes, NULL, 10);
    /* Of a time that is none nothing is known: never older than anything. */
    if (tl_time_parse_iso(changed, &ret_object->changed_at, &err) != TL_OK)
        ret_object->changed_at = INT64_MAX;
    if (!tl_store_is_name(name))
        return false;
    memcpy(ret_object->name, name, strlen(name) + 1);
    return true;
}

/* Adds what the page has; `last` becomes the last name of it, and "" behind the last page. */
static enum tl_status read_page(const struct tl_buf *reply, char last[KEY_BYTES_MAX + 1],
                                size_t max, struct tl_store_object *ret_objects, size_t *ret_n,
                                struct tl_error *err)
{
    xmlDoc *doc = parse(reply);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    char truncated[8];

    if (!root || strcmp((const char *)root->name, "ListBucketResult") != 0) {
        xmlFreeDoc(doc);
        return tl_fail(err, TL_RETRY, "the store's list is none");
    }
    last[0] = '\0';
    for (xmlNode *node = root->children; node; node = node->next) {
        struct tl_store_object object;
        if (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, "Contents") != 0)
            continue;
        if (read_object(node, last, &object) && *ret_n < max)
            ret_objects[(*ret_n)++] = object;
    }
    copy_text(root, "IsTruncated", truncated, sizeof(truncated));
    if (strcmp(truncated, "true") != 0)
        last[0] = '\0';
    xmlFreeDoc(doc);
    return TL_OK;
}

static enum tl_status list_page(struct s3 *s, const char *prefix, char *last, size_t max,
                                struct tl_store_object *ret_objects, size_t *ret_n,
                                struct tl_error *err)
{
    TL_CLEANUP(finish) struct exchange x = exchange_of(s, "GET");
    TL_CLEANUP(tl_buf_finish) struct tl_buf arguments;

    tl_buf_init(&arguments, URL_BYTES_MAX);
    tl_buf_printf(&arguments, "?list-type=2&max-keys=%zu", max - *ret_n);
    if (*prefix)
        add_argument(&arguments, "&prefix=", prefix);
    if (*last)
        add_argument(&arguments, "&start-after=", last);
    enum tl_status st = perform(&x, tl_buf_str(&arguments), NULL, err);
    if (st == TL_OK)
        st = judge(&x, "list", err);
    return st == TL_OK ? read_page(&x.reply, last, max, ret_objects, ret_n, err) : st;
}

static enum tl_status s3_list(void *self, const char *prefix, const char *after, size_t max,
                              struct tl_store_object *ret_objects, size_t *ret_n,
                              struct tl_error *err)
{
    char last[KEY_BYTES_MAX + 1] = "", before[KEY_BYTES_MAX + 1];
    enum tl_status st;
    size_t n = 0;

    (void)snprintf(last, sizeof(last), "%s", after);
    do { /* a page may be shorter than was asked for, or hold what is not ours */
        memcpy(before, last, sizeof(before));
        st = list_page(self, prefix, last, max, ret_objects, &n, err);
        if (st == TL_OK && *last && strcmp(last, before) <= 0)
            st = tl_fail(err, TL_RETRY, "the store's list does not go on");
    } while (st == TL_OK && n < max && *last);
    if (st == TL_OK)
        *ret_n = n;
    return st;
}

const struct tl_bucket_driver tl_bucket_s3 = {
    s3_put, s3_get, s3_delete, s3_list, s3_close,
};
