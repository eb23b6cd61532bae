/* Ingest: a leg and its claim. Number it (first `given`), give it (`given` and `revoked`, both
 * waited for, then STARTED), send items, move it, claim it again above a winner, write the end of
 * its stream. */
#include "call/claim.h"
#include "tests/model/model.h"

static struct tl_claim claim_of(const struct leg *leg)
{
    return (struct tl_claim){.number = leg->number, .offset = leg->offset, .session = leg->session};
}

static int box_of(const struct world *w, int conversation)
{
    return w->procs[conversation].part;
}

static struct rec item_of(const struct leg *leg, enum kind kind)
{
    return (struct rec){.kind = kind,
                        .call = leg->call,
                        .claim = claim_of(leg),
                        .stream = leg->stream,
                        .generation = leg->generation,
                        .to_epoch = leg->conversation_epoch,
                        .n = -1};
}

static void send_given(struct world *w, struct proc *p, struct leg *leg)
{
    struct rec r = item_of(leg, K_GIVEN);

    r.conversation = leg->conversation;
    r.conversation_epoch = leg->conversation_epoch;
    r.ingest = p->gid;
    r.ingest_epoch = p->view.own_epoch;
    (void)send_rec(w, p, TL_MODEL_CALLS, r);
}

static void flush(struct world *w, struct proc *p, struct leg *leg)
{
    while (leg->live && leg->conversation >= 0 && leg->sent < leg->backlog.n) {
        const struct rec *from = &leg->backlog.recs[leg->sent++];
        struct rec r = item_of(leg, from->kind);
        r.n = from->n;
        r.word = from->word;
        r.frame = from->frame;
        r.utterance = from->utterance;
        r.pieces = from->pieces;
        (void)send_rec(w, p, box_of(w, leg->conversation), r);
    }
}

/* Nothing is sent twice: what went out under an earlier claim is taken by Kafka, or it is not. */
static void send_started(struct world *w, struct proc *p, struct leg *leg)
{
    if (leg->waits || (leg->head < leg->sent && !off(w, TL_RULE_norewindwait)))
        return;
    leg->sent = leg->head;
    struct rec r = item_of(leg, K_STARTED);
    r.first_n = leg->head < leg->backlog.n ? leg->backlog.recs[leg->head].n : leg->next_n;
    r.ingest = p->gid;
    r.ingest_epoch = p->view.own_epoch;
    (void)send_rec(w, p, box_of(w, leg->conversation), r);
    leg->giving = false;
    leg->live = true;
    flush(w, p, leg);
}

static void give(struct world *w, struct proc *p, struct leg *leg, int old, int64_t old_epoch)
{
    leg->live = leg->numbering = false;
    leg->giving = true;
    leg->session++;
    leg->generation++;
    leg->waits = 0;
    w->result->claims++;
    if (old >= 0 && (old != leg->conversation || old_epoch != leg->conversation_epoch) &&
        !off(w, TL_RULE_norevoked) && !off(w, TL_RULE_noingestrevoked)) {
        struct rec revoked = item_of(leg, K_REVOKED);
        revoked.to_epoch = old_epoch;
        (void)send_rec(w, p, box_of(w, old), revoked);
        leg->waits += !off(w, TL_RULE_norevokedwait);
    }
    send_given(w, p, leg);
    leg->waits += !off(w, TL_RULE_nogivenwait);
    send_started(w, p, leg);
}

static bool give_to(struct world *w, struct proc *p, struct leg *leg, int wanted, int not_gid)
{
    int64_t epoch = wanted >= 0 ? epoch_of(p, w, wanted) : -1;

    if (wanted < 0 || wanted == not_gid || !lives(p, w, wanted, epoch))
        wanted = choose(w, p, leg->call, not_gid);
    leg->conversation = wanted;
    if (wanted >= 0)
        leg->conversation_epoch = epoch_of(p, w, wanted);
    return wanted >= 0;
}

static void number_leg(struct world *w, struct proc *p, struct leg *leg)
{
    leg->live = leg->giving = leg->numbering = false;
    leg->generation++;
    leg->offset = -1;
    leg->session = 0;
    if (!give_to(w, p, leg, leg->conversation >= 0 ? leg->conversation : leg->hint, -1))
        return; /* nobody lives: the next tick tries again */
    if (off(w, TL_RULE_nounique)) {
        leg->offset = 0;
        give(w, p, leg, leg->number > 1 ? leg->hint : -1,
             leg->hint >= 0 ? epoch_of(p, w, leg->hint) : -1);
        return;
    }
    leg->numbering = true;
    send_given(w, p, leg);
}

