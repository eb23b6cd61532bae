/* What a peer asked, copied out of libwebsockets' header table, which decodes and cuts up the
 * target while it reads: README.md, "The raw target", tells what putting it together can restore.
 */
#include "net_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"

#define PIECE_SIZE 16384 /* as long as libwebsockets' header table: no piece is longer */

struct header {
    const char *name, *value; /* value NULL: looked for and absent */
    struct header *next;
};

struct tl_http_request {
    struct lws *wsi; /* NULL once its headers are gone */
    struct tl_arena arena;
    const char *method, *path, *target, *query, *peer;
    struct header *seen;
    struct tl_buf body;
};

static const struct {
    enum lws_token_indexes token;
    const char *name;
} methods[] = {
    {WSI_TOKEN_GET_URI, "GET"},         {WSI_TOKEN_POST_URI, "POST"},
    {WSI_TOKEN_PUT_URI, "PUT"},         {WSI_TOKEN_PATCH_URI, "PATCH"},
    {WSI_TOKEN_DELETE_URI, "DELETE"},   {WSI_TOKEN_HEAD_URI, "HEAD"},
    {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
};

static int find_method(struct lws *wsi)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(methods); i++)
        if (lws_hdr_total_length(wsi, methods[i].token) > 0)
            return (int)i;
    return -1;
}

/* Bytes that stood on the wire as they are. A '+', '&' or ';' that is still here was written %2B,
 * %26 or %3B: libwebsockets turns the first, unescaped, into a space and cuts at the others. */
static bool is_plain(unsigned char c, const char *also)
{
    return isalnum(c) || (c && (strchr("-._~!$'()*,=", c) || strchr(also, c)));
}

static void add_encoded(struct tl_buf *b, const char *text, size_t len, const char *also,
                        const char *space)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_plain(c, also))
            tl_buf_add_char(b, (char)c);
        else if (c == ' ')
            tl_buf_add_str(b, space);
        else
            tl_buf_printf(b, "%%%02X", c);
    }
}

/* libwebsockets ends an empty last argument with a '/' of its own ("/a?" and "/a?x&" become "/a?/"
 * and "/a?x&/"). */
static bool is_made_up(struct lws *wsi, enum lws_token_indexes token, int i, const char *piece)
{
    char next[2];

    return token == WSI_TOKEN_HTTP_URI_ARGS && strcmp(piece, "/") == 0 &&
           lws_hdr_fragment_length(wsi, token, i + 1) == 0 &&
           lws_hdr_copy_fragment(wsi, next, sizeof(next), token, i + 1) < 0;
}

/* Puts the pieces of a token together again; false when there is none or one has a NUL in it. */
static bool add_pieces(struct tl_buf *b, struct lws *wsi, enum lws_token_indexes token,
                       bool encoded, const char *also, const char *space)
{
    char piece[PIECE_SIZE + 1];
    int n;

    for (int i = 0; (n = lws_hdr_copy_fragment(wsi, piece, sizeof(piece), token, i)) >= 0; i++) {
        if (memchr(piece, 0, (size_t)n))
            return false;
        if (i)
            tl_buf_add_char(b, '&');
        if (is_made_up(wsi, token, i, piece))
            continue;
        if (encoded)
            add_encoded(b, piece, (size_t)n, also, space);
        else
            tl_buf_add(b, piece, (size_t)n);
    }
    return true;
}

static bool read_target(struct tl_http_request *r, enum lws_token_indexes token)
{
    struct tl_buf b;
    char probe[PIECE_SIZE + 1];
    bool ok;

    tl_buf_init(&b, 4 * PIECE_SIZE);
    ok = add_pieces(&b, r->wsi, token, false, "", "");
    r->path = tl_arena_strndup(&r->arena, tl_buf_str(&b), b.len);

    tl_buf_reset(&b);
    ok = ok && add_pieces(&b, r->wsi, token, true, "/:@", "%20");
    size_t path_len = b.len;
    bool has_query =
        lws_hdr_copy_fragment(r->wsi, probe, sizeof(probe), WSI_TOKEN_HTTP_URI_ARGS, 0) >= 0;
    if (has_query) {
        tl_buf_add_char(&b, '?');
        ok = ok && add_pieces(&b, r->wsi, WSI_TOKEN_HTTP_URI_ARGS, true, "", "+");
    }
    ok = ok && !b.full;
    r->target = tl_arena_strndup(&r->arena, tl_buf_str(&b), b.len);
    r->query = has_query ? r->target + path_len + 1 : "";
    tl_buf_finish(&b);
    return ok;
}

enum tl_status tl_http_request_create(struct lws *wsi, const char *peer,
                                      struct tl_http_request **ret_request, struct tl_error *err)
{
    int method = find_method(wsi);

