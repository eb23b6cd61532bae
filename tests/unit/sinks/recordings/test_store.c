/* Requests to a store from the loop, and the S3 driver against a server that checks every
 * signature: sinks/recordings/store.h. The signature is computed here by the rules of
 * "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", which are
 * tried on the examples of that page first. */
#include "../../lib/net/net_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/hex.h"
#include "net/http_server.h"
#include "sinks/recordings/store.h"

#define KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

/* ---- Signature Version 4 ---- */

struct request {
    const char *method, *path, *query, *region, *date;
    struct tl_http_header headers[16]; /* those that are signed, in order */
    const char *signed_headers, *hash;
};

static void hmac(uint8_t key[32], size_t key_len, const char *text)
{
    uint8_t mac[32];

    tl_hmac_sha256(key, key_len, text, strlen(text), mac);
    memcpy(key, mac, 32);
}

static void signature_of(const struct request *r, char ret_hex[65])
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf canonical, text;
    uint8_t digest[32], key[32];
    char hex[65], secret[] = "AWS4" SECRET, day[9];

    tl_buf_init(&canonical, 65536);
    tl_buf_init(&text, 65536);
    tl_buf_printf(&canonical, "%s\n%s\n%s\n", r->method, r->path, r->query);
    for (const struct tl_http_header *h = r->headers; h->name; h++)
        tl_buf_printf(&canonical, "%s:%s\n", h->name, h->value);
    tl_buf_printf(&canonical, "\n%s\n%s", r->signed_headers, r->hash);
    tl_sha256(canonical.data, canonical.len, digest);
    tl_hex_encode(digest, 32, hex);
    (void)snprintf(day, sizeof(day), "%.8s", r->date);
    tl_buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", r->date, day, r->region,
                  hex);
    tl_hmac_sha256(secret, strlen(secret), day, strlen(day), key);
    hmac(key, 32, r->region);
    hmac(key, 32, "s3");
    hmac(key, 32, "aws4_request");
    hmac(key, 32, tl_buf_str(&text));
    tl_hex_encode(key, 32, ret_hex);
}

