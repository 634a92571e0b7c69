-- +goose Up

-- Null in the rows of an older sink, and where Kafka gives topics no ids.
ALTER TABLE hookstream.consumer_offsets ADD COLUMN topic_id text;
COMMENT ON COLUMN hookstream.consumer_offsets.topic_id IS 'Kafka id of the topic that the offset is of: another topic of the same name has another.';
