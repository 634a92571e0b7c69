// SPDX-License-Identifier: Apache-2.0

package outbound

import "sync/atomic"

// Memo keeps what was made of the last document, as a Client gives the same one
// until it is fetched again. It is safe for concurrent use.
type Memo[T any] struct{ last atomic.Pointer[made[T]] }

type made[T any] struct {
	of    []byte
	value T
}

// Get makes the value unless it was made of this very document.
func (m *Memo[T]) Get(doc []byte, from func([]byte) T) T {
	if last := m.last.Load(); last != nil && identical(last.of, doc) {
		return last.value
	}
	next := &made[T]{of: doc, value: from(doc)}
	m.last.Store(next)
	return next.value
}

// identical reports whether both are the same memory.
func identical(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }
