/* Wakes the loop for a queue of librdkafka: see pump.h. */
#include "kafka/pump.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A consumer that nobody polls for max.poll.interval.ms (5 minutes) is put out of its group, though
 * there was nothing to read: every queue is polled this often at least. */
#define IDLE_TURN_MS 30000

struct tl_pump {
    uv_poll_t poll;
    uv_timer_t idle;
    int handles; /* the two above that are not closed yet */
    rd_kafka_queue_t *queue; /* borrowed from the owner */
    int fd;
    tl_pump_turn_fn turn;
    void *arg;
    bool in_turn;
    bool closing;
    tl_pump_closed_fn closed;
    void *closed_arg;
};

/* What librdkafka writes to the descriptor: an eventfd wants eight bytes. */
static const uint64_t WAKE_ONE = 1;

static void free_pump(uv_handle_t *handle)
{
    struct tl_pump *pump = handle->data;

    if (--pump->handles > 0)
        return;
    (void)close(pump->fd); /* an eventfd has nothing to lose */
    free(pump);
}

static void on_idle(uv_timer_t *timer)
{
    tl_pump_wake(timer->data);
}

static void finish_close(struct tl_pump *pump)
{
    pump->closed(pump->closed_arg);
    uv_close((uv_handle_t *)&pump->poll, free_pump);
    uv_close((uv_handle_t *)&pump->idle, free_pump);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct tl_pump *pump = poll->data;
    uint64_t count;

    (void)status;
    (void)events;
    if (pump->closing)
        return;
    /* Read before the queue is polled: what comes later writes again. EAGAIN is harmless. */
    if (read(pump->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    pump->in_turn = true;
    bool more = pump->turn(pump->arg);
    pump->in_turn = false;
    if (pump->closing)
        finish_close(pump);
    else if (more)
        tl_pump_wake(pump);
}

enum tl_status tl_pump_create(uv_loop_t *loop, rd_kafka_queue_t *queue, tl_pump_turn_fn turn,
                              void *arg, struct tl_pump **ret_pump, struct tl_error *err)
{
    struct tl_pump *pump = calloc(1, sizeof(*pump));

    if (!pump)
        abort();
    pump->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pump->fd < 0) {
        free(pump);
        return tl_fail(err, TL_FATAL, "eventfd: %s", strerror(errno));
    }
    pump->queue = queue;
    pump->turn = turn;
    pump->arg = arg;
    pump->poll.data = pump;
    int rc = uv_poll_init(loop, &pump->poll, pump->fd);
    if (rc) {
        (void)close(pump->fd);
        free(pump);
        return tl_fail(err, TL_FATAL, "watch a descriptor: %s", uv_strerror(rc));
    }
    (void)uv_poll_start(&pump->poll, UV_READABLE, on_readable); /* fails only when closing */
    (void)uv_timer_init(loop, &pump->idle);                     /* cannot fail */
    pump->idle.data = pump;
    (void)uv_timer_start(&pump->idle, on_idle, IDLE_TURN_MS, IDLE_TURN_MS); /* likewise */
    uv_unref((uv_handle_t *)&pump->idle);
    pump->handles = 2;
    rd_kafka_queue_io_event_enable(queue, pump->fd, &WAKE_ONE, sizeof(WAKE_ONE));
    tl_pump_wake(pump); /* for what came before */
    *ret_pump = pump;
    return TL_OK;
}

void tl_pump_wake(struct tl_pump *pump)
{
    ssize_t n = write(pump->fd, &WAKE_ONE, sizeof(WAKE_ONE));

    (void)n; /* EAGAIN: the counter is full, so it is readable */
}

bool tl_pump_is_closing(const struct tl_pump *pump)
{
    return pump->closing;
}

void tl_pump_close(struct tl_pump *pump, tl_pump_closed_fn closed, void *arg)
{
    if (pump->closing)
        return;
    pump->closing = true;
    pump->closed = closed;
    pump->closed_arg = arg;
    rd_kafka_queue_io_event_enable(pump->queue, -1, NULL, 0);
    (void)uv_poll_stop(&pump->poll);
    if (!pump->in_turn)
        finish_close(pump);
}
