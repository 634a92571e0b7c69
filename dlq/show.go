// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/redact"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
)

type showCommand struct {
	ID        string `arg:"" help:"ID of the dead letter, as dlq list prints it."`
	NoPayload bool   `help:"Leave the payload out."`
	Redact    bool   `help:"Show the payload's structure without its values, and the request's headers without theirs."`
	Topic     string `help:"Read another program's dead letters: Kafka Connect's, Spring Kafka's or Kafka Streams'." placeholder:"NAME"`
	Output    string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`
}

// Run shows.
func (c *showCommand) Run(s *session) error {
	if err := s.openTopic(c.Topic); err != nil {
		return err
	}
	kinds := similar{}
	var found *letters.Letter
	var status output.Status
	all := scan{status: statusAll, match: func(*letters.Letter) bool { return true }, outcomesOf: []string{c.ID}}
	err := s.scan(all, func(l *letters.Letter, of output.Status) error {
		if l.ID == c.ID {
			found, status = l, of
		} else {
			kinds.add(l, of.State)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		s.warn()
		return s.noSuch(c.ID)
	}
	if r := status.Resolution; r != nil && r.Edit != nil && r.Edit.Diff == resolutions.LeftOut {
		if status.Resolution, err = resolutions.Last(s.ctx, s.cfg, s.log, c.ID); err != nil {
			return err
		}
	}
	would := c.replay(s, found, &status)
	same, size := kinds.of(found), len(found.Value)
	if c.Redact {
		found, status.Resolution = redact.Letter(found), redact.Resolution(status.Resolution)
	}
	full := output.NewFull(found, status, would, same, !c.NoPayload)
	full.PayloadBytes = size // also where the payload is redacted
	if c.Output == "table" {
		return output.Show(s.Out, &full)
	}
	return output.Object(s.Out, c.Output, full)
}

// replay says what a replay would do.
func (c *showCommand) replay(s *session, l *letters.Letter, status *output.Status) string {
	if status.Unreadable != "" {
		return "would be refused: " + status.Unreadable
	}
	if status.State != resolutions.Open {
		return "would be refused: it is " + status.State
	}
	job := action.Job{
		Kafka: s.cfg, Log: slog.New(slog.DiscardHandler), Action: record.Replayed,
		MaxReplays: defaultMaxReplays, TopicExists: s.topics.Has,
	}
	r, refusal := job.Verdict(l)
	if refusal != "" {
		return "would be refused: " + refusal
	}
	return fmt.Sprintf("would go to %s, as replay %d", r.Topic, l.ReplayCount()+1)
}

// maxKinds bounds the fingerprints that are counted while the one that is asked
// for is not found yet.
const maxKinds = 10_000

// similar counts dead letters by fingerprint.
type similar map[string]*kind

// kind is the dead letters of one fingerprint.
type kind struct {
	count, open int
	// newest are a few, the newest first.
	newest []failed
}

type failed struct {
	id string
	at time.Time
}

// examples is how many IDs are named.
const examples = 3

func (k similar) add(l *letters.Letter, status string) {
	f := l.Fingerprint()
	n := k[f]
	if n == nil {
		if len(k) >= maxKinds {
			return
		}
		n = &kind{}
		k[f] = n
	}
	n.count++
	if status == resolutions.Open {
		n.open++
	}
	n.newest = append(n.newest, failed{l.ID, l.LastFailedAt})
	slices.SortFunc(n.newest, func(a, b failed) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.id, b.id))
	})
	n.newest = n.newest[:min(len(n.newest), examples)]
}

func (k similar) of(l *letters.Letter) output.Similar {
	same := output.Similar{Newest: []string{}}
	if n := k[l.Fingerprint()]; n != nil {
		same.Count, same.Open = n.count, n.open
		for _, f := range n.newest {
			same.Newest = append(same.Newest, f.id)
		}
	}
	return same
}
