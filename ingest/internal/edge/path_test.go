// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/problem"
)

// TestOddPathsGetAProblem: http.ServeMux would redirect some of them, without a
// problem document, and no sender of webhooks follows.
func TestOddPathsGetAProblem(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"//webhooks/stripe", "/webhooks//stripe", "/webhooks/./stripe", "/webhooks/x/../stripe", "/webhooks/%2e%2e/stripe",
		"/webhooks/stripe/", "/webhooks/stripe/.", "/webhooks/stripe//", "/webhooks/a/b/stripe", "/webhooks/a%2fstripe", "/webhooks/",
		"/", "/WEBHOOKS/stripe", "/webhooks/" + strings.Repeat("a", 8000), "/webhooks/%00", "/webhooks/..%2fstripe",
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodOptions, http.MethodTrace, http.MethodConnect} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader("{}"))
			u, err := url.Parse("http://hooks.example.com" + path)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			got := httptest.NewRecorder()
			w.ServeHTTP(got, r)
			if got.Code != http.StatusNotFound || got.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("%s %.60s: got %d %s, want a problem with 404", method, path, got.Code, got.Header().Get("Content-Type"))
			}
		}
	}
}

func TestLargeHeadersGetAProblem(t *testing.T) {
	w := newWorld(t)
	for name, fill := range map[string]func(*http.Request){
		"one header":   func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("a", MaxHeaderBytes)) },
		"many headers": func(r *http.Request) { r.Header["X-Many"] = slices.Repeat([]string{"v"}, MaxHeaderBytes/10) },
		"the target":   func(r *http.Request) { r.RequestURI += "?" + strings.Repeat("a", MaxHeaderBytes) },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/stripe", strings.NewReader("{}"))
		fill(r)
		got := httptest.NewRecorder()
		w.ServeHTTP(got, r)
		if got.Code != http.StatusRequestHeaderFieldsTooLarge || got.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: got %d %s, want a problem with 431", name, got.Code, got.Header().Get("Content-Type"))
		}
	}
}
