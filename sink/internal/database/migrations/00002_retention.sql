-- +goose Up

-- What has expired is found by when it was written. Rows are appended in that
-- order, so a summary of each range of blocks is enough and costs almost nothing.
CREATE INDEX ledger_applied_at ON hookstream.ledger USING brin (applied_at);
CREATE INDEX ledger_untimed_applied_at ON hookstream.ledger_untimed USING brin (applied_at);
CREATE INDEX deliveries_seen_at ON hookstream.deliveries USING brin (seen_at);

-- Null in the rows of an older sink.
ALTER TABLE hookstream.deliveries ADD COLUMN published_at timestamptz;
COMMENT ON COLUMN hookstream.deliveries.published_at IS 'When the repeat was written to the topic that the sink read it from.';
COMMENT ON COLUMN hookstream.deliveries.seen_at IS 'When the sink found that the ledger had the event.';
COMMENT ON COLUMN hookstream.ledger.applied_at IS 'When the sink wrote this row, in the transaction that applied the event.';
COMMENT ON COLUMN hookstream.ledger.correlation_id IS 'Given to the webhook by the edge and kept on every record that came of it.';
COMMENT ON COLUMN hookstream.ledger.trace_id IS 'Trace of the record that the sink read, where it was traced.';
