// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/archive"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/terminal"
)

type exportCommand struct {
	filter.Filter `embed:""`
	Status        string `help:"open, replayed, discarded or all." enum:"open,replayed,discarded,all" default:"open"`
	Topic         string `help:"Read another program's dead letters: Kafka Connect's, Spring Kafka's or Kafka Streams'." placeholder:"NAME"`
}

// Run writes dead letters to standard output.
func (c *exportCommand) Run(s *session) error {
	if err := s.openTopic(c.Topic); err != nil {
		return err
	}
	out, n := bufio.NewWriter(s.Out), 0
	resolved, err := s.resolutions()
	if err != nil {
		return err
	}
	err = s.letters(func(l *letters.Letter) error {
		if !c.Match(l) || c.Status != statusAll && resolved.Status(l) != c.Status {
			return nil
		}
		n++
		return archive.Write(out, l)
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	s.warn()
	fmt.Fprintf(s.Err, "%s exported\n", output.Number(n))
	return nil
}

type importCommand struct {
	File   string `arg:"" help:"File that dlq export wrote; - is standard input."`
	DryRun bool   `short:"n" help:"Only read it and say what would happen."`
	Yes    bool   `short:"y" help:"Do not ask."`
}

// importBatch bounds what is produced at once.
const importBatch = 1000

// Run puts exported dead letters back on the topic. Those that are there already,
// or were replayed or discarded, are left as they are.
func (c *importCommand) Run(s *session) error {
	if err := s.open(); err != nil {
		return err
	}
	in := s.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usageError{err}
		}
		defer f.Close()
		in = f
	}
	i := importing{session: s, dry: c.DryRun, known: map[letters.Digest]struct{}{}}
	if err := s.letters(func(l *letters.Letter) error {
		i.known[l.Digest] = struct{}{}
		return nil
	}); err != nil {
		return err
	}
	if !c.DryRun && !c.Yes {
		yes, err := s.Confirm(s.ctx, fmt.Sprintf("Add the dead letters of %s to %s?", terminal.Clean(c.File), terminal.Clean(s.cfg.Topics.DeadLetters)))
		if err != nil {
			return err
		}
		if !yes {
			fmt.Fprintln(s.Err, "nothing was changed")
			return errPartial
		}
	}
	if err := i.run(in); err != nil {
		return fmt.Errorf("%w; %s were imported before, and the same command again skips them", err, output.Number(i.added))
	}
	verb := map[bool]string{true: "would be imported", false: "imported"}[c.DryRun]
	_, err := fmt.Fprintf(s.Out, "%s %s, %s are there already\n", output.Number(i.added), verb, output.Number(i.there))
	return err
}

type importing struct {
	*session
	dry          bool
	known        map[letters.Digest]struct{}
	batch        []*kgo.Record
	added, there int
}

func (i *importing) run(in io.Reader) error {
	err := archive.Read(in, i.cfg.Topics.DeadLetters, func(id string, r *kgo.Record) error {
		d := letters.DigestOf(id)
		if _, ok := i.known[d]; ok {
			i.there++
			return nil
		}
		if !i.cfg.Fits(r) {
			return fmt.Errorf("dead letter %s is larger than HOOKSTREAM_MAX_MESSAGE_BYTES", terminal.Clean(id))
		}
		i.known[d] = struct{}{}
		if i.batch = append(i.batch, r); len(i.batch) < importBatch {
			return nil
		}
		return i.flush()
	})
	if err != nil {
		return err
	}
	return i.flush()
}

func (i *importing) flush() error {
	if len(i.batch) > 0 && !i.dry {
		if err := i.client.ProduceSync(i.ctx, i.batch...).FirstErr(); err != nil {
			return kafka.Classify(fmt.Errorf("produce to %s: %w", i.cfg.Topics.DeadLetters, err))
		}
	}
	i.added += len(i.batch)
	i.batch = nil
	return nil
}
