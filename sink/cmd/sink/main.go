// SPDX-License-Identifier: Apache-2.0

// Command sink applies events to Postgres.
package main

import (
	"context"
	"log/slog"

	"github.com/hookstream/hookstream/sink"
)

func main() {
	var cfg sink.Config
	sink.Info.Main(&cfg, func(ctx context.Context, log *slog.Logger) error {
		s, err := sink.New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return s.Run(ctx)
	})
}
