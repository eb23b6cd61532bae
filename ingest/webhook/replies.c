/* A ring of the newest replies: see replies.h. */
#include "ingest/webhook/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reply {
    char key[160];
    uint8_t *data;
    size_t len;
};

struct tl_replies {
    struct reply ring[TL_REPLIES_MAX];
    size_t next;
};

struct tl_replies *tl_replies_create(void)
{
    struct tl_replies *replies = calloc(1, sizeof(*replies));
    if (!replies)
        abort();
    return replies;
}

void tl_replies_destroy(struct tl_replies *replies)
{
    for (size_t i = 0; replies && i < TL_REPLIES_MAX; i++)
        free(replies->ring[i].data);
    free(replies);
}

void tl_replies_put(struct tl_replies *replies, const char *key, const void *data, size_t len)
{
    struct reply *r = &replies->ring[replies->next];

    replies->next = (replies->next + 1) % TL_REPLIES_MAX;
    free(r->data);
    r->data = malloc(len ? len : 1);
    if (!r->data)
        abort();
    memcpy(r->data, data, len);
    r->len = len;
    (void)snprintf(r->key, sizeof(r->key), "%s", key);
}

bool tl_replies_get(const struct tl_replies *replies, const char *key, struct tl_bytes *ret)
{
    for (size_t i = 0; i < TL_REPLIES_MAX; i++)
        if (replies->ring[i].data && strcmp(replies->ring[i].key, key) == 0) {
            *ret = (struct tl_bytes){replies->ring[i].data, replies->ring[i].len};
            return true;
        }
    return false;
}
