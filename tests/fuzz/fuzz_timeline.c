/* Time lines of whatever segments: each side covers the whole line without a hole, sound is within
 * its segment, and no byte of a segment is heard twice. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/recordings/timeline.h"

#define BEGAN 1700000000000
#define SEGMENTS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t len;
};

static const uint8_t sound[2000];

static uint32_t take(struct input *in, size_t n)
{
    uint32_t value = 0;

    for (; n && in->len; n--, in->data++, in->len--)
        value = value << 8 | *in->data;
    return value;
}

static void add_item(struct input *in, struct tl_segment_writer *w, int64_t *n)
{
    uint32_t what = take(in, 1), ms = take(in, 2);
    struct tl_bytes bytes = {sound, 1 + what % 16 * 100};
    struct tl_error err;
    char name[32];

    *n += what >> 6;
    (void)snprintf(name, sizeof(name), "%u.%u.%u", what & 1, what >> 1 & 1, ms / 8);
    /* What does not fit is not there. */
    if (what % 5 == 0)
        (void)!tl_segment_writer_mark(w, *n, BEGAN + ms, name, &err);
    else if (w->id.side == TL_SIDE_CALLER)
        (void)!tl_segment_writer_frame(w, *n, ms, BEGAN + ms + (what & 64), bytes, &err);
    else if (what % 7 == 0)
        (void)!tl_segment_writer_clear(w, *n, BEGAN + ms, &err);
    else
        (void)!tl_segment_writer_piece(w, *n, BEGAN - 100 + ms, bytes, &err);
}

static uint32_t add_segment(struct input *in, struct tl_timeline *t, enum tl_sound_side side,
                            uint32_t number)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    uint32_t what = take(in, 1), items = take(in, 1);
    struct tl_segment_id id = {.side = side, .claim = {.number = (int32_t)(what & 3)}};
    struct tl_segment_writer w;
    struct tl_segment segment;
    struct tl_error err;
    int64_t n = take(in, 1);

    id.claim.session = side == TL_SIDE_AI ? (int32_t)(what >> 2 & 1) + 1 : 0;
    (void)snprintf(id.stream_sid, sizeof(id.stream_sid), "MZ%u", what >> 4 & 3);
    tl_segment_writer_init(&w, &id);
    while (items-- && in->len)
        add_item(in, &w, &n);
    tl_buf_init(&out, 1u << 20);
    enum tl_status st = tl_segment_writer_encode(&w, &out, &err);
    assert(st == TL_OK);
    tl_segment_writer_finish(&w);
    st = tl_segment_decode((struct tl_bytes){out.data, out.len}, &segment, &err);
    assert(st == TL_OK);
    st = tl_timeline_add_segment(t, number, &segment, &err);
    assert(st == TL_OK);
    return segment.sound_bytes;
}

static void check_side(const struct tl_timeline *t, enum tl_sound_side side, const uint32_t *bytes,
                       uint32_t segments)
{
    size_t n;
    const struct tl_span *span = tl_timeline_spans(t, side, &n);
    int64_t at = 0, sum[SEGMENTS_MAX] = {0};

    for (size_t i = 0; i < n; i++) {
        assert(span[i].from == at && span[i].len > 0);
        at += span[i].len;
        if (span[i].kind != TL_SPAN_SOUND)
            continue;
        assert(span[i].segment < segments);
        assert(span[i].offset + span[i].len <= bytes[span[i].segment]);
        sum[span[i].segment] += span[i].len;
        assert(sum[span[i].segment] <= bytes[span[i].segment]);
    }
    assert(at == tl_timeline_samples(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct tl_timeline_options options = {.call_started_at = BEGAN, .redact_margin_ms = 50};
    struct tl_timeline *t = tl_timeline_create(&options);
    uint32_t bytes[SEGMENTS_MAX] = {0}, segments = 0, ai = take(&in, 1) % (SEGMENTS_MAX / 2);
    enum tl_status st = TL_OK;
    struct tl_error err;

    for (int i = 0; i < 5; i++) {
        const struct tl_timeline_claim claim = {.claim = {.number = i / 2, .session = i % 2 + 1},
                                                .until_at =
                                                    i % 2 ? INT64_MAX : BEGAN + take(&in, 2)};
        st = tl_timeline_add_claim(t, &claim, &err);
        assert(st == TL_OK);
    }
    for (int i = 0; i < 3; i++) {
        uint32_t what = take(&in, 1), from = take(&in, 2);
        st = tl_timeline_add_cut(t, TL_SIDE_CALLER + what % 2, TL_SPAN_EXPIRED + what / 2 % 3, from,
                                 from + take(&in, 2), &err);
        assert(st == TL_OK);
    }
    for (; segments < ai && in.len; segments++)
        bytes[segments] = add_segment(&in, t, TL_SIDE_AI, segments);
    for (; segments < SEGMENTS_MAX && in.len; segments++)
        bytes[segments] = add_segment(&in, t, TL_SIDE_CALLER, segments);
    st = tl_timeline_build(t, 0, &err);
    assert(st == TL_OK);
    check_side(t, TL_SIDE_CALLER, bytes, segments);
    check_side(t, TL_SIDE_AI, bytes, segments);
    tl_timeline_destroy(t);
    return 0;
}
