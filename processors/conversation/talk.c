/* Turns, drafts, finals, playback: see talk.h. The rules are in the design, "The log is the memory":
 * sound is released only behind a draft in the log, finals enter in turn order, as heard. */
#include "processors/conversation/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/uuid.h"
#include "call/claim.h"

#define PIECE_BYTES 1600        /* 200 ms: one piece, one mark */
#define END_AHEAD_MS 400        /* unheard sound that outlasts the way of a draft to the log */
#define DRAFT_EVERY_MS 150      /* of the caller's words: only people read those */
#define SOUND_BYTES_MAX (4u << 20)
#define TEXT_BYTES_MAX (60u << 10)
#define MARKS_WAIT_MS 30000      /* after the sound was to be over: what was sent has got lost */
#define FRAME_MS 20
#define PLAY_LATE_MS 200         /* at most, until sound that was sent begins to be heard */
#define MS_PER_BYTE 44.0         /* of a voice of which nothing was heard yet: a fast one */
#define WHOLE_BYTES_MIN 25
#define PREDECESSOR_WAIT_MS 400  /* of the line without a mark, of which one comes every 200 ms: the rest
                                    stays unheard */

struct tl_talk_turn {
    struct tl_talk_turn *prev, *next;
    int turn;
    enum tl_speaker speaker;
    char item_id[64];
    char utterance_id[TL_UUID_TEXT_LEN + 1];
    int revision;
    struct tl_buf text; /* as spoken, not masked */
    int64_t start_ms, end_ms; /* call time */
    bool has_draft;
    /* the caller */
    bool transcribed, failed;
    bool lost; /* its AI session is gone: its sound will be heard again */
    int64_t committed_at_ms; /* monotonic */
    bool has_place;
    struct tl_ear_place place; /* where it ends */
    /* the AI */
    bool has_answers_to;
    struct tl_position answers_to;
    struct tl_buf sound;  /* from heard on */
    int64_t sound_base;   /* bytes before sound.data[0] */
    int64_t generated, drafted, draft_bytes, released; /* bytes of the turn's sound */
    int64_t heard_ms;
    int64_t last_draft_ms; /* monotonic */
    bool draft_in_flight, complete, cut, orphan;
    bool draft_complete;  /* the last draft says that it is complete, */
    bool end_logged;      /* and the log has it */
    bool broken;          /* it ended before all of its sound had come */
    bool was_cut;         /* by the predecessor already */
    bool of_predecessor;  /* its marks still come; `complete` is what the log says */
    int64_t last_mark_ms; /* of a predecessor's: where the line was then, call time */
};

/* ---- turns ---- */

static struct tl_talk_turn *turn_create(enum tl_speaker speaker, const char *item_id)
{
    struct tl_talk_turn *t = calloc(1, sizeof(*t));
    struct tl_uuid id = tl_uuid_v4();

    if (!t)
        abort();
    t->speaker = speaker;
    tl_uuid_format(&id, t->utterance_id);
    (void)snprintf(t->item_id, sizeof(t->item_id), "%s", item_id);
    tl_buf_init(&t->text, TEXT_BYTES_MAX);
    tl_buf_init(&t->sound, SOUND_BYTES_MAX);
    return t;
}

static void turn_destroy(struct tl_talk_turn *t)
{
    tl_buf_finish(&t->text);
    tl_buf_finish(&t->sound);
    if (t->draft_in_flight) { /* its delivery is still to come and finds it */
        t->orphan = true;
        return;
    }
    free(t);
}

static struct tl_talk_turn *find(struct tl_talk *talk, const char *item_id)
{
    struct tl_talk_turn *t;

    if (talk->speaking && strcmp(talk->speaking->item_id, item_id) == 0)
        return talk->speaking;
    DL_FOREACH (talk->turns, t)
        if (strcmp(t->item_id, item_id) == 0)
            return t;
    return NULL;
}

static bool is_ai(const struct tl_talk_turn *t)
{
    return t->speaker == TL_SPEAKER_AI;
}

static bool is_unheard(const struct tl_talk_turn *t)
{
    return is_ai(t) && !t->cut && (!t->complete || t->heard_ms * 8 < t->generated);
}

/* ---- utterances ---- */

static enum tl_redact_side side_of(enum tl_speaker speaker)
{
    return speaker == TL_SPEAKER_CUSTOMER ? TL_REDACT_CUSTOMER : TL_REDACT_AGENT;
}

/* Sound that so many of the AI's words take at least, as they are spoken in this call. */
static double least_ms(const struct tl_talk *talk, size_t len)
{
    double per_byte = talk->ai_bytes ? (double)talk->ai_ms / (double)talk->ai_bytes : MS_PER_BYTE;

    return 0.9 * per_byte * (double)len;
}

/* Nobody says that it was complete, but its sound covers its words and they end a sentence: the
 *  predecessor, or the AI session, died before it could say so. Of a short beginning that means little. */
static bool seems_whole(const struct tl_talk *talk, const struct tl_talk_turn *t)
{
    size_t len = t->text.len;

    return len >= WHOLE_BYTES_MIN && strchr(".?!", t->text.data[len - 1]) &&
           (double)t->generated / 8 >= least_ms(talk, len);
}

