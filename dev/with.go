// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/hookstream/hookstream/dev/internal/realparts"
)

type withCommand struct {
	Brokers int      `help:"Brokers of a Kafka that is started here: 1 or 3." enum:"1,3" default:"1"`
	Command []string `arg:"" passthrough:"" help:"Command to run."`
}

// Help is what --help adds.
func (withCommand) Help() string {
	return `Runs a command with HOOKSTREAM_TEST_BROKERS and HOOKSTREAM_TEST_DATABASE_URL set to
a real Kafka and Postgres: those that the variables name already, else containers
where Docker is, else Apache Kafka from its Maven artifacts and a private Postgres.

  go run ./dev with go test ./sink/...`
}

// Run implements the command.
func (c *withCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "hookstream-with-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root, Postgres runs as its own user
		return err
	}
	p, err := realparts.Start(ctx, dir, c.Brokers, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, p.Stop(stopCtx))
	}()
	fmt.Fprintln(os.Stderr, p)
	return execute(ctx, c.Command, p.Environment())
}

// execute runs a command, which may follow a "--".
func execute(ctx context.Context, command, environment []string) error {
	if command[0] == "--" {
		command = command[1:]
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = environment
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
