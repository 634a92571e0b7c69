// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench"
)

type benchCommand struct {
	Run     benchRunCommand     `cmd:"" default:"withargs" help:"Measure (the default)."`
	Report  benchReportCommand  `cmd:"" help:"Write the results into docs/performance.md, with their charts. Measures nothing."`
	Compare benchCompareCommand `cmd:"" help:"Compare two files of results: do they agree?"`

	Instructions benchInstructionsCommand `cmd:"" help:"Count the instructions of the hot paths, and compare them with what was accepted."`
}

type benchRunCommand struct {
	Only       []string      `help:"Benchmarks to run, instead of all." placeholder:"NAME"`
	Rounds     int           `help:"How often each side has its turn, in all passes together." default:"9"`
	Passes     int           `help:"How often all benchmarks are gone through: the rounds are spread over them." default:"3"`
	Turn       time.Duration `help:"How long a turn lasts." default:"1s"`
	Quick      bool          `help:"1 pass of 2 rounds of short turns and small sets, for a look. Nothing is written."`
	Full       bool          `help:"Also what takes many minutes: tables of ten million rows."`
	Output     string        `short:"o" help:"table or json." enum:"table,json" default:"table"`
	Results    string        `help:"File that keeps the results. Default: bench/results.json, or bench/results-kafka.json on a real Kafka." type:"path" placeholder:"FILE"`
	ProfileDir string        `help:"Folder for CPU and allocation profiles of all processes; they slow what is measured." type:"path" placeholder:"DIR"`
}

// Help is what --help adds.
func (benchRunCommand) Help() string {
	return `Compares parts of Hookstream with the cheapest thing that could take their place.
Both sides run at the same time and take turns, so that ratios hold on a busy
machine too; absolute figures are for orientation. All benchmarks are gone through
several times, so that the spread of their rounds holds what the machine does
meanwhile. Run it in the repository's folder.

HOOKSTREAM_TEST_BROKERS (host:port,host:port) names a real Kafka to run on.

Exit code 1 means that a goal was missed.

  go run ./dev bench
  go run ./dev bench --only edge --quick
  go run ./dev bench --only edge --profile-dir /tmp/profiles
  go run ./dev bench report
  go run ./dev bench --results /tmp/again.json
  go run ./dev bench compare bench/results.json /tmp/again.json`
}

// A quick look.
const (
	quickRounds = 2
	quickTurn   = 500 * time.Millisecond
)

// Run implements the command.
func (c *benchRunCommand) Run(ctx context.Context) error {
	if c.Quick {
		c.Rounds, c.Passes, c.Turn = quickRounds, 1, quickTurn
	}
	results, err := bench.Start(ctx, bench.Options{
		Only: c.Only, Rounds: c.Rounds, Passes: c.Passes, Turn: c.Turn, Quick: c.Quick, Full: c.Full, ProfileDir: c.ProfileDir, Progress: os.Stderr,
	})
	// What was measured before something failed is good.
	if err := errors.Join(err, c.print(results), c.save(results)); err != nil {
		return err
	}
	for _, r := range results {
		if !r.OK {
			return errFailed
		}
	}
	return nil
}

func (c *benchRunCommand) print(results []bench.Result) error {
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	return bench.WriteTable(os.Stdout, results)
}

func (c *benchRunCommand) save(results []bench.Result) error {
	if c.Quick || c.ProfileDir != "" || len(results) == 0 {
		return nil
	}
	return bench.Save(cmp.Or(c.Results, bench.ResultsFile()), results)
}

type benchReportCommand struct {
	Results  string `help:"File that keeps the results." default:"bench/results.json" type:"existingfile"`
	Kafka    string `help:"File that keeps the results on a real Kafka; where there is none, nothing is written of it." default:"bench/results-kafka.json" type:"path"`
	Document string `help:"Document that the results go into; the charts go beside it." default:"docs/performance.md" type:"existingfile"`
}

// Run implements the command.
func (c *benchReportCommand) Run() error {
	results, err := bench.Load(c.Results)
	if err != nil {
		return err
	}
	onKafka, err := bench.Load(c.Kafka)
	if err != nil {
		return err
	}
	return bench.Report(c.Document, results, onKafka)
}

type benchCompareCommand struct {
	Old    string `arg:"" help:"File of results." type:"existingfile"`
	New    string `arg:"" help:"File of later results." type:"existingfile"`
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Help is what --help adds.
func (benchCompareCommand) Help() string {
	return `Two runs agree in a measure if each median lies within the other's spread, which
is from the lowest to the highest of the rounds, or if they differ by 1 % at most.

Exit code 1 means that a ratio, a difference or a figure with a goal does not agree.
Absolute figures without a goal are listed apart: they say as much about the machine
as about the program.`
}

// Run implements the command.
func (c *benchCompareCommand) Run() error {
	before, err := bench.Load(c.Old)
	if err != nil {
		return err
	}
	after, err := bench.Load(c.New)
	if err != nil {
		return err
	}
	both, alone := bench.Compare(before, after)
	if c.Output == "json" {
		err = json.NewEncoder(os.Stdout).Encode(both)
	} else {
		err = bench.WriteComparison(os.Stdout, both, alone)
	}
	if err == nil && !bench.Agree(both) {
		err = errFailed
	}
	return err
}

// benchServerCommand is how a benchmark starts a part in a process of its own.
type benchServerCommand struct {
	Name       string   `arg:"" help:"What to run."`
	Brokers    []string `help:"Kafka brokers."`
	Prefix     string   `help:"Beginning of the names of all topics."`
	Registry   string   `help:"URL of the schema registry."`
	Group      string   `help:"Consumer group."`
	Records    int      `help:"Most records of a transaction."`
	ProfileDir string   `help:"Folder for profiles."`
}

// Run implements the command.
func (c *benchServerCommand) Run(ctx context.Context) error {
	return bench.Serve(ctx, c.Name, bench.ServerOptions{
		Brokers: c.Brokers, Prefix: c.Prefix, Registry: c.Registry, Group: c.Group, Records: c.Records, ProfileDir: c.ProfileDir,
	}, os.Stdin, os.Stdout)
}
