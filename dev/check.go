// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

type checkCommand struct {
	parts       `embed:""`
	Events      int           `help:"Webhooks to send, duplicates and poison included." default:"10000"`
	Seed        uint64        `help:"What is sent, and in which order, is drawn from it." default:"1"`
	Connections int           `help:"Connections to send on." default:"64"`
	Restarts    int           `help:"Stop everything gracefully and start it again so many times in between. Needs --data-dir or real parts."`
	Timeout     time.Duration `help:"How long the pipeline may take to drain." default:"5m"`
	Output      string        `short:"o" help:"text or json." enum:"text,json" default:"text"`
}

// Help is what --help adds.
func (checkCommand) Help() string {
	return `Sends webhooks over HTTP as providers would: signed, repeated, reordered, some
spoiled. Then it compares what was accepted with the topics, the rows, the ledger
and the dead letters.

Exit code 0 means that nothing was lost, duplicated or reordered, every row equals
the fold of its events by version, and nothing unexpected is there.

  go run ./dev check --events 50000 --seed 1 -o json
  go run ./dev check --events 50000 --data-dir /tmp/hookstream --restarts 2`
}

// Run implements the command.
func (c *checkCommand) Run(ctx context.Context) error {
	if c.Restarts > 0 && c.DataDir == "" && (len(c.Brokers) == 0 || c.DatabaseURL == "" || c.RegistryURL == "") {
		return errors.New("--restarts needs --data-dir, or --brokers, --database-url and --registry-url: embedded parts without a folder forget everything")
	}
	log, closeLog, err := c.logger(ctx)
	if err != nil {
		return err
	}
	defer closeLog()
	started := time.Now()
	plan := workload.NewPlan(c.Seed, c.Events, workload.Run(started), started, workload.DefaultMix)
	report, err := c.check(ctx, log, plan)
	if err != nil {
		return err
	}
	report.Seed = c.Seed
	report.Seconds = time.Since(started).Round(time.Millisecond).Seconds()
	if err := c.print(report); err != nil {
		return err
	}
	if !report.OK() {
		return errFailed
	}
	return nil
}

func (c *checkCommand) check(ctx context.Context, log *slog.Logger, plan *workload.Plan) (_ *check.Report, err error) {
	s, err := stack.Start(ctx, c.options(log))
	if err != nil {
		return nil, err
	}
	stop := func() error {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return s.Stop(stopCtx)
	}
	defer func() { err = errors.Join(err, stop()) }()

	var outcomes outcomes
	for i, segment := range segments(plan, c.Restarts) {
		if i > 0 && i <= c.Restarts {
			c.progress("restarting everything")
			if err := stop(); err != nil {
				return nil, err
			}
			if s, err = stack.Start(ctx, c.options(log)); err != nil {
				return nil, err
			}
		}
		c.progress(fmt.Sprintf("sending %d webhooks", len(segment)))
		sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: c.Connections, Retries: 20}
		if err := sender.Phase(ctx, segment, outcomes.add); err != nil {
			return nil, err
		}
	}
	return c.compare(ctx, log, s, plan, outcomes.list)
}

// segments cuts the first phase so that there is a restart before each further
// piece; the other phases follow.
func segments(plan *workload.Plan, restarts int) [][]*workload.Event {
	first := plan.Phases[0]
	var out [][]*workload.Event
	for i := range restarts + 1 {
		out = append(out, first[i*len(first)/(restarts+1):(i+1)*len(first)/(restarts+1)])
	}
	return append(out, plan.Phases[1:]...)
}

func (c *checkCommand) compare(ctx context.Context, log *slog.Logger, s *stack.Stack, plan *workload.Plan, outcomes []workload.Outcome) (*check.Report, error) {
	t := target(s, log)
	drain, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := t.WaitDrained(drain, plan, s.Group, func(raw, events int64) {
		c.progress(fmt.Sprintf("draining: %d raw records to go, %d events", raw, max(0, events)))
	}); err != nil {
		return nil, err
	}
	c.progress("comparing")
	seen, err := t.Collect(ctx, plan)
	if err != nil {
		return nil, err
	}
	return check.Judge(plan, outcomes, seen), nil
}

// progress goes to standard error, so that standard output is the report alone.
func (c *checkCommand) progress(text string) {
	if terminal(os.Stderr) {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", text)
	}
}

func (c *checkCommand) print(r *check.Report) error {
	if terminal(os.Stderr) {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	verdict := "OK"
	if !r.OK() {
		verdict = "FAILED"
	}
	fmt.Printf(`%s: seed %d, %.1f s
  sent %d: accepted %d, refused %d, unanswered %d
  unique events %d: published %d, rows %d, dead letters %d
  lost %d, duplicated %d, reordered %d, wrong rows %d, unexpected %d
`, verdict, r.Seed, r.Seconds, r.Sent, r.Accepted, r.Refused, r.Unanswered,
		r.Unique, r.Events, r.Rows, r.DeadLetters, r.Lost, r.Duplicated, r.Reordered, r.WrongRows, r.Unexpected)
	for _, p := range r.Problems {
		fmt.Println("  -", p)
	}
	return nil
}

// outcomes collects answers from many goroutines.
type outcomes struct {
	mu   sync.Mutex
	list []workload.Outcome
}

func (o *outcomes) add(out workload.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, out)
}

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
