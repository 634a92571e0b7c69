// SPDX-License-Identifier: Apache-2.0

package kafkacluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/hookstream/hookstream/dev/internal/jvm"
)

// idleTimeout is for brokers whose owner was killed a moment ago.
const idleTimeout = 3 * time.Second

// awaitIdle waits until no broker runs in the data folder.
func awaitIdle(ctx context.Context, dataDir string) error {
	l, err := loadLayout(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, idleTimeout)
	defer cancel()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		alive, err := l.alive(dataDir)
		if err != nil || len(alive) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			pid, _, _ := jvm.Running(alive[0].dir(dataDir))
			return fmt.Errorf("data folder %s is in use by another Kafka (process %d): stop that one or choose another folder", dataDir, pid)
		case <-poll.C:
		}
	}
}

// stopAll ends the brokers together. The last of three to end in order finds no
// quorum to say goodbye to; the grace ends its wait.
func stopAll(ctx context.Context, dataDir string, brokers []broker) error {
	errs := make([]error, len(brokers))
	var stopping sync.WaitGroup
	for i, b := range brokers {
		stopping.Go(func() { errs[i] = jvm.StopIn(ctx, b.dir(dataDir), stopGrace) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}
