// SPDX-License-Identifier: Apache-2.0

// Command sink applies events to Postgres. It also shows how far it is, and
// prints its DDL.
package main

import (
	"context"
	"log/slog"

	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/sink/internal/command"
)

func main() {
	var cfg sink.Config
	sink.Info.Main(&cfg, func(ctx context.Context, log *slog.Logger) error {
		s, err := sink.New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}, &command.Commands{})
}
