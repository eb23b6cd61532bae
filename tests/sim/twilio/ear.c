/* What the caller hears: the playback buffer in real time, marks, and recognition by exact bytes.
 *
 *   media ──▶ buffer ──20 ms a tick──▶ segment (sound up to 5 ms of silence) ──▶ pieces
 *
 * A buffer that runs dry in mid-sentence is silence at the ear; it is counted in dry_ms and left
 * out of the segment, so that the words are still told from their bytes. */
#include "ear.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX ((size_t)8000 * 300) /* five minutes without a pause: cut there */
#define SEGMENT_SILENCE 40               /* bytes of silence that end a segment (speech.h) */
#define DRY_MAX_MS 3000                  /* a sentence that does not go on by then was broken off */
#define DRY_REST_MS 400                  /* what is no beginning of a sentence is the rest of one */
#define UTTERANCE_QUIET_MS 400
#define PIECES_MAX 64

void tl_tel_ear_init(struct tl_tel_ear *ear, const struct tl_speech_bank *bank,
                     const struct tl_tel_ear_callbacks *callbacks, void *arg)
{
    *ear = (struct tl_tel_ear){.bank = bank, .callbacks = callbacks, .arg = arg};
    ear->gap_min_ms = 300;
    tl_buf_init(&ear->buffer, TL_TEL_BUFFER_MAX * 2);
    tl_buf_init(&ear->segment, SEGMENT_MAX);
    tl_buf_init(&ear->audio, (size_t)8000 * 3600);
}

void tl_tel_ear_finish(struct tl_tel_ear *ear)
{
    for (size_t i = 0; i < ear->marks; i++)
        free(ear->mark[i].name);
    free(ear->mark);
    ear->mark = NULL;
    ear->marks = ear->marks_cap = 0;
    tl_buf_finish(&ear->buffer);
    tl_buf_finish(&ear->segment);
    ear->head = 0;
}

size_t tl_tel_ear_buffered(const struct tl_tel_ear *ear)
{
    return ear->buffer.len - ear->head;
}

/* Moves what is unplayed to the front once half of the memory is behind us. */
static void compact(struct tl_tel_ear *ear)
{
    if (ear->head < 4096 || ear->head < ear->buffer.len / 2)
        return;
    memmove(ear->buffer.data, ear->buffer.data + ear->head, ear->buffer.len - ear->head);
    ear->buffer.len -= ear->head;
    ear->head = 0;
}

static void note_arrival(struct tl_tel_ear *ear, int64_t now_us)
{
    if (ear->arrivals == ear->arrivals_cap) {
        ear->arrivals_cap = ear->arrivals_cap ? ear->arrivals_cap * 2 : 64;
        ear->arrival = realloc(ear->arrival, ear->arrivals_cap * sizeof(*ear->arrival));
        if (!ear->arrival)
            abort();
    }
    ear->arrival[ear->arrivals++] =
        (struct tl_tel_arrival){.rx_end = ear->rx_total, .at_us = now_us};
}

bool tl_tel_ear_media(struct tl_tel_ear *ear, const uint8_t *ulaw, size_t len, int64_t now_us)
{
    if (tl_tel_ear_buffered(ear) + len > TL_TEL_BUFFER_MAX)
        return false;
    compact(ear);
    tl_buf_add(&ear->buffer, ulaw, len);
    ear->rx_total += (int64_t)len;
    if (ear->keep_arrivals)
        note_arrival(ear, now_us);
    return true;
}

void tl_tel_ear_mark(struct tl_tel_ear *ear, const char *name)
{
    if (tl_tel_ear_buffered(ear) == 0) {
        ear->callbacks->on_mark(ear->arg, name);
        return;
    }
    if (ear->marks == ear->marks_cap) {
        ear->marks_cap = ear->marks_cap ? ear->marks_cap * 2 : 16;
        ear->mark = realloc(ear->mark, ear->marks_cap * sizeof(*ear->mark));
        if (!ear->mark)
            abort();
    }
    char *copy = strdup(name);
    if (!copy)
        abort();
    ear->mark[ear->marks++] = (struct tl_tel_mark){.name = copy, .rx_at = ear->rx_total};
}

/* The first n marks come back (or, unheard, are gone). */
static void release_marks(struct tl_tel_ear *ear, size_t n, bool echo)
{
    for (size_t i = 0; i < n; i++) {
        if (echo)
            ear->callbacks->on_mark(ear->arg, ear->mark[i].name);
        free(ear->mark[i].name);
    }
    ear->marks -= n;
    if (ear->marks) /* the array may be NULL */
        memmove(ear->mark, ear->mark + n, ear->marks * sizeof(*ear->mark));
}

