// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
)

// watchInterval is how often the database is asked whether it is there, and how
// long its answer is waited for.
const watchInterval = 5 * time.Second

// watchDatabase keeps what health says of the database, until ctx ends. The consumer
// says what it waits for, which need not be the database, and asks it nothing while
// it has no partitions.
func (s *Service) watchDatabase(ctx context.Context) {
	for failure.Sleep(ctx, watchInterval) == nil {
		err := s.pingDatabase(ctx)
		switch {
		case err == nil:
			s.health.Set(partDatabase, true, "")
		case ctx.Err() == nil:
			s.health.Set(partDatabase, false, err.Error())
		}
	}
}

func (s *Service) pingDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	return s.pool.Ping(ctx)
}
