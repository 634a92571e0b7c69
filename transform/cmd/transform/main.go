// SPDX-License-Identifier: Apache-2.0

// Command transform turns raw webhooks into canonical events.
package main

import (
	"context"
	"log/slog"

	"github.com/hookstream/hookstream/transform"
)

func main() {
	var cfg transform.Config
	transform.Info.Main(&cfg, func(ctx context.Context, log *slog.Logger) error {
		s, err := transform.New(cfg, log) //nolint:contextcheck // New waits for nothing
		if err != nil {
			return err
		}
		return s.Run(ctx)
	})
}
