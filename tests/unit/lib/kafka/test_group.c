#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/client.h"
#include "kafka/group.h"
#include "kafka_fixture.h"

#define OFFSET_COMMIT 8 /* the requests' keys in Kafka's protocol */
#define HEARTBEAT 12

struct member {
    struct tl_group *group;
    int64_t generation;
    size_t assigned; /* partitions of the last assignment */
    int revoked;
    int records;
    int64_t next[CALLS_PARTITIONS];
    bool disorder;
    bool assign_later; /* the test calls tl_group_assign itself */
    int64_t start;     /* where to start */
    struct tl_group_partition partitions[CALLS_PARTITIONS];
    bool stores;
    int errors;
    bool fatal; /* an error that ends the process */
    struct tl_error error;
    int wanted;
};

static void take_up(struct member *m)
{
    struct tl_error err;

    for (size_t i = 0; i < m->assigned; i++)
        m->partitions[i].offset = m->start;
    if (tl_group_assign(m->group, m->generation, m->partitions, m->assigned, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static void on_assign(void *arg, int64_t generation, const struct tl_group_partition *partitions,
                      size_t len)
{
    struct member *m = arg;

    assert_true(len <= CALLS_PARTITIONS);
    m->generation = generation;
    m->assigned = len;
    for (size_t i = 0; i < len; i++) {
        assert_string_equal(partitions[i].topic, CALLS);
        m->partitions[i] = (struct tl_group_partition){CALLS, partitions[i].partition, -1};
    }
    if (!m->assign_later)
        take_up(m);
}

static void on_revoke(void *arg, const struct tl_group_partition *partitions, size_t len, bool lost)
{
    struct member *m = arg;

    (void)partitions;
    (void)lost;
    m->revoked += (int)len;
    m->assigned = 0;
}

static void on_record(void *arg, const struct tl_record *record)
{
    struct member *m = arg;

    if (record->offset != m->next[record->partition])
        m->disorder = true;
    m->next[record->partition] = record->offset + 1;
    m->records++;
    if (m->stores)
        tl_group_store(m->group, record->topic, record->partition, record->offset + 1);
}

static void on_error(void *arg, const char *topic, int32_t partition, const struct tl_error *err)
{
    struct member *m = arg;

    (void)partition;
    m->fatal = m->fatal || err->status == TL_FATAL;
    if (!topic)
        return;
    m->errors++;
    m->error = *err;
}

static void join(struct fixture *f, struct member *m, const char *instance_id)
{
    static const char *const topics[] = {CALLS, NULL};
    struct tl_error err;
    const struct tl_group_options options = {
        .group_id = "sink",
        .instance_id = instance_id,
        .topics = topics,
        .commit_interval_ms = 100,
        .on_assign = on_assign,
        .on_revoke = on_revoke,
        .on_record = on_record,
        .on_error = on_error,
        .arg = m,
    };

    if (tl_group_create(f->kafka, &options, &m->group, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static bool is_assigned(void *arg)
{
    return ((struct member *)arg)->assigned > 0;
}

static bool has_wanted(void *arg)
{
    const struct member *m = arg;

    return m->records >= m->wanted;
}

static bool has_error(void *arg)
{
    return ((struct member *)arg)->errors > 0;
}

static void fill_all(struct fixture *f, int n)
{
    for (int i = 0; i < CALLS_PARTITIONS; i++)
        fixture_fill(f, CALLS, i, n);
}

static void new_group_begins_at_the_beginning(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = TL_GROUP_COMMITTED, .wanted = 40};

    fill_all(f, 10);
    join(f, &m, NULL);
    fixture_wait(f, has_wanted, &m);
    assert_int_equal(m.assigned, CALLS_PARTITIONS);
    assert_int_equal(m.records, 40);
    assert_false(m.disorder);
    assert_int_equal(m.errors, 0);
    tl_group_destroy(m.group, 10000);
    assert_int_equal(m.revoked, CALLS_PARTITIONS);
}

static void stored_offsets_are_committed_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct member first = {.start = TL_GROUP_COMMITTED, .wanted = 40, .stores = true};
    struct member second = {.start = TL_GROUP_COMMITTED, .wanted = 4};

    fill_all(f, 10);
    join(f, &first, NULL);
    fixture_wait(f, has_wanted, &first);
    tl_group_destroy(first.group, 10000);
    fill_all(f, 1);
    for (int i = 0; i < CALLS_PARTITIONS; i++)
        second.next[i] = 10;
    join(f, &second, NULL);
    fixture_wait(f, has_wanted, &second);
    assert_int_equal(second.records, 4);
    assert_false(second.disorder);
    tl_group_destroy(second.group, 10000);
}

static void user_says_where_to_start_later(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = 7, .assign_later = true, .wanted = 12};
    struct tl_error err;

    fill_all(f, 10);
    for (int i = 0; i < CALLS_PARTITIONS; i++)
        m.next[i] = 7;
    join(f, &m, NULL);
    fixture_wait(f, is_assigned, &m);
    assert_int_equal(m.records, 0);
    assert_int_equal(tl_group_assign(m.group, m.generation - 1, m.partitions, m.assigned, &err),
                     TL_CONFLICT);
    take_up(&m);
    fixture_wait(f, has_wanted, &m);
    assert_int_equal(m.records, 12);
    assert_false(m.disorder);
    assert_int_equal(tl_group_assign(m.group, m.generation, m.partitions, m.assigned, &err),
                     TL_CONFLICT); /* taken up already */
    tl_group_destroy(m.group, 10000);
}

static void offset_outside_the_log_is_told(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = 5000};

    fill_all(f, 1);
    join(f, &m, NULL);
    fixture_wait(f, has_error, &m);
    assert_int_equal(m.error.status, TL_CONFLICT);
    assert_int_equal(m.records, 0);
    tl_group_destroy(m.group, 10000);
}

static void seek_hands_out_again(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = 0, .wanted = 40};
    struct tl_error err;

    fill_all(f, 10);
    join(f, &m, NULL);
    fixture_wait(f, has_wanted, &m);
    m.next[1] = 4;
    assert_int_equal(tl_group_seek(m.group, CALLS, 1, 4, &err), TL_OK);
    m.wanted = 46;
    fixture_wait(f, has_wanted, &m);
    assert_int_equal(m.records, 46);
    assert_false(m.disorder);
    tl_group_destroy(m.group, 10000);
}

static bool share(void *arg)
{
    struct member *m = arg;

    return m[0].assigned == CALLS_PARTITIONS / 2 && m[1].assigned == CALLS_PARTITIONS / 2;
}

static bool has_all(void *arg)
{
    return ((struct member *)arg)->assigned == CALLS_PARTITIONS;
}

static bool has_none(void *arg)
{
    return ((struct member *)arg)->assigned == 0;
}

static void members_share_and_inherit(void **state)
{
    struct fixture *f = *state;
    struct member m[2] = {{.start = TL_GROUP_COMMITTED}, {.start = TL_GROUP_COMMITTED}};

    join(f, &m[0], NULL);
    fixture_wait(f, is_assigned, &m[0]);
    join(f, &m[1], NULL);
    fixture_wait(f, share, m);
    assert_int_equal(m[0].revoked, CALLS_PARTITIONS);
    tl_group_destroy(m[1].group, 10000);
    fixture_wait(f, has_all, &m[0]);
    tl_group_destroy(m[0].group, 10000);
}

static bool is_back(void *arg)
{
    const struct member *m = arg;

    return m->revoked == CALLS_PARTITIONS && m->assigned == CALLS_PARTITIONS;
}

static void joins_again(struct fixture *f, int16_t request, int read_twice)
{
    struct member m = {.start = TL_GROUP_COMMITTED, .wanted = 40, .stores = true};

    if (!f->mock)
        skip(); /* a broker says it only to a member that somebody replaced */
    fill_all(f, 10);
    rd_kafka_mock_push_request_errors(f->mock, request, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    join(f, &m, "sink-0");
    fixture_wait(f, has_wanted, &m);
    fixture_wait(f, is_back, &m);
    fill_all(f, 1);
    m.wanted = 44 + read_twice;
    fixture_wait(f, has_wanted, &m);
    assert_int_equal(m.records, m.wanted);
    assert_int_equal(m.disorder, read_twice > 0);
    assert_false(m.fatal);
    tl_group_destroy(m.group, 10000);
    assert_int_equal(m.revoked, 2 * CALLS_PARTITIONS);
}

static void member_fenced_at_a_heartbeat_joins_again(void **state)
{
    joins_again(*state, HEARTBEAT, 0);
}

static void member_fenced_at_a_commit_joins_again(void **state)
{
    joins_again(*state, OFFSET_COMMIT, 40);
}

static void fenced_member_can_leave(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = 0};

    if (!f->mock)
        skip();
    join(f, &m, "sink-0");
    fixture_wait(f, has_all, &m);
    rd_kafka_mock_push_request_errors(f->mock, HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    fixture_wait(f, has_none, &m);
    tl_group_destroy(m.group, 10000);
    assert_false(tl_kafka_has_stuck_handle(f->kafka));
    assert_int_equal(m.revoked, CALLS_PARTITIONS);
}

static void destroy_before_the_first_assignment(void **state)
{
    struct fixture *f = *state;
    struct member m = {.start = 0};

    join(f, &m, "sink-0");
    tl_group_destroy(m.group, 10000);
    assert_int_equal(m.revoked, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(new_group_begins_at_the_beginning),
        CASE(stored_offsets_are_committed_at_the_end),
        CASE(user_says_where_to_start_later),
        CASE(offset_outside_the_log_is_told),
        CASE(seek_hands_out_again),
        CASE(members_share_and_inherit),
        CASE(member_fenced_at_a_heartbeat_joins_again),
        CASE(member_fenced_at_a_commit_joins_again),
        CASE(fenced_member_can_leave),
        CASE(destroy_before_the_first_assignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
