-- migrate:up
CREATE TYPE call_state AS ENUM
    ('UNKNOWN', 'INITIATED', 'RINGING', 'IN_PROGRESS', 'ESCALATED', 'COMPLETED', 'FAILED');
CREATE TYPE call_direction AS ENUM ('UNKNOWN', 'INBOUND', 'OUTBOUND');

CREATE TABLE calls (
    id uuid CONSTRAINT pk_calls PRIMARY KEY,
    call_sid text,
    business_id text,
    business_version integer,
    direction call_direction NOT NULL DEFAULT 'UNKNOWN',
    from_number text,
    to_number text,
    state call_state NOT NULL DEFAULT 'UNKNOWN',
    reason text,
    answered_by text,
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_s integer,
    closed_at timestamptz,
    utterances integer NOT NULL DEFAULT 0,
    utterances_ai integer NOT NULL DEFAULT 0,
    utterances_customer integer NOT NULL DEFAULT 0,
    utterances_agent integer NOT NULL DEFAULT 0,
    cost_microusd bigint NOT NULL DEFAULT 0,
    log_partition integer NOT NULL,
    log_offset bigint NOT NULL,
    fold jsonb,
    updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE calls IS 'One row a call, written by the sink "records" from calls.v1.';
COMMENT ON COLUMN calls.id IS 'Call id: UUIDv5 of the CallSid when it came in.';
COMMENT ON COLUMN calls.call_sid IS 'The telephone network''s id: CA and 32 hexadecimal digits.';
COMMENT ON COLUMN calls.business_id IS 'Whose call it is.';
COMMENT ON COLUMN calls.business_version IS 'Version of the business configuration in use, the newest that the log named.';
COMMENT ON COLUMN calls.direction IS 'Who placed the call.';
COMMENT ON COLUMN calls.from_number IS 'E.164, or a word such as anonymous.';
COMMENT ON COLUMN calls.to_number IS 'E.164.';
COMMENT ON COLUMN calls.state IS 'Never goes back; COMPLETED and FAILED are final.';
COMMENT ON COLUMN calls.reason IS 'Why the call got into its state, where a source said so.';
COMMENT ON COLUMN calls.answered_by IS 'human, machine_start and so on.';
COMMENT ON COLUMN calls.started_at IS 'When the call began. Never changes once set: the partitions of its history are chosen by it.';
COMMENT ON COLUMN calls.answered_at IS 'First time in progress.';
COMMENT ON COLUMN calls.ended_at IS 'First final state.';
COMMENT ON COLUMN calls.duration_s IS 'Seconds, as the telephone network counts them.';
COMMENT ON COLUMN calls.closed_at IS 'The last event of the call was read; nothing is added behind it.';
COMMENT ON COLUMN calls.utterances IS 'Rows in call_interactions; utterances_* by speaker.';
COMMENT ON COLUMN calls.cost_microusd IS 'Sum of call_usage.cost_microusd, millionths of a US dollar.';
COMMENT ON COLUMN calls.log_partition IS 'Partition of calls.v1 where the call stands.';
COMMENT ON COLUMN calls.log_offset IS 'Offset in calls.v1 of the last event that changed this row.';
COMMENT ON COLUMN calls.fold IS 'What the sink must know to go on reading: claims, intents, recent event ids. Null when closed.';
COMMENT ON COLUMN calls.updated_at IS 'When the row was written last.';

-- Query paths of the list of calls: by time, within a business, by state, by number; sorted by start
-- or by duration, both ways. id makes every order total, so that pages do not overlap.
CREATE INDEX idx_calls_started_at_id ON calls (started_at, id);
CREATE INDEX idx_calls_business_id_started_at ON calls (business_id, started_at, id);
CREATE INDEX idx_calls_business_id_duration_s ON calls (business_id, duration_s, id);
CREATE INDEX idx_calls_duration_s_id ON calls (duration_s, id);
CREATE INDEX idx_calls_state_started_at ON calls (state, started_at, id);
CREATE INDEX idx_calls_direction_started_at ON calls (direction, started_at, id);
CREATE INDEX idx_calls_from_number_started_at ON calls (from_number, started_at);
CREATE INDEX idx_calls_to_number_started_at ON calls (to_number, started_at);
CREATE INDEX idx_calls_call_sid ON calls (call_sid);
CREATE INDEX idx_calls_open ON calls (started_at) WHERE closed_at IS NULL;

-- migrate:down
DROP TABLE calls;
DROP TYPE call_direction;
DROP TYPE call_state;
