/* Stored sound: see segment.h. Many small frames become few entries, so that the head of an hour's
 * call can be held whole while its sound is read piece by piece. */
#include "sinks/recordings/segment.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define VERSION 1
#define LEG_AT TL_SEGMENT_FIXED

static const char magic[4] = {'T', 'L', 'S', 'G'};

const char *tl_sound_side_name(enum tl_sound_side side)
{
    return side == TL_SIDE_CALLER ? "caller" : "ai";
}

static uint32_t crc_of(const void *data, size_t n)
{
    return (uint32_t)crc32(0, data, (uInt)n); /* segments are far below 4 GiB */
}

/* ---- writing ---- */

void tl_segment_writer_init(struct tl_segment_writer *w, const struct tl_segment_id *id)
{
    *w = (struct tl_segment_writer){.id = *id, .end_timestamp_ms = -1};
    tl_buf_init(&w->entries, TL_SEGMENT_ENTRIES_MAX * sizeof(struct tl_segment_entry));
    tl_buf_init(&w->sound, TL_SEGMENT_SOUND_MAX);
}

void tl_segment_writer_finish(struct tl_segment_writer *w)
{
    tl_buf_finish(&w->entries);
    tl_buf_finish(&w->sound);
}

void tl_segment_writer_reset(struct tl_segment_writer *w)
{
    tl_buf_reset(&w->entries);
    tl_buf_reset(&w->sound);
}

bool tl_segment_writer_is_empty(const struct tl_segment_writer *w)
{
    return w->entries.len == 0;
}

static size_t entries_n(const struct tl_segment_writer *w)
{
    return w->entries.len / sizeof(struct tl_segment_entry);
}

static struct tl_segment_entry *newest(const struct tl_segment_writer *w, size_t back)
{
    size_t n = entries_n(w);

    return n > back ? (struct tl_segment_entry *)w->entries.data + (n - 1 - back) : NULL;
}

static enum tl_status add_entry(struct tl_segment_writer *w, const struct tl_segment_entry *entry,
                                struct tl_bytes sound, struct tl_error *err)
{
    struct tl_segment_entry e = *entry;

    if (sound.len > TL_SEGMENT_SOUND_MAX || (entry->kind == TL_SEGMENT_SOUND && !sound.len))
        return tl_fail(err, TL_INVALID, "%zu bytes of sound", sound.len);
    if (entries_n(w) == TL_SEGMENT_ENTRIES_MAX || w->sound.len + sound.len > TL_SEGMENT_SOUND_MAX)
        return tl_fail(err, TL_RETRY, "the segment is full");
    e.sound = (uint32_t)w->sound.len;
    e.len = (uint32_t)sound.len;
    tl_buf_add(&w->entries, &e, sizeof(e));
    tl_buf_add(&w->sound, sound.data, sound.len);
    return TL_OK;
}

/* The run that the frame goes on with: what stands between them are marks alone. */
static struct tl_segment_entry *run_of(const struct tl_segment_writer *w, int64_t n,
                                       int64_t timestamp_ms)
{
    struct tl_segment_entry *e = NULL;
    size_t back = 0;

    while ((e = newest(w, back)) && e->kind != TL_SEGMENT_SOUND)
        back++;
    if (!e || n <= e->n_last || n - e->n > UINT32_MAX)
        return NULL;
    int64_t drift = timestamp_ms - (e->timestamp_ms + e->len / 8);
    return drift > -TL_SEGMENT_FRAME_MS && drift < TL_SEGMENT_FRAME_MS ? e : NULL;
}

