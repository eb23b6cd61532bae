/* The dialog's side of the AI: opening, losing and renewing sessions, what they report, silence, and
 * what happens when no AI can be had. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call/claim.h"
#include "crypto/hash.h"
#include "processors/conversation/cost.h"
#include "processors/conversation/dialog.h"
#include "processors/conversation/prompt.h"
#include "processors/conversation/recall.h"

#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 2000
#define RESPONSE_FAILURES_MAX 2
#define TOOLS_MAX 16
#define OPEN_TURNS_MAX 16
#define LISTEN_MIN_MS 300  /* after the last sound: speech in it has been noticed by then */
#define LISTEN_MAX_MS 4000 /* transcripts that take longer come later, out of turn */
#define ANSWER_MS 200      /* by then speech in the sound that a new session was given has been noticed */
#define NOTICE_MS 1500     /* and in all sound, however busy the provider is */
#define DEAD_LINE_MS 1000  /* without a frame: nobody would hear a question */
#define RENEW_QUIET_MS 700 /* of silence on both sides */
#define INSTRUCTIONS_BYTES_MAX (128u << 10)

static const struct tl_speech_callbacks callbacks;

static const struct tl_speech_driver *driver_of(const struct tl_dialog *d)
{
    return d->conversation->driver;
}

/* The argument of a session's callbacks is its slot. */
static struct tl_dialog *dialog_of(void *arg)
{
    return ((struct tl_dialog_slot *)arg)->dialog;
}

static bool is_next(const struct tl_dialog *d, const void *arg)
{
    return arg != &d->slots[d->slot];
}

static void forget_asked(struct tl_dialog *d)
{
    d->asked_greeting = d->asked_continuation = d->asked_answer = false;
}

/* What was asked of a session in vain is asked of the next one. */
static void want_again(struct tl_dialog *d)
{
    d->wants_greeting |= d->asked_greeting;
    d->wants_continuation |= d->asked_continuation;
    d->wants_answer |= d->asked_answer;
    forget_asked(d);
}

static void respond(struct tl_dialog *d, const char *more)
{
    if (d->speech_ready && !d->end_asked && d->stage != TL_DIALOG_ENDING)
        driver_of(d)->respond(d->speech, more);
}

static void greet(struct tl_dialog *d)
{
    const struct tl_business *b = tl_dialog_business(d);
    struct tl_buf more;

    if (!b)
        return;
    tl_buf_init(&more, 4096);
    tl_prompt_greeting(b, &more);
    respond(d, tl_buf_str(&more));
    tl_buf_finish(&more);
}

/* Says what is wanted, now that somebody can; in a moment, for when the caller has spoken meanwhile, in
 * sound that is being heard again, that is answered instead. */
static void say_wanted(struct tl_dialog *d)
{
    if (!d->speech_ready)
        return;
    if (d->wants_greeting && !d->predecessor[0]) {
        greet(d);
        d->asked_greeting = true;
        d->wants_greeting = false;
    } else if (d->wants_greeting || d->wants_continuation || d->wants_answer) {
        d->answer_due_ms = tl_mono_ms() + ANSWER_MS;
    }
}

static void tick_answer(struct tl_dialog *d, int64_t now_ms)
{
    if (!d->answer_due_ms || now_ms < d->answer_due_ms || d->only_listens || !d->speech_ready)
        return;
    if (d->wants_greeting)
        greet(d);
    else
        respond(d, d->wants_continuation ? tl_prompt_continue : NULL);
    d->asked_greeting = d->wants_greeting;
    d->asked_continuation = !d->wants_greeting && d->wants_continuation;
    d->asked_answer = !d->wants_greeting && !d->wants_continuation;
    d->answer_due_ms = 0;
    d->wants_greeting = d->wants_continuation = d->wants_answer = false;
}

/* A session that is there, or on its way, is told what its predecessor said; of what nobody heard it is
 * told nothing, and says it for the first time. */
void tl_dialog_ai_on_answered(struct tl_dialog *d, const char *heard, bool unfinished)
{
    if (*heard && d->speech)
        driver_of(d)->remember(d->speech, TL_SPEAKER_AI, heard);
    if (!unfinished || tl_talk_is_open(&d->talk, TL_SPEAKER_CUSTOMER) ||
        tl_talk_is_caller_speaking(&d->talk))
        return; /* whole, or the caller has gone on: that will be answered */
    if (*heard)
        d->wants_continuation = true;
    else if (d->memory.turns_n)
        d->wants_answer = true;
    else
        d->wants_greeting = true;
    say_wanted(d);
}

