/* Kafka as logs in memory, presence, faults, and the schedule: which process makes which move next.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_state.h"
#include "call/claim.h"
#include "tests/model/model.h"

const char *const tl_model_rule_names[TL_RULE_N] = {
#define TL_MODEL_RULE(name, doc) [TL_RULE_##name] = #name,
#include "tests/model/rules.def"
#undef TL_MODEL_RULE
};
const char *const tl_model_rule_docs[TL_RULE_N] = {
#define TL_MODEL_RULE(name, doc) [TL_RULE_##name] = (doc),
#include "tests/model/rules.def"
#undef TL_MODEL_RULE
};

static const char *const kind_names[K_N] = {
    "changed",   "given",       "stream_ended", "session_started", "final(caller)", "draft",
    "final(AI)", "tool_intent", "tool_result",  "rescue",          "closed",        "started",
    "frame",     "mark",        "stopped",      "revoked",         "barrier",       "piece",
    "clear",     "lost",        "presence"};

/* ---- small things ---- */

int roll(struct world *w, int n)
{
    w->random += 0x9E3779B97F4A7C15u; /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = w->random;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (int)(((z ^ z >> 31) >> 1) % (uint64_t)n);
}

void say(const struct world *w, const char *format, ...)
{
    va_list args;

    if (!w->options->trace)
        return;
    printf("%4d ", w->now);
    va_start(args, format);
    vprintf(format, args); // NOLINT(clang-analyzer-valist.Uninitialized): started above
    va_end(args);
    printf("\n");
}

const char *name_of(const struct world *w, int gid)
{
    static const char *const names[] = {"I0", "I1", "I2", "C0", "C1", "C2", "T0", "T1"};

    if (gid < 0)
        return "-";
    const struct proc *p = &w->procs[gid];
    int from = p->kind == TL_INSTANCE_KIND_INGEST         ? 0
               : p->kind == TL_INSTANCE_KIND_CONVERSATION ? 3
                                                          : 6;
    return names[from + p->number];
}

struct rec *log_push(struct world *w, struct log *log, const struct rec *rec)
{
    if (log->n == log->cap) {
        int cap = log->cap ? log->cap * 2 : 8;
        struct rec *recs = tl_arena_alloc(&w->arena, (size_t)cap * sizeof(*recs));
        if (log->n)
            memcpy(recs, log->recs, (size_t)log->n * sizeof(*recs));
        log->recs = recs;
        log->cap = cap;
    }
    log->recs[log->n] = *rec;
    return &log->recs[log->n++];
}

int send_rec(struct world *w, struct proc *p, int part, struct rec rec)
{
    rec.by = p->gid;
    rec.epoch = p->view.own_epoch;
    rec.id = ++w->ids;
    if (part >= 0)
        (void)log_push(w, &p->out[part], &rec);
    return rec.id;
}

/* ---- the fence of lib/call ---- */

bool accepts(const struct world *w, struct tl_fence *fence, const struct rec *r)
{
    char intent_id[16];
    struct tl_claim claim = r->claim;
    struct tl_changed changed = {.state = (enum tl_call_state)r->value};
    struct tl_given given = {0};
    struct tl_session_started session = {0};
    struct tl_stream_ended ended = {0};
    struct tl_utterance utterance = {0};
    struct tl_tool_intent intent = {.intent_id = intent_id};
    struct tl_tool_result result = {.intent_id = intent_id};
    struct tl_rescue rescue = {0};
    struct tl_closed closed = {0};
    struct tl_call_event event = {
        .producer = name_of(w, r->by), .epoch = r->epoch, .leg = "caller", .claim = &claim};

    if (off(w, TL_RULE_nofence)) {
        bool counts = !fence->closed;
        fence->closed |= r->kind == K_CLOSED;
        return counts;
    }
    (void)snprintf(intent_id, sizeof(intent_id), "%d", r->intent);
    event.changed = r->kind == K_STATE ? &changed : NULL;
    event.given = r->kind == K_GIVEN ? &given : NULL;
    event.stream_ended = r->kind == K_ENDED ? &ended : NULL;
    event.session_started = r->kind == K_SESSION ? &session : NULL;
    event.utterance = r->kind == K_FINAL_CALLER || r->kind == K_DRAFT || r->kind == K_FINAL_AI
                          ? &utterance
                          : NULL;
    event.tool_intent = r->kind == K_INTENT ? &intent : NULL;
    event.tool_result = r->kind == K_RESULT ? &result : NULL;
    event.rescue = r->kind == K_RESCUE ? &rescue : NULL;
    event.closed = r->kind == K_CLOSED ? &closed : NULL;
    if (r->kind == K_STATE || r->kind == K_RESCUE || (r->kind == K_CLOSED && r->claim.number < 0))
        event.claim = NULL;
    return tl_fence_accept(fence, &event);
}

