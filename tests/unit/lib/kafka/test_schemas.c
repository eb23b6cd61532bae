#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "avro/presence.h"
#include "kafka/schemas.h"
#include "kafka_fixture.h"

/** A registry that answers when the test says so. */
struct registry {
    struct tl_registry_driver driver;
    int lookups, fetches;
    struct {
        tl_registry_answer_fn fn;
        void *arg;
        char subject[128];
    } asked[32];
    int asked_len;
};

static void ask(struct registry *r, const char *subject, tl_registry_answer_fn fn, void *arg)
{
    assert_true(r->asked_len < 32);
    r->asked[r->asked_len].fn = fn;
    r->asked[r->asked_len].arg = arg;
    strncpy(r->asked[r->asked_len].subject, subject, sizeof(r->asked[0].subject) - 1);
    r->asked_len++;
}

static void lookup(void *self, const char *subject, const char *text, tl_registry_answer_fn fn,
                   void *arg)
{
    struct registry *r = self;

    assert_non_null(text);
    r->lookups++;
    ask(r, subject, fn, arg);
}

static void fetch(void *self, int32_t id, tl_registry_answer_fn fn, void *arg)
{
    struct registry *r = self;

    (void)id;
    r->fetches++;
    ask(r, "", fn, arg);
}

static void answer(struct registry *r, int i, struct tl_registry_answer a)
{
    a.error = "";
    r->asked[i].fn(r->asked[i].arg, &a);
}

struct env {
    uv_loop_t loop;
    struct tl_log log;
    struct registry registry;
    struct tl_schema_set *set;
    struct tl_buf buf;
    struct tl_arena arena;
    int told;
};

static void on_learnt(void *arg)
{
    ((struct env *)arg)->told++;
}

static int setup(void **state)
{
    struct env *e = calloc(1, sizeof(*e));
    struct tl_error err;

    assert_non_null(e);
    assert_int_equal(uv_loop_init(&e->loop), 0);
    e->log = (struct tl_log){2, TL_LOG_ERROR, "test"};
    e->registry.driver = (struct tl_registry_driver){lookup, fetch, &e->registry};
    const struct tl_schema_set_options options = {&e->loop, &e->log, "trunkline.",
                                                  &e->registry.driver};
    assert_int_equal(tl_schema_set_create(&options, &e->set, &err), TL_OK);
    tl_schema_set_watch(e->set, on_learnt, e);
    tl_buf_init(&e->buf, 1 << 20);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    struct env *e = *state;

    tl_schema_set_unwatch(e->set, on_learnt, e);
    tl_schema_set_destroy(e->set);
    tl_buf_finish(&e->buf);
    tl_arena_finish(&e->arena);
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    free(e);
    return 0;
}

static const struct tl_presence PRESENCE = {
    .kind = TL_INSTANCE_KIND_CONVERSATION, .number = 3, .epoch = 17, .calls_held = 9};

static struct tl_bytes encoded(struct env *e)
{
    struct tl_error err;