/* ---- is it there? ---- */

static void begin_noticing(struct tl_dialog *d)
{
    tl_ear_reset(&d->ear);
    d->given_audio_ms[0] = d->given_audio_ms[1] = 0;
    d->given_at_ms = tl_mono_ms();
    tl_talk_on_noticed(&d->talk, 0);
}

static void tick_noticing(struct tl_dialog *d, int64_t now_ms)
{
    if (!d->speech_ready || now_ms - d->given_at_ms < NOTICE_MS)
        return;
    d->given_audio_ms[0] = d->given_audio_ms[1];
    d->given_audio_ms[1] = tl_ear_audio_ms(&d->ear);
    d->given_at_ms = now_ms;
}

/* The session says something: what it was given long ago, and has not told of, was silence. */
static struct tl_dialog *on_sign_of_life(void *arg)
{
    struct tl_dialog *d = dialog_of(arg);

    if (!is_next(d, arg))
        tl_talk_on_noticed(&d->talk, d->given_audio_ms[0]);
    return d;
}

/* ---- opening ---- */

static enum tl_openai_dialect dialect_of(const struct tl_dialog *d, const struct tl_business *b)
{
    const char *name = *b->dialect ? b->dialect : d->conversation->openai.dialect;
    return strcmp(name, "beta") == 0 ? TL_OPENAI_BETA : TL_OPENAI_GA;
}

/* Temperature only exists in the older dialect, and some voices do not exist any more: say so once. */
static void warn_settings(struct tl_dialog *d, const struct tl_business *b, bool voice_replaced,
                          enum tl_openai_dialect dialect)
{
    if (voice_replaced)
        tl_log_warn(d->conversation->log, "ai.voice_replaced", TL_STR("call_id", d->call_id),
                    TL_STR("business_id", d->business_id), TL_STR("voice", b->voice));
    if (b->temperature.set && dialect == TL_OPENAI_GA)
        tl_log_warn(d->conversation->log, "ai.temperature_ignored", TL_STR("call_id", d->call_id),
                    TL_STR("business_id", d->business_id),
                    TL_STR("reason", "the present shape of the API has none"));
}

static void fill_session(struct tl_dialog *d, const struct tl_business *b,
                         enum tl_openai_dialect dialect, struct tl_openai_session *s)
{
    bool replaced;

    *s = (struct tl_openai_session){
        .voice = tl_openai_voice(*b->voice ? b->voice : "marin", dialect, &replaced),
        .transcription_model = tl_openai_transcription_model(
            *b->transcription_model ? b->transcription_model
                                    : d->conversation->openai.transcription_model,
            dialect),
        .semantic_vad = strcmp(b->turn_detection, "semantic_vad") == 0,
        .eagerness = b->eagerness,
        .vad_threshold = b->vad_threshold > 0 ? b->vad_threshold : 0.5,
        .vad_prefix_ms = b->vad_prefix_ms > 0 ? b->vad_prefix_ms : 300,
        .vad_silence_ms = b->vad_silence_ms > 0 ? b->vad_silence_ms : 500,
        .create_response = b->response_delay_ms <= 0 && !d->only_listens,
        .has_temperature = b->temperature.set,
        .temperature = b->temperature.value,
        .language = ""};
    d->talk.prefix_ms = s->semantic_vad ? 0 : s->vad_prefix_ms;
    d->talk.silence_ms = s->semantic_vad ? 0 : s->vad_silence_ms;
    warn_settings(d, b, replaced, dialect);
}

/* The turns that a new session is given: the memory, and what is on its way there. */
struct history {
    struct tl_speech_turn turns[TL_MEMORY_TURNS_MAX + 1 + OPEN_TURNS_MAX];
    size_t n;
    struct tl_arena arena; /* of the open turns' words */
};

static void add_open_turn(void *arg, enum tl_speaker speaker, const char *text)
{
    struct history *h = arg;

    if (h->n < TL_ARRAY_LEN(h->turns))
        h->turns[h->n++] = (struct tl_speech_turn){.speaker = speaker,
                                                   .text = tl_arena_strdup(&h->arena, text)};
}

