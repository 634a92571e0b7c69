// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/alloctest"
)

// mostAllocations of the handler for one webhook, one of them the race detector's.
// Under load each costs about 0.1 µs with its collection.
const mostAllocations = 38

// TestAllocations guards the cost of a webhook where wall time cannot.
func TestAllocations(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Producer = discard{}; c.Log = slog.New(slog.DiscardHandler) })
	header := stripe(body2KB).Header
	post := func() (*httptest.ResponseRecorder, *http.Request) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(body2KB))
		r.Header = header
		return httptest.NewRecorder(), r
	}
	test := alloctest.Fewest(func() { post() })
	all := alloctest.Fewest(func() {
		rec, r := post()
		if w.ServeHTTP(rec, r); rec.Code != http.StatusAccepted {
			t.Fatal(rec.Body)
		}
	})
	if n := all - test; n > mostAllocations {
		t.Errorf("a webhook takes %v allocations, at most %d are allowed", n, mostAllocations)
	}
}
