#ifndef TL_INGEST_MEDIA_DELAY_H
#define TL_INGEST_MEDIA_DELAY_H

#include <stdbool.h>
#include <stdint.h>

/** How long frames of one stream lay somewhere before they were read: a process that goes on after a
 * stall finds seconds of them in its sockets, and they say nothing of whether the stream still lives.
 * Pure; zeroed = no frame came. */
struct tl_delay {
    bool any;
    int64_t newest_ms; /* of the stream's own time */
    double least_ms;   /* between the stream's time and ours, of the promptest frame */
};

/** A frame of the stream's time `timestamp_ms` is read at now_ms (monotonic): by how many ms it comes
 * later than the promptest one. That one is forgotten by a hundredth of the stream's time, for clocks
 * drift and paths change. */
int64_t tl_delay_of_frame(struct tl_delay *delay, int64_t timestamp_ms, int64_t now_ms);

#endif