static void digest(const uint8_t *data, size_t len, char ret_hex[41])
{
    unsigned char raw[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, len, raw, NULL, EVP_sha1(), NULL) != 1)
        abort();
    for (size_t i = 0; i < 20; i++)
        (void)snprintf(ret_hex + i * 2, 3, "%02x", raw[i]);
}

static int64_t bytes_us(size_t bytes)
{
    return (int64_t)bytes * 125;
}

/* Dry time before the bytes from..to of the segment, the byte `to` left out. */
static int64_t dry_ms(const struct tl_tel_ear *ear, size_t from, size_t to)
{
    int64_t ms = 0;

    for (size_t i = 0; i < ear->segment_dries; i++)
        if (ear->segment_dry[i].at >= from && ear->segment_dry[i].at < to)
            ms += ear->segment_dry[i].ms;
    return ms;
}

static void note_dry(struct tl_tel_ear *ear, int64_t ms)
{
    if (ear->segment_dries < TL_TEL_DRY_MAX)
        ear->segment_dry[ear->segment_dries++] =
            (struct tl_tel_dry){.at = ear->segment.len, .ms = ms};
    else
        ear->segment_dry[TL_TEL_DRY_MAX - 1].ms += ms;
}

/* Tells what the segment was. The times of a piece within it are by its place, and by the silences
 * before it that the buffer owed. */
static void report_pieces(struct tl_tel_ear *ear, const struct tl_speech_piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct tl_speech_piece *p = &pieces[i];
        struct tl_tel_heard heard = {
            .speech = p->speech,
            .exact = p->speech && p->exact,
            .bytes = p->len,
            .rx_from = ear->segment_rx + (int64_t)p->at,
            .rx_to = ear->segment_rx + (int64_t)(p->at + p->len),
            .start_us = ear->segment_us + bytes_us(p->at) + dry_ms(ear, 0, p->at + 1) * 1000,
            .dry_ms = dry_ms(ear, p->at + 1, p->at + p->len),
        };
        heard.end_us = heard.start_us + bytes_us(p->len) + heard.dry_ms * 1000;
        if (!p->speech)
            digest(ear->segment.data + p->at, p->len, heard.sha1);
        ear->callbacks->on_heard(ear->arg, &heard);
    }
}

static size_t scan(struct tl_tel_ear *ear, struct tl_speech_piece pieces[PIECES_MAX])
{
    size_t n = tl_speech_bank_scan(ear->bank, ear->segment.data,
                                   ear->segment.len - ear->silent_tail, pieces, PIECES_MAX);

    return n < PIECES_MAX ? n : PIECES_MAX;
}

static void end_segment(struct tl_tel_ear *ear)
{
    struct tl_speech_piece pieces[PIECES_MAX];

    if (ear->segment.len > ear->silent_tail)
        report_pieces(ear, pieces, scan(ear, pieces));
    tl_buf_reset(&ear->segment);
    ear->silent_tail = 0;
    ear->segment_dries = 0;
    ear->is_dry = false;
}

/* Dry within a segment: over if all of it is known whole, else it may go on; the rest of a sentence that
 * was cut earlier has been all of it, and what comes later is another one. */
static void segment_runs_dry(struct tl_tel_ear *ear)
{
    struct tl_speech_piece pieces[PIECES_MAX];
    size_t n;

    if (ear->segment.len == 0)
        return;
    if (!ear->is_dry) {
        n = scan(ear, pieces);
        if (n > 0 && pieces[n - 1].exact) {
            end_segment(ear);
            return;
        }
        ear->is_dry = true;
        ear->dry_from_us = ear->now_us;
        ear->dry_max_ms = n > 0 && pieces[n - 1].speech ? DRY_MAX_MS : DRY_REST_MS;
    } else if (ear->now_us - ear->dry_from_us > ear->dry_max_ms * 1000) {
        end_segment(ear);
    }
}

static void end_gap(struct tl_tel_ear *ear, int64_t end_us)
{
    struct tl_tel_gap gap = {.start_us = ear->silence_from_us, .end_us = end_us};

    if (ear->silence_from_us && end_us - gap.start_us >= ear->gap_min_ms * 1000)
        ear->callbacks->on_gap(ear->arg, &gap);
    ear->silence_from_us = 0;
}

/* Sound reaches the ear at `at_us`: bytes without silence among them. */
static void hear_sound(struct tl_tel_ear *ear, const uint8_t *ulaw, size_t n, int64_t rx,
                       int64_t at_us)
{
    if (ear->segment.len == 0) {
        ear->segment_rx = rx;
        ear->segment_us = at_us;
    }
    end_gap(ear, at_us);
    tl_buf_add(&ear->segment, ulaw, n);
    ear->silent_tail = 0;
    if (ear->segment.len >= SEGMENT_MAX - TL_TEL_FRAME_BYTES)
        end_segment(ear);
}

