// SPDX-License-Identifier: Apache-2.0

// Package attempts shows what the sink is trying again: in metrics, and on its
// admin listener for sink status. It is kept in memory, because the database is
// the first thing that a sink in trouble cannot write to.
package attempts

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Path is where the admin listener serves a State.
const Path = "/attempts"

// Retry is a partition whose records are tried again.
type Retry struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Attempts that failed in a row.
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since"`
	// NextAttempt is when it is tried again, zero where that is not known.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	Reason      string    `json:"reason"`
}

// Failure is the last one, which may be over.
type Failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// State is what one instance says.
type State struct {
	// Member is the consumer group's name for it, empty while it is no member.
	Member    string   `json:"member"`
	Retrying  []Retry  `json:"retrying"`
	LastError *Failure `json:"last_error"`
}

// Board notes attempts. It holds at most one Retry a partition.
type Board struct {
	mu       sync.Mutex
	retrying map[kafka.Partition]Retry
	last     *Failure
	member   func() string
}

// NewBoard makes an empty Board and its metric.
func NewBoard() (*Board, error) {
	b := &Board{retrying: map[kafka.Partition]Retry{}, member: func() string { return "" }}
	_, err := otel.Meter("github.com/hookstream/hookstream/sink").Int64ObservableGauge("hookstream.sink.attempts",
		metric.WithDescription("Failed attempts in a row, of partitions that are being tried again."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, r := range b.State().Retrying {
				o.Observe(int64(r.Attempts), metric.WithAttributes(attribute.String("topic", r.Topic), attribute.Int("partition", int(r.Partition))))
			}
			return nil
		}))
	return b, err
}

// Note takes a as the last that is known of its partitions.
func (b *Board) Note(a fenced.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, p := range a.Partitions {
		old, again := b.retrying[p]
		if a.Err == nil {
			delete(b.retrying, p)
			continue
		}
		r := Retry{Topic: p.Topic, Partition: p.Partition, Attempts: a.Failures, Since: now, NextAttempt: a.Next, Reason: a.Err.Error()}
		if again {
			r.Since = old.Since
		}
		b.retrying[p] = r
	}
	if a.Err != nil {
		b.last = &Failure{now, a.Err.Error()}
	}
}

// Of says whose attempts they are: by what id the consumer group knows the loop.
func (b *Board) Of(member func() string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.member = member
}

// State is a copy of what is known now, by topic and partition.
func (b *Board) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{Member: b.member(), Retrying: make([]Retry, 0, len(b.retrying)), LastError: b.last}
	for _, r := range b.retrying {
		s.Retrying = append(s.Retrying, r)
	}
	slices.SortFunc(s.Retrying, func(x, y Retry) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return s
}

// ServeHTTP writes the State as JSON.
func (b *Board) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b.State()) // the client has gone; nobody is left to tell
}
