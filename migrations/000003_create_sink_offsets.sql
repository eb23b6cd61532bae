-- migrate:up
CREATE TABLE sink_offsets (
    cluster text NOT NULL,
    sink text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_sink_offsets PRIMARY KEY (cluster, sink, topic, partition)
) WITH (fillfactor = 50); -- one row is updated for ever: room for heap-only updates

COMMENT ON TABLE sink_offsets IS 'How far a sink has read. Moves in the same transaction as the rows, by compare and set.';
COMMENT ON COLUMN sink_offsets.cluster IS 'Id of the Kafka cluster: another one has other offsets.';
COMMENT ON COLUMN sink_offsets.sink IS 'records and so on.';
COMMENT ON COLUMN sink_offsets.topic IS 'Whole name, with prefix.';
COMMENT ON COLUMN sink_offsets.next IS 'First offset that is not in the tables; -1: from the beginning of the log.';

-- migrate:down
DROP TABLE sink_offsets;
