// SPDX-License-Identifier: Apache-2.0

package letters

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

// Stages of other programs' dead letters. They are read, and never replayed: how
// is for those programs to say.
const (
	StageConnect record.Stage = "connect"
	StageSpring  record.Stage = "spring"
	StageStreams record.Stage = "streams"
)

// Other reports whether another program wrote the dead letter.
func (l *Letter) Other() bool {
	return l.Stage == StageConnect || l.Stage == StageSpring || l.Stage == StageStreams
}

// family is how a program says in headers what failed.
type family struct {
	stage  record.Stage
	prefix string
	// topic, partition and offset of the failed record, and what is said of
	// the failure.
	topic, partition, offset, exception, message string
	// binary is set where partition and offset are big-endian integers.
	binary bool
}

var families = []family{
	// KIP-298, errors.deadletterqueue.context.headers.enable.
	{StageConnect, "__connect.errors.", "__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset",
		"__connect.errors.exception.class.name", "__connect.errors.exception.message", false},
	// Spring for Apache Kafka, KafkaHeaders and DeadLetterPublishingRecoverer.
	{StageSpring, "kafka_dlt-", "kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_dlt-original-offset",
		"kafka_dlt-exception-fqcn", "kafka_dlt-exception-message", true},
	// KIP-1034, errors.dead.letter.queue.topic.name.
	{StageStreams, "__streams.errors.", "__streams.errors.topic", "__streams.errors.partition", "__streams.errors.offset",
		"__streams.errors.exception", "__streams.errors.message", false},
}

// parseOther reads a record as Kafka Connect, Spring for Apache Kafka or Kafka
// Streams dead-letter it. Their headers may be null, and some may be missing: Connect
// has no position of what a source gave it. Without the failed record's position it has
// none, and stands for itself.
func parseOther(r *kgo.Record) (*record.DeadLetter, bool) {
	h := header.List(r.Headers)
	for _, f := range families {
		if !slices.ContainsFunc(h, func(h kgo.RecordHeader) bool { return strings.HasPrefix(h.Key, f.prefix) }) {
			continue
		}
		topic, _ := h.Get(f.topic)
		d := &record.DeadLetter{
			Stage: f.stage, Key: r.Key, Value: r.Value, Headers: h, Attempts: 1,
			FirstFailedAt: r.Timestamp.UTC(), LastFailedAt: r.Timestamp.UTC(),
		}
		partition, okPartition := f.integer(h, f.partition)
		offset, okOffset := f.integer(h, f.offset)
		if d.Failed = (record.Position{Topic: topic, Partition: int32(partition), Offset: offset}); topic == "" || !okPartition || !okOffset { //nolint:gosec // checked by integer
			d.Failed = record.PositionOf(r)
		}
		d.Exception, _ = h.Get(f.exception)
		d.Message, _ = h.Get(f.message)
		d.Headers.DeleteFunc(func(name string) bool { return strings.HasPrefix(name, f.prefix) })
		return d, true
	}
	return nil, false
}

// integer reads a position's part: decimal digits, or 4 or 8 bytes.
func (f *family) integer(h header.List, name string) (int64, bool) {
	text, ok := h.Get(name)
	switch {
	case !ok:
		return 0, false
	case f.binary && len(text) == 4:
		n := int64(int32(binary.BigEndian.Uint32([]byte(text)))) //nolint:gosec // Java's int
		return n, n >= 0
	case f.binary && len(text) == 8:
		n := int64(binary.BigEndian.Uint64([]byte(text))) //nolint:gosec // Java's long
		return n, n >= 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if name == f.partition {
		n32, err := strconv.ParseInt(text, 10, 32)
		return n32, err == nil && n32 >= 0
	}
	return n, err == nil && n >= 0
}
