// SPDX-License-Identifier: Apache-2.0

// Package stacktest runs installations for tests.
package stacktest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/stack"
)

// patience bounds a start and a stop.
const patience = time.Minute

// Start brings an installation up, and stops it when the test ends.
func Start(t testing.TB, opts stack.Options) *stack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := stack.Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// PublicDir is a folder that others can reach: as root, Postgres runs as its own
// user, and t.TempDir is private to us.
func PublicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hookstream-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	return dir
}
