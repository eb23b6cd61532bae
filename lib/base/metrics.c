/* The registry of a process's metrics and their text format: see metrics.h. */
#include "base/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LABEL_VALUE_BYTES_MAX 128

static const int64_t latency_bounds[] = {
    100,   250,    500,    1000,   2500,   5000,    10000,   15000,   20000,   30000,   50000,
    75000, 100000, 150000, 250000, 500000, 1000000, 1500000, 2500000, 5000000, 10000000};
static const int64_t seconds_bounds[] = {10000,    50000,     100000,    250000,   500000,
                                         1000000,  2500000,   5000000,   10000000, 30000000,
                                         60000000, 120000000, 300000000, 600000000};
static const int64_t bytes_bounds[] = {64,    256,    1024,    4096,    16384,
                                       65536, 262144, 1048576, 4194304, 16777216};

const struct tl_buckets tl_buckets_latency = {latency_bounds, TL_ARRAY_LEN(latency_bounds)};
const struct tl_buckets tl_buckets_seconds = {seconds_bounds, TL_ARRAY_LEN(seconds_bounds)};
const struct tl_buckets tl_buckets_bytes = {bytes_bounds, TL_ARRAY_LEN(bytes_bounds)};

struct tl_metric_series {
    struct tl_metric_series *next;
    char *value[TL_METRIC_LABELS_MAX];
    union {
        struct tl_counter counter;
        struct tl_gauge gauge;
        struct tl_histogram histogram;
    };
};

/* A part's table and where its values lie. */
struct part {
    struct part *next;
    const struct tl_metric *rows;
    char *values;
};

struct collector {
    struct collector *next;
    tl_metrics_collect_fn fn;
    void *arg;
};

struct process_metrics {
    struct tl_gauge resident;
    struct tl_gauge open_fds;
    struct tl_gauge start_time;
    struct tl_counter cpu;
};

struct tl_metrics {
    struct part *parts; /* in the order of adding */
    struct collector *collectors;
    struct process_metrics process;
};

/* These names are Prometheus's own convention, not ours. */
static const struct tl_metric process_rows[] = {
    TL_METRIC_ROW(struct process_metrics, resident, GAUGE, "process_resident_memory_bytes",
                  "Memory of this process that is in RAM."),
    TL_METRIC_ROW(struct process_metrics, open_fds, GAUGE, "process_open_fds",
                  "Open file descriptors."),
    TL_METRIC_ROW(struct process_metrics, start_time, GAUGE, "process_start_time_seconds",
                  "When this process started, since 1970."),
    TL_METRIC_ROW(struct process_metrics, cpu, COUNTER, "process_cpu_seconds_total",
                  "Processor time, user and system."),
    {0},
};

static void *alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p)
        abort();
    return p;
}

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);

    return n >= m && strcmp(text + n - m, tail) == 0;
}

static bool in_seconds(const struct tl_metric *row)
{
    return ends_with(row->name, "_seconds") || ends_with(row->name, "_seconds_total");
}

static size_t count_labels(const struct tl_metric *row)
{
    size_t n = row->labels != NULL;

    for (const char *c = row->labels; c && *c; c++)
        n += *c == ',';
    return n;
}

