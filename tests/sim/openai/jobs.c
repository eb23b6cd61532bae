/* A short sorted list: a session has a handful of jobs at most. */
#include "openai/jobs.h"

#include <stdlib.h>

struct tl_ai_job {
    TAILQ_ENTRY(tl_ai_job) link;
    uint64_t due_ms; /* on the loop's clock */
    void (*run)(void *arg);
    void (*drop)(void *arg);
    void *arg;
};

static void arm(struct tl_ai_jobs *jobs);

static void on_timer(void *arg)
{
    struct tl_ai_jobs *jobs = arg;
    struct tl_ai_job *job = TAILQ_FIRST(&jobs->list);

    if (!job)
        return;
    TAILQ_REMOVE(&jobs->list, job, link);
    arm(jobs); /* before the job runs: it may finish the list */
    void (*run)(void *) = job->run;
    void *run_arg = job->arg;
    free(job);
    run(run_arg);
}

static void arm(struct tl_ai_jobs *jobs)
{
    struct tl_ai_job *first = TAILQ_FIRST(&jobs->list);
    uint64_t now_ms = uv_now(jobs->loop);

    if (!first)
        tl_timer_stop(&jobs->timer);
    else
        tl_timer_start(&jobs->timer, jobs->loop,
                       first->due_ms > now_ms ? first->due_ms - now_ms : 0, on_timer, jobs);
}

void tl_ai_jobs_init(struct tl_ai_jobs *jobs, uv_loop_t *loop)
{
    *jobs = (struct tl_ai_jobs){.loop = loop};
    TAILQ_INIT(&jobs->list);
}

void tl_ai_jobs_finish(struct tl_ai_jobs *jobs)
{
    struct tl_ai_job *job;

    while ((job = TAILQ_FIRST(&jobs->list))) {
        TAILQ_REMOVE(&jobs->list, job, link);
        if (job->drop)
            job->drop(job->arg);
        free(job);
    }
    tl_timer_finish(&jobs->timer);
}

void tl_ai_jobs_add(struct tl_ai_jobs *jobs, uint64_t delay_ms, void (*run)(void *arg), void *arg,
                    void (*drop)(void *arg))
{
    struct tl_ai_job *job = calloc(1, sizeof(*job));
    struct tl_ai_job *before;

    if (!job)
        abort();
    *job = (struct tl_ai_job){
        .due_ms = uv_now(jobs->loop) + delay_ms, .run = run, .drop = drop, .arg = arg};
    TAILQ_FOREACH_REVERSE(before, &jobs->list, tl_ai_job_list, link)
    if (before->due_ms <= job->due_ms)
        break;
    if (before)
        TAILQ_INSERT_AFTER(&jobs->list, before, job, link);
    else
        TAILQ_INSERT_HEAD(&jobs->list, job, link);
    if (job == TAILQ_FIRST(&jobs->list))
        arm(jobs);
}

void tl_ai_jobs_cancel(struct tl_ai_jobs *jobs, const void *arg)
{
    struct tl_ai_job *job = TAILQ_FIRST(&jobs->list);

    while (job) {
        struct tl_ai_job *next = TAILQ_NEXT(job, link);
        if (job->arg == arg) {
            TAILQ_REMOVE(&jobs->list, job, link);
            if (job->drop)
                job->drop(job->arg);
            free(job);
        }
        job = next;
    }
    arm(jobs);
}
