// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
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
}

// outcomes reports whether it takes more than the resolutions to select.
func (c *scan) outcomes() bool {
	return c.status != resolutions.Open && c.status != string(record.Discarded)
}

// resolved reports whether the resolution of a dead letter may have the status.
func (c *scan) resolved(status string, r *record.Resolution) bool {
	if c.run != "" && !changedIn(c.run, r) {
		return false
	}
	switch c.status {
	case statusAll:
		return true
	case resolutions.Open, string(record.Replayed), string(record.Discarded):
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
	case statusAll, resolutions.Open, string(record.Replayed), string(record.Discarded):
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
		return p.add(l, output.Status{State: status, Resolution: r})
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
	return resolutions.Read(s.ctx, s.cfg, s.log)
}

// judge knows the outcomes of replays; it is nil where none is asked for or
// nothing was replayed.
func (s *session) judge(c scan, resolved *resolutions.Set) (*outcome.Index, error) {
	runs := resolved.Runs()
	if !c.outcomes() || len(runs) == 0 {
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
		if s.State == string(record.Replayed) {
			replayed, at = append(replayed, outcome.Replayed{Letter: p.letters[i], Resolution: s.Resolution}), append(at, i)
		}
	}
	if len(replayed) > 0 {
		ledger, err := p.ledger()
		if err != nil {
			return err
		}
		outcomes, err := p.judge.Judge(p.ctx, ledger, replayed)
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

// ledger is the sink's, or nil where no database was named.
func (s *session) ledger() (outcome.Ledger, error) {
	if s.database == "" {
		return nil, nil
	}
	if s.postgres == nil {
		var err error
		if s.postgres, err = outcome.OpenPostgres(s.ctx, string(s.database)); err != nil {
			return nil, err
		}
	}
	return s.postgres, nil
}