/* Its words run ahead of its sound, of which the rest is not known. */
static bool lacks_sound(const struct tl_talk *talk, const struct tl_talk_turn *t)
{
    return t->broken || (!t->complete && !seems_whole(talk, t));
}

/* Of the AI's words what is in so much of its sound, up to the last whole word. */
static size_t len_at(const struct tl_talk *talk, const struct tl_talk_turn *t, int64_t sound_ms)
{
    const char *text = t->text.data ? (const char *)t->text.data : "";
    double share = t->generated ? (double)sound_ms * 8 / (double)t->generated : 0;

    if (lacks_sound(talk, t))
        share = 0.95 * (double)sound_ms / least_ms(talk, t->text.len + 1); /* rather a word too many */
    else if (!t->generated || sound_ms * 8 >= t->generated - PIECE_BYTES / 2)
        return t->generated || t->of_predecessor ? t->text.len : sound_ms ? t->text.len : 0;
    if (share >= 1)
        return t->text.len;
    size_t len = (size_t)((double)t->text.len * share);
    while (len && text[len] != ' ')
        len--;
    return len;
}

static size_t heard_len(const struct tl_talk *talk, const struct tl_talk_turn *t)
{
    return len_at(talk, t, t->heard_ms);
}

static struct tl_redact_utterance to_redact(const struct tl_talk_turn *t, size_t len)
{
    return (struct tl_redact_utterance){.side = side_of(t->speaker),
                                        .text = t->text.data ? (const char *)t->text.data : "",
                                        .len = len,
                                        .start_ms = t->start_ms,
                                        .end_ms = t->end_ms,
                                        .tag = (uint64_t)t->turn};
}

struct entity_texts {
    struct tl_redacted_entity items[TL_REDACT_ENTITIES_MAX];
    size_t n;
};

static void list_entities(const struct tl_redacted *red, struct entity_texts *ret)
{
    ret->n = red->n_entities;
    for (size_t i = 0; i < red->n_entities; i++) {
        const struct tl_entity *e = &red->entities[i];
        ret->items[i] = (struct tl_redacted_entity){
            .type = tl_entity_name(e->type),
            .ordinal = (int32_t)e->n,
            .confidence = e->confidence,
            .start_ms = {.set = true, .value = e->start_ms},
            .end_ms = {.set = true, .value = e->end_ms},
            .last4 = e->last4[0] ? e->last4 : NULL};
    }
}

/* Writes a draft or the final of a turn with the masked words in talk->redacted. `waits` for it: the turn,
 * or NULL. */
static void write_utterance(struct tl_talk *talk, struct tl_talk_turn *t, bool is_final,
                            struct tl_talk_turn *waits)
{
    struct entity_texts entities;

    struct tl_utterance u = {.utterance_id = t->utterance_id,
                             .revision = ++t->revision,
                             .final = is_final,
                             .turn = t->turn ? t->turn : talk->turn + 1,
                             .speaker = t->speaker,
                             .text = tl_buf_str(&talk->redacted.text),
                             .start_ms = t->start_ms,
                             .end_ms = t->end_ms,
                             .media_mailbox = -1,
                             .media_offset = -1,
                             .complete = is_final || (t->complete && !t->broken),
                             .interrupted = t->cut || (is_final && is_ai(t) && lacks_sound(talk, t)),
                             .transcript_failed = t->failed,
                             .heard_ms = is_ai(t) ? t->heard_ms : -1,
                             .language = "",
                             .item_id = t->item_id[0] ? t->item_id : NULL,
                             .entities = entities.items};

    list_entities(&talk->redacted, &entities);
    u.entities_n = entities.n;
    if (talk->has_media_to) {
        u.media_to = &talk->media_to.position;
        u.media_mailbox = talk->media_to.mailbox;
        u.media_offset = talk->media_to.mailbox_offset;
    }
    if (is_ai(t) && t->has_answers_to) {
        u.answers_to = &t->answers_to;
        if (!talk->has_answered_to ||
            tl_position_compare(&t->answers_to, &talk->answered_to) > 0) /* finals come late */
            talk->answered_to = t->answers_to;
        talk->has_answered_to = true;
    }
    t->has_draft = true;
    talk->on->write(talk->arg, &u, waits);
}

static void write_draft(struct tl_talk *talk, struct tl_talk_turn *t)
{
    const struct tl_redact_utterance u = to_redact(t, t->text.len);
    struct tl_error err;

    if (tl_redactor_draft(talk->redactor, &u, &talk->redacted, &err) == TL_OK)
        write_utterance(talk, t, false, is_ai(t) ? t : NULL); /* else longer than any: the final will tell */
}

/* The redactor holds its final for seconds: a successor is to know that it is over, and what was heard. */
static void write_held(struct tl_talk *talk, struct tl_talk_turn *t)
{
    const struct tl_redact_utterance u = to_redact(t, heard_len(talk, t));
    struct tl_error err;

    if (is_ai(t) && t->has_draft &&
        tl_redactor_draft(talk->redactor, &u, &talk->redacted, &err) == TL_OK)
        write_utterance(talk, t, false, NULL);
}