    tl_buf_reset(&e->buf);
    if (tl_record_encode(e->set, TL_RECORD_PRESENCE, &PRESENCE, &e->buf, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return (struct tl_bytes){e->buf.data, e->buf.len};
}

static void learn_own(struct env *e, int32_t id)
{
    struct tl_error err;

    if (tl_schema_set_learn(e->set, "trunkline.presence.v1-value", id,
                            tl_record_schema(TL_RECORD_PRESENCE), &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static void nothing_is_written_before_the_id_is_known(void **state)
{
    struct env *e = *state;
    struct tl_error err;

    assert_int_equal(tl_record_encode(e->set, TL_RECORD_PRESENCE, &PRESENCE, &e->buf, &err),
                     TL_RETRY);
    assert_int_equal(e->buf.len, 0);
    assert_int_equal(tl_schema_set_id(e->set, TL_RECORD_PRESENCE), -1);
}

static void own_text_names_the_id(void **state)
{
    struct env *e = *state;
    const enum tl_record_type presence[] = {TL_RECORD_PRESENCE, TL_RECORD_TYPES};
    struct tl_presence back;
    struct tl_error err;

    assert_false(tl_schema_set_is_ready(e->set, presence));
    learn_own(e, 258);
    assert_int_equal(e->told, 1);
    assert_true(tl_schema_set_is_ready(e->set, presence));
    assert_false(tl_schema_set_is_ready(e->set, NULL));
    struct tl_bytes value = encoded(e);
    assert_memory_equal(value.data, "\x00\x00\x00\x01\x02", 5);
    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &back, &err),
                     TL_OK);
    assert_int_equal(back.number, 3);
    assert_int_equal(back.epoch, 17);
    assert_int_equal(e->registry.fetches + e->registry.lookups, 0);
}

static void missing_ids_are_looked_up_by_subject(void **state)
{
    struct env *e = *state;

    learn_own(e, 5);
    tl_schema_set_resolve(e->set);
    assert_int_equal(e->registry.lookups, TL_RECORD_TYPES - 1);
    for (int i = 0; i < e->registry.asked_len; i++)
        assert_string_not_equal(e->registry.asked[i].subject, "trunkline.presence.v1-value");
    tl_schema_set_resolve(e->set); /* those are under way */
    assert_int_equal(e->registry.lookups, TL_RECORD_TYPES - 1);
    assert_string_equal(e->registry.asked[0].subject, "trunkline.calls.v1-value");
    for (int i = 0; i < e->registry.asked_len; i++)
        answer(&e->registry, i, (struct tl_registry_answer){.status = TL_OK, .id = 100 + i});
    assert_true(tl_schema_set_is_ready(e->set, NULL));
    assert_int_equal(tl_schema_set_id(e->set, TL_RECORD_CALL_EVENT), 100);
}

static void registry_that_is_away_is_asked_again(void **state)
{
    struct env *e = *state;
    int first;

    tl_schema_set_resolve(e->set);
    first = e->registry.asked_len;
    for (int i = 0; i < first; i++)
        answer(&e->registry, i, (struct tl_registry_answer){.status = TL_RETRY});
    (void)uv_run(&e->loop, UV_RUN_DEFAULT); /* until the timer has fired */
    assert_int_equal(e->registry.asked_len, 2 * first);
}

/* Another writer's schema: ours, but with two symbols of its first enum the other way round. */
static char *swapped_schema(void)
{
    json_t *schema = json_loads(tl_record_schema(TL_RECORD_PRESENCE), 0, NULL);
    json_t *kind = json_array_get(json_object_get(schema, "fields"), 0);
    json_t *symbols = json_object_get(json_object_get(kind, "type"), "symbols");
    json_t *one = json_incref(json_array_get(symbols, 1));

    assert_int_equal(json_array_set(symbols, 1, json_array_get(symbols, 2)), 0);
    assert_int_equal(json_array_set_new(symbols, 2, one), 0);
    char *text = json_dumps(schema, JSON_COMPACT);
    json_decref(schema);
    assert_non_null(text);
    return text;
}

#define OTHER_ID 77

/* What that writer makes of a presence: our bytes under its id. */
static struct tl_bytes of_other(struct env *e)
{
    if (tl_schema_set_id(e->set, TL_RECORD_PRESENCE) < 0)
        learn_own(e, 5);
    encoded(e);
    e->buf.data[4] = OTHER_ID;
    e->told = 0;
    return (struct tl_bytes){e->buf.data, e->buf.len};
}

static void unknown_id_is_fetched_and_taken_over_by_name(void **state)
{
    struct env *e = *state;
    const struct tl_bytes value = of_other(e);
    struct tl_presence p;
    struct tl_error err;
    char *text = swapped_schema();

    for (int i = 0; i < 3; i++)
        assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                         TL_RETRY);
    assert_int_equal(e->registry.fetches, 1); /* one request in flight */
    answer(&e->registry, 0, (struct tl_registry_answer){.status = TL_OK, .text = text});
    assert_int_equal(e->told, 1);
    if (tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(p.kind, TL_INSTANCE_KIND_INGEST); /* by symbol, not by position */
    assert_int_equal(p.number, 3);
    assert_int_equal(p.epoch, 17);
    free(text);
}

static void fetch_is_repeated_until_the_registry_answers(void **state)
{
    struct env *e = *state;
    const struct tl_bytes value = of_other(e);
    struct tl_presence p;
    struct tl_error err;
    char *text = swapped_schema();

    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                     TL_RETRY);
    answer(&e->registry, 0, (struct tl_registry_answer){.status = TL_RETRY});
    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                     TL_RETRY); /* never a dead letter because the registry is away */
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(e->registry.fetches, 2);
    answer(&e->registry, 1, (struct tl_registry_answer){.status = TL_OK, .text = text});
    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                     TL_OK);
    free(text);
}

static void id_that_the_registry_does_not_know_is_invalid(void **state)
{
    struct env *e = *state;
    const struct tl_bytes value = of_other(e);
    struct tl_presence p;
    struct tl_error err;

    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                     TL_RETRY);
    answer(&e->registry, 0, (struct tl_registry_answer){.status = TL_NOT_FOUND});
    assert_int_equal(e->told, 1);
    assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, value, &e->arena, &p, &err),
                     TL_INVALID);
}

static void what_has_no_frame_is_invalid(void **state)
{
    struct env *e = *state;
    struct tl_presence p;
    struct tl_error err;
    const struct tl_bytes bad[] = {{NULL, 0},
                                   {(const uint8_t *)"", 0},
                                   {(const uint8_t *)"\0\0\0\0", 4},
                                   {(const uint8_t *)"\x01\x00\x00\x00\x05", 5}};

    learn_own(e, 5);
    for (size_t i = 0; i < TL_ARRAY_LEN(bad); i++)
        assert_int_equal(tl_record_decode(e->set, TL_RECORD_PRESENCE, bad[i], &e->arena, &p, &err),
                         TL_INVALID);
    assert_int_equal(e->registry.fetches, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_written_before_the_id_is_known),
        CASE(own_text_names_the_id),
        CASE(missing_ids_are_looked_up_by_subject),
        CASE(registry_that_is_away_is_asked_again),
        CASE(unknown_id_is_fetched_and_taken_over_by_name),
        CASE(fetch_is_repeated_until_the_registry_answers),
        CASE(id_that_the_registry_does_not_know_is_invalid),
        CASE(what_has_no_frame_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
