#ifndef TL_INGEST_DRAIN_H
#define TL_INGEST_DRAIN_H

#include <stdbool.h>

struct tl_ingest;

/** Leaves without ending a call ("Draining" in the design): announces it, closes the listener, has
 * the media close each stream at a pause; on_done when all is in the log, or some seconds after the
 * drain time.
 *
 *  While no other ingest lives that does not drain itself, nobody could take the calls: the
 * listener stays open, streams stay until the drain time is over, and webhooks ask the caller to
 * wait a moment, for the process that comes next. Once. */
void tl_drain_begin(struct tl_ingest *ingest, void (*on_done)(void *arg), void *arg);

/** It drains, and no other one is there. */
bool tl_ingest_leaves_alone(const struct tl_ingest *ingest);

void tl_drain_finish(struct tl_ingest *ingest);

#endif
