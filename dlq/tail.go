// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/stage/kafka"
)

type tailCommand struct {
	filter.Filter `embed:""`
	Topic         string `help:"Read another program's dead letters: Kafka Connect's, Spring Kafka's or Kafka Streams'." placeholder:"NAME"`
	Output        string `short:"o" help:"table, tsv, json (one object a line) or yaml; by default table on a terminal, else tsv." enum:",table,tsv,json,yaml" default:""`
}

// Run writes the dead letters that arrive from now on, or since a time, until
// --until or --to-offset is reached or it is interrupted. Each has the status
// that it had when the command began; what arrives later is open.
func (c *tailCommand) Run(s *session) error {
	if err := s.openTopic(c.Topic); err != nil {
		return err
	}
	resolved, err := s.resolutions()
	if err != nil {
		return err
	}
	end, from, err := c.from(s)
	if err != nil {
		return err
	}
	client, err := s.cfg.NewClient("hookstream-dlq", s.log, from...)
	if err != nil {
		return err
	}
	defer client.Close()
	t := tailing{session: s, filter: &c.Filter, resolved: resolved, list: output.NewList(s.Out, listFormat(s, c.Output), s.Color(), s.Columns)}
	for !end.reached() {
		fetches, err := end.poll(s.ctx, client)
		if s.ctx.Err() != nil {
			return nil // the way it ends
		}
		if err != nil {
			return err
		}
		if err := t.write(fetches, end); err != nil {
			return err
		}
	}
	return nil
}

// tailing is a tail under way.
type tailing struct {
	*session
	filter   *filter.Filter
	resolved *resolutions.Set
	seen     recent
	list     output.List
}

func (t *tailing) write(fetches kgo.Fetches, end *tailEnd) error {
	for _, e := range fetches.Errors() {
		if err := kafka.FetchError(e); err != nil {
			return err
		}
	}
	for _, r := range fetches.Records() {
		end.passed(r)
		if r.Attrs.IsControl() {
			continue
		}
		l, err := letters.Parse(r)
		if err != nil {
			t.notOurs(letters.At(r), err)
			t.warn()
			continue
		}
		if t.seen.before(l.Digest) || !t.filter.Match(l) {
			continue
		}
		view := output.NewLetter(l, output.Status{State: t.resolved.Status(l), Resolution: t.resolved.Get(l)})
		if err := t.list.Write(&view); err != nil {
			return err
		}
	}
	return nil
}

// recent knows the dead letters of late, to leave copies of a failure out. They
// come soon after it: a crash before the commit leaves them, and the restart.
type recent struct{ young, old map[letters.Digest]struct{} }

// maxRecent bounds each of the two halves of recent.
const maxRecent = 50_000

func (r *recent) before(d letters.Digest) bool {
	_, young := r.young[d]
	_, old := r.old[d]
	if r.young == nil || len(r.young) >= maxRecent {
		r.old, r.young = r.young, map[letters.Digest]struct{}{}
	}
	r.young[d] = struct{}{}
	return young || old
}
