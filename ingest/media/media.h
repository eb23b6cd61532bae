#ifndef TL_INGEST_MEDIA_MEDIA_H
#define TL_INGEST_MEDIA_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/ws.h"

struct tl_ingest;
struct tl_presence;

/** The media streams of one ingest: sockets of the telephone network on one side, mailboxes on the
 *  other. */
struct tl_media;

TL_MUST_CHECK enum tl_status tl_media_create(struct tl_ingest *ingest, struct tl_media **ret_media,
                                             struct tl_error *err);
void tl_media_destroy(struct tl_media *media); /* accepts NULL; after the net: sockets are gone */

/** on_upgrade of the public listener; arg is the media. */
void tl_media_on_upgrade(void *arg, const struct tl_http_request *request,
                         struct tl_ws_accept *accept);

/** Starts to read the own mailbox and to send; the fleet is ready. */
TL_MUST_CHECK enum tl_status tl_media_start(struct tl_media *media, struct tl_error *err);

/** Somebody came, went, or drains: legs of conversations that are gone are given to others. */
void tl_media_on_change(struct tl_media *media);

/** Closes every stream at a pause in speech, while another ingest can take its call; after the
 * drain time regardless. */
void tl_media_drain(struct tl_media *media);

/** Every stream is closed, and what was said in them is in the log. */
bool tl_media_is_empty(const struct tl_media *media);

/** A living conversation with room for the call, not `not_number`; -1: none. The call is promised
 * to it. */
int tl_media_choose(struct tl_media *media, const char *call_sid, int not_number);

/** Number of the newest attachment of the call that was heard of here; 0: none. A leg that claimed above
 *  another one has a higher one than its URLs tell. */
int tl_media_number_of(const struct tl_media *media, const char *call_sid);

bool tl_media_is_full(const struct tl_media *media); /* holds, or has promised, all that it may */

int64_t tl_media_streams(const struct tl_media *media); /* open now */
void tl_media_fill(struct tl_media *media, struct tl_presence *own);

#endif
