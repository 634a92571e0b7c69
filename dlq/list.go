// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"
	"slices"

	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
)

type listCommand struct {
	filter.Filter `embed:""`
	Status        string `help:"open, replayed, discarded or all." enum:"open,replayed,discarded,all" default:"open"`
	Limit         int    `help:"List at most the newest N; 0 lists all, in the order of the topic." default:"100" placeholder:"N"`
	Output        string `short:"o" help:"table, tsv or json (one object a line); by default table on a terminal, else tsv." enum:",table,tsv,json" default:""`
}

// Validate checks the flags.
func (l *listCommand) Validate() error {
	if l.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", l.Limit)
	}
	return l.Filter.Validate()
}

// Run lists.
func (l *listCommand) Run(s *session) error {
	if err := s.open(); err != nil {
		return err
	}
	resolved, err := resolutions.Read(s.ctx, s.cfg, s.log)
	if err != nil {
		return err
	}
	list := output.NewList(s.Out, l.format(s), s.Color())
	newest := newest{limit: l.Limit}
	progress, looked, matched := s.Progress(), 0, 0
	err = letters.Read(s.ctx, s.cfg, s.log, nil, s.notOurs, func(d *letters.Letter) error {
		looked++
		progress.Show("%s dead letters read", output.Number(looked))
		if !l.Match(d) || l.Status != "all" && resolved.Status(d.ID) != l.Status {
			return nil
		}
		matched++
		view := output.NewLetter(d, resolved)
		if l.Limit == 0 {
			return list.Write(&view)
		}
		newest.add(view)
		return nil
	})
	progress.End()
	if err != nil {
		return err
	}
	for _, view := range newest.sorted() {
		if err := list.Write(&view); err != nil {
			return err
		}
	}
	s.warn()
	l.summarize(s, matched)
	return nil
}

func (l *listCommand) format(s *session) string {
	switch {
	case l.Output != "":
		return l.Output
	case s.OutTerminal:
		return "table"
	}
	return "tsv"
}

func (l *listCommand) summarize(s *session, matched int) {
	switch {
	case matched == 0:
		fmt.Fprintf(s.Err, "no dead letter matches (status %s)\n", l.Status)
	case l.Limit > 0 && matched > l.Limit:
		fmt.Fprintf(s.Err, "the newest %s of %s; --limit 0 lists all\n", output.Number(l.Limit), output.Number(matched))
	}
}

// newest keeps the newest few of many in bounded memory.
type newest struct {
	limit int
	kept  []output.Letter
}

func (n *newest) add(l output.Letter) {
	if n.kept = append(n.kept, l); len(n.kept) >= 2*n.limit {
		n.kept = slices.Clip(n.sorted())
	}
}

// sorted is the newest first; those of one moment stay in their order.
func (n *newest) sorted() []output.Letter {
	slices.SortStableFunc(n.kept, func(a, b output.Letter) int { return b.FailedAt.Compare(a.FailedAt) })
	return n.kept[:min(len(n.kept), n.limit)]
}
