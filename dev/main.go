// SPDX-License-Identifier: Apache-2.0

// Command dev runs all of Hookstream in one process: to try it, to develop it,
// and to check what it promises.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Run      runCommand      `cmd:"" default:"withargs" help:"Start everything with sample traffic and show what happens (the default)."`
	Check    checkCommand    `cmd:"" help:"Send webhooks drawn from a seed and account for every one."`
	With     withCommand     `cmd:"" help:"Run a command with a real Kafka and a real Postgres."`
	Kafka    kafkaCommand    `cmd:"" help:"Start or stop Apache Kafka without Docker."`
	Postgres postgresCommand `cmd:"" help:"Run a command with the programs of another PostgreSQL version."`
	Chaos    chaosCommand    `cmd:"" help:"Kill, pause and cut parts of an installation on Apache Kafka, and account for every webhook."`
	Outage   outageCommand   `cmd:"" help:"Stop Postgres under load, and measure how the sink catches up."`
	Bench    benchCommand    `cmd:"" help:"Compare what it costs with the cheapest that could take its place, and hold it to the goals."`

	BenchServer benchServerCommand `cmd:"" hidden:""`
}

// errFailed is a failure that has been reported already.
var errFailed = errors.New("failed")

// variables are what the help of the flags refers to.
func variables() kong.Vars { return kong.Vars{"log_dir": logDir()} }

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("dev"), kong.UsageOnError(),
		variables(),
		kong.Description("All of Hookstream in one process. Parts that are not given are embedded: a broker, a schema registry, and a private PostgreSQL."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(); err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(os.Stderr, "dev:", err)
		}
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
