/* WAV from a time line: see wav.h. Chunks: Microsoft's "Multimedia Programming Interface and Data
 * Specifications 1.0" (RIFF, fmt, fact, cue, adtl); mu-law: ITU-T G.711. */
#include "sinks/recordings/wav.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define RATE 8000
#define CHANNELS 2
#define MULAW_SILENCE 0xff
#define NAME_BYTES 20 /* of a gap, NUL and padding included: "caller no_stream" has 16 */
#define LABEL_BYTES (8 + 4 + NAME_BYTES)
#define REGION_BYTES (8 + 20)
#define CUE_BYTES 24

struct output {
    const struct tl_wav_options *options;
    struct tl_error *err;
    enum tl_status status; /* of the first failure: what follows is not written */
    uint8_t bytes[2 * CHANNELS * TL_WAV_BUFFER];
    size_t len;
};

/* Where one side is. */
struct side {
    const struct tl_span *span;
    size_t left;  /* spans, the present one included */
    int64_t into; /* samples of it that are written */
    uint8_t sound[TL_WAV_BUFFER];
};

static void flush(struct output *o)
{
    if (o->status == TL_OK && o->len)
        o->status = o->options->write(o->options->arg, o->bytes, o->len, o->err);
    o->len = 0;
}

static void add(struct output *o, const void *data, size_t len)
{
    if (o->len + len > sizeof(o->bytes))
        flush(o);
    memcpy(o->bytes + o->len, data, len);
    o->len += len;
}

static void add_u32(struct output *o, uint32_t value)
{
    value = htole32(value);
    add(o, &value, sizeof(value));
}

static void add_u16(struct output *o, uint16_t value)
{
    value = htole16(value);
    add(o, &value, sizeof(value));
}

static void add_chunk(struct output *o, const char *id, uint32_t len)
{
    add(o, id, 4);
    add_u32(o, len);
}

/* ---- lengths ---- */

static uint32_t sample_bytes(enum tl_wav_format format)
{
    return format == TL_WAV_MULAW ? 1 : 2;
}

static bool is_gap(const struct tl_span *span)
{
    return span->kind != TL_SPAN_SOUND && span->kind != TL_SPAN_QUIET;
}

static uint32_t gaps_of(const struct tl_timeline *t)
{
    uint32_t gaps = 0;

    for (enum tl_sound_side side = TL_SIDE_CALLER; side <= TL_SIDE_AI; side++) {
        size_t n;
        const struct tl_span *span = tl_timeline_spans(t, side, &n);
        for (size_t i = 0; i < n; i++)
            gaps += is_gap(&span[i]);
    }
    return gaps;
}

static uint64_t cue_bytes(uint32_t gaps)
{
    return gaps ? 8 + 4 + (uint64_t)gaps * CUE_BYTES + 8 + 4 +
                      (uint64_t)gaps * (LABEL_BYTES + REGION_BYTES)
                : 0;
}

static uint64_t data_bytes(const struct tl_timeline *t, enum tl_wav_format format)
{
    return (uint64_t)tl_timeline_samples(t) * CHANNELS * sample_bytes(format);
}

static uint32_t fmt_bytes(enum tl_wav_format format)
{
    return format == TL_WAV_PCM ? 16 : 18;
}

uint64_t tl_wav_bytes(const struct tl_timeline *t, enum tl_wav_format format)
{
    uint64_t fact = format == TL_WAV_PCM ? 0 : 8 + 4;

    return 12 + 8 + fmt_bytes(format) + fact + 8 + data_bytes(t, format) + cue_bytes(gaps_of(t));
}

/* ---- what stands around the sound ---- */

static void add_head(struct output *o, const struct tl_timeline *t, enum tl_wav_format format)
{
    uint32_t block = CHANNELS * sample_bytes(format);

    add_chunk(o, "RIFF", (uint32_t)(tl_wav_bytes(t, format) - 8));
    add(o, "WAVE", 4);
    add_chunk(o, "fmt ", fmt_bytes(format));
    add_u16(o, (uint16_t)format);
    add_u16(o, CHANNELS);
    add_u32(o, RATE);
    add_u32(o, RATE * block);
    add_u16(o, (uint16_t)block);
    add_u16(o, (uint16_t)(8 * sample_bytes(format)));
    if (format != TL_WAV_PCM) { /* of other formats: no extension, and how long it is */
        add_u16(o, 0);
        add_chunk(o, "fact", 4);
        add_u32(o, (uint32_t)tl_timeline_samples(t));
    }
    add_chunk(o, "data", (uint32_t)data_bytes(t, format)); /* even: needs no padding */
}

typedef void (*gap_fn)(struct output *o, uint32_t id, enum tl_sound_side side,
                       const struct tl_span *span);

