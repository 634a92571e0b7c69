// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Action is what an operator did with a dead letter.
type Action string

// The actions.
const (
	Replayed  Action = "replayed"
	Discarded Action = "discarded"
)

// Resolution says what became of a dead letter. The topic is compacted by dead
// letter id, so the last one counts.
type Resolution struct {
	DeadLetterID string    `json:"dead_letter_id"`
	Action       Action    `json:"action"`
	By           string    `json:"by"`
	At           time.Time `json:"at"`
	Why          string    `json:"why,omitempty"`
	// ReplayID names the replay run; Target is the topic it produced to.
	ReplayID string `json:"replay_id,omitempty"`
	Target   string `json:"target,omitempty"`
}

// Record is the Kafka record of r for the resolutions topic.
func (r *Resolution) Record(resolutions string) (*kgo.Record, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("resolution of %s: %w", r.DeadLetterID, err)
	}
	return &kgo.Record{Topic: resolutions, Key: []byte(r.DeadLetterID), Value: value}, nil
}

// ParseResolution reads a record of the resolutions topic. A tombstone takes a
// resolution back and gives nil.
func ParseResolution(r *kgo.Record) (*Resolution, error) {
	if r.Value == nil {
		return nil, nil
	}
	var res Resolution
	if err := json.Unmarshal(r.Value, &res); err != nil {
		return nil, fmt.Errorf("resolution at %s: %w", PositionOf(r), err)
	}
	if res.DeadLetterID != string(r.Key) {
		return nil, fmt.Errorf("resolution at %s: key %.100q is not its dead letter id", PositionOf(r), r.Key)
	}
	return &res, nil
}