const struct tl_fence_leg *holder_of(const struct tl_fence *fence)
{
    return tl_fence_leg_of(fence, "caller");
}

bool has_final_state(const struct world *w, int call)
{
    enum tl_call_state state = TL_CALL_STATE_UNKNOWN;

    for (int i = 0; i < w->parts[TL_MODEL_CALLS].n; i++) {
        const struct rec *r = &w->parts[TL_MODEL_CALLS].recs[i];
        if (r->kind == K_STATE && r->call == call)
            state = tl_call_state_advance(state, (enum tl_call_state)r->value);
    }
    return tl_call_state_is_final(state);
}

/* ---- logs ---- */

static void describe(const struct world *w, int part, int64_t offset, const struct rec *r)
{
    char where[16], more[96] = "";

    if (part == TL_MODEL_CALLS)
        (void)snprintf(where, sizeof(where), "calls");
    for (int i = 0; part > TL_MODEL_PRESENCE && i < w->procs_n; i++)
        if (w->procs[i].part == part)
            (void)snprintf(where, sizeof(where), "box %s", name_of(w, i));
    if (r->kind == K_FRAME || r->kind == K_MARK)
        (void)snprintf(more, sizeof(more), " n%d word%d.%d", r->n, r->word, r->frame);
    if (r->kind == K_FINAL_CALLER || r->kind == K_DRAFT || r->kind == K_INTENT)
        (void)snprintf(more, sizeof(more), " media_to (%d,%d)%d answers_to (%d,%d)%d",
                       r->media_to.number, (int)r->media_to.offset, (int)r->media_to.n,
                       r->answers_to.number, (int)r->answers_to.offset, (int)r->answers_to.n);
    if (r->kind == K_GIVEN)
        (void)snprintf(more, sizeof(more), " to %s", name_of(w, r->conversation));
    if (r->kind == K_FINAL_CALLER)
        for (int i = 0; i < r->words_n; i++)
            (void)snprintf(more + strlen(more), sizeof(more) - strlen(more), " w%d", r->words[i]);
    say(w,
        "    %s@%d: %s call%d (%d,%d,%d) stream%d%s utterance%d answer%d pieces%d intent%d of %s",
        where, (int)offset, kind_names[r->kind], r->call, r->claim.number, (int)r->claim.offset,
        r->claim.session, r->stream, more, r->utterance, r->answer, r->pieces, r->intent,
        name_of(w, r->by));
}

/* Its stream was given to this mailbox behind a higher attachment: it does not count. */
static bool is_given_late(const struct world *w, const struct rec *frame)
{
    struct tl_claim top = {.number = -1, .offset = -1};

    for (int i = 0; i < w->parts[TL_MODEL_CALLS].n; i++) {
        const struct rec *r = &w->parts[TL_MODEL_CALLS].recs[i];
        if (r->call != frame->call || r->claim.offset < 0 ||
            (r->kind != K_GIVEN && r->kind != K_SESSION))
            continue;
        if (r->stream == frame->stream && r->conversation_epoch == frame->to_epoch &&
            tl_attachment_compare(&r->claim, &frame->claim) == 0)
            return tl_attachment_compare(&top, &frame->claim) > 0;
        if (tl_attachment_compare(&r->claim, &top) > 0)
            top = r->claim;
    }
    return false;
}

static void count_frame(struct world *w, int part, const struct rec *r)
{
    struct call *call = &w->calls[r->call];

    if (!r->word || tl_attachment_compare(&r->claim, &call->mailbox_fence[part]) < 0 ||
        is_given_late(w, r))
        return;
    if (call->landed[r->word] &&
        tl_attachment_compare(&r->claim, &call->landed_under[r->word]) != 0)
        call->cut[r->word] = true;
    call->landed_under[r->word] = r->claim;
    call->landed[r->word] |= (uint8_t)(1 << r->frame);
}

static int64_t append(struct world *w, int part, const struct rec *rec)
{
    int64_t offset = w->parts[part].n;
    struct rec *r = log_push(w, &w->parts[part], rec);

    w->result->steps++;
    if (w->options->trace && r->kind != K_PRESENCE && (r->kind != K_FRAME || r->word))
        describe(w, part, offset, r);
    if (r->kind == K_FRAME)
        count_frame(w, part, r);
    if ((r->kind == K_REVOKED || r->kind == K_STARTED) &&
        tl_attachment_compare(&r->claim, &w->calls[r->call].mailbox_fence[part]) > 0)
        w->calls[r->call].mailbox_fence[part] = r->claim;
    return offset;
}

static void push_ack(struct world *w, struct proc *p, const struct rec *rec, int64_t offset)
{
    if (p->acks_n == p->acks_cap) {
        int cap = p->acks_cap ? p->acks_cap * 2 : 16;
        struct ack *acks = tl_arena_alloc(&w->arena, (size_t)cap * sizeof(*acks));
        if (p->acks_n)
            memcpy(acks, p->acks, (size_t)p->acks_n * sizeof(*acks));
        p->acks = acks;
        p->acks_cap = cap;
    }
    p->acks[p->acks_n++] = (struct ack){.rec = *rec, .offset = offset};
}

static bool has_unsent(const struct proc *p, int part)
{
    return p->out_next[part] < p->out[part].n;
}

static void land(struct world *w, struct proc *p, int part)
{
    const struct rec r = p->out[part].recs[p->out_next[part]++];

    push_ack(w, p, &r, append(w, part, &r));
}

/* ---- presence ---- */

static void beat(struct world *w, struct proc *p)
{
    struct rec r = {.kind = K_PRESENCE, .value = (int)p->run};

    if (p->beat_in_flight)
        return;
    p->beat_in_flight = true;
    r.presence = tl_arena_alloc(&w->arena, sizeof(*r.presence));
    *r.presence = (struct tl_presence){.kind = p->kind,
                                       .number = p->number,
                                       .epoch = p->view.own_epoch,
                                       .run = p->run,
                                       .capacity = 100,
                                       .mailbox_offset_read = p->mailbox_read};
    (void)send_rec(w, p, TL_MODEL_PRESENCE, r);
}

static void stop_proc(struct world *w, struct proc *p);

static void read_presence(struct world *w, struct proc *p)
{
    int64_t offset = p->presence_read++;
    const struct rec *r = &w->parts[TL_MODEL_PRESENCE].recs[offset];
    bool was_gone[TL_MODEL_PROCS_MAX];

    w->result->steps++;
    for (int i = 0; i < w->procs_n; i++)
        was_gone[i] = !tl_presence_peer(&p->view, w->procs[i].kind, w->procs[i].number);
    (void)tl_presence_take(&p->view, r->presence, offset, r->presence->run == p->run);
    for (int i = 0; i < w->procs_n; i++)
        if (!was_gone[i] && !tl_presence_peer(&p->view, w->procs[i].kind, w->procs[i].number) &&
            w->procs[i].up && !w->procs[i].stalled)
            w->result->false_gone++;
    if (p->view.superseded)
        stop_proc(w, p);
}

int64_t epoch_of(struct proc *p, struct world *w, int gid)
{
    for (size_t i = 0; i < p->view.peers_n; i++)
        if (p->view.peers[i].kind == w->procs[gid].kind &&
            p->view.peers[i].number == w->procs[gid].number)
            return p->view.peers[i].epoch;
    return -1;
}

bool lives(struct proc *p, struct world *w, int gid, int64_t epoch)
{
    const struct tl_peer *peer =
        gid < 0 ? NULL : tl_presence_peer(&p->view, w->procs[gid].kind, w->procs[gid].number);
    return peer && peer->epoch == epoch;
}

int choose(struct world *w, struct proc *p, int call, int not_gid)
{
    const char key[] = {(char)('a' + call), '\0'};
    uint64_t random = (uint64_t)roll(w, 1 << 30) << 32 | (uint64_t)roll(w, 1 << 30);
    const struct tl_peer *peer =
        tl_presence_choose(&p->view, TL_INSTANCE_KIND_CONVERSATION, key, random,
                           not_gid < 0 ? -1 : w->procs[not_gid].number);
    return peer ? w->ingests + peer->number : -1;
}

