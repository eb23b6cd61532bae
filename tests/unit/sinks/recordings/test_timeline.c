/* Where the sound of a call stands: sinks/recordings/timeline.h (CALL-11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/recordings/timeline.h"

#define BEGAN 1700000000000 /* the call's beginning, wall clock */
#define SID1 "MZ00000000000000000000000000000001"
#define SID2 "MZ00000000000000000000000000000002"
#define MS TL_SAMPLES_MS

struct line {
    struct tl_timeline *t;
    uint32_t segments;
};

static const struct tl_uuid call_id = {{1, 2, 3}};

static struct line line_of(int claims)
{
    struct tl_error err;
    const struct tl_timeline_options options = {
        .call_id = call_id, .call_started_at = BEGAN, .redact_margin_ms = 100};
    struct line line = {.t = tl_timeline_create(&options)};

    for (int number = 1; number <= claims; number++) {
        const struct tl_timeline_claim claim = {
            .claim = {.number = number, .offset = 100 * number, .session = 1},
            .until_at = INT64_MAX};
        assert_int_equal(tl_timeline_add_claim(line.t, &claim, &err), TL_OK);
    }
    return line;
}

static struct tl_segment_writer writer_of(enum tl_sound_side side, int number, const char *sid)
{
    struct tl_segment_writer w;
    struct tl_segment_id id = {
        .side = side,
        .call_id = call_id,
        .leg = "caller",
        .claim = {.number = number, .offset = 100 * number, .session = side == TL_SIDE_AI ? 1 : 0}};

    (void)snprintf(id.stream_sid, sizeof(id.stream_sid), "%s", sid);
    tl_segment_writer_init(&w, &id);
    return w;
}

