// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/topic"
)

// partitioner hashes keys as Kafka's Java client does (murmur2), so that every
// producer of a key agrees on its partition, and leaves the partitions of the
// deduplication changelog and of held records to the caller: they are
// co-partitioned with the raw topic and their keys are not the raw record's.
//
// Keys go to the first partitions only, as many as are configured, whatever the
// topic has meanwhile: partitions that are added to a topic in use would
// otherwise take over keys whose earlier records, and whose deduplication, are
// in another one.
func partitioner(names *topic.Names, partitions int32) kgo.Partitioner {
	return byTopic{manual: []string{names.Dedup, names.Held}, partitions: int(partitions), keyed: kgo.StickyKeyPartitioner(nil), explicit: kgo.ManualPartitioner()}
}

type byTopic struct {
	manual          []string
	partitions      int
	keyed, explicit kgo.Partitioner
}

// ForTopic implements kgo.Partitioner.
func (p byTopic) ForTopic(topic string) kgo.TopicPartitioner {
	if slices.Contains(p.manual, topic) {
		return p.explicit.ForTopic(topic)
	}
	return first{p.keyed.ForTopic(topic), p.partitions}
}

// first keeps to the first partitions of a topic; 0 is all of them.
type first struct {
	kgo.TopicPartitioner
	partitions int
}

// Partition implements kgo.TopicPartitioner.
func (f first) Partition(r *kgo.Record, n int) int {
	if f.partitions > 0 {
		n = min(n, f.partitions)
	}
	return f.TopicPartitioner.Partition(r, n)
}

// PartitionOf is the partition of a keyed topic of n partitions that Hookstream's
// producers write a key to.
func (c *Config) PartitionOf(topic string, key []byte, n int32) int32 {
	p := partitioner(&c.Topics, c.Partitions).ForTopic(topic).Partition(&kgo.Record{Topic: topic, Key: key}, int(n))
	return int32(p) //nolint:gosec // below n
}