const char *tl_metric_row_problem(const struct tl_metric *row)
{
    static const char *const wrong_units[] = {
        "_ms", "_us", "_milliseconds", "_microseconds", "_minutes",
        "_kb", "_mb", "_ms_total",     "_us_total",     "_kilobytes"};

    if (strncmp(row->name, "trunkline_", 10) != 0 && strncmp(row->name, "process_", 8) != 0)
        return "begins with neither trunkline_ nor process_";
    if (row->name[strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        return "takes a-z, 0-9 and _ only";
    if ((row->type == TL_METRIC_COUNTER) != ends_with(row->name, "_total"))
        return "counters end _total, nothing else does";
    for (size_t i = 0; i < TL_ARRAY_LEN(wrong_units); i++)
        if (ends_with(row->name, wrong_units[i]))
            return "times are _seconds, sizes are _bytes";
    if (!row->help || !*row->help)
        return "has no help";
    if ((row->type == TL_METRIC_HISTOGRAM) != (row->buckets != NULL))
        return "histograms have buckets, nothing else has";
    if (row->buckets && (row->buckets->len == 0 || row->buckets->len > TL_BUCKETS_MAX))
        return "has too many buckets, or none";
    if (count_labels(row) > TL_METRIC_LABELS_MAX)
        return "has too many labels";
    if (row->labels && row->labels[strspn(row->labels, "abcdefghijklmnopqrstuvwxyz0123456789_,")])
        return "label names take a-z, 0-9 and _ only";
    return NULL;
}

static bool has_name(const struct tl_metrics *metrics, const char *name)
{
    for (const struct part *p = metrics->parts; p; p = p->next)
        for (const struct tl_metric *row = p->rows; row->name; row++)
            if (strcmp(row->name, name) == 0)
                return true;
    return false;
}

static void init_value(const struct tl_metric *row, char *values)
{
    void *at = values + row->offset;

    if (row->labels)
        *(struct tl_metric_vec *)at = (struct tl_metric_vec){.row = row};
    else if (row->type == TL_METRIC_COUNTER)
        *(struct tl_counter *)at = (struct tl_counter){0};
    else if (row->type == TL_METRIC_GAUGE)
        *(struct tl_gauge *)at = (struct tl_gauge){0};
    else
        *(struct tl_histogram *)at = (struct tl_histogram){.buckets = row->buckets};
}

void tl_metrics_add(struct tl_metrics *metrics, const struct tl_metric *rows, void *values)
{
    struct part **last = &metrics->parts;

    for (const struct tl_metric *row = rows; row->name; row++) {
        const char *problem = tl_metric_row_problem(row);
        if (problem || has_name(metrics, row->name)) { /* an assert that names the row */
            (void)fprintf(stderr, "metric %s: %s\n", row->name, problem ? problem : "twice");
            abort();
        }
        init_value(row, values);
    }
    while (*last)
        last = &(*last)->next;
    *last = alloc(sizeof(**last));
    **last = (struct part){.rows = rows, .values = values};
}

void tl_metrics_on_collect(struct tl_metrics *metrics, tl_metrics_collect_fn fn, void *arg)
{
    struct collector *c = alloc(sizeof(*c));

    *c = (struct collector){.next = metrics->collectors, .fn = fn, .arg = arg};
    metrics->collectors = c;
}

static int64_t resident_bytes(void)
{
    char text[128];
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    char *line = fgets(text, sizeof(text), file);
    (void)fclose(file); /* only read */
    const char *blank = line ? strchr(line, ' ') : NULL;
    return blank ? strtoll(blank, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = 0;

    if (!dir)
        return 0;
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    (void)closedir(dir); /* only read */
    return n - 1;        /* the directory itself */
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Field 22 of /proc/self/stat (proc(5)): ticks since boot. The name in field 2 may hold blanks and
 * brackets, so counting begins behind its last bracket. */
static int64_t start_us(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return clock_us(CLOCK_REALTIME);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file); /* only read */
    text[n] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return clock_us(CLOCK_REALTIME);
    int64_t since_boot_us = strtoll(at, NULL, 10) * (1000000 / sysconf(_SC_CLK_TCK));
    return clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME) + since_boot_us;
}

static void collect_process(void *arg)
{
    struct process_metrics *process = arg;

    process->resident.value = resident_bytes();
    process->open_fds.value = open_fds();
    process->cpu.value = (uint64_t)clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

struct tl_metrics *tl_metrics_create(void)
{
    struct tl_metrics *metrics = alloc(sizeof(*metrics));

    tl_metrics_add(metrics, process_rows, &metrics->process);
    metrics->process.start_time.value = start_us();
    tl_metrics_on_collect(metrics, collect_process, &metrics->process);
    return metrics;
}

static void free_series(struct tl_metric_vec *vec)
{
    for (struct tl_metric_series *s = vec->first, *next; s; s = next) {
        next = s->next;
        for (size_t i = 0; i < TL_METRIC_LABELS_MAX; i++)
            free(s->value[i]);
        free(s);
    }
    vec->first = NULL;
    vec->len = 0;
}

static void free_part(struct part *part)
{
    for (const struct tl_metric *row = part->rows; row->name; row++)
        if (row->labels)
            free_series((struct tl_metric_vec *)(part->values + row->offset));
    free(part);
}

void tl_metrics_remove(struct tl_metrics *metrics, void *values)
{
    for (struct part **p = &metrics->parts; *p; p = &(*p)->next)
        if ((void *)(*p)->values == values) {
            struct part *gone = *p;
            *p = gone->next;
            free_part(gone);
            return;
        }
}

void tl_metrics_destroy(struct tl_metrics *metrics)
{
    if (!metrics)
        return;
    for (struct part *p = metrics->parts, *next; p; p = next) {
        next = p->next;
        free_part(p);
    }
    for (struct collector *c = metrics->collectors, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(metrics);
}

static struct tl_metric_series *find_series(struct tl_metric_vec *vec, const char *const *values,
                                            size_t labels)
{
    for (struct tl_metric_series *s = vec->first; s; s = s->next) {
        size_t i = 0;
        while (i < labels && strncmp(s->value[i], values[i], LABEL_VALUE_BYTES_MAX) == 0)
            i++;
        if (i == labels)
            return s;
    }
    return NULL;
}

static struct tl_metric_series *add_series(struct tl_metric_vec *vec, const char *const *values,
                                           size_t labels)
{
    struct tl_metric_series **last = &vec->first;
    struct tl_metric_series *s = alloc(sizeof(*s));

    for (size_t i = 0; i < labels; i++)
        if (!(s->value[i] = strndup(values[i], LABEL_VALUE_BYTES_MAX)))
            abort();
    if (vec->row->type == TL_METRIC_HISTOGRAM)
        s->histogram.buckets = vec->row->buckets;
    while (*last)
        last = &(*last)->next;
    *last = s;
    vec->len++;
    return s;
}

static struct tl_metric_series *series_of(struct tl_metric_vec *vec, const char *const *values,
                                          enum tl_metric_type type)
{
    static const char *const other[TL_METRIC_LABELS_MAX] = {"other", "other", "other", "other"};
    size_t labels = count_labels(vec->row);
    size_t max = vec->row->series_max ? vec->row->series_max : TL_METRIC_SERIES_MAX;
    size_t given = 0;

    while (values[given])
        given++;
    assert(vec->row->type == type && given == labels);
    (void)type; /* without asserts */
    struct tl_metric_series *s = find_series(vec, values, labels);
    if (s)
        return s;
    if (vec->len < max)
        return add_series(vec, values, labels);
    s = find_series(vec, other, labels);
    return s ? s : add_series(vec, other, labels);
}

struct tl_counter *tl_metric_vec_counter(struct tl_metric_vec *vec, const char *const *values)
{
    return &series_of(vec, values, TL_METRIC_COUNTER)->counter;
}

struct tl_gauge *tl_metric_vec_gauge(struct tl_metric_vec *vec, const char *const *values)
{
    return &series_of(vec, values, TL_METRIC_GAUGE)->gauge;
}

struct tl_histogram *tl_metric_vec_histogram(struct tl_metric_vec *vec, const char *const *values)
{
    return &series_of(vec, values, TL_METRIC_HISTOGRAM)->histogram;
}

/* Microseconds become seconds without a detour over doubles: "0.0025", "12". */
static void add_number(struct tl_buf *out, int64_t value, bool seconds)
{
    if (!seconds) {
        tl_buf_printf(out, "%" PRId64, value);
        return;
    }
    uint64_t us = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char fraction[8];
    size_t n = 6;
    (void)snprintf(fraction, sizeof(fraction), "%06" PRIu64, us % 1000000); /* six digits */
    while (n > 0 && fraction[n - 1] == '0')
        n--;
    tl_buf_printf(out, "%s%" PRIu64 "%s%.*s", value < 0 ? "-" : "", us / 1000000, n ? "." : "",
                  (int)n, fraction);
}

static void add_escaped(struct tl_buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            tl_buf_add_str(out, "\\n");
        else if (*text == '\\' || (quotes && *text == '"'))
            tl_buf_printf(out, "\\%c", *text);
        else
            tl_buf_add_char(out, *text);
    }
}

/* {topic="calls.v1",le="0.1"}, or nothing when there is neither label nor bound. */
static void add_labels(struct tl_buf *out, const struct tl_metric *row,
                       const struct tl_metric_series *series, const int64_t *bound, bool infinite)
{
    const char *name = row->labels;

    if (!series && !bound && !infinite)
        return;
    tl_buf_add_char(out, '{');
    for (size_t i = 0; series && i < count_labels(row); i++) {
        size_t n = strcspn(name, ",");
        tl_buf_printf(out, "%s%.*s=\"", i ? "," : "", (int)n, name);
        add_escaped(out, series->value[i], true);
        tl_buf_add_char(out, '"');
        name += n + (name[n] == ',');
    }
    if (bound || infinite)
        tl_buf_printf(out, "%sle=\"", series ? "," : "");
    if (bound)
        add_number(out, *bound, in_seconds(row));
    if (infinite)
        tl_buf_add_str(out, "+Inf");
    tl_buf_add_str(out, bound || infinite ? "\"}" : "}");
}

static void add_sample(struct tl_buf *out, const struct tl_metric *row,
                       const struct tl_metric_series *series, int64_t value)
{
    tl_buf_add_str(out, row->name);
    add_labels(out, row, series, NULL, false);
    tl_buf_add_char(out, ' ');
    add_number(out, value, in_seconds(row));
    tl_buf_add_char(out, '\n');
}

static void add_histogram(struct tl_buf *out, const struct tl_metric *row,
                          const struct tl_metric_series *series, const struct tl_histogram *h)
{
    uint64_t total = 0;

    for (size_t i = 0; i <= h->buckets->len; i++) {
        bool infinite = i == h->buckets->len;
        total += h->count[i];
        tl_buf_printf(out, "%s_bucket", row->name);
        add_labels(out, row, series, infinite ? NULL : &h->buckets->bound[i], infinite);
        tl_buf_printf(out, " %" PRIu64 "\n", total);
    }
    tl_buf_printf(out, "%s_sum", row->name);
    add_labels(out, row, series, NULL, false);
    tl_buf_add_char(out, ' ');
    add_number(out, h->sum, in_seconds(row));
    tl_buf_printf(out, "\n%s_count", row->name);
    add_labels(out, row, series, NULL, false);
    tl_buf_printf(out, " %" PRIu64 "\n", total);
}

static void add_value(struct tl_buf *out, const struct tl_metric *row,
                      const struct tl_metric_series *series, const void *at)
{
    if (row->type == TL_METRIC_COUNTER)
        add_sample(out, row, series, (int64_t)((const struct tl_counter *)at)->value);
    else if (row->type == TL_METRIC_GAUGE)
        add_sample(out, row, series, ((const struct tl_gauge *)at)->value);
    else
        add_histogram(out, row, series, at);
}

static void add_metric(struct tl_buf *out, const struct tl_metric *row, const char *at)
{
    static const char *const type_names[] = {"counter", "gauge", "histogram"};

    tl_buf_printf(out, "# HELP %s ", row->name);
    add_escaped(out, row->help, false);
    tl_buf_printf(out, "\n# TYPE %s %s\n", row->name, type_names[row->type]);
    if (!row->labels) {
        add_value(out, row, NULL, at);
        return;
    }
    const struct tl_metric_vec *vec = (const struct tl_metric_vec *)at;
    for (const struct tl_metric_series *s = vec->first; s; s = s->next)
        add_value(out, row, s, &s->counter); /* the union's start */
}

void tl_metrics_print(struct tl_metrics *metrics, struct tl_buf *out)
{
    for (const struct collector *c = metrics->collectors; c; c = c->next)
        c->fn(c->arg);
    for (const struct part *p = metrics->parts; p; p = p->next)
        for (const struct tl_metric *row = p->rows; row->name; row++)
            add_metric(out, row, p->values + row->offset);
}
