// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/identity"
)

// DedupEntry is one event in the deduplication changelog: 20 bytes, its
// fingerprint and a mark of the data that it was accepted with.
type DedupEntry struct {
	Fingerprint identity.Fingerprint
	Mark        identity.Mark
}

// dedupEntrySize is the packed size of an entry, in bytes.
const dedupEntrySize = 16 + 4

// dedupFormat is the first byte of a packed batch.
const dedupFormat = 1

// DedupKey is the key of the changelog records of one raw partition.
func DedupKey(rawTopic string, partition int32) []byte {
	return []byte(rawTopic + "/" + strconv.Itoa(int(partition)))
}

// DedupRecord packs what one transaction added to the deduplication set of one
// raw partition. The changelog is co-partitioned with the raw topic.
func DedupRecord(dedup, rawTopic string, partition int32, at time.Time, entries []DedupEntry) *kgo.Record {
	value := make([]byte, 0, 1+len(entries)*dedupEntrySize)
	value = append(value, dedupFormat)
	for i := range entries {
		value = append(value, entries[i].Fingerprint[:]...)
		value = append(value, entries[i].Mark[:]...)
	}
	return &kgo.Record{
		Topic:     dedup,
		Partition: partition,
		Key:       DedupKey(rawTopic, partition),
		Value:     value,
		Timestamp: at,
	}
}

// MaxDedupEntries is how many entries fit into a record of maxBytes, with
// headroom for the record batch around it.
func MaxDedupEntries(maxBytes int32) int {
	return max(1, (int(maxBytes)-1024)/dedupEntrySize)
}

// ParseDedup unpacks a changelog record.
func ParseDedup(r *kgo.Record) ([]DedupEntry, error) {
	if len(r.Value) == 0 || r.Value[0] != dedupFormat || (len(r.Value)-1)%dedupEntrySize != 0 {
		return nil, fmt.Errorf("changelog record at %s is not a packed batch of format %d", PositionOf(r), dedupFormat)
	}
	packed := r.Value[1:]
	entries := make([]DedupEntry, len(packed)/dedupEntrySize)
	for i := range entries {
		e := packed[i*dedupEntrySize:]
		copy(entries[i].Fingerprint[:], e)
		copy(entries[i].Mark[:], e[16:])
	}
	return entries, nil
}