/* A turn of the caller is not in the log: it waits for its words, or the redactor holds them. */
static bool is_caller_open(const struct tl_talk *talk)
{
    const struct tl_talk_turn *t;

    DL_FOREACH (talk->handed, t)
        if (!is_ai(t))
            return true;
    return tl_talk_is_open(talk, TL_SPEAKER_CUSTOMER) || !tl_talk_is_transcribed(talk);
}

/* The caller's sound before it is in the log, or was silence. */
static void advance_media_to(struct tl_talk *talk, const struct tl_talk_turn *t)
{
    struct tl_ear_place place;
    int64_t quiet_to_ms = talk->noticed_ms - talk->prefix_ms;

    if (t->has_place) {
        talk->media_to = t->place;
        talk->has_media_to = true;
    } else if (is_ai(t) && quiet_to_ms > 0 && !is_caller_open(talk) &&
               tl_ear_reaches(talk->ear, quiet_to_ms) && tl_ear_at(talk->ear, quiet_to_ms, &place) &&
               (!talk->has_media_to ||
                tl_position_compare(&place.position, &talk->media_to.position) > 0)) {
        talk->media_to = place; /* nobody spoke meanwhile */
        talk->has_media_to = true;
    }
}

static void write_final(struct tl_talk *talk, struct tl_talk_turn *t)
{
    bool says_nothing = !talk->redacted.text.len && !t->has_draft && !t->failed;

    advance_media_to(talk, t);
    if (says_nothing)
        return; /* a cough: no turn of anybody's */
    write_utterance(talk, t, true, NULL);
    talk->on->remember(talk->arg, t->turn, t->speaker, tl_buf_str(&talk->redacted.text), t->item_id);
}

static void pop_decided(struct tl_talk *talk, struct tl_talk_now now)
{
    while (talk->handed && tl_redactor_pop(talk->redactor, now.mono_ms, &talk->redacted)) {
        struct tl_talk_turn *t = talk->handed;
        DL_DELETE(talk->handed, t);
        write_final(talk, t);
        turn_destroy(t);
    }
}

static bool is_final_ready(const struct tl_talk *talk, const struct tl_talk_turn *t,
                           struct tl_talk_now now)
{
    if (t->of_predecessor && talk->listens && (!t->cut || t->was_cut))
        return false; /* what it answers comes first */
    if (t->of_predecessor)
        return t->cut || talk->line_ms - t->last_mark_ms > PREDECESSOR_WAIT_MS ||
               t->heard_ms * 8 >= t->generated;
    if (is_ai(t))
        return !is_unheard(t) || (t->complete && t->released && t->released == t->generated &&
                                  now.call_ms > talk->play_until_ms + MARKS_WAIT_MS);
    return t->transcribed || t->failed ||
           now.mono_ms - t->committed_at_ms > talk->transcript_wait_ms;
}

/* A predecessor's answer that the AI is to go on with; not when it has gone on already. */
static bool is_unfinished(const struct tl_talk *talk, const struct tl_talk_turn *t)
{
    const struct tl_talk_turn *later;

    DL_FOREACH (talk->turns, later)
        if (is_ai(later) && later->turn > t->turn)
            return false;
    return t->of_predecessor && !t->cut &&
           (lacks_sound(talk, t) || t->heard_ms * 8 < t->generated - PIECE_BYTES / 2);
}

/* Finals leave in turn order: the head first, and nothing before it is decided. */
static void pump_finals(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_error err;

    while (talk->turns && is_final_ready(talk, talk->turns, now)) {
        struct tl_talk_turn *t = talk->turns;
        DL_DELETE(talk->turns, t);
        talk->final_turn = t->turn > talk->final_turn ? t->turn : talk->final_turn;
        bool unfinished = is_unfinished(talk, t);
        if (is_ai(t)) {
            t->cut = t->cut || t->broken ||
                     (t->generated && t->heard_ms * 8 < t->generated - PIECE_BYTES / 2);
            t->end_ms = t->start_ms + t->heard_ms;
        } else if (!t->transcribed) {
            t->failed = true;
        }
        const struct tl_redact_utterance u = to_redact(t, is_ai(t) ? heard_len(talk, t) : t->text.len);
        if (is_ai(t) && !t->cut && !lacks_sound(talk, t) && t->heard_ms > 0 && t->text.len) {
            talk->ai_ms += t->heard_ms;
            talk->ai_bytes += (int64_t)t->text.len;
        }
        if (t->of_predecessor && tl_redactor_draft(talk->redactor, &u, &talk->redacted, &err) == TL_OK)
            talk->on->answered(talk->arg, tl_buf_str(&talk->redacted.text), unfinished);
        if (tl_redactor_final(talk->redactor, &u, now.mono_ms, &err) == TL_OK)
            DL_APPEND(talk->handed, t);
        else
            turn_destroy(t); /* longer than any turn can be: bounded by TEXT_BYTES_MAX, never seen */
        pop_decided(talk, now); /* at once: the redactor holds no more than so many */
        if (talk->handed && talk->handed->prev == t)
            write_held(talk, t);
    }
    pop_decided(talk, now);
}

