#ifndef TL_SIM_AI_JOBS_H
#define TL_SIM_AI_JOBS_H

#include <stdint.h>
#include <sys/queue.h>

#include "net/timer.h"

/** What one session does later, in order of time, on one timer. A job may add and cancel others and
 *  may finish the whole list. */
struct tl_ai_jobs {
    uv_loop_t *loop;
    struct tl_timer timer;
    TAILQ_HEAD(tl_ai_job_list, tl_ai_job) list; /* by due time */
};

void tl_ai_jobs_init(struct tl_ai_jobs *jobs, uv_loop_t *loop);
void tl_ai_jobs_finish(struct tl_ai_jobs *jobs);

/** Runs run(arg) after delay_ms; those of one moment in the order they came. `drop`, if any, gets
 *  the arg of a job that will never run. */
void tl_ai_jobs_add(struct tl_ai_jobs *jobs, uint64_t delay_ms, void (*run)(void *arg), void *arg,
                    void (*drop)(void *arg));

/** Drops every job with that arg. */
void tl_ai_jobs_cancel(struct tl_ai_jobs *jobs, const void *arg);

#endif
