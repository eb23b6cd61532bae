/* The log is the memory: a successor reads the story up to S, revokes the mailboxes that it will
 * read, reads them, and goes on. */
#include <stdlib.h>
#include <string.h>

#include "call/claim.h"
#include "tests/model/model.h"

struct story {
    bool closed;
    struct log sessions, givens, drafts, intents;
    struct rec holder; /* of the newest session that counts */
    struct tl_fence fence;
    struct tl_position media_to, answered_to;
    bool *done;  /* intents with a result, by id */
    bool *final; /* utterances with a final, by id */
};

static void take_draft(struct world *w, struct story *s, const struct rec *r)
{
    for (int i = 0; i < s->drafts.n; i++)
        if (s->drafts.recs[i].utterance == r->utterance) {
            s->drafts.recs[i] = *r;
            return;
        }
    (void)log_push(w, &s->drafts, r);
}

static void raise_answered(const struct world *w, struct story *s, const struct rec *r)
{
    if (off(w, TL_RULE_noanswersto) || (r->kind == K_INTENT && off(w, TL_RULE_nointentanswersto)))
        return;
    if (tl_position_compare(&r->answers_to, &s->answered_to) > 0)
        s->answered_to = r->answers_to;
}

static void take_event(struct world *w, struct story *s, const struct rec *r)
{
    switch (r->kind) {
    case K_SESSION:
        (void)log_push(w, &s->sessions, r);
        break;
    case K_FINAL_CALLER:
        s->media_to = r->media_to;
        break;
    case K_DRAFT:
        take_draft(w, s, r);
        raise_answered(w, s, r);
        break;
    case K_FINAL_AI:
        s->final[r->utterance] = true;
        break;
    case K_INTENT:
        (void)log_push(w, &s->intents, r);
        raise_answered(w, s, r);
        break;
    case K_RESULT:
        s->done[r->intent] = true;
        break;
    case K_CLOSED:
        s->closed = true;
        break;
    default:
        break;
    }
}

static struct story read_story(struct world *w, int call, int64_t to)
{
    size_t ids = (size_t)w->ids + 1;
    struct story s = {.media_to = before_all(),
                      .answered_to = before_all(),
                      .done = tl_arena_alloc(&w->arena, ids),
                      .final = tl_arena_alloc(&w->arena, ids)};

    for (int64_t i = 0; i <= to && i < w->parts[TL_MODEL_CALLS].n; i++) {
        const struct rec *r = &w->parts[TL_MODEL_CALLS].recs[i];
        if (r->call != call)
            continue;
        if (r->kind == K_GIVEN && r->claim.offset >= 0) /* those of losers are read too */
            (void)log_push(w, &s.givens, r);
        if (accepts(w, &s.fence, r))
            take_event(w, &s, r);
    }
    return s;
}

/* ---- the same conversation under a new attachment ---- */

bool recall_is_foreign(const struct world *w, const struct proc *p, const struct dialog *d)
{
    if (off(w, TL_RULE_nosameread))
        return false;
    for (int64_t i = 0; i < d->S && i < w->parts[TL_MODEL_CALLS].n; i++) {
        const struct rec *r = &w->parts[TL_MODEL_CALLS].recs[i];
        bool is_own = r->conversation == p->gid && r->conversation_epoch == p->view.own_epoch;
        if (r->call != d->call || is_own || r->claim.offset < 0 ||
            (r->kind != K_GIVEN && r->kind != K_SESSION))
            continue;
        if (i > d->previous_S)
            return true;
        /* given to another before the own last claim, under an attachment that comes between */
        if (r->kind == K_GIVEN && !off(w, TL_RULE_nosamereadback) &&
            tl_attachment_compare(&r->claim, &d->previous) > 0 &&
            tl_attachment_compare(&r->claim, &d->claim) <= 0)
            return true;
    }
    return false;
}

/* ---- `revoked` ---- */