/* ---- playback ---- */

static int64_t unheard_ms(const struct tl_talk *talk)
{
    const struct tl_talk_turn *t;
    int64_t sum = 0;

    DL_FOREACH (talk->turns, t)
        if (is_ai(t) && !t->cut && !t->of_predecessor)
            sum += t->released / 8 - t->heard_ms;
    return sum > 0 ? sum : 0;
}

static void release_piece(struct tl_talk *talk, struct tl_talk_turn *t, int64_t len,
                          struct tl_talk_now now)
{
    char name[64];

    if (!t->released) {
        t->start_ms = now.call_ms > talk->play_until_ms ? now.call_ms : talk->play_until_ms;
    }
    talk->on->play(talk->arg,
                   (struct tl_bytes){t->sound.data + (t->released - t->sound_base), (size_t)len});
    t->released += len;
    talk->play_until_ms =
        (now.call_ms > talk->play_until_ms ? now.call_ms : talk->play_until_ms) + len / 8;
    (void)snprintf(name, sizeof(name), "%d.%d.%lld", t->turn, talk->epoch,
                   (long long)((t->released + 7) / 8));
    talk->on->mark(talk->arg, name);
}

/* What may be the last piece of an answer waits for the log to say so, while the caller still hears
 * enough: who takes over would think an answer that was heard to its end unfinished, and say it
 * again. */
static bool holds_end(const struct tl_talk_turn *t, int64_t ahead_ms)
{
    return t->drafted - t->released <= PIECE_BYTES && t->drafted == t->generated &&
           !t->end_logged && !t->broken && ahead_ms >= END_AHEAD_MS;
}

static void release(struct tl_talk *talk, struct tl_talk_turn *t, struct tl_talk_now now)
{
    while (t->released < t->drafted) {
        int64_t ahead = unheard_ms(talk), left = t->drafted - t->released;
        int64_t len = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (talk->is_muted || ahead >= talk->play_ahead_ms || holds_end(t, ahead))
            return;
        release_piece(talk, t, len, now);
    }
}

static void draft(struct tl_talk *talk, struct tl_talk_turn *t, struct tl_talk_now now)
{
    bool is_whole = t->complete && !t->broken;
    bool has_news = t->drafted < t->generated || (is_whole && !t->draft_complete);
    if (t->draft_in_flight || !t->generated || !has_news)
        return;
    t->draft_complete = is_whole;
    if (t->start_ms == 0)
        t->start_ms = now.call_ms > talk->play_until_ms ? now.call_ms : talk->play_until_ms;
    t->end_ms = t->start_ms + t->generated / 8;
    t->draft_in_flight = true;
    t->draft_bytes = t->generated;
    write_draft(talk, t);
}

/* One answer after the other: the next one's sound waits until the one before is all sent. */
static void pump_sound(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t) {
        if (!is_ai(t) || t->cut || t->of_predecessor)
            continue;
        draft(talk, t, now);
        release(talk, t, now);
        if (!t->complete || t->released < t->generated)
            return;
    }
}

static void drop_heard(struct tl_talk_turn *t)
{
    int64_t n = t->heard_ms * 8 - t->sound_base;

    if (n <= 0 || (uint64_t)n > t->sound.len)
        return;
    memmove(t->sound.data, t->sound.data + n, t->sound.len - (size_t)n);
    t->sound.len -= (size_t)n;
    t->sound_base += n;
}

static void cut(struct tl_talk *talk, struct tl_talk_turn *t)
{
    int64_t generated_ms = t->generated / 8;

    t->broken = lacks_sound(talk, t);
    t->cut = true;
    t->complete = true;
    tl_buf_finish(&t->sound);
    if (t->item_id[0] && (t->generated || t->heard_ms))
        talk->on->truncate(talk->arg, t->item_id,
                           t->heard_ms < generated_ms ? t->heard_ms : generated_ms);
}

static bool interrupt(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;
    bool any = false;

    DL_FOREACH (talk->turns, t)
        any |= is_unheard(t);
    if (!any)
        return false;
    talk->epoch++;
    talk->on->clear(talk->arg);
    DL_FOREACH (talk->turns, t)
        if (is_unheard(t))
            cut(talk, t);
    talk->play_until_ms = now.call_ms;
    return true;
}

/* ---- what the AI session reports ---- */

/* An id whose draft is in the log needs its final: the turn that takes another one's place goes on
 * under it. */
static void take_draft_over(struct tl_talk_turn *t, const struct tl_talk_turn *from)
{
    if (!from->has_draft)
        return;
    memcpy(t->utterance_id, from->utterance_id, sizeof(t->utterance_id));
    t->revision = from->revision;
    t->has_draft = true;
}

bool tl_talk_on_speech_started(struct tl_talk *talk, const char *item_id, int64_t audio_ms,
                               struct tl_talk_now now)
{
    struct tl_ear_place place;

