#ifndef TL_KAFKA_PUMP_H
#define TL_KAFKA_PUMP_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

/** Brings a queue of librdkafka to the loop: its threads write to a descriptor when the queue is no
 *  longer empty, the loop then calls `turn`. That descriptor is all that they share with us.
 *
 *      librdkafka's threads ──▶ queue ──▶ eventfd ──▶ uv_poll ──▶ turn() ──▶ rd_kafka_queue_poll
 *
 *  A turn handles a bounded number of events. Since the descriptor is written only when the queue
 *  was empty, a turn that leaves something returns true and the pump wakes itself. */
struct tl_pump;

typedef bool (*tl_pump_turn_fn)(void *arg);
typedef void (*tl_pump_closed_fn)(void *arg);

TL_MUST_CHECK enum tl_status tl_pump_create(uv_loop_t *loop, rd_kafka_queue_t *queue,
                                            tl_pump_turn_fn turn, void *arg,
                                            struct tl_pump **ret_pump, struct tl_error *err);

/** Have `turn` called by the loop soon, as if something had come. */
void tl_pump_wake(struct tl_pump *pump);

/** True from tl_pump_close on: a turn whose callback closed the pump must return and touch nothing.
 */
bool tl_pump_is_closing(const struct tl_pump *pump);

/** Stops. `closed` frees the owner: at once, or when the turn that runs now has returned, because
 * an event in use forbids the end of its handle. The pump goes by a later turn of the loop; the
 *  descriptor is open until then. */
void tl_pump_close(struct tl_pump *pump, tl_pump_closed_fn closed, void *arg);

#endif
