// SPDX-License-Identifier: Apache-2.0

package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newRates has a clock that stands still until it is moved.
func newRates(byDefault float64, burst time.Duration, overrides map[Pair]float64) (r *Rates, pass func(time.Duration)) {
	r = NewRates(byDefault, burst, overrides)
	now := time.Unix(1_767_225_600, 0)
	r.now = func() time.Time { return now }
	return r, func(d time.Duration) { now = now.Add(d) }
}

// allowed is how many requests in a row are let through.
func allowed(r *Rates, tenant, provider string, cost int) int {
	for n := 0; ; n++ {
		if _, ok := r.Allow(tenant, provider, cost); !ok || n == 10_000 {
			return n
		}
	}
}

func TestEachPairHasItsOwnBucket(t *testing.T) {
	r, pass := newRates(10, 2*time.Second, nil)
	if got := allowed(r, "acme", "stripe", 1); got != 20 {
		t.Errorf("a full bucket let %d through, want 20", got)
	}
	if got := allowed(r, "acme", "github", 1); got != 20 {
		t.Errorf("another provider: %d", got)
	}
	if got := allowed(r, "other", "stripe", 1); got != 20 {
		t.Errorf("another tenant: %d", got)
	}
	if wait, ok := r.Allow("acme", "stripe", 5); ok || wait != 500*time.Millisecond {
		t.Errorf("five tokens at ten a second: wait %s, allowed %t", wait, ok)
	}
	pass(time.Second)
	if got := allowed(r, "acme", "stripe", 5); got != 2 {
		t.Errorf("a second later %d requests of cost 5 got through, want 2", got)
	}
}

func TestACostAboveTheBucketEmptiesIt(t *testing.T) {
	r, pass := newRates(10, time.Second, nil)
	if got := allowed(r, "a", "p", 24); got != 1 {
		t.Errorf("%d got through, want 1", got)
	}
	pass(time.Second)
	if _, ok := r.Allow("a", "p", 24); !ok {
		t.Error("refused for ever")
	}
}

func TestOverridesReplaceOrShare(t *testing.T) {
	r, pass := newRates(100, time.Second, map[Pair]float64{
		{"acme", "stripe"}: 5, {"acme", Any}: 7, {Any, "github"}: 30, {"free", "stripe"}: 0,
	})
	if got := allowed(r, "acme", "stripe", 1); got != 5 {
		t.Errorf("its own rate: %d, want 5", got)
	}
	if got := allowed(r, "acme", "shopify", 1); got != 2 {
		t.Errorf("what is left of the tenant's 7: %d, want 2", got)
	}
	if got := allowed(r, "b", "github", 1) + allowed(r, "c", "github", 1); got != 30 {
		t.Errorf("all of a provider: %d, want 30", got)
	}
	if got := allowed(r, "free", "stripe", 1); got != 10_000 {
		t.Errorf("no limit: stopped after %d", got)
	}
	// What the tenant's bucket refuses must not cost the pair's own.
	pass(time.Second / 7)
	if got := allowed(r, "acme", "shopify", 1); got != 1 {
		t.Errorf("one token for the tenant: %d", got)
	}
	if got := r.bucket(Pair{"acme", "shopify"}).TokensAt(r.now()); got != 99 {
		t.Errorf("the pair's own bucket has %g, want 99", got)
	}
}

func TestNoLimit(t *testing.T) {
	r, _ := newRates(0, time.Second, nil)
	if got := allowed(r, "a", "p", 24); got != 10_000 {
		t.Errorf("stopped after %d", got)
	}
}

func TestRatesAreSafeForConcurrentUse(t *testing.T) {
	r, _ := newRates(1000, time.Second, nil)
	var through atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if _, ok := r.Allow("a", "p", 1); ok {
					through.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if through.Load() != 1000 {
		t.Errorf("%d got through, want 1000", through.Load())
	}
}