    struct tl_talk_turn *before = talk->speaking; /* never committed: nothing came of it */
    talk->speaking = turn_create(TL_SPEAKER_CUSTOMER, item_id);
    if (before) {
        take_draft_over(talk->speaking, before);
        turn_destroy(before);
    }
    talk->speaking->start_ms = tl_ear_at(talk->ear, audio_ms + talk->prefix_ms, &place)
                                   ? place.call_ms
                                   : now.call_ms;
    talk->speaking->end_ms = talk->speaking->start_ms;
    bool was_cut = !talk->listens && interrupt(talk, now); /* not by what was said long ago */
    pump_finals(talk, now);
    return was_cut;
}

void tl_talk_on_speech_stopped(struct tl_talk *talk, const char *item_id, int64_t audio_ms)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (!t || is_ai(t))
        return;
    t->has_place = tl_ear_at(talk->ear, audio_ms, &t->place);
    if (!t->has_place)
        return;
    int64_t end_ms = t->place.call_ms - talk->silence_ms;
    t->end_ms = end_ms > t->start_ms ? end_ms : t->start_ms;
    talk->answers_to = t->place.position;
    talk->has_answers_to = true;
}

/* A turn whose first AI session was lost has been heard again: it goes on in its place. Takes `heard`
 *  and returns true when there is one. */
static bool adopt(struct tl_talk *talk, struct tl_talk_turn *heard, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (t->lost)
            break;
    if (!t)
        return false;
    t->lost = false;
    if (t->has_draft && heard->has_draft) { /* two ids are open: each gets its final */
        t->failed = true;
        return false;
    }
    take_draft_over(t, heard);
    (void)snprintf(t->item_id, sizeof(t->item_id), "%s", heard->item_id);
    t->start_ms = heard->start_ms;
    t->end_ms = heard->end_ms;
    t->has_place = heard->has_place;
    t->place = heard->place;
    t->committed_at_ms = now.mono_ms;
    tl_buf_reset(&t->text);
    tl_buf_add(&t->text, heard->text.data, heard->text.len);
    turn_destroy(heard);
    return true;
}

/* At the end; but what a predecessor answered and did not put into words comes before its answer,
 * under a number that was free: that of the turn that it would have been. */
static void add_turn(struct tl_talk *talk, struct tl_talk_turn *t)
{
    struct tl_talk_turn *answer = NULL;

    if (talk->listens)
        DL_FOREACH (talk->turns, answer)
            if (is_ai(answer) && answer->of_predecessor)
                break;
    if (!answer) {
        t->turn = ++talk->turn;
        DL_APPEND(talk->turns, t);
        return;
    }
    int before = answer == talk->turns ? talk->final_turn : answer->prev->turn;
    t->turn = before + 1 < answer->turn ? before + 1 : answer->turn;
    DL_PREPEND_ELEM(talk->turns, answer, t);
}

void tl_talk_on_committed(struct tl_talk *talk, const char *item_id, struct tl_talk_now now)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (t && t != talk->speaking)
        return; /* known already */
    if (!t) { /* committed without speech: the idle timeout, or by hand */
        t = turn_create(TL_SPEAKER_CUSTOMER, item_id);
        t->start_ms = t->end_ms = now.call_ms;
    }
    talk->speaking = talk->speaking == t ? NULL : talk->speaking;
    if (!t->has_place)
        tl_talk_on_speech_stopped(talk, item_id, tl_ear_audio_ms(talk->ear));
    if (adopt(talk, t, now))
        return;
    t->committed_at_ms = now.mono_ms;
    add_turn(talk, t);
}

void tl_talk_on_words(struct tl_talk *talk, const char *item_id, const char *delta,
                      struct tl_talk_now now)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (!t || is_ai(t))
        return;
    tl_buf_add_str(&t->text, delta);
    if (now.mono_ms - t->last_draft_ms < DRAFT_EVERY_MS)
        return;
    t->last_draft_ms = now.mono_ms;
    write_draft(talk, t);
}

void tl_talk_on_transcript(struct tl_talk *talk, const char *item_id, const char *text,
                           struct tl_talk_now now)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (!t || is_ai(t))
        return;
    tl_buf_reset(&t->text);
    if (text)
        tl_buf_add_str(&t->text, text);
    t->transcribed = text != NULL;
    t->failed = !text;
    pump_finals(talk, now);
}

void tl_talk_on_answer(struct tl_talk *talk, const char *item_id)
{
    if (find(talk, item_id))
        return;
    struct tl_talk_turn *t = turn_create(TL_SPEAKER_AI, item_id);
    t->turn = ++talk->turn;
    t->has_answers_to = talk->has_answers_to;
    t->answers_to = talk->answers_to;
    DL_APPEND(talk->turns, t);
}

void tl_talk_on_answer_sound(struct tl_talk *talk, const char *item_id, struct tl_bytes audio,
                             struct tl_talk_now now)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (!t || !is_ai(t) || t->cut || t->of_predecessor)
        return; /* of an answer that was interrupted */
    tl_buf_add(&t->sound, audio.data, audio.len);
    if (t->sound.full)
        return; /* over eight minutes unheard: no answer is so long */
    t->generated += (int64_t)audio.len;
    pump_sound(talk, now);
}

