/* Stored segments: sinks/recordings/segment.h (CALL-11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/recordings/segment.h"

static const struct tl_segment_id caller = {.side = TL_SIDE_CALLER,
                                            .call_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
                                            .leg = "caller",
                                            .stream_sid = "MZ00000000000000000000000000000001",
                                            .claim = {.number = 2, .offset = 77},
                                            .mailbox = 5};

static struct tl_bytes frame_of(uint8_t value)
{
    static uint8_t frame[160];

    memset(frame, value, sizeof(frame));
    return (struct tl_bytes){frame, sizeof(frame)};
}

static void add_frame(struct tl_segment_writer *w, int64_t n, int64_t timestamp_ms, int64_t at_ms)
{
    struct tl_error err;

    if (tl_segment_writer_frame(w, n, timestamp_ms, at_ms, frame_of((uint8_t)n), &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static struct tl_segment_writer begin(const struct tl_segment_id *id)
{
    struct tl_segment_writer w;

    tl_segment_writer_init(&w, id);
    return w;
}

static struct tl_buf encode(struct tl_segment_writer *w)
{
    struct tl_buf out;
    struct tl_error err;

    tl_buf_init(&out, 2u << 20);
    if (tl_segment_writer_encode(w, &out, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_segment_writer_finish(w);
    return out;
}

static struct tl_segment decode(const struct tl_buf *buf)
{
    struct tl_segment s;
    struct tl_error err;

    if (tl_segment_decode((struct tl_bytes){buf->data, buf->len}, &s, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return s;
}

static void frames_become_one_run_across_marks(void **state)
{
    struct tl_segment_writer w = begin(&caller);
    struct tl_segment_cursor cursor = {0};
    struct tl_segment_entry e;
    struct tl_error err;

    (void)state;
    add_frame(&w, 10, 1000, 50007);
    add_frame(&w, 11, 1021, 50021); /* timestamps wander */
    assert_int_equal(tl_segment_writer_mark(&w, 12, 50030, "3.0.200", &err), TL_OK);
    add_frame(&w, 13, 1040, 50090);
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = encode(&w);
    struct tl_segment s = decode(&buf);

    assert_int_equal(s.entries_n, 2);
    assert_int_equal(s.sound_bytes, 480);
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.kind, TL_SEGMENT_SOUND);
    assert_int_equal(e.n, 10);
    assert_int_equal(e.n_last, 13);
    assert_int_equal(e.timestamp_ms, 1000);
    assert_int_equal(e.at_ms, 50000); /* as if delayed like frame 11 */
    assert_int_equal(e.late_ms, 50);  /* frame 13 */
    assert_int_equal(e.len, 480);
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.kind, TL_SEGMENT_MARK);
    assert_string_equal(e.text, "3.0.200");
    assert_int_equal(e.timestamp_ms, 1041); /* the end of frame 11, before it */
    assert_false(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(buf.data[s.head_bytes], 10);
    assert_int_equal(buf.data[s.head_bytes + 479], 13);
}

static void a_lost_frame_begins_another_run(void **state)
{
    struct tl_segment_writer w = begin(&caller);

    (void)state;
    add_frame(&w, 1, 0, 100);
    add_frame(&w, 2, 40, 140); /* 20 ms are missing */
    add_frame(&w, 2, 60, 160); /* does not go up: comes twice */
    add_frame(&w, 3, 55, 155); /* back by more than timestamps wander */
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = encode(&w);
    assert_int_equal(decode(&buf).entries_n, 4);
}

