/* A call as a WAV: sinks/recordings/wav.h (CALL-11). It is read back by a reader of its own. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/recordings/wav.h"

#define BEGAN 1700000000000
#define SID "MZ00000000000000000000000000000001"

static const struct tl_uuid call_id = {{7}};

/* Sound that tells where it is from. */
static uint8_t sample_of(uint32_t segment, uint32_t offset)
{
    return (uint8_t)(segment * 31 + offset * 7 + offset / 251);
}

struct file {
    struct tl_buf bytes;
    size_t longest_write;
    uint64_t count;
    int reads_left; /* then the reader fails; -1: never */
    bool keeps;
};

static enum tl_status read_sound(void *arg, uint32_t segment, uint32_t offset, uint32_t len,
                                 uint8_t *ret_data, struct tl_error *err)
{
    struct file *file = arg;

    assert_in_range(len, 1, TL_WAV_BUFFER);
    if (file->reads_left == 0)
        return tl_fail(err, TL_RETRY, "the store is away");
    if (file->reads_left > 0)
        file->reads_left--;
    for (uint32_t i = 0; i < len; i++)
        ret_data[i] = sample_of(segment, offset + i);
    return TL_OK;
}

static enum tl_status write_file(void *arg, const void *data, size_t len, struct tl_error *err)
{
    struct file *file = arg;

    (void)err;
    file->count += len;
    if (len > file->longest_write)
        file->longest_write = len;
    if (file->keeps)
        tl_buf_add(&file->bytes, data, len);
    return TL_OK;
}

static struct tl_timeline *line_create(void)
{
    const struct tl_timeline_options options = {.call_id = call_id, .call_started_at = BEGAN};
    const struct tl_timeline_claim claim = {.claim = {.number = 1, .offset = 5, .session = 1},
                                            .until_at = INT64_MAX};
    struct tl_timeline *t = tl_timeline_create(&options);
    struct tl_error err;

    assert_int_equal(tl_timeline_add_claim(t, &claim, &err), TL_OK);
    return t;
}

static struct tl_segment_writer writer_of(enum tl_sound_side side)
{
    const struct tl_segment_id id = {
        .side = side,
        .call_id = call_id,
        .leg = "caller",
        .stream_sid = SID,
        .claim = {.number = 1, .offset = 5, .session = side == TL_SIDE_AI ? 1 : 0}};
    struct tl_segment_writer w;

    tl_segment_writer_init(&w, &id);
    return w;
}

static void add(struct tl_timeline *t, uint32_t number, struct tl_segment_writer *w)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf buf;
    struct tl_segment s;
    struct tl_error err;

    tl_buf_init(&buf, 2u << 20);
    if (tl_segment_writer_encode(w, &buf, &err) != TL_OK ||
        tl_segment_decode((struct tl_bytes){buf.data, buf.len}, &s, &err) != TL_OK ||
        tl_timeline_add_segment(t, number, &s, &err) != TL_OK)
        fail_msg("%s", err.msg);
    tl_segment_writer_reset(w);
}

static const uint8_t sound[1600];

/* Caller: 1.1 s, a gap of 0.9 s, 1 s. AI: a piece of 203 samples at 500 ms. One card is silenced.
 */
static struct tl_timeline *short_call(void)
{
    struct tl_timeline *t = line_create();
    struct tl_segment_writer ai = writer_of(TL_SIDE_AI), caller = writer_of(TL_SIDE_CALLER);
    struct tl_error err;

