// SPDX-License-Identifier: Apache-2.0

// Package breaker tells bad data, which dead letters are for, from something that
// is wrong with us, which would flood them.
package breaker

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/hookstream/hookstream/schemas/reason"
)

// A breaker opens for a kind of records when, of what came lately, at least
// LeastFailures failed for the same reason, over leastKeys keys, and they are the
// larger part. Fewer may be bad data.
const (
	LeastFailures = 20
	leastKeys     = 5
	// memory is how many outcomes of a kind count before they fade.
	memory = 200
	// maxKinds bounds the kinds that are watched; senders choose their names.
	maxKinds = 10_000
)

// RetryAfter is how long those who fail should wait until they are tried again.
const RetryAfter = 10 * time.Second

// Kind is what fails or works together: one rule of one definition, most often.
type Kind struct{ Tenant, Provider, EventType string }

// Outcome is what becomes of one record.
type Outcome struct {
	Kind Kind
	// Key is the record's key.
	Key []byte
	// Reason is why it fails for good, or "".
	Reason reason.Code
}

// Breaker remembers how kinds of records have done lately. It is for one
// goroutine.
type Breaker struct {
	lately map[Kind]*history
	open   map[Kind]*open
}

// New makes a Breaker that remembers nothing.
func New() *Breaker { return &Breaker{lately: map[Kind]*history{}, open: map[Kind]*open{}} }

// Verdict is what a batch would do to the breaker.
type Verdict struct {
	breaker *Breaker
	after   map[Kind]*history
	// Open are the kinds for which the breaker is open, each with the reason for
	// which it fails.
	Open map[Kind]reason.Code
}

// Judge looks at what becomes of a batch before any of it is output. Nothing is
// remembered until Commit.
func (b *Breaker) Judge(outcomes iter.Seq[Outcome]) Verdict {
	v := Verdict{breaker: b, after: map[Kind]*history{}, Open: map[Kind]reason.Code{}}
	var kind Kind
	var h *history
	for o := range outcomes {
		if h == nil || o.Kind != kind { // most often it is that of the record before
			kind = o.Kind
			if h = v.after[kind]; h == nil {
				h = b.copyOf(kind)
				v.after[kind] = h
			}
		}
		h.add(o.Key, o.Reason)
	}
	for k, h := range v.after {
		if why := h.opens(); why != "" {
			v.Open[k] = why
		}
	}
	return v
}

func (b *Breaker) copyOf(k Kind) *history {
	if o := b.open[k]; o != nil {
		return &history{failures: map[reason.Code]int{}, open: o.why}
	}
	was := b.lately[k]
	if was == nil {
		return &history{failures: map[reason.Code]int{}}
	}
	return &history{total: was.total, failures: maps.Clone(was.failures), keys: slices.Clone(was.keys)}
}

// Commit remembers the outcomes of a batch that was output. The zero Verdict has
// none. The breaker stays open for the kinds for which it opened: what failed of
// them was set aside, and not given up.
func (v Verdict) Commit() {
	for k, h := range v.after {
		lately := v.breaker.lately
		if why, open := v.Open[k]; open {
			v.breaker.Open(k, why)
			v.breaker.open[k].worked += h.worked()
			continue
		}
		if len(h.failures) == 0 {
			delete(lately, k) // whoever works is not worth the memory
			continue
		}
		if len(lately) >= maxKinds {
			clear(lately)
		}
		h.fade()
		lately[k] = h
	}
}

// history says how a kind has done lately.
type history struct {
	total    int
	failures map[reason.Code]int
	// keys are those that failed, up to leastKeys of them.
	keys []string
	// open is why the breaker is open for the kind, or "".
	open reason.Code
}

func (h *history) add(key []byte, why reason.Code) {
	h.total++
	if why == "" {
		return
	}
	h.failures[why]++
	if len(h.keys) < leastKeys && !slices.Contains(h.keys, string(key)) {
		h.keys = append(h.keys, string(key))
	}
}

// fade halves what is remembered, so that the past counts less and less.
func (h *history) fade() {
	if h.total < memory {
		return
	}
	h.total /= 2
	for why := range h.failures {
		h.failures[why] /= 2
	}
}

func (h *history) worked() int {
	n := h.total
	for _, failed := range h.failures {
		n -= failed
	}
	return n
}

// opens is the reason for which the breaker opens or is open, or "".
func (h *history) opens() reason.Code {
	if h.open != "" {
		return h.open
	}
	for why, n := range h.failures {
		if n >= LeastFailures && 2*n > h.total && len(h.keys) >= leastKeys {
			return why
		}
	}
	return ""
}
