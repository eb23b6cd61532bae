#ifndef TL_KAFKA_OFFSETS_INTERNAL_H
#define TL_KAFKA_OFFSETS_INTERNAL_H

struct tl_offsets;

/** Drops all questions; one that a worker thread is asking just now ends with the next turns of the
 *  loop. Accepts NULL. */
void tl_offsets_destroy(struct tl_offsets *offsets);

#endif
