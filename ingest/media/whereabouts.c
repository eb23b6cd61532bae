/* A table of calls that were moved: see whereabouts.h. */
#include "ingest/media/whereabouts.h"

#include <stdlib.h>
#include <uthash.h>

struct row {
    UT_hash_handle hh; /* in the order in which they were heard of */
    struct tl_uuid call_id;
    struct tl_claim claim;
    int conversation;
    int64_t epoch;
};

struct tl_whereabouts {
    struct row *rows;
};

struct tl_whereabouts *tl_whereabouts_create(void)
{
    struct tl_whereabouts *where = calloc(1, sizeof(*where));
    if (!where)
        abort();
    return where;
}

static void forget(struct tl_whereabouts *where, struct row *row)
{
    HASH_DEL(where->rows, row);
    free(row);
}

void tl_whereabouts_destroy(struct tl_whereabouts *where)
{
    struct row *row, *tmp;

    if (!where)
        return;
    HASH_ITER(hh, where->rows, row, tmp)
    forget(where, row);
    free(where);
}

void tl_whereabouts_put(struct tl_whereabouts *where, const struct tl_uuid *call_id,
                        const struct tl_claim *claim, int conversation, int64_t epoch)
{
    struct row *row;

    HASH_FIND(hh, where->rows, call_id, sizeof(*call_id), row);
    if (row && tl_claim_compare(claim, &row->claim) < 0)
        return;
    if (row)
        forget(where, row); /* and to the end of the order */
    else if (HASH_COUNT(where->rows) >= TL_WHEREABOUTS_MAX)
        forget(where, where->rows);
    row = malloc(sizeof(*row));
    if (!row)
        abort();
    *row = (struct row){
        .call_id = *call_id, .claim = *claim, .conversation = conversation, .epoch = epoch};
    HASH_ADD(hh, where->rows, call_id, sizeof(row->call_id), row);
}

bool tl_whereabouts_get(const struct tl_whereabouts *where, const struct tl_uuid *call_id,
                        int *ret_conversation, int64_t *ret_epoch, int *ret_number)
{
    struct row *row;

    HASH_FIND(hh, where->rows, call_id, sizeof(*call_id), row);
    if (!row)
        return false;
    *ret_conversation = row->conversation;
    *ret_epoch = row->epoch;
    *ret_number = row->claim.number;
    return true;
}