static void list_history(struct tl_dialog *d, struct history *h)
{
    for (size_t i = 0; i < d->memory.turns_n; i++)
        h->turns[h->n++] = (struct tl_speech_turn){.speaker = d->memory.turns[i].speaker,
                                                   .text = d->memory.turns[i].text};
    tl_talk_each_open(&d->talk, add_open_turn, h);
}

static enum tl_status open_session(struct tl_dialog *d, int slot, struct tl_speech **ret,
                                   struct tl_error *err)
{
    struct tl_conversation *c = d->conversation;
    const struct tl_business *b = tl_dialog_business(d);
    struct tl_openai_tool tools[TOOLS_MAX];
    struct history history = {0};
    struct tl_speech_options o = {
        .callbacks = &callbacks, .arg = &d->slots[slot], .history = history.turns};
    const struct tl_prompt_call call = {.from_number = d->from_number,
                                        .direction = d->direction == TL_DIRECTION_OUTBOUND
                                                         ? "outbound"
                                                         : "inbound",
                                        .summary = d->memory.summary};
    char language[3] = "";
    struct tl_buf instructions;

    d->slots[slot].dialog = d;
    if (!b)
        return tl_fail(err, TL_NOT_FOUND, "business %s is not configured", d->business_id);
    o.dialect = dialect_of(d, b);
    o.model = *b->model ? b->model : c->openai.model;
    fill_session(d, b, o.dialect, &o.session);
    (void)snprintf(language, sizeof(language), "%.2s", b->language);
    o.session.language = language;
    o.session.tools = tools;
    o.session.tools_n = tl_prompt_tools(b, tools, TOOLS_MAX);
    list_history(d, &history);
    o.history_n = history.n;
    tl_buf_init(&instructions, INSTRUCTIONS_BYTES_MAX);
    tl_prompt_instructions(b, &call, &instructions);
    o.session.instructions = tl_buf_str(&instructions);
    enum tl_status st = c->driver->open(c->driver_self, &o, ret, err);
    tl_buf_finish(&instructions);
    tl_arena_finish(&history.arena);
    return st;
}

/* ---- no AI ---- */

static void give_up(struct tl_dialog *d, const char *reason)
{
    const struct tl_business *b = tl_dialog_business(d);
    struct tl_call_event event = {0};
    char id[TL_UUID_TEXT_LEN + 1];
    struct tl_uuid uuid = tl_uuid_v4();
    struct tl_escalation_requested escalation = {.request_id = id,
                                                 .trigger = "ai_unavailable",
                                                 .reason = reason};

    tl_uuid_format(&uuid, id);
    event.escalation_requested = &escalation;
    tl_dialog_send(d, &event);
    tl_log_error(d->conversation->log, "ai.unavailable", TL_STR("call_id", d->call_id),
                 TL_STR("business_id", d->business_id), TL_STR("reason", reason));
    (void)snprintf(d->end_reason, sizeof(d->end_reason), "ai_unavailable");
    tl_dialog_ask_end(d, "ai_unavailable",
                      b && *b->unavailable_sentence
                          ? b->unavailable_sentence
                          : "We are sorry, we have a technical problem. Please call again later.",
                      b ? b->fallback_number : NULL);
    if (d->stage == TL_DIALOG_LIVE)
        tl_dialog_handle_pending(d); /* the end of the stream does not wait for a session any more */
}

/* Another session: it first hears again what the lost one did not put into words. */
static void on_retry(void *arg)
{
    struct tl_dialog *d = arg;

    if (d->stage != TL_DIALOG_LIVE)
        return; /* whoever is at it opens a session when it is done */
    d->stage = TL_DIALOG_RECALLING;
    d->began_us = tl_mono_us();
    tl_recall_sound(d);
}

