// SPDX-License-Identifier: Apache-2.0

// Command schemas lists the canonical schemas, checks them against a schema
// registry, and prints their documentation.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hookstream/hookstream/schemas/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command.Main(ctx, os.Stdout, os.Stderr, os.Args[1:]))
}
