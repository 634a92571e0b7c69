-- +goose Up

-- How far each consumer group has applied, and who may apply next.
CREATE TABLE hookstream.consumer_offsets (
    consumer_group text        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    epoch          bigint      NOT NULL,
    next_offset    bigint      NOT NULL DEFAULT -1,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50); -- every batch updates its row: leave room to do so in place
COMMENT ON TABLE hookstream.consumer_offsets IS 'Kafka offsets of the sink. They move in the transaction that applies the records.';
COMMENT ON COLUMN hookstream.consumer_offsets.epoch IS 'Raised by each consumer that takes the partition over; an older one changes nothing any more.';
COMMENT ON COLUMN hookstream.consumer_offsets.next_offset IS 'First offset that was not applied; -1 where nothing was.';

-- Every event, once. Partitioned by the event's own time, which is the same in
-- every delivery, so that the key catches a repeat however late it is.
CREATE TABLE hookstream.ledger (
    occurred_at        timestamptz NOT NULL,
    fingerprint        bytea       NOT NULL,
    tenant             text        NOT NULL,
    provider           text        NOT NULL,
    event_id           text        NOT NULL,
    event_type         text        NOT NULL,
    entity             text        NOT NULL,
    entity_id          text        NOT NULL,
    business_key       text        NOT NULL,
    outcome            text        NOT NULL,
    deleted            boolean     NOT NULL,
    received_at        timestamptz NOT NULL,
    published_at       timestamptz NOT NULL,
    applied_at         timestamptz NOT NULL DEFAULT now(),
    version_order      bigint      NOT NULL,
    version_generation integer     NOT NULL,
    version_offset     bigint      NOT NULL,
    version_revision   integer     NOT NULL,
    correlation_id     text        NOT NULL,
    trace_id           text,
    raw_topic          text        NOT NULL,
    raw_partition      integer     NOT NULL,
    raw_offset         bigint      NOT NULL,
    event_topic        text        NOT NULL,
    event_partition    integer     NOT NULL,
    event_offset       bigint      NOT NULL,
    replay_count       integer     NOT NULL,
    PRIMARY KEY (occurred_at, fingerprint)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX ledger_entity ON hookstream.ledger (tenant, provider, entity, entity_id);
COMMENT ON TABLE hookstream.ledger IS 'Every event once: what became of it, and where it came from. Read it through the view hookstream.events.';
COMMENT ON COLUMN hookstream.ledger.fingerprint IS 'SHA-256 cut to 128 bits over tenant, provider and event id.';
COMMENT ON COLUMN hookstream.ledger.outcome IS 'applied: written to the row. superseded: a newer event of the entity in the same batch took its place. stale: the row already held a newer version.';
COMMENT ON COLUMN hookstream.ledger.received_at IS 'When the edge received the webhook.';
COMMENT ON COLUMN hookstream.ledger.published_at IS 'When the event was written to the topic that the sink read it from.';
COMMENT ON COLUMN hookstream.ledger.event_offset IS 'With event_topic and event_partition: where the event was first written; a replay keeps it.';

-- For days that have no partition of their own.
CREATE TABLE hookstream.ledger_default PARTITION OF hookstream.ledger DEFAULT;

-- Events whose provider gives no time that is the same in every delivery.
CREATE TABLE hookstream.ledger_untimed (LIKE hookstream.ledger INCLUDING DEFAULTS INCLUDING COMMENTS);
ALTER TABLE hookstream.ledger_untimed
    ALTER COLUMN occurred_at DROP NOT NULL,
    ADD PRIMARY KEY (fingerprint);
CREATE INDEX ledger_untimed_entity ON hookstream.ledger_untimed (tenant, provider, entity, entity_id);
COMMENT ON TABLE hookstream.ledger_untimed IS 'The ledger''s events that have no time of their own.';

CREATE TABLE hookstream.deliveries (
    fingerprint     bytea       NOT NULL,
    tenant          text        NOT NULL,
    provider        text        NOT NULL,
    event_id        text        NOT NULL,
    event_type      text        NOT NULL,
    received_at     timestamptz NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    correlation_id  text        NOT NULL,
    trace_id        text,
    raw_topic       text        NOT NULL,
    raw_partition   integer     NOT NULL,
    raw_offset      bigint      NOT NULL,
    event_topic     text        NOT NULL,
    event_partition integer     NOT NULL,
    event_offset    bigint      NOT NULL,
    replay_count    integer     NOT NULL
);
CREATE INDEX deliveries_fingerprint ON hookstream.deliveries (fingerprint);
COMMENT ON TABLE hookstream.deliveries IS 'Repeats of events that the ledger already had. They changed nothing.';

CREATE VIEW hookstream.events AS
SELECT encode(fingerprint, 'hex') AS fingerprint, tenant, provider, event_id, event_type, entity, entity_id, business_key, outcome, deleted,
       occurred_at, received_at, published_at, applied_at,
       version_order, version_generation, version_offset, version_revision,
       correlation_id, trace_id, raw_topic, raw_partition, raw_offset,
       event_topic, event_partition, event_offset, replay_count
FROM hookstream.ledger
UNION ALL
SELECT encode(fingerprint, 'hex'), tenant, provider, event_id, event_type, entity, entity_id, business_key, outcome, deleted,
       occurred_at, received_at, published_at, applied_at,
       version_order, version_generation, version_offset, version_revision,
       correlation_id, trace_id, raw_topic, raw_partition, raw_offset,
       event_topic, event_partition, event_offset, replay_count
FROM hookstream.ledger_untimed;
COMMENT ON VIEW hookstream.events IS 'Every event once, with or without a time of its own: what became of it, and where it came from.';
