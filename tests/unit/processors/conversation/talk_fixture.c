/* A recorder around a talk: see talk_fixture.h. */
#include "talk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call/claim.h"

static int64_t sound_made; /* bytes; reset by talk_begin */

static size_t ordinal_of(struct talk_fixture *f, const char *id)
{
    for (size_t i = 0; i < f->ids_n; i++)
        if (strcmp(f->ids[i].id, id) == 0)
            return i;
    assert_true(f->ids_n < TALK_IDS);
    assert_int_equal(strlen(id), 36);
    (void)snprintf(f->ids[f->ids_n].id, sizeof(f->ids[0].id), "%s", id);
    f->ids[f->ids_n].revision = 0;
    return f->ids_n++;
}

static const char *who(enum tl_speaker speaker)
{
    return speaker == TL_SPEAKER_AI ? "ai" : speaker == TL_SPEAKER_CUSTOMER ? "caller" : "?";
}

static void keep(struct talk_fixture *f, const struct tl_utterance *u)
{
    assert_true(u->media_to || !f->had_media_to); /* what is done with stays so */
    if (u->media_to) {
        assert_true(!f->had_media_to || tl_position_compare(u->media_to, &f->media_to) >= 0);
        f->had_media_to = true;
    }
    f->has_media_to = u->media_to != NULL;
    f->has_answers_to = u->answers_to != NULL;
    if (u->media_to)
        f->media_to = *u->media_to;
    if (u->answers_to)
        f->answers_to = *u->answers_to;
    f->media_mailbox = u->media_mailbox;
    f->media_offset = u->media_offset;
    f->start_ms = u->start_ms;
    f->end_ms = u->end_ms;
    f->entities_n = (int64_t)u->entities_n;
    (void)snprintf(f->entity, sizeof(f->entity), "%s", u->entities_n ? u->entities[0].type : "");
}

static void on_write(void *arg, const struct tl_utterance *u, struct tl_talk_turn *turn)
{
    struct talk_fixture *f = arg;
    size_t n = ordinal_of(f, u->utterance_id);

    assert_int_equal(f->ids[n].finals, 0); /* nothing behind a final */
    assert_true(u->revision > f->ids[n].revision);
    f->ids[n].revision = u->revision;
    f->ids[n].finals += u->final;
    bool is_held = u->speaker == TL_SPEAKER_AI && !u->final && !turn; /* its final comes later */
    assert_true(!turn || (u->speaker == TL_SPEAKER_AI && !u->final));
    assert_true(u->end_ms >= u->start_ms);
    if (u->final) {
        assert_true(u->complete);
        assert_true(u->turn > f->last_final_turn);
        f->last_final_turn = u->turn;
    }
    if (turn) {
        assert_true(f->in_flight_n < 64);
        for (size_t i = 0; i < f->in_flight_n; i++)
            assert_ptr_not_equal(f->in_flight[i], turn); /* one draft of a turn at a time */
        f->in_flight[f->in_flight_n] = turn;
        f->in_flight_turn[f->in_flight_n] = u->turn;
        f->in_flight_ms[f->in_flight_n++] = u->end_ms - u->start_ms;
    }
    keep(f, u);
    tl_buf_printf(&f->journal, "%s %d %s", u->final ? "final" : is_held ? "held" : "draft", u->turn, who(u->speaker));
    if (!u->final && u->complete)
        tl_buf_add_str(&f->journal, " whole");
    if (u->final && u->speaker == TL_SPEAKER_AI)
        tl_buf_printf(&f->journal, " %lldms", (long long)u->heard_ms);
    tl_buf_printf(&f->journal, "%s%s \"%s\"\n", u->interrupted ? " cut" : "",
                  u->transcript_failed ? " failed" : "", u->text);
}

static void on_remember(void *arg, int turn, enum tl_speaker speaker, const char *text,
                        const char *item_id)
{
    struct talk_fixture *f = arg;
    tl_buf_printf(&f->journal, "remember %d %s %s \"%s\"\n", turn, who(speaker), item_id, text);
}

static void on_play(void *arg, struct tl_bytes audio)
{
    struct talk_fixture *f = arg;
    tl_buf_add(&f->played, audio.data, audio.len);
    assert_true(audio.len > 0);
    tl_buf_printf(&f->journal, "play %zu\n", audio.len / 8);
}

static void on_mark(void *arg, const char *name)
{
    struct talk_fixture *f = arg;
    int turn, epoch;
    long long ms;

    assert_int_equal(sscanf(name, "%d.%d.%lld", &turn, &epoch, &ms), 3);
    assert_true(turn > 0 && turn < TALK_TURNS && ms <= f->logged_ms[turn] + 1);
    tl_buf_printf(&f->journal, "mark %s\n", name);
}

static void on_clear(void *arg)
{
    struct talk_fixture *f = arg;
    tl_buf_add_str(&f->journal, "clear\n");
}

static void on_truncate(void *arg, const char *item_id, int64_t heard_ms)
{
    struct talk_fixture *f = arg;
    tl_buf_printf(&f->journal, "truncate %s %lld\n", item_id, (long long)heard_ms);
}

static void on_answered(void *arg, const char *heard, bool unfinished)
{
    struct talk_fixture *f = arg;
    tl_buf_printf(&f->journal, "%s \"%s\"\n", unfinished ? "unfinished" : "answered", heard);
}

static const struct tl_talk_callbacks callbacks = {.write = on_write,
                                                   .answered = on_answered,
                                                   .remember = on_remember,
                                                   .play = on_play,
                                                   .mark = on_mark,
                                                   .clear = on_clear,
                                                   .truncate = on_truncate};

void talk_begin(struct talk_fixture *f)
{
    const struct tl_redact_options options = {
        .key = "0123456789abcde", .on = tl_entity_default_set(false, false), .year = 2026};

    memset(f, 0, sizeof(*f));
    sound_made = 0;
    f->now = (struct tl_talk_now){.mono_ms = 700000, .call_ms = 1000};
    tl_buf_init(&f->journal, 1u << 20);
    tl_buf_init(&f->played, 1u << 24);
    tl_ear_reset(&f->ear);
    tl_talk_init(&f->talk, &callbacks, f, tl_redactor_create(&options), &f->ear);
}

void talk_end(struct talk_fixture *f)
{
    tl_talk_finish(&f->talk);
    while (f->in_flight_n) /* deliveries that come when the talk is gone */
        talk_log_one(f, true);
    tl_buf_finish(&f->journal);
    tl_buf_finish(&f->played);
}

int talk_set_up(void **state)
{
    static struct talk_fixture f;
    talk_begin(&f);
    *state = &f;
    return 0;
}

int talk_tear_down(void **state)
{
    talk_end(*state);
    return 0;
}

void talk_wait(struct talk_fixture *f, int64_t ms)
{
    f->now.mono_ms += ms;
    f->now.call_ms += ms;
    tl_talk_on_line(&f->talk, f->now.call_ms);
    tl_talk_tick(&f->talk, f->now);
}

void talk_hear(struct talk_fixture *f, int64_t ms)
{
    for (; ms > 0; ms -= 20) {
        const struct tl_ear_place place = {.position = {.number = 1, .offset = 9, .n = f->frame},
                                           .call_ms = f->now.call_ms,
                                           .mailbox = 3,
                                           .mailbox_offset = 1000 + f->frame / 2};
        tl_ear_heard(&f->ear, &place, 160);
        f->frame++;
        f->now.mono_ms += 20;
        f->now.call_ms += 20;
    }
}

void talk_log_one(struct talk_fixture *f, bool ok)
{
    assert_true(f->in_flight_n > 0);
    struct tl_talk_turn *turn = f->in_flight[0];
    int n = f->in_flight_turn[0];
    if (ok && f->logged_ms[n] < f->in_flight_ms[0])
        f->logged_ms[n] = f->in_flight_ms[0];
    f->in_flight_n--;
    memmove(f->in_flight, f->in_flight + 1, f->in_flight_n * sizeof(f->in_flight[0]));
    memmove(f->in_flight_ms, f->in_flight_ms + 1, f->in_flight_n * sizeof(f->in_flight_ms[0]));
    memmove(f->in_flight_turn, f->in_flight_turn + 1,
            f->in_flight_n * sizeof(f->in_flight_turn[0]));
    tl_talk_on_draft_logged(&f->talk, turn, ok, f->now);
}

void talk_log_all(struct talk_fixture *f)
{
    while (f->in_flight_n)
        talk_log_one(f, true);
}

uint8_t talk_byte(int64_t n)
{
    return (uint8_t)(n * 31 + n / 256);
}

void talk_sound(struct talk_fixture *f, const char *item_id, int64_t ms)
{
    static uint8_t bytes[400000];
    size_t len = (size_t)ms * 8;

    assert_true(len <= sizeof(bytes));
    for (size_t i = 0; i < len; i++)
        bytes[i] = talk_byte(sound_made + (int64_t)i);
    sound_made += (int64_t)len;
    tl_talk_on_answer_sound(&f->talk, item_id, (struct tl_bytes){bytes, len}, f->now);
}

void talk_answer(struct talk_fixture *f, const char *item_id, const char *words, int64_t ms)
{
    tl_talk_on_answer(&f->talk, item_id);
    tl_talk_on_answer_words(&f->talk, item_id, words);
    if (ms)
        talk_sound(f, item_id, ms);
}

void talk_caller(struct talk_fixture *f, const char *item_id, int64_t ms)
{
    int64_t begin = tl_ear_audio_ms(&f->ear);

    talk_hear(f, 100);
    (void)tl_talk_on_speech_started(&f->talk, item_id, begin, f->now);
    talk_hear(f, ms - 100);
    tl_talk_on_speech_stopped(&f->talk, item_id, begin + ms);
    tl_talk_on_committed(&f->talk, item_id, f->now);
}

void talk_assert(struct talk_fixture *f, const char *journal)
{
    assert_string_equal(tl_buf_str(&f->journal), journal);
    talk_forget(f);
}

void talk_forget(struct talk_fixture *f)
{
    assert_false(f->journal.full);
    tl_buf_reset(&f->journal);
}