    assert_int_equal(
        tl_segment_writer_piece(&ai, 1, BEGAN + 500, (struct tl_bytes){sound, 203}, &err), TL_OK);
    add(t, 0, &ai);
    for (int n = 0; n < 150; n++)
        if (n < 55 || n >= 100)
            assert_int_equal(tl_segment_writer_frame(&caller, n, n * 20, BEGAN + n * 20,
                                                     (struct tl_bytes){sound, 160}, &err),
                             TL_OK);
    add(t, 1, &caller);
    assert_int_equal(tl_timeline_add_cut(t, TL_SIDE_CALLER, TL_SPAN_REDACTED, 2500, 2600, &err),
                     TL_OK);
    assert_int_equal(tl_timeline_build(t, 0, &err), TL_OK);
    tl_segment_writer_finish(&ai);
    tl_segment_writer_finish(&caller);
    return t;
}

static enum tl_status write_wav(const struct tl_timeline *t, enum tl_wav_format format,
                                struct file *file, struct tl_error *err)
{
    const struct tl_wav_options options = {format, read_sound, write_file, file};

    return tl_wav_write(t, &options, err);
}

static struct file written(const struct tl_timeline *t, enum tl_wav_format format)
{
    struct file file = {.reads_left = -1, .keeps = true};
    struct tl_error err;

