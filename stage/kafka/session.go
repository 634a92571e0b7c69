// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"log/slog"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
)

// healthySession is how long a session must have lived for its end to count as
// a first failure.
const healthySession = time.Minute

// Sessions runs session, a client's life from joining its group to its end,
// over and over: after a failure a new client starts clean. It returns nil when
// ctx ended and an error only when that is Fatal.
func Sessions(ctx context.Context, log *slog.Logger, status func(ready bool, reason string), session func(context.Context) error) error {
	for failures := 1; ; failures++ {
		started := time.Now()
		err := session(ctx)
		switch {
		case failure.Of(err) == failure.Fatal:
			return err
		case ctx.Err() != nil:
			return nil //nolint:nilerr // how a session ends then is no failure
		case err == nil:
			continue
		}
		if time.Since(started) > healthySession {
			failures = 1
		}
		status(false, err.Error())
		log.ErrorContext(ctx, "session ended; starting a new one", "attempt", failures, "error", err)
		if failure.DefaultBackoff.Wait(ctx, failures) != nil {
			return nil //nolint:nilerr // ctx ended
		}
	}
}
