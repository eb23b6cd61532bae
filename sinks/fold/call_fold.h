#ifndef TL_SINKS_CALL_FOLD_H
#define TL_SINKS_CALL_FOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/uuid.h"
#include "call/fence.h"

#define TL_FOLD_RECENT 16 /* event and utterance ids remembered, to know a record that came twice  \
                           */

/** A call as far as a sink has read it: calls.v1 folded up, event by event. Plain data, pure; texts
 *  that are longer than their field are cut. */
struct tl_call_fold {
    char call_id[TL_UUID_TEXT_LEN + 1];
    char call_sid[64];
    char business_id[128];
    int32_t business_version; /* 0: not known */
    enum tl_direction direction;
    char from_number[64], to_number[64];
    enum tl_call_state state;
    char reason[128];
    char answered_by[32];
    int64_t started_at, answered_at, ended_at, closed_at; /* ms; 0: not yet */
    int32_t duration_s;                                   /* -1: not known */
    int32_t utterances;                                   /* finals */
    int32_t utterances_of[TL_SPEAKER_N];
    int64_t cost_microusd;
    int32_t partition;                     /* where it stands in calls.v1 */
    int64_t offset;                        /* of the last event that counted */
    struct tl_uuid recent[TL_FOLD_RECENT]; /* ring */
    int32_t recent_next;
    struct tl_fence fence;
};

enum tl_fold_verdict {
    TL_FOLD_COUNTS,
    TL_FOLD_FENCED, /* of a lower claim, another holder's, or a second result */
    TL_FOLD_TWICE,  /* this utterance or usage was counted already */
    TL_FOLD_BEHIND, /* behind the call's `closed` */
};
#define TL_FOLD_VERDICTS 4
const char *tl_fold_verdict_name(enum tl_fold_verdict verdict); /* "counts", "fenced" … */

/** Can the event be stored at all? TL_INVALID: ids that are no UUIDs, a key that is not the call's
 *  id, times outside the years 1970 to 9999: a dead letter. Call it before tl_call_fold_take. */
TL_MUST_CHECK enum tl_status tl_call_event_check(const struct tl_call_event *event,
                                                 struct tl_bytes key, struct tl_error *err);

/** A call of which nothing was read. */
void tl_call_fold_init(struct tl_call_fold *call, const char *call_id);
void tl_call_fold_finish(struct tl_call_fold *call); /* accepts a zeroed one */

/** Takes the next event of the call. Only one that counts changes anything but the fence. */
enum tl_fold_verdict tl_call_fold_take(struct tl_call_fold *call, const struct tl_call_event *event,
                                       int32_t partition, int64_t offset);

/** The whole state, fence included; a new reference. */
json_t *tl_call_fold_to_json(const struct tl_call_fold *call);

/** What to_json made. TL_INVALID: something else; the call is then as after init. */
TL_MUST_CHECK enum tl_status tl_call_fold_from_json(struct tl_call_fold *call, const char *call_id,
                                                    const json_t *json, struct tl_error *err);

#endif