static void on_numbered(struct world *w, struct proc *p, struct leg *leg, int64_t offset)
{
    int old = leg->number > 1 ? leg->hint : -1;

    leg->offset = offset;
    if (!lives(p, w, leg->conversation, leg->conversation_epoch) && !give_to(w, p, leg, -1, -1)) {
        leg->numbering = false;
        return;
    }
    give(w, p, leg, old, old >= 0 ? epoch_of(p, w, old) : -1);
}

void ingest_move(struct world *w, struct proc *p, struct leg *leg, int not_gid)
{
    int old = leg->conversation;
    int64_t old_epoch = leg->conversation_epoch;

    if (!leg->live || !leg->sock || leg->sock->closed)
        return;
    if (!give_to(w, p, leg, -1, not_gid) && !give_to(w, p, leg, old, -1)) {
        leg->conversation = old;
        return;
    }
    say(w, "%s moves stream%d from %s to %s", name_of(w, p->gid), leg->stream, name_of(w, old),
        name_of(w, leg->conversation));
    give(w, p, leg, old, old_epoch);
}

/* ---- Kafka has taken it ---- */

static void on_item_taken(struct world *w, struct proc *p, struct leg *leg, const struct ack *ack)
{
    if (leg->generation == ack->rec.generation)
        tl_presence_owe(&p->view, TL_INSTANCE_KIND_CONVERSATION, w->procs[leg->conversation].number,
                        ack->offset);
    else if (off(w, TL_RULE_norewindwait))
        return; /* it was sent again */
    while (leg->head < leg->sent && leg->backlog.recs[leg->head].n <= ack->rec.n)
        leg->head++;
    if (leg->giving)
        send_started(w, p, leg);
}

static void on_step_taken(struct world *w, struct proc *p, struct leg *leg, const struct ack *ack)
{
    if (leg->generation != ack->rec.generation)
        return;
    if (leg->numbering && ack->rec.kind == K_GIVEN) {
        on_numbered(w, p, leg, ack->offset);
    } else if (leg->giving && (ack->rec.kind == K_GIVEN || ack->rec.kind == K_REVOKED)) {
        leg->waits -= leg->waits > 0;
        send_started(w, p, leg);
    }
}

void ingest_ack(struct world *w, struct proc *p, const struct ack *ack)
{
    enum kind kind = ack->rec.kind;

    for (int i = 0; i < 32; i++) {
        struct leg *leg = &p->legs[i];
        if (!leg->used || leg->stream != ack->rec.stream)
            continue;
        if (kind == K_FRAME || kind == K_MARK || kind == K_STOPPED)
            on_item_taken(w, p, leg, ack);
        else
            on_step_taken(w, p, leg, ack);
        return;
    }
}

/* ---- the socket ---- */

/* The mailbox that the URL named: of the last holder that the log knew. */
static int hint_of(const struct world *w, const struct tsock *sock)
{
    int hint = -1;

    for (int i = 0; i < w->parts[TL_MODEL_CALLS].n; i++) {
        const struct rec *r = &w->parts[TL_MODEL_CALLS].recs[i];
        if (r->kind == K_SESSION && r->call == sock->call && r->claim.number < sock->number)
            hint = r->by;
    }
    return hint;
}

static void open_leg(struct world *w, struct proc *p, struct tsock *sock)
{
    for (int i = 0; i < 32; i++) {
        struct leg *leg = &p->legs[i];
        if (leg->used)
            continue;
        *leg = (struct leg){.used = true,
                            .call = sock->call,
                            .number = sock->number,
                            .hint = hint_of(w, sock),
                            .conversation = -1,
                            .stream = sock->stream,
                            .sock = sock,
                            .last_frame = w->now};
        if (roll(w, 6) == 0)
            leg->conversation = choose(w, p, leg->call, -1); /* a hint that is not followed */
        number_leg(w, p, leg);
        return;
    }
}

static void end_leg(struct world *w, struct proc *p, struct leg *leg, bool is_stop)
{
    struct rec ended = item_of(leg, K_ENDED);

    leg->ended = true;
    leg->sock = NULL;
    ended.claim.session = 0;
    ended.value = is_stop;
    ended.ingest = p->gid;
    ended.ingest_epoch = p->view.own_epoch;
    if (!off(w, TL_RULE_noended))
        (void)send_rec(w, p, TL_MODEL_CALLS, ended);
}

