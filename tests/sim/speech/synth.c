/* Text to µ-law. See synth.h for why a child process does it. */
#include "speech/synth.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <espeak-ng/speak_lib.h>
#include <soxr.h>

#include "speech/g711.h"

#define RATE 8000
#define QUIET_LEVEL 140    /* mean absolute sample of a frame that counts as a pause */
#define PAUSE_MAX_FRAMES 8 /* 160 ms: shorter than any silence_duration_ms in use */
#define SILENCE_RUN_MAX 32 /* 4 ms of silence bytes, then one of the least other value */
#define LEAST_SOUND 0xFE   /* µ-law of the smallest positive step */
#define PEAK 20000         /* loudest sample after normalising */

static const struct {
    const char *espeak;
    int pitch;
    int words_per_minute;
} voices[] = {
    /* by file: a language name may mean an MBROLA voice that is not installed */
    [TL_SPEECH_CALLER] = {"gmw/en-US", 40, 185},
    [TL_SPEECH_AI] = {"gmw/en-GB-x-rp", 65, 190},
};

static int collect(short *samples, int count, espeak_EVENT *events)
{
    struct tl_buf *pcm = events->user_data;

    if (samples && count > 0)
        tl_buf_add(pcm, samples, (size_t)count * sizeof(*samples));
    return pcm->full; /* 1 stops */
}

/** In the child: speech to pcm at espeak's own rate, which is returned; 0: failed. */
static int pronounce(enum tl_speech_voice voice, const char *text, struct tl_buf *pcm)
{
    int rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, espeakINITIALIZE_DONT_EXIT);

    if (rate <= 0 || espeak_SetVoiceByName(voices[voice].espeak) != EE_OK)
        return 0;
    espeak_SetParameter(espeakPITCH, voices[voice].pitch, 0);
    espeak_SetParameter(espeakRATE, voices[voice].words_per_minute, 0);
    espeak_SetSynthCallback(collect);
    if (espeak_Synth(text, strlen(text) + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL, pcm) !=
        EE_OK)
        return 0;
    return espeak_Synchronize() == EE_OK ? rate : 0;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/** The child's whole life: writes the rate and the samples. */
static void __attribute__((noreturn)) child(int fd, enum tl_speech_voice voice, const char *text)
{
    struct tl_buf pcm;

    tl_buf_init(&pcm, (size_t)48000 * 120 * sizeof(short));
    int rate = pronounce(voice, text, &pcm);
    bool ok = rate > 0 && !pcm.full && write_all(fd, &rate, sizeof(rate)) &&
              write_all(fd, pcm.data, pcm.len);
    _exit(ok ? 0 : 1);
}

static void read_all(int fd, struct tl_buf *out)
{
    uint8_t chunk[16384];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        tl_buf_add(out, chunk, (size_t)n);
    }
}

static enum tl_status run_child(enum tl_speech_voice voice, const char *text, struct tl_buf *raw,
                                struct tl_error *err)
{
    int ends[2];

    if (pipe(ends) != 0)
        return tl_fail(err, TL_FATAL, "speech: pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(ends[1], voice, text);
    }
    close(ends[1]);
    if (pid > 0)
        read_all(ends[0], raw);
    close(ends[0]);
    if (pid < 0)
        return tl_fail(err, TL_FATAL, "speech: fork: %s", strerror(errno));

    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0 || raw->len < sizeof(int))
        return tl_fail(err, TL_FATAL, "speech: espeak-ng cannot say \"%.60s\"", text);
    return TL_OK;
}

static void normalise(int16_t *pcm, size_t count)
{
    int peak = 1;

    for (size_t i = 0; i < count; i++)
        peak = abs(pcm[i]) > peak ? abs(pcm[i]) : peak;
    for (size_t i = 0; i < count; i++)
        pcm[i] = (int16_t)((long)pcm[i] * PEAK / peak);
}

static bool frame_is_quiet(const int16_t *frame)
{
    long sum = 0;

    for (size_t i = 0; i < TL_SPEECH_FRAME_BYTES; i++)
        sum += abs(frame[i]);
    return sum < (long)QUIET_LEVEL * TL_SPEECH_FRAME_BYTES;
}

/** Drops a leading and a trailing quiet stretch, and of each other one all but its first
 *  PAUSE_MAX_FRAMES frames. Returns the samples that are left, whole frames. */
