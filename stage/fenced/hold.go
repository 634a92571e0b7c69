// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// holding is a partition that was held, or held others up, and has not been applied
// since.
type holding struct {
	// hold is nil where it was not held yet.
	hold *kafka.Hold
	// failures in a row.
	failures int
	// until when it is not fetched; zero once it is.
	until time.Time
	// alone says that it shares no transaction, and limit how many records it may
	// have in its own; 0 is as many as any.
	alone bool
	limit int
}

// setAside gives the partitions of h back, and stops fetching them. The others
// stay in the queue.
func (l *Loop) setAside(ctx context.Context, client *kgo.Client, q *queue, h *kafka.Hold) {
	client.PauseFetchPartitions(kafka.ByTopic(h.Partitions))
	waiting := slices.DeleteFunc(slices.Clone(*q), func(b Batch) bool { return !slices.Contains(h.Partitions, b.Partition) })
	q.drop(waiting)
	l.seek(client, waiting)
	until := time.Now().Add(h.For)
	for _, p := range h.Partitions {
		failures := l.holdOne(p, h, until)
		l.cfg.Attempts(Attempt{Partitions: []kafka.Partition{p}, Failures: failures, Next: until, Err: h})
	}
	l.meter.Waiting(progress.Retrying, 0)
	l.status()
	l.cfg.Log.WarnContext(ctx, "partitions wait", "partitions", len(h.Partitions), "seconds", h.For.Seconds(), "reason", h.Reason)
}

// holdOne notes that a partition waits, and returns how often it has done so in
// a row.
func (l *Loop) holdOne(p kafka.Partition, h *kafka.Hold, until time.Time) (failures int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.held[p]
	now.hold, now.until = h, until
	now.failures++
	l.held[p] = now
	return now.failures
}

// release fetches partitions again that have waited long enough. They stay among
// the held until they are applied.
func (l *Loop) release(client *kgo.Client) {
	var over []kafka.Partition
	l.mu.Lock()
	for p, h := range l.held {
		if !h.until.IsZero() && !time.Now().Before(h.until) {
			h.until = time.Time{}
			l.held[p] = h
			over = append(over, p)
		}
	}
	l.mu.Unlock()
	if len(over) > 0 {
		client.ResumeFetchPartitions(kafka.ByTopic(over))
	}
}

// nextPoll is until when a poll may wait for records: the next check, or the next
// partition that has waited long enough.
func (l *Loop) nextPoll() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.nextCheck
	for _, h := range l.held {
		if !h.until.IsZero() && h.until.Before(next) {
			next = h.until
		}
	}
	return next
}

// unhold forgets that partitions were held.
func (l *Loop) unhold(parts []kafka.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range parts {
		delete(l.held, p)
	}
}

// status says whether everything goes on.
func (l *Loop) status() {
	l.mu.Lock()
	held, reason := 0, ""
	for p, h := range l.held {
		if h.hold == nil {
			continue
		}
		held++
		if why := p.String() + ": " + h.hold.Reason; reason == "" || strings.Compare(why, reason) < 0 {
			reason = why // of several always the same
		}
	}
	l.mu.Unlock()
	l.meter.Waiting(progress.Held, held)
	if held > 0 {
		l.cfg.Status(false, kafka.Waiting(held, reason))
		return
	}
	l.cfg.Status(true, "")
}