static void claim_again(struct world *w, struct proc *p, struct leg *leg)
{
    leg->lost = false;
    say(w, "%s: stream%d of call%d was lost, claims again", name_of(w, p->gid), leg->stream,
        leg->call);
    number_leg(w, p, leg);
}

static void take_item(struct world *w, struct proc *p, struct leg *leg, const struct rec *from)
{
    struct rec item = *from;

    item.n = leg->next_n++;
    leg->last_frame = w->now;
    (void)log_push(w, &leg->backlog, &item);
    if (leg->lost && item.kind == K_FRAME && !leg->numbering)
        claim_again(w, p, leg);
    flush(w, p, leg);
    if (item.kind == K_STOPPED)
        end_leg(w, p, leg, true);
}

static bool read_socket(struct world *w, struct proc *p, struct tsock *sock)
{
    if (sock->ingest != p->gid || sock->run != (int)p->run || sock->to_us_read == sock->to_us.n)
        return false;
    const struct rec r = sock->to_us.recs[sock->to_us_read++];
    w->result->steps++;
    if (r.kind == K_STARTED) {
        open_leg(w, p, sock);
        return true;
    }
    for (int i = 0; i < 32; i++)
        if (p->legs[i].used && p->legs[i].sock == sock)
            take_item(w, p, &p->legs[i], &r);
    return true;
}

bool ingest_sockets(struct world *w, struct proc *p)
{
    for (int c = 0; c < w->calls_n; c++)
        for (int i = 0; i < w->calls[c].socks_n; i++)
            if (read_socket(w, p, w->calls[c].socks[i]))
                return true;
    return false;
}

/* ---- the own mailbox ---- */

static void on_lost(struct world *w, struct proc *p, struct leg *leg, const struct rec *r)
{
    struct tl_claim own = claim_of(leg);
    bool is_higher = tl_attachment_compare(&r->claim, &own) > 0;
    bool is_own = tl_claim_compare(&r->claim, &own) == 0;

    if (r->winner_stream == leg->stream || leg->ended || leg->numbering || leg->offset < 0)
        return;
    if (off(w, TL_RULE_noraise) && is_higher && !r->winner_stream)
        return;
    if (!is_higher && !is_own)
        return;
    if (r->claim.number > leg->number && !off(w, TL_RULE_noraise))
        leg->number = r->claim.number;
    leg->lost = true; /* it claims again when its next frame comes: a twin that lingers does not */
    if (off(w, TL_RULE_noframereclaim))
        claim_again(w, p, leg);
}

void ingest_mail(struct world *w, struct proc *p, const struct rec *r)
{
    for (int i = 0; i < 32; i++) {
        struct leg *leg = &p->legs[i];
        struct tl_claim own = claim_of(leg);
        if (!leg->used || leg->stream != r->stream || !leg->sock)
            continue;
        if (r->kind == K_LOST)
            on_lost(w, p, leg, r);
        else if (leg->sock->closed || !leg->live || tl_claim_compare(&own, &r->claim) != 0 ||
                 r->by != leg->conversation || r->epoch != leg->conversation_epoch)
            continue; /* not of the holder */
        else if (r->kind == K_PIECE)
            (void)log_push(w, &leg->sock->play, r);
        else if (r->kind == K_CLEAR)
            leg->sock->play_next = leg->sock->play.n;
    }
}

/* ---- time ---- */

void ingest_tick(struct world *w, struct proc *p)
{
    for (int i = 0; i < 32; i++) {
        struct leg *leg = &p->legs[i];
        if (!leg->used)
            continue;
        if (leg->sock && w->calls[leg->call].current != leg->sock &&
            leg->sock->to_us_read == leg->sock->to_us.n &&
            w->now > leg->last_frame + TL_MODEL_SILENT) {
            leg->sock->closed = true; /* half open, or forgotten: two seconds without a frame */
            end_leg(w, p, leg, false);
        }
        if (leg->ended && !leg->giving && !leg->numbering &&
            (!leg->live || leg->head == leg->backlog.n))
            leg->used = false; /* what a leg that nobody holds still had is gap */
        else if (!leg->giving && !leg->numbering && (!leg->live || leg->conversation < 0))
            number_leg(w, p, leg);
        else if (leg->live && !lives(p, w, leg->conversation, leg->conversation_epoch))
            ingest_move(w, p, leg, leg->conversation);
    }
}