static size_t shorten_pauses(int16_t *pcm, size_t count)
{
    size_t kept = 0;                 /* frames written */
    size_t sound = 0;                /* of these, up to the last one that is not quiet */
    size_t quiet = PAUSE_MAX_FRAMES; /* as if a pause went before */

    for (size_t at = 0; at + TL_SPEECH_FRAME_BYTES <= count; at += TL_SPEECH_FRAME_BYTES) {
        quiet = frame_is_quiet(pcm + at) ? quiet + 1 : 0;
        if (quiet > PAUSE_MAX_FRAMES)
            continue;
        memmove(pcm + kept++ * TL_SPEECH_FRAME_BYTES, pcm + at,
                TL_SPEECH_FRAME_BYTES * sizeof(*pcm));
        sound = quiet ? sound : kept;
    }
    return sound * TL_SPEECH_FRAME_BYTES;
}

/** Encodes, trims silence bytes at both ends, and breaks up runs of them inside. */
static void encode(const int16_t *pcm, size_t count, struct tl_buf *out)
{
    size_t run = 0;
    size_t begin = out->len;

    for (size_t i = 0; i < count; i++) {
        uint8_t byte = tl_ulaw_encode(pcm[i]);
        run = byte == TL_SPEECH_SILENCE ? run + 1 : 0;
        if (out->len == begin && byte == TL_SPEECH_SILENCE)
            continue;
        if (run > SILENCE_RUN_MAX) {
            byte = LEAST_SOUND;
            run = 0;
        }
        tl_buf_add(out, &byte, 1);
    }
    while (out->len > begin && out->data[out->len - 1] == TL_SPEECH_SILENCE)
        out->len--;
}

static enum tl_status resample(int rate, const int16_t *in, size_t in_count, int16_t *out,
                               size_t out_size, size_t *ret_count, struct tl_error *err)
{
    soxr_io_spec_t io = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);

    io.flags = SOXR_NO_DITHER; /* dither is random, and the bytes must not be */
    soxr_error_t wrong = soxr_oneshot(rate, RATE, 1, in, in_count, NULL, out, out_size, ret_count,
                                      &io, &quality, NULL);
    return wrong ? tl_fail(err, TL_FATAL, "speech: resample: %s", soxr_strerror(wrong)) : TL_OK;
}

enum tl_status tl_synth(enum tl_speech_voice voice, const char *text, struct tl_buf *ret_ulaw,
                        struct tl_error *err)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf raw;
    TL_CLEANUP(tl_buf_finish) struct tl_buf pcm;
    size_t count = 0;
    int rate = 0;

    tl_buf_init(&raw, (size_t)48000 * 120 * sizeof(short) + sizeof(int));
    tl_buf_init(&pcm, TL_SYNTH_MAX_BYTES * sizeof(int16_t) + 4096);
    if (text[strspn(text, " \t\r\n")] == '\0') /* espeak-ng calls that an error of its own */
        return tl_fail(err, TL_INVALID, "speech: nothing to pronounce");
    enum tl_status st = run_child(voice, text, &raw, err);
    if (st != TL_OK)
        return st;

    memcpy(&rate, raw.data, sizeof(rate));
    size_t in_count = (raw.len - sizeof(rate)) / sizeof(int16_t);
    size_t out_size = in_count * RATE / (size_t)rate + 64;
    int16_t *out = (int16_t *)(void *)tl_buf_reserve(&pcm, out_size * sizeof(int16_t));
    if (in_count == 0 || !out)
        return tl_fail(err, TL_INVALID, "speech: %s: \"%.60s\"",
                       in_count ? "too long" : "nothing to pronounce", text);
    st = resample(rate, (const int16_t *)(const void *)(raw.data + sizeof(rate)), in_count, out,
                  out_size, &count, err);
    if (st != TL_OK)
        return st;

    normalise(out, count);
    size_t before = ret_ulaw->len;
    encode(out, shorten_pauses(out, count), ret_ulaw);
    if (ret_ulaw->len < before + TL_SPEECH_FRAME_BYTES)
        return tl_fail(err, TL_INVALID, "speech: nothing to pronounce: \"%.60s\"", text);
    return TL_OK;
}