static uint32_t add(struct line *line, struct tl_segment_writer *w)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf;
    struct tl_segment s;
    struct tl_error err;

    tl_buf_init(&buf, 2u << 20);
    if (tl_segment_writer_encode(w, &buf, &err) != TL_OK ||
        tl_segment_decode((struct tl_bytes){buf.data, buf.len}, &s, &err) != TL_OK ||
        tl_timeline_add_segment(line->t, line->segments, &s, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_segment_writer_finish(w);
    return line->segments++;
}

static const uint8_t sound[160000];

/* `count` frames from n and timestamp on, each there 20 ms behind its beginning. */
static void frames(struct tl_segment_writer *w, int64_t n, int64_t timestamp_ms, int64_t base_ms,
                   int count)
{
    struct tl_error err;

    for (int i = 0; i < count; i++, n++, timestamp_ms += 20)
        assert_int_equal(tl_segment_writer_frame(w, n, timestamp_ms, BEGAN + base_ms + timestamp_ms,
                                                 (struct tl_bytes){sound, 160}, &err),
                         TL_OK);
}

static uint32_t say(struct line *line, int number, const char *sid, int64_t n, int64_t timestamp_ms,
                    int64_t base_ms, int count)
{
    struct tl_segment_writer w = writer_of(TL_SIDE_CALLER, number, sid);

    frames(&w, n, timestamp_ms, base_ms, count);
    return add(line, &w);
}

static void mark(struct tl_segment_writer *w, int64_t n, int64_t at_ms, const char *name)
{
    struct tl_error err;

    assert_int_equal(tl_segment_writer_mark(w, n, BEGAN + at_ms, name, &err), TL_OK);
}

/* A piece of 200 ms of turn 2 at item n, and its mark. */
static void piece_of(struct tl_segment_writer *w, int64_t n, int64_t at_ms, int epoch, int turn_ms)
{
    struct tl_error err;
    char name[64];

    assert_int_equal(
        tl_segment_writer_piece(w, n, BEGAN + at_ms, (struct tl_bytes){sound, 1600}, &err), TL_OK);
    (void)snprintf(name, sizeof(name), "2.%d.%d", epoch, turn_ms);
    mark(w, n + 1, at_ms, name);
}

static void clear(struct tl_segment_writer *w, int64_t n, int64_t at_ms)
{
    struct tl_error err;

    assert_int_equal(tl_segment_writer_clear(w, n, BEGAN + at_ms, &err), TL_OK);
}

static void cut(struct line *line, enum tl_sound_side side, enum tl_span_kind kind, int64_t from_ms,
                int64_t to_ms)
{
    struct tl_error err;

    assert_int_equal(tl_timeline_add_cut(line->t, side, kind, from_ms, to_ms, &err), TL_OK);
}

/* What the spans of a side must be, in ms; segment and offset of SOUND. The line goes with it. */
struct expected {
    enum tl_span_kind kind;
    int64_t from_ms, len_ms;
    uint32_t segment, offset;
};

static void check_side(const struct line *line, enum tl_sound_side side,
                       const struct expected *expected, size_t n)
{
    size_t count;
    const struct tl_span *span = tl_timeline_spans(line->t, side, &count);

    for (size_t i = 0; i < count; i++)
        if (i >= n || span[i].kind != expected[i].kind ||
            span[i].from != expected[i].from_ms * MS || span[i].len != expected[i].len_ms * MS ||
            span[i].segment != expected[i].segment || span[i].offset != expected[i].offset)
            fail_msg("%s, span %zu: %s from %.3f for %.3f ms, segment %u at %u",
                     tl_sound_side_name(side), i, tl_span_kind_name(span[i].kind),
                     (double)span[i].from / MS, (double)span[i].len / MS, span[i].segment,
                     span[i].offset);
    assert_int_equal(count, n);
}

static void build(struct line *line, int64_t ended_ms)
{
    struct tl_error err;

    if (tl_timeline_build(line->t, ended_ms ? BEGAN + ended_ms : 0, &err) != TL_OK)
        fail_msg("%s", err.msg);
}

#define SILENCE(kind, from_ms, len_ms)                                                             \
    {                                                                                              \
        kind, from_ms, len_ms, 0, 0                                                                \
    }
#define CHECK(line, side, ...)                                                                     \
    do {                                                                                           \
        const struct expected expected_[] = {__VA_ARGS__};                                         \
        check_side(&(line), side, expected_, TL_ARRAY_LEN(expected_));                             \
    } while (0)

static void end(struct line *line)
{
    tl_timeline_destroy(line->t);
}

/* ---- the caller ---- */

static void a_stream_stands_where_its_least_delayed_frame_says(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer w = writer_of(TL_SIDE_CALLER, 1, SID1);
    struct tl_error err;

    (void)state;
    /* the first came late, as it waited for the claim */
    assert_int_equal(
        tl_segment_writer_frame(&w, 0, 0, BEGAN + 540, (struct tl_bytes){sound, 160}, &err), TL_OK);
    frames(&w, 1, 20, 500, 4);
    uint32_t s = add(&line, &w);
    build(&line, 1000);
    CHECK(line, TL_SIDE_CALLER, SILENCE(TL_SPAN_NO_STREAM, 0, 500), {TL_SPAN_SOUND, 500, 100, s, 0},
          SILENCE(TL_SPAN_NO_STREAM, 600, 400));
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000));
    assert_int_equal(tl_timeline_samples(line.t), 8000);
    end(&line);
}

static void all_runs_of_a_stream_are_asked(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 160, 5); /* was held up for 60 ms */
    uint32_t b = say(&line, 1, SID1, 5, 100, 100, 5);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, SILENCE(TL_SPAN_NO_STREAM, 0, 100), {TL_SPAN_SOUND, 100, 100, a, 0},
          {TL_SPAN_SOUND, 200, 100, b, 0});
    end(&line);
}

static void a_lost_frame_is_silence_of_its_length(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 5);
    uint32_t b = say(&line, 1, SID1, 6, 120, 0, 5);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 100, a, 0}, SILENCE(TL_SPAN_LOST, 100, 20),
          {TL_SPAN_SOUND, 120, 100, b, 0});
    end(&line);
}

static void segments_may_come_in_any_order_and_twice(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t b = say(&line, 1, SID1, 10, 200, 0, 10);
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 10);
    (void)say(&line, 1, SID1, 0, 0, 0, 10);           /* the same again */
    uint32_t c = say(&line, 1, SID1, 15, 300, 0, 10); /* sent again to another mailbox, and on */
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 200, a, 0}, {TL_SPAN_SOUND, 200, 200, b, 0},
          {TL_SPAN_SOUND, 400, 100, c, 800});
    assert_int_equal(tl_timeline_stats(line.t).repeated, 300 * MS);
    end(&line);
}

