/* Conversation: claims a leg, waits for S, recalls, hears, answers, acts, and closes. */
#include <string.h>

#include "call/claim.h"
#include "tests/model/model.h"

void conversation_write(struct world *w, struct proc *p, struct dialog *d, struct rec r)
{
    r.call = d->call;
    r.claim = d->claim;
    r.stream = d->stream;
    r.generation = d->generation;
    (void)send_rec(w, p, TL_MODEL_CALLS, r);
}

/* "I do not hold this stream." */
static void tell_lost(struct world *w, struct proc *p, const struct dialog *d,
                      const struct tl_claim *winner, int winner_stream)
{
    const struct rec r = {.kind = K_LOST,
                          .call = d->call,
                          .claim = *winner,
                          .stream = d->stream,
                          .winner_stream = winner_stream,
                          .to_epoch = d->ingest_epoch};

    if (!off(w, TL_RULE_noreclaim))
        (void)send_rec(w, p, w->procs[d->ingest].part, r);
}

void conversation_lost(struct world *w, struct proc *p, struct dialog *d,
                       const struct tl_claim *winner, int winner_stream)
{
    say(w, "%s drops call%d (%d,%d,%d)", name_of(w, p->gid), d->call, d->claim.number,
        (int)d->claim.offset, d->claim.session);
    tell_lost(w, p, d, winner, winner_stream);
    p->dialogs[d->call] = NULL;
}

/* ---- claiming ---- */

static struct dialog *dialog_create(struct world *w, struct proc *p, int call)
{
    struct dialog *d = tl_arena_alloc(&w->arena, sizeof(*d));

    *d = (struct dialog){.call = call,
                         .S = -1,
                         .previous_S = -1,
                         .media_to = before_all(),
                         .answered_to = before_all(),
                         .previous = {.number = -1, .offset = -1},
                         .heard = {.number = -1, .offset = -1},
                         .heard_n = -1};
    p->dialogs[call] = d;
    return d;
}

static void take_up(struct world *w, struct dialog *d, const struct rec *r, int64_t offset)
{
    d->claim = r->claim;
    d->stream = r->stream;
    d->ingest = r->by;
    d->ingest_epoch = r->epoch;
    d->started_offset = offset;
    d->first_n = r->first_n;
    d->last_frame = w->now;
    d->stopped_at = -1;
    d->is_over = false;
    d->barrier_seen = d->barrier_passed = false;
    d->pending = (struct log){0};
    d->generation = ++w->ids;
}

static void on_session(struct world *w, struct proc *p, struct dialog *d, int64_t S)
{
    d->S = S;
    if (d->known && recall_is_foreign(w, p, d)) { /* the log and the mailboxes know better */
        struct dialog *n = dialog_create(w, p, d->call);
        n->claim = d->claim;
        n->stream = d->stream;
        n->ingest = d->ingest;
        n->ingest_epoch = d->ingest_epoch;
        n->started_offset = d->started_offset;
        n->first_n = d->first_n;
        n->last_frame = w->now;
        n->stopped_at = -1;
        n->pending = d->pending;
        n->generation = ++w->ids;
        n->S = S;
        d = n;
    }
    if (!d->known) {
        d->stage = D_REVOKE;
        return;
    }
    d->stage = D_LIVE;
    for (int i = 0; i < d->replies_n; i++)
        if (d->replies[i].stage == R_SPEAK) /* what was not heard is sent again */
            d->replies[i].released = d->replies[i].heard;
        else if (d->replies[i].stage == R_BARRIER) /* another stream's frame is to come back */
            d->replies[i].stage = R_INTENT;
    conversation_drain(w, p, d);
}

static void claim_leg(struct world *w, struct proc *p, struct dialog *d)
{
    const struct rec session = {.kind = K_SESSION,
                                .conversation = p->gid,
                                .conversation_epoch = p->view.own_epoch,
                                .first_n = d->first_n,
                                .started_offset = d->started_offset,
                                .ingest = d->ingest,
                                .ingest_epoch = d->ingest_epoch};

    d->stage = D_CLAIMING;
    conversation_write(w, p, d, session);
    if (off(w, TL_RULE_nosessionwait))
        on_session(w, p, d, w->parts[TL_MODEL_CALLS].n - 1);
}

static void on_started(struct world *w, struct proc *p, const struct rec *r, int64_t offset)
{
    struct dialog *d = p->dialogs[r->call];

    if (d && tl_claim_compare(&r->claim, &d->claim) < 0) {
        const struct dialog refused = {
            .call = r->call, .stream = r->stream, .ingest = r->by, .ingest_epoch = r->epoch};
        if (d->stream != r->stream)
            tell_lost(w, p, &refused, &d->claim, d->stream);
        return;
    }
    if (d && d->claim.number == r->claim.number && d->stream != r->stream)
        tell_lost(w, p, d, &r->claim, r->stream); /* two sockets with one number */
    bool known = d && d->stage == D_LIVE;
    if (!known)
        d = dialog_create(w, p, r->call);
    d->known = known;
    d->previous = d->claim;
    d->previous_S = d->S;
    take_up(w, d, r, offset);
    claim_leg(w, p, d);
}

/* ---- hearing ---- */

static void hear_word(struct world *w, struct dialog *d, const struct rec *item)
{
    struct tl_position at = position_of(item);
    struct seg *s = d->speaking;

    if (!s) {
        s = d->speaking = tl_arena_alloc(&w->arena, sizeof(*s));
        s->converses = tl_position_compare(&at, &d->answered_to) > 0;
        d->barge |= s->converses && d->replies_n;
    }
    if (!s->frames[item->word] && s->words_n < TL_MODEL_WORDS_MAX)
        s->words[s->words_n++] = (uint8_t)item->word;
    s->frames[item->word] |= (uint8_t)(1 << item->frame);
}

static void end_turn(struct dialog *d, struct tl_position to)
{
    struct seg *s = d->speaking;

    d->speaking = NULL;
    s->to = to;
    if (d->segs_n < SEGS_MAX)
        d->segs[d->segs_n++] = s;
}

static void hear_mark(struct world *w, struct dialog *d, const struct rec *item)
{
    for (int i = 0; i < d->replies_n; i++) {
        struct reply *reply = &d->replies[i];
        if (reply->utterance != item->utterance)
            continue;
        reply->last = w->now;
        if (reply->heard < item->pieces)
            reply->heard = item->pieces;
    }
}

void conversation_hear(struct world *w, struct dialog *d, const struct rec *item, bool is_old)
{
    int *next = &d->heard_to[item->stream % 256];

    if (off(w, TL_RULE_nostreamdedupe)) { /* as if positions told what was sent again */
        int order = tl_attachment_compare(&item->claim, &d->heard);
        if (order < 0 || (order == 0 && item->n <= d->heard_n))
            return;
        d->heard = item->claim;
        d->heard_n = item->n;
    } else if (item->n < *next) {
        return;
    }
    *next = item->n + 1;
    d->heard_last = position_of(item);
    switch (item->kind) {
    case K_FRAME:
        if (!is_old) {
            d->last_frame = w->now;
            d->barrier_passed |= d->barrier_seen;
        }
        if (item->word)
            hear_word(w, d, item);
        else if (d->speaking)
            end_turn(d, position_of(item));
        break;
    case K_MARK:
        hear_mark(w, d, item);
        break;
    case K_STOPPED:
        if (item->stream == d->stream)
            d->stopped_at = w->now; /* perhaps another stream follows */
        break;
    default:
        break;
    }
}

void conversation_drain(struct world *w, struct proc *p, struct dialog *d)
{
    const struct log pending = d->pending;

    d->pending = (struct log){0};
    for (int i = 0; i < pending.n && p->dialogs[d->call] == d; i++)
        conversation_hear(w, d, &pending.recs[i], false);
}

