// SPDX-License-Identifier: Apache-2.0

// Command hookstream tells what became of a webhook.
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
	os.Exit(dlq.Hookstream(ctx, console.Standard(), os.Args[1:]))
}