static void a_stream_claimed_anew_repeats_nothing(void **state)
{
    struct line line = line_of(2);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 10);
    uint32_t b =
        say(&line, 2, SID1, 0, 100, 0, 10); /* n begins anew, the stream's clock does not */
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 200, a, 0}, {TL_SPAN_SOUND, 200, 100, b, 800});
    end(&line);
}

static void between_two_streams_is_a_named_gap(void **state)
{
    struct line line = line_of(2);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 10);
    uint32_t b = say(&line, 2, SID2, 0, 0, 1500, 10);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 200, a, 0},
          SILENCE(TL_SPAN_NO_STREAM, 200, 1300), {TL_SPAN_SOUND, 1500, 200, b, 0});
    end(&line);
}

static void of_two_streams_at_once_the_higher_attachment_counts(void **state)
{
    struct line line = line_of(2);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 10);
    uint32_t b = say(&line, 2, SID2, 0, 0, 150, 10);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 150, a, 0}, {TL_SPAN_SOUND, 150, 200, b, 0});
    end(&line);
}

static void attachments_that_do_not_count_are_not_heard(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 5);
    (void)say(&line, 2, SID2, 0, 0, 60, 5);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 100, a, 0});
    assert_int_equal(tl_timeline_stats(line.t).stale, 100 * MS);
    end(&line);
}

static void timestamps_that_wander_move_no_sound(void **state)
{
    struct line line = line_of(1);
    struct tl_error err;

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 5);
    uint32_t b = say(&line, 1, SID1, 5, 93, 0, 5); /* 7 ms early, a segment of its own */
    struct tl_segment_writer w = writer_of(TL_SIDE_CALLER, 1, SID1);
    assert_int_equal(
        tl_segment_writer_frame(&w, 10, 212, BEGAN + 213, (struct tl_bytes){sound, 160}, &err),
        TL_OK); /* 12 ms late */
    uint32_t c = add(&line, &w);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 100, a, 0}, {TL_SPAN_SOUND, 100, 100, b, 0},
          {TL_SPAN_SOUND, 200, 20, c, 0});
    end(&line);
}

static void sound_before_the_call_is_cut_off(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, -30, 5);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 70, a, 240});
    end(&line);
}

/* ---- the AI ---- */

static void pieces_play_one_after_the_other_from_when_they_were_sent(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer w = writer_of(TL_SIDE_AI, 1, SID1);

    (void)state;
    piece_of(&w, 10, 1000, 0, 200);
    piece_of(&w, 12, 1001, 0, 400); /* ahead of its time */
    piece_of(&w, 14, 2000, 0, 600);
    uint32_t s = add(&line, &w);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 400, s, 0},
          SILENCE(TL_SPAN_QUIET, 1400, 600), {TL_SPAN_SOUND, 2000, 200, s, 3200});
    CHECK(line, TL_SIDE_CALLER, SILENCE(TL_SPAN_NO_STREAM, 0, 2200));
    end(&line);
}

static void a_mark_that_came_late_says_when_it_was_heard(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200); /* ingest stood still and sent it half a second later */
    piece_of(&ai, 12, 1000, 0, 400);
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 85);
    mark(&caller, 85, 1700, "2.0.200");
    frames(&caller, 86, 1700, 0, 10);
    mark(&caller, 96, 2500, "2.0.400"); /* its own time does not matter: it stands behind 1900 */
    frames(&caller, 97, 1900, 0, 10);
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1500), {TL_SPAN_SOUND, 1500, 400, s, 0},
          SILENCE(TL_SPAN_QUIET, 1900, 200));
    end(&line);
}

static void marks_that_wander_tear_no_sound(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1010, 0, 200);
    piece_of(&ai, 12, 1011, 0, 400);
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 61);
    mark(&caller, 61, 1220, "2.0.200");
    frames(&caller, 62, 1220, 0, 11); /* 220 ms later: a frame more */
    mark(&caller, 73, 1440, "2.0.400");
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1020), {TL_SPAN_SOUND, 1020, 400, s, 0},
          SILENCE(TL_SPAN_QUIET, 1420, 20));
    end(&line);
}

