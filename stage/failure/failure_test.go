// SPDX-License-Identifier: Apache-2.0

package failure

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/reason"
)

var errCause = errors.New("cause")

func TestClassTravelsWithTheError(t *testing.T) {
	cases := map[string]struct {
		err    error
		class  Class
		reason reason.Code
	}{
		"nobody classified it": {errCause, Transient, ""},
		"nil":                  {nil, Transient, ""},
		"transient":            {NewTransient(errCause), Transient, ""},
		"permanent, wrapped":   {fmt.Errorf("a: %w", NewPermanent(reason.InvalidValue, errCause)), Permanent, reason.InvalidValue},
		"fatal, joined":        {errors.Join(errors.New("other"), NewFatal("do this: %w", errCause)), Fatal, ""},
		"the outer class wins": {&Error{Class: Fatal, Err: NewPermanent(reason.TooLarge, errCause)}, Fatal, ""},
	}
	for name, c := range cases {
		if Of(c.err) != c.class || ReasonOf(c.err) != c.reason {
			t.Errorf("%s: got %s, %q", name, Of(c.err), ReasonOf(c.err))
		}
		if c.err != nil && !errors.Is(c.err, errCause) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
	for class, want := range map[Class]string{Transient: "transient", Permanent: "permanent", Fatal: "fatal"} {
		if class.String() != want {
			t.Errorf("%d is %s", class, class)
		}
	}
}

func TestDelayStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{
			First: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "first")),
			Max:   time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "max")),
		}
		failures := rapid.OneOf(rapid.IntRange(1, 100), rapid.Just(1<<62)).Draw(t, "failures")
		if d := b.Delay(failures); d < min(b.First, b.Max)/2 || d > b.Max {
			t.Fatalf("%v after %d failures: %s", b, failures, d)
		}
	})
}

func TestDelayGrowsAndSpreads(t *testing.T) {
	longest := func(failures int) (longest time.Duration) {
		for range 200 {
			longest = max(longest, DefaultBackoff.Delay(failures))
		}
		return longest
	}
	if one := longest(1); one > DefaultBackoff.First {
		t.Errorf("the first wait is %s", one)
	}
	if nine := longest(9); nine < DefaultBackoff.Max/2 {
		t.Errorf("after nine failures the longest of 200 waits is %s", nine)
	}
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[DefaultBackoff.Delay(9)] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 waits have only %d lengths: instances would try again together", len(seen))
	}
}

var quick = Backoff{First: 1, Max: 10}

func TestRetryGoesOnWhileItPasses(t *testing.T) {
	var told []int
	calls := 0
	err := Retry(t.Context(), quick, func(context.Context) error {
		if calls++; calls < 4 {
			return errCause
		}
		return nil
	}, func(failures int, delay time.Duration, err error) {
		if delay > quick.Max {
			t.Errorf("told of a wait of %s", delay)
		}
		if !errors.Is(err, errCause) {
			t.Errorf("told of %v", err)
		}
		told = append(told, failures)
	})
	if err != nil || calls != 4 || fmt.Sprint(told) != "[1 2 3]" {
		t.Errorf("%d calls, told %v, %v", calls, told, err)
	}
}

func TestRetryStopsAtWhatStays(t *testing.T) {
	for _, want := range []error{NewPermanent(reason.TooLarge, errCause), NewFatal("stop")} {
		calls := 0
		err := Retry(t.Context(), quick, func(context.Context) error { calls++; return want }, nil)
		if !errors.Is(err, want) || calls != 1 {
			t.Errorf("%v: %d calls, %v", want, calls, err)
		}
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// The wait is so long that only the context can end it.
	err := Retry(ctx, Backoff{First: time.Hour, Max: time.Hour}, func(context.Context) error { return errCause }, func(int, time.Duration, error) { cancel() })
	if !errors.Is(err, errCause) {
		t.Errorf("got %v, want what failed", err)
	}
	if err := DefaultBackoff.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait gives %v", err)
	}
}
