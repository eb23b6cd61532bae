/* The telephone network and the caller: sockets that break, `action` asked for at once, twice, late
 * or never, requests of ours that take their time, and words with their positions. */
#include "call/call_state.h"
#include "tests/model/model.h"

static void enqueue(int *queue, int *n, int number)
{
    if (*n < 16)
        queue[(*n)++] = number;
}

static int dequeue(int *queue, int *n)
{
    int first = queue[0];

    for (int i = 1; i < *n; i++)
        queue[i - 1] = queue[i];
    (*n)--;
    return first;
}

/* ---- sockets ---- */

void network_lost(struct world *w, struct tsock *sock)
{
    struct call *call = &w->calls[sock->call];

    sock->closed = true;
    sock->to_us.n = sock->to_us_read = 0;
    sock->play.n = sock->play_next = 0;
    if (call->current != sock)
        return;
    call->current = NULL;
    switch (roll(w, 4)) {
    case 0:
        say(w, "  the network asks action(%d)", sock->number);
        enqueue(call->actions, &call->actions_n, sock->number);
        break;
    case 1:
        say(w, "  the network asks action(%d) twice", sock->number);
        enqueue(call->actions, &call->actions_n, sock->number);
        enqueue(call->actions, &call->actions_n, sock->number);
        break;
    case 2:
        say(w, "  the network will notice late");
        call->late_number = sock->number;
        call->late_at = w->now + 2 + roll(w, 12);
        break;
    default:
        say(w, "  the network notices nothing");
    }
}

void network_stop(struct world *w, struct tsock *sock)
{
    const struct rec stop = {.kind = K_STOPPED, .call = sock->call};

    if (sock->closed)
        return;
    sock->closed = true;
    sock->play.n = sock->play_next = 0;
    (void)log_push(w, &sock->to_us, &stop);
}

static struct proc *any_ingest(struct world *w)
{
    struct proc *able[TL_MODEL_PROCS_MAX];
    int n = 0;

    for (int i = 0; i < w->ingests; i++)
        if (w->procs[i].up && !w->procs[i].stalled && w->procs[i].view.own_epoch >= 0)
            able[n++] = &w->procs[i];
    return n ? able[roll(w, n)] : NULL;
}

static void ask_action(struct world *w, struct call *call)
{
    if (!any_ingest(w))
        return;
    int number = dequeue(call->actions, &call->actions_n);
    if (!call->ended)
        enqueue(call->opens, &call->opens_n, number + 1);
}

static void open_socket(struct world *w, int c)
{
    static const struct rec start = {.kind = K_STARTED};
    struct call *call = &w->calls[c];
    struct proc *p = any_ingest(w);

    if (!p || call->socks_n == 64)
        return;
    int number = dequeue(call->opens, &call->opens_n);
    if (call->ended)
        return;
    struct tsock *sock = tl_arena_alloc(&w->arena, sizeof(*sock));
    *sock = (struct tsock){
        .stream = ++w->streams, .call = c, .number = number, .ingest = p->gid, .run = (int)p->run};
    say(w, "the network opens stream%d of call%d, number %d, at %s", sock->stream, c, number,
        name_of(w, p->gid));
    (void)log_push(w, &sock->to_us, &start);
    call->current = sock; /* an older one lingers without sound */
    call->socks[call->socks_n++] = sock;
}

void network_rest(struct world *w, int c, int number)
{
    enqueue(w->calls[c].rests, &w->calls[c].rests_n, number);
}

static void carry_out_rest(struct world *w, int c)
{
    struct call *call = &w->calls[c];
    int number = dequeue(call->rests, &call->rests_n);

    if (call->ended)
        return;
    w->result->rescues++;
    say(w, "REST: call%d gets number %d", c, number);
    if (call->current)
        network_stop(w, call->current);
    call->current = NULL;
    call->actions_n = call->opens_n = 0;
    call->late_number = -1;
    enqueue(call->opens, &call->opens_n, number);
}