static void a_clear_drops_what_was_not_played(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200);
    piece_of(&ai, 12, 1000, 0, 400);
    piece_of(&ai, 14, 1000, 0, 600);
    clear(&ai, 16, 1300);
    piece_of(&ai, 20, 2000, 1, 200);
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 60);
    mark(&caller, 60, 1200, "2.0.200");
    frames(&caller, 61, 1200, 0, 6);
    mark(&caller, 67, 1320, "2.0.400"); /* both came back because of the clear */
    mark(&caller, 68, 1320, "2.0.600");
    frames(&caller, 69, 1320, 0, 44);
    mark(&caller, 113, 2200, "2.1.200");
    frames(&caller, 114, 2200, 0, 50);
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 300, s, 0},
          SILENCE(TL_SPAN_QUIET, 1300, 700), {TL_SPAN_SOUND, 2000, 200, s, 4800},
          SILENCE(TL_SPAN_QUIET, 2200, 1000));
    assert_int_equal(tl_timeline_stats(line.t).unheard, 300 * MS);
    end(&line);
}

static void marks_that_a_clear_sent_back_say_nothing(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200);
    clear(&ai, 12, 1100);
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 65);
    mark(&caller, 65, 1300, "2.0.200"); /* as if it had begun at 1100 */
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 100, s, 0},
          SILENCE(TL_SPAN_QUIET, 1100, 200));
    end(&line);
}

static void a_mark_may_stand_in_the_next_segment(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);
    struct tl_error err;

    (void)state;
    assert_int_equal(
        tl_segment_writer_piece(&ai, 10, BEGAN + 1000, (struct tl_bytes){sound, 1600}, &err),
        TL_OK);
    uint32_t s = add(&line, &ai);
    ai = writer_of(TL_SIDE_AI, 1, SID1);
    mark(&ai, 11, 1000, "2.0.200");
    (void)add(&line, &ai);
    frames(&caller, 0, 0, 0, 90);
    mark(&caller, 90, 1800, "2.0.200");
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1600), {TL_SPAN_SOUND, 1600, 200, s, 0});
    end(&line);
}

static void what_was_sent_into_a_broken_stream_ends_with_it(void **state)
{
    struct line line = line_of(2);
    struct tl_segment_writer one = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer two = writer_of(TL_SIDE_AI, 2, SID2);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    for (int i = 0; i < 10; i++)
        piece_of(&one, 10 + 2 * i, 1000, 0, 200 * (i + 1));
    uint32_t a = add(&line, &one);
    piece_of(&two, 90, 3000, 1, 600); /* the rest, from 400 ms on, is sent again */
    uint32_t b = add(&line, &two);
    frames(&caller, 0, 0, 0, 70);
    mark(&caller, 70, 1400, "2.0.200");
    mark(&caller, 71, 1400, "2.0.400");
    frames(&caller, 72, 1400, 0, 2); /* its last */
    (void)add(&line, &caller);
    (void)say(&line, 2, SID2, 0, 0, 2900, 30);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1200), {TL_SPAN_SOUND, 1200, 240, a, 0},
          SILENCE(TL_SPAN_QUIET, 1440, 1560), {TL_SPAN_SOUND, 3000, 200, b, 0},
          SILENCE(TL_SPAN_QUIET, 3200, 300));
    end(&line);
}

static void sound_without_a_mark_on_a_line_that_goes_on_was_not_heard(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200); /* dropped by ingest: the leg was being moved */
    piece_of(&ai, 14, 1400, 0, 400);
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 80);
    mark(&caller, 80, 1600, "2.0.400");
    frames(&caller, 81, 1600, 0, 50);
    (void)add(&line, &caller);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1400), {TL_SPAN_SOUND, 1400, 200, s, 1600},
          SILENCE(TL_SPAN_QUIET, 1600, 1000));
    end(&line);
}

static void marks_that_could_not_be_read_say_nothing(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200);
    uint32_t s = add(&line, &ai);
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 50);
    uint32_t b = say(&line, 1, SID1, 90, 1800, 0, 10);
    cut(&line, TL_SIDE_CALLER, TL_SPAN_EXPIRED, 1000, 1700);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 200, s, 0},
          SILENCE(TL_SPAN_QUIET, 1200, 800));
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 1000, a, 0}, SILENCE(TL_SPAN_EXPIRED, 1000, 700),
          SILENCE(TL_SPAN_LOST, 1700, 100), {TL_SPAN_SOUND, 1800, 200, b, 0});
    end(&line);
}

