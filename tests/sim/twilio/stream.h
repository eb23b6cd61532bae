#ifndef TL_TEL_STREAM_H
#define TL_TEL_STREAM_H

#include "call.h"

/** A bidirectional media stream of a call. Freed by itself when its socket is closed. */
struct tl_tel_stream;

/** Opens what a <Stream> says. The end is told to tl_tel_run_stream_ended, never from within. */
void tl_tel_stream_open(struct tl_tel_call *call, const struct tl_tel_node *node);

bool tl_tel_stream_is_started(const struct tl_tel_stream *stream);
const char *tl_tel_stream_sid(const struct tl_tel_stream *stream);

/** A frame of the caller, in base64; false: nobody takes it (not started, or the socket is full).
 */
bool tl_tel_stream_frame(struct tl_tel_stream *stream, const char *payload);
void tl_tel_stream_skip_frame(struct tl_tel_stream *stream); /* the network lost one */
void tl_tel_stream_key(struct tl_tel_stream *stream, char key);
void tl_tel_stream_mark(struct tl_tel_stream *stream, const char *name);

/** Tells `stop` and closes; the call is not told of its end. */
void tl_tel_stream_stop(struct tl_tel_stream *stream);

/** Faults. TL_INVALID: no such fault. {"abort":true}: reset; {"drop":true}: FIN
 *  without a close frame; {"close":true}: closed without stop;
 *  {"half_open":true}: nothing more is sent or taken, the socket stays; {"raw":"text"},
 *  {"binary":"text"}: sent as a message; {"lose_frames":N}. */
TL_MUST_CHECK enum tl_status tl_tel_stream_fault(struct tl_tel_stream *stream, const json_t *fault,
                                                 struct tl_error *err);

#endif
