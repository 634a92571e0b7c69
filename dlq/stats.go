// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"

	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/stats"
)

type statsCommand struct {
	filter.Filter `embed:""`
	Limit         int    `help:"Show at most N kinds of failure; 0 is all." default:"20" placeholder:"N"`
	Topic         string `help:"Read another program's dead letters: Kafka Connect's, Spring Kafka's or Kafka Streams'." placeholder:"NAME"`
	Output        string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`
}

// Validate checks the flags.
func (c *statsCommand) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", c.Limit)
	}
	return c.Filter.Validate()
}

// Run counts.
func (c *statsCommand) Run(s *session) error {
	if err := s.openTopic(c.Topic); err != nil {
		return err
	}
	resolved, err := s.resolutions()
	if err != nil {
		return err
	}
	counts := stats.New()
	err = s.letters(func(l *letters.Letter) error {
		if c.Match(l) {
			counts.Add(l, resolved.Status(l))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.warn()
	groups := counts.Groups()
	if len(groups) == 0 {
		fmt.Fprintln(s.Err, "no dead letter matches")
	}
	if c.Output == "table" {
		return output.Stats(s.Out, groups, c.Limit)
	}
	summary := output.Summarize(groups)
	if c.Limit > 0 && len(groups) > c.Limit {
		summary.Groups = groups[:c.Limit]
	}
	return output.Object(s.Out, c.Output, summary)
}