    if (method < 0)
        return tl_fail(err, TL_INVALID, "no method");
    struct tl_http_request *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->wsi = wsi;
    r->method = methods[method].name;
    r->peer = tl_arena_strdup(&r->arena, peer);
    if (!read_target(r, methods[method].token)) {
        tl_http_request_destroy(r);
        return tl_fail(err, TL_INVALID, "request target unusable");
    }
    *ret_request = r;
    return TL_OK;
}

void tl_http_request_destroy(struct tl_http_request *r)
{
    if (!r)
        return;
    tl_arena_finish(&r->arena);
    tl_buf_finish(&r->body);
    free(r);
}

void tl_http_request_freeze(struct tl_http_request *r)
{
    r->wsi = NULL;
}

struct tl_buf *tl_http_request_body_buf(struct tl_http_request *r)
{
    return &r->body;
}

const char *tl_http_request_method(const struct tl_http_request *r)
{
    return r->method;
}

const char *tl_http_request_path(const struct tl_http_request *r)
{
    return r->path;
}

const char *tl_http_request_target(const struct tl_http_request *r)
{
    return r->target;
}

const char *tl_http_request_query(const struct tl_http_request *r)
{
    return r->query;
}

const char *tl_http_request_peer(const struct tl_http_request *r)
{
    return r->peer;
}

bool tl_http_request_is_version(const struct tl_http_request *r, const char *version)
{
    char text[16];

    return lws_hdr_copy(r->wsi, text, sizeof(text), WSI_TOKEN_HTTP) > 0 &&
           strcmp(text, version) == 0;
}

struct tl_bytes tl_http_request_body(const struct tl_http_request *r)
{
    return (struct tl_bytes){r->body.data ? r->body.data : (const uint8_t *)"", r->body.len};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *decode(struct tl_arena *arena, const char *s, size_t len)
{
    char *text = tl_arena_alloc(arena, len + 1);
    char *to = text;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            *to++ = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
            i += 2;
        } else {
            *to++ = s[i] == '+' ? ' ' : s[i];
        }
    }
    return text;
}

const char *tl_http_request_arg(const struct tl_http_request *r, const char *name)
{
    struct tl_arena *arena = (struct tl_arena *)&r->arena; /* a cache behind a const face */
    const char *p = r->query;

    while (*p) {
        size_t len = strcspn(p, "&");
        size_t name_len = strcspn(p, "=&");
        if (strcmp(decode(arena, p, name_len), name) == 0)
            return name_len == len ? "" : decode(arena, p + name_len + 1, len - name_len - 1);
        p += len + (p[len] == '&');
    }
    return NULL;
}

/* The token of a header that libwebsockets knows by itself; -1 for others. */
static int find_token(const char *name)
{
    size_t len = strlen(name);
    const char *known;

    for (int i = 0; (known = (const char *)lws_token_to_string((enum lws_token_indexes)i)); i++)
        if (strncasecmp(known, name, len) == 0 && strcmp(known + len, ":") == 0)
            return i;
    return -1;
}

static char *copy_known(struct tl_http_request *r, enum lws_token_indexes token)
{
    int len = lws_hdr_total_length(r->wsi, token);

    if (len <= 0)
        return NULL;
    char *value = tl_arena_alloc(&r->arena, (size_t)len + 1);
    return lws_hdr_copy(r->wsi, value, len + 1, token) >= 0 ? value : NULL;
}

static char *copy_custom(struct tl_http_request *r, const char *name)
{
    int name_len = (int)strlen(name) + 1;
    char *key = tl_arena_printf(&r->arena, "%s:", name);

    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    int len = lws_hdr_custom_length(r->wsi, key, name_len);
    if (len < 0)
        return NULL;
    char *value = tl_arena_alloc(&r->arena, (size_t)len + 1);
    return lws_hdr_custom_copy(r->wsi, value, len + 1, key, name_len) >= 0 ? value : NULL;
}

static void trim_end(char *s)
{
    size_t len = strlen(s);

    while (len && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        s[--len] = 0;
}

const char *tl_http_request_header(const struct tl_http_request *request, const char *name)
{
    struct tl_http_request *r = (struct tl_http_request *)request; /* a cache behind a const face */

    for (struct header *h = r->seen; h; h = h->next)
        if (strcasecmp(h->name, name) == 0)
            return h->value;
    if (!r->wsi)
        return NULL;
    int token = find_token(name);
    char *value = token >= 0 ? copy_known(r, (enum lws_token_indexes)token) : copy_custom(r, name);
    if (value)
        trim_end(value);
    struct header *h = tl_arena_alloc(&r->arena, sizeof(*h));
    *h = (struct header){tl_arena_strdup(&r->arena, name), value, r->seen};
    r->seen = h;
    return value;
}
