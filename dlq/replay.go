// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/record"
)

const (
	defaultMaxReplays = 5
	defaultBatch      = 2000
)

// change is what replay and discard have in common.
type change struct {
	IDs           []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, as dlq list prints them."`
	filter.Filter `embed:""`
	All           bool   `help:"Every open dead letter."`
	DryRun        bool   `short:"n" help:"Only say what would happen."`
	Yes           bool   `short:"y" help:"Do not ask."`
	By            string `help:"Who decides; written to the resolutions." default:"${by}" placeholder:"NAME"`
	Output        string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Validate makes sure that something is selected, in one way.
func (c *change) Validate() error {
	ways := 0
	for _, used := range []bool{len(c.IDs) > 0, !c.Empty(), c.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("select dead letters by IDs, by filter flags, or with --all")
	}
	for _, id := range c.IDs {
		if strings.Count(id, "/") != 2 || !strings.Contains(id, ":") {
			return fmt.Errorf("%q is not the ID of a dead letter: want stage:topic/partition/offset", id)
		}
	}
	return c.Filter.Validate()
}

type replayCommand struct {
	change     `embed:""`
	Why        string `help:"Why; written to the resolutions." placeholder:"TEXT"`
	MaxReplays int    `help:"Refuse records that were replayed this often, against loops." default:"5" placeholder:"N"`
	ReplayID   string `help:"Name of this run, on every record that it sends; a new UUID by default." placeholder:"ID"`
	Batch      int    `help:"Dead letters a transaction." default:"2000" hidden:""`
}

// Validate checks the flags.
func (r *replayCommand) Validate() error {
	if r.Batch < 1 {
		return fmt.Errorf("--batch %d: must be at least 1", r.Batch)
	}
	return r.change.Validate()
}

// Run replays.
func (r *replayCommand) Run(s *session) error {
	if r.ReplayID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		r.ReplayID = id.String()
	}
	return r.run(s, &action.Job{
		Action: record.Replayed, ReplayID: r.ReplayID, Why: r.Why, MaxReplays: r.MaxReplays, BatchSize: r.Batch,
	})
}

type discardCommand struct {
	change `embed:""`
	Why    string `required:"" help:"Why; written to the resolutions." placeholder:"TEXT"`
}

// Validate checks the flags.
func (d *discardCommand) Validate() error {
	if strings.TrimSpace(d.Why) == "" {
		return errors.New("--why is empty: say why they can be given up")
	}
	return d.change.Validate()
}

// Run discards.
func (d *discardCommand) Run(s *session) error {
	return d.run(s, &action.Job{Action: record.Discarded, Why: d.Why, BatchSize: defaultBatch})
}

// run plans, asks, and carries out.
func (c *change) run(s *session, job *action.Job) error {
	if err := s.open(); err != nil {
		return err
	}
	progress := s.Progress()
	job.Kafka, job.Log, job.By, job.IDs, job.Match = s.cfg, s.log, c.By, c.IDs, c.Match
	job.TopicExists, job.Foreign, job.Now = s.topics.Has, s.notOurs, time.Now
	job.Planned = func(n int) { progress.Show("%s dead letters read", output.Number(n)) }
	plan, err := job.Plan(s.ctx)
	progress.End()
	if err != nil {
		return err
	}
	s.warn()
	out := output.Outcome{
		Action: job.Action, DryRun: c.DryRun, ReplayID: job.ReplayID, Planned: plan.Total(), Targets: plan.Targets,
		Refused: append([]action.Refusal{}, plan.Refused...), Missing: append([]string{}, plan.Missing...), Hopeless: plan.Hopeless,
	}
	if c.Output != "json" {
		if err := output.Plan(s.Out, job.Action, plan); err != nil {
			return err
		}
	}
	if plan.Total() > 0 && !c.DryRun {
		if err := c.confirm(s, job, plan); err != nil {
			return err
		}
		job.Done = func(n int) { progress.Show("%s of %s %s", output.Number(n), output.Number(plan.Total()), job.Action) }
		job.Foreign = func(record.Position, error) {} // the plan has counted them
		out.Done, err = job.Run(s.ctx, plan)
		progress.End()
	}
	return errors.Join(err, c.conclude(s, plan, &out, err))
}

func (c *change) confirm(s *session, job *action.Job, plan *action.Plan) error {
	if c.Yes {
		return nil
	}
	verb := map[record.Action]string{record.Replayed: "Replay", record.Discarded: "Discard"}[job.Action]
	yes, err := s.Confirm(fmt.Sprintf("%s %s dead letters as %s?", verb, output.Number(plan.Total()), output.Clean(c.By)))
	if err == nil && !yes {
		fmt.Fprintln(s.Err, "nothing was changed")
		return errPartial
	}
	return err
}

// conclude says what was done. A failure has its own exit code.
func (c *change) conclude(s *session, plan *action.Plan, out *output.Outcome, failed error) error {
	var err error
	switch {
	case c.Output == "json":
		err = output.JSON(s.Out, out, true)
	case plan.Total()+len(plan.Refused)+len(plan.Missing) == 0:
		_, err = fmt.Fprintln(s.Err, "no open dead letter matches")
	case c.DryRun:
		_, err = fmt.Fprintln(s.Out, "dry run: nothing was changed")
	case plan.Total() > 0:
		_, err = fmt.Fprintf(s.Out, "%s of %s %s%s\n", output.Number(out.Done), output.Number(out.Planned), out.Action, named(out.ReplayID))
	}
	if failed != nil {
		return err
	}
	if err == nil && (!plan.Complete() || !c.DryRun && out.Done < out.Planned) {
		return errPartial
	}
	return err
}

func named(replayID string) string {
	if replayID == "" {
		return ""
	}
	return " (replay " + output.Clean(replayID) + ")"
}
