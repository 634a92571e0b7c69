// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

// chunk is how many replayed dead letters are looked up in the ledger at once.
const chunk = 500

// statusAll selects whatever became of a dead letter.
const statusAll = "all"

// scan is one look at the dead letters with a status.
type scan struct {
	// status is open, replayed, discarded, all, or the state of an outcome.
	status string
	// match selects by what does not change.
	match func(*letters.Letter) bool
	// run selects what one replay, discard or undo changed; "" is any.
	run string
	// outcomesOf are the IDs of the only dead letters whose outcomes are looked
	// up; nil is all.
	outcomesOf []string
	// strict is set where outcomes are of no use without the sink's ledger: then
	// it is an error that it cannot be read.
	strict bool
}

// outcomes reports whether it takes more than the resolutions to select.
func (c *scan) outcomes() bool {
	return c.status != resolutions.Open && c.status != string(record.Discarded) && c.status != resolutions.StateUnreadable
}

// byOutcome reports whether the status is the state of an outcome.
func (c *scan) byOutcome() bool {
	return c.outcomes() && c.status != statusAll && c.status != string(record.Replayed)
}

// judged reports whether a dead letter's outcome is looked up.
func (c *scan) judged(l *letters.Letter, status string) bool {
	return status == string(record.Replayed) && (c.outcomesOf == nil || slices.Contains(c.outcomesOf, l.ID))
}

// judgesAny reports whether an outcome may have to be looked up.
func (c *scan) judgesAny(resolved *resolutions.Set) bool {
	return c.outcomesOf == nil || slices.ContainsFunc(c.outcomesOf, func(id string) bool {
		return resolved.Status(&letters.Letter{Digest: letters.DigestOf(id)}) == string(record.Replayed)
	})
}

// resolved reports whether the resolution of a dead letter may have the status.
func (c *scan) resolved(status string, r *record.Resolution) bool {
	if c.run != "" && !changedIn(c.run, r) {
		return false
	}
	switch c.status {
	case statusAll:
		return true
	case resolutions.Open, string(record.Replayed), string(record.Discarded), resolutions.StateUnreadable:
		return status == c.status
	}
	return status == string(record.Replayed)
}

// changedIn reports whether r, or what it took the place of, is of a run.
func changedIn(run string, r *record.Resolution) bool {
	for ; r != nil; r = r.Previous {
		if r.Run() == run {
			return true
		}
	}
	return false
}

// has reports whether an outcome, if there is one, has the status.
func (c *scan) has(s output.Status) bool {
	switch c.status {
	case statusAll, resolutions.Open, string(record.Replayed), string(record.Discarded), resolutions.StateUnreadable:
		return true
	}
	return s.Outcome != nil && string(s.Outcome.State) == c.status
}

// scan gives each the selected dead letters with their status, those of a
// partition in their order. The topic is read once, and before that once more
// where it takes the outcomes of replays.
func (s *session) scan(c scan, each func(*letters.Letter, output.Status) error) error {
	resolved, err := s.resolutions()
	if err != nil {
		return err
	}
	judge, err := s.judge(c, resolved)
	if err != nil {
		return err
	}
	p := pending{session: s, scan: c, judge: judge, each: each}
	err = s.letters(func(l *letters.Letter) error {
		r := resolved.Get(l)
		status := resolved.Status(l)
		if !c.match(l) || !c.resolved(status, r) {
			return nil
		}
		of := output.Status{State: status, Resolution: r}
		if u := resolved.Unreadable(l); u != nil {
			of.Unreadable = "its last resolution is " + u.String()
		}
		return p.add(l, of)
	})
	if err != nil {
		return err
	}
	return p.flush()
}

// letters reads the topic with progress.
func (s *session) letters(each func(*letters.Letter) error) error {
	progress, looked := s.Progress(), 0
	defer progress.End()
	return letters.Read(s.ctx, s.cfg, s.log, nil, s.notOurs, func(l *letters.Letter) error {
		looked++
		progress.Show("%s dead letters read", output.Number(looked))
		return each(l)
	})
}

// resolutions reads what was done. A topic of another program's has none.
func (s *session) resolutions() (*resolutions.Set, error) {
	if s.foreignTopic {
		return resolutions.New(), nil
	}
	resolved, err := resolutions.Read(s.ctx, s.cfg, s.log)
	if err == nil {
		s.unreadable(resolved)
	}
	return resolved, err
}

// unreadable tells of resolutions that cannot be read.
func (s *session) unreadable(resolved *resolutions.Set) {
	if first, n := resolved.FirstUnreadable(); n > 0 {
		fmt.Fprintf(s.Err, "dlq: %s dead letters are left alone: their last resolution is %s\n", output.Number(n), terminal.Clean(first.String()))
	}
}

// judge knows the outcomes of replays; it is nil where none is asked for or
// nothing was replayed.
func (s *session) judge(c scan, resolved *resolutions.Set) (*outcome.Index, error) {
	runs := resolved.Runs()
	if !c.outcomes() || len(runs) == 0 || !c.judgesAny(resolved) {
		return nil, nil
	}
	index := outcome.NewIndex(runs)
	silent := s.foreign
	err := s.letters(func(l *letters.Letter) error {
		index.Add(l)
		return nil
	})
	s.foreign = silent // the second look counts them
	return index, err
}

// pending are dead letters whose outcomes are still to be looked up. All are
// given in the order in which they came.
type pending struct {
	*session
	scan
	judge *outcome.Index
	each  func(*letters.Letter, output.Status) error

	letters  []*letters.Letter
	statuses []output.Status
}

func (p *pending) add(l *letters.Letter, s output.Status) error {
	if p.judge == nil {
		return p.each(l, s)
	}
	p.letters, p.statuses = append(p.letters, l), append(p.statuses, s)
	if len(p.letters) < chunk {
		return nil
	}
	return p.flush()
}

func (p *pending) flush() error {
	var replayed []outcome.Replayed
	var at []int
	for i, s := range p.statuses {
		if p.judged(p.letters[i], s.State) {
			replayed, at = append(replayed, outcome.Replayed{Letter: p.letters[i], Resolution: s.Resolution}), append(at, i)
		}
	}
	if len(replayed) > 0 {
		outcomes, err := p.lookUp(replayed)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			p.statuses[at[i]].Outcome = &o
		}
	}
	for i, l := range p.letters {
		if !p.has(p.statuses[i]) {
			continue
		}
		if err := p.each(l, p.statuses[i]); err != nil {
			return err
		}
	}
	p.letters, p.statuses = nil, nil
	return nil
}

// lookUp judges. Where the ledger cannot be read, what it would tell is unknown,
// unless that was the question.
func (p *pending) lookUp(replayed []outcome.Replayed) ([]outcome.Outcome, error) {
	if p.ledgerUnreadable {
		return p.without(replayed)
	}
	ledger, err := p.ledger(p.patience())
	if err == nil {
		var outcomes []outcome.Outcome
		if outcomes, err = p.judge.Judge(p.ctx, ledger, replayed); err == nil {
			return outcomes, nil
		}
	}
	if p.strict || p.byOutcome() || p.ctx.Err() != nil {
		return nil, err
	}
	fmt.Fprintf(p.Err, "dlq: without outcomes of replays: %s\n", terminal.Clean(err.Error()))
	p.ledgerUnreadable = true
	return p.without(replayed)
}

// without judges by the dead letters alone.
func (p *pending) without(replayed []outcome.Replayed) ([]outcome.Outcome, error) {
	outcomes, err := p.judge.Judge(p.ctx, nil, replayed)
	for i := range outcomes {
		if outcomes[i].State == outcome.Unknown {
			outcomes[i].Why = "the sink's ledger cannot be read"
		}
	}
	return outcomes, err
}

// shortPatience is how long a connection to the ledger may take for who goes on
// without it.
const shortPatience = 3 * time.Second

func (p *pending) patience() time.Duration {
	if p.strict || p.byOutcome() {
		return connectTimeout
	}
	return shortPatience
}

// ledger is the sink's, or nil where no database was named.
func (s *session) ledger(patience time.Duration) (outcome.Ledger, error) {
	if s.database == "" {
		return nil, nil
	}
	if s.postgres == nil {
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		defer cancel()
		opened, err := outcome.OpenPostgres(ctx, s.database.Reveal())
		if err != nil {
			return nil, err
		}
		s.postgres = opened
	}
	return s.postgres, nil
}
