#ifndef TL_INGEST_MEDIA_PROMISES_H
#define TL_INGEST_MEDIA_PROMISES_H

#include <stddef.h>
#include <stdint.h>

#include "call/presence.h"

#define TL_PROMISES_MAX 4096 /* further ones are not remembered: the conversations refuse then */

/** Calls on their way to a conversation, that do not count among those it holds yet: a document was
 * given and its stream has not come, or a leg has only just been given. They take room in the view
 * meanwhile. Pure. */
struct tl_promises {
    struct tl_promise {
        char key[64]; /* the call's */
        int conversation;
        int64_t until_ms; /* monotonic */
    } * all;
    size_t n;
};

/** The call is promised to that conversation until then; an older promise for it is taken back. */
void tl_promises_add(struct tl_promises *promises, struct tl_presence_view *view, const char *key,
                     int conversation, int64_t until_ms);

/** Takes back what is over at now_ms. */
void tl_promises_expire(struct tl_promises *promises, struct tl_presence_view *view,
                        int64_t now_ms);

void tl_promises_finish(struct tl_promises *promises); /* frees; zeroed = empty */

#endif