static bool is_holder(const struct world *w, const struct proc *p, const struct dialog *d,
                      const struct story *s)
{
    const struct tl_fence_leg *leg = holder_of(&s->fence);

    if (off(w, TL_RULE_nofence) || off(w, TL_RULE_nosessionwait))
        return true;
    return leg && tl_claim_compare(&leg->highest, &d->claim) == 0 &&
           leg->epoch == p->view.own_epoch && strcmp(leg->producer, name_of(w, p->gid)) == 0;
}

/* One of the mailboxes that the call was given to. */
struct box {
    int conversation;
    int64_t epoch;
};

static int list_boxes(const struct world *w, const struct dialog *d, const struct story *s,
                      struct box ret[64])
{
    const struct log *from = off(w, TL_RULE_nogiven) ? &s->sessions : &s->givens;
    int n = 0;

    for (int i = 0; i < from->n; i++) {
        const struct rec *r = &from->recs[i];
        bool known = tl_attachment_compare(&r->claim, &d->claim) > 0;
        for (int k = 0; k < n; k++)
            known |=
                ret[k].conversation == r->conversation && ret[k].epoch == r->conversation_epoch;
        if (!known && n < 64)
            ret[n++] = (struct box){r->conversation, r->conversation_epoch};
    }
    return n;
}

static bool is_own(const struct proc *p, const struct box *box)
{
    return box->conversation == p->gid && box->epoch == p->view.own_epoch;
}

static void revoke_boxes(struct world *w, struct proc *p, struct dialog *d, const struct story *s)
{
    struct box boxes[64];
    int n = list_boxes(w, d, s, boxes), first = 0;

    if (off(w, TL_RULE_norevoked))
        return;
    if (off(w, TL_RULE_norevokeall) || off(w, TL_RULE_nogiven)) { /* of the holder before only */
        if (s->sessions.n < 2)
            return;
        const struct rec *before = &s->sessions.recs[s->sessions.n - 2];
        boxes[0] = (struct box){before->conversation, before->conversation_epoch};
        n = 1;
    }
    for (int i = first; i < n; i++) {
        const struct rec revoked = {.kind = K_REVOKED,
                                    .call = d->call,
                                    .claim = d->claim,
                                    .stream = d->stream,
                                    .generation = d->generation,
                                    .to_epoch = boxes[i].epoch,
                                    .n = -1};
        if (is_own(p, &boxes[i]))
            continue;
        (void)send_rec(w, p, w->procs[boxes[i].conversation].part, revoked);
        d->waits += !off(w, TL_RULE_norevokedwait);
    }
}

void recall_revoke(struct world *w, struct proc *p, struct dialog *d)
{
    struct story s = read_story(w, d->call, d->S);

    if (s.closed || !is_holder(w, p, d, &s)) {
        const struct tl_fence_leg *leg = holder_of(&s.fence);
        const struct tl_claim winner = leg ? leg->highest : d->claim;
        say(w, "%s at S=%d: not the holder of call%d", name_of(w, p->gid), (int)d->S, d->call);
        conversation_lost(w, p, d, &winner, 0);
    } else {
        d->waits = 0;
        revoke_boxes(w, p, d, &s);
        d->stage = d->waits ? D_REVOKING : D_READ;
    }
    tl_fence_finish(&s.fence);
}

/* ---- the mailboxes ---- */

static bool is_wanted(const struct world *w, const struct dialog *d, const struct story *s,
                      const struct rec *r, const struct tl_claim *fence)
{
    struct tl_position at = position_of(r);

    if (r->call != d->call || (r->kind != K_FRAME && r->kind != K_MARK && r->kind != K_STOPPED))
        return false;
    if (tl_position_compare(&at, &s->media_to) <= 0)
        return false; /* in the log as words, or was silence */
    if (r->stream == d->stream && r->n >= d->first_n &&
        (!off(w, TL_RULE_nostreamdedupe) || tl_attachment_compare(&r->claim, &d->claim) == 0))
        return false; /* sent again under the own claim */
    if (tl_attachment_compare(&r->claim, &d->claim) > 0)
        return false;
    return off(w, TL_RULE_nomailboxfence) || tl_attachment_compare(&r->claim, fence) >= 0;
}

