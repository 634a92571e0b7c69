// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
)

type listCommand struct {
	filter.Filter `embed:""`
	Status        string `help:"open, replayed, discarded, unreadable or all; of what was replayed also succeeded, failed-again, duplicate, pending or unknown." enum:"open,replayed,discarded,unreadable,all,succeeded,failed-again,duplicate,pending,unknown" default:"open" placeholder:"STATUS"`
	Replay        string `name:"run" help:"What the replay, discard or undo of this ID changed, whatever its status." placeholder:"ID"`
	Limit         int    `help:"List at most the newest N; 0 lists all, in the order of the topic." default:"100" placeholder:"N"`
	Cursor        string `help:"Go on where the page before ended, which printed this." placeholder:"CURSOR"`
	Topic         string `help:"Read another program's dead letters: Kafka Connect's, Spring Kafka's or Kafka Streams'." placeholder:"NAME"`
	Output        string `short:"o" help:"table, tsv, json (one object a line) or yaml; by default table on a terminal, else tsv." enum:",table,tsv,json,yaml" default:""`
}

// Validate checks the flags.
func (l *listCommand) Validate() error {
	if l.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", l.Limit)
	}
	if _, err := parseCursor(l.Cursor); err != nil {
		return err
	}
	if l.Cursor != "" && l.Limit == 0 {
		return errors.New("--cursor needs a --limit: without one there are no pages")
	}
	return l.Filter.Validate()
}

// Run lists.
func (l *listCommand) Run(s *session) error {
	if err := s.openTopic(l.Topic); err != nil {
		return err
	}
	list := output.NewList(s.Out, listFormat(s, l.Output), s.Color(), s.Columns)
	after, _ := parseCursor(l.Cursor) // Validate has checked it
	newest, matched := newest{limit: l.Limit}, 0
	if l.Replay != "" && l.Status == resolutions.Open {
		l.Status = statusAll
	}
	err := s.scan(scan{status: l.Status, match: l.Match, run: l.Replay}, func(d *letters.Letter, status output.Status) error {
		if l.Cursor != "" && after.compare(cursorOf(d)) <= 0 {
			return nil
		}
		matched++
		view := output.NewLetter(d, status)
		if l.Limit == 0 {
			return list.Write(&view)
		}
		newest.add(page{cursorOf(d), view})
		return nil
	})
	if err != nil {
		return err
	}
	kept := newest.sorted()
	for i := range kept {
		if err := list.Write(&kept[i].letter); err != nil {
			return err
		}
	}
	s.warn()
	l.summarize(s, matched, kept)
	return nil
}

func listFormat(s *session, chosen string) string {
	if chosen == "" && s.OutTerminal {
		return "table"
	}
	return cmp.Or(chosen, "tsv")
}

func (l *listCommand) summarize(s *session, matched int, kept []page) {
	switch {
	case matched == 0:
		fmt.Fprintf(s.Err, "no dead letter matches (status %s)\n", l.Status)
	case l.Limit > 0 && matched > l.Limit:
		fmt.Fprintf(s.Err, "the newest %s of %s; --limit 0 lists all\nnext page: --cursor %s\n",
			output.Number(l.Limit), output.Number(matched), kept[len(kept)-1].at)
	}
}

// cursor is a place in the list, which is the newest first: a time, and among
// those of one moment a position in the topic.
type cursor struct {
	failedAt  int64 // microseconds since 1970
	partition int32
	offset    int64
}

func cursorOf(l *letters.Letter) cursor {
	return cursor{l.LastFailedAt.UnixMicro(), l.At.Partition, l.At.Offset}
}

// compare is positive where c is the newer.
func (c cursor) compare(o cursor) int {
	return cmp.Or(cmp.Compare(c.failedAt, o.failedAt), cmp.Compare(o.partition, c.partition), cmp.Compare(o.offset, c.offset))
}

// String is opaque to operators.
func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%d", c.failedAt, c.partition, c.offset))
}

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.Split(string(text), ".")
	if err == nil && len(parts) == 3 {
		var partition int64
		var errs [3]error
		c.failedAt, errs[0] = strconv.ParseInt(parts[0], 10, 64)
		partition, errs[1] = strconv.ParseInt(parts[1], 10, 32)
		c.offset, errs[2] = strconv.ParseInt(parts[2], 10, 64)
		c.partition = int32(partition)
		if errors.Join(errs[:]...) == nil {
			return c, nil
		}
	}
	return cursor{}, fmt.Errorf("--cursor %.60q was not printed by dlq list", s)
}

// page is a dead letter at its place.
type page struct {
	at     cursor
	letter output.Letter
}

// newest keeps the newest few of many in bounded memory.
type newest struct {
	limit int
	kept  []page
}

func (n *newest) add(p page) {
	if n.kept = append(n.kept, p); len(n.kept) >= 2*n.limit {
		n.kept = slices.Clip(n.sorted())
	}
}

func (n *newest) sorted() []page {
	slices.SortFunc(n.kept, func(a, b page) int { return b.at.compare(a.at) })
	return n.kept[:min(len(n.kept), n.limit)]
}
