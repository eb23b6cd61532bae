/* What the control API tells about a call. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

static void set_time(json_t *out, const char *name, const struct tl_tel_call *call, int64_t mono_us)
{
    json_object_set_new(out, name,
                        mono_us ? json_integer(tl_tel_call_ms(call, mono_us)) : json_null());
}

json_t *tl_tel_report_line(const struct tl_tel_call *call)
{
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "sid", call->sid, "from", call->from, "to",
                  call->to, "direction", tl_tel_direction_name(call->direction), "status",
                  tl_tel_status_name(call->status), "created_us", (json_int_t)call->created_us);

    set_time(out, "answered_ms", call, call->answered_us);
    set_time(out, "ended_ms", call, call->ended_us);
    json_object_set_new(out, "streams_started", json_integer(call->streams_started));
    json_object_set_new(out, "said_count", json_integer((json_int_t)json_array_size(call->said)));
    json_object_set_new(out, "heard_count", json_integer((json_int_t)json_array_size(call->heard)));
    json_object_set_new(out, "errors_count",
                        json_integer((json_int_t)json_array_size(call->errors)));
    if (call->parent)
        json_object_set_new(out, "parent_sid", json_string(call->parent->sid));
    return out;
}

static json_t *said_of(const struct tl_tel_call *call, bool with_frames)
{
    json_t *out, *line;
    size_t i;

    if (with_frames)
        return json_incref(call->said);
    out = json_array();
    json_array_foreach(call->said, i, line)
    {
        json_t *copy = json_copy(line);
        json_object_del(copy, "frames_us");
        json_array_append_new(out, copy);
    }
    return out;
}

static json_t *arrivals_of(const struct tl_tel_call *call)
{
    json_t *out = json_array();

    for (size_t i = 0; i < call->ear.arrivals; i++)
        json_array_append_new(out, json_pack("[I, I]", (json_int_t)call->ear.arrival[i].rx_end,
                                             (json_int_t)call->ear.arrival[i].at_us));
    return out;
}

json_t *tl_tel_report_call(const struct tl_tel_call *call, bool with_frames)
{
    json_t *out = tl_tel_report_line(call);

    json_object_set_new(out, "said", said_of(call, with_frames));
    json_object_set(out, "heard", call->heard);
    json_object_set(out, "gaps", call->gaps);
    json_object_set(out, "spoken", call->spoken);
    json_object_set(out, "keys", call->keys_pressed);
    json_object_set(out, "documents", call->documents);
    json_object_set(out, "streams", call->streams);
    json_object_set(out, "webhooks", call->webhooks);
    json_object_set(out, "errors", call->errors);
    json_object_set_new(out, "unplayed_bytes",
                        json_integer((json_int_t)tl_tel_ear_buffered(&call->ear)));
    if (with_frames)
        json_object_set_new(out, "arrivals", arrivals_of(call));
    return out;
}

/* A request that waits for events. */
struct tl_tel_waiter {
    struct tl_tel_call *call;
    struct tl_http_exchange *x;
    size_t from;
    struct tl_timer timer;
    struct tl_tel_waiter *next;
};

static void answer_events(struct tl_tel_call *call, struct tl_http_exchange *x, size_t from)
{
    char next[24];
    struct tl_http_header headers[] = {{"X-Next-From", next}, {NULL, NULL}};
    size_t len = call->events.len;

    if (from > len)
        from = len;
    (void)snprintf(next, sizeof(next), "%zu", len);
    tl_http_respond(x, 200, "application/x-ndjson", call->events.data + from, len - from, headers);
}

static void answer_waiter(struct tl_tel_waiter *w)
{
    answer_events(w->call, w->x, w->from);
    tl_timer_finish(&w->timer);
    free(w);
}

static void waited_long(void *arg)
{
    struct tl_tel_waiter *w = arg, **link = &w->call->waiters;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    answer_waiter(w);
}

void tl_tel_report_events(struct tl_tel_call *call, struct tl_http_exchange *x, size_t from,
                          int64_t wait_ms)
{
    if (call->events.len > from || tl_tel_status_is_final(call->status) || wait_ms <= 0) {
        answer_events(call, x, from);
        return;
    }
    struct tl_tel_waiter *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    *w = (struct tl_tel_waiter){.call = call, .x = x, .from = from, .next = call->waiters};
    call->waiters = w;
    tl_timer_start(&w->timer, &call->tel->loop, (uint64_t)wait_ms, waited_long, w);
}

void tl_tel_report_wake(struct tl_tel_call *call)
{
    struct tl_tel_waiter *w = TL_TAKE(call->waiters);

    while (w) {
        struct tl_tel_waiter *next = w->next;
        answer_waiter(w);
        w = next;
    }
}