static void add_cue(struct output *o, uint32_t id, enum tl_sound_side side,
                    const struct tl_span *span)
{
    (void)side;
    add_u32(o, id);
    add_u32(o, (uint32_t)span->from); /* in play order, which is that of the sound */
    add(o, "data", 4);
    add_u32(o, 0);
    add_u32(o, 0);
    add_u32(o, (uint32_t)span->from);
}

static void add_label(struct output *o, uint32_t id, enum tl_sound_side side,
                      const struct tl_span *span)
{
    char name[NAME_BYTES] = {0};

    (void)snprintf(name, sizeof(name), "%s %s", tl_sound_side_name(side),
                   tl_span_kind_name(span->kind));
    add_chunk(o, "labl", LABEL_BYTES - 8);
    add_u32(o, id);
    add(o, name, sizeof(name));
    add_chunk(o, "ltxt", REGION_BYTES - 8);
    add_u32(o, id);
    add_u32(o, (uint32_t)span->len);
    add(o, "rgn ", 4);
    add_u32(o, 0); /* country, language */
    add_u32(o, 0); /* dialect, code page */
}

static void each_gap(struct output *o, const struct tl_timeline *t, gap_fn fn)
{
    uint32_t id = 0;

    for (enum tl_sound_side side = TL_SIDE_CALLER; side <= TL_SIDE_AI; side++) {
        size_t n;
        const struct tl_span *span = tl_timeline_spans(t, side, &n);
        for (size_t i = 0; i < n; i++)
            if (is_gap(&span[i]))
                fn(o, ++id, side, &span[i]);
    }
}

static void add_gaps(struct output *o, const struct tl_timeline *t)
{
    uint32_t gaps = gaps_of(t);

    if (!gaps)
        return;
    add_chunk(o, "cue ", 4 + gaps * CUE_BYTES);
    add_u32(o, gaps);
    each_gap(o, t, add_cue);
    add_chunk(o, "LIST", 4 + gaps * (LABEL_BYTES + REGION_BYTES));
    add(o, "adtl", 4);
    each_gap(o, t, add_label);
}

/* ---- the sound ---- */

/* The next `len` samples of a side. */
static void read_side(struct output *o, struct side *side, size_t len)
{
    const struct tl_wav_options *options = o->options;

    for (size_t at = 0; at < len && o->status == TL_OK;) {
        size_t n = len - at;
        if ((int64_t)n > side->span->len - side->into)
            n = (size_t)(side->span->len - side->into);
        if (side->span->kind == TL_SPAN_SOUND)
            o->status = options->read(options->arg, side->span->segment,
                                      side->span->offset + (uint32_t)side->into, (uint32_t)n,
                                      side->sound + at, o->err);
        else
            memset(side->sound + at, MULAW_SILENCE, n);
        at += n;
        side->into += (int64_t)n;
        if (side->into == side->span->len) {
            side->span++;
            side->left--;
            side->into = 0;
        }
    }
}

/* ITU-T G.711 table 2a: sign, three bits of exponent, four of mantissa, all inverted. */
static int16_t pcm_of(uint8_t mulaw)
{
    uint8_t bits = (uint8_t)~mulaw;
    int value = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84;

    return (int16_t)(bits & 0x80 ? -value : value);
}

static void add_samples(struct output *o, enum tl_wav_format format, const struct side *left,
                        const struct side *right, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (format == TL_WAV_MULAW) {
            add(o, &left->sound[i], 1);
            add(o, &right->sound[i], 1);
        } else {
            add_u16(o, (uint16_t)pcm_of(left->sound[i]));
            add_u16(o, (uint16_t)pcm_of(right->sound[i]));
        }
}

enum tl_status tl_wav_write(const struct tl_timeline *t, const struct tl_wav_options *options,
                            struct tl_error *err)
{
    struct output o = {.options = options, .err = err};
    struct side left = {0}, right = {0};
    int64_t samples = tl_timeline_samples(t);

    if (tl_wav_bytes(t, options->format) - 8 > UINT32_MAX)
        return tl_fail(err, TL_INVALID, "%lld seconds are more than a WAV holds",
                       (long long)(samples / RATE));
    left.span = tl_timeline_spans(t, TL_SIDE_CALLER, &left.left);
    right.span = tl_timeline_spans(t, TL_SIDE_AI, &right.left);
    add_head(&o, t, options->format);
    for (int64_t at = 0; at < samples && o.status == TL_OK; at += TL_WAV_BUFFER) {
        size_t len = samples - at < TL_WAV_BUFFER ? (size_t)(samples - at) : TL_WAV_BUFFER;
        read_side(&o, &left, len);
        read_side(&o, &right, len);
        add_samples(&o, options->format, &left, &right, len);
    }
    add_gaps(&o, t);
    flush(&o);
    return o.status;
}