static void the_test_signs_as_the_published_examples(void **state)
{
    static const char *const empty =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const struct request get = {.method = "GET",
                                .path = "/test.txt",
                                .query = "",
                                .region = "us-east-1",
                                .date = "20130524T000000Z",
                                .headers = {{"host", "examplebucket.s3.amazonaws.com"},
                                            {"range", "bytes=0-9"},
                                            {"x-amz-content-sha256", empty},
                                            {"x-amz-date", "20130524T000000Z"}},
                                .signed_headers = "host;range;x-amz-content-sha256;x-amz-date",
                                .hash = empty};
    const struct request list = {.method = "GET",
                                 .path = "/",
                                 .query = "max-keys=2&prefix=J",
                                 .region = "us-east-1",
                                 .date = "20130524T000000Z",
                                 .headers = {{"host", "examplebucket.s3.amazonaws.com"},
                                             {"x-amz-content-sha256", empty},
                                             {"x-amz-date", "20130524T000000Z"}},
                                 .signed_headers = "host;x-amz-content-sha256;x-amz-date",
                                 .hash = empty};
    char hex[65];

    (void)state;
    signature_of(&get, hex);
    assert_string_equal(hex, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    signature_of(&list, hex);
    assert_string_equal(hex, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* ---- a small store of its own ---- */

#define OBJECTS 8

struct site {
    struct fixture *f;
    struct tl_http_server *server;
    struct tl_store *store;
    char host[64], why[256];
    struct {
        char name[64], data[64];
    } objects[OBJECTS];
    int busy;                           /* answers 503 that often first */
    bool knows_no_ranges, stands_still; /* lists the same again and again */
    int requests;
};

static bool refuse(struct site *site, const char *why)
{
    (void)snprintf(site->why, sizeof(site->why), "%s", why);
    return false;
}

/* The header's value up to `end`, behind `name`. */
static bool part_of(const char *header, const char *name, char end, char *ret_part, size_t size)
{
    const char *p = header ? strstr(header, name) : NULL;

    if (!p)
        return false;
    p += strlen(name);
    (void)snprintf(ret_part, size, "%.*s", (int)(strchrnul(p, end) - p), p);
    return true;
}

static bool is_signed(struct site *site, const struct tl_http_request *r)
{
    const char *auth = tl_http_request_header(r, "authorization");
    const char *target = tl_http_request_target(r), *mark = strchrnul(target, '?');
    const char *hash = tl_http_request_header(r, "x-amz-content-sha256");
    const char *date = tl_http_request_header(r, "x-amz-date");
    struct tl_bytes body = tl_http_request_body(r);
    char scope[128], names[256], given[80], expected[65], body_hash[65], path[256], list[256];
    uint8_t digest[32];

    if (!auth || strncmp(auth, "AWS4-HMAC-SHA256 ", 17) != 0 || !hash || !date ||
        strlen(date) != 16 || !part_of(auth, "Credential=", ',', scope, sizeof(scope)) ||
        !part_of(auth, "SignedHeaders=", ',', names, sizeof(names)) ||
        !part_of(auth, "Signature=", ',', given, sizeof(given)))
        return refuse(site, "no Authorization of the right shape");
    (void)snprintf(list, sizeof(list), KEY "/%.8s/eu-test-1/s3/aws4_request", date);
    if (strcmp(scope, list) != 0)
        return refuse(site, scope);
    tl_sha256(body.data, body.len, digest);
    tl_hex_encode(digest, 32, body_hash);
    if (strcmp(hash, body_hash) != 0)
        return refuse(site, "x-amz-content-sha256 is not that of the body");
    (void)snprintf(path, sizeof(path), "%.*s", (int)(mark - target), target);
    struct request want = {.method = tl_http_request_method(r),
                           .path = path,
                           .query = *mark ? mark + 1 : "",
                           .region = "eu-test-1",
                           .date = date,
                           .signed_headers = names,
                           .hash = hash};
    char copy[256], *rest = copy;
    (void)snprintf(copy, sizeof(copy), "%s", names);
    for (int i = 0; rest && i < 15; i++) {
        want.headers[i].name = strsep(&rest, ";");
        want.headers[i].value = tl_http_request_header(r, want.headers[i].name);
        if (!want.headers[i].value)
            return refuse(site, want.headers[i].name);
    }
    if (!strstr(names, "host") || !strstr(names, "x-amz-content-sha256") ||
        !strstr(names, "x-amz-date"))
        return refuse(site, names);
    signature_of(&want, expected);
    return strcmp(given, expected) == 0 ? true : refuse(site, "the signature is another one");
}

/* Of a whole argument: what was encoded is as it was. */
static void decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++)
        if (*p == '%') {
            const char hex[3] = {p[1], p[2], '\0'};
            *to++ = (char)strtol(hex, NULL, 16);
            p += 2;
        } else {
            *to++ = *p;
        }
    *to = '\0';
}

static void answer_list(struct site *site, struct tl_http_exchange *x, const char *target)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    char prefix[64] = "", after[64] = "", most[16] = "";
    int n = 0, more = 0;

    (void)part_of(target, "max-keys=", '&', most, sizeof(most));
    (void)part_of(target, "&prefix=calls%2F", '&', prefix, sizeof(prefix));
    (void)part_of(target, "&start-after=calls%2F", '&', after, sizeof(after));
    decode(after);
    tl_buf_init(&out, 65536);
    tl_buf_add_str(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
                         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>");
    for (int i = 0; i < OBJECTS; i++) {
        const char *name = site->objects[i].name; /* in order */
        if (!*name || strncmp(name, "calls/", 6) != 0 ||
            (*after && !site->stands_still && strcmp(name + 6, after) <= 0))
            continue;
        more += n == 2 || n == strtol(most, NULL, 10); /* pages are short, as they may be */
        if (more)
            break;
        n++;
        tl_buf_printf(&out,
                      "<Contents><Key>%s</Key><LastModified>2026-11-%02dT10:00:00.000Z"
                      "</LastModified><Size>%zu</Size></Contents>",
                      name, 10 + i, strlen(site->objects[i].data));
    }
    tl_buf_printf(&out, "<IsTruncated>%s</IsTruncated></ListBucketResult>",
                  more ? "true" : "false");
    tl_http_respond(x, 200, "application/xml", out.data, out.len, NULL);
}

static void fail_with(struct tl_http_exchange *x, int status, const char *code)
{
    char body[128];
    int n = snprintf(body, sizeof(body), "<Error><Code>%s</Code></Error>", code);

    tl_http_respond(x, status, "application/xml", body, (size_t)n, NULL);
}

static void answer_get(struct site *site, struct tl_http_exchange *x, const char *data)
{
    const char *range = tl_http_request_header(tl_http_exchange_request(x), "range");
    size_t len = strlen(data), from = 0, to = len - 1;

    if (range && !site->knows_no_ranges) {
        char *end;
        assert_memory_equal(range, "bytes=", 6);
        from = strtoul(range + 6, &end, 10);
        to = strtoul(end + 1, NULL, 10);
        if (from >= len) {
            fail_with(x, 416, "InvalidRange");
            return;
        }
        if (to >= len)
            to = len - 1;
    }
    tl_http_respond(x, range && !site->knows_no_ranges ? 206 : 200, "audio/wav", data + from,
                    to - from + 1, NULL);
}

static void answer_object(struct site *site, struct tl_http_exchange *x, const char *name)
{
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *method = tl_http_request_method(r);
    struct tl_bytes body = tl_http_request_body(r);
    int at = -1, empty = -1;

    for (int i = OBJECTS - 1; i >= 0; i--) {
        at = strcmp(site->objects[i].name, name) == 0 ? i : at;
        empty = site->objects[i].name[0] ? empty : i;
    }
    if (strcmp(method, "PUT") == 0) {
        at = at < 0 ? empty : at;
        (void)snprintf(site->objects[at].name, 64, "%s", name);
        (void)snprintf(site->objects[at].data, 64, "%.*s", (int)body.len, (const char *)body.data);
        tl_http_respond(x, 200, NULL, NULL, 0, NULL);
    } else if (at < 0) {
        fail_with(x, 404, "NoSuchKey");
    } else if (strcmp(method, "GET") == 0) {
        answer_get(site, x, site->objects[at].data);
    } else {
        site->objects[at].name[0] = '\0';
        tl_http_respond(x, 204, NULL, NULL, 0, NULL);
    }
}

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct site *site = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *target = tl_http_request_target(r);

    site->requests++;
    if (site->busy) {
        site->busy--;
        fail_with(x, 503, "SlowDown");
    } else if (!is_signed(site, r)) {
        fail_with(x, 403, "SignatureDoesNotMatch");
    } else if (strncmp(target, "/b/?", 4) == 0) {
        answer_list(site, x, target);
    } else {
        answer_object(site, x, target + 3); /* behind "/b/" */
    }
}

