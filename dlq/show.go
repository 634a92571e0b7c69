// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
)

type showCommand struct {
	ID        string `arg:"" help:"ID of the dead letter, as dlq list prints it."`
	NoPayload bool   `help:"Leave the payload out."`
	Output    string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

var errFound = errors.New("found")

// Run shows.
func (c *showCommand) Run(s *session) error {
	if err := s.open(); err != nil {
		return err
	}
	resolved, err := resolutions.Read(s.ctx, s.cfg, s.log)
	if err != nil {
		return err
	}
	var found *letters.Letter
	progress, looked := s.Progress(), 0
	err = letters.Read(s.ctx, s.cfg, s.log, nil, s.notOurs, func(l *letters.Letter) error {
		looked++
		progress.Show("%s dead letters read", output.Number(looked))
		if l.ID != c.ID {
			return nil
		}
		found = l
		return errFound
	})
	progress.End()
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	if found == nil {
		s.warn()
		fmt.Fprintf(s.Err, "dlq: no dead letter has the ID %s; dlq list --status all --limit 0 has every ID\n", output.Clean(c.ID))
		return errPartial
	}
	full := output.NewFull(found, resolved, c.replay(s, found, resolved), !c.NoPayload)
	if c.Output == "json" {
		return output.JSON(s.Out, full, true)
	}
	return output.Show(s.Out, &full)
}

// replay says what a replay would do.
func (c *showCommand) replay(s *session, l *letters.Letter, resolved *resolutions.Set) string {
	if status := resolved.Status(l.ID); status != resolutions.Open {
		return "would be refused: it is " + status
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
