// SPDX-License-Identifier: Apache-2.0

package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// partitioner hashes keys as Kafka's Java client does (murmur2), so that every
// producer of a key agrees on its partition, and leaves the partition of the
// deduplication changelog to the caller: it is co-partitioned with the raw
// topic and its key is not the raw record's.
func partitioner(dedup string) kgo.Partitioner {
	return byTopic{manual: dedup, keyed: kgo.StickyKeyPartitioner(nil), explicit: kgo.ManualPartitioner()}
}

type byTopic struct {
	manual          string
	keyed, explicit kgo.Partitioner
}

// ForTopic implements kgo.Partitioner.
func (p byTopic) ForTopic(topic string) kgo.TopicPartitioner {
	if topic == p.manual {
		return p.explicit.ForTopic(topic)
	}
	return p.keyed.ForTopic(topic)
}
