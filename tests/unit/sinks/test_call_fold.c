/* A call folded up from its events, and kept as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "call/call_state.h"
#include "sinks/fold/call_fold.h"
#include "sinks/fold/call_map.h"

#define CALL_ID "11111111-2222-4333-8444-555555555555"
#define START 1700000000000

static int serial;
static char event_ids[256][TL_UUID_TEXT_LEN + 1];

/* An event with an id of its own. */
static struct tl_call_event event(int64_t at)
{
    struct tl_uuid uuid = tl_uuid_v4();
    char *id = event_ids[serial++ % 256];

    tl_uuid_format(&uuid, id);
    return (struct tl_call_event){.event_id = id,
                                  .call_id = CALL_ID,
                                  .at = at,
                                  .producer = "conversation-0",
                                  .epoch = 5,
                                  .leg = "caller",
                                  .business_id = "shop"};
}

static enum tl_fold_verdict take(struct tl_call_fold *call, const struct tl_call_event *e)
{
    static int64_t offset;
    return tl_call_fold_take(call, e, 3, ++offset);
}

static enum tl_fold_verdict change(struct tl_call_fold *call, int64_t at, enum tl_call_state state,
                                   const char *reason)
{
    struct tl_changed changed = {.state = state, .reason = reason};
    struct tl_call_event e = event(at);

    e.changed = &changed;
    return take(call, &e);
}

static enum tl_fold_verdict say(struct tl_call_fold *call, const char *id, bool final,
                                struct tl_claim claim, const char *producer)
{
    struct tl_utterance utterance = {.utterance_id = id,
                                     .final = final,
                                     .speaker = TL_SPEAKER_CUSTOMER,
                                     .text = "hello",
                                     .language = ""};
    struct tl_call_event e = event(START);

    e.utterance = &utterance;
    e.claim = &claim;
    e.producer = producer;
    return take(call, &e);
}

#define ID(n) "00000000-0000-4000-8000-0000000000" n
static const struct tl_claim FIRST = {1, 0, 1}, SECOND = {1, 0, 2};

static void states_never_go_back(void **state)
{
    (void)state;
    struct tl_call_fold call;
    tl_call_fold_init(&call, CALL_ID);
    assert_int_equal(change(&call, START, TL_CALL_STATE_RINGING, NULL), TL_FOLD_COUNTS);
    change(&call, START + 1000, TL_CALL_STATE_IN_PROGRESS, NULL);
    change(&call, START + 5000, TL_CALL_STATE_COMPLETED, "caller_hung_up");
    change(&call, START + 6000, TL_CALL_STATE_FAILED, "late");
    change(&call, START + 7000, TL_CALL_STATE_RINGING, "later");
    assert_int_equal(call.state, TL_CALL_STATE_COMPLETED);
    assert_string_equal(call.reason, "caller_hung_up");
    assert_true(call.started_at == START && call.answered_at == START + 1000 &&
                call.ended_at == START + 5000);
    tl_call_fold_finish(&call);
}

/* ---- callbacks in any order (show G) ---- */

static const char *const finals[] = {"completed", "busy", "failed", "no-answer", "canceled"};
#define CALLBACKS 6

/* The six callbacks of a call: what came with each. */
static void call_back(struct tl_call_fold *call, size_t which, const char *final)
{
    const char *statuses[CALLBACKS] = {"queued", "initiated", "ringing", "in-progress", final, final};
    struct tl_changed changed = {.state = tl_call_state_of_status(statuses[which]),
                                 .status = statuses[which]};
    struct tl_call_event e = event(START + (int64_t)which * 1000);

    if (changed.state == TL_CALL_STATE_FAILED)
        changed.reason = statuses[which];
    if (which >= 4) /* the final one came twice, as when its first answer was lost */
        changed.duration_s = (struct tl_opt_int){.set = true, .value = 42};
    e.changed = &changed;
    assert_int_equal(take(call, &e), TL_FOLD_COUNTS);
}

