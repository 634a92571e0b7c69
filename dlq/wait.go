// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/terminal"
)

// How often a replay that is waited for is looked at: soon at first, and no
// more often than a look takes.
const (
	firstLook = 500 * time.Millisecond
	lastLook  = 10 * time.Second
)

// wait looks until the outcome of everything that the replay sent is settled, or
// the time is over, and says how it ended. What was sent and is not seen, because
// another operator's transaction is open before it, is pending.
func (r *sending) wait(s *session, format string, sent int) error {
	deadline := time.Now().Add(r.WaitTimeout)
	progress := s.Progress()
	defer progress.End()
	for every := firstLook; ; every = min(2*every, lastLook) {
		t, err := s.tally(r.ReplayID)
		if err != nil {
			return err
		}
		t.Pending += max(0, sent-t.Total())
		if t.Pending == 0 || !time.Now().Before(deadline) {
			progress.End()
			return r.ended(s, format, t)
		}
		progress.Show("%s succeeded, %s failed again, %s duplicates, waiting for %s",
			output.Number(t.Succeeded), output.Number(t.FailedAgain), output.Number(t.Duplicates), output.Number(t.Pending))
		if err := failure.Sleep(s.ctx, every); err != nil {
			return err
		}
	}
}

func (r *sending) ended(s *session, format string, t output.Tally) error {
	var err error
	if format == "table" {
		err = output.Ended(s.Out, t)
	} else {
		err = output.Object(s.Out, format, t)
	}
	if t.Pending > 0 {
		fmt.Fprintf(s.Err, "not all is known after %s; look again with: dlq list --run %s\n", r.WaitTimeout, terminal.Clean(r.ReplayID))
	}
	if err == nil && t.Pending+t.FailedAgain > 0 {
		return errPartial
	}
	return err
}

// tally counts how the dead letters of one replay ended.
func (s *session) tally(replayID string) (output.Tally, error) {
	t := output.Tally{ReplayID: replayID, Again: []string{}}
	run := scan{status: statusAll, run: replayID, match: func(*letters.Letter) bool { return true }, strict: true}
	err := s.scan(run, func(_ *letters.Letter, status output.Status) error {
		if status.Outcome == nil {
			return errors.New("a resolution of the replay names no replayed dead letter")
		}
		t.Add(*status.Outcome)
		return nil
	})
	return t, err
}