/* ---- life and death ---- */

static void finish_proc(struct world *w, struct proc *p)
{
    tl_presence_finish(&p->view);
    for (int i = 0; i < w->calls_n; i++)
        tl_fence_finish(&p->watched[i].fence);
}

static void start_proc(struct world *w, struct proc *p)
{
    finish_proc(w, p);
    *p = (struct proc){.kind = p->kind, .gid = p->gid, .number = p->number, .part = p->part};
    p->run = ++w->runs;
    p->up = true;
    tl_presence_init(&p->view, p->kind, p->number);
    for (int i = 0; i < w->calls_n; i++)
        p->watched[i] = (struct watched){
            .asked = -1, .final_at = -1, .watermark = -1, .number = -1, .offset = -1};
}

static void stop_proc(struct world *w, struct proc *p)
{
    if (!p->up)
        return;
    say(w, "KILL %s", name_of(w, p->gid));
    p->up = false;
    for (int i = 0; i < w->parts_n; i++)
        if (has_unsent(p, i) && w->late_n < 64)
            w->late[w->late_n++] =
                (struct late){.part = i, .log = p->out[i], .next = p->out_next[i]};
    for (int c = 0; c < w->calls_n; c++)
        for (int i = 0; i < w->calls[c].socks_n; i++) {
            struct tsock *sock = w->calls[c].socks[i];
            if (sock->ingest == p->gid && sock->run == (int)p->run && !sock->closed)
                network_lost(w, sock);
        }
}

/* A record of a dead process lands late, or with all behind it never. */
static void land_late(struct world *w)
{
    if (w->outage || !w->late_n)
        return;
    int i = roll(w, w->late_n);
    struct late *late = &w->late[i];
    if (roll(w, 4) == 0)
        late->next = late->log.n;
    else
        (void)append(w, late->part, &late->log.recs[late->next++]);
    if (late->next == late->log.n)
        w->late[i] = w->late[--w->late_n];
}

/* ---- moves of a process ---- */

static bool take_ack(struct world *w, struct proc *p)
{
    if (p->acks_next == p->acks_n)
        return false;
    const struct ack ack = p->acks[p->acks_next++];
    w->result->steps++;
    if (ack.rec.kind == K_PRESENCE)
        p->beat_in_flight = false;
    else if (p->kind == TL_INSTANCE_KIND_INGEST)
        ingest_ack(w, p, &ack);
    else if (p->kind == TL_INSTANCE_KIND_CONVERSATION)
        conversation_ack(w, p, &ack);
    else
        telephony_ack(w, p, &ack);
    return true;
}

static bool read_next(struct world *w, struct proc *p)
{
    int part = p->part < 0 ? TL_MODEL_CALLS : p->part;
    bool did = false;

    if (p->view.own_epoch < 0)
        return false; /* it does not know yet which records are meant for it */
    if (p->mailbox_read < w->parts[part].n) {
        int64_t offset = p->mailbox_read++;
        const struct rec r = w->parts[part].recs[offset];
        bool is_mine = r.to_epoch == p->view.own_epoch || off(w, TL_RULE_noepoch);
        did = true;
        w->result->steps++;
        if (p->part < 0)
            telephony_read(w, p, &r);
        else if (is_mine && p->kind == TL_INSTANCE_KIND_INGEST)
            ingest_mail(w, p, &r);
        else if (is_mine)
            conversation_mail(w, p, &r, offset);
    }
    if (p->kind == TL_INSTANCE_KIND_INGEST)
        did |= ingest_sockets(w, p);
    return did;
}

static void tick(struct world *w, struct proc *p)
{
    if (p->view.own_epoch < 0)
        return;
    w->result->steps += !w->in_round; /* in rounds most of them do nothing */
    if (p->kind == TL_INSTANCE_KIND_INGEST)
        ingest_tick(w, p);
    else if (p->kind == TL_INSTANCE_KIND_CONVERSATION)
        conversation_tick(w, p);
    else
        telephony_tick(w, p);
}

static void move_proc(struct world *w, struct proc *p)
{
    if (!p->up || p->stalled)
        return;
    switch (roll(w, 5)) {
    case 0:
        (void)take_ack(w, p);
        break;
    case 1:
        if (p->presence_read < w->parts[TL_MODEL_PRESENCE].n)
            read_presence(w, p);
        break;
    case 2:
    case 3:
        (void)read_next(w, p);
        break;
    default:
        tick(w, p);
    }
}

