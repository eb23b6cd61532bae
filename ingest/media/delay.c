/* Frames that come late: see delay.h. */
#include "ingest/media/delay.h"

#define FORGET 0.01

int64_t tl_delay_of_frame(struct tl_delay *d, int64_t timestamp_ms, int64_t now_ms)
{
    double delay_ms = (double)(now_ms - timestamp_ms);

    if (d->any && timestamp_ms > d->newest_ms)
        d->least_ms += FORGET * (double)(timestamp_ms - d->newest_ms);
    if (!d->any || timestamp_ms > d->newest_ms)
        d->newest_ms = timestamp_ms;
    if (!d->any || delay_ms < d->least_ms)
        d->least_ms = delay_ms;
    d->any = true;
    return (int64_t)(delay_ms - d->least_ms);
}
