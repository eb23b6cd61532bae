/* The registry's API, against a stand-in that answers as the real ones do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "kafka/registry.h"
#include "net/http_server.h"
#include "net/net.h"

#define WAIT_MS 20000

struct env {
    uv_loop_t loop;
    uv_timer_t tick;
    struct tl_log log;
    struct tl_net *net;
    struct tl_http_server *server;
    struct tl_registry *registry;
    int requests;
    int status; /* that the stand-in answers */
    const char *body;
    char method[8], path[512], query[64], sent[512], accept[128];
    int answers;
    enum tl_status got;
    int32_t id;
    char text[128];
};

static void on_request(void *arg, struct tl_http_exchange *x)
{
    struct env *e = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    struct tl_bytes body = tl_http_request_body(r);
    const char *accept = tl_http_request_header(r, "Accept");

    e->requests++;
    (void)snprintf(e->method, sizeof(e->method), "%s", tl_http_request_method(r));
    (void)snprintf(e->path, sizeof(e->path), "%s", tl_http_request_path(r));
    (void)snprintf(e->query, sizeof(e->query), "%s", tl_http_request_query(r));
    (void)snprintf(e->sent, sizeof(e->sent), "%.*s", (int)body.len, (const char *)body.data);
    (void)snprintf(e->accept, sizeof(e->accept), "%s", accept ? accept : "");
    tl_http_respond(x, e->status, "application/vnd.schemaregistry.v1+json", e->body,
                    strlen(e->body), NULL);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    struct env *e = calloc(1, sizeof(*e));
    struct tl_error err;
    char url[64];

    assert_non_null(e);
    assert_int_equal(uv_loop_init(&e->loop), 0);
    assert_int_equal(uv_timer_init(&e->loop, &e->tick), 0);
    assert_int_equal(uv_timer_start(&e->tick, on_tick, 5, 5), 0);
    e->log = (struct tl_log){2, TL_LOG_ERROR, "test"};
    const struct tl_net_options net_options = {.loop = &e->loop, .log = &e->log};
    assert_int_equal(tl_net_create(&net_options, &e->net, &err), TL_OK);
    const struct tl_http_server_options server_options = {
        .address = "127.0.0.1", .on_request = on_request, .arg = e};
    assert_int_equal(tl_http_server_create(e->net, &server_options, &e->server, &err), TL_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/", tl_http_server_port(e->server));
    assert_int_equal(tl_registry_create(e->net, url, &e->registry, &err), TL_OK);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    struct env *e = *state;

    tl_registry_destroy(e->registry);
    tl_net_destroy(e->net);
    uv_close((uv_handle_t *)&e->tick, NULL);
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    free(e);
    return 0;
}

static void on_answer(void *arg, const struct tl_registry_answer *answer)
{
    struct env *e = arg;

    e->answers++;
    e->got = answer->status;
    e->id = answer->id;
    (void)snprintf(e->text, sizeof(e->text), "%s", answer->text ? answer->text : "");
    assert_non_null(answer->error);
}

static void wait_for_answer(struct env *e)
{
    int64_t until_ms = tl_mono_ms() + WAIT_MS;

    while (e->answers == 0) {
        assert_true(tl_mono_ms() < until_ms);
        (void)uv_run(&e->loop, UV_RUN_ONCE);
    }
    assert_int_equal(e->answers, 1);
    e->answers = 0;
}

static void lookup(struct env *e, int status, const char *body)
{
    const struct tl_registry_driver *driver = tl_registry_driver(e->registry);

    e->status = status;
    e->body = body;
    driver->lookup(driver->self, "trunkline.a?b-value", "{\"type\":\"int\"}", on_answer, e);
    assert_int_equal(e->answers, 0);
    wait_for_answer(e);
}

static void lookup_posts_the_text_under_the_subject(void **state)
{
    struct env *e = *state;

    lookup(e, 200, "{\"subject\":\"s\",\"version\":1,\"id\":42,\"schema\":\"x\"}");
    assert_int_equal(e->got, TL_OK);
    assert_int_equal(e->id, 42);
    assert_string_equal(e->method, "POST");
    assert_string_equal(e->path, "/api/subjects/trunkline.a?b-value"); /* decoded: it was escaped */
    assert_string_equal(e->query, "");
    assert_string_equal(e->sent, "{\"schema\":\"{\\\"type\\\":\\\"int\\\"}\"}");
    assert_string_equal(e->accept, "application/vnd.schemaregistry.v1+json");
}

static void fetch_gets_the_text_of_an_id(void **state)
{
    struct env *e = *state;
    const struct tl_registry_driver *driver = tl_registry_driver(e->registry);

    e->status = 200;
    e->body = "{\"schema\":\"{\\\"type\\\":\\\"long\\\"}\"}";
    driver->fetch(driver->self, 7, on_answer, e);
    wait_for_answer(e);
    assert_int_equal(e->got, TL_OK);
    assert_string_equal(e->text, "{\"type\":\"long\"}");
    assert_string_equal(e->method, "GET");
    assert_string_equal(e->path, "/api/schemas/ids/7");
}

static void status_of_http_decides(void **state)
{
    struct env *e = *state;

    lookup(e, 404, "{\"error_code\":40403,\"message\":\"not found\"}");
    assert_int_equal(e->got, TL_NOT_FOUND);
    lookup(e, 422, "{\"error_code\":42201}");
    assert_int_equal(e->got, TL_INVALID);
    lookup(e, 500, "");
    assert_int_equal(e->got, TL_RETRY);
    lookup(e, 429, "");
    assert_int_equal(e->got, TL_RETRY);
    lookup(e, 200, "<html>a proxy</html>");
    assert_int_equal(e->got, TL_RETRY);
    lookup(e, 200, "{\"id\":\"42\"}");
    assert_int_equal(e->got, TL_RETRY);
}

static void registry_that_does_not_listen_is_away(void **state)
{
    struct env *e = *state;

    tl_http_server_destroy(e->server);
    lookup(e, 200, "");
    assert_int_equal(e->got, TL_RETRY);
}

static void destroy_drops_what_is_under_way(void **state)
{
    struct env *e = *state;
    const struct tl_registry_driver *driver = tl_registry_driver(e->registry);

    driver->fetch(driver->self, 7, on_answer, e);
    driver->fetch(driver->self, 8, on_answer, e);
    tl_registry_destroy(e->registry);
    e->registry = NULL;
    (void)uv_run(&e->loop, UV_RUN_NOWAIT);
    assert_int_equal(e->answers, 0);
}

static void url_must_be_one(void **state)
{
    struct env *e = *state;
    struct tl_registry *registry;
    struct tl_error err;

    assert_int_equal(tl_registry_create(e->net, "localhost:8080", &registry, &err), TL_INVALID);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lookup_posts_the_text_under_the_subject),
        CASE(fetch_gets_the_text_of_an_id),
        CASE(status_of_http_decides),
        CASE(registry_that_does_not_listen_is_away),
        CASE(destroy_drops_what_is_under_way),
        CASE(url_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
