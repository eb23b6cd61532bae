/* The promises, held against a finished schedule. Words of a trace come before the verdict. */
#include <string.h>

#include "call/claim.h"
#include "tests/model/model.h"

static bool is_of(const struct rec *r, int call)
{
    return r->call == call && r->kind < K_STARTED;
}

/* ---- while callers are on the line and everything has settled ---- */

static const char *check_live_call(struct world *w, int c)
{
    const struct call *call = &w->calls[c];
    const struct log *log = &w->parts[TL_MODEL_CALLS];
    struct tl_fence fence = {0};
    int sessions = 0, holder = -1;
    bool ok = false;

    for (int i = 0; i < log->n; i++)
        if (is_of(&log->recs[i], c))
            (void)accepts(w, &fence, &log->recs[i]);
    const struct tl_fence_leg *leg = holder_of(&fence);
    for (int i = w->ingests; i < w->ingests + w->conversations; i++) {
        const struct dialog *d = w->procs[i].dialogs[c];
        if (!d)
            continue;
        sessions++;
        holder = i;
        ok |= call->current && d->stream == call->current->stream && d->stage == D_LIVE &&
              (off(w, TL_RULE_nofence) || (leg && strcmp(leg->producer, name_of(w, i)) == 0 &&
                                           leg->epoch == w->procs[i].view.own_epoch &&
                                           tl_claim_compare(&leg->highest, &d->claim) == 0));
    }
    bool closed = fence.closed;
    tl_fence_finish(&fence);
    if (closed)
        return "closed while the caller is on the line";
    if (!call->current)
        return "a caller without a socket";
    if (holder < 0)
        return "a caller without a holder";
    if (!ok)
        return "the fence's holder is not the one with the live stream";
    return sessions > 1 ? "a ghost AI session" : "";
}

const char *check_live(struct world *w)
{
    for (int c = 0; c < w->calls_n; c++) {
        const char *broken = check_live_call(w, c);
        if (*broken)
            return broken;
    }
    return "";
}

/* ---- after the end: what counts ---- */

struct record {
    struct log counted; /* events that count, in order */
    int closed;
};

/* Reads as `accepts` says from the first event; a reader that begins at `from` with the fence of
 * those before it must come to the same. */
static bool read_record(struct world *w, int c, struct record *ret)
{
    const struct log *log = &w->parts[TL_MODEL_CALLS];
    struct tl_fence fence = {0}, restored = {0};
    int from = roll(w, log->n + 1);
    bool agree = true;

    for (int i = 0; i < log->n; i++) {
        const struct rec *r = &log->recs[i];
        if (i == from) { /* what a process keeps: the highest claim and its holder */
            restored.closed = fence.closed;
            restored.legs[0] = fence.legs[0];
            restored.legs_n = fence.legs_n;
        }
        if (!is_of(r, c))
            continue;
        bool counts = accepts(w, &fence, r);
        if (i >= from && r->kind != K_RESULT)
            agree &= accepts(w, &restored, r) == counts;
        if (!counts)
            continue;
        (void)log_push(w, &ret->counted, r);
        ret->closed += r->kind == K_CLOSED;
    }
    tl_fence_finish(&fence);
    tl_fence_finish(&restored);
    return agree;
}

/* ---- 1. words ---- */

static bool is_in_order(const struct call *call, int last, int word)
{
    return word > last || call->carrier[word] != call->carrier[last];
}

static const char *check_words(struct world *w, int c, const struct record *record)
{
    const struct call *call = &w->calls[c];
    int seen[TL_MODEL_WORDS_MAX] = {0}, last = 0;

    for (int i = 0; i < record->counted.n; i++) {
        const struct rec *r = &record->counted.recs[i];
        for (int k = 0; r->kind == K_FINAL_CALLER && k < r->words_n; k++) {
            int word = r->words[k];
            if (seen[word]++)
                return "a word twice";
            if (last && !is_in_order(call, last, word)) /* sockets opened at once have no order */
                return "words out of order";
            last = word;
        }
    }
    for (int word = 1; word < call->word; word++) {
        if (call->landed[word] != TL_MODEL_WHOLE || seen[word])
            continue;
        say(w, "word %d of call%d was lost", word, c);
        if (!call->cut[word])
            return "a word lost";
        w->result->cut_words_lost++; /* cut in two by sockets: counted as the gap */
    }
    return "";
}

