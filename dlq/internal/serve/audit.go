// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/http"
	"sync"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/auth"
)

// forbid refuses a caller that lacks a scope, and says so in the log.
func (h *handler) forbid(r *http.Request, caller *auth.Caller, lacks auth.Scope) error {
	h.log.WarnContext(r.Context(), "refused", "audit", true, "by", caller.Name, "method", r.Method, "path", r.URL.Path, "scope", lacks,
		correlatedWith(r.Context()))
	return refuse(forbidden, "%s lacks the scope %s", caller.Name, lacks)
}

// unknown says in the log that a request came of nobody that is known.
func (h *handler) unknown(r *http.Request, err error) {
	more, ok := h.strangers.turn(time.Now())
	if !ok {
		return
	}
	h.log.WarnContext(r.Context(), "refused", "audit", true, "by", "", "from", r.RemoteAddr,
		"method", r.Method, "path", r.URL.Path, "error", err, "more", more, correlatedWith(r.Context()))
}

// strangersEvery is how often the log tells of strangers: whoever has no token
// must not be able to fill it.
const strangersEvery = time.Second

// strangers counts the requests of nobody that is known between two log lines.
type strangers struct {
	mu   sync.Mutex
	next time.Time
	more int
}

// turn reports whether it is time for a line, and of how many requests there was
// none since the last.
func (s *strangers) turn(now time.Time) (more int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		s.more++
		return 0, false
	}
	more, s.more, s.next = s.more, 0, now.Add(strangersEvery)
	return more, true
}
