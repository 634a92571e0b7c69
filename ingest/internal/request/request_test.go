// SPDX-License-Identifier: Apache-2.0

package request

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hookstream/hookstream/schemas/provider"
)

// TestURL is what senders sign: the endpoint as they know it.
func TestURL(t *testing.T) {
	const target = "/webhooks/square?a=%2F&b=1"
	cases := map[string]struct {
		public, proxied string
		tls             *tls.ConnectionState
		want            string
	}{
		"plain":                      {"", "", nil, "http://example.com/webhooks/square?a=%2F&b=1"},
		"TLS":                        {"", "", &tls.ConnectionState{}, "https://example.com/webhooks/square?a=%2F&b=1"},
		"TLS ends at a proxy":        {"", "https", nil, "https://example.com/webhooks/square?a=%2F&b=1"},
		"a proxy changes the host":   {"https://hooks.example.org", "", nil, "https://hooks.example.org/webhooks/square?a=%2F&b=1"},
		"configured beats forwarded": {"https://hooks.example.org", "http", nil, "https://hooks.example.org/webhooks/square?a=%2F&b=1"},
		"a proxy changes the path":   {"https://hooks.example.org/in/7", "", nil, "https://hooks.example.org/in/7?a=%2F&b=1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, target, nil)
			r.TLS, r.URL.Scheme = c.tls, c.proxied
			if got := New(r, nil, NewFields(&provider.Definition{}), c.public).URL(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	r := httptest.NewRequest(http.MethodPost, "/webhooks/square", nil)
	if got := New(r, nil, NewFields(&provider.Definition{}), "https://hooks.example.org/in").URL(); got != "https://hooks.example.org/in" {
		t.Errorf("without a query: %s", got)
	}
}

// TestItem: an item has its own body, and the request's everything else.
func TestItem(t *testing.T) {
	def := &provider.Definition{Identity: provider.Identity{ID: []provider.Alternative{{From: template(t, "{body.0.id}/{header.X-Id}")}}}}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("X-Id", "h")
	whole := New(r, []byte(`[{"id":"a"},{"id":"b"}]`), NewFields(def), "")
	for _, c := range []struct {
		req  *Request
		want string
	}{
		{whole, "a/h"}, {whole.Item([]byte(`[{"id":"b"}]`)), "b/h"}, {whole, "a/h"},
	} {
		if got, ok := def.Identity.ID[0].From.Expand(c.req.Lookup); !ok || got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if broken := whole.Item([]byte(`[`)); broken.Malformed() == nil || whole.Malformed() != nil {
		t.Error("an item's body and the request's are read as one")
	}
}

func template(t *testing.T, text string) provider.Template {
	t.Helper()
	parsed, err := provider.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
