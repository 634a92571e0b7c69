// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockData takes the data folder for this stack alone, before any part touches what
// is in it: the embedded broker would write over another's state. The lock goes with
// the process, however that ends.
func (s *Stack) lockData(context.Context) error {
	if s.opts.DataDir == "" {
		return nil
	}
	if err := os.MkdirAll(s.opts.DataDir, 0o755); err != nil { //nolint:gosec // as root, Postgres runs as its own user, who must enter it
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.opts.DataDir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		return fmt.Errorf("data folder %s is in use by process %s: stop that one, or choose another folder", s.opts.DataDir, holder(file))
	}
	s.started("lock of the data folder", func(context.Context) error { return file.Close() })
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, os.Getpid())
	return err
}

// holder is who wrote itself into the lock.
func holder(file *os.File) string {
	text := make([]byte, 32)
	n, _ := file.ReadAt(text, 0) // an empty file is another who has not written yet
	if id := strings.TrimSpace(string(text[:n])); id != "" {
		return id
	}
	return "unknown"
}
