/* The caller's script, in steps of 20 ms. */
#include "mouth.h"

#include <string.h>

#include "base/time.h"
#include "stream.h"
#include "voice.h"

#define KEY_FRAMES 5 /* a key each 100 ms */

/* The utterance that is heard, or was, began after the last thing that we did. */
static bool has_new_answer(const struct tl_tel_call *call)
{
    return call->ear.ended_start_us > call->mouth.heard_after_us;
}

static bool hears_answer_for(const struct tl_tel_call *call, int64_t ms)
{
    return call->ear.sound_ms >= ms && call->ear.sound_start_us > call->mouth.heard_after_us;
}

static void begin_saying(struct tl_tel_call *call, const struct tl_tel_step *step, int64_t now_us)
{
    struct tl_tel_mouth *m = &call->mouth;

    m->voice = step->voice;
    m->frame = 0;
    m->lost_frames = 0;
    m->said_us = now_us;
    m->frames_us = call->keep_frames ? json_array() : NULL;
}

static void report_said(struct tl_tel_call *call, bool whole, int64_t now_us)
{
    struct tl_tel_mouth *m = &call->mouth;
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "phrase", m->voice->speech->text,
                  "start_ms", (json_int_t)tl_tel_call_ms(call, m->said_us), "end_ms",
                  (json_int_t)tl_tel_call_ms(call, now_us), "start_us", (json_int_t)m->said_us,
                  "end_us", (json_int_t)now_us, "frames", (json_int_t)m->frame, "lost_frames",
                  (json_int_t)m->lost_frames, "whole", whole);

    if (tl_tel_stream_is_started(call->stream))
        json_object_set_new(line, "stream_sid", json_string(tl_tel_stream_sid(call->stream)));
    tl_tel_call_event(call, "said", json_incref(line));
    if (m->frames_us)
        json_object_set_new(line, "frames_us", m->frames_us);
    m->frames_us = NULL;
    json_array_append_new(call->said, line);
}

void tl_tel_mouth_sent(struct tl_tel_call *call, bool taken)
{
    struct tl_tel_mouth *m = &call->mouth;

    if (!m->voice || m->frame == 0)
        return;
    int64_t now_us = tl_mono_us();
    if (!taken)
        m->lost_frames++;
    if (m->frames_us)
        json_array_append_new(m->frames_us, json_integer(now_us));
    if (m->frame < m->voice->frames)
        return;
    report_said(call, true, now_us);
    m->voice = NULL;
    m->heard_after_us = now_us;
}

void tl_tel_mouth_finish(struct tl_tel_call *call)
{
    if (call->mouth.voice)
        report_said(call, false, tl_mono_us());
    call->mouth.voice = NULL;
}

/* True when the step is over and the next one may begin at once. */
static bool run_step(struct tl_tel_call *call, const struct tl_tel_step *step, int64_t now_us)
{
    struct tl_tel_mouth *m = &call->mouth;
    int64_t in_step_ms = (now_us - m->step_us) / 1000;

    switch (step->kind) {
    case TL_TEL_STEP_SAY:
        if (now_us - m->began_us < step->ms * 1000)
            return false;
        begin_saying(call, step, now_us);
        return true;
    case TL_TEL_STEP_PAUSE:
        return in_step_ms >= step->ms;
    case TL_TEL_STEP_WAIT_ANSWER:
        if (!has_new_answer(call))
            return in_step_ms >= step->timeout_ms;
        m->heard_after_us = now_us;
        return true;
    case TL_TEL_STEP_BARGE_IN:
        return hears_answer_for(call, step->ms) || in_step_ms >= step->timeout_ms;
    case TL_TEL_STEP_WAIT_QUIET:
        return call->ear.quiet_ms >= step->ms || in_step_ms >= step->timeout_ms;
    case TL_TEL_STEP_WAIT_STREAM:
        return (call->streams_started >= step->ms && tl_tel_stream_is_started(call->stream)) ||
               in_step_ms >= step->timeout_ms;
    case TL_TEL_STEP_DTMF:
        if (in_step_ms < (int64_t)m->key * KEY_FRAMES * TL_TEL_FRAME_MS)
            return false;
        if (step->keys[m->key] == '\0')
            return true;
        tl_tel_call_press(call, step->keys[m->key++]);
        return false;
    case TL_TEL_STEP_AGAIN:
        return true;
    case TL_TEL_STEP_HANGUP:
        if (now_us - m->began_us < step->ms * 1000 || (step->when_told && !call->tel->is_told))
            return true;
        tl_tel_call_hang_up(call);
        return false;
    }
    return true;
}

static void run_steps(struct tl_tel_call *call, int64_t now_us)
{
    struct tl_tel_mouth *m = &call->mouth;

    while (!m->voice && m->at < m->script.len) {
        if (!m->in_step) {
            m->in_step = true;
            m->step_us = now_us;
            m->key = 0;
        }
        if (!run_step(call, &m->script.step[m->at], now_us))
            return;
        bool goes_back = m->script.step[m->at].kind == TL_TEL_STEP_AGAIN &&
                         now_us - m->began_us < m->script.step[m->at].ms * 1000;
        m->at = goes_back ? m->script.step[m->at].again : m->at + 1;
        m->in_step = false;
        if (goes_back)
            return; /* a turn of the loop in a tick at most, whatever is in it */
    }
}

const char *tl_tel_mouth_tick(struct tl_tel_call *call, int64_t now_us)
{
    struct tl_tel_mouth *m = &call->mouth;

    if (!m->has_begun && (call->starts_at_answer || tl_tel_stream_is_started(call->stream))) {
        m->has_begun = true;
        m->began_us = now_us;
    }
    if (m->has_begun && !m->voice)
        run_steps(call, now_us);
    if (!m->voice)
        return tl_tel_silent_frame;
    return m->voice->frame + TL_TEL_FRAME_TEXT * m->frame++;
}
