-- +goose Up

-- Null in the rows of an older sink.
ALTER TABLE hookstream.ledger ADD COLUMN transaction_id text, ADD COLUMN attempt integer;
ALTER TABLE hookstream.ledger_untimed ADD COLUMN transaction_id text, ADD COLUMN attempt integer;
ALTER TABLE hookstream.deliveries ADD COLUMN transaction_id text, ADD COLUMN attempt integer;
COMMENT ON COLUMN hookstream.ledger.transaction_id IS 'Kafka transaction in which transform wrote the event, as in its logs and spans.';
COMMENT ON COLUMN hookstream.ledger.attempt IS 'Which attempt of the sink at its batch wrote this row, from 1.';

CREATE OR REPLACE VIEW hookstream.events AS
SELECT encode(fingerprint, 'hex') AS fingerprint, tenant, provider, event_id, event_type, entity, entity_id, business_key, outcome, deleted,
       occurred_at, received_at, published_at, applied_at,
       version_order, version_generation, version_offset, version_revision,
       correlation_id, trace_id, raw_topic, raw_partition, raw_offset,
       event_topic, event_partition, event_offset, replay_count, transaction_id, attempt
FROM hookstream.ledger
UNION ALL
SELECT encode(fingerprint, 'hex'), tenant, provider, event_id, event_type, entity, entity_id, business_key, outcome, deleted,
       occurred_at, received_at, published_at, applied_at,
       version_order, version_generation, version_offset, version_revision,
       correlation_id, trace_id, raw_topic, raw_partition, raw_offset,
       event_topic, event_partition, event_offset, replay_count, transaction_id, attempt
FROM hookstream.ledger_untimed;
