// SPDX-License-Identifier: Apache-2.0

package topic

import (
	"strconv"
	"time"
)

// Spec is what a topic must look like on the broker.
type Spec struct {
	Name       string
	Partitions int32
	// Config holds the topic configurations that correctness depends on.
	// They are set when the topic is created and checked when it exists.
	Config map[string]string
}

// Sizing is the part of a topic's shape that an operator chooses.
type Sizing struct {
	// Partitions of every partitioned topic. Raw, dedup and held are
	// co-partitioned, so they share it.
	Partitions int32
	// MaxMessageBytes bounds one record batch (max.message.bytes).
	MaxMessageBytes int32
	// Retention of raw webhooks and events: it must outlive the longest
	// restore of the database, which re-reads from its own offsets.
	Retention time.Duration
	// DedupWindow is how long a repeated delivery is recognized.
	DedupWindow time.Duration
}

// DedupSlack is kept beyond the window, because whole buckets expire at once
// and a restore must find every bucket that is still alive.
const DedupSlack = 24 * time.Hour

// Pipeline lists every topic for the given entities.
func (n Names) Pipeline(entities []string, s Sizing) []Spec {
	specs := []Spec{
		n.keep(n.Raw, s, s.Retention),
		n.keep(n.Dedup, s, s.DedupWindow+DedupSlack),
		n.compact(n.Held, s),
		n.keep(n.DeadLetters, s, -1),
		n.compact(n.Resolutions, s),
		n.keep(n.SinkReplay, s, s.Retention),
	}
	for _, e := range entities {
		specs = append(specs, n.keep(n.Events(e), s, s.Retention))
	}
	return specs
}

// keep is a topic whose records are deleted by age; a negative retention
// keeps them for ever.
func (n Names) keep(name string, s Sizing, retention time.Duration) Spec {
	ms := int64(-1)
	if retention >= 0 {
		ms = retention.Milliseconds()
	}
	return Spec{Name: name, Partitions: s.Partitions, Config: map[string]string{
		"cleanup.policy":    "delete",
		"retention.ms":      strconv.FormatInt(ms, 10),
		"max.message.bytes": strconv.Itoa(int(s.MaxMessageBytes)),
	}}
}

func (n Names) compact(name string, s Sizing) Spec {
	return Spec{Name: name, Partitions: s.Partitions, Config: map[string]string{
		"cleanup.policy":    "compact",
		"max.message.bytes": strconv.Itoa(int(s.MaxMessageBytes)),
	}}
}
