/* The statements of records: see sql.h. Rows come as one JSON parameter a table, times in ms. */
#include "sinks/records/sql.h"

/* clang-format off: the lines are SQL's */
const char tl_sql_insert_positions[] =
    "INSERT INTO sink_offsets (cluster, sink, topic, partition, next)"
    " SELECT $1, 'records', $2, p, -1 FROM unnest($3::int[]) AS p ON CONFLICT DO NOTHING";

const char tl_sql_select_positions[] =
    "SELECT partition, next FROM sink_offsets"
    " WHERE cluster = $1 AND sink = 'records' AND topic = $2 AND partition = ANY ($3::int[])";

const char tl_sql_move_positions[] =
    "UPDATE sink_offsets AS o SET next = x.next, moved_at = now()"
    " FROM jsonb_to_recordset($3::jsonb) AS x (partition int, expected bigint, next bigint)"
    " WHERE o.cluster = $1 AND o.sink = 'records' AND o.topic = $2"
    " AND o.partition = x.partition AND o.next = x.expected";

const char tl_sql_select_calls[] =
    "SELECT id, closed_at IS NOT NULL, fold FROM calls WHERE id = ANY ($1::uuid[])";

#define AT(name) " CASE WHEN x." name " > 0 THEN to_timestamp(x." name " / 1000.0) END"

const char
    tl_sql_upsert_calls
        [] = "INSERT INTO calls (id, call_sid, business_id, business_version, direction, "
             "from_number,"
             " to_number, state, reason, answered_by, started_at, answered_at, ended_at, closed_at,"
             " duration_s, utterances, utterances_ai, utterances_customer, utterances_agent,"
             " cost_microusd, log_partition, log_offset, fold)"
             " SELECT x.id, nullif(x.call_sid, ''), nullif(x.business_id, ''),"
             " nullif(x.business_version, 0), x.direction, nullif(x.from_number, ''),"
             " nullif(x.to_number, ''), x.state, nullif(x.reason, ''), nullif(x.answered_by, "
             "'')," AT("started_ms") "," AT("answered_ms") "," AT("ended_ms") "," AT(
                 "closed_ms") ","
                              " nullif(x.duration_s, -1), x.utterances, x.utterances_ai, "
                              "x.utterances_customer,"
                              " x.utterances_agent, x.cost_microusd, x.log_partition, x.log_offset,"
                              " nullif(x.fold, 'null'::jsonb)"
                              " FROM jsonb_to_recordset($1::jsonb) AS x (id uuid, call_sid text, "
                              "business_id text,"
                              " business_version int, direction call_direction, from_number text, "
                              "to_number text,"
                              " state call_state, reason text, answered_by text, started_ms "
                              "bigint, answered_ms bigint,"
                              " ended_ms bigint, closed_ms bigint, duration_s int, utterances int, "
                              "utterances_ai int,"
                              " utterances_customer int, utterances_agent int, cost_microusd "
                              "bigint, log_partition int,"
                              " log_offset bigint, fold jsonb)"
                              " ON CONFLICT (id) DO UPDATE SET call_sid = EXCLUDED.call_sid,"
                              " business_id = EXCLUDED.business_id, business_version = "
                              "EXCLUDED.business_version,"
                              " direction = EXCLUDED.direction, from_number = EXCLUDED.from_number,"
                              " to_number = EXCLUDED.to_number, state = EXCLUDED.state, reason = "
                              "EXCLUDED.reason,"
                              " answered_by = EXCLUDED.answered_by, answered_at = "
                              "EXCLUDED.answered_at,"
                              " ended_at = EXCLUDED.ended_at, closed_at = EXCLUDED.closed_at,"
                              " duration_s = EXCLUDED.duration_s, utterances = EXCLUDED.utterances,"
                              " utterances_ai = EXCLUDED.utterances_ai,"
                              " utterances_customer = EXCLUDED.utterances_customer,"
                              " utterances_agent = EXCLUDED.utterances_agent, cost_microusd = "
                              "EXCLUDED.cost_microusd,"
                              " log_partition = EXCLUDED.log_partition, log_offset = "
                              "EXCLUDED.log_offset,"
                              " fold = EXCLUDED.fold, updated_at = now()";

const char tl_sql_insert_interactions[] =
    "INSERT INTO call_interactions (call_id, call_started_at, utterance_id, sequence, turn, leg,"
    " speaker, text, start_ms, end_ms, said_at, language, interrupted, transcript_failed,"
    " heard_ms, item_id, audio_url, entities, metadata, event_id, log_offset)"
    " SELECT x.call_id, to_timestamp(x.call_started_ms / 1000.0), x.utterance_id, x.sequence,"
    " x.turn, x.leg, x.speaker, x.text, x.start_ms, x.end_ms, to_timestamp(x.at_ms / 1000.0),"
    " x.language, x.interrupted, x.transcript_failed, nullif(x.heard_ms, -1),"
    " nullif(x.item_id, ''), nullif(x.audio_url, ''), x.entities, x.metadata, x.event_id,"
    " x.log_offset"
    " FROM jsonb_to_recordset($1::jsonb) AS x (call_id uuid, call_started_ms bigint,"
    " utterance_id uuid, sequence int, turn int, leg text, speaker speaker, text text,"
    " start_ms bigint, end_ms bigint, at_ms bigint, language text, interrupted boolean,"
    " transcript_failed boolean, heard_ms bigint, item_id text, audio_url text, entities jsonb,"
    " metadata jsonb, event_id uuid, log_offset bigint)"
    " ON CONFLICT DO NOTHING";

const char tl_sql_insert_usage[] =
    "INSERT INTO call_usage (call_id, call_started_at, event_id, used_at, provider, model, kind,"
    " input_text_tokens, input_audio_tokens, cached_text_tokens, cached_audio_tokens,"
    " output_text_tokens, output_audio_tokens, transcription_seconds, cost_microusd, log_offset)"
    " SELECT x.call_id, to_timestamp(x.call_started_ms / 1000.0), x.event_id,"
    " to_timestamp(x.at_ms / 1000.0), x.provider, x.model, x.kind, x.input_text_tokens,"
    " x.input_audio_tokens, x.cached_text_tokens, x.cached_audio_tokens, x.output_text_tokens,"
    " x.output_audio_tokens, x.transcription_seconds, x.cost_microusd, x.log_offset"
    " FROM jsonb_to_recordset($1::jsonb) AS x (call_id uuid, call_started_ms bigint,"
    " event_id uuid, at_ms bigint, provider text, model text, kind text,"
    " input_text_tokens bigint, input_audio_tokens bigint, cached_text_tokens bigint,"
    " cached_audio_tokens bigint, output_text_tokens bigint, output_audio_tokens bigint,"
    " transcription_seconds double precision, cost_microusd bigint, log_offset bigint)"
    " ON CONFLICT DO NOTHING";
/* clang-format on */
