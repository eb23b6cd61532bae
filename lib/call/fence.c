/* Which events of a call count: see fence.h. */
#include "call/fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/claim.h"

static struct tl_fence_intent *find_intent(struct tl_fence *fence, const char *intent_id)
{
    for (size_t i = 0; i < fence->intents_n; i++)
        if (strcmp(fence->intents[i].intent_id, intent_id) == 0)
            return &fence->intents[i];
    return NULL;
}

static void remember_intent(struct tl_fence *fence, const char *intent_id)
{
    if (find_intent(fence, intent_id) || fence->intents_n == TL_FENCE_INTENTS_MAX)
        return;
    if ((fence->intents_n & 7) == 0) { /* grows by eight */
        void *p = realloc(fence->intents, (fence->intents_n + 8) * sizeof(*fence->intents));
        if (!p)
            abort();
        fence->intents = p;
    }
    struct tl_fence_intent *intent = &fence->intents[fence->intents_n++];
    *intent = (struct tl_fence_intent){0};
    (void)snprintf(intent->intent_id, sizeof(intent->intent_id), "%s", intent_id);
}

static bool accept_result(struct tl_fence *fence, const struct tl_tool_result *result)
{
    struct tl_fence_intent *intent = find_intent(fence, result->intent_id);
    if (!intent || intent->has_result)
        return false;
    intent->has_result = true;
    return true;
}

const struct tl_fence_leg *tl_fence_leg_of(const struct tl_fence *fence, const char *leg)
{
    for (size_t i = 0; i < fence->legs_n; i++)
        if (strcmp(fence->legs[i].leg, leg) == 0)
            return &fence->legs[i];
    return NULL;
}

static struct tl_fence_leg *leg_of(struct tl_fence *fence, const char *leg)
{
    struct tl_fence_leg *found = (struct tl_fence_leg *)tl_fence_leg_of(fence, leg);
    if (found || fence->legs_n == TL_FENCE_LEGS_MAX)
        return found;
    found = &fence->legs[fence->legs_n++];
    (void)snprintf(found->leg, sizeof(found->leg), "%s", leg);
    found->highest = (struct tl_claim){.number = -1, .offset = -1};
    return found;
}

/* An event of a holder: session_started and everything that it writes. */
static bool accept_holder(struct tl_fence_leg *leg, const struct tl_call_event *event)
{
    int order = tl_claim_compare(event->claim, &leg->highest);
    bool same =
        leg->held && leg->epoch == event->epoch && strcmp(leg->producer, event->producer) == 0;

    if (order < 0 || (order == 0 && leg->held && !same))
        return false;
    leg->highest = *event->claim;
    leg->held = true;
    leg->epoch = event->epoch;
    (void)snprintf(leg->producer, sizeof(leg->producer), "%s", event->producer);
    return true;
}

bool tl_fence_accept(struct tl_fence *fence, const struct tl_call_event *event)
{
    if (fence->closed)
        return false;
    if (event->tool_result)
        return accept_result(fence, event->tool_result);
    if (event->claim) {
        struct tl_fence_leg *leg = leg_of(fence, event->leg);
        if (!leg)
            return false;
        if (event->given || event->stream_ended)
            return tl_attachment_compare(event->claim, &leg->highest) >= 0;
        if (!accept_holder(leg, event))
            return false;
    }
    if (event->tool_intent)
        remember_intent(fence, event->tool_intent->intent_id);
    if (event->checkpoint) /* who begins to read here has not seen these */
        for (size_t i = 0; i < event->checkpoint->open_intents_n; i++)
            remember_intent(fence, event->checkpoint->open_intents[i].intent_id);
    if (event->closed)
        fence->closed = true;
    return true;
}

void tl_fence_finish(struct tl_fence *fence)
{
    free(fence->intents);
    *fence = (struct tl_fence){0};
}