/* ---- requests ---- */

struct outcome {
    bool is_there;
    enum tl_status status;
    char err[512], data[64], names[256];
    size_t n;
    int64_t changed_at;
};

static void on_answer(void *arg, const struct tl_store_answer *answer)
{
    struct outcome *o = arg;

    assert_false(o->is_there);
    *o = (struct outcome){.is_there = true, .status = answer->status, .n = answer->n};
    (void)snprintf(o->err, sizeof(o->err), "%s", answer->status == TL_OK ? "" : answer->err->msg);
    (void)snprintf(o->data, sizeof(o->data), "%.*s", (int)answer->data.len,
                   (const char *)answer->data.data);
    for (size_t i = 0; answer->objects && i < answer->n; i++) {
        size_t used = strlen(o->names);
        (void)snprintf(o->names + used, sizeof(o->names) - used, "%s:%lld ",
                       answer->objects[i].name, (long long)answer->objects[i].bytes);
        o->changed_at = answer->objects[i].changed_at;
    }
}

static bool is_there(void *arg)
{
    return ((struct outcome *)arg)->is_there;
}

static void wait_for(struct site *site, struct outcome *o)
{
    assert_false(o->is_there); /* never from within the call */
    fixture_wait_for(site->f, is_there, o, "an answer of the store");
}

static void site_open(struct site *site, struct fixture *f, const char *secret)
{
    struct tl_error err;
    const struct tl_http_server_options server = {
        .address = "127.0.0.1", .on_request = on_request, .arg = site};

    *site = (struct site){.f = f};
    assert_int_equal(tl_http_server_create(f->net, &server, &site->server, &err), TL_OK);
    (void)snprintf(site->host, sizeof(site->host), "http://127.0.0.1:%d",
                   tl_http_server_port(site->server));
    const struct tl_store_options options = {.endpoint = site->host,
                                             .region = "eu-test-1",
                                             .bucket = "b",
                                             .path_style = true,
                                             .key = KEY,
                                             .secret = secret};
    assert_int_equal(tl_store_open(&f->loop, &options, &site->store, &err), TL_OK);
}

static struct outcome put(struct site *site, const char *name, const char *text)
{
    struct outcome o = {0};
    struct tl_error err;