static void a_stream_whose_end_expired_goes_on_for_that_long(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);

    (void)state;
    piece_of(&ai, 10, 1000, 0, 200);
    uint32_t s = add(&line, &ai);
    (void)say(&line, 1, SID1, 0, 0, 0, 50); /* known to 1000 only */
    cut(&line, TL_SIDE_CALLER, TL_SPAN_EXPIRED, 1000, 1150);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 150, s, 0});
    end(&line);
}

static void a_piece_that_is_missing_is_told_by_the_marks(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer w = writer_of(TL_SIDE_AI, 1, SID1);

    (void)state;
    piece_of(&w, 10, 1000, 0, 200);
    piece_of(&w, 14, 1002, 0, 600); /* 200 to 400 is not there */
    uint32_t s = add(&line, &w);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 200, s, 0},
          SILENCE(TL_SPAN_LOST, 1200, 200), {TL_SPAN_SOUND, 1400, 200, s, 1600});
    end(&line);
}

static void a_holder_that_lost_the_claim_is_not_heard(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer old = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer now = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_error err;
    const struct tl_timeline_claim claims[] = {
        {.claim = {.number = 1, .offset = 100, .session = 2}, .until_at = BEGAN + 1500},
        {.claim = {.number = 1, .offset = 100, .session = 3}, .until_at = INT64_MAX}};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(claims); i++)
        assert_int_equal(tl_timeline_add_claim(line.t, &claims[i], &err), TL_OK);
    old.id.claim.session = 2;
    now.id.claim.session = 3;
    piece_of(&old, 10, 1000, 0, 200);
    piece_of(&old, 50, 1600, 0, 400); /* stalled, and woke */
    clear(&old, 52, 1700);
    piece_of(&now, 40, 1550, 0, 200); /* another holder's: between them in the mailbox */
    uint32_t a = add(&line, &old), b = add(&line, &now);
    old = writer_of(TL_SIDE_AI, 1, SID1);
    old.id.claim.session = 9; /* given, never taken up */
    piece_of(&old, 60, 1800, 0, 200);
    (void)add(&line, &old);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 200, a, 0},
          SILENCE(TL_SPAN_QUIET, 1200, 350), {TL_SPAN_SOUND, 1550, 200, b, 0});
    assert_int_equal(tl_timeline_stats(line.t).stale, 400 * MS);
    end(&line);
}

static void overlapping_segments_of_the_ai_count_once(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer one = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer two = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_error err;

    (void)state;
    piece_of(&one, 10, 1000, 0, 200);
    /* the segment was full between a piece and its mark */
    assert_int_equal(
        tl_segment_writer_piece(&one, 12, BEGAN + 1000, (struct tl_bytes){sound, 1600}, &err),
        TL_OK);
    uint32_t a = add(&line, &one);
    mark(&two, 13, 1000, "2.0.400");
    piece_of(&two, 14, 1000, 0, 600);
    uint32_t b = add(&line, &two);
    two = writer_of(TL_SIDE_AI, 1, SID1);
    piece_of(&two, 12, 1000, 0, 400); /* read again after a restart, cut elsewhere */
    piece_of(&two, 14, 1000, 0, 600);
    (void)add(&line, &two);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 1000), {TL_SPAN_SOUND, 1000, 400, a, 0},
          {TL_SPAN_SOUND, 1400, 200, b, 0});
    assert_int_equal(tl_timeline_stats(line.t).repeated, 400 * MS);
    end(&line);
}

/* ---- cuts ---- */

static struct tl_utterance words(enum tl_speaker speaker, int64_t start_ms, int64_t end_ms,
                                 struct tl_redacted_entity *entity)
{
    return (struct tl_utterance){.speaker = speaker,
                                 .turn = 2,
                                 .start_ms = start_ms,
                                 .end_ms = end_ms,
                                 .entities = entity,
                                 .entities_n = 1};
}

static void redacted_words_are_silent_with_a_margin(void **state)
{
    struct line line = line_of(1);
    struct tl_redacted_entity card = {.start_ms = {true, 400}, .end_ms = {true, 600}};
    struct tl_utterance u = words(TL_SPEAKER_CUSTOMER, 200, 900, &card);
    struct tl_error err;

    (void)state;
    uint32_t s = say(&line, 1, SID1, 0, 0, 0, 50);
    assert_int_equal(tl_timeline_redact(line.t, &u, &err), TL_OK);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 300, s, 0}, SILENCE(TL_SPAN_REDACTED, 300, 400),
          {TL_SPAN_SOUND, 700, 300, s, 5600});
    end(&line);
}