static void assert_ended(const struct tl_call_fold *call, const char *final, bool was_answered)
{
    assert_int_equal(call->state, tl_call_state_of_status(final));
    assert_string_equal(call->reason, strcmp(final, "completed") == 0 ? "" : final);
    assert_int_equal(call->duration_s, 42);
    assert_true(call->ended_at != 0);
    assert_int_equal(call->answered_at != 0, was_answered);
    assert_true(call->answered_at <= call->ended_at);
}

static size_t permute(size_t *order, size_t from, const char *final)
{
    size_t n = 0;

    if (from == CALLBACKS) {
        struct tl_call_fold call;
        tl_call_fold_init(&call, CALL_ID);
        for (size_t i = 0; i < CALLBACKS; i++)
            call_back(&call, order[i], final);
        assert_ended(&call, final, true);
        tl_call_fold_finish(&call);
        return 1;
    }
    for (size_t i = from; i < CALLBACKS; i++) {
        size_t kept = order[from];
        order[from] = order[i];
        order[i] = kept;
        n += permute(order, from + 1, final);
        order[i] = order[from];
        order[from] = kept;
    }
    return n;
}

static void every_permutation_of_six_callbacks_leads_to_one_state(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(finals) / sizeof(*finals); f++) {
        size_t order[CALLBACKS] = {0, 1, 2, 3, 4, 5};
        assert_int_equal(permute(order, 0, finals[f]), 720);
    }
}

/* Six callbacks, each any of the six: some come twice or more, some never. */
static void every_repetition_of_six_callbacks_leads_to_the_furthest_state(void **state)
{
    static const enum tl_call_state states[] = {TL_CALL_STATE_INITIATED, TL_CALL_STATE_INITIATED,
                                                TL_CALL_STATE_RINGING, TL_CALL_STATE_IN_PROGRESS};
    (void)state;
    for (size_t code = 0; code < 46656; code++) {
        struct tl_call_fold call;
        const char *final = finals[code % 5];
        enum tl_call_state furthest = TL_CALL_STATE_UNKNOWN;
        bool is_final = false, is_answered = false;
        size_t rest = code;
        tl_call_fold_init(&call, CALL_ID);
        for (size_t i = 0; i < CALLBACKS; i++, rest /= CALLBACKS) {
            size_t which = rest % CALLBACKS;
            call_back(&call, which, final);
            is_final |= which >= 4;
            is_answered |= which == 3;
            if (which < 4 && states[which] > furthest)
                furthest = states[which];
        }
        if (is_final)
            assert_ended(&call, final, is_answered);
        else
            assert_int_equal(call.state, furthest);
        tl_call_fold_finish(&call);
    }
}

static void only_finals_count_and_each_once(void **state)
{
    (void)state;
    struct tl_call_fold call;
    tl_call_fold_init(&call, CALL_ID);
    assert_int_equal(say(&call, ID("01"), false, FIRST, "c-0"), TL_FOLD_COUNTS);
    assert_int_equal(call.utterances, 0);
    assert_int_equal(say(&call, ID("01"), true, FIRST, "c-0"), TL_FOLD_COUNTS);
    assert_int_equal(say(&call, ID("01"), true, FIRST, "c-0"), TL_FOLD_TWICE);
    assert_int_equal(say(&call, ID("02"), true, FIRST, "c-0"), TL_FOLD_COUNTS);
    assert_int_equal(call.utterances, 2);
    assert_int_equal(call.utterances_of[TL_SPEAKER_CUSTOMER], 2);
    tl_call_fold_finish(&call);
}