static void land_some(struct world *w, struct proc *p)
{
    int from = roll(w, w->parts_n);

    if (w->outage || !p->up || (p->stalled && roll(w, 3)))
        return; /* of a stalled one only what its sockets held lands */
    for (int i = 0; i < w->parts_n; i++) {
        int part = (i + from) % w->parts_n;
        if (!has_unsent(p, part))
            continue;
        for (int n = 1 + roll(w, 3); n > 0 && has_unsent(p, part); n--)
            land(w, p, part);
        return;
    }
}

/* ---- faults ---- */

static int in_service(const struct world *w, enum tl_instance_kind kind)
{
    int n = 0;

    for (int i = 0; i < w->procs_n; i++)
        n += w->procs[i].kind == kind && w->procs[i].up && !w->procs[i].stalled;
    return n;
}

static void hand_over(struct world *w)
{
    for (int i = 0; i < w->ingests; i++) {
        struct proc *p = &w->procs[i];
        for (int k = 0; k < 32 && p->up && !p->stalled; k++)
            if (p->legs[k].used && p->legs[k].live && p->legs[k].conversation >= 0) {
                say(w, "HAND OVER stream%d", p->legs[k].stream);
                ingest_move(w, p, &p->legs[k], p->legs[k].conversation);
                return;
            }
    }
}

static void kill_machine(struct world *w, int ingest, int conversation)
{
    say(w, "MACHINE");
    stop_proc(w, &w->procs[ingest]);
    stop_proc(w, &w->procs[w->ingests + conversation]);
}

/* Given up for dead by whoever starts processes, and started elsewhere; it was only stopped. */
static void replace(struct world *w, struct proc *p)
{
    if (w->procs_n == TL_MODEL_PROCS_MAX || p - w->procs >= w->first_replaced || !p->up)
        return;
    say(w, "REPLACE %s", name_of(w, p->gid));
    struct proc *old = &w->procs[w->procs_n++];
    *old = *p;
    old->stalled = true;
    p->view = (struct tl_presence_view){0};
    for (int i = 0; i < w->calls_n; i++)
        p->watched[i].fence = (struct tl_fence){0};
    start_proc(w, p);
}

static void fault(struct world *w)
{
    int number = w->faults_done++;
    int who = roll(w, w->procs_n), what = roll(w, 9), other = roll(w, 64);
    struct proc *p = &w->procs[who];
    struct call *call = &w->calls[other % w->calls_n];

    if (number < 64 && w->options->skip >> number & 1)
        return;
    w->result->faults++;
    if (p->kind == TL_INSTANCE_KIND_TELEPHONY && other & 1)
        p = &w->procs[w->ingests + other % w->conversations];
    switch (what) {
    case 0:
    case 1:
        if (in_service(w, p->kind) > 1)
            stop_proc(w, p);
        break;
    case 2:
    case 3:
        say(w, "STOP %s", name_of(w, p->gid));
        p->stalled = true;
        break;
    case 4:
        kill_machine(w, other % w->ingests, other / 3 % w->conversations);
        break;
    case 5:
        say(w, "OUTAGE");
        w->outage = true;
        break;
    case 6: /* a connection breaks, both ends live */
        if (call->current) {
            say(w, "BREAK stream%d", call->current->stream);
            network_lost(w, call->current);
        }
        break;
    case 7:
        replace(w, p);
        break;
    default:
        hand_over(w);
    }
}

static void heal(struct world *w)
{
    for (int i = 0; i < w->procs_n; i++) {
        struct proc *p = &w->procs[i];
        if (!p->up && i < w->first_replaced && roll(w, 3) == 0) {
            say(w, "START %s", name_of(w, i));
            start_proc(w, p);
            return;
        }
        if (p->stalled && roll(w, 3) == 0) {
            say(w, "CONTINUE %s", name_of(w, i));
            p->stalled = false;
            return;
        }
    }
    if (w->outage && roll(w, 2) == 0) {
        say(w, "KAFKA IS BACK");
        w->outage = false;
    }
}

/* ---- the schedule ---- */