void tl_talk_on_answer_words(struct tl_talk *talk, const char *item_id, const char *delta)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (t && is_ai(t) && !t->cut)
        tl_buf_add_str(&t->text, delta);
}

void tl_talk_on_answer_done(struct tl_talk *talk, const char *item_id, struct tl_talk_now now)
{
    struct tl_talk_turn *t = find(talk, item_id);

    if (!t || !is_ai(t))
        return;
    t->complete = true;
    pump_sound(talk, now);
    pump_finals(talk, now);
}

void tl_talk_on_answers_over(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (is_ai(t) && !t->of_predecessor)
            t->complete = true;
    pump_sound(talk, now);
    pump_finals(talk, now);
}

void tl_talk_on_noticed(struct tl_talk *talk, int64_t audio_ms)
{
    talk->noticed_ms = audio_ms;
}

/* Answers that have not ended end here; of those without any sound nothing is left. */
static bool break_answers(struct tl_talk *talk)
{
    struct tl_talk_turn *t, *tmp;
    bool any = false;

    DL_FOREACH_SAFE (talk->turns, t, tmp) {
        if (!is_ai(t) || t->of_predecessor || t->complete || t->cut)
            continue;
        if (!t->generated) {
            DL_DELETE(talk->turns, t);
            turn_destroy(t);
        } else if (!seems_whole(talk, t)) {
            t->broken = any = true;
        }
    }
    return any;
}

bool tl_talk_on_answers_failed(struct tl_talk *talk, struct tl_talk_now now)
{
    bool is_broken = break_answers(talk);

    tl_talk_on_answers_over(talk, now);
    return is_broken;
}

bool tl_talk_on_session_lost(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    talk->noticed_ms = 0;
    bool is_broken = break_answers(talk);
    if (talk->speaking && talk->speaking->has_draft) { /* its utterance is open in the log */
        t = TL_TAKE(talk->speaking);
        t->turn = ++talk->turn;
        DL_APPEND(talk->turns, t);
    } else if (talk->speaking) {
        turn_destroy(TL_TAKE(talk->speaking));
    }
    DL_FOREACH (talk->turns, t) {
        if (is_ai(t) || t->transcribed || t->failed)
            continue;
        t->lost = true;
        t->item_id[0] = '\0';
        t->committed_at_ms = now.mono_ms;
    }
    tl_talk_on_answers_over(talk, now);
    return is_broken;
}

bool tl_talk_is_transcribed(const struct tl_talk *talk)
{
    const struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (!is_ai(t) && !t->transcribed && !t->failed && !t->lost)
            return false;
    return !talk->speaking;
}

static void tell_open(struct tl_talk *talk, const struct tl_talk_turn *t, tl_talk_turn_fn fn,
                      void *arg)
{
    bool is_final = t->turn <= talk->final_turn;
    int64_t sound_ms = is_final || t->cut ? t->heard_ms : t->generated / 8;
    const struct tl_redact_utterance u = to_redact(t, is_ai(t) ? len_at(talk, t, sound_ms) : t->text.len);
    struct tl_error err;

    if (t->of_predecessor && !is_final)
        return; /* told by `answered` when it is known what was heard */
    if (u.len && (is_ai(t) || t->transcribed) &&
        tl_redactor_draft(talk->redactor, &u, &talk->redacted, &err) == TL_OK)
        fn(arg, t->speaker, tl_buf_str(&talk->redacted.text));
}

void tl_talk_each_open(struct tl_talk *talk, tl_talk_turn_fn fn, void *arg)
{
    const struct tl_talk_turn *t;

    DL_FOREACH (talk->handed, t)
        tell_open(talk, t, fn, arg);
    DL_FOREACH (talk->turns, t)
        tell_open(talk, t, fn, arg);
}

bool tl_talk_worded_to(const struct tl_talk *talk, struct tl_ear_place *ret_place)
{
    const struct tl_talk_turn *t;

    *ret_place = talk->media_to;
    bool any = talk->has_media_to;
    DL_FOREACH (talk->handed, t)
        if (t->has_place) {
            *ret_place = t->place;
            any = true;
        }
    DL_FOREACH (talk->turns, t) {
        if (!is_ai(t) && !t->transcribed && !t->failed)
            break; /* what follows is heard again with it */
        if (t->has_place) {
            *ret_place = t->place;
            any = true;
        }
    }
    return any;
}

bool tl_talk_waits_for_answer(const struct tl_talk *talk)
{
    const struct tl_talk_turn *last = talk->turns    ? talk->turns->prev
                                      : talk->handed ? talk->handed->prev
                                                     : NULL;

    return last && !is_ai(last) && last->transcribed;
}

bool tl_talk_is_transcribed_to(const struct tl_talk *talk, const struct tl_position *to)
{
    struct tl_ear_place place;

    return tl_talk_worded_to(talk, &place) && tl_position_compare(&place.position, to) >= 0;
}

