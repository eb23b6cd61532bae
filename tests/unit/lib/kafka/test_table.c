#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/table.h"
#include "kafka_fixture.h"

#define CONFIG_ID 9

struct env {
    uv_loop_t loop;
    struct tl_log log;
    struct tl_schema_set *set, *writer; /* the writer knows its id from the start */
    struct tl_config_table *table;
    struct tl_buf buf;
    int changes, invalid;
};

static void on_change(void *arg, const struct tl_config_entry *entry)
{
    (void)entry;
    ((struct env *)arg)->changes++;
}

static void on_invalid(void *arg, const struct tl_record *record, const struct tl_error *err)
{
    (void)record;
    (void)err;
    ((struct env *)arg)->invalid++;
}

static int setup(void **state)
{
    struct env *e = calloc(1, sizeof(*e));
    struct tl_error err;

    assert_non_null(e);
    assert_int_equal(uv_loop_init(&e->loop), 0);
    e->log = (struct tl_log){2, TL_LOG_ERROR, "test"};
    const struct tl_schema_set_options options = {&e->loop, &e->log, "trunkline.", NULL};
    assert_int_equal(tl_schema_set_create(&options, &e->set, &err), TL_OK);
    assert_int_equal(tl_schema_set_create(&options, &e->writer, &err), TL_OK);
    assert_int_equal(tl_schema_set_learn(e->writer, "s", CONFIG_ID,
                                         tl_record_schema(TL_RECORD_CONFIG_ENTRY), &err),
                     TL_OK);
    const struct tl_config_table_options table_options = {
        .schemas = e->set, .on_change = on_change, .on_invalid = on_invalid, .arg = e};
    assert_int_equal(tl_config_table_create(NULL, &table_options, &e->table, &err), TL_OK);
    tl_buf_init(&e->buf, 1 << 20);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    struct env *e = *state;

    tl_config_table_destroy(e->table);
    tl_schema_set_destroy(e->set);
    tl_schema_set_destroy(e->writer);
    tl_buf_finish(&e->buf);
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    free(e);
    return 0;
}

static enum tl_status put_value(struct env *e, const char *key, struct tl_bytes value)
{
    const struct tl_record record = {
        .topic = "config.v1", .key = {(const uint8_t *)key, strlen(key)}, .value = value};
    struct tl_error err;

    return tl_config_table_put(e->table, &record, &err);
}

