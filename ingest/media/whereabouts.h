#ifndef TL_INGEST_MEDIA_WHEREABOUTS_H
#define TL_INGEST_MEDIA_WHEREABOUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "call/claim.h"

#define TL_WHEREABOUTS_MAX 16384 /* calls; the one heard of longest ago falls out */

/** Which conversation holds the calls that are not where their URL says: they were moved since,
 * here or by another ingest, which told all. Should that ingest die, whoever gets the call knows
 * where it is. Pure. */
struct tl_whereabouts;

struct tl_whereabouts *tl_whereabouts_create(void);
void tl_whereabouts_destroy(struct tl_whereabouts *where); /* accepts NULL */

/** The call is with that conversation since the claim; news of an older claim is ignored. */
void tl_whereabouts_put(struct tl_whereabouts *where, const struct tl_uuid *call_id,
                        const struct tl_claim *claim, int conversation, int64_t epoch);

/** False when nothing was heard of the call. `ret_number`: of its newest attachment that was heard
 * of. */
bool tl_whereabouts_get(const struct tl_whereabouts *where, const struct tl_uuid *call_id,
                        int *ret_conversation, int64_t *ret_epoch, int *ret_number);

#endif
