// SPDX-License-Identifier: Apache-2.0

package limit

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Any stands for every tenant or every provider in an override.
const Any = "*"

// Pair is a tenant and a provider, either of which may be Any.
type Pair struct{ Tenant, Provider string }

// Rates are token buckets: one for each tenant's provider, and one for each
// tenant or provider that an override names.
type Rates struct {
	byDefault float64
	overrides map[Pair]float64
	burst     time.Duration
	now       func() time.Time

	mu      sync.RWMutex
	buckets map[Pair]*rate.Limiter
}

// NewRates makes buckets that are filled with byDefault tokens a second and hold
// what flows in within burst. Overrides give a pair another rate, or a tenant or
// a provider a bucket that all its pairs share on top of their own. A rate of 0
// is no limit.
func NewRates(byDefault float64, burst time.Duration, overrides map[Pair]float64) *Rates {
	return &Rates{
		byDefault: byDefault, overrides: overrides, burst: burst, now: time.Now,
		buckets: map[Pair]*rate.Limiter{},
	}
}

// Allow takes cost tokens from every bucket that the pair draws from, or from
// none: then it returns how long it takes until they are there. A cost above
// what a bucket can hold empties it. Buckets are kept, so it must only be asked
// about pairs that are configured.
func (r *Rates) Allow(tenant, provider string, cost int) (retryAfter time.Duration, ok bool) {
	now := r.now()
	var taken [3]*rate.Reservation
	for i, pair := range [...]Pair{{tenant, provider}, {tenant, Any}, {Any, provider}} {
		b := r.bucket(pair)
		if b == nil {
			continue
		}
		taken[i] = b.ReserveN(now, min(cost, b.Burst()))
		if wait := taken[i].DelayFrom(now); wait > 0 {
			giveBack(now, taken[:i+1])
			return wait, false
		}
	}
	return 0, true
}

func giveBack(now time.Time, taken []*rate.Reservation) {
	for _, t := range taken {
		if t != nil {
			t.CancelAt(now)
		}
	}
}

// bucket returns the pair's bucket, or nil where nothing limits it.
func (r *Rates) bucket(p Pair) *rate.Limiter {
	r.mu.RLock()
	b, known := r.buckets[p]
	r.mu.RUnlock()
	if known {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, known = r.buckets[p]; !known {
		b = r.newBucket(p)
		r.buckets[p] = b
	}
	return b
}

func (r *Rates) newBucket(p Pair) *rate.Limiter {
	perSecond, overridden := r.overrides[p]
	if !overridden && p.Tenant != Any && p.Provider != Any {
		perSecond = r.byDefault
	}
	if perSecond == 0 {
		return nil
	}
	size := math.Ceil(perSecond * r.burst.Seconds())
	return rate.NewLimiter(rate.Limit(perSecond), int(max(1, min(size, math.MaxInt32))))
}