/* ---- the own mailbox ---- */

/* A frame of a call that is not here: its ingest is told. */
static void on_stranger(struct world *w, struct proc *p, const struct rec *r)
{
    const struct dialog stranger = {
        .call = r->call, .stream = r->stream, .ingest = r->by, .ingest_epoch = r->epoch};

    if (r->kind == K_FRAME && r->n % 8 == 0)
        tell_lost(w, p, &stranger, &r->claim, 0);
}

void conversation_mail(struct world *w, struct proc *p, const struct rec *r, int64_t offset)
{
    struct dialog *d = p->dialogs[r->call];

    switch (r->kind) {
    case K_STARTED:
        on_started(w, p, r, offset);
        break;
    case K_REVOKED:
        if (d && tl_claim_compare(&r->claim, &d->claim) > 0)
            conversation_lost(w, p, d, &r->claim, r->stream);
        break;
    case K_BARRIER:
        if (d && d->barrier == r->id && r->by == p->gid && r->epoch == p->view.own_epoch)
            d->barrier_seen = true;
        break;
    default:
        if (!d)
            on_stranger(w, p, r);
        else if (r->stream != d->stream || tl_attachment_compare(&r->claim, &d->claim) != 0)
            break;
        else if (d->stage == D_LIVE)
            conversation_hear(w, d, r, false);
        else
            (void)log_push(w, &d->pending, r);
    }
}

/* Before it acts it reads the log back to its intent: does that count? A holder that was never told
 * of a higher claim, because whoever wrote that died at once, learns it here. */
static bool read_back(struct world *w, struct proc *p, struct dialog *d, const struct ack *intent)
{
    struct tl_fence fence = {0};
    bool counts = false;

    for (int64_t i = 0; i <= intent->offset; i++)
        if (w->parts[TL_MODEL_CALLS].recs[i].call == d->call &&
            w->parts[TL_MODEL_CALLS].recs[i].kind < K_STARTED)
            counts = accepts(w, &fence, &w->parts[TL_MODEL_CALLS].recs[i]);
    const struct tl_fence_leg *leg = holder_of(&fence);
    const struct tl_claim winner = leg ? leg->highest : d->claim;
    tl_fence_finish(&fence);
    if (!counts && !off(w, TL_RULE_noreadback))
        conversation_lost(w, p, d, &winner, 0);
    return counts || off(w, TL_RULE_noreadback);
}

void conversation_ack(struct world *w, struct proc *p, const struct ack *ack)
{
    const struct rec *r = &ack->rec;
    struct dialog *d = p->dialogs[r->call];

    if (!d || (r->kind == K_INTENT && !read_back(w, p, d, ack)))
        return;
    for (int i = 0; i < d->replies_n; i++) {
        struct reply *reply = &d->replies[i];
        if (r->kind == K_DRAFT && reply->utterance == r->utterance && reply->landed < r->pieces)
            reply->landed = r->pieces;
        if (r->kind == K_INTENT && reply->intent == r->intent)
            reply->intent_logged = true;
    }
    if (r->generation != d->generation)
        return;
    if (r->kind == K_SESSION && d->stage == D_CLAIMING)
        on_session(w, p, d, ack->offset);
    else if (r->kind == K_REVOKED && d->stage == D_REVOKING && --d->waits == 0)
        d->stage = D_READ;
}

/* ---- words into the log ---- */

/* Finals enter in turn order, when their transcripts are there. */
static void write_finals(struct world *w, struct proc *p, struct dialog *d)
{
    for (int i = 0; i < d->segs_n; i++) {
        struct seg *s = d->segs[i];
        struct rec r = {.kind = K_FINAL_CALLER, .has_media_to = true, .media_to = s->to};
        if (s->written)
            continue;
        if (!s->transcribed)
            return;
        s->written = true;
        d->media_to = s->to;
        for (int k = 0; k < s->words_n; k++)
            if (s->frames[s->words[k]] == TL_MODEL_WHOLE) /* a torn word is none */
                r.words[r.words_n++] = s->words[k];
        conversation_write(w, p, d, r);
    }
}

