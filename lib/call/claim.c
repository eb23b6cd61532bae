/* Comparing claims and positions: see claim.h. */
#include "call/claim.h"

static int compare64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int tl_attachment_compare(const struct tl_claim *a, const struct tl_claim *b)
{
    int c = compare64(a->number, b->number);
    return c ? c : compare64(a->offset, b->offset);
}

int tl_claim_compare(const struct tl_claim *a, const struct tl_claim *b)
{
    int c = tl_attachment_compare(a, b);
    return c ? c : compare64(a->session, b->session);
}

int tl_position_compare(const struct tl_position *a, const struct tl_position *b)
{
    int c = compare64(a->number, b->number);
    if (!c)
        c = compare64(a->offset, b->offset);
    return c ? c : compare64(a->n, b->n);
}
