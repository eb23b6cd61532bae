-- migrate:up
CREATE TYPE speaker AS ENUM ('UNKNOWN', 'AI', 'CUSTOMER', 'AGENT');

-- History is partitioned by the month in which its call began. All rows of a call lie in one partition,
-- and the key can hold the partition's column without losing its sense: the start of a call never changes.
CREATE TABLE call_interactions (
    call_id uuid NOT NULL,
    call_started_at timestamptz NOT NULL,
    utterance_id uuid NOT NULL,
    sequence integer NOT NULL,
    turn integer NOT NULL,
    leg text NOT NULL,
    speaker speaker NOT NULL,
    text text NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    said_at timestamptz NOT NULL,
    language text NOT NULL,
    interrupted boolean NOT NULL,
    transcript_failed boolean NOT NULL,
    heard_ms bigint,
    item_id text,
    audio_url text,
    entities jsonb NOT NULL,
    metadata jsonb NOT NULL,
    event_id uuid NOT NULL,
    log_offset bigint NOT NULL,
    CONSTRAINT pk_call_interactions PRIMARY KEY (call_id, utterance_id, call_started_at),
    CONSTRAINT fk_call_interactions_calls FOREIGN KEY (call_id) REFERENCES calls (id) ON DELETE CASCADE
) PARTITION BY RANGE (call_started_at);

COMMENT ON TABLE call_interactions IS 'What was said: the finals of a call''s utterances, personal data masked.';
COMMENT ON COLUMN call_interactions.call_started_at IS 'calls.started_at; chooses the partition.';
COMMENT ON COLUMN call_interactions.utterance_id IS 'Shared by the drafts and the final of an utterance.';
COMMENT ON COLUMN call_interactions.sequence IS 'Order in the call''s log, from 1, without gaps.';
COMMENT ON COLUMN call_interactions.turn IS 'Order of the turn in the call, from 1, as the AI service chains its items.';
COMMENT ON COLUMN call_interactions.leg IS 'caller, or agent-n.';
COMMENT ON COLUMN call_interactions.text IS 'What was said; of the AI, what was heard of it.';
COMMENT ON COLUMN call_interactions.start_ms IS 'Milliseconds since the call began.';
COMMENT ON COLUMN call_interactions.end_ms IS 'Milliseconds since the call began.';
COMMENT ON COLUMN call_interactions.said_at IS 'When the event was written.';
COMMENT ON COLUMN call_interactions.language IS 'BCP 47, or empty.';
COMMENT ON COLUMN call_interactions.interrupted IS 'The AI was cut by barge-in.';
COMMENT ON COLUMN call_interactions.transcript_failed IS 'The AI service could not transcribe it.';
COMMENT ON COLUMN call_interactions.heard_ms IS 'Of the AI: milliseconds of it that were played; null when not known.';
COMMENT ON COLUMN call_interactions.item_id IS 'The item of the AI service.';
COMMENT ON COLUMN call_interactions.audio_url IS 'Where its sound is kept, when it is.';
COMMENT ON COLUMN call_interactions.entities IS 'What was masked: [{type, ordinal, confidence, start_ms, end_ms, last4}].';
COMMENT ON COLUMN call_interactions.metadata IS 'Anything else, names and texts.';
COMMENT ON COLUMN call_interactions.event_id IS 'The event in calls.v1.';
COMMENT ON COLUMN call_interactions.log_offset IS 'Its offset; the partition is calls.log_partition.';

CREATE INDEX idx_call_interactions_call_id_sequence ON call_interactions (call_id, sequence);
CREATE INDEX idx_call_interactions_text ON call_interactions USING gin (to_tsvector('simple', text));

CREATE TABLE call_usage (
    call_id uuid NOT NULL,
    call_started_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    used_at timestamptz NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    kind text NOT NULL,
    input_text_tokens bigint NOT NULL,
    input_audio_tokens bigint NOT NULL,
    cached_text_tokens bigint NOT NULL,
    cached_audio_tokens bigint NOT NULL,
    output_text_tokens bigint NOT NULL,
    output_audio_tokens bigint NOT NULL,
    transcription_seconds double precision NOT NULL,
    cost_microusd bigint NOT NULL,
    log_offset bigint NOT NULL,
    CONSTRAINT pk_call_usage PRIMARY KEY (call_id, event_id, call_started_at),
    CONSTRAINT fk_call_usage_calls FOREIGN KEY (call_id) REFERENCES calls (id) ON DELETE CASCADE
) PARTITION BY RANGE (call_started_at);

COMMENT ON TABLE call_usage IS 'Tokens, sound and money that a call took, as the AI service reported them.';
COMMENT ON COLUMN call_usage.call_started_at IS 'calls.started_at; chooses the partition.';
COMMENT ON COLUMN call_usage.event_id IS 'The event in calls.v1.';
COMMENT ON COLUMN call_usage.kind IS 'response, transcription.';
COMMENT ON COLUMN call_usage.input_text_tokens IS 'Cached ones are counted apart; so of audio.';
COMMENT ON COLUMN call_usage.output_audio_tokens IS 'Spoken, heard or not.';
COMMENT ON COLUMN call_usage.transcription_seconds IS 'Sound transcribed, where it is billed so.';
COMMENT ON COLUMN call_usage.cost_microusd IS 'Millionths of a US dollar; 0 when the model has no price.';

CREATE INDEX idx_call_usage_used_at ON call_usage (used_at);

-- Rows of months that have no partition (clocks that were wrong) go here, so that nothing is refused.
CREATE TABLE call_interactions_other PARTITION OF call_interactions DEFAULT;
CREATE TABLE call_usage_other PARTITION OF call_usage DEFAULT;

CREATE FUNCTION create_history_partitions(first_month date, months integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    part text;
    month timestamptz;
    taken boolean;
BEGIN
    -- Several instances of the sink may come at once.
    PERFORM pg_advisory_xact_lock(hashtext('create_history_partitions'));
    FOR i IN 0 .. months - 1 LOOP
        month := (date_trunc('month', first_month::timestamp) + make_interval(months => i))
                 AT TIME ZONE 'UTC';
        FOREACH parent IN ARRAY ARRAY['call_interactions', 'call_usage'] LOOP
            part := parent || to_char(month AT TIME ZONE 'UTC', '"_"YYYY"_"MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            -- A month whose rows lie in the default partition already stays there.
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE call_started_at >= %L AND call_started_at < %L)',
                           parent || '_other', month, month + interval '1 month') INTO taken;
            CONTINUE WHEN taken;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
                           month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION create_history_partitions IS
    'Makes the monthly partitions of call_interactions and call_usage that are missing; the sink "records" calls it at start and daily.';

SELECT create_history_partitions((now() AT TIME ZONE 'UTC')::date - 31, 4);

-- migrate:down
DROP FUNCTION create_history_partitions;
DROP TABLE call_usage;
DROP TABLE call_interactions;
DROP TYPE speaker;
