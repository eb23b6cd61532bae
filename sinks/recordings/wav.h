#ifndef TL_RECORDINGS_WAV_H
#define TL_RECORDINGS_WAV_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sinks/recordings/timeline.h"

/* A call as a stereo WAV at 8 kHz: left the caller, right the AI. Gaps (every silence but "quiet")
 * are cue points behind the sound, with length and name: "caller no_stream". */

enum tl_wav_format {
    TL_WAV_MULAW = 7, /* WAVE_FORMAT_MULAW: 16,000 bytes a second */
    TL_WAV_PCM = 1,   /* 16 bit, for players that know no mu-law: 32,000 */
};

#define TL_WAV_BUFFER 4096 /* samples of a side that are read at a time */

/** Fills ret_data with `len` bytes, at most TL_WAV_BUFFER, of the sound of a segment from byte
 * `offset` on. A status other than TL_OK ends the writing with it. */
typedef enum tl_status (*tl_wav_read_fn)(void *arg, uint32_t segment, uint32_t offset, uint32_t len,
                                         uint8_t *ret_data, struct tl_error *err);

/** Takes the next bytes of the file; likewise. */
typedef enum tl_status (*tl_wav_write_fn)(void *arg, const void *data, size_t len,
                                          struct tl_error *err);

struct tl_wav_options {
    enum tl_wav_format format;
    tl_wav_read_fn read;
    tl_wav_write_fn write;
    void *arg; /* of both */
};

/** Length of the file that tl_wav_write writes, bytes. */
uint64_t tl_wav_bytes(const struct tl_timeline *t, enum tl_wav_format format);

/** Writes the file from beginning to end, about 45 KiB of stack and nothing else. TL_INVALID:
 * longer than a WAV can be (4 GiB: 74 hours of mu-law); else what `read` or `write` said. */
TL_MUST_CHECK enum tl_status tl_wav_write(const struct tl_timeline *t,
                                          const struct tl_wav_options *options,
                                          struct tl_error *err);

#endif