static void close_old(struct world *w, struct call *call)
{
    for (int i = 0; i < call->socks_n; i++)
        if (call->socks[i] != call->current && !call->socks[i]->closed) {
            network_stop(w, call->socks[i]);
            return;
        }
}

/* ---- the caller ---- */

static void note_word(struct world *w, struct call *call, const struct rec *frame)
{
    int *carrier = &call->carrier[frame->word];

    if (!call->current) {
        w->result->gap_words += frame->frame == 0;
        return;
    }
    if (*carrier && *carrier != call->current->stream)
        call->cut[frame->word] = true;
    *carrier = call->current->stream;
}

static void next_of_word(struct world *w, struct call *call, struct rec *frame)
{
    if (!call->turn)
        call->turn = 1 + roll(w, 2);
    frame->word = call->word;
    frame->frame = call->frame++;
    if (call->frame < TL_MODEL_WORD_FRAMES)
        return;
    call->frame = 0;
    call->word++;
    call->left--;
    w->result->said++;
    if (--call->turn == 0 || call->left == 0) {
        call->turn = 0;
        call->silence = 2 + roll(w, 4);
    }
}

void network_frame(struct world *w, int c)
{
    struct call *call = &w->calls[c];
    struct rec frame = {.kind = K_FRAME, .call = c};

    if (call->ended)
        return;
    if (call->silence > 0)
        call->silence--;
    else if (call->left > 0)
        next_of_word(w, call, &frame);
    if (frame.word)
        note_word(w, call, &frame);
    if (call->current)
        (void)log_push(w, &call->current->to_us, &frame);
}

void network_play(struct world *w, int c)
{
    struct call *call = &w->calls[c];
    struct tsock *sock = call->current;

    if (!sock || sock->play_next == sock->play.n)
        return;
    const struct rec *r = &sock->play.recs[sock->play_next++];
    const struct rec mark = {.kind = K_MARK,
                             .call = c,
                             .utterance = r->utterance,
                             .pieces = r->pieces,
                             .answer = r->answer};
    say(w, "caller %d hears answer%d piece %d", c, r->answer, r->pieces);
    call->pieces_heard++;
    for (int i = 0; i < call->socks_n; i++)
        w->answers[r->answer].by_twin |=
            call->socks[i] != sock && call->socks[i]->number == sock->number;
    w->answers[r->answer].heard |= 1u << r->pieces;
    (void)log_push(w, &sock->to_us, &mark);
}

void network_hang_up(struct world *w, int c)
{
    struct call *call = &w->calls[c];

    if (call->ended)
        return;
    say(w, "caller %d hangs up", c);
    call->ended = true;
    if (call->current)
        network_stop(w, call->current);
    call->current = NULL;
    call->callbacks = 1 + roll(w, 2);
}

static void send_callback(struct world *w, int c)
{
    struct proc *p = any_ingest(w);

    if (!p || w->outage)
        return;
    w->calls[c].callbacks--;
    (void)send_rec(w, p, TL_MODEL_CALLS,
                   (struct rec){.kind = K_STATE, .call = c, .value = TL_CALL_STATE_COMPLETED});
}

void network_move(struct world *w, int c)
{
    struct call *call = &w->calls[c];

    w->result->steps += !w->in_round;
    switch (roll(w, 8)) {
    case 0:
    case 1:
    case 2:
        network_frame(w, c);
        break;
    case 3:
        network_play(w, c);
        break;
    case 4:
        if (call->actions_n) {
            ask_action(w, call);
        } else if (call->late_number >= 0 && w->now >= call->late_at) {
            enqueue(call->actions, &call->actions_n, call->late_number);
            call->late_number = -1;
        }
        break;
    case 5:
        if (call->opens_n)
            open_socket(w, c);
        break;
    case 6:
        if (call->opens_n)
            open_socket(w, c);
        else if (call->rests_n)
            carry_out_rest(w, c);
        break;
    default:
        close_old(w, call);
    }
    if (call->callbacks > 0)
        send_callback(w, c);
}