enum tl_status tl_segment_writer_frame(struct tl_segment_writer *w, int64_t n, int64_t timestamp_ms,
                                       int64_t at_ms, struct tl_bytes sound, struct tl_error *err)
{
    struct tl_segment_entry *run = run_of(w, n, timestamp_ms);
    enum tl_status st = TL_OK;

    if (run && sound.len && w->sound.len + sound.len <= TL_SEGMENT_SOUND_MAX) {
        int64_t late_ms = at_ms - timestamp_ms - (run->at_ms - run->timestamp_ms);
        if (late_ms < 0) { /* less delayed than all before */
            run->at_ms += late_ms;
            late_ms = run->late_ms - late_ms;
        }
        if (late_ms > run->late_ms)
            run->late_ms = late_ms < UINT32_MAX ? (uint32_t)late_ms : UINT32_MAX;
        run->n_last = n;
        run->len += (uint32_t)sound.len;
        tl_buf_add(&w->sound, sound.data, sound.len);
    } else {
        st = add_entry(w,
                       &(struct tl_segment_entry){.kind = TL_SEGMENT_SOUND,
                                                  .n = n,
                                                  .n_last = n,
                                                  .at_ms = at_ms,
                                                  .timestamp_ms = timestamp_ms},
                       sound, err);
    }
    if (st == TL_OK)
        w->end_timestamp_ms = timestamp_ms + (int64_t)sound.len / 8;
    return st;
}

enum tl_status tl_segment_writer_piece(struct tl_segment_writer *w, int64_t n, int64_t at_ms,
                                       struct tl_bytes sound, struct tl_error *err)
{
    return add_entry(
        w,
        &(struct tl_segment_entry){.kind = TL_SEGMENT_SOUND, .n = n, .n_last = n, .at_ms = at_ms},
        sound, err);
}

enum tl_status tl_segment_writer_mark(struct tl_segment_writer *w, int64_t n, int64_t at_ms,
                                      const char *name, struct tl_error *err)
{
    struct tl_segment_entry e = {.kind = TL_SEGMENT_MARK,
                                 .n = n,
                                 .n_last = n,
                                 .at_ms = at_ms,
                                 .timestamp_ms =
                                     w->id.side == TL_SIDE_CALLER ? w->end_timestamp_ms : -1};

    if (strlen(name) > TL_SEGMENT_TEXT_MAX)
        return tl_fail(err, TL_INVALID, "a mark's name of %zu bytes", strlen(name));
    (void)snprintf(e.text, sizeof(e.text), "%s", name);
    return add_entry(w, &e, (struct tl_bytes){0}, err);
}

enum tl_status tl_segment_writer_clear(struct tl_segment_writer *w, int64_t n, int64_t at_ms,
                                       struct tl_error *err)
{
    return add_entry(
        w,
        &(struct tl_segment_entry){.kind = TL_SEGMENT_CLEAR, .n = n, .n_last = n, .at_ms = at_ms},
        (struct tl_bytes){0}, err);
}

static void add_u32(struct tl_buf *out, uint32_t value)
{
    value = htobe32(value);
    tl_buf_add(out, &value, sizeof(value));
}

static void add_i64(struct tl_buf *out, int64_t value)
{
    uint64_t raw = htobe64((uint64_t)value);

    tl_buf_add(out, &raw, sizeof(raw));
}

static void encode_entry(struct tl_buf *out, const struct tl_segment_entry *e)
{
    tl_buf_add_char(out, (char)e->kind);
    tl_buf_add_char(out, (char)strlen(e->text));
    add_i64(out, e->n);
    add_u32(out, (uint32_t)(e->n_last - e->n));
    add_i64(out, e->at_ms);
    add_i64(out, e->timestamp_ms);
    add_u32(out, e->late_ms);
    add_u32(out, e->len);
    tl_buf_add_str(out, e->text);
}

static uint32_t blocks_of(uint32_t sound_bytes)
{
    return (sound_bytes + TL_SEGMENT_BLOCK - 1) / TL_SEGMENT_BLOCK;
}