    assert_int_equal(tl_store_put(site->store, name,
                                  (struct tl_bytes){(const uint8_t *)text, strlen(text)}, on_answer,
                                  &o, &err),
                     TL_OK);
    wait_for(site, &o);
    return o;
}

static struct outcome get(struct site *site, const char *name, int64_t from, size_t len)
{
    struct outcome o = {0};
    struct tl_error err;

    assert_int_equal(tl_store_get(site->store, name, from, len, on_answer, &o, &err), TL_OK);
    wait_for(site, &o);
    return o;
}

static void check_ok(const struct site *site, const struct outcome *o)
{
    if (o->status != TL_OK)
        fail_msg("%s; the server: %s", o->err, site->why);
}

static void s3_takes_gives_and_deletes_what_is_signed(void **state)
{
    struct site site;
    struct outcome o = {0};
    struct tl_error err;

    site_open(&site, *state, SECRET);
    o = put(&site, "calls/1/a.wav", "0123456789");
    check_ok(&site, &o);
    o = get(&site, "calls/1/a.wav", 0, 100);
    check_ok(&site, &o);
    assert_string_equal(o.data, "0123456789");
    o = get(&site, "calls/1/a.wav", 3, 4);
    assert_string_equal(o.data, "3456");
    o = get(&site, "calls/1/a.wav", 10, 4);
    check_ok(&site, &o);
    assert_string_equal(o.data, "");
    site.knows_no_ranges = true;
    o = get(&site, "calls/1/a.wav", 3, 4);
    check_ok(&site, &o);
    assert_string_equal(o.data, "3456");
    for (int i = 0; i < 2; i++) { /* the second time it is not there, and that is well */
        o = (struct outcome){0};
        assert_int_equal(tl_store_delete(site.store, "calls/1/a.wav", on_answer, &o, &err), TL_OK);
        wait_for(&site, &o);
        check_ok(&site, &o);
    }
    o = get(&site, "calls/1/a.wav", 0, 4);
    assert_int_equal(o.status, TL_NOT_FOUND);
    assert_non_null(strstr(o.err, "NoSuchKey"));
    tl_store_close(site.store);
}

static void s3_takes_a_file(void **state)
{
    struct site site;
    struct outcome o = {0};
    char path[] = "/tmp/tl-store-XXXXXX";
    struct tl_error err;

    site_open(&site, *state, SECRET);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a file's sound", 14), 14);
    assert_int_equal(close(fd), 0);
    assert_int_equal(tl_store_put_file(site.store, "calls/f", path, on_answer, &o, &err), TL_OK);
    wait_for(&site, &o);
    check_ok(&site, &o);
    assert_string_equal(site.objects[0].data, "a file's sound");
    o = (struct outcome){0};
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tl_store_put_file(site.store, "calls/f", path, on_answer, &o, &err), TL_OK);
    wait_for(&site, &o);
    assert_int_equal(o.status, TL_NOT_FOUND);
    tl_store_close(site.store);
}

static void s3_lists_over_short_pages_and_expires(void **state)
{
    struct site site;
    struct outcome o = {0};
    struct tl_error err;

    site_open(&site, *state, SECRET);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(site.objects[i].name, 64, i == 2 ? "calls/c:d" : "calls/%c", 'a' + i);
        (void)snprintf(site.objects[i].data, 64, "%.*s", i + 1, "xxxxxxx");
    }
    assert_int_equal(tl_store_list(site.store, "calls/", "", 10, on_answer, &o, &err), TL_OK);
    wait_for(&site, &o);
    check_ok(&site, &o);
    assert_string_equal(o.names,
                        "calls/a:1 calls/b:2 calls/d:4 calls/e:5 "); /* "c:d" is not ours */
    assert_int_equal(o.changed_at, 1794650400000);
    o = (struct outcome){0};
    assert_int_equal(tl_store_list(site.store, "calls/", "calls/b", 1, on_answer, &o, &err), TL_OK);
    wait_for(&site, &o);
    check_ok(&site, &o);
    assert_string_equal(o.names, "calls/d:4 ");
    site.stands_still = true;
    o = (struct outcome){0};
    assert_int_equal(tl_store_list(site.store, "calls/", "", 10, on_answer, &o, &err), TL_OK);
    wait_for(&site, &o);
    assert_int_equal(o.status, TL_RETRY);
    site.stands_still = false;
    o = (struct outcome){0};
    assert_int_equal(tl_store_expire(site.store, "calls/", 1794477600000, on_answer, &o, &err),
                     TL_OK);
    wait_for(&site, &o);
    check_ok(&site, &o);
    assert_int_equal(o.n, 2);
    assert_string_equal(site.objects[0].name, "");
    assert_string_equal(site.objects[1].name, "");
    assert_string_equal(site.objects[3].name, "calls/d");
    tl_store_close(site.store);
}