static void session_lost(struct tl_dialog *d, bool fatal, const char *reason)
{
    int64_t now = tl_mono_ms();
    int64_t delay = RETRY_FIRST_MS << (d->ai_attempts < 4 ? d->ai_attempts : 4);
    bool must_wait;
    int64_t held_back =
        driver_of(d)->not_before_ms(d->conversation->driver_self, &must_wait) - now;
    uint8_t jitter;

    if (!d->ai_wanted_since_ms)
        d->ai_wanted_since_ms = now;
    int64_t left = d->ai_wanted_since_ms + d->conversation->openai.reconnect_deadline_ms - now;
    if (fatal || left < 0 || (must_wait && held_back > left)) {
        give_up(d, reason);
        return;
    }
    tl_random_bytes(&jitter, 1);
    delay = delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS;
    delay -= delay * jitter / 1024; /* less a quarter at most */
    if (held_back > 0) /* all calls come back at about that time, not in one moment */
        delay = held_back + jitter;
    d->ai_attempts++;
    tl_timer_start(&d->retry_timer, d->conversation->loop, (uint64_t)delay, on_retry, d);
}

/* The session may have been lost while another socket was taken up: then nobody has opened one. */
void tl_dialog_ai_return(struct tl_dialog *d)
{
    if (!d->speech && !d->end_asked && !tl_timer_is_running(&d->retry_timer))
        tl_timer_start(&d->retry_timer, d->conversation->loop, 0, on_retry, d);
}

void tl_dialog_ai_open(struct tl_dialog *d)
{
    struct tl_error err;

    if (d->speech || d->end_asked || d->stage == TL_DIALOG_ENDING)
        return;
    d->speech_ready = false;
    d->session_opened_ms = tl_mono_ms();
    if (!d->ai_wanted_since_ms)
        d->ai_wanted_since_ms = d->session_opened_ms;
    begin_noticing(d);
    tl_buf_reset(&d->early);
    tl_dialog_ai_listen(d);
    enum tl_status st = open_session(d, d->slot, &d->speech, &err);
    if (st != TL_OK)
        session_lost(d, st != TL_RETRY, err.msg);
    tl_gauge_add(&d->conversation->metrics.ai_sessions, st == TL_OK);
}

static void drop_next(struct tl_dialog *d)
{
    if (!d->next_speech)
        return;
    driver_of(d)->close(TL_TAKE(d->next_speech));
    d->next_ready = false;
    tl_gauge_add(&d->conversation->metrics.ai_sessions, -1);
}

/* The session that was opened as the next one is the present one now. */
static void take_next(struct tl_dialog *d)
{
    d->slot = !d->slot;
    d->speech = TL_TAKE(d->next_speech);
    d->speech_ready = true;
    d->next_ready = false;
    d->session_opened_ms = tl_mono_ms();
    begin_noticing(d);
}

void tl_dialog_ai_close(struct tl_dialog *d)
{
    tl_timer_stop(&d->retry_timer);
    drop_next(d);
    forget_asked(d);
    if (!d->speech)
        return;
    driver_of(d)->close(TL_TAKE(d->speech));
    d->speech_ready = false;
    tl_gauge_add(&d->conversation->metrics.ai_sessions, -1);
}

/* ---- hearing again what was answered already ---- */

/* Sound behind media_to and before answered_to is not in the log as words, but was answered: it is
 * transcribed only, so that no turn is answered twice. */
void tl_dialog_ai_listen(struct tl_dialog *d)
{
    struct tl_talk *t = &d->talk;

    d->only_listens = t->has_answered_to && !tl_talk_is_transcribed_to(t, &t->answered_to);
    t->listens = d->only_listens;
    d->listen_to = t->answered_to;
    d->listened_at_ms = 0;
}

/* Silence behind the newest sound, long enough to end a turn for the provider. */
static void append_silence(struct tl_dialog *d, struct tl_ear_place place)
{
    static const uint8_t silence[160] = {[0 ... 159] = 0xff};
    const struct tl_business *b = tl_dialog_business(d);
    int64_t silence_ms = (b && b->vad_silence_ms > 0 ? b->vad_silence_ms : 500) + 200;

    for (int64_t ms = 0; ms < silence_ms; ms += 20, place.call_ms += 20) {
        tl_ear_heard(&d->ear, &place, sizeof(silence));
        tl_dialog_ai_hear(d, (struct tl_bytes){silence, sizeof(silence)});
    }
}