static uint32_t head_bytes_of(const struct tl_segment_writer *w)
{
    size_t n = TL_SEGMENT_FIXED + strlen(w->id.leg) + strlen(w->id.stream_sid) + 4 +
               4 * (size_t)blocks_of((uint32_t)w->sound.len);
    const struct tl_segment_entry *e = (const struct tl_segment_entry *)w->entries.data;

    for (size_t i = 0; i < entries_n(w); i++)
        n += TL_SEGMENT_ENTRY_FIXED + strlen(e[i].text);
    return (uint32_t)n;
}

static void encode_fixed(const struct tl_segment_writer *w, struct tl_buf *out)
{
    tl_buf_add(out, magic, sizeof(magic));
    tl_buf_add_char(out, VERSION);
    tl_buf_add_char(out, (char)w->id.side);
    tl_buf_add_char(out, (char)strlen(w->id.leg));
    tl_buf_add_char(out, (char)strlen(w->id.stream_sid));
    tl_buf_add(out, &w->id.call_id, sizeof(w->id.call_id));
    add_u32(out, (uint32_t)w->id.claim.number);
    add_u32(out, (uint32_t)w->id.claim.session);
    add_i64(out, w->id.claim.offset);
    add_u32(out, w->id.mailbox);
    add_u32(out, (uint32_t)entries_n(w));
    add_u32(out, (uint32_t)w->sound.len);
    add_u32(out, head_bytes_of(w));
}

enum tl_status tl_segment_writer_encode(const struct tl_segment_writer *w, struct tl_buf *out,
                                        struct tl_error *err)
{
    size_t begin = out->len, whole = head_bytes_of(w) + w->sound.len;

    if (!tl_buf_reserve(out, whole))
        return tl_fail(err, TL_RETRY, "no room for a segment of %zu bytes", whole);
    encode_fixed(w, out);
    tl_buf_add_str(out, w->id.leg);
    tl_buf_add_str(out, w->id.stream_sid);
    for (size_t i = 0; i < entries_n(w); i++)
        encode_entry(out, (const struct tl_segment_entry *)w->entries.data + i);
    for (size_t at = 0; at < w->sound.len; at += TL_SEGMENT_BLOCK) {
        size_t left = w->sound.len - at;
        add_u32(out, crc_of(w->sound.data + at, left < TL_SEGMENT_BLOCK ? left : TL_SEGMENT_BLOCK));
    }
    add_u32(out, crc_of(out->data + begin, out->len - begin));
    tl_buf_add(out, w->sound.data, w->sound.len);
    return TL_OK;
}

/* ---- reading ---- */

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return be32toh(value);
}

static int64_t i64_at(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return (int64_t)be64toh(value);
}

enum tl_status tl_segment_head_bytes(struct tl_bytes data, uint32_t *ret_bytes,
                                     struct tl_error *err)
{
    if (data.len < TL_SEGMENT_FIXED || memcmp(data.data, magic, sizeof(magic)) != 0)
        return tl_fail(err, TL_INVALID, "not a segment");
    if (data.data[4] != VERSION)
        return tl_fail(err, TL_INVALID, "a segment of version %u, this is for %d", data.data[4],
                       VERSION);
    uint32_t n = u32_at(data.data + 52);
    if (n <= TL_SEGMENT_FIXED + 4 || n > TL_SEGMENT_HEAD_MAX)
        return tl_fail(err, TL_INVALID, "a segment's head of %u bytes", n);
    *ret_bytes = n;
    return TL_OK;
}

static bool take_text(struct tl_bytes *rest, size_t len, char *ret_text, size_t size)
{
    if (len >= size || len > rest->len || memchr(rest->data, '\0', len))
        return false;
    memcpy(ret_text, rest->data, len);
    ret_text[len] = '\0';
    *rest = (struct tl_bytes){rest->data + len, rest->len - len};
    return true;
}

static bool decode_entry(struct tl_bytes *rest, struct tl_segment_entry *e)
{
    const uint8_t *p = rest->data;

    if (rest->len < TL_SEGMENT_ENTRY_FIXED)
        return false;
    *e = (struct tl_segment_entry){.kind = p[0],
                                   .n = i64_at(p + 2),
                                   .at_ms = i64_at(p + 14),
                                   .timestamp_ms = i64_at(p + 22),
                                   .late_ms = u32_at(p + 30),
                                   .len = u32_at(p + 34)};
    if (__builtin_add_overflow(e->n, (int64_t)u32_at(p + 10), &e->n_last))
        return false;
    *rest = (struct tl_bytes){p + TL_SEGMENT_ENTRY_FIXED, rest->len - TL_SEGMENT_ENTRY_FIXED};
    return take_text(rest, p[1], e->text, sizeof(e->text));
}

/* Times that arithmetic may be done with: 30,000 years. */
static bool is_time(int64_t ms)
{
    return ms >= -1 && ms < (int64_t)1 << 50;
}

static bool is_sane(const struct tl_segment_entry *e)
{
    bool is_sound = e->kind == TL_SEGMENT_SOUND;

    return e->kind >= TL_SEGMENT_SOUND && e->kind <= TL_SEGMENT_CLEAR && is_sound == (e->len > 0) &&
           e->n >= 0 && e->at_ms >= 0 && is_time(e->at_ms) && is_time(e->timestamp_ms) &&
           (!is_sound || e->timestamp_ms >= 0) && (e->kind == TL_SEGMENT_MARK || !e->text[0]);
}

/* Once here, so that tl_segment_next need not look. */
static enum tl_status check_entries(struct tl_bytes rest, const struct tl_segment *s,
                                    size_t *ret_len, struct tl_error *err)
{
    size_t before = rest.len, sound = 0;
    struct tl_segment_entry e;

    for (uint32_t i = 0; i < s->entries_n; i++) {
        if (!decode_entry(&rest, &e) || !is_sane(&e) || e.len > s->sound_bytes - sound)
            return tl_fail(err, TL_INVALID, "entry %u of a segment is none", i);
        sound += e.len;
    }
    if (sound != s->sound_bytes)
        return tl_fail(err, TL_INVALID, "a segment's entries speak of %zu bytes, not of %u", sound,
                       s->sound_bytes);
    *ret_len = before - rest.len;
    return TL_OK;
}

static enum tl_status decode_fixed(struct tl_bytes data, struct tl_segment *s, struct tl_error *err)
{
    const uint8_t *p = data.data;

    *s = (struct tl_segment){.head_bytes = u32_at(p + 52),
                             .sound_bytes = u32_at(p + 48),
                             .entries_n = u32_at(p + 44),
                             .id = {.side = p[5],
                                    .mailbox = u32_at(p + 40),
                                    .claim = {.number = (int32_t)u32_at(p + 24),
                                              .session = (int32_t)u32_at(p + 28),
                                              .offset = i64_at(p + 32)}}};
    memcpy(&s->id.call_id, p + 8, sizeof(s->id.call_id));
    if ((s->id.side != TL_SIDE_CALLER && s->id.side != TL_SIDE_AI) ||
        s->sound_bytes > TL_SEGMENT_SOUND_MAX || s->entries_n > TL_SEGMENT_ENTRIES_MAX)
        return tl_fail(err, TL_INVALID, "a segment of side %u with %u bytes and %u entries",
                       (unsigned)s->id.side, s->sound_bytes, s->entries_n);
    return TL_OK;
}

enum tl_status tl_segment_decode_head(struct tl_bytes data, struct tl_segment *ret_segment,
                                      struct tl_error *err)
{
    struct tl_segment s = {0};
    uint32_t head = 0;
    size_t len = 0;

