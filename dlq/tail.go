// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"errors"

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

// Run writes the dead letters that arrive from now on, or since a time, until it
// is interrupted. A copy of a failure may be written again.
func (c *tailCommand) Run(s *session) error {
	if err := s.openTopic(c.Topic); err != nil {
		return err
	}
	from := kgo.NewOffset().AtEnd()
	if !c.Since.IsZero() {
		from = kgo.NewOffset().AfterMilli(c.Since.UnixMilli())
	}
	client, err := s.cfg.NewClient("hookstream-dlq", s.log, kgo.ConsumeTopics(s.cfg.Topics.DeadLetters), kgo.ConsumeStartOffset(from))
	if err != nil {
		return err
	}
	defer client.Close()
	list := output.NewList(s.Out, listFormat(s, c.Output), s.Color())
	for {
		fetches := client.PollFetches(s.ctx)
		if s.ctx.Err() != nil {
			return nil // the way it ends
		}
		if err := c.write(s, fetches, list); err != nil {
			return err
		}
	}
}

func (c *tailCommand) write(s *session, fetches kgo.Fetches, list output.List) error {
	for _, e := range fetches.Errors() {
		if err := kafka.FetchError(e); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	for _, r := range fetches.Records() {
		l, err := letters.Parse(r)
		if err != nil {
			s.notOurs(letters.At(r), err)
			s.warn()
			continue
		}
		view := output.NewLetter(l, output.Status{State: resolutions.Open})
		if c.Match(l) {
			if err := list.Write(&view); err != nil {
				return err
			}
		}
	}
	return nil
}
