// SPDX-License-Identifier: Apache-2.0

// Package status finds out how far the sink is, wherever it runs: from the
// offsets in the database, from Kafka, and from the instances' admin listeners.
package status

import (
	"encoding/json"
	"time"

	"github.com/hookstream/hookstream/sink/internal/attempts"
)

// Known is a value, or that nobody could tell. As JSON it is the value or the
// text "unknown".
type Known[T any] struct {
	Value T
	OK    bool
}

func known[T any](v T) Known[T] { return Known[T]{v, true} }

const unknown = "unknown"

// MarshalJSON implements json.Marshaler.
func (k Known[T]) MarshalJSON() ([]byte, error) {
	if !k.OK {
		return json.Marshal(unknown)
	}
	return json.Marshal(k.Value)
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Known[T]) UnmarshalJSON(text []byte) error {
	*k = Known[T]{}
	if string(text) == `"`+unknown+`"` {
		return nil
	}
	k.OK = true
	return json.Unmarshal(text, &k.Value)
}

// Report is the state of a consumer group. Names are a contract with scripts:
// add to them, never change one.
type Report struct {
	At    time.Time `json:"at"`
	Group string    `json:"group"`
	// Problems say what could not be asked, and so why something is unknown.
	Problems   []string    `json:"problems"`
	Partitions []Partition `json:"partitions"`
	Instances  []Instance  `json:"instances"`
}

// Partition of a topic that the sink reads. A null says that there is none.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// DatabaseOffset is the first offset that is not applied: null before the
	// first record is.
	DatabaseOffset Known[*int64] `json:"database_offset"`
	// KafkaOffset is what Kafka was told, for lag tools; the sink itself goes
	// by the database.
	KafkaOffset Known[*int64] `json:"kafka_offset"`
	// EndOffset is the first offset that cannot be read yet.
	EndOffset Known[int64] `json:"end_offset"`
	// Lag in offsets; 0 where nothing is left but transaction markers.
	Lag Known[int64] `json:"lag"`
	// OldestUnapplied is the time of the record that is next.
	OldestUnapplied Known[*time.Time] `json:"oldest_unapplied"`
	// Epoch counts the owners so far; AppliedAt is when the offset moved.
	Epoch     Known[*int64]     `json:"epoch"`
	AppliedAt Known[*time.Time] `json:"applied_at"`
	// Owner is the group's member that has the partition.
	Owner Known[*string] `json:"owner"`
	// Retry is set while the owner tries records again.
	Retry Known[*attempts.Retry] `json:"retry"`
}

// Instance is a running sink.
type Instance struct {
	Address string `json:"address"`
	// State is unknown where the instance's admin listener did not answer;
	// Error then says why.
	State Known[attempts.State] `json:"state"`
	Error string                `json:"error,omitempty"`
}

// Complete reports whether everything could be found out.
func (r *Report) Complete() bool {
	for i := range r.Partitions {
		p := &r.Partitions[i]
		known := p.DatabaseOffset.OK && p.KafkaOffset.OK && p.Lag.OK && p.OldestUnapplied.OK && p.Owner.OK && p.Retry.OK
		if !known {
			return false
		}
	}
	return len(r.Problems) == 0
}
