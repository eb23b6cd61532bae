/* A loop and a Kafka for tests: see kafka_fixture.h. */
#include "kafka_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "base/uuid.h"
#include "kafka/admin.h"
#include "kafka/producer.h"

#define WAIT_MS 20000

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void use_mock(struct fixture *f)
{
    char full[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    f->mock_rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    assert_non_null(f->mock_rk);
    f->mock = rd_kafka_mock_cluster_new(f->mock_rk, 1);
    assert_non_null(f->mock);
    f->settings.brokers = rd_kafka_mock_cluster_bootstraps(f->mock);
    f->settings.fetch_wait_max_ms = 10; /* the mock does not answer earlier when data comes */
    (void)snprintf(full, sizeof(full), "%s%s", f->prefix, CALLS);
    assert_int_equal(rd_kafka_mock_topic_create(f->mock, full, CALLS_PARTITIONS, 1), 0);
    (void)snprintf(full, sizeof(full), "%s%s", f->prefix, MAILBOX);
    assert_int_equal(rd_kafka_mock_topic_create(f->mock, full, 2, 1), 0);
}

static void use_broker(struct fixture *f, const char *brokers)
{
    struct tl_admin *admin;
    struct tl_error err;
    const struct tl_topic_spec calls = {CALLS, CALLS_PARTITIONS, 1, NULL, 0};
    const struct tl_topic_spec mailbox = {MAILBOX, 2, 1, NULL, 0};

    f->settings.brokers = brokers;
    if (tl_admin_create(&f->settings, "test", 20000, &admin, &err) != TL_OK ||
        tl_admin_topic_create(admin, &calls, &err) != TL_OK ||
        tl_admin_topic_create(admin, &mailbox, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_admin_destroy(admin);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *brokers = getenv("KAFKA_BROKERS");
    struct tl_uuid uuid = tl_uuid_v4();
    struct tl_error err;
    char text[TL_UUID_TEXT_LEN + 1];

    assert_non_null(f);
    tl_uuid_format(&uuid, text);
    (void)snprintf(f->prefix, sizeof(f->prefix), "test-%.8s.", text);
    tl_kafka_settings_default(&f->settings);
    f->settings.topic_prefix = f->prefix;
    f->settings.session_timeout_ms = 6000;
    if (brokers && *brokers)
        use_broker(f, brokers);
    else
        use_mock(f);
    f->log = (struct tl_log){2, TL_LOG_ERROR, "test"};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->tick), 0);
    assert_int_equal(uv_timer_start(&f->tick, on_tick, 5, 5), 0);
    const struct tl_kafka_options options = {&f->loop, &f->log, NULL, &f->settings, "test"};
    assert_int_equal(tl_kafka_create(&options, &f->kafka, &err), TL_OK);
    *state = f;
    return 0;
}

static void delete_topics(struct fixture *f)
{
    struct tl_admin *admin;
    struct tl_error err;

    if (tl_admin_create(&f->settings, "test", 20000, &admin, &err) != TL_OK ||
        tl_admin_topic_delete(admin, CALLS, &err) != TL_OK ||
        tl_admin_topic_delete(admin, MAILBOX, &err) != TL_OK)
        (void)fprintf(stderr, "%s, skipped\n", err.msg);
    tl_admin_destroy(admin);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    assert_false(tl_kafka_has_stuck_handle(f->kafka));
    tl_kafka_destroy(f->kafka);
    uv_close((uv_handle_t *)&f->tick, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    if (f->mock) {
        rd_kafka_mock_cluster_destroy(f->mock);
        rd_kafka_destroy(f->mock_rk);
    } else {
        delete_topics(f);
    }
    free(f);
    return 0;
}

void fixture_wait_at(struct fixture *f, fixture_condition condition, void *arg, const char *what,
                     const char *file, int line)
{
    int64_t until_ms = tl_mono_ms() + WAIT_MS;

    while (!condition(arg)) {
        if (tl_mono_ms() > until_ms) {
            print_error("%s did not come true\n", what);
            _fail(file, line);
        }
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
}

struct fill {
    int wanted, delivered;
    int64_t offset;
};

static void on_filled(void *arg, const struct tl_delivery *delivery)
{
    struct fill *fill = arg;

    assert_int_equal(delivery->status, TL_OK);
    fill->delivered++;
    fill->offset = delivery->offset;
}

static bool is_filled(void *arg)
{
    const struct fill *fill = arg;

    return fill->delivered == fill->wanted;
}

static int64_t put_all(struct fixture *f, const char *topic, int32_t partition, int n,
                       const char *only_text)
{
    struct tl_producer *producer;
    struct tl_producer_topic *handle;
    struct tl_error err;
    struct fill fill = {.wanted = n};
    const struct tl_producer_options options = {.name = "fill"};

    assert_int_equal(tl_producer_create(f->kafka, &options, &producer, &err), TL_OK);
    assert_int_equal(tl_producer_topic(producer, topic, &handle, &err), TL_OK);
    for (int i = 0; i < n; i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", i);
        const char *text = only_text ? only_text : number;
        const struct tl_bytes key = {(const uint8_t *)"k", 1};
        const struct tl_bytes value = {(const uint8_t *)text, strlen(text)};

        assert_int_equal(
            tl_producer_send(handle, partition, key, value, NULL, on_filled, &fill, &err), TL_OK);
    }
    fixture_wait(f, is_filled, &fill);
    tl_producer_destroy(producer, 1000);
    return fill.offset;
}

int64_t fixture_put(struct fixture *f, const char *topic, int32_t partition, const char *text)
{
    return put_all(f, topic, partition, 1, text);
}

void fixture_fill(struct fixture *f, const char *topic, int32_t partition, int n)
{
    (void)put_all(f, topic, partition, n, NULL);
}
