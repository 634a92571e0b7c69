// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/outage"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

type outageCommand struct {
	For     time.Duration `help:"How long Postgres is away." default:"2m"`
	Before  time.Duration `help:"How long all goes well before." default:"20s"`
	Rate    float64       `help:"Webhooks a second, all the time." default:"200"`
	Seed    uint64        `help:"Webhooks are drawn from it." default:"1"`
	Brokers []string      `help:"Kafka brokers to use instead of the embedded one; the run leaves topics of its own there." placeholder:"HOST:PORT"`
	Output  string        `short:"o" help:"text or json." enum:"text,json" default:"text"`
}

// Help is what --help adds.
func (outageCommand) Help() string {
	return `Runs everything with a Postgres of its own, sends good webhooks without a pause,
stops Postgres, and starts it again. It prints how fast the sink caught up while
webhooks went on to come, relative to the rate before.

Exit code 0 means that every webhook was accepted and accounted for, there is no
dead letter, and the sink caught up faster than webhooks came.

  go run ./dev outage
  go run ./dev outage --for 10s --before 5s -o json`
}

// Run implements the command.
func (c *outageCommand) Run(ctx context.Context) (err error) {
	if c.Rate <= 0 {
		return fmt.Errorf("--rate %g: must be positive", c.Rate)
	}
	dir, err := os.MkdirTemp("", "hookstream-outage-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root, Postgres runs as its own user
		return err
	}
	started := time.Now()
	o := outage.Options{
		Brokers: c.Brokers, Seed: c.Seed, Rate: c.Rate, Before: c.Before, Outage: c.For, Dir: dir,
		Log: slog.New(slog.DiscardHandler), Progress: progress(started),
	}
	if len(c.Brokers) > 0 {
		o.Prefix = "outage-" + workload.Run(started) + "."
	}
	report, err := outage.Run(ctx, o)
	if err != nil {
		return err
	}
	report.Seconds = time.Since(started).Seconds()
	if err := c.print(report); err != nil {
		return err
	}
	if !report.OK() {
		return errFailed
	}
	return nil
}

func (c *outageCommand) print(r *outage.Report) error {
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	verdict := "OK"
	if !r.OK() {
		verdict = "FAILED"
	}
	fmt.Printf(`%s: Postgres away for %.0f s, %g webhooks a second all the time
  sent %d: accepted %d, refused %d, unanswered %d
  dead letters %d, lost %d, duplicated %d, reordered %d, wrong rows %d
  before: %.0f events applied a second
  after: %d behind, first row after %.1f s, caught up in %.1f s
  catch-up rate %.0f events a second, %.1f times the rate before
`, verdict, r.OutageSeconds, c.Rate, r.Sent, r.Accepted, r.Refused, r.Unanswered,
		r.DeadLetters, r.Lost, r.Duplicated, r.Reordered, r.WrongRows,
		r.NormalRate, r.Behind, r.FirstRowSeconds, r.CatchUpSeconds, r.CatchUpRate, r.CatchUpRate/r.NormalRate)
	if len(r.Problems) > 0 {
		fmt.Println("  - " + strings.Join(r.Problems, "\n  - "))
	}
	return nil
}
