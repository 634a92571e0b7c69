// SPDX-License-Identifier: Apache-2.0

package network

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhatProxiesSay(t *testing.T) {
	trusted, err := ParseNetworks([]string{"10.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	type seen struct{ client, url string }
	const ours = "http://ingest.internal"
	cases := map[string]struct {
		style  Style
		peer   string
		header http.Header
		want   seen
	}{
		"nothing said": {
			peer: "10.0.0.1:5", want: seen{"10.0.0.1:5", ours},
		},
		"said by a stranger": {
			peer:   "192.0.2.1:5",
			header: http.Header{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}},
			want:   seen{"192.0.2.1:5", ours},
		},
		"one proxy": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"hooks.example.com"}},
			want:   seen{"198.51.100.1:0", "https://hooks.example.com"},
		},
		"a client that says more than is true": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-For": {"203.0.113.9, 198.51.100.1"}, "X-Forwarded-Proto": {"https"}},
			want:   seen{"198.51.100.1:0", "https://ingest.internal"},
		},
		"two proxies and a liar": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-For": {"203.0.113.9", "198.51.100.1, 10.0.0.2"}, "X-Forwarded-Proto": {"http,https,http"}},
			want:   seen{"198.51.100.1:0", "https://ingest.internal"},
		},
		"all are ours": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}},
			want:   seen{"10.0.0.3:0", ours},
		},
		"a hop without an address": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-For": {"198.51.100.1, unknown, 10.0.0.2"}},
			want:   seen{"10.0.0.2:0", ours},
		},
		"IPv6 with a port": {
			peer:   "[fd00::1]:5",
			header: http.Header{"X-Forwarded-For": {"[2001:db8::1]:443"}},
			want:   seen{"[2001:db8::1]:0", ours},
		},
		"scheme and host that are none": {
			peer:   "10.0.0.1:5",
			header: http.Header{"X-Forwarded-Proto": {"javascript"}, "X-Forwarded-Host": {"a/b?c"}},
			want:   seen{"10.0.0.1:5", ours},
		},
		"the other style is not believed": {
			peer:   "10.0.0.1:5",
			header: http.Header{"Forwarded": {"for=203.0.113.9;host=evil.example"}},
			want:   seen{"10.0.0.1:5", ours},
		},
		"RFC 7239": {
			style: Forwarded, peer: "10.0.0.1:5",
			header: http.Header{"Forwarded": {`For="[2001:db8::1]:4711";Proto=HTTPS;host="hooks.example.com:8443", for=10.0.0.2;proto=http`}, "X-Forwarded-For": {"203.0.113.9"}},
			want:   seen{"[2001:db8::1]:0", "https://hooks.example.com:8443"},
		},
		"RFC 7239, an obfuscated client": {
			style: Forwarded, peer: "10.0.0.1:5",
			header: http.Header{"Forwarded": {`for=_hidden;by="a,b;c";proto=https`}},
			want:   seen{"10.0.0.1:5", "https://ingest.internal"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			style := c.style
			if style == "" {
				style = XForwarded
			}
			var got seen
			handler := Proxies{trusted, style}.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = seen{r.RemoteAddr, r.URL.Scheme + "://" + r.Host}
				for _, name := range headers {
					if _, left := r.Header[name]; left {
						t.Errorf("%s is still there", name)
					}
				}
			}))
			r := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", nil)
			r.RemoteAddr, r.Host = c.peer, "ingest.internal"
			for name, values := range c.header {
				r.Header[name] = values
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTLSIsTheScheme(t *testing.T) {
	Proxies{}.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Scheme != "https" {
			t.Errorf("scheme %q", r.URL.Scheme)
		}
	})).ServeHTTP(httptest.NewRecorder(), &http.Request{URL: httptest.NewRequest(http.MethodPost, "/", nil).URL, TLS: &tls.ConnectionState{}, Header: http.Header{}})
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=192.0.2.1;proto=https, for="[2001:db8::1]:1"`, "https", "example.com")
	f.Add("192.0.2.1, 10.0.0.1", "http,https", `"`)
	f.Fuzz(func(t *testing.T, clients, proto, host string) {
		trusted, err := ParseNetworks([]string{"10.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		for _, style := range []Style{XForwarded, Forwarded} {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = "10.0.0.1:5"
			r.Header = http.Header{"X-Forwarded-For": {clients}, "Forwarded": {clients}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}}
			Proxies{trusted, style}.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Scheme != "http" && r.URL.Scheme != "https" || !validHost(r.Host) {
					t.Errorf("believed %s://%s", r.URL.Scheme, r.Host)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}
