// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// How often it is judged whether records are acknowledged, how many in a row must
// have failed for them not to be, and how long after the last failure it is tried
// again: who is not ready gets no webhooks that would tell.
const (
	judgeEvery   = time.Second
	failuresMost = 3
	tryAgain     = 10 * time.Second
)

// health is ready where the topics are as they must be and records are acknowledged.
type health struct {
	tell func(ready bool, reason string)
	// failures in a row; counted where records are produced.
	failures atomic.Int64
	last     atomic.Pointer[error]

	mu sync.Mutex
	// open says that webhooks are taken.
	open bool
	// ready and reason are what is said of the topics.
	ready  bool
	reason string
	// refused is why records are not acknowledged, of so many failures, the last of
	// which was noticed at.
	refused error
	counted int64
	at      time.Time
}

// produced notes the outcome of a request's records.
func (h *health) produced(err error) {
	switch {
	case err == nil:
		if h.failures.Load() != 0 { // a load is cheaper, where all go on at once
			h.failures.Store(0)
		}
	case errors.Is(err, kerr.MessageTooLarge): // the record's own fault
	default:
		h.last.Store(&err)
		h.failures.Add(1)
	}
}

// topics is told of the topics.
func (h *health) topics(ready bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready, h.reason = ready, reason
	h.say()
}

// opened is told that webhooks are taken.
func (h *health) opened() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
	h.say()
}

// judge looks at what became of the records.
func (h *health) judge(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.failures.Load()
	switch {
	case n < failuresMost:
		h.refused = nil
	case n != h.counted:
		h.refused, h.at = *h.last.Load(), now
	case now.Sub(h.at) >= tryAgain:
		h.refused = nil
		h.failures.Store(0)
	}
	h.counted = n
	h.say()
}

// say tells both in one. The lock must be held.
func (h *health) say() {
	switch {
	case !h.ready:
		h.tell(false, h.reason)
	case !h.open: // in a moment
	case h.refused != nil:
		h.tell(false, "webhooks are not acknowledged: "+h.refused.Error())
	default:
		h.tell(true, h.reason)
	}
}