static void transcribe_next(struct dialog *d)
{
    for (int i = 0; i < d->segs_n; i++)
        if (!d->segs[i]->transcribed) {
            d->segs[i]->transcribed = true;
            return;
        }
}

static bool has_unwritten(const struct dialog *d)
{
    return d->segs_n && !d->segs[d->segs_n - 1]->written;
}

static bool is_unanswered(const struct seg *s)
{
    return s->converses && !s->answered;
}

/* ---- answers ---- */

/* The AI decides by itself to answer the next turn. */
static void answer_next(struct world *w, struct proc *p, struct dialog *d)
{
    struct seg *s = NULL;

    for (int i = 0; i < d->segs_n && !s; i++)
        s = is_unanswered(d->segs[i]) ? d->segs[i] : NULL;
    if (!s || d->is_over || d->replies_n == REPLIES_MAX || w->answers_n == 512)
        return;
    struct answer *a = &w->answers[w->answers_n];
    int last = s->words[s->words_n - 1];
    *a = (struct answer){.call = d->call, .pieces = 1 + roll(w, 3), .words_n = s->words_n};
    memcpy(a->words, s->words, sizeof(a->words));
    if (last % 2 == 0 && s->frames[last] == TL_MODEL_WHOLE)
        a->request = last; /* these words ask for an effect */
    s->answered = true;
    d->barge &= d->replies_n > 0;
    d->replies[d->replies_n++] = (struct reply){
        .answer = w->answers_n++, .utterance = ++w->ids, .answers_to = s->to, .seg = s};
    say(w, "the AI of %s answers call%d up to w%d: answer%d, request %d", name_of(w, p->gid),
        d->call, last, w->answers_n - 1, a->request);
}

static void drop_first(struct dialog *d)
{
    for (int i = 1; i < d->replies_n; i++)
        d->replies[i - 1] = d->replies[i];
    d->replies_n--;
}

/* An AI final waits for the transcripts before it. */
static bool may_be_final(const struct dialog *d, const struct reply *reply)
{
    if (d->speaking && !d->speaking->converses)
        return false;
    for (int i = 0; i < d->segs_n; i++)
        if (!d->segs[i]->written && (d->segs[i] == reply->seg || !d->segs[i]->converses))
            return false;
    return true;
}

static void write_ai_final(struct world *w, struct proc *p, struct dialog *d, const struct reply *r)
{
    conversation_write(w, p, d,
                       (struct rec){.kind = K_FINAL_AI,
                                    .utterance = r->utterance,
                                    .answer = r->answer,
                                    .pieces = r->heard});
}

static void act(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    int key = off(w, TL_RULE_nokey) ? ++w->ids : r->intent;
    int request = w->answers[r->answer].request;
    bool done = false;

    for (int i = 0; i < w->effects_n; i++)
        done |= w->effects[i].key == key; /* the other side knows the key */
    if (!done && w->effects_n < 256)
        w->effects[w->effects_n++] = (struct effect){d->call, key, request};
    w->result->effects += !done;
    say(w, "%s ACTS: request %d of call%d", name_of(w, p->gid), request, d->call);
    conversation_write(
        w, p, d,
        (struct rec){.kind = K_RESULT, .intent = r->intent, .request = request, .value = 1});
    r->stage = R_SPEAK;
}

static void send_sound(struct world *w, struct proc *p, const struct dialog *d, enum kind kind,
                       const struct reply *r, int pieces)
{
    const struct rec piece = {.kind = kind,
                              .call = d->call,
                              .claim = d->claim,
                              .stream = d->stream,
                              .utterance = r->utterance,
                              .answer = r->answer,
                              .pieces = pieces,
                              .to_epoch = d->ingest_epoch};
    (void)send_rec(w, p, w->procs[d->ingest].part, piece);
}