/* ---- 2. turns ---- */

static bool has_final(const struct record *record, int utterance, int *ret_n)
{
    *ret_n = 0;
    for (int i = 0; i < record->counted.n; i++)
        *ret_n += record->counted.recs[i].kind == K_FINAL_AI &&
                  record->counted.recs[i].utterance == utterance;
    return *ret_n > 0;
}

static uint32_t covered(const struct record *record, int answer)
{
    uint32_t bits = 0;

    for (int i = 0; i < record->counted.n; i++) {
        const struct rec *r = &record->counted.recs[i];
        if ((r->kind == K_DRAFT || r->kind == K_FINAL_AI) && r->answer == answer)
            bits |= (2u << r->pieces) - 1;
    }
    return bits;
}

static const char *check_drafts(const struct record *record)
{
    int n;

    for (int i = 0; i < record->counted.n; i++) {
        const struct rec *r = &record->counted.recs[i];
        if (r->kind == K_DRAFT && !has_final(record, r->utterance, &n))
            return "a draft without a final";
        if (r->kind == K_FINAL_AI && has_final(record, r->utterance, &n) && n > 1)
            return "two finals of one utterance";
    }
    return "";
}

static const char *check_turns(struct world *w, int c, const struct record *record)
{
    int answered[TL_MODEL_WORDS_MAX] = {0};

    for (int i = 0; i < w->answers_n; i++) {
        const struct answer *a = &w->answers[i];
        if (a->call != c || !a->heard)
            continue;
        if (a->heard & ~covered(record, i)) {
            if (!a->by_twin)
                return "heard, and not in the log";
            w->result->fenced_sound++; /* the other twin's holder claimed while this was played */
            continue;
        }
        for (int k = 0; k < a->words_n; k++)
            if (!w->calls[c].cut[a->words[k]] && answered[a->words[k]]++) {
                say(w, "word %d of call%d is answered again by answer%d", a->words[k], c, i);
                return "a turn answered twice";
            }
    }
    return check_drafts(record);
}

/* ---- 3. effects ---- */

static int result_of(const struct record *record, int request, int intent)
{
    for (int i = 0; i < record->counted.n; i++) {
        const struct rec *r = &record->counted.recs[i];
        if (r->kind == K_RESULT && (intent ? r->intent == intent : r->request == request))
            return r->value;
    }
    return 0;
}

static const char *check_effects(struct world *w, int c, const struct record *record)
{
    int done[TL_MODEL_WORDS_MAX] = {0};

    for (int i = 0; i < w->effects_n; i++)
        if (w->effects[i].call == c && done[w->effects[i].request]++)
            return "an effect twice";
    for (int i = 0; i < record->counted.n; i++) {
        const struct rec *r = &record->counted.recs[i];
        if (r->kind == K_INTENT && !result_of(record, 0, r->intent))
            return "an intent without a result";
    }
    for (int i = 0; i < w->answers_n; i++) {
        const struct answer *a = &w->answers[i];
        if (a->call == c && a->request && a->heard && !done[a->request] &&
            !result_of(record, a->request, 0))
            return "an effect neither done nor reported";
    }
    return "";
}

static const char *check_call(struct world *w, int c)
{
    struct record record = {0};
    const char *broken;

    for (int i = w->ingests; i < w->ingests + w->conversations; i++)
        if (w->procs[i].dialogs[c])
            return "an AI session after the end";
    for (int i = w->first_replaced; i < w->procs_n; i++)
        if (w->procs[i].up)
            return "two processes with one number";
    if (!read_record(w, c, &record))
        return "readers disagree";
    if (record.closed != 1)
        return record.closed ? "closed twice" : "never closed";
    if (*(broken = check_words(w, c, &record)) || *(broken = check_turns(w, c, &record)))
        return broken;
    return check_effects(w, c, &record);
}

const char *check_end(struct world *w)
{
    for (int c = 0; c < w->calls_n; c++) {
        const char *broken = check_call(w, c);
        if (*broken)
            return broken;
    }
    return "";
}
