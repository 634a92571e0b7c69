// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"net"
	"net/http"
	"testing"

	"github.com/hookstream/hookstream/stage/runtest"
)

// TestAMigrationIsTold: while the tables are brought up to date, /readyz says
// that, and not only that something waits.
func TestAMigrationIsTold(t *testing.T) {
	p := newPipeline(t, "postgres://hookstream@"+silent(t)+"/hookstream?sslmode=disable")
	r := p.start(t)
	runtest.Eventually(t, "the migration in /readyz", func() bool {
		code, body := r.get(t, "/readyz")
		var health struct {
			Parts map[string]struct{ Reason string }
		}
		must(t, json.Unmarshal([]byte(body), &health))
		return code == http.StatusServiceUnavailable && health.Parts[partDatabase].Reason == "migrating: bringing the tables up to date"
	})
	r.Stop()
}

// silent is the address of a server that takes connections and says nothing, so
// that the first migration lasts as long as the test wants.
func silent(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}
