/* Which calls the watchdog rescues, and who: sinks/telephony/watch.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/telephony/watch.h"

#define CALL "11111111-1111-4111-8111-111111111111"
#define SID "CA00000000000000000000000000000001"
#define START 100000 /* ms; the clock of a test begins here */

static const struct tl_watch_rules RULES = {.broken_ms = 1000,
                                            .stopped_ms = 3000,
                                            .gone_ms = 250,
                                            .no_stream_ms = 5000,
                                            .rank_ms = 100,
                                            .next_ms = 1000,
                                            .next_max_ms = 30000,
                                            .per_minute = 10};

/* ---- one instance, whose log the test writes ---- */

struct one {
    struct tl_watch watch;
    struct tl_presence_view view;
    int64_t now, offset;
    int marks, writes, acts, settles;
    int32_t attempt; /* of the newest write */
    enum tl_watch_cause cause;
    enum tl_watch_end end;
    bool is_deaf; /* marks are not answered */
    bool is_mark_wanted;
};

static void on_mark(void *arg, int32_t partition)
{
    struct one *one = arg;

    assert_int_equal(partition, 0);
    one->marks++;
    one->is_mark_wanted = true;
}

static bool on_write(void *arg, const struct tl_watch_call *call)
{
    struct one *one = arg;

    one->writes++;
    one->attempt = call->attempts + 1;
    one->cause = call->cause;
    return true;
}

static void on_act(void *arg, const struct tl_watch_call *call)
{
    struct one *one = arg;

    (void)call;
    one->acts++;
}

static void on_settle(void *arg, const struct tl_watch_call *call, enum tl_watch_end end)
{
    struct one *one = arg;

    (void)call;
    one->settles++;
    one->end = end;
}

static void hear(struct tl_presence_view *view, enum tl_instance_kind kind, int number,
                 int64_t epoch, bool is_own)
{
    const struct tl_presence record = {.kind = kind, .number = number, .epoch = epoch, .run = epoch};

    (void)tl_presence_take(view, &record, epoch, is_own);
}

/* Telephony `number` of `living`, ingest 0 (epoch 40) and 1 (epoch 41). */
static void begin(struct one *one, int number, int living)
{
    const struct tl_watch_wants wants = {
        .mark = on_mark, .write = on_write, .act = on_act, .settle = on_settle, .arg = one};

    *one = (struct one){.now = START, .offset = 100};
    tl_watch_init(&one->watch, &RULES, &wants, 1);
    tl_presence_init(&one->view, TL_INSTANCE_KIND_TELEPHONY, number);
    for (int i = 0; i < living; i++)
        hear(&one->view, TL_INSTANCE_KIND_TELEPHONY, i, 20 + i, i == number);
    hear(&one->view, TL_INSTANCE_KIND_INGEST, 0, 40, false);
    hear(&one->view, TL_INSTANCE_KIND_INGEST, 1, 41, false);
}

static void end(struct one *one)
{
    tl_watch_finish(&one->watch);
    tl_presence_finish(&one->view);
}

static void lose_ingest(struct one *one, int number)
{
    for (size_t i = 0; i < one->view.peers_n; i++)
        if (one->view.peers[i].kind == TL_INSTANCE_KIND_INGEST &&
            one->view.peers[i].number == number)
            one->view.peers[i].gone = true;
}

/* Time passes in steps of 50 ms; marks are answered at once. */
static void pass(struct one *one, int64_t ms)
{
    for (int64_t until = one->now + ms; one->now < until;) {
        one->now += 50;
        tl_watch_tick(&one->watch, &one->view, one->now);
        if (one->is_mark_wanted && !one->is_deaf) {
            one->is_mark_wanted = false;
            tl_watch_mark(&one->watch, 0);
        }
    }
}

static int64_t read_event(struct one *one, struct tl_call_event event, bool is_own)
{
    event.event_id = "22222222-2222-4222-8222-222222222222";
    event.call_id = CALL;
    event.leg = "caller";
    event.producer = event.producer ? event.producer : "conversation-0";
    event.at = 1700000000000;
    tl_watch_take(&one->watch, &event, 0, one->offset, is_own, one->now);
    return one->offset++;
}

static void ring(struct one *one)
{
    struct tl_changed changed = {
        .state = TL_CALL_STATE_RINGING, .call_sid = SID, .direction = TL_DIRECTION_INBOUND};
    (void)read_event(one, (struct tl_call_event){.changed = &changed, .business_id = "b"}, false);
}