static void interrupt(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    d->barge = false;
    if (!r->has_draft) {
        drop_first(d);
        return;
    }
    send_sound(w, p, d, K_CLEAR, r, 0);
    r->stage = R_FINAL;
}

static void speak(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    int pieces = w->answers[r->answer].pieces;
    bool is_cut = d->barge || d->replies_n > 1;

    if (is_cut && (r->drafted || (d->barge && d->replies_n > 1))) {
        interrupt(w, p, d, r);
        return;
    }
    if (r->drafted < pieces && r->drafted == r->landed) {
        struct rec draft = {.kind = K_DRAFT,
                            .utterance = r->utterance,
                            .answer = r->answer,
                            .has_answers_to = true,
                            .answers_to = r->answers_to};
        draft.pieces = ++r->drafted;
        r->has_draft = true;
        conversation_write(w, p, d, draft);
    }
    int allowed = off(w, TL_RULE_nodraftfirst) ? r->drafted : r->landed;
    while (r->released < allowed)
        send_sound(w, p, d, K_PIECE, r, ++r->released);
    if (r->heard == pieces)
        r->stage = R_FINAL;
}

static void begin_barrier(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    const struct rec barrier = {.kind = K_BARRIER, .call = d->call, .to_epoch = p->view.own_epoch};

    if (off(w, TL_RULE_nobarrier)) {
        r->stage = R_ACT;
        return;
    }
    d->barrier_seen = d->barrier_passed = false;
    d->barrier = send_rec(w, p, p->part, barrier);
    r->stage = R_BARRIER;
}

static void begin_reply(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    int request = w->answers[r->answer].request;

    if (!request) {
        r->stage = R_SPEAK;
        return;
    }
    r->intent = ++w->ids;
    r->stage = R_INTENT;
    conversation_write(w, p, d,
                       (struct rec){.kind = K_INTENT,
                                    .intent = r->intent,
                                    .request = request,
                                    .answer = r->answer,
                                    .has_answers_to = true,
                                    .answers_to = r->answers_to});
}

/* A predecessor's open draft: its marks are waited for, then it is final as heard, and the rest is
 * said under another id. */
static void end_predecessor(struct world *w, struct proc *p, struct dialog *d, struct reply *r)
{
    if ((r->heard < r->drafted && w->now <= r->last + 5) || !may_be_final(d, r))
        return;
    struct reply rest = *r;
    write_ai_final(w, p, d, r);
    if (r->heard >= w->answers[r->answer].pieces) {
        drop_first(d);
        return;
    }
    rest.stage = R_SPEAK;
    rest.utterance = ++w->ids;
    rest.drafted = rest.landed = rest.released = rest.heard;
    rest.has_draft = false;
    *r = rest;
}

static void go_on(struct world *w, struct proc *p, struct dialog *d)
{
    struct reply *r = &d->replies[0];

    if (!d->replies_n)
        return;
    switch (r->stage) {
    case R_NEW:
        begin_reply(w, p, d, r);
        break;
    case R_INTENT:
        if (r->intent_logged)
            begin_barrier(w, p, d, r);
        break;
    case R_BARRIER:
        if (d->barrier_passed)
            r->stage = R_ACT;
        else if (!d->barrier_seen && roll(w, 30) == 0)
            r->stage = R_INTENT; /* it went to another claim's stream */
        break;
    case R_ACT:
        act(w, p, d, r);
        break;
    case R_SPEAK:
        speak(w, p, d, r);
        break;
    case R_FINAL:
        if (may_be_final(d, r)) {
            write_ai_final(w, p, d, r);
            drop_first(d);
        }
        break;
    case R_PREDECESSOR:
        end_predecessor(w, p, d, r);
        break;
    }
}

