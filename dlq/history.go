// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"

	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
)

type historyCommand struct {
	ID     string      `arg:"" optional:"" help:"Only what was done with this dead letter."`
	By     string      `help:"Only what this operator did." placeholder:"NAME"`
	Since  filter.When `help:"Only what was done at or after: RFC 3339, a date, or an age such as 90m." placeholder:"TIME"`
	Limit  int         `help:"Show at most the newest N runs; 0 is all." default:"50" placeholder:"N"`
	Output string      `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`
}

// Validate checks the flags.
func (c *historyCommand) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", c.Limit)
	}
	return nil
}

// Run tells who did what, when, to which.
func (c *historyCommand) Run(s *session) error {
	if err := s.open(); err != nil {
		return err
	}
	h := history.New(c.ID, c.By, c.Since.Time)
	if err := resolutions.Each(s.ctx, s.cfg, s.log, h.Add); err != nil {
		return err
	}
	runs := h.Runs() // never nil: a script reads []
	if len(runs) == 0 {
		fmt.Fprintln(s.Err, "nothing was done")
	}
	more := 0
	if c.Limit > 0 && len(runs) > c.Limit {
		runs, more = runs[:c.Limit], len(runs)-c.Limit
	}
	var err error
	if c.Output == "table" {
		err = output.History(s.Out, runs)
	} else {
		err = output.Object(s.Out, c.Output, runs)
	}
	if more > 0 {
		fmt.Fprintf(s.Err, "%s more; --limit 0 shows all\n", output.Number(more))
	}
	return err
}