static void a_lower_claim_and_another_holder_are_fenced(void **state)
{
    (void)state;
    struct tl_call_fold call;
    tl_call_fold_init(&call, CALL_ID);
    assert_int_equal(say(&call, ID("01"), true, SECOND, "c-1"), TL_FOLD_COUNTS);
    assert_int_equal(say(&call, ID("02"), true, FIRST, "c-0"), TL_FOLD_FENCED);
    assert_int_equal(say(&call, ID("03"), true, SECOND, "c-9"), TL_FOLD_FENCED);
    assert_int_equal(call.utterances, 1);
    tl_call_fold_finish(&call);
}

static void nothing_counts_behind_closed(void **state)
{
    (void)state;
    struct tl_closed closed = {
        .state = TL_CALL_STATE_FAILED, .reason = "gone", .duration_s = 7, .utterances = 0};
    struct tl_call_fold call;
    struct tl_call_event e = event(START);

    tl_call_fold_init(&call, CALL_ID);
    e.closed = &closed;
    assert_int_equal(take(&call, &e), TL_FOLD_COUNTS);
    assert_int_equal(call.state, TL_CALL_STATE_FAILED);
    assert_string_equal(call.reason, "gone");
    assert_int_equal(call.duration_s, 7);
    assert_int_equal(take(&call, &e), TL_FOLD_BEHIND);
    assert_int_equal(change(&call, START, TL_CALL_STATE_COMPLETED, NULL), TL_FOLD_BEHIND);
    tl_call_fold_finish(&call);
}

static void costs_add_up_once(void **state)
{
    (void)state;
    struct tl_usage usage = {
        .provider = "openai", .model = "m", .kind = "response", .cost_microusd = 40};
    struct tl_call_fold call;
    struct tl_call_event e = event(START);

    tl_call_fold_init(&call, CALL_ID);
    e.usage = &usage;
    assert_int_equal(take(&call, &e), TL_FOLD_COUNTS);
    assert_int_equal(take(&call, &e), TL_FOLD_TWICE);
    struct tl_call_event other = event(START);
    other.usage = &usage;
    assert_int_equal(take(&call, &other), TL_FOLD_COUNTS);
    assert_int_equal(call.cost_microusd, 80);
    tl_call_fold_finish(&call);
}

static void texts_are_cut_between_characters(void **state)
{
    (void)state;
    char reason[200];
    struct tl_call_fold call;

    memset(reason, 'x', sizeof(reason));
    memcpy(reason + 126, "\xe2\x82\xac\xe2\x82\xac", 7); /* a € across the field's end */
    tl_call_fold_init(&call, CALL_ID);
    change(&call, START, TL_CALL_STATE_FAILED, reason);
    assert_int_equal(strlen(call.reason), 126);
    tl_call_fold_finish(&call);
}

/* A reader that starts again goes on exactly as one that never stopped. */
static void state_survives_as_json(void **state)
{
    (void)state;
    struct tl_tool_intent intent = {.intent_id = ID("aa"), .name = "end_call", .arguments = "{}"};
    struct tl_tool_result result = {
        .intent_id = ID("aa"), .status = TL_TOOL_STATUS_DONE, .output = "{}"};
    struct tl_call_fold call, again;
    struct tl_call_event e = event(START);
    struct tl_error err;

    tl_call_fold_init(&call, CALL_ID);
    change(&call, START, TL_CALL_STATE_IN_PROGRESS, NULL);
    say(&call, ID("01"), true, SECOND, "c-1");
    e.tool_intent = &intent;
    e.claim = &(struct tl_claim){1, 0, 2};
    e.producer = "c-1";
    assert_int_equal(take(&call, &e), TL_FOLD_COUNTS);
    json_t *json = tl_call_fold_to_json(&call);
    assert_int_equal(tl_call_fold_from_json(&again, CALL_ID, json, &err), TL_OK);
    json_t *twin = tl_call_fold_to_json(&again);
    assert_true(json_equal(json, twin));
    json_decref(twin);
    json_decref(json);

    assert_int_equal(say(&again, ID("01"), true, SECOND, "c-1"), TL_FOLD_TWICE);
    assert_int_equal(say(&again, ID("02"), true, FIRST, "c-0"), TL_FOLD_FENCED);
    assert_int_equal(say(&again, ID("02"), true, SECOND, "c-9"), TL_FOLD_FENCED);
    struct tl_call_event done = event(START);
    done.tool_result = &result;
    assert_int_equal(take(&again, &done), TL_FOLD_COUNTS);
    assert_int_equal(take(&again, &done), TL_FOLD_FENCED);
    tl_call_fold_finish(&call);
    tl_call_fold_finish(&again);
}

