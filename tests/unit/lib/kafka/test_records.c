/* The table follows config.v1; records put aside; what a process checks at start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avro/dead_letter.h"
#include "kafka/admin.h"
#include "kafka/dead_letter.h"
#include "kafka/table.h"
#include "kafka/tail.h"
#include "kafka_fixture.h"

#define CONFIG "config.v1"
#define DEAD_LETTERS "dead-letters.v1"

static void make_topic(struct fixture *f, const char *topic)
{
    char full[128];
    struct tl_admin *admin;
    struct tl_error err;
    const struct tl_topic_spec spec = {topic, 1, 1, NULL, 0};

    if (f->mock) {
        (void)snprintf(full, sizeof(full), "%s%s", f->prefix, topic);
        assert_int_equal(rd_kafka_mock_topic_create(f->mock, full, 1, 1), 0);
        return;
    }
    if (tl_admin_create(&f->settings, "test", 20000, &admin, &err) != TL_OK ||
        tl_admin_topic_create(admin, &spec, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_admin_destroy(admin);
}

static void drop_topic(struct fixture *f, const char *topic)
{
    struct tl_admin *admin;
    struct tl_error err;

    if (f->mock)
        return;
    if (tl_admin_create(&f->settings, "test", 20000, &admin, &err) != TL_OK ||
        tl_admin_topic_delete(admin, topic, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_admin_destroy(admin);
}

static struct tl_schema_set *make_schemas(struct fixture *f, enum tl_record_type known, int32_t id)
{
    const struct tl_schema_set_options options = {&f->loop, &f->log, f->prefix, NULL};
    struct tl_schema_set *set;
    struct tl_error err;

    assert_int_equal(tl_schema_set_create(&options, &set, &err), TL_OK);
    if (known != TL_RECORD_TYPES)
        assert_int_equal(tl_schema_set_learn(set, "s", id, tl_record_schema(known), &err), TL_OK);
    return set;
}

struct follower {
    int caught_up, changes;
};

static void on_caught_up(void *arg)
{
    ((struct follower *)arg)->caught_up++;
}

static void on_change(void *arg, const struct tl_config_entry *entry)
{
    (void)entry;
    ((struct follower *)arg)->changes++;
}

static bool is_caught_up(void *arg)
{
    return ((struct follower *)arg)->caught_up > 0;
}

static bool has_two_changes(void *arg)
{
    return ((struct follower *)arg)->changes == 2;
}

static void send_business(struct fixture *f, struct tl_schema_set *schemas, int version)
{
    struct tl_business business = {.name = "Acme"};
    const struct tl_config_entry entry = {
        .kind = TL_CONFIG_KIND_BUSINESS, .id = "acme", .version = version, .business = &business};
    const struct tl_producer_options options = {.name = "config"};
    struct tl_producer *producer;
    struct tl_producer_topic *topic;
    struct tl_error err;
    struct tl_buf buf;

    tl_buf_init(&buf, 65536);
    assert_int_equal(tl_record_encode(schemas, TL_RECORD_CONFIG_ENTRY, &entry, &buf, &err), TL_OK);
    assert_int_equal(tl_producer_create(f->kafka, &options, &producer, &err), TL_OK);
    assert_int_equal(tl_producer_topic(producer, CONFIG, &topic, &err), TL_OK);
    assert_int_equal(tl_producer_send(topic, TL_PARTITION_BY_KEY,
                                      (struct tl_bytes){(const uint8_t *)"k", 1},
                                      (struct tl_bytes){buf.data, buf.len}, NULL, NULL, NULL, &err),
                     TL_OK);
    tl_producer_destroy(producer, 10000); /* sends it */
    tl_buf_finish(&buf);
}