    tl_buf_init(&file.bytes, 1u << 20);
    if (write_wav(t, format, &file, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return file;
}

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t u16(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

/* The chunk's body; fails when there is none, or when the file is not made of chunks to its end. */
static const uint8_t *chunk_of(const struct file *file, const char *id, uint32_t *ret_len)
{
    const uint8_t *p = file->bytes.data, *found = NULL, *end = p + file->bytes.len;

    assert_memory_equal(p, "RIFF", 4);
    assert_int_equal(u32(p + 4), file->bytes.len - 8);
    assert_memory_equal(p + 8, "WAVE", 4);
    for (p += 12; p < end; p += 8 + u32(p + 4)) {
        assert_true(end - p >= 8);
        assert_int_equal(u32(p + 4) % 2, 0);
        if (memcmp(p, id, 4) == 0) {
            found = p + 8;
            *ret_len = u32(p + 4);
        }
    }
    assert_ptr_equal(p, end);
    return found;
}

/* What must be heard at a sample of the short call. */
static uint8_t left_at(int i)
{
    int frame = i / 160;

    if (frame >= 55 && frame < 100)
        return 0xff;
    if (i >= 20000 && i < 20800)
        return 0xff;
    return sample_of(1, (uint32_t)(frame < 55 ? i : i - 45 * 160));
}

static uint8_t right_at(int i)
{
    return i >= 4000 && i < 4203 ? sample_of(0, (uint32_t)(i - 4000)) : 0xff;
}

static void mulaw_is_read_back_byte_by_byte(void **state)
{
    struct tl_timeline *t = short_call();
    struct file file = written(t, TL_WAV_MULAW);
    uint32_t len;

    (void)state;
    assert_int_equal(file.count, tl_wav_bytes(t, TL_WAV_MULAW));
    const uint8_t *fmt = chunk_of(&file, "fmt ", &len);
    assert_int_equal(len, 18);
    assert_int_equal(u16(fmt), 7);
    assert_int_equal(u16(fmt + 2), 2);
    assert_int_equal(u32(fmt + 4), 8000);
    assert_int_equal(u32(fmt + 8), 16000);
    assert_int_equal(u16(fmt + 12), 2);
    assert_int_equal(u16(fmt + 14), 8);
    assert_int_equal(u16(fmt + 16), 0);
    assert_int_equal(u32(chunk_of(&file, "fact", &len)), 24000);
    const uint8_t *data = chunk_of(&file, "data", &len);
    assert_int_equal(len, 48000);
    for (int i = 0; i < 24000; i++)
        if (data[2 * i] != left_at(i) || data[2 * i + 1] != right_at(i))
            fail_msg("sample %d: %d %d", i, data[2 * i], data[2 * i + 1]);
    tl_buf_finish(&file.bytes);
    tl_timeline_destroy(t);
}

/* G.711, written down another way: the midpoints of its segments. */
static int linear_of(uint8_t mulaw)
{
    static const int step[] = {8, 16, 32, 64, 128, 256, 512, 1024};
    int segment = 7 - (mulaw >> 4 & 7), place = 15 - (mulaw & 15), value = 0;

    for (int i = 0; i < segment; i++)
        value += 16 * step[i];
    value += segment ? step[segment] / 2 - 4 + place * step[segment] + 0 : place * step[0];
    return mulaw & 0x80 ? value : -value;
}

static void pcm_is_the_same_sound(void **state)
{
    struct tl_timeline *t = short_call();
    struct file file = written(t, TL_WAV_PCM);
    uint32_t len;

    (void)state;
    assert_int_equal(linear_of(0xff), 0); /* known values of G.711 */
    assert_int_equal(linear_of(0x80), 32124);
    assert_int_equal(linear_of(0x00), -32124);
    assert_int_equal(linear_of(0xef), 132);
    const uint8_t *fmt = chunk_of(&file, "fmt ", &len);
    assert_int_equal(len, 16);
    assert_int_equal(u16(fmt), 1);
    assert_int_equal(u32(fmt + 8), 32000);
    assert_int_equal(u16(fmt + 12), 4);
    assert_int_equal(u16(fmt + 14), 16);
    assert_null(chunk_of(&file, "fact", &len));
    const uint8_t *data = chunk_of(&file, "data", &len);
    assert_int_equal(len, 96000);
    for (int i = 0; i < 24000; i++) {
        int left = (int16_t)u16(data + (size_t)4 * (size_t)i);
        int right = (int16_t)u16(data + (size_t)4 * (size_t)i + 2);
        if (left != linear_of(left_at(i)) || right != linear_of(right_at(i)))
            fail_msg("sample %d: %d %d", i, left, right);
    }
    tl_buf_finish(&file.bytes);
    tl_timeline_destroy(t);
}

static void gaps_are_named_by_cues(void **state)
{
    struct tl_timeline *t = short_call();
    struct file file = written(t, TL_WAV_MULAW);
    static const struct {
        uint32_t from, len;
        const char *name;
    } gaps[] = {{8800, 7200, "caller lost"}, {20000, 800, "caller redacted"}};
    uint32_t cues, list;

    (void)state;
    const uint8_t *cue = chunk_of(&file, "cue ", &cues), *adtl = chunk_of(&file, "LIST", &list);
    assert_int_equal(cues, 4 + 2 * 24);
    assert_int_equal(u32(cue), 2);
    assert_memory_equal(adtl, "adtl", 4);
    adtl += 4;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(u32(cue + 4 + (size_t)24 * i), i + 1);
        assert_memory_equal(cue + 12 + (size_t)24 * i, "data", 4);
        assert_int_equal(u32(cue + 24 + (size_t)24 * i), gaps[i].from);
        assert_memory_equal(adtl, "labl", 4);
        assert_int_equal(u32(adtl + 8), i + 1);
        assert_string_equal((const char *)adtl + 12, gaps[i].name);
        adtl += 8 + u32(adtl + 4);
        assert_memory_equal(adtl, "ltxt", 4);
        assert_int_equal(u32(adtl + 8), i + 1);
        assert_int_equal(u32(adtl + 12), gaps[i].len);
        adtl += 8 + u32(adtl + 4);
    }
    tl_buf_finish(&file.bytes);
    tl_timeline_destroy(t);
}

static void a_reader_that_fails_ends_it_with_its_words(void **state)
{
    struct tl_timeline *t = short_call();
    struct file file = {.reads_left = 2};
    struct tl_error err;

    (void)state;
    assert_int_equal(write_wav(t, TL_WAV_MULAW, &file, &err), TL_RETRY);
    assert_string_equal(err.msg, "the store is away");
    assert_true(file.count < tl_wav_bytes(t, TL_WAV_MULAW));
    tl_timeline_destroy(t);
}

static void a_call_without_sound_is_a_file(void **state)
{
    struct tl_timeline *t = line_create();
    struct tl_error err;
    uint32_t len;

    (void)state;
    assert_int_equal(tl_timeline_build(t, 0, &err), TL_OK);
    struct file file = written(t, TL_WAV_MULAW);
    assert_non_null(chunk_of(&file, "data", &len));
    assert_int_equal(len, 0);
    assert_null(chunk_of(&file, "cue ", &len));
    tl_buf_finish(&file.bytes);
    tl_timeline_destroy(t);
}

static void more_than_a_wav_holds_is_refused(void **state)
{
    struct tl_timeline *t = line_create();
    struct file file = {.reads_left = -1};
    struct tl_error err;

    (void)state;
    assert_int_equal(tl_timeline_build(t, BEGAN + 76LL * 3600 * 1000, &err), TL_OK);
    assert_int_equal(write_wav(t, TL_WAV_MULAW, &file, &err), TL_INVALID);
    assert_int_equal(file.count, 0);
    tl_timeline_destroy(t);
}

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                   : info.uordblks + info.hblkhd;
}

/* Both speak for an hour without a breath, in pieces of 200 ms with a mark each: the most there is.
 */
static void an_hour_stays_below_two_mebibytes(void **state)
{
    size_t before = heap_bytes(), most = 0;
    struct tl_timeline *t = line_create();
    struct tl_segment_writer w = writer_of(TL_SIDE_AI);
    struct tl_error err;
    char name[32];

    (void)state;
    for (int i = 0; i < 18000; i++) {
        (void)snprintf(name, sizeof(name), "1.0.%d", 200 * (i + 1));
        assert_int_equal(tl_segment_writer_piece(&w, 2 * i, BEGAN + 200LL * i,
                                                 (struct tl_bytes){sound, 1600}, &err),
                         TL_OK);
        assert_int_equal(tl_segment_writer_mark(&w, 2 * i + 1, BEGAN + 200LL * i, name, &err),
                         TL_OK);
        if (i % 300 == 299)
            add(t, (uint32_t)i / 300, &w);
    }
    tl_segment_writer_finish(&w);
    w = writer_of(TL_SIDE_CALLER);
    for (int i = 0, n = 0; i < 180000; i++) {
        assert_int_equal(tl_segment_writer_frame(&w, n++, 20LL * i, BEGAN + 20LL * i,
                                                 (struct tl_bytes){sound, 160}, &err),
                         TL_OK);
        (void)snprintf(name, sizeof(name), "1.0.%d", 20 * (i + 1));
        if (i % 10 == 9)
            assert_int_equal(tl_segment_writer_mark(&w, n++, BEGAN + 20LL * i, name, &err), TL_OK);
        if (i % 3000 == 2999)
            add(t, 100 + (uint32_t)i / 3000, &w);
    }
    tl_segment_writer_finish(&w);
    assert_int_equal(tl_timeline_build(t, 0, &err), TL_OK);
    most = heap_bytes() - before;
    struct file file = {.reads_left = -1};
    assert_int_equal(write_wav(t, TL_WAV_MULAW, &file, &err), TL_OK);
    assert_int_equal(file.count, tl_wav_bytes(t, TL_WAV_MULAW));
    assert_in_range(file.count, 57600000, 57610000);
    assert_true(tl_timeline_bytes(t) <= most);
    assert_in_range(most + sizeof(struct file) + file.longest_write, 1, 1500000);
    tl_timeline_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mulaw_is_read_back_byte_by_byte),
        cmocka_unit_test(pcm_is_the_same_sound),
        cmocka_unit_test(gaps_are_named_by_cues),
        cmocka_unit_test(a_reader_that_fails_ends_it_with_its_words),
        cmocka_unit_test(a_call_without_sound_is_a_file),
        cmocka_unit_test(more_than_a_wav_holds_is_refused),
        cmocka_unit_test(an_hour_stays_below_two_mebibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