static void foreign_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[]", "{\"state\": 99}", "{\"legs\": 5}"};
    struct tl_call_fold call;
    struct tl_error err;

    for (size_t i = 0; i < TL_ARRAY_LEN(texts); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_int_equal(tl_call_fold_from_json(&call, CALL_ID, json, &err), TL_INVALID);
        assert_int_equal(call.duration_s, -1);
        json_decref(json);
    }
    assert_int_equal(tl_call_fold_from_json(&call, CALL_ID, NULL, &err), TL_INVALID);
}

static void check_finds_what_cannot_be_stored(void **state)
{
    (void)state;
    struct tl_bytes key = {(const uint8_t *)CALL_ID, TL_UUID_TEXT_LEN};
    struct tl_utterance utterance = {.utterance_id = "x"};
    struct tl_call_event e = event(START);
    struct tl_error err;

    assert_int_equal(tl_call_event_check(&e, key, &err), TL_OK);
    assert_int_equal(tl_call_event_check(&e, (struct tl_bytes){0}, &err), TL_INVALID);
    e.utterance = &utterance;
    assert_int_equal(tl_call_event_check(&e, key, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "utterance_id"));
    e = event(0);
    assert_int_equal(tl_call_event_check(&e, key, &err), TL_INVALID);
    e = event(INT64_MAX);
    assert_int_equal(tl_call_event_check(&e, key, &err), TL_INVALID);
    e = event(START);
    e.call_id = "1";
    assert_int_equal(tl_call_event_check(&e, (struct tl_bytes){(const uint8_t *)"1", 1}, &err),
                     TL_INVALID);
}

static void count(void *arg, struct tl_call_fold *call)
{
    (void)call;
    ++*(int *)arg;
}

static void map_finds_and_forgets(void **state)
{
    (void)state;
    struct tl_call_map map = {0};
    char ids[100][TL_UUID_TEXT_LEN + 1];
    int n = 0;

    for (int i = 0; i < 100; i++) {
        struct tl_uuid uuid = tl_uuid_v4();
        tl_uuid_format(&uuid, ids[i]);
        assert_null(tl_call_map_get(&map, ids[i]));
        assert_string_equal(tl_call_map_add(&map, ids[i])->call_id, ids[i]);
    }
    tl_call_map_remove(&map, ids[50]);
    tl_call_map_remove(&map, ids[50]);
    assert_null(tl_call_map_get(&map, ids[50]));
    tl_call_map_each(&map, count, &n);
    assert_int_equal(n, 99);
    assert_int_equal(map.len, 99);
    tl_call_map_clear(&map);
    assert_null(tl_call_map_get(&map, ids[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_never_go_back),
        cmocka_unit_test(every_permutation_of_six_callbacks_leads_to_one_state),
        cmocka_unit_test(every_repetition_of_six_callbacks_leads_to_the_furthest_state),
        cmocka_unit_test(only_finals_count_and_each_once),
        cmocka_unit_test(a_lower_claim_and_another_holder_are_fenced),
        cmocka_unit_test(nothing_counts_behind_closed),
        cmocka_unit_test(costs_add_up_once),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(state_survives_as_json),
        cmocka_unit_test(foreign_json_is_refused),
        cmocka_unit_test(check_finds_what_cannot_be_stored),
        cmocka_unit_test(map_finds_and_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
