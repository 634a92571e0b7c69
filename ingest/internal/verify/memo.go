// SPDX-License-Identifier: Apache-2.0

package verify

import "sync/atomic"

// memo keeps what was made of the last document, as a Fetcher gives the same one
// until it is fetched again.
type memo[T any] struct{ last atomic.Pointer[made[T]] }

type made[T any] struct {
	of    []byte
	value T
}

// get makes the value unless it was made of this very document.
func (m *memo[T]) get(doc []byte, from func([]byte) T) T {
	if last := m.last.Load(); last != nil && identical(last.of, doc) {
		return last.value
	}
	next := &made[T]{of: doc, value: from(doc)}
	m.last.Store(next)
	return next.value
}

// identical reports whether both are the same memory.
func identical(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }
