// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench"
)

type benchCommand struct {
	Only       []string      `help:"Benchmarks to run, instead of all." placeholder:"NAME"`
	Rounds     int           `help:"How often each side has its turn." default:"5"`
	Turn       time.Duration `help:"How long a turn lasts." default:"3s"`
	Quick      bool          `help:"3 rounds of short turns, for a look. Nothing is written."`
	Output     string        `short:"o" help:"table or json." enum:"table,json" default:"table"`
	Results    string        `help:"File that keeps the results." default:"bench/results.json" type:"path"`
	ProfileDir string        `help:"Folder for CPU and allocation profiles of all processes; they slow what is measured." type:"path" placeholder:"DIR"`
}

// Help is what --help adds.
func (benchCommand) Help() string {
	return `Compares parts of Hookstream with the cheapest thing that could take their place.
Both sides run at the same time and take turns, so that ratios hold on a busy
machine too; absolute figures are for orientation.

Exit code 1 means that a goal was missed.

  go run ./dev bench
  go run ./dev bench --only edge --quick
  go run ./dev bench --only edge --profile-dir /tmp/profiles`
}

// A quick look.
const (
	quickRounds = 3
	quickTurn   = 1500 * time.Millisecond
)

// Run implements the command.
func (c *benchCommand) Run(ctx context.Context) error {
	if c.Quick {
		c.Rounds, c.Turn = quickRounds, quickTurn
	}
	results, err := bench.Start(ctx, bench.Options{
		Only: c.Only, Rounds: c.Rounds, Turn: c.Turn, ProfileDir: c.ProfileDir, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	if err := c.print(results); err != nil {
		return err
	}
	if !c.Quick && c.ProfileDir == "" {
		if err := bench.Save(c.Results, results); err != nil {
			return err
		}
	}
	for _, r := range results {
		if !r.OK {
			return errFailed
		}
	}
	return nil
}

func (c *benchCommand) print(results []bench.Result) error {
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	for _, r := range results {
		if err := r.Write(os.Stdout); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// benchServerCommand is how a benchmark starts a part in a process of its own.
type benchServerCommand struct {
	Name       string   `arg:"" help:"What to run."`
	Brokers    []string `help:"Kafka brokers."`
	Registry   string   `help:"URL of the schema registry."`
	Group      string   `help:"Consumer group."`
	ProfileDir string   `help:"Folder for profiles."`
}

// Run implements the command.
func (c *benchServerCommand) Run(ctx context.Context) error {
	return bench.Serve(ctx, c.Name, bench.ServerOptions{Brokers: c.Brokers, Registry: c.Registry, Group: c.Group, ProfileDir: c.ProfileDir}, os.Stdin, os.Stdout)
}
