// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"fmt"
	"time"
)

// Hold is an error about a batch of which some partitions must not go on for now,
// while the others may. Nothing came of the batch. The partitions are not fetched
// for a while, and then they are tried again.
type Hold struct {
	Partitions []Partition
	For        time.Duration
	// Reason is for the operator.
	Reason string
}

// Error is the reason and the number of partitions that wait.
func (h *Hold) Error() string { return Waiting(len(h.Partitions), h.Reason) }

// ErrorType is its name in traces.
func (h *Hold) ErrorType() string { return "held" }

// Waiting says how many partitions wait, and why.
func Waiting(partitions int, reason string) string {
	return fmt.Sprintf("%d partitions wait: %s", partitions, reason)
}

// ByTopic groups partitions as clients want them.
func ByTopic(parts []Partition) map[string][]int32 {
	m := map[string][]int32{}
	for _, p := range parts {
		m[p.Topic] = append(m[p.Topic], p.Partition)
	}
	return m
}
