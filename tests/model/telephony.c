/* Telephony: the watchdog over streams, the heir of calls that ended while their holder died, and
 * the last resort that closes. */
#include "call/call_state.h"
#include "call/claim.h"
#include "tests/model/model.h"

/* ---- what the log says ---- */

static void on_attachment(struct proc *p, struct watched *c, const struct rec *r, int now)
{
    int64_t offset = r->claim.offset < 0 ? p->mailbox_read - 1 : r->claim.offset;
    bool is_newer = offset > c->offset || (offset == c->offset && r->kind == K_GIVEN);

    if (r->claim.number < c->number)
        return;
    if (r->claim.number == c->number && c->known && (c->attempts || !is_newer))
        return; /* once a rescue was written only a higher number stops the next one */
    if (r->stream != c->stream) {
        c->watermark = c->asked = -1;
        c->attempts = 0;
        c->grace = 0;
        c->since = now;
        c->dead = c->ended[r->stream % 256];
    }
    c->number = r->claim.number;
    c->offset = offset;
    c->ingest = r->ingest;
    c->ingest_epoch = r->ingest_epoch;
    c->stream = r->stream;
    c->known = true;
}

/* The network answers that the call is over: that is its final state, should no callback tell. */
static void ask_for_stream(struct world *w, struct proc *p, int call, int number)
{
    const struct rec over = {.kind = K_STATE, .call = call, .value = TL_CALL_STATE_COMPLETED};

    if (!w->calls[call].ended)
        network_rest(w, call, number);
    else if (!off(w, TL_RULE_norescueover))
        (void)send_rec(w, p, TL_MODEL_CALLS, over);
}

/* After an orderly stop the network itself goes on, for a while. */
static void on_ended(struct world *w, struct watched *c, const struct rec *r)
{
    c->dead = true;
    c->since = w->now;
    c->grace = r->value && !off(w, TL_RULE_nostopgrace) ? TL_MODEL_NEXT : 0;
}

static void on_rescue(struct world *w, struct proc *p, struct watched *c, const struct rec *r)
{
    if (r->claim.number != c->number || r->value != c->attempts)
        return; /* not the first one */
    c->attempts++;
    c->dead = true;
    c->since = w->now + TL_MODEL_NEXT;
    if (!off(w, TL_RULE_norescuebackoff))
        c->since = w->now + (TL_MODEL_NEXT << (c->attempts < 4 ? c->attempts - 1 : 3));
    if (r->by == p->gid && r->epoch == p->view.own_epoch)
        ask_for_stream(w, p, r->call, r->claim.number + 1);
}

void telephony_read(struct world *w, struct proc *p, const struct rec *r)
{
    struct watched *c = &p->watched[r->call];

    (void)accepts(w, &c->fence, r);
    switch (r->kind) {
    case K_GIVEN:
    case K_SESSION:
        on_attachment(p, c, r, w->now);
        c->heir_at = w->now; /* somebody is at it */
        break;
    case K_ENDED:
        c->ended[r->stream % 256] = true;
        if (r->stream == c->stream && !c->dead)
            on_ended(w, c, r);
        break;
    case K_RESCUE:
        on_rescue(w, p, c, r);
        break;
    case K_STATE:
        if (c->final_at < 0 && tl_call_state_is_final((enum tl_call_state)r->value))
            c->final_at = c->heir_at = w->now;
        break;
    default:
        break;
    }
}

/* ---- the heir: a call that is over is given once more, with STOPPED, so that its last words are
 * written ---- */

static void begin_heir(struct world *w, struct proc *p, int call)
{
    struct watched *c = &p->watched[call];
    int conversation = choose(w, p, call, -1);
    const struct rec given = {.kind = K_GIVEN,
                              .call = call,
                              .claim = {.number = c->number + 1, .offset = -1},
                              .stream = ++w->streams,
                              .conversation = conversation,
                              .ingest = p->gid,
                              .ingest_epoch = p->view.own_epoch};

    c->heir_at = w->now;
    if (conversation < 0 || off(w, TL_RULE_noheir))
        return;
    struct rec r = given;
    r.conversation_epoch = epoch_of(p, w, conversation);
    say(w, "%s gives call%d, which is over, to %s", name_of(w, p->gid), call,
        name_of(w, conversation));
    (void)send_rec(w, p, TL_MODEL_CALLS, r);
}

void telephony_ack(struct world *w, struct proc *p, const struct ack *ack)
{
    struct rec r = ack->rec;

    if (r.kind != K_GIVEN)
        return;
    r.to_epoch = r.conversation_epoch;
    if (r.claim.offset < 0) {
        r.claim.offset = ack->offset;
        r.claim.session = 1;
        (void)send_rec(w, p, TL_MODEL_CALLS, r);
        return;
    }
    r.kind = K_STARTED;
    (void)send_rec(w, p, w->procs[r.conversation].part, r);
    r.kind = K_STOPPED;
    (void)send_rec(w, p, w->procs[r.conversation].part, r);
}

/* ---- time ---- */

static void watch_over(struct world *w, struct proc *p, int call)
{
    struct watched *c = &p->watched[call];
    struct rec rescue = {.kind = K_RESCUE, .call = call};

    if (!c->known && w->now > TL_MODEL_EXPECT && !off(w, TL_RULE_noexpect)) {
        c->number = 0; /* TwiML was given, and no stream came */
        c->ingest = -1;
        c->known = c->dead = true;
    }
    if (!c->known || (!c->dead && lives(p, w, c->ingest, c->ingest_epoch)))
        return;
    if (c->watermark < 0) {
        c->watermark = w->parts[TL_MODEL_CALLS].n;
        c->since = w->now + c->grace;
    }
    if (p->mailbox_read < c->watermark || c->asked >= c->attempts || w->now < c->since + p->number)
        return;
    c->asked = c->attempts;
    rescue.claim.number = c->number;
    rescue.value = c->attempts;
    (void)send_rec(w, p, TL_MODEL_CALLS, rescue);
}

static void watch_end(struct world *w, struct proc *p, int call)
{
    struct watched *c = &p->watched[call];
    const struct rec closed = {.kind = K_CLOSED, .call = call, .claim = {.number = -1}};

    if (c->fence.closed || !w->calls[call].ended) /* it asks the network */
        return;
    if (w->now > c->final_at + TL_MODEL_CLOSE && !off(w, TL_RULE_noclosetelephony)) {
        c->final_at = w->now;
        w->result->closed_by_telephony++;
        (void)send_rec(w, p, TL_MODEL_CALLS, closed);
    } else if (w->now > c->heir_at + TL_MODEL_HEIR + 2 * p->number) {
        begin_heir(w, p, call);
    }
}

void telephony_tick(struct world *w, struct proc *p)
{
    for (int c = 0; c < w->calls_n; c++)
        if (p->watched[c].final_at >= 0)
            watch_end(w, p, c);
        else if (!off(w, TL_RULE_nowatchdog))
            watch_over(w, p, c);
}