    enum tl_status st = tl_segment_head_bytes(data, &head, err);
    if (st != TL_OK)
        return st;
    if (data.len < head)
        return tl_fail(err, TL_INVALID, "%zu bytes of a segment's head of %u", data.len, head);
    if (crc_of(data.data, head - 4) != u32_at(data.data + head - 4))
        return tl_fail(err, TL_INVALID, "a segment's head is damaged");
    st = decode_fixed(data, &s, err);
    if (st != TL_OK)
        return st;
    struct tl_bytes rest = {data.data + LEG_AT, head - 4 - LEG_AT};
    if (!take_text(&rest, data.data[6], s.id.leg, sizeof(s.id.leg)) ||
        !take_text(&rest, data.data[7], s.id.stream_sid, sizeof(s.id.stream_sid)))
        return tl_fail(err, TL_INVALID, "a segment's leg or stream is none");
    st = check_entries(rest, &s, &len, err);
    if (st != TL_OK)
        return st;
    s.entries = (struct tl_bytes){rest.data, len};
    s.crcs = (struct tl_bytes){rest.data + len, rest.len - len};
    if (s.crcs.len != 4 * (size_t)blocks_of(s.sound_bytes))
        return tl_fail(err, TL_INVALID, "a segment has %zu bytes of checks", s.crcs.len);
    *ret_segment = s;
    return TL_OK;
}

enum tl_status tl_segment_decode(struct tl_bytes data, struct tl_segment *ret_segment,
                                 struct tl_error *err)
{
    struct tl_segment s = {0};

    enum tl_status st = tl_segment_decode_head(data, &s, err);
    if (st != TL_OK)
        return st;
    if (data.len != (size_t)s.head_bytes + s.sound_bytes)
        return tl_fail(err, TL_INVALID, "%zu bytes behind a segment's head, not %u",
                       data.len - s.head_bytes, s.sound_bytes);
    st = tl_segment_check(&s, 0, (struct tl_bytes){data.data + s.head_bytes, s.sound_bytes}, err);
    if (st == TL_OK)
        *ret_segment = s;
    return st;
}

enum tl_status tl_segment_check(const struct tl_segment *segment, uint32_t from,
                                struct tl_bytes sound, struct tl_error *err)
{
    bool to_end = (size_t)from + sound.len == segment->sound_bytes;

    if (from % TL_SEGMENT_BLOCK || (size_t)from + sound.len > segment->sound_bytes ||
        (sound.len % TL_SEGMENT_BLOCK && !to_end))
        return tl_fail(err, TL_INVALID, "%zu bytes at %u are no blocks of a segment", sound.len,
                       from);
    for (size_t at = 0; at < sound.len; at += TL_SEGMENT_BLOCK) {
        size_t block = (from + at) / TL_SEGMENT_BLOCK, left = sound.len - at;
        if (crc_of(sound.data + at, left < TL_SEGMENT_BLOCK ? left : TL_SEGMENT_BLOCK) !=
            u32_at(segment->crcs.data + 4 * block))
            return tl_fail(err, TL_INVALID, "a segment's sound is damaged at byte %zu", from + at);
    }
    return TL_OK;
}

bool tl_segment_next(const struct tl_segment *segment, struct tl_segment_cursor *cursor,
                     struct tl_segment_entry *ret_entry)
{
    struct tl_bytes rest = {segment->entries.data + cursor->at, segment->entries.len - cursor->at};

    if (!rest.len || !decode_entry(&rest, ret_entry))
        return false;
    ret_entry->sound = cursor->sound;
    cursor->sound += ret_entry->len;
    cursor->at = segment->entries.len - rest.len;
    return true;
}

void tl_segment_name(const struct tl_segment_id *id, int64_t n, char ret_name[TL_SEGMENT_NAME_SIZE])
{
    char call_id[TL_UUID_TEXT_LEN + 1];

    tl_uuid_format(&id->call_id, call_id);
    (void)snprintf(ret_name, TL_SEGMENT_NAME_SIZE, "%s/%s/%s-%06d-%019lld-%d-%u-%019lld", call_id,
                   id->leg, tl_sound_side_name(id->side), id->claim.number,
                   (long long)id->claim.offset, id->claim.session, id->mailbox, (long long)n);
}
