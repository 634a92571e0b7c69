// SPDX-License-Identifier: Apache-2.0

package runtest

import "sync"

// Status keeps what something said last of its readiness. It is safe for
// concurrent use.
type Status struct {
	mu     sync.Mutex
	ready  bool
	reason string
}

// Set is for those who say it.
func (s *Status) Set(ready bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.reason = ready, reason
}

// Get is what was said last.
func (s *Status) Get() (ready bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready, s.reason
}