static int64_t give(struct one *one, int number, const char *stream_sid, int ingest)
{
    struct tl_claim claim = {.number = number, .offset = -1};
    struct tl_given given = {.stream_sid = (char *)stream_sid,
                             .mailbox = 3,
                             .ingest = ingest,
                             .ingest_epoch = 40 + ingest};
    return read_event(one, (struct tl_call_event){.claim = &claim, .given = &given}, false);
}

static void stop(struct one *one, int number, int64_t offset, const char *stream_sid,
                 const char *reason)
{
    struct tl_claim claim = {.number = number, .offset = offset};
    struct tl_stream_ended ended = {.stream_sid = (char *)stream_sid, .reason = (char *)reason};
    (void)read_event(one, (struct tl_call_event){.claim = &claim, .stream_ended = &ended}, false);
}

static void rescue(struct one *one, int number, int64_t offset, int attempt, bool is_own)
{
    struct tl_rescue r = {
        .number = number, .offset = offset, .attempt = attempt, .reason = "ingest_gone"};
    (void)read_event(one, (struct tl_call_event){.rescue = &r}, is_own);
}

static void change(struct one *one, enum tl_call_state state)
{
    struct tl_changed changed = {.state = state};
    (void)read_event(one, (struct tl_call_event){.changed = &changed}, false);
}

static void begin_session(struct one *one, int number, int64_t offset, int session, int conversation)
{
    struct tl_claim claim = {.number = number, .offset = offset, .session = session};
    struct tl_session_started started = {.stream_sid = "MZ1",
                                         .call_sid = SID,
                                         .mailbox = conversation,
                                         .ingest_epoch = 40,
                                         .direction = TL_DIRECTION_INBOUND,
                                         .call_started_at = 1690000000000};
    (void)read_event(one,
                     (struct tl_call_event){.claim = &claim,
                                            .session_started = &started,
                                            .producer = conversation ? "conversation-9"
                                                                     : "conversation-0"},
                     false);
}

static void intend(struct one *one, int number, int64_t offset, int session, const char *name)
{
    struct tl_claim claim = {.number = number, .offset = offset, .session = session};
    struct tl_tool_intent intent = {.intent_id = "i1", .name = (char *)name, .arguments = "{}"};
    (void)read_event(one, (struct tl_call_event){.claim = &claim, .tool_intent = &intent}, false);
}

static void result(struct one *one, enum tl_tool_status status)
{
    struct tl_tool_result r = {.intent_id = "i1", .status = status, .output = "{}"};
    (void)read_event(one, (struct tl_call_event){.tool_result = &r}, false);
}

static void know(struct one *one, const char *id, enum tl_telephony_stage stage)
{
    const struct tl_telephony_state state = {.intent_id = (char *)id, .call_id = CALL, .stage = stage};
    tl_watch_take_state(&one->watch, &state, 0, one->now);
}

/* ---- what is lost ---- */

static void a_call_with_its_stream_is_left_alone(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 2);
    ring(&one);
    pass(&one, 4900);
    (void)give(&one, 1, "MZ1", 0);
    pass(&one, 100000);
    assert_int_equal(one.marks, 0);
    assert_int_equal(one.writes, 0);
    assert_int_equal(one.watch.streams, 1);
    assert_int_equal(one.watch.lost, 0);
    end(&one);
}

static void each_loss_has_its_grace(void **state)
{
    static const struct {
        const char *reason; /* of the stream's end; NULL: the ingest goes; "": nothing comes */
        int64_t grace_ms;
        enum tl_watch_cause cause;
    } cases[] = {{"broken", 1000, TL_WATCH_BROKEN},   {"silent", 1000, TL_WATCH_BROKEN},
                 {"drained", 1000, TL_WATCH_BROKEN},  {"stop", 3000, TL_WATCH_STOPPED},
                 {NULL, 250, TL_WATCH_GONE},          {"", 5000, TL_WATCH_NO_STREAM}};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        struct one one;

        begin(&one, 0, 1);
        ring(&one);
        if (!cases[i].reason || *cases[i].reason) {
            int64_t offset = give(&one, 1, "MZ1", 0);
            pass(&one, 1000);
            if (cases[i].reason)
                stop(&one, 1, offset, "MZ1", cases[i].reason);
            else
                lose_ingest(&one, 0);
        }
        pass(&one, cases[i].grace_ms - 50);
        assert_int_equal(one.writes, 0);
        assert_int_equal(one.watch.lost, 0);
        pass(&one, 200);
        assert_int_equal(one.writes, 1);
        assert_int_equal(one.attempt, 1);
        assert_int_equal(one.cause, cases[i].cause);
        assert_int_equal(one.watch.lost, 1);
        end(&one);
    }
}

static void a_number_that_runs_anew_is_another_ingest(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    (void)give(&one, 1, "MZ1", 0);
    pass(&one, 50);
    hear(&one.view, TL_INSTANCE_KIND_INGEST, 0, 77, false);
    pass(&one, 500);
    assert_int_equal(one.cause, TL_WATCH_GONE);
    assert_int_equal(one.watch.gone, 1);
    end(&one);
}

static void an_ingest_that_comes_back_in_time_was_not_gone(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    (void)give(&one, 1, "MZ1", 0);
    lose_ingest(&one, 0);
    pass(&one, 200);
    hear(&one.view, TL_INSTANCE_KIND_INGEST, 0, 40, false);
    pass(&one, 5000);
    assert_int_equal(one.writes, 0);
    end(&one);
}

static void presence_that_was_not_read_yet_is_no_death(void **state)
{
    struct one one;
    struct tl_claim claim = {.number = 1, .offset = -1};
    struct tl_given given = {.stream_sid = "MZ1", .ingest = 1, .ingest_epoch = 900};

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    (void)read_event(&one, (struct tl_call_event){.claim = &claim, .given = &given}, false);
    pass(&one, 5000);
    assert_int_equal(one.writes, 0);
    end(&one);
}

static void what_is_over_needs_nothing(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct one one;
        struct tl_closed c = {.state = TL_CALL_STATE_COMPLETED, .reason = "x"};

        begin(&one, 0, 1);
        ring(&one);
        int64_t offset = give(&one, 1, "MZ1", 0);
        stop(&one, 1, offset, "MZ1", "stop");
        pass(&one, 1000);
        if (closed)
            (void)read_event(&one, (struct tl_call_event){.closed = &c}, false);
        else
            change(&one, TL_CALL_STATE_COMPLETED);
        pass(&one, 10000);
        ring(&one); /* repeated, and late */
        (void)give(&one, 2, "MZ2", 1);
        lose_ingest(&one, 1);
        pass(&one, 10000);
        assert_int_equal(one.writes, 0);
        assert_int_equal(one.watch.lost, 0);
        end(&one);
    }
}

static void a_call_that_is_still_dialled_expects_no_stream(void **state)
{
    struct one one;
    struct tl_changed changed = {
        .state = TL_CALL_STATE_RINGING, .call_sid = SID, .direction = TL_DIRECTION_OUTBOUND};

    (void)state;
    begin(&one, 0, 1);
    (void)read_event(&one, (struct tl_call_event){.changed = &changed}, false);
    pass(&one, 60000);
    assert_int_equal(one.writes, 0);
    change(&one, TL_CALL_STATE_IN_PROGRESS);
    pass(&one, 5200);
    assert_int_equal(one.cause, TL_WATCH_NO_STREAM);
    end(&one);
}

static void a_stream_that_ended_before_it_was_given_is_lost(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    stop(&one, 1, -1, "MZ1", "broken");
    pass(&one, 1200);
    assert_int_equal(one.cause, TL_WATCH_BROKEN);
    end(&one);
}

static void the_end_of_an_older_stream_is_no_loss(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    (void)give(&one, 2, "MZ2", 1);
    stop(&one, 1, offset, "MZ1", "closed");
    stop(&one, 2, -1, "MZ1", "closed"); /* it had claimed anew, and was not numbered yet */
    pass(&one, 10000);
    assert_int_equal(one.writes, 0);
    end(&one);
}

/* ---- ends of our own making ---- */