static void everything_is_read_as_it_was_written(void **state)
{
    struct tl_segment_id ai = caller;
    struct tl_segment_cursor cursor = {0};
    struct tl_segment_entry e;
    struct tl_error err;

    (void)state;
    ai.side = TL_SIDE_AI;
    ai.claim.session = 4;
    struct tl_segment_writer w = begin(&ai);
    assert_int_equal(tl_segment_writer_piece(&w, tl_segment_n_of(9, 1), 70000, frame_of(7), &err),
                     TL_OK);
    assert_int_equal(tl_segment_writer_mark(&w, tl_segment_n_of(9, 2), 70000, "1.0.20", &err),
                     TL_OK);
    assert_int_equal(tl_segment_writer_clear(&w, tl_segment_n_of(10, 0), 70010, &err), TL_OK);
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = encode(&w);
    struct tl_segment s = decode(&buf);

    assert_int_equal(s.id.side, TL_SIDE_AI);
    assert_memory_equal(&s.id.call_id, &ai.call_id, 16);
    assert_string_equal(s.id.leg, "caller");
    assert_string_equal(s.id.stream_sid, ai.stream_sid);
    assert_int_equal(s.id.claim.number, 2);
    assert_int_equal(s.id.claim.offset, 77);
    assert_int_equal(s.id.claim.session, 4);
    assert_int_equal(s.id.mailbox, 5);
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.n, 9 * 65536 + 1);
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.timestamp_ms, -1);
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.kind, TL_SEGMENT_CLEAR);
    assert_int_equal(e.at_ms, 70010);
}

static void a_full_segment_says_so_and_goes_on_behind_a_reset(void **state)
{
    struct tl_segment_writer w = begin(&caller);
    struct tl_error err;
    int64_t n = 0;

    (void)state;
    for (; n < 3000; n++)
        add_frame(&w, n, n * 20, 5000 + n * 20);
    assert_int_equal(tl_segment_writer_frame(&w, n, n * 20, 5000, frame_of(1), &err), TL_RETRY);
    tl_segment_writer_reset(&w);
    assert_true(tl_segment_writer_is_empty(&w));
    assert_int_equal(tl_segment_writer_mark(&w, n, 65000, "1.0.2", &err), TL_OK);
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = encode(&w);
    struct tl_segment s = decode(&buf);
    struct tl_segment_cursor cursor = {0};
    struct tl_segment_entry e;
    assert_true(tl_segment_next(&s, &cursor, &e));
    assert_int_equal(e.timestamp_ms, 60000); /* knows where the stream was */
}

static void entries_are_bounded(void **state)
{
    struct tl_segment_writer w = begin(&caller);
    char name[80];
    struct tl_error err;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[TL_SEGMENT_TEXT_MAX + 1] = '\0';
    assert_int_equal(tl_segment_writer_mark(&w, 1, 1, name, &err), TL_INVALID);
    assert_int_equal(tl_segment_writer_frame(&w, 1, 1, 1, (struct tl_bytes){0}, &err), TL_INVALID);
    name[TL_SEGMENT_TEXT_MAX] = '\0';
    for (unsigned i = 0; i < TL_SEGMENT_ENTRIES_MAX; i++)
        assert_int_equal(tl_segment_writer_mark(&w, i, 1, name, &err), TL_OK);
    assert_int_equal(tl_segment_writer_mark(&w, 1, 1, "1", &err), TL_RETRY);
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = encode(&w);
    assert_int_equal(decode(&buf).entries_n, TL_SEGMENT_ENTRIES_MAX); /* the longest head is one */
}

static struct tl_buf three_seconds(void)
{
    struct tl_segment_writer w = begin(&caller);
    struct tl_error err;

    for (int64_t n = 0; n < 130; n++) /* 2.6 s: two blocks and a rest */
        add_frame(&w, n, n * 20, 9000 + n * 20);
    assert_int_equal(tl_segment_writer_mark(&w, 130, 12000, "1.0.2600", &err), TL_OK);
    return encode(&w);
}

static void each_damaged_byte_is_refused(void **state)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = three_seconds();
    struct tl_segment s;
    struct tl_error err;

    (void)state;
    for (size_t i = 0; i < buf.len; i += i < 400 ? 1 : 97) {
        buf.data[i] ^= 0x10;
        err.msg[0] = '\0';
        assert_int_equal(tl_segment_decode((struct tl_bytes){buf.data, buf.len}, &s, &err),
                         TL_INVALID);
        assert_true(err.msg[0]);
        buf.data[i] ^= 0x10;
    }
    (void)decode(&buf);
}