static void s3_says_what_to_do_about_a_refusal(void **state)
{
    struct site site;
    struct outcome o;

    site_open(&site, *state, "another secret");
    o = put(&site, "a", "x");
    assert_int_equal(o.status, TL_DENIED);
    assert_non_null(strstr(o.err, "SignatureDoesNotMatch"));
    assert_null(strstr(o.err, "secret"));
    site.busy = 1;
    o = put(&site, "a", "x");
    assert_int_equal(o.status, TL_RETRY);
    assert_non_null(strstr(o.err, "SlowDown"));
    tl_http_server_destroy(site.server);
    tl_store_close(site.store);
}

static void s3_that_is_away_is_for_later(void **state)
{
    struct fixture *f = *state;
    struct outcome o = {0};
    struct tl_store *store;
    struct tl_error err;
    const struct tl_store_options options = {
        .endpoint = "http://127.0.0.1:1", .region = "r", .bucket = "b", .key = "k", .secret = "s"};

    assert_int_equal(tl_store_open(&f->loop, &options, &store, &err), TL_OK);
    assert_int_equal(tl_store_get(store, "a", 0, 1, on_answer, &o, &err), TL_OK);
    fixture_wait_for(f, is_there, &o, "an answer");
    assert_int_equal(o.status, TL_RETRY);
    tl_store_close(store);
}

static void settings_that_cannot_work_are_refused(void **state)
{
    const struct tl_store_options good = {.endpoint = "https://s3.example.com",
                                          .region = "eu-1",
                                          .bucket = "b",
                                          .key = "k",
                                          .secret = "s"};
    struct fixture *f = *state;
    struct tl_store *store;
    struct tl_error err;

    for (int i = 0; i < 7; i++) {
        struct tl_store_options o = good;
        const char *const endpoints[] = {"ftp://x", "s3.example.com", "https://x/y"};
        if (i < 3)
            o.endpoint = endpoints[i];
        o.region = i == 3 ? "eu:s3" : o.region;
        o.bucket = i == 4 ? "b/c" : o.bucket;
        o.key = i == 5 ? "" : o.key;
        o.secret = i == 6 ? NULL : o.secret;
        assert_int_equal(tl_store_open(&f->loop, &o, &store, &err), TL_INVALID);
    }
}

static void a_folder_answers_from_the_loop_and_is_bounded(void **state)
{
    static struct outcome o[TL_STORE_WAITING_MAX];
    char folder[] = "/tmp/tl-store-XXXXXX", path[64];
    struct fixture *f = *state;
    struct outcome more = {0};
    struct tl_store *store;
    struct tl_error err;

    assert_non_null(mkdtemp(folder));
    const struct tl_store_options options = {.folder = folder};
    assert_int_equal(tl_store_open(&f->loop, &options, &store, &err), TL_OK);
    assert_int_equal(tl_store_put(store, "x", (struct tl_bytes){(const uint8_t *)"abc", 3},
                                  on_answer, &more, &err),
                     TL_OK);
    fixture_wait_for(f, is_there, &more, "put");
    for (int i = 0; i < TL_STORE_WAITING_MAX; i++) {
        o[i] = (struct outcome){0};
        assert_int_equal(tl_store_get(store, "x", 1, 2, on_answer, &o[i], &err), TL_OK);
    }
    assert_int_equal(tl_store_get(store, "x", 1, 2, on_answer, &more, &err), TL_RETRY);
    tl_store_close(store); /* what is under way is answered all the same */
    for (int i = 0; i < TL_STORE_WAITING_MAX; i++) {
        fixture_wait_for(f, is_there, &o[i], "get");
        assert_string_equal(o[i].data, "bc");
    }
    (void)snprintf(path, sizeof(path), "%s/x", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_test_signs_as_the_published_examples),
        cmocka_unit_test_setup_teardown(s3_takes_gives_and_deletes_what_is_signed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(s3_takes_a_file, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(s3_lists_over_short_pages_and_expires, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(s3_says_what_to_do_about_a_refusal, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(s3_that_is_away_is_for_later, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(settings_that_cannot_work_are_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_folder_answers_from_the_loop_and_is_bounded,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
