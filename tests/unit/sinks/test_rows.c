/* A batch as rows of PostgreSQL and as hashes of Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sinks/live/view.h"
#include "sinks/records/rows.h"

#define CALL_ID "11111111-2222-4333-8444-555555555555"

/* One call with a final, a draft behind it, and a cost. */
struct fixture {
    struct tl_call_fold call;
    struct tl_call_fold *calls[1];
    struct tl_redacted_entity entity;
    struct tl_map_entry metadata;
    struct tl_utterance final, draft;
    struct tl_usage usage;
    struct tl_call_event events[3];
    struct tl_feed_item items[3];
    struct tl_feed_move move;
    struct tl_feed_batch batch;
};

static void fill(struct fixture *f)
{
    *f = (struct fixture){0};
    tl_call_fold_init(&f->call, CALL_ID);
    f->call.started_at = 1700000000123;
    f->call.state = TL_CALL_STATE_IN_PROGRESS;
    f->call.utterances = f->call.utterances_of[TL_SPEAKER_AI] = 1;
    f->calls[0] = &f->call;
    f->entity = (struct tl_redacted_entity){
        .type = "CARD", .ordinal = 1, .confidence = 0.5, .start_ms = {true, 40}, .last4 = "4242"};
    f->metadata = (struct tl_map_entry){"k", "v"};
    f->final = (struct tl_utterance){.utterance_id = "u1",
                                     .final = true,
                                     .turn = 4,
                                     .speaker = TL_SPEAKER_AI,
                                     .text = "Hello \"you\"",
                                     .language = "en",
                                     .heard_ms = -1,
                                     .entities = &f->entity,
                                     .entities_n = 1,
                                     .metadata = &f->metadata,
                                     .metadata_n = 1};
    f->draft = f->final;
    f->draft.final = false;
    f->draft.utterance_id = "u2";
    f->draft.text = "And";
    f->usage = (struct tl_usage){
        .provider = "openai", .model = "m", .kind = "response", .cost_microusd = 9007199254740993};
    for (int i = 0; i < 3; i++) {
        f->events[i] =
            (struct tl_call_event){.event_id = "e", .call_id = CALL_ID, .at = 5, .leg = "caller"};
        f->items[i] = (struct tl_feed_item){
            .event = &f->events[i], .call = &f->call, .offset = i, .sequence = i == 0};
    }
    f->events[0].utterance = &f->final;
    f->events[1].utterance = &f->draft;
    f->events[2].usage = &f->usage;
    f->move = (struct tl_feed_move){.partition = 2, .expected = -1, .next = 9007199254740993};
    f->batch = (struct tl_feed_batch){f->items, 3, f->calls, 1, &f->move, 1};
}

static const char *text_of(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void finals_become_interactions_and_drafts_do_not(void **state)
{
    (void)state;
    struct fixture f;
    struct tl_rows rows;

    fill(&f);
    tl_rows_make(&f.batch, &rows);
    assert_int_equal(json_array_size(rows.interactions), 1);
    json_t *row = json_array_get(rows.interactions, 0);
    assert_string_equal(text_of(row, "text"), "Hello \"you\"");
    assert_string_equal(text_of(row, "speaker"), "AI");
    assert_int_equal(json_integer_value(json_object_get(row, "sequence")), 1);
    assert_true(json_integer_value(json_object_get(row, "call_started_ms")) == 1700000000123);
    json_t *entity = json_array_get(json_object_get(row, "entities"), 0);
    assert_string_equal(text_of(entity, "last4"), "4242");
    assert_true(json_is_null(json_object_get(entity, "end_ms")));
    assert_string_equal(text_of(json_object_get(row, "metadata"), "k"), "v");
    assert_int_equal(json_array_size(rows.usage), 1);
    row = json_array_get(rows.usage, 0);
    assert_true(json_integer_value(json_object_get(row, "cost_microusd")) == 9007199254740993);
    tl_rows_finish(&rows);
}

static void a_closed_call_keeps_no_state(void **state)
{
    (void)state;
    struct fixture f;
    struct tl_rows rows;

    fill(&f);
    tl_rows_make(&f.batch, &rows);
    json_t *row = json_array_get(rows.calls, 0);
    assert_true(json_is_object(json_object_get(row, "fold")));
    assert_string_equal(text_of(row, "state"), "IN_PROGRESS");
    tl_rows_finish(&rows);
    f.call.closed_at = 1700000001000;
    tl_rows_make(&f.batch, &rows);
    assert_true(json_is_null(json_object_get(json_array_get(rows.calls, 0), "fold")));
    tl_rows_finish(&rows);
}

/* Value behind a name in the flat list of fields; NULL when it is not there. */
static const char *field(json_t *call, const char *name)
{
    json_t *fields = json_object_get(call, "fields");

    for (size_t i = 0; i + 1 < json_array_size(fields); i += 2)
        if (strcmp(json_string_value(json_array_get(fields, i)), name) == 0)
            return json_string_value(json_array_get(fields, i + 1));
    return NULL;
}

static void a_view_has_the_newest_words(void **state)
{
    (void)state;
    struct fixture f;

    fill(&f);
    json_t *view = tl_live_view_make(&f.batch);
    json_t *call = json_array_get(json_object_get(view, "calls"), 0);
    assert_non_null(strstr(field(call, "last"), "Hello"));
    assert_non_null(strstr(field(call, "draft"), "And"));
    json_t *move = json_array_get(json_object_get(view, "moves"), 0);
    assert_string_equal(json_string_value(json_array_get(move, 2)), "9007199254740993");
    json_decref(view);

    f.batch.items_n = 1; /* the final alone: no draft is left */
    view = tl_live_view_make(&f.batch);
    assert_string_equal(field(json_array_get(json_object_get(view, "calls"), 0), "draft"), "");
    json_decref(view);

    f.batch.items_n = 0; /* no words: what is there stays */
    view = tl_live_view_make(&f.batch);
    assert_null(field(json_array_get(json_object_get(view, "calls"), 0), "draft"));
    json_decref(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finals_become_interactions_and_drafts_do_not),
        cmocka_unit_test(a_closed_call_keeps_no_state),
        cmocka_unit_test(a_view_has_the_newest_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