/* True when this frame has to wait until what was answered has been transcribed. */
bool tl_dialog_ai_holds(struct tl_dialog *d, const struct tl_dialog_item *item)
{
    const struct tl_position at = {
        .number = item->claim.number, .offset = item->claim.offset, .n = item->n};

    if (!d->only_listens || tl_position_compare(&at, &d->listen_to) <= 0)
        return false;
    if (!d->listened_at_ms) {
        append_silence(d, (struct tl_ear_place){.position = d->listen_to,
                                                .call_ms = d->ear.next_call_ms,
                                                .mailbox = item->mailbox,
                                                .mailbox_offset = item->mailbox_offset});
        d->listened_at_ms = tl_mono_ms();
    }
    return true;
}

bool tl_dialog_ai_is_holding(const struct tl_dialog *d)
{
    return d->only_listens && d->listened_at_ms;
}

/* Whoever hangs up in the middle of a sentence has still said it. */
bool tl_dialog_ai_heard_out(struct tl_dialog *d, int64_t now_ms)
{
    struct tl_ear_place place;

    if (!d->speech)
        return true;
    if (!d->speech_ready)
        return false;
    if (!d->heard_out_ms) {
        d->heard_out_ms = now_ms;
        driver_of(d)->set_answering(d->speech, false);
        if (tl_ear_at(&d->ear, tl_ear_audio_ms(&d->ear), &place))
            append_silence(d, place);
    }
    return now_ms - d->heard_out_ms > LISTEN_MIN_MS;
}

bool tl_dialog_ai_is_coming(const struct tl_dialog *d)
{
    return tl_timer_is_running(&d->retry_timer);
}

/* All that was answered is in words (or will not be): from here on the AI answers. */
static void tick_listening(struct tl_dialog *d, int64_t now_ms)
{
    const struct tl_business *b = tl_dialog_business(d);

    if (d->only_listens && d->end_asked) { /* no AI can be had: nothing will be put into words */
        d->only_listens = d->talk.listens = false;
        tl_dialog_handle_pending(d);
    }
    if (!d->only_listens || !d->speech_ready || !d->listened_at_ms)
        return;
    int64_t since_ms = now_ms - (d->listened_at_ms > d->session_ready_ms ? d->listened_at_ms
                                                                          : d->session_ready_ms);
    bool is_done = since_ms > LISTEN_MIN_MS && tl_talk_is_transcribed(&d->talk);
    if (!is_done && since_ms < LISTEN_MAX_MS)
        return;
    d->only_listens = d->talk.listens = false;
    if (b && b->response_delay_ms <= 0)
        driver_of(d)->set_answering(d->speech, true);
    tl_dialog_handle_pending(d);
}

void tl_dialog_ai_hear(struct tl_dialog *d, struct tl_bytes audio)
{
    if (d->speech_ready)
        driver_of(d)->append(d->speech, audio);
    else if (d->speech)
        tl_buf_add(&d->early, audio.data, audio.len); /* full: give up comes first */
}

/* ---- what a session reports ---- */

static void on_ready(void *arg)
{
    struct tl_dialog *d = dialog_of(arg);

    if (is_next(d, arg)) {
        d->next_ready = true;
        return;
    }
    d->speech_ready = true;
    d->session_ready_ms = tl_mono_ms();
    tl_histogram_observe(&d->conversation->metrics.ai_connect,
                         (tl_mono_ms() - d->session_opened_ms) * 1000);
    d->ai_wanted_since_ms = 0;
    d->ai_attempts = 0;
    for (size_t at = 0; at < d->early.len; at += 8000) { /* a second each */
        size_t n = d->early.len - at < 8000 ? d->early.len - at : 8000;
        driver_of(d)->append(d->speech, (struct tl_bytes){d->early.data + at, n});
    }
    tl_buf_finish(&d->early);
    tl_buf_init(&d->early, TL_DIALOG_EARLY_BYTES);
    if (d->stage == TL_DIALOG_ENDING)
        driver_of(d)->set_answering(d->speech, false);
    say_wanted(d);
}

static void on_speech_started(void *arg, const char *item_id, int64_t audio_ms)
{
    struct tl_dialog *d = on_sign_of_life(arg);

    d->last_words_ms = tl_mono_ms();
    d->silence_prompts = 0;
    if (!d->only_listens) { /* what they say now is answered, not what they said before */
        d->answer_due_ms = 0;
        d->wants_greeting = d->wants_continuation = d->wants_answer = false;
        forget_asked(d);
    }
    if (d->wants_end && !d->end_asked)
        tl_dialog_keep_on(d);
    const struct tl_business *b = tl_dialog_business(d);
    bool cut = tl_talk_on_speech_started(&d->talk, item_id, audio_ms, tl_dialog_now(d));
    if (cut && b && b->response_delay_ms > 0)
        driver_of(d)->cancel(d->speech); /* the provider does not interrupt by itself then */
}