static void table_catches_up_and_follows(void **state)
{
    struct fixture *f = *state;
    struct follower follower = {0};
    struct tl_schema_set *schemas = make_schemas(f, TL_RECORD_CONFIG_ENTRY, 3);
    struct tl_config_table *table;
    struct tl_error err;
    const struct tl_config_table_options options = {
        .schemas = schemas, .on_caught_up = on_caught_up, .on_change = on_change, .arg = &follower};

    make_topic(f, CONFIG);
    send_business(f, schemas, 1);
    assert_int_equal(tl_config_table_create(f->kafka, &options, &table, &err), TL_OK);
    assert_false(tl_config_table_is_caught_up(table));
    fixture_wait(f, is_caught_up, &follower);
    assert_int_equal(follower.changes, 1);
    send_business(f, schemas, 2);
    fixture_wait(f, has_two_changes, &follower);
    assert_int_equal(tl_config_table_get(table, TL_CONFIG_KIND_BUSINESS, "acme")->version, 2);
    assert_int_equal(follower.caught_up, 1);
    tl_config_table_destroy(table);
    tl_schema_set_destroy(schemas);
    drop_topic(f, CONFIG);
}

static void empty_table_is_caught_up(void **state)
{
    struct fixture *f = *state;
    struct follower follower = {0};
    struct tl_schema_set *schemas = make_schemas(f, TL_RECORD_TYPES, 0);
    struct tl_config_table *table;
    struct tl_error err;
    const struct tl_config_table_options options = {
        .schemas = schemas, .on_caught_up = on_caught_up, .arg = &follower};

    make_topic(f, CONFIG);
    assert_int_equal(tl_config_table_create(f->kafka, &options, &table, &err), TL_OK);
    fixture_wait(f, is_caught_up, &follower);
    tl_config_table_destroy(table);
    tl_schema_set_destroy(schemas);
    drop_topic(f, CONFIG);
}

struct letters {
    struct tl_schema_set *schemas;
    int delivered, read;
};

static void on_delivered(void *arg, const struct tl_delivery *delivery)
{
    assert_int_equal(delivery->status, TL_OK);
    ((struct letters *)arg)->delivered++;
}

static void on_letter(void *arg, const struct tl_record *record)
{
    struct letters *l = arg;
    struct tl_arena arena = {0};
    struct tl_dead_letter letter;
    struct tl_error err;

    if (tl_record_decode(l->schemas, TL_RECORD_DEAD_LETTER, record->value, &arena, &letter, &err) !=
        TL_OK)
        fail_msg("%s", err.msg);
    assert_memory_equal(record->key.data, "key", 3);
    assert_string_equal(letter.topic, CALLS);
    assert_string_equal(letter.producer, "sink-0");
    assert_string_equal(letter.reason, "no frame");
    assert_int_equal(letter.partition, 3);
    assert_int_equal(letter.offset, 44);
    assert_int_equal(letter.timestamp, 1700000000000);
    assert_int_equal(letter.value.len, 2);
    assert_memory_equal(letter.value.data, "\xff\x00", 2);
    assert_int_equal(letter.headers_n, 0);
    tl_arena_finish(&arena);
    l->read++;
}

static bool is_read(void *arg)
{
    const struct letters *l = arg;

    return l->read > 0 && l->delivered > 0;
}

