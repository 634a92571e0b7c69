// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/hookstream/hookstream/dev/internal/pgrelease"
)

type postgresCommand struct {
	Version int      `arg:"" help:"Major version: 15, 16, 17 or 18."`
	Command []string `arg:"" passthrough:"" help:"Command to run."`
}

// Help is what --help adds.
func (postgresCommand) Help() string {
	return `Runs a command with PG_BIN set to the programs of that PostgreSQL, which Maven fetches
once, whatever the machine has. Everything here that starts a Postgres follows PG_BIN.

  go run ./dev postgres 18 go test ./sink/...`
}

// Run implements the command.
func (c *postgresCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "hookstream-postgres-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root, Postgres runs as its own user
		return err
	}
	bin, err := pgrelease.Unpack(ctx, c.Version, dir, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return execute(ctx, c.Command, append(os.Environ(), "PG_BIN="+bin))
}
