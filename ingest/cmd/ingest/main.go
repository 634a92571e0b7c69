// SPDX-License-Identifier: Apache-2.0

// Command ingest receives webhooks and writes them to Kafka.
package main

import (
	"context"
	"log/slog"

	"github.com/hookstream/hookstream/ingest"
)

func main() {
	var cfg ingest.Config
	ingest.Info.Main(&cfg, func(ctx context.Context, log *slog.Logger) error {
		s, err := ingest.New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return s.Run(ctx)
	})
}
