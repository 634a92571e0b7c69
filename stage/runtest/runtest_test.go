// SPDX-License-Identifier: Apache-2.0

package runtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/runtest"
)

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures []string
	cleanup  func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanup = f }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestAnErrorThatNobodySawFails(t *testing.T) {
	broken := errors.New("broken")
	fails := func(context.Context) error { return broken }
	untilStopped := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for what, c := range map[string]struct {
		run  func(context.Context) error
		wait bool
		want string
	}{
		"nobody waits": {fails, false, "broken"},
		"seen":         {fails, true, ""},
		"graceful":     {untilStopped, false, ""},
	} {
		rec := &recorder{TB: t}
		r := runtest.Start(rec, c.run)
		if c.wait {
			if err := r.Wait(); !errors.Is(err, broken) {
				t.Errorf("%s: waited for %v", what, err)
			}
		}
		rec.cleanup()
		r.Stop() // once more changes nothing
		if got := strings.Join(rec.failures, " "); !strings.Contains(got, c.want) || len(rec.failures) > 1 || (got == "") != (c.want == "") {
			t.Errorf("%s: the test fails with %q, want %q", what, got, c.want)
		}
	}
}

func TestEventually(t *testing.T) {
	n := 0
	runtest.Eventually(t, "the third look", func() bool { n++; return n == 3 })
}
