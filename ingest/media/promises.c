/* Calls on their way: see promises.h. */
#include "ingest/media/promises.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_back(struct tl_promises *p, struct tl_presence_view *view, size_t i)
{
    tl_presence_promise(view, TL_INSTANCE_KIND_CONVERSATION, p->all[i].conversation, -1);
    p->all[i] = p->all[--p->n];
}

void tl_promises_add(struct tl_promises *p, struct tl_presence_view *view, const char *key,
                     int conversation, int64_t until_ms)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->all[i].key, key) == 0) {
            take_back(p, view, i);
            break;
        }
    if (p->n == TL_PROMISES_MAX)
        return;
    if ((p->n & 63) == 0) { /* grows by 64 */
        void *all = realloc(p->all, (p->n + 64) * sizeof(*p->all));
        if (!all)
            abort();
        p->all = all;
    }
    struct tl_promise *added = &p->all[p->n++];
    *added = (struct tl_promise){.conversation = conversation, .until_ms = until_ms};
    (void)snprintf(added->key, sizeof(added->key), "%s", key);
    tl_presence_promise(view, TL_INSTANCE_KIND_CONVERSATION, conversation, 1);
}

void tl_promises_expire(struct tl_promises *p, struct tl_presence_view *view, int64_t now_ms)
{
    for (size_t i = p->n; i-- > 0;)
        if (now_ms >= p->all[i].until_ms)
            take_back(p, view, i);
}

void tl_promises_finish(struct tl_promises *p)
{
    free(p->all);
    *p = (struct tl_promises){0};
}