static void settle_proc(struct world *w, struct proc *p)
{
    for (int i = 0; i < w->parts_n; i++)
        while (has_unsent(p, i))
            land(w, p, i);
    while (take_ack(w, p))
        ;
    while (p->up && p->presence_read < w->parts[TL_MODEL_PRESENCE].n)
        read_presence(w, p);
    while (read_next(w, p))
        ;
    for (int i = 0; i < 4; i++)
        tick(w, p);
}

/* A tick of time in good health: everybody does everything. */
static void round_of_all(struct world *w)
{
    w->now++;
    w->in_round = true;
    for (int i = 0; i < w->first_replaced; i++) /* whoever starts processes does so again */
        if (!w->procs[i].up)
            start_proc(w, &w->procs[i]);
    while (w->late_n)
        land_late(w);
    for (int c = 0; c < w->calls_n; c++) {
        network_frame(w, c);
        network_frame(w, c);
        for (int i = 0; i < 6; i++)
            network_move(w, c);
        network_play(w, c);
    }
    for (int turn = 0; turn < 3; turn++) {
        int from = roll(w, w->procs_n);
        for (int i = 0; i < w->procs_n; i++) {
            struct proc *p = &w->procs[(i + from) % w->procs_n];
            if (!p->up || p->stalled)
                continue;
            if (turn == 0)
                beat(w, p);
            settle_proc(w, p);
        }
    }
    w->in_round = false;
}

static void random_move(struct world *w)
{
    int x = roll(w, 100);
    struct proc *p = &w->procs[roll(w, w->procs_n)];

    if (x < w->weight_tick) {
        w->now++;
    } else if ((x -= w->weight_tick) < w->weight_land) {
        land_some(w, p);
    } else if ((x -= w->weight_land) < 8) {
        network_move(w, roll(w, w->calls_n));
    } else if (x < 10) {
        land_late(w);
    } else if (x < 18) {
        if (p->up && !p->stalled) {
            beat(w, p);
            if (!w->outage && has_unsent(p, TL_MODEL_PRESENCE) && roll(w, 2))
                land(w, p, TL_MODEL_PRESENCE);
        }
    } else {
        for (int n = 1 + roll(w, 4); n > 0; n--)
            move_proc(w, p);
    }
}

static void walk(struct world *w, int moves, int faults)
{
    int gap = 20 + roll(w, moves);

    if (w->options->cut && moves > w->options->cut)
        moves = w->options->cut;
    for (int i = 0; i < moves; i++) {
        random_move(w);
        if (faults > 0 && roll(w, gap) < 3) {
            faults--;
            fault(w);
        }
        if (roll(w, 90) == 0)
            heal(w);
    }
}

static void end_faults(struct world *w)
{
    say(w, "FAULTS END");
    w->outage = false;
    for (int i = 0; i < w->procs_n; i++) {
        w->procs[i].stalled = false;
        if (!w->procs[i].up && i < w->first_replaced)
            start_proc(w, &w->procs[i]);
    }
}

static void rounds(struct world *w, int n)
{
    while (n-- > 0)
        round_of_all(w);
}

/* Until all is well and stays so for a while; 55 at most, which every clock of ours has run out by.
 */
static const char *settle(struct world *w)
{
    const char *broken = "";
    int well = 0;

    for (int i = 0; i < 55 && well < 8; i++) {
        round_of_all(w);
        broken = check_live(w);
        well = *broken ? 0 : well + 1;
        for (int c = 0; c < w->calls_n; c++)
            if (w->calls[c].rests_n)
                well = 0;
    }
    return broken;
}

static const char *probe(struct world *w)
{
    int heard[TL_MODEL_CALLS_MAX];

    for (int c = 0; c < w->calls_n; c++) {
        heard[c] = w->calls[c].pieces_heard;
        w->calls[c].left = w->calls[c].turn = 1;
        w->calls[c].silence = 0;
    }
    for (int i = 0; i < 14; i++) {
        bool all = true;
        round_of_all(w);
        for (int c = 0; c < w->calls_n; c++)
            all &= w->calls[c].pieces_heard > heard[c];
        if (all)
            return "";
    }
    return "a turn is not answered";
}

