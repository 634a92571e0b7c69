// SPDX-License-Identifier: Apache-2.0

// Command dlq lists, shows, replays and discards dead letters.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hookstream/hookstream/dlq"
	"github.com/hookstream/hookstream/dlq/internal/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once the first signal was seen, the next one has its default effect.
	context.AfterFunc(ctx, stop)
	os.Exit(dlq.Main(ctx, console.Standard(), os.Args[1:]))
}
