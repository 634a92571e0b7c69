// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hookstream/hookstream/dev/internal/chaos"
	"github.com/hookstream/hookstream/stage/crash"
)

type chaosCommand struct {
	Kills    int           `help:"Processes to kill with SIGKILL. Other faults come on top." default:"20"`
	Events   int           `help:"Webhooks to send at least." default:"5000"`
	Seed     uint64        `help:"Webhooks and faults are drawn from it." default:"1"`
	Rate     float64       `help:"Webhooks a second." default:"100"`
	Kafka    int           `help:"Brokers of the cluster: 1, or 3 with replication factor 3 and min.insync.replicas 2." enum:"1,3" default:"1"`
	Dir      string        `help:"Folder for data, programs and logs; a temporary one by default." type:"path"`
	Output   string        `short:"o" help:"text or json." enum:"text,json" default:"text"`
	Fault    []string      `help:"Faults to apply instead of the seed's: restart-postgres, kill-broker, break-definition." enum:"restart-postgres,kill-broker,break-definition" placeholder:"KIND"`
	Outage   time.Duration `help:"How long a part that is stopped, cut or slowed stays so." default:"2s"`
	Sabotage string        `help:"Make the services wrong on purpose, to see that it is noticed." enum:",offsets-before-write,no-epoch-check,state-before-commit,pass-held-keys" default:""`
	Schedule bool          `help:"Print the seed's faults and exit."`
}

// Help is what --help adds.
func (chaosCommand) Help() string {
	return `Starts Apache Kafka (Java and Maven are needed), Postgres, and every service as
processes of their own: two ingest, three transform, two sink. Then it sends
webhooks without a pause while it kills processes at random times and at named
crash points, pauses them for longer than their session timeout, adds and removes
instances, restarts brokers and the database, and cuts and slows connections.

Exit code 0 means that nothing was lost, duplicated, reordered or torn, no zombie
wrote, and no dead letter is there that should not be.

  go run ./dev chaos --kills 60 --seed 1
  go run ./dev chaos --kills 30 --seed 2 --kafka 3 -o json
  go run ./dev chaos --fault restart-postgres --outage 3m
  go run ./dev chaos --fault break-definition   # for one type, and mended, with kills while its records are held and in each release`
}

// Run implements the command.
func (c *chaosCommand) Run(ctx context.Context) error {
	if c.Schedule {
		for n, f := range chaos.Schedule(c.Seed, c.Kills, c.Kafka) {
			fmt.Printf("%4d  %s\n", n+1, f)
		}
		return nil
	}
	dir, remove, err := c.folder()
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(dir, "chaos.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	report, err := chaos.Run(ctx, chaos.Options{
		Seed: c.Seed, Kills: c.Kills, Events: c.Events, Rate: c.Rate, Brokers: c.Kafka, Outage: c.Outage, Faults: chaos.Named(c.Fault), Sabotage: crash.Bug(c.Sabotage), Root: root, Dir: dir,
		Log: slog.New(slog.NewJSONHandler(io.Writer(logFile), nil)), Progress: progress(time.Now()),
	})
	if err != nil {
		return fmt.Errorf("%w (logs are in %s)", err, dir)
	}
	if err := c.print(report); err != nil {
		return err
	}
	if !report.OK() {
		fmt.Fprintln(os.Stderr, "logs and data are in", dir)
		return errFailed
	}
	return remove()
}

// folder is where the run lives. Others must be able to reach it: as root,
// Postgres runs as its own user.
func (c *chaosCommand) folder() (dir string, remove func() error, err error) {
	if c.Dir != "" {
		return c.Dir, func() error { return nil }, os.MkdirAll(c.Dir, 0o755) //nolint:gosec // see above
	}
	if dir, err = os.MkdirTemp("", "hookstream-chaos-"); err != nil {
		return "", nil, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, os.Chmod(dir, 0o755) //nolint:gosec // see above
}

// progress tells on standard error what happens, and when.
func progress(started time.Time) func(string) {
	return func(text string) {
		fmt.Fprintf(os.Stderr, "%7.1f s  %s\n", time.Since(started).Seconds(), text)
	}
}

func (c *chaosCommand) print(r *chaos.Report) error {
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	verdict := "OK"
	if !r.OK() {
		verdict = "FAILED"
	}
	fmt.Printf(`%s: seed %d, %d brokers, %d kills, %.0f s
  faults %v
  sent %d: accepted %d, refused %d, unanswered %d
  unique events %d: published %d, rows %d, dead letters %d
  lost %d, duplicated %d, reordered %d, torn %d, wrong rows %d, zombie writes %d, unexpected %d
  recovery p50 %.1f s, p99 %.1f s, longest %.1f s
`, verdict, r.Seed, c.Kafka, r.Kills, r.Seconds, r.Faults, r.Sent, r.Accepted, r.Refused, r.Unanswered,
		r.Unique, r.Events, r.Rows, r.DeadLetters,
		r.Lost, r.Duplicated, r.Reordered, r.Torn, r.WrongRows, r.ZombieWrite, r.Unexpected,
		r.RecoveryP50, r.RecoveryP99, r.RecoveryMax)
	for _, h := range r.Holds {
		fmt.Printf("  definition broken for %.1f s: %d records held, %d rows of other providers meanwhile, released %.1f s after it was mended\n", h.Seconds, h.Held, h.Others, h.Release)
	}
	if r.Early > 0 {
		fmt.Printf("  %d dead letters from before the breaker opened, replayed\n", r.Early)
	}
	for _, k := range r.Journeys {
		fmt.Printf("  journeys %s: %d known, %d reconstructed, %d with a gap\n", k.Name, k.Known, k.Traced, len(k.Gaps))
		for _, gap := range k.Gaps {
			fmt.Println("  -", gap)
		}
	}
	for _, p := range append(r.Missing(), r.Problems...) {
		fmt.Println("  -", p)
	}
	return nil
}