/* In the middle of a word, or long after; some with faults while calls end. */
static void hang_up_all(struct world *w)
{
    bool faults = w->options->faults > 0 && roll(w, 2);

    for (int c = 0; c < w->calls_n && faults; c++)
        w->calls[c].left = roll(w, 3);
    if (faults)
        walk(w, 20 + roll(w, 60), roll(w, 2));
    for (int c = 0; c < w->calls_n; c++)
        network_hang_up(w, c);
    if (faults)
        walk(w, 40 + roll(w, 80), 1 + roll(w, 2));
    end_faults(w);
}

static bool is_over(const struct world *w)
{
    for (int i = 0; i < w->procs_n; i++)
        for (int c = 0; c < w->calls_n; c++)
            if ((w->procs[i].up && w->procs[i].dialogs[c]) ||
                (w->procs[i].up && w->procs[i].kind == TL_INSTANCE_KIND_TELEPHONY &&
                 !w->procs[i].watched[c].fence.closed))
                return false;
    return true;
}

static const char *schedule(struct world *w)
{
    int faults = w->options->faults > 0 ? 1 + roll(w, w->options->faults) : 0;
    int moves = w->options->length / 2 + roll(w, w->options->length);
    int healthy = roll(w, 2) * roll(w, 10);
    const char *broken;

    rounds(w, healthy); /* some begin with calls in good health */
    walk(w, moves, faults);
    end_faults(w);
    if (*(broken = settle(w)) || *(broken = probe(w)))
        return broken;
    hang_up_all(w);
    for (int i = 0, over = 0; i < 75 && over < 4; i++) {
        round_of_all(w);
        over = is_over(w) ? over + 1 : 0;
    }
    return check_end(w);
}

static void add_proc(struct world *w, enum tl_instance_kind kind, int number, int part)
{
    struct proc *p = &w->procs[w->procs_n];

    *p = (struct proc){.kind = kind, .gid = w->procs_n++, .number = number, .part = part};
}

static void build(struct world *w)
{
    w->ingests = 2 + roll(w, 2);
    w->conversations = 2 + roll(w, 2);
    w->telephonies = 2;
    w->parts_n = 2;
    w->calls_n = 1 + roll(w, w->options->calls);
    for (int i = 0; i < w->ingests; i++)
        add_proc(w, TL_INSTANCE_KIND_INGEST, i, w->parts_n++);
    for (int i = 0; i < w->conversations; i++)
        add_proc(w, TL_INSTANCE_KIND_CONVERSATION, i, w->parts_n++);
    for (int i = 0; i < w->telephonies; i++)
        add_proc(w, TL_INSTANCE_KIND_TELEPHONY, i, -1);
    w->first_replaced = w->procs_n;
    for (int c = 0; c < w->calls_n; c++) {
        struct call *call = &w->calls[c];
        *call = (struct call){.late_number = -1, .word = 1, .left = 2 + roll(w, 5)};
        call->opens[call->opens_n++] = 1;
        if (roll(w, 10) == 0)
            call->opens[call->opens_n++] = 1; /* the webhook came twice, and both answers count */
        for (int i = 0; i < TL_MODEL_PARTS_MAX; i++)
            call->mailbox_fence[i] = (struct tl_claim){.number = -1, .offset = -1};
    }
    for (int i = 0; i < w->procs_n; i++)
        start_proc(w, &w->procs[i]);
    for (int i = 0; i < 2 * w->procs_n; i++) { /* everybody knows everybody */
        struct proc *p = &w->procs[i % w->procs_n];
        beat(w, p);
        land(w, p, TL_MODEL_PRESENCE);
        (void)take_ack(w, p);
        while (p->presence_read < w->parts[TL_MODEL_PRESENCE].n)
            read_presence(w, p);
    }
    w->weight_tick = 1 + roll(w, 6);
    w->weight_land = 4 + roll(w, 30);
}

void tl_model_run(uint64_t seed, const struct tl_model_options *options,
                  struct tl_model_result *ret_result)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    *ret_result = (struct tl_model_result){0};
    w->options = options;
    w->result = ret_result;
    w->random = seed * 2654435761u + 12345;
    build(w);
    (void)snprintf(ret_result->failure, sizeof(ret_result->failure), "%s", schedule(w));
    for (int i = 0; i < w->parts_n; i++)
        ret_result->records += w->parts[i].n;
    for (int i = 0; i < w->procs_n; i++)
        finish_proc(w, &w->procs[i]);
    tl_arena_finish(&w->arena);
    free(w);
}