static void a_call_that_we_end_is_left_alone(void **state)
{
    (void)state;
    for (int by_command = 0; by_command < 2; by_command++) {
        struct one one;

        begin(&one, 0, 1);
        ring(&one);
        int64_t offset = give(&one, 1, "MZ1", 0);
        begin_session(&one, 1, offset, 1, 0);
        if (by_command)
            know(&one, "c1", TL_TELEPHONY_STAGE_INTENDED);
        else
            intend(&one, 1, offset, 1, "end_call");
        stop(&one, 1, offset, "MZ1", "stop");
        pass(&one, 10000);
        if (by_command)
            know(&one, "c1", TL_TELEPHONY_STAGE_DONE);
        else
            result(&one, TL_TOOL_STATUS_DONE);
        pass(&one, 600000); /* a person speaks with the caller */
        assert_int_equal(one.writes, 0);
        end(&one);
    }
}

static void an_end_that_failed_is_none(void **state)
{
    (void)state;
    for (int by_command = 0; by_command < 2; by_command++) {
        struct one one;

        begin(&one, 0, 1);
        ring(&one);
        int64_t offset = give(&one, 1, "MZ1", 0);
        begin_session(&one, 1, offset, 1, 0);
        intend(&one, 1, offset, 1, by_command ? "escalate" : "end_call");
        if (by_command)
            know(&one, "c1", TL_TELEPHONY_STAGE_INTENDED);
        stop(&one, 1, offset, "MZ1", "broken");
        pass(&one, 10000);
        assert_int_equal(one.writes, 0);
        if (by_command)
            know(&one, "c1", TL_TELEPHONY_STAGE_FAILED);
        else
            result(&one, TL_TOOL_STATUS_FAILED);
        pass(&one, 1300);
        assert_int_equal(one.writes, 1);
        end(&one);
    }
}

static void a_fenced_intent_ends_nothing(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    begin_session(&one, 1, offset, 2, 9);
    intend(&one, 1, offset, 1, "end_call");
    stop(&one, 1, offset, "MZ1", "broken");
    pass(&one, 1300);
    assert_int_equal(one.writes, 1);
    end(&one);
}

/* ---- whose turn ---- */

static void marks_are_asked_for_after_the_loss(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    one.is_deaf = true;
    ring(&one);
    (void)give(&one, 1, "MZ1", 0);
    lose_ingest(&one, 0);
    pass(&one, 5000);
    assert_int_equal(one.marks, 1);
    assert_int_equal(one.writes, 0);
    int64_t offset = give(&one, 2, "MZ2", 1); /* was in the log, and is read now */
    stop(&one, 2, offset, "MZ2", "closed");
    pass(&one, 5000); /* the round under way was asked for before: it does not do */
    tl_watch_mark(&one.watch, 0);
    pass(&one, 100);
    assert_int_equal(one.marks, 2);
    assert_int_equal(one.writes, 0);
    tl_watch_mark(&one.watch, 0);
    pass(&one, 100);
    assert_int_equal(one.writes, 1);
    end(&one);
}

static void rank_decides_who_writes_first(void **state)
{
    (void)state;
    for (int rank = 0; rank < 3; rank++) {
        struct one one;

        begin(&one, rank, 3);
        ring(&one);
        int64_t offset = give(&one, 1, "MZ1", 0);
        stop(&one, 1, offset, "MZ1", "broken");
        pass(&one, 1000 + rank * 100 - 50);
        assert_int_equal(one.writes, 0);
        pass(&one, 150);
        assert_int_equal(one.writes, 1);
        pass(&one, 500);
        assert_int_equal(one.writes, 1); /* it is on its way */
        end(&one);
    }
}

static void who_reads_a_rescue_writes_none(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 1, 2);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    stop(&one, 1, offset, "MZ1", "broken");
    pass(&one, 1000);
    rescue(&one, 1, offset, 1, false);
    pass(&one, 950);
    assert_int_equal(one.writes, 0);
    assert_int_equal(one.acts, 0);
    pass(&one, 200); /* no stream after a second: now it is first */
    assert_int_equal(one.writes, 1);
    assert_int_equal(one.attempt, 2);
    end(&one);
}

static void the_first_in_the_log_acts(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 2);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    stop(&one, 1, offset, "MZ1", "broken");
    pass(&one, 1100);
    assert_int_equal(one.writes, 1);
    rescue(&one, 1, offset, 1, true);
    assert_int_equal(one.acts, 1);
    rescue(&one, 1, offset, 1, false);
    rescue(&one, 1, offset, 1, true);
    rescue(&one, 1, offset + 1, 2, true); /* of another attachment */
    assert_int_equal(one.acts, 1);
    pass(&one, 1050);
    assert_int_equal(one.writes, 1); /* the next turn is the other's first */
    pass(&one, 100);
    assert_int_equal(one.attempt, 2);
    rescue(&one, 1, offset, 2, false);
    rescue(&one, 1, offset, 2, true);
    assert_int_equal(one.acts, 1);
    pass(&one, 1950);
    assert_int_equal(one.writes, 2);
    pass(&one, 150); /* turns double */
    assert_int_equal(one.attempt, 3);
    end(&one);
}

static void who_reads_its_own_too_late_does_not_act(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 2);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    stop(&one, 1, offset, "MZ1", "broken");
    pass(&one, 1100);
    assert_int_equal(one.writes, 1);
    one.now += 1000; /* it was stopped; the other one acts meanwhile */
    rescue(&one, 1, offset, 1, true);
    rescue(&one, 1, offset, 2, false);
    assert_int_equal(one.acts, 0);
    end(&one);
}

static void a_rescue_that_got_lost_is_written_again(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 2);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    stop(&one, 1, offset, "MZ1", "broken");
    pass(&one, 2000);
    assert_int_equal(one.writes, 1);
    pass(&one, 200);
    assert_int_equal(one.writes, 2);
    assert_int_equal(one.attempt, 1);
    end(&one);
}

static void only_a_higher_attachment_stops_it(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    lose_ingest(&one, 0);
    pass(&one, 400);
    rescue(&one, 1, offset, 1, true);
    hear(&one.view, TL_INSTANCE_KIND_INGEST, 0, 40, false); /* stalled, and awake again */
    (void)give(&one, 1, "MZ1", 0);
    (void)give(&one, 1, "MZ9", 0);
    pass(&one, 1200);
    assert_int_equal(one.attempt, 2);
    rescue(&one, 1, offset, 2, true);
    assert_int_equal(one.acts, 2);
    (void)give(&one, 2, "MZ2", 1);
    assert_int_equal(one.settles, 1);
    assert_int_equal(one.end, TL_WATCH_RESUMED);
    pass(&one, 10000);
    assert_int_equal(one.writes, 2);
    assert_int_equal(one.watch.lost, 0);
    end(&one);
}

static void what_becomes_of_a_rescued_call_is_told(void **state)
{
    struct one one;

    (void)state;
    for (int k = 0; k < 2; k++) {
        begin(&one, 0, 1);
        ring(&one);
        int64_t offset = give(&one, 1, "MZ1", 0);
        rescue(&one, 1, offset, 1, false);
        if (k)
            change(&one, TL_CALL_STATE_COMPLETED);
        else
            know(&one, "c1", TL_TELEPHONY_STAGE_INTENDED);
        assert_int_equal(one.settles, 1);
        assert_int_equal(one.end, k ? TL_WATCH_OVER : TL_WATCH_LEFT);
        rescue(&one, 1, offset, 2, true);
        assert_int_equal(one.acts, 0);
        end(&one);
    }
}

static void a_call_that_breaks_again_and_again_is_not_rescued_for_ever(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    for (int n = 1; n <= 40; n++) {
        int64_t offset = give(&one, n, "MZ", 0);
        char sid[16];
        (void)snprintf(sid, sizeof(sid), "MZ%d", n);
        offset = give(&one, n, sid, 0);
        stop(&one, n, offset, sid, "broken");
        int writes = one.writes;
        pass(&one, 1200);
        if (one.writes > writes)
            rescue(&one, n, offset, 1, true);
    }
    assert_int_equal(one.acts, 10); /* 48 s */
    pass(&one, 60000);
    assert_in_range(one.writes, 11, 200);
    end(&one);
}

static void who_leaves_writes_nothing(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 2);
    for (size_t i = 0; i < one.view.peers_n; i++)
        if (one.view.peers[i].kind == TL_INSTANCE_KIND_TELEPHONY && one.view.peers[i].number == 0)
            one.view.peers[i].draining = true;
    ring(&one);
    pass(&one, 60000);
    assert_int_equal(one.writes, 0);
    end(&one);
}

static void what_is_old_is_forgotten(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    change(&one, TL_CALL_STATE_COMPLETED);
    tl_watch_forget(&one.watch, one.now, one.now);
    assert_non_null(tl_watch_get(&one.watch, CALL));
    tl_watch_forget(&one.watch, one.now + 1, one.now);
    assert_null(tl_watch_get(&one.watch, CALL));
    end(&one);
}

static void what_ingest_needs_is_kept(void **state)
{
    struct one one;

    (void)state;
    begin(&one, 0, 1);
    ring(&one);
    int64_t offset = give(&one, 1, "MZ1", 0);
    const struct tl_watch_call *call = tl_watch_get(&one.watch, CALL);
    assert_int_equal(call->holder, 3);
    begin_session(&one, 1, offset, 1, 9);
    assert_string_equal(call->call_sid, SID);
    assert_string_equal(call->business_id, "b");
    assert_int_equal(call->holder, 9);
    assert_int_equal(call->start_offset, 100);
    assert_int_equal(call->started_at, 1690000000000);
    end(&one);
}

/* ---- random interleavings: instances that read at their own pace, a network that may notice nothing ---- */

#define INSTANCES 3
#define LOG_MAX 4096

enum kind { GIVEN, ENDED, RESCUE, FINAL };

struct entry {
    enum kind kind;
    int number, attempt, by, run;
    int64_t offset; /* of the attachment */
    int ingest;
};

struct world;

struct instance {
    struct world *world;
    struct one one;
    int number, run;
    bool is_up;
    size_t read;        /* of the log */
    bool is_marking;
    size_t mark;        /* end of the log when it was asked */
    int to_act;         /* number that a request of its own names; -1 */
    int64_t act_until;
};

struct world {
    uint64_t seed;
    int64_t now;
    struct entry log[LOG_MAX];
    size_t len;
    struct instance instance[INSTANCES];
    int64_t epoch[2];  /* of ingests; -1: dead */
    int64_t next_epoch;
    int stream;        /* number of the open socket, -1: none */
    int stream_ingest;
    bool is_over;
    int requests;
};

static unsigned dice(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % n;
}

static void log_add(struct world *w, struct entry entry)
{
    assert_true(w->len < LOG_MAX);
    w->log[w->len++] = entry;
}

static void w_mark(void *arg, int32_t partition)
{
    struct instance *i = arg;

    (void)partition;
    assert_false(i->is_marking);
    i->is_marking = true;
    i->mark = i->world->len;
}

static bool w_write(void *arg, const struct tl_watch_call *call)
{
    struct instance *i = arg;

    if (dice(i->world, 4) == 0)
        return true; /* it got lost on the way */
    log_add(i->world, (struct entry){.kind = RESCUE,
                                     .number = call->attachment.number,
                                     .offset = call->attachment.offset,
                                     .attempt = call->attempts + 1,
                                     .by = i->number,
                                     .run = i->run});
    return true;
}

static void w_act(void *arg, const struct tl_watch_call *call)
{
    struct instance *i = arg;

    const struct entry *own = &i->world->log[i->read];

    for (const struct entry *e = i->world->log; e < own; e++)
        assert_false(e->kind == RESCUE && e->number == own->number && e->offset == own->offset &&
                     e->attempt == own->attempt); /* the first one acts */
    i->to_act = call->attachment.number;
    i->act_until = call->turn_ends_at;
}

static void w_settle(void *arg, const struct tl_watch_call *call, enum tl_watch_end how)
{
    struct instance *i = arg;

    (void)call;
    (void)how;
    i->to_act = -1;
}

static void start(struct world *w, int number)
{
    struct instance *i = &w->instance[number];
    const struct tl_watch_wants wants = {
        .mark = w_mark, .write = w_write, .act = w_act, .settle = w_settle, .arg = i};

    i->world = w;
    i->number = number;
    i->run++;
    i->is_up = true;
    i->read = 0;
    i->is_marking = false;
    i->to_act = -1;
    tl_watch_init(&i->one.watch, &RULES, &wants, 1);
    tl_presence_init(&i->one.view, TL_INSTANCE_KIND_TELEPHONY, number);
    i->one.now = w->now;
    ring(&i->one); /* in front of the log */
}

static void kill_instance(struct world *w, int number)
{
    struct instance *i = &w->instance[number];

    i->is_up = false;
    tl_watch_finish(&i->one.watch);
    tl_presence_finish(&i->one.view);
}

/* Reads one record of the log. */
static void step_read(struct world *w, struct instance *i)
{
    const struct entry *e = &w->log[i->read];
    char sid[24];

    (void)snprintf(sid, sizeof(sid), "MZ%d-%d", e->number, (int)e->offset);
    i->one.now = w->now;
    i->one.offset = (int64_t)i->read;
    switch (e->kind) {
    case GIVEN: {
        struct tl_claim claim = {.number = e->number, .offset = -1};
        struct tl_given given = {
            .stream_sid = sid, .ingest = e->ingest, .ingest_epoch = e->attempt};
        (void)snprintf(sid, sizeof(sid), "MZ%d-%d", e->number, (int)i->read);
        (void)read_event(&i->one, (struct tl_call_event){.claim = &claim, .given = &given}, false);
        break;
    }
    case ENDED:
        stop(&i->one, e->number, e->offset, sid, "broken");
        break;
    case RESCUE:
        rescue(&i->one, e->number, e->offset, e->attempt, e->by == i->number && e->run == i->run);
        break;
    case FINAL:
        change(&i->one, TL_CALL_STATE_COMPLETED);
        break;
    }
    i->read++;
}

/* Presence as it is, seen by everybody at once; its own delays are not what is tested here. */
static void step_tick(struct world *w, struct instance *i)
{
    struct tl_presence_view *view = &i->one.view;

    tl_presence_finish(view);
    tl_presence_init(view, TL_INSTANCE_KIND_TELEPHONY, i->number);
    for (int n = 0; n < INSTANCES; n++)
        if (w->instance[n].is_up)
            hear(view, TL_INSTANCE_KIND_TELEPHONY, n, 1 + n, n == i->number);
    for (int n = 0; n < 2; n++)
        if (w->epoch[n] >= 0)
            hear(view, TL_INSTANCE_KIND_INGEST, n, w->epoch[n], false);
    tl_watch_tick(&i->one.watch, view, w->now);
}

static int64_t offset_of_stream(const struct world *w)
{
    for (size_t k = w->len; k > 0; k--)
        if (w->log[k - 1].kind == GIVEN)
            return (int64_t)k - 1;
    return -1;
}

/* The network opens a stream at a living ingest. */
static void open_stream(struct world *w, int number)
{
    int ingest = (int)dice(w, 2);

    if (w->is_over || (w->epoch[0] < 0 && w->epoch[1] < 0))
        return;
    if (w->epoch[ingest] < 0)
        ingest = 1 - ingest;
    w->stream = number;
    w->stream_ingest = ingest;
    log_add(w, (struct entry){.kind = GIVEN,
                              .number = number,
                              .attempt = (int)w->epoch[ingest],
                              .ingest = ingest});
}

static void break_stream(struct world *w)
{
    if (w->stream < 0)
        return;
    if (w->epoch[w->stream_ingest] >= 0)
        log_add(w, (struct entry){
                       .kind = ENDED, .number = w->stream, .offset = offset_of_stream(w)});
    int number = w->stream;
    w->stream = -1;
    if (dice(w, 2)) /* the network asks by itself */
        open_stream(w, number + 1);
}

static void step_request(struct world *w, struct instance *i)
{
    int number = i->to_act;

    if (number < 0)
        return;
    i->to_act = -1;
    if (w->now >= i->act_until)
        return; /* the turn is over */
    w->requests++;
    if (w->is_over)
        return;
    w->stream = -1;
    if (dice(w, 4))
        open_stream(w, number + 1);
}

static void step_fault(struct world *w)
{
    unsigned k = dice(w, 4);
    int n = (int)dice(w, 2), t = (int)dice(w, INSTANCES);

    if (k == 0) {
        break_stream(w);
    } else if (k == 1 && w->epoch[n] >= 0) {
        bool was_here = w->stream >= 0 && w->stream_ingest == n;
        w->epoch[n] = -1;
        if (was_here)
            break_stream(w);
    } else if (k == 2 && w->epoch[n] < 0) {
        w->epoch[n] = w->next_epoch++;
    } else if (w->instance[t].is_up) {
        kill_instance(w, t);
    } else {
        start(w, t);
    }
}

static void step(struct world *w)
{
    struct instance *i = &w->instance[dice(w, INSTANCES)];

    if (!i->is_up)
        return;
    if (i->read < w->len && dice(w, 4))
        step_read(w, i);
    else if (i->is_marking && i->read >= i->mark && dice(w, 2)) {
        i->is_marking = false;
        tl_watch_mark(&i->one.watch, 0);
    } else if (dice(w, 2)) {
        step_request(w, i);
    } else if (i->read == w->len || i->read > 0) {
        step_tick(w, i);
    }
}

/* All read and act at once until nothing moves. */
static void settle_down(struct world *w, int64_t ms)
{
    for (int64_t until = w->now + ms; w->now < until; w->now += 50)
        for (int n = 0; n < INSTANCES; n++) {
            struct instance *i = &w->instance[n];

            if (!i->is_up)
                start(w, n);
            while (i->read < w->len)
                step_read(w, i);
            if (i->is_marking) {
                i->is_marking = false;
                tl_watch_mark(&i->one.watch, 0);
            }
            step_request(w, i);
            step_tick(w, i);
        }
}

static void walk(uint64_t seed)
{
    static struct world world;
    struct world *w = &world;

    *w = (struct world){.seed = seed * 2654435761u + 1, .now = START, .next_epoch = 50};
    w->epoch[0] = 40;
    w->epoch[1] = 41;
    for (int n = 0; n < INSTANCES; n++)
        start(w, n);
    open_stream(w, 1);
    for (int k = 0; k < 600; k++) {
        if (dice(w, 40) == 0)
            step_fault(w);
        if (dice(w, 3) == 0)
            w->now += 50;
        step(w);
    }
    for (int n = 0; n < 2; n++)
        if (w->epoch[n] < 0)
            w->epoch[n] = w->next_epoch++;
    settle_down(w, 180000);
    if (w->stream < 0)
        fail_msg("seed %llu: the call stays without a stream", (unsigned long long)seed);
    int requests = w->requests;
    settle_down(w, 60000);
    assert_int_equal(w->requests, requests); /* a call that has its stream is left alone */
    w->stream = -1;
    w->is_over = true;
    log_add(w, (struct entry){.kind = ENDED,
                              .number = w->log[offset_of_stream(w)].number,
                              .offset = offset_of_stream(w)});
    log_add(w, (struct entry){.kind = FINAL});
    settle_down(w, 60000);
    assert_int_equal(w->requests, requests); /* nor is one that is over */
    for (int n = 0; n < INSTANCES; n++)
        kill_instance(w, n);
}

static void whatever_happens_the_call_gets_its_stream_back(void **state)
{
    const char *n = getenv("TL_WATCH_WALKS");

    (void)state;
    for (uint64_t seed = 1; seed <= (n ? strtoull(n, NULL, 10) : 100); seed++)
        walk(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_with_its_stream_is_left_alone),
        cmocka_unit_test(each_loss_has_its_grace),
        cmocka_unit_test(a_number_that_runs_anew_is_another_ingest),
        cmocka_unit_test(an_ingest_that_comes_back_in_time_was_not_gone),
        cmocka_unit_test(presence_that_was_not_read_yet_is_no_death),
        cmocka_unit_test(what_is_over_needs_nothing),
        cmocka_unit_test(a_call_that_is_still_dialled_expects_no_stream),
        cmocka_unit_test(a_stream_that_ended_before_it_was_given_is_lost),
        cmocka_unit_test(the_end_of_an_older_stream_is_no_loss),
        cmocka_unit_test(a_call_that_we_end_is_left_alone),
        cmocka_unit_test(an_end_that_failed_is_none),
        cmocka_unit_test(a_fenced_intent_ends_nothing),
        cmocka_unit_test(marks_are_asked_for_after_the_loss),
        cmocka_unit_test(rank_decides_who_writes_first),
        cmocka_unit_test(who_reads_a_rescue_writes_none),
        cmocka_unit_test(the_first_in_the_log_acts),
        cmocka_unit_test(who_reads_its_own_too_late_does_not_act),
        cmocka_unit_test(a_rescue_that_got_lost_is_written_again),
        cmocka_unit_test(only_a_higher_attachment_stops_it),
        cmocka_unit_test(what_becomes_of_a_rescued_call_is_told),
        cmocka_unit_test(a_call_that_breaks_again_and_again_is_not_rescued_for_ever),
        cmocka_unit_test(who_leaves_writes_nothing),
        cmocka_unit_test(what_is_old_is_forgotten),
        cmocka_unit_test(what_ingest_needs_is_kept),
        cmocka_unit_test(whatever_happens_the_call_gets_its_stream_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
