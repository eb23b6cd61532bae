/* Events and folded calls to rows: see rows.h. */
#include "sinks/records/rows.h"

static void put(json_t *row, const char *name, const char *text)
{
    json_object_set_new(row, name, json_string(text ? text : ""));
}

static void put_int(json_t *row, const char *name, int64_t n)
{
    json_object_set_new(row, name, json_integer(n));
}

/* ---- calls ---- */

static void put_times(json_t *row, const struct tl_call_fold *call)
{
    put_int(row, "started_ms", call->started_at);
    put_int(row, "answered_ms", call->answered_at);
    put_int(row, "ended_ms", call->ended_at);
    put_int(row, "closed_ms", call->closed_at);
}

static json_t *call_row(const struct tl_call_fold *call)
{
    json_t *row = json_object();

    put(row, "id", call->call_id);
    put(row, "call_sid", call->call_sid);
    put(row, "business_id", call->business_id);
    put_int(row, "business_version", call->business_version);
    put(row, "direction", tl_direction_name(call->direction));
    put(row, "from_number", call->from_number);
    put(row, "to_number", call->to_number);
    put(row, "state", tl_call_state_name(call->state));
    put(row, "reason", call->reason);
    put(row, "answered_by", call->answered_by);
    put_times(row, call);
    put_int(row, "duration_s", call->duration_s);
    put_int(row, "utterances", call->utterances);
    put_int(row, "utterances_ai", call->utterances_of[TL_SPEAKER_AI]);
    put_int(row, "utterances_customer", call->utterances_of[TL_SPEAKER_CUSTOMER]);
    put_int(row, "utterances_agent", call->utterances_of[TL_SPEAKER_AGENT]);
    put_int(row, "cost_microusd", call->cost_microusd);
    put_int(row, "log_partition", call->partition);
    put_int(row, "log_offset", call->offset);
    json_object_set_new(row, "fold", call->closed_at ? json_null() : tl_call_fold_to_json(call));
    return row;
}

/* ---- interactions ---- */

static void put_opt_ms(json_t *row, const char *name, struct tl_opt_long ms)
{
    json_object_set_new(row, name, ms.set ? json_integer(ms.value) : json_null());
}

static json_t *entities(const struct tl_utterance *utterance)
{
    json_t *list = json_array();

    for (size_t i = 0; i < utterance->entities_n; i++) {
        const struct tl_redacted_entity *e = &utterance->entities[i];
        json_t *item = json_object();

        put(item, "type", e->type);
        put_int(item, "ordinal", e->ordinal);
        json_object_set_new(item, "confidence", json_real(e->confidence));
        put_opt_ms(item, "start_ms", e->start_ms);
        put_opt_ms(item, "end_ms", e->end_ms);
        json_object_set_new(item, "last4", e->last4 ? json_string(e->last4) : json_null());
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *metadata(const struct tl_utterance *utterance)
{
    json_t *map = json_object();

    for (size_t i = 0; i < utterance->metadata_n; i++)
        put(map, utterance->metadata[i].key, utterance->metadata[i].value);
    return map;
}

static json_t *history_row(const struct tl_feed_item *item)
{
    json_t *row = json_object();

    put(row, "call_id", item->call->call_id);
    put_int(row, "call_started_ms", item->call->started_at);
    put(row, "event_id", item->event->event_id);
    put_int(row, "at_ms", item->event->at);
    put_int(row, "log_offset", item->offset);
    return row;
}

static json_t *interaction_row(const struct tl_feed_item *item)
{
    const struct tl_utterance *utterance = item->event->utterance;
    json_t *row = history_row(item);

    put(row, "utterance_id", utterance->utterance_id);
    put_int(row, "sequence", item->sequence);
    put_int(row, "turn", utterance->turn);
    put(row, "leg", item->event->leg);
    put(row, "speaker", tl_speaker_name(utterance->speaker));
    put(row, "text", utterance->text);
    put_int(row, "start_ms", utterance->start_ms);
    put_int(row, "end_ms", utterance->end_ms);
    put(row, "language", utterance->language);
    json_object_set_new(row, "interrupted", json_boolean(utterance->interrupted));
    json_object_set_new(row, "transcript_failed", json_boolean(utterance->transcript_failed));
    put_int(row, "heard_ms", utterance->heard_ms);
    put(row, "item_id", utterance->item_id);
    put(row, "audio_url", utterance->audio_url);
    json_object_set_new(row, "entities", entities(utterance));
    json_object_set_new(row, "metadata", metadata(utterance));
    return row;
}

/* ---- usage ---- */

static json_t *usage_row(const struct tl_feed_item *item)
{
    const struct tl_usage *usage = item->event->usage;
    json_t *row = history_row(item);

    put(row, "provider", usage->provider);
    put(row, "model", usage->model);
    put(row, "kind", usage->kind);
    put_int(row, "input_text_tokens", usage->input_text_tokens);
    put_int(row, "input_audio_tokens", usage->input_audio_tokens);
    put_int(row, "cached_text_tokens", usage->cached_text_tokens);
    put_int(row, "cached_audio_tokens", usage->cached_audio_tokens);
    put_int(row, "output_text_tokens", usage->output_text_tokens);
    put_int(row, "output_audio_tokens", usage->output_audio_tokens);
    json_object_set_new(row, "transcription_seconds", json_real(usage->transcription_seconds));
    put_int(row, "cost_microusd", usage->cost_microusd);
    return row;
}

void tl_rows_make(const struct tl_feed_batch *batch, struct tl_rows *ret_rows)
{
    *ret_rows = (struct tl_rows){json_array(), json_array(), json_array()};
    for (size_t i = 0; i < batch->calls_n; i++)
        json_array_append_new(ret_rows->calls, call_row(batch->calls[i]));
    for (size_t i = 0; i < batch->items_n; i++) {
        const struct tl_feed_item *item = &batch->items[i];

        if (item->sequence > 0)
            json_array_append_new(ret_rows->interactions, interaction_row(item));
        else if (item->event->usage)
            json_array_append_new(ret_rows->usage, usage_row(item));
    }
}

void tl_rows_finish(struct tl_rows *rows)
{
    json_decref(rows->calls);
    json_decref(rows->interactions);
    json_decref(rows->usage);
}
