// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"iter"

	"github.com/hookstream/hookstream/schemas/reason"
)

// open is a kind for which the breaker stays open.
type open struct {
	why reason.Code
	// worked is how many records of the kind did not fail since.
	worked int
}

// Open keeps the breaker open for a kind until Close, whatever comes of it. It is
// for those who set aside what fails and try it again: they know how much it is.
func (b *Breaker) Open(k Kind, why reason.Code) {
	if b.open[k] == nil {
		b.open[k] = &open{why: why}
		delete(b.lately, k)
	}
}

// Close forgets that the breaker was open for a kind, and how the kind did.
func (b *Breaker) Close(k Kind) { delete(b.open, k) }

// IsOpen reports whether the breaker stays open for a kind.
func (b *Breaker) IsOpen(k Kind) bool { return b.open[k] != nil }

// Opened yields the kinds for which the breaker stays open, each with how many of
// its records did not fail since.
func (b *Breaker) Opened() iter.Seq2[Kind, int] {
	return func(yield func(Kind, int) bool) {
		for k, o := range b.open {
			if !yield(k, o.worked) {
				return
			}
		}
	}
}
