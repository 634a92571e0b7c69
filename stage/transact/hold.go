// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"time"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// held are the partitions that wait, and until when.
type held map[kafka.Partition]time.Time

// hold stops fetching the partitions of h.
func (s *session) hold(ctx context.Context, h *kafka.Hold) {
	until := time.Now().Add(h.For)
	for _, p := range h.Partitions {
		s.held[p] = until
	}
	s.client.Client().PauseFetchPartitions(kafka.ByTopic(h.Partitions))
	s.reason = h.Reason
	s.status()
	s.cfg.Log.WarnContext(ctx, "partitions wait", "partitions", len(h.Partitions), "seconds", h.For.Seconds(), "reason", h.Reason)
}

// release fetches partitions again whose time is over, and forgets those that
// belong to others now.
func (s *session) release() {
	var over []kafka.Partition
	for p, until := range s.held {
		_, ours := s.owned.parts[p]
		if !ours || !time.Now().Before(until) {
			delete(s.held, p)
			over = append(over, p)
		}
	}
	if len(over) > 0 {
		s.meter.Waiting(progress.Held, len(s.held))
		s.client.Client().ResumeFetchPartitions(kafka.ByTopic(over))
	}
}

// pollContext ends with ctx, at the next change of the assignment, when the first
// partition has waited long enough, and when work is due.
func (s *session) pollContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = s.changes.pollContext(ctx)
	first := s.work.due()
	for _, until := range s.held {
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	if first.IsZero() {
		return ctx, func() {}
	}
	// The client polls nothing with a context that is over.
	if soonest := time.Now().Add(leastPoll); first.Before(soonest) {
		first = soonest
	}
	return context.WithDeadline(ctx, first)
}

// leastPoll is how long a poll may take at least, whatever is due: records go on while
// there is work without end.
const leastPoll = 5 * time.Millisecond

// status says whether everything goes on.
func (s *session) status() {
	s.meter.Waiting(progress.Held, len(s.held))
	if len(s.held) > 0 {
		s.cfg.Status(false, kafka.Waiting(len(s.held), s.reason))
		return
	}
	s.cfg.Status(true, "")
}