static void each_shorter_or_longer_one_is_refused(void **state)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = three_seconds();
    struct tl_segment s;
    struct tl_error err;

    (void)state;
    for (size_t n = 0; n < buf.len; n += n < 400 ? 1 : 211) {
        uint8_t *cut = malloc(n ? n : 1); /* as long as it is, so that ASan sees a read behind it */
        assert_non_null(cut);
        memcpy(cut, buf.data, n);
        assert_int_equal(tl_segment_decode((struct tl_bytes){cut, n}, &s, &err), TL_INVALID);
        free(cut);
    }
    tl_buf_add_char(&buf, 'x');
    assert_int_equal(tl_segment_decode((struct tl_bytes){buf.data, buf.len}, &s, &err), TL_INVALID);
}

static void another_version_is_named(void **state)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = three_seconds();
    struct tl_segment s;
    struct tl_error err;

    (void)state;
    buf.data[4] = 9;
    assert_int_equal(tl_segment_decode_head((struct tl_bytes){buf.data, buf.len}, &s, &err),
                     TL_INVALID);
    assert_non_null(strstr(err.msg, "version 9"));
}

static void sound_is_checked_by_whole_blocks(void **state)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf = three_seconds();
    struct tl_segment s;
    struct tl_error err;
    uint32_t head;

    (void)state;
    assert_int_equal(
        tl_segment_head_bytes((struct tl_bytes){buf.data, TL_SEGMENT_FIXED}, &head, &err), TL_OK);
    assert_int_equal(tl_segment_decode_head((struct tl_bytes){buf.data, head}, &s, &err), TL_OK);
    const uint8_t *sound = buf.data + head;
    assert_int_equal(tl_segment_check(&s, 8000, (struct tl_bytes){sound + 8000, 8000}, &err),
                     TL_OK);
    assert_int_equal(tl_segment_check(&s, 16000, (struct tl_bytes){sound + 16000, 4800}, &err),
                     TL_OK);
    assert_int_equal(tl_segment_check(&s, 8000, (struct tl_bytes){sound, 8000}, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "damaged at byte 8000"));
    assert_int_equal(tl_segment_check(&s, 160, (struct tl_bytes){sound + 160, 8000}, &err),
                     TL_INVALID);
    assert_non_null(strstr(err.msg, "no blocks"));
    assert_int_equal(tl_segment_check(&s, 8000, (struct tl_bytes){sound + 8000, 160}, &err),
                     TL_INVALID);
    assert_int_equal(tl_segment_check(&s, 16000, (struct tl_bytes){sound, 8000}, &err), TL_INVALID);
}

static void names_sort_by_attachment_and_place(void **state)
{
    char a[TL_SEGMENT_NAME_SIZE], b[TL_SEGMENT_NAME_SIZE];
    struct tl_segment_id later = caller;

    (void)state;
    tl_segment_name(&caller, 999, a);
    assert_string_equal(a, "01020304-0506-0708-090a-0b0c00000000/caller/"
                           "caller-000002-0000000000000000077-0-5-0000000000000000999");
    tl_segment_name(&caller, 1000, b);
    assert_true(strcmp(a, b) < 0);
    later.claim.number = 10;
    tl_segment_name(&later, 0, a);
    assert_true(strcmp(b, a) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_become_one_run_across_marks),
        cmocka_unit_test(a_lost_frame_begins_another_run),
        cmocka_unit_test(everything_is_read_as_it_was_written),
        cmocka_unit_test(a_full_segment_says_so_and_goes_on_behind_a_reset),
        cmocka_unit_test(entries_are_bounded),
        cmocka_unit_test(each_damaged_byte_is_refused),
        cmocka_unit_test(each_shorter_or_longer_one_is_refused),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(sound_is_checked_by_whole_blocks),
        cmocka_unit_test(names_sort_by_attachment_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