static void on_speech_stopped(void *arg, const char *item_id, int64_t audio_ms)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    const struct tl_business *b = tl_dialog_business(d);

    d->last_words_ms = d->turn_ended_ms = tl_mono_ms();
    if (b && b->response_delay_ms > 0 && !d->only_listens)
        d->answer_due_ms = d->last_words_ms + b->response_delay_ms;
    tl_talk_on_speech_stopped(&d->talk, item_id, audio_ms);
}

static void on_committed(void *arg, const char *item_id)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    tl_talk_on_committed(&d->talk, item_id, tl_dialog_now(d));
}

static void on_words(void *arg, const char *item_id, const char *delta)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    tl_talk_on_words(&d->talk, item_id, delta, tl_dialog_now(d));
}

static void on_transcript(void *arg, const char *item_id, const char *text)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    tl_talk_on_transcript(&d->talk, item_id, text, tl_dialog_now(d));
}

static void on_answer(void *arg, const char *item_id, const char *response_id)
{
    struct tl_dialog *d = dialog_of(arg);

    (void)response_id;
    d->response_has_words = true;
    if (d->stage != TL_DIALOG_ENDING) /* nobody would hear it */
        tl_talk_on_answer(&d->talk, item_id);
}

static void on_answer_sound(void *arg, const char *item_id, struct tl_bytes audio)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    forget_asked(d);
    tl_talk_on_answer_sound(&d->talk, item_id, audio, tl_dialog_now(d));
}

static void on_answer_words(void *arg, const char *item_id, const char *delta)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    tl_talk_on_answer_words(&d->talk, item_id, delta);
}

static void on_answer_done(void *arg, const char *item_id)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    tl_talk_on_answer_done(&d->talk, item_id, tl_dialog_now(d));
}

static void on_tool(void *arg, const char *provider_call_id, const char *name, const char *arguments)
{
    struct tl_dialog *d = dialog_of(arg);

    (void)arguments; /* end_call has a reason for the model's own sake; none of it is needed */
    if (strcmp(name, "end_call") == 0) { /* once goodbye has been heard: see the tick */
        (void)snprintf(d->end_call_id, sizeof(d->end_call_id), "%s", provider_call_id);
        tl_dialog_want_end(d, "ended_by_ai");
        driver_of(d)->tool_output(d->speech, provider_call_id,
                                  "{\"status\":\"ending\",\"next\":\"say goodbye\"}",
                                  !d->response_has_words); /* nobody is cut off without a word */
        return;
    }
    tl_log_warn(d->conversation->log, "ai.unknown_tool", TL_STR("call_id", d->call_id),
                TL_STR("name", name));
    driver_of(d)->tool_output(d->speech, provider_call_id, "{\"error\":\"there is no such tool\"}",
                              true);
}

static void on_response_done(void *arg, bool failed, const char *reason)
{
    struct tl_dialog *d = on_sign_of_life(arg);

    d->response_has_words = false;
    if (!failed) {
        tl_talk_on_answers_over(&d->talk, tl_dialog_now(d));
        d->response_failures = 0;
        forget_asked(d);
        return;
    }
    d->wants_continuation |= tl_talk_on_answers_failed(&d->talk, tl_dialog_now(d));
    want_again(d);
    tl_log_warn(d->conversation->log, "ai.answer_failed", TL_STR("call_id", d->call_id),
                TL_STR("reason", reason));
    if (++d->response_failures <= RESPONSE_FAILURES_MAX)
        d->answer_due_ms = tl_mono_ms() + 1000 * d->response_failures;
    else
        give_up(d, reason);
}