static void put(struct env *e, const struct tl_config_entry *entry)
{
    struct tl_error err;
    char key[128];

    (void)snprintf(key, sizeof(key), "%d/%s/%d", (int)entry->kind, entry->id, entry->version);
    tl_buf_reset(&e->buf);
    if (tl_record_encode(e->writer, TL_RECORD_CONFIG_ENTRY, entry, &e->buf, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(put_value(e, key, (struct tl_bytes){e->buf.data, e->buf.len}), TL_OK);
    memset(e->buf.data, 0xaa, e->buf.len); /* the table must have its own copy */
}

static void put_business(struct env *e, const char *id, int version, const char *name,
                         const char *number, bool deleted)
{
    const char *numbers[] = {number};
    struct tl_business business = {.name = name, .numbers = numbers, .numbers_n = number ? 1 : 0};
    const struct tl_config_entry entry = {.kind = TL_CONFIG_KIND_BUSINESS,
                                          .id = id,
                                          .version = version,
                                          .deleted = deleted,
                                          .business = deleted ? NULL : &business};

    put(e, &entry);
}

static const char *name_of(const struct tl_config_entry *entry)
{
    return entry && entry->business ? entry->business->name : "(none)";
}

static const char *by_number(const struct env *e, const char *number)
{
    return name_of(tl_config_table_by_number(e->table, number));
}

static void highest_version_counts_in_any_order(void **state)
{
    struct env *e = *state;

    put_business(e, "b", 2, "two", "+1", false);
    put_business(e, "b", 3, "three", "+1", false);
    put_business(e, "b", 1, "one", "+1", false);
    assert_string_equal(name_of(tl_config_table_get(e->table, TL_CONFIG_KIND_BUSINESS, "b")),
                        "three");
    for (int v = 1; v <= 3; v++)
        assert_int_equal(
            tl_config_table_version(e->table, TL_CONFIG_KIND_BUSINESS, "b", v)->version, v);
    assert_null(tl_config_table_version(e->table, TL_CONFIG_KIND_BUSINESS, "b", 4));
    assert_null(tl_config_table_get(e->table, TL_CONFIG_KIND_AGENT, "b"));
    assert_int_equal(e->changes, 3);
}

static void a_version_never_changes(void **state)
{
    struct env *e = *state;

    put_business(e, "b", 1, "first", "+1", false);
    const struct tl_config_entry *entry =
        tl_config_table_get(e->table, TL_CONFIG_KIND_BUSINESS, "b");
    put_business(e, "b", 1, "other", "+2", false);
    assert_ptr_equal(tl_config_table_get(e->table, TL_CONFIG_KIND_BUSINESS, "b"), entry);
    assert_string_equal(name_of(entry), "first");
    assert_null(tl_config_table_by_number(e->table, "+2"));
    assert_int_equal(e->changes, 1);
}

static void numbers_follow_the_highest_version(void **state)
{
    struct env *e = *state;

    put_business(e, "b", 1, "one", "+1", false);
    put_business(e, "b", 2, "two", "+2", false);
    assert_string_equal(by_number(e, "+1"), "(none)");
    assert_string_equal(by_number(e, "+2"), "two");
    put_business(e, "b", 3, "", NULL, true);
    assert_string_equal(by_number(e, "+2"), "(none)");
    assert_true(tl_config_table_get(e->table, TL_CONFIG_KIND_BUSINESS, "b")->deleted);
    put_business(e, "b", 4, "four", "+2", false);
    assert_string_equal(by_number(e, "+2"), "four");
}

static void later_claim_on_a_number_wins_and_gives_back(void **state)
{
    struct env *e = *state;

    put_business(e, "a", 1, "a", "+1", false);
    put_business(e, "b", 1, "b", "+1", false);
    assert_string_equal(by_number(e, "+1"), "b");
    put_business(e, "b", 2, "b", "+2", false);
    assert_string_equal(by_number(e, "+1"), "a");
}

static void tombstone_removes_its_version_alone(void **state)
{
    struct env *e = *state;

    put_business(e, "b", 1, "one", "+1", false);
    put_business(e, "b", 2, "two", "+1", false);
    assert_int_equal(put_value(e, "1/b/1", (struct tl_bytes){NULL, 0}), TL_OK);
    assert_null(tl_config_table_version(e->table, TL_CONFIG_KIND_BUSINESS, "b", 1));
    assert_string_equal(by_number(e, "+1"), "two");
    assert_int_equal(put_value(e, "1/b/2", (struct tl_bytes){NULL, 0}), TL_OK);
    assert_null(tl_config_table_get(e->table, TL_CONFIG_KIND_BUSINESS, "b"));
    assert_string_equal(by_number(e, "+1"), "(none)");
    assert_int_equal(put_value(e, "1/none/2", (struct tl_bytes){NULL, 0}), TL_OK);
}

static void count_entry(void *arg, const struct tl_config_entry *entry)
{
    assert_int_equal(entry->kind, TL_CONFIG_KIND_BUSINESS);
    ++*(int *)arg;
}

static void each_gives_what_is_not_deleted(void **state)
{
    struct env *e = *state;
    int n = 0;

    put_business(e, "a", 1, "a", "+1", false);
    put_business(e, "a", 2, "a", "+1", false);
    put_business(e, "b", 1, "b", "+2", false);
    put_business(e, "c", 1, "", NULL, true);
    tl_config_table_each(e->table, TL_CONFIG_KIND_BUSINESS, count_entry, &n);
    assert_int_equal(n, 2);
}

static void put_schema(struct env *e, int32_t id, const char *text)
{
    struct tl_schema_entry schema = {.subject = "s", .registry_id = id, .text = text};
    const struct tl_config_entry entry = {
        .kind = TL_CONFIG_KIND_SCHEMA, .id = "s", .version = id, .schema = &schema};

    put(e, &entry);
}

/* The first record has an id that nobody has told of yet; it tells it. */
static void table_learns_the_schemas_from_itself(void **state)
{
    struct env *e = *state;

    put_schema(e, CONFIG_ID, tl_record_schema(TL_RECORD_CONFIG_ENTRY));
    assert_int_equal(tl_schema_set_id(e->set, TL_RECORD_CONFIG_ENTRY), CONFIG_ID);
    put_schema(e, 12, tl_record_schema(TL_RECORD_PRESENCE));
    assert_int_equal(tl_schema_set_id(e->set, TL_RECORD_PRESENCE), 12);
    assert_int_equal(e->invalid, 0);
}

/* A newer writer's entry, which our schema cannot read: kept until its schema comes. */
static const char NEWER[] =
    "{\"type\":\"record\",\"name\":\"ConfigEntry\",\"namespace\":\"trunkline\",\"fields\":["
    "{\"name\":\"weight\",\"type\":\"double\"},"
    "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"ConfigKind\",\"symbols\":["
    "\"UNKNOWN\",\"BUSINESS\",\"AGENT\"]}},{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"version\",\"type\":\"int\"},{\"name\":\"at\",\"type\":\"long\"},"
    "{\"name\":\"deleted\",\"type\":\"boolean\"}]}";
static const uint8_t OF_NEWER[] = {0,    0,    0,    0, 50, 0x9a, 0x99, 0x99, 0x99, 0x99,
                                   0x99, 0xf1, 0x3f, 4, 2,  'x',  14,   0,    1};

static void entry_of_an_unknown_schema_waits_for_it(void **state)
{
    struct env *e = *state;

    assert_int_equal(put_value(e, "2/x/7", (struct tl_bytes){OF_NEWER, sizeof(OF_NEWER)}), TL_OK);
    assert_null(tl_config_table_get(e->table, TL_CONFIG_KIND_AGENT, "x"));
    put_schema(e, 50, NEWER);
    const struct tl_config_entry *entry = tl_config_table_get(e->table, TL_CONFIG_KIND_AGENT, "x");
    assert_non_null(entry);
    assert_int_equal(entry->version, 7);
    assert_true(entry->deleted);
    assert_int_equal(e->invalid, 0);
}

static void broken_entry_is_invalid_and_changes_nothing(void **state)
{
    struct env *e = *state;

    put_business(e, "b", 1, "one", "+1", false);
    assert_int_equal(put_value(e, "k", (struct tl_bytes){(const uint8_t *)"junk", 4}), TL_INVALID);
    put_schema(e, CONFIG_ID, tl_record_schema(TL_RECORD_CONFIG_ENTRY));
    assert_int_equal(put_value(e, "k", (struct tl_bytes){(const uint8_t *)"\0\0\0\0\x09\xff", 6}),
                     TL_INVALID);
    assert_string_equal(by_number(e, "+1"), "one");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(highest_version_counts_in_any_order),
        CASE(a_version_never_changes),
        CASE(numbers_follow_the_highest_version),
        CASE(later_claim_on_a_number_wins_and_gives_back),
        CASE(tombstone_removes_its_version_alone),
        CASE(each_gives_what_is_not_deleted),
        CASE(table_learns_the_schemas_from_itself),
        CASE(entry_of_an_unknown_schema_waits_for_it),
        CASE(broken_entry_is_invalid_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
