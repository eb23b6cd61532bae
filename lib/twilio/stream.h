#ifndef TL_TWILIO_STREAM_H
#define TL_TWILIO_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Messages of Media Streams (Twilio, "Media Streams - WebSocket messages"). */

enum tl_stream_event {
    TL_STREAM_CONNECTED,
    TL_STREAM_START,
    TL_STREAM_MEDIA,
    TL_STREAM_DTMF,
    TL_STREAM_MARK,
    TL_STREAM_STOP,
};

#define TL_STREAM_AUDIO_MAX 8192 /* bytes of sound in one message; 20 ms are 160 */
#define TL_STREAM_TEXT_MAX 512

/** One message of the telephone network. */
struct tl_stream_message {
    enum tl_stream_event event;
    char stream_sid[64];
    char call_sid[64];                 /* START, STOP */
    char account_sid[64];              /* START */
    char text[TL_STREAM_TEXT_MAX];     /* DTMF: digit; MARK: name; START: parameter "key" */
    int64_t timestamp_ms;              /* MEDIA: since the stream began */
    uint8_t audio[TL_STREAM_AUDIO_MAX]; /* MEDIA: mu-law */
    size_t audio_len;
};

/** Reads one text frame. TL_INVALID: not JSON, unknown event, a member that is missing or of the
 *  wrong shape, sound that is not base64 or longer than TL_STREAM_AUDIO_MAX, a format that is not
 *  mu-law 8000 Hz mono. TL_NOT_FOUND: an event that we do not know; ignore it. Numbers may come as
 *  strings. */
TL_MUST_CHECK enum tl_status tl_stream_parse(const char *data, size_t len,
                                             struct tl_stream_message *ret_message,
                                             struct tl_error *err);

/* Each appends one message with exactly the members that the network takes (anything more is its
 * error 31951). */
void tl_stream_media(struct tl_buf *out, const char *stream_sid, struct tl_bytes audio);
void tl_stream_mark(struct tl_buf *out, const char *stream_sid, const char *name);
void tl_stream_clear(struct tl_buf *out, const char *stream_sid);

#endif
