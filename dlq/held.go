// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

type heldCommand struct {
	Provider string `help:"Only those of this provider." placeholder:"NAME"`
	Limit    int    `help:"Show at most N, those held longest first; 0 is all." default:"50" placeholder:"N"`
	Output   string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`
}

// Validate checks the flags.
func (c *heldCommand) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", c.Limit)
	}
	return nil
}

// Run lists what transform holds.
func (c *heldCommand) Run(s *session) error {
	if err := s.connect(); err != nil {
		return err
	}
	topic := s.cfg.Topics.Held
	if err := s.need(topic); err != nil {
		return err
	}
	found := map[string]*output.Held{}
	err := s.cfg.ReadCommitted(s.ctx, "hookstream-dlq", s.log, kafka.Partitions{topic: nil}, func(r *kgo.Record) error {
		h, err := record.ParseHeld(r)
		switch {
		case err != nil:
			return err
		case h == nil:
			delete(found, string(r.Key))
		default:
			if one := output.NewHeld(h); c.Provider == "" || one.Provider == c.Provider {
				found[string(r.Key)] = one
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	all := make([]*output.Held, 0, len(found)) // never nil: a script reads []
	for _, h := range found {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *output.Held) int {
		if n := a.Since.Compare(b.Since); n != 0 {
			return n
		}
		return strings.Compare(a.Raw, b.Raw)
	})
	return c.show(s, all)
}

func (c *heldCommand) show(s *session, all []*output.Held) error {
	if len(all) == 0 {
		fmt.Fprintln(s.Err, "nothing is held")
	}
	more := 0
	if c.Limit > 0 && len(all) > c.Limit {
		all, more = all[:c.Limit], len(all)-c.Limit
	}
	var err error
	if c.Output == "table" {
		err = output.HeldTable(s.Out, all)
	} else {
		err = output.Object(s.Out, c.Output, all)
	}
	if more > 0 {
		fmt.Fprintf(s.Err, "%s more; --limit 0 shows all\n", output.Number(more))
	}
	return err
}
