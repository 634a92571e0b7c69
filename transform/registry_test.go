// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// TestTheRegistryLosesItsSchemas: what would be written under ids that stand for
// nothing is not written, until they are back. A registry that is only away is not
// needed.
func TestTheRegistryLosesItsSchemas(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	behind, err := url.Parse(e.registry)
	if err != nil {
		t.Fatal(err)
	}
	var answer atomic.Pointer[http.HandlerFunc]
	var asked atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(behind)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if instead := answer.Load(); instead != nil {
			(*instead)(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	say := func(status int, body string) {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) })
		answer.Store(&h)
	}
	cfg := e.config(t, "a")
	cfg.Registry.URL, cfg.AdminAddress = front.URL, "127.0.0.1:0"
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	runService(t, s)
	e.payments(t, 0, 10)
	e.drained(t)

	say(http.StatusOK, "<html>log in</html>")
	before := asked.Load()
	runtest.Eventually(t, "questions to a registry that is away", func() bool { return asked.Load() >= before+3 })
	e.payments(t, 10, 20)
	e.drained(t)
	if code, text := readiness(t, s); code != http.StatusOK {
		t.Errorf("without a registry, which is not needed: %d, %s", code, text)
	}

	say(http.StatusNotFound, `{"error_code": 40403, "message": "Schema not found"}`)
	runtest.Eventually(t, "the lost schema in /readyz", func() bool {
		code, text := readiness(t, s)
		return code == http.StatusServiceUnavailable && strings.Contains(text, "the schema registry lost a schema")
	})
	e.payments(t, 20, 30)
	answer.Store(nil)
	e.drained(t)
	e.wantPayments(t, 30)
	runtest.Eventually(t, "readiness", func() bool { return readyz(t, s) == http.StatusOK })
}