/* ---- what the log and the telephone report ---- */

void tl_talk_on_draft_logged(struct tl_talk *talk, struct tl_talk_turn *t, bool ok,
                             struct tl_talk_now now)
{
    t->draft_in_flight = false;
    if (t->orphan) {
        free(t);
        return;
    }
    if (!ok) { /* the tick writes it again: from here it could fail, and come back here, for ever */
        t->draft_complete = false;
        return;
    }
    t->end_logged = t->draft_complete;
    if (t->drafted < t->draft_bytes)
        t->drafted = t->draft_bytes;
    if (!t->cut)
        pump_sound(talk, now);
}

void tl_talk_on_line(struct tl_talk *talk, int64_t call_ms)
{
    talk->line_ms = call_ms;
}

void tl_talk_on_mark(struct tl_talk *talk, const char *name, struct tl_talk_now now)
{
    struct tl_talk_turn *t;
    int turn, epoch;
    long long ms;

    if (sscanf(name, "%d.%d.%lld", &turn, &epoch, &ms) != 3) // NOLINT(cert-err34-c): counted
        return;
    DL_FOREACH (talk->turns, t) {
        if (!is_ai(t) || t->turn != turn || t->cut || (epoch != talk->epoch && !t->of_predecessor))
            continue; /* a mark that came back because of a clear says nothing */
        int64_t sent_ms = ((t->of_predecessor ? t->generated : t->released) + 7) / 8;
        t->last_mark_ms = talk->line_ms;
        if (ms > t->heard_ms) /* no more can be heard than was sent, whatever the mark says */
            t->heard_ms = ms < sent_ms ? ms : sent_ms;
        drop_heard(t);
    }
    pump_sound(talk, now);
    pump_finals(talk, now);
}

void tl_talk_on_broken(struct tl_talk *talk, int64_t end_ms, int64_t mark_ms, bool was_last,
                       struct tl_talk_now now)
{
    struct tl_talk_turn *t;
    int64_t from_ms = mark_ms; /* up to there all is accounted for */

    if (end_ms > mark_ms + PREDECESSOR_WAIT_MS)
        end_ms = mark_ms + PREDECESSOR_WAIT_MS; /* sound that had gone on would have had a mark */

    DL_FOREACH (talk->turns, t) {
        if (!is_ai(t) || t->cut)
            continue;
        int64_t sent_ms = (t->of_predecessor ? t->generated : t->released) / 8;
        if (from_ms < t->start_ms)
            from_ms = t->start_ms + PLAY_LATE_MS;
        int64_t heard_ms = t->heard_ms + (end_ms > from_ms ? end_ms - from_ms : 0);
        heard_ms = heard_ms < sent_ms ? heard_ms - heard_ms % FRAME_MS : sent_ms;
        if (heard_ms > t->heard_ms) {
            from_ms += heard_ms - t->heard_ms;
            t->heard_ms = heard_ms;
            drop_heard(t);
        }
        if (t->of_predecessor && was_last)
            t->last_mark_ms = talk->line_ms - PREDECESSOR_WAIT_MS - 1;
    }
    if (was_last)
        pump_finals(talk, now);
}

void tl_talk_resend(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    talk->epoch++; /* marks of the old socket do not count any more */
    talk->play_until_ms = now.call_ms;
    DL_FOREACH (talk->turns, t)
        if (is_ai(t) && !t->cut)
            t->released = t->heard_ms * 8 < t->released ? t->heard_ms * 8 : t->released;
    pump_sound(talk, now);
}

void tl_talk_stop(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (is_unheard(t) || t->of_predecessor)
            cut(talk, t);
    pump_finals(talk, now);
}

void tl_talk_tick(struct tl_talk *talk, struct tl_talk_now now)
{
    pump_sound(talk, now);
    pump_finals(talk, now);
}

void tl_talk_flush(struct tl_talk *talk, struct tl_talk_now now)
{
    pump_finals(talk, now);
    tl_redactor_flush(talk->redactor);
    pop_decided(talk, now);
}

void tl_talk_give_up(struct tl_talk *talk, struct tl_talk_now now)
{
    struct tl_talk_turn *t;

    (void)tl_talk_on_session_lost(talk, now);
    DL_FOREACH (talk->turns, t)
        if (!is_ai(t) && !t->transcribed)
            t->failed = true;
    tl_talk_stop(talk, now);
    tl_talk_flush(talk, now);
}

bool tl_talk_is_open(const struct tl_talk *talk, enum tl_speaker speaker)
{
    const struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (t->speaker == speaker)
            return true;
    return false;
}

bool tl_talk_is_quiet(const struct tl_talk *talk)
{
    return !talk->turns && !talk->speaking;
}

bool tl_talk_is_idle(const struct tl_talk *talk)
{
    return tl_talk_is_quiet(talk) && !talk->handed;
}

bool tl_talk_is_playing(const struct tl_talk *talk)
{
    const struct tl_talk_turn *t;

    DL_FOREACH (talk->turns, t)
        if (is_unheard(t))
            return true;
    return false;
}