static void hear_silence(struct tl_tel_ear *ear, const uint8_t *ulaw, size_t n, int64_t at_us)
{
    if (!ear->silence_from_us)
        ear->silence_from_us = at_us;
    if (ear->segment.len == 0)
        return;
    tl_buf_add(&ear->segment, ulaw, n);
    ear->silent_tail += n;
    if (ear->silent_tail >= SEGMENT_SILENCE)
        end_segment(ear);
}

/* How many bytes from `ulaw` on are silence, or are not, as the first one. */
static size_t run_length(const uint8_t *ulaw, size_t n)
{
    bool silent = ulaw[0] == TL_SPEECH_SILENCE;
    size_t i = 1;

    while (i < n && (ulaw[i] == TL_SPEECH_SILENCE) == silent)
        i++;
    return i;
}

static void hear(struct tl_tel_ear *ear, const uint8_t *ulaw, size_t n)
{
    if (ear->is_dry) {
        note_dry(ear, (ear->now_us - ear->dry_from_us) / 1000);
        ear->is_dry = false;
    }
    for (size_t i = 0; i < n;) {
        size_t run = run_length(ulaw + i, n - i);
        int64_t at_us = ear->now_us + bytes_us(i);
        if (ulaw[i] == TL_SPEECH_SILENCE)
            hear_silence(ear, ulaw + i, run, at_us);
        else
            hear_sound(ear, ulaw + i, run, ear->rx_played + (int64_t)i, at_us);
        i += run;
    }
}

static bool has_sound(const uint8_t *ulaw, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ulaw[i] != TL_SPEECH_SILENCE)
            return true;
    return false;
}

static void count_utterance(struct tl_tel_ear *ear, bool sound)
{
    if (sound) {
        if (ear->sound_ms == 0)
            ear->sound_start_us = ear->now_us;
        ear->sound_ms += TL_TEL_FRAME_MS;
        ear->quiet_ms = 0;
        return;
    }
    ear->quiet_ms += TL_TEL_FRAME_MS;
    if (ear->sound_ms && ear->quiet_ms >= UTTERANCE_QUIET_MS) {
        ear->utterances++;
        ear->ended_start_us = ear->sound_start_us;
        ear->sound_ms = 0;
    }
}

static void play(struct tl_tel_ear *ear, size_t n)
{
    const uint8_t *data = ear->buffer.data + ear->head;
    bool sound = has_sound(data, n);

    if (sound || ear->segment.len)
        hear(ear, data, n);
    else if (!ear->silence_from_us)
        ear->silence_from_us = ear->now_us;
    count_utterance(ear, sound);
    if (ear->keep_audio)
        tl_buf_add(&ear->audio, data, n);
    ear->head += n;
    ear->rx_played += (int64_t)n;
    if (ear->head == ear->buffer.len) {
        tl_buf_reset(&ear->buffer);
        ear->head = 0;
    }
}

static void play_dry(struct tl_tel_ear *ear, size_t n)
{
    static const uint8_t silence[TL_TEL_FRAME_BYTES] = {[0 ... TL_TEL_FRAME_BYTES - 1] = 0xFF};

    segment_runs_dry(ear);
    if (ear->other_sound)
        end_gap(ear, ear->now_us);
    else if (!ear->silence_from_us)
        ear->silence_from_us = ear->now_us + bytes_us(TL_TEL_FRAME_BYTES - n);
    if (ear->keep_audio)
        tl_buf_add(&ear->audio, silence, n);
}

void tl_tel_ear_tick(struct tl_tel_ear *ear, int64_t now_us)
{
    size_t n = tl_tel_ear_buffered(ear), due = 0;

    ear->now_us = now_us;
    if (n > TL_TEL_FRAME_BYTES)
        n = TL_TEL_FRAME_BYTES;
    if (n)
        play(ear, n);
    else
        count_utterance(ear, false);
    if (n < TL_TEL_FRAME_BYTES)
        play_dry(ear, TL_TEL_FRAME_BYTES - n);
    while (due < ear->marks && ear->mark[due].rx_at <= ear->rx_played)
        due++;
    if (due)
        release_marks(ear, due, true);
}

static void empty_buffer(struct tl_tel_ear *ear)
{
    ear->rx_played = ear->rx_total;
    tl_buf_reset(&ear->buffer);
    ear->head = 0;
    end_segment(ear);
}

void tl_tel_ear_clear(struct tl_tel_ear *ear)
{
    empty_buffer(ear);
    release_marks(ear, ear->marks, true);
}

void tl_tel_ear_drop(struct tl_tel_ear *ear)
{
    empty_buffer(ear);
    release_marks(ear, ear->marks, false);
}

void tl_tel_ear_end(struct tl_tel_ear *ear, int64_t now_us)
{
    end_segment(ear);
    end_gap(ear, now_us);
}
