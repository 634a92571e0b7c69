// SPDX-License-Identifier: Apache-2.0

package jvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const pollInterval = 20 * time.Millisecond

// Lock waits until this process alone holds the lock on the file, which is
// created if missing. Closing the file releases the lock, as does the end of
// this process. It is flock(2): it goes with the open file, which a child may
// inherit.
func Lock(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		held, err := tryLock(file, syscall.LOCK_EX)
		if err == nil && held {
			return file, nil
		}
		if err == nil {
			select {
			case <-poll.C:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
}

func tryLock(file *os.File, how int) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}