bool tl_talk_is_caller_speaking(const struct tl_talk *talk)
{
    return talk->speaking != NULL;
}

int64_t tl_talk_sound_bytes(const struct tl_talk *talk)
{
    const struct tl_talk_turn *t;
    int64_t sum = 0;

    DL_FOREACH (talk->turns, t)
        sum += (int64_t)t->sound.len;
    return sum;
}

/* ---- life ---- */

void tl_talk_init(struct tl_talk *talk, const struct tl_talk_callbacks *on, void *arg,
                  struct tl_redactor *redactor, struct tl_ear *ear)
{
    *talk = (struct tl_talk){.on = on, .arg = arg, .redactor = redactor, .ear = ear,
                             .play_ahead_ms = 10000, .transcript_wait_ms = 10000};
    tl_redacted_init(&talk->redacted);
}

/* An answer that a predecessor left open: what of it was heard, its marks will tell. */
static void resume_answer(struct tl_talk *talk, const struct tl_memory_draft *d)
{
    struct tl_talk_turn *t = turn_create(TL_SPEAKER_AI, "");

    (void)snprintf(t->utterance_id, sizeof(t->utterance_id), "%s", d->utterance_id);
    t->turn = d->turn;
    t->revision = d->revision;
    t->has_draft = true;
    t->of_predecessor = true;
    t->cut = t->was_cut = d->interrupted;
    t->complete = d->complete || d->interrupted;
    t->generated = d->len_ms * 8;
    t->heard_ms = d->heard_ms > 0 && d->heard_ms < d->len_ms ? d->heard_ms : d->heard_ms > 0 ? d->len_ms : 0;
    t->start_ms = d->start_ms;
    t->last_mark_ms = d->start_ms + PLAY_LATE_MS;
    t->has_answers_to = d->has_answers_to;
    t->answers_to = d->answers_to;
    tl_buf_add_str(&t->text, d->text);
    DL_APPEND(talk->turns, t);
}

/* A turn of the caller that a predecessor left open: its sound will be heard again; should nothing come
 * of that, the draft's words are what there is. */
static void resume_turn(struct tl_talk *talk, const struct tl_memory_draft *d,
                        struct tl_talk_now now)
{
    struct tl_talk_turn *t = turn_create(TL_SPEAKER_CUSTOMER, "");

    (void)snprintf(t->utterance_id, sizeof(t->utterance_id), "%s", d->utterance_id);
    t->turn = d->turn;
    t->revision = d->revision;
    t->has_draft = t->lost = true;
    t->start_ms = d->start_ms;
    t->end_ms = d->start_ms + d->len_ms;
    t->committed_at_ms = now.mono_ms;
    tl_buf_add_str(&t->text, d->text);
    DL_APPEND(talk->turns, t);
}

static int compare_turns(const struct tl_talk_turn *a, const struct tl_talk_turn *b)
{
    return a->turn - b->turn;
}

void tl_talk_go_on(struct tl_talk *talk, const struct tl_memory *m, struct tl_talk_now now)
{
    talk->turn = m->turn;
    talk->final_turn = m->turns_n ? m->turns[m->turns_n - 1].turn : 0;
    talk->epoch = m->turn + 1000; /* none of the predecessor's */
    talk->has_media_to = m->has_media_to;
    talk->media_to = (struct tl_ear_place){.position = m->media_to,
                                           .mailbox = m->media_mailbox,
                                           .mailbox_offset = m->media_offset};
    talk->has_answered_to = m->has_answers_to;
    talk->answered_to = m->answers_to;
    talk->has_answers_to = m->has_answers_to || m->has_caller_to;
    talk->answers_to = m->has_caller_to && (!m->has_answers_to ||
                                            tl_position_compare(&m->caller_to, &m->answers_to) > 0)
                           ? m->caller_to
                           : m->answers_to;
    talk->ai_ms = m->ai_ms;
    talk->ai_bytes = m->ai_bytes;
    for (size_t i = 0; i < m->turns_n; i++) {
        const struct tl_redact_utterance u = {.side = side_of(m->turns[i].speaker),
                                              .text = m->turns[i].text,
                                              .len = strlen(m->turns[i].text)};
        tl_redactor_resume(talk->redactor, &u);
    }
    for (size_t i = 0; i < m->drafts_n; i++) {
        if (m->drafts[i].speaker == TL_SPEAKER_AI) {
            resume_answer(talk, &m->drafts[i]);
        } else {
            resume_turn(talk, &m->drafts[i], now);
        }
    }
    DL_SORT(talk->turns, compare_turns);
}

void tl_talk_finish(struct tl_talk *talk)
{
    struct tl_talk_turn *t, *tmp;

    DL_FOREACH_SAFE (talk->turns, t, tmp)
        turn_destroy(t);
    DL_FOREACH_SAFE (talk->handed, t, tmp)
        turn_destroy(t);
    if (talk->speaking)
        turn_destroy(talk->speaking);
    tl_redactor_destroy(talk->redactor);
    tl_redacted_finish(&talk->redacted);
    talk->turns = talk->handed = talk->speaking = NULL;
}
