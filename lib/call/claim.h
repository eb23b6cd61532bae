#ifndef TL_CALL_CLAIM_H
#define TL_CALL_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"

/* A claim is (attachment, session), the attachment being (number in the signed URL, offset of the
 * ingest's first `given`). struct tl_claim and struct tl_position come from the schema. */

/** <0, 0, >0: number first, then offset, then session. */
int tl_claim_compare(const struct tl_claim *a, const struct tl_claim *b);

/** The same without the session. */
int tl_attachment_compare(const struct tl_claim *a, const struct tl_claim *b);

/** <0, 0, >0: number, offset, n. */
int tl_position_compare(const struct tl_position *a, const struct tl_position *b);

#endif