static void widened_words_reach_to_the_ends_of_their_utterance(void **state)
{
    struct line line = line_of(0);
    struct tl_redacted_entity card = {.start_ms = {true, 400}, .end_ms = {true, 600}};
    struct tl_redacted_entity keyed = {.type = "DIGITS"}; /* without times */
    struct tl_utterance u = words(TL_SPEAKER_CUSTOMER, 200, 900, &card);
    struct tl_utterance v = words(TL_SPEAKER_CUSTOMER, 1500, 1600, &keyed);
    struct tl_timeline_options options = {.call_id = call_id,
                                          .call_started_at = BEGAN,
                                          .redact_margin_ms = 50,
                                          .redact_widen_pct = 100};
    const struct tl_timeline_claim claim = {.claim = {.number = 1, .offset = 100},
                                            .until_at = INT64_MAX};
    struct tl_error err;

    (void)state;
    end(&line);
    line.t = tl_timeline_create(&options);
    assert_int_equal(tl_timeline_add_claim(line.t, &claim, &err), TL_OK);
    uint32_t s = say(&line, 1, SID1, 0, 0, 0, 100);
    assert_int_equal(tl_timeline_redact(line.t, &u, &err), TL_OK);
    assert_int_equal(tl_timeline_redact(line.t, &v, &err), TL_OK);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 150, s, 0}, SILENCE(TL_SPAN_REDACTED, 150, 800),
          {TL_SPAN_SOUND, 950, 500, s, 7600}, SILENCE(TL_SPAN_REDACTED, 1450, 200),
          {TL_SPAN_SOUND, 1650, 350, s, 13200});
    end(&line);
}

/* The conversation may have placed the stream by a frame that was delayed. */
static void redaction_reaches_as_far_as_frames_were_late(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer w = writer_of(TL_SIDE_CALLER, 1, SID1);
    struct tl_redacted_entity card = {.start_ms = {true, 400}, .end_ms = {true, 600}};
    struct tl_utterance u = words(TL_SPEAKER_CUSTOMER, 200, 900, &card);
    struct tl_error err;

    (void)state;
    assert_int_equal(
        tl_segment_writer_frame(&w, 0, 0, BEGAN + 90, (struct tl_bytes){sound, 160}, &err), TL_OK);
    frames(&w, 1, 20, 0, 49);
    uint32_t s = add(&line, &w);
    assert_int_equal(tl_timeline_redact(line.t, &u, &err), TL_OK);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 210, s, 0}, SILENCE(TL_SPAN_REDACTED, 210, 490),
          {TL_SPAN_SOUND, 700, 300, s, 5600});
    end(&line);
}

static void the_ai_is_silent_where_it_says_the_words_whenever_they_are_heard(void **state)
{
    struct line line = line_of(1);
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI, 1, SID1);
    struct tl_segment_writer caller = writer_of(TL_SIDE_CALLER, 1, SID1);
    struct tl_redacted_entity card = {.start_ms = {true, 1310}, .end_ms = {true, 1390}};
    struct tl_utterance u = words(TL_SPEAKER_AI, 1000, 1600, &card);
    struct tl_error err;

    (void)state;
    for (int i = 0; i < 4; i++)
        piece_of(&ai, 10 + 2 * i, 1000, 0, 200 * (i + 1));
    uint32_t s = add(&line, &ai);
    frames(&caller, 0, 0, 0, 200);
    mark(&caller, 200, 4000, "2.0.200"); /* heard from 3.8 s on */
    frames(&caller, 201, 4000, 0, 10);
    mark(&caller, 211, 4200, "2.0.400");
    frames(&caller, 212, 4200, 0, 10);
    mark(&caller, 222, 4400, "2.0.600");
    frames(&caller, 223, 4400, 0, 20);
    (void)add(&line, &caller);
    assert_int_equal(tl_timeline_redact(line.t, &u, &err), TL_OK);
    build(&line, 0);
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 3800), {TL_SPAN_SOUND, 3800, 200, s, 0},
          SILENCE(TL_SPAN_REDACTED, 4000, 400), {TL_SPAN_SOUND, 4400, 200, s, 4800},
          SILENCE(TL_SPAN_QUIET, 4600, 200));
    end(&line);
}

