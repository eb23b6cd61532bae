/* A schema registry over HTTP (Confluent's API, as Apicurio serves it too). */
#include "kafka/registry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"
#include "net/net.h"

#define REGISTRY_TIMEOUT_MS 5000
#define MEDIA_TYPE "application/vnd.schemaregistry.v1+json"

struct request {
    struct request *next, **at;
    struct tl_registry *registry;
    struct tl_http_call *call;
    tl_registry_answer_fn fn;
    void *arg;
    bool wants_id;
};

struct tl_registry {
    struct tl_net *net;
    char *url;
    struct tl_registry_driver driver;
    struct request *requests;
};

static void unlink_request(struct request *r)
{
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
}

/* Statuses by number, not by error_code: registries differ in the latter. */
static void read_answer(const struct request *r, const struct tl_http_answer *answer, json_t *json,
                        struct tl_registry_answer *out)
{
    const json_t *id = json_object_get(json, "id"), *text = json_object_get(json, "schema");

    if (answer->status == 0 || answer->status == 429 || answer->status >= 500) {
        out->status = TL_RETRY;
        out->error = answer->status ? "the registry is in trouble" : answer->error;
    } else if (answer->status == 404) {
        out->status = TL_NOT_FOUND;
        out->error = "the registry does not know it";
    } else if (answer->status != 200) {
        out->status = TL_INVALID;
        out->error = "the registry refuses the request";
    } else if (r->wants_id ? json_is_integer(id) : json_is_string(text)) {
        out->status = TL_OK;
        out->id = (int32_t)json_integer_value(id);
        out->text = json_string_value(text);
        out->error = "";
    } else {
        out->status = TL_RETRY;
        out->error = "not the answer of a schema registry";
    }
}

static void on_answer(void *arg, const struct tl_http_answer *answer)
{
    struct request *r = arg;
    json_t *json = json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
    struct tl_registry_answer out = {.status = TL_RETRY};

    read_answer(r, answer, json, &out);
    unlink_request(r);
    r->fn(r->arg, &out);
    json_decref(json);
    free(r);
}

static void answer_failure(struct request *r, const struct tl_error *err)
{
    /* Cannot be made a request at all: told by the loop like every answer would need a timer; it is
     * a wrong setting, and the callers only begin to back off. */
    const struct tl_registry_answer out = {.status = TL_RETRY, .error = err->msg};

    unlink_request(r);
    r->fn(r->arg, &out);
    free(r);
}

static void start(struct tl_registry *registry, const char *method, const char *path,
                  const char *body, bool wants_id, tl_registry_answer_fn fn, void *arg)
{
    struct request *r = calloc(1, sizeof(*r));
    struct tl_error err;
    char url[1024];

    if (!r)
        abort();
    *r = (struct request){.registry = registry,
                          .fn = fn,
                          .arg = arg,
                          .wants_id = wants_id,
                          .next = registry->requests,
                          .at = &registry->requests};
    if (r->next)
        r->next->at = &r->next;
    registry->requests = r;
    (void)snprintf(url, sizeof(url), "%s%s", registry->url, path);
    const struct tl_http_header headers[] = {{"Accept", MEDIA_TYPE}, {NULL, NULL}};
    const struct tl_http_call_options options = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .content_type = body ? MEDIA_TYPE : NULL,
        .timeout_ms = REGISTRY_TIMEOUT_MS,
        .on_answer = on_answer,
        .arg = r,
    };
    if (tl_http_call_start(registry->net, &options, &r->call, &err) != TL_OK)
        answer_failure(r, &err);
}

static void escape(const char *subject, char *out, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (; *subject && n + 4 < size; subject++) {
        unsigned char c = (unsigned char)*subject;

        if (strchr("-._~", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z')) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = '\0';
}

static void lookup(void *self, const char *subject, const char *text, tl_registry_answer_fn fn,
                   void *arg)
{
    char escaped[700], path[768];
    json_t *json = json_pack("{s:s}", "schema", text);
    char *body = json_dumps(json, JSON_COMPACT);

    escape(subject, escaped, sizeof(escaped));
    (void)snprintf(path, sizeof(path), "/subjects/%s", escaped); /* fits */
    start(self, "POST", path, body, true, fn, arg);
    free(body);
    json_decref(json);
}

static void fetch(void *self, int32_t id, tl_registry_answer_fn fn, void *arg)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/schemas/ids/%" PRId32, id);
    start(self, "GET", path, NULL, false, fn, arg);
}

enum tl_status tl_registry_create(struct tl_net *net, const char *url,
                                  struct tl_registry **ret_registry, struct tl_error *err)
{
    struct tl_registry *registry;
    size_t len = strlen(url);

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return tl_fail(err, TL_INVALID, "registry.url: %s is not a URL", url);
    registry = calloc(1, sizeof(*registry));
    if (!registry)
        abort();
    while (len > 0 && url[len - 1] == '/')
        len--;
    registry->net = net;
    registry->url = strndup(url, len);
    registry->driver = (struct tl_registry_driver){lookup, fetch, registry};
    *ret_registry = registry;
    return TL_OK;
}

void tl_registry_destroy(struct tl_registry *registry)
{
    if (!registry)
        return;
    while (registry->requests) {
        struct request *r = registry->requests;

        tl_http_call_cancel(r->call);
        unlink_request(r);
        free(r);
    }
    free(registry->url);
    free(registry);
}

const struct tl_registry_driver *tl_registry_driver(struct tl_registry *registry)
{
    return &registry->driver;
}