static void read_box(struct world *w, const struct proc *p, const struct dialog *d,
                     const struct story *s, const struct box *box, struct log *items)
{
    const struct log *log = &w->parts[w->procs[box->conversation].part];
    struct tl_claim fence = {.number = -1, .offset = -1};

    for (int64_t i = 0; i < log->n; i++) {
        const struct rec *r = &log->recs[i];
        if (is_own(p, box) && i >= d->started_offset)
            return;
        if (r->call == d->call && (r->kind == K_REVOKED || r->kind == K_STARTED) &&
            tl_attachment_compare(&r->claim, &fence) > 0)
            fence = r->claim;
        if (r->to_epoch == box->epoch && is_wanted(w, d, s, r, &fence))
            (void)log_push(w, items, r);
    }
}

static int compare_items(const void *a, const void *b)
{
    struct tl_position x = position_of(a), y = position_of(b);
    int c = tl_position_compare(&x, &y);

    return c ? c : ((const struct rec *)a)->id - ((const struct rec *)b)->id;
}

/* ---- what the predecessor left open ---- */

static void resume_drafts(struct world *w, struct dialog *d, const struct story *s)
{
    for (int i = 0; i < s->drafts.n && d->replies_n < REPLIES_MAX; i++) {
        const struct rec *r = &s->drafts.recs[i];
        if (!s->final[r->utterance])
            d->replies[d->replies_n++] = (struct reply){.stage = R_PREDECESSOR,
                                                        .answer = r->answer,
                                                        .utterance = r->utterance,
                                                        .drafted = r->pieces,
                                                        .has_draft = true,
                                                        .answers_to = r->answers_to,
                                                        .last = w->now};
    }
}

static bool is_drafted(const struct story *s, int answer)
{
    for (int i = 0; i < s->drafts.n; i++)
        if (s->drafts.recs[i].answer == answer)
            return true;
    return false;
}

/* An open intent is finished or reported; one with a result is gone on from. */
static void resume_intents(struct world *w, struct proc *p, struct dialog *d, const struct story *s)
{
    for (int i = 0; i < s->intents.n && d->replies_n < REPLIES_MAX; i++) {
        const struct rec *r = &s->intents.recs[i];
        struct reply reply = {.stage = R_INTENT,
                              .answer = r->answer,
                              .intent = r->intent,
                              .intent_logged = true,
                              .answers_to = r->answers_to,
                              .finishes = roll(w, 2)};
        if (is_drafted(s, r->answer))
            continue;
        reply.utterance = ++w->ids;
        if (s->done[r->intent]) {
            reply.stage = R_SPEAK;
        } else if (!reply.finishes) {
            conversation_write(
                w, p, d,
                (struct rec){
                    .kind = K_RESULT, .intent = r->intent, .request = r->request, .value = 2});
            reply.stage = R_SPEAK;
        }
        if (off(w, TL_RULE_nointentanswersto) && reply.stage == R_SPEAK)
            continue; /* the turn is answered again, from its sound */
        d->replies[d->replies_n++] = reply;
    }
}

void recall_read(struct world *w, struct proc *p, struct dialog *d)
{
    struct story s = read_story(w, d->call, d->S);
    struct box boxes[64];
    int n = list_boxes(w, d, &s, boxes);
    struct log items = {0};

    tl_fence_finish(&s.fence);
    for (int i = 0; i < n && !off(w, TL_RULE_nomediato); i++)
        read_box(w, p, d, &s, &boxes[i], &items);
    if (items.n && !off(w, TL_RULE_noorder))
        qsort(items.recs, (size_t)items.n, sizeof(items.recs[0]), compare_items);
    d->media_to = s.media_to;
    d->answered_to = s.answered_to;
    w->result->take_overs++;
    say(w, "%s takes call%d at (%d,%d,%d): %d items of %d mailboxes", name_of(w, p->gid), d->call,
        d->claim.number, (int)d->claim.offset, d->claim.session, items.n, n);
    resume_drafts(w, d, &s);
    resume_intents(w, p, d, &s);
    d->stage = D_LIVE;
    for (int i = 0; i < items.n; i++)
        conversation_hear(w, d, &items.recs[i], true);
    conversation_drain(w, p, d);
}
