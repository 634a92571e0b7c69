// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// mostAllocations of the handler for one webhook: 37, and what the race detector
// makes of pools on top. Under load each costs about 0.1 µs with its collection.
const mostAllocations = 52

// TestAllocations guards the cost of a webhook where wall time cannot.
func TestAllocations(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Producer = discard{}; c.Log = slog.New(slog.DiscardHandler) })
	header := stripe(body2KB).Header
	post := func() (*httptest.ResponseRecorder, *http.Request) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(body2KB))
		r.Header = header
		return httptest.NewRecorder(), r
	}
	test := testing.AllocsPerRun(200, func() { post() })
	all := testing.AllocsPerRun(200, func() {
		rec, r := post()
		if w.ServeHTTP(rec, r); rec.Code != http.StatusAccepted {
			t.Fatal(rec.Body)
		}
	})
	if n := all - test; n > mostAllocations {
		t.Errorf("a webhook takes %v allocations, at most %d are allowed", n, mostAllocations)
	}
}