/* ---- the end ---- */

/* Everything is written; acts that were not done are reported, not waited for. */
static bool is_quiet(const struct dialog *d)
{
    for (int i = 0; i < d->replies_n; i++)
        if (d->replies[i].has_draft)
            return false;
    for (int i = 0; i < d->segs_n; i++)
        if (!d->segs[i]->written)
            return false;
    return !d->speaking;
}

static void write_out(struct world *w, struct proc *p, struct dialog *d)
{
    for (int i = 0; i < d->replies_n; i++) {
        const struct reply *r = &d->replies[i];
        if (r->has_draft)
            write_ai_final(w, p, d, r);
        if (r->intent && (r->stage == R_INTENT || r->stage == R_BARRIER || r->stage == R_ACT))
            conversation_write(w, p, d,
                               (struct rec){.kind = K_RESULT,
                                            .intent = r->intent,
                                            .request = w->answers[r->answer].request,
                                            .value = 2});
    }
    d->replies_n = 0;
}

static void leave(struct world *w, struct proc *p, struct dialog *d, bool closes)
{
    write_out(w, p, d);
    if (closes)
        conversation_write(w, p, d, (struct rec){.kind = K_CLOSED});
    say(w, "%s ends call%d%s", name_of(w, p->gid), d->call, closes ? ", closed" : "");
    tell_lost(w, p, d, &d->claim, 0);
    p->dialogs[d->call] = NULL;
}

/* Nothing more will be heard: answers are final as they were heard. */
static void stop_replies(struct dialog *d)
{
    int n = 0;

    d->is_over = true;
    for (int i = 0; i < d->replies_n; i++) {
        struct reply r = d->replies[i];
        if (r.stage == R_SPEAK || r.stage == R_FINAL || r.stage == R_PREDECESSOR || r.has_draft)
            r.stage = R_FINAL;
        if (r.has_draft || (r.intent && r.stage != R_FINAL))
            d->replies[n++] = r;
    }
    d->replies_n = n;
}

static void end_if_over(struct world *w, struct proc *p, struct dialog *d)
{
    bool may_close = off(w, TL_RULE_noclosefinal) || has_final_state(w, d->call);

    if (d->stopped_at >= 0 && may_close) {
        if (!d->is_over)
            stop_replies(d);
        else if (d->speaking) /* who hangs up in the middle of a sentence has still said it */
            end_turn(d, d->heard_last);
        else if (is_quiet(d) || (!has_unwritten(d) && w->now > d->stopped_at + TL_MODEL_FINALS))
            leave(w, p, d, true); /* transcripts come within their time */
    } else if (w->now > d->last_frame + TL_MODEL_NO_FRAMES) {
        leave(w, p, d, false); /* the stream is elsewhere, or nowhere: an open turn stays open */
    }
}

static void converse(struct world *w, struct proc *p, struct dialog *d)
{
    for (int i = 0; i < 3; i++)
        switch (roll(w, 5)) {
        case 0:
            transcribe_next(d);
            break;
        case 1:
            answer_next(w, p, d);
            break;
        case 2:
            write_finals(w, p, d);
            break;
        default:
            go_on(w, p, d);
        }
}

void conversation_tick(struct world *w, struct proc *p)
{
    for (int c = 0; c < w->calls_n; c++) {
        struct dialog *d = p->dialogs[c];
        if (!d)
            continue;
        if (d->stage == D_REVOKE) {
            recall_revoke(w, p, d);
        } else if (d->stage == D_READ) {
            recall_read(w, p, d);
        } else if (d->stage == D_LIVE) {
            converse(w, p, d);
            end_if_over(w, p, d);
        } else {
            if (d->known && off(w, TL_RULE_actsclaiming))
                converse(w, p, d);
            if (w->now > d->last_frame + 2 * TL_MODEL_NO_FRAMES)
                conversation_lost(w, p, d, &d->claim, 0);
        }
    }
}
