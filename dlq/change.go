// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

// decided is how every change is carried out.
type decided struct {
	DryRun bool   `short:"n" help:"Only say what would happen."`
	Yes    bool   `short:"y" help:"Do not ask."`
	By     string `help:"Who decides; written to the resolutions." default:"${by}" placeholder:"NAME"`
	Output string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table"`

	// done is how many were acted on, sent how many the same replay had sent
	// before.
	done, sent int
}

// selection says which dead letters a command is about.
type selection struct {
	IDs           []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, as dlq list prints them."`
	IDFile        string   `name:"ids" help:"File with an ID at the start of each line, as dlq list -o tsv writes it; - is standard input." placeholder:"FILE"`
	filter.Filter `embed:""`
	All           bool `help:"Every dead letter that this can be done to."`
	Limit         int  `help:"At most N, in the order of the topic; 0 is all. A replay that goes on counts what it sent before." placeholder:"N"`
}

// change is what replay, discard and undo have in common.
type change struct {
	selection `embed:""`
	decided   `embed:""`
}

// Validate makes sure that something is selected, in one way.
func (c *selection) Validate() error {
	ways := 0
	for _, used := range []bool{len(c.IDs) > 0, c.IDFile != "", !c.Empty(), c.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("select dead letters by IDs, by filter flags, or with --all")
	}
	if c.Limit < 0 {
		return fmt.Errorf("--limit %d: must not be negative", c.Limit)
	}
	for _, id := range c.IDs {
		if err := validID(id); err != nil {
			return err
		}
	}
	return c.Filter.Validate()
}

func validID(id string) error {
	if !letters.IsID(id) {
		return fmt.Errorf("%.200q is not the ID of a dead letter: want stage:topic/partition/offset", id)
	}
	return nil
}

// run decides about what the flags select.
func (c *change) run(s *session, job *action.Job) error {
	if err := c.selectInto(s, job); err != nil {
		return err
	}
	return c.decided.run(s, job)
}

// runAs does what sends nothing, under a new name.
func (c *change) runAs(s *session, a record.Action, why string) error {
	run, err := newRun()
	if err != nil {
		return err
	}
	return c.run(s, &action.Job{Action: a, Why: why, RunID: run, BatchSize: defaultBatch})
}

// selectInto gives the job its selection.
func (c *selection) selectInto(s *session, job *action.Job) error {
	if err := c.readIDs(s); err != nil {
		return err
	}
	job.IDs, job.Match, job.Limit = c.IDs, c.Match, c.Limit
	return nil
}

func (c *selection) readIDs(s *session) (err error) {
	if c.IDFile == "" {
		return nil
	}
	if c.IDs, err = readIDs(s.Console, c.IDFile); err != nil {
		return usageError{err}
	}
	return nil
}

// selected reports whether a dead letter is selected, whatever its status.
func (c *selection) selected() func(*letters.Letter) bool {
	if len(c.IDs) == 0 {
		return c.Match
	}
	named := map[string]bool{}
	for _, id := range c.IDs {
		named[id] = true
	}
	return func(l *letters.Letter) bool { return named[l.ID] }
}

// run plans, asks, and carries out.
func (d *decided) run(s *session, job *action.Job) error {
	if err := d.signed(); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	progress := s.Progress()
	job.Kafka, job.Log, job.By = s.cfg, s.log, d.By
	job.TopicExists, job.Foreign, job.Now = s.topics.Has, s.notOurs, time.Now
	job.Planned = func(n int) { progress.Show("%s dead letters read", output.Number(n)) }
	plan, err := job.Plan(s.ctx)
	progress.End()
	if err != nil {
		return err
	}
	s.warn()
	out := planned(job, plan)
	out.DryRun = d.DryRun
	if d.Output == "table" {
		if err := output.Plan(s.Out, job.Action, plan); err != nil {
			return err
		}
	}
	if plan.Total() > 0 && !d.DryRun {
		if err := d.confirm(s, job, plan); err != nil {
			return err
		}
		started := time.Now()
		job.Done = func(n int) { done(progress, job.Action, n, plan.Total(), time.Since(started)) }
		job.Foreign = func(record.Position, error) {} // the plan has counted them
		out.Done, err = job.Run(s.ctx, plan)
		progress.End()
		d.done, out.Skipped = out.Done, plan.Skipped
	}
	d.sent = plan.Sent
	return errors.Join(err, d.conclude(s, plan, &out, err))
}

// signed makes sure that somebody answers for a change. The environment that the
// default comes from may name nobody.
func (d *decided) signed() error {
	if strings.TrimSpace(d.By) == "" {
		return usage("--by is empty: say who decides; it is written to the resolutions")
	}
	return nil
}

// planned is the plan as it is written.
func planned(job *action.Job, plan *action.Plan) output.Outcome {
	return output.Outcome{
		Action: job.Action, ReplayID: job.ReplayID, RunID: job.RunID, Planned: plan.Total(), Targets: plan.Targets,
		Refused: append([]action.Refusal{}, plan.Refused...), Missing: append([]string{}, plan.Missing...),
		Hopeless: plan.Hopeless, Beyond: plan.Beyond, Sent: plan.Sent, Again: plan.Again, Edited: plan.Edited, EditExample: plan.EditExample,
		Identified: plan.Identified,
	}
}

// done shows how far a change is and how long the rest takes at its pace.
func done(p *console.Progress, a record.Action, n, total int, took time.Duration) {
	left := time.Duration(float64(took) / float64(n) * float64(total-n)).Round(time.Second)
	p.Show("%s of %s %s, %s a second, %s left", output.Number(n), output.Number(total), a,
		output.Number(int(float64(n)/max(took.Seconds(), 1e-3))), left)
}

// verbs are what a person is asked for.
var verbs = map[record.Action]string{record.Replayed: "Replay", record.Discarded: "Discard", record.Reopened: "Open again"}

func (d *decided) confirm(s *session, job *action.Job, plan *action.Plan) error {
	if d.Yes {
		return nil
	}
	yes, err := s.Confirm(s.ctx, fmt.Sprintf("%s %s dead letters as %s?", verbs[job.Action], output.Number(plan.Total()), terminal.Clean(d.By)))
	if err == nil && !yes {
		fmt.Fprintln(s.Err, "nothing was changed")
		return errPartial
	}
	return err
}

// conclude says what was done. A failure has its own exit code.
func (d *decided) conclude(s *session, plan *action.Plan, out *output.Outcome, failed error) error {
	var err error
	switch {
	case d.Output != "table":
		err = output.Object(s.Out, d.Output, out)
	case plan.Total()+plan.Sent+len(plan.Refused)+len(plan.Missing) == 0:
		_, err = fmt.Fprintf(s.Err, "no %s dead letter matches\n", out.From())
	case d.DryRun:
		_, err = fmt.Fprintln(s.Out, "dry run: nothing was changed")
	case plan.Total() > 0:
		_, err = fmt.Fprintf(s.Out, "%s of %s %s%s\n", output.Number(out.Done), output.Number(out.Planned), out.Action, named(out))
		err = errors.Join(err, output.Skipped(s.Out, out.Skipped))
	}
	if failed != nil {
		if out.ReplayID != "" {
			fmt.Fprintf(s.Err, "to go on under the same name: the same command with --replay-id %s\n", terminal.Clean(out.ReplayID))
		}
		return err
	}
	if err == nil && (!plan.Complete() || !d.DryRun && out.Done < out.Planned) {
		return errPartial
	}
	return err
}

// named is how dlq list --run finds what was done.
func named(out *output.Outcome) string {
	if out.ReplayID != "" {
		return " (replay " + terminal.Clean(out.ReplayID) + ")"
	}
	return " (run " + terminal.Clean(out.RunID) + ")"
}