static void a_pause_silences_sound_and_leaves_gaps_named(void **state)
{
    struct line line = line_of(1);

    (void)state;
    uint32_t a = say(&line, 1, SID1, 0, 0, 0, 10);
    uint32_t b = say(&line, 1, SID1, 20, 400, 0, 10);
    cut(&line, TL_SIDE_CALLER, TL_SPAN_PAUSED, 100, 500);
    build(&line, 0);
    CHECK(line, TL_SIDE_CALLER, {TL_SPAN_SOUND, 0, 100, a, 0}, SILENCE(TL_SPAN_PAUSED, 100, 100),
          SILENCE(TL_SPAN_LOST, 200, 200), SILENCE(TL_SPAN_PAUSED, 400, 100),
          {TL_SPAN_SOUND, 500, 100, b, 800});
    end(&line);
}

static void a_segment_of_another_call_is_refused(void **state)
{
    struct line line = line_of(1);
    struct tl_segment s = {.id = {.side = TL_SIDE_CALLER}};
    struct tl_error err;

    (void)state;
    assert_int_equal(tl_timeline_add_segment(line.t, 0, &s, &err), TL_INVALID);
    end(&line);
}

static void a_call_without_sound_is_silence_of_its_length(void **state)
{
    struct line line = line_of(0);

    (void)state;
    build(&line, 700);
    CHECK(line, TL_SIDE_CALLER, SILENCE(TL_SPAN_NO_STREAM, 0, 700));
    CHECK(line, TL_SIDE_AI, SILENCE(TL_SPAN_QUIET, 0, 700));
    end(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_stands_where_its_least_delayed_frame_says),
        cmocka_unit_test(all_runs_of_a_stream_are_asked),
        cmocka_unit_test(a_lost_frame_is_silence_of_its_length),
        cmocka_unit_test(segments_may_come_in_any_order_and_twice),
        cmocka_unit_test(a_stream_claimed_anew_repeats_nothing),
        cmocka_unit_test(between_two_streams_is_a_named_gap),
        cmocka_unit_test(of_two_streams_at_once_the_higher_attachment_counts),
        cmocka_unit_test(attachments_that_do_not_count_are_not_heard),
        cmocka_unit_test(timestamps_that_wander_move_no_sound),
        cmocka_unit_test(sound_before_the_call_is_cut_off),
        cmocka_unit_test(pieces_play_one_after_the_other_from_when_they_were_sent),
        cmocka_unit_test(a_mark_that_came_late_says_when_it_was_heard),
        cmocka_unit_test(marks_that_wander_tear_no_sound),
        cmocka_unit_test(a_clear_drops_what_was_not_played),
        cmocka_unit_test(marks_that_a_clear_sent_back_say_nothing),
        cmocka_unit_test(a_mark_may_stand_in_the_next_segment),
        cmocka_unit_test(what_was_sent_into_a_broken_stream_ends_with_it),
        cmocka_unit_test(sound_without_a_mark_on_a_line_that_goes_on_was_not_heard),
        cmocka_unit_test(marks_that_could_not_be_read_say_nothing),
        cmocka_unit_test(a_stream_whose_end_expired_goes_on_for_that_long),
        cmocka_unit_test(a_piece_that_is_missing_is_told_by_the_marks),
        cmocka_unit_test(a_holder_that_lost_the_claim_is_not_heard),
        cmocka_unit_test(overlapping_segments_of_the_ai_count_once),
        cmocka_unit_test(redacted_words_are_silent_with_a_margin),
        cmocka_unit_test(widened_words_reach_to_the_ends_of_their_utterance),
        cmocka_unit_test(redaction_reaches_as_far_as_frames_were_late),
        cmocka_unit_test(the_ai_is_silent_where_it_says_the_words_whenever_they_are_heard),
        cmocka_unit_test(a_pause_silences_sound_and_leaves_gaps_named),
        cmocka_unit_test(a_segment_of_another_call_is_refused),
        cmocka_unit_test(a_call_without_sound_is_silence_of_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
