/* Folded calls to hashes of Redis: see view.h. */
#include "sinks/live/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *number(int64_t n)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, n); /* texts: Lua's numbers lose digits */
    return json_string(text);
}

static void put(json_t *fields, const char *name, json_t *value)
{
    json_array_append_new(fields, json_string(name));
    json_array_append_new(fields, value);
}

/* The newest words of the call in this batch: JSON, or NULL. */
static const struct tl_feed_item *newest(const struct tl_feed_batch *batch,
                                         const struct tl_call_fold *call, bool final)
{
    for (size_t i = batch->items_n; i > 0; i--) {
        const struct tl_feed_item *item = &batch->items[i - 1];
        const struct tl_utterance *utterance = item->event->utterance;

        if (item->call != call || !utterance)
            continue;
        if (utterance->final == final)
            return item;
        if (!final)
            return NULL; /* a final is newer than any draft before it */
    }
    return NULL;
}

static json_t *words(const struct tl_feed_item *item)
{
    const struct tl_utterance *utterance = item->event->utterance;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:i, s:I, s:I}", "utterance_id", utterance->utterance_id, "speaker",
        tl_speaker_name(utterance->speaker), "text", utterance->text, "turn", utterance->turn,
        "start_ms", (json_int_t)utterance->start_ms, "end_ms", (json_int_t)utterance->end_ms);
    char *text = json_dumps(json, JSON_COMPACT);
    json_t *string = json_string(text);

    free(text);
    json_decref(json);
    return string;
}

static void put_words(json_t *fields, const struct tl_feed_batch *batch,
                      const struct tl_call_fold *call)
{
    const struct tl_feed_item *final = newest(batch, call, true);
    const struct tl_feed_item *draft = newest(batch, call, false);

    if (final)
        put(fields, "last", words(final));
    if (draft)
        put(fields, "draft", words(draft));
    else if (final)
        put(fields, "draft", json_string(""));
}

static json_t *fields_of(const struct tl_feed_batch *batch, const struct tl_call_fold *call)
{
    json_t *fields = json_array();
    json_t *fold = tl_call_fold_to_json(call);
    char *text = json_dumps(fold, JSON_COMPACT);

    put(fields, "state", json_string(tl_call_state_name(call->state)));
    put(fields, "business_id", json_string(call->business_id));
    put(fields, "call_sid", json_string(call->call_sid));
    put(fields, "direction", json_string(tl_direction_name(call->direction)));
    put(fields, "from_number", json_string(call->from_number));
    put(fields, "to_number", json_string(call->to_number));
    put(fields, "started_ms", number(call->started_at));
    put(fields, "answered_ms", number(call->answered_at));
    put(fields, "utterances", number(call->utterances));
    put(fields, "cost_microusd", number(call->cost_microusd));
    put_words(fields, batch, call);
    put(fields, "fold", json_string(text));
    free(text);
    json_decref(fold);
    return fields;
}

json_t *tl_live_view_make(const struct tl_feed_batch *batch)
{
    json_t *moves = json_array(), *calls = json_array();

    for (size_t i = 0; i < batch->moves_n; i++) {
        const struct tl_feed_move *move = &batch->moves[i];

        json_array_append_new(moves, json_pack("[o, o, o]", number(move->partition),
                                               number(move->expected), number(move->next)));
    }
    for (size_t i = 0; i < batch->calls_n; i++) {
        const struct tl_call_fold *call = batch->calls[i];

        json_array_append_new(calls,
                              json_pack("{s:s, s:s, s:b, s:o}", "id", call->call_id, "business",
                                        call->business_id, "closed", call->closed_at != 0, "fields",
                                        call->closed_at ? json_array() : fields_of(batch, call)));
    }
    return json_pack("{s:o, s:o}", "moves", moves, "calls", calls);
}
