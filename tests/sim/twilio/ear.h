#ifndef TL_TEL_EAR_H
#define TL_TEL_EAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "speech/speech.h"

#define TL_TEL_FRAME_BYTES 160
#define TL_TEL_FRAME_MS 20
#define TL_TEL_BUFFER_MAX ((size_t)10 * 60 * 8000) /* bytes that Twilio buffers: ten minutes */

/** A stretch of sound that the caller heard. */
struct tl_tel_heard {
    const struct tl_speech *speech; /* NULL: unknown sound */
    bool exact;                     /* the whole speech, byte for byte */
    size_t bytes;                   /* of the sound heard */
    int64_t rx_from, rx_to;         /* where it stood among the media bytes received by the call */
    int64_t start_us, end_us;       /* monotonic: first byte at the ear, last byte gone */
    int64_t dry_ms;                 /* silence within it because the buffer ran dry */
    char sha1[41];                  /* of the bytes, for unknown sound */
};

/** A stretch of silence at the ear, longer than the ear's gap_min_ms. */
struct tl_tel_gap {
    int64_t start_us, end_us;
};

/** Part of the playback buffer that is heard, in order. */
struct tl_tel_mark {
    char *name;
    int64_t rx_at; /* echoed when everything before this byte has been played */
};

/** Media received: so many bytes in all stood in the buffer at that time. */
struct tl_tel_arrival {
    int64_t rx_end;
    int64_t at_us;
};

/** The buffer ran dry within what was heard: silence before that byte of the segment. */
struct tl_tel_dry {
    size_t at;
    int64_t ms;
};
#define TL_TEL_DRY_MAX 64 /* more are taken for one with the last of them */

struct tl_tel_ear;

struct tl_tel_ear_callbacks {
    void (*on_heard)(void *arg, const struct tl_tel_heard *heard);
    void (*on_gap)(void *arg, const struct tl_tel_gap *gap);
    void (*on_mark)(void *arg, const char *name); /* played, or cleared */
};

/** Playback buffer and ear of one call: plays what came in real time, and keeps what was heard. */
struct tl_tel_ear {
    const struct tl_speech_bank *bank;
    const struct tl_tel_ear_callbacks *callbacks;
    void *arg;
    int64_t gap_min_ms;

    struct tl_buf buffer; /* bytes received and not played: from `head` */
    size_t head;
    int64_t rx_total;  /* media bytes received by the call, all streams */
    int64_t rx_played; /* number of the byte at `head` */
    struct tl_tel_mark *mark;
    size_t marks, marks_cap;

    struct tl_buf segment; /* sound since the last silence */
    int64_t segment_rx, segment_us;
    struct tl_tel_dry segment_dry[TL_TEL_DRY_MAX];
    size_t segment_dries;
    size_t silent_tail; /* silence bytes at the end of segment */
    bool is_dry;        /* the buffer ran dry within the segment */
    int64_t dry_from_us, dry_max_ms;

    int64_t now_us;          /* of the tick being played */
    int64_t silence_from_us; /* 0: sound */
    int64_t sound_ms; /* heard of the present utterance; an utterance ends with 400 ms of silence */
    int64_t quiet_ms; /* since the last sound byte */
    int64_t sound_start_us; /* when the present utterance began */
    int64_t ended_start_us; /* when the last one that ended began; 0: none yet */
    uint64_t utterances;    /* ended */
    bool other_sound;       /* something else is played to the caller: no silence is counted */

    bool keep_audio;
    struct tl_buf audio; /* every byte at the ear, when kept */
    bool keep_arrivals;
    struct tl_tel_arrival *arrival;
    size_t arrivals, arrivals_cap;
};

void tl_tel_ear_init(struct tl_tel_ear *ear, const struct tl_speech_bank *bank,
                     const struct tl_tel_ear_callbacks *callbacks, void *arg);
void tl_tel_ear_finish(struct tl_tel_ear *ear); /* drops the buffers, calls nothing */

/** Media of the stream. False: over ten minutes are buffered, thrown away (31931). */
bool tl_tel_ear_media(struct tl_tel_ear *ear, const uint8_t *ulaw, size_t len, int64_t now_us);

/** on_mark may come from within, when nothing is buffered. */
void tl_tel_ear_mark(struct tl_tel_ear *ear, const char *name);

/** Empties the buffer; every mark comes back. */
void tl_tel_ear_clear(struct tl_tel_ear *ear);

/** The stream is over: the buffer and its marks are gone, nothing comes back. */
void tl_tel_ear_drop(struct tl_tel_ear *ear);

/** Plays 20 ms. */
void tl_tel_ear_tick(struct tl_tel_ear *ear, int64_t now_us);

/** The call is over: what was being heard and the last gap are reported. */
void tl_tel_ear_end(struct tl_tel_ear *ear, int64_t now_us);

size_t tl_tel_ear_buffered(const struct tl_tel_ear *ear); /* bytes */

#endif