static void on_text(void *arg, const char *text)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    struct tl_call_event event = {0};
    struct tl_redacted red;
    struct tl_error err;
    int to_turn = d->summary_to_turn;

    d->summary_to_turn = 0;
    if (!to_turn)
        return;
    for (size_t i = 0; i < d->memory.turns_n && d->memory.turns[i].turn <= to_turn; i++)
        if (d->memory.turns[i].item_id[0])
            driver_of(d)->forget(d->speech, d->memory.turns[i].item_id);
    tl_redacted_init(&red);
    bool is_masked = text && tl_redactor_text(d->talk.redactor, TL_REDACT_PROSE, text, strlen(text),
                                              &red, &err) == TL_OK;
    tl_memory_summarise(&d->memory, to_turn, is_masked ? tl_buf_str(&red.text) : NULL);
    tl_redacted_finish(&red);
    driver_of(d)->remember(d->speech, TL_SPEAKER_UNKNOWN, d->memory.summary);
    struct tl_summarised summarised = {.to_turn = to_turn, .text = d->memory.summary};
    event.summarised = &summarised;
    tl_dialog_send(d, &event);
}

static void on_usage(void *arg, const struct tl_usage *usage)
{
    struct tl_dialog *d = on_sign_of_life(arg);
    struct tl_conversation *c = d->conversation;
    struct tl_call_event event = {0};
    struct tl_usage priced = *usage;

    priced.cost_microusd = tl_cost_microusd(&c->openai.prices, usage);
    tl_counter_add(&c->metrics.cost_microusd, (uint64_t)priced.cost_microusd);
    c->tokens_minute += usage->input_text_tokens + usage->input_audio_tokens +
                        usage->output_text_tokens + usage->output_audio_tokens;
    event.usage = &priced;
    tl_dialog_send(d, &event);
}

static void forget_session(struct tl_dialog *d)
{
    driver_of(d)->close(TL_TAKE(d->speech));
    d->speech_ready = false;
    d->answer_due_ms = 0;
    tl_gauge_add(&d->conversation->metrics.ai_sessions, -1);
}

/* The caller's newest words are known and were not answered: the new session is to do it. Words that are
 * not known are heard again, and answered then. */
static bool is_unanswered(const struct tl_dialog *d)
{
    const struct tl_memory *m = &d->memory;

    if (!tl_talk_is_idle(&d->talk))
        return tl_talk_waits_for_answer(&d->talk);
    return m->turns_n && m->turns[m->turns_n - 1].speaker == TL_SPEAKER_CUSTOMER;
}

static void on_closed(void *arg, enum tl_speech_end end, const char *reason)
{
    struct tl_dialog *d = dialog_of(arg);
    if (is_next(d, arg)) {
        tl_log_warn(d->conversation->log, "ai.renewal_failed", TL_STR("call_id", d->call_id),
                    TL_STR("reason", reason));
        drop_next(d); /* the next tick tries again */
        return;
    }
    tl_counter_add(tl_counter_of(&d->conversation->metrics.ai_sessions_ended,
                                 end == TL_SPEECH_FATAL ? "fatal" : "lost"),
                   1);
    tl_log_warn(d->conversation->log, "ai.session_lost", TL_STR("call_id", d->call_id),
                TL_STR("reason", reason), TL_BOOL("fatal", end == TL_SPEECH_FATAL));
    forget_session(d);
    d->summary_to_turn = 0;
    bool was_idle = tl_talk_is_idle(&d->talk); /* else the next session's history lacks what was open */
    bool is_broken = tl_talk_on_session_lost(&d->talk, tl_dialog_now(d));
    if (d->stage == TL_DIALOG_ENDING || d->end_asked)
        return;
    want_again(d);
    if (d->next_ready && was_idle) { /* the renewal is there already */
        take_next(d);
        say_wanted(d);
        return;
    }
    drop_next(d);
    d->wants_continuation |= is_broken;
    d->wants_answer = !d->wants_continuation && (d->wants_answer || is_unanswered(d));
    session_lost(d, end == TL_SPEECH_FATAL, reason);
}

static const struct tl_speech_callbacks callbacks = {.on_ready = on_ready,
                                                     .on_speech_started = on_speech_started,
                                                     .on_speech_stopped = on_speech_stopped,
                                                     .on_committed = on_committed,
                                                     .on_words = on_words,
                                                     .on_transcript = on_transcript,
                                                     .on_answer = on_answer,
                                                     .on_answer_sound = on_answer_sound,
                                                     .on_answer_words = on_answer_words,
                                                     .on_answer_done = on_answer_done,
                                                     .on_tool = on_tool,
                                                     .on_response_done = on_response_done,
                                                     .on_text = on_text,
                                                     .on_usage = on_usage,
                                                     .on_closed = on_closed};

