#ifndef TL_BASE_METRICS_H
#define TL_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Counters, gauges and histograms of one process, printed in Prometheus's text format. An update is
 * a plain integer add, inlined: the loop thread only. Values are integers: a metric whose name ends
 * _seconds or _seconds_total is kept in microseconds and divided when printed. */

struct tl_counter {
    uint64_t value;
};

struct tl_gauge {
    int64_t value;
};

/** Upper bounds (inclusive) of a histogram's buckets, rising; microseconds or bytes. */
struct tl_buckets {
    const int64_t *bound;
    size_t len; /* 1..TL_BUCKETS_MAX */
};
#define TL_BUCKETS_MAX 24

extern const struct tl_buckets tl_buckets_latency; /* 100 µs to 10 s */
extern const struct tl_buckets tl_buckets_seconds; /* 10 ms to 10 min: sessions, restores */
extern const struct tl_buckets tl_buckets_bytes;   /* 64 bytes to 16 MiB */

struct tl_histogram {
    const struct tl_buckets *buckets; /* set by tl_metrics_add */
    int64_t sum;
    uint64_t count[TL_BUCKETS_MAX + 1]; /* not cumulative; the last is +Inf */
};

struct tl_metric_series;

/** A metric with labels: a series for each set of label values that was asked for, at most
 *  row->series_max; further ones share the series whose label values are all "other". */
struct tl_metric_vec {
    const struct tl_metric *row;
    struct tl_metric_series *first;
    size_t len;
};

enum tl_metric_type {
    TL_METRIC_COUNTER,
    TL_METRIC_GAUGE,
    TL_METRIC_HISTOGRAM,
};

/** One metric of a part. The part's table ends with a row whose name is NULL; its values lie in a
 *  struct of the part:
 *
 *      struct tl_ingest_metrics {
 *          struct tl_counter streams;
 *          struct tl_metric_vec refused; // by reason
 *          struct tl_histogram webhook;
 *      };
 *      static const struct tl_metric ingest_metrics[] = {
 *          TL_METRIC_ROW(struct tl_ingest_metrics, streams, COUNTER,
 *                        "trunkline_ingest_streams_total", "Media streams taken."),
 *          TL_METRIC_ROW(struct tl_ingest_metrics, refused, COUNTER,
 *                        "trunkline_ingest_refused_total", "Calls refused.", .labels = "reason"),
 *          TL_METRIC_ROW(struct tl_ingest_metrics, webhook, HISTOGRAM,
 *                        "trunkline_ingest_webhook_seconds", "Time to answer a webhook.",
 *                        .buckets = &tl_buckets_latency),
 *          {0},
 *      };
 *      tl_metrics_add(metrics, ingest_metrics, &self->metrics);
 *      tl_counter_add(&self->metrics.streams, 1);
 *      tl_counter_add(tl_counter_of(&self->metrics.refused, "full"), 1);
 */
struct tl_metric {
    const char *name; /* trunkline_<part>_<thing>_<unit>; counters end _total */
    enum tl_metric_type type;
    size_t offset;      /* of its struct tl_counter, tl_gauge, tl_histogram or tl_metric_vec */
    const char *help;   /* a sentence */
    const char *labels; /* label names, "topic,status"; the field is a tl_metric_vec. NULL: none */
    size_t series_max;  /* with labels; 0 means TL_METRIC_SERIES_MAX */
    const struct tl_buckets *buckets; /* histograms */
};
#define TL_METRIC_SERIES_MAX 64
#define TL_METRIC_LABELS_MAX 4

#define TL_METRIC_ROW(type_, field_, kind_, name_, help_, ...)                                     \
    {                                                                                              \
        .name = (name_), .type = TL_METRIC_##kind_, .offset = offsetof(type_, field_),             \
        .help = (help_)__VA_OPT__(, ) __VA_ARGS__                                                  \
    }

static inline void tl_counter_add(struct tl_counter *counter, uint64_t n)
{
    counter->value += n;
}

static inline void tl_gauge_set(struct tl_gauge *gauge, int64_t value)
{
    gauge->value = value;
}

static inline void tl_gauge_add(struct tl_gauge *gauge, int64_t n)
{
    gauge->value += n;
}

/** Counts a value: microseconds for _seconds, bytes for _bytes. */
static inline void tl_histogram_observe(struct tl_histogram *histogram, int64_t value)
{
    const struct tl_buckets *b = histogram->buckets;
    size_t i = 0;

    while (i < b->len && value > b->bound[i])
        i++;
    histogram->count[i]++;
    histogram->sum += value;
}

/** The series with these label values, in the order of the row's names; made when new. Stays where
 *  it is until the registry ends, so keep it where speed counts. */
#define tl_counter_of(vec, ...)                                                                    \
    tl_metric_vec_counter((vec), (const char *const[]){__VA_ARGS__, NULL})
#define tl_gauge_of(vec, ...) tl_metric_vec_gauge((vec), (const char *const[]){__VA_ARGS__, NULL})
#define tl_histogram_of(vec, ...)                                                                  \
    tl_metric_vec_histogram((vec), (const char *const[]){__VA_ARGS__, NULL})

struct tl_counter *tl_metric_vec_counter(struct tl_metric_vec *vec, const char *const *values);
struct tl_gauge *tl_metric_vec_gauge(struct tl_metric_vec *vec, const char *const *values);
struct tl_histogram *tl_metric_vec_histogram(struct tl_metric_vec *vec, const char *const *values);

/** The metrics of a process. */
struct tl_metrics;

typedef void (*tl_metrics_collect_fn)(void *arg);

struct tl_metrics *tl_metrics_create(void); /* with process_* in it */
void tl_metrics_destroy(struct tl_metrics *metrics);

/** Adds a part's table, with values that lie at `values` and live as long as the registry; they are
 *  set to zero. Asserts the naming rules, and that no name is there twice. */
void tl_metrics_add(struct tl_metrics *metrics, const struct tl_metric *rows, void *values);

/** Takes a part's values out again, before their memory goes. Unknown ones are ignored. */
void tl_metrics_remove(struct tl_metrics *metrics, void *values);

/** Has fn(arg) called before each print, to refresh gauges that nobody keeps (queue lengths). */
void tl_metrics_on_collect(struct tl_metrics *metrics, tl_metrics_collect_fn fn, void *arg);

/** Appends everything in text format 0.0.4 (TL_METRICS_CONTENT_TYPE). `out->full` when it did not
 *  fit. */
void tl_metrics_print(struct tl_metrics *metrics, struct tl_buf *out);
#define TL_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** Why a row breaks the naming rules, or NULL when it keeps them. */
const char *tl_metric_row_problem(const struct tl_metric *row);

#endif
