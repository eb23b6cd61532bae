/* What the state topic says: how far each intent and command is. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sinks/telephony/telephony_internal.h"

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct tl_known *)a)->id, ((const struct tl_known *)b)->id);
}

struct tl_known *tl_known_get(const struct tl_telephony *telephony, const char *id)
{
    struct tl_known key;

    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    void *slot = tfind(&key, &telephony->known, compare);
    return slot ? *(struct tl_known **)slot : NULL;
}

void tl_known_put(struct tl_telephony *telephony, const char *id, const char *call_id,
                  int32_t partition, enum tl_telephony_stage stage)
{
    struct tl_known *known = tl_known_get(telephony, id);

    if (!known) {
        known = calloc(1, sizeof(*known));
        if (!known)
            abort();
        (void)snprintf(known->id, sizeof(known->id), "%s", id);
        if (!tsearch(known, &telephony->known, compare))
            abort();
    }
    (void)snprintf(known->call_id, sizeof(known->call_id), "%s", call_id);
    known->partition = partition;
    known->stage = stage;
    if (stage == TL_TELEPHONY_STAGE_DONE)
        tl_closing_expect(telephony, call_id);
}

void tl_known_remove(struct tl_telephony *telephony, const char *id)
{
    struct tl_known *known = tl_known_get(telephony, id);

    if (!known)
        return;
    (void)tdelete(known, &telephony->known, compare); /* returns the parent: of no use */
    free(known);
}

void tl_known_clear(struct tl_telephony *telephony)
{
    tdestroy(telephony->known, free);
    telephony->known = NULL;
}

static struct tl_bytes bytes_of(const char *text)
{
    return (struct tl_bytes){(const uint8_t *)text, strlen(text)};
}

enum tl_status tl_known_write(struct tl_telephony *telephony, const struct tl_effect *effect,
                              enum tl_telephony_stage stage, tl_delivery_fn on_delivery, void *arg,
                              struct tl_error *err)
{
    const struct tl_telephony_state state = {.intent_id = effect->id,
                                             .call_id = effect->call_id,
                                             .call_sid = effect->call_sid,
                                             .action = "end",
                                             .stage = stage,
                                             .at = tl_now_ms(),
                                             .attempts = effect->attempts,
                                             .detail = effect->detail};

    tl_buf_reset(&telephony->out);
    enum tl_status st = tl_record_encode(tl_fleet_schemas(telephony->sink->fleet),
                                         TL_RECORD_TELEPHONY_STATE, &state, &telephony->out, err);
    if (st == TL_OK) /* beside the call's events, whatever the key */
        st = tl_producer_send(telephony->state_topic, effect->partition, bytes_of(effect->id),
                              (struct tl_bytes){telephony->out.data, telephony->out.len}, NULL,
                              on_delivery, arg, err);
    if (st == TL_OK)
        tl_known_put(telephony, effect->id, effect->call_id, effect->partition, stage);
    return st;
}

struct burial {
    const char *call_id;
    struct tl_known *found;
};

static void find_of_call(const void *node, VISIT which, void *closure)
{
    struct tl_known *known = *(struct tl_known *const *)node;
    struct burial *burial = closure;

    if ((which == postorder || which == leaf) && strcmp(known->call_id, burial->call_id) == 0)
        burial->found = known;
}

void tl_known_bury(struct tl_telephony *telephony, const char *call_id)
{
    for (;;) {
        struct burial burial = {.call_id = call_id};
        struct tl_error err;

        twalk_r(telephony->known, find_of_call, &burial);
        if (!burial.found)
            return;
        /* A tombstone that is not written stays away until the call is read again. */
        (void)!tl_producer_send(telephony->state_topic, burial.found->partition,
                                bytes_of(burial.found->id), (struct tl_bytes){0}, NULL, NULL, NULL,
                                &err);
        tl_known_remove(telephony, burial.found->id);
    }
}