/* ---- renewal before the session's time limit ---- */

bool tl_dialog_ai_is_at_pause(const struct tl_dialog *d)
{
    return tl_talk_is_quiet(&d->talk) && !d->answer_due_ms && !d->wants_end && !d->only_listens &&
           !(d->speech_ready && driver_of(d)->is_answering(d->speech));
}

static bool is_quiet(const struct tl_dialog *d, int64_t now_ms)
{
    return tl_talk_is_idle(&d->talk) && !driver_of(d)->is_answering(d->speech) &&
           !d->summary_to_turn && !d->answer_due_ms && !d->wants_end &&
           now_ms - d->last_words_ms > RENEW_QUIET_MS;
}

static int64_t renew_after_ms(const struct tl_dialog *d)
{
    int64_t expires_at = driver_of(d)->expires_at_ms(d->speech);
    int64_t limit = d->conversation->openai.session_max_ms;
    int64_t opened_wall = tl_now_ms() - (tl_mono_ms() - d->session_opened_ms);

    if (expires_at > opened_wall) { /* five sixths of what the provider allows */
        int64_t allowed = (expires_at - opened_wall) * 5 / 6;
        limit = allowed < limit ? allowed : limit;
    }
    return limit;
}

/* A new session is opened at a quiet moment and takes over at once, while it is still quiet: its
 * history is complete then, and nobody hears anything. */
static void tick_renewal(struct tl_dialog *d, int64_t now_ms)
{
    struct tl_error err;

    if (!d->speech_ready || now_ms - d->session_opened_ms < renew_after_ms(d))
        return;
    if (!is_quiet(d, now_ms)) {
        drop_next(d); /* somebody spoke: its history has a hole */
        return;
    }
    if (!d->next_speech) {
        if (open_session(d, !d->slot, &d->next_speech, &err) == TL_OK)
            tl_gauge_add(&d->conversation->metrics.ai_sessions, 1);
        return;
    }
    if (!d->next_ready)
        return;
    driver_of(d)->close(d->speech);
    tl_gauge_add(&d->conversation->metrics.ai_sessions, -1);
    take_next(d);
    tl_counter_add(&d->conversation->metrics.ai_renewals, 1);
    tl_log_info(d->conversation->log, "ai.session_renewed", TL_STR("call_id", d->call_id));
}

/* ---- silence and goodbye ---- */

static void tick_silence(struct tl_dialog *d, int64_t now_ms)
{
    const struct tl_business *b = tl_dialog_business(d);

    if (!b || !d->speech_ready || d->wants_end || !tl_talk_is_idle(&d->talk) ||
        driver_of(d)->is_answering(d->speech) || now_ms - d->last_frame_ms > DEAD_LINE_MS)
        return;
    int64_t silent_s = (now_ms - d->last_words_ms) / 1000;
    if (b->silence_end_s > 0 && silent_s >= b->silence_end_s) {
        d->last_words_ms = now_ms;
        tl_dialog_want_end(d, "silence");
        respond(d, tl_prompt_goodbye);
    } else if (b->silence_prompt_s > 0 && silent_s >= (int64_t)b->silence_prompt_s *
                                                          (d->silence_prompts + 1)) {
        d->silence_prompts++;
        respond(d, tl_prompt_silence);
    }
}

static void tick_goodbye(struct tl_dialog *d)
{
    bool is_answering = d->wants_answer || d->wants_continuation || d->wants_greeting ||
                        (d->speech_ready && driver_of(d)->is_answering(d->speech));

    if (d->wants_end && !d->end_asked && !is_answering && tl_talk_is_idle(&d->talk))
        tl_dialog_ask_end(d, d->end_reason, NULL, NULL);
}

void tl_dialog_ai_tick(struct tl_dialog *d, int64_t now_ms)
{
    tick_noticing(d, now_ms);
    tick_answer(d, now_ms);
    tick_listening(d, now_ms);
    tick_goodbye(d);
    if (!d->end_asked) {
        tick_silence(d, now_ms);
        tick_renewal(d, now_ms);
    }
}
