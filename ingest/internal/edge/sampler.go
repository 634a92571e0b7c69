// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"sync"
	"time"
)

// sampleEvery is how often one kind of line is logged at most.
const sampleEvery = time.Second

// sampler keeps a storm of requests from becoming a storm of log lines: in an
// outage, or under an attack, every request would say the same.
type sampler struct {
	mu    sync.Mutex
	kinds map[kind]*window
}

// kind is what lines have in common. Both parts are of closed sets, which
// bounds the sampler.
type kind struct{ provider, outcome string }

type window struct {
	logged  time.Time
	skipped int
}

func newSampler() *sampler { return &sampler{kinds: map[kind]*window{}} }

// allow reports whether a line may be logged now, and how many were not since
// the last one.
func (s *sampler) allow(k kind, now time.Time) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, seen := s.kinds[k]
	if !seen {
		s.kinds[k] = &window{logged: now}
		return 0, true
	}
	if now.Sub(w.logged) < sampleEvery {
		w.skipped++
		return 0, false
	}
	skipped = w.skipped
	w.logged, w.skipped = now, 0
	return skipped, true
}
