// SPDX-License-Identifier: Apache-2.0

// Package runtest has what tests of services and loops need: to run something
// until its context ends, and to wait for what it does. Only tests import it.
package runtest

import (
	"context"
	"log/slog"
	"os"
	"testing" //nolint:depguard // only tests import this package
	"time"
)

// Patience is how long is waited for what should happen soon.
const Patience = time.Minute

// Eventually waits until something is so, and ends the test where it never is.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", Patience, what)
		}
	}
}

// Logger is quiet, unless HOOKSTREAM_TEST_LOG is set.
func Logger() *slog.Logger {
	if os.Getenv("HOOKSTREAM_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// Run is something that runs.
type Run struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	// waited says that the test has seen the error.
	waited bool
}

// Start runs something until the test ends, or Stop. An error that the test does
// not Wait for fails it. The context is not the test's own, which ends before
// the test's cleanup does.
func Start(t testing.TB, run func(context.Context) error) *Run {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &Run{t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = run(ctx)
	}()
	t.Cleanup(r.Stop)
	return r
}

// Wait waits for the end and returns what was returned, any number of times.
func (r *Run) Wait() error {
	r.t.Helper()
	select {
	case <-r.done:
		r.waited = true
		return r.err
	case <-time.After(Patience):
		r.t.Fatalf("it did not end within %s", Patience)
		return nil
	}
}

// Cancel ends it as a signal does, and does not wait.
func (r *Run) Cancel() { r.cancel() }

// Stop ends it as a signal does, and waits.
func (r *Run) Stop() {
	r.t.Helper()
	r.cancel()
	seen := r.waited
	if err := r.Wait(); err != nil && !seen {
		r.t.Errorf("it ended with %v", err)
	}
}
