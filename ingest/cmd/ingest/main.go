// SPDX-License-Identifier: Apache-2.0

// Command ingest receives webhooks and writes them to Kafka. It also lists and
// checks providers, signs requests and verifies what is stored.
package main

import (
	"context"
	"log/slog"

	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/ingest/internal/command"
)

func main() {
	var cfg ingest.Config
	ingest.Info.Main(&cfg, func(ctx context.Context, log *slog.Logger) error {
		s, err := ingest.New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}, &command.Commands{})
}