static void dead_letter_holds_the_record_whole(void **state)
{
    struct fixture *f = *state;
    struct letters l = {.schemas = make_schemas(f, TL_RECORD_DEAD_LETTER, 8)};
    const struct tl_producer_options producer_options = {.name = "events"};
    const struct tl_tail_options tail_options = {.name = "t", .on_record = on_letter, .arg = &l};
    const struct tl_record record = {.topic = CALLS,
                                     .partition = 3,
                                     .offset = 44,
                                     .timestamp_ms = 1700000000000,
                                     .key = {(const uint8_t *)"key", 3},
                                     .value = {(const uint8_t *)"\xff\x00", 2}};
    struct tl_producer *producer;
    struct tl_dead_letters *letters;
    struct tl_tail *tail;
    struct tl_error err;

    make_topic(f, DEAD_LETTERS);
    assert_int_equal(tl_producer_create(f->kafka, &producer_options, &producer, &err), TL_OK);
    assert_int_equal(tl_dead_letters_create(producer, l.schemas, "sink-0", &letters, &err), TL_OK);
    assert_int_equal(tl_tail_create(f->kafka, &tail_options, &tail, &err), TL_OK);
    assert_int_equal(
        tl_tail_add(tail, DEAD_LETTERS, 0, (struct tl_tail_start){TL_FROM_BEGINNING, 0}, &err),
        TL_OK);
    assert_int_equal(tl_dead_letter_send(letters, &record, "no frame", on_delivered, &l, &err),
                     TL_OK);
    fixture_wait(f, is_read, &l);
    tl_tail_destroy(tail);
    tl_dead_letters_destroy(letters);
    tl_producer_destroy(producer, 1000);
    tl_schema_set_destroy(l.schemas);
    drop_topic(f, DEAD_LETTERS);
}

static void start_check_names_the_command_that_mends(void **state)
{
    struct fixture *f = *state;
    const char *const equal[] = {CALLS, NULL};
    const char *const unequal[] = {CALLS, MAILBOX, NULL};
    const char *const missing[] = {CALLS, "nowhere.v1", NULL};
    struct tl_admin *admin;
    struct tl_error err;
    int32_t partitions = 0;

    assert_int_equal(tl_admin_create(&f->settings, "test", 10000, &admin, &err), TL_OK);
    assert_int_equal(tl_admin_check_start(admin, equal, MAILBOX, 1, &partitions, &err), TL_OK);
    assert_int_equal(partitions, CALLS_PARTITIONS);
    assert_int_equal(tl_admin_check_start(admin, equal, MAILBOX, 2, &partitions, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "topics.mailboxes to 3"));
    assert_non_null(strstr(err.msg, "trunkline topics create"));
    assert_int_equal(tl_admin_check_start(admin, unequal, NULL, 0, &partitions, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "trunkline topics check"));
    assert_int_equal(tl_admin_check_start(admin, missing, NULL, 0, &partitions, &err),
                     TL_NOT_FOUND);
    assert_non_null(strstr(err.msg, "trunkline topics create"));
    tl_admin_destroy(admin);
}

static void grown_topic_has_its_partitions(void **state)
{
    struct fixture *f = *state;
    struct tl_admin *admin;
    struct tl_error err;
    int32_t partitions = 0;
    int64_t low = -1, high = -1;

    if (f->mock)
        skip(); /* the mock has no such request */
    fixture_fill(f, MAILBOX, 1, 3);
    assert_int_equal(tl_admin_create(&f->settings, "test", 10000, &admin, &err), TL_OK);
    const struct tl_topic_spec again = {MAILBOX, 2, 1, NULL, 0};
    assert_int_equal(tl_admin_topic_create(admin, &again, &err), TL_CONFLICT);
    assert_int_equal(tl_admin_topic_grow(admin, MAILBOX, 5, &err), TL_OK);
    assert_int_equal(tl_admin_topic_partitions(admin, MAILBOX, &partitions, &err), TL_OK);
    assert_int_equal(partitions, 5);
    assert_int_equal(tl_admin_topic_grow(admin, MAILBOX, 5, &err), TL_CONFLICT);
    assert_int_equal(tl_admin_watermarks(admin, MAILBOX, 1, &low, &high, &err), TL_OK);
    assert_int_equal(low, 0);
    assert_int_equal(high, 3);
    assert_int_equal(
        tl_admin_offset_of_time(admin, MAILBOX, 1, INT64_C(4000000000000), &high, &err), TL_OK);
    assert_int_equal(high, 3);
    tl_admin_destroy(admin);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(table_catches_up_and_follows),       CASE(empty_table_is_caught_up),
        CASE(dead_letter_holds_the_record_whole), CASE(start_check_names_the_command_that_mends),
        CASE(grown_topic_has_its_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
